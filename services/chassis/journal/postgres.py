"""
The journal in PostgreSQL: every commit is one call of one function in the database, and durable.

Each service has the schema `<service>_journal`, made by `prepare`. Whoever holds the `Lease` writes; the database
judges that inside every commit, by its own clock. Anyone may read.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import cache, partial
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import asyncpg

from services.chassis.journal.store import (
    FORMAT,
    Batch,
    Entry,
    Head,
    Held,
    HoldKey,
    Known,
    LostLease,
    NotCommitted,
    OtherFormat,
    Receipt,
    ReceiptKey,
    Recorded,
    Timer,
    TimerKey,
    Wanted,
)
from services.chassis.journal.tail import Tail
from services.chassis.pool import EndsInTime

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

TTL_S = 6.0
"""How long a lease holds without being renewed."""

_ENTRIES = (
    "SELECT position, event_id, e.tenant, s.stream, version, correlation_id, hash, record "
    "FROM events AS e JOIN streams AS s ON s.id = e.stream"
)

PATIENCE_S = 5.0
"""How long a server that is away or starting is waited for: a restart is no reason to give up."""

ANSWER_S = 6.0
"""An answer that takes longer comes too late: the lease is over by then."""

LEASE_IS_OVER = "FL001"
"""The SQLSTATE with which `append` refuses whoever does not hold the lease."""

SETTINGS = {
    "application_name": "fieldloop",
    "synchronous_commit": "on",
    "idle_in_transaction_session_timeout": "2s",
    "default_transaction_isolation": "read committed",
    # All goes by key. Plans are made once, and one made while the tables were empty would read the whole table later.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}

FAILURES = (asyncpg.PostgresError, asyncpg.InterfaceError, OSError)
"""What a statement can raise; to be out of time is an OSError."""


_LOOK_UPS = {
    "stream": "version, NULL::bigint, NULL::text, record, NULL::bytea FROM {} AS w (tenant, stream, n) "
    "JOIN streams AS s ON s.tenant = w.tenant AND s.stream = w.stream JOIN events AS e ON e.stream = s.id",
    "receipt": "position, kept_until, NULL, request_hash, outcome FROM {} AS w (tenant, caller, key, n) "
    "JOIN receipts USING (tenant, caller, key)",
    "claim": "NULL::bigint, NULL::bigint, owner, NULL::bytea, NULL::bytea FROM {} AS w (tenant, kind, key, n) "
    "JOIN claims USING (tenant, kind, key)",
    "seen": "public_version, NULL::bigint, NULL, NULL::bytea, NULL::bytea FROM {} AS w (tenant, stream, n) "
    "JOIN seen USING (tenant, stream)",
    "event": "position, NULL::bigint, NULL, NULL::bytea, NULL::bytea FROM {} AS w (id, n) "
    "JOIN events ON event_id = w.id",
}
"""What is looked up by keys that are handed over as arrays: each found with its kind and the number of its key."""


@cache
def _look_up(kinds: tuple[tuple[str, int], ...]) -> str:
    """One statement for these kinds, each with how many parts its key has: every statement costs a round trip."""
    parts, first = [], 1
    for kind, width in kinds:
        arrays = ", ".join([f"${first + n}::text[]" for n in range(width)])
        parts.append(f"SELECT '{kind}', w.n, " + _LOOK_UPS[kind].format(f"unnest({arrays}) WITH ORDINALITY"))
        first += width
    return " UNION ALL ".join(parts)


async def prepare(dsn: str, service: str, *, role: str | None = None) -> None:
    """
    Make the schema of a service's journal unless it is there; who calls this owns it.

    With `role`, which must exist, that role may read, take the lease and append, and nothing else: run the service
    under it, and it has no way round the triggers, because only an owner can switch them off.
    """
    schema = f'"{service}_journal"'
    db = await _connect(dsn, service)
    try:
        async with db.transaction():
            # Several may start at once.
            await db.execute("SELECT pg_advisory_xact_lock(hashtext('fieldloop'))")
            if await db.fetchval("SELECT to_regclass($1) IS NULL", f"{schema}.meta"):
                await db.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
                await db.execute(files(__package__).joinpath("schema.postgres.sql").read_text())
            if role:
                await db.execute(
                    f'GRANT USAGE ON SCHEMA {schema} TO "{role}"; '
                    f'GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO "{role}"; '
                    f'GRANT UPDATE ON lease TO "{role}"; '
                    f'GRANT EXECUTE ON FUNCTION append TO "{role}"'
                )
    finally:
        await db.close()


async def _connect(dsn: str, service: str, **settings: str) -> Connection:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            return await asyncpg.connect(
                dsn,
                timeout=ANSWER_S,
                command_timeout=ANSWER_S,
                connection_class=EndsInTime,
                server_settings=SETTINGS | {"search_path": f'"{service}_journal", pg_temp'} | settings,
            )
        except (OSError, asyncpg.CannotConnectNowError, asyncpg.PostgresConnectionError):
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


class _Line:
    """A connection that is made again when it is lost. One statement at a time, each a transaction of its own."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]]) -> None:
        self._connect = connect
        self._turn = asyncio.Lock()
        self._db: Connection | None = None

    async def rows(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Ask what may be asked twice: if the connection is lost meanwhile, it is asked again on a new one."""
        async with self._turn:
            try:
                return await self._ask(sql, values)
            except FAILURES:
                if self._db is None or not self._db.is_closed():
                    raise
                return await self._ask(sql, values)

    async def once(self, sql: str, *values: object) -> list[asyncpg.Record]:
        """Ask what must not be asked twice."""
        async with self._turn:
            return await self._ask(sql, values)

    async def _ask(self, sql: str, values: Sequence[object]) -> list[asyncpg.Record]:
        if self._db is not None and self._db.is_closed():
            self._db = None
        if self._db is None:
            self._db = await self._connect()
        try:
            return await self._db.fetch(sql, *values)
        except asyncpg.PostgresError:
            raise
        except BaseException:
            # Nobody knows what the server makes of it; what is asked next must not share its connection.
            self._db.terminate()
            raise

    async def close(self) -> None:
        if self._db is not None:
            await self._db.close()


class Lease:
    """
    The right to write a service's journal, on a connection of its own.

    Acquire it, open the journal with its epoch, and run `keep` beside the writer; on SIGTERM stop both and `release`.
    One who never acquires may ask who the holder is.
    """

    def __init__(self, dsn: str, service: str, *, ttl: float = TTL_S) -> None:
        self.ttl = ttl
        self._line = _Line(partial(_connect, dsn, service))
        self._epoch = 0
        self._until = 0.0

    @property
    def held(self) -> bool:
        """Whether it holds for certain; by our own clock, which starts before the database's does."""
        return time.monotonic() < self._until

    async def acquire(self, address: str) -> int | None:
        """Take the lease if it is free and return its epoch, which is higher than any before."""
        asked = time.monotonic()
        rows = await self._line.rows(
            "UPDATE lease SET epoch = epoch + 1, holder = $1, backend = NULL, "
            "expires_at = clock_timestamp() + $2 * interval '1 second' "
            "WHERE expires_at <= clock_timestamp() RETURNING epoch",
            address,
            self.ttl,
        )
        if not rows:
            return None
        self._epoch, self._until = rows[0]["epoch"], asked + self.ttl
        return self._epoch

    async def renew(self) -> bool:
        """Hold it for another while; False when it was released or another has it. One that ran out is still ours."""
        asked = time.monotonic()
        rows = await self._line.rows(
            "UPDATE lease SET expires_at = clock_timestamp() + $2 * interval '1 second' "
            "WHERE epoch = $1 AND holder IS NOT NULL RETURNING epoch",
            self._epoch,
            self.ttl,
        )
        self._until = asked + self.ttl if rows else 0.0
        return bool(rows)

    async def keep(self) -> None:
        """Renew it in time, for as long as possible. Returns when the lease is lost: then the writer must stop."""
        try:
            async with asyncio.timeout_at(self._until) as limit:  # its clock is time.monotonic
                while await self._renewed():
                    limit.reschedule(self._until)
                    await asyncio.sleep(self.ttl / 3)
        except TimeoutError:
            pass

    async def _renewed(self) -> bool:
        try:
            return await self.renew()
        except FAILURES:
            return True  # not known; `keep` tries again until time is up

    async def release(self) -> None:
        """Give it back, so that the next holder can start at once. Waits for a commit that is under way."""
        self._until = 0.0
        await self._line.rows(
            "UPDATE lease SET holder = NULL, expires_at = '-infinity' WHERE epoch = $1 RETURNING epoch", self._epoch
        )

    async def holder(self) -> str | None:
        """The address of whoever may write now."""
        rows = await self._line.rows("SELECT holder FROM lease WHERE expires_at > clock_timestamp()")
        return rows[0]["holder"] if rows else None

    async def close(self) -> None:
        await self._line.close()


class PostgresJournal:
    """
    A `JournalStore` in the schema of one service. `open` makes it.

    Commits, and reads that must see the last commit, use one connection, `read` another. Each is made again when it is
    lost. A replica that only reads has just the second.
    """

    def __init__(self, dsn: str, service: str, epoch: int | None) -> None:
        self._dsn, self._service, self._epoch = dsn, service, epoch
        self._reads = _Line(partial(_connect, dsn, service, default_transaction_read_only="on"))
        self._writes = self._reads if epoch is None else _Line(self._take_over)
        self._tail = Tail()

    @classmethod
    async def open(cls, dsn: str, service: str, *, epoch: int | None = None) -> PostgresJournal:
        """Open the journal that `prepare` made: to write under the lease of this epoch, without one only to read."""
        journal = cls(dsn, service, epoch)
        await journal.head()
        found = await journal._pairs("SELECT value FROM meta WHERE name = 'journal_format'")
        if found[0][0] != FORMAT:
            await journal.close()
            raise OtherFormat(f"of {service}", found[0][0])
        return journal

    async def _take_over(self) -> Connection:
        """
        Make the one connection of this epoch that may append.

        A commit whose answer was lost may still be under way on the connection before it. This waits until it has
        ended, and one that has not begun will be refused: so the head that is read here afterwards is final.
        """
        db = await _connect(self._dsn, self._service)
        try:
            await db.execute("UPDATE lease SET backend = pg_backend_pid() WHERE epoch = $1", self._epoch)
        except BaseException:
            db.terminate()
            raise
        return db

    async def head(self) -> Head:
        rows = await self._writes.rows(
            "SELECT coalesce((SELECT max(position) FROM events), 0), value, "
            "coalesce((SELECT value FROM meta WHERE name = 'shift'), 0), tenant, hash "
            "FROM meta LEFT JOIN chains ON true WHERE name = 'incarnation'"
        )
        position, incarnation, shift, *_ = rows[0]
        return Head(position, incarnation, {tenant: link for *_, tenant, link in rows if tenant is not None}, shift)

    async def load(self, wanted: Wanted) -> Known:
        known = Known()
        asked: list[tuple[str, list[Any]]] = [
            ("stream", list(wanted.streams)),
            ("receipt", list(wanted.receipts)),
            ("claim", list(wanted.claims)),
            ("seen", list(wanted.seen)),
            ("event", [(event_id,) for event_id in wanted.events]),
        ]
        asked = [(kind, keys) for kind, keys in asked if keys]
        if not asked:
            return known
        keys_of = dict(asked)
        columns = [column for _, keys in asked for column in zip(*keys, strict=True)]
        rows = await self._writes.rows(_look_up(tuple([(kind, len(keys[0])) for kind, keys in asked])), *columns)
        streams: list[tuple[int, int, bytes]] = []
        for kind, n, number, until, text, said, more in rows:
            key = keys_of[kind][n - 1]
            if kind == "stream":
                streams.append((n, number, said))
            elif kind == "receipt":
                known.receipts[key] = Receipt(said, more, number, until)
            elif kind == "claim":
                known.claims[key] = text
            elif kind == "seen":
                known.seen[key] = number
            else:
                known.events[key[0]] = number
        for n, _, record in sorted(streams):
            known.streams.setdefault(keys_of["stream"][n - 1], []).append(record)
        return known

    async def commit(self, batch: Batch, after: int) -> None:
        try:
            await self._writes.once(
                "SELECT append($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
                self._epoch,
                after,
                batch.entries,
                [
                    *((*key, None, None, None, None) for key in batch.expired),
                    *((*key, *receipt) for key, receipt in batch.receipts.items()),
                ],
                [(*key, owner) for key, owner in batch.claims.items()],
                [(*key, *(timer or (None, None))) for key, timer in batch.timers.items()],
                list(batch.offsets.items()),
                [(*key, version) for key, version in batch.seen.items()],
                list(batch.checkpoints.items()),
                [
                    (*key, *(hold or (position, None, None, None, None)))
                    for (key, position), hold in batch.holds.items()
                ],
            )
        except BaseException as error:
            self._tail.forget()
            if not isinstance(error, FAILURES):
                raise
            if isinstance(error, asyncpg.PostgresError) and error.sqlstate == LEASE_IS_OVER:
                raise LostLease(str(error)) from error
            raise NotCommitted(str(error) or "the database did not answer in time") from error
        self._tail.add(batch.entries)

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        if (newest := self._tail.read(after, limit)) is not None:
            return newest
        rows = await self._reads.rows(f"{_ENTRIES} WHERE position > $1 ORDER BY position LIMIT $2", after, limit)
        return [Entry._make(row) for row in rows]

    async def records(self, after: int, limit: int) -> Sequence[Recorded]:
        sql = "SELECT position, record FROM events WHERE position > $1 ORDER BY position LIMIT $2"
        return list(map(Recorded._make, await self._reads.rows(sql, after, limit)))

    async def story(self, tenant: str, correlation_id: str) -> Sequence[Entry]:
        of_story = "WHERE e.tenant = $1 AND correlation_id = $2 ORDER BY position"
        return [Entry._make(row) for row in await self._reads.rows(f"{_ENTRIES} {of_story}", tenant, correlation_id)]

    async def receipts(self, after: ReceiptKey, limit: int) -> Sequence[tuple[ReceiptKey, int]]:
        rows = await self._reads.rows(
            "SELECT tenant, caller, key, kept_until FROM receipts WHERE (tenant, caller, key) > ($1, $2, $3) "
            "ORDER BY tenant, caller, key LIMIT $4",
            *after,
            limit,
        )
        return [(tuple(row[:3]), row[3]) for row in rows]

    async def offsets(self) -> dict[str, int]:
        return dict(await self._pairs("SELECT partition, next FROM offsets"))

    async def checkpoints(self) -> dict[str, int]:
        return dict(await self._pairs("SELECT reader, position FROM checkpoints"))

    async def _pairs(self, sql: str) -> list[Any]:
        return await self._writes.rows(sql)

    async def due(self, now: int, limit: int) -> Sequence[tuple[TimerKey, Timer]]:
        rows = await self._writes.rows(
            "SELECT tenant, name, key, due, event_id FROM timers WHERE due <= $1 "
            "ORDER BY due, tenant, name, key LIMIT $2",
            now,
            limit,
        )
        return [(TimerKey(*row[:3]), Timer(*row[3:])) for row in rows]

    async def next_due(self) -> int | None:
        rows = await self._writes.rows("SELECT min(due) FROM timers")
        due: int | None = rows[0][0]
        return due

    async def held(
        self, policies: Collection[str], of: tuple[str, str] | None = None
    ) -> Sequence[tuple[HoldKey, Held]]:
        only = "AND tenant = $2 AND key = $3 " if of else ""
        rows = await self._writes.rows(
            "SELECT policy, tenant, key, position, tries, retry_at, parked, reason FROM holds "
            f"WHERE policy = ANY ($1) {only}ORDER BY policy, tenant, key, position",
            list(policies),
            *(of or ()),
        )
        return [(HoldKey(*row[:3]), Held(*row[3:])) for row in rows]

    async def close(self) -> None:
        await self._reads.close()
        await self._writes.close()
