"""Who is behind is counted by what concerns them, and what is held back is told with its cause."""

import asyncio
from datetime import timedelta

from contracts.intake import RequestClosed, RequestSupplemented
from services.audit.lag import HeldBack, held_back, lags
from services.chassis.journal.store import Batch, Held, HoldKey
from services.chassis.service import Policy, Service
from tests.verify.test_log import NOW, InSqlite, record, rules, supplemented, view


async def nothing(event, envelope, facts):
    return []


SERVICE = Service(
    name="intake",
    rules=rules("intake"),
    views=(view(RequestSupplemented),),
    policies=(Policy("ends", (RequestClosed,), nothing), Policy("follows", (RequestSupplemented,), nothing)),
)


def run(story):
    return asyncio.run(asyncio.wait_for(story, 30))


async def found(store, views, **checkpoints):
    head = (await store.head()).position
    if checkpoints:
        kept = {f"policy:{name}": at for name, at in checkpoints.items()}
        await store.commit(Batch(checkpoints=kept), after=head)
    later = NOW + timedelta(seconds=90)
    return {one.reader: one for one in await lags(SERVICE, store, views, True, later)}


def test_a_reader_is_behind_by_what_concerns_it_and_since_the_oldest_of_that_was_recorded(tmp_path):
    async def story():
        async with InSqlite(tmp_path).open() as store:
            await record(store, *[supplemented() for _ in range(5)])
            by = await found(store, {"seen": 2}, follows=4)
            counts = {name: (one.position, one.events, one.seconds) for name, one in by.items()}
            assert counts == {
                "view seen": (2, 3, 90.0),
                "policy ends": (0, 0, 0.0),
                "policy follows": (4, 1, 90.0),
                "publisher": (0, 5, 90.0),
            }
            assert not any(one.at_least for one in by.values())
            even = await found(store, {"seen": 5}, follows=5)
            assert [one.events for name, one in even.items() if name != "publisher"] == [0, 0, 0]

    run(story())


def test_a_long_way_behind_is_told_as_at_least(tmp_path, monkeypatch):
    monkeypatch.setattr("services.audit.lag.MOST_READ", 3)
    monkeypatch.setattr("services.audit.lag.PAGE", 2)

    async def story():
        async with InSqlite(tmp_path).open() as store:
            await record(store, *[supplemented() for _ in range(9)])
            by = await found(store, {"seen": 0})
            assert (by["view seen"].events, by["view seen"].at_least) == (4, True)

    run(story())


def test_what_is_held_is_told_with_its_event_and_its_cause(tmp_path):
    async def story():
        async with InSqlite(tmp_path).open() as store:
            await record(store, supplemented("r-1"), supplemented("r-2"))
            hold = HoldKey("follows", "t", "r-2")
            kept = Held(2, 7, 9, True, "NotYet: the order")
            await store.commit(Batch(holds={(hold, 2): kept}), after=2)
            told = ("intake", "follows", "t", "r-2", 2, "RequestSupplemented", 7, True, "NotYet: the order")
            assert await held_back(SERVICE, store) == [HeldBack(*told)]

    run(story())
