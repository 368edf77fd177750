"""
The port between the readers and the tables of a service's views. SQLite and PostgreSQL stand behind it.

A store keeps the rows and one checkpoint per view, both in the same transaction. It is disposable: what is in it can
be folded from the journal again. Nobody but the projector changes it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import msgspec
from sqlalchemy import Index, MetaData, Select, Table
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable, ExecutableDDLElement
from sqlalchemy.types import TypeEngine

from services.chassis.readers.rows import Key, Row
from services.chassis.views import Value, View

PAGE = 1_000
"""Rows per page of a snapshot; every store cuts them alike."""

CHECKPOINTS = "_checkpoints"
"""The table beside the views'."""

Values = tuple[Any, ...]
"""A row as it is stored: the key with the tenant in front, then the columns, in the order of the view."""


Types = Mapping[type[TypeEngine[Any]], TypeEngine[Any]]


class Change(NamedTuple):
    """What one commit does to one view."""

    view: View
    after: int
    """The checkpoint that the view has now."""
    position: int
    """The checkpoint that it has then."""
    put: Sequence[Values] = ()
    drop: Sequence[Key] = ()


class StoreAway(Exception):
    """The database cannot be reached now, or did not answer in time."""


class Moved(Exception):
    """Checkpoints or tables are not where they were: somebody else folds too, or put others in place. Begin again."""


class Refused(Exception):
    """The database does not take the rows of one view, however often it is asked. Nothing was written."""

    def __init__(self, view: View, reason: object) -> None:
        super().__init__(f"{view.name}: {reason!r}")
        self.view = view


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The rows of a view as they were at one position."""

    view: View
    position: int
    pages: AsyncIterator[Sequence[Values]]
    """All rows by primary key, text in order of code points."""

    async def lines(self) -> AsyncIterator[bytes]:
        """The canonical dump: what it is a dump of, then each row as a line of JSON. The same rows, the same bytes."""
        columns = ["tenant", *self.view.key, *self.view.columns]
        yield msgspec.json.encode([self.view.name, self.view.version, columns]) + b"\n"
        async for page in self.pages:
            yield b"".join([msgspec.json.encode(row) + b"\n" for row in page])


class Prepared(NamedTuple):
    """A query as one database takes it, worked out once; a list of values for `in_` has no place in it."""

    text: str
    order: Sequence[str]
    """The names of its values."""
    constants: Mapping[str, Any]

    @classmethod
    def of(cls, query: Select[Any], dialect: Dialect) -> Prepared:
        compiled = query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True})
        return cls(str(compiled), compiled.positiontup or (), compiled.construct_params(_check=False))

    def given(self, values: Mapping[str, Any]) -> list[Any]:
        """These values, and the query's own, in the order in which the database wants them."""
        return [values[name] if name in values else self.constants[name] for name in self.order]


class ViewStore(Protocol):
    """
    One service's views. Opening it makes the tables where there are none.

    What another release left there stays as it is: a view that is new, or in another version, is not there until what
    `ahead` gave has become what is served. Opened `readonly` it makes nothing at all.
    """

    views: Sequence[View]

    async def positions(self) -> dict[str, int]:
        """The checkpoint of every view that is there in its version. At 0 a view has no rows."""

    def watch(self, lost: Callable[[], None]) -> None:
        """Call this when what was committed last may be gone, as after a crash of the database."""

    async def alike(self) -> set[str]:
        """The views whose rows can be read: those that are there, and those of another version with the same table."""

    async def load(self, view: View, keys: Collection[Key]) -> dict[Key, Row]:
        """The rows of these keys as they are stored; those that are not there are left out."""

    async def commit(self, changes: Sequence[Change]) -> None:
        """Write rows and checkpoints, all or nothing. Raises Moved, Refused, or what the database raised."""

    async def fetch(self, query: Select[Any], **values: Value) -> Sequence[Mapping[str, Any]]:
        """
        The rows of a SELECT over the views' tables, of one moment, by column name.

        With `values` the query is one that a module has made once, and they are its `bindparam`s: a third of the time.
        """

    def snapshot(self, view: View) -> AbstractAsyncContextManager[Snapshot]:
        """All rows of a view as of now; what is written meanwhile is not in it."""

    async def beside(self, views: Sequence[View] | None = None) -> ViewStore:
        """An empty store beside this one, by default of the same views: `views.<n+1>`, replacing one left there."""

    async def ahead(self) -> ViewStore:
        """
        What is folded beside this store until it can take its place. Whoever comes later goes on with it.

        There is one: that of other views is replaced by an empty one.
        """

    async def become(self, fresh: ViewStore) -> None:
        """
        Put what `beside` or `ahead` gave in the place of this one, in one step; `fresh` is closed.

        Call `swap` of the projector where one runs. Queries under way end with the rows they began with.
        """

    async def close(self) -> None: ...


async def dump(store: ViewStore, view: View) -> bytes:
    """The canonical dump in one piece; `Snapshot.lines` gives it bit by bit."""
    async with store.snapshot(view) as snapshot:
        return b"".join([line async for line in snapshot.lines()])


def ddl(view: View, dialect: Dialect, types: Types) -> list[str]:
    """The statements that make a view's table in a database, its types replaced by those that the database wants."""
    table: Table = view.table.to_metadata(MetaData())
    table.dialect_options["sqlite"]["with_rowid"] = False
    table.dialect_options["sqlite"]["strict"] = True
    for column in table.columns:
        column.type = types.get(type(column.type), column.type)
    indexes: list[Index] = sorted(table.indexes, key=lambda index: str(index.name))
    made: list[ExecutableDDLElement] = [CreateTable(table), *map(CreateIndex, indexes)]
    return [str(statement.compile(dialect=dialect)).strip() for statement in made]


def names(view: View) -> list[str]:
    """The columns of the table, quoted, in the order of `Values`."""
    return [f'"{column.name}"' for column in view.table.columns]


def upsert(view: View, rows: str) -> str:
    """The statement that puts rows, whatever was under their keys."""
    columns, keys = names(view), names(view)[: 1 + len(view.key)]
    values = ", ".join([f"{name} = excluded.{name}" for name in columns[len(keys) :]])
    return (
        f'INSERT INTO "{view.name}" ({", ".join(columns)}) {rows} '
        f"ON CONFLICT ({', '.join(keys)}) DO {f'UPDATE SET {values}' if values else 'NOTHING'}"
    )
