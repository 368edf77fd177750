"""What comes with the starter packs: service levels, `packs/slas.yaml`, and their calendars, `packs/calendars.yaml`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import yaml

from dispatcher.commands import CalendarDay, CalendarHours, CalendarWeek, ClockAgreed, DefineCalendar
from dispatcher.domain.calendars import AROUND_THE_CLOCK

PACKS: Final = Path(__file__).parents[1] / "packs"

MONDAY: Final = 0
"""A make-up day has the hours of a Monday."""


class ShippedSla(NamedTuple):
    name: str
    calendar: DefineCalendar | None
    """By which its clocks are measured; None: around the clock."""
    clocks: tuple[ClockAgreed, ...]


@cache
def shipped_slas() -> Mapping[str, ShippedSla]:
    """By id. Raises pydantic's ValidationError for a clock that is none, KeyError for a calendar that is not here."""
    calendars = shipped_calendars()
    return {sla_id: _sla(said, calendars) for sla_id, said in _content("slas.yaml").items()}


def _sla(said: Mapping[str, Any], calendars: Mapping[str, DefineCalendar]) -> ShippedSla:
    calendar = calendars[said["calendar"]] if "calendar" in said else None
    calendar_id = calendar.calendar_id if calendar else AROUND_THE_CLOCK
    clocks = tuple(ClockAgreed(**clock, calendar_id=calendar_id) for clock in said["clocks"])
    return ShippedSla(said["name"], calendar, clocks)


@cache
def shipped_calendars() -> Mapping[str, DefineCalendar]:
    """By id."""
    return {
        calendar_id: DefineCalendar(
            calendar_id=calendar_id,
            name=said["name"],
            zone=said["zone"],
            weeks=(CalendarWeek(hours=tuple(_hours(said["weekdays"], said["hours"]))),),
            days=tuple(_special_days(said)),
            years=tuple(said["years"]) if "years" in said else None,
        )
        for calendar_id, said in _content("calendars.yaml").items()
    }


def _hours(weekdays: Sequence[int], spans: Sequence[str]) -> Iterator[CalendarHours]:
    for weekday in weekdays:
        for span in spans:
            first, _, last = span.partition("-")
            yield CalendarHours(weekday=weekday, from_minute=_minute(first), to_minute=_minute(last))


def _minute(clock: str) -> int:
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def _special_days(said: Mapping[str, Any]) -> Iterator[CalendarDay]:
    for holiday in said.get("holidays", ()):
        day: date = holiday["first"]
        while day <= holiday["last"]:
            yield CalendarDay(day=day, name=holiday["name"], works_as=None)
            day += timedelta(days=1)
    for one in said.get("make_up_days", ()):
        yield CalendarDay(day=one["day"], name=one["name"], works_as=MONDAY)


def _content(name: str) -> Mapping[str, Any]:
    found: Mapping[str, Any] = yaml.safe_load((PACKS / name).read_text(encoding="utf-8"))
    return found
