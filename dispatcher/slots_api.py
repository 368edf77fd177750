"""The routes of slots: what can be had, held for some minutes, booked."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from dispatcher.adapters.map_ways import ways_of_map
from dispatcher.commands import FIRST, LAST, BookSlot, HoldSlot, ReleaseSlot, SlotPlace, WaysOfMap
from dispatcher.domain.learned_travel import with_map
from dispatcher.domain.roster import Roster
from dispatcher.domain.slots import PLACES, Offered, offered, zone_of
from dispatcher.policies import CANDIDATES
from dispatcher.projections.board import BOARD, declined_by, work_of
from dispatcher.projections.calendars import hours_of_company
from dispatcher.projections.dispatch_rules import rules_now
from dispatcher.projections.engineer_days import booked_between, bookings, horizon
from dispatcher.projections.engineers import ENGINEERS_TO_MATCH, Engineers
from dispatcher.projections.slots import SLOTS
from dispatcher.projections.travel import band_now, ways_now
from services.chassis.clock import TENANT_ZONE, at_micros
from services.chassis.http import Accepted, Body, Call, ServiceRouter, absent, command, query
from services.chassis.service import Api

ASKED_A_SLOT: Final = 2
"""Of each slot, the map is asked for so many of the cheapest, and of all together for no more than a decision."""

WHO = ("customer", "agent", "dispatcher")


Zone = Literal["", "Asia/Shanghai", "UTC"]


class SlotView(Body):
    """She arrives between `opens_at` and `closes_at`."""

    opens_at: datetime
    closes_at: datetime
    grade: Literal["A", "B", "C"]
    """A suits us best: it lies near what is booked anyway. C is a way of its own."""
    places: int
    """So many can be booked."""
    outside_hours: bool
    """At night, at the weekend: outside the company's business hours, and somebody's shift allows it."""


class SlotsOfRequest(Body):
    """What can be had for a request, of which its customer does not know the order."""

    order_id: str
    """Empty where nobody goes for it any more, or nobody yet: then there are no slots."""
    slots: list[SlotView]


class HoldBody(Body):
    opens_at: AwareDatetime = Field(ge=FIRST, lt=LAST, description="As a slot says")
    minutes: int = Field(10, ge=1, le=60, description="How long it is held")
    zone: Zone = Field("", description="By which it was listed")


class HeldSlot(Body):
    slot_id: str
    version: int
    order_id: str
    state: Literal["held", "booked", "expired", "given-back"]
    engineer_id: str
    """Empty for a customer."""
    starts_at: datetime
    ends_at: datetime
    arrives_from: datetime
    """Eight of ten arrive between this and the next, as visits were of late."""
    arrives_until: datetime
    held_until: datetime


class Arrival(Body):
    """When somebody arrives for an order; null while nobody is planned for it."""

    order_id: str
    arrives_from: datetime | None
    """Eight of ten arrive between this and the next, as visits were of late."""
    arrives_until: datetime | None


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    router.include_router(_of_order(api))
    router.include_router(_held(api))
    return router


Days = Annotated[int, Query(ge=1, le=14)]
ListedBy = Annotated[Zone, Query(description="Whose clock they go by; empty: of who serves the area")]


async def _offered(
    api: Api, row: Mapping[str, Any], days: int, zone: Zone, call: Call
) -> tuple[list[Offered], WaysOfMap | None]:
    """
    The slots of the order of this row, and the ways of the map by which they are: who can come is first narrowed to the
    cheapest by the estimate, as when an order is given by rule.
    """
    rules = await rules_now(api, call.tenant, call.now)
    barred = declined_by(row)
    known = Engineers(await call.fetch(ENGINEERS_TO_MATCH))
    roster = Roster({one: engineer for one, engineer in known.items() if one not in barred})
    booked = bookings(await call.fetch(booked_between(**horizon(call.now, days))), besides=row["order_id"])
    ways = await ways_now(api, call.tenant, rules)
    work = work_of(row)
    clock = zone or zone_of(work, roster) or TENANT_ZONE.key
    hours = await hours_of_company(api, call.tenant, rules.slots_calendar)
    # Of a thousand engineers it takes a second, in which others are answered.
    found = await asyncio.to_thread(offered, work, roster, booked, call.now, clock, days, rules, ways, hours)
    best = list(dict.fromkeys(place.engineer_id for slot in found for place in slot.places[:ASKED_A_SLOT]))[:CANDIDATES]
    told = await ways_of_map(
        api.outside, work.place, [(roster[one].home, hers) for one in best for hers in booked[one].values() or ((),)]
    )
    if told:
        by_map = with_map(ways, told)
        found = await asyncio.to_thread(offered, work, roster, booked, call.now, clock, days, rules, by_map, hours)
    return found, told


def _views(found: Sequence[Offered]) -> list[SlotView]:
    return [
        SlotView(
            opens_at=one.opens,
            closes_at=one.closes,
            grade=one.grade,
            places=len(one.places),
            outside_hours=one.outside_hours,
        )
        for one in found
    ]


def _of_order(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/orders", tags=["slots"])
    table = BOARD.table

    async def seen(order_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.order_id == order_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("order", order_id)
        return row

    async def of_order(order_id: str, days: int, zone: Zone, call: Call) -> tuple[list[Offered], WaysOfMap | None]:
        return await _offered(api, await seen(order_id, call), days, zone, call)

    @router.get("/{order_id}/arrival", summary="When somebody arrives, as visits were of late")
    async def arrival(order_id: str, call: Call = query(*WHO)) -> Arrival:
        row = await seen(order_id, call)
        if row["state"] not in ("assigned", "under-way") or row["starts_at"] is None:
            return Arrival(order_id=order_id, arrives_from=None, arrives_until=None)
        early, late = await band_now(api, call.tenant)
        starts_at = at_micros(row["starts_at"])
        of_order = select(SLOTS.table).where(SLOTS.table.c.order_id == order_id, SLOTS.table.c.state == "booked")
        if await call.one(of_order.where(SLOTS.table.c.starts_at == row["starts_at"])):
            early = timedelta(0)  # She has chosen these hours: nobody comes before them.
        return Arrival(order_id=order_id, arrives_from=starts_at - early, arrives_until=starts_at + late)

    @router.get("/{order_id}/slots", summary="When somebody can come, each with a grade")
    async def some(
        order_id: str,
        call: Call = query(*WHO),
        days: Days = 7,
        zone: ListedBy = "",
    ) -> list[SlotView]:
        found, _ = await of_order(order_id, days, zone, call)
        return _views(found)

    @router.post("/{order_id}/slots", summary="Hold a slot for some minutes: nobody else can have it")
    async def hold(order_id: str, body: HoldBody, call: Call = command(*WHO)) -> Accepted:
        days = max(1, min(14, (body.opens_at - call.now).days + 2))
        found, told = await of_order(order_id, days, body.zone, call)
        slot = next((one for one in found if one.opens == body.opens_at), None)
        places = [
            SlotPlace(engineer_id=one.engineer_id, day=one.proposal.day, starts_at=one.proposal.starts_at)
            for one in (slot.places[:PLACES] if slot else ())
        ]
        slot_id = call.new_id()
        asked = HoldSlot(
            slot_id=slot_id, order_id=order_id, places=tuple(places), minutes=body.minutes, ways=told, now=call.now
        )
        return Accepted.of(await call.ask(asked, versioned=f"order/{order_id}"), id=slot_id)

    return router


def _held(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/slots", tags=["slots"])
    table, orders = SLOTS.table, BOARD.table

    async def known(slot_id: str, call: Call) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
        row = await call.one(select(table).where(table.c.slot_id == slot_id))
        order = row and await call.one(select(orders).where(orders.c.order_id == row["order_id"]))
        if row is None or order is None or not call.owns(order["customer_id"]):
            raise absent("slot", slot_id)
        return row, order

    @router.get("/requests/{request_id}", summary="When somebody can come for a request, and for which of its orders")
    async def of_request(
        request_id: str,
        call: Call = query(*WHO),
        days: Days = 7,
        zone: Zone = "Asia/Shanghai",
    ) -> SlotsOfRequest:
        rounds = select(orders).where(orders.c.request_id == request_id).order_by(orders.c.opened_at.desc())
        row = await call.one(rounds.limit(1))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("request", request_id)
        if row["state"] not in ("waiting", "assigned"):
            return SlotsOfRequest(order_id="", slots=[])
        found, _ = await _offered(api, row, days, zone, call)
        return SlotsOfRequest(order_id=row["order_id"], slots=_views(found))

    @router.get("/{slot_id}", summary="A slot that was held, and what became of it")
    async def one(slot_id: str, call: Call = query(*WHO)) -> HeldSlot:
        row, _ = await known(slot_id, call)
        call.etag(row["version"])
        early, late = await band_now(api, call.tenant)
        starts_at = at_micros(row["starts_at"])
        return HeldSlot(
            slot_id=slot_id,
            version=row["version"],
            order_id=row["order_id"],
            state=row["state"],
            engineer_id="" if call.role == "customer" else row["engineer_id"],
            starts_at=starts_at,
            ends_at=at_micros(row["ends_at"]),
            arrives_from=starts_at - early,
            arrives_until=starts_at + late,
            held_until=at_micros(row["held_until"]),
        )

    @router.post("/{slot_id}/book", summary="The order has these hours")
    async def book(slot_id: str, call: Call = command(*WHO)) -> Accepted:
        row, order = await known(slot_id, call)
        asked = BookSlot(
            slot_id=slot_id,
            order_id=row["order_id"],
            engineer_id=row["engineer_id"],
            day=row["day"],
            from_engineer_id=order["engineer_id"],
            from_day=order["day"],
            now=call.now,
        )
        return Accepted.of(await call.ask(asked, versioned=f"slot/{slot_id}"), id=slot_id)

    @router.post("/{slot_id}/release", summary="Give a held slot back")
    async def release(slot_id: str, call: Call = command(*WHO)) -> Accepted:
        row, _ = await known(slot_id, call)
        asked = ReleaseSlot(slot_id=slot_id, engineer_id=row["engineer_id"], day=row["day"])
        return Accepted.of(await call.ask(asked, versioned=f"slot/{slot_id}"), id=slot_id)

    return router
