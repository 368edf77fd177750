"""The clocks of an order: started by its service level, moved by what happens, told of when time is used up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, assert_never

import msgspec

from contracts.dispatcher import (
    ClockName,
    ClocksMoved,
    ClocksStarted,
    Difference,
    FactCorrected,
    SlaBreached,
    SlaChanged,
    SlaDefined,
    SlaRestated,
    SlaWarned,
    Standing,
)
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import ChangeSla, CorrectFact, MoveClocks, PauseClocks, ResumeClocks, StartClocks, TellMark
from dispatcher.domain import calendars, clock_story, slas
from dispatcher.domain.business_time import SECOND, Calendar
from dispatcher.domain.clock_story import Agreed, Happened, Story, instant, micros
from dispatcher.domain.sla_clock import BREACHED, MARKS, Reading, read

Cause = Literal["late-fact", "calendar"]

ON_THE_WAY: Final = timedelta(minutes=1)
"""What is known so soon after it happened is not late: a difference of less is not told as a restatement."""


@dataclass(frozen=True)
class NoClocks:
    """Nothing is promised for the order. What happened to it is known, for the day when something is."""

    story: tuple[Happened, ...] = ()


@dataclass(frozen=True)
class Clocks:
    """What happened and was promised, where each clock stands as told last, and what was told since it began."""

    started: ClocksStarted
    story: Story
    standings: Mapping[ClockName, Standing]
    told: Told

    def read(self, known: Mapping[str, Calendar]) -> Readings:
        return {name: read(facts, known) for name, facts in clock_story.facts_of(self.story).items()}


OrderClocks = NoClocks | Clocks
Told = Mapping[ClockName, frozenset[int]]
"""The marks that were told of each clock."""
Readings = Mapping[ClockName, Reading]
ClockEvent = ClocksStarted | ClocksMoved | SlaChanged | FactCorrected | SlaWarned | SlaBreached | SlaRestated
ClockCommand = StartClocks | MoveClocks | PauseClocks | ResumeClocks | ChangeSla | CorrectFact | TellMark
INITIAL: OrderClocks = NoClocks()


def stream(order_id: str) -> str:
    return f"order-clocks/{order_id}"


def reads(command: ClockCommand) -> tuple[str, ...]:
    of_order = stream(command.order_id), calendars.STREAM
    return (*of_order, slas.STREAM) if isinstance(command, StartClocks | ChangeSla) else of_order


def decide(states: Mapping[str, Any], command: ClockCommand) -> list[Event]:
    clocks: OrderClocks = states[stream(command.order_id)]
    known = calendars.to_measure_by(states[calendars.STREAM])
    match command:
        case StartClocks():
            return _start(clocks, states[slas.STREAM], known, command)
        case MoveClocks():
            happened = Happened(command.happening, command.happened_at, "", command.happened_at)
            return _move(clocks, known, happened, command)
        case PauseClocks():
            return _pause(clocks, known, command)
        case ResumeClocks():
            return _resume(clocks, known, command)
        case ChangeSla():
            return _change(clocks, states[slas.STREAM], known, command)
        case CorrectFact():
            return _correct(clocks, known, command)
        case TellMark():
            return [] if isinstance(clocks, NoClocks) else _tell(clocks, known, command)
        case _:
            assert_never(command)


def _start(clocks: OrderClocks, levels: slas.Slas, known: Mapping[str, Calendar], command: StartClocks) -> list[Event]:
    if isinstance(clocks, Clocks):
        return []
    sla = slas.for_request(levels, command.request_type, command.opened_at, command.sla)
    if sla is None:
        return []
    named = command.sla if command.sla != sla.sla_id else ""
    return [_begun(command, sla, (), known, named=named)]


def _begun(
    command: StartClocks | ChangeSla,
    sla: SlaDefined,
    story: tuple[Happened, ...],
    known: Mapping[str, Calendar],
    **more: Any,
) -> ClocksStarted:
    """Measured from the opening, with what happened since."""
    started = ClocksStarted(
        order_id=command.order_id,
        request_id=command.request_id,
        sla_id=sla.sla_id,
        revision=sla.revision,
        urgency=command.urgency,
        opened_at=command.opened_at,
        clocks=slas.terms_of(sla, command.urgency),
        standings=(),
        **more,
    )
    clocks = Clocks(started, (_as_agreed(started), *story), {}, {})
    return msgspec.structs.replace(started, standings=_standings(clocks.read(known), {}, command.now))


def _pause(clocks: OrderClocks, known: Mapping[str, Calendar], command: PauseClocks) -> list[Event]:
    _must_be_under_way(clocks, command.order_id)
    at = _when(command.opened_at, command.happened_at or command.now, command.now)
    if command.reason in clock_story.waits_for(clocks.story):
        return []
    return _move(clocks, known, Happened("paused", at, command.reason, at), command, command.note)


def _resume(clocks: OrderClocks, known: Mapping[str, Calendar], command: ResumeClocks) -> list[Event]:
    _must_be_under_way(clocks, command.order_id)
    at = _when(command.opened_at, command.happened_at or command.now, command.now)
    waits_for, reason = clock_story.waits_for(clocks.story), command.reason or ""
    if not waits_for or (reason and reason not in waits_for):
        raise Rejected("clock.not-paused", order_id=command.order_id, reason=reason)
    return _move(clocks, known, Happened("resumed", at, reason, at), command, command.note)


def _must_be_under_way(clocks: OrderClocks, order_id: str) -> None:
    if isinstance(clocks, NoClocks):
        ended = any(one.happening in ("finished", "cancelled") for one in clocks.story)
    else:
        ended = all(standing.state in ("stopped", "cancelled") for standing in clocks.standings.values())
    if ended:
        raise Rejected("clock.ended", order_id=order_id)


def _there(clocks: OrderClocks, order_id: str) -> Clocks:
    if isinstance(clocks, NoClocks):
        raise Rejected("clock.absent", order_id=order_id)
    return clocks


def _when(opened_at: datetime, at: datetime, now: datetime) -> datetime:
    if at > now:
        raise Rejected("clock.in-the-future", now=now.isoformat())
    if at < opened_at:
        raise Rejected("clock.before-the-opening", opened_at=opened_at.isoformat())
    return at


def _move(
    clocks: OrderClocks,
    known: Mapping[str, Calendar],
    happened: Happened,
    command: MoveClocks | PauseClocks | ResumeClocks,
    note: str = "",
) -> list[Event]:
    if clock_story.recorded(clocks.story, happened):
        return []
    moved = ClocksMoved(
        order_id=command.order_id,
        request_id=command.request_id,
        happening=happened.happening,
        happened_at=happened.recorded_at,
        reason=happened.reason,
        note=note,
        standings=(),
    )
    if isinstance(clocks, NoClocks):
        return [moved]
    now = command.now
    readings = replace(clocks, story=(*clocks.story, happened)).read(known)
    standings = _standings(readings, _told_since(clocks, readings), now)
    moved = msgspec.structs.replace(moved, standings=standings)
    if not _is_late(clocks, happened.recorded_at):
        return [moved]
    return [moved, *_restated(clocks, "late-fact", _differences(clocks, readings, now, least=ON_THE_WAY), standings)]


def _is_late(clocks: Clocks, at: datetime) -> bool:
    """Whether what was told can be otherwise by it. Else nobody reckons twice, as for most of what happens."""
    return any(BREACHED in told for told in clocks.told.values()) or any(
        standing.as_of - at >= ON_THE_WAY for standing in clocks.standings.values()
    )


def _change(clocks: OrderClocks, levels: slas.Slas, known: Mapping[str, Calendar], command: ChangeSla) -> list[Event]:
    _must_be_under_way(clocks, command.order_id)
    sla = slas.held(levels, command.sla_id, command.now)
    if isinstance(clocks, NoClocks):
        return [_promised(clocks, sla, known, command)]
    here = clocks
    before = clock_story.agreed(here.story)
    if (sla.sla_id, sla.revision) == (before.sla_id, before.revision):
        return []
    terms = slas.terms_of(sla, here.started.urgency)
    promised = Agreed(command.now, sla.sla_id, sla.revision, terms)
    readings = replace(here, story=(*here.story, promised)).read(known)
    told = _told_by_then(here.told, promised, _used(readings, command.now))
    changed = SlaChanged(
        order_id=command.order_id,
        request_id=here.started.request_id,
        from_sla_id=before.sla_id,
        from_revision=before.revision,
        sla_id=sla.sla_id,
        revision=sla.revision,
        urgency=here.started.urgency,
        changed_at=command.now,
        reason=command.reason,
        clocks=terms,
        differences=_differences(here, readings, command.now, ahead=told),
        standings=_standings(readings, told, command.now),
    )
    return [changed]


def _promised(clocks: NoClocks, sla: SlaDefined, known: Mapping[str, Calendar], command: ChangeSla) -> ClocksStarted:
    """As if it had been promised when the order was opened."""
    started = _begun(command, sla, clocks.story, known, promised_at=command.now, reason=command.reason)
    due = [Difference(one.clock, "due_at", "", _text(one.due_at)) for one in started.standings if one.due_at]
    return msgspec.structs.replace(started, differences=tuple(due))


def _correct(clocks: OrderClocks, known: Mapping[str, Calendar], command: CorrectFact) -> list[Event]:
    """Also of an order that has ended: what is true of it is true."""
    here = _there(clocks, command.order_id)
    if command.happened_at is not None:
        _when(here.started.opened_at, command.happened_at, command.now)
    found = clock_story.named(here.story, command)
    assert found.at is not None
    if found.at == command.happened_at:
        return []
    corrected = FactCorrected(
        order_id=command.order_id,
        request_id=here.started.request_id,
        happening=command.happening,
        recorded_at=found.recorded_at,
        was_at=found.at,
        happened_at=command.happened_at,
        reason=command.reason,
        standings=(),
    )
    readings = replace(here, story=clock_story.corrected(here.story, corrected)).read(known)
    told = _told_by_then(here.told, clock_story.agreed(here.story), _used(readings, command.now))
    standings = _standings(readings, told, command.now)
    differences = _differences(here, readings, command.now, ahead=told)
    return [
        msgspec.structs.replace(corrected, standings=standings),
        *_restated(here, "late-fact", differences, standings),
    ]


def restate(
    clocks: OrderClocks, known: Mapping[str, Calendar], calendar_id: str, revision: int, now: datetime
) -> list[Event]:
    """What is otherwise by a calendar that was changed; nothing where nothing is."""
    if isinstance(clocks, NoClocks):
        return []
    readings = clocks.read(known)
    differences = _differences(clocks, readings, now, ahead=clocks.told)
    standings = _standings(readings, clocks.told, now)
    return _restated(clocks, "calendar", differences, standings, calendar_id, revision)


def _tell(clocks: Clocks, known: Mapping[str, Calendar], command: TellMark) -> list[Event]:
    standing = clocks.standings[command.clock]
    if standing.next_at != command.due_at:
        return []  # The clock was moved meanwhile, and another timer is set.
    reading = read(clock_story.facts_of(clocks.story)[command.clock], known)
    percent = standing.next_percent
    if reading.marks.get(percent) != micros(command.due_at):
        return []  # By a calendar that was changed just now, it is not due; what restates the clock sets it anew.
    started, promised = clocks.started, clock_story.agreed(clocks.story)
    if percent == BREACHED:
        return [
            SlaBreached(
                order_id=started.order_id,
                request_id=started.request_id,
                sla_id=promised.sla_id,
                revision=promised.revision,
                clock=command.clock,
                due_at=command.due_at,
            )
        ]
    next_percent, next_at = _next(reading, clocks.told[command.clock] | {percent})
    warned = SlaWarned(
        order_id=started.order_id,
        request_id=started.request_id,
        sla_id=promised.sla_id,
        revision=promised.revision,
        clock=command.clock,
        percent=percent,
        reached_at=command.due_at,
        due_at=instant(reading.due_at),
        next_percent=next_percent,
        next_at=next_at,
    )
    return [warned]


def _standings(readings: Readings, told: Told, now: datetime) -> tuple[Standing, ...]:
    found = []
    for name, reading in readings.items():
        here = told.get(name, frozenset())
        if not reading.breached(micros(now)):
            here -= {BREACHED}
        found.append(_standing(name, reading, here, now))
    return tuple(found)


def _told_since(clocks: Clocks, readings: Readings) -> Told:
    starts = {name: instant(reading.started_at) for name, reading in readings.items()}
    return _told_since_starts(clocks, starts)


def _told_since_starts(clocks: Clocks, starts: Mapping[ClockName, datetime | None]) -> Told:
    """A clock that has begun anew has told nothing yet."""
    return {name: told for name, told in clocks.told.items() if clocks.standings[name].started_at == starts[name]}


def _told_by_then(told: Told, promised: Agreed, used_us: Mapping[ClockName, int]) -> Told:
    """A mark that new terms or a corrected fact put ahead is told again; one that is passed by them too is not."""
    allowed = {terms.clock: terms.allowed_s * SECOND for terms in promised.clocks}
    return {
        name: frozenset(
            percent for percent in marks if name in allowed and used_us[name] * 100 >= allowed[name] * percent
        )
        for name, marks in told.items()
    }


def _used(readings: Readings, now: datetime) -> Mapping[ClockName, int]:
    return {name: reading.elapsed(micros(now)) for name, reading in readings.items()}


def _standing(name: ClockName, reading: Reading, told: frozenset[int], now: datetime) -> Standing:
    next_percent, next_at = _next(reading, told)
    at = micros(now)
    return Standing(
        clock=name,
        state="cancelled" if reading.state == "none" else reading.state,
        as_of=now,
        used_us=reading.elapsed(at),
        waited_us=reading.waited(at),
        started_at=instant(reading.started_at),
        stopped_at=instant(reading.stopped_at),
        due_at=instant(reading.due_at),
        next_percent=next_percent,
        next_at=next_at,
        calendar_revision=reading.calendar.revision if reading.calendar else 0,
    )


def _next(reading: Reading, told: frozenset[int]) -> tuple[int, datetime | None]:
    """What somebody is told next, and when. Of a clock that has ended only that it was breached."""
    marks = {"running": MARKS, "paused": (BREACHED,), "stopped": (BREACHED,)}.get(reading.state, ())
    for percent in marks:
        if percent in reading.marks and percent not in told:
            return percent, instant(reading.marks[percent])
    return 0, None


def _differences(
    clocks: Clocks,
    readings: Readings,
    now: datetime,
    *,
    least: timedelta = timedelta(),
    ahead: Told | None = None,
) -> tuple[Difference, ...]:
    """
    What was told of the clocks and is otherwise now; with `ahead`, the marks told of each, also what is to be expected.

    The breach that is new is not in it, as SlaBreached tells it, nor is what a fact does to the time to come.
    """
    found = []
    for name, standing in clocks.standings.items():
        reading = readings[name]
        then = micros(standing.as_of)
        durations = (
            ("used_us", standing.used_us, reading.elapsed(then)),
            ("waited_us", standing.waited_us, reading.waited(then)),
        )
        begun_anew = standing.started_at != instant(reading.started_at)
        if BREACHED in clocks.told[name] and not reading.breached(micros(now)) and not begun_anew:
            found.append(Difference(name, "breached", "true", "false"))
        if ahead is not None:
            found += _ahead(standing, reading, ahead.get(name, frozenset()))
        for figure, before, after in durations:
            if before != after and abs(before - after) >= least / timedelta(microseconds=1) and not begun_anew:
                found.append(Difference(name, figure, str(before), str(after)))  # type: ignore[arg-type]
    return tuple(found)


def _ahead(standing: Standing, reading: Reading, told: frozenset[int]) -> list[Difference]:
    """What is to be expected otherwise than was told. A mark that moves alone must be told, for its timer to be set."""
    due_at, (_, next_at) = instant(reading.due_at), _next(reading, told)
    found = []
    if standing.due_at != due_at:
        found.append(Difference(standing.clock, "due_at", _text(standing.due_at), _text(due_at)))
    if standing.next_at != next_at:
        found.append(Difference(standing.clock, "next_at", _text(standing.next_at), _text(next_at)))
    return found


def _restated(
    clocks: Clocks,
    cause: Cause,
    differences: tuple[Difference, ...],
    standings: tuple[Standing, ...],
    calendar_id: str = "",
    revision: int = 0,
) -> list[Event]:
    """Nothing, where nothing is otherwise."""
    if not differences:
        return []
    restated = SlaRestated(
        order_id=clocks.started.order_id,
        request_id=clocks.started.request_id,
        cause=cause,
        calendar_id=calendar_id,
        calendar_revision=revision,
        differences=differences,
        standings=standings,
    )
    return [restated]


def evolve(clocks: OrderClocks, event: ClockEvent) -> OrderClocks:
    if isinstance(event, ClocksStarted):
        standings = _by_name(event.standings)
        story = (_as_agreed(event), *(clocks.story if event.promised_at else ()))
        return Clocks(event, story, standings, {name: frozenset() for name in standings})
    if isinstance(event, ClocksMoved):
        happened = Happened(event.happening, event.happened_at, event.reason, event.happened_at)
        if isinstance(clocks, NoClocks):
            return NoClocks((*clocks.story, happened))
        starts = {standing.clock: standing.started_at for standing in event.standings}
        told = _told_since_starts(clocks, starts)
        return _stand(replace(clocks, story=(*clocks.story, happened)), event.standings, told)
    assert isinstance(clocks, Clocks), clocks
    match event:
        case SlaChanged():
            promised = Agreed(event.changed_at, event.sla_id, event.revision, event.clocks)
            return _stand_anew(clocks, (*clocks.story, promised), event.standings)
        case FactCorrected():
            return _stand_anew(clocks, clock_story.corrected(clocks.story, event), event.standings)
        case SlaRestated():
            return _stand(clocks, event.standings, clocks.told)
        case SlaWarned(clock=name):
            following = (event.next_percent, event.next_at)
            return _told(clocks, name, event.percent, *following)
        case SlaBreached(clock=name):
            return _told(clocks, name, BREACHED, 0, None)
        case _:
            assert_never(event)


def _as_agreed(started: ClocksStarted) -> Agreed:
    return Agreed(started.opened_at, started.sla_id, started.revision, started.clocks)


def _stand_anew(clocks: Clocks, story: Story, standings: Sequence[Standing]) -> Clocks:
    used = {standing.clock: standing.used_us for standing in standings}
    told = _told_by_then(clocks.told, clock_story.agreed(story), used)
    return _stand(replace(clocks, story=story), standings, told)


def _stand(clocks: Clocks, standings: Sequence[Standing], told: Told) -> Clocks:
    after = {}
    for standing in standings:
        breached = standing.due_at is not None and standing.due_at <= standing.as_of
        kept = told.get(standing.clock, frozenset())
        after[standing.clock] = kept if breached else kept - {BREACHED}
    return replace(clocks, standings=_by_name(standings), told=after)


def _told(clocks: Clocks, name: ClockName, percent: int, next_percent: int, next_at: datetime | None) -> Clocks:
    standing = msgspec.structs.replace(clocks.standings[name], next_percent=next_percent, next_at=next_at)
    return replace(
        clocks,
        standings={**clocks.standings, name: standing},
        told={**clocks.told, name: clocks.told[name] | {percent}},
    )


def _by_name(standings: Sequence[Standing]) -> Mapping[ClockName, Standing]:
    return {standing.clock: standing for standing in standings}


def _text(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat()
