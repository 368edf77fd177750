"""What lies where: pieces on hand, how many of them are set aside, and whether the free ones are few."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.inventory import (
    PartConsumed,
    StockCounted,
    StockFellShort,
    StockLow,
    StockReturned,
    StockSetAside,
)
from inventory.domain.stock import StockEvent
from inventory.projections.registers import PARTS, PLACES
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: StockEvent, envelope: Envelope) -> None:
    known = rows.get(event.part_id, event.place_id) or STOCK.defaults
    row = dict(known)
    row["version"] = envelope.version
    match event:
        case StockCounted():
            row |= {"on_hand": event.quantity, "counted_at": micros(envelope.time), "counted_by": event.source}
        case StockSetAside():
            row["set_aside"] += event.quantity
        case StockReturned() | StockFellShort():
            row["set_aside"] -= event.quantity
        case PartConsumed():
            row["on_hand"] -= event.quantity - event.drift
            row["drift"] += event.drift
        case StockLow():
            row["low_below"] = event.low_below
    row["low"] = row["on_hand"] - row["set_aside"] < row["low_below"]
    rows.put(event.part_id, event.place_id, **row)


STOCK = View(
    name="stock",
    version=1,
    key={"part_id": str, "place_id": str},
    columns={
        "version": 0,
        "on_hand": 0,
        "set_aside": 0,
        "drift": 0,
        "low_below": 0,
        "low": False,
        "counted_at": (int, None),
        "counted_by": "",
    },
    reads=(StockCounted, StockSetAside, StockReturned, StockFellShort, PartConsumed, StockLow),
    apply=apply,
    indexes=(("place_id",),),
)

_stock, _part, _place = STOCK.table.c, PARTS.table.c, PLACES.table.c
_shelves = (
    select(_stock.part_id, _stock.place_id, _part.low_below, _place.kind)
    .join(PARTS.table, (_part.tenant == _stock.tenant) & (_part.part_id == _stock.part_id))
    .join(PLACES.table, (_place.tenant == _stock.tenant) & (_place.place_id == _stock.place_id))
    .where(_stock.tenant == bindparam("tenant"), _stock.part_id == bindparam("part_id"))
)

AT_WAREHOUSES: Final = _shelves.where(_place.kind == "warehouse").order_by(_stock.place_id)
AT_PLACE: Final = _shelves.where(_stock.place_id == bindparam("place_id"))
"""Where a part lies, and how it is looked at there."""
