"""
What a read model is: one table, the fold that fills it, and a version.

A view is disposable. It is never migrated: raise its version when the fold or a column changes, and it is rebuilt.
Types are the portable ones (text, integer, boolean, bytes): sums are integers, instants are microseconds UTC.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

from contracts.envelope import Envelope
from contracts.event import Event

Value = str | int | bool | bytes | None

_TYPES: Mapping[type, type[TypeEngine[Any]]] = {str: Text, int: BigInteger, bool: Boolean, bytes: LargeBinary}


class Rows(Protocol):
    """
    The rows of one view and one tenant, by key. A fold sees nothing else: no clock, no network, no other table.

    The key is given in the order of the view's key columns.
    """

    def get(self, *key: str | int) -> Mapping[str, Any] | None:
        """The row, or None. What `put` changed in this fold is in it."""

    def put(self, *key: str | int, **columns: Value) -> None:
        """Set these columns; a row that is not there begins with the defaults of the others."""

    def drop(self, *key: str | int) -> None:
        """Remove the row, if it is there."""


@dataclass(frozen=True, eq=False)
class View:
    """
    A read model. `columns` gives each column's default, whose type is the column's type; `(str, None)` for none.

    `tenant` is the first column of every key and is never given by a fold.
    """

    name: str
    version: int
    key: Mapping[str, type]
    columns: Mapping[str, Value | tuple[type, None]]
    reads: tuple[type[Event], ...]
    """The events that the fold is given; of others, nothing."""
    apply: Callable[[Rows, Any, Envelope], None]
    """
    The fold. It gives the same rows for every interleaving that keeps the order per partition key and publisher, and
    for nothing else: between publishers, or between keys, an event may come early or late.
    """
    indexes: tuple[tuple[str, ...], ...] = ()
    """Columns that queries look rows up by; the tenant goes before them."""
    waited_for: bool = True
    """Commands wait (500 ms at most) until this view has seen them."""

    @cached_property
    def defaults(self) -> Mapping[str, Value]:
        return {name: None if isinstance(value, tuple) else value for name, value in self.columns.items()}

    @cached_property
    def table(self) -> Table:
        """The table, for queries: `select(BOARD.table.c.order_id).where(...)`."""
        kinds = {n: v[0] if isinstance(v, tuple) else type(v) for n, v in self.columns.items()}
        optional = {n for n, v in self.columns.items() if isinstance(v, tuple)}
        return Table(
            self.name,
            MetaData(),
            Column("tenant", Text, primary_key=True),
            *[Column(n, _TYPES[kind](), primary_key=True, autoincrement=False) for n, kind in self.key.items()],
            *[Column(n, _TYPES[kind](), nullable=n in optional) for n, kind in kinds.items()],
            # PostgreSQL has no longer names.
            *[Index(f"{self.name}_by_{'_'.join(names)}"[:63], "tenant", *names) for names in self.indexes],
        )
