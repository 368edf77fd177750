"""
What a report is: figures that each say what they mean, computed over the views for a range of days.

A figure is a quotient of integers that are summed over rows of the views, so that whoever asks for it in whatever
groups is told parts of the same sums; or a quantile of a time between two columns.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, tzinfo
from fractions import Fraction
from itertools import count
from operator import mul
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import Column, ColumnElement, Select, Table, and_, case, func, literal, not_, select, true
from sqlalchemy.sql.elements import True_

from reporting.adapters.numbers import gathered, numbers
from reporting.figures import (
    HIGHER_LINES,
    HOUR,
    MEDIAN,
    P90,
    Lasted,
    Part,
    Period,
    Value,
    day_begins,
    lasted,
    lasted_in_all,
    offsets_of,
    quantiles_in,
    quotient,
)
from services.chassis.clock import at_micros

Fetch = Callable[[Select[Any]], Awaitable[Sequence[Mapping[str, Any]]]]
"""Reads the views of one tenant."""

Unit = Literal["count", "hours", "share", "stars", "points", "fen", "km", "time", "day", "table"]

DIGITS: Final[Mapping[str, int]] = {"share": 5, "count": 5}
"""To which a figure is rounded; the others to 3."""

By = Literal["", "region", "engineer", "model", "type", "channel"]
"""What rows are grouped by; empty: by nothing."""

DAY_US: Final = 24 * HOUR
BEFORE_ALL: Final = 142_857 * 7 * DAY_US
"""Whole weeks that are added before a division: databases round the quotient of a negative number towards zero."""


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
    by: By = ""
    period: Period = ""
    parts: Sequence[Part] = ()
    """The days, weeks or months of the range."""

    def holds(self, column: ColumnElement[Any]) -> ColumnElement[bool]:
        """Whether an instant lies in the range."""
        return column.between(self.begin, self.end - 1)

    def by_engineer(self) -> Scope:
        return replace(self.whole(), by="engineer")

    def whole(self) -> Scope:
        """The same, in one group."""
        return Scope(self.begin, self.end, self.now, self.zone, self.source, self.backlog_on, self.higher_lines)


class GroupKey(NamedTuple):
    """Which group: the value that it is grouped by, and the place of its period in `Scope.parts`."""

    value: str
    part: int


ALL: Final = GroupKey("", 0)


class Join(NamedTuple):
    """
    Another table, of which one row belongs to each row: the folds see to it that it is there.

    Inner joins alone are written, because only these let SQLite use the key of a table that is narrowed to a tenant.
    """

    table: Table
    on: ColumnElement[bool]


class Group(NamedTuple):
    """A column to group by, and what must be joined for it."""

    column: ColumnElement[str]
    joins: tuple[Join, ...] = ()


Sums = dict["Sum", dict[GroupKey, int]]
Durations = dict["Times", dict[GroupKey, Lasted]]


class Source(Protocol):
    """Where sums come from."""

    additive: ClassVar[bool]
    """Whether the whole is the sum of its groups."""

    async def totals(
        self, fetch: Fetch, scope: Scope, sums: Sequence[Sum], times: Sequence[Times]
    ) -> tuple[Sums, Durations]:
        """Sums and durations by group; a group without rows may be left out. Nothing where they cannot be told so."""

    def listed(self, when: ColumnElement[bool]) -> Listed | None:
        """The rows for which something holds, to be seen one by one; None: none are shown."""


Listed = tuple["Rows", ColumnElement[bool]]
"""Rows, and which of them."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows of a view: which there are, when each counts as being in the range, what they are grouped by."""

    kind: str
    """What a row is: request, order, visit, …"""
    id: Column[Any]
    at: ColumnElement[Any]
    groups: Mapping[str, Group]
    joins: tuple[Join, ...] = ()
    """Needed by their sums."""
    lists: Literal["each", "distinct", "none"] = "each"
    """How they are shown one by one: where several have the same id, each id once; not at all, what is confidential."""
    request: ColumnElement[Any] = field(default_factory=lambda: literal(""))
    """The request whose story a row is part of."""
    lasts: bool = False
    """What began before a range is in it too."""

    additive: ClassVar[bool] = True

    async def totals(
        self, fetch: Fetch, scope: Scope, sums: Sequence[Sum], times: Sequence[Times]
    ) -> tuple[Sums, Durations]:
        if scope.by not in {"", *self.groups}:
            return {}, {}
        keys = self.keys(scope)
        ones = [one.column().label(name) for one, name in zip(sums, _names("s"), strict=False)]
        lists = _lists(times)
        query = self.joined(select(*keys, *ones, *lists.values()), scope).where(scope.holds(self.at))
        query = query.execution_options(gathers=bool(lists))
        rows = [(key_of(row), row) for row in await fetch(query.group_by(*keys))]
        # A sum of PostgreSQL is a decimal number; of nothing there is none.
        return (
            {one: {key: int(row[s] or 0) for key, row in rows} for one, s in zip(sums, _names("s"), strict=False)},
            _durations(times, rows),
        )

    def within(self, scope: Scope) -> ColumnElement[bool]:
        return self.at < scope.end if self.lasts else scope.holds(self.at)

    def listed(self, when: ColumnElement[bool]) -> Listed | None:
        return None if self.lists == "none" else (self, when)

    def keys(self, scope: Scope) -> list[ColumnElement[Any]]:
        """The columns of a GroupKey, as far as it is asked for."""
        keys: list[ColumnElement[Any]] = []
        if scope.by:
            keys.append(self.groups[scope.by].column.label("value"))
        if scope.period:
            keys.append(_place(self.at, scope).label("part"))
        return keys

    def joined(self, query: Select[Any], scope: Scope) -> Select[Any]:
        joins = (*self.joins, *(self.groups[scope.by].joins if scope.by else ()))
        return query.select_from(self.id.table).where(*[join.on for join in dict.fromkeys(joins)])


def _lists(times: Sequence[Times]) -> dict[str, ColumnElement[Any]]:
    """
    The columns of all durations. Of a time that is as another where nothing sets them apart, only the others are sent
    beside those of that one: most are then gathered, sent and sorted once.
    """
    apart = {one.as_: one.apart for one in times if one.as_ and one.apart is not None}
    found: dict[str, ColumnElement[Any]] = {}
    for n, one in enumerate(times):
        lasts: ColumnElement[Any] = one.end - one.begin
        # What a row counts by is known of each in the range.
        known = one.end.is_not(None) if one.begin is one.of.at else one.known
        if one.as_ is None:
            found[f"t{n}"] = gathered(lasts, and_(known, not_(apart[one])) if one in apart else known)
        if (differs := one.apart if one.as_ else apart.get(one)) is not None:
            found[f"u{n}"] = gathered(lasts, and_(differs, known))
    return {name: column.label(name) for name, column in found.items()}


def _durations(times: Sequence[Times], rows: Sequence[tuple[GroupKey, Mapping[str, Any]]]) -> Durations:
    """What was found in the columns of `_lists`."""
    alike = {
        one: {key: lasted(numbers(row[f"t{n}"])) for key, row in rows if row[f"t{n}"]}
        for n, one in enumerate(times)
        if one.as_ is None
    }
    bases = {one.as_ for one in times}
    found: Durations = {}
    for n, one in enumerate(times):
        common = alike[one.as_ or one]
        if one.as_ is None and one not in bases:
            found[one] = common
            continue
        others = {key: numbers(row[f"u{n}"]) for key, row in rows if row[f"u{n}"]}
        # What is sorted already is hardly more work to sort again.
        more = {key: lasted([*(common[key].runs[0] if key in common else ()), *some]) for key, some in others.items()}
        found[one] = {**common, **more}
    return found


def _names(kind: str) -> Iterator[str]:
    """Of the columns of one kind, in their order."""
    return (f"{kind}{n}" for n in count())


def key_of(row: Mapping[str, Any]) -> GroupKey:
    return GroupKey(row.get("value", ""), int(row.get("part", 0)))


def _place(at: ColumnElement[Any], scope: Scope) -> ColumnElement[Any]:
    """The place in `scope.parts` that an instant of the range has."""
    if scope.period == "month":
        begins = [day_begins(part.first, scope.zone) for part in scope.parts]
        return _month(at, begins, 0, len(begins))
    first, last = (at_micros(instant).year for instant in (scope.begin, scope.end - 1))
    offsets = [offset for year in range(first, last + 1) for offset in offsets_of(scope.zone, year)]
    changes = [one for n, one in enumerate(offsets) if n == 0 or one[1] != offsets[n - 1][1]]
    later = [(at >= since, offset) for since, offset in reversed(changes[1:])]
    offset: Any = case(*later, else_=changes[0][1]) if later else changes[0][1]
    days = 1 if scope.period == "day" else 7
    # 1970-01-01 was a Thursday, three days after a Monday.
    ahead = BEFORE_ALL + (3 * DAY_US if days == 7 else 0)
    origin = (scope.parts[0].first.toordinal() - date(1970, 1, 1).toordinal()) * DAY_US + ahead
    place: ColumnElement[Any] = (at + offset + ahead) // literal(days * DAY_US) - literal(origin // (days * DAY_US))
    return place


def _month(at: ColumnElement[Any], begins: Sequence[int], low: int, high: int) -> ColumnElement[Any]:
    """By halves, so that many months need few comparisons."""
    if high - low == 1:
        return literal(low)
    middle = (low + high) // 2
    return case((at < begins[middle], _month(at, begins, low, middle)), else_=_month(at, begins, middle, high))


@dataclass(frozen=True, eq=False)
class Sum:
    """The sum of an integer over those rows for which something holds; without a value, how many these are."""

    of: Source
    when: ColumnElement[bool] = field(default_factory=true)
    value: ColumnElement[Any] | None = None

    def column(self) -> ColumnElement[Any]:
        total = func.count() if self.value is None else func.sum(self.value)
        return total if isinstance(self.when, True_) else total.filter(self.when)


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A figure of one group."""

    value: Value
    numerator: int | None = None
    """What was summed; `value` is its quotient by the denominator, in the figure's unit. None for a quantile."""
    denominator: int | None = None
    """Of a quantile, over how many it is; None for a plain sum."""


UNKNOWN: Final = Answer(None)


class Measure(Protocol):
    """How a figure comes about."""

    def sums(self) -> Iterable[Sum]: ...

    def answers(self, found: Found, keys: Sequence[GroupKey], digits: int) -> list[Answer]:
        """One for each of these groups."""


class Found(NamedTuple):
    """All that was read for a report."""

    sums: Sums
    times: Durations

    def sum(self, one: Sum, keys: Sequence[GroupKey]) -> list[int] | None:
        """Of each of these groups; None where it cannot be told by them."""
        if one not in self.sums:
            return None
        totals = self.sums[one]
        return [totals.get(key, 0) for key in keys]

    def keys(self) -> list[GroupKey]:
        """The groups of which there is anything, in order."""
        found = {key for totals in self.sums.values() for key, total in totals.items() if total}
        return sorted(found | {key for took in self.times.values() for key in took})


@dataclass(frozen=True)
class Count:
    """A plain sum. With `known`, how many rows it was measured on: of none it is null."""

    sum: Sum
    known: Sum | None = None

    def sums(self) -> Iterable[Sum]:
        return [self.sum, *([self.known] if self.known else [])]

    def answers(self, found: Found, keys: Sequence[GroupKey], digits: int) -> list[Answer]:
        totals = found.sum(self.sum, keys)
        measured = found.sum(self.known, keys) if self.known else None
        if totals is None:
            return [UNKNOWN] * len(keys)
        if measured is None:
            return [Answer(total, total) for total in totals]
        return [Answer(total, total) if many else UNKNOWN for total, many in zip(totals, measured, strict=True)]


@dataclass(frozen=True)
class Ratio:
    """
    Sums of these integers by the sum of that one, times `scale`.

    A factor may be negative. Without any row to measure (`whole` is 0, `known` is 0) the figure is null.
    """

    part: Sequence[tuple[int, Sum]]
    whole: Sum | None
    """None for 1."""
    scale: Fraction = Fraction(1)
    known: Sum | None = None

    def sums(self) -> Iterable[Sum]:
        return [*(one for _, one in self.part), *[one for one in (self.whole, self.known) if one]]

    def answers(self, found: Found, keys: Sequence[GroupKey], digits: int) -> list[Answer]:
        parts = [found.sum(one, keys) for _, one in self.part]
        wholes = found.sum(self.whole, keys) if self.whole else [1] * len(keys)
        measured = found.sum(self.known, keys) if self.known else wholes
        told = [one for one in parts if one is not None]
        if wholes is None or measured is None or len(told) < len(parts):
            return [UNKNOWN] * len(keys)
        factors = [factor for factor, _ in self.part]
        tops = told[0] if factors == [1] else [sum(map(mul, factors, some)) for some in zip(*told, strict=True)]
        up, down = self.scale.as_integer_ratio()
        return [
            Answer(quotient(top * up, whole * down, digits) if whole and many else None, top, whole)
            for top, whole, many in zip(tops, wholes, measured, strict=True)
        ]


def ratio(part: Sum, whole: Sum, scale: Fraction = Fraction(1)) -> Ratio:
    return Ratio([(1, part)], whole, scale)


@dataclass(frozen=True, eq=False)
class Times:
    """The time between two columns, of the rows that have both."""

    of: Rows
    begin: Column[Any]
    end: ColumnElement[Any]
    as_: Times | None = None
    """
    Another time of the same rows, which is no other's: both are the same but where `apart` holds, which is never null.
    """
    apart: ColumnElement[bool] | None = None

    @property
    def known(self) -> ColumnElement[bool]:
        return and_(self.begin.is_not(None), self.end.is_not(None))


@dataclass(frozen=True)
class Mean:
    """Of durations, in hours; their sum and their number are in whatever groups they are asked for."""

    times: Times

    def sums(self) -> Iterable[Sum]:
        return ()

    def answers(self, found: Found, keys: Sequence[GroupKey], digits: int) -> list[Answer]:
        times = found.times.get(self.times)
        if times is None:
            return [UNKNOWN] * len(keys)
        return [_mean(times.get(key), digits) for key in keys]


def _mean(times: Lasted | None, digits: int) -> Answer:
    if times is None or not times.many:
        return Answer(None, 0, 0)
    return Answer(quotient(times.total, times.many * HOUR, digits), times.total, times.many)


@dataclass(frozen=True)
class Quantile:
    """The duration below which this part of them lies, in hours, interpolated between its neighbours."""

    times: Times
    part: Fraction

    def sums(self) -> Iterable[Sum]:
        return ()

    def answers(self, found: Found, keys: Sequence[GroupKey], digits: int) -> list[Answer]:
        times = found.times.get(self.times, {})
        known = [times.get(key) for key in keys]
        values = quantiles_in(known, self.part, HOUR, digits)
        return [Answer(value, None, one.many if one else 0) for value, one in zip(values, known, strict=True)]


@dataclass(frozen=True)
class Figure:
    """One number and its definition."""

    name: str
    unit: Unit
    en: str
    zh: str
    formula: str
    measure: Measure | None = None
    """None where the report computes it in a way of its own."""
    behind: Behind = None
    """Which rows the number is about, where its measure does not say it."""

    @property
    def digits(self) -> int:
        return DIGITS.get(self.unit, 3)

    def listed(self) -> Listed | None:
        """The rows that its numerator is about, for those who want to see them one by one; None: none are listed."""
        match self.measure:
            case Mean(times) | Quantile(times):
                return times.of, times.known
            case Count(one) | Ratio([(_, one), *_]):
                return one.of.listed(one.when)
            case _:
                return None


Behind = ColumnElement[bool] | Callable[[str, Scope], ColumnElement[bool]] | None
Compute = Callable[[Fetch, Scope], Awaitable[dict[str, Value]]]


@dataclass(frozen=True)
class Report:
    """A report. `rows` says of which rows it is first of all, and when each counts as being in the range."""

    name: str
    en: str
    zh: str
    figures: tuple[Figure, ...]
    rows: Rows
    by: tuple[By, ...] = ("region", "engineer", "model", "type", "channel")
    """What it can be grouped by."""
    compute: Compute | None = None
    """For a report with a way of its own, which is in no groups."""
    days: int | None = 30
    """How many days up to today are shown when no range is given; None for all there is."""
    zone: ZoneInfo | None = None
    """Whose days are shown when no zone is given; None for the tenant's."""
    families: Mapping[str, Figure] = field(default_factory=dict)
    """Figures whose names begin so and go on with what was asked for."""
    source_column: Column[Any] | None = None
    """The import that a row came with, where rows come with imports."""
    tables: Callable[[Found], dict[str, Value]] | None = None
    """Its figures of the unit `table`, of what was found by engineer."""

    def within(self, scope: Scope) -> ColumnElement[bool]:
        """Which rows the report is about."""
        if scope.source and self.source_column is not None:
            return and_(self.rows.within(scope), self.source_column == scope.source)
        return self.rows.within(scope)

    def figure(self, name: str) -> Figure | None:
        for known in self.figures:
            if known.name == name:
                return known
        return next((figure for prefix, figure in self.families.items() if name.startswith(prefix)), None)

    async def found(self, fetch: Fetch, scope: Scope) -> Found:
        """Read all that its figures need, in the groups of the scope."""
        return await self._read(fetch, scope, self._wanted())

    async def whole(self, fetch: Fetch, scope: Scope, found: Found) -> Found:
        """The same over the whole range, of what was found in groups."""
        wanted = self._wanted()
        sums = {one: {ALL: sum(by.values())} for one, by in found.sums.items()}
        times = {one: {ALL: lasted_in_all(by.values())} for one, by in found.times.items() if by}
        # What is not told by these groups, and what is not the sum of them, is read again.
        again = {
            source: asked
            for source, asked in wanted.items()
            if not source.additive or any(one not in sums for one in asked[0])
        }
        told = await self._read(fetch, scope.whole(), again)
        return Found({**sums, **told.sums}, {**times, **told.times})

    def _wanted(self) -> dict[Source, tuple[list[Sum], list[Times]]]:
        wanted: dict[Source, tuple[list[Sum], list[Times]]] = {}
        measures = [figure.measure for figure in self.figures if figure.measure]
        for one in dict.fromkeys(one for measure in measures for one in measure.sums()):
            wanted.setdefault(one.of, ([], []))[0].append(one)
        for times in dict.fromkeys(measure.times for measure in measures if isinstance(measure, Mean | Quantile)):
            wanted[times.of][1].append(times)
        return wanted

    async def _read(self, fetch: Fetch, scope: Scope, wanted: Mapping[Source, tuple[list[Sum], list[Times]]]) -> Found:
        told = await asyncio.gather(*[source.totals(fetch, scope, *asked) for source, asked in wanted.items()])
        return Found(
            {one: by for sums, _ in told for one, by in sums.items()},
            {one: by for _, times in told for one, by in times.items()},
        )

    def answers(self, found: Found, keys: Sequence[GroupKey]) -> list[dict[str, Answer]]:
        """The figures of each of these groups by name."""
        measured = [(one.name, one.measure.answers(found, keys, one.digits)) for one in self.figures if one.measure]
        names = [name for name, _ in measured]
        return [dict(zip(names, some, strict=True)) for some in zip(*[told for _, told in measured], strict=True)]


def spread_of(name: str, what: tuple[str, str], formula: str, behind: ColumnElement[bool]) -> tuple[Figure, ...]:
    """The definitions of the three figures that `figures.spread` makes of durations."""
    return tuple(
        Figure(f"{name}_h_{kind}", "hours", en, zh, f"{kind}({formula})", behind=behind)
        for kind, en, zh in _kinds(what)
    )


def spread_over(name: str, what: tuple[str, str], formula: str, times: Times) -> tuple[Figure, ...]:
    """Mean, median and nine tenths of a time, in hours."""
    measures: list[Measure] = [Mean(times), Quantile(times, MEDIAN), Quantile(times, P90)]
    return tuple(
        Figure(f"{name}_h_{kind}", "hours", en, zh, f"{kind}({formula})", measure)
        for (kind, en, zh), measure in zip(_kinds(what), measures, strict=True)
    )


def _kinds(what: tuple[str, str]) -> list[tuple[str, str, str]]:
    kinds = {"mean": ("mean", "平均值"), "median": ("median", "中位数"), "p90": ("90th percentile", "第 90 百分位数")}
    return [(kind, f"{what[0]}: {en}.", f"{what[1]}：{zh}。") for kind, (en, zh) in kinds.items()]
