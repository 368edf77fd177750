"""
The views in PostgreSQL: the schema `<service>_views`. Commits are atomic and do not wait for the disk.

A rebuild writes the schema `<service>_views_<n+1>`, what a later release will serve is folded in
`<service>_views_ahead`; swapping renames both in one transaction. The database refuses the
commit of whoever folded upon the views before, so that this is safe while a service runs, from any process.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import BigInteger, Boolean, LargeBinary, Select, Text
from sqlalchemy.dialects.postgresql import asyncpg as dialects

from services.chassis.pool import Pool
from services.chassis.readers.rows import Key, Row
from services.chassis.readers.viewstore import (
    CHECKPOINTS,
    PAGE,
    Change,
    Moved,
    Prepared,
    Refused,
    Snapshot,
    StoreAway,
    Types,
    Values,
    ViewStore,
    ddl,
    names,
    upsert,
)
from services.chassis.views import Value, View

if TYPE_CHECKING:
    Connection = asyncpg.Connection[asyncpg.Record]

READERS = 4
ANSWER_S = 10.0
"""So long an answer may take. On a connection whose other end is gone without a word, none ever comes."""

SHAPING_S = 600.0
"""So long tables may take to be made or dropped: that waits for whoever still reads them."""

LOOKERS_UP = 2
"""Connections for queries that are made once: they look rows up by key or by index."""

_DIALECT = dialects.dialect()  # type: ignore[no-untyped-call]
# Text is compared and sorted by code point, as in SQLite, whatever the language of the database.
_TYPES: Types = {Text: Text(collation="C")}
_NAMES = {Text: "text", BigInteger: "bigint", Boolean: "boolean", LargeBinary: "bytea"}
_REFUSALS = (
    asyncpg.DataError,
    asyncpg.IntegrityConstraintViolationError,
    asyncpg.ProgramLimitExceededError,
    OverflowError,
    UnicodeError,
)

_AWAY = (
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.InterfaceError,
    OSError,
)
"""What a server that is away, starting or ending raises; to be out of time is an OSError."""

_BY_KEY = {
    "application_name": "fieldloop",
    # Plans are made once, and one made while a table was empty would read the whole of it later.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_hashjoin": "off",
    "enable_mergejoin": "off",
    "jit": "off",
}
# The views are disposable: the checkpoint is lost with the rows, and what is lost is folded again.
_FOLDING = {**_BY_KEY, "synchronous_commit": "off"}
_READING = {
    "application_name": "fieldloop",
    "default_transaction_read_only": "on",
    "jit": "off",
    # Groups of a year are gathered in memory: with the usual 4 MB they are sorted on disk first.
    "work_mem": "32MB",
}
# It cannot tell how many groups an expression makes, fears for its memory, and would sort all rows before.
_GATHERING = "SET LOCAL enable_sort = off"
# Here a plan made while the table was small may take an index that names little more than the tenant.
_LOOKING_UP = {**_BY_KEY, "plan_cache_mode": "force_custom_plan", "default_transaction_read_only": "on"}


_ALL_ARE_HERE = "(SELECT count(*) FROM here) = $6"
_AT_ONCE = f"""
WITH here AS (
    SELECT c.view, w.position
    FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w (view, version, after, position)
    JOIN "{CHECKPOINTS}" AS c ON c.view = w.view AND c.version = w.version AND c.position = w.after
    JOIN _generation AS g ON g.number = $5
    FOR UPDATE OF c
){{}}, moved AS (
    UPDATE "{CHECKPOINTS}" AS c SET position = here.position FROM here
    WHERE c.view = here.view AND {_ALL_ARE_HERE} RETURNING 1
)
SELECT count(*) FROM moved
"""
"""Rows and checkpoints, where all checkpoints are where they are believed to be; else nothing."""


class _Table:
    """The statements of one view, made once."""

    def __init__(self, view: View) -> None:
        columns, arrays = names(view), [f"{_NAMES[type(column.type)]}[]" for column in view.table.columns]
        keys = columns[: 1 + len(view.key)]
        self.columns, self.keys = len(columns), len(keys)
        self._view, self._arrays, self._key = view, arrays, ", ".join(keys)
        wanted = self._unnest(1, self.keys)
        by_key = " AND ".join([f"t.{name} = w.{name}" for name in keys])
        self.ddl = ddl(view, _DIALECT, _TYPES)
        self._by_key = by_key
        self.load = f'SELECT t.* FROM {wanted} AS w ({self._key}) JOIN "{view.name}" AS t ON {by_key}'
        self.all = f'SELECT * FROM "{view.name}" ORDER BY {self._key}'

    def _unnest(self, first: int, count: int) -> str:
        return f"unnest({', '.join([f'${first + n}::{array}' for n, array in enumerate(self._arrays[:count])])})"

    def put(self, first: int = 1, only_if: str = "true") -> str:
        """Rows as arrays, one per column from this parameter on."""
        return upsert(self._view, f"SELECT * FROM {self._unnest(first, self.columns)} WHERE {only_if}")

    def drop(self, first: int = 1, only_if: str = "true") -> str:
        """Keys as arrays, likewise."""
        of = f"{self._unnest(first, self.keys)} AS w ({self._key})"
        return f'DELETE FROM "{self._view.name}" AS t USING {of} WHERE {self._by_key} AND {only_if}'


class PostgresViews:
    """A `ViewStore` in the schema of one service. `open` makes it; the user must be allowed to create schemas."""

    def __init__(self, dsn: str, service: str, views: Sequence[View], *, schema: str, readonly: bool) -> None:
        self.views: Sequence[View] = tuple(views)
        self._dsn, self._service, self._schema, self._readonly = dsn, service, schema, readonly
        self._generation = 0
        self._lost: Callable[[], None] = _nobody_minds
        self._prepared: dict[Select[Any], Prepared] = {}
        self._statements: dict[tuple[tuple[str, bool, bool], ...], str] = {}

    @classmethod
    async def open(cls, dsn: str, service: str, views: Sequence[View], *, readonly: bool = False) -> PostgresViews:
        """Open the views of a service, making them where there are none."""
        store = cls(dsn, service, views, schema=f"{service}_views", readonly=readonly)
        await store._open(generation=1)
        return store

    async def _open(self, generation: int, *, replaces: bool = False) -> None:
        # It ends with the database only: a commit that was not flushed may then be gone.
        self._work = await self._pool(1, _FOLDING, init=self._listen, max_inactive_connection_lifetime=0)
        self._reads = await self._pool(READERS, _READING)
        self._lookups = await self._pool(LOOKERS_UP, _LOOKING_UP)
        if not self._readonly:
            async with self._work.transaction() as db:
                # Several may start at once.
                await db.execute("SELECT pg_advisory_xact_lock(hashtext('fieldloop views'))", timeout=SHAPING_S)
                await self._make(db, generation, replaces)

    async def _pool(self, most: int, settings: Mapping[str, str], **options: Any) -> Pool:
        path = {"search_path": f'"{self._schema}", pg_temp'}
        return await Pool.open(
            self._dsn,
            answer_s=ANSWER_S,
            min_size=1,
            max_size=most,
            server_settings={**settings, **path},
            reset=_nothing_to_reset,
            **options,
        )

    async def _make(self, db: Any, generation: int, replaces: bool) -> None:
        """Make the tables where there are none, or, if it `replaces`, where there are not the same."""
        wanted = {(view.name, view.version, self._shape(view)) for view in self.views}
        if await db.fetchval("SELECT to_regclass($1) IS NOT NULL", f'"{self._schema}"."{CHECKPOINTS}"'):
            there = set(map(tuple, await db.fetch(f'SELECT view, version, shape FROM "{CHECKPOINTS}"')))
            if not replaces or there == wanted:
                return
            await db.execute(f'DROP SCHEMA "{self._schema}" CASCADE', timeout=SHAPING_S)
        await db.execute(f'CREATE SCHEMA IF NOT EXISTS "{self._schema}"')
        await db.execute(
            f'CREATE TABLE "{CHECKPOINTS}" (view text COLLATE "C" PRIMARY KEY, version bigint NOT NULL, '
            "shape text NOT NULL, position bigint NOT NULL); "
            "CREATE TABLE _generation (number bigint NOT NULL)"
        )
        await db.execute("INSERT INTO _generation VALUES ($1)", generation)
        for name, version, shape in wanted:
            for statement in self._tables[name].ddl:
                await db.execute(statement)
            await db.execute(f'INSERT INTO "{CHECKPOINTS}" VALUES ($1, $2, $3, 0)', name, version, shape)

    def _shape(self, view: View) -> str:
        return ";".join(self._tables[view.name].ddl)

    @cached_property
    def _tables(self) -> dict[str, _Table]:
        return {view.name: _Table(view) for view in self.views}

    async def _next_generation(self) -> int:
        return 1 + int(await self._reads.fetchval("SELECT number FROM _generation"))

    async def ahead(self) -> PostgresViews:
        fresh = PostgresViews(
            self._dsn, self._service, self.views, schema=f"{self._service}_views_ahead", readonly=False
        )
        await fresh._open(await self._next_generation(), replaces=True)
        return fresh

    async def beside(self, views: Sequence[View] | None = None) -> PostgresViews:
        number = await self._next_generation()
        schema = f"{self._service}_views_{number}"
        await self._work.execute(f'DROP SCHEMA IF EXISTS "{schema}" CASCADE', within_s=SHAPING_S)
        chosen = self.views if views is None else tuple(views)
        fresh = PostgresViews(self._dsn, self._service, chosen, schema=schema, readonly=False)
        await fresh._open(number)
        return fresh

    async def become(self, fresh: ViewStore) -> None:
        assert isinstance(fresh, PostgresViews)
        await fresh.close()
        async with self._work.taken() as db:
            async with db.transaction():
                # Whoever folds upon the rows that are replaced must see it, however many replaced them meanwhile.
                number = 1 + await db.fetchval("SELECT number FROM _generation")
                await db.execute(f'UPDATE "{fresh._schema}"._generation SET number = $1', number)
                for old, new in ((self._schema, f"{self._schema}_before"), (fresh._schema, self._schema)):
                    await db.execute(f'ALTER SCHEMA "{old}" RENAME TO "{new}"', timeout=SHAPING_S)
            self.views = fresh.views
            self.__dict__.pop("_tables", None)
            self._statements.clear()
            # This waits for the queries that still read there; those that come find the new rows.
            await db.execute(f'DROP SCHEMA "{self._schema}_before" CASCADE', timeout=SHAPING_S)

    async def close(self) -> None:
        await self._reads.close()
        await self._lookups.close()
        await self._work.close()

    # Folding.

    def watch(self, lost: Callable[[], None]) -> None:
        self._lost = lost

    async def _listen(self, db: Connection) -> None:
        db.add_termination_listener(lambda _: self._lost())

    async def alike(self) -> set[str]:
        shapes = {view.name: self._shape(view) for view in self.views}
        found = await _asked(self._reads, f'SELECT view, shape FROM "{CHECKPOINTS}"')
        return {row["view"] for row in found if shapes.get(row["view"]) == row["shape"]}

    async def positions(self) -> dict[str, int]:
        shapes = {view.name: (view.version, self._shape(view)) for view in self.views}
        query = f'SELECT view, version, shape, position, number FROM _generation LEFT JOIN "{CHECKPOINTS}" ON true'
        found = await _asked(self._reads if self._readonly else self._work, query)
        self._generation = found[0]["number"]
        return {row[0]: row[3] for row in found if shapes.get(row[0]) == (row[1], row[2])}

    async def load(self, view: View, keys: Collection[Key]) -> dict[Key, Row]:
        table, parts, columns = self._tables[view.name], 1 + len(view.key), list(view.defaults)
        found = await self._work.fetch(table.load, *_arrays(keys))
        return {tuple(row[:parts]): dict(zip(columns, row[parts:], strict=True)) for row in map(tuple, found)}

    async def commit(self, changes: Sequence[Change]) -> None:
        try:
            await self._commit_at_once(changes)
        except _REFUSALS:
            await self._commit_one_by_one(changes)  # which tells whose rows they are

    async def _commit_at_once(self, changes: Sequence[Change]) -> None:
        """In one statement, because each costs a round trip."""
        checkpoints = _arrays([(c.view.name, c.view.version, c.after, c.position) for c in changes])
        rows = [array for change in changes for some in (change.put, change.drop) if some for array in _arrays(some)]
        moved = await self._work.fetchval(self._statement(changes), *checkpoints, self._generation, len(changes), *rows)
        if moved != len(changes):
            raise Moved

    def _statement(self, changes: Sequence[Change]) -> str:
        shape = tuple([(change.view.name, bool(change.put), bool(change.drop)) for change in changes])
        if shape not in self._statements:
            parts: list[str] = []
            first = 7
            for name, puts, drops in shape:
                table = self._tables[name]
                if puts:
                    parts.append(f", w{len(parts)} AS ({table.put(first, _ALL_ARE_HERE)})")
                    first += table.columns
                if drops:
                    parts.append(f", w{len(parts)} AS ({table.drop(first, _ALL_ARE_HERE)})")
                    first += table.keys
            self._statements[shape] = _AT_ONCE.format("".join(parts))
        return self._statements[shape]

    async def _commit_one_by_one(self, changes: Sequence[Change]) -> None:
        async with self._work.transaction() as db:
            moved = await db.fetch(
                f'UPDATE "{CHECKPOINTS}" AS c SET position = w.position '
                "FROM _generation AS g, "
                "unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[]) AS w (view, version, after, position) "
                "WHERE g.number = $5 "
                "AND c.view = w.view AND c.version = w.version AND c.position = w.after RETURNING c.view",
                *_arrays([(c.view.name, c.view.version, c.after, c.position) for c in changes]),
                self._generation,
            )
            if len(moved) != len(changes):
                raise Moved
            for change in changes:
                table = self._tables[change.view.name]
                try:
                    if change.put:
                        await db.execute(table.put(), *_arrays(change.put))
                    if change.drop:
                        await db.execute(table.drop(), *_arrays(change.drop))
                except _REFUSALS as error:
                    raise Refused(change.view, error) from error

    # Reading.

    async def fetch(self, query: Select[Any], **values: Value) -> Sequence[Mapping[str, Any]]:
        prepared = self._prepared.get(query) or Prepared.of(query, _DIALECT)
        if values:
            self._prepared[query] = prepared
        given = prepared.given(values)
        if query.get_execution_options().get("gathers"):
            return await self._gathered(prepared.text, *given)
        pool = self._lookups if values else self._reads
        return [dict(row) for row in await _asked(pool, prepared.text, *given)]

    async def _gathered(self, query: str, *values: object) -> Sequence[Mapping[str, Any]]:
        try:
            async with self._reads.transaction(readonly=True) as db:
                await db.execute(_GATHERING)
                return [dict(row) for row in await db.fetch(query, *values)]
        except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
            raise Moved(str(error)) from error
        except _AWAY as error:
            raise StoreAway(f"{type(error).__name__}: {error}") from error

    @asynccontextmanager
    async def snapshot(self, view: View) -> AsyncIterator[Snapshot]:
        async with self._reads.transaction(isolation="repeatable_read", readonly=True) as db:
            position = await db.fetchval(f'SELECT position FROM "{CHECKPOINTS}" WHERE view = $1', view.name)
            cursor = await db.cursor(self._tables[view.name].all)

            async def pages() -> AsyncIterator[Sequence[Values]]:
                while found := await cursor.fetch(PAGE):
                    yield [tuple(row) for row in found]

            yield Snapshot(view, position, pages())


async def _asked(pool: Pool, query: str, *values: object) -> Sequence[asyncpg.Record]:
    """Raises StoreAway, and Moved where the tables are not those of this release, or not there any more."""
    try:
        return await pool.fetch(query, *values)
    except (asyncpg.UndefinedTableError, asyncpg.UndefinedColumnError) as error:
        raise Moved(str(error)) from error
    except _AWAY as error:
        raise StoreAway(f"{type(error).__name__}: {error}") from error


def _nobody_minds() -> None:
    """Where nobody folds, nobody remembers what is in the database."""


async def _nothing_to_reset(db: Connection) -> None:
    """A connection has no state but its transaction, which ends with its block; to ask would take a round trip."""


def _arrays(rows: Collection[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """One array per column."""
    return list(zip(*rows, strict=True))
