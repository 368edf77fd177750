"""Lists by cursor: a page goes on after the last row of the one before, whatever was added meanwhile."""

from __future__ import annotations

import binascii
import hashlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any, Generic, TypeVar

import msgspec
from fastapi import Query
from pydantic import BaseModel
from sqlalchemy import Column, ColumnElement, Select, UnaryExpression, and_, or_
from sqlalchemy.sql import operators

from services.chassis.http.problems import Problem
from services.chassis.http.scope import plain_tables

MOST = 200
"""Rows of the longest page."""

Limit = Annotated[int, Query(ge=1, le=MOST, description="How many rows at most")]

T = TypeVar("T")
U = TypeVar("U")

_SORT = "_sort_{}"


class Page(BaseModel, Generic[T]):
    """A part of a list; `next` is the cursor of the part after it, and null at the end."""

    items: list[T]
    next: str | None = None

    def map(self, view: Callable[[T], U]) -> Page[U]:
        """The same page of other things: `page.map(RequestView.of)`."""
        return Page[Any](items=[view(item) for item in self.items], next=self.next)


class Order:
    """
    The order of a list and its cursors.

    A tie is broken by the keys of the tables, so that no row is passed over or shown twice.
    """

    def __init__(self, query: Select[Any], order_by: Sequence[Any], place: str) -> None:
        self._query = query
        self._by: list[tuple[ColumnElement[Any], bool]] = [_direction(one) for one in order_by]
        named = [column for column, _ in self._by]
        for source in plain_tables(query) or query.get_final_froms():
            for key in getattr(source, "primary_key", ()):
                if key.name != "tenant" and not any(key is one for one in named):
                    self._by.append((key, False))
        if loose := [c.name for c, _ in self._by if isinstance(c, Column) and c.nullable]:
            raise TypeError(f"rows cannot be ordered by what may be NULL: coalesce {', '.join(loose)}")
        said = "\x1f".join([place, *[f"{column} {descending}" for column, descending in self._by]])
        self._mark = hashlib.sha256(said.encode()).hexdigest()[:8]

    def select(self, cursor: str | None, limit: int) -> Select[Any]:
        """One row more than the limit, from the cursor on, with the values that the next cursor is made of."""
        query = self._query.add_columns(*[column.label(_SORT.format(i)) for i, (column, _) in enumerate(self._by)])
        if cursor is not None:
            query = query.where(self._after(self._values(cursor)))
        return query.order_by(*[c.desc() if descending else c.asc() for c, descending in self._by]).limit(limit + 1)

    def page(self, rows: Sequence[Mapping[str, Any]], limit: int) -> Page[Any]:
        names = [_SORT.format(i) for i in range(len(self._by))]
        more = len(rows) > limit
        shown = rows[:limit]
        items = [{name: value for name, value in row.items() if name not in names} for row in shown]
        return Page(items=items, next=self._cursor([shown[-1][name] for name in names]) if more else None)

    def _cursor(self, values: list[Any]) -> str:
        return urlsafe_b64encode(msgspec.json.encode([self._mark, *values])).rstrip(b"=").decode()

    def _values(self, cursor: str) -> list[Any]:
        try:
            mark, *values = msgspec.json.decode(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)), type=list[Any])
        except (ValueError, binascii.Error, msgspec.DecodeError):
            raise Problem("cursor.invalid", field="cursor") from None
        right = mark == self._mark and len(values) == len(self._by)
        if not right or not all(_fits(v, column) for v, (column, _) in zip(values, self._by, strict=True)):
            raise Problem("cursor.invalid", field="cursor")
        return values

    def _after(self, values: list[Any]) -> ColumnElement[bool]:
        """(a, b) > (x, y), written out because the columns may be ordered in different directions."""
        ways: list[ColumnElement[bool]] = []
        for i, (column, descending) in enumerate(self._by):
            beyond = column < values[i] if descending else column > values[i]
            ways.append(and_(*[c == v for (c, _), v in zip(self._by[:i], values[:i], strict=True)], beyond))
        return or_(*ways)


def _direction(one: Any) -> tuple[ColumnElement[Any], bool]:
    if isinstance(one, UnaryExpression) and one.modifier in (operators.desc_op, operators.asc_op):
        return one.element, one.modifier is operators.desc_op
    return one, False


def _fits(value: object, column: ColumnElement[Any]) -> bool:
    try:
        kind = column.type.python_type
    except NotImplementedError:
        return isinstance(value, str | int)
    return type(value) is kind and not (kind is int and abs(int(str(value))) >= 1 << 63)
