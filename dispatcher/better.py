"""A better plan of a day: sought in a child process with a hard stop, and published only if it is worth it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from dispatcher.adapters.day_problem import DayProblem, day_problem, moves_of
from dispatcher.domain.repair import Move, Repaired, Standing
from dispatcher.planning.check import check
from dispatcher.planning.model import Unfit
from dispatcher.planning.planner import plan as planned_of
from dispatcher.replanning import Plan


@dataclass(frozen=True)
class Better:
    """Costs are metres of way, with what changes and what is not served; `moves` is empty where it is not worth it."""

    verdict: Literal["published", "not-better", "nobody-works", "nothing-found"]
    before: int = 0
    after: int = 0
    visits: int = 0
    left_alone: tuple[str, ...] = ()
    moves: dict[str, Move] = field(default_factory=dict)

    @property
    def repaired(self) -> Repaired:
        return Repaired(dict(self.moves))


async def better_day(
    plan: Plan, day: str, region: str, seconds: float, least_gain_percent: float, slack: timedelta, seed: int
) -> Better:
    """
    The plan of this day in this region (empty: everywhere), looked at for so many seconds. What is there already is
    what the search begins with, so that it is never worse; below the least gain nothing moves.
    """
    staff = {
        name: one for name, one in plan.engineers.items() if not region or not one.territory or region in one.territory
    }
    standing = {name: one for name, one in plan.standing.items() if one.day == day and one.engineer_id in staff}
    waiting = [
        work
        for name, work in plan.works.items()
        if name not in plan.standing and name not in plan.offered and (not region or work.region == region)
    ]
    found = day_problem(staff, plan.booked, standing, waiting, day, plan.now, slack, plan.ways)
    if found is None:
        return Better("nobody-works")
    if not found.problem.visits:
        return Better("not-better", left_alone=found.left_alone)
    return await asyncio.to_thread(_sought, plan, found, standing, day, seconds, least_gain_percent, seed)


def _sought(
    plan: Plan,
    found: DayProblem,
    standing: Mapping[str, Standing],
    day: str,
    seconds: float,
    least_gain_percent: float,
    seed: int,
) -> Better:
    present = check(found.problem, found.begin)
    before = present.cost
    facts: dict[str, Any] = {
        "before": before,
        "visits": len(found.problem.visits),
        "left_alone": found.left_alone,
    }
    try:
        # What a person booked against the rules is no plan to begin with.
        begin = None if present.violations else found.begin
        planned = planned_of(found.problem, seconds, seed=seed, engine="ruin", begin=begin)
    except Unfit:
        return Better("nothing-found", **facts)
    checked = planned.checked
    if checked.violations or checked.cost * 100 > before * (100 - least_gain_percent) or checked.cost >= before:
        return Better("not-better", after=checked.cost, **facts)
    begins = [timed.begins if timed else () for timed in checked.routes]
    try:
        moves = moves_of(
            found,
            planned.plan,
            begins,
            plan.engineers,
            plan.booked,
            standing,
            plan.works,
            day,
            plan.now,
            plan.rules,
            plan.ways,
        )
    except ValueError:
        # The model knows no hours of the day: by those of its own ways, something is not possible there.
        return Better("nothing-found", after=checked.cost, **facts)
    return Better("published", after=checked.cost, moves={one.order_id: one for one in moves}, **facts)
