"""A problem as arrays, for code that is compiled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from dispatcher.planning.model import Problem, lacks, spare

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
    plain: bool
    """Segments say all; else a route is laid on the clock, and segments only say what it costs at the least."""
    breaks: Any
    """[R, B, 3]: opens, closes, duration."""
    break_count: Any
    """[R]; so is the next."""
    most: Any
    windows: Any
    """[M, W, 2]; `opens` and `closes` are the first and the last instant of all."""
    window_count: Any
    """[M]; so are the next four."""
    due: Any
    urgency: Any
    told_row: Any
    """The engineer told; -1: nothing was told, -2: somebody who is not among these."""
    told_at: Any
    depot: int
    distance: int
    duration: int
    route: int
    overtime: int
    waiting: int
    balance: int
    lateness: int
    late_doubles: int
    change: int
    change_within: int


def given(problem: Problem) -> Given:
    engineers, visits, weights = problem.engineers, problem.visits, problem.weights
    seconds = np.ascontiguousarray(problem.travel.seconds, dtype=np.int64)
    metres = np.ascontiguousarray(problem.travel.metres, dtype=np.int64)
    parts = sorted({part for visit in visits for part in visit.parts})
    asked: dict[object, list[int]] = {}
    for i, visit in enumerate(visits):
        asks = (
            frozenset(visit.skills.items()),
            visit.certificates,
            visit.tools,
            visit.region,
            visit.preferred,
            visit.only,
        )
        asked.setdefault(asks, []).append(i)
    shape = (len(engineers), len(visits))
    fit, own, odd = np.zeros(shape, np.bool_), np.zeros(shape, np.bool_), np.zeros(shape, np.int64)
    for alike in asked.values():
        visit = visits[alike[0]]
        for row, engineer in enumerate(engineers):
            has = visit.tools <= engineer.tools
            own[row, alike] = has
            fit[row, alike] = not lacks(engineer, visit) and (has or problem.depot is not None)
            stranger = bool(visit.preferred) and engineer.id not in visit.preferred
            odd[row, alike] = weights.stranger * stranger + weights.overqualified * spare(engineer, visit)
    place = np.array([visit.place for visit in visits], np.int64)
    between = metres[np.ix_(place, place)]
    near = np.argsort(between, axis=1, kind="stable")[:, 1 : NEIGHBOURS + 1].astype(np.int32)
    most = 10 * max(1, weights.distance * int(metres.max()) + weights.duration * max(e.shift[1] for e in engineers))
    most += 2 * weights.route
    rows = {one.id: row for row, one in enumerate(engineers)}
    told = {visit.told[0] for visit in visits if visit.told}
    kinds: dict[object, int] = {}
    kind = []
    for row, one in enumerate(engineers):
        able = fit[row].tobytes(), own[row].tobytes(), odd[row].tobytes(), one.id if one.id in told else ""
        day = one.start, one.end, one.shift, one.overtime, one.longest, one.most, one.leave, one.locked, one.breaks
        kind.append(kinds.setdefault((day, able, frozenset(one.parts.items())), len(kinds)))
    return Given(
        seconds=seconds,
        metres=metres,
        place=place,
        lasts=np.array([visit.duration for visit in visits], np.int64),
        opens=np.array([visit.window[0] for visit in visits], np.int64),
        closes=np.array([visit.windows[-1][1] for visit in visits], np.int64),
        prize=np.array(
            [most if v.prize is None else v.prize + weights.change * (v.told is not None) for v in visits], np.int64
        ),
        fit=fit,
        own=own,
        odd=odd,
        need=np.array([[visit.parts.get(p, 0) for p in parts] for visit in visits], np.int64).reshape(len(visits), -1),
        stock=np.array([[one.parts.get(p, 0) for p in parts] for one in engineers], np.int64).reshape(shape[0], -1),
        start=np.array([one.start for one in engineers], np.int64),
        end=np.array([one.end for one in engineers], np.int64),
        early=np.array([one.shift[0] for one in engineers], np.int64),
        leave=np.array(
            [one.shift[1] + one.overtime if one.leave is None else one.leave for one in engineers], np.int64
        ),
        shift_end=np.array([one.shift[1] for one in engineers], np.int64),
        late=np.array([one.shift[1] + one.overtime for one in engineers], np.int64),
        longest=np.array([FAR if one.longest is None else one.longest for one in engineers], np.int64),
        locked=np.array([len(one.locked) for one in engineers], np.int64),
        kind=np.array(kind, np.int64),
        near=near,
        plain=_plain(problem),
        breaks=_padded([[(*rest.window, rest.duration) for rest in one.breaks] for one in engineers], 3),
        break_count=np.array([len(one.breaks) for one in engineers], np.int64),
        most=np.array([FAR if one.most is None else one.most for one in engineers], np.int64),
        windows=_padded([visit.windows for visit in visits], 2),
        window_count=np.array([len(visit.windows) for visit in visits], np.int64),
        due=np.array([FAR if visit.due is None else visit.due for visit in visits], np.int64),
        urgency=np.array([visit.urgency for visit in visits], np.int64),
        told_row=np.array([rows.get(visit.told[0], -2) if visit.told else -1 for visit in visits], np.int64),
        told_at=np.array([visit.told[1] if visit.told else 0 for visit in visits], np.int64),
        depot=-1 if problem.depot is None else problem.depot,
        distance=weights.distance,
        duration=weights.duration,
        route=weights.route,
        overtime=weights.overtime,
        waiting=weights.waiting,
        balance=weights.balance,
        lateness=weights.lateness,
        late_doubles=weights.late_doubles,
        change=weights.change,
        change_within=weights.change_within,
    )


def _plain(problem: Problem) -> bool:
    weights = problem.weights
    of_visits = any(visit.also or visit.due is not None or visit.told for visit in problem.visits)
    return not (of_visits or any(one.breaks for one in problem.engineers) or weights.waiting or weights.balance)


def _padded(lists: Sequence[Sequence[tuple[int, ...]]], width: int) -> Any:
    table = np.zeros((len(lists), max([1, *map(len, lists)]), width), np.int64)
    for i, each in enumerate(lists):
        table[i, : len(each)] = np.array(each, np.int64).reshape(-1, width)
    return table
