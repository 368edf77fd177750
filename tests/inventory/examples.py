"""Valid events and commands of inventory; a test says only what matters to it."""

from contracts.inventory import (
    PartConsumed,
    PartDefined,
    PartLine,
    PartsRecommended,
    PartsReserved,
    PartsShort,
    PlaceDefined,
    PlacedLine,
    ReservationReleased,
    StockCounted,
    StockFellShort,
    StockLow,
    StockReturned,
    StockSetAside,
    VisitSettled,
)
from inventory.commands import CountStock, RecommendParts, ReleaseParts, ReserveParts, SettleVisit, Shelf

ORDER = {"order_id": "o-1", "request_id": "r-1"}
VISIT = {**ORDER, "visit_id": "v-1", "engineer_id": "e-1"}
FAN = PartLine("fan", 1)

FAN_DEFINED = PartDefined(part_id="fan", name="Fan", fits=("BCD-520",), low_below=2)
WAREHOUSE = PlaceDefined(place_id="wh-1", kind="warehouse", name="North")
VAN = PlaceDefined(place_id="van-1", kind="van", name="Van of e-1")
REGISTERS = (FAN_DEFINED, WAREHOUSE, VAN)


def lines(*placed):
    """`("van-1", 1)`: so many fans there."""
    return tuple([PlacedLine("fan", place_id, quantity) for place_id, quantity in placed])


def counted(quantity, place_id="van-1", **changes):
    return StockCounted(**{"part_id": "fan", "place_id": place_id, "quantity": quantity} | changes)


def _of_an_order(kind, quantity, place_id, order_id):
    return kind(part_id="fan", place_id=place_id, order_id=order_id, quantity=quantity)


def set_aside(quantity=1, place_id="van-1", order_id="o-1"):
    return _of_an_order(StockSetAside, quantity, place_id, order_id)


def returned(quantity=1, place_id="van-1", order_id="o-1"):
    return _of_an_order(StockReturned, quantity, place_id, order_id)


def fell_short(quantity=1, place_id="van-1", order_id="o-1"):
    return _of_an_order(StockFellShort, quantity, place_id, order_id)


def consumed(quantity=1, place_id="van-1", drift=0, **changes):
    facts = {"part_id": "fan", "place_id": place_id, "quantity": quantity, "drift": drift}
    return PartConsumed(**ORDER | facts | changes)


def low(free, place_id="wh-1", low_below=2):
    return StockLow(part_id="fan", place_id=place_id, free=free, low_below=low_below)


def recommended(*wanted, **changes):
    return PartsRecommended(**ORDER | {"lines": wanted or (FAN,)} | changes)


def reserved(*placed, **changes):
    return PartsReserved(**VISIT | {"lines": lines(*(placed or [("van-1", 1)]))} | changes)


def short(quantity=1, **changes):
    return PartsShort(**VISIT | {"lines": (PartLine("fan", quantity),)} | changes)


def released(reason, **changes):
    return ReservationReleased(**ORDER | {"reason": reason} | changes)


def settled(visit_id="v-1", *, completed=True, **changes):
    return VisitSettled(**ORDER | {"visit_id": visit_id, "completed": completed} | changes)


SET_ASIDE = [counted(1), recommended(), set_aside(), reserved()]
"""The fan of the van is set aside for the visit."""


def shelf(place_id="van-1", low_below=0):
    return Shelf(part_id="fan", place_id=place_id, low_below=low_below)


def count(quantity, place_id="van-1", **changes):
    return CountStock(**{"part_id": "fan", "place_id": place_id, "quantity": quantity} | changes)


def recommend(*wanted):
    return RecommendParts(**ORDER, lines=wanted or (FAN,))


def reserve(*candidates, wanted=1, held=(), **changes):
    """Candidates are shelves, or the names of places."""
    named = tuple([shelf(one) if isinstance(one, str) else one for one in candidates])
    facts = {"lines": (PartLine("fan", wanted),), "candidates": named, "held": tuple([shelf(one) for one in held])}
    return ReserveParts(**VISIT | facts | changes)


def release(*held, reason="order-cancelled"):
    return ReleaseParts(**ORDER, reason=reason, held=tuple([shelf(one) for one in held]))


def settle(*used, held=(), completed=True, visit_id="v-1", shelves=None):
    """`used` are lines of `contracts.fieldwork.UsedPart`."""
    named = shelves if shelves is not None else tuple([shelf(line.place_id) for line in used])
    held = tuple([shelf(one) for one in held])
    return SettleVisit(**ORDER, visit_id=visit_id, completed=completed, used=used, shelves=named, held=held)
