"""
A day as it comes: requests are heard of when they are released, and what has not begun is planned anew.

Nobody turns round: a stop that an engineer has left for stays. She leaves home as late as her first stop allows, and
waits where she is until she would begin the next at once. With nothing more to do she goes home, from where she can be
sent again; her working time ends when she is home for the last time. A request that
finds no place beside those that were promised is refused when it is heard of, for good.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from dispatcher.planning.check import check
from dispatcher.planning.model import CALL, Engineer, Plan, Problem, Violation

PLENTY: Final = 1_000_000
"""Parts of everybody who has called at the depot."""

BEFORE_S: Final = 5.0
"""How long is looked for a plan of what is known before the day, at the least."""

Improve = Callable[[Problem, Plan, int], Plan]
"""The plan of a problem at an instant, made from one that leaves out what is new."""


@dataclass(frozen=True)
class Released:
    problem: Problem
    release: Sequence[int]
    """Of each visit, when it is heard of; -1: before the day."""


@dataclass
class Day:
    """One engineer's, as far as it is certain."""

    stops: list[int] = field(default_factory=list)
    begins: list[int] = field(default_factory=list)
    left: list[tuple[int, int]] = field(default_factory=list)
    """From which place she left for each stop, and when."""
    departure: int | None = None
    ready: int = 0
    place: int = 0


Told = Callable[[Sequence[Day], Sequence[int]], None]
"""What is certain of each engineer's day, and who was refused."""


@dataclass(frozen=True)
class Played:
    plan: Plan
    departures: tuple[int | None, ...]
    """None: she stayed at home."""
    begins: tuple[tuple[int, ...], ...]
    left: tuple[tuple[tuple[int, int], ...], ...]
    """Of each stop, the place that she left for it from, and when."""
    refused: tuple[int, ...]


def play(released: Released, improve: Improve, told: Told = lambda days, refused: None) -> Played:
    """
    The day from before its begin to its end; `improve` is asked at each release.

    `told` hears what has become certain, before each release and at the end of the day.
    """
    problem, release = released.problem, released.release
    days = [Day(ready=one.shift[0], place=one.start) for one in problem.engineers]
    ahead: Plan = Plan([()] * len(days))
    promised: set[int] = set()
    refused: list[int] = []
    since = -1
    for now in sorted(set(release)):
        _lived(problem, days, ahead, since, now)
        since = now
        ahead = Plan([route[_left(day, route) :] for day, route in zip(days, ahead.routes, strict=True)])
        _gone_home(problem, days, ahead, now)
        told(days, refused)
        heard = [i for i, at in enumerate(release) if at == now]
        open_ = sorted(stop for route in ahead.routes for stop in route if stop != CALL) + heard
        rest = _rest(problem, days, open_, promised, now)
        index = {visit: i for i, visit in enumerate(open_)}
        begin = Plan([tuple(CALL if s == CALL else index[s] for s in route) for route in ahead.routes])
        found = improve(rest, begin, now)
        ahead = Plan([tuple(CALL if s == CALL else open_[s] for s in route) for route in found.routes])
        served = ahead.served
        if lost := promised & set(open_) - served:
            raise ValueError(f"the search dropped {sorted(lost)}, which were promised")
        promised |= set(heard) & served
        refused.extend(i for i in heard if i not in served)
    _lived(problem, days, ahead, since, None)
    told(days, refused)
    plan = Plan([tuple(day.stops) for day in days])
    return Played(
        plan,
        tuple(day.departure for day in days),
        tuple(tuple(day.begins) for day in days),
        tuple(tuple(day.left) for day in days),
        tuple(sorted(refused)),
    )


def _left(day: Day, route: Sequence[int]) -> int:
    """How many of the stops planned are certain by now."""
    return sum(stop in day.stops for stop in route)


def _lived(problem: Problem, days: Sequence[Day], ahead: Plan, since: int, until: int | None) -> None:
    """Of a plan that was made at `since`, what is left for by `until` becomes certain; None: all."""
    seconds = problem.travel.seconds
    for engineer, day, route in zip(problem.engineers, days, ahead.routes, strict=True):
        if not route:
            continue
        alone = replace(problem, engineers=[_now(problem, engineer, day, since)])
        timed = check(alone, Plan([route])).routes[0]
        assert timed is not None
        for stop, earliest in zip(route, timed.begins, strict=True):
            place = problem.depot if stop == CALL else problem.visits[stop].place
            assert place is not None
            way = int(seconds[day.place, place])
            free = timed.departure if day.departure is None else day.ready
            begin = max(free + way, earliest)
            leaves = free if day.departure is None else begin - way
            if until is not None and leaves > until:
                break
            if day.departure is None:
                day.departure = leaves
            day.left.append((day.place, leaves))
            day.stops.append(stop)
            day.begins.append(begin)
            day.ready = begin + (0 if stop == CALL else problem.visits[stop].duration)
            day.place = place


def _gone_home(problem: Problem, days: Sequence[Day], ahead: Plan, now: int) -> None:
    """Who had nothing more to do has left for home; she can be sent again when she is there, and works on till then."""
    for engineer, day, route in zip(problem.engineers, days, ahead.routes, strict=True):
        if not route and day.departure is not None and day.ready < now and day.place != engineer.end:
            day.ready += int(problem.travel.seconds[day.place, engineer.end])
            day.place = engineer.end


def _now(problem: Problem, engineer: Engineer, day: Day, now: int) -> Engineer:
    """She with what she has left, from where and when she is ready."""
    ready = max(day.ready, now)
    parts = dict(engineer.parts)
    for stop in day.stops:
        for part, n in {} if stop == CALL else problem.visits[stop].parts.items():
            parts[part] = parts.get(part, 0) - n
    tools = engineer.tools
    if CALL in day.stops:
        tools = tools.union(*(visit.tools for visit in problem.visits))
        parts = {part: PLENTY for visit in problem.visits for part in visit.parts}
    return replace(
        engineer,
        start=day.place,
        shift=(ready, max(engineer.shift[1], ready)),
        leave=None if day.departure is None else ready,
        tools=tools,
        parts=parts,
        longest=None,
    )


def _rest(problem: Problem, days: Sequence[Day], open_: Sequence[int], promised: set[int], now: int) -> Problem:
    """What is still to be planned; what was promised must be served, and what is new should be."""
    engineers = [_now(problem, engineer, day, now) for engineer, day in zip(problem.engineers, days, strict=True)]
    dear = 4 * max(one.shift[1] for one in problem.engineers)
    visits = [replace(problem.visits[i], prize=None if i in promised else dear) for i in open_]
    return replace(problem, engineers=engineers, visits=visits)


@dataclass(frozen=True)
class PlayedChecked:
    cost: int
    """The working time as it was."""
    violations: tuple[Violation, ...]
    refused: tuple[int, ...]


def check_played(released: Released, played: Played) -> PlayedChecked:
    """The working time as it was, and what was broken: a rule of plans, a promise, or the order of time."""
    problem = replace(released.problem, visits=[replace(visit, prize=0) for visit in released.problem.visits])
    found = list(check(problem, played.plan).violations)
    duration = 0
    seconds = problem.travel.seconds
    for row, (engineer, route) in enumerate(zip(problem.engineers, played.plan.routes, strict=True)):
        departure = played.departures[row]
        if departure is None:
            continue
        now, here = departure, engineer.start
        for stop, begin, (from_, at) in zip(route, played.begins[row], played.left[row], strict=True):
            place = problem.depot if stop == CALL else problem.visits[stop].place
            assert place is not None
            there = now if from_ == here else now + int(seconds[here, engineer.end])
            if from_ not in (here, engineer.end) or at < there:
                found.append(Violation("window", f"{engineer.id} leaves at {at} from where she is not yet"))
            if begin < at + int(seconds[from_, place]):
                found.append(Violation("window", f"{engineer.id} begins a stop at {begin}, before she is there"))
            if stop != CALL:
                visit = problem.visits[stop]
                if not visit.window[0] <= begin <= visit.window[1]:
                    found.append(Violation("window", f"{visit.id} begins at {begin}, not within {visit.window}"))
                if at < released.release[stop]:
                    found.append(Violation("window", f"{visit.id} was left for before it was heard of"))
            now, here = begin + (0 if stop == CALL else problem.visits[stop].duration), place
        back = now + int(seconds[here, engineer.end])
        if back > engineer.shift[1]:
            found.append(Violation("shift", f"{engineer.id} is back at {back}, after {engineer.shift[1]}"))
        duration += back - departure
    return PlayedChecked(duration, tuple(found), played.refused)
