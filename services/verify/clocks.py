"""
I7 of service levels, folded from the dispatcher's log: each mark of a clock is told once, when it fell due, and none is
missing.

It reckons by itself, day by day, from what happened and what was promised, and believes nothing that the dispatcher
says of where its clocks stand. What moves a clock where its service level does not say it is written down here once
more, so that a change of it there is found.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import Any, ClassVar, Final, NamedTuple
from zoneinfo import ZoneInfo

from contracts.dispatcher import (
    CalendarChanged,
    CalendarDefined,
    CalendarFacts,
    ClocksMoved,
    ClocksStarted,
    ClockTerms,
    FactCorrected,
    RestatementAdvanced,
    SlaBreached,
    SlaChanged,
    SlaRestated,
    SlaWarned,
)
from contracts.envelope import Envelope
from services.chassis.journal.store import TimerKey
from services.verify.findings import Findings

MARKS: Final = (50, 75, 100)
BREACHED: Final = 100
PATIENCE: Final = timedelta(days=3_000)
"""A mark that is further away is not looked for."""

_ALWAYS: Final = {"opened": "start", "paused": "pause", "resumed": "resume", "finished": "stop", "cancelled": "cancel"}
USUAL: Final[Mapping[str, Mapping[str, str]]] = {
    "assign": {**_ALWAYS, "assigned": "stop", "waiting": "reset"},
    "arrive": {**_ALWAYS, "arrived": "stop", "waiting": "reopen"},
    "fix": _ALWAYS,
}


class Span(NamedTuple):
    start: datetime
    end: datetime | None


class Calendar:
    """When a calendar counts, laid out by the local day."""

    def __init__(self, facts: CalendarFacts | None) -> None:
        self._facts = facts
        """None: around the clock."""
        self._days: dict[date, Sequence[tuple[datetime, datetime]]] = {}

    def counted(self, start: datetime, end: datetime | None) -> Iterator[tuple[datetime, datetime]]:
        """What counts between two instants, in order, a day at a time; without an end, for as long as is looked for."""
        upto = end or start + PATIENCE
        if self._facts is None:
            yield start, upto
            return
        day = start.astimezone(ZoneInfo(self._facts.zone)).date() - timedelta(days=1)
        while day <= upto.astimezone(ZoneInfo(self._facts.zone)).date():
            for opens, closes in self._on(day):
                if opens < upto and closes > start:
                    yield max(opens, start), min(closes, upto)
            day += timedelta(days=1)

    def _on(self, day: date) -> Sequence[tuple[datetime, datetime]]:
        if day not in self._days:
            self._days[day] = [*self._lay_out(day)]
        return self._days[day]

    def _lay_out(self, day: date) -> Iterator[tuple[datetime, datetime]]:
        assert self._facts
        zone = ZoneInfo(self._facts.zone)
        hours = self._hours(day)
        midnight, next_one = (
            datetime(one.year, one.month, one.day, tzinfo=zone).astimezone(UTC)
            for one in (day, day + timedelta(days=1))
        )
        if midnight.astimezone(zone).utcoffset() == next_one.astimezone(zone).utcoffset():
            for opens, closes in hours:
                yield midnight + timedelta(minutes=opens), midnight + timedelta(minutes=closes)
            return
        # The clocks are changed on this day: what the clock on the wall shows is looked at minute by minute.
        at = midnight
        while at < next_one:
            local = at.astimezone(zone)
            shown = local.hour * 60 + local.minute
            if any(opens <= shown < closes for opens, closes in hours):
                yield at, at + timedelta(minutes=1)
            at += timedelta(minutes=1)

    def _hours(self, day: date) -> Sequence[tuple[int, int]]:
        assert self._facts
        weekday: int | None = day.weekday()
        special = next((one for one in self._facts.days if one.day == day.isoformat()), None)
        if special is not None:
            weekday = special.works_as
        weeks = [week for week in self._facts.weeks if week.since <= day.isoformat()]
        if not weeks or weekday is None:
            return ()
        return sorted((one.from_minute, one.to_minute) for one in weeks[-1].hours if one.weekday == weekday)


AROUND_THE_CLOCK: Final = Calendar(None)


@dataclass(frozen=True)
class Promised:
    """From an instant on."""

    at: datetime
    clocks: Mapping[str, ClockTerms]


@dataclass(frozen=True)
class Happened:
    at: datetime | None
    """None: it never did."""
    happening: str
    reason: str
    recorded_at: datetime


@dataclass
class _Order:
    story: list[Promised | Happened]
    last: int
    """The position of its newest event."""
    told: dict[str, set[int]] = field(default_factory=dict)
    begun: dict[str, datetime | None] = field(default_factory=dict)


@dataclass
class _Walk:
    """What a clock did."""

    phase: str = "idle"
    terms: ClockTerms | None = None
    began: datetime | None = None
    reasons: set[str] = field(default_factory=set)
    running: list[Span] = field(default_factory=list)

    def waits(self, by_itself: set[str]) -> bool:
        assert self.terms
        return bool(self.reasons & {*self.terms.excuses, *by_itself})

    def state(self, by_itself: set[str]) -> str:
        if self.phase == "on" and self.terms is not None:
            return "paused" if self.waits(by_itself) else "running"
        return "none" if self.terms is None and self.phase != "cancelled" else self.phase


def walk(story: Sequence[Promised | Happened], clock: str) -> tuple[_Walk, str]:
    """The clock at the end of its story, and its state."""
    newest = next(one.clocks[clock] for one in reversed(story) if isinstance(one, Promised) and clock in one.clocks)
    said: dict[str, str] = {move.happening: move.condition for move in newest.moves}
    conditions = said or USUAL[clock]
    by_itself = {one for one, condition in conditions.items() if condition == "pause" and one != "paused"}
    here, since = _Walk(), None
    opened = next(one for one in story if isinstance(one, Promised))
    for at, _, one in sorted((one.at, number, one) for number, one in enumerate(story) if one.at is not None):
        if since is not None and since < at and here.state(by_itself) == "running":
            here.running.append(Span(since, at))
        since = at
        if isinstance(one, Promised):
            here.terms = one.clocks.get(clock)
            if one is opened:
                _move(here, at, conditions.get("opened", ""), "", by_itself, given=False)
            continue
        given = one.happening in ("paused", "resumed")
        _move(
            here, at, conditions.get(one.happening, ""), one.reason if given else one.happening, by_itself, given=given
        )
    state = here.state(by_itself)
    if since is not None and state == "running":
        here.running.append(Span(since, None))
    return here, state


def _move(here: _Walk, at: datetime, condition: str, reason: str, by_itself: set[str], *, given: bool) -> None:
    ended = here.phase in ("stopped", "cancelled")
    if condition == "pause" and not ended:
        here.reasons.add(reason)
    elif condition == "resume":
        ends = by_itself if not given else {reason} if reason else here.reasons - by_itself
        here.reasons -= ends
    elif condition == "stop" and here.phase == "on":
        here.phase, here.reasons = "stopped", set()
    elif condition == "cancel":
        here.phase = "cancelled"
    elif condition == "reopen" and here.phase == "stopped" and not (here.terms and here.terms.restarts):
        here.phase = "on"
    elif (
        (condition == "start" and here.phase == "idle")
        or (condition == "reset" and here.phase in ("on", "stopped"))
        or (condition == "reopen" and here.phase == "stopped")
    ):
        here.phase, here.began, here.running = "on", at, []


def marks(here: _Walk, calendar: Calendar) -> Mapping[int, datetime]:
    """When each part of the time was, or will be, used up; what is used up at the instant of a stop is in time."""
    if here.terms is None:
        return {}
    missing = {percent: timedelta(seconds=here.terms.allowed_s) * percent // 100 for percent in MARKS}
    found: dict[int, datetime] = {}
    used = timedelta(0)
    for start, end in here.running:
        for opens, closes in calendar.counted(start, end):
            for percent in MARKS:
                at = opens + (missing[percent] - used)
                if percent not in found and at <= closes and (end is None or at < end):
                    found[percent] = at
            used += closes - opens
            if len(found) == len(MARKS):
                return found
    return found


@dataclass
class Clocks:
    findings: Findings
    _orders: dict[tuple[str, str], _Order] = field(default_factory=dict)
    _unpromised: dict[tuple[str, str], list[Happened]] = field(default_factory=dict)
    """What happened to orders for which nothing is promised yet."""
    _calendars: dict[tuple[str, str], Calendar] = field(default_factory=dict)
    _changing: set[tuple[str, str, int]] = field(default_factory=set)
    """Changes of calendars that have not yet been carried through all orders."""

    READS: ClassVar[frozenset[type[Any]]] = frozenset(
        {
            CalendarDefined,
            CalendarChanged,
            RestatementAdvanced,
            ClocksStarted,
            ClocksMoved,
            SlaChanged,
            FactCorrected,
            SlaRestated,
            SlaWarned,
            SlaBreached,
        }
    )

    def check(self, position: int, event: Any, envelope: Envelope) -> None:
        tenant = envelope.tenant
        match event:
            case CalendarDefined() | CalendarChanged():
                self._calendars[tenant, event.calendar_id] = Calendar(event)
                if isinstance(event, CalendarChanged) and event.changed_from:
                    self._changing.add((tenant, event.calendar_id, event.revision))
            case RestatementAdvanced():
                if event.done:
                    self._changing.discard((tenant, event.calendar_id, event.revision))
            case ClocksStarted():
                if (tenant, event.order_id) in self._orders:
                    self.findings.add("I7", position, f"the clocks of {event.order_id} start a second time")
                    return
                before = self._unpromised.pop((tenant, event.order_id), []) if event.promised_at else []
                story: list[Promised | Happened] = [_promised(event.opened_at, event), *before]
                order = self._orders[tenant, event.order_id] = _Order(story, position)
                order.begun = {clock: walk(order.story, clock)[0].began for clock in _names(order)}
            case _:
                known = self._orders.get((tenant, event.order_id))
                if known is None and isinstance(event, ClocksMoved) and not event.standings:
                    self._unpromised.setdefault((tenant, event.order_id), []).append(_happened(event))
                elif known is None:
                    what = f"{type(event).__name__} of {event.order_id}, which has no clocks"
                    self.findings.add("I7", position, what)
                else:
                    self._follow(position, event, envelope, known)

    def _follow(self, position: int, event: Any, envelope: Envelope, order: _Order) -> None:
        order.last = position
        match event:
            case ClocksMoved():
                order.story.append(_happened(event))
                self._begin_anew(order)
            case SlaChanged():
                order.story.append(_promised(event.changed_at, event))
                self._keep_passed(order, event, envelope.tenant)
            case FactCorrected():
                order.story = _corrected(order.story, event)
                self._keep_passed(order, event, envelope.tenant)
            case SlaWarned():
                self._told(position, order, event, event.percent, event.reached_at, envelope)
                return
            case SlaBreached():
                self._told(position, order, event, BREACHED, event.due_at, envelope)
                return
            case _:
                pass
        self._take_back(order, event, envelope.tenant)

    def _begin_anew(self, order: _Order) -> None:
        for clock in _names(order):
            began = walk(order.story, clock)[0].began
            if began != order.begun.get(clock):
                order.told.pop(clock, None)
            order.begun[clock] = began

    def _keep_passed(self, order: _Order, event: SlaChanged | FactCorrected, tenant: str) -> None:
        """A mark that is ahead by now is to be told again."""
        for clock in _names(order):
            order.begun[clock] = walk(order.story, clock)[0].began
        for clock, told in order.told.items():
            reached, _ = self._marks(order, clock, tenant)
            as_of = _as_of(event, clock)
            order.told[clock] = {percent for percent in told if percent in reached and reached[percent] <= as_of}

    def _take_back(self, order: _Order, event: Any, tenant: str) -> None:
        """A breach that is none can come again."""
        for clock, told in order.told.items():
            if BREACHED in told:
                due_at = self._marks(order, clock, tenant)[0].get(BREACHED)
                if due_at is None or due_at > _as_of(event, clock):
                    told.discard(BREACHED)

    def _told(
        self,
        position: int,
        order: _Order,
        event: SlaWarned | SlaBreached,
        percent: int,
        at: datetime,
        envelope: Envelope,
    ) -> None:
        wrong = []
        told = order.told.setdefault(event.clock, set())
        if percent in told:
            wrong.append("a second time")
        told.add(percent)
        fell = self._marks(order, event.clock, envelope.tenant)[0].get(percent)
        if fell != at:
            wrong.append(f"as of {at.isoformat()}, and it was {fell.isoformat() if fell else 'not reached'}")
        if envelope.recorded_at < at:
            wrong.append("before it is due")
        if wrong:
            what = f"{percent} % of {event.clock} of {event.order_id} are told {', '.join(wrong)}"
            self.findings.add("I7", position, what)

    def _marks(self, order: _Order, clock: str, tenant: str) -> tuple[Mapping[int, datetime], str]:
        here, state = walk(order.story, clock)
        calendar_id = here.terms.calendar_id if here.terms else ""
        return marks(here, self._calendars[tenant, calendar_id] if calendar_id else AROUND_THE_CLOCK), state

    def stuck(self, armed: Mapping[TimerKey, datetime], upto: int) -> None:
        """
        At the end of the log: what is to be told next has its timer, also where it fell due while nobody ran.

        Of orders to which nothing happened since `upto`, when the timers were read.
        """
        changing = {(tenant, calendar_id) for tenant, calendar_id, _ in self._changing}
        for (tenant, order_id), order in self._orders.items():
            if order.last > upto:
                continue
            for clock in _names(order):
                terms = walk(order.story, clock)[0].terms
                if terms is None or (tenant, terms.calendar_id) in changing:
                    continue
                reached, state = self._marks(order, clock, tenant)
                wanted = {"running": MARKS, "paused": (BREACHED,), "stopped": (BREACHED,)}.get(state, ())
                told = order.told.get(clock, set())
                ahead = next((reached[one] for one in wanted if one in reached and one not in told), None)
                if ahead is not None and armed.get(TimerKey(tenant, f"sla-{clock}", order_id)) != ahead:
                    what = f"a mark of {clock} of {order_id} at {ahead.isoformat()} is not told, and no timer tells it"
                    self.findings.add("I7", order.last, what)


def _promised(at: datetime, event: ClocksStarted | SlaChanged) -> Promised:
    return Promised(at, {terms.clock: terms for terms in event.clocks})


def _happened(event: ClocksMoved) -> Happened:
    return Happened(event.happened_at, event.happening, event.reason, event.happened_at)


def _corrected(story: Sequence[Promised | Happened], event: FactCorrected) -> list[Promised | Happened]:
    """What is corrected is known last."""
    for one in story:
        if isinstance(one, Happened) and (one.happening, one.recorded_at, one.at) == (
            event.happening,
            event.recorded_at,
            event.was_at,
        ):
            return [*[other for other in story if other is not one], replace(one, at=event.happened_at)]
    return list(story)


def _names(order: _Order) -> Sequence[str]:
    return [*dict.fromkeys(clock for one in order.story if isinstance(one, Promised) for clock in one.clocks)]


def _as_of(event: Any, clock: str) -> datetime:
    found: datetime = next(standing.as_of for standing in event.standings if standing.clock == clock)
    return found
