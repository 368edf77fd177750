"""
The views in one SQLite file. Commits are atomic; the newest may be lost with the machine, and is then folded again.

`views.db` is a link to `views.<n>.db`: a rebuild writes `views.<n+1>.db`, what the next release will serve is folded in
`views.ahead.db`, and swapping moves the link. One process writes (the holder of the journal). What is short is done at
once, since handing it to a thread takes longer than doing it: putting rows, and queries of a few pages. What waits for
the disk or looks at much is done in a thread.
"""

from __future__ import annotations

import asyncio
import os
import re
import sqlite3
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import cache, partial
from pathlib import Path
from typing import Any, TypeVar

import msgspec
from sqlalchemy import BigInteger, Boolean, Connection, Engine, Integer, QueuePool, Select, StaticPool, create_engine
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import OperationalError

from services.chassis.readers.rows import Key, Row
from services.chassis.readers.viewstore import (
    CHECKPOINTS,
    PAGE,
    Change,
    Moved,
    Prepared,
    Refused,
    Snapshot,
    Types,
    Values,
    ViewStore,
    ddl,
    names,
    upsert,
)
from services.chassis.views import Value, View

T = TypeVar("T")

READERS = 4

QUICK = 20_000
"""Steps of SQLite's machine, about a millisecond: a query that takes more is asked again in a thread."""

TIDIED = 5_000
"""Rows put until what they changed is moved from the log of the file to its place."""

_TYPES: Types = {BigInteger: Integer(), Boolean: Integer()}
_REFUSALS = (sqlite3.IntegrityError, sqlite3.DataError, OverflowError, UnicodeError)


def connect(path: Path, *, readonly: bool) -> sqlite3.Connection:
    mode = "ro" if readonly else "rwc"
    db = sqlite3.connect(f"file:{path}?mode={mode}", uri=True, isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA busy_timeout=10000")
    # As in PostgreSQL.
    db.execute("PRAGMA case_sensitive_like=ON")
    if not readonly:
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")
        db.execute("PRAGMA wal_autocheckpoint=0")  # it waits for the disk: see TIDIED
    return db


class _Table:
    """The statements of one view, made once."""

    def __init__(self, view: View) -> None:
        columns = names(view)
        keys = columns[: 1 + len(view.key)]
        by_key = " AND ".join([f"t.{name} = json_extract(w.value, '$[{n}]')" for n, name in enumerate(keys)])
        self.ddl = ddl(view, sqlite.dialect(), _TYPES)
        self.put = upsert(view, f"VALUES ({', '.join('?' * len(columns))})")
        self.drop = f'DELETE FROM "{view.name}" WHERE {" AND ".join([f"{name} = ?" for name in keys])}'
        # CROSS JOIN keeps the order: for each key wanted, one look into the table.
        self.load = f'SELECT t.* FROM json_each(?) AS w CROSS JOIN "{view.name}" AS t ON {by_key}'
        self.all = f'SELECT * FROM "{view.name}" ORDER BY {", ".join(keys)}'
        self.truths = [n for n, column in enumerate(view.table.columns) if isinstance(column.type, Boolean)]

    def rows(self, found: list[Values]) -> list[Values]:
        """As they were put: SQLite keeps a truth value as a number."""
        if not self.truths:
            return found
        rows = []
        for one in found:
            row = list(one)
            for n in self.truths:
                row[n] = None if row[n] is None else bool(row[n])
            rows.append(tuple(row))
        return rows


@cache
def _prepared(query: Select[Any]) -> tuple[Prepared, list[str], list[str]]:
    """A query that a module has made once, the names of its columns, and of those that hold truth values."""
    columns = query.selected_columns
    truths = [str(column.key) for column in columns if isinstance(column.type, Boolean)]
    return Prepared.of(query, sqlite.dialect()), [str(column.key) for column in columns], truths


_table = cache(_Table)
"""A view's statements are made once in a process: a rebuild, and a copy beside, have the same."""


class SqliteViews:
    """A `ViewStore` on one file. `open` makes it."""

    def __init__(self, path: Path, views: Sequence[View], *, readonly: bool) -> None:
        self.path = path
        self.views: Sequence[View] = tuple(views)
        self._readonly = readonly
        self._tables = {view.name: _table(view) for view in views}
        self._writes = ThreadPoolExecutor(1, thread_name_prefix=f"{path.stem}-commit")
        self._reads = ThreadPoolExecutor(READERS, thread_name_prefix=f"{path.stem}-read")
        self._untidy = 0

    @classmethod
    async def open(cls, path: Path, views: Sequence[View], *, readonly: bool = False) -> SqliteViews:
        """Open the views behind the link `path`, making what is not there."""
        store = cls(path, views, readonly=readonly)
        store._open()
        return store

    async def _in(self, pool: ThreadPoolExecutor, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(pool, work)

    # Where the rows lie.

    def _numbered(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.stem}.{number}{self.path.suffix}")

    def _number(self) -> int:
        return int(os.readlink(self.path).split(".")[-2])

    def _point(self, number: int) -> None:
        aside = self.path.with_name(f"{self.path.name}.next")
        aside.unlink(missing_ok=True)
        aside.symlink_to(self._numbered(number).name)
        os.replace(aside, self.path)

    def _remove_others(self) -> None:
        """What a rebuild that was interrupted, or the views before a swap, left behind."""
        mine = re.compile(rf"{re.escape(self.path.stem)}\.(\d+){re.escape(self.path.suffix)}(-wal|-shm)?")
        for file in self.path.parent.iterdir():
            if (found := mine.fullmatch(file.name)) and int(found[1]) != self._number():
                file.unlink(missing_ok=True)

    def _connect(self, *, readonly: bool) -> sqlite3.Connection:
        return connect(self.path.resolve(), readonly=readonly)

    def _open(self) -> None:
        if not self._readonly:
            if not self.path.is_symlink():
                self._point(1)
            self._db = self._connect(readonly=False)
            self._make()
        else:
            self._db = self._connect(readonly=True)
        self._open_readers()

    def _open_readers(self) -> None:
        self._engine = self._new_engine()
        quick = create_engine(
            "sqlite://", creator=self._connect_quick, poolclass=StaticPool, isolation_level="AUTOCOMMIT"
        )
        self._quick = quick.connect()

    def _connect_quick(self) -> sqlite3.Connection:
        self._quick_db = self._connect(readonly=True)
        self._quick_db.set_progress_handler(lambda: 1, QUICK)
        return self._quick_db

    def _new_engine(self) -> Engine:
        return create_engine(
            "sqlite://",
            creator=partial(self._connect, readonly=True),
            pool_size=READERS,
            poolclass=QueuePool,
            max_overflow=0,
            isolation_level="AUTOCOMMIT",
        )

    def _make(self) -> None:
        db = self._db
        db.execute("BEGIN IMMEDIATE")
        db.execute(
            f'CREATE TABLE IF NOT EXISTS "{CHECKPOINTS}" (view TEXT PRIMARY KEY, version INTEGER NOT NULL, '
            "shape TEXT NOT NULL, position INTEGER NOT NULL) STRICT, WITHOUT ROWID"
        )
        if not db.execute(f'SELECT count(*) FROM "{CHECKPOINTS}"').fetchone()[0]:
            for view in self.views:
                for statement in self._tables[view.name].ddl:
                    db.execute(statement)
                shape = self._shape(view)
                db.execute(f'INSERT INTO "{CHECKPOINTS}" VALUES (?, ?, ?, 0)', (view.name, view.version, shape))
        db.execute("COMMIT")
        # Who finds the file taken tries again later, and does not stall the others of this process.
        db.execute("PRAGMA busy_timeout=0")

    def _shape(self, view: View) -> str:
        return ";".join(self._tables[view.name].ddl)

    async def beside(self, views: Sequence[View] | None = None) -> SqliteViews:
        fresh = SqliteViews(self._numbered(self._number() + 1), self.views if views is None else views, readonly=False)
        await self._in(self._reads, lambda: _remove(fresh.path))
        fresh._open_alone()
        return fresh

    async def ahead(self) -> SqliteViews:
        path = self.path.with_name(f"{self.path.stem}.ahead{self.path.suffix}")
        fresh = SqliteViews(path, self.views, readonly=False)
        fresh._open_alone()
        if len(await fresh.positions()) < len(self.views):
            await fresh.close()
            _remove(path)
            fresh = SqliteViews(path, self.views, readonly=False)
            fresh._open_alone()
        return fresh

    def _open_alone(self) -> None:
        """The file itself, which no link names yet."""
        self._db = self._connect(readonly=False)
        self._make()
        self._open_readers()

    async def become(self, fresh: ViewStore) -> None:
        assert isinstance(fresh, SqliteViews)
        await fresh.close()
        engine, number = self._engine, self._number() + 1
        self._close_quick()
        self._db.close()
        if fresh.path != self._numbered(number):
            _remove(self._numbered(number))
            os.replace(fresh.path, self._numbered(number))
        self._point(number)
        self.views, self._tables = fresh.views, fresh._tables
        self._open()
        engine.dispose()
        self._remove_others()

    def _close_quick(self) -> None:
        self._quick.close()
        self._quick.engine.dispose()

    async def close(self) -> None:
        for pool in (self._writes, self._reads):
            await asyncio.to_thread(pool.shutdown)
        self._close_quick()
        self._engine.dispose()
        self._db.close()

    # Folding.

    async def positions(self) -> dict[str, int]:
        shapes = {view.name: (view.version, self._shape(view)) for view in self.views}
        found = self._db.execute(f'SELECT view, version, shape, position FROM "{CHECKPOINTS}"')
        return {name: position for name, *shape, position in found if shapes.get(name) == tuple(shape)}

    def watch(self, lost: Callable[[], None]) -> None:
        pass  # what this process wrote is lost with the machine, and then the process is too

    async def alike(self) -> set[str]:
        shapes = {view.name: self._shape(view) for view in self.views}
        return {
            name
            for name, shape in self._db.execute(f'SELECT view, shape FROM "{CHECKPOINTS}"')
            if shapes.get(name) == shape
        }

    async def load(self, view: View, keys: Collection[Key]) -> dict[Key, Row]:
        table, parts = self._tables[view.name], 1 + len(view.key)
        columns = list(view.defaults)
        found = self._db.execute(table.load, (msgspec.json.encode(list(keys)).decode(),)).fetchall()
        return {row[:parts]: dict(zip(columns, row[parts:], strict=True)) for row in table.rows(found)}

    async def commit(self, changes: Sequence[Change]) -> None:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            moved = db.executemany(
                f'UPDATE "{CHECKPOINTS}" SET position = ? WHERE view = ? AND version = ? AND position = ?',
                [(change.position, change.view.name, change.view.version, change.after) for change in changes],
            )
            if moved.rowcount != len(changes):
                raise Moved
            for change in changes:
                try:
                    self._write(self._tables[change.view.name], change)
                except _REFUSALS as error:
                    raise Refused(change.view, error) from error
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        self._untidy += sum([len(change.put) + len(change.drop) for change in changes])
        if self._untidy >= TIDIED:
            self._untidy = 0
            # Read to its end: as long as anything holds an open answer, this connection can commit nothing.
            await self._in(self._writes, lambda: db.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall())

    def _write(self, table: _Table, change: Change) -> None:
        if change.put:
            self._db.executemany(table.put, change.put)
        if change.drop:
            self._db.executemany(table.drop, change.drop)

    # Reading.

    async def fetch(self, query: Select[Any], **values: Value) -> Sequence[Mapping[str, Any]]:
        try:
            return self._fetch_prepared(query, values) if values else _rows(self._quick, query, values)
        except (OperationalError, sqlite3.OperationalError) as error:
            if "interrupted" not in str(error):
                raise
        return await self._in(self._reads, lambda: self._fetch(query, values))

    def _fetch_prepared(self, query: Select[Any], values: Mapping[str, Value]) -> Sequence[Mapping[str, Any]]:
        prepared, names, truths = _prepared(query)
        found = self._quick_db.execute(prepared.text, prepared.given(values)).fetchall()
        rows = [dict(zip(names, row, strict=True)) for row in found]
        for name in truths:
            for row in rows:
                row[name] = None if row[name] is None else bool(row[name])
        return rows

    def _fetch(self, query: Select[Any], values: Mapping[str, Value]) -> Sequence[Mapping[str, Any]]:
        with self._engine.connect() as db:
            return _rows(db, query, values)

    @asynccontextmanager
    async def snapshot(self, view: View) -> AsyncIterator[Snapshot]:
        table = self._tables[view.name]
        db = await self._in(self._reads, partial(self._connect, readonly=True))

        def begin() -> tuple[int, sqlite3.Cursor]:
            db.execute("BEGIN")
            position = db.execute(f'SELECT position FROM "{CHECKPOINTS}" WHERE view = ?', (view.name,)).fetchone()[0]
            return position, db.execute(table.all)

        async def pages() -> AsyncIterator[Sequence[Values]]:
            while found := await self._in(self._reads, lambda: cursor.fetchmany(PAGE)):
                yield table.rows(found)

        try:
            position, cursor = await self._in(self._reads, begin)
            yield Snapshot(view, position, pages())
        finally:
            await self._in(self._reads, db.close)


def _rows(db: Connection, query: Select[Any], values: Mapping[str, Value]) -> Sequence[Mapping[str, Any]]:
    found = db.execute(query, values)
    columns = list(map(str, found.keys()))
    return [dict(zip(columns, row, strict=True)) for row in found]


def _remove(path: Path) -> None:
    for end in ("", "-wal", "-shm"):
        path.with_name(path.name + end).unlink(missing_ok=True)
