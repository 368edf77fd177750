"""The keys of persons as a file that can be carried away: what a backup takes along, and what is read back from it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import asyncpg

from services.gateway.persons import SQLITE_TABLES, PersonKey

Owner = tuple[str, str, str]
"""A tenant, a person, and the person with whom they are forgotten."""


async def copy_book(target: Path, source: Path, dsn: str | None, tenant: str) -> None:
    """Copy the keys from the database, or from the file `source`; with `tenant`, that one's only."""
    keys, owners = await _in_postgres(dsn) if dsn else keys_of(source)
    await asyncio.to_thread(_write, target, keys, owners, tenant)


def _write(target: Path, keys: Iterable[PersonKey], owners: Iterable[Owner], tenant: str) -> None:
    target.touch(mode=0o600)
    with closing(sqlite3.connect(target)) as db, db:
        db.executescript(SQLITE_TABLES)
        db.executemany("INSERT INTO person_key VALUES (?, ?, ?, ?)", [k for k in keys if tenant in ("", k.tenant)])
        db.executemany("INSERT INTO person_owner VALUES (?, ?, ?)", [o for o in owners if tenant in ("", o[0])])


async def _in_postgres(dsn: str) -> tuple[list[PersonKey], list[Owner]]:
    db = await asyncpg.connect(dsn)
    try:
        if await db.fetchval("SELECT to_regclass('gateway.person_key') IS NULL"):
            return [], []
        async with db.transaction(isolation="repeatable_read", readonly=True):
            keys = await db.fetch("SELECT tenant, person, id, secret FROM gateway.person_key")
            owners = await db.fetch("SELECT tenant, person, owner FROM gateway.person_owner")
        return [PersonKey(*row) for row in keys], [(row[0], row[1], row[2]) for row in owners]
    finally:
        await db.close()


def keys_of(book: Path) -> tuple[list[PersonKey], list[Owner]]:
    """The keys in such a file, and who is forgotten with whom; none where there is no file."""
    if not book.exists():
        return [], []
    with closing(sqlite3.connect(f"file:{book}?mode=ro", uri=True, isolation_level=None)) as db:
        db.execute("BEGIN")
        keys = db.execute("SELECT tenant, person, id, secret FROM person_key").fetchall()
        owners = db.execute("SELECT tenant, person, owner FROM person_owner").fetchall()
    return [PersonKey(*row) for row in keys], owners
