"""A part that was set aside and is gone: only the order that needs it is planned anew, for who has it, and with why."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from contracts.dispatcher import OrderReassigned, ReplanDone, WithoutHours
from contracts.inventory import PartLine, PartsShort
from contracts.topics import PUBLISHER_OF
from dispatcher.projections.board import ONE_ORDER
from dispatcher.service import service as dispatcher
from inventory.commands import CountStock, DefinePart, DefinePlace
from inventory.service import service as inventory
from services.chassis.clock import SetClock
from services.chassis.journal.work import Ask
from services.host import Host
from services.settings import Settings
from tests.dispatcher.examples import assigned, at, booked, open_order, opened, register, registered, started
from tests.dispatcher.test_parts_in_vans import FAN, counted
from tests.dispatcher.test_policies import reactions
from tests.dispatcher.test_running import NoKeys
from tests.given import NOW

NEAR, FAR = registered("e-1", van_id="van-1"), registered("e-2", van_id="van-2", home_lat_udeg=39_930_000)
ORDER = opened(usual_parts=(FAN,))
TOLD = {"starts_at": at(18), "ends_at": at(19)}
HERS = assigned(van_id="van-1", **TOLD), booked(**TOLD)
SHORT = PartsShort(order_id="o-1", request_id="r-1", lines=(PartLine("fan", 1),), engineer_id="e-1", van_id="van-1")


def replanned(*before, event=SHORT):
    return reactions(event, *before)["replan-short-orders"]


def test_it_goes_to_her_who_has_the_part_at_the_promised_hours():
    [asked] = replanned(NEAR, FAR, ORDER, *HERS, counted("fan", "van-2", 1))
    [move] = asked.moves
    assert (move.order_id, move.from_engineer_id, move.engineer_id, move.starts_at) == ("o-1", "e-1", "e-2", at(18))
    assert (asked.cause, asked.note, asked.left) == ("part-missing", "fan", ())


def test_at_other_hours_where_she_has_no_others_and_nothing_of_hers_moves():
    busy = booked(order_id="o-8", engineer_id="e-2", starts_at=at(17), ends_at=at(19))
    [asked] = replanned(NEAR, FAR, ORDER, *HERS, busy, counted("fan", "van-2", 1))
    [move] = asked.moves
    assert (move.order_id, move.engineer_id) == ("o-1", "e-2")
    assert move.starts_at != at(18)


@pytest.mark.parametrize(
    "before",
    [
        (NEAR, FAR, ORDER, *HERS),
        (NEAR, FAR, ORDER, *HERS, counted("fan", "shop", 5)),
        (NEAR, FAR, ORDER, assigned(van_id="van-1", chosen_by="person", **TOLD), HERS[1], counted("fan", "van-2", 1)),
    ],
    ids=["nobody has it", "a store has it", "a person said who goes"],
)
def test_else_it_keeps_its_hours_and_the_replan_says_so(before):
    [asked] = replanned(*before)
    assert (asked.moves, asked.left) == ((), (("o-1", ("parts",)),))


def test_of_an_order_that_is_with_another_or_under_way_nothing_is_planned():
    full = counted("fan", "van-2", 1)
    assert not replanned(NEAR, FAR, ORDER, *HERS, full, started())
    other = PartsShort(order_id="o-1", request_id="r-1", lines=(PartLine("fan", 1),), engineer_id="e-7")
    assert not replanned(NEAR, FAR, ORDER, *HERS, full, event=other)
    assert not replanned(NEAR, FAR, ORDER, full)


# As it runs.


def of_both(service):
    """With nothing in it that others than these two publish: there is nobody to take it from."""

    def known(events):
        return tuple(one for one in events if PUBLISHER_OF[one.__name__] in ("dispatcher", "inventory"))

    return replace(
        service,
        policies=tuple(replace(one, when=known(one.when)) for one in service.policies if known(one.when)),
        views=tuple(replace(one, reads=known(one.reads)) for one in service.views),
    )


@asynccontextmanager
async def both(folder):
    services = [of_both(dispatcher), of_both(inventory)]
    async with Host(Settings(data=folder), services, NoKeys(), clock=SetClock(NOW)) as host:
        async with asyncio.timeout(20):
            while not all(host.leads(one.name) for one in services):
                await asyncio.sleep(0.01)

        async def ask(name, *commands):
            for command in commands:
                await host.running[name].ask(Ask(command=command, tenant="t-1", actor="test", caller="test"))
            assert await host.idle(within=20)

        yield host, ask


def test_in_the_running_services_a_count_that_finds_nothing_moves_the_one_order_to_whose_van_has_it(tmp_path):
    async def story():
        async with both(tmp_path) as (host, ask):
            await ask(
                "inventory",
                DefinePart(part_id="fan", name="Fan"),
                *[DefinePlace(place_id=van, kind="van", name=van) for van in ("van-1", "van-2")],
                *[CountStock(part_id="fan", place_id=van, quantity=1) for van in ("van-1", "van-2")],
            )
            far = {"home_lat_udeg": 39_930_000}
            await ask("dispatcher", register("e-1", van_id="van-1"), register("e-2", van_id="van-2", **far))
            await ask("dispatcher", open_order(usual_parts=(FAN,)), open_order(order_id="o-2", request_id="r-2"))
            [row] = await stands(host, "o-1")
            assert row["engineer_id"] == "e-1"
            others = await stands(host, "o-2")
            await ask("inventory", CountStock(part_id="fan", place_id="van-1", quantity=0))
            [moved] = await stands(host, "o-1")
            assert (moved["engineer_id"], moved["state"]) == ("e-2", "assigned")
            assert await stands(host, "o-2") == others
            [given, done] = await recorded(host, OrderReassigned, ReplanDone)
            assert (given.reason, given.chosen_by) == ("part-missing: fan", "rule")
            assert (done.cause, done.moved, done.hours_changed, done.left) == ("part-missing", ("o-1",), 1, ())
            # What lay in her van is set aside by now; where that is gone too, nobody has it, and it stays.
            await ask("inventory", CountStock(part_id="fan", place_id="van-2", quantity=0))
            assert await stands(host, "o-1") == [moved]
            *_, last = await recorded(host, ReplanDone)
            assert (last.moved, last.left) == ((), (WithoutHours("o-1", ("parts",)),))

    asyncio.run(story())


async def stands(host, order_id):
    rows = await host.running["dispatcher"].fetch(ONE_ORDER, tenant="t-1", order_id=order_id)
    return [{name: row[name] for name in ("engineer_id", "starts_at", "state")} for row in rows]


async def recorded(host, *types):
    found, _ = await host.running["dispatcher"].recorded("t-1", types, 0)
    return found
