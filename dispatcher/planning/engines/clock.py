"""
A whole route on the clock, for what segments cannot say: breaks, several windows, lateness, balance, what was told.

It reckons as `check` does: as early as can be, then the latest departure that returns no later. Where breaks lie is
chosen here: each where it costs no time or where it must be, or as early as it may; the cheaper of the two.
"""

from __future__ import annotations

from typing import Final

from numba import njit

from dispatcher.planning.engines.given import FAR
from dispatcher.planning.model import CALL, FIRST_BREAK

NEVER: Final = FAR

CODE: Final = 0
PLACE: Final = 1
BEGIN: Final = 2
LASTS: Final = 3
"""Rows of `Routes.lay`."""


@njit(cache=True)
def _opened(g, v, at):  # type: ignore[no-untyped-def]
    """When the visit begins of whoever is there at `at`; -1: never."""
    for k in range(g.window_count[v]):
        if at <= g.windows[v, k, 1]:
            return max(at, g.windows[v, k, 0])
    return -1


@njit(cache=True)
def _shut(g, v, at, begin):  # type: ignore[no-untyped-def]
    """The latest instant up to `at` at which it may begin, `begin` being one."""
    found = begin
    for k in range(g.window_count[v]):
        if g.windows[v, k, 0] <= at:
            found = max(found, min(at, g.windows[v, k, 1]))
    return found


@njit(cache=True)
def laid(g, s, row, v, at, call, eager):  # type: ignore[no-untyped-def]
    """
    (cost, -1) of the route with `v` before visit `at` (v = -1: without) and the call before visit `call`.

    `s.lay` and `s.lay_n` have its stops then. (NEVER, i): visit i or what follows it is too late.
    """
    lay = s.lay
    total = s.n[row] + (1 if v >= 0 else 0)
    now, here, way_m, way_s = g.early[row], g.start[row], 0, 0
    count, home, i, k = 0, -1, 0, 0
    called = call < 0
    while True:
        if not called and i == call:
            w, place, lasts = CALL, g.depot, 0
        elif i < total:
            if v >= 0 and i == at:
                w = v
            elif v >= 0 and i > at:
                w = s.visits[row, i - 1]
            else:
                w = s.visits[row, i]
            place, lasts = g.place[w], g.lasts[w]
        else:
            w, place, lasts = -9, g.end[row], 0
        way = g.seconds[here, place]
        while True:
            begin = now + way if w < 0 else _opened(g, w, now + way)
            if begin < 0:
                return NEVER, max(0, min(i, total - 1))
            if k >= g.break_count[row]:
                break
            opens, closes, long = g.breaks[row, k, 0], g.breaks[row, k, 1], g.breaks[row, k, 2]
            rest = max(now, opens)
            if begin + lasts <= closes:
                then = rest + long + way
                if w >= 0:
                    then = _opened(g, w, then)
                if not (rest <= closes and (then == begin or (eager and now >= opens))):
                    break
            elif rest > closes:
                return NEVER, max(0, min(i, total - 1))
            lay[CODE, count], lay[PLACE, count], lay[BEGIN, count], lay[LASTS, count] = (
                FIRST_BREAK - k,
                here,
                rest,
                long,
            )
            count += 1
            k += 1
            now = rest + long
        way_s += way
        way_m += g.metres[here, place]
        if w == -9:
            break
        if home < 0:
            home = count
        lay[CODE, count], lay[PLACE, count], lay[BEGIN, count], lay[LASTS, count] = w, place, begin, lasts
        count += 1
        now, here = begin + lasts, place
        if w >= 0:
            i += 1
        else:
            called = True
    s.lay_n[0] = count
    back = begin
    if back > g.late[row]:
        return NEVER, total - 1
    latest, after = back, g.end[row]
    for j in range(count - 1, home - 1, -1):
        latest -= lay[LASTS, j] + g.seconds[lay[PLACE, j], after]
        after = lay[PLACE, j]
        w = lay[CODE, j]
        if w >= 0:
            if g.due[w] < FAR:
                latest = min(latest, max(g.due[w], lay[BEGIN, j]))
            latest = _shut(g, w, latest, lay[BEGIN, j])
        elif w <= FIRST_BREAK:
            latest = min(latest, g.breaks[row, FIRST_BREAK - w, 1])
    ready = lay[BEGIN, home - 1] + lay[LASTS, home - 1] if home > 0 else g.early[row]
    departure = max(latest - g.seconds[g.start[row], lay[PLACE, home]], ready)
    departure = min(departure, max(g.leave[row], g.early[row]))
    now, here, cost, idle = departure, g.start[row], 0, back - departure - way_s
    for j in range(home if departure >= ready else 0, count):
        place, w = lay[PLACE, j], lay[CODE, j]
        now += g.seconds[here, place]
        if w >= 0:
            now = _opened(g, w, now)
            late = max(0, now - g.due[w])
            if late:
                more = late * late // g.late_doubles if g.late_doubles else 0
                cost += g.lateness * g.urgency[w] * (late + more)
            if g.told_row[w] != -1 and (g.told_row[w] != row or abs(now - g.told_at[w]) > g.change_within):
                cost += g.change
            cost += g.odd[row, w]
        elif w <= FIRST_BREAK:
            now = max(now, g.breaks[row, FIRST_BREAK - w, 0])
        idle -= lay[LASTS, j]
        lay[BEGIN, j] = now
        now += lay[LASTS, j]
        here = place
    long = back - departure
    if long > g.longest[row]:
        return NEVER, total - 1
    for j in range(k, g.break_count[row]):
        if departure < g.breaks[row, j, 0] + g.breaks[row, j, 2] and back > g.breaks[row, j, 1]:
            return NEVER, total - 1
    cost += g.route + g.distance * way_m + g.duration * long + g.overtime * max(0, back - g.shift_end[row])
    cost += g.waiting * idle + g.balance * (long * long // max(1, g.shift_end[row] - g.early[row]))
    return cost, -1


@njit(cache=True)
def whole(g, s, row, v, at, call):  # type: ignore[no-untyped-def]
    """As `laid`, with breaks where they are cheaper."""
    cost, late = laid(g, s, row, v, at, call, True)
    if g.break_count[row]:
        other, also = laid(g, s, row, v, at, call, False)
        if other <= cost:
            return other, also
        laid(g, s, row, v, at, call, True)
    return cost, late
