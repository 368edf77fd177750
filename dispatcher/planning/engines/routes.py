"""
Routes as arrays, and what it costs to put a visit anywhere: a few operations for each place, whatever the route.

For every stop of a route two segments are kept, from the departure up to it and from it to the return: (D, E, L), the
shortest duration, and the earliest and latest begin with that duration. Two segments join in constant time (Vidal et
al. 2013, without time warp: a route here is always in time), so that a visit is tried between two stops by joining
three. The call at the depot is a stop among the others; where it is best is sought again when the route changes.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit

from dispatcher.planning.engines.clock import NEVER, whole
from dispatcher.planning.engines.given import Given

SECOND_LOOK: Final = 0.03


class Routes(NamedTuple):
    """[R, …]; a route of n visits has stops 0 (home) to n + 1, or n + 2 with a call at the depot."""

    visits: Any
    n: Any
    call: Any
    """The index of the visit before which she calls at the depot; -1: she does not."""
    stops: Any
    """Of each stop the visit; -1 is home or the depot."""
    places: Any
    d1: Any
    e1: Any
    l1: Any
    """The segment from the departure up to each stop."""
    d2: Any
    e2: Any
    l2: Any
    """The segment from each stop to the return."""
    used: Any
    """[R, K]: what visits before the call take, or all where there is none."""
    cost: Any
    lower: Any
    """Of the cost what does not depend on time."""
    busy: Any
    """Seconds of travel and work: the shortest that the route can last, without any waiting."""
    lay: Any
    """The stops of the route that was laid on the clock last; see `clock`."""
    lay_n: Any


def empty_routes(given: Given, longest: int) -> Routes:
    r, k = len(given.start), given.need.shape[1]
    width = longest + 3

    def table(kind: Any = np.int64) -> Any:
        return np.zeros((r, width), kind)

    return Routes(
        visits=np.full((r, width), -1, np.int32),
        n=np.zeros(r, np.int64),
        call=np.full(r, -1, np.int64),
        stops=np.full((r, width), -1, np.int32),
        places=table(np.int32),
        d1=table(),
        e1=table(),
        l1=table(),
        d2=table(),
        e2=table(),
        l2=table(),
        used=np.zeros((r, k), np.int64),
        cost=np.zeros(r, np.int64),
        lower=np.zeros(r, np.int64),
        busy=np.zeros(r, np.int64),
        lay=np.zeros((4, width + given.breaks.shape[1]), np.int64),
        lay_n=np.zeros(1, np.int64),
    )


@njit(cache=True)
def joined(d1, e1, l1, d2, e2, l2, way):  # type: ignore[no-untyped-def]
    """(D, E, L) of one segment after the other, D = -1 where that cannot be in time."""
    ahead = d1 + way
    if e1 + ahead > l2:
        return -1, 0, 0
    wait = max(e2 - ahead - l1, 0)
    return ahead + d2 + wait, max(e2 - ahead, e1) - wait, min(l2 - ahead, l1)


@njit(cache=True)
def price(g, row, d, e):  # type: ignore[no-untyped-def]
    """What time costs on a whole route."""
    return g.duration * d + g.overtime * max(0, e + d - g.shift_end[row])


@njit(cache=True)
def rebuilt(g, s, row):  # type: ignore[no-untyped-def]
    """
    Segments and cost of the route as its visits and call stand. Returns -1, else the index of a visit too late.

    What it takes from the van is not judged here.
    """
    n, call = s.n[row], s.call[row]
    for k in range(s.used.shape[1]):
        s.used[row, k] = 0
    stops, places = s.stops[row], s.places[row]
    last = 0
    stops[0], places[0] = -1, g.start[row]
    for i in range(n):
        if call == i:
            last += 1
            stops[last], places[last] = -1, g.depot
        v = s.visits[row, i]
        last += 1
        stops[last], places[last] = v, g.place[v]
        if call < 0 or i < call:
            for k in range(s.used.shape[1]):
                s.used[row, k] += g.need[v, k]
    last += 1
    stops[last], places[last] = -1, g.end[row]
    if n == 0:
        s.cost[row] = s.lower[row] = s.busy[row] = 0
    d, e, l = 0, g.early[row], g.leave[row]  # noqa: E741
    s.d1[row, 0], s.e1[row, 0], s.l1[row, 0] = d, e, l
    cost, busy = 0, 0
    index = 0
    for i in range(1, last + 1):
        v = stops[i]
        way = g.seconds[places[i - 1], places[i]]
        if v >= 0:
            d, e, l = joined(d, e, l, g.lasts[v], g.opens[v], g.closes[v], way)  # noqa: E741
            cost += g.odd[row, v]
            busy += g.lasts[v]
            index += 1
        elif i == last:
            d, e, l = joined(d, e, l, 0, g.early[row], g.late[row], way)  # noqa: E741
        else:
            d, e, l = joined(d, e, l, 0, g.early[row], g.late[row], way)  # noqa: E741
        if d < 0:
            return max(0, index - 1)
        cost += g.distance * g.metres[places[i - 1], places[i]]
        busy += way
        s.d1[row, i], s.e1[row, i], s.l1[row, i] = d, e, l
    if n and (d > g.longest[row] or n > g.most[row]):
        return n - 1
    if n:
        s.lower[row], s.busy[row] = cost + g.route, busy
        s.cost[row] = cost + price(g, row, d, e) + g.route
        if not g.plain:
            s.cost[row], late = whole(g, s, row, -1, 0, call)
            if late >= 0:
                return late
    d, e, l = 0, g.early[row], g.late[row]  # noqa: E741
    s.d2[row, last], s.e2[row, last], s.l2[row, last] = d, e, l
    for i in range(last - 1, 0, -1):
        v = stops[i]
        way = g.seconds[places[i], places[i + 1]]
        if v >= 0:
            d, e, l = joined(g.lasts[v], g.opens[v], g.closes[v], d, e, l, way)  # noqa: E741
        else:
            d, e, l = joined(0, g.early[row], g.late[row], d, e, l, way)  # noqa: E741
        s.d2[row, i], s.e2[row, i], s.l2[row, i] = d, e, l
    return -1


@njit(cache=True)
def with_call(g, s, row, v, at, call):  # type: ignore[no-untyped-def]
    """What the route costs with `v` before visit `at` (v = -1: without) and the call before visit `call`; NEVER."""
    n = s.n[row]
    total = n + (1 if v >= 0 else 0)
    d, e, l = 0, g.early[row], g.leave[row]  # noqa: E741
    here, cost = g.start[row], g.route
    kinds = g.need.shape[1]
    left = g.stock[row].copy()
    for i in range(total):
        if i == call:
            way = g.seconds[here, g.depot]
            d, e, l = joined(d, e, l, 0, g.early[row], g.late[row], way)  # noqa: E741
            if d < 0:
                return NEVER
            cost += g.distance * g.metres[here, g.depot]
            here = g.depot
        if v >= 0 and i == at:
            w = v
        elif v >= 0 and i > at:
            w = s.visits[row, i - 1]
        else:
            w = s.visits[row, i]
        if call < 0 or i < call:
            if not g.own[row, w]:
                return NEVER
            for k in range(kinds):
                left[k] -= g.need[w, k]
                if left[k] < 0:
                    return NEVER
        way = g.seconds[here, g.place[w]]
        d, e, l = joined(d, e, l, g.lasts[w], g.opens[w], g.closes[w], way)  # noqa: E741
        if d < 0:
            return NEVER
        cost += g.distance * g.metres[here, g.place[w]] + g.odd[row, w]
        here = g.place[w]
    d, e, l = joined(d, e, l, 0, g.early[row], g.late[row], g.seconds[here, g.end[row]])  # noqa: E741
    if d < 0 or d > g.longest[row]:
        return NEVER
    if not g.plain:
        return whole(g, s, row, v, at, call)[0]
    return cost + g.distance * g.metres[here, g.end[row]] + price(g, row, d, e)


@njit(cache=True)
def settled(g, s, row):  # type: ignore[no-untyped-def]
    """The call where it is cheapest, or left out; returns as `rebuilt`."""
    if s.call[row] >= 0:
        best, where = with_call(g, s, row, -1, 0, -1), -1
        for call in range(g.locked[row], s.n[row]):
            cost = with_call(g, s, row, -1, 0, call)
            if cost < best:
                best, where = cost, call
        s.call[row] = where if s.n[row] else -1
    return rebuilt(g, s, row)


@njit(cache=True)
def cheapest(g, s, row, v, limit, blink):  # type: ignore[no-untyped-def]
    """
    (cost added, before which visit, call) of the cheapest place for `v` on the route, if under `limit`.

    `blink` is the chance to overlook a place. The place -1: there is none.
    """
    best, at, call = limit, -1, s.call[row]
    n, kinds = s.n[row], g.need.shape[1]
    place, lasts, opens, closes = g.place[v], g.lasts[v], g.opens[v], g.closes[v]
    carried = g.own[row, v]
    for k in range(kinds):
        if s.used[row, k] + g.need[v, k] > g.stock[row, k]:
            carried = False
    had = s.call[row]
    if n >= g.most[row] or (not carried and had < 0 and g.depot < 0):
        return best, at, call
    base, odd = s.cost[row], g.odd[row, v]
    first = g.locked[row]
    last = n + (1 if had >= 0 else 0)
    places, seconds, metres = s.places[row], g.seconds, g.metres
    before_call = had + 1 if had >= 0 else NEVER
    for i in range(last + 1):
        # Between stop i and stop i + 1; the visit before which that is counts no call.
        index = i if i < before_call else i - 1
        if index < first or (not carried and i < before_call):
            continue
        one, other = places[i], places[i + 1]
        there, on = seconds[one, place], seconds[place, other]
        if s.e1[row, i] + s.d1[row, i] + there > closes:
            # Later stops are reached later still.
            break
        added = g.distance * (metres[one, place] + metres[place, other] - metres[one, other]) + odd
        longer = there + on - seconds[one, other]
        if n == 0:
            added = g.distance * (metres[one, place] + metres[place, other]) + odd + g.route
            longer = there + on
        if s.lower[row] + added + g.duration * (s.busy[row] + longer + lasts) - base >= best:
            # It is too dear even if nothing more is waited for.
            continue
        d, e, l = joined(s.d1[row, i], s.e1[row, i], s.l1[row, i], lasts, opens, closes, there)  # noqa: E741
        if d < 0:
            continue
        d, e, l = joined(d, e, l, s.d2[row, i + 1], s.e2[row, i + 1], s.l2[row, i + 1], on)  # noqa: E741
        if d < 0 or d > g.longest[row]:
            continue
        then = had + 1 if had >= 0 and i < before_call else had
        if not g.plain:
            if s.lower[row] + added + price(g, row, d, e) - base >= best:
                continue
            added = whole(g, s, row, v, index, then)[0] - base
        elif g.duration or g.overtime:
            end = n + 1 + (1 if had >= 0 else 0)
            was = price(g, row, s.d1[row, end], s.e1[row, end]) if n else 0
            added += price(g, row, d, e) - was
        if added < best and not (blink > 0.0 and np.random.random() < blink):
            best, at = added, index
            # Before or after the call: the call's index counts visits before it.
            call = then
    if carried or g.depot < 0:
        return best, at, call
    if had < 0:
        return _with_new_call(g, s, row, v, best, at, call)
    if np.random.random() < SECOND_LOOK:
        # She calls already: rarely is it better to call earlier, and it is dear to find out.
        for p in range(first, had + 1):
            for c in range(first, p + 1):
                cost = with_call(g, s, row, v, p, c)
                if cost < NEVER and cost - base < best:
                    best, at, call = cost - base, p, c
    return best, at, call


@njit(cache=True)
def _with_new_call(g, s, row, v, best, at, call):  # type: ignore[no-untyped-def]
    """As `cheapest`, for a visit that needs the first call of the route: every place of both."""
    n, place, places = s.n[row], g.place[v], s.places[row]
    for c in range(g.locked[row], n + 1):
        here = places[c]
        d, e, l = joined(  # noqa: E741
            s.d1[row, c], s.e1[row, c], s.l1[row, c], 0, g.early[row], g.late[row], g.seconds[here, g.depot]
        )
        if d < 0:
            break
        least = s.lower[row] + g.odd[row, v] + (0 if n else g.route) - (s.cost[row] if n else 0)
        least += g.duration * (s.busy[row] + g.lasts[v])
        least += g.duration * (g.seconds[here, g.depot] + g.seconds[g.depot, places[c + 1]])
        least += g.distance * (g.metres[here, g.depot] + g.metres[g.depot, places[c + 1]])
        if n:
            least -= g.duration * g.seconds[here, places[c + 1]] + g.distance * g.metres[here, places[c + 1]]
        if least >= best:
            # The way by the depot alone is too dear.
            continue
        way = g.metres[here, g.depot]
        here = g.depot
        for p in range(c, n + 1):
            there, on = g.seconds[here, place], g.seconds[place, places[p + 1]]
            if e + d + there > g.closes[v]:
                break
            d2, e2, l2 = -1, 0, 0
            if least + g.duration * (there + on - g.seconds[here, places[p + 1]]) < best:
                d2, e2, l2 = joined(d, e, l, g.lasts[v], g.opens[v], g.closes[v], there)
            if d2 >= 0:
                d2, e2, l2 = joined(d2, e2, l2, s.d2[row, p + 1], s.e2[row, p + 1], s.l2[row, p + 1], on)
            if d2 >= 0 and d2 <= g.longest[row]:
                total = s.d1[row, n + 1]
                was = price(g, row, total, s.e1[row, n + 1]) if n else -g.route
                longer = way + g.metres[here, place] + g.metres[place, places[p + 1]]
                if n:
                    longer -= g.metres[places[c], places[c + 1]] if p == c else g.metres[here, places[p + 1]]
                if n and p > c:
                    longer -= g.metres[places[c], places[c + 1]]
                added = g.distance * longer + price(g, row, d2, e2) - was + g.odd[row, v]
                if not g.plain:
                    added = whole(g, s, row, v, p, c)[0] - (s.cost[row] if n else 0)
                if added < best:
                    best, at, call = added, p, c
            if p < n:
                w = s.visits[row, p]
                if p == c:
                    way += g.metres[here, places[p + 1]]
                d, e, l = joined(d, e, l, g.lasts[w], g.opens[w], g.closes[w], g.seconds[here, places[p + 1]])  # noqa: E741
                if d < 0:
                    break
                here = places[p + 1]
    return best, at, call


@njit(cache=True)
def put(g, s, row, v, at, call):  # type: ignore[no-untyped-def]
    n = s.n[row]
    for i in range(n, at, -1):
        s.visits[row, i] = s.visits[row, i - 1]
    s.visits[row, at] = v
    s.n[row] = n + 1
    s.call[row] = call
    return rebuilt(g, s, row)
