"""
Copies of journals, taken while their writers go on. A copy is a SQLite journal, whichever store it was taken from.

So a backup of one kind of store can be put back into the other, and one code judges and mends all of them.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, closing
from importlib.resources import files
from pathlib import Path
from typing import Any, Final

import asyncpg

from services.chassis.journal import sqlite as journals
from services.chassis.journal.postgres import prepare
from services.chassis.journal.store import FORMAT, OtherFormat

TABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "meta": ("name", "value"),
    "streams": ("id", "tenant", "stream"),
    "events": ("position", "event_id", "stream", "version", "tenant", "correlation_id", "hash", "record"),
    "chains": ("tenant", "hash"),
    "receipts": ("tenant", "caller", "key", "request_hash", "outcome", "position", "kept_until"),
    "claims": ("tenant", "kind", "key", "owner"),
    "timers": ("tenant", "name", "key", "due", "event_id"),
    "offsets": ("partition", "next"),
    "seen": ("tenant", "stream", "public_version"),
    "checkpoints": ("reader", "position"),
    "holds": ("policy", "tenant", "key", "position", "tries", "retry_at", "parked", "reason"),
}
"""The tables of a journal and their columns; the same in both stores."""

PAGE: Final = 5_000
TRIES: Final = 50
"""Until the copies are of one moment. Where the services are too busy for that, a restore sets some of them back."""


def new_copy(path: Path) -> sqlite3.Connection:
    """An empty journal."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    db = journals.connect(path)
    db.executescript(files(journals.__package__).joinpath("schema.sqlite.sql").read_text())
    return db


async def copy_sqlite(sources: Mapping[str, Path], targets: Mapping[str, Path]) -> None:
    """Copy journals as they are at one moment, or as near to one as can be had."""
    with ExitStack() as opened:
        reading = {name: journals.connect(path, readonly=True) for name, path in sources.items()}
        for db in reading.values():
            opened.callback(db.close)
        for attempt in range(TRIES):
            for db in reading.values():
                if db.in_transaction:
                    db.execute("ROLLBACK")
                db.execute("BEGIN")
                db.execute("SELECT max(position) FROM events").fetchone()  # only now it holds what it sees
            if _agree(reading):
                break
            await asyncio.sleep(0.002 * (attempt + 1))
        for name, db in reading.items():
            await asyncio.to_thread(_copy, db, targets[name])


def _agree(reading: Mapping[str, sqlite3.Connection]) -> bool:
    """Whether nobody has taken in what its publisher has not recorded."""
    heads = {name: head_of(db) for name, db in reading.items()}
    for db in reading.values():
        for partition, following in db.execute("SELECT partition, next FROM offsets"):
            if following - 1 > heads.get(partition, following):
                return False
    return True


def _copy(source: sqlite3.Connection, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    with closing(sqlite3.connect(target)) as copy:
        source.backup(copy)
        copy.execute("PRAGMA journal_mode=DELETE")  # one file, and no log beside it
        copy.commit()


async def copy_postgres(dsn: str, services: Sequence[str], targets: Mapping[str, Path]) -> None:
    """Copy the journals of one database, all as they are at one moment."""
    db = await asyncpg.connect(dsn)
    try:
        async with db.transaction(isolation="repeatable_read", readonly=True):
            for service in services:
                with closing(new_copy(targets[service])) as copy:
                    for table, columns in TABLES.items():
                        copy.execute("BEGIN")
                        copy.execute(f"DELETE FROM {table}") if table == "meta" else None
                        order = " ORDER BY position" if table == "events" else ""
                        sql = f'SELECT {", ".join(columns)} FROM "{service}_journal".{table}{order}'
                        put = f"INSERT INTO {table} VALUES ({', '.join('?' * len(columns))})"
                        page: list[tuple[Any, ...]] = []
                        async for row in db.cursor(sql, prefetch=PAGE):
                            page.append(tuple(row))
                            if len(page) == PAGE:
                                copy.executemany(put, page)
                                page = []
                        copy.executemany(put, page)
                        copy.execute("COMMIT")
                    copy.execute("PRAGMA journal_mode=DELETE")
    finally:
        await db.close()


async def load_postgres(dsn: str, service: str, copy: Path) -> None:
    """Make a service's journal in the database from a copy, in one transaction. It must not be there yet."""
    await prepare(dsn, service)
    db = await asyncpg.connect(dsn, server_settings={"search_path": f'"{service}_journal", pg_temp'})
    try:
        with closing(journals.connect(copy, readonly=True)) as source:
            async with db.transaction():
                await db.execute("DELETE FROM meta")
                for table, columns in TABLES.items():
                    order = " ORDER BY position" if table == "events" else ""
                    for page in _pages(source, f"SELECT {', '.join(columns)} FROM {table}{order}"):
                        if table == "holds":
                            page = [(*row[:6], bool(row[6]), row[7]) for row in page]
                        await db.copy_records_to_table(table, records=page, columns=columns)
    finally:
        await db.close()


def _pages(db: sqlite3.Connection, sql: str) -> Iterator[list[tuple[Any, ...]]]:
    found = db.execute(sql)
    while page := found.fetchmany(PAGE):
        yield page


def opened(copy: Path) -> sqlite3.Connection:
    """A copy, to be worked upon. Raises OtherFormat."""
    db = journals.connect(copy)
    found = db.execute("SELECT value FROM meta WHERE name = 'journal_format'").fetchone()[0]
    if found != FORMAT:
        db.close()
        raise OtherFormat(copy, found)
    return db


def head_of(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT coalesce(max(position), 0) FROM events").fetchone()[0])


def incarnation_of(db: sqlite3.Connection) -> int:
    return int(db.execute("SELECT value FROM meta WHERE name = 'incarnation'").fetchone()[0])


_OF_TENANT: Final = """
    INSERT INTO streams SELECT * FROM whole.streams WHERE tenant = :tenant;
    INSERT INTO events
      SELECT kept.new, e.event_id, e.stream, e.version, e.tenant, e.correlation_id, e.hash, e.record
      FROM kept JOIN whole.events AS e ON e.position = kept.old ORDER BY kept.new;
    INSERT INTO chains SELECT * FROM whole.chains WHERE tenant = :tenant;
    INSERT INTO receipts
      SELECT tenant, caller, key, request_hash, outcome, {0}, kept_until FROM whole.receipts WHERE tenant = :tenant;
    INSERT INTO claims SELECT * FROM whole.claims WHERE tenant = :tenant;
    INSERT INTO timers SELECT * FROM whole.timers WHERE tenant = :tenant;
    INSERT INTO seen SELECT * FROM whole.seen WHERE tenant = :tenant;
    INSERT INTO checkpoints SELECT reader, {0} FROM whole.checkpoints;
    INSERT INTO holds
      SELECT policy, tenant, key, {0}, tries, retry_at, parked, reason FROM whole.holds WHERE tenant = :tenant
"""


def keep_tenant(copy: Path, tenant: str) -> None:
    """
    Leave one tenant's rows in a copy, records byte for byte, so that its chain is whole; positions begin at 1.

    What its records say as their position is where they stood among others'; later ones go on above that.
    """
    whole = copy.with_name("whole.db")
    copy.rename(whole)
    with closing(new_copy(copy)) as db:
        db.execute("ATTACH ? AS whole", (f"file:{whole}?mode=ro",))
        db.execute("CREATE TEMP TABLE kept (old INTEGER PRIMARY KEY, new INTEGER)")
        db.execute("BEGIN")
        db.execute(
            "INSERT INTO kept SELECT position, row_number() OVER (ORDER BY position) "
            "FROM whole.events WHERE tenant = ?",
            (tenant,),
        )
        until = "coalesce((SELECT new FROM kept WHERE old <= position ORDER BY old DESC LIMIT 1), 0)"
        for statement in _OF_TENANT.format(until).split(";"):
            db.execute(statement, {"tenant": tenant})
        last, here = db.execute("SELECT coalesce(max(old), 0), coalesce(max(new), 0) FROM kept").fetchone()
        meta = dict(db.execute("SELECT name, value FROM whole.meta"))
        shift = last - here + meta.get("shift", 0)
        db.execute("UPDATE meta SET value = ? WHERE name = 'incarnation'", (meta["incarnation"],))
        if shift:
            db.execute("INSERT INTO meta VALUES ('shift', ?)", (shift,))
        db.execute("COMMIT")
        db.execute("DETACH whole")
        db.execute("PRAGMA journal_mode=DELETE")
    whole.unlink()
