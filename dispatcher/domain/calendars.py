"""The business calendars of a company: one stream, so that a decision about any clock sees whichever it needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from typing import Any, Final, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.dispatcher import CalendarChanged, CalendarDefined, CalendarFacts, OpenHours, SpecialDay, WeekOfHours
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import CalendarSays, ChangeCalendar, DefineCalendar, ImportHolidays
from dispatcher.domain.business_time import Calendar, Hours, Week, around_the_clock

STREAM: Final = "calendars"
AROUND_THE_CLOCK: Final = ""
"""The calendar that every company has."""


@dataclass(frozen=True)
class Known:
    """A calendar as it is now, and laid out to be measured by."""

    facts: CalendarFacts
    calendar: Calendar


Calendars = Mapping[str, Known]
"""By id."""

CalendarCommand = DefineCalendar | ChangeCalendar | ImportHolidays
INITIAL: Calendars = {}

_EVERY_INSTANT: Final = around_the_clock()


def to_measure_by(calendars: Calendars) -> Mapping[str, Calendar]:
    """By id, with the one that every company has."""
    return {AROUND_THE_CLOCK: _EVERY_INSTANT, **{name: known.calendar for name, known in calendars.items()}}


def decide(states: Mapping[str, Any], command: CalendarCommand) -> list[Event]:
    calendars: Calendars = states[STREAM]
    known = calendars.get(command.calendar_id)
    match command:
        case DefineCalendar():
            return _define(known, command)
        case ChangeCalendar():
            if known is None:
                raise Rejected("calendar.unknown", calendar_id=command.calendar_id)
            return _change(known, _fields(command), command.reason)
        case ImportHolidays():
            if known is None:
                raise Rejected("calendar.unknown", calendar_id=command.calendar_id)
            return _import(known, command)
        case _:
            assert_never(command)


def evolve(calendars: Calendars, event: CalendarFacts) -> Calendars:
    return {**calendars, event.calendar_id: Known(event, calendar_of(event))}


def calendar_of(facts: CalendarFacts) -> Calendar:
    """The calendar to measure by."""
    weeks = tuple(Week(date.fromisoformat(week.since), _by_weekday(week.hours)) for week in facts.weeks)
    plain = Calendar(facts.zone, weeks)
    days = {
        (day := date.fromisoformat(one.day)): () if one.works_as is None else plain.week_of(day)[one.works_as]
        for one in facts.days
    }
    years = None if facts.years is None else frozenset(facts.years)
    return Calendar(facts.zone, weeks, days, years, facts.revision)


def _by_weekday(hours: Iterable[OpenHours]) -> Any:
    """The intervals of each weekday, in order; those that touch stay apart, which changes no sum."""
    return tuple(
        tuple(sorted((one.from_minute, one.to_minute) for one in hours if one.weekday == day)) for day in range(7)
    )


def _define(known: Known | None, command: DefineCalendar) -> list[Event]:
    fields = _fields(command)
    if known is None:
        return [CalendarDefined(**fields, revision=1)]
    if _same(known.facts, fields):
        return []
    raise Rejected("calendar.already-defined", calendar_id=command.calendar_id)


def _change(known: Known, fields: Mapping[str, Any], reason: str) -> list[Event]:
    if _same(known.facts, fields):
        return []
    changed = CalendarChanged(
        **fields, revision=known.facts.revision + 1, reason=reason, changed_from="", changed_until=""
    )
    first, last = _changed(known.calendar, calendar_of(changed))
    return [CalendarChanged(**fields, revision=changed.revision, reason=reason, changed_from=first, changed_until=last)]


def _import(known: Known, command: ImportHolidays) -> list[Event]:
    """The days of the years that are imported take the place of those that were there; other years stay."""
    facts, years = known.facts, set(command.years)
    kept = [day for day in facts.days if int(day.day[:4]) not in years]
    fields = _judged(
        calendar_id=facts.calendar_id,
        name=facts.name,
        zone=facts.zone,
        weeks=facts.weeks,
        days=(*kept, *[day.of() for day in command.days]),
        years=tuple({*(facts.years or ()), *years}),
    )
    return _change(known, fields, command.reason)


def _same(facts: CalendarFacts, fields: Mapping[str, Any]) -> bool:
    return all(getattr(facts, name) == value for name, value in fields.items())


def _fields(command: CalendarSays) -> Mapping[str, Any]:
    weeks = tuple(
        WeekOfHours(week.since.isoformat(), tuple(hours.of() for hours in week.hours)) for week in command.weeks
    )
    days = tuple(day.of() for day in command.days)
    return _judged(command.calendar_id, command.name, command.zone, weeks, days, command.years)


def _judged(
    calendar_id: str,
    name: str,
    zone: str,
    weeks: tuple[WeekOfHours, ...],
    days: tuple[SpecialDay, ...],
    years: tuple[int, ...] | None,
) -> Mapping[str, Any]:
    """The fields of the event, in order. Raises Rejected for what no calendar can be."""
    try:
        ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Rejected("calendar.zone-unknown", zone=zone) from None
    weeks = tuple(sorted(weeks, key=lambda week: week.since))
    days = tuple(sorted(days, key=lambda day: day.day))
    for before, after in pairwise(weeks):
        if before.since == after.since:
            raise Rejected("calendar.week-twice", since=after.since)
    for week in weeks:
        _must_be_hours(week)
    for one, other in pairwise(days):
        if one.day == other.day:
            raise Rejected("calendar.day-twice", day=one.day)
    covered = () if years is None else years
    for special in days:
        if int(special.day[:4]) not in covered:
            raise Rejected("calendar.day-of-no-year", day=special.day)
    return {
        "calendar_id": calendar_id,
        "name": name,
        "zone": zone,
        "weeks": weeks,
        "days": days,
        "years": None if years is None else tuple(sorted(set(years))),
    }


def _must_be_hours(week: WeekOfHours) -> None:
    if any(hours.to_minute <= hours.from_minute for hours in week.hours):
        raise Rejected("calendar.hours-end-before-they-begin", since=week.since)
    by_weekday: tuple[Hours, ...] = _by_weekday(week.hours)
    for weekday, hours in enumerate(by_weekday):
        if any(after[0] < before[1] for before, after in pairwise(hours)):
            raise Rejected("calendar.hours-overlap", since=week.since, weekday=weekday)


def _changed(before: Calendar, after: Calendar) -> tuple[str, str]:
    """The first and the last day on which other hours count; the last is empty where there is no end to it."""
    if before.zone != after.zone:
        return min(week.since for week in (*before.weeks, *after.weeks)).isoformat(), ""
    days = {day for day in {*before.days, *after.days} if before.hours_of(day) != after.hours_of(day)}
    endless = False
    sinces = sorted({week.since for week in (*before.weeks, *after.weeks)})
    for since, until in [*pairwise(sinces), (sinces[-1], None)]:
        if before.week_of(since) != after.week_of(since):
            days |= {since} if until is None else {since, until - timedelta(days=1)}
            endless = endless or until is None
    if not days:
        return "", ""
    return min(days).isoformat(), "" if endless else max(days).isoformat()


def missing_years(facts: CalendarFacts, now: datetime) -> tuple[int, ...]:
    """Of this year and the next, those for which the calendar has no holidays; one that needs none lacks none."""
    if facts.years is None:
        return ()
    year = now.astimezone(ZoneInfo(facts.zone)).year
    return tuple(one for one in (year, year + 1) if one not in facts.years)
