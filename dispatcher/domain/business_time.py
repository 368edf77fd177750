"""
Business time: which instants a calendar counts, how much of it lies between two, and when so much will have passed.

A calendar counts by the wall clock of its zone: an instant counts when the local time of its day lies in one of the
day's intervals. So an hour that a change of the clocks repeats counts twice, and one that it leaves out not at all.
Instants are microseconds since 1970 UTC, durations microseconds, all whole; nothing is rounded.

A year of UTC is laid out once as a list of spans with their running sum. What is asked afterwards is one search in
it, and one addition for each whole year in between.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from functools import cached_property, lru_cache
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

SECOND: Final = 1_000_000
DAY_S: Final = 86_400

FIRST_YEAR, LAST_YEAR = 1990, 2200
"""Nothing is laid out beyond: a target that is not reached by then never is."""

_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()

Hours = tuple[tuple[int, int], ...]
"""Intervals of a day, minutes since midnight, in order and apart; empty where the day does not count."""

ALL_DAY: Final[Hours] = ((0, 1_440),)


class YearUnknown(Exception):
    """The calendar's table of holidays does not cover these years, so nobody can say what counts in them."""

    def __init__(self, *years: int) -> None:
        super().__init__(f"the table of holidays does not cover {', '.join(map(str, years))}")
        self.years = years


class NeverReached(Exception):
    """So much business time does not pass before the last year that is laid out."""


class Week(NamedTuple):
    """The hours of each weekday, Monday first, from a date on."""

    since: date
    hours: tuple[Hours, Hours, Hours, Hours, Hours, Hours, Hours]


class _Year(NamedTuple):
    """What counts of a year of UTC: where spans begin and end, and how much has counted before each, microseconds."""

    starts: tuple[int, ...]
    ends: tuple[int, ...]
    before: tuple[int, ...]
    total: int

    def until(self, at: int) -> int:
        """What counts of the year before this instant."""
        index = bisect_right(self.starts, at) - 1
        return self.before[index] + min(at, self.ends[index]) - self.starts[index] if index >= 0 else 0

    def instant(self, amount: int) -> int:
        """The first instant by which so much of the year, more than nothing and no more than all, has counted."""
        index = bisect_right(self.before, amount - 1) - 1
        return self.starts[index] + amount - self.before[index]


@dataclass(frozen=True)
class Calendar:
    """
    A business calendar. `weeks` are in the order of their dates; before the first nothing counts.

    `days` are the dates on which the week does not hold: holidays (no hours) and the days that are worked in their
    stead. `years` are those that the table of these days covers; None: it needs none, as around the clock.
    """

    zone: str
    weeks: tuple[Week, ...]
    days: Mapping[date, Hours] = field(default_factory=dict)
    years: frozenset[int] | None = None
    revision: int = field(default=0, compare=False)
    """Which of its revisions this is; 0 where it has none."""
    _laid_out: dict[int, _Year] = field(default_factory=dict, compare=False, repr=False)

    def between(self, start: int, end: int) -> int:
        """The business time from one instant to another; 0 where the end is not later. Raises YearUnknown."""
        if end <= start:
            return 0
        self._must_know(start, end)
        first, last = _year_of(start), _year_of(end)
        whole = sum(self._year(year).total for year in range(first, last))
        return whole - self._year(first).until(start) + self._year(last).until(end)

    def after(self, start: int, amount: int) -> int:
        """
        The first instant by which so much business time has passed since `start`; `start` itself for nothing.

        Raises YearUnknown where a year on the way is not covered, and NeverReached.
        """
        if amount <= 0:
            return start
        year = _year_of(start)
        missing = amount + self._year(year).until(start)
        while missing > self._year(year).total:
            missing -= self._year(year).total
            year += 1
            if year > LAST_YEAR:
                raise NeverReached
        found = self._year(year).instant(missing)
        self._must_know(start, found)
        return found

    def unknown_years(self, start: int, end: int) -> tuple[int, ...]:
        """The years from one instant to another, in the calendar's zone, that its table does not cover."""
        if self.years is None:
            return ()
        first, last = self._local_year(start), self._local_year(max(start, end - 1))
        return tuple(year for year in range(first, last + 1) if year not in self.years)

    def as_if_known(self) -> Calendar:
        """The same, taking the week for granted in years that the table does not cover. Say so, beside the figure."""
        return self if self.years is None else self._as_if_known

    @cached_property
    def _as_if_known(self) -> Calendar:
        """Made once: a clock asks for it at each of its spans. It lays out years together with this one."""
        return replace(self, years=None)

    def _must_know(self, start: int, end: int) -> None:
        if unknown := self.unknown_years(start, end):
            raise YearUnknown(*unknown)

    def _local_year(self, at: int) -> int:
        return datetime.fromtimestamp(at // SECOND, ZoneInfo(self.zone)).year

    def hours_of(self, day: date) -> Hours:
        """What counts of a local day."""
        if (special := self.days.get(day)) is not None:
            return special
        return self.week_of(day)[day.weekday()]

    def week_of(self, day: date) -> tuple[Hours, ...]:
        """The hours of each weekday, Monday first, that hold on a day; none before the first week."""
        index = bisect_right(self.weeks, day, key=lambda week: week.since) - 1
        return self.weeks[index].hours if index >= 0 else ((),) * 7

    def _year(self, year: int) -> _Year:
        if (known := self._laid_out.get(year)) is None:
            known = self._laid_out[year] = _lay_out(self, year)
        return known


def around_the_clock(zone: str = "UTC") -> Calendar:
    """Every instant counts: the clock on the wall."""
    return Calendar(zone, (Week(date.min, (ALL_DAY,) * 7),))


def _year_of(at: int) -> int:
    return datetime.fromtimestamp(at // SECOND, UTC).year


def _lay_out(calendar: Calendar, year: int) -> _Year:
    spans: list[list[int]] = []
    for start, end, offset in _offsets(calendar.zone, year):
        for span in _counted(calendar, start, end, offset):
            if spans and spans[-1][1] == span[0]:
                spans[-1][1] = span[1]
            else:
                spans.append([*span])
    before, total = [], 0
    for start, end in spans:
        before.append(total)
        total += (end - start) * SECOND
    return _Year(
        tuple(start * SECOND for start, _ in spans), tuple(end * SECOND for _, end in spans), tuple(before), total
    )


def _counted(calendar: Calendar, start: int, end: int, offset: int) -> Iterator[tuple[int, int]]:
    """The spans that count while the zone keeps one offset, seconds UTC."""
    for day in range((start + offset) // DAY_S, (end + offset - 1) // DAY_S + 1):
        midnight = day * DAY_S - offset
        for opens, closes in calendar.hours_of(date.fromordinal(_EPOCH_DAY + day)):
            span = max(start, midnight + opens * 60), min(end, midnight + closes * 60)
            if span[0] < span[1]:
                yield span


@lru_cache(maxsize=1_024)
def _offsets(zone: str, year: int) -> tuple[tuple[int, int, int], ...]:
    """The stretches of a year of UTC in which the zone keeps one offset: from, to, offset, all in seconds."""
    info = ZoneInfo(zone)

    def offset(at: int) -> int:
        found = datetime.fromtimestamp(at, info).utcoffset()
        assert found is not None
        return found.days * DAY_S + found.seconds

    start, end = (int(datetime(one, 1, 1, tzinfo=UTC).timestamp()) for one in (year, year + 1))
    stretches, since = [], start
    # No zone has changed its offset twice within twelve hours.
    for probe in range(start, end, DAY_S // 2):
        upto = min(probe + DAY_S // 2, end)
        if offset(probe) != offset(upto):
            low, high = probe, upto
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if offset(middle) == offset(probe) else (low, middle)
            if high < end:
                stretches.append((since, high, offset(probe)))
                since = high
    stretches.append((since, end, offset(since)))
    return tuple(stretches)
