"""What fieldwork can be asked to do."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from services.chassis.command import Command
from services.chassis.exact import Value
from services.chassis.pictures.kinds import MediaType

Name = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[\w.:+\-]+$")]
"""An id or a code: it can be a part of a stream's name."""
Words = Annotated[str, StringConstraints(min_length=1, max_length=4_000)]
Note = Annotated[str, StringConstraints(max_length=1_000)]
SvgPath = Annotated[
    str, StringConstraints(min_length=2, max_length=50_000, pattern=r"^[Mm][MmLlHhVvCcSsQqTtAaZz0-9eE+\-., ]+$")
]
"""The `d` of an SVG path: it begins with a move, and there is nothing in it that a browser could run."""

Sealed = Annotated[str, StringConstraints(pattern="^sealed:")]
"""A text that was sealed before it came into a command, because a step may have to wait; it is opened by no rule."""

Moment = Literal["before", "after", "other"]
OverReason = Literal["order-cancelled", "order-declined", "order-finished"]
Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Short = Annotated[str, StringConstraints(min_length=1, max_length=100)]
AbortReason = Literal["nobody-there", "part-missing", "not-safe", "not-repairable-here", "other"]


class Code(Command):
    code: Name
    en: Short
    zh: Short


class DefineCodes(Command):
    """The codes of causes and remedies are these from now on."""

    causes: tuple[Code, ...] = Field(min_length=1, max_length=500)
    remedies: tuple[Code, ...] = Field(min_length=1, max_length=500)


class Point(Command):
    item: Name
    en: Short
    zh: Short


class Meter(Command):
    meter: Name
    unit: Annotated[str, StringConstraints(min_length=1, max_length=20)]
    en: Short
    zh: Short


class DefineRecordTemplate(Command):
    """The record of work for this type of request must have this from now on."""

    request_type: Name
    checklist: tuple[Point, ...] = Field(default=(), max_length=200)
    readings: tuple[Meter, ...] = Field(default=(), max_length=50)
    labour: bool = False


class Checked(Command):
    """A point of a checklist. One that is not in order asks for an order of its own."""

    item: Name
    passed: bool
    note: Note = ""


class Reading(Value):
    """What a meter of the device shows, in whole units."""

    meter: Name
    value: int = Field(ge=0, lt=2**53)
    unit: Annotated[str, StringConstraints(min_length=1, max_length=20)]


FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What lies outside is a slip of the pen, and no calendar can reckon with it."""


class Place(Value):
    """Where something was done, 1/1,000,000 degree north and east."""

    lat_udeg: int = Field(ge=-90_000_000, le=90_000_000)
    lon_udeg: int = Field(ge=-180_000_000, le=180_000_000)


Fen = Annotated[int, Field(ge=0, le=10**12)]
"""1/100 CNY, tax included."""
Instant = Annotated[AwareDatetime, Field(ge=FIRST, lt=LAST)]


class Price(Value):
    part_id: Name
    unit_fen: Fen


class DefinePrices(Command):
    """Services cost this from then on."""

    effective_from: Instant
    labour_fen_per_h: Fen
    labour_step_s: int = Field(default=900, ge=1, le=86_400)
    travel_fen: Fen
    parts: tuple[Price, ...] = Field(default=(), max_length=10_000)
    in_vain_fen: Fen = 0
    """For a visit at which nobody was there."""


class DefineContractPrices(Command):
    """Services cost this from then on under the contracts that name this list."""

    list_id: Name
    effective_from: Instant
    labour_fen_per_h: Fen
    labour_step_s: int = Field(default=900, ge=1, le=86_400)
    travel_fen: Fen
    parts: tuple[Price, ...] = Field(default=(), max_length=10_000)


class Cover(Value):
    """So much of a price is covered, for work that was begun before `until`."""

    percent: int = Field(ge=0, le=100)
    until: Instant


class SetCoverage(Command):
    """A warranty or a contract pays for work on a device."""

    device_id: Name
    coverage_id: Name
    kind: Literal["warranty", "contract"]
    starts_at: Instant
    labour: Cover
    parts: Cover
    travel: Cover
    customer_id: Name | Literal[""] = ""
    """It pays only while the device is this customer's; empty where it goes with the device."""
    device_model: Annotated[str, StringConstraints(max_length=100)] = ""
    """It pays only while the register says this model; empty for any."""
    list_id: Name | Literal[""] = ""
    """The price list that is agreed in it; empty for the standard list."""


class DecideEntitlement(Command):
    """An order was opened: who will pay for it?"""

    order_id: str
    request_id: str
    customer_id: str
    device_id: str = ""
    opened_at: AwareDatetime


class Redecide(Command):
    """What a change of a device's coverage must look at."""

    device_id: str
    at: AwareDatetime
    known_orders: tuple[str, ...] = ()
    known_visits: tuple[str, ...] = ()
    known_lists: tuple[str, ...] = ()
    """What the views say: the device's orders, their charged visits, the price lists of its contracts."""


class RedecideEntitlements(Redecide):
    """A coverage was set; so may be what the device's orders are entitled to, and what was charged."""


class NoteDevice(Redecide):
    """The register of devices says this now; the same may follow."""

    customer_id: str
    model: str
    purchased_on: str = ""
    in_service_on: str = ""


class MonthsCovered(Value):
    """So much of a price is covered for so many months."""

    percent: int = Field(ge=0, le=100)
    months: int = Field(ge=0, le=600)


class DefineWarranty(Command):
    """What the maker covers of devices of a model whose warranty begins on that day or later."""

    device_model: Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")]
    effective_from: date = Field(ge=date(1980, 1, 1), le=date(2099, 12, 31))
    labour: MonthsCovered
    parts: MonthsCovered
    travel: MonthsCovered
    from_purchase: bool = False
    """It begins with the purchase, also where it is known when the device was put into service."""


class ChargeService(Command):
    """A visit that has ended is charged."""

    visit_id: str
    device_id: str = ""
    order_id: str = ""
    at: AwareDatetime
    known_lists: tuple[str, ...] = ()
    """As with Redecide."""


class LineCorrection(Value):
    """What a line of a charge comes to, and who pays how much of it."""

    kind: Literal["labour", "part", "travel"]
    item: Name | Literal[""] = ""
    gross_fen: Fen | None = None
    """What it costs; as before where nothing is said."""
    pays: Literal["customer", "warranty", "contract"] = "customer"
    """Who pays `covered_fen`, the customer the rest."""
    covered_fen: Fen = 0
    company_fen: Fen = 0
    """So much more of it our own company bears."""


class NamedLine(Command):
    """A line of a charge, by what names it."""

    kind: Literal["labour", "part", "travel"]
    item: Name | Literal[""] = ""


Reasoned = Annotated[str, StringConstraints(min_length=1, max_length=1_000)]


class DisputeCharge(Command):
    """One of those who pay does not agree."""

    visit_id: str
    disputed_by: Literal["customer", "maker", "contract", "company"]
    lines: tuple[NamedLine, ...] = Field((), max_length=200)
    """Empty: the whole charge."""
    reason: Reasoned
    at: AwareDatetime


class ResolveDispute(Command):
    """A manager decides a dispute; without lines the charge stands."""

    visit_id: str
    lines: tuple[LineCorrection, ...] = Field((), max_length=200)
    answer: Reasoned
    at: AwareDatetime


class CorrectCharge(Command):
    """A manager corrects a charge, with the reason."""

    visit_id: str
    lines: tuple[LineCorrection, ...] = Field(min_length=1, max_length=200)
    reason: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    at: AwareDatetime


PayeeId = Annotated[str, StringConstraints(min_length=1, max_length=100, pattern=r"^[^/\x00-\x1f]+$")]
"""Of a supplier the name, of an engineer the id; `standard` where terms are for all who have none of their own."""
PartOf = Annotated[int, Field(ge=0, le=100)]


class DefinePayoutTerms(Command):
    """A supplier or an engineer is paid this for visits from then on."""

    payee: Literal["supplier", "engineer"]
    payee_id: PayeeId
    effective_from: Instant
    visit_fen: Fen = 0
    labour_percent: PartOf = 0
    parts_percent: PartOf = 0
    travel_percent: PartOf = 0
    in_vain_fen: Fen = 0


class DecidePayout(Command):
    """A visit was charged, or its charge was corrected."""

    visit_id: str
    engineer_id: str
    supplier: str = ""
    """The company that sent her that day, as the view says."""
    worked_at: AwareDatetime
    at: AwareDatetime


class DisputePayout(Command):
    """A supplier or an engineer does not agree with a share."""

    visit_id: str
    payee: Literal["supplier", "engineer"]
    payee_id: PayeeId
    asked_fen: Fen
    reason: Reasoned
    at: AwareDatetime


class ResolvePayoutDispute(Command):
    """A manager decides it; without an amount the share stands."""

    visit_id: str
    payee: Literal["supplier", "engineer"]
    payee_id: PayeeId
    payout_fen: Fen | None = None
    answer: Reasoned
    at: AwareDatetime


class PayOut(Command):
    """What is due of these visits is paid to one payee."""

    payee: Literal["supplier", "engineer"]
    payee_id: PayeeId
    visit_ids: tuple[Name, ...] = Field(min_length=1, max_length=500)
    reference: Short
    at: AwareDatetime


class PlanVisit(Command):
    """An order was given to an engineer: she is to be there, and whoever was to be there before need not go."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    van_id: str = ""
    customer_id: str = Field(min_length=1)
    """Whose the record of the work and the signature will be."""
    device_id: str = ""
    device_model: str = ""
    request_type: str = ""
    """As the view says: its template is a stream that the decision reads."""
    at: AwareDatetime | None = None
    """When the order was given to her."""
    known_visits: tuple[str, ...] = ()
    """What the view says were planned for the order before: these are the streams that the decision reads."""


class TypeOrder(Command):
    """An order was opened for a type of request."""

    order_id: str
    request_id: str
    request_type: str


class CancelVisits(Command):
    """The order is cancelled, declined or finished: nobody (else) need go, unless it is too late for that."""

    order_id: str
    reason: OverReason
    at: AwareDatetime | None = None
    """When that was."""
    known_visits: tuple[str, ...] = ()
    """As with PlanVisit."""


class Step(Command):
    """What the engineer reports of her visit. A phone may report late."""

    visit_id: str
    at: AwareDatetime
    """When it happened."""
    now: AwareDatetime


class Depart(Step):
    """She is on her way."""


class Arrive(Step):
    """She is at the site."""


class StartWork(Step):
    """She works on the device."""


class AttachPhoto(Step):
    """A picture of the site, whose sealed bytes are kept already."""

    photo_id: Name
    moment: Moment
    sha256: str
    media_type: MediaType
    size_b: int = Field(ge=1)
    picture_sha256: str
    taken_at: AwareDatetime | None = None
    """When and where, as the camera says."""
    lat_udeg: int | None = None
    lon_udeg: int | None = None


class UsePart(Step):
    """A part went into the device. Twice asked is twice used: a repeat is told by its idempotency key."""

    part_id: Name
    place_id: Name | Literal[""] = ""
    """Where it was taken from; the van of the visit where nothing is said."""
    quantity: int = Field(ge=1, le=1_000)
    serials: tuple[Name, ...] = ()
    """Of all pieces, or of none."""
    old_returned: int = Field(default=0, ge=0, le=1_000)
    lot: Name | Literal[""] = ""
    old_serials: tuple[Name, ...] = ()
    """Of old pieces, as many as could be read."""


class FinishWork(Step):
    """The work is done; this is its record."""

    cause: Name
    action: Name
    record: Words | Sealed
    codes_version: int = Field(default=0, ge=0, le=1_000_000)
    """The list that the codes are of; the newest where nothing is said."""
    labour_s: int | None = Field(default=None, ge=0, le=86_400)
    """Without it, the time since the work was started."""
    checklist: tuple[Checked, ...] = Field(default=(), max_length=200)
    readings: tuple[Reading, ...] = Field(default=(), max_length=50)
    request_type: str = ""
    """Of the visit: its template is a stream that the decision reads."""


class AcceptWork(Step):
    """The customer accepts the work, rates and signs it."""

    rating: int = Field(ge=1, le=5)
    signature: SvgPath | Sealed
    signed_name: Short | Sealed | Literal[""] = ""
    place: Place | None = None
    record_sha256: Sha256 | Literal[""] = ""
    """Of the record that the customer was shown. A phone without a network cannot know it and says nothing."""


class RefuseWork(Step):
    """The customer does not accept the work as it is."""

    reason: Words | Sealed


class AbortVisit(Step):
    """The visit ends without the work being done."""

    reason: AbortReason
    note: Note = ""


StepCommand = Depart | Arrive | StartWork | AttachPhoto | UsePart | FinishWork | AcceptWork | RefuseWork | AbortVisit


ReportedCommand = Depart | Arrive | StartWork | UsePart | FinishWork | AcceptWork | RefuseWork | AbortVisit
"""What a phone reports in a batch. The bytes of a photo come by themselves, at any time."""


class ReportStep(Command):
    """
    A phone reports a step that it took, perhaps while it was offline: late, again, or before one that precedes it.

    Steps are decided in the order of their numbers, whatever the order in which they come.
    """

    step_id: Name
    """Made on the phone; what comes again under it changes nothing."""
    number: int = Field(ge=1, le=10_000)
    """Its place among the steps that the phone took of this visit, dense from 1."""
    clock_ahead_s: int = 0
    """So far the phone's clock was ahead of ours when it sent this."""
    request_type: str = ""
    """As with FinishWork."""
    step: ReportedCommand
