"""
Teams of a day, built in an order: each piece of work goes to the first day on which a team can be made for it.

On that day it goes to the team that can begin first, where each engineer who must join costs some time of waiting; a
new team is a team that all must join. What is annealed is the order, what is left to others, and that cost.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from dispatcher.planning.engines.ruin import seeded
from dispatcher.planning.teams import Team, TeamPlan, TeamProblem

JOINING: Final = np.array([0, 3, 8, 15, 30, 60, 120], np.int64)
"""Costs of one who joins, in units of time, of which one is tried at a time."""

FINE: Final = 1000
"""A unit of the objective; smaller is when things end that are not the last."""


@njit(cache=True)
def _joined(levels, free, short, d, n, taken):  # type: ignore[no-untyped-def]
    """Who joins so that nothing is short, the fewest greedily; -1 where it cannot be. Changes `short`."""
    count = 0
    missing = 0
    for i in range(d * n):
        missing += max(0, short[i])
    while missing > 0:
        best, who, waste = 0, -1, 0
        for t in range(len(free)):
            if not free[t]:
                continue
            gain, extra = 0, 0
            for domain in range(d):
                for level in range(levels[t, domain]):
                    if short[domain * n + level] > 0:
                        gain += 1
                    else:
                        extra += 1
            if gain > best or (gain == best and gain > 0 and extra < waste):
                best, who, waste = gain, t, extra
        if who < 0:
            for i in range(count):
                free[taken[i]] = True
            return -1
        free[who] = False
        taken[count] = who
        count += 1
        for domain in range(d):
            for level in range(levels[who, domain]):
                if short[domain * n + level] > 0:
                    missing -= 1
                short[domain * n + level] -= 1
    for i in range(count):
        free[taken[i]] = True
    return count


@njit(cache=True)
def _placed(  # type: ignore[no-untyped-def]
    i, release, joining, day_length, away, levels, need, lasts, d, n, days, free, ends, has, teams,
    day_of, team_of, begins, member_of, taken, best_taken, short,
):  # fmt: skip
    """Puts work `i` where it begins first; returns when it ends. `days` is [how many days are in use]."""
    day = release // day_length
    while True:
        while day >= days[0]:
            fresh = days[0]
            for t in range(len(levels)):
                free[fresh, t] = not away[t, fresh]
                member_of[fresh, t] = -1
            teams[fresh] = 0
            days[0] += 1
        floor = max(release - day * day_length, 0)
        best, where, count = 1 << 60, -1, 0
        for team in range(teams[day] + 1):
            new = team == teams[day]
            begin = floor if new else max(floor, ends[day, team])
            if begin + lasts[i] > day_length or begin >= best:
                continue
            for k in range(d * n):
                short[k] = need[i, k] - (0 if new else has[day, team, k])
            joins = _joined(levels, free[day], short, d, n, taken)
            if joins < 0:
                continue
            score = begin + joining * joins
            if score < best:
                best, where, count = score, team, joins
                for j in range(joins):
                    best_taken[j] = taken[j]
        if where >= 0:
            break
        day += 1
    if where == teams[day]:
        teams[day] += 1
        ends[day, where] = 0
        for k in range(d * n):
            has[day, where, k] = 0
    for j in range(count):
        t = best_taken[j]
        free[day, t] = False
        member_of[day, t] = where
        for domain in range(d):
            for level in range(levels[t, domain]):
                has[day, where, domain * n + level] += 1
    begin = max(floor, ends[day, where])
    ends[day, where] = begin + lasts[i]
    day_of[i], team_of[i], begins[i] = day, where, day * day_length + begin
    return day * day_length + begin + lasts[i]


@njit(cache=True)
def _built(order, out, joining, w, s):  # type: ignore[no-untyped-def]
    """The cost of what the order builds: the objective, and behind it when things end at all."""
    m = len(order)
    s.days[0] = 0
    for i in range(m):
        s.waits[i] = 0
        s.asked[i] = False
        s.release[i] = 0
        for j in range(w.first_of[i], w.first_of[i + 1]):
            if not out[w.after[j]]:
                s.waits[i] += 1
    t1, t2, t3, t4, small = 0, 0, 0, 0, 0
    top = 0
    for position in order:
        if out[position]:
            continue
        s.asked[position] = True
        if s.waits[position] > 0:
            continue
        s.stack[0] = position
        top = 1
        while top > 0:
            top -= 1
            i = s.stack[top]
            end = _placed(
                i, s.release[i], joining, w.day, w.away, w.levels, w.need, w.lasts, w.domains, w.ranks, s.days,
                s.free, s.ends, s.has, s.teams, s.day_of, s.team_of, s.begins, s.member_of, s.taken, s.best, s.short,
            )  # fmt: skip
            priority = w.priority[i]
            if priority == 1:
                t1 = max(t1, end)
            elif priority == 2:
                t2 = max(t2, end)
            elif priority == 3:
                t3 = max(t3, end)
            t4 = max(t4, end)
            small += w.weights[priority - 1] * end
            for j in range(w.next_of[i], w.next_of[i + 1]):
                k = w.before[j]
                s.release[k] = max(s.release[k], end)
                s.waits[k] -= 1
                if s.waits[k] == 0 and s.asked[k] and not out[k]:
                    s.stack[top] = k
                    top += 1
    objective = w.weights[0] * t1 + w.weights[1] * t2 + w.weights[2] * t3 + w.weights[3] * t4
    return objective * FINE + small * FINE // (10 * max(1, m))


@njit(cache=True)
def _spends(out, price):  # type: ignore[no-untyped-def]
    total = 0
    for i in range(len(out)):
        if out[i]:
            total += price[i]
    return total


@njit(cache=True)
def annealed(order, out, numbers, best_order, best_out, heat, steps, joinings, w, s):  # type: ignore[no-untyped-def]
    """`numbers` is the present cost, the best, and which cost of joining each has."""
    m = len(order)
    kept_out = out.copy()
    kept = order.copy()
    for _ in range(steps):
        joining = numbers[2]
        kind = np.random.random()
        for i in range(m):
            kept[i], kept_out[i] = order[i], out[i]
        a, b = np.random.randint(m), np.random.randint(m)
        if kind < 0.45:
            i = order[a]
            step = 1 if b > a else -1
            while a != b:
                order[a] = order[a + step]
                a += step
            order[b] = i
        elif kind < 0.87:
            order[a], order[b] = order[b], order[a]
        elif kind < 0.9 or w.budget == 0:
            joining = np.random.randint(len(joinings))
        else:
            # Somebody else does it, and all that comes after it; or it is ours again, with all that comes before.
            i = order[a]
            s.stack[0] = i
            top = 1
            target = not out[i]
            out[i] = target
            while top > 0:
                top -= 1
                j = s.stack[top]
                low, high = (w.next_of[j], w.next_of[j + 1]) if target else (w.first_of[j], w.first_of[j + 1])
                for e in range(low, high):
                    k = w.before[e] if target else w.after[e]
                    if out[k] != target:
                        out[k] = target
                        s.stack[top] = k
                        top += 1
            if target:
                # Others come back until it can be paid.
                tries = 0
                while _spends(out, w.price) > w.budget and tries < 50:
                    tries += 1
                    k = np.random.randint(m)
                    if out[k] and k != i:
                        ours = True
                        for e in range(w.first_of[k], w.first_of[k + 1]):
                            if out[w.after[e]]:
                                ours = False
                        if ours:
                            out[k] = False
            if _spends(out, w.price) > w.budget:
                for i in range(m):
                    out[i] = kept_out[i]
                continue
        cost = _built(order, out, joinings[joining], w, s)
        if cost <= numbers[0] or cost < numbers[0] - heat * math.log(np.random.random()):
            numbers[0], numbers[2] = cost, joining
            if cost < numbers[1]:
                numbers[1], numbers[3] = cost, joining
                for i in range(m):
                    best_order[i], best_out[i] = order[i], out[i]
        else:
            for i in range(m):
                order[i], out[i] = kept[i], kept_out[i]


class _Given(NamedTuple):
    """A problem as arrays: T engineers, M pieces of work, needs as [domain x level]."""

    levels: Any
    away: Any
    need: Any
    lasts: Any
    priority: Any
    price: Any
    first_of: Any
    after: Any
    """What comes before work i is after[first_of[i]:first_of[i + 1]]."""
    next_of: Any
    before: Any
    """What comes after it, likewise."""
    weights: Any
    domains: int
    ranks: int
    day: int
    budget: int


class _Room(NamedTuple):
    """Where teams are built, again and again."""

    days: Any
    free: Any
    ends: Any
    has: Any
    teams: Any
    member_of: Any
    day_of: Any
    team_of: Any
    begins: Any
    taken: Any
    best: Any
    short: Any
    waits: Any
    asked: Any
    release: Any
    stack: Any


def _listed(lists: Sequence[Sequence[int]]) -> tuple[Any, Any]:
    ends = np.cumsum([0, *(len(one) for one in lists)])
    return ends.astype(np.int64), np.array([i for one in lists for i in one], np.int64)


def _given(problem: TeamProblem) -> _Given:
    work, members = problem.work, problem.members
    first_of, after = _listed([one.after for one in work])
    next_of, before = _listed([[j for j, other in enumerate(work) if i in other.after] for i in range(len(work))])
    away = np.zeros((len(members), _most_days(problem)), np.bool_)
    for t, member in enumerate(members):
        for day in member.away:
            if day <= away.shape[1]:
                away[t, day - 1] = True
    domains, ranks = len(work[0].needs), len(work[0].needs[0])
    return _Given(
        levels=np.array([member.levels for member in members], np.int64),
        away=away,
        need=np.array([[n for counts in one.needs for n in counts] for one in work], np.int64),
        lasts=np.array([one.duration for one in work], np.int64),
        priority=np.array([one.priority for one in work], np.int64),
        price=np.array([one.price for one in work], np.int64),
        first_of=first_of,
        after=after,
        next_of=next_of,
        before=before,
        weights=np.array(problem.weights, np.int64),
        domains=domains,
        ranks=ranks,
        day=problem.day,
        budget=problem.budget,
    )


def _most_days(problem: TeamProblem) -> int:
    """One piece of work a day, when everybody is back from where they are away."""
    return len(problem.work) + max((day for member in problem.members for day in member.away), default=0) + 1


def _room(problem: TeamProblem) -> _Room:
    days, t, m = _most_days(problem), len(problem.members), len(problem.work)
    needs = len(problem.work[0].needs) * len(problem.work[0].needs[0])

    def ints(*shape: int) -> Any:
        return np.zeros(shape, np.int64)

    return _Room(
        days=ints(1),
        free=np.zeros((days, t), np.bool_),
        ends=ints(days, t + 1),
        has=ints(days, t + 1, needs),
        teams=ints(days),
        member_of=ints(days, t),
        day_of=ints(m),
        team_of=ints(m),
        begins=ints(m),
        taken=ints(t),
        best=ints(t),
        short=ints(needs),
        waits=ints(m),
        asked=np.zeros(m, np.bool_),
        release=ints(m),
        stack=ints(m + 1),
    )


class TeamDays:
    """Annealing of the order in which teams are made for work."""

    def __init__(self, problem: TeamProblem, seed: int) -> None:
        self._problem = problem
        seeded(seed)
        self._w, self._s = _given(problem), _room(problem)
        m = len(problem.work)
        order = sorted(range(m), key=lambda i: (problem.work[i].priority, -problem.work[i].duration))
        self._order, self._out = np.array(order, np.int64), np.zeros(m, np.bool_)
        self._best_order, self._best_out = self._order.copy(), self._out.copy()
        costs = [int(_built(self._order, self._out, joining, self._w, self._s)) for joining in JOINING]
        chosen = int(np.argmin(costs))
        self._numbers = np.array([costs[chosen], costs[chosen], chosen, chosen], np.int64)

    @property
    def cost(self) -> int:
        return int(self._numbers[1])

    @property
    def plan(self) -> TeamPlan:
        _built(self._best_order, self._best_out, JOINING[self._numbers[3]], self._w, self._s)
        s, teams = self._s, []
        for day in range(int(s.days[0])):
            for team in range(int(s.teams[day])):
                members = tuple(int(t) for t in np.flatnonzero(s.member_of[day] == team))
                mine = [
                    i
                    for i in range(len(self._problem.work))
                    if not self._best_out[i] and s.day_of[i] == day and s.team_of[i] == team
                ]
                work = tuple((i, int(s.begins[i])) for i in sorted(mine, key=lambda i: s.begins[i]))
                if work:
                    teams.append(Team(day + 1, members, work))
        return TeamPlan(teams)

    def run(self, seconds: float, *, hot: float, cold: float, clock: Callable[[], float] = time.monotonic) -> int:
        """Anneals from `hot` to `cold`, in units of the objective; returns how many orders were built."""
        begin, steps, chunk = clock(), 0, 10
        while (gone := clock() - begin) < seconds:
            heat = FINE * hot * (cold / hot) ** (gone / seconds)
            annealed(
                self._order, self._out, self._numbers, self._best_order, self._best_out, heat, chunk, JOINING,
                self._w, self._s,
            )  # fmt: skip
            steps += chunk
            took = clock() - begin - gone
            chunk = max(1, min(10_000, int(chunk * 0.05 / max(took, 0.0005))))
        return steps
