"""The routes of reporting: figures with their definitions, what is behind them, and the feed of all events."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, Literal, NamedTuple, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec
from fastapi import APIRouter, Header, Query, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from sqlalchemy import ColumnElement, select

from contracts import envelope as envelopes
from reporting import audit_api, feed, live
from reporting.adapters.tables import FORMATS, Format, TableRow, written
from reporting.feed import FeedApi
from reporting.figures import HIGHER_LINES, Part, Period, day_begins, parts_of
from reporting.report import ALL, Answer, By, Found, GroupKey, Report, Rows, Scope
from reporting.reports import REPORTS
from services.chassis.clock import TENANT_ZONE
from services.chassis.http import Call, Limit, Page, ServiceRouter, absent, query
from services.chassis.service import Api

READERS = ("manager", "auditor", "operator")

ALWAYS = 1 << 62
"""Further in microseconds than any event."""

MOST_GROUPS = 5_000
"""In an answer; who wants more asks for a shorter range."""

From = Annotated[date | None, Query(alias="from", description="The first day; 30 days ago if left out")]
To = Annotated[date | None, Query(description="The last day, which is included; today if left out")]
Zone = Annotated[str, Query(max_length=60, description="IANA zone in which days begin; the tenant's if left out")]
Source = Annotated[str, Query(max_length=120, description="Only what came with this import, as `import:bpic2013`")]
ByQuery = Annotated[By, Query(description="What to group by; a report offers some of these")]
PeriodQuery = Annotated[Period, Query(description="Tell each figure by these as well; weeks begin on Monday")]
FormatQuery = Annotated[
    Literal["", "json", "csv", "xlsx", "parquet"], Query(alias="format", description="Else as `Accept` says, else JSON")
]


class Definition(BaseModel):
    en: str
    zh: str
    formula: str


class Told(BaseModel):
    """
    A figure, and the sums that it is the quotient of.

    `numerator` is null of a quantile, and of a figure whose groups do not tell it; `denominator` of a plain sum too.
    Of a quantile it is the number of durations.
    """

    value: Any
    """A number, or null where there is nothing to measure; of a table, its rows."""
    numerator: int | None = None
    denominator: int | None = None


class FigureView(Told):
    name: str
    unit: str
    definition: Definition


class GroupView(BaseModel):
    """The figures of one group. Groups of which there is nothing are left out."""

    value: str
    """Of what it is grouped by; empty for rows that have none, and where nothing is asked for."""
    period: str
    """`2026-11-24`, `2026-W48` or `2026-11`; empty where none is asked for."""
    first_day: date | None
    last_day: date | None
    """Where the range begins or ends within a week or month, the days that lie in it."""
    figures: dict[str, Told]


class ReportView(BaseModel):
    name: str
    title: dict[str, str]
    first_day: date | None
    """Null where the range is open."""
    last_day: date | None
    zone: str
    by: str
    period: str
    figures: list[FigureView]
    """Of the whole range."""
    groups: list[GroupView]
    """Empty where neither `by` nor `period` is asked for."""


class Offered(BaseModel):
    """A report that can be asked for."""

    name: str
    title: dict[str, str]
    figures: list[str]
    by: list[str]
    """What it can be grouped by."""


class EventAt(BaseModel):
    """A recorded event, and where it is in the feed of all events."""

    id: str
    type: str
    service: str
    happened_at: datetime
    after: str
    """The cursor before it: `GET /v1/events?after=` begins with it."""


class Behind(BaseModel):
    """One thing that a figure is about."""

    kind: str
    """request, order, visit, complaint or engineer."""
    id: str
    at: int
    """Microseconds UTC: when it counts as being in the range."""
    request_id: str
    """The request that it is part of, whose whole story `GET /v1/audit/{request_id}` tells; empty for none."""
    events: list[EventAt]
    """All that was recorded of it, the first first."""


class Days(NamedTuple):
    """A range of days, both included; open where a day is None."""

    first: date | None
    last: date | None
    zone: ZoneInfo

    def bounds(self) -> tuple[int, int]:
        """The instants of `Scope`."""
        begin = -ALWAYS if self.first is None else day_begins(self.first, self.zone)
        return begin, ALWAYS if self.last is None else day_begins(self.last + timedelta(days=1), self.zone)

    def parts(self, period: Period) -> list[Part]:
        return parts_of(period, self.first, self.last) if period and self.first and self.last else []


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    # The host of reporting gives it a wider Api than other services need.
    wider = cast(FeedApi, api)
    router.include_router(_reports(wider))
    router.include_router(feed.routes(wider))
    router.include_router(live.routes(wider))
    router.include_router(audit_api.routes(wider))
    return router


def _reports(api: FeedApi) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/reports", tags=["reports"])

    @router.get("", summary="The reports there are")
    async def offered(call: Call = query(*READERS)) -> list[Offered]:
        return [
            Offered(
                name=one.name,
                title={"en": one.en, "zh": one.zh},
                figures=[f.name for f in one.figures],
                by=list(one.by),
            )
            for one in REPORTS.values()
        ]

    @router.get(
        "/{name}",
        summary="A report: figures, each with its definition, in groups",
        response_model=ReportView,
        responses={
            200: {
                "description": "As JSON, or one row a figure and group as CSV, XLSX or Parquet",
                "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in FORMATS.values()},
            }
        },
    )
    async def report(
        name: str,
        call: Call = query(*READERS),
        from_: From = None,
        to: To = None,
        zone: Zone = "",
        by: ByQuery = "",
        period: PeriodQuery = "",
        format_: FormatQuery = "",
        source: Source = "",
        backlog_on: Annotated[
            list[date] | None, Query(description="Of incidents: days at whose begin to count")
        ] = None,
        higher_line: Annotated[
            list[str] | None, Query(description="Of incidents: words in names of teams beyond the first line; 2nd, 3rd")
        ] = None,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
    ) -> Response:
        asked = _named(name)
        days = _days(asked, call, from_, to, zone)
        for day in backlog_on or ():
            _check_year(day, "backlog_on")
        _check_groups(asked, by, period)
        scope = Scope(
            *days.bounds(),
            call.now,
            days.zone,
            source=source,
            backlog_on=backlog_on,
            higher_lines=higher_line or HIGHER_LINES,
            by=by,
            period=period,
            parts=days.parts(period),
        )
        view = ReportView.model_construct(
            name=asked.name,
            title={"en": asked.en, "zh": asked.zh},
            first_day=days.first,
            last_day=days.last,
            zone=str(days.zone),
            by=by,
            period=period,
            **await _told(asked, call, scope),
        )
        chosen = format_ or _accepted(accept)
        if chosen == "json":
            return Response(_encoded(view), media_type="application/json")
        return _file(view, cast(Format, chosen))

    @router.get("/{name}/events", summary="What is behind a figure, one by one")
    async def behind(
        name: str,
        figure: Annotated[str, Query(examples=["requests_received"])],
        call: Call = query(*READERS),
        from_: From = None,
        to: To = None,
        zone: Zone = "",
        by: ByQuery = "",
        group: Annotated[
            str | None, Query(max_length=200, description="Only of this group of `by`, its `value`")
        ] = None,
        source: Source = "",
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[Behind]:
        asked = _named(name)
        days = _days(asked, call, from_, to, zone)
        _check_groups(asked, by, "")
        if (group is not None) != bool(by):
            raise _wrong("group", "give both `by` and `group`, or neither")
        scope = Scope(*days.bounds(), call.now, days.zone, source=source, by=by)
        rows, condition = _behind(asked, figure, scope)
        columns = rows.id.label("id"), rows.at.label("at"), rows.request.label("request_id")
        found: Any = rows.joined(select(*columns), scope)
        found = found.where(asked.within(scope) if rows is asked.rows else rows.within(scope), condition)
        if by:
            if by not in rows.groups:
                raise absent("list behind the figure", figure)
            found = found.where(rows.groups[by].column == group)
        order: Any = rows.id
        if rows.lists == "distinct":
            once = found.group_by(*columns).subquery()
            found, order = select(once), once.c.id
        page = await call.page(found, order_by=[order], cursor=cursor, limit=limit)
        told = page.map(lambda row: Behind(kind=rows.kind, **row, events=[]))
        for one in told.items:
            one.events = await _events(api, call.tenant, one)
        return told

    return router


async def _events(api: FeedApi, tenant: str, one: Behind) -> list[EventAt]:
    """Of its own story and of that which it is part of, what names it."""
    named = msgspec.json.encode(one.id)
    own = one.id, f"{one.kind}/{one.id}"
    stories = [await api.journal.story(tenant, story) for story in {one.request_id, *own} if story]
    return [
        EventAt(
            id=told.id,
            type=told.type,
            service=told.service,
            happened_at=told.time,
            after=feed.cursor_of(api.incarnation, entry.position - 1),
        )
        for entry in sorted(chain.from_iterable(stories), key=attrgetter("position"))
        if named in entry.record and feed.is_public(entry)
        for told in [envelopes.read(entry.record)]
    ]


async def _told(asked: Report, call: Call, scope: Scope) -> dict[str, Any]:
    """The figures of the whole range, and of each group."""
    if asked.compute is not None:
        values = await asked.compute(call.fetch, scope)
        return {"figures": _views(asked, {name: Answer(value) for name, value in values.items()}), "groups": []}
    grouped = bool(scope.by or scope.period)
    if asked.tables and not grouped:
        scope = scope.by_engineer()
    found = await asked.found(call.fetch, scope)
    whole = await asked.whole(call.fetch, scope, found) if scope.by or scope.period else found
    [answers] = asked.answers(whole, [ALL])
    if asked.tables and not grouped:
        answers |= {name: Answer(value) for name, value in asked.tables(found).items()}
    return {"figures": _views(asked, answers), "groups": _groups(asked, found, scope) if grouped else []}


class _Group(msgspec.Struct, gc=False):
    """A GroupView that is made and written quickly: an answer may have thousands."""

    value: str
    period: str
    first_day: date | None
    last_day: date | None
    figures: Mapping[str, Any]


def _groups(asked: Report, found: Found, scope: Scope) -> list[_Group]:
    keys = found.keys()
    if len(keys) > MOST_GROUPS:
        raise _wrong("period", f"that is {len(keys)} groups; {MOST_GROUPS} are shown at most: ask for fewer days")
    return [_group(scope, key, told) for key, told in zip(keys, asked.answers(found, keys), strict=True)]


def _group(scope: Scope, key: GroupKey, told: Mapping[str, Answer]) -> _Group:
    if not scope.period:
        return _Group(key.value, "", None, None, told)
    part = scope.parts[key.part]
    return _Group(key.value, part.label, part.first, part.last, told)


# What was made here need not be judged again, which takes as long as making it.
_encoded = msgspec.json.Encoder(enc_hook=vars).encode


def _accepted(accept: str) -> str:
    return next((name for name, media in FORMATS.items() if media in accept), "json")


def _file(view: ReportView, chosen: Format) -> Response:
    """One row a figure and group; where there are no groups, of the whole range."""
    kinds = {figure.name: figure for figure in view.figures}
    whole = _Group("", "", view.first_day, view.last_day, {f.name: f for f in view.figures})
    rows = [
        TableRow(
            report=view.name,
            group=group.value,
            period=group.period,
            first_day=group.first_day or view.first_day,
            last_day=group.last_day or view.last_day,
            figure=name,
            value=told.value,
            numerator=told.numerator,
            denominator=told.denominator,
            unit=kinds[name].unit,
            definition=kinds[name].definition.en,
            definition_zh=kinds[name].definition.zh,
        )
        for group in (view.groups if view.by or view.period else [whole])
        for name, told in group.figures.items()
        if told.value is None or isinstance(told.value, int | float)
    ]
    name = f"{view.name}.{chosen}"
    return Response(
        written(rows, chosen),
        media_type=FORMATS[chosen],
        headers={"Content-Disposition": f'attachment; filename="{name}"'},
    )


def _named(name: str) -> Report:
    if name not in REPORTS:
        raise absent("report", name)
    return REPORTS[name]


def _check_groups(asked: Report, by: By, period: Period) -> None:
    if by and by not in asked.by:
        raise _wrong("by", f"{asked.name} is grouped by {', '.join(asked.by) or 'nothing'}")
    if period and asked.compute is not None:
        raise _wrong("period", f"{asked.name} is told over the whole range only")


def _behind(asked: Report, name: str, scope: Scope) -> tuple[Rows, ColumnElement[bool]]:
    figure = asked.figure(name)
    if figure is None:
        raise absent("list behind the figure", name)
    if figure.behind is None:
        if (listed := figure.listed()) is None:
            raise absent("list behind the figure", name)
        return listed
    try:
        return asked.rows, figure.behind(name, scope) if callable(figure.behind) else figure.behind
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


def _views(asked: Report, answers: Mapping[str, Answer]) -> list[FigureView]:
    views = []
    order = {figure.name: place for place, figure in enumerate(asked.figures)}
    for name, answer in sorted(answers.items(), key=lambda one: order.get(one[0], len(order))):
        figure = asked.figure(name)
        assert figure, f"{asked.name} gives {name}: define it"
        definition = Definition(en=figure.en, zh=figure.zh, formula=figure.formula)
        views.append(FigureView(name=name, unit=figure.unit, definition=definition, **msgspec.structs.asdict(answer)))
    return views
