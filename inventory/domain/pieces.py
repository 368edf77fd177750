"""
Serial numbers and lots: which pieces they were, beside how many.

A serial number is at one place at a time: a claim says where, and each event that names it moves it. Somebody's
intention names every good piece, and is refused where a piece is not there; what happened in the field is a fact, and
where our books had the piece elsewhere, the event says so (`disputed`). Old pieces are named where they can be read.

Whereabouts: `good@PLACE`, `defective@PLACE`, `transfer/ID` (an order's id where she fetches it), `order/ID` (in a
device), `issued`, `sent-back`, `scrapped`, `lost`, `missing@PLACE` (not found by a count); and nothing where we have
never heard of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from contracts.event import Event
from contracts.inventory import (
    Condition,
    LotPieces,
    PartConsumed,
    PartDefined,
    PartRepaired,
    PartReturned,
    PartScrapped,
    PartSentBack,
    StockArrived,
    StockCounted,
    StockIssued,
    StockReceived,
    StockSent,
    TransferLost,
)
from contracts.problems import Rejected
from services.chassis.journal.rules import Claim

SERIAL: Final = "part-serial"

OnShelf = (
    StockReceived
    | StockArrived
    | PartReturned
    | StockCounted
    | StockSent
    | StockIssued
    | PartScrapped
    | PartSentBack
    | PartRepaired
    | PartConsumed
)
"""What happens to pieces at one place."""
Moving = OnShelf | TransferLost
Move = tuple[str, str, str]
"""A part, the serial number of a piece, and where that piece is now."""


def lies(condition: Condition, place_id: str) -> str:
    return f"{condition}@{place_id}"


def is_with_us(where: str) -> bool:
    """Whether the piece lies at a place of ours or is on its way to one."""
    return where.startswith(("good@", "defective@", "transfer/"))


def is_used(where: str) -> bool:
    return where.startswith("order/")


def is_booked(where: str) -> bool:
    """Whether we have it, or it is in a device or scrapped: it cannot come in from outside."""
    return is_with_us(where) or is_used(where) or where == "scrapped"


def moves(event: Event) -> list[Move]:
    """Which pieces are where after this."""
    match event:
        case TransferLost():
            return [(line.part_id, serial, "lost") for line in event.lines for serial in line.serials]
        case StockReceived() | StockArrived() | PartReturned():
            where = lies(event.condition, event.place_id)
        case PartRepaired():
            where = lies("good", event.place_id)
        case StockCounted():
            gone = [(event.part_id, serial, f"missing@{event.place_id}") for serial in event.missing]
            here = lies(event.condition, event.place_id)
            return [*gone, *[(event.part_id, serial, here) for serial in event.serials]]
        case StockSent():
            where = f"transfer/{event.transfer_id}"
        case PartConsumed():
            where = f"order/{event.order_id}"
        case StockIssued():
            where = "issued"
        case PartScrapped():
            where = "scrapped"
        case PartSentBack():
            where = "sent-back"
        case _:
            return []
    return [(event.part_id, serial, where) for serial in event.serials]


def named(part_id: str, serials: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The claims of these serial numbers. The same number may be given by another maker, to another part."""
    return tuple([(SERIAL, f"{part_id}/{serial}") for serial in dict.fromkeys(serials)])


def claims_of(event: Event) -> Sequence[Claim]:
    """Each piece leaves where it was and is where the event says."""
    return [
        Claim(kind, key, owner)
        for part_id, serial, where in moves(event)
        for kind, key in named(part_id, [serial])
        for owner in (None, where)
    ]


def must_be_named(
    part: PartDefined, condition: Condition, quantity: int, serials: Sequence[str], lots: Sequence[LotPieces]
) -> None:
    """Raises Rejected where it is not said which pieces of a tracked part are meant, or is said of another part."""
    if (serials and part.tracked != "serial") or (lots and part.tracked != "lot"):
        raise Rejected("part.not-so-tracked", part_id=part.part_id, tracked=part.tracked)
    if part.tracked == "none":
        return
    said = len(serials) if part.tracked == "serial" else sum(lot.quantity for lot in lots)
    if said > quantity or (said < quantity and condition == "good"):
        raise Rejected(
            "part.pieces-not-named", part_id=part.part_id, tracked=part.tracked, quantity=quantity, named=said
        )


def unnamed(part: PartDefined | None, quantity: int, serials: Sequence[str], lots: Sequence[LotPieces]) -> int:
    """So many pieces of which it should have been said which they are."""
    match part.tracked if part else "none":
        case "serial":
            return max(0, quantity - len(serials))
        case "lot":
            return max(0, quantity - sum(lot.quantity for lot in lots))
        case _:
            return 0
