"""What parts cost us: one row a part, with what a piece costs now, and one row an order and part that it used."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.inventory import PartConsumed, PartDefined
from services.chassis.views import Rows, View


def apply_part(rows: Rows, event: PartDefined | PartConsumed, envelope: Envelope) -> None:
    # One that was never defined has a row too, of unknown cost.
    rows.put(event.part_id, **({"cost_fen": event.cost_fen or None} if isinstance(event, PartDefined) else {}))


def apply_used(rows: Rows, event: PartConsumed, envelope: Envelope) -> None:
    key = event.order_id, event.part_id
    before = rows.get(*key)
    rows.put(*key, quantity=(before["quantity"] if before else 0) + event.quantity)


PARTS = View(
    name="part_costs",
    version=1,
    key={"part_id": str},
    columns={"cost_fen": (int, None)},
    reads=(PartDefined, PartConsumed),
    apply=apply_part,
)

USED_PARTS = View(
    name="used_parts",
    version=1,
    key={"order_id": str, "part_id": str},
    columns={"quantity": 0},
    reads=(PartConsumed,),
    apply=apply_used,
)
