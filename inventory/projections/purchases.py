"""When more of a part is bought for a place: the reorder points, what is suggested, and what is on order."""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.inventory import (
    PurchaseDismissed,
    PurchaseNotNeeded,
    PurchaseOrdered,
    PurchaseSuggested,
    ReorderPointSet,
    StockReceived,
    StockSynchronised,
)
from inventory.domain.stock import PurchaseEvent, came_of_order
from inventory.projections.registers import PLACES
from services.chassis.clock import micros
from services.chassis.views import Rows, View

REASONING: Final = ("on_hand", "set_aside", "expected_use", "reorder_at", "reorder_to", "quantity")


def apply(rows: Rows, event: PurchaseEvent | StockReceived | StockSynchronised, envelope: Envelope) -> None:
    key = event.part_id, event.place_id
    row = rows.get(*key)
    ordered = int(row["ordered"]) if row else 0
    match event:
        case StockReceived() | StockSynchronised():
            if ordered:
                rows.put(*key, ordered=max(0, ordered - came_of_order(event)))
            return
        case ReorderPointSet():
            rows.put(*key, reorder_at=event.reorder_at, reorder_to=event.reorder_to)
        case PurchaseSuggested():
            why: dict[str, Any] = {name: getattr(event, name) for name in REASONING}
            rows.put(*key, **why, state="suggested", since=micros(envelope.time), reason="")
        case PurchaseOrdered():
            rows.put(*key, ordered=ordered + event.quantity, state="ordered", reason=event.reference)
        case PurchaseDismissed():
            rows.put(*key, state="dismissed", reason=event.reason)
        case PurchaseNotNeeded():
            rows.put(*key, state="", reason="")


PURCHASES = View(
    name="purchases",
    version=1,
    key={"part_id": str, "place_id": str},
    columns={
        "reorder_at": 0,
        "reorder_to": 0,
        "state": "",
        "since": 0,
        "quantity": 0,
        "on_hand": 0,
        "set_aside": 0,
        "expected_use": 0,
        "ordered": 0,
        "reason": "",
    },
    reads=(
        ReorderPointSet,
        PurchaseSuggested,
        PurchaseOrdered,
        PurchaseDismissed,
        PurchaseNotNeeded,
        StockReceived,
        StockSynchronised,
    ),
    apply=apply,
    indexes=(("state",),),
)

_buy, _place = PURCHASES.table.c, PLACES.table.c

REORDERED: Final = (
    select(_buy.place_id, _buy.reorder_to, _buy.state, _place.kind)
    .join(PLACES.table, (_place.tenant == _buy.tenant) & (_place.place_id == _buy.place_id))
    .where(_buy.tenant == bindparam("tenant"), _buy.part_id == bindparam("part_id"))
    .order_by(_buy.place_id)
)
"""The places that have had a reorder point of this part."""
