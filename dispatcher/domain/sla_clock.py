"""
The clock of a service level: a fold over what happened to an order, in the order in which it happened.

Nothing is counted up and kept. A clock is its facts; what has elapsed and when it is due is read from them anew, so a
fact that is known late, one that is corrected, and a calendar that is changed put the clock where it would have been.
Instants are microseconds since 1970 UTC, durations microseconds of business time.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple, assert_never

from dispatcher.domain.business_time import SECOND, Calendar, NeverReached

Condition = Literal["start", "pause", "resume", "stop", "reset", "cancel", "reopen", "change"]
State = Literal["idle", "running", "paused", "stopped", "cancelled", "none"]
"""`none`: the service level that holds now has no such clock."""

WARNED: Final = (50, 75)
BREACHED: Final = 100
MARKS: Final = (*WARNED, BREACHED)
"""Percent of the time allowed at which somebody is told."""


@dataclass(frozen=True)
class Terms:
    """What was agreed: so much time of a calendar, and for which reasons it waits."""

    calendar_id: str
    allowed_s: int
    excuses: frozenset[str] | None = None
    """The reasons for which the clock waits; None: all. Under another reason it goes on."""
    restarts: bool = False
    """Reopened, it begins anew; otherwise it goes on with what is left."""


class Fact(NamedTuple):
    """
    Something that moves a clock, when it happened.

    `pause` and `resume` have a reason, and the clock waits as long as any that it excuses is open; a `resume` without
    one ends all. `change` brings the terms that hold from then on, or None where there are none any more. Of facts of
    one instant, the one that was known first comes first.
    """

    at: int
    condition: Condition
    reason: str = ""
    terms: Terms | None = None
    fact_id: str = ""


class Span(NamedTuple):
    """From an instant until another; None: it goes on."""

    start: int
    end: int | None


@dataclass(frozen=True)
class Reading:
    """A clock as its facts have it. What comes after the last of them is reckoned as if nothing more happened."""

    state: State
    terms: Terms | None = None
    calendar: Calendar | None = None
    started_at: int | None = None
    """When what is measured now began: the start, or the last time that it began anew."""
    stopped_at: int | None = None
    running: tuple[Span, ...] = ()
    paused: tuple[Span, ...] = ()
    marks: Mapping[int, int] = field(default_factory=dict)
    """Percent of the time allowed → when that was, or will be, used up. What is not reached is not in it."""

    @property
    def due_at(self) -> int | None:
        """When the time allowed was, or will be, used up; None where it was not, and the clock waits or has ended."""
        return self.marks.get(BREACHED)

    @property
    def allowed(self) -> int:
        return self.terms.allowed_s * SECOND if self.terms else 0

    def breached(self, now: int) -> bool:
        return self.due_at is not None and self.due_at <= now

    def elapsed(self, now: int) -> int:
        """The business time that has been used by then."""
        return self._counted(self.running, now)

    def waited(self, now: int) -> int:
        """The business time for which it waited by then. What lies between a stop and a reopening is not in it."""
        return self._counted(self.paused, now)

    def remaining(self, now: int) -> int:
        """What is left; less than nothing where it is over."""
        return self.allowed - self.elapsed(now)

    def unknown_years(self, now: int) -> tuple[int, ...]:
        """
        The years on the way, until now and until it is due, for which the calendar has no holidays.

        They are reckoned as plain weeks, and whoever shows a figure of this clock must say so.
        """
        if self.calendar is None or self.started_at is None:
            return ()
        return self.calendar.unknown_years(self.started_at, max(now, self.due_at or 0))

    def _counted(self, spans: Sequence[Span], now: int) -> int:
        if self.calendar is None:
            return 0
        calendar = self.calendar.as_if_known()
        ends = [now if span.end is None else min(span.end, now) for span in spans]
        return sum(calendar.between(span.start, end) for span, end in zip(spans, ends, strict=True))


def read(facts: Sequence[Fact], calendars: Mapping[str, Calendar]) -> Reading:
    """
    Where the clock stands. Raises KeyError for a calendar that is not given.

    A change of terms measures the whole time since the start by the new calendar and the new target; what was granted
    as waiting before the change stays granted, whatever the new terms excuse.
    """
    clock = _Clock()
    for fact in sorted(facts, key=lambda fact: fact.at):
        clock.take(fact)
    clock.close(None)
    calendar = calendars[clock.terms.calendar_id] if clock.terms else None
    return Reading(
        state=clock.state(),
        terms=clock.terms,
        calendar=calendar,
        started_at=clock.started_at,
        stopped_at=clock.stopped_at,
        running=tuple(clock.running),
        paused=tuple(clock.paused),
        marks=_marks(clock.running, clock.terms, calendar),
    )


class _Clock:
    """The fold: what it was told so far, and the spans in which it ran or waited."""

    def __init__(self) -> None:
        self.phase: Literal["idle", "on", "stopped", "cancelled"] = "idle"
        self.terms: Terms | None = None
        self.reasons: set[str] = set()
        self.started_at: int | None = None
        self.stopped_at: int | None = None
        self.running: list[Span] = []
        self.paused: list[Span] = []
        self._since = 0

    def take(self, fact: Fact) -> None:
        self.close(fact.at)
        self._since = fact.at
        match fact.condition:
            case "start":
                if self.phase == "idle":
                    self._begin(fact.at)
            case "pause":
                if self.phase in ("idle", "on"):
                    self.reasons.add(fact.reason)
            case "resume":
                self.reasons = self.reasons - {fact.reason} if fact.reason else set()
            case "stop":
                if self.phase == "on":
                    self.phase, self.stopped_at, self.reasons = "stopped", fact.at, set()
            case "reset":
                if self.phase in ("on", "stopped"):
                    self._begin(fact.at)
            case "cancel":
                self.phase = "cancelled"
            case "reopen":
                if self.phase == "stopped" and self.terms and self.terms.restarts:
                    self._begin(fact.at)
                elif self.phase == "stopped":
                    self.phase, self.stopped_at = "on", None
            case "change":
                self.terms = fact.terms
            case _:
                assert_never(fact.condition)

    def _begin(self, at: int) -> None:
        self.phase, self.started_at, self.stopped_at = "on", at, None
        self.running, self.paused = [], []

    def state(self) -> State:
        if self.phase == "cancelled":
            return "cancelled"
        if self.terms is None:
            return "none"
        if self.phase == "on":
            return "paused" if self._excused(self.terms) else "running"
        return self.phase

    def _excused(self, terms: Terms) -> bool:
        return bool(self.reasons if terms.excuses is None else self.reasons & terms.excuses)

    def close(self, end: int | None) -> None:
        """What it did since the last fact goes on until the next one."""
        state = self.state()
        if state in ("running", "paused") and end != self._since:
            (self.running if state == "running" else self.paused).append(Span(self._since, end))


def _marks(running: Sequence[Span], terms: Terms | None, calendar: Calendar | None) -> Mapping[int, int]:
    if terms is None or calendar is None:
        return {}
    known = calendar.as_if_known()
    marks: dict[int, int] = {}
    used = 0
    for start, end in running:
        counted = None if end is None else known.between(start, end)
        for percent in MARKS:
            missing = terms.allowed_s * SECOND * percent // 100 - used
            # What is used up at the very instant of a stop was used in time, so it must be before the end.
            if percent not in marks and (counted is None or missing <= counted):
                try:
                    at = known.after(start, missing)
                except NeverReached:
                    continue
                if end is None or at < end:
                    marks[percent] = at
        used += counted or 0
    return marks


def correct(facts: Sequence[Fact], fact_id: str, at: int | None) -> tuple[Fact, ...]:
    """The facts with one of them put to when it really happened, or taken out where it never did."""
    others = [fact for fact in facts if fact.fact_id != fact_id]
    moved = [] if at is None else [fact._replace(at=at) for fact in facts if fact.fact_id == fact_id]
    return (*others, *moved)


# What a restatement says.


class Difference(NamedTuple):
    """One figure of a clock that is another one now."""

    figure: Literal["state", "due_at", "breached", "elapsed", "waited"]
    before: str | int | bool | None
    after: str | int | bool | None


class Restated(NamedTuple):
    """A clock of which something has changed, by the key that it was given under."""

    key: str
    differences: tuple[Difference, ...]


_FIGURES: Final[
    Mapping[Literal["state", "due_at", "breached", "elapsed", "waited"], Callable[[Reading, int], object]]
] = {
    "state": lambda reading, now: reading.state,
    "due_at": lambda reading, now: reading.due_at,
    "breached": lambda reading, now: reading.breached(now),
    "elapsed": lambda reading, now: reading.elapsed(now),
    "waited": lambda reading, now: reading.waited(now),
}


def differences(before: Reading, after: Reading, now: int) -> tuple[Difference, ...]:
    """What the second reading says otherwise than the first, both taken now."""
    pairs = [(name, figure(before, now), figure(after, now)) for name, figure in _FIGURES.items()]
    return tuple(Difference(name, old, new) for name, old, new in pairs if old != new)  # type: ignore[arg-type]


def restate(
    clocks: Mapping[str, Sequence[Fact]],
    before: Mapping[str, Calendar],
    after: Mapping[str, Calendar],
    now: int,
) -> tuple[Restated, ...]:
    """The clocks that stand elsewhere by the second calendars than by the first, each with its differences."""
    found = []
    for key, facts in clocks.items():
        if changed := differences(read(facts, before), read(facts, after), now):
            found.append(Restated(key, changed))
    return tuple(found)
