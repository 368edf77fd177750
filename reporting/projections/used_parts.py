"""The parts that orders used: one row an order, part and instant."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.inventory import PartConsumed
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: PartConsumed, envelope: Envelope) -> None:
    key = event.order_id, event.part_id, micros(envelope.time)
    before = rows.get(*key)
    rows.put(*key, quantity=(before["quantity"] if before else 0) + event.quantity)


USED_PARTS = View(
    name="used_parts",
    version=2,
    key={"order_id": str, "part_id": str, "used_at": int},
    columns={"quantity": 0},
    reads=(PartConsumed,),
    apply=apply,
)
