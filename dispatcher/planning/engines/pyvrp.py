"""
PyVRP on a problem that it can say: load, windows, shifts, prizes, several homes and abilities; no links, no lateness.

Who may not go somewhere has a way there that is too long (`BAR`): not longer, since PyVRP 0.14 does not come back from
its local search where ways are near its largest number. Alike engineers are one type of vehicle, and those who may go
to the same visits share their matrices.
"""

from __future__ import annotations

import time
from typing import Any, Final

import numpy as np

from dispatcher.planning.engines.given import Given
from dispatcher.planning.model import CALL, Plan, Problem

PROFILES: Final = 40
"""More classes of abilities than these take more memory than they are worth."""


def maps(problem: Problem, given: Given) -> bool:
    """Whether PyVRP can say it, all of it."""
    bound = any(engineer.locked or engineer.most is not None for engineer in problem.engineers)
    classes = len(np.unique(_allowed(given), axis=0))
    return given.plain and classes <= PROFILES and not (problem.links or bound or given.odd.any() or given.depot >= 0)


def _allowed(given: Given) -> Any:
    return given.fit & given.own


class Searched:
    """PyVRP's data of the problem, and the way back."""

    def __init__(self, problem: Problem, given: Given) -> None:
        import pyvrp  # Its import takes a third of a second, which a problem that it cannot say need not pay.

        self._pyvrp, self._problem = pyvrp, problem
        allowed = _allowed(given)
        profiles, of = np.unique(allowed, axis=0, return_inverse=True)
        bar = 10 * max(int(given.late.max()), int(given.metres.max()), 1)
        ends = sorted({one.start for one in problem.engineers} | {one.end for one in problem.engineers})
        depots = [pyvrp.Depot(location=place) for place in ends]
        metres, seconds = [], []
        for fits in profiles:
            far, long = given.metres.copy(), given.seconds.copy()
            barred = given.place[~fits]
            far[:, barred] = bar
            long[:, barred] = bar
            np.fill_diagonal(far, 0)
            np.fill_diagonal(long, 0)
            metres.append(far)
            seconds.append(long)
        self._rows: list[list[int]] = []
        types: list[Any] = []
        for kind in range(int(given.kind.max()) + 1):
            rows = [int(row) for row in np.flatnonzero(given.kind == kind)]
            one = problem.engineers[rows[0]]
            longest: Any = {} if one.longest is None else {"shift_duration": one.longest}
            types.append(
                pyvrp.VehicleType(
                    num_available=len(rows),
                    capacity=[int(n) for n in given.stock[rows[0]]],
                    start_depot=ends.index(one.start),
                    end_depot=ends.index(one.end),
                    fixed_cost=problem.weights.route,
                    tw_early=one.shift[0],
                    tw_late=one.shift[1] + one.overtime,
                    unit_distance_cost=problem.weights.distance,
                    unit_duration_cost=problem.weights.duration,
                    profile=int(of.reshape(-1)[rows[0]]),
                    **longest,
                )
            )
            self._rows.append(rows)
        clients = [
            pyvrp.Client(
                location=visit.place,
                delivery=[int(n) for n in given.need[i]],
                service_duration=visit.duration,
                tw_early=visit.window[0],
                tw_late=visit.window[1],
                prize=visit.prize or 0,
                required=visit.prize is None,
            )
            for i, visit in enumerate(problem.visits)
        ]
        places = [pyvrp.Location(0, 0) for _ in range(len(given.seconds))]
        self.data = pyvrp.ProblemData(places, clients, depots, types, metres, seconds)
        self._kind = [int(kind) for kind in given.kind]

    def run(self, seconds: float, seed: int, begin: Plan | None = None) -> Plan:
        pyvrp = self._pyvrp
        start = None
        if begin is not None:
            routes = [
                pyvrp.Route(self.data, [stop for stop in route if stop != CALL], self._kind[row])
                for row, route in enumerate(begin.routes)
                if route
            ]
            start = pyvrp.Solution(self.data, routes)
        until = time.monotonic() + seconds
        found = pyvrp.solve(
            self.data,
            stop=lambda _: time.monotonic() >= until,
            seed=seed,
            collect_stats=False,
            display=False,
            initial_solution=start,
        )
        free = [list(rows) for rows in self._rows]
        planned: list[tuple[int, ...]] = [()] * len(self._problem.engineers)
        for route in found.best.routes():
            visits = tuple(int(a.idx) for a in route if a.is_client())
            if visits:
                planned[free[route.vehicle_type()].pop(0)] = visits
        return Plan(planned)
