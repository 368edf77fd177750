"""Our books and the warehouse system's: what each said of a part at a place when they were last compared."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.inventory import PartConsumed, StockIssued, StockSynchronised
from inventory.domain.stock import after_snapshot
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: StockSynchronised | PartConsumed | StockIssued, envelope: Envelope) -> None:
    if isinstance(event, StockSynchronised):
        rows.put(
            event.part_id,
            event.place_id,
            event.condition,
            ours=event.ours,
            theirs=event.theirs,
            difference=after_snapshot(event) - event.ours,
            source=event.source,
            document_id=event.document_id,
            taken_at=micros(event.taken_at),
            not_on_our_books=0,
        )
    elif event.drift:
        condition = "good" if isinstance(event, PartConsumed) else event.condition
        row = rows.get(event.part_id, event.place_id, condition) or DRIFT.defaults
        rows.put(
            event.part_id, event.place_id, condition, not_on_our_books=int(row["not_on_our_books"] or 0) + event.drift
        )


DRIFT = View(
    name="stock_drift",
    version=2,
    key={"part_id": str, "place_id": str, "condition": str},
    columns={
        "ours": 0,
        "theirs": 0,
        "difference": 0,
        "source": "",
        "document_id": "",
        "taken_at": (int, None),
        "not_on_our_books": 0,
    },
    reads=(StockSynchronised, PartConsumed, StockIssued),
    apply=apply,
    indexes=(("place_id",),),
)
