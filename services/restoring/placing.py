"""Journals put in place, where nobody writes, and the right to write held meanwhile."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, closing
from pathlib import Path

import asyncpg

from services.chassis.journal import sqlite as journals
from services.chassis.journal.postgres import Lease, PostgresJournal
from services.chassis.journal.sqlite import SqliteJournal, WriterLock
from services.chassis.journal.store import JournalStore
from services.restoring.copies import incarnation_of, load_postgres


class Taken(Exception):
    """Somebody writes there, or something is there already; the text says what to do."""


async def there(services: list[str], data: Path, dsn: str | None) -> dict[str, int]:
    """The journals that lie there already, each with its incarnation."""
    found = {}
    if dsn:
        db = await asyncpg.connect(dsn)
        try:
            for name in services:
                if await db.fetchval("SELECT to_regclass($1) IS NOT NULL", f'"{name}_journal".meta'):
                    sql = f"SELECT value FROM \"{name}_journal\".meta WHERE name = 'incarnation'"
                    found[name] = int(await db.fetchval(sql))
        finally:
            await db.close()
    else:
        for name in services:
            path = data / name / "journal.db"
            if path.exists():
                try:
                    with closing(journals.connect(path, readonly=True)) as one:
                        found[name] = incarnation_of(one)
                except Exception:  # a file that is broken is what a restore is for
                    found[name] = 1
    return found


async def put_in_place(copies: Mapping[str, Path], data: Path, dsn: str | None, aside: Path) -> None:
    """
    Make these the journals of their services; what lay there is moved aside. Views are folded anew at the next start.

    Raises Taken, or InUse, with nothing changed.
    """
    if dsn:
        await _in_postgres(copies, dsn)
        return
    async with AsyncExitStack() as held:
        for name in copies:
            (data / name).mkdir(parents=True, exist_ok=True)
            held.callback(WriterLock(data / name / "journal.lock").release)
        for name, copy in copies.items():
            folder = data / name
            for old in [*folder.glob("journal.db*"), *folder.glob("views*")]:
                (aside / name).mkdir(parents=True, exist_ok=True)
                os.replace(old, aside / name / old.name)
            shutil.move(copy, folder / "journal.db")


async def _in_postgres(copies: Mapping[str, Path], dsn: str) -> None:
    db = await asyncpg.connect(dsn)
    try:
        for name in copies:
            if await db.fetchval("SELECT to_regclass($1) IS NULL", f'"{name}_journal".lease'):
                continue
            sql = f'SELECT holder FROM "{name}_journal".lease WHERE expires_at > clock_timestamp()'
            if holder := await db.fetchval(sql):
                raise Taken(f"{name} is written by {holder}: stop it first")
        for name, copy in copies.items():
            # Of what is replaced, and of no use to anybody.
            await db.execute(f'DROP SCHEMA IF EXISTS "{name}_views_ahead" CASCADE')
            for schema in (f"{name}_journal", f"{name}_views"):
                if await db.fetchval("SELECT to_regnamespace($1) IS NOT NULL", f'"{schema}"'):
                    await db.execute(f'DROP SCHEMA IF EXISTS "{schema}_replaced" CASCADE')
                    await db.execute(f'ALTER SCHEMA "{schema}" RENAME TO "{schema}_replaced"')
            await load_postgres(dsn, name, copy)
    finally:
        await db.close()


@asynccontextmanager
async def written_by_us(service: str, data: Path, dsn: str | None) -> AsyncIterator[JournalStore]:
    """A service's journal, to commit to while the service itself does not run. Raises Taken, or InUse."""
    if not dsn:
        journal = SqliteJournal(data / service / "journal.db")
        try:
            yield journal
        finally:
            await journal.close()
        return
    lease = Lease(dsn, service)
    try:
        epoch = await lease.acquire("command")
        if epoch is None:
            raise Taken(f"{service} is written by {await lease.holder()}: stop it first")
        postgres = await PostgresJournal.open(dsn, service, epoch=epoch)
        try:
            yield postgres
        finally:
            await postgres.close()
            await lease.release()
    finally:
        await lease.close()
