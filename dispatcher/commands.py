"""What the dispatcher can be asked to do."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any, Literal

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer

from contracts.dispatcher import (
    Certificate,
    ClockMove,
    ClockName,
    OfferedFirst,
    OpenHours,
    OrderFinished,
    OrderOpened,
    OrderPaused,
    OrderQueued,
    OrderTaken,
    PauseReason,
    ReplanCause,
    RunFigures,
    Shift,
    SkillLevel,
    SlaClock,
    SpecialDay,
)
from contracts.intake import Urgency, UsualPart
from services.chassis.command import Command
from services.chassis.exact import Value

UDEG = 1_000_000
"""Millionths in a degree."""

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What lies outside is a slip of the pen, and no calendar can reckon with it."""

Lat = Field(ge=-90 * UDEG, le=90 * UDEG)
Lon = Field(ge=-180 * UDEG, le=180 * UDEG)

# Orders: from the opening to the end.


class OpenOrder(Command):
    """There is work to be done for a request."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    customer_id: str
    device_id: str = ""
    device_model: str = ""
    request_type: str
    skill: str
    urgency: Urgency
    duration_s: int
    region: str
    lat_udeg: int
    lon_udeg: int
    more_skills: tuple[str, ...] = ()
    skill_level: int = 0
    certificates: tuple[str, ...] = ()
    wished_engineer_id: str = ""
    number: str = ""
    """What people call its request."""
    sla: str = ""
    usual_parts: tuple[UsualPart, ...] = ()
    earlier_ids: tuple[str, ...] = ()
    """The orders of the request's earlier rounds, one of which may be under way still."""
    asked_at: AwareDatetime | None = None
    """As in OrderOpened."""
    now: AwareDatetime


class DeclineOrder(Command):
    """The engineer will not take the order that she was given or offered."""

    order_id: str
    engineer_id: str
    reason: str = Field(min_length=1, max_length=1_000)


class UnassignOrder(Command):
    """A dispatcher takes an order back from its engineer, and nobody has it."""

    order_id: str
    reason: str = Field("", max_length=1_000)


class CancelOrder(Command):
    """A dispatcher decides that the order will not be carried out."""

    order_id: str
    note: str = Field("", max_length=1_000)


class WithdrawOrder(Command):
    """The customer does not want it any more."""

    order_id: str
    earlier_ids: tuple[str, ...] = ()
    """As in OpenOrder, the first one first."""
    corrected: bool = False
    """As in OrderCancelled."""


class StartOrder(Command):
    """The engineer is on her way."""

    order_id: str
    engineer_id: str


class ReturnOrder(Command):
    """The engineer's visit ended without the work being done."""

    order_id: str
    engineer_id: str
    reason: str


class TakeBackOrders(Command):
    """She is absent in the hours that are booked for these orders of a day; what she has not departed for goes back."""

    order_ids: tuple[str, ...] = Field(min_length=1)
    engineer_id: str
    day: str
    absence_id: str


class TakeBackOffer(Command):
    """She is absent while an order is offered to her, or has no hours for it any more by her absence."""

    order_id: str
    engineer_id: str
    absence_id: str


class SettleAbsenceNote(Command):
    """An absence that a dispatcher was to look at is called off."""

    order_id: str
    absence_id: str


class LapseOffer(Command):
    """The time within which an offered order was to be taken is over."""

    order_id: str
    due_at: AwareDatetime


class FinishOrder(Command):
    """The engineer has done the work; a fact, whatever was decided meanwhile."""

    order_id: str
    request_id: str
    engineer_id: str


class RecordOverdue(Command):
    """The time within which somebody was to be assigned is over."""

    order_id: str
    due_at: AwareDatetime


class RetryAssignment(Command):
    """Look for an engineer again, if the order still waits."""

    order_id: str


HistoryEvent = OrderOpened | OrderQueued | OrderTaken | OrderPaused | OrderFinished


class RecordHistory(Command):
    """
    What another system recorded of an order: appended as it is, in this order, unjudged.

    It is asked with `origin="import"`. Its OrderOpened has no `assign_due_at`: such an order is history for ever, and
    nobody is assigned to it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    events: tuple[HistoryEvent, ...]

    @field_serializer("events")
    def _plain(self, events: tuple[HistoryEvent, ...]) -> Any:
        return msgspec.to_builtins(events)


# Orders: who carries them out.


class Candidate(BaseModel):
    """A day of an engineer that looked best for the order; whether it really has room, the decision says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engineer_id: str
    day: str
    """ISO date in her zone."""


class PartsInVans(BaseModel):
    """Of the parts that an order is expected to take, how many lie in whose van in full."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    expected: int = 0
    held: dict[str, int] = {}
    """By van; one that is not named has none of them."""

    def missing_in(self, van_id: str) -> int:
        return self.expected - self.held.get(van_id, 0)

    def of_vans(self, van_ids: Iterable[str]) -> PartsInVans:
        """The same, of these vans alone."""
        return PartsInVans(expected=self.expected, held={van: self.held[van] for van in van_ids if van in self.held})


class WaysOfMap(BaseModel):
    """What a map server said of ways."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    ways: tuple[tuple[int, int, int, int, int, int], ...]
    """From where and to where, each latitude and longitude in millionths of a degree, WGS-84; metres; seconds."""


class AssignOrder(Command):
    """Give the order to whichever of these fits it best by what is really booked."""

    order_id: str
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    compared: int
    """How many engineers these were chosen from."""
    wished: tuple[str, ...] = ()
    """The rules that exclude the engineer whom the customer wishes."""
    excluded: tuple[tuple[str, int], ...] = ()
    """How many engineers each rule excluded."""
    parts: PartsInVans = PartsInVans()
    ways: WaysOfMap | None = None
    """Those between the order and where the candidates are; without them, all are estimated."""
    meant: str = ""
    """Whom it goes to, if she is free: many orders were looked at together, so that all of them cost the least."""
    batch: int = 0
    """How many those were; 0: it was looked at alone."""
    now: AwareDatetime


class NoteNobody(Command):
    """By what the engineers are, none of them may ever carry the order out."""

    order_id: str
    compared: int
    excluded: tuple[tuple[str, int], ...] = ()
    """How many engineers each rule excludes."""


class OfferOrder(Command):
    """Ask some engineers whether they want a waiting order."""

    order_id: str
    engineer_ids: tuple[str, ...] = Field(min_length=1, max_length=50)
    offered_by: Literal["rule", "person"] = "rule"
    minutes: int | None = None
    """How long the offer stands; none: as long as the rules say."""
    note: str = ""
    now: AwareDatetime


class LookAhead(Command):
    """Somebody's hours are looked for, so far ahead as the asker knows the rules to say."""

    order_id: str
    engineer_id: str
    horizon_days: int = Field(7, ge=1, le=14)
    parts: PartsInVans = PartsInVans()
    now: AwareDatetime


class TakeOrder(LookAhead):
    """An engineer takes a waiting order from the pool, for the first hours that she is free."""


class AssignByHand(LookAhead):
    """A dispatcher gives a waiting order to an engineer."""

    starts_at: AwareDatetime | None = None
    """None: the first hours that she is free."""
    reason: str = Field("", max_length=1_000)
    """Must be there where a rule is overruled."""


class ReassignOrder(LookAhead):
    """A dispatcher gives an assigned order to another engineer."""

    starts_at: AwareDatetime | None = None
    """None: the first hours that she is free."""
    reason: str = Field(min_length=1, max_length=1_000)


class OrderMove(BaseModel):
    """An order gets these hours of an engineer; `from_…` is where the plan found it, empty where nobody had it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    order_id: str
    engineer_id: str
    day: str
    starts_at: AwareDatetime
    from_engineer_id: str = ""
    from_day: str = ""
    from_starts_at: AwareDatetime | None = None


class Replan(Command):
    """A part of the plan is to be changed, in one step."""

    replan_id: str
    cause: ReplanCause
    moves: tuple[OrderMove, ...]
    absence_id: str = ""
    """Whoever gave an order to her who knew of this absence wanted it so."""
    note: str = Field("", max_length=1_000)
    left: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Orders without hours, and the rules that exclude everybody."""
    verdict: Literal["", "published", "not-better", "nobody-works", "nothing-found"] = ""
    cost_before: int = 0
    cost_after: int = 0
    left_alone: tuple[str, ...] = ()
    seed: int = 0
    now: AwareDatetime


class AskReplan(Command):
    """A better plan of a day is to be looked for."""

    replan_id: str
    day: str
    region: str = ""
    look_ms: int
    least_gain_permille: int
    slack_s: int = 0
    seed: int = 1


class LookForBetterDays(Command):
    """The time between two looks for better plans is over, by this version of the rules."""

    version: int
    due_at: AwareDatetime


# Slots.


class SlotPlace(BaseModel):
    """An engineer who can come then, as the views have it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engineer_id: str
    day: str
    starts_at: AwareDatetime


class HoldSlot(Command):
    """Keep hours of the first of these who is free for an order."""

    slot_id: str
    order_id: str
    places: tuple[SlotPlace, ...]
    minutes: int = 10
    ways: WaysOfMap | None = None
    """As with AssignOrder: those by which the slot was offered."""
    now: AwareDatetime


class BookSlot(Command):
    """The order has the hours that are held for it, in the stead of those that it has."""

    slot_id: str
    order_id: str
    engineer_id: str
    day: str
    from_engineer_id: str = ""
    from_day: str = ""
    now: AwareDatetime


class ReleaseSlot(Command):
    """Held hours are given back: by who wanted them, or as their time is over."""

    slot_id: str
    engineer_id: str
    day: str
    due_at: AwareDatetime | None = None
    """The time that is over."""


# Engineers.


class ShiftHours(Value):
    """A working time that comes back each week; one over midnight is given as two."""

    weekday: int = Field(ge=0, le=6)
    """0 is Monday."""
    from_minute: int = Field(ge=0, lt=1_440)
    to_minute: int = Field(gt=0, le=1_440)

    def of(self) -> Shift:
        return Shift(self.weekday, self.from_minute, self.to_minute)


NAME = r"^[^/\x00-\x1f]*$"
"""A name that may stand in an address."""


class SkillHeld(Value):
    """How well an engineer can do something, and until when."""

    skill: str = Field(min_length=1, max_length=100)
    level: int = Field(1, ge=1, le=5)
    until: date | None = None
    """The last day on which it holds; none: for ever."""

    def of(self) -> SkillLevel:
        return SkillLevel(self.skill, self.level, _day(self.until))


class CertificateHeld(Value):
    """A paper that some work may not be done without."""

    name: str = Field(min_length=1, max_length=100)
    number: str = Field("", max_length=100)
    until: date | None = None

    def of(self) -> Certificate:
        return Certificate(self.name, _day(self.until))


def _day(until: date | None) -> str:
    return until.isoformat() if until else ""


class EngineerFacts(Command):
    """All that is known of an engineer."""

    engineer_id: str
    name: str = Field(min_length=1, max_length=200)
    skills: tuple[str, ...] = Field(min_length=1)
    """Skills or device models."""
    region: str = Field(min_length=1, max_length=100)
    home_lat_udeg: int = Lat
    home_lon_udeg: int = Lon
    zone: str = "Asia/Shanghai"
    shifts: tuple[ShiftHours, ...] = Field(min_length=1)
    van_id: str = ""
    daily_limit: int = Field(10, ge=1, le=100)
    skill_levels: tuple[SkillHeld, ...] = Field((), max_length=200)
    """Of some of the skills; one that is named here only is a skill too."""
    certificates: tuple[CertificateHeld, ...] = Field((), max_length=100)
    territory: tuple[str, ...] = Field((), max_length=500)
    """The regions that she serves; empty: all."""
    hour_fen: int = Field(0, ge=0, le=10_000_000)
    km_fen: int = Field(0, ge=0, le=10_000_000)
    rates_from: AwareDatetime | None = None
    team: str = Field("", max_length=100)
    supplier: str = Field("", max_length=100)


class RegisterEngineer(EngineerFacts):
    """An engineer can be sent from now on."""


class UpdateEngineer(EngineerFacts):
    """Something about an engineer has changed; this is all of it as it is now."""


class ReportAbsence(Command):
    """An engineer is not there for a time."""

    engineer_id: str
    absence_id: str
    starts_at: AwareDatetime
    ends_at: AwareDatetime
    reason: str = Field("", max_length=1_000)
    now: AwareDatetime


class CallOffAbsence(Command):
    """She is there after all."""

    engineer_id: str
    absence_id: str


class FreeHours(Command):
    """The hours that were booked for an order are not needed any more."""

    engineer_id: str
    day: str
    order_id: str


# Travel.


class LearnTravel(Command):
    """Ways take so long, by what was driven; each as in TravelLearned."""

    since: AwareDatetime
    drives: int
    everywhere: int
    hours: tuple[int, ...]
    areas: tuple[tuple[int, int, tuple[int, ...]], ...] = ()
    """North, east and paces."""
    early_s: int = 0
    late_s: int = 0
    now: AwareDatetime


# Rules.


class FirstOffered(BaseModel):
    """Orders that are offered before anybody is assigned by rule. What is empty is any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    request_type: str = Field("", max_length=100)
    urgency: Literal["", "low", "normal", "high", "critical"] = ""

    def of(self) -> OfferedFirst:
        return OfferedFirst(self.request_type, self.urgency)


class RuleFigures(Command):
    """By which engineers are compared, what is offered first, when an order is overdue; each as in DispatchRulesSet."""

    horizon_days: int = Field(7, ge=1, le=14)
    daily_limit: int = Field(10, ge=1, le=100)
    metres_a_point: int = Field(100, ge=1, le=100_000)
    points_a_booking: int = Field(15, ge=0, le=100_000)
    points_an_hour_low: int = Field(10, ge=0, le=100_000)
    points_an_hour_normal: int = Field(30, ge=0, le=100_000)
    points_an_hour_high: int = Field(90, ge=0, le=100_000)
    points_an_hour_critical: int = Field(270, ge=0, le=100_000)
    fen_a_point: int = Field(100, ge=1, le=1_000_000)
    points_for_wish: int = Field(300, ge=0, le=100_000)
    points_a_missing_part: int = Field(50, ge=0, le=100_000)
    offer_minutes: int = Field(10, ge=1, le=1_440)
    offer_to: int = Field(3, ge=1, le=50)
    offered_first: tuple[FirstOffered, ...] = Field((), max_length=100)
    assign_minutes: int = Field(30, ge=1, le=10_080)
    detour_percent: int = Field(130, ge=100, le=300)
    km_an_hour: int = Field(30, ge=1, le=200)
    better_every_minutes: int = Field(0, ge=0, le=1_440)
    better_seconds: int = Field(10, ge=1, le=60)
    better_least_percent: int = Field(2, ge=0, le=100)
    slots_calendar: str = Field("", max_length=100)
    slots_outside: bool = True

    def figures(self) -> dict[str, Any]:
        """As the events have them."""
        plain = self.model_dump(include=set(RuleFigures.model_fields) - {"offered_first"})
        return plain | {"offered_first": tuple(one.of() for one in self.offered_first)}


class SetDispatchRules(RuleFigures):
    """The company compares engineers by these figures from a time on."""

    effective_from: AwareDatetime | None = None
    """None: from now on."""
    now: AwareDatetime


class DraftRules(RuleFigures):
    """Somebody thinks of other rules, or thinks otherwise of them."""

    draft_id: str
    name: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=1_000)


class AskTrial(Command):
    """What was decided by rule in this time is to be decided again by a draft."""

    draft_id: str
    since: AwareDatetime
    until: AwareDatetime


class RecordTrial(Command):
    """What came of it."""

    model_config = ConfigDict(arbitrary_types_allowed=True)

    draft_id: str
    revision: int
    since: AwareDatetime
    until: AwareDatetime
    recorded: RunFigures
    tried: RunFigures

    @field_serializer("recorded", "tried")
    def _plain(self, figures: RunFigures) -> Any:
        return msgspec.to_builtins(figures)


class PublishRules(Command):
    """A draft holds from a time on; one that was not tried needs a reason."""

    draft_id: str
    reason: str = Field("", max_length=1_000)
    effective_from: AwareDatetime | None = None
    """None: from now on."""
    now: AwareDatetime


class RestoreRules(Command):
    """An earlier version holds again; 0 is what held before a company set its own."""

    version: int
    reason: str = Field(min_length=1, max_length=1_000)
    effective_from: AwareDatetime | None = None
    now: AwareDatetime


# Service levels.


class CalendarHours(Value):
    """A time of a weekday that counts; one over midnight is given as two."""

    weekday: int = Field(ge=0, le=6)
    """0 is Monday."""
    from_minute: int = Field(ge=0, lt=1_440)
    to_minute: int = Field(gt=0, le=1_440)

    def of(self) -> OpenHours:
        return OpenHours(self.weekday, self.from_minute, self.to_minute)


class CalendarWeek(Value):
    """What counts of a week, from a date on."""

    since: date = date(2000, 1, 1)
    hours: tuple[CalendarHours, ...] = Field(min_length=1, max_length=100)


class CalendarDay(Value):
    """A holiday, or a day that is worked in the stead of one."""

    day: date
    name: str = Field("", max_length=100)
    works_as: int | None = Field(None, ge=0, le=6)
    """The weekday whose hours it has, 0 is Monday; none for a holiday."""

    def of(self) -> SpecialDay:
        return SpecialDay(self.day.isoformat(), self.name, self.works_as)


class CalendarSays(Command):
    """All that a calendar is."""

    calendar_id: str
    name: str
    zone: str
    weeks: tuple[CalendarWeek, ...]
    days: tuple[CalendarDay, ...] = ()
    years: tuple[int, ...] | None = None


class DefineCalendar(CalendarSays):
    """There is a calendar by which service levels can be measured."""


class ChangeCalendar(CalendarSays):
    """A calendar is this now; what was measured by it is measured anew."""

    reason: str


class ImportHolidays(Command):
    """The table of holidays of some years, in the stead of what the calendar had for them."""

    calendar_id: str
    years: tuple[int, ...]
    days: tuple[CalendarDay, ...]
    reason: str


class Moves(BaseModel):
    """What a clock does when something happens to its order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    happening: Literal["opened", "paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
    condition: Literal["start", "pause", "resume", "stop", "reset", "cancel", "reopen"]


class ClockAgreed(Value):
    """How much time there is for one thing, by urgency."""

    clock: ClockName
    calendar_id: str = Field("", max_length=100)
    """Empty: around the clock."""
    low_s: int = Field(ge=1, le=366 * 86_400)
    normal_s: int = Field(ge=1, le=366 * 86_400)
    high_s: int = Field(ge=1, le=366 * 86_400)
    critical_s: int = Field(ge=1, le=366 * 86_400)
    excuses: tuple[PauseReason, ...] = Field((), max_length=10)
    """The reasons for which the clock stands still."""
    restarts: bool = False
    """When the order waits again after a visit, the time begins anew."""
    moves: tuple[Moves, ...] = Field((), max_length=8)
    """All of what starts, pauses, resumes, stops, resets and cancels it; empty: what is usual for its name."""

    def of(self) -> SlaClock:
        moves = tuple(ClockMove(one.happening, one.condition) for one in self.moves)
        return SlaClock(**self.model_dump(exclude={"moves"}), moves=moves)


class SlaSays(Command):
    """What is promised from a time on."""

    sla_id: str
    name: str
    effective_from: AwareDatetime | None = None
    """None: from now on."""
    request_types: tuple[str, ...] = ()
    clocks: tuple[ClockAgreed, ...]
    now: AwareDatetime


class DefineSla(SlaSays):
    """There is a service level."""


class ReviseSla(SlaSays):
    """A service level promises this to orders that are opened from then on."""


class StartClocks(Command):
    """The order is opened: by the service level that holds for it, its clocks start."""

    order_id: str
    request_id: str
    request_type: str
    urgency: Urgency
    sla: str = ""
    """The service level that the type of the request names; empty: what holds for the type."""
    opened_at: AwareDatetime
    now: AwareDatetime


class MoveClocks(Command):
    """Something happened to the order, now or earlier, that its clocks may care for."""

    order_id: str
    request_id: str
    happening: Literal["assigned", "waiting", "arrived", "finished", "cancelled"]
    happened_at: AwareDatetime
    now: AwareDatetime


class OpenedOrder(Command):
    """Something of an order's clocks, which may have none yet."""

    order_id: str
    request_id: str
    opened_at: AwareDatetime
    now: AwareDatetime


class PauseClocks(OpenedOrder):
    """The order waits for something that is not ours to do."""

    reason: PauseReason
    note: str = ""
    happened_at: AwareDatetime | None = None
    """Since when; none: now."""


class ResumeClocks(OpenedOrder):
    """What the order waited for is there."""

    reason: PauseReason | None = None
    """None: whatever it waited for."""
    note: str = ""
    happened_at: AwareDatetime | None = None


class ChangeSla(OpenedOrder):
    """Something else is promised for an order that is under way, or something where nothing was."""

    urgency: Urgency
    sla_id: str
    reason: str


class CorrectFact(Command):
    """What moved the clocks of an order happened at another time than was recorded, or never."""

    order_id: str
    happening: Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
    was_at: AwareDatetime | None = None
    """Which one, by the time that holds now; none: the only one of its kind."""
    happened_at: AwareDatetime | None = None
    """None: it never happened."""
    reason: str
    now: AwareDatetime


class TellMark(Command):
    """A part of a clock's time, or all of it, is used up."""

    order_id: str
    clock: ClockName
    due_at: AwareDatetime


# A changed calendar, in all orders that it measured.


class BeginRestatement(Command):
    """A calendar was changed: all orders whose clocks it measured on those days are to be looked at."""

    calendar_id: str
    revision: int
    changed_from: str
    changed_until: str
    orders: int


class RestatePage(Command):
    """Look where the clocks of these orders stand by the calendar; the next of them in order."""

    calendar_id: str
    revision: int
    after: str
    """The order that was looked at last; empty at the beginning."""
    order_ids: tuple[str, ...]
    done: bool
    """There are no more after these."""
    now: AwareDatetime
