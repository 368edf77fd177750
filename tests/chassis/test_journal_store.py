"""What every journal store keeps to, whatever database is under it; then what each does in a way of its own."""

import asyncio
import hashlib
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

import asyncpg
import pytest

from services.chassis.journal.postgres import Lease, PostgresJournal, prepare
from services.chassis.journal.sqlite import InUse, SqliteJournal, connect
from services.chassis.journal.store import (
    GENESIS,
    Batch,
    Entry,
    Head,
    Held,
    HoldKey,
    JournalStore,
    LostLease,
    NotCommitted,
    OtherFormat,
    Receipt,
    Timer,
    TimerKey,
    Wanted,
)

SERVICE = "dispatcher"
LONG_S = 60.0
"""A lease that does not run out while a test is running."""


def entry(
    position: int, version: int = 0, *, tenant: str = "t", stream: str = "order/o-1", event_id: str = ""
) -> Entry:
    record = f"record {position}".encode()
    digest = hashlib.sha256(GENESIS + record).digest()
    return Entry(position, event_id or f"e-{position}", tenant, stream, version or position, "r-1", digest, record)


class Place(Protocol):
    """Where one journal lies; it can be opened again and again."""

    refusal: type[Exception]
    forgeries: tuple[str, ...]
    """Statements that would change what is recorded."""

    def journal(self) -> AbstractAsyncContextManager[JournalStore]:
        """Open it to write."""

    def reader(self) -> AbstractAsyncContextManager[JournalStore]:
        """Open it to read, while another may write."""

    async def execute(self, sql: str) -> None:
        """As somebody with a database client of their own would."""


class InSqlite:
    refusal = sqlite3.IntegrityError
    forgeries = (
        "UPDATE events SET record = 'forged' WHERE position = 1",
        "DELETE FROM events",
        "REPLACE INTO events VALUES (1, 'e-1', 1, 1, 't', 'r', x'00', 'forged')",
        "INSERT OR REPLACE INTO events VALUES (2, 'e-1', 1, 9, 't', 'r', x'00', 'forged')",
        "INSERT INTO events VALUES (9, 'e-9', 1, 9, 't', 'r', x'00', 'forged')",
    )

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def journal(self, *, readonly: bool = False) -> AsyncIterator[SqliteJournal]:
        journal = SqliteJournal(self.path, readonly=readonly)
        try:
            yield journal
        finally:
            await journal.close()

    def reader(self) -> AbstractAsyncContextManager[SqliteJournal]:
        return self.journal(readonly=True)

    async def execute(self, sql: str) -> None:
        connect(self.path).execute(sql)


class InPostgres:
    refusal = asyncpg.RaiseError
    forgeries = (
        "UPDATE events SET record = 'forged' WHERE position = 1",
        "DELETE FROM events",
        "TRUNCATE events",
        "INSERT INTO events VALUES (1, 'e-1', 1, 1, 't', 'r', '', '') ON CONFLICT (position) DO UPDATE SET record = ''",
        "INSERT INTO events VALUES (9, 'e-9', 1, 9, 't', 'r', '', '')",
        "INSERT INTO events VALUES (0, 'e-0', 1, 9, 't', 'r', '', '')",
    )

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        asyncio.run(prepare(dsn, SERVICE))

    @asynccontextmanager
    async def journal(self) -> AsyncIterator[PostgresJournal]:
        async with self.lease() as lease, self.opened(await lease.acquire("here")) as journal:
            yield journal
            await lease.release()

    def reader(self) -> AbstractAsyncContextManager[PostgresJournal]:
        return self.opened(None)

    async def execute(self, sql: str) -> None:
        async with self.client() as db:
            await db.execute(sql)

    @asynccontextmanager
    async def lease(self, dsn: str = "", ttl: float = LONG_S) -> AsyncIterator[Lease]:
        lease = Lease(dsn or self.dsn, SERVICE, ttl=ttl)
        try:
            yield lease
        finally:
            await lease.close()

    @asynccontextmanager
    async def opened(self, epoch: int | None, dsn: str = "") -> AsyncIterator[PostgresJournal]:
        journal = await PostgresJournal.open(dsn or self.dsn, SERVICE, epoch=epoch)
        try:
            yield journal
        finally:
            await journal.close()

    @asynccontextmanager
    async def client(self) -> AsyncIterator[Any]:
        db = await asyncpg.connect(self.dsn, server_settings={"search_path": f"{SERVICE}_journal"})
        try:
            yield db
        finally:
            await db.close()


@pytest.fixture
def in_postgres(postgres) -> InPostgres:
    return InPostgres(postgres.fresh_database())


@pytest.fixture(params=["sqlite", "postgres"])
def place(request, tmp_path) -> Place:
    return InSqlite(tmp_path / "journal.db") if request.param == "sqlite" else request.getfixturevalue("in_postgres")


class TestEveryStore:
    def test_a_commit_is_read_back_in_order_after_reopening(self, place):
        async def story():
            async with place.journal() as journal:
                await journal.commit(Batch(entries=[entry(1), entry(2)]), after=0)
            async with place.journal() as again:
                assert await again.read(after=0, limit=10) == [entry(1), entry(2)]
                assert await again.read(after=1, limit=10) == [entry(2)]
                assert await again.read(after=0, limit=1) == [entry(1)]
                assert await again.head() == Head(2, 1, {"t": entry(2).hash})
                known = await again.load(Wanted(streams={("t", "order/o-1"), ("t", "order/none")}))
                assert known.streams == {("t", "order/o-1"): [b"record 1", b"record 2"]}

        run(story())

    def test_a_reader_sees_what_the_writer_committed(self, place):
        async def story():
            async with place.journal() as journal, place.reader() as reader:
                assert await reader.head() == Head(0, 1, {})
                await journal.commit(Batch(entries=[entry(1)]), after=0)
                assert await reader.head() == Head(1, 1, {"t": entry(1).hash})
                assert await reader.read(after=0, limit=10) == [entry(1)]

        run(story())

    def test_tenants_share_positions_and_nothing_else(self, place):
        async def story():
            async with place.journal() as journal:
                await journal.commit(Batch(entries=[entry(1, 1, tenant="a"), entry(2, 1, tenant="b")]), after=0)
                await journal.commit(Batch(entries=[entry(3, 2, tenant="a"), entry(4, 1, stream="stock/s")]), after=2)
                assert await journal.head() == Head(4, 1, {"a": entry(3).hash, "b": entry(2).hash, "t": entry(4).hash})
                streams = {("a", "order/o-1"), ("b", "order/o-1"), ("t", "stock/s")}
                assert (await journal.load(Wanted(streams=streams))).streams == {
                    ("a", "order/o-1"): [b"record 1", b"record 3"],
                    ("b", "order/o-1"): [b"record 2"],
                    ("t", "stock/s"): [b"record 4"],
                }

        run(story())

    @pytest.mark.parametrize(
        ("why", "after", "bad"),
        [
            ("a hole in the positions", 0, [entry(1), entry(3)]),
            ("a hole before them", 0, [entry(2)]),
            ("a version twice", 0, [entry(1), entry(2, version=1)]),
            ("an event twice", 0, [entry(1), entry(2, event_id="e-1")]),
            ("decided upon a head that is not there", 1, [entry(2)]),
            ("the same, with nothing to record", 1, []),
        ],
    )
    def test_a_batch_that_does_not_fit_leaves_nothing_behind(self, place, why, after, bad):
        async def story():
            async with place.journal() as journal:
                with pytest.raises(NotCommitted):
                    await journal.commit(Batch(entries=bad, offsets={"intake": 7}), after=after)
                assert (await journal.head()).position == 0, why
                assert await journal.offsets() == {}
                await journal.commit(Batch(entries=[entry(1), entry(2)]), after=0)
                assert (await journal.head()).position == 2

        run(story())

    def test_a_batch_keeps_all_its_kinds_together_and_none_removes(self, place):
        receipt, claim, timer = ("t", "agent", "k"), ("t", "serial", "s"), TimerKey("t", "late", "o")
        hold = (HoldKey("assign", "t", "r-1"), 1)

        async def story():
            async with place.journal() as journal:
                first = Batch(
                    entries=[entry(1)],
                    receipts={receipt: Receipt(b"h", b"{}", 1, 0)},
                    claims={claim: "device/d-1"},
                    timers={timer: Timer(1_000, "e-1")},
                    offsets={"intake": 5},
                    seen={("t", "intake:request/r-1"): 3},
                    checkpoints={"assign": 1},
                    holds={hold: Held(1, 2, 9, False, "NotYet")},
                )
                await journal.commit(first, after=0)
                wanted = Wanted(receipts={receipt}, claims={claim}, seen={("t", "intake:request/r-1")})
                known = await journal.load(wanted)
                assert known.receipts == first.receipts
                assert known.claims == first.claims
                assert known.seen == first.seen
                assert (await journal.offsets(), await journal.checkpoints()) == (first.offsets, first.checkpoints)
                assert await journal.due(999, 10) == []
                assert await journal.due(1_000, 10) == [(timer, Timer(1_000, "e-1"))]
                assert await journal.next_due() == 1_000
                assert await journal.held(["assign"]) == [(hold[0], first.holds[hold])]
                assert await journal.held(["another"]) == []

                await journal.commit(Batch(claims={claim: None}, timers={timer: None}, holds={hold: None}), after=1)
                assert (await journal.load(wanted)).claims == {}
                assert await journal.next_due() is None
                assert await journal.held(["assign"]) == []

        run(story())

    def test_a_story_is_all_that_has_its_name_in_its_tenant_in_order(self, place):
        async def story():
            async with place.journal() as journal:
                told = [entry(1), entry(2, 1, stream="intake:request/r-1"), entry(3, 2)]
                another = [entry(4, 1, stream="order/o-2")._replace(correlation_id="r-2"), entry(5, 1, tenant="u")]
                await journal.commit(Batch(entries=[*told, *another]), after=0)
                assert await journal.story("t", "r-1") == told
                assert [one.position for one in await journal.story("t", "r-2")] == [4]
                assert await journal.story("t", "r-3") == []
            async with place.reader() as reader:
                assert await reader.story("u", "r-1") == another[1:]
                known = await reader.load(Wanted(streams={("t", "order/o-1")}))
                assert known.streams == {("t", "order/o-1"): [told[0].record, told[2].record]}

        run(story())

    def test_a_later_value_replaces_an_earlier_one_but_a_receipt_stays(self, place):
        receipt, claim, timer = ("t", "agent", "k"), ("t", "serial", "s"), TimerKey("t", "late", "o")
        hold, stream = (HoldKey("assign", "t", "r-1"), 1), ("t", "intake:request/r-1")

        def batch(n: int) -> Batch:
            return Batch(
                claims={claim: f"device/{n}"},
                timers={timer: Timer(n, f"e-{n}")},
                offsets={"intake": n},
                seen={stream: n},
                checkpoints={"assign": n},
                holds={hold: Held(1, n, n, n == 2, f"reason {n}")},
            )

        async def story():
            async with place.journal() as journal:
                await journal.commit(batch(1), after=0)
                await journal.commit(batch(2), after=0)
                known = await journal.load(Wanted(claims={claim}, seen={stream}))
                assert (known.claims, known.seen) == ({claim: "device/2"}, {stream: 2})
                assert await journal.due(9, 9) == [(timer, Timer(2, "e-2"))]
                assert (await journal.offsets(), await journal.checkpoints()) == ({"intake": 2}, {"assign": 2})
                assert await journal.held(["assign"]) == [(hold[0], Held(1, 2, 2, True, "reason 2"))]

                answered = Batch(receipts={receipt: Receipt(b"h", b"{}", 0, 0)})
                await journal.commit(answered, after=0)
                with pytest.raises(NotCommitted):
                    await journal.commit(Batch(receipts={receipt: Receipt(b"h", b"another", 0, 0)}), after=0)
                assert (await journal.load(Wanted(receipts={receipt}))).receipts == answered.receipts

        run(story())

    def test_an_expired_receipt_gives_way_but_not_one_that_is_kept_for_ever(self, place):
        short, lasting = ("t", "agent", "k"), ("t", "policy:assign", "k")
        first = {short: Receipt(b"h", b"{}", 0, 5), lasting: Receipt(b"h", b"{}", 0, 0)}
        later = {short: Receipt(b"h", b"later", 0, 9)}

        async def story():
            async with place.journal() as journal:
                await journal.commit(Batch(receipts=first), after=0)
                await journal.commit(Batch(receipts=later, expired={short, lasting}), after=0)
                assert (await journal.load(Wanted(receipts={short, lasting}))).receipts == first | later
                await journal.commit(Batch(expired={short}), after=0)
                assert (await journal.load(Wanted(receipts={short}))).receipts == {}

        run(story())

    def test_timers_come_by_due_time_and_then_by_code_point(self, place):
        timers = {
            TimerKey("t", "late", key): Timer(due, "e-1") for key, due in [("é", 2), ("a", 2), ("B", 2), ("z", 1)]
        }

        async def story():
            async with place.journal() as journal:
                await journal.commit(Batch(timers=timers), after=0)
                assert [timer.key for timer, _ in await journal.due(2, 10)] == ["z", "B", "a", "é"]
                assert [timer.key for timer, _ in await journal.due(2, 2)] == ["z", "B"]

        run(story())

    def test_a_record_can_be_neither_changed_nor_removed(self, place):
        async def story():
            async with place.journal() as journal:
                await journal.commit(Batch(entries=[entry(1)]), after=0)
            for forgery in place.forgeries:
                with pytest.raises(place.refusal):
                    await place.execute(forgery)
            async with place.journal() as again:
                assert await again.read(0, 10) == [entry(1)]

        run(story())


def test_a_journal_of_a_format_that_is_not_known_is_not_opened(place):
    async def story():
        async with place.journal():
            pass
        await place.execute("UPDATE meta SET value = 2 WHERE name = 'journal_format'")
        for opened in (place.journal, place.reader):
            with pytest.raises(OtherFormat, match="has format 2, and this release knows format 1"):
                async with opened():
                    pass
        await place.execute("UPDATE meta SET value = 1 WHERE name = 'journal_format'")
        async with place.journal():
            pass

    run(story())


def test_a_second_process_is_told_who_holds_the_file(tmp_path):
    place = InSqlite(tmp_path / "journal.db")

    async def story():
        async with place.journal():
            with pytest.raises(InUse, match=r"in use by process \d+"):
                SqliteJournal(place.path)
            async with place.reader():
                pass

    run(story())


def test_a_commit_that_fails_while_it_is_cancelled_ends_as_cancelled_and_leaves_nothing_open(tmp_path, monkeypatch):
    monkeypatch.setattr("services.chassis.journal.sqlite.PATIENCE_MS", 200)
    place = InSqlite(tmp_path / "journal.db")

    async def story():
        async with place.journal() as journal:
            outside = connect(place.path)
            outside.execute("BEGIN IMMEDIATE")
            committing = asyncio.create_task(journal.commit(Batch(entries=[entry(1)]), after=0))
            await asyncio.sleep(0)
            committing.cancel()
            with pytest.raises(asyncio.CancelledError):
                await committing
            outside.execute("ROLLBACK")
            outside.close()
            await journal.commit(Batch(entries=[entry(1)]), after=0)
            assert (await journal.head()).position == 1

    run(story())


def test_one_holds_the_lease_and_the_next_can_start_once_it_is_released(in_postgres):
    async def story():
        async with in_postgres.lease() as first, in_postgres.lease() as second:
            assert await first.holder() is None
            assert await first.acquire("10.0.0.1:80") == 1
            assert await second.acquire("10.0.0.2:80") is None
            assert (first.held, second.held, await second.holder()) == (True, False, "10.0.0.1:80")
            async with in_postgres.opened(1) as journal:
                await first.release()
                assert await second.acquire("10.0.0.2:80") == 2
                assert (first.held, second.held, await first.holder()) == (False, True, "10.0.0.2:80")
                with pytest.raises(LostLease):
                    await journal.commit(Batch(offsets={"intake": 7}), after=0)
                assert await journal.offsets() == {}

    run(story())


def test_a_released_lease_ends_writing_though_nobody_has_taken_it(in_postgres):
    async def story():
        async with in_postgres.lease() as lease, in_postgres.opened(await lease.acquire("here")) as journal:
            await lease.release()
            assert not await lease.renew()
            with pytest.raises(LostLease):
                await journal.commit(Batch(entries=[entry(1)]), after=0)

    run(story())


def test_a_holder_who_paused_beyond_its_time_commits_nothing(in_postgres):
    async def story():
        async with (
            in_postgres.lease() as paused,
            in_postgres.lease() as next_one,
            in_postgres.opened(await paused.acquire("old")) as old,
        ):
            await old.commit(Batch(entries=[entry(1)]), after=0)
            await let_run_out(paused)
            with pytest.raises(LostLease):
                await old.commit(Batch(entries=[entry(2)]), after=1)
            async with in_postgres.opened(await next_one.acquire("new")) as new:
                with pytest.raises(LostLease):
                    await old.commit(Batch(entries=[entry(2)]), after=1)
                await new.commit(Batch(entries=[entry(2, event_id="of the new")]), after=1)
                assert [e.event_id for e in await old.read(0, 10)] == ["e-1", "of the new"]

    run(story())


def test_a_commit_waits_for_a_take_over_that_has_begun_and_is_refused(in_postgres):
    async def story():
        async with in_postgres.journal() as journal, in_postgres.client() as other:
            async with other.transaction():
                await other.execute("UPDATE lease SET epoch = epoch + 1, holder = 'other'")
                commit = asyncio.create_task(journal.commit(Batch(entries=[entry(1)]), after=0))
                await until(lambda: are_waiting(other, 1))
            with pytest.raises(LostLease):
                await commit
            assert (await journal.head()).position == 0

    run(story())


def test_a_lease_is_kept_until_another_has_it(in_postgres):
    async def story():
        async with in_postgres.lease(ttl=0.6) as lease, in_postgres.client() as other:
            await lease.acquire("here")
            first = await other.fetchval("SELECT expires_at FROM lease")
            keeping = asyncio.create_task(lease.keep())

            async def renewed_twice():
                return (await other.fetchval("SELECT expires_at - $1 FROM lease", first)).total_seconds() > 0.3

            await until(renewed_twice)
            await other.execute("UPDATE lease SET epoch = epoch + 1")
            await keeping
            assert not lease.held

    run(story())


def test_a_lease_outlives_a_renewal_that_fails(in_postgres):
    async def story():
        async with in_postgres.lease(ttl=0.6) as lease, in_postgres.client() as other:
            await lease.acquire("here")
            await other.execute("ALTER TABLE lease RENAME TO away")
            keeping = asyncio.create_task(lease.keep())
            await asyncio.wait([keeping], timeout=0.1)
            await other.execute("ALTER TABLE away RENAME TO lease")
            first = await other.fetchval("SELECT expires_at FROM lease")
            await until(lambda: other.fetchval("SELECT expires_at > $1 FROM lease", first))
            keeping.cancel()

    run(story())


def test_a_lease_that_cannot_be_renewed_is_lost_when_its_time_is_up(in_postgres):
    async def story():
        async with Wire(in_postgres.dsn) as wire, in_postgres.lease(wire.dsn, ttl=0.3) as lease:
            await lease.acquire("here")
            keeping = asyncio.create_task(lease.keep())
            wire.close()
            await keeping
            assert not lease.held

    run(story())


def test_only_the_newest_connection_of_a_lease_can_append(in_postgres):
    async def story():
        async with in_postgres.lease() as lease:
            epoch = await lease.acquire("here")
            async with in_postgres.opened(epoch) as older, in_postgres.opened(epoch) as newer:
                with pytest.raises(LostLease):
                    await older.commit(Batch(entries=[entry(1)]), after=0)
                await newer.commit(Batch(entries=[entry(1)]), after=0)

    run(story())


def test_a_backend_that_dies_before_its_commit_leaves_nothing(in_postgres):
    async def story():
        async with in_postgres.journal() as journal, in_postgres.client() as other:
            async with other.transaction():
                await other.execute("SELECT FROM lease FOR UPDATE")
                commit = asyncio.create_task(journal.commit(Batch(entries=[entry(1)]), after=0))
                await until(lambda: are_waiting(other, 1))
                await other.execute("SELECT pg_terminate_backend(backend, 10000) FROM lease")
                with pytest.raises(NotCommitted):
                    await commit
            assert (await journal.head()).position == 0
            await journal.commit(Batch(entries=[entry(1)]), after=0)
            assert (await journal.head()).position == 1

    run(story())


def test_a_backend_that_dies_after_its_commit_has_recorded_it(in_postgres):
    async def story():
        async with (
            Wire(in_postgres.dsn) as wire,
            in_postgres.lease() as lease,
            in_postgres.opened(await lease.acquire("here"), wire.dsn) as journal,
            in_postgres.client() as other,
        ):
            await journal.commit(Batch(entries=[entry(1)]), after=0)
            wire.muted = True
            commit = asyncio.create_task(journal.commit(Batch(entries=[entry(2)]), after=1))
            await until(lambda: other.fetchval("SELECT count(*) = 2 FROM events"))
            await other.execute("SELECT pg_terminate_backend(backend, 10000) FROM lease")
            with pytest.raises(NotCommitted):
                await commit
            wire.muted = False
            assert await journal.head() == Head(2, 1, {"t": entry(2).hash})
            await journal.commit(Batch(entries=[entry(3)]), after=2)

    run(story())


def test_the_head_is_not_told_while_a_commit_without_answer_may_still_happen(in_postgres):
    async def story():
        async with (
            Wire(in_postgres.dsn) as wire,
            in_postgres.lease() as lease,
            in_postgres.opened(await lease.acquire("here"), wire.dsn) as journal,
            in_postgres.client() as other,
        ):
            first = await other.fetchval("SELECT backend FROM lease")
            async with other.transaction():
                await other.execute("SELECT FROM lease FOR UPDATE")
                commit = asyncio.create_task(journal.commit(Batch(entries=[entry(1)]), after=0))
                await until(lambda: are_waiting(other, 1))
                wire.cut()
                with pytest.raises(NotCommitted):
                    await commit
                head = asyncio.create_task(journal.head())
                await until(lambda: are_waiting(other, 2))
            told = await head
            gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = $1)"
            await until(lambda: other.fetchval(gone, first))
            assert await journal.head() == told

    run(story())


def test_a_database_that_comes_back_is_waited_for(in_postgres):
    async def story():
        async with (
            Wire(in_postgres.dsn) as wire,
            in_postgres.lease() as lease,
            in_postgres.opened(await lease.acquire("here"), wire.dsn) as journal,
        ):
            wire.close()
            head = asyncio.create_task(journal.head())
            await asyncio.wait([head], timeout=0.2)
            await wire.open()
            assert (await head).position == 0
            await journal.commit(Batch(entries=[entry(1)]), after=0)

    run(story())


def test_the_role_of_a_service_can_append_and_has_no_way_round_the_triggers(in_postgres):
    role = f"role_of_{urlsplit(in_postgres.dsn).path[1:]}"
    dsn = f"{in_postgres.dsn}{'&' if '?' in in_postgres.dsn else '?'}role={role}"

    async def story():
        await in_postgres.execute(f"CREATE ROLE {role}")
        await prepare(in_postgres.dsn, SERVICE, role=role)
        async with in_postgres.lease(dsn) as lease, in_postgres.opened(await lease.acquire("here"), dsn) as journal:
            await journal.commit(Batch(entries=[entry(1)], offsets={"intake": 7}), after=0)
            assert await journal.read(0, 10) == [entry(1)]
            assert await journal.offsets() == {"intake": 7}
        async with in_postgres.client() as db:
            await db.execute(f"SET ROLE {role}")
            for attempt in (
                "ALTER TABLE events DISABLE TRIGGER ALL",
                "DROP TABLE events",
                "TRUNCATE events",
                "INSERT INTO events VALUES (2, 'e-2', 1, 2, 't', 'r', '', '')",
                "UPDATE chains SET hash = ''",
                "DELETE FROM receipts",
                "UPDATE meta SET value = 2",
            ):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await db.execute(attempt)
            await db.execute(f"RESET ROLE; DROP OWNED BY {role}; DROP ROLE {role}")

    run(story())


class Wire:
    """A way to the database that can be cut, closed and opened again; a muted one brings no answers back."""

    def __init__(self, dsn: str) -> None:
        self._to = urlsplit(dsn)
        self.muted = False
        self._port = 0
        self._ends: list[asyncio.StreamWriter] = []

    @property
    def dsn(self) -> str:
        user = self._to.netloc.rpartition("@")[0]
        return self._to._replace(netloc=f"{user}@127.0.0.1:{self._port}").geturl()

    async def __aenter__(self) -> "Wire":
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        self.close()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._carry, "127.0.0.1", self._port)
        self._port = self._server.sockets[0].getsockname()[1]

    def close(self) -> None:
        self._server.close()
        self.cut()

    def cut(self) -> None:
        while self._ends:
            self._ends.pop().transport.abort()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_server, to_server = await asyncio.open_connection(self._to.hostname, self._to.port or 5432)
        self._ends += [writer, to_server]
        await asyncio.gather(self._pump(reader, to_server), self._pump(from_server, writer, answers=True))

    async def _pump(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answers: bool = False) -> None:
        with suppress(OSError):
            while data := await source.read(65_536):
                if not (answers and self.muted):
                    sink.write(data)
                    await sink.drain()
        sink.close()


async def let_run_out(lease: Lease) -> None:
    """Make the time of the lease end now, as if it had not been renewed."""
    lease.ttl = 0.001
    await lease.renew()

    async def over() -> bool:
        return await lease.holder() is None

    await until(over)


async def are_waiting(db: Any, count: int) -> bool:
    """Whether so many connections to this database wait for a lock."""
    await db.execute("SELECT pg_stat_clear_snapshot()")  # a transaction would go on seeing what it saw first
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    return await db.fetchval(waiting) == count


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Wait for the condition; `run` is the deadline."""
    while not await condition():
        await asyncio.sleep(0.005)


def run(story) -> None:
    """Run to the end, or fail after half a minute."""
    asyncio.run(asyncio.wait_for(story, timeout=30))
