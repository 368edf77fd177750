"""The business calendars as they are now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import CalendarChanged, CalendarDefined, CalendarFacts, SpecialDay, WeekOfHours
from contracts.envelope import Envelope
from dispatcher.domain.business_time import Calendar
from dispatcher.domain.calendars import calendar_of, missing_years
from services.chassis.service import Concern, Queries
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


EVERY_CALENDAR: Final = select(CALENDARS.table).order_by(CALENDARS.table.c.tenant, CALENDARS.table.c.calendar_id)

TABLE_IS_OUT: Final = 11
"""From this month on the holidays of the next year are published, and whoever lacks them is told every day."""


async def lacking_holidays(queries: Queries, now: datetime) -> Sequence[Concern]:
    """The calendars that have no holidays for this year, or soon for the next: their clocks take plain weeks for it."""
    found = []
    for row in await queries.fetch(EVERY_CALENDAR):
        facts = facts_of(row)
        this_year = now.astimezone(ZoneInfo(facts.zone)).year
        soon = this_year + 1 if now.month >= TABLE_IS_OUT else this_year
        for year in missing_years(facts, now):
            if year <= soon:
                found.append(
                    Concern(
                        f"calendar {facts.calendar_id} of {row['tenant']}",
                        f"NO HOLIDAYS OF {year}: service levels take it for a year of plain weeks",
                        f"PUT /v1/calendars/{facts.calendar_id}/holidays with the table of {year}",
                    )
                )
    return found


OF_COMPANY: Final = select(CALENDARS.table).where(CALENDARS.table.c.tenant == bindparam("tenant"))


async def hours_of_company(queries: Queries, tenant: str, calendar_id: str) -> Calendar | None:
    """This calendar, or of a company that names none the only one that it has. A year without holidays is plain."""
    rows = await queries.fetch(OF_COMPANY, tenant=tenant)
    named = [row for row in rows if row["calendar_id"] == calendar_id] if calendar_id else rows
    return measure_of(named[0]).as_if_known() if len(named) == 1 else None


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
