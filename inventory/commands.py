"""What inventory can be asked to do."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Literal, Protocol, Self, TypeVar

from pydantic import AwareDatetime, ConfigDict, Field, StringConstraints, field_validator, model_validator

from contracts.fieldwork import UsedPart
from contracts.intake import Urgency
from contracts.inventory import Condition, DocumentLine, MovedLine, PartLine
from services.chassis.command import Command

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.:+\-]+$")]
"""An id that can be a part of a stream's name."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Region = Annotated[str, StringConstraints(max_length=100)]
Quantity = Annotated[int, Field(ge=0, le=1_000_000_000)]
Pieces = Annotated[int, Field(ge=1, le=1_000_000_000)]
Latitude = Annotated[int, Field(ge=-90_000_000, le=90_000_000)]
Longitude = Annotated[int, Field(ge=-180_000_000, le=180_000_000)]
Hours = Annotated[int, Field(ge=1, le=8_760)]
PlaceKind = Literal["warehouse", "branch", "van"]
DocumentKind = Literal["snapshot", "receipt", "issue"]
ReleaseReason = Literal["order-cancelled", "order-declined", "expired"]


class Located(Protocol):
    """What may say where it is."""

    @property
    def lat_udeg(self) -> int | None: ...
    @property
    def lon_udeg(self) -> int | None: ...


P = TypeVar("P", bound=Located)


def located(place: P) -> P:
    """Raises ValueError for half a location."""
    if (place.lat_udeg is None) != (place.lon_udeg is None):
        raise ValueError("give both lat_udeg and lon_udeg, or neither")
    return place


class DefinePart(Command):
    """A part that is kept in stock, or what is known of it now."""

    part_id: Name
    name: Words
    fits: tuple[Words, ...] = Field((), max_length=1_000)
    """Device models."""
    usual_quantity: Quantity = 1
    low_below: Quantity = 0
    cost_fen: int = Field(0, ge=0, le=10_000_000_000)


class DefinePlace(Command):
    """A place of stock, or what is known of it now."""

    place_id: Name
    kind: PlaceKind
    name: Words
    region: Region = ""
    lat_udeg: Latitude | None = None
    lon_udeg: Longitude | None = None

    @model_validator(mode="after")
    def _both_or_neither(self) -> Self:
        return located(self)


class CountStock(Command):
    """So many pieces lie there, as somebody counted or the warehouse system says."""

    part_id: Name
    place_id: Name
    quantity: Quantity
    source: Name = "count"
    condition: Condition = "good"


class Move(Command):
    """Pieces of one part come to a place or leave it for good."""

    part_id: Name
    place_id: Name
    quantity: Pieces


class ReceiveStock(Move):
    """They came from outside."""

    condition: Condition = "good"
    source: Words


class ReturnPart(Move):
    """They came back from a device: an old part, or one that was booked as used and was not."""

    condition: Condition
    order_id: Name


class ScrapPart(Move):
    """They were thrown away."""

    condition: Condition
    reason: Words


class SendBackPart(Move):
    """They went back to their supplier."""

    condition: Condition
    supplier: Words


L = TypeVar("L", MovedLine, DocumentLine)
Lines = Annotated[tuple[MovedLine, ...], Field(min_length=1, max_length=200)]


class SendTransfer(Command):
    """Pieces leave one place for another."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    transfer_id: Name
    from_place_id: Name
    to_place_id: Name
    lines: Lines
    reason: str = ""

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: tuple[MovedLine, ...]) -> tuple[MovedLine, ...]:
        return each_once(lines)


class EndTransfer(Command):
    """Some or all of what is in transit ends its way."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    transfer_id: Name
    to_place_id: Name
    parts: tuple[Name, ...] = ()
    """All of the transfer's, as the view says: their stocks at that place are read."""
    lines: Annotated[tuple[MovedLine, ...], Field(max_length=200)] = ()
    """Empty for all that is in transit."""

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: tuple[MovedLine, ...]) -> tuple[MovedLine, ...]:
        return each_once(lines)


class ReceiveTransfer(EndTransfer):
    """These pieces have arrived."""


class LoseTransfer(EndTransfer):
    """These pieces will not arrive."""

    reason: Words


def each_once(lines: tuple[L, ...]) -> tuple[L, ...]:
    """Raises ValueError where two lines are about the same pieces: it could not be said which of them is meant."""
    counts = Counter((line.part_id, line.condition) for line in lines)
    if twice := sorted(part_id for (part_id, _), times in counts.items() if times > 1):
        raise ValueError(f"more than one line is about {', '.join(twice)}; give each part once per condition")
    return lines


class BookDocument(Command):
    """What a document of the warehouse system says of one place."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    source: Name
    document_id: Name
    kind: DocumentKind
    place_id: Name
    lines: Annotated[tuple[DocumentLine, ...], Field(min_length=1, max_length=1_000)]
    taken_at: AwareDatetime | None = None
    """Of a snapshot."""

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: tuple[DocumentLine, ...]) -> tuple[DocumentLine, ...]:
        return each_once(lines)


class SetStockRules(Command):
    """The figures by which inventory decides."""

    keep_reserved_h: Hours = 72


class Shelf(Command):
    """A stock that a command reads, and the limit under which it is low there (0 for none)."""

    part_id: str
    place_id: str
    low_below: int = 0


class RecommendParts(Command):
    """Work is to be done on a device: these parts it takes as a rule."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    lines: tuple[PartLine, ...]
    urgency: Urgency = "normal"


class ReserveParts(Command):
    """
    Set the recommended parts aside for a visit; what was set aside for another visit of the order moves.

    Asked again for the same visit, it replaces what has gone missing meanwhile.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    visit_id: str
    engineer_id: str
    lines: tuple[PartLine, ...]
    """The recommendation as the view has it, or what such a repair takes as a rule."""
    candidates: tuple[Shelf, ...]
    """Where to look, best first."""
    held: tuple[Shelf, ...] = ()
    """Where the view says that something is set aside for the order."""
    van_id: str = ""
    visit_ends_at: AwareDatetime | None = None
    """As planned, for a visit that nothing was set aside for so far."""


class FillShortage(Command):
    """Pieces have come that an order is short of: set aside what is free of them, beside what it has."""

    order_id: str
    request_id: str
    visit_id: str
    candidates: tuple[Shelf, ...]
    """Where to look, best first."""
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""


class ReleaseParts(Command):
    """The order is cancelled, declined by its engineer, or its visit is long past: what is set aside is free again."""

    order_id: str
    request_id: str
    reason: ReleaseReason = "order-cancelled"
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""
    visit_id: str = ""
    """Only what is set aside for this visit; empty for whatever it is set aside for."""


class ExpireReservation(Command):
    """The time is over for which parts stay set aside for a visit."""

    order_id: str
    due_at: AwareDatetime
    """Of the timer; another one may have been set meanwhile."""


class PickUpParts(Command):
    """The engineer fetches what lies elsewhere for her visit and puts it into her van."""

    order_id: str
    request_id: str
    van_id: str
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""


class SettleVisit(Command):
    """A visit has ended: what it used is off the books, and what was set aside for it and not used is free again."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    visit_id: str
    completed: bool
    """Or else aborted."""
    used: tuple[UsedPart, ...] = ()
    shelves: tuple[Shelf, ...] = ()
    """Those of the used parts."""
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""
