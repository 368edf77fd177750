"""The routes of reporting: figures with their definitions, what is behind them, and the feed of all events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Annotated, Any, NamedTuple, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy import ColumnElement, select

from reporting import audit_api, feed
from reporting.feed import FeedApi
from reporting.figures import HIGHER_LINES, Value, day_begins
from reporting.report import Report, Scope
from reporting.reports import REPORTS
from services.chassis.clock import TENANT_ZONE
from services.chassis.http import Call, Limit, Page, ServiceRouter, absent, query
from services.chassis.service import Api

READERS = ("manager", "auditor", "operator")

ALWAYS = 1 << 62
"""Further in microseconds than any event."""

From = Annotated[date | None, Query(alias="from", description="The first day; 30 days ago if left out")]
To = Annotated[date | None, Query(description="The last day, which is included; today if left out")]
Zone = Annotated[str, Query(max_length=60, description="IANA zone in which days begin; the tenant's if left out")]
Source = Annotated[str, Query(max_length=120, description="Only what came with this import, as `import:bpic2013`")]


class Definition(BaseModel):
    en: str
    zh: str
    formula: str


class FigureView(BaseModel):
    name: str
    value: Any
    """A number, or null where there is nothing to measure; of a table, its rows."""
    unit: str
    definition: Definition


class ReportView(BaseModel):
    name: str
    title: dict[str, str]
    first_day: date | None
    """Null where the range is open."""
    last_day: date | None
    zone: str
    figures: list[FigureView]


class Offered(BaseModel):
    """A report that can be asked for."""

    name: str
    title: dict[str, str]
    figures: list[str]


class Behind(BaseModel):
    """One thing that a figure is about: the id of a request, order or visit, by the report."""

    id: str
    at: int
    """Microseconds UTC: when it counts as being in the range."""


class Days(NamedTuple):
    """A range of days, both included; open where a day is None."""

    first: date | None
    last: date | None
    zone: ZoneInfo

    def bounds(self) -> tuple[int, int]:
        """The instants of `Scope`."""
        begin = -ALWAYS if self.first is None else day_begins(self.first, self.zone)
        return begin, ALWAYS if self.last is None else day_begins(self.last + timedelta(days=1), self.zone)


def routes(api: Api) -> APIRouter:
    router = APIRouter()
    router.include_router(_reports(api))
    # The host of reporting gives it a wider Api than other services need.
    wider = cast(FeedApi, api)
    router.include_router(feed.routes(wider))
    router.include_router(audit_api.routes(wider))
    return router


def _reports(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/reports", tags=["reports"])

    @router.get("", summary="The reports there are")
    async def offered(call: Call = query(*READERS)) -> list[Offered]:
        return [
            Offered(name=one.name, title={"en": one.en, "zh": one.zh}, figures=[f.name for f in one.figures])
            for one in REPORTS.values()
        ]

    @router.get("/{name}", summary="A report: figures, each with its definition")
    async def report(
        name: str,
        call: Call = query(*READERS),
        from_: From = None,
        to: To = None,
        zone: Zone = "",
        source: Source = "",
        backlog_on: Annotated[
            list[date] | None, Query(description="Of incidents: days at whose begin to count")
        ] = None,
        higher_line: Annotated[
            list[str] | None, Query(description="Of incidents: words in names of teams beyond the first line; 2nd, 3rd")
        ] = None,
    ) -> ReportView:
        asked = _named(name)
        days = _days(asked, call, from_, to, zone)
        for day in backlog_on or ():
            _check_year(day, "backlog_on")
        scope = Scope(
            *days.bounds(),
            call.now,
            days.zone,
            source=source,
            backlog_on=backlog_on,
            higher_lines=higher_line or HIGHER_LINES,
        )
        values = await asked.compute(call.fetch, scope)
        return ReportView(
            name=asked.name,
            title={"en": asked.en, "zh": asked.zh},
            first_day=days.first,
            last_day=days.last,
            zone=str(days.zone),
            figures=_views(asked, values),
        )

    @router.get("/{name}/events", summary="What is behind a figure, one by one")
    async def behind(
        name: str,
        figure: Annotated[str, Query(examples=["requests_received"])],
        call: Call = query(*READERS),
        from_: From = None,
        to: To = None,
        zone: Zone = "",
        source: Source = "",
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[Behind]:
        asked = _named(name)
        days = _days(asked, call, from_, to, zone)
        scope = Scope(*days.bounds(), call.now, days.zone, source=source)
        rows = select(asked.id_column.label("id"), asked.at_column.label("at"))
        rows = rows.where(asked.within(scope), _behind(asked, figure, scope))
        page = await call.page(rows, order_by=[asked.id_column], cursor=cursor, limit=limit)
        return page.map(lambda row: Behind(**row))

    return router


def _named(name: str) -> Report:
    if name not in REPORTS:
        raise absent("report", name)
    return REPORTS[name]


def _behind(asked: Report, name: str, scope: Scope) -> ColumnElement[bool]:
    figure = asked.figure(name)
    if figure is None or figure.behind is None:
        raise absent("list behind the figure", name)
    try:
        return figure.behind(name, scope) if callable(figure.behind) else figure.behind
    except (ValueError, OverflowError):
        raise absent("list behind the figure", name) from None


def _days(asked: Report, call: Call, first: date | None, last: date | None, zone: str) -> Days:
    try:
        place = ZoneInfo(zone) if zone else asked.zone or TENANT_ZONE
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong("zone", f"{zone} is no time zone; give one as Asia/Shanghai or UTC") from None
    for name, day in (("from", first), ("to", last)):
        _check_year(day, name)
    if asked.days is not None:
        last = last or call.now.astimezone(place).date()
        first = first or last - timedelta(days=asked.days - 1)
    if first and last and first > last:
        raise _wrong("from", f"the range begins on {first}, after its last day {last}")
    return Days(first, last, place)


def _check_year(day: date | None, name: str) -> None:
    # Beyond these a day has no instant that could be computed in every zone.
    if day and not 1900 <= day.year <= 9000:
        raise _wrong(name, f"{day} is out of range; give a day between 1900 and 9000")


def _wrong(name: str, what: str) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("query", name), "msg": what}])


def _views(asked: Report, values: Mapping[str, Value]) -> list[FigureView]:
    views = []
    for name, value in values.items():
        figure = asked.figure(name)
        assert figure, f"{asked.name} gives {name}: define it"
        definition = Definition(en=figure.en, zh=figure.zh, formula=figure.formula)
        views.append(FigureView(name=name, value=value, unit=figure.unit, definition=definition))
    return views
