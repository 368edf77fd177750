"""Many orders at one moment: together they cost the least there is, and never more than one by one."""

import asyncio
from datetime import timedelta
from itertools import permutations
from random import Random

import msgspec
import pytest

from dispatcher.domain.batch import LEFT, Waits, _dear, _one_by_one, _Plan, batch
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.matching import Proposal, propose, ranked
from dispatcher.domain.roster import Roster
from dispatcher.domain.travel import BEELINE
from services.chassis.journal.work import Ask
from tests.dispatcher import test_running
from tests.dispatcher.examples import register
from tests.dispatcher.test_better import somewhere
from tests.dispatcher.test_matching import engineer, work
from tests.given import NOW

TODAY_ONLY = msgspec.structs.replace(DEFAULTS, horizon_days=1)
URGENT = ("low", "normal", "high", "critical")


told = test_running.told


def moment(seed, people, orders, skills=("cooling",)):
    chance = Random(seed)
    staff = {
        f"e-{n}": engineer(home=somewhere(chance), skills=frozenset({chance.choice(skills)})) for n in range(people)
    }
    works = [
        Waits(
            work(
                order_id=f"o-{n}",
                place=somewhere(chance),
                skill=chance.choice(skills),
                urgency=chance.choice(URGENT),
                duration=timedelta(minutes=30),
            )
        )
        for n in range(orders)
    ]
    return works, Roster(staff)


def by_hand(works, roster):
    """The least of every way to give each order to another engineer."""
    names = [*roster, *["" for _ in works]]
    hers = {
        (one.work.order_id, name): propose(one.work, name, roster[name], {}, NOW) for one in works for name in roster
    }

    def dear(ways):
        total = 0
        for one, name in zip(works, ways, strict=True):
            found = hers.get((one.work.order_id, name))
            left = LEFT * (1 + URGENT.index(one.work.urgency))
            total += found.cost if isinstance(found, Proposal) else left
        return total

    return min(dear(ways) for ways in set(permutations(names, len(works))))


@pytest.mark.parametrize("seed", range(12))
def test_one_order_each_is_the_least_of_all_ways(seed):
    """Where nobody gets two, as when each has time for one, it is what trying all ways finds."""
    works, roster = moment(seed, people=4, orders=4, skills=("cooling", "heating"))
    one_each = Roster({name: engineer(home=it.home, skills=it.skills, daily_limit=1) for name, it in roster.items()})
    works = [Waits(one.work) for one in works]
    found = batch(works, one_each, {}, NOW, TODAY_ONLY)
    left = sum(
        LEFT * (1 + URGENT.index(one.work.urgency))
        for one in works
        if one.work.order_id not in {it.order_id for it in found.given}
    )
    assert found.points + left == by_hand(works, one_each)


@pytest.mark.parametrize("seed", range(12))
def test_it_is_never_dearer_than_one_by_one_and_nobody_is_booked_twice(seed):
    works, roster = moment(seed, people=5, orders=14)
    found = batch(works, roster, {}, NOW, DEFAULTS)
    costs = {one.work.order_id: dict(ranked(one.work, roster, {}, NOW).proposals) for one in works}
    single = _one_by_one(works, lambda: _Plan(works, roster, {}, NOW, DEFAULTS, costs, BEELINE))
    assert _dear(works, found.given) <= _dear(works, single)
    assert len(found.given) == 14
    for one in found.given:
        for other in found.given:
            if one.engineer_id == other.engineer_id and one.order_id < other.order_id:
                mine, hers = one.proposal, other.proposal
                assert mine.ends_at <= hers.starts_at or hers.ends_at <= mine.starts_at


def test_looking_at_them_together_is_worth_it_now_and_then():
    skills = ("cooling", "heating")
    worth = [batch(*moment(seed, 8, 16, skills), {}, NOW, DEFAULTS).together for seed in range(8)]
    assert sum(worth) >= 4, worth


def test_orders_that_came_at_once_are_given_together_and_each_decision_again_gives_the_same(told):
    async def story(desk):
        chance = Random(3)
        for n in range(4):
            place = somewhere(chance)
            await desk.register(f"e-{n}", home_lat_udeg=place.lat_udeg, home_lon_udeg=place.lon_udeg)
        await desk.quiet()
        places = [somewhere(chance) for _ in range(8)]
        # In one commit, as what is taken in after an outage.
        opened = [desk.open(f"o-{n}", lat_udeg=at.lat_udeg, lon_udeg=at.lon_udeg) for n, at in enumerate(places)]
        await asyncio.gather(*opened)
        await desk.quiet()
        await desk.later(minutes=2)  # Who lost a race is looked at again.
        batches = []
        for n in range(8):
            assert (await desk.order(f"o-{n}"))["state"] == "assigned"
            [decision] = await desk.get(f"/v1/decisions?order_id=o-{n}")
            again = await desk.get(f"/v1/decisions/{decision['decision_id']}/again")
            assert again["same"], again
            asked = msgspec.json.decode(again["recorded"]["asked"])
            batches.append(asked.get("batch", 0))
        assert max(batches) >= 2, batches

    told(story)


def test_of_orders_that_wait_several_who_have_time_get_those_that_are_near(told):
    async def story(desk):
        await desk.open("north", lat_udeg=40_050_000)
        await desk.open("south", lat_udeg=39_750_000)
        await desk.quiet()
        here = {"south-1": 39_750_000, "north-1": 40_050_000}
        facts = [register(name, home_lat_udeg=lat) for name, lat in here.items()]
        asks = [Ask(command=one, tenant="t-1", actor="test", caller="test") for one in facts]
        await asyncio.gather(*[desk.running.ask(one) for one in asks])
        await desk.quiet()
        assert [(await desk.order(name))["engineer_id"] for name in ("north", "south")] == ["north-1", "south-1"]

    told(story)
