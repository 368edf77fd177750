"""What lies where: pieces on hand, how many of them are set aside, whether the free ones are few, and what comes."""

from __future__ import annotations

from typing import Final, get_args

from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.inventory import (
    Condition,
    PartConsumed,
    PartRepaired,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PiecesNamed,
    StockArrived,
    StockCounted,
    StockFellShort,
    StockIssued,
    StockLow,
    StockReceived,
    StockReturned,
    StockSent,
    StockSetAside,
    StockSynchronised,
    TransferLost,
)
from inventory.domain.stock import PurchaseEvent, StockEvent, after_snapshot
from inventory.projections.registers import PARTS, PLACES
from services.chassis.clock import micros
from services.chassis.views import Rows, View

HAND: Final[dict[Condition, str]] = {"good": "on_hand", "defective": "defective"}
"""The column of the pieces in this condition."""


def apply(rows: Rows, event: StockEvent | TransferLost, envelope: Envelope) -> None:
    if isinstance(event, TransferLost):
        for line in event.lines:
            _comes(rows, line.part_id, event.to_place_id, -line.quantity)
        return
    known = rows.get(event.part_id, event.place_id) or STOCK.defaults
    row = dict(known)
    row["version"] = envelope.version
    match event:
        case StockCounted():
            row |= {HAND[event.condition]: event.quantity, "counted_at": micros(envelope.time)}
            row["counted_by"] = event.source
        case StockSetAside():
            row["set_aside"] += event.quantity
        case StockReturned() | StockFellShort():
            row["set_aside"] -= event.quantity
        case PartConsumed():
            row["on_hand"] -= event.quantity - event.drift
            row["drift"] += event.drift
        case StockSynchronised():
            row |= {HAND[event.condition]: after_snapshot(event), "counted_at": micros(event.taken_at)}
            row["counted_by"] = event.source
        case StockIssued():
            row[HAND[event.condition]] -= event.quantity - event.drift
            row["drift"] += event.drift
        case StockReceived() | PartReturned():
            row[HAND[event.condition]] += event.quantity
        case StockArrived():
            row[HAND[event.condition]] += event.quantity
            row["in_transit"] -= event.quantity
        case StockSent():
            row[HAND[event.condition]] -= event.quantity
            _comes(rows, event.part_id, event.to_place_id, event.quantity)
        case PartScrapped() | PartSentBack():
            row[HAND[event.condition]] -= event.quantity
        case PartRepaired():
            row["defective"] -= event.quantity
            row["on_hand"] += event.quantity
        case StockLow():
            row["low_below"] = event.low_below
    row["low"] = row["on_hand"] - row["set_aside"] < row["low_below"]
    rows.put(event.part_id, event.place_id, **row)


def _comes(rows: Rows, part_id: str, place_id: str, more: int) -> None:
    # A sum, so that it does not matter whether word of the sending or of the arrival is here first.
    known = rows.get(part_id, place_id) or STOCK.defaults
    rows.put(part_id, place_id, in_transit=int(known["in_transit"] or 0) + more)


STOCK = View(
    name="stock",
    version=3,
    key={"part_id": str, "place_id": str},
    columns={
        "version": 0,
        "on_hand": 0,
        "defective": 0,
        "set_aside": 0,
        "in_transit": 0,
        "drift": 0,
        "low_below": 0,
        "low": False,
        "counted_at": (int, None),
        "counted_by": "",
    },
    reads=(
        StockCounted,
        StockSetAside,
        PiecesNamed,
        StockReturned,
        StockFellShort,
        PartConsumed,
        StockLow,
        StockReceived,
        StockSent,
        StockArrived,
        PartReturned,
        PartScrapped,
        PartSentBack,
        PartRepaired,
        StockSynchronised,
        StockIssued,
        TransferLost,
        *get_args(PurchaseEvent),
    ),
    apply=apply,
    indexes=(("place_id",),),
)

_stock, _part, _place = STOCK.table.c, PARTS.table.c, PLACES.table.c
_shelves = (
    select(
        _stock.part_id,
        _stock.place_id,
        _part.low_below,
        _part.tracked,
        _place.kind,
        _place.region,
        (_stock.on_hand - _stock.set_aside).label("free"),
    )
    .join(PARTS.table, (_part.tenant == _stock.tenant) & (_part.part_id == _stock.part_id))
    .join(PLACES.table, (_place.tenant == _stock.tenant) & (_place.place_id == _stock.place_id))
    .where(_stock.tenant == bindparam("tenant"), _stock.part_id == bindparam("part_id"))
)

AT_STORES: Final = _shelves.where(_place.kind != "van", _place.kind != "depot").order_by(_place.kind, _stock.place_id)
AT_PLACE: Final = _shelves.where(_stock.place_id == bindparam("place_id"))
"""Where a part lies, branches before warehouses, and how it is looked at there."""

FREE_OF: Final = _shelves.where(_stock.on_hand > _stock.set_aside, _place.kind != "depot")
"""Where a part has pieces that are set aside for nobody."""
