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
    SlaBreached,
    SlaRestated,
    SlaWarned,
    Standing,
)
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import MoveClocks, PauseClocks, RestateClocks, ResumeClocks, StartClocks, TellMark
from dispatcher.domain import calendars, slas
from dispatcher.domain.business_time import Calendar
from dispatcher.domain.sla_clock import BREACHED, MARKS, Condition, Fact, Reading, Terms, read

Happening = Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
Cause = Literal["late-fact", "calendar"]

MOVES: Final[Mapping[Happening, Mapping[ClockName, Condition]]] = {
    "paused": {"assign": "pause", "arrive": "pause", "fix": "pause"},
    "resumed": {"assign": "resume", "arrive": "resume", "fix": "resume"},
    "assigned": {"assign": "stop"},
    # As with AssignmentOverdue, there is all of the time anew to find somebody else.
    "waiting": {"assign": "reset", "arrive": "reopen"},
    "arrived": {"arrive": "stop"},
    "finished": {"assign": "stop", "arrive": "stop", "fix": "stop"},
    "cancelled": {"assign": "cancel", "arrive": "cancel", "fix": "cancel"},
}

ON_THE_WAY: Final = timedelta(minutes=1)
"""What is known so soon after it happened is not late: a difference of less is not told as a restatement."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class NoClocks:
    """The order has none: nothing was promised when it was opened."""


@dataclass(frozen=True)
class Clocks:
    """What moved each clock, where it stands as told last, and what was told of it since it began."""

    started: ClocksStarted
    facts: Mapping[ClockName, tuple[Fact, ...]]
    standings: Mapping[ClockName, Standing]
    told: Mapping[ClockName, frozenset[int]]


OrderClocks = NoClocks | Clocks
ClockEvent = ClocksStarted | ClocksMoved | SlaWarned | SlaBreached | SlaRestated
ClockCommand = StartClocks | MoveClocks | PauseClocks | ResumeClocks | RestateClocks | TellMark
INITIAL: OrderClocks = NoClocks()


def stream(order_id: str) -> str:
    return f"order-clocks/{order_id}"


def reads(command: ClockCommand) -> tuple[str, ...]:
    of_order = stream(command.order_id), calendars.STREAM
    return (*of_order, slas.STREAM) if isinstance(command, StartClocks) else of_order


def decide(states: Mapping[str, Any], command: ClockCommand) -> list[Event]:
    clocks: OrderClocks = states[stream(command.order_id)]
    known = calendars.to_measure_by(states[calendars.STREAM])
    match command:
        case StartClocks():
            return _start(clocks, states[slas.STREAM], known, command)
        case MoveClocks():
            if isinstance(clocks, NoClocks):
                return []
            return _move(clocks, known, command.happening, command.happened_at, command.now)
        case PauseClocks():
            return _pause(clocks, known, command)
        case ResumeClocks():
            return _resume(clocks, known, command)
        case RestateClocks():
            return [] if isinstance(clocks, NoClocks) else _restate(clocks, known, states, command)
        case TellMark():
            return [] if isinstance(clocks, NoClocks) else _tell(clocks, known, command)
        case _:
            assert_never(command)


def _start(clocks: OrderClocks, levels: slas.Slas, known: Mapping[str, Calendar], command: StartClocks) -> list[Event]:
    if isinstance(clocks, Clocks):
        return []
    sla = slas.for_request(levels, command.request_type, command.opened_at)
    if sla is None:
        return []
    started = ClocksStarted(
        order_id=command.order_id,
        request_id=command.request_id,
        sla_id=sla.sla_id,
        revision=sla.revision,
        urgency=command.urgency,
        opened_at=command.opened_at,
        clocks=slas.terms_of(sla, command.urgency),
        standings=(),
    )
    standings = [
        _standing(name, read(facts, known), frozenset(), command.now) for name, facts in _begun(started).items()
    ]
    return [msgspec.structs.replace(started, standings=tuple(standings))]


def _pause(clocks: OrderClocks, known: Mapping[str, Calendar], command: PauseClocks) -> list[Event]:
    here = _under_way(clocks, command.order_id)
    at = _when(here, command.happened_at, command.now)
    if command.reason in _waits_for(here):
        return []
    return _move(here, known, "paused", at, command.now, command.reason, command.note)


def _resume(clocks: OrderClocks, known: Mapping[str, Calendar], command: ResumeClocks) -> list[Event]:
    here = _under_way(clocks, command.order_id)
    at = _when(here, command.happened_at, command.now)
    waits_for = _waits_for(here)
    if not waits_for or (command.reason and command.reason not in waits_for):
        raise Rejected("clock.not-paused", order_id=command.order_id, reason=command.reason or "")
    return _move(here, known, "resumed", at, command.now, command.reason or "", command.note)


def _under_way(clocks: OrderClocks, order_id: str) -> Clocks:
    if isinstance(clocks, NoClocks):
        raise Rejected("clock.absent", order_id=order_id)
    if all(standing.state in ("stopped", "cancelled") for standing in clocks.standings.values()):
        raise Rejected("clock.ended", order_id=order_id)
    return clocks


def _when(clocks: Clocks, happened_at: datetime | None, now: datetime) -> datetime:
    at = happened_at or now
    if at > now:
        raise Rejected("clock.in-the-future", now=now.isoformat())
    if at < clocks.started.opened_at:
        raise Rejected("clock.before-the-opening", opened_at=clocks.started.opened_at.isoformat())
    return at


def _waits_for(clocks: Clocks) -> set[str]:
    """The reasons that are open, whatever clock excuses them; all clocks are told of all of them."""
    reasons: set[str] = set()
    for fact in sorted(next(iter(clocks.facts.values())), key=lambda fact: fact.at):
        if fact.condition == "pause":
            reasons.add(fact.reason)
        elif fact.condition == "resume":
            reasons = reasons - {fact.reason} if fact.reason else set()
    return reasons


def _move(
    clocks: Clocks,
    known: Mapping[str, Calendar],
    happening: Happening,
    at: datetime,
    now: datetime,
    reason: str = "",
    note: str = "",
) -> list[Event]:
    moved = ClocksMoved(
        order_id=clocks.started.order_id,
        request_id=clocks.started.request_id,
        happening=happening,
        happened_at=at,
        reason=reason,
        note=note,
        standings=(),
    )
    facts = _with(clocks.facts, moved)
    if facts == clocks.facts:
        return []
    readings = {name: read(one, known) for name, one in facts.items()}
    standings = _standings(clocks, readings, now)
    events: list[Event] = [msgspec.structs.replace(moved, standings=standings)]
    changed = _differences(clocks, readings, now, least=ON_THE_WAY)
    if changed:
        events.append(_restated(clocks, "late-fact", changed, standings))
    return events


def _restate(
    clocks: Clocks, known: Mapping[str, Calendar], states: Mapping[str, Any], command: RestateClocks
) -> list[Event]:
    readings = {name: read(facts, known) for name, facts in clocks.facts.items()}
    changed = _differences(clocks, readings, command.now, ahead=True)
    if not changed:
        return []
    revision = states[calendars.STREAM][command.calendar_id].facts.revision
    standings = _standings(clocks, readings, command.now)
    return [_restated(clocks, "calendar", changed, standings, command.calendar_id, revision)]


def _tell(clocks: Clocks, known: Mapping[str, Calendar], command: TellMark) -> list[Event]:
    standing = clocks.standings[command.clock]
    if standing.next_at != command.due_at:
        return []  # The clock was moved meanwhile, and another timer is set.
    reading = read(clocks.facts[command.clock], known)
    percent = standing.next_percent
    if reading.marks.get(percent) != _micros(command.due_at):
        return []  # By a calendar that was changed just now, it is not due; what restates the clock sets it anew.
    started = clocks.started
    if percent == BREACHED:
        return [
            SlaBreached(
                order_id=started.order_id,
                request_id=started.request_id,
                sla_id=started.sla_id,
                revision=started.revision,
                clock=command.clock,
                due_at=command.due_at,
            )
        ]
    next_percent, next_at = _next(reading, clocks.told[command.clock] | {percent})
    warned = SlaWarned(
        order_id=started.order_id,
        request_id=started.request_id,
        sla_id=started.sla_id,
        revision=started.revision,
        clock=command.clock,
        percent=percent,
        reached_at=command.due_at,
        due_at=_instant(reading.due_at),
        next_percent=next_percent,
        next_at=next_at,
    )
    return [warned]


def _standings(clocks: Clocks, readings: Mapping[ClockName, Reading], now: datetime) -> tuple[Standing, ...]:
    found = []
    for name, reading in readings.items():
        told = _still_told(clocks.told[name], clocks.standings[name].started_at, _instant(reading.started_at))
        if not reading.breached(_micros(now)):
            told -= {BREACHED}
        found.append(_standing(name, reading, told, now))
    return tuple(found)


def _still_told(told: frozenset[int], before: datetime | None, after: datetime | None) -> frozenset[int]:
    """A clock that has begun anew has told nothing yet."""
    return told if before == after else frozenset()


def _standing(name: ClockName, reading: Reading, told: frozenset[int], now: datetime) -> Standing:
    next_percent, next_at = _next(reading, told)
    at = _micros(now)
    return Standing(
        clock=name,
        state="cancelled" if reading.state == "none" else reading.state,
        as_of=now,
        used_us=reading.elapsed(at),
        waited_us=reading.waited(at),
        started_at=_instant(reading.started_at),
        stopped_at=_instant(reading.stopped_at),
        due_at=_instant(reading.due_at),
        next_percent=next_percent,
        next_at=next_at,
    )


def _next(reading: Reading, told: frozenset[int]) -> tuple[int, datetime | None]:
    """What somebody is told next, and when. Of a clock that has ended only that it was breached."""
    marks = {"running": MARKS, "paused": (BREACHED,), "stopped": (BREACHED,)}.get(reading.state, ())
    for percent in marks:
        if percent in reading.marks and percent not in told:
            return percent, _instant(reading.marks[percent])
    return 0, None


def _differences(
    clocks: Clocks,
    readings: Mapping[ClockName, Reading],
    now: datetime,
    *,
    least: timedelta = timedelta(),
    ahead: bool = False,
) -> tuple[Difference, ...]:
    """
    What was told of the clocks and is otherwise now.

    The breach that is new is not in it, as SlaBreached tells it, nor is what a fact does to the time to come.
    """
    found = []
    for name, reading in readings.items():
        standing = clocks.standings[name]
        then = _micros(standing.as_of)
        durations = (
            ("used_us", standing.used_us, reading.elapsed(then)),
            ("waited_us", standing.waited_us, reading.waited(then)),
        )
        begun_anew = standing.started_at != _instant(reading.started_at)
        if BREACHED in clocks.told[name] and not reading.breached(_micros(now)) and not begun_anew:
            found.append(Difference(name, "breached", "true", "false"))
        if ahead:
            found += _ahead(clocks, name, reading)
        for figure, before, after in durations:
            if before != after and abs(before - after) >= least / timedelta(microseconds=1) and not begun_anew:
                found.append(Difference(name, figure, str(before), str(after)))  # type: ignore[arg-type]
    return tuple(found)


def _ahead(clocks: Clocks, name: ClockName, reading: Reading) -> list[Difference]:
    """What is to be expected otherwise than was told. A mark that moves alone must be told, for its timer to be set."""
    standing = clocks.standings[name]
    due_at, (_, next_at) = _instant(reading.due_at), _next(reading, clocks.told[name])
    found = []
    if standing.due_at != due_at:
        found.append(Difference(name, "due_at", _text(standing.due_at), _text(due_at)))
    if standing.next_at != next_at:
        found.append(Difference(name, "next_at", _text(standing.next_at), _text(next_at)))
    return found


def _restated(
    clocks: Clocks,
    cause: Cause,
    differences: tuple[Difference, ...],
    standings: tuple[Standing, ...],
    calendar_id: str = "",
    revision: int = 0,
) -> SlaRestated:
    return SlaRestated(
        order_id=clocks.started.order_id,
        request_id=clocks.started.request_id,
        cause=cause,
        calendar_id=calendar_id,
        calendar_revision=revision,
        differences=differences,
        standings=standings,
    )


def evolve(clocks: OrderClocks, event: ClockEvent) -> OrderClocks:
    if isinstance(event, ClocksStarted):
        facts = _begun(event)
        return Clocks(event, facts, _by_name(event.standings), {name: frozenset() for name in facts})
    assert isinstance(clocks, Clocks), clocks
    match event:
        case ClocksMoved():
            return _stand(replace(clocks, facts=_with(clocks.facts, event)), event.standings)
        case SlaRestated():
            return _stand(clocks, event.standings)
        case SlaWarned(clock=name):
            following = (event.next_percent, event.next_at)
            return _told(clocks, name, event.percent, *following)
        case SlaBreached(clock=name):
            return _told(clocks, name, BREACHED, 0, None)
        case _:
            assert_never(event)


def _stand(clocks: Clocks, standings: Sequence[Standing]) -> Clocks:
    told = {}
    for standing in standings:
        name = standing.clock
        kept = _still_told(clocks.told[name], clocks.standings[name].started_at, standing.started_at)
        breached = standing.due_at is not None and standing.due_at <= standing.as_of
        told[name] = kept if breached else kept - {BREACHED}
    return replace(clocks, standings=_by_name(standings), told=told)


def _told(clocks: Clocks, name: ClockName, percent: int, next_percent: int, next_at: datetime | None) -> Clocks:
    standing = msgspec.structs.replace(clocks.standings[name], next_percent=next_percent, next_at=next_at)
    return replace(
        clocks,
        standings={**clocks.standings, name: standing},
        told={**clocks.told, name: clocks.told[name] | {percent}},
    )


def _by_name(standings: Sequence[Standing]) -> Mapping[ClockName, Standing]:
    return {standing.clock: standing for standing in standings}


def _begun(started: ClocksStarted) -> Mapping[ClockName, tuple[Fact, ...]]:
    at = _micros(started.opened_at)
    return {
        terms.clock: (
            Fact(
                at,
                "change",
                terms=Terms(terms.calendar_id, terms.allowed_s, frozenset(terms.excuses), terms.restarts),
            ),
            Fact(at, "start"),
        )
        for terms in started.clocks
    }


def _with(facts: Mapping[ClockName, tuple[Fact, ...]], moved: ClocksMoved) -> Mapping[ClockName, tuple[Fact, ...]]:
    """The facts with one more, for the clocks that it moves; the same fact again adds nothing."""
    found = dict(facts)
    for name, condition in MOVES[moved.happening].items():
        fact = Fact(_micros(moved.happened_at), condition, moved.reason)
        if name in found and fact not in found[name]:
            found[name] = (*found[name], fact)
    return found


def _micros(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else _EPOCH + timedelta(microseconds=micros)


def _text(at: datetime | None) -> str:
    return "" if at is None else at.astimezone(UTC).isoformat()
