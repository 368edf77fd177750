"""The routes of engineers: who they are, when they are away, and what is offered to them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import PurePosixPath
from typing import Annotated, Any
from zoneinfo import available_timezones

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field, field_validator
from sqlalchemy import select

from contracts.intake import Urgency
from contracts.problems import Unfit
from dispatcher.commands import (
    FIRST,
    LAST,
    NAME,
    CallOffAbsence,
    CertificateHeld,
    Lat,
    Lon,
    RegisterEngineer,
    ReportAbsence,
    ShiftHours,
    SkillHeld,
    UpdateEngineer,
)
from dispatcher.projections.board import BOARD, offered_to
from dispatcher.projections.dispatch_rules import rules_now
from dispatcher.projections.engineer_days import ENGINEER_DAYS, booked_between, bookings, days_of
from dispatcher.projections.engineers import (
    ENGINEERS,
    absences_of,
    certificates_of,
    levels_of,
    names_of,
    reasons_of,
    shifts_of,
)
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api

FOLDERS_OF_ZONES = frozenset(
    {str(folder) for zone in available_timezones() for folder in PurePosixPath(zone).parents} | {"posix", "right"}
)

Instant = Annotated[AwareDatetime, Query(ge=FIRST, lt=LAST)]
Region = Annotated[str, Field(min_length=1, max_length=100)]


class NewAbsence(Body):
    absence_id: str = Field(
        "", max_length=100, pattern=NAME, description="Your number for it; without one we make one."
    )
    starts_at: AwareDatetime = Field(ge=FIRST, lt=LAST)
    ends_at: AwareDatetime = Field(ge=FIRST, lt=LAST)
    reason: str = Field("", max_length=1_000)


class BookedInside(Body):
    """Hours that are booked for her."""

    order_id: str
    starts_at: datetime
    ends_at: datetime
    goes_back: bool
    """With an absence in these hours it goes to somebody else; false: she has departed for it, or its work is done."""


class AbsenceView(Body):
    """A time in which she is away; the reason of a forgotten person is empty."""

    absence_id: str
    starts_at: datetime
    ends_at: datetime
    reason: str


class AbsenceWithHours(AbsenceView):
    booked: list[BookedInside]


class OfferView(Body):
    """An order that is offered to her."""

    order_id: str
    offered_until: datetime
    request_type: str
    device_model: str
    skill: str
    urgency: Urgency
    duration_s: int
    region: str
    lat_udeg: int
    lon_udeg: int

    @classmethod
    def of(cls, row: Mapping[str, Any]) -> OfferView:
        facts = {name: row[name] for name in cls.model_fields if name != "offered_until"}
        return cls(**facts, offered_until=at_micros(row["offered_until"]))


class EngineerBody(Body):
    """All that is known of an engineer. Skills are names of skills, of device models or of brands."""

    name: str = Field(min_length=1, max_length=200)
    skills: tuple[Annotated[str, Field(max_length=100)], ...] = Field(min_length=1, max_length=200)
    skill_levels: tuple[SkillHeld, ...] = Field(
        (), max_length=200, description="How well she has some of them, and until when; others are of level 1, for ever"
    )
    certificates: tuple[CertificateHeld, ...] = Field((), max_length=100)
    territory: tuple[Region, ...] = Field((), max_length=500, description="The regions that she serves; empty: all")
    region: str = Field(min_length=1, max_length=100)
    home_lat_udeg: int = Lat
    home_lon_udeg: int = Lon
    zone: str = Field("Asia/Shanghai", max_length=100, description="IANA time zone of the shifts")
    shifts: tuple[ShiftHours, ...] = Field(min_length=1, max_length=100)
    van_id: str = Field("", max_length=100)
    daily_limit: int | None = Field(None, ge=1, le=100, description="Without it, what the dispatch rules say now")
    hour_fen: int = Field(0, ge=0, le=10_000_000, description="What an hour of hers on site costs us, in fen")
    km_fen: int = Field(0, ge=0, le=10_000_000, description="What a kilometre of hers costs us, in fen")
    rates_from: AwareDatetime | None = Field(
        None, ge=FIRST, le=LAST, description="From when on both are so in reports; without it, from now on"
    )
    team: str = Field("", max_length=100, description="Alerts watch its figures.")
    supplier: str = Field("", max_length=100, description="The company that sends her, if she is not your own.")

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
    skill_levels: list[SkillHeld]
    certificates: list[CertificateHeld]
    territory: list[str]
    region: str
    home_lat_udeg: int
    home_lon_udeg: int
    zone: str
    shifts: list[ShiftHours]
    van_id: str
    daily_limit: int
    hour_fen: int
    km_fen: int
    rates_from: datetime | None
    team: str
    supplier: str
    absences: list[AbsenceView]

    @classmethod
    def of(cls, row: Mapping[str, Any], call: Call) -> EngineerView:
        facts = {name: row[name] for name in cls.model_fields}
        shifts = [
            ShiftHours(weekday=shift.weekday, from_minute=shift.from_minute, to_minute=shift.to_minute)
            for shift in shifts_of(row["shifts"])
        ]
        read = {
            "name": call.open(row["name"]),
            "skills": sorted(names_of(row["skills"])),
            "shifts": shifts,
            "skill_levels": [
                SkillHeld(skill=one.skill, level=one.level, until=_date(one.until))
                for one in levels_of(row["skill_levels"])
            ],
            "certificates": _certificates(row, call),
            "territory": sorted(names_of(row["territory"])),
            "absences": absences_seen(row, call),
            "rates_from": None if row["rates_from"] is None else at_micros(row["rates_from"]),
        }
        return cls(**facts | read)


def _date(text: str) -> date | None:
    return date.fromisoformat(text) if text else None


def _certificates(row: Mapping[str, Any], call: Call) -> list[CertificateHeld]:
    numbers = json.loads(call.open(row["certificate_numbers"]) or "{}")
    return [
        CertificateHeld(name=one.name, number=numbers.get(one.name, ""), until=_date(one.until))
        for one in certificates_of(row["certificates"])
    ]


def absences_seen(row: Mapping[str, Any], call: Call) -> list[AbsenceView]:
    """The reasons are sealed under the key of her name, which is in the row too, and is fetched with it."""
    reasons = reasons_of(row["absences"])
    return [
        AbsenceView(
            absence_id=one.absence_id,
            starts_at=one.starts_at,
            ends_at=one.ends_at,
            reason=call.open(reasons[one.absence_id]),
        )
        for one in absences_of(row["absences"])
    ]


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/engineers", tags=["engineers"])
    table = ENGINEERS.table

    async def known(engineer_id: str, call: Call) -> Mapping[str, Any]:
        """The engineer, if the caller may see her: an engineer sees herself."""
        row = await call.one(select(table).where(table.c.engineer_id == engineer_id))
        if row is None or not call.owns(engineer_id):
            raise absent("engineer", engineer_id)
        return row

    async def whole(body: EngineerBody, call: Call) -> dict[str, Any]:
        facts = body.model_dump()
        if body.daily_limit is None:
            facts["daily_limit"] = (await rules_now(api, call.tenant, call.now)).daily_limit
        return facts

    @router.post("", status_code=201, summary="Register an engineer")
    async def register(body: NewEngineer, call: Call = command("dispatcher", "manager", "operator")) -> Accepted:
        engineer_id = body.engineer_id or call.new_id()
        facts = await whole(body, call) | {"engineer_id": engineer_id}
        asked = RegisterEngineer(**facts)
        return Accepted.of(await call.ask(asked), id=engineer_id)

    @router.put("/{engineer_id}", summary="Say all that is known of an engineer now")
    async def update(
        engineer_id: str, body: EngineerBody, call: Call = command("dispatcher", "manager", "operator")
    ) -> Accepted:
        await known(engineer_id, call)
        asked = UpdateEngineer(engineer_id=engineer_id, **await whole(body, call))
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

    @router.get("/names", summary="What every engineer is called, by her id")
    async def names(call: Call = query("agent", "dispatcher", "manager", "auditor", "operator")) -> dict[str, str]:
        rows = await call.fetch(select(table.c.engineer_id, table.c.name))
        return {row["engineer_id"]: call.open(row["name"]) for row in rows}

    @router.get("/{engineer_id}", summary="One engineer")
    async def one(
        engineer_id: str, call: Call = query("engineer", "dispatcher", "manager", "operator")
    ) -> EngineerView:
        row = await known(engineer_id, call)
        call.etag(row["version"])
        return EngineerView.of(row, call)

    @router.get("/{engineer_id}/hours", summary="What is booked for her in a time, and what an absence gives back")
    async def hours(
        engineer_id: str,
        from_at: Instant,
        to_at: Instant,
        call: Call = query("engineer", "dispatcher", "manager", "operator"),
    ) -> list[BookedInside]:
        await known(engineer_id, call)
        return await booked_within(engineer_id, from_at, to_at, call)

    @router.post("/{engineer_id}/absences", summary="She is not there for a time; what she has in it goes to others")
    async def report(
        engineer_id: str,
        body: NewAbsence,
        call: Call = command("engineer", "dispatcher", "manager", "operator"),
    ) -> Accepted:
        await known(engineer_id, call)
        absence_id = body.absence_id or call.new_id()
        facts = body.model_dump(exclude={"absence_id"})
        asked = ReportAbsence(engineer_id=engineer_id, absence_id=absence_id, now=call.now, **facts)
        return Accepted.of(await call.ask(asked, versioned=f"engineer/{engineer_id}"), id=absence_id)

    @router.get("/{engineer_id}/absences", summary="When she is away, and what she still has in that time")
    async def absences(
        engineer_id: str, call: Call = query("engineer", "dispatcher", "manager", "operator")
    ) -> list[AbsenceWithHours]:
        row = await known(engineer_id, call)
        return [
            AbsenceWithHours(
                **away.model_dump(), booked=await booked_within(engineer_id, away.starts_at, away.ends_at, call)
            )
            for away in absences_seen(row, call)
        ]

    @router.post("/{engineer_id}/absences/{absence_id}/call-off", summary="She is there after all")
    async def call_off(
        engineer_id: str,
        absence_id: str,
        call: Call = command("engineer", "dispatcher", "manager", "operator"),
    ) -> Accepted:
        row = await known(engineer_id, call)
        if absence_id not in reasons_of(row["absences"]):
            raise absent("absence", absence_id)
        asked = CallOffAbsence(engineer_id=engineer_id, absence_id=absence_id)
        return Accepted.of(await call.ask(asked, versioned=f"engineer/{engineer_id}"), id=absence_id)

    @router.get("/{engineer_id}/offers", summary="The orders that she may take now, the first to lapse first")
    async def offers(engineer_id: str, call: Call = query("engineer", "dispatcher", "manager")) -> list[OfferView]:
        await known(engineer_id, call)
        on_offer = select(BOARD.table).where(BOARD.table.c.state == "waiting", BOARD.table.c.offered_until.is_not(None))
        rows = await call.fetch(on_offer.order_by(BOARD.table.c.offered_until, BOARD.table.c.order_id))
        return [OfferView.of(row) for row in rows if engineer_id in offered_to(row)]

    async def booked_within(engineer_id: str, starts_at: datetime, ends_at: datetime, call: Call) -> list[BookedInside]:
        """What is booked for her between these instants."""
        days, orders = ENGINEER_DAYS.table, BOARD.table
        rows = booked_between(**days_of(starts_at, ends_at)).where(days.c.engineer_id == engineer_id)
        booked = bookings(await call.fetch(rows))[engineer_id]
        hours = [one for day in sorted(booked) for one in booked[day]]
        hours = [one for one in hours if one.starts_at < ends_at and starts_at < one.ends_at]
        named = select(orders.c.order_id, orders.c.state).where(orders.c.order_id.in_([one.order_id for one in hours]))
        state = {row["order_id"]: row["state"] for row in await call.fetch(named)} if hours else {}
        return [
            BookedInside(
                order_id=one.order_id,
                starts_at=one.starts_at,
                ends_at=one.ends_at,
                goes_back=state.get(one.order_id) == "assigned",
            )
            for one in hours
        ]

    return router
