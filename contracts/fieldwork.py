"""Events of fieldwork: one visit of an engineer to a site, from the plan to the customer's signature."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Personal, Positive, Rating, Utc, belongs_to


class UsedPart(msgspec.Struct, frozen=True):
    """So many pieces of a part that went into the device, and from which place of stock."""

    part_id: str
    place_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)]
    serials: tuple[str, ...] = ()
    """The serial numbers of the pieces, where they have any and were read."""
    old_returned: Annotated[int, msgspec.Meta(ge=0)] = 0
    """So many old pieces came out of the device and go back to stock."""
    lot: str = ""
    """The lot of the pieces, where the part has lots and it was read."""
    old_serials: tuple[str, ...] = ()
    """The serial numbers of old pieces that were taken back, as many as could be read."""


class ServiceCode(msgspec.Struct, frozen=True):
    """A code of a list with its words."""

    code: str
    en: str
    zh: str


class ChecklistItem(msgspec.Struct, frozen=True):
    """A point that was looked at, and whether it was in order."""

    item: str
    passed: bool
    note: str = ""


class MeterReading(msgspec.Struct, frozen=True):
    """What a meter of the device showed, in whole units."""

    meter: str
    value: Annotated[int, msgspec.Meta(ge=0)]
    unit: str


@belongs_to("service-codes", of="list_id")
class ServiceCodesDefined(Event, frozen=True, kw_only=True):
    """
    The codes of causes and remedies that a record of work may use, as one version; earlier ones stay good.

    A record cites its version, so that a phone which was offline may use the list that it had. Read by: reporting.
    """

    list_id: Literal["service"]
    version: Positive
    causes: tuple[ServiceCode, ...]
    remedies: tuple[ServiceCode, ...]


class TemplateItem(msgspec.Struct, frozen=True):
    """A point that the checklist of such work must have, with its words."""

    item: str
    en: str
    zh: str


class TemplateMeter(msgspec.Struct, frozen=True):
    """A meter that is read at such work, with its words."""

    meter: str
    unit: str
    en: str
    zh: str


@belongs_to("record-template", of="request_type")
class RecordTemplateDefined(Event, frozen=True, kw_only=True):
    """
    What the record of work for a type of request must have, as one version.

    A visit keeps the version of its planning (`VisitPlanned.template_version`). Read by: reporting.
    """

    request_type: str
    version: Positive
    checklist: tuple[TemplateItem, ...] = ()
    readings: tuple[TemplateMeter, ...] = ()
    labour: bool = False
    """The paid working time must be said; else it is the time since work was started."""


@belongs_to("visit", of="visit_id", key="request_id")
class VisitPlanned(Event, frozen=True, kw_only=True):
    """An engineer is to be at the site in these hours. Read by: reporting."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    starts_at: Utc
    ends_at: Utc
    van_id: str = ""
    customer_id: str = ""
    device_id: str = ""
    device_model: str = ""
    request_type: str = ""
    """Of the request, which says what the record must have; empty in records that do not say."""
    template_version: NonNegative = 0
    """The version of RecordTemplateDefined that the record is held to; 0 where none was defined."""


@belongs_to("order-visits", of="order_id", key="request_id", public=False)
class OrderTyped(Event, frozen=True, kw_only=True):
    """For which type of request an order was opened."""

    order_id: str
    request_id: str
    request_type: str


@belongs_to("order-visits", of="order_id", key="request_id", public=False)
class VisitAdded(Event, frozen=True, kw_only=True):
    """One more visit belongs to the order: recorded with its plan, so that no decision about the order misses it."""

    order_id: str
    request_id: str
    visit_id: str


@belongs_to("visit", of="visit_id", key="request_id")
class VisitCancelled(Event, frozen=True, kw_only=True):
    """She need not go: the order was cancelled, declined by her or given to somebody else. Read by: reporting."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    reason: Literal["order-cancelled", "order-reassigned", "order-declined"]
    cancelled_at: Utc | None = None
    """When the order went elsewhere; none in history that does not say."""


@belongs_to("visit", of="visit_id", key="request_id", at="departed_at")
class EngineerDeparted(Event, frozen=True, kw_only=True):
    """She is on her way. Acted on by: dispatcher (the order is under way). Read by: reporting."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    departed_at: Utc | None = None
    """The envelope's time, for decisions, which see no envelope; none in history that does not say."""


@belongs_to("visit", of="visit_id", key="request_id", at="arrived_at")
class EngineerArrived(Event, frozen=True, kw_only=True):
    """She is at the site. Read by: reporting (arrival time)."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    planned_at: Utc
    """The arrival that was planned, for punctuality."""
    arrived_at: Utc | None = None
    """As with EngineerDeparted."""


@belongs_to("visit", of="visit_id", key="request_id", at="started_at")
class WorkStarted(Event, frozen=True, kw_only=True):
    """She works on the device. Read by: reporting."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    started_at: Utc | None = None
    """As with EngineerDeparted."""


@belongs_to("visit", of="visit_id", key="request_id")
class PhotoAttached(Event, frozen=True, kw_only=True):
    """A picture of the site was kept. Its bytes are sealed and lie under `sha256`. Read by: quality, reporting."""

    visit_id: str
    request_id: str
    photo_id: str
    moment: Literal["before", "after", "other"]
    sha256: str
    """Of the sealed bytes as they are stored, hexadecimal."""
    media_type: Literal["image/jpeg", "image/png", "image/webp"]
    size_b: Positive
    picture_sha256: str = ""
    """Of the picture as it is kept and shown: without the data of the camera. Empty in records that do not say."""
    taken_at: Utc | None = None
    """When the camera says that it was taken; from its EXIF data, which are not kept."""
    customer_id: str = ""
    place: Annotated[str, Personal("customer_id")] = ""
    """Where, as the camera says: `lat,lon`, 1/1,000,000 degree north and east; empty where it does not say."""
    lat_udeg: Annotated[int, msgspec.Meta(ge=-90_000_000, le=90_000_000)] | None = None
    """The same in records from before the place was sealed."""
    lon_udeg: Annotated[int, msgspec.Meta(ge=-180_000_000, le=180_000_000)] | None = None


@belongs_to("visit", of="visit_id", key="request_id", at="used_at")
class PartUsed(Event, frozen=True, kw_only=True):
    """A part went into the device. Stock changes when the work is completed. Read by: inventory, reporting."""

    visit_id: str
    order_id: str
    request_id: str
    part_id: str
    place_id: str
    quantity: Positive
    serials: tuple[str, ...] = ()
    """As with UsedPart; as many as `quantity`, or none."""
    old_returned: NonNegative = 0
    """As with UsedPart."""
    lot: str = ""
    """As with UsedPart."""
    old_serials: tuple[str, ...] = ()
    """As with UsedPart."""
    used_at: Utc | None = None
    """As with EngineerDeparted."""


@belongs_to("visit", of="visit_id", key="request_id", at="finished_at")
class WorkFinished(Event, frozen=True, kw_only=True):
    """The work is done and its record written; the customer's acceptance is awaited. Read by: reporting."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    customer_id: str
    cause: str
    """A code of the fault's cause."""
    action: str
    """A code of what was done: the remedy."""
    codes_version: NonNegative = 0
    """The version of ServiceCodesDefined that both codes are of; 0 where no list was defined."""
    labour_s: NonNegative = 0
    """Paid working time in seconds, as she says; else from the start to the finish. 0 in records that do not say."""
    checklist: tuple[ChecklistItem, ...] = ()
    readings: tuple[MeterReading, ...] = ()
    parts: tuple[UsedPart, ...] = ()
    """All that was used up to now, so that this is the whole record which the customer signs."""
    record_sha256: str = ""
    """
    Of this record: the SHA-256, hexadecimal, of the JSON of all other fields of this event, keys sorted, no spaces,
    `record` as it is sealed. Empty in records that do not say.
    """
    lacking: tuple[str, ...] = ()
    """What the template wants and a phone that was offline did not report; else a record that lacks it is refused."""
    record: Annotated[str, Personal("customer_id")]
    """What was found and done, in the engineer's words."""
    finished_at: Utc | None = None
    """As with EngineerDeparted."""


@belongs_to("visit", of="visit_id", key="request_id", at="asked_at")
class FollowUpAsked(Event, frozen=True, kw_only=True):
    """
    A point of the checklist was not in order and needs an order of its own, once for each point of a visit.

    Acted on by: intake (makes a request of it). Read by: reporting.
    """

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    customer_id: str
    device_id: str = ""
    device_model: str = ""
    item: str
    note: str = ""
    asked_at: Utc


@belongs_to("visit", of="visit_id", key="request_id", at="refused_at")
class AcceptanceRefused(Event, frozen=True, kw_only=True):
    """The customer does not accept the work; the engineer goes on working. Read by: quality, reporting."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    customer_id: str
    reason: Annotated[str, Personal("customer_id")]
    refused_at: Utc | None = None
    """As with EngineerDeparted."""


@belongs_to("visit", of="visit_id", key="request_id", at="accepted_at")
class ServiceCompleted(Event, frozen=True, kw_only=True):
    """
    The customer accepted the work, rated and signed it. All that others settle is in it.

    Acted on by: intake (closes), dispatcher (finishes), inventory (consumes), quality (sends the survey).
    Read by: reporting.
    """

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    customer_id: str
    device_id: str = ""
    device_model: str = ""
    rating: Rating
    signature: Annotated[str, Personal("customer_id")]
    """The drawn name, as an SVG path."""
    parts: tuple[UsedPart, ...] = ()
    departed_at: Utc
    arrived_at: Utc
    started_at: Utc
    finished_at: Utc
    photos: NonNegative = 0
    accepted_at: Utc | None = None
    """As with EngineerDeparted."""
    signed_name: Annotated[str, Personal("customer_id")] = ""
    """Who signed, as she wrote her name; empty in records that do not say."""
    signed_lat_udeg: Annotated[int, msgspec.Meta(ge=-90_000_000, le=90_000_000)] | None = None
    """Where it was signed, by the phone, 1/1,000,000 degree north; with the longitude or not at all."""
    signed_lon_udeg: Annotated[int, msgspec.Meta(ge=-180_000_000, le=180_000_000)] | None = None
    record_sha256: str = ""
    """Of the WorkFinished that was signed: its own `record_sha256`."""


@belongs_to("visit", of="visit_id", key="request_id", at="aborted_at")
class VisitAborted(Event, frozen=True, kw_only=True):
    """
    The visit ended without the work being done: nobody at home, a part missing, not safe.

    Acted on by: dispatcher (the order waits again), inventory (books what was used, releases the rest).
    Read by: reporting.
    """

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    reason: Literal["nobody-there", "part-missing", "not-safe", "not-repairable-here", "other"]
    note: str = ""
    parts: tuple[UsedPart, ...] = ()
    """What went into the device all the same."""
    aborted_at: Utc | None = None
    """As with EngineerDeparted."""


class PartPrice(msgspec.Struct, frozen=True):
    """What a piece of a part costs the customer, 1/100 CNY, tax included."""

    part_id: str
    unit_fen: NonNegative


@belongs_to("price-list", of="list_id")
class PricesDefined(Event, frozen=True, kw_only=True):
    """
    What services cost from then on, as one version; earlier ones stay for what was done before. Read by: reporting.

    All prices in 1/100 CNY, tax included.
    """

    list_id: Literal["standard"]
    version: Positive
    effective_from: Utc
    labour_fen_per_h: NonNegative
    labour_step_s: Positive
    """Labour is charged in whole steps of so many seconds; one that was begun counts."""
    travel_fen: NonNegative
    """For a visit, however far."""
    parts: tuple[PartPrice, ...]
    in_vain_fen: NonNegative = 0
    """For a visit at which nobody was there; 0 charges nothing for it."""


@belongs_to("price-list", of="list_id")
class ContractPricesDefined(Event, frozen=True, kw_only=True):
    """
    What services cost under the contracts that name this list (`CoverageSet.list_id`), as one version.

    What it has no price for costs what the standard list says. Read by: reporting.
    """

    list_id: str
    version: Positive
    effective_from: Utc
    labour_fen_per_h: NonNegative
    labour_step_s: Positive
    travel_fen: NonNegative
    parts: tuple[PartPrice, ...]
    """All as with PricesDefined."""


class Term(msgspec.Struct, frozen=True):
    """
    So much of a price is covered, for orders that were opened before `until`.

    Of an order of which nobody knows when it was opened, the arrival counts.
    """

    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    until: Utc


@belongs_to("coverage", of="device_id")
class CoverageSet(Event, frozen=True, kw_only=True):
    """
    A warranty or a contract pays for work on a device. The same id again puts it right from the beginning.

    Acted on by: fieldwork (decides anew what the device's orders are entitled to, and corrects what was charged).
    Read by: reporting.
    """

    device_id: str
    coverage_id: str
    kind: Literal["warranty", "contract"]
    starts_at: Utc
    labour: Term
    parts: Term
    travel: Term
    version: NonNegative = 0
    """How often this coverage was set, from 1; 0 in records that do not say."""
    customer_id: str = ""
    """It pays only while the device is this customer's; empty where it goes with the device."""
    device_model: str = ""
    """It pays only while the register says this model; empty for any."""
    list_id: str = ""
    """The list whose prices are agreed in it; empty for the standard list."""


@belongs_to("coverage", of="device_id", public=False)
class DeviceNoted(Event, frozen=True, kw_only=True):
    """What intake's register says of a device now, as far as coverage depends on it."""

    device_id: str
    customer_id: str
    model: str
    purchased_on: str = ""
    in_service_on: str = ""
    """Both as in DeviceRegistered."""


class WarrantyTerm(msgspec.Struct, frozen=True):
    """So much of a price is covered, for so many months from the day on which the warranty begins."""

    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    months: Annotated[int, msgspec.Meta(ge=0, le=600)]


@belongs_to("warranty", of="device_model")
class WarrantyDefined(Event, frozen=True, kw_only=True):
    """
    What the maker covers of every device of a model whose warranty begins on that day or later, as one version.

    It begins when the device was put into service; where that is not known, with its purchase; where neither is, the
    model's warranty covers nothing of it. Acted on by: fieldwork (sets the coverage `model-warranty` of each such
    device, and again when its register is corrected). Read by: reporting.
    """

    device_model: str
    version: Positive
    effective_from: str
    """ISO date."""
    labour: WarrantyTerm
    parts: WarrantyTerm
    travel: WarrantyTerm
    from_purchase: bool = False
    """It begins with the purchase, also where it is known when the device was put into service."""


@belongs_to("coverage", of="device_id", public=False)
class OrderNoted(Event, frozen=True, kw_only=True):
    """An order for the device was decided upon: recorded with it, so that no correction of the device misses it."""

    device_id: str
    order_id: str


class Entitled(msgspec.Struct, frozen=True):
    """Who pays for one kind of cost of an order, and why."""

    kind: Literal["labour", "parts", "travel"]
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    """How much of it is covered; the customer pays the rest."""
    why: Literal["covered", "over", "not-covered"]
    """As with ChargeLine."""
    coverage_id: str = ""
    coverage_kind: Literal["", "warranty", "contract"] = ""
    coverage_version: NonNegative = 0
    """`version` of the CoverageSet that it follows from."""
    until: Utc | None = None
    """The end of its term."""
    list_id: str = ""
    """The contract's own price list; empty for the standard list."""


@belongs_to("entitlement", of="order_id", key="request_id")
class EntitlementDecided(Event, frozen=True, kw_only=True):
    """
    What warranty and contract will pay for an order, decided when it was opened, before anybody drives.

    EntitlementRedecided follows when a coverage or the device's register is corrected. Read by: reporting.
    """

    order_id: str
    request_id: str
    customer_id: str
    device_id: str = ""
    entitled_at: Utc
    """When the order was opened: coverage and prices of this instant count."""
    list_version: NonNegative = 0
    """The version of the standard price list in force; 0 where none is, and nothing is charged."""
    lines: tuple[Entitled, ...]
    """One for each kind of cost."""


@belongs_to("entitlement", of="order_id", key="request_id")
class EntitlementRedecided(Event, frozen=True, kw_only=True):
    """
    A coverage or the device's register was corrected, and the order is entitled to something else than was said.

    Read by: reporting.
    """

    order_id: str
    request_id: str
    customer_id: str
    device_id: str
    number: Positive
    """How often it was decided anew, from 1."""
    reason: Literal["coverage-set", "device-corrected"]
    before: tuple[Entitled, ...]
    lines: tuple[Entitled, ...]


@belongs_to("entitlement", of="order_id", key="request_id", public=False)
class OrderCharged(Event, frozen=True, kw_only=True):
    """A visit of the order was charged: recorded with the charge, so that no correction misses it."""

    order_id: str
    request_id: str
    visit_id: str


class ChargeLine(msgspec.Struct, frozen=True):
    """
    One line of a charge, and why it is what it is.

    `gross_fen - covered_fen - company_fen` is what the customer pays.
    """

    kind: Literal["labour", "part", "travel"]
    item: str
    """The part; empty for the others."""
    quantity: NonNegative
    """Pieces; of labour, seconds as they are charged; of travel, visits."""
    unit_fen: NonNegative
    """Of a piece, an hour of labour, a visit."""
    gross_fen: NonNegative
    covered_fen: NonNegative
    percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    """How much of it is covered."""
    why: Literal["covered", "over", "not-covered", "no-price"]
    """A coverage pays; the best that there was is over; there is none; the list has no price, and `gross_fen` is 0."""
    coverage_id: str = ""
    """Which pays, or is over."""
    coverage_kind: Literal["", "warranty", "contract"] = ""
    until: Utc | None = None
    """The end of its term."""
    list_id: str = ""
    """The contract's own price list that `unit_fen` is of; empty for the standard list."""
    by_hand: bool = False
    """A manager said what it comes to; no correction of a coverage changes it."""
    company_fen: NonNegative = 0
    """So much of it our own company bears: goodwill, or our mistake."""


@belongs_to("charge", of="visit_id", key="request_id", at="charged_at")
class ServiceCharged(Event, frozen=True, kw_only=True):
    """
    What the customer, the warranty and the contract pay for completed work; for the ERP. Read by: reporting.

    The sums are those of the lines, exact. ChargeCorrected follows when it comes to something else after all.
    """

    visit_id: str
    order_id: str
    request_id: str
    customer_id: str
    device_id: str = ""
    list_version: Positive
    lines: tuple[ChargeLine, ...]
    gross_fen: NonNegative
    warranty_fen: NonNegative
    contract_fen: NonNegative
    customer_fen: NonNegative
    unpriced: NonNegative = 0
    """Lines without a price: somebody must look at the charge before it is sent."""
    charged_at: Utc
    entitled_at: Utc | None = None
    """When the order was opened, where its coverage and prices were decided; else they are those of the arrival."""
    in_vain: bool = False
    """Nobody was there: the one line is what the list charges for that."""
    company_fen: NonNegative = 0
    """What our own company bears."""


@belongs_to("charge", of="visit_id", key="request_id", at="corrected_at")
class ChargeCorrected(Event, frozen=True, kw_only=True):
    """
    A charge comes to something else than was charged before; for the ERP. The sums and lines are all as they are now.

    Read by: reporting (revenue by the newest of a visit, or by the sum of the differences).
    """

    visit_id: str
    order_id: str
    request_id: str
    customer_id: str
    device_id: str = ""
    number: Positive
    """How often the charge was corrected, from 1."""
    reason: Literal["coverage-set", "device-corrected", "by-hand"]
    note: Annotated[str, Personal("customer_id")] = ""
    """Why, where a manager corrected it."""
    before: tuple[ChargeLine, ...]
    lines: tuple[ChargeLine, ...]
    gross_fen: NonNegative
    warranty_fen: NonNegative
    contract_fen: NonNegative
    customer_fen: NonNegative
    unpriced: NonNegative = 0
    gross_diff_fen: int
    """What it comes to now less what it came to before; so with each that follows."""
    warranty_diff_fen: int
    contract_diff_fen: int
    customer_diff_fen: int
    corrected_at: Utc
    company_fen: NonNegative = 0
    company_diff_fen: int = 0


class DisputedLine(msgspec.Struct, frozen=True):
    """A line of a charge, by what names it."""

    kind: Literal["labour", "part", "travel"]
    item: str = ""


@belongs_to("charge", of="visit_id", key="request_id", at="disputed_at")
class ChargeDisputed(Event, frozen=True, kw_only=True):
    """
    One of those who pay does not agree with a charge. One dispute of a charge is open at a time.

    ChargeDisputeResolved ends it. Read by: nobody else yet; an ERP does not collect what is disputed.
    """

    visit_id: str
    order_id: str
    request_id: str
    customer_id: str
    number: Positive
    """How often the charge was disputed, from 1."""
    disputed_by: str
    """`customer`, `maker`, `contract` or `company`: who pays, or should not."""
    lines: tuple[DisputedLine, ...] = ()
    """Which lines; empty: the whole charge."""
    reason: Annotated[str, Personal("customer_id")]
    disputed_fen: NonNegative
    """What that payer was to pay of these lines."""
    disputed_at: Utc


@belongs_to("charge", of="visit_id", key="request_id", at="resolved_at")
class ChargeDisputeResolved(Event, frozen=True, kw_only=True):
    """A manager has decided a dispute. Recorded with the ChargeCorrected that follows from it, where one does."""

    visit_id: str
    order_id: str
    request_id: str
    customer_id: str
    number: Positive
    """Of the dispute."""
    correction: NonNegative = 0
    """The number of the ChargeCorrected; 0 where the charge stands as it was."""
    answer: Annotated[str, Personal("customer_id")]
    resolved_at: Utc


StepName = Literal["depart", "arrive", "start", "use-part", "finish", "accept", "refuse", "abort"]
"""What a phone reports of a visit."""


@belongs_to("visit-steps", of="visit_id", key="request_id", public=False, holds="customer_id")
class StepKept(Event, frozen=True, kw_only=True):
    """A step came from a phone before one that precedes it, or is next: it is decided when its number is the next."""

    visit_id: str
    request_id: str
    step_id: str
    number: Positive
    """Its place among the steps that the phone took of this visit, dense from 1."""
    step: StepName
    happened_at: Utc
    reported: str
    """The whole step as JSON. What is personal in it was sealed before, so that the step can be decided later."""
    customer_id: str = ""
    """Under whose key something in `reported` is sealed; empty where nothing is, and in records that do not say."""
    clock_ahead_s: int = 0
    """
    So far the phone's clock was ahead of ours, where it was wrong: `happened_at` is corrected by it, and the sum of
    both is what the phone showed. In `reported` is the corrected time.
    """


@belongs_to("visit-steps", of="visit_id", key="request_id", public=False)
class StepTaken(Event, frozen=True, kw_only=True):
    """A reported step was decided, and what follows from it is recorded with this; nothing where it was known."""

    visit_id: str
    request_id: str
    step_id: str
    number: Positive
    step: StepName
    happened_at: Utc
    clock_ahead_s: int = 0
    """As with StepKept."""


@belongs_to("visit-steps", of="visit_id", key="request_id", at="happened_at", holds="customer_id")
class StepRefused(Event, frozen=True, kw_only=True):
    """
    A step that an engineer reported and that the visit does not allow, such as one that was called off meanwhile.

    Both facts stay: what she reported is here, and what it met is in `facts`. It changes nothing by itself; whoever
    is at the desk speaks with her. Read by: reporting.
    """

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    step_id: str
    number: Positive
    step: StepName
    happened_at: Utc
    code: str
    """The rule that says no, as in a problem."""
    facts: dict[str, str]
    """What the rule met, by name, as in a problem."""
    reported: str
    """As with StepKept."""
    customer_id: str = ""
    clock_ahead_s: int = 0
    """Both as with StepKept."""


@belongs_to("visit-steps", of="visit_id", key="request_id", at="used_at")
class PartUsedAfterEnd(Event, frozen=True, kw_only=True):
    """
    A part really went into the device, and its visit had ended by our books: called off, aborted or completed.

    Recorded with the StepRefused, whose rule it does not bend; somebody at the desk looks at both.
    Acted on by: inventory (books it). Read by: reporting.
    """

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    step_id: str
    part: UsedPart
    used_at: Utc


Payee = Literal["supplier", "engineer"]
"""The company that sends an engineer who is not ours, by its name; an engineer, by her id."""


@belongs_to("payout-terms", of=("payee", "payee_id"))
class PayoutTermsDefined(Event, frozen=True, kw_only=True):
    """
    What we pay a supplier or an engineer for visits from then on, as one version. Read by: nobody else yet.

    The percentages are of what the charge of the visit comes to, whoever pays that.
    """

    payee: Payee
    payee_id: str
    """`standard`: every supplier, or every engineer of ours, who has no terms of their own."""
    version: Positive
    effective_from: Utc
    visit_fen: NonNegative
    """For a completed visit, 1/100 CNY."""
    labour_percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    parts_percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    travel_percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    in_vain_fen: NonNegative = 0
    """For a visit at which nobody was there, instead of all others."""


class PayoutShare(msgspec.Struct, frozen=True):
    """What one of them is paid for a visit, and how it comes about; all 1/100 CNY."""

    payee: Payee
    payee_id: str
    terms_id: str
    """Whose terms they are: the payee's own, or `standard`."""
    terms_version: Positive
    visit_fen: NonNegative
    labour_fen: NonNegative
    parts_fen: NonNegative
    travel_fen: NonNegative
    adjusted_fen: int = 0
    """What a manager added, or took off, upon a dispute."""

    @property
    def payout_fen(self) -> int:
        """The sum; below 0 it is to be paid back."""
        return self.visit_fen + self.labour_fen + self.parts_fen + self.travel_fen + self.adjusted_fen


@belongs_to("payout", of="visit_id", key="request_id", at="decided_at")
class PayoutDecided(Event, frozen=True, kw_only=True):
    """
    A visit was charged: what its engineer and the supplier who sent her are paid for it, and what we keep.

    `kept_fen` and the shares together are exactly what the charge comes to. PayoutCorrected follows where that changes.
    Read by: nobody else yet; for the ERP.
    """

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    supplier: str = ""
    worked_at: Utc
    """The arrival, or when it was planned: the terms of this instant count."""
    charged_fen: NonNegative
    """`gross_fen` of the charge."""
    shares: tuple[PayoutShare, ...]
    kept_fen: int
    decided_at: Utc


@belongs_to("payout", of="visit_id", key="request_id", at="corrected_at")
class PayoutCorrected(Event, frozen=True, kw_only=True):
    """The shares of a visit are others than before; what was paid already is set off. Read by: nobody else yet."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    number: Positive
    """How often they were corrected, from 1."""
    reason: Literal["charge-corrected", "dispute-resolved"]
    charged_fen: NonNegative
    before: tuple[PayoutShare, ...]
    shares: tuple[PayoutShare, ...]
    kept_fen: int
    corrected_at: Utc


@belongs_to("payout", of="visit_id", key="request_id", at="disputed_at")
class PayoutDisputed(Event, frozen=True, kw_only=True):
    """A supplier or an engineer does not agree with a share. It is not paid until PayoutDisputeResolved."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    number: Positive
    """How often shares of the visit were disputed, from 1."""
    payee: Payee
    payee_id: str
    asked_fen: NonNegative
    """What it should be, they say."""
    reason: Annotated[str, Personal("engineer_id")]
    disputed_at: Utc


@belongs_to("payout", of="visit_id", key="request_id", at="resolved_at")
class PayoutDisputeResolved(Event, frozen=True, kw_only=True):
    """A manager has decided it. Recorded with the PayoutCorrected that follows from it, where one does."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    number: Positive
    """Of the dispute."""
    payee: Payee
    payee_id: str
    correction: NonNegative = 0
    """The number of the PayoutCorrected; 0 where the share stands as it was."""
    answer: Annotated[str, Personal("engineer_id")]
    resolved_at: Utc


@belongs_to("payout", of="visit_id", key="request_id", at="paid_at")
class PayoutPaid(Event, frozen=True, kw_only=True):
    """What was due of a share of a visit is paid. Read by: nobody else yet; for the ERP."""

    visit_id: str
    order_id: str
    request_id: str
    engineer_id: str
    payee: Payee
    payee_id: str
    paid_fen: int
    """Below 0 it came back, after a correction."""
    reference: str
    """Of the transfer or the sheet that it is on."""
    paid_at: Utc
