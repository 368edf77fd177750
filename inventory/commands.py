"""What inventory can be asked to do."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Final, Literal, Protocol, Self, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    ConfigDict,
    Field,
    StringConstraints,
    field_validator,
    model_validator,
)

from contracts.fieldwork import UsedPart
from contracts.intake import Urgency, UsualPart
from contracts.inventory import Condition, DocumentLine, LotPieces, MovedLine, PartLine, Tracked
from contracts.problems import Unfit
from services.chassis.command import Command


def differ(numbers: tuple[str, ...]) -> tuple[str, ...]:
    """Raises Unfit where a number is there twice."""
    if twice := sorted(number for number, times in Counter(numbers).items() if times > 1):
        named = ", ".join(twice)
        raise Unfit(f"{named} is there more than once; give each number once.", f"{named} 重复；每个编号只填一次。")
    return numbers


def lots_differ(lots: tuple[LotPieces, ...]) -> tuple[LotPieces, ...]:
    differ(tuple([lot.lot for lot in lots]))
    return lots


FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""A cost that holds from outside these is a slip of the pen."""
Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.:+\-]+$")]
"""An id that can be a part of a stream's name."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Region = Annotated[str, StringConstraints(max_length=100)]
Quantity = Annotated[int, Field(ge=0, le=1_000_000_000)]
Pieces = Annotated[int, Field(ge=1, le=1_000_000_000)]
Latitude = Annotated[int, Field(ge=-90_000_000, le=90_000_000)]
Longitude = Annotated[int, Field(ge=-180_000_000, le=180_000_000)]
Days = Annotated[int, Field(ge=1, le=365)]
Hours = Annotated[int, Field(ge=1, le=8_760)]
Serials = Annotated[tuple[Name, ...], Field(max_length=1_000), AfterValidator(differ)]
Lots = Annotated[tuple[LotPieces, ...], Field(max_length=200), AfterValidator(lots_differ)]
PlaceKind = Literal["warehouse", "branch", "van", "depot"]
Verdict = Literal["repairable", "beyond-repair", "no-fault"]
Outcome = Literal["repaired", "scrapped", "exchanged"]
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
        missing = "lat_udeg" if place.lat_udeg is None else "lon_udeg"
        raise Unfit(
            "Give both lat_udeg and lon_udeg, or neither.", "lat_udeg 和 lon_udeg 须同时填写或都不填。", missing
        )
    return place


class DefinePart(Command):
    """A part that is kept in stock, or what is known of it now."""

    part_id: Name
    name: Words
    fits: tuple[Words, ...] = Field((), max_length=1_000)
    """Device models."""
    usual_quantity: Quantity = 1
    low_below: Quantity = 0
    tracked: Tracked = "none"
    cost_fen: int = Field(0, ge=0, le=10_000_000_000)
    cost_from: AwareDatetime | None = None


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

    model_config = ConfigDict(arbitrary_types_allowed=True)

    part_id: Name
    place_id: Name
    quantity: Quantity
    source: Name = "count"
    condition: Condition = "good"
    serials: Serials = ()
    """Of all of them, where they were read."""
    lots: Lots = ()
    expected: tuple[str, ...] = ()
    """The serial numbers that the view has there: whichever is not found is missing."""


class Move(Command):
    """Pieces of one part come to a place or leave it for good."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    part_id: Name
    place_id: Name
    quantity: Pieces
    serials: Serials = ()
    lots: Lots = ()


class ReceiveStock(Move):
    """They came from outside."""

    condition: Condition = "good"
    source: Words


class ReturnPart(Move):
    """They came back from a device: an old part, or one that was booked as used and was not."""

    condition: Condition
    order_id: Name


class SendReplacement(Move):
    """A replacement leaves for the customer before her defective part is back."""

    order_id: str
    request_id: str
    customer_id: str
    device_id: str
    sent_at: AwareDatetime
    within_days: Days | None = None
    """In which the defective part is to be back; none: as the rules say."""


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


class OpenRma(Move):
    """Defective pieces leave a place for a depot."""

    rma_id: Name
    depot_id: Name
    fault: Words
    reference: str
    due_at: AwareDatetime


class DiagnoseRma(Command):
    """What the depot found."""

    rma_id: Name
    verdict: Verdict
    finding: Words


class SettleRma(Move):
    """What became of pieces at a depot, which is the `place_id`; `serials` and `lots` are those that were sent."""

    rma_id: Name
    outcome: Outcome
    replaced_by: Serials = ()
    replaced_by_lots: Lots = ()
    """Of exchanged pieces, what came for them."""
    to_place_id: str = ""
    transfer_id: str = ""
    """Where they go as good pieces, and by which transfer."""
    reason: str = ""


class MissRma(Command):
    """The time is over in which it should be known what became of the pieces."""

    rma_id: str
    due_at: AwareDatetime


class EndTransfer(Command):
    """Some or all of what is in transit ends its way."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    transfer_id: Name
    to_place_id: Name
    parts: tuple[Name, ...] = ()
    """All of the transfer's, as the view says: their stocks at that place are read."""
    serials: tuple[tuple[str, str], ...] = ()
    """Part and serial number of all that was sent, as the view says."""
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
        named = ", ".join(twice)
        raise Unfit(
            f"More than one line is about {named}; give each part once per condition.",
            f"{named} 出现多次；每种备件在每种状态下只能填写一行。",
        )
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
    learn_after_repairs: Annotated[int, Field(ge=1, le=1_000)] = 5
    learn_share_percent: Annotated[int, Field(ge=1, le=100)] = 30
    plan_ahead_days: Days = 14
    old_parts_within_days: Days = 7
    exchange_within_days: Days = 14
    remind_days_before: Days = 3
    forfeit_after_days: Days = 14


LOOKED_AT: Final = 50
"""Serial numbers of a stock that are looked at when pieces of it are set aside."""


class Shelf(Command):
    """A stock that a command reads, and the limit under which it is low there (0 for none)."""

    part_id: str
    place_id: str
    low_below: int = 0
    serials: tuple[str, ...] = ()
    """Of its good pieces those that are set aside for nobody else, by the view: `LOOKED_AT`, the first first."""


class PastUse(Command):
    """So many earlier repairs took this part, and so many pieces of it."""

    part_id: str
    used_in: Pieces
    pieces: Pieces


class RecommendParts(Command):
    """Work is to be done on a device: what does it take?"""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    lines: tuple[PartLine, ...]
    """Those on the list of the device's model."""
    of_type: tuple[UsualPart, ...] = ()
    """Those on the list of the request's type."""
    history: tuple[PastUse, ...] = ()
    repairs: Quantity = 0
    """So many repairs the history is of."""
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


class NamePieces(Command):
    """Which pieces are set aside for an order at a place may have changed: the reservation says which they are now."""

    order_id: str
    shelf: Shelf


class ExpireReservation(Command):
    """The time is over for which parts stay set aside for a visit."""

    order_id: str
    due_at: AwareDatetime
    """Of the timer; another one may have been set meanwhile."""


class FetchedPieces(Command):
    """These pieces of a part she takes from this place."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    part_id: Name
    place_id: Name
    serials: Serials = ()
    lots: Lots = ()


class PickUpParts(Command):
    """The engineer fetches what lies elsewhere for her visit and puts it into her van."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    van_id: str
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""
    pieces: tuple[FetchedPieces, ...] = ()
    """Which of them she fetches, of parts with serial numbers or lots."""


class SettleVisit(Command):
    """A visit has ended: what it used is off the books, and what was set aside for it and not used is free again."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    visit_id: str
    completed: bool
    """Or else aborted."""
    used: tuple[UsedPart, ...] = ()
    device_id: str = ""
    engineer_id: str = ""
    ended_at: AwareDatetime | None = None
    """From when on old parts are waited for."""
    shelves: tuple[Shelf, ...] = ()
    """Those of the used parts."""
    held: tuple[Shelf, ...] = ()
    """As with ReserveParts."""


def levels(reorder_at: int, reorder_to: int) -> None:
    """Raises ValueError where the upper level is not above the reorder point; 0 is none."""
    if reorder_to and reorder_to <= reorder_at:
        raise ValueError("reorder_to must be more than reorder_at, or 0 reorder_to 必须大于 reorder_at，或为 0")


class AboutPurchase(Command):
    """More of a part for a place."""

    part_id: Name
    place_id: Name


class SetReorderPoint(AboutPurchase):
    """When more is to be bought, and how much."""

    reorder_at: Quantity
    reorder_to: Quantity

    @model_validator(mode="after")
    def _upwards(self) -> Self:
        levels(self.reorder_at, self.reorder_to)
        return self


class WantedPieces(Command):
    """So many pieces an open order lacks, by the view."""

    quantity: Pieces
    until: AwareDatetime | None = None
    """How long its parts are kept; none where nobody has the order yet."""


class SuggestPurchase(AboutPurchase):
    """Something has changed: is more to be bought?"""

    wanted: tuple[WantedPieces, ...] = ()
    now: AwareDatetime


class OrderPurchase(AboutPurchase):
    """It was ordered."""

    quantity: Pieces
    reference: Words


class DismissPurchase(AboutPurchase):
    """Nothing is bought upon the suggestion."""

    reason: Words


class OldPartsTimer(Command):
    """A deadline of the old parts of an order."""

    order_id: str
    due_at: AwareDatetime
    """Of the timer; another one may have been set meanwhile."""


class MissOldParts(OldPartsTimer):
    """The time is over in which they should have come back."""


class RemindOfOldParts(OldPartsTimer):
    """They are due soon."""


class ForfeitOldParts(OldPartsTimer):
    """Nobody waits any longer for those that the customer owes."""
