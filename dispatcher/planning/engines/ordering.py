"""
One ordering of the day: for visits that wait for one another, or that may be late.

All visits, those that are linked as one job, stand in one order, and each has its engineer; every engineer takes hers
in that order, as early as she can, with breaks where they cost no time or as late as they may be. Whatever the order,
nobody waits in a circle, so that each ordering is a plan. It is annealed by moves of a job next to a neighbour, into
the neighbour's route, and by changes of engineers (the state of Ceschia, Di Gaspero, Mazzaracchio, Policante, Schaerf
2024).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from dispatcher.planning.engines.given import FAR, Given, given
from dispatcher.planning.engines.ruin import seeded
from dispatcher.planning.model import FIRST_BREAK, Plan, Problem, Unfit

HARD: Final = 100
"""What a unit of a broken window, shift or part costs, in units of the dearest weight."""

OUT_OF_TURN: Final = 3_600
"""So many units is it broken where a visit stands before a locked one, or is one too many for a day."""

PUSHES: Final = 8
"""How often two that are linked may push one another on, from window to window."""

NOT_TAKEN: Final = -2
HOME: Final = -1


class State(NamedTuple):
    """Where an ordering is reckoned; [R] but for what is said."""

    ready: Any
    here: Any
    first: Any
    """When she leaves for her first visit; -1: she does not go."""
    rested: Any
    """How many of her breaks she has had."""
    count: Any
    """Visits up to now."""
    left: Any
    """[R, K]: parts in her van."""
    rests: Any
    """[R, B]: the visit before which she has a break, HOME or NOT_TAKEN."""
    broken: Any
    """[1]; so is the next."""
    worst: Any
    """The worst lateness."""
    lock_row: Any
    """[M]: whose route begins with the visit; -1: nobody's."""
    lock_turn: Any
    """[M]: as which one."""
    plain: bool
    """Nothing is asked but what `_plain` knows."""


@njit(cache=True)
def _opened(g, v, at):  # type: ignore[no-untyped-def]
    """When visit `v` begins of whoever is there at `at`; after its last window, at once."""
    for k in range(g.window_count[v]):
        if at <= g.windows[v, k, 1]:
            return max(at, g.windows[v, k, 0])
    return at


@njit(cache=True)
def _rested(g, s, row, v, place, lasts):  # type: ignore[no-untyped-def]
    """
    When `row` is at `place` at the earliest, to begin `v` there (HOME: she is back). What of her breaks may not wait
    until that is over, or costs no time before it, she has where she is, and `s.rests` says before what.
    """
    while True:
        way = g.seconds[s.here[row], place]
        begin = s.ready[row] + way if v < 0 else _opened(g, v, s.ready[row] + way)
        k = s.rested[row]
        if k >= g.break_count[row]:
            return begin
        opens, closes, long = g.breaks[row, k, 0], g.breaks[row, k, 1], g.breaks[row, k, 2]
        rest = max(s.ready[row], opens)
        then = rest + long + way
        if v >= 0:
            then = _opened(g, v, then)
        if begin + lasts <= closes and (v < 0 or then > begin or rest > closes):
            return begin
        s.broken[0] += max(0, rest - closes)
        s.rests[row, k] = v
        s.ready[row] = rest + long
        s.rested[row] = k + 1


@njit(cache=True)
def _begun(g, s, v, row, begin):  # type: ignore[no-untyped-def]
    """`row` begins `v` then; returns what it costs that it is late and hers. What is broken is counted in `s`."""
    if s.first[row] < 0:
        s.first[row] = begin - g.seconds[s.here[row], g.place[v]]
    if s.lock_row[v] >= 0 and s.count[row] != s.lock_turn[v]:
        s.broken[0] += OUT_OF_TURN
    s.count[row] += 1
    s.ready[row] = begin + g.lasts[v]
    s.here[row] = g.place[v]
    s.broken[0] += _shut_for(g, v, begin)
    for k in range(s.left.shape[1]):
        s.left[row, k] -= g.need[v, k]
        s.broken[0] += max(0, -s.left[row, k])
    late = max(0, begin - g.due[v])
    s.worst[0] = max(s.worst[0], late)
    more = late * late // g.late_doubles if g.late_doubles else 0
    return g.lateness * g.urgency[v] * (late + more) + g.odd[row, v]


@njit(cache=True)
def _shut_for(g, v, begin):  # type: ignore[no-untyped-def]
    """How far `begin` is from the windows of `v`."""
    return abs(_opened(g, v, begin) - begin) + max(0, begin - g.closes[v])


@njit(cache=True)
def _plain(g, s, order, one, other, least, most, who, worst_weight, hard):  # type: ignore[no-untyped-def]
    """As `_cost`, at twice the speed, where there is nothing but links, one window each, lateness and parts."""
    ready, here, left = s.ready, s.here, s.left
    for row in range(len(ready)):
        ready[row] = g.early[row]
        here[row] = g.start[row]
        for k in range(left.shape[1]):
            left[row, k] = g.stock[row, k]
    way, late, worst, broken = 0, 0, 0, 0
    for job in order:
        v, w = one[job], other[job]
        row = who[v]
        place = g.place[v]
        way += g.metres[here[row], place]
        begin = max(ready[row] + g.seconds[here[row], place], g.opens[v])
        if w >= 0:
            second = who[w]
            also = g.place[w]
            way += g.metres[here[second], also]
            then = max(ready[second] + g.seconds[here[second], also], g.opens[w], begin + least[job])
            begin = max(begin, then - most[job])
            ready[second] = then + g.lasts[w]
            here[second] = also
            over = max(0, then - g.due[w])
            late += over
            worst = max(worst, over)
            broken += max(0, then - g.closes[w])
            for k in range(left.shape[1]):
                left[second, k] -= g.need[w, k]
                broken += max(0, -left[second, k])
        ready[row] = begin + g.lasts[v]
        here[row] = place
        over = max(0, begin - g.due[v])
        late += over
        worst = max(worst, over)
        broken += max(0, begin - g.closes[v])
        for k in range(left.shape[1]):
            left[row, k] -= g.need[v, k]
            broken += max(0, -left[row, k])
    for row in range(len(ready)):
        way += g.metres[here[row], g.end[row]]
        broken += max(0, ready[row] + g.seconds[here[row], g.end[row]] - g.late[row])
    return g.distance * way + g.lateness * late + worst_weight * worst + hard * broken


@njit(cache=True)
def _cost(g, s, order, one, other, least, most, who, worst_weight, hard):  # type: ignore[no-untyped-def]
    """Of the ordering: but for working time, waiting, balance and what was told, as `check` reckons it."""
    for row in range(len(s.ready)):
        s.ready[row] = g.early[row]
        s.here[row] = g.start[row]
        s.first[row] = -1
        s.rested[row] = 0
        s.count[row] = 0
        for k in range(s.left.shape[1]):
            s.left[row, k] = g.stock[row, k]
        for k in range(s.rests.shape[1]):
            s.rests[row, k] = NOT_TAKEN
    s.broken[0] = 0
    s.worst[0] = 0
    way, cost = 0, 0
    for job in order:
        v, w = one[job], other[job]
        row = who[v]
        way += g.metres[s.here[row], g.place[v]]
        begin = _rested(g, s, row, v, g.place[v], g.lasts[v])
        if w < 0:
            cost += _begun(g, s, v, row, begin)
            continue
        second = who[w]
        if second == row:
            cost += _begun(g, s, v, row, begin)
        way += g.metres[s.here[second], g.place[w]]
        then = _opened(g, w, max(_rested(g, s, second, w, g.place[w], g.lasts[w]), begin + least[job]))
        if second != row:
            # Whichever of the two waits for the other may find its own window shut then.
            for _ in range(PUSHES):
                pushed = _opened(g, v, max(begin, then - most[job]))
                if pushed == begin:
                    break
                begin = pushed
                then = _opened(g, w, max(then, begin + least[job]))
            cost += _begun(g, s, v, row, begin)
        s.broken[0] += max(0, then - begin - most[job])
        cost += _begun(g, s, w, second, then)
    for row in range(len(s.ready)):
        if s.count[row] == 0:
            continue
        way += g.metres[s.here[row], g.end[row]]
        back = _rested(g, s, row, HOME, g.end[row], 0)
        cost += g.route + g.overtime * max(0, back - g.shift_end[row])
        s.broken[0] += max(0, back - g.late[row])
        s.broken[0] += max(0, back - s.first[row] - g.longest[row])
        s.broken[0] += max(0, s.count[row] - g.most[row]) * OUT_OF_TURN
    return g.distance * way + cost + worst_weight * s.worst[0] + hard * s.broken[0]


@njit(cache=True)
def _moved(order, where, job, to):  # type: ignore[no-untyped-def]
    """The job to place `to`; what lies between moves up or down."""
    at = where[job]
    step = 1 if to > at else -1
    while at != to:
        order[at] = order[at + step]
        where[order[at]] = at
        at += step
    order[to] = job
    where[job] = to


@njit(cache=True)
def annealed(  # type: ignore[no-untyped-def]
    g, s, order, where, one, other, least, most, who, job_of, worst_weight, hard, able, count, apart,
    best_order, best_who, numbers, heat, steps,
):  # fmt: skip
    """`steps` moves at one temperature; `numbers` is the present cost and the best."""
    jobs, m = len(order), len(who)
    cost = numbers[0]
    for _ in range(steps):
        kind = np.random.random()
        job = np.random.randint(jobs)
        v, w = one[job], other[job]
        from_ = where[job]
        was_v = who[v]
        was_w = who[w] if w >= 0 else -1
        swapped = -1
        if kind < 0.6:
            # Next to a visit that is near and of an engineer who may do this one, in her route.
            part = v if w < 0 or np.random.random() < 0.5 else w
            near = g.near.shape[1]
            reach = min(near, 25)
            beside = g.near[part, np.random.randint(reach)] if near else part
            target = job_of[beside]
            if target == job or not able[who[beside], part]:
                continue
            if w >= 0 and apart[job] and who[beside] == (who[w] if part == v else who[v]):
                continue
            to = where[target] + np.random.randint(2)
            if to > from_:
                to -= 1
            who[part] = who[beside]
            _moved(order, where, job, to)
        elif kind < 0.75:
            part = v if w < 0 or np.random.random() < 0.5 else w
            if count[part] < 2:
                continue
            row = np.random.randint(len(s.ready))
            while not able[row, part]:
                row = np.random.randint(len(s.ready))
            if row == who[part] or (w >= 0 and apart[job] and row == (who[w] if part == v else who[v])):
                continue
            who[part] = row
        elif kind < 0.95:
            reach = max(2, jobs // 4)
            to = min(jobs - 1, max(0, from_ + np.random.randint(2 * reach + 1) - reach))
            if to == from_:
                continue
            _moved(order, where, job, to)
        else:
            target = np.random.randint(jobs)
            if target == job:
                continue
            swapped = target
            a, b = where[job], where[target]
            order[a], order[b] = target, job
            where[job], where[target] = b, a
        if s.plain:
            new = _plain(g, s, order, one, other, least, most, who, worst_weight, hard)
        else:
            new = _cost(g, s, order, one, other, least, most, who, worst_weight, hard)
        if new <= cost or new < cost - heat * math.log(np.random.random()):
            cost = new
            if cost < numbers[1]:
                numbers[1] = cost
                for i in range(jobs):
                    best_order[i] = order[i]
                for i in range(m):
                    best_who[i] = who[i]
            continue
        if swapped >= 0:
            a, b = where[job], where[swapped]
            order[a], order[b] = swapped, job
            where[job], where[swapped] = b, a
        else:
            _moved(order, where, job, from_)
            who[v] = was_v
            if w >= 0:
                who[w] = was_w
    numbers[0] = cost


class Ordering:
    """Annealing of one ordering. Raises Unfit for a visit that nobody may do, and for chains of more than two."""

    def __init__(self, problem: Problem, seed: int, arrays: Given | None = None) -> None:
        self._g = g = given(problem) if arrays is None else arrays
        self._problem = problem
        m = len(problem.visits)
        linked = {i: link for link in problem.links for i in (link.first, link.second)}
        if len(linked) != 2 * len(problem.links):
            raise Unfit("a visit is linked with more than one other")
        firsts = [i for i in range(m) if i not in linked or linked[i].first == i]
        turns = {i: turn for engineer in problem.engineers for turn, i in enumerate(engineer.locked)}
        job_turn = {i: min(turns.get(v, m) for v in (i, *([linked[i].second] if i in linked else []))) for i in firsts}
        firsts.sort(key=lambda i: (job_turn[i], problem.visits[i].window[0]))
        links = [linked.get(i) for i in firsts]
        self._one = np.array(firsts, np.int64)
        self._other = np.array([link.second if link else -1 for link in links], np.int64)
        self._least = np.array([link.least if link else 0 for link in links], np.int64)
        self._most = np.array([FAR if link is None or link.most is None else link.most for link in links], np.int64)
        self._apart = np.array([bool(link and link.apart) for link in links])
        self._able = g.fit & g.own
        for row, engineer in enumerate(problem.engineers):
            for i in engineer.locked:
                self._able[:, i] &= np.arange(len(problem.engineers)) == row
        self._count = self._able.sum(axis=0)
        for i, visit in enumerate(problem.visits):
            if not self._count[i]:
                raise Unfit(f"nobody may do {visit.id}")
        self._job = np.zeros(m, np.int64)
        for job, (v, w) in enumerate(zip(self._one, self._other, strict=True)):
            self._job[v] = job
            if w >= 0:
                self._job[w] = job
        weights = problem.weights
        self._worst = weights.worst_lateness
        self._hard = HARD * max(1, weights.distance, weights.lateness, weights.worst_lateness, weights.overtime)
        self._state = _state(problem, g)
        self._order = np.arange(len(firsts))
        self._where = np.arange(len(firsts))
        self._who = np.full(m, -1, np.int64)
        seeded(seed)
        self._begun(np.random.default_rng(seed))
        cost = self._cost_of(self._order, self._who)
        self._numbers = np.array([cost, cost], np.int64)
        self._best_order, self._best_who = self._order.copy(), self._who.copy()

    def _begun(self, chance: np.random.Generator) -> None:
        """Each visit to the engineer who has the fewest so far, of those who may."""
        load = chance.random(len(self._problem.engineers))
        for v, w in zip(self._one, self._other, strict=True):
            for visit in (v, w) if w >= 0 else (v,):
                able = self._able[:, visit].copy()
                if visit == w and self._apart[self._job[v]]:
                    able[self._who[v]] = False
                    if not able.any():
                        raise Unfit(f"{self._problem.visits[w].id} needs a second engineer, and there is none")
                row = int(np.flatnonzero(able)[np.argmin(load[able])])
                self._who[visit] = row
                load[row] += 1

    def _cost_of(self, order: Any, who: Any) -> int:
        asked = self._one, self._other, self._least, self._most
        reckoned = _plain if self._state.plain else _cost
        return int(reckoned(self._g, self._state, order, *asked, who, self._worst, self._hard))

    @property
    def cost(self) -> int:
        return int(self._numbers[1])

    @property
    def plan(self) -> Plan:
        self._cost_of(self._best_order, self._best_who)
        before: list[dict[int, list[int]]] = [{int(v): [] for v in (*rests, HOME)} for rests in self._state.rests]
        for row, engineer in enumerate(self._problem.engineers):
            for k in range(len(engineer.breaks)):
                before[row][int(self._state.rests[row, k])].append(FIRST_BREAK - k)
        routes: list[list[int]] = [[] for _ in self._problem.engineers]
        for job in self._best_order:
            for v in (int(self._one[job]), int(self._other[job])):
                if v >= 0:
                    row = self._best_who[v]
                    routes[row] += [*before[row].get(v, ()), v]
        return Plan([(*route, *before[row][HOME]) for row, route in enumerate(routes)])

    def run(self, seconds: float, *, hot: float, cold: float, clock: Callable[[], float] = time.monotonic) -> int:
        """Anneals from `hot` to `cold`, in units of cost, within the time; returns how many moves that were."""
        begin, steps, chunk = clock(), 0, 200
        while (gone := clock() - begin) < seconds:
            heat = hot * (cold / hot) ** (gone / seconds)
            annealed(
                self._g,
                self._state,
                self._order,
                self._where,
                self._one,
                self._other,
                self._least,
                self._most,
                self._who,
                self._job,
                self._worst,
                self._hard,
                self._able,
                self._count,
                self._apart,
                self._best_order,
                self._best_who,
                self._numbers,
                heat,
                chunk,
            )
            steps += chunk
            took = clock() - begin - gone
            chunk = max(50, min(100_000, int(chunk * 0.03 / max(took, 0.0005))))
        return steps


def _state(problem: Problem, g: Given) -> State:
    rows, visits = len(problem.engineers), len(problem.visits)
    lock_row, lock_turn = np.full(visits, -1, np.int64), np.zeros(visits, np.int64)
    for row, engineer in enumerate(problem.engineers):
        for turn, i in enumerate(engineer.locked):
            lock_row[i], lock_turn[i] = row, turn
    ready, here, first, rested, count = (np.zeros(rows, np.int64) for _ in range(5))
    left, rests = np.zeros(g.stock.shape, np.int64), np.zeros(g.breaks.shape[:2], np.int64)
    broken, worst = np.zeros(1, np.int64), np.zeros(1, np.int64)
    return State(
        ready, here, first, rested, count, left, rests, broken, worst, lock_row, lock_turn, _is_plain(problem, g)
    )


def _is_plain(problem: Problem, g: Given) -> bool:
    of_engineers = any(
        one.breaks or one.locked or one.most is not None or one.longest is not None or one.start != one.end
        for one in problem.engineers
    )
    of_visits = any(one.also or one.urgency != 1 for one in problem.visits) or bool(g.odd.any())
    together = any(not link.apart for link in problem.links)
    weights = problem.weights
    return not (of_engineers or of_visits or together or weights.late_doubles or weights.route or weights.overtime)
