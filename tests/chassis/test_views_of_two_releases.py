"""
Two releases whose views differ, on both stores: what is served stays and is read until the next is folded, and at no
moment does a reader find less than there was.
"""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import select

from services.chassis.clock import SystemClock
from services.chassis.ids import new_ids
from services.chassis.journal.work import Stopped
from services.chassis.readers import ahead as ahead_module
from services.chassis.readers.ahead import Ahead
from services.chassis.readers.projector import PAGE, Projector
from services.chassis.readers.viewstore import dump
from services.chassis.running import Running
from services.chassis.service import Service
from services.gateway.persons import MemoryBook, PersonKeys
from tests.chassis.toy import RULES
from tests.chassis.view_stores import COLUMNS, STORES, InPostgres, Journal, act, does, place_of, run, things

OLD = things()
SAME_TABLE = things(version=2)
WIDER = things(version=2, columns={**COLUMNS, "more": "and more"})
OTHERS = things("others")
NEW = things("news")
KEYS = 40
EVENTS = [does(f"k{n % KEYS}", "put", {"text": f"{n}"}) for n in range(3 * PAGE)]


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    return place_of(request, tmp_path)


@pytest.fixture
def within_reach(monkeypatch):
    """As if the journals were long: a copy is near when hardly anything is left."""
    monkeypatch.setattr(ahead_module, "WITHIN_REACH", 10)


async def served_by(place, journal, *views):
    """What a release of these views left."""
    async with place.store(*views) as store:
        await folded(Projector(journal, store), len(journal.events))


@asynccontextmanager
async def going(work):
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def folded(projector, end):
    async with going(projector.run()):
        assert await projector.wait_for(end, 20)


async def until(condition):
    async with asyncio.timeout(20):
        while not condition():
            await asyncio.sleep(0.005)


def process(store, journal, folder, *views):
    """A process of the release with these views; it does not write until it is given a projector."""
    service, keys = Service(name="theatre", rules=RULES, views=views), PersonKeys(MemoryBook())
    made = Running(service, journal, store, folder, keys=keys, clock=SystemClock(), new_id=new_ids(lambda: 0))
    made._looked_at = float("inf")  # no test waits for the next look
    return made


async def seen(running, view):
    """How many rows a reader finds, or what it is told."""
    try:
        return len(await running.fetch(select(view.table)))
    except Stopped:
        return "ask another"


@pytest.mark.parametrize("newer", [SAME_TABLE, WIDER], ids=["same-table", "wider"])
def test_who_writes_serves_what_was_there_until_the_next_is_folded(place, tmp_path, within_reach, newer):
    async def story():
        journal = Journal(EVENTS)
        await served_by(place, journal, OLD, OTHERS)
        async with place.store(newer, OTHERS, NEW) as live:
            it, found = process(live, journal, tmp_path, newer, OTHERS, NEW), []
            projector = Projector(journal, live)
            it.projector = projector
            assert await it.ahead.look()

            async def reads():
                while True:
                    found.append((await seen(it, newer), await seen(it, OTHERS), await seen(it, NEW)))
                    await asyncio.sleep(0)

            async with going(projector.run()), going(reads()):
                end = journal.record(does("k0", "put", {"text": "meanwhile"}))
                projector.wake()
                assert await projector.wait_for(end, 20), "what is not folded yet is not waited for"
                await it._until_in_place(journal, projector)
                assert await projector.wait_for(end, 20) and projector.failed() == {}
                await until(lambda: found[-1] == (KEYS, KEYS, KEYS))
            before = KEYS if newer is SAME_TABLE else "ask another"
            assert found[0] == (before, KEYS, "ask another")
            seen_of = [set(of) for of in zip(*found, strict=True)]
            assert seen_of == [{before, KEYS}, {KEYS}, {"ask another", KEYS}], "nothing, or less, was never seen"
            assert set(await live.positions()) == {"things", "others", "news"}
            assert await place.copies() == 1
            row = next(r for r in await live.fetch(select(newer.table)) if r["key"] == "k0")
            assert row["text"] == "meanwhile"

    run(story())


def test_what_is_folded_beside_equals_what_is_folded_from_the_start(place, tmp_path):
    async def story():
        journal = Journal(EVENTS)
        await served_by(place, journal, OLD, OTHERS)
        async with place.store(WIDER, OTHERS) as live:
            it, projector = Ahead(live), Projector(journal, live)
            assert await it.look()
            while await it.step(journal):
                pass
            await it.take_place(projector)
            assert not await it.look()
            upgraded = [await dump(live, view) for view in live.views]
        other = place.another()
        await served_by(other, journal, WIDER, OTHERS)
        async with other.store(WIDER, OTHERS) as fresh:
            assert [await dump(fresh, view) for view in fresh.views] == upgraded

    run(story())


def test_it_goes_on_where_another_process_left_it_and_begins_again_for_other_views(place):
    async def story():
        journal = Journal(EVENTS)
        await served_by(place, journal, OLD)
        async with place.store(WIDER) as live:
            before = Ahead(live)
            await before.look()
            assert await before.step(journal) == PAGE
            await before.close()
            async with place.store(WIDER) as again:
                after = Ahead(again)
                await after.look()
                journal.reads.clear()
                await after.step(journal)
                assert journal.reads == [PAGE]
                await after.close()
        async with place.store(things(version=3)) as live:
            other = Ahead(live)
            await other.look()
            journal.reads.clear()
            await other.step(journal)
            assert journal.reads == [0]
            await other.close()

    run(story())


def test_a_release_whose_fold_fails_does_not_take_the_place_of_one_that_works(place):
    def fails(rows, event, envelope):
        if envelope.position == "7":
            raise ValueError("a mistake of ours")
        act(rows, event, envelope)

    async def story():
        journal = Journal(EVENTS[:20])
        await served_by(place, journal, OLD)
        async with place.store(things(version=2, apply=fails)) as live:
            it = Ahead(live)
            await it.look()
            while await it.step(journal):
                pass
            assert it.lacks and not it.near
            assert len(await it.views.fetch(select(OLD.table))) == 20
            await it.close()

    run(story())


def test_side_by_side_each_release_answers_for_its_views_and_then_the_next_one_for_all(
    postgres, tmp_path, within_reach
):
    place = InPostgres(postgres.fresh_database())

    async def story():
        journal = Journal(EVENTS)
        async with place.store(OLD, OTHERS) as of_writer, place.store(OLD, OTHERS) as of_reader:
            writes = Projector(journal, of_writer)
            async with going(writes.run()):
                assert await writes.wait_for(len(EVENTS), 20)
                old = process(of_reader, journal, tmp_path, OLD, OTHERS)
                async with place.store(WIDER, OTHERS) as one, place.store(WIDER, OTHERS) as two:
                    new = [process(store, journal, tmp_path, WIDER, OTHERS) for store in (one, two)]
                    for it in new:
                        await it.ahead.look()
                    assert not new[0].can_read
                    assert (await seen(new[0], WIDER), await seen(new[0], OTHERS)) == ("ask another", KEYS)
                    async with going(new[0].look_ahead()), going(new[1].look_ahead()):
                        await until(lambda: all(it.can_read for it in new))
                        # Served by the old one as before, by the new ones where they folded; both go on.
                        end = journal.record(does("another", "put", {"text": "later"}))
                        writes.wake()
                        assert await writes.wait_for(end, 20)
                        assert await old.wait_for(end) and await new[0].wait_for(end) and await new[1].wait_for(end)
                        assert (
                            await seen(old, OLD) == await seen(new[0], WIDER) == await seen(new[1], WIDER) == KEYS + 1
                        )
                        assert (await new[0].fetch(select(WIDER.table)))[0]["more"] == "and more"
                    # The old one gave its lease back, and one of the new ones has it.
                    leads = Projector(journal, one)
                    await new[0].ahead.take_place(leads)
                    assert await seen(new[0], WIDER) == KEYS + 1
                    assert await seen(new[1], WIDER) == KEYS + 1, "it read in the copy, which is what is served now"
                    await old.ahead.look()
                    assert (await seen(old, OLD), await seen(old, OTHERS)) == ("ask another", KEYS + 1)
                    for it in new:
                        assert not await it.ahead.look()
                    journal.record(does("k0", "count"))
                    writes.wake()
                    await until(lambda: "another release" in writes.failed().get("things", ""))
                    assert await place.copies() == 1

    run(story())
