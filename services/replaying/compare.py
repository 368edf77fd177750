"""The rows of a shadow copy beside those that live: what was added, what is missing, what is changed."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from services.chassis.readers.viewstore import Snapshot, Values

Kind = Literal["added", "missing", "changed"]


@dataclass(frozen=True)
class Difference:
    """One row. `added` is in the shadow only, `missing` lives only."""

    kind: Kind
    key: Mapping[str, Any]
    lives: Mapping[str, Any] | None
    """Of a changed row, the columns that differ; of a missing one, all."""
    replayed: Mapping[str, Any] | None


@dataclass
class Table:
    """One view, compared."""

    service: str
    view: str
    position: int
    """Up to where the shadow was folded."""
    rows: int = 0
    """Of the shadow."""
    added: int = 0
    missing: int = 0
    changed: int = 0
    first: list[Difference] = field(default_factory=list)
    failed: str = ""
    """Why the fold stopped, if it did."""
    is_new: bool = False
    """The view does not live in this version: there is nothing to compare with."""

    @property
    def equal(self) -> bool:
        return not (self.added or self.missing or self.changed or self.failed)


async def compare(table: Table, lives: Snapshot, shadow: Snapshot, *, tenant: str, all_rows: bool, show: int) -> None:
    """
    Count the differences, and keep the first `show` of them. Both come by primary key, so one pass does.

    Of a replay that did not begin at the start, with `all_rows` false, rows that only live are no difference.
    """
    view = shadow.view
    parts, columns = 1 + len(view.key), view.table.columns.keys()

    def note(kind: Kind, old: Values | None, new: Values | None) -> None:
        setattr(table, kind, getattr(table, kind) + 1)
        if len(table.first) < show:
            key = dict(zip(columns[:parts], (old or new or ())[:parts], strict=True))
            table.first.append(Difference(kind, key, *_said(columns[parts:], parts, old, new)))

    mine, theirs = _rows(lives, tenant), _rows(shadow, tenant)
    old, new = await anext(mine, None), await anext(theirs, None)
    while old is not None or new is not None:
        if new is None or (old is not None and old[:parts] < new[:parts]):
            if all_rows:
                note("missing", old, None)
            old = await anext(mine, None)
            continue
        table.rows += 1
        if old is None or old[:parts] > new[:parts]:
            note("added", None, new)
        else:
            if old != new:
                note("changed", old, new)
            old = await anext(mine, None)
        new = await anext(theirs, None)


def _said(
    columns: list[str], parts: int, old: Values | None, new: Values | None
) -> tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]:
    before = None if old is None else dict(zip(columns, old[parts:], strict=True))
    after = None if new is None else dict(zip(columns, new[parts:], strict=True))
    if before is not None and after is not None:
        differing = [name for name in columns if before[name] != after[name]]
        return {name: before[name] for name in differing}, {name: after[name] for name in differing}
    return before, after


async def _rows(snapshot: Snapshot, tenant: str) -> AsyncIterator[Values]:
    async for page in snapshot.pages:
        for row in page:
            if not tenant or row[0] == tenant:
                yield row
