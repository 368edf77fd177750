"""What a report is: figures that each say what they mean, computed over the views for a range of days."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, tzinfo
from types import MappingProxyType
from typing import Any, Literal
from zoneinfo import ZoneInfo

from sqlalchemy import Column, ColumnElement, Select, and_, case, func, select

from reporting.figures import HIGHER_LINES, Value, spread

Fetch = Callable[[Select[Any]], Awaitable[Sequence[Mapping[str, Any]]]]
"""Reads the views of one tenant."""

Unit = Literal["count", "hours", "share", "stars", "time", "day", "table"]


@dataclass(frozen=True)
class Figure:
    """One number and its definition."""

    name: str
    unit: Unit
    en: str
    zh: str
    formula: str
    behind: Behind = None
    """Which rows the number is about, for those who want to see them one by one; None where they are not listed."""


@dataclass(frozen=True)
class Scope:
    """What is asked for: instants in microseconds UTC, from the first and before the second."""

    begin: int
    end: int
    now: datetime
    zone: tzinfo
    source: str = ""
    """Of incidents, the import that they came with; none for all of them."""
    backlog_on: Sequence[date] | None = None
    higher_lines: Sequence[str] = HIGHER_LINES

    def holds(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether an instant lies in the range."""
        return column.between(self.begin, self.end - 1)


Behind = ColumnElement[bool] | Callable[[str, Scope], ColumnElement[bool]] | None


@dataclass(frozen=True)
class Report:
    """A report. `id_column` and `at_column` say of which rows it is, and when each counts as being in the range."""

    name: str
    en: str
    zh: str
    figures: tuple[Figure, ...]
    compute: Callable[[Fetch, Scope], Awaitable[dict[str, Value]]]
    id_column: Column[Any]
    at_column: Column[Any]
    days: int | None = 30
    """How many days up to today are shown when no range is given; None for all there is."""
    zone: ZoneInfo | None = None
    """Whose days are shown when no zone is given; None for the tenant's."""
    families: Mapping[str, Figure] = field(default_factory=dict)
    """Figures whose names begin so and go on with what was asked for."""
    source_column: Column[Any] | None = None
    """The import that a row came with, where rows come with imports."""

    def within(self, scope: Scope) -> ColumnElement[bool]:
        """Which rows the report is about."""
        if scope.source and self.source_column is not None:
            return and_(scope.holds(self.at_column), self.source_column == scope.source)
        return scope.holds(self.at_column)

    def figure(self, name: str) -> Figure | None:
        for known in self.figures:
            if known.name == name:
                return known
        return next((figure for prefix, figure in self.families.items() if name.startswith(prefix)), None)


def spread_of(name: str, what: tuple[str, str], formula: str, behind: ColumnElement[bool]) -> tuple[Figure, ...]:
    """The definitions of the three figures that `figures.spread` makes of durations."""
    kinds = {"mean": ("mean", "平均值"), "median": ("median", "中位数"), "p90": ("90th percentile", "第 90 百分位数")}
    return tuple(
        Figure(f"{name}_h_{kind}", "hours", f"{what[0]}: {en}.", f"{what[1]}：{zh}。", f"{kind}({formula})", behind)
        for kind, (en, zh) in kinds.items()
    )


async def counted(
    fetch: Fetch,
    where: ColumnElement[bool],
    *,
    counts: Mapping[str, ColumnElement[bool]],
    sums: Mapping[str, ColumnElement[int]] = MappingProxyType({}),
) -> dict[str, int]:
    """How many rows there are (`all`), for how many of them each condition holds, and the sum of each column."""
    ones = {name: case((condition, 1), else_=0) for name, condition in counts.items()}
    query = select(
        func.count().label("all"),
        *[func.coalesce(func.sum(column), 0).label(name) for name, column in {**ones, **sums}.items()],
    )
    [row] = await fetch(query.where(where))
    # A sum of PostgreSQL is a decimal number.
    return {name: int(value) for name, value in row.items()}


async def spread_between(
    fetch: Fetch, name: str, begin: Column[Any], end: Column[Any], where: ColumnElement[bool]
) -> dict[str, Value]:
    """Mean, median and nine tenths of the time between two columns, over the rows that have both."""
    took = (end - begin).label("took")
    query = select(took).where(where, begin.is_not(None), end.is_not(None))
    return spread(name, [row["took"] for row in await fetch(query.order_by(took))])
