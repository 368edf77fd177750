"""
The one evaluator: what a plan costs and which rules it breaks, exactly, apart from every engine.

Nobody sees a plan that was not looked at here. A route is timed as early as it can be; links between routes are kept by
letting the earlier wait, until nothing moves. Then each departure is made as late as it can be without a later return,
which is the shortest working day that the order of stops allows (Savelsbergh 1992, forward time slack).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from dispatcher.planning.model import (
    CALL,
    FIRST_BREAK,
    Engineer,
    Plan,
    Problem,
    Rule,
    Violation,
    Visit,
    lacks,
    late_cost,
    spare,
)

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
    """Engineers who go."""
    changed: int
    """Visits of which people know another engineer or begin, or that they would wait for."""


def check(problem: Problem, plan: Plan) -> Checked:
    """Raises ValueError where the plan is of another problem: a route too many, or a stop that is no visit."""
    if len(plan.routes) != len(problem.engineers):
        raise ValueError(f"{len(plan.routes)} routes for {len(problem.engineers)} engineers")
    for engineer, route in zip(problem.engineers, plan.routes, strict=True):
        if any(not FIRST_BREAK - len(engineer.breaks) < stop < len(problem.visits) for stop in route):
            raise ValueError(f"a stop of {engineer.id} is neither a visit of the problem nor a break of hers")
    found: list[Violation] = []
    left_out = _who_is_served(problem, plan, found)
    for engineer, route in zip(problem.engineers, plan.routes, strict=True):
        _may_go(problem, engineer, route, found)
    begins = _begins(problem, plan, found)
    timed: list[Timed | None] = []
    for engineer, route, at in zip(problem.engineers, plan.routes, begins, strict=True):
        goes = any(stop > FIRST_BREAK for stop in route)
        timed.append(_timed(problem, engineer, route, at, found) if goes else None)
    _linked(problem, plan, begins, found)
    return _summed(problem, plan, tuple(timed), left_out, found)


def _who_is_served(problem: Problem, plan: Plan, found: list[Violation]) -> tuple[int, ...]:
    times = Counter(stop for route in plan.routes for stop in route if stop >= 0)
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
    if tuple(stop for stop in route if stop >= 0)[: len(engineer.locked)] != engineer.locked:
        found.append(Violation("locked", f"the route of {engineer.id} does not begin with what is locked"))
    taken: Counter[str] = Counter()
    supplied = False
    for stop in route:
        if stop == CALL:
            supplied = True
        if stop < 0:
            continue
        visit = problem.visits[stop]
        found.extend(lacks(engineer, visit))
        if supplied:
            continue
        taken.update(visit.parts)
        found.extend(_short_of(engineer, visit, taken))


def _begins(problem: Problem, plan: Plan, found: list[Violation]) -> list[list[int]]:
    """When each stop begins at the earliest, given the order of stops and the links."""
    least: dict[int, int] = {}
    where = {stop: row for row, route in enumerate(plan.routes) for stop in route if stop >= 0}
    begins = [_from(problem, e, r, (e.shift[0], e.start), least) for e, r in _routes(problem, plan)]
    kept = [link for link in problem.links if link.first in where and link.second in where]
    at = {s: b for r, bs in zip(plan.routes, begins, strict=True) for s, b in zip(r, bs, strict=True) if s >= 0}
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
            engineer, route = problem.engineers[row], plan.routes[row]
            begins[row] = _from(problem, engineer, route, (engineer.shift[0], engineer.start), least)
            at.update((s, b) for s, b in zip(route, begins[row], strict=True) if s >= 0)
    found.append(Violation("link", "visits wait for one another without end"))
    return begins


def _routes(problem: Problem, plan: Plan) -> Iterator[tuple[Engineer, tuple[int, ...]]]:
    return zip(problem.engineers, plan.routes, strict=True)


def _from(
    problem: Problem, engineer: Engineer, stops: Sequence[int], leaves: tuple[int, int], least: Mapping[int, int]
) -> list[int]:
    """When each stop begins that she goes to at (when, where from); `least` is what links ask for."""
    (now, here), begins = leaves, []
    for stop in stops:
        place, windows, lasts = _stop(problem, engineer, stop, here)
        now = max(now + int(problem.travel.seconds[here, place]), least.get(stop, 0) if stop >= 0 else 0)
        now = next((max(now, opens) for opens, closes in windows if now <= closes), now)
        begins.append(now)
        now, here = now + lasts, place
    return begins


def _stop(problem: Problem, engineer: Engineer, stop: int, here: int) -> tuple[int, Sequence[tuple[int, int]], int]:
    """Place, windows, duration; `here` is the place before it. Nothing is closed that has no windows."""
    if stop == CALL:
        return (0 if problem.depot is None else problem.depot), (), 0
    if stop <= FIRST_BREAK:
        rest = engineer.breaks[FIRST_BREAK - stop]
        return here, (rest.window,), rest.duration
    visit = problem.visits[stop]
    return visit.place, visit.windows, visit.duration


def _timed(
    problem: Problem, engineer: Engineer, route: Sequence[int], begins: Sequence[int], found: list[Violation]
) -> Timed:
    seconds, metres = problem.travel.seconds, problem.travel.metres
    places, windows, lasts = [engineer.start], [], []
    for stop in route:
        place, open_, long = _stop(problem, engineer, stop, places[-1])
        places.append(place)
        windows.append(open_)
        lasts.append(long)
    places.append(engineer.end)
    for stop, begin, open_ in zip(route, begins, windows, strict=True):
        if open_ and begin > open_[-1][1]:
            rule: Rule = "window" if stop >= 0 else "break"
            name = problem.visits[stop].id if stop >= 0 else f"a break of {engineer.id}"
            found.append(Violation(rule, f"{name} begins at {begin}, and its window ends at {open_[-1][1]}"))
    # Backwards, the latest that each may begin without a later return. Others may wait for a visit that is linked.
    tied = {i for link in problem.links for i in (link.first, link.second)}
    home = next(i for i, stop in enumerate(route) if stop > FIRST_BREAK)
    latest = back = begins[-1] + lasts[-1] + int(seconds[places[-2], places[-1]])
    for i in range(len(route) - 1, home - 1, -1):
        latest -= lasts[i] + int(seconds[places[i + 1], places[i + 2]])
        if route[i] >= 0:
            due = problem.visits[route[i]].due
            latest = begins[i] if route[i] in tied else latest if due is None else min(latest, max(due, begins[i]))
        if windows[i]:
            latest = max([begins[i], *(min(latest, closes) for opens, closes in windows[i] if opens <= latest)])
    ready = begins[home - 1] + lasts[home - 1] if home else engineer.shift[0]
    departure = max(latest - int(seconds[engineer.start, places[home + 1]]), ready)
    if engineer.leave is not None:
        departure = min(departure, max(engineer.leave, engineer.shift[0]))
    asleep = home if departure >= ready else 0
    least = {stop: begin for stop, begin in zip(route, begins, strict=True) if stop in tied}
    then = _from(problem, engineer, route[asleep:], (departure, engineer.start), least)
    timed = Timed(
        departure, (*begins[:asleep], *then), back, sum(int(metres[one, other]) for one, other in pairwise(places))
    )
    _within_the_day(engineer, route, timed, found)
    return timed


def _within_the_day(engineer: Engineer, route: Sequence[int], timed: Timed, found: list[Violation]) -> None:
    departure, back = timed.departure, timed.back
    if back > engineer.shift[1] + engineer.overtime:
        found.append(Violation("shift", f"{engineer.id} is back at {back}, and her shift ends at {engineer.shift[1]}"))
    if engineer.longest is not None and back - departure > engineer.longest:
        found.append(Violation("longest", f"{engineer.id} works {back - departure} of {engineer.longest}"))
    if engineer.most is not None and (n := sum(stop >= 0 for stop in route)) > engineer.most:
        found.append(Violation("most", f"{engineer.id} has {n} visits, and may have {engineer.most}"))
    for k, rest in enumerate(engineer.breaks):
        taken = route.count(FIRST_BREAK - k)
        off_duty = departure >= rest.window[0] + rest.duration or back <= rest.window[1]
        if taken > 1 or not (taken or off_duty):
            found.append(Violation("break", f"{engineer.id} has {taken} times her break within {rest.window}"))


def _linked(problem: Problem, plan: Plan, begins: Sequence[Sequence[int]], found: list[Violation]) -> None:
    rows = {s: (row, b) for row, r in enumerate(plan.routes) for s, b in zip(r, begins[row], strict=True) if s >= 0}
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
    weights, late, late_by_urgency, odd, overtime, waiting, balance = problem.weights, [0], 0, 0, 0, 0, 0
    changed = sum(problem.visits[i].told is not None for i in left_out)
    for engineer, route, one in zip(problem.engineers, plan.routes, timed, strict=True):
        if one is None:
            continue
        overtime += max(0, one.back - engineer.shift[1])
        balance += one.duration**2 // max(1, engineer.shift[1] - engineer.shift[0])
        idle, here = one.duration, engineer.start
        for stop, begin in zip(route, one.begins, strict=True):
            place, _, lasts = _stop(problem, engineer, stop, here)
            idle -= int(problem.travel.seconds[here, place]) + (lasts if begin >= one.departure else 0)
            here = place
            if stop < 0:
                continue
            visit = problem.visits[stop]
            if visit.due is not None:
                late.append(max(0, begin - visit.due))
                late_by_urgency += late_cost(weights, visit, late[-1])
            stranger = bool(visit.preferred) and engineer.id not in visit.preferred
            odd += weights.stranger * stranger + weights.overqualified * spare(engineer, visit)
            if visit.told is not None:
                who, when = visit.told
                changed += who != engineer.id or abs(begin - when) > weights.change_within
        waiting += idle - int(problem.travel.seconds[here, engineer.end])
    gone = [one for one in timed if one is not None]
    distance, duration = sum(one.distance for one in gone), sum(one.duration for one in gone)
    cost = (
        weights.distance * distance
        + weights.duration * duration
        + weights.route * len(gone)
        + weights.lateness * late_by_urgency
        + weights.worst_lateness * max(late)
        + weights.overtime * overtime
        + weights.waiting * waiting
        + weights.balance * balance
        + weights.change * changed
        + odd
        + sum(problem.visits[i].prize or 0 for i in left_out)
    )
    return Checked(cost, tuple(found), timed, left_out, distance, duration, sum(late), max(late), len(gone), changed)
