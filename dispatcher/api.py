"""The routes of the dispatcher: commands in, views out."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, Field, field_validator
from sqlalchemy import or_, select

from contracts.dispatcher import Reason
from contracts.intake import Urgency
from contracts.problems import Unfit
from dispatcher import history_api, sla_api
from dispatcher.commands import (
    AssignByHand,
    CancelOrder,
    DeclineOrder,
    Lat,
    Lon,
    ReassignOrder,
    RegisterEngineer,
    ShiftHours,
    TakeOrder,
    UpdateEngineer,
)
from dispatcher.domain.matching import Excluded, Offer, rank
from dispatcher.projections.board import BOARD, OPEN, declined_by, work_of
from dispatcher.projections.engineer_days import booked_between, bookings, horizon
from dispatcher.projections.engineers import ENGINEERS, ENGINEERS_TO_MATCH, registered, shifts_of, skills_of
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api

STAFF = ("dispatcher", "manager", "agent", "auditor")

FIRST, LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
"""What lies outside is a slip of the pen, and no calendar can reckon with it."""

FOLDERS_OF_ZONES = frozenset(
    {str(folder) for zone in available_timezones() for folder in PurePosixPath(zone).parents} | {"posix", "right"}
)

State = Literal["waiting", "assigned", "under-way", "finished", "cancelled"]


class RuleView(Body):
    """One rule of a choice: its figure in its own unit, and what it added to the cost."""

    rule: str
    value: int
    cost: int

    @classmethod
    def of(cls, reason: Reason) -> RuleView:
        return cls(rule=reason.rule, value=reason.value, cost=reason.cost)


class OrderView(Body):
    """An order with where it stands. Times are null until there is one."""

    order_id: str
    version: int
    state: State
    overdue: bool
    withdrawn: bool
    request_id: str
    customer_id: str
    device_id: str
    device_model: str
    request_type: str
    skill: str
    urgency: Urgency
    duration_s: int
    region: str
    lat_udeg: int
    lon_udeg: int
    opened_at: datetime | None
    waiting_since: datetime | None
    assign_due_at: datetime | None
    engineer_id: str
    van_id: str
    day: str
    starts_at: datetime | None
    ends_at: datetime | None
    travel_m: int
    chosen_by: str
    candidates: int
    reasons: list[RuleView]
    note: str

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> OrderView:
        times = {name: _at(row[name]) for name in cls.model_fields if name.endswith(("_at", "_since"))}
        facts = {name: row[name] for name in cls.model_fields if name not in times}
        reasons = [RuleView.of(one) for one in msgspec.json.decode(row["reasons"], type=list[Reason])]
        return cls(**facts | times | {"reasons": reasons})


class CandidateView(Body):
    """An engineer who can go: when, and what that costs rule by rule; the least is best."""

    engineer_id: str
    day: str
    starts_at: datetime
    ends_at: datetime
    travel_m: int
    cost: int
    rules: list[RuleView]

    @classmethod
    def of(cls, engineer_id: str, offer: Offer) -> CandidateView:
        return cls(
            engineer_id=engineer_id,
            day=offer.day,
            starts_at=offer.starts_at,
            ends_at=offer.ends_at,
            travel_m=offer.travel_m,
            cost=offer.cost,
            rules=[RuleView.of(reason) for reason in offer.reasons],
        )


class WhyNot(Body):
    """An engineer who cannot go, and the rule that says so."""

    engineer_id: str
    rule: Excluded


class Candidates(Body):
    order_id: str
    candidates: list[CandidateView]
    excluded: list[WhyNot]


class AssignBody(Body):
    engineer_id: str = Field(min_length=1, max_length=100)
    starts_at: AwareDatetime | None = Field(
        None, ge=FIRST, lt=LAST, description="Without it, the best hours that she is free"
    )
    reason: str = Field("", max_length=1_000)


class ReassignBody(AssignBody):
    reason: str = Field(min_length=1, max_length=1_000)


class DeclineBody(Body):
    reason: str = Field(min_length=1, max_length=1_000)


class CancelBody(Body):
    note: str = Field("", max_length=1_000)


class EngineerBody(Body):
    """All that is known of an engineer. Skills are names of skills or of device models."""

    name: str = Field(min_length=1, max_length=200)
    skills: tuple[Annotated[str, Field(max_length=100)], ...] = Field(min_length=1, max_length=200)
    region: str = Field(min_length=1, max_length=100)
    home_lat_udeg: int = Lat
    home_lon_udeg: int = Lon
    zone: str = Field("Asia/Shanghai", max_length=100, description="IANA time zone of the shifts")
    shifts: tuple[ShiftHours, ...] = Field(min_length=1, max_length=100)
    van_id: str = Field("", max_length=100)
    daily_limit: int = Field(10, ge=1, le=100)

    @field_validator("zone")
    @classmethod
    def _is_no_folder(cls, zone: str) -> str:
        """`Asia` is where zones lie; what reads them takes it for a file and fails. Other names the domain judges."""
        if zone in FOLDERS_OF_ZONES:
            raise Unfit(f"{zone} is no time zone, as Asia/Shanghai is.", f"{zone} 不是时区；例如 Asia/Shanghai。")
        return zone


class NewEngineer(EngineerBody):
    engineer_id: str = Field(
        "", max_length=100, pattern=r"^[^/\x00-\x1f]*$", description="Your number for her; without one we make one."
    )


class EngineerView(Body):
    """An engineer as she is now; the name of a forgotten person is empty."""

    engineer_id: str
    version: int
    name: str
    skills: list[str]
    region: str
    home_lat_udeg: int
    home_lon_udeg: int
    zone: str
    shifts: list[ShiftHours]
    van_id: str
    daily_limit: int

    @classmethod
    def of(cls, row: Mapping[str, Any], call: Call) -> EngineerView:
        facts = {name: row[name] for name in cls.model_fields}
        shifts = [
            ShiftHours(weekday=shift.weekday, from_minute=shift.from_minute, to_minute=shift.to_minute)
            for shift in shifts_of(row["shifts"])
        ]
        read = {"name": call.open(row["name"]), "skills": sorted(skills_of(row["skills"])), "shifts": shifts}
        return cls(**facts | read)


def _at(value: int | None) -> datetime | None:
    return at_micros(value) if value else None


def routes(api: Api) -> APIRouter:
    router = APIRouter()
    router.include_router(history_api.routes(api))
    router.include_router(sla_api.routes(api))
    router.include_router(_orders(api))
    router.include_router(_engineers(api))
    return router


def _orders(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/orders", tags=["orders"])
    table = BOARD.table

    async def seen(order_id: str, call: Call) -> Mapping[str, Any]:
        """The order, if the caller may see it: an engineer sees her own and those that wait for somebody."""
        row = await call.one(select(table).where(table.c.order_id == order_id))
        if row is None or not (row["state"] == "waiting" or call.owns(row["engineer_id"])):
            raise absent("order", order_id)
        return row

    async def known(order_id: str, call: Call) -> str:
        """The stream of an order that is there. Who has it, the decision judges."""
        if await call.one(select(table.c.order_id).where(table.c.order_id == order_id)) is None:
            raise absent("order", order_id)
        return f"order/{order_id}"

    @router.get("", summary="The board: orders that are open, or in one state, the oldest first")
    async def board(
        call: Call = query("engineer", *STAFF),
        state: State | None = None,
        overdue: bool | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[OrderView]:
        rows = select(table).where(table.c.state == state if state else table.c.state.in_(OPEN))
        if overdue is not None:
            rows = rows.where(table.c.overdue == overdue)
        if call.role == "engineer":
            rows = rows.where(or_(table.c.state == "waiting", table.c.engineer_id == call.person_id))
        page = await call.page(rows, order_by=[table.c.opened_at, table.c.order_id], cursor=cursor, limit=limit)
        return page.map(OrderView.of)

    @router.get("/{order_id}", summary="One order, and why its engineer was chosen")
    async def one(order_id: str, call: Call = query("engineer", *STAFF)) -> OrderView:
        row = await seen(order_id, call)
        call.etag(row["version"])
        return OrderView.of(row)

    @router.get("/{order_id}/candidates", summary="Who can go and at what cost, and why the others cannot")
    async def candidates(order_id: str, call: Call = query("dispatcher", "manager")) -> Candidates:
        row = await seen(order_id, call)
        engineers = registered(await call.fetch(ENGINEERS_TO_MATCH))
        booked = bookings(await call.fetch(booked_between(**horizon(call.now))), besides=order_id)
        ranking = rank(work_of(row), engineers, booked, call.now, declined_by(row))
        return Candidates(
            order_id=order_id,
            candidates=[CandidateView.of(engineer_id, offer) for engineer_id, offer in ranking.offers],
            excluded=[WhyNot(engineer_id=engineer_id, rule=rule) for engineer_id, rule in ranking.excluded.items()],
        )

    @router.post("/{order_id}/assign", summary="Give a waiting order to an engineer")
    async def assign(order_id: str, body: AssignBody, call: Call = command("dispatcher")) -> Accepted:
        stream = await known(order_id, call)
        asked = AssignByHand(order_id=order_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=stream), id=order_id)

    @router.post("/{order_id}/reassign", summary="Give an assigned order to another engineer")
    async def reassign(order_id: str, body: ReassignBody, call: Call = command("dispatcher")) -> Accepted:
        stream = await known(order_id, call)
        asked = ReassignOrder(order_id=order_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=stream), id=order_id)

    @router.post("/{order_id}/decline", summary="The engineer will not take the order")
    async def decline(order_id: str, body: DeclineBody, call: Call = command("engineer")) -> Accepted:
        row = await call.one(select(table).where(table.c.order_id == order_id))
        # Who has declined it may say so again, also when it is somebody else's by now.
        hers = row and (
            row["state"] == "waiting" or call.owns(row["engineer_id"]) or call.person_id in declined_by(row)
        )
        if not hers:
            raise absent("order", order_id)
        asked = DeclineOrder(order_id=order_id, engineer_id=call.person_id, reason=body.reason)
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=order_id)

    @router.post("/{order_id}/take", summary="An engineer takes a waiting order")
    async def take(order_id: str, call: Call = command("engineer")) -> Accepted:
        stream = await known(order_id, call)
        asked = TakeOrder(order_id=order_id, engineer_id=call.person_id, now=call.now)
        return Accepted.of(await call.ask(asked, versioned=stream), id=order_id)

    @router.post("/{order_id}/cancel", summary="The order will not be carried out")
    async def cancel(order_id: str, body: CancelBody, call: Call = command("dispatcher")) -> Accepted:
        stream = await known(order_id, call)
        asked = CancelOrder(order_id=order_id, note=body.note)
        return Accepted.of(await call.ask(asked, versioned=stream), id=order_id)

    return router


def _engineers(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/engineers", tags=["engineers"])
    table = ENGINEERS.table

    @router.post("", status_code=201, summary="Register an engineer")
    async def register(body: NewEngineer, call: Call = command("dispatcher", "manager", "operator")) -> Accepted:
        engineer_id = body.engineer_id or call.new_id()
        asked = RegisterEngineer(**body.model_dump() | {"engineer_id": engineer_id})
        return Accepted.of(await call.ask(asked), id=engineer_id)

    @router.put("/{engineer_id}", summary="Say all that is known of an engineer now")
    async def update(
        engineer_id: str, body: EngineerBody, call: Call = command("dispatcher", "manager", "operator")
    ) -> Accepted:
        if await call.one(select(table.c.engineer_id).where(table.c.engineer_id == engineer_id)) is None:
            raise absent("engineer", engineer_id)
        asked = UpdateEngineer(engineer_id=engineer_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=f"engineer/{engineer_id}"), id=engineer_id)

    @router.get("", summary="The engineers")
    async def some(
        call: Call = query("dispatcher", "manager", "operator"),
        region: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[EngineerView]:
        rows = select(table)
        if region:
            rows = rows.where(table.c.region == region)
        page = await call.page(rows, order_by=[table.c.engineer_id], cursor=cursor, limit=limit)
        return page.map(lambda row: EngineerView.of(row, call))

    @router.get("/{engineer_id}", summary="One engineer")
    async def one(
        engineer_id: str, call: Call = query("engineer", "dispatcher", "manager", "operator")
    ) -> EngineerView:
        row = await call.one(select(table).where(table.c.engineer_id == engineer_id))
        if row is None or not call.owns(engineer_id):
            raise absent("engineer", engineer_id)
        call.etag(row["version"])
        return EngineerView.of(row, call)

    return router
