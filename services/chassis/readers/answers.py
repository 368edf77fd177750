"""
What queries find, without asking the database where that is known: for the process that folds the views.

Two kinds of query that are made once and asked often are answered from memory. One that names the whole key of a row
takes that row from the cache of the folds. Any other is given the answer it got before, as long as no row has changed
in the tables that it reads: registers and rules change seldom and are looked at with every order. Those who ask the
same at the same time share one answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from sqlalchemy import BindParameter, Column, Select, Table
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList
from sqlalchemy.sql.operators import and_, eq

from services.chassis.readers.projector import Projector
from services.chassis.readers.rows import UNKNOWN
from services.chassis.readers.viewstore import ViewStore
from services.chassis.views import Value, View

MOST_ROWS = 10_000
"""Kept in answers of all queries together; those that were found first go first. A wide row takes 2 kB."""

Rows = Sequence[Mapping[str, Any]]
Question = tuple[Any, ...]


class _Look(NamedTuple):
    """What a query looks at."""

    views: tuple[str, ...]
    """Whose rows it reads; none where it reads anything else, so that nobody can tell whether that has changed."""
    key: tuple[str, ...] = ()
    """The names of its values in the order of the key of its one view; none where it does not name one whole key."""
    columns: tuple[str, ...] = ()
    """What it wants of that row."""


class _Kept(NamedTuple):
    editions: tuple[int, ...]
    rows: Rows


class _Asked(NamedTuple):
    editions: tuple[int, ...]
    answer: asyncio.Future[Rows | None]
    """None where nobody could tell: whoever waits then asks for himself."""


class Answers:
    """Answers the queries over one service's views while its projector runs in this process."""

    def __init__(self, projector: Projector, store: ViewStore) -> None:
        self._projector, self._store = projector, store
        self._kept: dict[Question, _Kept] = {}
        self._kept_rows = 0
        self._asked: dict[Question, _Asked] = {}

    async def fetch(self, query: Select[Any], values: Mapping[str, Value]) -> Rows:
        """What `ViewStore.fetch` gives, as new or newer than the positions of the projector."""
        if not values or self._projector.doubts:
            return await self._store.fetch(query, **values)
        look = look_of(query, tuple(self._store.views))
        if look.key:
            key: Any = tuple([values[name] for name in look.key])
            if (row := self._projector.row(look.views[0], key)) is not UNKNOWN:
                return [] if row is None else [_whole(look, key, row)]
        if not look.views:
            return await self._store.fetch(query, **values)
        question = (query, *values.items())
        while True:
            editions = self._projector.editions(look.views)
            if (kept := self._kept.get(question)) and kept.editions == editions:
                return kept.rows
            other = self._asked.get(question)
            if other is None or other.editions != editions:
                return await self._ask(question, editions, query, values)
            if (rows := await asyncio.shield(other.answer)) is not None:
                return rows

    async def _ask(
        self, question: Question, editions: tuple[int, ...], query: Select[Any], values: Mapping[str, Value]
    ) -> Rows:
        asked = self._asked[question] = _Asked(editions, asyncio.get_running_loop().create_future())
        rows: Rows | None = None
        try:
            rows = await self._store.fetch(query, **values)
            self._keep(question, _Kept(editions, rows))
            return rows
        finally:
            asked.answer.set_result(rows)
            if self._asked.get(question) is asked:
                del self._asked[question]

    def _keep(self, question: Question, kept: _Kept) -> None:
        if before := self._kept.pop(question, None):
            self._kept_rows -= 1 + len(before.rows)
        self._kept[question] = kept
        self._kept_rows += 1 + len(kept.rows)
        while self._kept_rows > MOST_ROWS:
            oldest = next(iter(self._kept))
            self._kept_rows -= 1 + len(self._kept.pop(oldest).rows)


def _whole(look: _Look, key: Sequence[Value], row: Mapping[str, Any]) -> Mapping[str, Any]:
    named = dict(zip(look.key, key, strict=True))
    return {name: named[name] if name in named else row[name] for name in look.columns}


@cache
def look_of(query: Select[Any], those: tuple[View, ...]) -> _Look:
    """What this query looks at among those views, by its form; found out once in a process."""
    tables = {part for part in visitors.iterate(query) if isinstance(part, Table)}
    if not tables <= {view.table for view in those}:
        return _Look(())
    views = tuple(sorted(table.name for table in tables))
    if len(tables) != 1 or query.get_final_froms() != [*tables] or not _is_plain(query):
        return _Look(views)
    [view] = [view for view in those if view.name == views[0]]
    key = ("tenant", *view.key)
    named = _named(query)
    if named is None or sorted(named) != sorted(key):
        return _Look(views)
    return _Look(views, key, tuple([column.name for column in query.selected_columns]))


def _is_plain(query: Select[Any]) -> bool:
    """Whether it takes columns of rows as they are, and as many as there are."""
    return all(isinstance(column, Column) for column in query.selected_columns) and not (
        query._group_by_clauses
        or query._having_criteria
        or query._distinct
        or query._limit_clause is not None
        or query._offset_clause is not None
    )


def _named(query: Select[Any]) -> list[str] | None:
    """The columns that must equal the value of their name; None where it asks for anything else."""
    where = query.whereclause
    parts = where.clauses if isinstance(where, BooleanClauseList) and where.operator is and_ else [where]
    names: list[str] = []
    for part in parts:
        if not (
            isinstance(part, BinaryExpression)
            and part.operator is eq
            and isinstance(part.left, Column)
            and isinstance(part.right, BindParameter)
            and part.right.required
            and part.right.key == part.left.name
        ):
            return None
        names.append(part.left.name)
    return names
