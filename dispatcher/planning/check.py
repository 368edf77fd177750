"""
The one evaluator: what a plan costs and which rules it breaks, exactly, apart from every engine.

Nobody sees a plan that was not looked at here. A route is timed as early as it can be; links between routes are kept by
letting the earlier wait, until nothing moves. Then each departure is made as late as it can be without a later return,
which is the shortest working day that the order of stops allows (Savelsbergh 1992, forward time slack).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dispatcher.planning.model import CALL, Engineer, Plan, Problem, Violation, Visit, lacks

ROUNDS: Final = 10_000
"""How often links may push begins on before they are said to be impossible together."""


@dataclass(frozen=True)
class Timed:
    """A route with its clock."""

    departure: int
    begins: tuple[int, ...]
    """Of each stop."""
    back: int
    distance: int

    @property
    def duration(self) -> int:
        return self.back - self.departure


@dataclass(frozen=True)
class Checked:
    cost: int
    violations: tuple[Violation, ...]
    routes: tuple[Timed | None, ...]
    """None for an engineer who does not go."""
    left_out: tuple[int, ...]
    distance: int
    duration: int
    lateness: int
    worst_lateness: int
    used: int


def check(problem: Problem, plan: Plan) -> Checked:
    """Raises ValueError where the plan is of another problem: a route too many, or a stop that is no visit."""
    if len(plan.routes) != len(problem.engineers):
        raise ValueError(f"{len(plan.routes)} routes for {len(problem.engineers)} engineers")
    if any(not CALL <= stop < len(problem.visits) for route in plan.routes for stop in route):
        raise ValueError("a stop is no visit of the problem")
    found: list[Violation] = []
    left_out = _who_is_served(problem, plan, found)
    for engineer, route in zip(problem.engineers, plan.routes, strict=True):
        _may_go(problem, engineer, route, found)
    begins = _begins(problem, plan, found)
    timed: list[Timed | None] = []
    for engineer, route, at in zip(problem.engineers, plan.routes, begins, strict=True):
        timed.append(_timed(problem, engineer, route, at, found) if route else None)
    _linked(problem, plan, begins, found)
    return _summed(problem, plan, tuple(timed), left_out, found)


def _who_is_served(problem: Problem, plan: Plan, found: list[Violation]) -> tuple[int, ...]:
    times = Counter(stop for route in plan.routes for stop in route if stop != CALL)
    for stop, n in sorted(times.items()):
        if n > 1:
            found.append(Violation("twice", f"{problem.visits[stop].id} is visited {n} times"))
    left_out = tuple(i for i in range(len(problem.visits)) if i not in times)
    for i in left_out:
        if problem.visits[i].prize is None:
            why = _why_nobody(problem, problem.visits[i])
            found.append(Violation("left out", f"{problem.visits[i].id} must be served and is not{why}"))
    return left_out


def _why_nobody(problem: Problem, visit: Visit) -> str:
    """The rules that exclude even her who lacks the least; nothing where somebody may go."""
    least: list[Violation] | None = None
    for engineer in problem.engineers:
        alone: list[Violation] = lacks(engineer, visit)
        if problem.depot is None:
            alone += _short_of(engineer, visit, Counter(visit.parts))
        if not alone:
            return ""
        if least is None or len(alone) < len(least):
            least = alone
    return "; nobody may go: " + ", ".join(found.text for found in least or ())


def _short_of(engineer: Engineer, visit: Visit, taken: Counter[str]) -> list[Violation]:
    """Tools and parts that are not in her van, where `taken` counts what this visit and those before it take."""
    missing = sorted(visit.tools - engineer.tools)
    found = [Violation("tool", f"{visit.id} needs {tool}, which {engineer.id} has not") for tool in missing]
    for part, n in visit.parts.items():
        if n and taken[part] > engineer.parts.get(part, 0):
            found.append(Violation("part", f"{engineer.id} has not enough {part} for {visit.id}"))
    return found


def _may_go(problem: Problem, engineer: Engineer, route: Sequence[int], found: list[Violation]) -> None:
    """Skills, papers, territory, tools, parts, and what is locked."""
    if (calls := route.count(CALL)) and (calls > 1 or problem.depot is None):
        found.append(Violation("calls", f"{engineer.id} calls {calls} times at the depot"))
    if tuple(stop for stop in route if stop != CALL)[: len(engineer.locked)] != engineer.locked:
        found.append(Violation("locked", f"the route of {engineer.id} does not begin with what is locked"))
    taken: Counter[str] = Counter()
    supplied = False
    for stop in route:
        if stop == CALL:
            supplied = True
            continue
        visit = problem.visits[stop]
        found.extend(lacks(engineer, visit))
        if supplied:
            continue
        taken.update(visit.parts)
        found.extend(_short_of(engineer, visit, taken))


def _begins(problem: Problem, plan: Plan, found: list[Violation]) -> list[list[int]]:
    """When each stop begins at the earliest, given the order of stops and the links."""
    least = {i: visit.window[0] for i, visit in enumerate(problem.visits)}
    where = {stop: row for row, route in enumerate(plan.routes) for stop in route if stop != CALL}
    begins = [_earliest(problem, e, r, least) for e, r in zip(problem.engineers, plan.routes, strict=True)]
    kept = [link for link in problem.links if link.first in where and link.second in where]
    at = {s: b for r, bs in zip(plan.routes, begins, strict=True) for s, b in zip(r, bs, strict=True) if s != CALL}
    for _ in range(ROUNDS):
        moved = set()
        for link in kept:
            for later, floor in (
                (link.second, at[link.first] + link.least),
                *(((link.first, at[link.second] - link.most),) if link.most is not None else ()),
            ):
                if at[later] < floor:
                    least[later] = at[later] = floor
                    moved.add(where[later])
        if not moved:
            return begins
        for row in moved:
            route = plan.routes[row]
            begins[row] = _earliest(problem, problem.engineers[row], route, least)
            at.update((s, b) for s, b in zip(route, begins[row], strict=True) if s != CALL)
    found.append(Violation("link", "visits wait for one another without end"))
    return begins


def _earliest(problem: Problem, engineer: Engineer, route: Sequence[int], least: dict[int, int]) -> list[int]:
    seconds, now, here, begins = problem.travel.seconds, engineer.shift[0], engineer.start, []
    for stop in route:
        place, open_, lasts = _stop(problem, stop)
        now = max(now + int(seconds[here, place]), open_ if stop == CALL else least[stop])
        begins.append(now)
        now, here = now + lasts, place
    return begins


def _stop(problem: Problem, stop: int) -> tuple[int, int, int]:
    """Place, opening, duration."""
    if stop == CALL:
        return (0 if problem.depot is None else problem.depot), 0, 0
    visit = problem.visits[stop]
    return visit.place, visit.window[0], visit.duration


def _timed(
    problem: Problem, engineer: Engineer, route: Sequence[int], begins: Sequence[int], found: list[Violation]
) -> Timed:
    seconds, metres = problem.travel.seconds, problem.travel.metres
    places = [engineer.start, *(_stop(problem, stop)[0] for stop in route), engineer.end]
    lasts = [_stop(problem, stop)[2] for stop in route]
    for stop, begin in zip(route, begins, strict=True):
        if stop != CALL and begin > problem.visits[stop].window[1]:
            visit = problem.visits[stop]
            found.append(Violation("window", f"{visit.id} begins at {begin}, and its window ends at {visit.window[1]}"))
    back = begins[-1] + lasts[-1] + int(seconds[places[-2], places[-1]])
    # Backwards, the latest that each may begin without a later return. Others may wait for a visit that is linked.
    latest = back - int(seconds[places[-2], places[-1]]) - lasts[-1]
    tied = {i for link in problem.links for i in (link.first, link.second)}
    for i in range(len(route) - 1, -1, -1):
        if i < len(route) - 1:
            latest -= lasts[i] + int(seconds[places[i + 1], places[i + 2]])
        if route[i] != CALL:
            visit = problem.visits[route[i]]
            limit = visit.window[1] if visit.due is None else min(visit.due, visit.window[1])
            latest = min(latest, begins[i] if route[i] in tied else max(limit, begins[i]))
    departure = max(latest - int(seconds[places[0], places[1]]), engineer.shift[0])
    if engineer.leave is not None:
        departure = min(departure, max(engineer.leave, engineer.shift[0]))
    if back > engineer.shift[1] + engineer.overtime:
        found.append(Violation("shift", f"{engineer.id} is back at {back}, and her shift ends at {engineer.shift[1]}"))
    if engineer.longest is not None and back - departure > engineer.longest:
        found.append(Violation("longest", f"{engineer.id} works {back - departure} of {engineer.longest}"))
    distance = sum(int(metres[one, other]) for one, other in pairwise(places))
    return Timed(departure, tuple(begins), back, distance)


def _linked(problem: Problem, plan: Plan, begins: Sequence[Sequence[int]], found: list[Violation]) -> None:
    rows = {s: (row, b) for row, r in enumerate(plan.routes) for s, b in zip(r, begins[row], strict=True) if s != CALL}
    for link in problem.links:
        one, other = (problem.visits[i].id for i in (link.first, link.second))
        if (link.first in rows) != (link.second in rows):
            found.append(Violation("link", f"of {one} and {other} only one is served"))
        elif link.first in rows:
            (by, at), (also_by, then) = rows[link.first], rows[link.second]
            if then - at < link.least or (link.most is not None and then - at > link.most):
                found.append(Violation("link", f"{other} begins {then - at} after {one}"))
            if link.apart and by == also_by:
                found.append(Violation("link", f"{one} and {other} need two engineers"))


def _summed(
    problem: Problem,
    plan: Plan,
    timed: tuple[Timed | None, ...],
    left_out: tuple[int, ...],
    found: list[Violation],
) -> Checked:
    weights, late, strangers, overtime, waiting = problem.weights, [0], 0, 0, 0
    for engineer, route, one in zip(problem.engineers, plan.routes, timed, strict=True):
        if one is None:
            continue
        overtime += max(0, one.back - engineer.shift[1])
        busy = 0
        for stop, begin in zip(route, one.begins, strict=True):
            if stop == CALL:
                continue
            visit = problem.visits[stop]
            busy += visit.duration
            if visit.due is not None:
                late.append(max(0, begin - visit.due))
            strangers += bool(visit.preferred) and engineer.id not in visit.preferred
        places = [engineer.start, *(_stop(problem, stop)[0] for stop in route), engineer.end]
        under_way = sum(int(problem.travel.seconds[a, b]) for a, b in pairwise(places))
        waiting += one.duration - busy - under_way
    gone = [one for one in timed if one is not None]
    distance, duration = sum(one.distance for one in gone), sum(one.duration for one in gone)
    cost = (
        weights.distance * distance
        + weights.duration * duration
        + weights.route * len(gone)
        + weights.lateness * sum(late)
        + weights.worst_lateness * max(late)
        + weights.overtime * overtime
        + weights.waiting * waiting
        + weights.stranger * strangers
        + sum(problem.visits[i].prize or 0 for i in left_out)
    )
    return Checked(cost, tuple(found), timed, left_out, distance, duration, sum(late), max(late), len(gone))
