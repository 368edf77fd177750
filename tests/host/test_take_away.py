"""One of two tenants leaves with everything: in an empty installation every table is as it was, and it goes on."""

import asyncio
import json
import shutil
from random import Random

from services import offline
from services.chassis.clock import SystemClock
from services.chassis.readers.sqlite_views import SqliteViews
from services.demo.company import company
from services.demo.people import TENANT as DEMO
from services.demo.people import People, Story, found
from services.gateway.persons import PersonKeys
from services.host import discover
from services.serving import ledger_of, own_key_book, tokens_of
from services.settings import Settings
from tests.host.conftest import FIRM, TENANT, installation, recorded, with_engineers


async def story(it, key):
    """One more customer of the demo's company."""
    people = People(it.client, tokens_of(it.settings, SystemClock()), DEMO)
    await Story(people, company(1), key, Random(key)).run()


async def shown(data, tenant):
    """Every row of the tenant in every view."""
    rows = {}
    for name, service in discover().items():
        views = await SqliteViews.open(data / name / "views.db", service.views, readonly=True)
        for view in service.views:
            async with views.snapshot(view) as snapshot:
                rows[name, view.name] = [row async for page in snapshot.pages for row in page if row[0] == tenant]
        await views.close()
    return rows


async def names_of(settings, tenant):
    """What customers are called, opened with the keys that are there."""
    service = discover()["intake"]
    customers = next(view for view in service.views if view.name == "customers")
    views = await SqliteViews.open(settings.data / "intake" / "views.db", service.views, readonly=True)
    async with own_key_book(settings) as book, views.snapshot(customers) as snapshot:
        keys, at = PersonKeys(book), list(customers.table.columns.keys()).index("name")
        sealed = {row[1]: row[at] async for page in snapshot.pages for row in page if row[0] == tenant}
        await keys.ready(tenant, list(sealed.values()))
        opened = {customer: keys.open(tenant, text) for customer, text in sealed.items()}
    await views.close()
    return opened


def test_a_tenant_leaves_with_everything_and_nothing_of_another(stores, tmp_path, fieldloop):
    settings, taken = Settings(data=stores), Settings(data=tmp_path / "taken")

    async def lived():
        async with installation(stores) as it:
            await found(it.people, with_engineers(1), "two-")
            await it.submit()
            await story(it, "one-more-")
            await it.submit(1)
            await it.quiet()
        await offline.forget_person(settings, DEMO, "C001", "C001 herself")

    asyncio.run(lived())
    assert len(FIRM.customers) == 2
    made = fieldloop("--data", stores, "backup", tmp_path / "away", "--tenant", DEMO, "--json").json
    assert made["tenant"] == DEMO and made["stores"]["intake"]["position"] > 0
    assert not any(TENANT.encode() in file.read_bytes() for file in (tmp_path / "away").rglob("*") if file.is_file())
    assert {one.name for one in (tmp_path / "away" / "keys").iterdir()} == {"persons.db", "users.json"}
    assert {one["tenant"] for one in json.loads((tmp_path / "away" / "keys" / "users.json").read_text())} == {DEMO}
    put_back = fieldloop("--data", taken.data, "restore", tmp_path / "away", "--json")
    assert put_back.code == 0 and not any(one["set_back"] for one in put_back.json)

    async def arrived():
        async with installation(taken.data) as it:
            await it.quiet()
            before, after = await shown(stores, DEMO), await shown(taken.data, DEMO)
            assert {view for view in before if before[view] != after[view]} == set()
            assert sum(map(len, before.values())) > 200
            assert sum(map(len, (await shown(taken.data, TENANT)).values())) == 0
            here = await names_of(settings, DEMO)
            assert await names_of(taken, DEMO) == here and here["C001"] == "" and any(here.values())
            # And it goes on there.
            await story(it, "there-")
            await it.quiet()
        checked = await offline.verify_stores(taken)
        assert (checked.findings, checked.chain, checked.behind) == ([], True, {})
        rebuilt = await offline.rebuild(taken, list(discover()), True, lambda read: None)
        assert all(one.identical for one in rebuilt)

    asyncio.run(asyncio.wait_for(arrived(), 120))
    assert [(one.tenant, one.person) for one in ledger_of(taken).all()] == [(DEMO, "C001")], "forgotten there as well"


def test_who_was_forgotten_since_stays_forgotten_where_an_older_take_away_comes(stores, tmp_path, fieldloop):
    away, taken = tmp_path / "away", Settings(data=tmp_path / "taken")
    assert fieldloop("--data", stores, "backup", away, "--tenant", DEMO).code == 0
    assert fieldloop("--data", taken.data, "restore", away).code == 0
    assert fieldloop("--data", taken.data, "forget", "C002", "--tenant", DEMO, "--yes").code == 0
    shutil.copy(away / "keys" / "persons.db", taken.data / "persons.db")
    assert fieldloop("--data", taken.data, "restore", away, "--replace").code == 0

    async def key():
        async with own_key_book(taken) as book:
            return (await book.known([(DEMO, "C002")]))[0].secret

    assert asyncio.run(key()) is None


def test_a_tenant_that_nobody_knows_cannot_leave(stores, tmp_path, fieldloop):
    ran = fieldloop("--data", stores, "backup", tmp_path / "away", "--tenant", "nobody")
    assert ran.code == 2 and "give one of demo" in ran.err


def test_records_that_moved_say_positions_that_only_grow(stores, tmp_path, fieldloop):
    """Otherwise a table that is in the order of what records say would mix what came with what is new."""

    async def lived():
        async with installation(stores) as it:
            await found(it.people, FIRM, "two-")
            await it.submit()
            await it.quiet()

    asyncio.run(lived())
    taken = Settings(data=tmp_path / "taken")
    assert fieldloop("--data", stores, "backup", tmp_path / "away", "--tenant", TENANT).code == 0
    assert fieldloop("--data", taken.data, "restore", tmp_path / "away").code == 0

    async def grows():
        async with installation(taken.data) as it:
            await it.submit(1)
            await it.quiet()
        said = [int(envelope.position) for _, envelope in await recorded(taken, "intake")]
        assert said == sorted(set(said)) and said[-1] > len(said)

    asyncio.run(asyncio.wait_for(grows(), 60))
