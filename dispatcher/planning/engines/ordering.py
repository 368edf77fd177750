"""
One ordering of the day: for visits that wait for one another, or that may be late.

All visits, those that are linked as one job, stand in one order, and each has its engineer; every engineer takes hers
in that order, as early as she can. Whatever the order, nobody waits in a circle, so that each ordering is a plan. It is
annealed by moves of a job next to a neighbour, into the neighbour's route, and by changes of engineers (the state of
Ceschia, Di Gaspero, Mazzaracchio, Policante, Schaerf 2024).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit

from dispatcher.planning.engines.given import FAR, Given, given
from dispatcher.planning.engines.ruin import seeded
from dispatcher.planning.model import Plan, Problem, Unfit

HARD: Final = 100
"""What a unit of a broken window, shift or part costs, in units of the dearest weight."""


@njit(cache=True)
def _cost(g, order, one, other, least, most, who, due, weights, hard, ready, here, left):  # type: ignore[no-untyped-def]
    """Of the ordering; `weights` is distance, lateness, worst lateness."""
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
            over = max(0, then - due[w])
            late += over
            worst = max(worst, over)
            broken += max(0, then - g.closes[w])
            for k in range(left.shape[1]):
                left[second, k] -= g.need[w, k]
                broken += max(0, -left[second, k])
        ready[row] = begin + g.lasts[v]
        here[row] = place
        over = max(0, begin - due[v])
        late += over
        worst = max(worst, over)
        broken += max(0, begin - g.closes[v])
        for k in range(left.shape[1]):
            left[row, k] -= g.need[v, k]
            broken += max(0, -left[row, k])
    for row in range(len(ready)):
        way += g.metres[here[row], g.end[row]]
        broken += max(0, ready[row] + g.seconds[here[row], g.end[row]] - g.late[row])
    return weights[0] * way + weights[1] * late + weights[2] * worst + hard * broken


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
    g, order, where, one, other, least, most, who, job_of, due, weights, hard, able, count, apart,
    best_order, best_who, numbers, heat, steps, ready, here, left,
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
            row = np.random.randint(len(ready))
            while not able[row, part]:
                row = np.random.randint(len(ready))
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
        new = _cost(g, order, one, other, least, most, who, due, weights, hard, ready, here, left)
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
        firsts.sort(key=lambda i: problem.visits[i].window[0])
        links = [linked.get(i) for i in firsts]
        self._one = np.array(firsts, np.int64)
        self._other = np.array([link.second if link else -1 for link in links], np.int64)
        self._least = np.array([link.least if link else 0 for link in links], np.int64)
        self._most = np.array([FAR if link is None or link.most is None else link.most for link in links], np.int64)
        self._apart = np.array([bool(link and link.apart) for link in links])
        self._able = g.fit & g.own
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
        self._weights = np.array([weights.distance, weights.lateness, weights.worst_lateness], np.int64)
        self._hard = HARD * int(self._weights.max())
        self._due = np.array([FAR if visit.due is None else visit.due for visit in problem.visits], np.int64)
        rows = len(problem.engineers)
        self._ready, self._here = np.zeros(rows, np.int64), np.zeros(rows, np.int64)
        self._left = np.zeros((rows, g.need.shape[1]), np.int64)
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
        load = chance.random(len(self._ready))
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
        return int(
            _cost(
                self._g,
                order,
                self._one,
                self._other,
                self._least,
                self._most,
                who,
                self._due,
                self._weights,
                self._hard,
                self._ready,
                self._here,
                self._left,
            )
        )

    @property
    def cost(self) -> int:
        return int(self._numbers[1])

    @property
    def plan(self) -> Plan:
        routes: list[list[int]] = [[] for _ in self._problem.engineers]
        for job in self._best_order:
            v, w = int(self._one[job]), int(self._other[job])
            routes[self._best_who[v]].append(v)
            if w >= 0:
                routes[self._best_who[w]].append(w)
        return Plan([tuple(route) for route in routes])

    def run(self, seconds: float, *, hot: float, cold: float, clock: Callable[[], float] = time.monotonic) -> int:
        """Anneals from `hot` to `cold`, in units of cost, within the time; returns how many moves that were."""
        begin, steps, chunk = clock(), 0, 200
        while (gone := clock() - begin) < seconds:
            heat = hot * (cold / hot) ** (gone / seconds)
            annealed(
                self._g,
                self._order,
                self._where,
                self._one,
                self._other,
                self._least,
                self._most,
                self._who,
                self._job,
                self._due,
                self._weights,
                self._hard,
                self._able,
                self._count,
                self._apart,
                self._best_order,
                self._best_who,
                self._numbers,
                heat,
                chunk,
                self._ready,
                self._here,
                self._left,
            )
            steps += chunk
            took = clock() - begin - gone
            chunk = max(50, min(100_000, int(chunk * 0.03 / max(took, 0.0005))))
        return steps
