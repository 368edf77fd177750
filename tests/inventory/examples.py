"""Valid events and commands of inventory; a test says only what matters to it."""

from datetime import timedelta

from contracts.inventory import (
    DocumentLine,
    Ground,
    MovedLine,
    PartConsumed,
    PartDefined,
    PartLine,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PartsPickedUp,
    PartsRecommended,
    PartsReserved,
    PartsShort,
    PlaceDefined,
    PlacedLine,
    ReservationExpired,
    ReservationReleased,
    StockArrived,
    StockCounted,
    StockDocumentBooked,
    StockFellShort,
    StockIssued,
    StockLow,
    StockReceived,
    StockReturned,
    StockSent,
    StockSetAside,
    StockSynchronised,
    TransferLost,
    TransferReceived,
    TransferSent,
    VisitSettled,
)
from inventory.commands import (
    BookDocument,
    CountStock,
    ExpireReservation,
    FillShortage,
    LoseTransfer,
    PickUpParts,
    ReceiveTransfer,
    RecommendParts,
    ReleaseParts,
    ReserveParts,
    SendTransfer,
    SettleVisit,
    Shelf,
)
from tests.given import NOW

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


def received(quantity=1, place_id="van-1", condition="good"):
    return StockReceived(part_id="fan", place_id=place_id, quantity=quantity, condition=condition, source="maker")


def sent(quantity=1, place_id="wh-1", to_place_id="van-1", transfer_id="t-1", condition="good"):
    way = {"place_id": place_id, "to_place_id": to_place_id, "transfer_id": transfer_id}
    return StockSent(part_id="fan", quantity=quantity, condition=condition, **way)


def arrived(quantity=1, place_id="van-1", from_place_id="wh-1", transfer_id="t-1", condition="good"):
    way = {"place_id": place_id, "from_place_id": from_place_id, "transfer_id": transfer_id}
    return StockArrived(part_id="fan", quantity=quantity, condition=condition, **way)


def brought_back(quantity=1, place_id="van-1", condition="defective"):
    return PartReturned(part_id="fan", place_id=place_id, quantity=quantity, condition=condition, order_id="o-1")


def scrapped(quantity=1, condition="good", place_id="van-1"):
    return PartScrapped(part_id="fan", place_id=place_id, quantity=quantity, condition=condition, reason="wet")


def sent_back(quantity=1, condition="good", place_id="van-1"):
    return PartSentBack(part_id="fan", place_id=place_id, quantity=quantity, condition=condition, supplier="maker")


TAKEN_AT = NOW - timedelta(minutes=5)
SNAPSHOT = {"source": "wms", "document_id": "S-1", "kind": "snapshot", "place_id": "wh-1", "taken_at": TAKEN_AT}


def said(quantity=1, condition="good"):
    return DocumentLine("fan", quantity, condition)


def book(*wanted, **changes):
    return BookDocument(**SNAPSHOT | {"lines": wanted or (said(),)} | changes)


def booked(*wanted, **changes):
    return StockDocumentBooked(**SNAPSHOT | {"lines": wanted or (said(),)} | changes)


def synchronised(ours, theirs, **changes):
    facts = {"part_id": "fan", "place_id": "wh-1", "source": "wms", "document_id": "S-1", "taken_at": TAKEN_AT}
    return StockSynchronised(**facts | {"ours": ours, "theirs": theirs} | changes)


def issued(quantity=1, drift=0, condition="good"):
    facts = {"part_id": "fan", "place_id": "wh-1", "source": "wms", "document_id": "I-1"}
    return StockIssued(**facts, quantity=quantity, drift=drift, condition=condition)


def moved(quantity=1, condition="good"):
    return MovedLine("fan", quantity, condition)


WAY = {"from_place_id": "wh-1", "to_place_id": "van-1"}


def transfer_sent(*wanted, **changes):
    return TransferSent(**{"transfer_id": "t-1", **WAY, "lines": wanted or (moved(),), "reason": "restock"} | changes)


def transfer_received(*wanted):
    return TransferReceived(transfer_id="t-1", lines=wanted or (moved(),))


def lost(*wanted):
    return TransferLost(transfer_id="t-1", to_place_id="van-1", lines=wanted or (moved(),), reason="gone")


def low(free, place_id="wh-1", low_below=2):
    return StockLow(part_id="fan", place_id=place_id, free=free, low_below=low_below)


def recommended(*wanted, **changes):
    return PartsRecommended(**ORDER | {"lines": wanted or (FAN,)} | changes)


def listed(*wanted, **changes):
    """Recommended because it is on the list of the device's model."""
    grounds = tuple([Ground(line.part_id, "device-model") for line in wanted or (FAN,)])
    return recommended(*wanted, **{"grounds": grounds} | changes)


def reserved(*placed, **changes):
    return PartsReserved(**VISIT | {"lines": lines(*(placed or [("van-1", 1)]))} | changes)


def short(quantity=1, **changes):
    return PartsShort(**VISIT | {"lines": (PartLine("fan", quantity),)} | changes)


def released(reason, **changes):
    return ReservationReleased(**ORDER | {"reason": reason} | changes)


def settled(visit_id="v-1", *, completed=True, **changes):
    return VisitSettled(**ORDER | {"visit_id": visit_id, "completed": completed} | changes)


def picked_up(*placed):
    return PartsPickedUp(**ORDER, engineer_id="e-1", van_id="van-1", lines=lines(*placed))


KEPT_UNTIL = NOW + timedelta(hours=72)


def expired(visit_id="v-1"):
    return ReservationExpired(**ORDER, visit_id=visit_id)


SET_ASIDE = [counted(1), recommended(), set_aside(), reserved()]
"""The fan of the van is set aside for the visit."""


def shelf(place_id="van-1", low_below=0):
    return Shelf(part_id="fan", place_id=place_id, low_below=low_below)


def count(quantity, place_id="van-1", **changes):
    return CountStock(**{"part_id": "fan", "place_id": place_id, "quantity": quantity} | changes)


def recommend(*wanted, **changes):
    return RecommendParts(**ORDER | {"lines": wanted or (FAN,)} | changes)


def reserve(*candidates, wanted=1, held=(), **changes):
    """Candidates are shelves, or the names of places."""
    named = tuple([shelf(one) if isinstance(one, str) else one for one in candidates])
    facts = {"lines": (PartLine("fan", wanted),), "candidates": named, "held": tuple([shelf(one) for one in held])}
    return ReserveParts(**VISIT | facts | changes)


def release(*held, reason="order-cancelled", visit_id=""):
    return ReleaseParts(**ORDER, reason=reason, held=tuple([shelf(one) for one in held]), visit_id=visit_id)


def fill(*candidates, held=(), visit_id="v-1"):
    named = tuple([shelf(one) if isinstance(one, str) else one for one in candidates])
    held = tuple([shelf(one) for one in held])
    return FillShortage(**ORDER, visit_id=visit_id, candidates=named, held=held)


def expire(due_at=KEPT_UNTIL):
    return ExpireReservation(order_id="o-1", due_at=due_at)


def pick_up(*held, van_id="van-1"):
    return PickUpParts(**ORDER, van_id=van_id, held=tuple([shelf(one) for one in held]))


def send(*wanted, **changes):
    return SendTransfer(**{"transfer_id": "t-1", **WAY, "lines": wanted or (moved(),), "reason": "restock"} | changes)


def receive(*wanted, **changes):
    facts = {"transfer_id": "t-1", "to_place_id": "van-1", "lines": wanted or (moved(),)}
    return ReceiveTransfer(**facts | changes)


def lose(*wanted):
    return LoseTransfer(transfer_id="t-1", to_place_id="van-1", lines=wanted or (moved(),), reason="gone")


def settle(*used, held=(), completed=True, visit_id="v-1", shelves=None):
    """`used` are lines of `contracts.fieldwork.UsedPart`."""
    named = shelves if shelves is not None else tuple([shelf(line.place_id) for line in used])
    held = tuple([shelf(one) for one in held])
    return SettleVisit(**ORDER, visit_id=visit_id, completed=completed, used=used, shelves=named, held=held)
