"""A better day: what is begun or promised stays, every rule holds, and it is published only if it is worth it."""

import asyncio
from collections import defaultdict
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from random import Random

import pytest

from contracts import envelope as envelopes
from dispatcher.adapters.day_problem import day_problem
from dispatcher.better import better_day
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import Proposal, best_hours, propose
from dispatcher.domain.repair import Standing
from dispatcher.domain.travel import BEELINE, Place
from dispatcher.planning.check import check
from dispatcher.planning.model import Plan as Routes
from dispatcher.replanning import Plan
from tests.dispatcher import test_running
from tests.dispatcher.examples import TOMORROW, at
from tests.dispatcher.test_matching import engineer, work
from tests.given import NOW

told = test_running.told


def somewhere(chance):
    return Place(39_900_000 + chance.randrange(-150_000, 150_000), 116_400_000 + chance.randrange(-150_000, 150_000))


def messy_day(seed, people=6, orders=24):
    """Orders for tomorrow, given to engineers by chance."""
    chance = Random(seed)
    staff = {f"e-{n}": engineer(home=somewhere(chance)) for n in range(people)}
    booked, works, standing = defaultdict(lambda: defaultdict(list)), {}, {}
    for n in range(orders):
        one = work(order_id=f"o-{n}", place=somewhere(chance), duration=timedelta(minutes=5 * chance.randrange(4, 13)))
        name = chance.choice(list(staff))
        found = best_hours(one, staff[name], booked[name], at(8 + chance.randrange(9), day=25), (TOMORROW,))
        if isinstance(found, Proposal):
            booked[name][TOMORROW].append(Booking(found.starts_at, found.ends_at, one.order_id, one.place))
            booked[name][TOMORROW].sort()
            works[one.order_id] = one
            standing[one.order_id] = Standing(one, name, TOMORROW, found.starts_at)
    return Plan(staff, booked, works, standing, frozenset(), DEFAULTS, NOW)


def way(plan, booked):
    return sum(
        BEELINE.metres(a, b)
        for name, one in plan.engineers.items()
        for a, b in pairwise([one.home, *[it.place for it in sorted(booked[name][TOMORROW])]])
    )


@pytest.mark.parametrize("seed", range(8))
def test_the_model_says_of_every_place_what_matching_says(seed):
    """The cheapest insertion of matching is one that `check` allows, and it adds to the day what matching says."""
    plan, chance = messy_day(seed), Random(seed)
    for n in range(6):
        new = work(order_id="new", place=somewhere(chance), duration=timedelta(minutes=30))
        name = f"e-{n}"
        found = propose(new, name, plan.engineers[name], plan.booked[name], at(7, day=25), within=(TOMORROW,))
        if not isinstance(found, Proposal):
            continue
        day = day_problem(plan.engineers, plan.booked, plan.standing, [new], TOMORROW, at(7, day=25))
        before = check(day.problem, day.begin)
        assert not before.violations, before.violations
        row, stop = day.engineer_ids.index(name), day.orders.index("new")
        at_second = int((found.starts_at - day.midnight).total_seconds())
        begins = before.routes[row].begins if before.routes[row] else ()
        place = sum(1 for begin in begins if begin < at_second)
        routes = [list(route) for route in day.begin.routes]
        routes[row].insert(place, stop)
        after = check(day.problem, Routes([tuple(route) for route in routes]))
        assert not after.violations, after.violations
        assert after.routes[row].begins[place] <= at_second
        added = next(reason.value for reason in found.reasons if reason.rule == "distance")
        assert abs(after.distance - before.distance - added) <= 1


def bettered(plan, **changes):
    facts = {"day": TOMORROW, "region": "", "seconds": 0.5, "least_gain_percent": 1, "slack": timedelta(), "seed": 1}
    return asyncio.run(better_day(plan, **facts | changes))


def test_a_day_given_by_chance_gets_shorter_at_the_promised_hours():
    plan = messy_day(3)
    found = bettered(plan)
    assert found.verdict == "published" and found.after < found.before
    after = {name: {TOMORROW: list(days[TOMORROW])} for name, days in plan.booked.items()}
    for one in found.moves.values():
        hers = after[one.before.engineer_id][TOMORROW]
        hers[:] = [it for it in hers if it.order_id != one.order_id]
    for one in found.moves.values():
        assert one.keeps_hours
        booking = Booking(one.proposal.starts_at, one.proposal.ends_at, one.order_id, plan.works[one.order_id].place)
        after[one.engineer_id][TOMORROW].append(booking)
    assert way(plan, after) < way(plan, plan.booked)
    assert len(found.moves) * 5_000 <= way(plan, plan.booked) - way(plan, after)


def test_what_is_locked_stays_and_what_is_not_worth_it_is_not_published():
    plan = messy_day(3)
    locked = replace(plan, standing={name: one._replace(locked=True) for name, one in plan.standing.items()})
    assert (bettered(locked).verdict, bettered(locked).moves) == ("not-better", {})
    assert bettered(plan, least_gain_percent=90).verdict == "not-better"
    assert bettered(replace(plan, engineers={})).verdict == "nobody-works"


def test_an_order_that_waits_finds_a_place():
    plan = messy_day(5, orders=10)
    new = work(order_id="new", duration=timedelta(minutes=30))
    found = bettered(replace(plan, works={**plan.works, "new": new}))
    assert found.verdict == "published" and found.moves["new"].before is None


def test_it_is_asked_for_over_http_and_told(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_990_000)
        await desk.quiet()
        for n in range(3):
            await desk.open(f"o-{n}", lat_udeg=39_900_000 + 30_000 * n)
        await desk.quiet()
        asked = await desk.call("POST", "/v1/replans/better", day="2026-11-24", seconds=0.5, least_gain_percent=0)
        assert asked.status_code == 202, asked.text
        path = f"/v1/replans/{asked.json()['id']}"
        assert (await desk.get(path))["state"] == "looking"
        done = await desk.worked(path, lambda found: found["state"] == "done")
        assert done["cause"] == "better" and done["hours_changed"] == 0
        assert (done["verdict"] == "published") == bool(done["moved"])

    told(story)


def test_by_the_rules_it_is_looked_for_by_itself_for_each_territory(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_990_000)
        await desk.quiet()
        for n in range(4):
            await desk.open(f"o-{n}", lat_udeg=39_900_000 + 30_000 * n, region="朝阳区" if n < 3 else "海淀区")
        await desk.quiet()

        async def looks():
            entries = [envelopes.read(one.record) for one in await desk.running.journal.read(0, 10_000)]
            return [envelopes.payload(one) for one in entries if one.type == "ReplanAsked"]

        async def looked(count):
            await desk.due(minutes=31)
            async with asyncio.timeout(10):
                while len(await looks()) < count:
                    await asyncio.sleep(0.01)
            await desk.running.wait_for((await desk.running.journal.head()).position)
            asked = (await looks())[-1]
            done = await desk.worked(f"/v1/replans/{asked.replan_id}", lambda found: found["state"] == "done")
            assert done["verdict"] and done["hours_changed"] == 0
            return asked

        await desk.later(minutes=31)
        assert await looks() == []  # Until the rules say so.
        often = {"better_every_minutes": 30, "better_seconds": 1}
        await desk.call("POST", "/v1/dispatch-rules", role="manager", **often)
        asked = await looked(1)
        assert (asked.region, asked.look_ms) == ("朝阳区", 1_000)  # Of one order alone nothing is better.
        await looked(2)
        await desk.call("POST", "/v1/dispatch-rules", role="manager", better_every_minutes=0)
        await desk.later(hours=2)
        assert len(await looks()) == 2

    told(story)
