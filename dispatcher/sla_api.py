"""The routes of service levels: what is promised, and the clocks of the orders."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from sqlalchemy import or_, select

from contracts.dispatcher import ClockName, PauseReason, SlaClock
from contracts.intake import Urgency
from dispatcher import calendars_api
from dispatcher.calendars_api import NAME, WHO_DEFINES, WHO_READS, DifferenceView
from dispatcher.commands import (
    ChangeSla,
    ClockAgreed,
    CorrectFact,
    DefineSla,
    PauseClocks,
    ResumeClocks,
    ReviseSla,
)
from dispatcher.domain import order_clocks, slas
from dispatcher.domain.business_time import SECOND, Calendar, around_the_clock
from dispatcher.domain.calendars import AROUND_THE_CLOCK
from dispatcher.projections.board import BOARD
from dispatcher.projections.calendars import CALENDARS, measure_of
from dispatcher.projections.clocks import CLOCKS
from dispatcher.projections.restatements import RESTATED
from dispatcher.projections.slas import SLAS
from services.chassis.clock import at_micros, micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api

State = Literal["idle", "running", "paused", "stopped", "cancelled"]


_EVERY_INSTANT = around_the_clock()


class SlaBody(Body):
    name: str = Field(min_length=1, max_length=200)
    effective_from: AwareDatetime | None = Field(None, description="Without it, from now on")
    request_types: tuple[Annotated[str, Field(max_length=100)], ...] = Field(
        (), max_length=100, description="Empty: all that no other names"
    )
    clocks: tuple[ClockAgreed, ...] = Field(min_length=1, max_length=3)


class NewSla(SlaBody):
    sla_id: str = Field(min_length=1, max_length=100, pattern=NAME, examples=["standard"])


class SlaView(Body):
    """A revision of a service level."""

    sla_id: str
    revision: int
    name: str
    effective_from: datetime
    request_types: list[str]
    clocks: list[ClockAgreed]

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> SlaView:
        clocks = msgspec.json.decode(row["clocks"], type=tuple[SlaClock, ...])
        return cls(
            sla_id=row["sla_id"],
            revision=row["revision"],
            name=row["name"],
            effective_from=at_micros(row["effective_from"]),
            request_types=msgspec.json.decode(row["request_types"]),
            clocks=[ClockAgreed(**msgspec.to_builtins(clock)) for clock in clocks],
        )


class SlaStory(Body):
    """A service level with all its revisions, the newest last."""

    sla_id: str
    version: int
    """Of all service levels, which are one stream: what If-Match demands when one of them is revised."""
    revisions: list[SlaView]


class PauseBody(Body):
    reason: PauseReason
    note: str = Field("", max_length=1_000)
    happened_at: AwareDatetime | None = Field(None, description="Since when, if it was earlier than now")


class ResumeBody(Body):
    reason: PauseReason | None = Field(None, description="Without it, whatever the order waited for")
    note: str = Field("", max_length=1_000)
    happened_at: AwareDatetime | None = Field(None, description="Since when, if it was earlier than now")


class OtherSlaBody(Body):
    sla_id: str = Field(min_length=1, max_length=100, examples=["standard"])
    reason: str = Field(min_length=1, max_length=1_000)


class CorrectionBody(Body):
    """What really happened. The first record stays, and the correction beside it."""

    happening: Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
    was_at: AwareDatetime | None = Field(
        None, description="Which one, by its time as it holds now; not for the only one"
    )
    happened_at: AwareDatetime | None = Field(description="When it really happened; null: it never did")
    reason: str = Field(min_length=1, max_length=1_000)


class ClockRow(Body):
    """A clock of an order, and what was told of it."""

    order_id: str
    request_id: str
    clock: ClockName
    version: int
    state: State
    sla_id: str
    revision: int
    urgency: Urgency
    calendar_id: str
    calendar_revision: int
    """Of the calendar, when what happened last was measured by it; 0 around the clock."""
    allowed_s: int
    started_at: datetime | None
    stopped_at: datetime | None
    due_at: datetime | None
    """When the time is, or was, used up; null while the clock stands still, or ended in time."""
    warned_percent: int
    breached: bool

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> ClockRow:
        return ClockRow(**_clock(row))


class ClockView(ClockRow):
    """A clock of an order as it stands at this moment."""

    used_s: int
    remaining_s: int
    """Less than nothing where it is over."""
    waited_s: int
    unknown_years: list[int]
    """Years on the way of which the calendar has no holidays yet: what is said here takes them for plain weeks."""

    @classmethod
    def at(cls, now: datetime, row: Mapping[str, Any], calendar: Calendar) -> ClockView:
        at, due_at = micros(now), row["due_at"]
        since = calendar.as_if_known().between(row["as_of"], at)
        used = row["used_us"] + (since if row["state"] == "running" else 0)
        waited = row["waited_us"] + (since if row["state"] == "paused" else 0)
        read = {
            "used_s": used // SECOND,
            "waited_s": waited // SECOND,
            "remaining_s": row["allowed_s"] - used // SECOND,
            "breached": row["breached"] or 0 < due_at <= at,
            "unknown_years": [*calendar.unknown_years(row["started_at"] or at, max(at, due_at))],
        }
        return cls(**_clock(row) | read)


def _clock(row: Mapping[str, Any]) -> dict[str, Any]:
    said = {name: row[name] for name in ClockRow.model_fields}
    return said | {name: _at(row[name]) for name in ("started_at", "stopped_at", "due_at")}


def _at(value: int | None) -> datetime | None:
    return at_micros(value) if value else None


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    router.include_router(calendars_api.routes(api))
    router.include_router(_slas(api))
    router.include_router(_clocks(api))
    return router


def _slas(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/slas", tags=["service levels"])
    table, clocks = SLAS.table, CLOCKS.table

    async def story(sla_id: str, call: Call) -> SlaStory:
        rows = await call.fetch(select(table).order_by(table.c.revision))
        found = [SlaView.of(row) for row in rows if row["sla_id"] == sla_id]
        if not found:
            raise absent("sla", sla_id)
        return SlaStory(sla_id=sla_id, version=max(row["version"] for row in rows), revisions=found)

    @router.post("", status_code=201, summary="Define a service level")
    async def define(body: NewSla, call: Call = command(*WHO_DEFINES)) -> Accepted:
        return Accepted.of(await call.ask(DefineSla(now=call.now, **body.model_dump())), id=body.sla_id)

    @router.put("/{sla_id}", summary="Say what a service level promises to orders that are opened from then on")
    async def revise(sla_id: str, body: SlaBody, call: Call = command(*WHO_DEFINES)) -> Accepted:
        await story(sla_id, call)
        asked = ReviseSla(sla_id=sla_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=slas.STREAM), id=sla_id)

    @router.get("", summary="The service levels, each with all its revisions")
    async def some(call: Call = query(*WHO_READS), cursor: str | None = None, limit: Limit = 50) -> Page[SlaView]:
        order_by = [table.c.sla_id, table.c.revision]
        page = await call.page(select(table), order_by=order_by, cursor=cursor, limit=limit)
        return page.map(SlaView.of)

    @router.get("/{sla_id}", summary="One service level with all its revisions, the newest last")
    async def one(sla_id: str, call: Call = query(*WHO_READS)) -> SlaStory:
        found = await story(sla_id, call)
        call.etag(found.version)
        return found

    @router.get("/{sla_id}/clocks", summary="The clocks of a service level, what is due first goes first")
    async def due(
        sla_id: str,
        call: Call = query(*WHO_READS),
        state: State = "running",
        clock: ClockName | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[ClockRow]:
        await story(sla_id, call)
        rows = select(clocks).where(clocks.c.sla_id == sla_id, clocks.c.state == state)
        if clock:
            rows = rows.where(clocks.c.clock == clock)
        page = await call.page(
            rows, order_by=[clocks.c.due_at, clocks.c.order_id, clocks.c.clock], cursor=cursor, limit=limit
        )
        return page.map(ClockRow.of)

    return router


def _clocks(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/orders", tags=["service levels"])
    table, board = CLOCKS.table, BOARD.table

    async def known(order_id: str, call: Call) -> Mapping[str, Any]:
        """An order that the caller may see."""
        rows = select(board).where(board.c.order_id == order_id)
        if call.role == "engineer":
            rows = rows.where(or_(board.c.state == "waiting", board.c.engineer_id == call.person_id))
        if (row := await call.one(rows)) is None:
            raise absent("order", order_id)
        return row

    async def of_opened(order_id: str, call: Call) -> Mapping[str, Any]:
        """What is to be known of an order for which nothing may be promised yet."""
        row = await known(order_id, call)
        opened_at = at_micros(row["opened_at"])
        return {"order_id": order_id, "request_id": row["request_id"], "opened_at": opened_at, "now": call.now}

    @router.get("/{order_id}/clocks", summary="The clocks of an order: what is due when, and by which calendar")
    async def of_order(
        order_id: str, call: Call = query("engineer", "dispatcher", "manager", "agent", "auditor")
    ) -> list[ClockView]:
        await known(order_id, call)
        rows = await call.fetch(select(table).where(table.c.order_id == order_id).order_by(table.c.clock))
        measures = await _measures(call)
        if rows:
            call.etag(max(row["version"] for row in rows))
        return [ClockView.at(call.now, row, measures[row["calendar_id"]]) for row in rows]

    @router.post("/{order_id}/clocks/pause", summary="The order waits for something that is not ours to do")
    async def pause(order_id: str, body: PauseBody, call: Call = command("dispatcher", "agent")) -> Accepted:
        asked = PauseClocks(**await of_opened(order_id, call), **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=order_clocks.stream(order_id)), id=order_id)

    @router.post("/{order_id}/clocks/resume", summary="What the order waited for is there")
    async def resume(order_id: str, body: ResumeBody, call: Call = command("dispatcher", "agent")) -> Accepted:
        asked = ResumeClocks(**await of_opened(order_id, call), **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=order_clocks.stream(order_id)), id=order_id)

    @router.put("/{order_id}/sla", summary="Promise something for an order, also later; what it waited stays granted")
    async def change(order_id: str, body: OtherSlaBody, call: Call = command("dispatcher", "manager")) -> Accepted:
        urgency = (await known(order_id, call))["urgency"]
        asked = ChangeSla(**await of_opened(order_id, call), urgency=urgency, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=order_clocks.stream(order_id)), id=order_id)

    @router.post("/{order_id}/clocks/corrections", summary="Something happened at another time than was recorded")
    async def correct(order_id: str, body: CorrectionBody, call: Call = command("dispatcher", "manager")) -> Accepted:
        await known(order_id, call)
        asked = CorrectFact(order_id=order_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=order_clocks.stream(order_id)), id=order_id)

    @router.get("/{order_id}/clocks/restatements", summary="What was told of the clocks and is otherwise now")
    async def restated(
        order_id: str,
        call: Call = query("dispatcher", "manager", "agent", "auditor"),
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[DifferenceView]:
        await known(order_id, call)
        told = RESTATED.table
        rows = select(told).where(told.c.order_id == order_id)
        page = await call.page(rows, order_by=[told.c.version, told.c.clock, told.c.figure], cursor=cursor, limit=limit)
        return page.map(DifferenceView.of)

    return router


async def _measures(call: Call) -> Mapping[str, Calendar]:
    """Every calendar of the company to measure by; they are a handful."""
    rows = await call.fetch(select(CALENDARS.table))
    return {AROUND_THE_CLOCK: _EVERY_INSTANT, **{row["calendar_id"]: measure_of(row) for row in rows}}
