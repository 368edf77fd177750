"""What if: by the recorded rules a past day is dispatched exactly as it was; by others it is another one."""

import asyncio
from datetime import timedelta
from random import Random

import msgspec
import pytest

from contracts import envelope as envelopes
from dispatcher.commands import PartsInVans
from dispatcher.domain.whatif import Again, Otherwise
from tests.dispatcher import test_running
from tests.dispatcher.examples import registered
from tests.given import NOW

told = test_running.told
ALL = NOW - timedelta(days=1), NOW + timedelta(days=30)


async def a_day(desk):
    chance = Random(4)

    def somewhere(what):
        return {f"{what}lat_udeg": 39_900_000 + 1_000 * chance.randrange(-150, 150)}

    for n in range(4):
        await desk.register(f"e-{n}", **somewhere("home_"))
    await desk.quiet()
    for n in range(16):
        await desk.open(f"o-{n}", **somewhere(""))
        await desk.quiet()
        if n == 5:
            order = await desk.order("o-2")
            path = "/v1/orders/o-2/decline"
            await desk.call("POST", path, role="engineer", person_id=order["engineer_id"], reason="too far")
            await desk.call("POST", "/v1/orders/o-3/reassign", engineer_id="e-0", reason="so wished")
            await desk.quiet()
    return await log_of(desk)


async def log_of(desk):
    return [envelopes.payload(envelopes.read(one.record)) for one in await desk.running.journal.read(0, 10_000)]


def test_by_the_recorded_rules_the_recorded_plan_comes_out_and_by_others_another(told):
    async def story(desk):
        events = await a_day(desk)
        recorded = Again(*ALL).follow(events)
        assert (recorded.decisions, recorded.same, recorded.refused) == (17, 17, 0)

        def near(rules):
            return msgspec.structs.replace(rules, points_a_booking=0, points_an_hour_normal=0, metres_a_point=1)

        nearest = Again(*ALL, Otherwise(near)).follow(events)
        assert nearest.travel_m < recorded.travel_m and nearest.wait_s > recorded.wait_s
        # Who is not there gets nothing, and the others have more to do.
        fewer = Again(*ALL, Otherwise(without=frozenset({"e-0", "e-1", "e-2"}))).follow(events)
        assert fewer.busiest == 17 - fewer.refused and fewer.wait_s > recorded.wait_s
        # One more such as she takes some of it; what she learns, she is sent for no less.
        more = Again(*ALL, Otherwise(like=("e-0", "e-0"))).follow(events)
        assert more.wait_s < recorded.wait_s and more.decisions == recorded.decisions
        able = Otherwise(skills=(("e-1", "heating", 3),))
        [taught] = able.people(registered("e-1"))
        assert "heating" in taught.skills and taught.skill_levels[-1].level == 3
        parts = Otherwise(stocked=frozenset({"van-9"})).parts(PartsInVans(expected=2, held={"van-1": 1}), [])
        assert (parts.missing_in("van-9"), parts.missing_in("van-1"), parts.missing_in("van-2")) == (0, 1, 2)
        assert recorded.overtime_s >= 0 == recorded.late
        # Ranked anew by the same rules, everybody looked at, it is the recorded plan as well.
        assert Again(*ALL, Otherwise(lambda rules: rules)).follow(events).same == 17

    told(story)


@pytest.mark.parametrize("lost", [False, True])
def test_orders_that_were_decided_together_are_again(told, lost):
    """One by one the first would go to e-0, who is nearest to both, and the second a long way to e-1."""

    async def story(desk):
        await desk.register("e-0", home_lat_udeg=39_900_000)
        await desk.register("e-1", home_lat_udeg=39_945_000)
        await desk.quiet()
        places = {"o-a": 39_909_000, "o-b": 39_837_000}
        opened = [desk.open(name, lat_udeg=lat, urgency="critical") for name, lat in places.items()]
        await asyncio.gather(*opened)
        await desk.quiet()
        assert [(await desk.order(name))["engineer_id"] for name in places] == ["e-1", "e-0"]
        events = await log_of(desk)
        again = Again(*ALL, Otherwise(lambda rules: rules)).follow(events)
        assert (again.decisions, again.same) == (2, 2)
        if lost:
            # The decision about one of them is not there: what is known of the moment is decided at the end.
            gone = [one for one in events if getattr(one, "order_id", "") != "o-a"]
            alone = Again(*ALL, Otherwise(lambda rules: rules)).follow(gone)
            assert (alone.decisions, alone.same) == (1, 1)

    told(story)
