"""
What inventory says of parts, as far as it decides who should go: which an order is expected to take, and what is in
whose van. The dispatcher learns of stock by inventory's events only; what is set aside there decides, this advises.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, func, select

from contracts.envelope import Envelope
from contracts.intake import UsualPart
from contracts.inventory import (
    PartConsumed,
    PartDefined,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PartsPickedUp,
    PartsRecommended,
    PartsReserved,
    PlacedLine,
    ReservationReleased,
    StockArrived,
    StockCounted,
    StockIssued,
    StockReceived,
    StockSent,
    StockSynchronised,
)
from dispatcher.commands import PartsInVans
from services.chassis.service import Queries
from services.chassis.views import Rows, View


def define(rows: Rows, event: PartDefined, envelope: Envelope) -> None:
    fits = msgspec.json.encode(event.fits).decode()
    rows.put(event.part_id, fits=fits, usual_quantity=event.usual_quantity)


FITTING_PARTS = View(
    name="fitting_parts",
    version=1,
    key={"part_id": str},
    columns={"fits": "[]", "usual_quantity": 1},
    reads=(PartDefined,),
    apply=define,
    waited_for=False,
)


def recommend(rows: Rows, event: PartsRecommended, envelope: Envelope) -> None:
    pieces = {line.part_id: line.quantity for line in event.lines}
    rows.put(event.order_id, pieces=msgspec.json.encode(pieces).decode())


RECOMMENDED_PARTS = View(
    name="recommended_parts",
    version=1,
    key={"order_id": str},
    columns={"pieces": "{}"},
    reads=(PartsRecommended,),
    apply=recommend,
    waited_for=False,
)

Counted = StockCounted | StockSynchronised
Came = StockReceived | StockArrived | PartReturned
Went = StockSent | StockIssued | PartConsumed | PartScrapped | PartSentBack
OfReservation = PartsReserved | PartsPickedUp | ReservationReleased

_lines = msgspec.json.Decoder(list[PlacedLine])


def apply(rows: Rows, event: Counted | Came | Went | OfReservation, envelope: Envelope) -> None:
    if isinstance(event, OfReservation):
        _set_aside(rows, event)
    elif isinstance(event, PartConsumed):
        _put(rows, event, _on_hand(rows, event) - event.quantity + event.drift)
    elif event.condition != "good":
        pass
    elif isinstance(event, StockCounted):
        _put(rows, event, event.quantity)
    elif isinstance(event, StockSynchronised):
        _put(rows, event, max(0, event.theirs + event.unbooked))
    elif isinstance(event, Came):
        _put(rows, event, _on_hand(rows, event) + event.quantity)
    else:
        drift = event.drift if isinstance(event, StockIssued) else 0
        _put(rows, event, _on_hand(rows, event) - event.quantity + drift)


def _on_hand(rows: Rows, event: Came | Went) -> int:
    row = rows.get(event.part_id, event.place_id, "")
    return row["pieces"] if row else 0


def _put(rows: Rows, event: Counted | Came | Went, pieces: int) -> None:
    rows.put(event.part_id, event.place_id, "", pieces=pieces)


def _set_aside(rows: Rows, event: OfReservation) -> None:
    """For the order from now on, in the stead of what was set aside for it before."""
    row = rows.get("", "", event.order_id)
    before = _lines.decode(row["lines"]) if row else []
    match event:
        case PartsReserved():
            after = list(event.lines)
        case PartsPickedUp():
            pieces: defaultdict[str, int] = defaultdict(int)
            for line in before:
                pieces[line.part_id] += line.quantity
            after = [PlacedLine(part_id, event.van_id, quantity) for part_id, quantity in pieces.items()]
        case ReservationReleased():
            after = []
    for line in before:
        rows.drop(line.part_id, line.place_id, event.order_id)
    for line in after:
        rows.put(line.part_id, line.place_id, event.order_id, pieces=-line.quantity)
    if after:
        rows.put("", "", event.order_id, lines=msgspec.json.encode(after).decode())
    else:
        rows.drop("", "", event.order_id)


STOCK_AT_PLACES = View(
    name="stock_at_places",
    version=1,
    key={"part_id": str, "place_id": str, "order_id": str},
    columns={"pieces": 0, "lines": "[]"},
    reads=(
        StockCounted,
        StockSynchronised,
        StockReceived,
        StockArrived,
        PartReturned,
        StockSent,
        StockIssued,
        PartConsumed,
        PartScrapped,
        PartSentBack,
        PartsReserved,
        PartsPickedUp,
        ReservationReleased,
    ),
    apply=apply,
    waited_for=False,
)
"""
Good pieces at each place: a row with an empty order for those on hand, and rows of less than nothing for those of them
that are set aside. The row of an order alone keeps where that is.
"""

_fitting, _stock = FITTING_PARTS.table.c, STOCK_AT_PLACES.table.c

_RECOMMENDED: Final = select(RECOMMENDED_PARTS.table.c.pieces).where(
    RECOMMENDED_PARTS.table.c.tenant == bindparam("tenant"),
    RECOMMENDED_PARTS.table.c.order_id == bindparam("order_id"),
)
_FITTING: Final = select(FITTING_PARTS.table).where(
    _fitting.tenant == bindparam("tenant"),
    _fitting.usual_quantity > 0,
    _fitting.fits.like(bindparam("fits"), escape="/"),
)
# The same for every order, so that it is asked anew only when stock has moved; what is the order's own is added.
_FREE: Final = (
    select(_stock.place_id, func.sum(_stock.pieces).label("pieces"))
    .where(_stock.tenant == bindparam("tenant"), _stock.part_id == bindparam("part_id"))
    .group_by(_stock.place_id)
)
_FREE_IN_VAN: Final = _FREE.where(_stock.place_id == bindparam("van_id"))
_SET_ASIDE: Final = select(_stock.lines).where(
    _stock.tenant == bindparam("tenant"),
    _stock.part_id == bindparam("part_id"),
    _stock.place_id == bindparam("place_id"),
    _stock.order_id == bindparam("order_id"),
)


async def parts_in_vans(
    queries: Queries, tenant: str, order: Mapping[str, Any], van_id: str | None = None
) -> PartsInVans:
    """
    Of the parts that an order on the board is expected to take, how many lie in each van in full.

    What is set aside for the order itself is there for it. `van_id` narrows it to one; none: every place of stock.
    """
    wanted = await _expected(queries, tenant, order)
    if not wanted:
        return PartsInVans()
    rows = await queries.fetch(_SET_ASIDE, tenant=tenant, part_id="", place_id="", order_id=order["order_id"])
    own = _lines.decode(rows[0]["lines"]) if rows else []
    held: Counter[str] = Counter()
    for part_id, pieces in wanted.items():
        if van_id is None:
            rows = await queries.fetch(_FREE, tenant=tenant, part_id=part_id)
        else:
            rows = await queries.fetch(_FREE_IN_VAN, tenant=tenant, part_id=part_id, van_id=van_id)
        there = {row["place_id"]: int(row["pieces"]) for row in rows}
        for line in own:
            if line.part_id == part_id and line.place_id in there:
                there[line.place_id] += line.quantity
        held.update(place for place, free in there.items() if free >= pieces)
    return PartsInVans(expected=len(wanted), held=dict(held))


async def _expected(queries: Queries, tenant: str, order: Mapping[str, Any]) -> Mapping[str, int]:
    """
    Pieces by part: as inventory recommends for this order; before it has said so, what the type of the request usually
    takes, and what goes into the device model.
    """
    said = await queries.fetch(_RECOMMENDED, tenant=tenant, order_id=order["order_id"])
    if said:
        return msgspec.json.decode(said[0]["pieces"], type=dict[str, int])
    usual = msgspec.json.decode(order["usual_parts"], type=list[UsualPart])
    pieces = {one.part_id: one.quantity for one in usual}
    if model := order["device_model"]:
        for row in await queries.fetch(_FITTING, tenant=tenant, fits=_naming(model)):
            if model in msgspec.json.decode(row["fits"], type=list[str]):
                pieces[row["part_id"]] = max(row["usual_quantity"], pieces.get(row["part_id"], 0))
    return pieces


def _naming(model: str) -> str:
    """The pattern of a `fits` that names the model; a few too many, as stores differ in how they compare letters."""
    named = msgspec.json.encode(model).decode()
    for special in "/%_":
        named = named.replace(special, f"/{special}")
    return f"%{named}%"
