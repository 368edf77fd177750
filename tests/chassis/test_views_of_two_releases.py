"""Two releases whose views differ, on one database: the one that only reads disturbs nobody, and says what it lacks."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from contracts.intake import RequestTypeDefined
from services.chassis.clock import SetClock
from services.chassis.ids import new_ids
from services.chassis.journal.work import Stopped
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.viewstore import Change
from services.chassis.running import Running
from services.chassis.service import Service
from services.chassis.views import View
from services.gateway.persons import MemoryBook, PersonKeys
from tests.chassis.toy import RULES

NOW = datetime(2026, 11, 24, tzinfo=UTC)


def apply(rows, event, envelope):
    rows.put(event.type_id)


OLD = View("types", 1, {"type_id": str}, {"name": ""}, (RequestTypeDefined,), apply)
NEW = replace(OLD, version=2, columns={"name": "", "hours": 0})
BESIDE = View("others", 1, {"type_id": str}, {"name": ""}, (RequestTypeDefined,), apply)


def running(views, store, folder):
    service = Service(name="theatre", rules=RULES, views=views)
    keys, ids = PersonKeys(MemoryBook()), new_ids(lambda: 0)
    return Running(service, None, store, folder, keys=keys, clock=SetClock(NOW), new_id=ids)


def test_what_another_release_serves_stays_until_one_begins_and_then_its_processes_answer(postgres, tmp_path):
    dsn = postgres.fresh_database()

    async def story():
        old = await PostgresViews.open(dsn, "theatre", [OLD])
        await old.positions()
        await old.commit([Change(OLD, 0, 1, [("t", "repair", "Repair")])])
        before = running([OLD], await PostgresViews.open(dsn, "theatre", [OLD], begins=False), tmp_path)
        new = await PostgresViews.open(dsn, "theatre", [NEW, BESIDE], begins=False)
        after = running([NEW, BESIDE], new, tmp_path)
        assert [row["name"] for row in await before.fetch(OLD.table.select())] == ["Repair"]
        with pytest.raises(Stopped, match="another release"):
            await after.fetch(BESIDE.table.select())
        assert not after.views_are_here
        assert await new.positions() == {"others": 0}, "what is new is there at once"

        await new.begin()
        for one in (before, after):
            one._looked_at = float("-inf")  # as a second later
        assert await after.fetch(NEW.table.select()) == []
        with pytest.raises(Stopped, match="another release"):
            await before.fetch(OLD.table.select())
        for store in (old, before.views, new):
            await store.close()

    asyncio.run(asyncio.wait_for(story(), 60))
