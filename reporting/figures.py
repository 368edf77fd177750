"""
The formulas of the reports: pure, and exact until the last step.

Instants and durations are integers of microseconds; means and quantiles are fractions of them; only what is shown is
rounded, half to even.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from fractions import Fraction
from functools import lru_cache
from itertools import accumulate, chain
from math import isqrt
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

import msgspec

from contracts.dispatcher import Shift
from services.chassis.clock import at_micros, micros

HOUR: Final = 3_600_000_000
"""Microseconds."""

MEDIAN: Final = Fraction(1, 2)
P90: Final = Fraction(9, 10)

HIGHER_LINES: Final = ("2nd", "3rd")
"""Words in the name of a team that does not belong to the first line of support."""

BACKLOG: Final = "backlog_"
"""How the names of backlogs begin; the day follows."""

Value = int | float | str | None | Sequence[Any] | Mapping[str, Any]


def quantile(ordered: Sequence[int], part: Fraction) -> Fraction | None:
    """The value below which this part lies, interpolated linearly between its neighbours; of nothing, none."""
    if not ordered:
        return None
    place = (len(ordered) - 1) * part
    below = place.numerator // place.denominator
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


class Lasted(msgspec.Struct, gc=False):
    """Durations of one group, as runs that are sorted, each by itself."""

    runs: Sequence[Sequence[int]]
    many: int
    total: int
    sample: Sequence[int] = ()
    """A part of them, sorted; made when the first quantile of several runs is asked for."""


def lasted(values: Iterable[int]) -> Lasted:
    run = sorted(values)
    return Lasted([run], len(run), sum(run))


def lasted_in_all(groups: Collection[Lasted]) -> Lasted:
    """Those of several groups together."""
    runs = list(chain.from_iterable([one.runs for one in groups]))
    return Lasted(runs, sum([one.many for one in groups]), sum([one.total for one in groups]))


def quantiles_in(groups: Iterable[Lasted | None], part: Fraction, unit: int, digits: int) -> list[float | None]:
    """Of each group `shown(quantile(sorted(chain(*runs)), part) / unit, digits)`, without that sort; of none, None."""
    numerator, denominator = part.as_integer_ratio()
    whole = denominator * unit
    found: list[float | None] = []
    for group in groups:
        if group is None or not group.many:
            found.append(None)
            continue
        below, rest = divmod((group.many - 1) * numerator, denominator)
        ordered, at = (group.runs[0], below) if len(group.runs) == 1 else _around(group, below)
        low = ordered[at]
        # The last has no next one, and no rest either.
        found.append(quotient(low * denominator + ((ordered[at + 1] - low) * rest if rest else 0), whole, digits))
    return found


SAMPLE: Final = 4_096
"""Of many values about so many say between which two of them a place lies."""


def _around(group: Lasted, place: int) -> tuple[Sequence[int], int]:
    """As much of all runs sorted together as holds this place and the next one; and where in it the place is."""
    runs, step = group.runs, group.many // SAMPLE + 1
    sample = group.sample = group.sample or sorted(
        chain.from_iterable([run[n % step :: step] for n, run in enumerate(runs)])
    )
    guess, margin = place // step, isqrt(len(sample)) + 1
    while True:
        low, high = guess - margin, guess + margin
        starts = [bisect_left(run, sample[low]) for run in runs] if low >= 0 else [0] * len(runs)
        ends = [bisect_left(run, sample[high]) for run in runs] if high < len(sample) else list(map(len, runs))
        ahead = sum(starts)
        if ahead <= place and (place + 1 < sum(ends) or high >= len(sample)):
            # Only what lies between these two need be sorted.
            parts = [run[a:b] for run, a, b in zip(runs, starts, ends, strict=True) if a < b]
            return sorted(chain.from_iterable(parts)), place - ahead
        margin *= 4


def mean(total: int, count: int) -> Fraction | None:
    return Fraction(total, count) if count else None


def shown(value: Fraction | int | None, digits: int = 3) -> float | None:
    """A figure as it is printed; of nothing, none rather than a zero that nobody measured."""
    return None if value is None else float(round(Fraction(value), digits))


def quotient(part: int, whole: int, digits: int) -> float:
    """`shown(Fraction(part, whole), digits)` of a whole above zero, ten times as fast."""
    tens: int = 10**digits
    found, rest = divmod(part * tens, whole)
    # Half to even.
    found += 2 * rest > whole or (2 * rest == whole and found % 2)
    return found / tens


def share(part: int, whole: int, digits: int = 5) -> float | None:
    return shown(mean(part, whole), digits)


def hours(us: Fraction | int | None, digits: int = 3) -> float | None:
    return None if us is None else shown(Fraction(us) / HOUR, digits)


def spread(name: str, ordered: Sequence[int]) -> dict[str, Value]:
    """Mean, median and nine tenths of durations, in hours: `<name>_h_mean`, `<name>_h_median`, `<name>_h_p90`."""
    return {
        f"{name}_h_mean": hours(mean(sum(ordered), len(ordered))),
        f"{name}_h_median": hours(quantile(ordered, MEDIAN)),
        f"{name}_h_p90": hours(quantile(ordered, P90)),
    }


class Cases(NamedTuple):
    """The orders of one impact (the last one that was given) as the incident figures look at them; microseconds."""

    opened: Sequence[int]
    """Instants UTC, as the next; in no order, as all of these."""
    finished: Sequence[int]
    """The first time, of those that ever were."""
    resolved_after: Sequence[int]
    """From the one to the other."""
    lasted: Sequence[int]
    """From the first to the last step."""
    last: int
    """The last step of all."""


class Totals(NamedTuple):
    """What is summed over all cases, by the database."""

    events: int = 0
    reopenings: int = 0
    reopened_cases: int = 0
    team_changes: int = 0
    cases_with_team_change: int = 0
    team_returns: int = 0
    person_changes: int = 0
    cases_with_person_change: int = 0
    person_returns: int = 0
    queued_us: int = 0


def incident_kpis(
    by_impact: Mapping[str, Cases],
    totals: Totals,
    by_teams: Mapping[str, int],
    *,
    zone: tzinfo = UTC,
    backlog_on: Sequence[date] | None = None,
    higher_lines: Iterable[str] = HIGHER_LINES,
) -> dict[str, Value]:
    """
    The incident figures; a day, and the instant at which it begins, is one of `zone`.

    `by_teams` is how many cases these teams had, their names one a line. Without `backlog_on` the backlog is that of
    the 1st, 10th and 20th of the month of the last event, up to that event.
    """
    if not by_impact:
        return {"events": 0, "cases": 0}
    opened = sorted(chain.from_iterable(cases.opened for cases in by_impact.values()))
    finished = sorted(chain.from_iterable(cases.finished for cases in by_impact.values()))
    last = max(cases.last for cases in by_impact.values())
    resolving = {impact: sorted(cases.resolved_after) for impact, cases in sorted(by_impact.items())}
    arrivals = dict(by_day(opened, zone))
    busiest = min(arrivals, key=lambda day: (-arrivals[day], day))
    first_line = sum(count for teams, count in by_teams.items() if not {*higher_lines} & {*teams.split()})
    figures: dict[str, Value] = {
        "events": totals.events,
        "cases": len(opened),
        "first": str(at_micros(opened[0])),
        "last": str(at_micros(last)),
        **spread("cycle", sorted(chain.from_iterable(cases.lasted for cases in by_impact.values()))),
        "cases_resolved": len(finished),
        **spread("mttr", sorted(chain.from_iterable(resolving.values()))),
        "reopen_events": totals.reopenings,
        "reopened_cases": totals.reopened_cases,
        "reopen_rate_of_resolved": share(totals.reopened_cases, len(finished)),
        "group_changes_total": totals.team_changes,
        "group_changes_per_case": shown(mean(totals.team_changes, len(opened)), 5),
        "cases_with_group_change": totals.cases_with_team_change,
        "group_pingpong_events": totals.team_returns,
        "resource_changes_total": totals.person_changes,
        "resource_changes_per_case": shown(mean(totals.person_changes, len(opened)), 5),
        "cases_with_resource_change": totals.cases_with_person_change,
        "resource_pingpong_events": totals.person_returns,
        "arrivals_days_with_cases": len(arrivals),
        "arrivals_max_day": [busiest.isoformat(), arrivals[busiest]],
        "mttr_h_median_by_impact": {
            impact: hours(quantile(took, MEDIAN)) for impact, took in resolving.items() if took
        },
        "cases_by_impact": {impact: len(by_impact[impact].opened) for impact in resolving},
        "queued_hours_total": hours(totals.queued_us, 1),
        "push_to_front_cases_only_1st_line": first_line,
    }
    for day in _milestones(at_micros(last).astimezone(zone)) if backlog_on is None else backlog_on:
        instant = day_begins(day, zone)
        # No case is finished before it is opened, so what is open is what was opened less what was finished.
        figures[BACKLOG + day.isoformat()] = bisect_right(opened, instant) - bisect_right(finished, instant)
    return figures


def by_day(ordered: Sequence[int], zone: tzinfo) -> Iterator[tuple[date, int]]:
    """How many of these instants, the earliest first, lie in each day of the zone that has any."""
    place = 0
    while place < len(ordered):
        day = at_micros(ordered[place]).astimezone(zone).date()
        beyond = bisect_left(ordered, day_begins(day + timedelta(days=1), zone), place)
        yield day, beyond - place
        place = beyond


def _milestones(last: datetime) -> list[date]:
    return [date(last.year, last.month, day) for day in (1, 10, 20) if day <= last.day]


def day_begins(day: date, zone: tzinfo) -> int:
    """The first instant of a day there, microseconds UTC."""
    return micros(datetime.combine(day, time.min, zone).astimezone(UTC))


Period = Literal["", "day", "week", "month"]
"""What figures are told by; empty: over the whole range."""


class Part(NamedTuple):
    """A day, week or month as far as it lies in a range of days."""

    label: str
    """`2026-11-24`, `2026-W48` (ISO 8601) or `2026-11`."""
    first: date
    last: date
    """Included."""


def parts_of(period: Period, first: date, last: date) -> list[Part]:
    """The days, weeks (from Monday) or months from the first to the last day, both included; the ends may be cut."""
    parts: list[Part] = []
    day = first
    while day <= last:
        label, end = _part(period, day, last)
        parts.append(Part(label, day, min(end, last)))
        day = end + timedelta(days=1)
    return parts


def _part(period: Period, day: date, last: date) -> tuple[str, date]:
    """The label of the part that this day is in, and its last day."""
    match period:
        case "day":
            return day.isoformat(), day
        case "week":
            return "{}-W{:02}".format(*day.isocalendar()[:2]), day + timedelta(days=6 - day.weekday())
        case "month":
            return f"{day:%Y-%m}", (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        case _:
            return "", last


class Work:
    """The weekly shifts of an engineer, unfolded over a time once, so that any part of it is measured quickly."""

    def __init__(self, shifts: Sequence[Shift], zone: str, begin: int, end: int) -> None:
        intervals = list(_unfolded(shifts, zone, begin, end))
        self._edges = [sorted(starts) for starts in zip(*intervals, strict=True)] if intervals else [[], []]
        self._sums = [list(accumulate(edges, initial=0)) for edges in self._edges]

    def between(self, begin: int, end: int) -> int:
        """Microseconds of shifts; of two that overlap, each counts."""
        return self._before(end) - self._before(begin) if begin < end else 0

    def _before(self, at: int) -> int:
        # What began before, less what had ended by then.
        (begun, begun_sum), (ended, ended_sum) = [
            (place := bisect_left(edges, at), sums[place]) for edges, sums in zip(self._edges, self._sums, strict=True)
        ]
        return int((begun * at - begun_sum) - (ended * at - ended_sum))


def _unfolded(shifts: Sequence[Shift], zone: str, begin: int, end: int) -> Iterator[tuple[int, int]]:
    local = ZoneInfo(zone)
    # A shift that goes on past midnight belongs to the day on which it began.
    day = at_micros(begin).astimezone(local).date() - timedelta(days=1)
    last = at_micros(end).astimezone(local).date()
    while day <= last:
        midnight = datetime.combine(day, time.min, local)
        for shift in shifts:
            if shift.weekday == day.weekday():
                length = (shift.to_minute - shift.from_minute) % 1440 or 1440
                starts = midnight + timedelta(minutes=shift.from_minute)
                ends = starts + timedelta(minutes=length)
                yield micros(starts.astimezone(UTC)), micros(ends.astimezone(UTC))
        day += timedelta(days=1)


def shift_us(shifts: Sequence[Shift], zone: str, begin: int, end: int) -> int:
    """How much of the time from `begin` to `end` lies within these weekly shifts; a day with 23 hours has fewer."""
    return Work(shifts, zone, begin, end).between(begin, end)


@lru_cache(maxsize=1_000)
def offsets_of(zone: tzinfo, year: int) -> tuple[tuple[int, int], ...]:
    """
    The offsets from UTC that hold in a year there: from which instant, and how much, both microseconds.

    The first holds from the year's first instant in UTC; each change is found to the second.
    """

    def offset(at: datetime) -> int:
        told = at.astimezone(zone).utcoffset()
        assert told is not None
        return told // timedelta(microseconds=1)

    day = datetime(year, 1, 1, tzinfo=UTC)
    found = [(micros(day), offset(day))]
    while day.year == year:
        following = day + timedelta(days=1)
        if offset(following) != found[-1][1]:
            low, high = day, following
            while high - low > timedelta(seconds=1):
                middle = low + timedelta(seconds=(high - low) // timedelta(seconds=2))
                low, high = (middle, high) if offset(middle) == found[-1][1] else (low, middle)
            found.append((micros(high), offset(high)))
        day = following
    return tuple(found)
