"""
The journal in one SQLite file: every commit is durable (`synchronous=FULL`), one process writes.

An OS lock on a file beside it is held for the life of the writing process; there is no lease and no replica. A batch is
written where it was decided, which is short work in memory, and only the wait for the disk is handed to a thread, so
that it stalls nobody else: every hand-over costs more than what is written. Reads use a second connection.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from services.chassis.journal.store import (
    FORMAT,
    Batch,
    Entry,
    Head,
    Held,
    HoldKey,
    Known,
    NotCommitted,
    OtherFormat,
    Receipt,
    ReceiptKey,
    Recorded,
    StreamKey,
    Timer,
    TimerKey,
    Wanted,
)
from services.chassis.journal.tail import Tail

T = TypeVar("T")

PATIENCE_MS = 10_000

_ENTRIES = (
    "SELECT position, event_id, events.tenant, streams.stream, version, correlation_id, hash, record "
    "FROM events JOIN streams ON streams.id = events.stream"
)

_WANTED = "json_each(?) AS w"
"""The keys of a look-up. CROSS JOIN keeps the order: for each of them, one look into the table."""
_1, _2, _3 = (f"json_extract(w.value, '$[{n}]')" for n in range(3))


class InUse(Exception):
    """Another process holds this journal; the text says which."""


class WriterLock:
    """The right to write to a file's journal, held until the process ends or `release`."""

    def __init__(self, path: Path) -> None:
        self._file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise InUse(f"{path.parent} is in use by process {holder}: stop it, or choose another --data") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        os.close(self._file)


def connect(path: Path, *, readonly: bool = False) -> sqlite3.Connection:
    db = sqlite3.connect(
        f"file:{path}?mode={'ro' if readonly else 'rwc'}", uri=True, isolation_level=None, check_same_thread=False
    )
    db.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
    if not readonly:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=FULL")
    # Without it INSERT OR REPLACE removes a record without asking the trigger that forbids removal.
    db.execute("PRAGMA recursive_triggers=ON")
    return db


class SqliteJournal:
    """A `JournalStore` on one file. `readonly` opens a journal that another process may be writing."""

    def __init__(self, path: Path, *, readonly: bool = False) -> None:
        self.path = path
        self._lock = None if readonly else WriterLock(path.with_suffix(".lock"))
        self._writes = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-commit")
        self._reads = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-read")
        # The newest stream number is counted here, so that a batch needs no round trip to learn it.
        self._stream_ids: dict[StreamKey, int] = {}
        if not readonly:
            self._db = connect(path)
            self._db.executescript(files(__package__).joinpath("schema.sqlite.sql").read_text())
            self._db.execute("PRAGMA busy_timeout=0")
            self._last_stream: int = self._db.execute("SELECT coalesce(max(id), 0) FROM streams").fetchone()[0]
        self._reader = connect(path, readonly=True)
        if readonly:
            self._db = self._reader
        self._heads = connect(path, readonly=True)
        found = self._reader.execute("SELECT value FROM meta WHERE name = 'journal_format'").fetchone()[0]
        if found != FORMAT:
            self._close()
            raise OtherFormat(path, found)
        self._tail = Tail()

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    async def head(self) -> Head:
        return await self._in(self._writes if self._lock else self._reads, self._head)

    def _head(self) -> Head:
        db = self._heads
        position = db.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]
        meta = dict(db.execute("SELECT name, value FROM meta"))
        chains = dict(db.execute("SELECT tenant, hash FROM chains"))
        return Head(position, meta["incarnation"], chains, meta.get("shift", 0))

    async def load(self, wanted: Wanted) -> Known:
        # Where the writes are made, and at once: a look into a few leaves takes less than handing it to a thread.
        # One statement per kind of key. One per key would cost four times as much.
        known = Known()
        if wanted.streams:
            streams = list(wanted.streams)
            rows = self._look_up(
                f"SELECT w.key, s.id, e.record FROM {_WANTED} CROSS JOIN streams AS s ON s.tenant = {_1} "
                f"AND s.stream = {_2} CROSS JOIN events AS e ON e.stream = s.id ORDER BY w.key, e.version",
                streams,
            )
            for n, stream_id, record in rows:
                self._stream_ids[streams[n]] = stream_id
                known.streams.setdefault(streams[n], []).append(record)
        if wanted.receipts:
            receipts = list(wanted.receipts)
            rows = self._look_up(
                f"SELECT w.key, request_hash, outcome, position, kept_until FROM {_WANTED} "
                f"CROSS JOIN receipts AS r ON r.tenant = {_1} AND r.caller = {_2} AND r.key = {_3}",
                receipts,
            )
            known.receipts = {receipts[n]: Receipt(*receipt) for n, *receipt in rows}
        if wanted.claims:
            claims = list(wanted.claims)
            rows = self._look_up(
                f"SELECT w.key, owner FROM {_WANTED} "
                f"CROSS JOIN claims AS c ON c.tenant = {_1} AND c.kind = {_2} AND c.key = {_3}",
                claims,
            )
            known.claims = {claims[n]: owner for n, owner in rows}
        if wanted.seen:
            seen = list(wanted.seen)
            rows = self._look_up(
                f"SELECT w.key, public_version FROM {_WANTED} "
                f"CROSS JOIN seen AS s ON s.tenant = {_1} AND s.stream = {_2}",
                seen,
            )
            known.seen = {seen[n]: version for n, version in rows}
        if wanted.events:
            ids = [(one,) for one in wanted.events]
            sql = f"SELECT w.key, position FROM {_WANTED} CROSS JOIN events AS e ON e.event_id = {_1}"
            known.events = {ids[n][0]: position for n, position in self._look_up(sql, ids)}
        return known

    def _look_up(self, sql: str, keys: Sequence[tuple[str, ...]]) -> list[Any]:
        """What is found for these keys, each row with the place of its key in front."""
        text = msgspec.json.encode(keys).decode()
        if "\\u0000" in text and any("\0" in part for key in keys for part in key):
            # SQLite ends a text of JSON there, and another's row would be found.
            raise ValueError("a key has a NUL character")
        return self._db.execute(sql, (text,)).fetchall()

    async def commit(self, batch: Batch, after: int) -> None:
        last_stream = self._last_stream
        try:
            gone = await self._begin(after)
            if not gone:
                self._write(batch)
                gone = await self._to_its_end(lambda: self._finish(batch))
        except BaseException as error:  # whatever it is, nothing may stay open
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            self._stream_ids.clear()
            self._last_stream = last_stream
            self._tail.forget()
            if isinstance(error, asyncio.CancelledError):
                raise
            raise NotCommitted(str(error)) from error
        if len(self._stream_ids) > 100_000:
            self._stream_ids.clear()
        if gone:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise gone

    async def _begin(self, after: int) -> asyncio.CancelledError | None:
        gone = None
        try:
            self._db.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            # Somebody from outside, such as a shell, has the file: that too is waited for where it stalls nobody.
            gone = await self._to_its_end(self._begin_patiently)
        head = self._db.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0]
        if head != after:
            raise NotCommitted(f"the journal ends at {head}, the batch goes on from {after}")
        return gone

    def _finish(self, batch: Batch) -> None:
        self._db.execute("COMMIT")
        # Before anybody can be told of a new head, or they would not find what it tells of.
        self._tail.add(batch.entries)

    def _begin_patiently(self) -> None:
        self._db.execute(f"PRAGMA busy_timeout={PATIENCE_MS}")
        try:
            self._db.execute("BEGIN IMMEDIATE")
        finally:
            self._db.execute("PRAGMA busy_timeout=0")

    async def _to_its_end(self, work: Callable[[], object]) -> asyncio.CancelledError | None:
        """
        Work of a thread, waited for also when cancelled: nobody may come upon a transaction that is half done.

        Returns the cancellation, for whoever asked to raise it when all is in order.
        """
        working = asyncio.get_running_loop().run_in_executor(self._writes, work)
        gone: asyncio.CancelledError | None = None
        while not working.done():
            try:
                await asyncio.wait([working])
            except asyncio.CancelledError as cancelled:
                gone = cancelled
        if gone is not None and (error := working.exception()):
            raise gone from error
        working.result()
        return gone

    def _new_streams(self, entries: Sequence[Entry]) -> list[tuple[int, str, str]]:
        """Know the number of every stream of these, and give one to those that have none yet."""
        keys = dict.fromkeys([(entry.tenant, entry.stream) for entry in entries])
        unknown = [key for key in keys if key not in self._stream_ids]
        if not unknown:
            return []
        for n, stream_id in self._look_up(
            f"SELECT w.key, s.id FROM {_WANTED} CROSS JOIN streams AS s ON s.tenant = {_1} AND s.stream = {_2}", unknown
        ):
            self._stream_ids[unknown[n]] = stream_id
        new = [key for key in unknown if key not in self._stream_ids]
        numbered = list(enumerate(new, self._last_stream + 1))
        self._stream_ids.update({key: number for number, key in numbered})
        self._last_stream += len(new)
        return [(number, *key) for number, key in numbered]

    def _write(self, batch: Batch) -> None:
        many = self._db.executemany
        if batch.entries:
            new, ids = self._new_streams(batch.entries), self._stream_ids
            rows = [
                (position, event_id, ids[(tenant, stream)], version, tenant, story, link, record)
                for position, event_id, tenant, stream, version, story, link, record in batch.entries
            ]
            if new:
                many("INSERT INTO streams VALUES (?, ?, ?)", new)
            many("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            many("INSERT OR REPLACE INTO chains VALUES (?, ?)", {e.tenant: e.hash for e in batch.entries}.items())
        if batch.expired:
            over = "DELETE FROM receipts WHERE tenant = ? AND caller = ? AND key = ? AND kept_until > 0"
            many(over, list(batch.expired))
        if batch.receipts:
            many("INSERT INTO receipts VALUES (?, ?, ?, ?, ?, ?, ?)", [(*k, *v) for k, v in batch.receipts.items()])
        if batch.claims:
            gone = [k for k, owner in batch.claims.items() if owner is None]
            many("DELETE FROM claims WHERE tenant = ? AND kind = ? AND key = ?", gone)
            kept = [(*k, owner) for k, owner in batch.claims.items() if owner is not None]
            many("INSERT OR REPLACE INTO claims VALUES (?, ?, ?, ?)", kept)
        if batch.timers:
            many("DELETE FROM timers WHERE tenant = ? AND name = ? AND key = ?", list(batch.timers))
            armed = [(*k, *timer) for k, timer in batch.timers.items() if timer is not None]
            many("INSERT INTO timers VALUES (?, ?, ?, ?, ?)", armed)
        if batch.offsets:
            many("INSERT OR REPLACE INTO offsets VALUES (?, ?)", batch.offsets.items())
        if batch.seen:
            many("INSERT OR REPLACE INTO seen VALUES (?, ?, ?)", [(*k, v) for k, v in batch.seen.items()])
        if batch.checkpoints:
            many("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", batch.checkpoints.items())
        if batch.holds:
            held = [(*key, position) for key, position in batch.holds]
            many("DELETE FROM holds WHERE policy = ? AND tenant = ? AND key = ? AND position = ?", held)
            kept_holds = [(*key, *hold) for (key, _), hold in batch.holds.items() if hold is not None]
            many("INSERT INTO holds VALUES (?, ?, ?, ?, ?, ?, ?, ?)", kept_holds)

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        newest = self._tail.read(after, limit)
        return await self._in(self._reads, lambda: self._read(after, limit)) if newest is None else newest

    def _read(self, after: int, limit: int) -> list[Entry]:
        rows = self._reader.execute(f"{_ENTRIES} WHERE position > ? ORDER BY position LIMIT ?", (after, limit))
        return list(map(Entry._make, rows))

    async def records(self, after: int, limit: int) -> Sequence[Recorded]:
        sql = "SELECT position, record FROM events WHERE position > ? ORDER BY position LIMIT ?"
        return list(map(Recorded._make, await self._rows(sql, after, limit)))

    async def story(self, tenant: str, correlation_id: str) -> Sequence[Entry]:
        of_story = "WHERE events.tenant = ? AND correlation_id = ? ORDER BY position"
        return [Entry(*row) for row in await self._rows(f"{_ENTRIES} {of_story}", tenant, correlation_id)]  # type: ignore[arg-type]

    async def _rows(self, sql: str, *values: int | str) -> list[tuple[object, ...]]:
        return await self._in(self._reads, lambda: self._reader.execute(sql, values).fetchall())

    async def receipts(self, after: ReceiptKey, limit: int) -> Sequence[tuple[ReceiptKey, int]]:
        rows = await self._rows(
            "SELECT tenant, caller, key, kept_until FROM receipts WHERE (tenant, caller, key) > (?, ?, ?) "
            "ORDER BY tenant, caller, key LIMIT ?",
            *after,
            limit,
        )
        return [(tuple(row[:3]), row[3]) for row in rows]  # type: ignore[misc]

    async def offsets(self) -> dict[str, int]:
        return dict(await self._rows("SELECT partition, next FROM offsets"))  # type: ignore[arg-type]

    async def checkpoints(self) -> dict[str, int]:
        return dict(await self._rows("SELECT reader, position FROM checkpoints"))  # type: ignore[arg-type]

    async def due(self, now: int, limit: int) -> Sequence[tuple[TimerKey, Timer]]:
        rows = await self._rows(
            "SELECT tenant, name, key, due, event_id FROM timers WHERE due <= ? "
            "ORDER BY due, tenant, name, key LIMIT ?",
            now,
            limit,
        )
        return [(TimerKey(*row[:3]), Timer(*row[3:])) for row in rows]  # type: ignore[arg-type]

    async def next_due(self) -> int | None:
        return (await self._rows("SELECT min(due) FROM timers"))[0][0]  # type: ignore[return-value]

    async def held(
        self, policies: Collection[str], of: tuple[str, str] | None = None
    ) -> Sequence[tuple[HoldKey, Held]]:
        marks, only = ", ".join("?" for _ in policies), "AND tenant = ? AND key = ? " if of else ""
        rows = await self._rows(
            "SELECT policy, tenant, key, position, tries, retry_at, parked, reason FROM holds "
            f"WHERE policy IN ({marks}) {only}ORDER BY policy, tenant, key, position",
            *policies,
            *(of or ()),
        )
        return [(HoldKey(*row[:3]), Held(*row[3:])) for row in rows]  # type: ignore[arg-type]

    async def close(self) -> None:
        self._close()

    def _close(self) -> None:
        for pool in (self._writes, self._reads):
            pool.shutdown(wait=True)
        self._reader.close()
        self._heads.close()
        if self._lock:
            self._db.close()
            self._lock.release()
