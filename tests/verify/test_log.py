"""The checks of the log over real stores: what was tampered with, lost or doubled is found, and where."""

import asyncio
import hashlib
import sqlite3
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from random import Random

import asyncpg
import msgspec
import pytest

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.intake import RequestClosed, RequestReceived, RequestSupplemented, RequestWithdrawn
from dispatcher.service import service as dispatcher
from services.chassis.clock import SetClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.postgres import PostgresJournal, prepare
from services.chassis.journal.rules import Handler, Rules, Stream
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import GENESIS, Entry, Head
from services.chassis.journal.work import Arrival, Ask, Settle, TakeIn
from services.chassis.journal.writer import Writer
from services.chassis.service import Service
from services.chassis.views import View
from services.verify.run import verify
from tests.chassis.test_writer import FakeKeys, postgres_journal

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)

ids = new_ids(count(1_800_000_000_000).__next__, Random(7))
numbers = count(1)


# The stage: two services that record whatever they are told, intake and quality, which takes in what intake says.


@dataclass(frozen=True)
class Record:
    events: tuple


def rules(service):
    streams = [Stream("request", None, lambda state, event: None), Stream("numbers", None, lambda state, event: None)]
    named = Handler(Record, lambda c: tuple(dict.fromkeys(e.stream() for e in c.events)), lambda _, c: list(c.events))
    return Rules(service=service, streams=tuple(streams), handlers=(named,))


def view(*reads):
    return View("seen", 1, {"request_id": str}, {}, reads, lambda rows, event, envelope: None)


INTAKE = Service(name="intake", rules=rules("intake"))
QUALITY = Service(name="quality", rules=rules("quality"), views=(view(RequestReceived, RequestClosed),))


def supplemented(request_id="r-1"):
    return RequestSupplemented(request_id=request_id, customer_id="c-1", fields=())


class InSqlite:
    def __init__(self, folder):
        self._path = folder / "journal.db"

    @asynccontextmanager
    async def open(self):
        store = SqliteJournal(self._path)
        try:
            yield store
        finally:
            await store.close()

    @asynccontextmanager
    async def open_to_read(self):
        store = SqliteJournal(self._path, readonly=True)
        try:
            yield store
        finally:
            await store.close()

    async def tamper(self, *statements):
        """As somebody who has the file, and removes what guards it."""
        db = sqlite3.connect(self._path, isolation_level=None)
        for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
            db.execute(f"DROP TRIGGER {trigger}")
        for sql in statements:
            db.execute(sql)
        db.close()

    @staticmethod
    def binary(data):
        return f"X'{data.hex()}'"


class InPostgres:
    def __init__(self, dsn):
        self._dsn, self._schema = dsn, f"verified_{next(numbers)}"
        asyncio.run(prepare(dsn, self._schema))

    def open(self):
        return postgres_journal(self._dsn, self._schema)

    @asynccontextmanager
    async def open_to_read(self):
        store = await PostgresJournal.open(self._dsn, self._schema)
        try:
            yield store
        finally:
            await store.close()

    async def tamper(self, *statements):
        """As a superuser."""
        db = await asyncpg.connect(self._dsn, server_settings={"search_path": f"{self._schema}_journal"})
        await db.execute("ALTER TABLE events DISABLE TRIGGER ALL")
        for sql in statements:
            await db.execute(sql)
        await db.close()

    @staticmethod
    def binary(data):
        return f"'\\x{data.hex()}'"


@pytest.fixture(scope="module")
def database(postgres):
    return postgres.fresh_database()


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path):
    """Where intake's journal is; it can be opened again and again."""
    if request.param == "sqlite":
        return InSqlite(tmp_path)
    return InPostgres(request.getfixturevalue("database"))


@pytest.fixture
def other_place(tmp_path):
    """Where quality's journal is."""
    (tmp_path / "other").mkdir()
    return InSqlite(tmp_path / "other")


@asynccontextmanager
async def writing(service, store):
    writer = Writer(service.rules, store, clock=SetClock(NOW), new_id=ids, keys=FakeKeys())
    await writer.start()
    run = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.stop()
        await run


async def record(store, *events, service=INTAKE, tenant="t", **more):
    async with writing(service, store) as writer:
        for event in events:
            await writer.ask(Ask(command=Record((event,)), tenant=tenant, actor="u", caller="u", **more))


def arrivals(entries, wanted):
    for entry in entries:
        envelope = envelopes.read(entry.record)
        if envelope.public_version:
            yield Arrival(envelope, entry.record, envelope.type in wanted)


async def checked(**journals):
    return await verify({"intake": INTAKE, "quality": QUALITY}, journals)


async def found_in(store):
    """The rules that were found broken in intake's journal, each with its first position."""
    report = await checked(intake=store)
    assert report.violations >= len(report.findings)
    assert report.chain == (not any(finding.rule == "chain" for finding in report.findings))
    return report, {finding.rule: finding.position for finding in reversed(report.findings)}


def run(story):
    return asyncio.run(asyncio.wait_for(story, 60))


# The chain.


EIGHT = [supplemented(f"r-{n % 3}") for n in range(8)]


async def eight_records(place):
    """Two tenants whose records alternate: of each, every second one."""
    async with place.open() as store, writing(INTAKE, store) as writer:
        for n, event in enumerate(EIGHT):
            await writer.ask(Ask(command=Record((event,)), tenant=f"t{n % 2}", actor="u", caller="u"))
        return await store.read(0, 100)


def test_a_log_as_it_was_written_is_right(place):
    async def story():
        await eight_records(place)
        async with place.open() as store:
            report = await checked(intake=store)
            assert (report.events, report.violations, report.chain) == (8, 0, True)
            assert (report.behind, report.first_bad_position, report.findings) == ({}, {}, [])

    run(story())


def test_a_record_with_one_flipped_bit_is_found_where_it_stands_and_nowhere_else(place):
    async def story():
        entries = await eight_records(place)
        rng = Random(7)
        for entry in entries:
            flipped = bytearray(entry.record)
            flipped[rng.randrange(len(flipped))] ^= 1 << rng.randrange(7)
            put = "UPDATE events SET record = {} WHERE position = {}"
            await place.tamper(put.format(place.binary(flipped), entry.position))
            async with place.open() as store:
                report = await checked(intake=store)
                assert {f.position for f in report.findings if f.rule == "chain"} == {entry.position}
                assert (report.chain, report.first_bad_position) == (False, {"intake": entry.position})
            await place.tamper(put.format(place.binary(entry.record), entry.position))

    run(story())


@pytest.mark.parametrize(
    ("tampering", "where"),
    [
        ("UPDATE events SET hash = {zero} WHERE position = 4", 4),
        ("UPDATE events SET correlation_id = 'r-9' WHERE position = 4", 4),
        ("UPDATE events SET event_id = 'another' WHERE position = 4", 4),
        ("UPDATE events SET version = 9 WHERE position = 4", 4),
        ("UPDATE streams SET stream = 'request/r-9' WHERE id = (SELECT stream FROM events WHERE position = 4)", 4),
        ("UPDATE events SET tenant = 't0' WHERE position = 4", 4),
        ("DELETE FROM events WHERE position = 4", 5),
        ("DELETE FROM events WHERE position = 1", 2),
        ("DELETE FROM events WHERE position = 8", 7),
        ("DELETE FROM events WHERE position > 4", 4),
        ("DELETE FROM events", 0),
        ("DELETE FROM chains WHERE tenant = 't1'", 8),
        ("UPDATE chains SET hash = {zero} WHERE tenant = 't1'", 8),
    ],
)
def test_whatever_else_is_done_to_a_row_is_found(place, tampering, where):
    async def story():
        await eight_records(place)
        await place.tamper(tampering.format(zero=place.binary(bytes(32))))
        async with place.open() as store:
            report, found = await found_in(store)
            assert "chain" in found
            assert report.first_bad_position.get("intake", 0) == where

    run(story())


def test_two_records_that_changed_places_are_found(place):
    async def story():
        await eight_records(place)
        async with place.open() as store:
            was = [entry.hash for entry in await store.read(0, 8)]
        await place.tamper(
            "UPDATE events SET position = -1 WHERE position = 4",
            "UPDATE events SET position = 4 WHERE position = 6",
            "UPDATE events SET position = 6 WHERE position = -1",
        )
        async with place.open() as store:
            report, found = await found_in(store)
            assert found["chain"] == found["I6"] == report.first_bad_position["intake"] == 4
            assert [entry.hash for entry in await store.read(0, 8)] != was

    run(story())


def test_a_record_that_was_put_in_between_is_found(place):
    async def story():
        entries = await eight_records(place)
        forged = place.binary(entries[3].record.replace(b"r-0", b"r-7"))
        await place.tamper(
            *[f"UPDATE events SET position = {n + 1} WHERE position = {n}" for n in range(8, 4, -1)],
            "INSERT INTO events (position, event_id, stream, version, tenant, correlation_id, hash, record) "
            f"SELECT 5, 'forged', stream, 77, tenant, correlation_id, hash, {forged} FROM events WHERE position = 4",
        )
        async with place.open() as store:
            report, found = await found_in(store)
            assert found["chain"] == report.first_bad_position["intake"] == 5

    run(story())


def test_a_chain_that_was_rewritten_from_a_place_on_is_found_by_the_head(place):
    """As long as the head was not rewritten too; that only a hash kept elsewhere would show."""

    async def story():
        entries = await eight_records(place)
        chains, puts = {}, []
        for entry in entries:
            record = entry.record.replace(b'"actor":"u"', b'"actor":"x"') if entry.position >= 4 else entry.record
            chains[entry.tenant] = hashlib.sha256(chains.get(entry.tenant, GENESIS) + record).digest()
            put = f"record = {place.binary(record)}, hash = {place.binary(chains[entry.tenant])}"
            puts.append(f"UPDATE events SET {put} WHERE position = {entry.position}")
        await place.tamper(*puts)
        async with place.open() as store:
            report, _ = await found_in(store)
            assert [(finding.rule, finding.position) for finding in report.findings] == [("chain", 8)]

    run(story())


# Positions, versions, causes and repeats: a log that was chained rightly, of records that are wrong.


class Written:
    """A journal that is right as a chain, whatever its records say."""

    def __init__(self, *envelopes):
        self.entries, self.chains = [], {}
        for position, envelope in enumerate(envelopes, 1):
            record = msgspec.json.encode(envelope)
            link = hashlib.sha256(self.chains.get(envelope.tenant, GENESIS) + record).digest()
            self.chains[envelope.tenant] = link
            ids = (envelope.id, envelope.tenant, envelope.stream, envelope.version, envelope.correlation_id)
            self.entries.append(Entry(position, *ids, link, record))

    async def head(self):
        return Head(len(self.entries), 1, self.chains)

    async def read(self, after, limit):
        return [entry for entry in self.entries if entry.position > after][:limit]

    async def checkpoints(self):
        return {}


def said(place, /, **changes):
    """The record at this position of intake's own journal: one more event of the request."""
    usual = dict(
        id=f"e-{place}",
        source="/c1/intake/1",
        type="RequestSupplemented",
        subject="request/r-1",
        time=NOW,
        tenant="t",
        stream="request/r-1",
        version=place,
        public_version=place,
        position=str(place),
        recorded_at=NOW,
        correlation_id="r-1",
        actor="u",
        partition_key="r-1",
        data=msgspec.Raw(msgspec.json.encode(supplemented())),
    )
    return Envelope(**usual | changes)


@pytest.mark.parametrize(
    ("rule", "wrong"),
    [
        ("I6", said(3, version=4)),
        ("I6", said(3, version=2)),
        ("I6", said(3, public_version=4)),
        ("I6", said(3, public_version=2)),
        ("I6", said(3, position="7")),
        ("I5", said(3, id="e-1")),
        ("I13", said(3, causation_id="e-3")),
        ("I13", said(3, causation_id="never")),
        ("I13", said(3, causation_id="e-1", tenant="u", version=1, public_version=1)),
        ("chain", said(3, source="/c1/quality/1")),
        ("chain", said(3, source="nobody")),
    ],
)
def test_a_wrong_record_is_found_where_it_stands(rule, wrong):
    _, found = run(found_in(Written(said(1), said(2, causation_id="e-1"), wrong)))
    assert found.get(rule) == 3


def test_right_records_and_those_of_internal_events_are_right():
    internal = said(2, public_version=0, causation_id="e-1")
    other_tenant = said(4, tenant="u", version=1, public_version=1)
    _, found = run(found_in(Written(said(1), internal, said(3, public_version=2), other_tenant)))
    assert found == {}


def test_a_payload_that_cannot_be_read_is_found():
    wrong = said(2, type="RequestWithdrawn", data=msgspec.Raw(b'{"request_id": 5}'))
    _, found = run(found_in(Written(said(1), wrong)))
    assert found == {"chain": 2}


def test_the_invariants_of_the_business_are_checked_on_the_way():
    end = [RequestWithdrawn(request_id="r-1", customer_id="c-1"), RequestClosed(request_id="r-1", outcome="completed")]
    kinds = [said(n, type=type(e).__name__, data=msgspec.Raw(msgspec.json.encode(e))) for n, e in enumerate(end, 1)]
    report, found = run(found_in(Written(*kinds)))
    assert (found, report.violations, report.chain) == ({"I1": 1}, 2, True)
    imported = [msgspec.structs.replace(one, origin="import") for one in kinds]
    assert run(found_in(Written(*imported)))[1] == {}


# Between services.


def received(request_id="r-1"):
    facts = {"number": "R-1", "request_type": "repair", "type_version": 1, "customer_id": "c-1", "skill": "cooling"}
    return RequestReceived(request_id=request_id, **facts, duration_s=60, region="x", lat_udeg=0, lon_udeg=0)


STORY = [received(), supplemented(), RequestClosed(request_id="r-1", outcome="completed"), received("r-2")]


async def both(place, other_place, change):
    """What intake says, taken in by quality after `change` was made to it; the report."""
    async with place.open() as intake, other_place.open() as quality:
        await record(intake, *STORY)
        arrived = list(arrivals(await intake.read(0, 100), QUALITY.takes))
        async with writing(QUALITY, quality) as writer:
            for arrival in change(arrived):
                # The writer refuses a hole; so it is told that each one is the next.
                await writer.take_in(TakeIn([arrival], {"intake": 1}))
        return await checked(intake=intake, quality=quality)


def skipping(arrival):
    """The same, said not to be wanted: its version is counted and its record is not kept."""
    return Arrival(arrival.envelope, b"", wanted=False)


def test_what_was_taken_in_whole_is_right_and_what_is_still_to_come_is_counted(place, other_place):
    report = run(both(place, other_place, lambda arrived: arrived))
    assert (report.violations, report.behind, report.events) == (0, {}, 7)


def test_what_is_still_to_come_is_no_violation(place, other_place):
    report = run(both(place, other_place, lambda arrived: arrived[:1]))
    assert (report.violations, report.behind) == (0, {"quality": 2})


def test_an_event_that_was_lost_on_the_way_is_found_where_it_is_missed(place, other_place):
    report = run(both(place, other_place, lambda arrived: [skipping(arrived[0]), *arrived[1:]]))
    ((rule, service, position, what),) = report.findings
    assert (rule, service, position) == ("I5", "quality", 1)
    assert "RequestReceived" in what


def test_what_came_before_its_type_was_taken_in_here_is_not_missed(place, other_place):
    """Another release ran here then, which did not read it; the journal notes when that ended."""

    async def story():
        async with place.open() as intake, other_place.open() as quality:
            await record(intake, *STORY)
            arrived = list(arrivals(await intake.read(0, 100), QUALITY.takes))
            async with writing(QUALITY, quality) as writer:
                for arrival in [skipping(arrived[0]), *arrived[1:]]:
                    await writer.take_in(TakeIn([arrival], {"intake": 1}))
                at = micros(arrived[0].envelope.recorded_at)
                await writer.settle(Settle({"takes:RequestReceived": at - 1}))
                before = await checked(intake=intake, quality=quality)
                await writer.settle(Settle({"takes:RequestReceived": at}))
                return before, await checked(intake=intake, quality=quality)

    before, since = run(story())
    assert [finding.rule for finding in before.findings] == ["I5"]
    assert (since.findings, since.behind) == ([], {})


def test_an_event_that_its_publisher_does_not_have_is_found(place, other_place):
    def forged(arrived):
        another = msgspec.structs.replace(arrived[0].envelope, id="another")
        unheard_of = msgspec.structs.replace(another, id="unheard-of", stream="request/r-9")
        later = msgspec.structs.replace(arrived[2].envelope, id="later", version=9, public_version=4)
        for envelope in (another, unheard_of, arrived[1].envelope, arrived[2].envelope, later):
            yield Arrival(envelope, msgspec.json.encode(envelope), envelope.type in QUALITY.takes)

    report = run(both(place, other_place, forged))
    assert [(finding.rule, finding.service, finding.position) for finding in report.findings] == [
        ("I5", "quality", 1),
        ("I5", "quality", 4),
        ("I5", "quality", 2),
    ]


@pytest.mark.parametrize("order", [(1, 1), (2, 1)], ids=["doubled", "out of order"])
def test_an_event_that_was_taken_in_again_or_after_a_later_one_is_found(order):
    """A writer takes in nothing like that, so these journals are written by hand."""
    foreign = [said(n, source="/c1/intake/1") for n in order]
    taken = Written(*foreign)
    taken.entries = [entry._replace(stream="intake:request/r-1", event_id=entry.event_id) for entry in taken.entries]
    report = run(checked(intake=Written(said(1), said(2)), quality=taken))
    assert [(f.rule, f.service, f.position) for f in report.findings if f.rule == "I5"][-1:] == [("I5", "quality", 2)]


class GoesOn:
    """A journal in which something happens each time before its end is looked at."""

    def __init__(self, store, happens):
        self._store, self._happens = store, happens

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def head(self):
        await self._happens()
        return await self._store.head()


@pytest.mark.parametrize("first", ["intake", "quality"])
def test_a_system_that_goes_on_while_it_is_checked_is_right(place, other_place, first):
    async def story():
        async with (
            place.open() as intake,
            other_place.open() as quality,
            writing(INTAKE, intake) as says,
            writing(QUALITY, quality) as hears,
        ):

            async def happens():
                event = received(f"r-{says.position}")
                await says.ask(Ask(command=Record((event,)), tenant="t", actor="u", caller="u"))
                entries = await intake.read(says.position - 1, 1)
                await hears.take_in(TakeIn(list(arrivals(entries, QUALITY.takes)), {"intake": says.position + 1}))

            journals = {"intake": intake, "quality": GoesOn(quality, happens)}
            for _ in range(3):
                report = await checked(**dict(sorted(journals.items(), reverse=first == "quality")))
                assert report.findings == []
            assert says.position == hears.position == 6

    run(story())


def test_a_process_that_may_only_read_can_check_a_journal_while_it_is_written(place):
    async def story():
        async with place.open() as store, place.open_to_read() as opened:
            await record(store, *EIGHT)
            assert (await checked(intake=opened)).events == 8
            assert (await verify({"dispatcher": dispatcher}, {"dispatcher": opened})).findings[0].rule == "chain"

    run(story())
