"""The routes of business calendars: what counts, how much of it, and what a change of it puts elsewhere."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from contracts.dispatcher import ClockName
from dispatcher.commands import CalendarDay, CalendarWeek, ChangeCalendar, DefineCalendar, ImportHolidays
from dispatcher.domain import calendars
from dispatcher.domain.business_time import SECOND, YearUnknown
from dispatcher.domain.calendars import missing_years
from dispatcher.projections.calendars import CALENDARS, facts_of, measure_of
from dispatcher.projections.restatements import RESTATED, RESTATEMENTS
from services.chassis.clock import at_micros, micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, Problem, ServiceRouter, absent, command, query
from services.chassis.service import Api

WHO_DEFINES = ("manager", "operator")
WHO_READS = ("dispatcher", "agent", "auditor", *WHO_DEFINES)
NAME = r"^[a-z0-9][a-z0-9_.-]*$"

FIRST_YEAR, LAST_YEAR = 2000, 2100
"""What lies outside is a slip of the pen."""

Year = Annotated[int, Field(ge=FIRST_YEAR, le=LAST_YEAR)]


class CalendarBody(Body):
    """All that a calendar is. Hours are local; what goes over midnight is two."""

    name: str = Field(min_length=1, max_length=200)
    zone: str = Field("Asia/Shanghai", max_length=100, description="IANA time zone of the hours and dates")
    weeks: tuple[CalendarWeek, ...] = Field(
        min_length=1, max_length=50, description="What counts of a week, from a date on until the next"
    )
    days: tuple[CalendarDay, ...] = Field((), max_length=2_000, description="Holidays, and days worked in their stead")
    years: tuple[Year, ...] | None = Field(
        None, max_length=100, description="The years that `days` cover; without it, the calendar has no holidays"
    )


class NewCalendar(CalendarBody):
    calendar_id: str = Field(min_length=1, max_length=100, pattern=NAME, examples=["office"])


class ChangedCalendar(CalendarBody):
    reason: str = Field(min_length=1, max_length=1_000)


class HolidaysBody(Body):
    """A table of holidays of whole years. What the calendar had for these years is replaced, other years stay."""

    years: tuple[Year, ...] = Field(min_length=1, max_length=20)
    days: tuple[CalendarDay, ...] = Field(max_length=2_000)
    reason: str = Field("", max_length=1_000)


class DayView(Body):
    day: date
    name: str
    works_as: int | None


class HoursView(Body):
    weekday: int
    from_minute: int
    to_minute: int


class WeekView(Body):
    since: date
    hours: list[HoursView]


class CalendarView(Body):
    """A calendar as it is now."""

    calendar_id: str
    version: int
    """Of all calendars, which are one stream: what If-Match demands when one of them is changed."""
    revision: int
    name: str
    zone: str
    weeks: list[WeekView]
    days: list[DayView]
    years: list[int] | None
    missing_years: list[int]
    """This year and the next, where no holidays are known for it: import them before they are needed."""

    @classmethod
    def of(cls, row: Mapping[str, Any], version: int, now: datetime) -> CalendarView:
        facts = facts_of(row)
        return cls(version=version, missing_years=[*missing_years(facts, now)], **msgspec.to_builtins(facts))


class RestatementView(Body):
    """How far a changed calendar has been carried through the orders that it measured on the days that changed."""

    calendar_id: str
    revision: int
    """Of the calendar: the change that it is about."""
    changed_from: str
    changed_until: str
    """Empty: there is no end to the change."""
    orders: int
    """So many were to be looked at when it began."""
    looked_at: int
    restated: int
    """So many of them stand elsewhere now."""
    begun_at: datetime
    done_at: datetime | None

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> RestatementView:
        done_at = None if row["done_at"] is None else at_micros(row["done_at"])
        said = {name: row[name] for name in cls.model_fields}
        return cls(**said | {"begun_at": at_micros(row["begun_at"]), "done_at": done_at})


class BusinessTime(Body):
    """How much business time lies between two instants, exact."""

    calendar_id: str
    revision: int
    from_at: datetime
    to_at: datetime
    business_us: int
    """Microseconds."""
    business_s: int
    """Whole seconds of them."""


class DifferenceView(Body):
    """A figure of a clock that was told and is otherwise now."""

    order_id: str
    request_id: str
    version: int
    """Of the order's clocks: the restatement that says it."""
    clock: ClockName
    figure: Literal["due_at", "next_at", "breached", "used_us", "waited_us"]
    before: str
    after: str
    cause: Literal["late-fact", "calendar", "sla"]
    calendar_id: str
    calendar_revision: int
    told_at: datetime

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> DifferenceView:
        return cls(**{name: row[name] for name in cls.model_fields} | {"told_at": at_micros(row["told_at"])})


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/calendars", tags=["service levels"])
    table = CALENDARS.table

    async def newest(call: Call) -> int:
        """The version of the stream of all calendars."""
        row = await call.one(select(table.c.version).order_by(table.c.version.desc()))
        return row["version"] if row else 0

    async def known(calendar_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.calendar_id == calendar_id))
        if row is None:
            raise absent("calendar", calendar_id)
        return row

    @router.post("", status_code=201, summary="Define a business calendar")
    async def define(body: NewCalendar, call: Call = command(*WHO_DEFINES)) -> Accepted:
        return Accepted.of(await call.ask(DefineCalendar(**body.model_dump())), id=body.calendar_id)

    @router.put("/{calendar_id}", summary="Say all that a calendar is now; its clocks are measured anew")
    async def change(calendar_id: str, body: ChangedCalendar, call: Call = command(*WHO_DEFINES)) -> Accepted:
        await known(calendar_id, call)
        asked = ChangeCalendar(calendar_id=calendar_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=calendars.STREAM), id=calendar_id)

    @router.put("/{calendar_id}/holidays", summary="Import the holidays and make-up days of some years")
    async def holidays(calendar_id: str, body: HolidaysBody, call: Call = command(*WHO_DEFINES)) -> Accepted:
        await known(calendar_id, call)
        asked = ImportHolidays(calendar_id=calendar_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=calendars.STREAM), id=calendar_id)

    @router.get("", summary="The business calendars")
    async def some(call: Call = query(*WHO_READS), cursor: str | None = None, limit: Limit = 50) -> Page[CalendarView]:
        page = await call.page(select(table), order_by=[table.c.calendar_id], cursor=cursor, limit=limit)
        version = await newest(call)
        return page.map(lambda row: CalendarView.of(row, version, call.now))

    @router.get("/{calendar_id}", summary="One calendar")
    async def one(calendar_id: str, call: Call = query(*WHO_READS)) -> CalendarView:
        row, version = await known(calendar_id, call), await newest(call)
        call.etag(version)
        return CalendarView.of(row, version, call.now)

    @router.get("/{calendar_id}/restatements", summary="How far each change has been carried through the orders")
    async def restatements(
        calendar_id: str, call: Call = query(*WHO_READS), cursor: str | None = None, limit: Limit = 50
    ) -> Page[RestatementView]:
        await known(calendar_id, call)
        progress = RESTATEMENTS.table
        rows = select(progress).where(progress.c.calendar_id == calendar_id)
        page = await call.page(rows, order_by=[progress.c.revision], cursor=cursor, limit=limit)
        return page.map(RestatementView.of)

    @router.get("/{calendar_id}/differences", summary="What changes of a calendar put elsewhere, order by order")
    async def differences(
        calendar_id: str,
        call: Call = query(*WHO_READS),
        revision: Annotated[int | None, Field(ge=1, le=2**31, description="Of one change only")] = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[DifferenceView]:
        await known(calendar_id, call)
        told = RESTATED.table
        rows = select(told).where(told.c.calendar_id == calendar_id)
        if revision is not None:
            rows = rows.where(told.c.calendar_revision == revision)
        order_by = [told.c.order_id, told.c.version, told.c.clock, told.c.figure]
        page = await call.page(rows, order_by=order_by, cursor=cursor, limit=limit)
        return page.map(DifferenceView.of)

    @router.get("/{calendar_id}/time", summary="How much business time lies between two instants")
    async def time(
        calendar_id: str,
        from_at: AwareDatetime,
        to_at: AwareDatetime,
        call: Call = query(*WHO_READS),
    ) -> BusinessTime:
        row = await known(calendar_id, call)
        if not (FIRST_YEAR <= from_at.year <= LAST_YEAR and FIRST_YEAR <= to_at.year <= LAST_YEAR):
            raise Problem("calendar.out-of-range", first=FIRST_YEAR, last=LAST_YEAR)
        try:
            between = measure_of(row).between(micros(from_at), micros(to_at))
        except YearUnknown as unknown:
            raise Problem(
                "calendar.year-unknown", calendar_id=calendar_id, years=", ".join(map(str, unknown.years))
            ) from None
        return BusinessTime(
            calendar_id=calendar_id,
            revision=row["revision"],
            from_at=from_at,
            to_at=to_at,
            business_us=between,
            business_s=between // SECOND,
        )

    return router
