"""The business calendars as they are now."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import msgspec

from contracts.dispatcher import CalendarChanged, CalendarDefined, CalendarFacts, SpecialDay, WeekOfHours
from contracts.envelope import Envelope
from dispatcher.domain.business_time import Calendar
from dispatcher.domain.calendars import calendar_of
from services.chassis.views import Rows, View


def apply(rows: Rows, event: CalendarDefined | CalendarChanged, envelope: Envelope) -> None:
    rows.put(
        event.calendar_id,
        version=envelope.version,
        revision=event.revision,
        name=event.name,
        zone=event.zone,
        weeks=msgspec.json.encode(event.weeks).decode(),
        days=msgspec.json.encode(event.days).decode(),
        years=msgspec.json.encode(event.years).decode(),
    )


CALENDARS = View(
    name="calendars",
    version=1,
    key={"calendar_id": str},
    columns={"version": 0, "revision": 0, "name": "", "zone": "", "weeks": "[]", "days": "[]", "years": "null"},
    reads=(CalendarDefined, CalendarChanged),
    apply=apply,
)


def facts_of(row: Mapping[str, Any]) -> CalendarFacts:
    return _facts(
        row["calendar_id"], row["revision"], row["name"], row["zone"], row["weeks"], row["days"], row["years"]
    )


def measure_of(row: Mapping[str, Any]) -> Calendar:
    """The calendar to measure by; a year that was laid out once stays so while the row is the same."""
    return _measure(facts_of(row))


@lru_cache(maxsize=256)
def _facts(calendar_id: str, revision: int, name: str, zone: str, weeks: str, days: str, years: str) -> CalendarFacts:
    return CalendarFacts(
        calendar_id=calendar_id,
        revision=revision,
        name=name,
        zone=zone,
        weeks=msgspec.json.decode(weeks, type=tuple[WeekOfHours, ...]),
        days=msgspec.json.decode(days, type=tuple[SpecialDay, ...]),
        years=msgspec.json.decode(years, type=tuple[int, ...] | None),
    )


@lru_cache(maxsize=256)
def _measure(facts: CalendarFacts) -> Calendar:
    return calendar_of(facts)
