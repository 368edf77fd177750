"""
Rules of the design review that no other suite states. docs/explanation/promises.md lists all of them with their tests.
"""

from __future__ import annotations

import asyncio
import re
import sqlite3
from collections import defaultdict
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from uuid import UUID

import asyncpg
import msgspec
import pytest

from contracts import envelope as envelopes
from contracts.dispatcher import OrderOpened
from contracts.envelope import Envelope
from contracts.event import REGISTRY
from contracts.examples import EXAMPLES
from contracts.intake import RequestTypeDefined
from contracts.topics import PUBLISHER_OF, events_of
from intake.commands import DefineRequestType, RegisterCustomer, SubmitRequest
from intake.service import service as intake
from inventory.commands import DefinePart
from services.chassis.clock import SystemClock
from services.chassis.ids import new_ids
from services.chassis.journal.postgres import prepare
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import Held, HoldKey
from services.chassis.journal.work import Ask, Settle, Stopped
from services.chassis.readers.reactor import TRIES
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.running import Running
from services.chassis.service import Policy, Service
from services.gateway.persons import MemoryBook, PersonKeys
from services.host import Host, discover
from services.offline import rebuild_one
from services.reference import schema_of
from services.settings import Settings
from services.verify.run import verify

ROOT = Path(__file__).parents[2]
WORDS = {"name": "李小龙", "phone": "13800000000", "street": "建国路 1 号"}
PLACE = {"region": "r", "lat_udeg": 0, "lon_udeg": 0}
NORMAL, FULL = 1, 2
"""What SQLite calls how a commit is flushed."""


def told(story):
    """Run it; it fails when it hangs."""
    return asyncio.run(asyncio.wait_for(story, 30))


def customer():
    return RegisterCustomer(customer_id="c-1", **WORDS, **PLACE)


def ask(command, key="k"):
    return Ask(command=command, tenant="t", actor="u", caller="u", key=key)


@asynccontextmanager
async def all_six(folder):
    async with Host(Settings(data=folder), discover().values(), PersonKeys(MemoryBook())) as host:
        assert await host.led(within=20)
        yield host


@asynccontextmanager
async def alone(folder, *policies, keys=None, may_write=lambda: True):
    """Intake by itself, with these policies in place of its own, as soon as it takes commands."""
    service = Service(name=intake.name, rules=intake.rules, views=intake.views, policies=policies)
    journal = SqliteJournal(folder / "journal.db")
    views = await SqliteViews.open(folder / "views.db", intake.views)
    keys, clock, ids = keys or PersonKeys(MemoryBook()), SystemClock(), new_ids(lambda: 0)
    running = Running(service, journal, views, folder, keys=keys, clock=clock, new_id=ids)
    leading = asyncio.create_task(running.lead(journal, None, None, None, may_write))
    try:
        while running.writer is None and not leading.done():
            await asyncio.sleep(0)
        yield running
    finally:
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await views.close()
        await journal.close()


async def rows_of(running):
    await running.wait_for(running.writer.position)
    return {view.name: [dict(row) for row in await running.fetch(view.table.select())] for view in intake.views}


# A5. A new policy begins where it says.


def test_where_a_new_policy_begins_is_kept_before_the_first_command_is_taken(tmp_path):
    """Else, after a crash, it would begin behind the first command's event, and nobody would ever act upon that."""

    async def ignore(event, envelope, facts):
        return []

    async def story():
        async with alone(tmp_path) as running:
            await running.ask(ask(customer()))
        async with alone(tmp_path, Policy("newcomer", (OrderOpened,), ignore)) as running:
            assert await running.journal.checkpoints() == {"policy:newcomer": 1}

    told(story())


def test_whoever_asks_a_customer_something_says_when_it_is_too_late_for_that():
    """After an outage nobody wants yesterday's message."""
    policies = {policy.name: policy for service in discover().values() for policy in service.policies}
    assert policies["send-survey"].stale_after <= timedelta(days=7)


# A8. What is parked waits for somebody to look.


def test_what_is_parked_is_tried_again_when_its_service_starts(tmp_path):
    """`fieldloop doctor` says so; and so does an operator who asks for it (tests/chassis/test_holds.py)."""
    broken = True

    async def react(event, envelope, facts):
        if broken:
            raise RuntimeError("a bug of ours")
        return []

    async def story():
        nonlocal broken
        policy = Policy("mended", (RequestTypeDefined,), react)
        key, event = HoldKey("mended", "t", "type/repair"), 1
        async with alone(tmp_path) as running:
            await running.ask(ask(DefineRequestType(type_id="repair", name="repair")))
            [entry] = await running.journal.read(0, 10)
            key = key._replace(key=envelopes.read(entry.record).partition_key)
            parked = {(key, event): Held(event, TRIES, 0, True, "a bug of ours")}
            await running.writer.settle(Settle({"policy:mended": event}, parked))
        async with alone(tmp_path, policy) as running:
            while (await running.journal.held(["mended"]))[0][1].parked:
                await asyncio.sleep(0)
            assert (await running.journal.held(["mended"]))[0][1].tries == 1, "its half hour begins anew"
        broken = False
        async with alone(tmp_path, policy) as running:
            while await running.journal.held(["mended"]):
                await asyncio.sleep(0)

    told(story())


# A10. Who may not write any more says nothing that could be old.


def test_a_service_whose_lease_ran_out_answers_nothing_from_memory(tmp_path):
    holds = True

    async def story():
        nonlocal holds
        async with alone(tmp_path, may_write=lambda: holds) as running:
            kind = DefineRequestType(type_id="repair", name="repair")
            await running.ask(ask(kind))
            again = Ask(command=kind, tenant="t", actor="u", caller="u")
            assert (await running.ask(again)).events == (), "without a key nothing is recorded for a no-op"
            holds = False
            with pytest.raises(Stopped):
                await running.ask(again)

    told(story())


# A14. The key of every event is decided.


def test_of_every_public_type_some_service_keeps_the_events_so_that_a_fork_of_it_is_noticed():
    """A service that only counts a type takes another event of the same version for a repeat; reporting counts none."""
    kept = {name for service in discover().values() for name in service.takes}
    public = {
        event.__name__ for publisher in set(PUBLISHER_OF.values()) for event in events_of(publisher) if event.PUBLIC
    }
    assert public - kept == set()


def test_a_stream_has_one_key_and_it_is_the_request_where_all_of_it_belongs_to_one():
    """Two keys would lie in two partitions: order within the stream would be lost, and holes be seen that are none."""
    streams = defaultdict(list)
    for event in EXAMPLES.values():
        if event.PUBLIC:
            streams[event.STREAM].append(event)
    assert streams.keys() >= {"request", "order", "visit", "reservation", "survey", "stock", "engineer", "customer"}
    for stream, events in streams.items():
        of_a_request = all(getattr(event, "request_id", "") for event in events)
        assert {event.KEY for event in events} == {"request_id" if of_a_request else None}, stream


# A15. Forgetting needs no rebuild, and the chain still verifies.


def test_of_a_forgotten_customer_nothing_is_read_and_neither_views_nor_chain_change(tmp_path):
    async def story():
        keys = PersonKeys(MemoryBook())
        async with alone(tmp_path, keys=keys) as running:
            await running.ask(ask(customer()))
            before = await rows_of(running)
            [row] = before["customers"]
            assert [running.open("t", row[name]) for name in WORDS] == list(WORDS.values())
            await keys.forget("t", "c-1")
            assert [running.open("t", row[name]) for name in WORDS] == ["", "", ""]
            assert await rows_of(running) == before
            for one in await rebuild_one("intake", running.journal, running.views, lambda read: None, swap=False):
                assert one.identical, one.difference
            report = await verify({"intake": intake}, {"intake": running.journal})
            assert (report.findings, report.chain) == ([], True)

    told(story())


# A17. Two stores: one is for ever, the other can be thrown away.


def test_views_can_be_thrown_away_and_come_back_from_the_journal(tmp_path):
    async def before():
        async with alone(tmp_path) as running:
            await running.ask(ask(DefineRequestType(type_id="repair", name="repair")))
            return await rows_of(running)

    async def after():
        async with alone(tmp_path) as running:
            return await rows_of(running)

    rows = told(before())
    assert rows["request_types"]
    for file in tmp_path.glob("views.db*"):
        file.unlink()
    assert told(after()) == rows


def test_a_journal_is_flushed_at_every_commit_and_views_are_not(tmp_path):
    """A commit of the views that a crash takes away is folded again; one of the journal was acknowledged."""

    async def story():
        async with alone(tmp_path) as running:
            stores = running.journal._db, running.views._db
            return [db.execute("PRAGMA synchronous").fetchone()[0] for db in stores]

    assert told(story()) == [FULL, NORMAL]


# A20. What a rebuild is compared by.


def numbers_with_a_point(schema, where):
    if isinstance(schema, dict):
        if schema.get("type") == "number":
            yield where
        for name, part in schema.items():
            yield from numbers_with_a_point(part, f"{where}.{name}")
    elif isinstance(schema, list):
        for part in schema:
            yield from numbers_with_a_point(part, where)


def test_no_event_has_a_number_with_a_point():
    """Sums of floats depend on their order; ours are fen, metres, seconds and millionths of a degree."""
    assert [one for name, kind in REGISTRY.items() for one in numbers_with_a_point(schema_of(kind), name)] == []


def test_no_view_has_a_column_that_two_stores_could_read_in_two_ways():
    for name, service in discover().items():
        for view in service.views:
            for column in view.table.columns:
                kinds = column.type.python_type
                assert kinds in (int, str, bool, bytes), f"{name}.{view.name}.{column.name} is {kinds}"


# C1. The names of the envelope.


def test_attributes_are_named_as_cloud_events_allow():
    names = [field.encode_name for field in msgspec.structs.fields(Envelope)]
    assert [name for name in names if not re.fullmatch(r"[a-z0-9]{1,20}", name)] == []
    assert {"id", "source", "specversion", "type", "subject", "time"} <= set(names)


# C4. Identifiers.


def test_ids_say_what_is_new_and_what_is_derived_and_all_that_follows_is_of_one_story(tmp_path):
    async def story():
        async with all_six(tmp_path) as host:
            kind = DefineRequestType(type_id="any", name="any", needs_device=False, skill="heating")
            submitted = SubmitRequest(
                request_id="r-1", request_type="any", customer_id="c-1", description="?", day="2026-11-24"
            )
            for number, command in enumerate((customer(), kind, submitted)):
                await host.running["intake"].ask(ask(command, str(number)))
            assert await host.idle(within=20)
            entries = [entry for one in host.running.values() for entry in await one.journal.read(0, 1_000)]
            return [envelopes.read(entry.record) for entry in entries]

    found = told(story())
    assert {envelope.type for envelope in found} >= {"RequestReceived", "OrderOpened"}
    for envelope in found:
        derived = envelope.actor.startswith("policy:")
        assert UUID(envelope.id).version == (8 if derived else 7), envelope.type
        if derived:
            assert envelope.correlation_id == "r-1", envelope.type


# C5. Commits of one service hold up nobody else.


def test_while_one_journal_waits_for_its_disk_the_others_go_on(tmp_path):
    async def story():
        async with all_six(tmp_path) as host:
            slow = sqlite3.connect(tmp_path / "intake" / "journal.db", isolation_level=None)
            slow.execute("BEGIN IMMEDIATE")  # as a disk that does not come back
            waits = asyncio.create_task(host.running["intake"].ask(ask(customer())))
            await host.running["inventory"].ask(ask(DefinePart(part_id="p-1", name="p")))
            assert not waits.done()
            slow.execute("ROLLBACK")
            slow.close()
            assert (await waits).events == ("CustomerRegistered",)

    told(story())


# C6. A journal says its format.


def test_a_journal_in_sqlite_says_its_format(tmp_path):
    told(SqliteJournal(tmp_path / "journal.db").close())
    with sqlite3.connect(tmp_path / "journal.db") as db:
        assert dict(db.execute("SELECT name, value FROM meta"))["journal_format"] == 1


def test_a_journal_in_postgres_says_its_format(postgres):
    dsn = postgres.fresh_database()

    async def story():
        await prepare(dsn, "theatre")
        db = await asyncpg.connect(dsn)
        try:
            return await db.fetchval("SELECT value FROM theatre_journal.meta WHERE name = 'journal_format'")
        finally:
            await db.close()

    assert told(story()) == 1


# C8. The story of one request is found without reading the journal.


def test_a_story_is_found_by_an_index(tmp_path):
    told(SqliteJournal(tmp_path / "journal.db").close())
    with sqlite3.connect(tmp_path / "journal.db") as db:
        sql = "SELECT record FROM events WHERE tenant = 't' AND correlation_id = 'r' ORDER BY position"
        [(*_, plan)] = db.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
    assert "USING INDEX events_story (tenant=? AND correlation_id=?)" in plan


# The page that lists all of them.


def test_every_test_that_the_page_names_exists():
    page = (ROOT / "docs/explanation/promises.md").read_text(encoding="utf-8")
    named = re.findall(r"`(tests/[\w/]+\.py)(?:::(\w+))?`", page)
    assert len(named) > 60
    gone = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists() or (name and f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8"))
    ]
    assert gone == [], "name the test that states the rule now, or say that it is open"


def test_every_scenario_has_its_row():
    page = (ROOT / "docs/explanation/promises.md").read_text(encoding="utf-8")
    rows = set(re.findall(r"^\| ([A-C]\d+)\b", page, re.MULTILINE))
    assert rows == {f"A{n}" for n in range(1, 22)} | {"C1", "C4", "C5", "C6", "C8"}
