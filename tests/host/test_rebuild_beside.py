"""What is folded beside a running SQLite writer: never put in place under it, and in place when the next one starts."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from sqlalchemy import func, select

from services import offline
from services.chassis.journal.sqlite import SqliteJournal
from services.host import discover
from services.offline import rebuilding
from services.serving import host_of
from services.settings import Settings

INTAKE = discover()["intake"]
REQUESTS = next(view for view in INTAKE.views if view.name == "requests")
LATER = replace(REQUESTS, version=REQUESTS.version + 1, columns={**REQUESTS.columns, "since_the_next": 0})
NEXT = replace(INTAKE, views=tuple([LATER if view is REQUESTS else view for view in INTAKE.views]))


@asynccontextmanager
async def one_runs(stores, service):
    async with host_of(Settings(data=stores), [service]) as host:
        assert await host.led(within=20)
        yield host.running["intake"]


async def rows(running, view):
    return (await running.fetch(select(func.count().label("n")).select_from(view.table)))[0]["n"]


def test_nothing_is_rebuilt_in_place_under_a_process_that_writes(stores, fieldloop):
    before = (stores / "intake" / "views.db").resolve()
    journal = SqliteJournal(stores / "intake" / "journal.db")
    try:
        ran = fieldloop("--data", stores, "rebuild", "intake")
        assert ran.code == 2 and "in use by process" in ran.err and "stop it" in ran.err
        assert (stores / "intake" / "views.db").resolve() == before
        assert fieldloop("--data", stores, "rebuild", "intake", "--check").code == 0, "to compare disturbs nobody"
    finally:
        asyncio.run(journal.close())
    assert fieldloop("--data", stores, "rebuild", "intake").code == 0


def test_what_a_release_serves_anew_is_folded_while_the_one_before_it_runs_and_is_there_when_it_starts(
    stores, fieldloop, monkeypatch
):
    assert fieldloop("--data", stores, "rebuild", "intake", "--ahead", "--json").json == {"intake": None}
    with pytest.MonkeyPatch.context() as next_release:
        next_release.setattr(rebuilding, "discover", lambda: {"intake": NEXT})

        async def story():
            async with one_runs(stores, INTAKE) as old:
                before = await rows(old, REQUESTS)
                assert before >= 5
                done = await offline.fold_ahead(Settings(data=stores), ["intake"], lambda read: None)
                assert done == {"intake": (await old.journal.head()).position}
                assert await rows(old, REQUESTS) == before, "the old one serves its own as before"
            async with one_runs(stores, NEXT) as new:
                assert not new.ahead.lacks, "in place before the first command"
                assert await rows(new, LATER) == before
                assert new.projector.failed() == {}

        asyncio.run(asyncio.wait_for(story(), 60))


def test_a_release_that_was_not_folded_before_serves_it_once_it_is_and_goes_back_likewise(stores):
    async def story():
        for service, view in ((NEXT, LATER), (INTAKE, REQUESTS)):
            async with one_runs(stores, service) as it:
                async with asyncio.timeout(20):
                    while it.ahead.lacks:
                        await asyncio.sleep(0.01)
                assert await rows(it, view) >= 5
                positions = await it.views.positions()
                assert set(positions) == {one.name for one in service.views}

    asyncio.run(asyncio.wait_for(story(), 60))
