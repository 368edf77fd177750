"""
Ruin and recreate: strings of neighbouring visits are taken out of routes and put back where they are cheapest.

After Christiaens and Vanden Berghe 2020 (Slack induction by string removals, Transportation Science 54(2)): which
strings, the orders of putting back, and blinks are theirs; acceptance is simulated annealing over the time given.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numba import njit

from dispatcher.planning.engines.clock import CODE, NEVER, whole
from dispatcher.planning.engines.given import Given
from dispatcher.planning.engines.routes import cheapest, empty_routes, put, rebuilt, settled
from dispatcher.planning.model import CALL, Plan

REMOVED: Final = 10
"""Visits taken out each time, on the average."""

STRING: Final = 10
"""The longest string."""

BLINK: Final = 0.01

LONG_ABSENT: Final = 20.0
"""So many of the visits that are left out are tried again in each step, on the average."""


@njit(cache=True)
def best_place(g, s, v, blink, tried, stamp):  # type: ignore[no-untyped-def]
    """(cost, row, at, call) of the cheapest place; of engineers of one kind who stay at home, one is tried."""
    best, row, at, call = g.prize[v], -1, -1, -1
    # Who would first have to call at the depot is mostly too dear, which is found out sooner when the others are known.
    for first in (True, False):
        for r in range(len(g.start)):
            if not g.fit[r, v] or (g.own[r, v] or s.call[r] >= 0) != first:
                continue
            if s.n[r] == 0:
                if tried[g.kind[r]] == stamp:
                    continue
                tried[g.kind[r]] = stamp
            cost, i, c = cheapest(g, s, r, v, best, blink)
            if i >= 0:
                best, row, at, call = cost, r, i, c
    return best, row, at, call


@njit(cache=True)
def _order(g, absent, n, how, hardness):  # type: ignore[no-untyped-def]
    keys = np.empty(n, np.float64)
    for i in range(n):
        v = absent[i]
        if how < 4:
            keys[i] = np.random.random()
        elif how < 6:
            keys[i] = hardness[v]
        elif how < 8:
            keys[i] = -g.need[v, 0] if g.need.shape[1] else np.random.random()
        elif how < 10:
            keys[i] = -g.seconds[g.start[0], g.place[v]]
        elif how < 11:
            keys[i] = g.seconds[g.start[0], g.place[v]]
        elif how < 13:
            keys[i] = g.closes[v] - g.opens[v]
        elif how < 15:
            keys[i] = g.opens[v]
        elif how < 17:
            keys[i] = -g.closes[v]
        else:
            keys[i] = -g.prize[v]
    return np.argsort(keys)


@njit(cache=True)
def seeded(seed):  # type: ignore[no-untyped-def]
    np.random.seed(seed)


@njit(cache=True)
def taken_out(g, s, where, row, at, n, absent, count):  # type: ignore[no-untyped-def]
    """`n` visits of the route from `at` on become absent; more follow where what is left is no longer in time."""
    for i in range(at, at + n):
        v = s.visits[row, i]
        absent[count] = v
        where[v] = -1
        count += 1
    total = s.n[row]
    if s.call[row] >= at + n:
        s.call[row] -= n
    elif s.call[row] > at:
        s.call[row] = at
    for i in range(at + n, total):
        s.visits[row, i - n] = s.visits[row, i]
    s.n[row] = total - n
    return count


@njit(cache=True)
def inserted(g, s, where, absent, count, how, blink, hardness, tried, stamps):  # type: ignore[no-untyped-def]
    """Puts back what can be; returns how many are absent still and what they cost."""
    order = _order(g, absent, count, how, hardness)
    still = 0
    left = np.empty(count, np.int32)
    cost = 0
    for i in order:
        v = absent[i]
        stamps[0] += 1
        _, row, at, call = best_place(g, s, v, blink, tried, stamps[0])
        if row >= 0:
            put(g, s, row, v, at, call)
            where[v] = row
        else:
            left[still] = v
            still += 1
            cost += g.prize[v]
    for i in range(still):
        absent[i] = left[i]
    return still, cost


@njit(cache=True)
def _copied(a, b, row):  # type: ignore[no-untyped-def]
    n = a.n[row]
    b.n[row] = n
    b.call[row] = a.call[row]
    b.cost[row] = a.cost[row]
    for i in range(n):
        b.visits[row, i] = a.visits[row, i]


@njit(cache=True)
def total(s):  # type: ignore[no-untyped-def]
    return s.cost.sum()


@njit(cache=True)
def improved(g, s, kept, best, where, absent, numbers, heat, steps, removed, hardness, tried, stamps):  # type: ignore[no-untyped-def]
    """
    `steps` times ruin and recreate; `numbers` is absent, cost, best cost, absent in the best.

    `s` is the present solution; `kept` holds what a route was before the step; `best` the best so far.
    """
    m, rows = len(g.place), len(g.start)
    touched = np.zeros(rows, np.bool_)
    list_of = np.empty(rows, np.int64)
    before_absent = np.empty(m, np.int32)
    for _ in range(steps):
        served = m - numbers[0]
        routes = 0
        for r in range(rows):
            if s.n[r] > 0:
                routes += 1
        if routes == 0:
            return
        mean = served / routes
        string = min(float(STRING), mean)
        strings = int(np.random.random() * (4.0 * removed / (1.0 + string) - 1.0) + 1.0)
        count = numbers[0]
        for i in range(count):
            before_absent[i] = absent[i]
        before_count = count
        marks = 0
        seed = np.random.randint(m)
        done = 0
        broken = False
        for j in range(-1, g.near.shape[1]):
            c = seed if j < 0 else g.near[seed, j]
            r = where[c]
            if r < 0 or touched[r]:
                continue
            n, locked = s.n[r], g.locked[r]
            at = -1
            for i in range(locked, n):
                if s.visits[r, i] == c:
                    at = i
                    break
            if at < 0:
                continue
            touched[r] = True
            list_of[marks] = r
            marks += 1
            _copied(s, kept, r)
            longest = min(float(n - locked), string)
            size = int(np.random.random() * longest + 1.0)
            size = min(size, n - locked)
            if size > 1 and size < n - locked and np.random.random() < 0.5:
                # A string of which some in the middle stay.
                stay = 1
                while size + stay < n - locked and np.random.random() > 0.99:
                    stay += 1
                low = max(locked, at - size - stay + 1)
                high = min(at, n - size - stay)
                if low <= high:
                    begin = low + np.random.randint(high - low + 1)
                    cut = np.random.randint(size + 1)
                    second = size - cut
                    if second:
                        count = taken_out(g, s, where, r, begin + cut + stay, second, absent, count)
                    if cut:
                        count = taken_out(g, s, where, r, begin, cut, absent, count)
            else:
                low = max(locked, at - size + 1)
                high = min(at, n - size)
                begin = low + np.random.randint(high - low + 1)
                count = taken_out(g, s, where, r, begin, size, absent, count)
            late = settled(g, s, r)
            while late >= 0 and s.n[r] > locked:
                count = taken_out(g, s, where, r, max(late, locked), 1, absent, count)
                late = settled(g, s, r)
            broken = broken or late >= 0
            done += 1
            if done >= strings:
                break
        # Routes that are touched by putting back are kept as well.
        count, left = _put_back(
            g, s, kept, where, absent, count, before_count, touched, list_of, marks, hardness, tried, stamps
        )
        marks = stamps[1]
        cost = total(s) + left
        if not broken and cost < numbers[1] - heat * math.log(np.random.random()):
            numbers[0], numbers[1] = count, cost
            if cost < numbers[2]:
                numbers[2], numbers[3] = cost, count
                for r in range(rows):
                    _copied(s, best, r)
        else:
            for i in range(marks):
                r = list_of[i]
                for k in range(s.n[r]):
                    where[s.visits[r, k]] = -1
            for i in range(count):
                where[absent[i]] = -1
            for i in range(marks):
                r = list_of[i]
                _copied(kept, s, r)
                rebuilt(g, s, r)
                for k in range(s.n[r]):
                    where[s.visits[r, k]] = r
            for i in range(before_count):
                absent[i] = before_absent[i]
        for i in range(marks):
            touched[list_of[i]] = False


@njit(cache=True)
def _put_back(  # type: ignore[no-untyped-def]
    g, s, kept, where, absent, count, before, touched, list_of, marks, hardness, tried, stamps
):
    """
    Puts back what can be; returns how many are absent still and what they cost. `stamps[1]` is how many routes changed.

    Of the first `before`, which were absent already, about LONG_ABSENT are tried.
    """
    order = _order(g, absent, count, np.random.randint(18), hardness)
    left = np.empty(count, np.int32)
    still, cost = 0, 0
    chance = LONG_ABSENT / max(1, before)
    for i in order:
        v = absent[i]
        row, at, call = -1, -1, -1
        if i >= before or np.random.random() < chance:
            stamps[0] += 1
            _, row, at, call = best_place(g, s, v, BLINK, tried, stamps[0])
        if row < 0:
            left[still] = v
            still += 1
            cost += g.prize[v]
            continue
        if not touched[row]:
            touched[row] = True
            list_of[marks] = row
            marks += 1
            _copied(s, kept, row)
        put(g, s, row, v, at, call)
        where[v] = row
    for i in range(still):
        absent[i] = left[i]
    stamps[1] = marks
    return still, cost


def plan_of(given: Given, s: Any) -> Plan:
    routes = []
    for row in range(len(s.n)):
        stops = [int(v) for v in s.visits[row, : s.n[row]]]
        if stops and not given.plain:
            whole(given, s, row, -1, 0, int(s.call[row]))
            stops = [int(code) for code in s.lay[CODE, : s.lay_n[0]]]
        elif s.call[row] >= 0:
            stops.insert(int(s.call[row]), CALL)
        routes.append(tuple(stops))
    return Plan(routes)


class Search:
    """Ruin and recreate on one problem, for as long as one wants."""

    def __init__(self, given: Given, seed: int, begin: Plan | None = None) -> None:
        self.given = given
        m = len(given.place)
        self._hardness = given.fit.sum(axis=0).astype(np.float64) + np.linspace(0, 0.5, m)
        self._tried, self._stamps = np.zeros(len(given.start), np.int64), np.zeros(2, np.int64)
        self._s, self._kept, self._best = (empty_routes(given, m) for _ in range(3))
        self._where, self._absent = np.full(m, -1, np.int64), np.empty(m, np.int32)
        seeded(seed)
        placed: set[int] = set()
        for row in range(len(given.start)):
            route = begin.routes[row] if begin else ()
            route = tuple(stop for stop in route if stop >= CALL)
            visits = [stop for stop in route if stop != CALL]
            self._s.visits[row, : len(visits)] = visits
            self._s.n[row] = len(visits)
            self._s.call[row] = route.index(CALL) if CALL in route else -1
            self._where[visits] = row
            placed.update(visits)
            if rebuilt(given, self._s, row) >= 0:
                raise ValueError("the plan to begin with is not in time")
        absent = [v for v in range(m) if v not in placed]
        self._absent[: len(absent)] = absent
        # What is not worth a way of its own may be worth one with its neighbours: first all are put in.
        at_any_price = given._replace(prize=np.full(m, NEVER >> 1))
        count, _ = inserted(
            at_any_price,
            self._s,
            self._where,
            self._absent,
            len(absent),
            15,
            0.0,
            self._hardness,
            self._tried,
            self._stamps,
        )
        cost = total(self._s) + int(given.prize[self._absent[:count]].sum())
        self._numbers = np.array([count, cost, cost, count], np.int64)
        for row in range(len(given.start)):
            _copied(self._s, self._best, row)

    @property
    def cost(self) -> int:
        return int(self._numbers[2])

    @property
    def plan(self) -> Plan:
        return plan_of(self.given, self._best)

    def run(self, seconds: float, *, hot: float, cold: float, clock: Callable[[], float] = time.monotonic) -> int:
        """Anneals from `hot` to `cold`, in units of cost, within the time; returns how many steps that were."""
        begin, steps, chunk = clock(), 0, 20
        while (gone := clock() - begin) < seconds:
            heat = hot * (cold / hot) ** (gone / seconds)
            improved(
                self.given,
                self._s,
                self._kept,
                self._best,
                self._where,
                self._absent,
                self._numbers,
                heat,
                chunk,
                float(REMOVED),
                self._hardness,
                self._tried,
                self._stamps,
            )
            steps += chunk
            took = clock() - begin - gone
            chunk = max(1, min(2000, int(chunk * 0.03 / max(took, 0.001))))
        return steps

    @property
    def scale(self) -> float:
        """The mean cost of a visit that is served: what temperatures are measured by."""
        served = max(1, len(self.given.place) - int(self._numbers[0]))
        return float(total(self._s)) / served
