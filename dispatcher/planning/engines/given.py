"""A problem as arrays, for code that is compiled."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np

from dispatcher.planning.model import Problem, lacks

FAR: Final = 1 << 60

NEIGHBOURS: Final = 250


class Given(NamedTuple):
    """R engineers, M visits, K parts."""

    seconds: Any
    metres: Any
    place: Any
    """[M]; so are the next four."""
    lasts: Any
    opens: Any
    closes: Any
    prize: Any
    """FAR for a visit that must be served is too much to sum; it is ten times what all travel could cost."""
    fit: Any
    """[R, M]: may go, if she calls at the depot where that helps."""
    own: Any
    """[R, M]: has every tool herself."""
    odd: Any
    """[R, M]: what it costs that she is not whom the customer knows."""
    need: Any
    """[M, K]"""
    stock: Any
    """[R, K]"""
    start: Any
    """[R]; so are the next eight."""
    end: Any
    early: Any
    leave: Any
    """The latest departure."""
    shift_end: Any
    late: Any
    """The latest return, overtime included."""
    longest: Any
    locked: Any
    """How many visits her route begins with that stay where they are."""
    kind: Any
    """Engineers of one kind are alike in everything."""
    near: Any
    """[M, N]: the other visits, the nearest first."""
    depot: int
    distance: int
    duration: int
    route: int
    overtime: int


def given(problem: Problem) -> Given:
    engineers, visits, weights = problem.engineers, problem.visits, problem.weights
    seconds = np.ascontiguousarray(problem.travel.seconds, dtype=np.int64)
    metres = np.ascontiguousarray(problem.travel.metres, dtype=np.int64)
    parts = sorted({part for visit in visits for part in visit.parts})
    sorts = [(_abilities(one), one) for one in engineers]
    kinds: dict[object, int] = {}
    kind = [
        kinds.setdefault((one.start, one.end, one.shift, one.overtime, one.longest, a), len(kinds)) for a, one in sorts
    ]
    asked: dict[object, list[int]] = {}
    for i, visit in enumerate(visits):
        asks = (frozenset(visit.skills.items()), visit.certificates, visit.tools, visit.region, visit.preferred)
        asked.setdefault(asks, []).append(i)
    shape = (len(engineers), len(visits))
    fit, own, odd = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.zeros(shape, np.int64)
    for alike in asked.values():
        visit = visits[alike[0]]
        for row, engineer in enumerate(engineers):
            has = visit.tools <= engineer.tools
            own[row, alike] = has
            fit[row, alike] = not lacks(engineer, visit) and (has or problem.depot is not None)
            if visit.preferred and engineer.id not in visit.preferred:
                odd[row, alike] = weights.stranger
    place = np.array([visit.place for visit in visits], np.int64)
    between = metres[np.ix_(place, place)]
    near = np.argsort(between, axis=1, kind="stable")[:, 1 : NEIGHBOURS + 1].astype(np.int32)
    most = 10 * max(1, weights.distance * int(metres.max()) + weights.duration * max(e.shift[1] for e in engineers))
    most += 2 * weights.route
    return Given(
        seconds=seconds,
        metres=metres,
        place=place,
        lasts=np.array([visit.duration for visit in visits], np.int64),
        opens=np.array([visit.window[0] for visit in visits], np.int64),
        closes=np.array([visit.window[1] for visit in visits], np.int64),
        prize=np.array([most if visit.prize is None else visit.prize for visit in visits], np.int64),
        fit=fit,
        own=own,
        odd=odd,
        need=np.array([[visit.parts.get(p, 0) for p in parts] for visit in visits], np.int64).reshape(len(visits), -1),
        stock=np.array([[one.parts.get(p, 0) for p in parts] for one in engineers], np.int64).reshape(shape[0], -1),
        start=np.array([one.start for one in engineers], np.int64),
        end=np.array([one.end for one in engineers], np.int64),
        early=np.array([one.shift[0] for one in engineers], np.int64),
        leave=np.array([one.shift[1] if one.leave is None else one.leave for one in engineers], np.int64),
        shift_end=np.array([one.shift[1] for one in engineers], np.int64),
        late=np.array([one.shift[1] + one.overtime for one in engineers], np.int64),
        longest=np.array([FAR if one.longest is None else one.longest for one in engineers], np.int64),
        locked=np.array([len(one.locked) for one in engineers], np.int64),
        kind=np.array(kind, np.int64),
        near=near,
        depot=-1 if problem.depot is None else problem.depot,
        distance=weights.distance,
        duration=weights.duration,
        route=weights.route,
        overtime=weights.overtime,
    )


def _abilities(one: Any) -> object:
    return (
        frozenset(one.skills.items()),
        one.certificates,
        one.tools,
        frozenset(one.parts.items()),
        one.regions,
        one.locked,
        one.leave,
    )
