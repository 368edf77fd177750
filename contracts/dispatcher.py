"""Events of the dispatcher: orders, the engineers who carry them out, and the hours that are booked."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Personal, Positive, Utc, belongs_to
from contracts.intake import Urgency, UsualPart


class Shift(msgspec.Struct, frozen=True):
    """A working time that comes back each week, in the engineer's zone."""

    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)]
    """0 is Monday."""
    from_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    to_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]


class Reason(msgspec.Struct, frozen=True):
    """One rule of a decision and what it said of the engineer, as a figure in the rule's own unit."""

    rule: Literal["skill", "distance", "load", "shift", "wish", "van"]
    value: int
    """
    distance: metres; load: orders already booked that day; shift: seconds from now until the visit can start; van: of
    the parts that the order is expected to take, so many are not in her van as it should be.
    """
    cost: int
    """What the rule added to the cost of this engineer; the least total is chosen."""


class SkillLevel(msgspec.Struct, frozen=True):
    """How well an engineer can do something, and until when that holds."""

    skill: str
    """A skill, a device model, or a brand: the first word of a model's name."""
    level: Annotated[int, msgspec.Meta(ge=1, le=5)] = 1
    """1 is the least."""
    until: str = ""
    """ISO date of the last day in her zone on which it holds; empty: for ever."""


class Certificate(msgspec.Struct, frozen=True):
    """A paper that some work may not be done without. Its number is sealed, in `certificate_numbers`."""

    name: str
    until: str = ""
    """ISO date of the last day in her zone on which it holds; empty: for ever."""


class PassedOver(msgspec.Struct, frozen=True):
    """An engineer who was looked at and could not have the order, and the rules that said so."""

    engineer_id: str
    rules: tuple[str, ...]
    """As in `OrderAssigned.broke_rules`."""


class RuleCount(msgspec.Struct, frozen=True):
    """How many engineers a rule excluded when all were compared; whom two exclude, both count."""

    rule: str
    engineers: Annotated[int, msgspec.Meta(ge=1)]


class OfferedFirst(msgspec.Struct, frozen=True):
    """Orders that are offered to engineers before anybody is assigned by rule. What is empty is any."""

    request_type: str = ""
    urgency: Literal["", "low", "normal", "high", "critical"] = ""


class EngineerDay(msgspec.Struct, frozen=True):
    """A day of an engineer, in which hours are booked."""

    engineer_id: str
    day: str
    """ISO date in the engineer's zone."""


@belongs_to("order", of="order_id", key="request_id")
class OrderOpened(Event, frozen=True, kw_only=True):
    """
    There is work to be done for a request. From here on somebody must be assigned by `assign_due_at`.

    Acted on by: dispatcher (looks for an engineer), inventory (recommends parts). Read by: reporting.
    """

    order_id: str
    request_id: str
    customer_id: str = ""
    device_id: str = ""
    device_model: str = ""
    request_type: str = ""
    skill: str = ""
    urgency: Urgency = "normal"
    duration_s: Positive = 3_600
    region: str = ""
    lat_udeg: int = 0
    lon_udeg: int = 0
    usual_parts: tuple[UsualPart, ...] = ()
    """What work of this type usually takes, as the request said."""
    assign_due_at: Utc | None = None
    """When AssignmentOverdue is recorded if nobody is assigned by then; none for imported history."""
    more_skills: tuple[str, ...] = ()
    """What the engineer must be able to do beside `skill`."""
    skill_level: NonNegative = 0
    """How well she must have the skill, or know the model or the brand; 0 for any."""
    certificates: tuple[str, ...] = ()
    """The certificates that she must hold on the day."""
    wished_engineer_id: str = ""
    """Whom the customer would like to see; a wish that counts among the others, and no rule."""
    sla: str = ""
    """The service level that the type of the request names; empty for none."""


@belongs_to("order", of="order_id", key="request_id")
class OrderQueued(Event, frozen=True, kw_only=True):
    """The order waits at a team for somebody to take it. Read by: reporting."""

    order_id: str
    request_id: str
    team: str
    person: str = ""
    """Who put it there."""
    impact: str = ""
    product: str = ""


@belongs_to("order", of="order_id", key="request_id")
class OrderTaken(Event, frozen=True, kw_only=True):
    """A person of a team is working on the order or has it in hand. Read by: reporting."""

    order_id: str
    request_id: str
    team: str
    person: str
    impact: str = ""
    product: str = ""


@belongs_to("order", of="order_id", key="request_id")
class OrderPaused(Event, frozen=True, kw_only=True):
    """Work waits for something outside the team's hands. Read by: reporting."""

    order_id: str
    request_id: str
    reason: str
    team: str = ""
    person: str = ""
    impact: str = ""
    product: str = ""


@belongs_to("order", of="order_id", key="request_id")
class OrderAssigned(Event, frozen=True, kw_only=True):
    """
    One engineer is now responsible for the order, and hours of hers are booked for it.

    Recorded once; a later change is OrderReassigned, so the first choice is never overwritten.
    Acted on by: fieldwork (plans the visit), inventory (reserves parts). Read by: quality, reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    """Who leads and answers for the order; `crew` lists all who go."""
    crew: tuple[str, ...] = ()
    van_id: str = ""
    """The place of stock that she drives."""
    starts_at: Utc
    """The booked hours on site."""
    ends_at: Utc
    day: str = ""
    """Their ISO date in the engineer's zone."""
    travel_m: NonNegative
    """Distance to the site from where she is before it, metres."""
    chosen_by: Literal["rule", "person", "pool"]
    reasons: tuple[Reason, ...] = ()
    candidates: NonNegative = 0
    """How many engineers were compared."""
    note: str = ""
    """Why a person chose as she did."""
    customer_id: str = ""
    device_id: str = ""
    device_model: str = ""
    skill: str = ""
    broke_rules: tuple[str, ...] = ()
    """
    The rules that a person overruled, who was shown them before: skill, skill-expired, level, certificate,
    certificate-expired, territory, declined, shift, absent, limit, hours (too short with the drive).
    """
    rules_version: NonNegative = 0
    """Of the DispatchRulesSet by which the points were given; 0: of the defaults."""
    expense_fen: NonNegative = 0
    """What her time on site and her way cost us, as estimated."""
    expense_cost: NonNegative = 0
    """What that added to her cost, beside `reasons`."""
    passed_over: tuple[PassedOver, ...] = ()
    """Candidates that had no room any more when it was decided; and the wished engineer, where a rule excludes her."""
    excluded: tuple[RuleCount, ...] = ()
    """How many of all engineers were excluded before, rule by rule."""
    though_absent: tuple[str, ...] = ()
    """The absences of hers in these hours that the person knew who gave it to her: for those it is not taken back."""


@belongs_to("order", of="order_id", key="request_id")
class OrderReassigned(Event, frozen=True, kw_only=True):
    """
    Another engineer is responsible now; the hours of the former one are free again.

    Acted on by: fieldwork (plans anew), inventory (moves what is reserved). Read by: quality, reporting.
    """

    order_id: str
    request_id: str
    from_engineer_id: str
    engineer_id: str
    van_id: str = ""
    starts_at: Utc
    ends_at: Utc
    day: str = ""
    """ISO date of the booked hours in her zone."""
    travel_m: NonNegative
    reason: str
    customer_id: str = ""
    device_id: str = ""
    device_model: str = ""
    skill: str = ""
    frees: EngineerDay | None = None
    """Where the former engineer's hours were booked; they are free again."""
    broke_rules: tuple[str, ...] = ()
    """As in OrderAssigned."""
    reasons: tuple[Reason, ...] = ()
    """What the hours of the new engineer cost, by these rules; a person chose her."""
    rules_version: NonNegative = 0
    """As in OrderAssigned."""
    expense_fen: NonNegative = 0
    expense_cost: NonNegative = 0
    though_absent: tuple[str, ...] = ()


@belongs_to("order", of="order_id", key="request_id")
class OrderOffered(Event, frozen=True, kw_only=True):
    """
    Some engineers are asked whether they want the order; the first of them who takes it has it (OrderAssigned, `pool`).

    Acted on by: dispatcher (OfferLapsed when nobody took it in time). Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    offer_no: Positive
    """Counted since the order began to wait."""
    engineer_ids: tuple[str, ...]
    offered_until: Utc
    offered_by: Literal["rule", "person"]
    note: str = ""
    rules_version: NonNegative = 0
    """As in OrderAssigned."""


@belongs_to("order", of="order_id", key="request_id")
class OfferDeclined(Event, frozen=True, kw_only=True):
    """
    An engineer does not want the order that she was offered, and it is never given to her by rule; or cannot answer.

    Acted on by: dispatcher (offers it to the next, when nobody is left). Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    offer_no: Positive
    engineer_id: str
    reason: str
    left: NonNegative
    """How many of those whom it was offered to may still take it."""
    cause: Literal["engineer", "absence"] = "engineer"
    """As in OrderDeclined: whom an absence keeps from answering has refused nothing."""


@belongs_to("order", of="order_id", key="request_id")
class OfferLapsed(Event, frozen=True, kw_only=True):
    """
    Nobody took the order in time. By rule these may still be given it; it is not offered to them again.

    Acted on by: dispatcher (offers it to the next; when there is none, assigns it). Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    offer_no: Positive
    engineer_ids: tuple[str, ...]
    """Who did not answer."""


@belongs_to("order", of="order_id", key="request_id", public=False)
class OrderStarted(Event, frozen=True, kw_only=True):
    """She is on her way. From here on the order is neither cancelled nor given to somebody else."""

    order_id: str
    request_id: str
    engineer_id: str


@belongs_to("order", of="order_id", key="request_id")
class OrderReturned(Event, frozen=True, kw_only=True):
    """
    The visit ended without the work being done; the order waits again for somebody.

    Acted on by: dispatcher (looks for an engineer). Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    """Who was there."""
    reason: str
    frees: EngineerDay | None = None


@belongs_to("order", of="order_id", key="request_id", public=False)
class WithdrawalNoted(Event, frozen=True, kw_only=True):
    """The customer withdrew while somebody was on the way: if the visit is aborted, the order is cancelled."""

    order_id: str
    request_id: str


@belongs_to("order", of="order_id", key="request_id")
class AbsenceNoted(Event, frozen=True, kw_only=True):
    """
    An engineer who has departed for an order is absent in its hours: she knows best, and a dispatcher must look.

    Recorded once for an absence. Settled when the order waits again or ends, or the absence is called off.
    Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    engineer_id: str
    absence_id: str


@belongs_to("order", of="order_id", key="request_id", public=False)
class AbsenceNoteSettled(Event, frozen=True, kw_only=True):
    """The absence that was noted is called off: there is nothing more to look at."""

    order_id: str
    request_id: str
    absence_id: str


@belongs_to("order", of="order_id", key="request_id", public=False)
class WithdrawalTakenBack(Event, frozen=True, kw_only=True):
    """The request goes on after all, before who was on the way is done: so does the order, as if nothing had been."""

    order_id: str
    request_id: str


@belongs_to("order", of="order_id", key="request_id", public=False)
class AssignmentRetried(Event, frozen=True, kw_only=True):
    """Nobody was free when an engineer was last looked for; now one is looked for again."""

    order_id: str
    request_id: str
    attempt: Positive
    """Counted since the order began to wait."""


@belongs_to("order", of="order_id", key="request_id")
class OrderDeclined(Event, frozen=True, kw_only=True):
    """
    The engineer will not take the order, or cannot; it waits for another one.

    Acted on by: fieldwork (drops the visit), inventory (releases parts). Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    reason: str
    frees: EngineerDay | None = None
    """Where hours of hers were booked; they are free again."""
    cause: Literal["engineer", "absence"] = "engineer"
    """`absence`: she is absent in those hours, and has refused nothing; she may be given it again."""


@belongs_to("order", of="order_id", key="request_id")
class AssignmentOverdue(Event, frozen=True, kw_only=True):
    """Nobody was assigned in time. Recorded once for an order, by its timer. Read by: reporting."""

    order_id: str
    request_id: str
    due_at: Utc


@belongs_to("order", of="order_id", key="request_id")
class OrderCancelled(Event, frozen=True, kw_only=True):
    """
    The order will not be carried out.

    Acted on by: fieldwork (drops the visit), inventory (releases parts). Read by: reporting.
    """

    order_id: str
    request_id: str
    reason: Literal["request-withdrawn", "dispatcher"]
    note: str = ""
    frees: EngineerDay | None = None
    """Where hours were booked for it; they are free again."""


@belongs_to("order", of="order_id", key="request_id")
class OrderFinished(Event, frozen=True, kw_only=True):
    """The work of the order is done. Acted on by: fieldwork (drops the visit of anybody else). Read by: reporting."""

    order_id: str
    request_id: str
    engineer_id: str = ""
    outcome: str = "completed"
    team: str = ""
    person: str = ""
    impact: str = ""
    product: str = ""
    frees: EngineerDay | None = None
    """Where hours were booked for somebody else than who did the work; they are free again."""


@belongs_to("engineer", of="engineer_id")
class EngineerRegistered(Event, frozen=True, kw_only=True):
    """
    An engineer can be sent: what she can do, where she starts, when she works, what she drives.

    Recorded again, with all of it as it is now, when something has changed. Read by: inventory (which van is hers).
    """

    engineer_id: str
    name: Annotated[str, Personal("engineer_id")]
    skills: tuple[str, ...]
    """Skills or device models."""
    region: str
    home_lat_udeg: int
    """Rounded to a thousandth of a degree, in millionths, WGS-84."""
    home_lon_udeg: int
    zone: str = "Asia/Shanghai"
    """IANA time zone of the shifts."""
    shifts: tuple[Shift, ...]
    van_id: str = ""
    daily_limit: Positive = 10
    """The most orders in one day."""
    skill_levels: tuple[SkillLevel, ...] = ()
    """Of some of `skills`, how well and until when; the others are of level 1, for ever."""
    certificates: tuple[Certificate, ...] = ()
    certificate_numbers: Annotated[str, Personal("engineer_id")] = ""
    """A JSON object, number by name of certificate, its keys sorted; empty for none."""
    territory: tuple[str, ...] = ()
    """The regions that she serves; empty: all."""
    hour_fen: NonNegative = 0
    """What an hour of hers on site costs us."""
    km_fen: NonNegative = 0
    """What a kilometre of hers costs us."""
    rates_from: Utc | None = None
    """
    From when on both are so; none: since this was said. Reporting counts a visit at what it cost when she set out; whom
    to send is decided by the newest.
    """
    team: str = ""
    supplier: str = ""
    """The company that sends her, where she is not our own."""


@belongs_to("engineer", of="engineer_id")
class EngineerAbsent(Event, frozen=True, kw_only=True):
    """
    An engineer is not there for a time, whatever her shifts say.

    Acted on by: dispatcher (orders that are booked in it and not begun go to somebody else). Read by: nobody else yet.
    """

    engineer_id: str
    absence_id: str
    starts_at: Utc
    ends_at: Utc
    reason: Annotated[str, Personal("engineer_id")] = ""


@belongs_to("engineer", of="engineer_id")
class AbsenceCalledOff(Event, frozen=True, kw_only=True):
    """
    The engineer is there after all. What had gone to others stays with them.

    Acted on by: dispatcher (offers her what waits). Read by: nobody else yet.
    """

    engineer_id: str
    absence_id: str


@belongs_to("dispatch-rules", of=())
class DispatchRulesSet(Event, frozen=True, kw_only=True):
    """
    By which figures engineers are compared from a time on, and what is offered before it is assigned.

    Assignments cite the version that they were decided by; until one is set, these defaults hold as version 0.
    Read by: nobody else yet.
    """

    version: NonNegative
    """Counted from 1."""
    effective_from: Utc
    """No earlier than that of the version before."""
    horizon_days: Annotated[int, msgspec.Meta(ge=1, le=14)] = 7
    """How far ahead hours are looked for: today and the days after, in the engineer's zone."""
    daily_limit: Positive = 10
    """The most orders in one day of an engineer who is registered without a limit of her own."""
    metres_a_point: Positive = 100
    points_a_booking: NonNegative = 15
    """For each order of that day already."""
    points_an_hour_low: NonNegative = 10
    """For each hour until she can start; by the urgency of the order."""
    points_an_hour_normal: NonNegative = 30
    points_an_hour_high: NonNegative = 90
    points_an_hour_critical: NonNegative = 270
    fen_a_point: Positive = 100
    """What an engineer costs us, in points."""
    points_for_wish: NonNegative = 300
    """So many fewer for the engineer whom the customer wishes."""
    points_a_missing_part: NonNegative = 50
    """For each part that the order is expected to take and that is not in the engineer's van."""
    offer_minutes: Positive = 10
    """How long an offer stands."""
    offer_to: Annotated[int, msgspec.Meta(ge=1, le=50)] = 3
    """To how many engineers at once, the best first."""
    offered_first: tuple[OfferedFirst, ...] = ()
    """The orders that are offered before anybody is assigned by rule; empty: none."""


@belongs_to("engineer-day", of=("engineer_id", "day"), key=None, public=False)
class HoursBooked(Event, frozen=True, kw_only=True):
    """Hours of an engineer's day belong to an order; they overlap no other booking of that day."""

    engineer_id: str
    day: str
    """ISO date in the engineer's zone."""
    order_id: str
    starts_at: Utc
    ends_at: Utc
    lat_udeg: int
    lon_udeg: int


@belongs_to("engineer-day", of=("engineer_id", "day"), key=None, public=False)
class HoursFreed(Event, frozen=True, kw_only=True):
    """The hours that were booked for an order are free again."""

    engineer_id: str
    day: str
    order_id: str


# Service levels: the calendars that they are measured by, what was agreed, and the clocks of an order.

ClockName = Literal["assign", "arrive", "fix"]
"""What is to happen in time: somebody has the order, somebody is at the site, the work is done."""

PauseReason = Literal["customer", "access", "parts", "weather", "third-party"]
"""Who or what the order waits for while a clock may stand still."""


class OpenHours(msgspec.Struct, frozen=True):
    """A time of a weekday that counts, in the calendar's zone; what goes over midnight is two."""

    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)]
    """0 is Monday."""
    from_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    to_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]


class WeekOfHours(msgspec.Struct, frozen=True):
    """What counts of a week from a date on, until the next such week."""

    since: str
    """ISO date in the calendar's zone."""
    hours: tuple[OpenHours, ...]


class SpecialDay(msgspec.Struct, frozen=True):
    """A date on which the week does not hold: a holiday, or a day that is worked in the stead of one."""

    day: str
    """ISO date in the calendar's zone."""
    name: str
    works_as: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    """The weekday whose hours it has; none for a holiday, on which nothing counts."""


class CalendarFacts(Event, frozen=True, kw_only=True):
    """What a business calendar is: all of it."""

    calendar_id: str
    revision: Positive
    """Counted from its definition."""
    name: str
    zone: str
    """IANA time zone of its hours and dates."""
    weeks: tuple[WeekOfHours, ...]
    """In the order of their dates."""
    days: tuple[SpecialDay, ...] = ()
    years: tuple[int, ...] | None = None
    """The years that `days` cover; none: the calendar has no holidays, as around the clock."""


@belongs_to("calendars", of=())
class CalendarDefined(CalendarFacts, frozen=True, kw_only=True):
    """There is a calendar by which service levels can be measured. Read by: nobody else yet."""


@belongs_to("calendars", of=())
class CalendarChanged(CalendarFacts, frozen=True, kw_only=True):
    """
    A calendar is this now: other hours from a date on, a table of holidays, or a mistake corrected.

    Acted on by: dispatcher (restates the clocks that it touches, also those that have ended).
    """

    reason: str
    changed_from: str
    """ISO date in its zone: the first day on which other hours count than before."""
    changed_until: str
    """The last one; empty where there is no end to it."""


class ClockMove(msgspec.Struct, frozen=True):
    """What a clock does when something happens to its order."""

    happening: str
    """opened, paused, resumed, assigned, waiting, arrived, finished or cancelled; more may come."""
    condition: Literal["start", "pause", "resume", "stop", "reset", "cancel", "reopen"]


class SlaClock(msgspec.Struct, frozen=True):
    """How much time there is for one thing, by urgency, and what the clock waits for."""

    clock: ClockName
    calendar_id: str
    """Empty: around the clock."""
    low_s: Annotated[int, msgspec.Meta(ge=1)]
    normal_s: Annotated[int, msgspec.Meta(ge=1)]
    high_s: Annotated[int, msgspec.Meta(ge=1)]
    critical_s: Annotated[int, msgspec.Meta(ge=1)]
    excuses: tuple[PauseReason, ...] = ()
    """The reasons for which it stands still; for others it goes on."""
    restarts: bool = False
    """When the order waits again after a visit, the time begins anew; otherwise it goes on with what is left."""
    moves: tuple[ClockMove, ...] = ()
    """All of what moves it, each happening once; empty: what is usual for a clock of this name."""


@belongs_to("slas", of=())
class SlaDefined(Event, frozen=True, kw_only=True):
    """
    A service level, or its next revision: what is promised to requests of some types from a time on.

    An order keeps the revision that held when it was opened, and cites it. Read by: nobody else yet.
    """

    sla_id: str
    revision: Positive
    """Counted from the first."""
    name: str
    effective_from: Utc
    """Orders opened from then on have it. No earlier than that of the revision before."""
    request_types: tuple[str, ...] = ()
    """For these; empty: for all that no other service level names."""
    clocks: tuple[SlaClock, ...]


class ClockTerms(msgspec.Struct, frozen=True):
    """What was agreed for one clock of an order."""

    clock: ClockName
    calendar_id: str
    allowed_s: Annotated[int, msgspec.Meta(ge=1)]
    excuses: tuple[PauseReason, ...]
    restarts: bool
    moves: tuple[ClockMove, ...] = ()
    """As in SlaClock."""


class Standing(msgspec.Struct, frozen=True):
    """Where a clock stands after an event, and what is to be expected if nothing more happens."""

    clock: ClockName
    state: Literal["idle", "running", "paused", "stopped", "cancelled"]
    as_of: Utc
    """When `used_us` and `waited_us` were read."""
    used_us: NonNegative
    """Business time used of what is allowed, microseconds."""
    waited_us: NonNegative
    """Business time for which the clock stood still."""
    started_at: Utc | None = None
    """When what is measured began: the opening, or the last time that it began anew."""
    stopped_at: Utc | None = None
    due_at: Utc | None = None
    """When the time is, or was, used up; none while it stands still with some left, or ended in time."""
    next_percent: int = 0
    """50, 75 or 100: what somebody will be told next; 0 for nothing."""
    next_at: Utc | None = None
    calendar_revision: NonNegative = 0
    """Of the calendar that it was measured by; 0 around the clock, and where nothing is promised any more."""


class Difference(msgspec.Struct, frozen=True):
    """A figure of a clock that was restated. Instants are ISO texts in UTC, durations microseconds."""

    clock: ClockName
    figure: Literal["due_at", "next_at", "breached", "used_us", "waited_us"]
    before: str
    after: str


@belongs_to("order-clocks", of="order_id", key="request_id")
class ClocksStarted(Event, frozen=True, kw_only=True):
    """
    The order has clocks from its opening on: by which service level, in which revision, and on what terms.

    Acted on by: dispatcher (its timers tell when a clock warns or is breached). Read by: reporting.
    """

    order_id: str
    request_id: str
    sla_id: str
    revision: Positive
    urgency: Urgency
    opened_at: Utc
    clocks: tuple[ClockTerms, ...]
    standings: tuple[Standing, ...]
    named: str = ""
    """The service level that the type of the request names, where there was none of that name and another one holds."""
    promised_at: Utc | None = None
    """When it was promised, where that was later than the opening; all is measured from the opening all the same."""
    reason: str = ""
    """Why it was promised later."""
    differences: tuple[Difference, ...] = ()
    """Where it was promised later: what is due now, where nothing was."""


@belongs_to("order-clocks", of="order_id", key="request_id", public=False)
class ClocksMoved(Event, frozen=True, kw_only=True):
    """
    Something happened that moves the clocks of the order. Where it was known late, SlaRestated says what changed.

    Recorded also where nothing is promised yet, without standings: what is promised later is measured from it.
    """

    order_id: str
    request_id: str
    happening: Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
    happened_at: Utc
    reason: str = ""
    """Of a pause; a resumption without one ends all."""
    note: str = ""
    standings: tuple[Standing, ...]


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaChanged(Event, frozen=True, kw_only=True):
    """
    Something else is promised for the order from here on, measured from its start; what it waited stays granted.

    Acted on by: dispatcher (its timers). Read by: reporting (which clocks the order is judged by).
    """

    order_id: str
    request_id: str
    from_sla_id: str
    from_revision: Positive
    sla_id: str
    revision: Positive
    urgency: Urgency
    changed_at: Utc
    reason: str
    clocks: tuple[ClockTerms, ...]
    """A clock of before that is not among them is measured no more."""
    differences: tuple[Difference, ...]
    """What was told of the clocks and is otherwise now."""
    standings: tuple[Standing, ...]


@belongs_to("order-clocks", of="order_id", key="request_id", public=False)
class FactCorrected(Event, frozen=True, kw_only=True):
    """
    What moved the clocks happened at another time than was recorded, or never. The first record stays as it was.

    SlaRestated after it says what of the clocks is otherwise.
    """

    order_id: str
    request_id: str
    happening: Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
    recorded_at: Utc
    """The time that was recorded for it first."""
    was_at: Utc
    """The time that held until now."""
    happened_at: Utc | None = None
    """None: it never happened."""
    reason: str
    standings: tuple[Standing, ...]


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaWarned(Event, frozen=True, kw_only=True):
    """Half or three quarters of a clock's time are used up. Recorded once for each, by its timer."""

    order_id: str
    request_id: str
    sla_id: str
    revision: Positive
    clock: ClockName
    percent: Positive
    reached_at: Utc
    due_at: Utc | None = None
    next_percent: int = 0
    next_at: Utc | None = None


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaBreached(Event, frozen=True, kw_only=True):
    """
    What was promised did not happen in time. Recorded once, by its timer.

    Taken back by SlaRestated, if it becomes known that it had happened, or that the clock should have stood still.
    """

    order_id: str
    request_id: str
    sla_id: str
    revision: Positive
    clock: ClockName
    due_at: Utc


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaRestated(Event, frozen=True, kw_only=True):
    """A fact that was known late, or a calendar that was changed, puts clocks elsewhere; this says where."""

    order_id: str
    request_id: str
    cause: Literal["late-fact", "calendar"]
    calendar_id: str = ""
    """Of which calendar, and its revision."""
    calendar_revision: int = 0
    differences: tuple[Difference, ...]
    standings: tuple[Standing, ...]


@belongs_to("restatement", of=("calendar_id", "revision"), key=None, public=False)
class RestatementBegun(Event, frozen=True, kw_only=True):
    """A changed calendar is being looked at in all orders that it measured on the days that changed."""

    calendar_id: str
    revision: Positive
    """Of the calendar: the change that it is about."""
    changed_from: str
    """ISO date in its zone, as in CalendarChanged."""
    changed_until: str
    orders: NonNegative
    """So many are to be looked at."""


@belongs_to("restatement", of=("calendar_id", "revision"), key=None, public=False)
class RestatementAdvanced(Event, frozen=True, kw_only=True):
    """One page of the orders further. What changed in each, its SlaRestated says, recorded in the same commit."""

    calendar_id: str
    revision: Positive
    changed_from: str
    changed_until: str
    upto: str
    """The order that was looked at last, by id."""
    looked_at: NonNegative
    """So many since it began."""
    restated: NonNegative
    """And of them so many stand elsewhere now."""
    done: bool
    """There are no more."""
