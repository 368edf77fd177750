"""A rebuild gives the rows that are served, finds the row that is not, and takes their place; on both stores."""

import asyncio
from contextlib import asynccontextmanager, suppress

import pytest
from sqlalchemy import select

from services.chassis.readers.projector import Projector
from services.chassis.readers.rebuild import check, rebuild
from services.chassis.readers.viewstore import Change, dump
from tests.chassis.view_stores import COLUMNS, STORES, InPostgres, Journal, does, gone, place_of, run, things

THINGS = things()
OTHERS = things("others")
EVENTS = [
    *[does(f"k{n % 7}", "count") for n in range(30)],
    *[does(f"k{n}", "put", {"text": f"{n}", "flag": n % 2 == 0}) for n in range(12)],
    gone("k3"),
]


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    return place_of(request, tmp_path)


@asynccontextmanager
async def served(place, journal, *views):
    """The views, caught up, with the projector that keeps them so."""
    async with place.store(*views) as live:
        projector = Projector(journal, live)
        task = asyncio.create_task(projector.run())
        assert await projector.wait_for(len(journal.events), 20)
        yield live, projector
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


@asynccontextmanager
async def forged(place, journal):
    """The same, with a row that was changed by hand and has been folded upon since."""
    async with served(place, journal, THINGS):
        await place.execute("UPDATE things SET text = 'forged' WHERE key = 'k5'")
    journal.record(does("k5", "count"))
    async with served(place, journal, THINGS) as (live, projector):
        assert (await texts(live))["k5"] == "forged"
        yield live, projector


async def texts(store, view=THINGS) -> dict:
    return {row["key"]: row["text"] for row in await store.fetch(select(view.table))}


def test_a_rebuild_equals_what_is_served_byte_for_byte(place):
    async def story():
        journal, told = Journal(EVENTS), []
        async with served(place, journal, THINGS, OTHERS) as (live, _):
            fresh = await live.beside()
            report = await rebuild(journal, live, fresh, lambda done, of: told.append((done, of)))
            assert report.positions == {"things": len(EVENTS), "others": len(EVENTS)}
            assert (report.events, report.failed) == (len(EVENTS), {})
            assert told[-1] == (len(EVENTS), len(EVENTS))
            for found in await check(journal, live, fresh):
                assert (found.difference, found.rows, found.position) == (None, 11, len(EVENTS))
            assert await dump(fresh, THINGS) == await dump(live, THINGS)
            assert len(await dump(fresh, THINGS)) > 200
            await fresh.close()

    run(story())


@pytest.mark.parametrize(
    ("planted", "named"),
    [
        (
            "UPDATE things SET text = 'forged' WHERE key = 'k5'",
            "row tenant=t-1, key=k5, part=1: text is 'forged', rebuilt '5'",
        ),
        ("DELETE FROM things WHERE key = 'k5'", "row tenant=t-1, key=k5, part=1 was rebuilt and is not served"),
        ("DELETE FROM things WHERE key = 'k9'", "row tenant=t-1, key=k9, part=1 was rebuilt and is not served"),
        (
            "INSERT INTO things (tenant, key, part, text, next, count, flag, blob) "
            "SELECT tenant, 'k55', part, text, next, count, flag, blob FROM things WHERE key = 'k5'",
            "row tenant=t-1, key=k55, part=1 is served and was not rebuilt",
        ),
    ],
)
def test_a_row_that_was_changed_by_hand_is_found_and_named(place, planted, named):
    async def story():
        journal = Journal(EVENTS)
        async with served(place, journal, THINGS, OTHERS) as (live, _):
            await place.execute(planted)
            fresh = await live.beside()
            await rebuild(journal, live, fresh)
            found = {one.view: one.difference for one in await check(journal, live, fresh)}
            assert found == {"things": named, "others": None}
            await fresh.close()

    run(story())


def test_what_is_recorded_meanwhile_is_in_the_comparison_and_in_what_is_served_after_the_swap(place):
    async def story():
        journal = Journal(EVENTS)
        async with forged(place, journal) as (live, projector):
            fresh = await live.beside()
            await rebuild(journal, live, fresh)
            end = journal.record(does("k6", "put", {"text": "later"}))
            projector.wake()
            assert await projector.wait_for(end, 20)
            (found,) = await check(journal, live, fresh)
            assert found.position == end and "k5" in found.difference

            end = journal.record(does("k6", "put", {"text": "later still"}))
            projector.wake()
            assert await projector.wait_for(end, 20)
            await projector.swap(fresh)
            assert projector.positions() == {"things": end}
            assert (await texts(live))["k5"] == "5"
            assert (await texts(live))["k6"] == "later still"

            # What was forged is not folded upon, nor does it come back.
            end = journal.record(does("k5", "count"))
            projector.wake()
            assert await projector.wait_for(end, 20)
            assert (await texts(live))["k5"] == "5"
        async with served(place, journal, THINGS) as (live, _):
            assert (await texts(live))["k5"] == "5"
            assert (await live.positions())["things"] == end

    run(story())


def test_a_swap_by_another_process_is_noticed_in_postgres(postgres):
    place = InPostgres(postgres.fresh_database())

    async def story():
        journal = Journal(EVENTS)
        async with forged(place, journal) as (live, projector):
            async with place.store(THINGS) as other:
                fresh = await other.beside()
                await rebuild(journal, other, fresh)
                await other.become(fresh)
            # The projector stands where the new rows stand, and remembers the old ones.
            end = journal.record(does("k5", "count"))
            projector.wake()
            assert await projector.wait_for(end, 20)
            assert (await texts(live))["k5"] == "5"

    run(story())


def test_a_projector_that_does_not_run_swaps_too(place):
    async def story():
        journal = Journal(EVENTS[:-1])
        async with served(place, journal, THINGS):
            pass
        async with place.store(THINGS) as live:
            fresh = await live.beside()
            await Projector(journal, live).swap(fresh)
            assert await live.positions() == {"things": len(EVENTS) - 1}
            assert len(await texts(live)) == 12

    run(story())


def test_a_rebuild_can_follow_a_rebuild(place):
    async def story():
        journal = Journal(EVENTS)
        async with served(place, journal, THINGS) as (live, projector):
            abandoned = await live.beside()
            await rebuild(journal, live, abandoned)
            await abandoned.close()
            for _ in range(3):
                fresh = await live.beside()
                assert await fresh.positions() == {"things": 0}
                await rebuild(journal, live, fresh)
                assert [one.difference for one in await check(journal, live, fresh)] == [None]
                assert await place.copies() == 2
                await projector.swap(fresh)
                assert await place.copies() == 1
            assert len(await texts(live)) == 11

    run(story())


def test_a_new_version_is_built_beside_the_old_one_that_is_served(place):
    newer = things(version=2, columns={**COLUMNS, "more": "and more"})

    async def story():
        journal = Journal(EVENTS)
        async with served(place, journal, THINGS, OTHERS) as (live, _):
            fresh = await live.beside([newer, OTHERS])
            report = await rebuild(journal, live, fresh)
            assert report.positions == {"things": len(EVENTS), "others": len(EVENTS)}
            found = {one.view: (one.is_new, one.difference) for one in await check(journal, live, fresh)}
            assert found == {"things": (True, None), "others": (False, None)}
            assert len(await texts(live)) == 11
        async with place.store(THINGS, OTHERS) as live:
            await live.become(fresh)
        async with place.store(newer, OTHERS) as live:
            assert await live.positions() == report.positions
            assert {row["more"] for row in await live.fetch(select(newer.table))} == {"and more"}

    run(story())


def test_what_took_the_place_of_another_version_is_written_as_the_new_one(place):
    newer = things(version=2, columns={**COLUMNS, "more": "and more"})

    async def story():
        async with place.store(THINGS) as live:
            for view in (THINGS, newer):
                await live.positions()
                await live.commit([Change(view, 0, 1, [("t", "k", 1, *view.defaults.values())])])
                if view is THINGS:
                    await live.become(await live.beside([newer]))
            assert [row["more"] for row in await live.fetch(select(newer.table))] == ["and more"]

    run(story())


def test_a_view_that_stopped_is_compared_where_it_stands_and_tried_again_after_the_swap(place):
    journal, mended = Journal([*EVENTS, does("k1", "fail"), does("k1", "count")]), []

    def apply(rows, event, envelope):
        if not mended or envelope.position != str(len(EVENTS) + 1):
            THINGS.apply(rows, event, envelope)

    async def story():
        async with served(place, journal, things(apply=apply)) as (live, projector):
            assert list(projector.failed()) == ["things"]
            fresh = await live.beside()
            report = await rebuild(journal, live, fresh)
            assert (report.positions, report.failed) == ({"things": len(EVENTS)}, {})
            (found,) = await check(journal, live, fresh)
            assert (found.position, found.difference) == (len(EVENTS), None)
            mended.append(True)
            await projector.swap(fresh)
            assert projector.failed() == {}
            assert await projector.wait_for(len(EVENTS) + 2, 20)
            assert projector.positions() == {"things": len(EVENTS) + 2}

    run(story())


def test_a_fold_that_fails_only_when_it_is_rebuilt_is_a_difference(place):
    moods = []

    def apply(rows, event, envelope):
        if moods and envelope.position == "5":
            raise ValueError("today it is different")
        THINGS.apply(rows, event, envelope)

    moody = things(apply=apply)

    async def story():
        journal = Journal(EVENTS)
        async with served(place, journal, moody) as (live, _):
            moods.append("bad")
            fresh = await live.beside()
            report = await rebuild(journal, live, fresh)
            assert list(report.failed) == ["things"]
            (found,) = await check(journal, live, fresh)
            assert found.difference == (
                f"served at position {len(EVENTS)}, rebuilt at 4: event 5: ValueError('today it is different')"
            )
            await fresh.close()

    run(story())
