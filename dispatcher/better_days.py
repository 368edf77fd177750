"""
A better plan of a day is looked for in the background: a person asks for it, or the dispatch rules say how often it is
looked for by itself, for each territory.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from contracts.dispatcher import BetterDaysDue, ReplanAsked
from contracts.envelope import Envelope
from dispatcher.background import BACKGROUND
from dispatcher.commands import AskReplan, Replan
from dispatcher.domain.matching import day_of
from dispatcher.replanning import Plan, as_command
from services.chassis.ids import derived_id
from services.chassis.service import Facts

if TYPE_CHECKING:
    from dispatcher.better import Better

LOOKED_FOR_WITHIN: Final = timedelta(hours=1)
"""A plan that nobody could look for so long is not looked for any more: the day is another one by then."""


async def when_better_day_is_asked(event: ReplanAsked, envelope: Envelope, facts: Facts) -> Sequence[Replan]:
    """What is found is published upon the streams as they are then: who edited something meanwhile wins."""
    found = BACKGROUND.done(facts, envelope.id, lambda: _looked(event, envelope.tenant, facts))
    asked = as_command(
        found.repaired,
        event.replan_id,
        "better",
        facts.now(),
        verdict=found.verdict,
        cost_before=found.before,
        cost_after=found.after,
        left_alone=found.left_alone,
        seed=event.seed,
    )
    return [asked]


async def _looked(event: ReplanAsked, tenant: str, facts: Facts) -> Better:
    from dispatcher.better import better_day  # with numpy, which nothing else needs here

    plan = await Plan.read(facts, tenant, facts.now())
    gain, slack = event.least_gain_permille / 10, timedelta(seconds=event.slack_s)
    return await better_day(plan, event.day, event.region, event.look_ms / 1_000, gain, slack, event.seed)


async def when_better_days_are_due(event: BetterDaysDue, envelope: Envelope, facts: Facts) -> Sequence[AskReplan]:
    """One look for each territory, of today and of tomorrow, where at least two orders may move or wait."""
    plan = await Plan.read(facts, envelope.tenant, facts.now())
    count: Counter[tuple[str, str]] = Counter()
    for order_id, work in plan.works.items():
        standing = plan.standing.get(order_id)
        if standing is None and order_id not in plan.offered:
            count.update((day, work.region) for day in _days_ahead(plan))
        elif standing and not standing.locked and standing.day in _days_ahead(plan):
            count[standing.day, work.region] += 1
    return [
        AskReplan(
            replan_id=derived_id("replan", envelope.id, day, region),
            day=day,
            region=region,
            look_ms=1_000 * event.seconds,
            least_gain_permille=10 * event.least_percent,
        )
        for (day, region), orders in sorted(count.items())
        if orders >= 2
    ]


def _days_ahead(plan: Plan) -> set[str]:
    """Today and tomorrow, as the engineers have them."""
    zones = {one.zone for one in plan.engineers.values()}
    return {day_of(plan.now + timedelta(days=ahead), zone) for zone in zones for ahead in (0, 1)}
