"""The plan as the views have it, repaired after a disruption: for policies, which react, and for routes, which ask."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import bindparam, or_, select

from contracts.dispatcher import DispatchRulesSet, ReplanCause
from dispatcher.commands import OrderMove, Replan
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.repair import Move, Repair, Repaired, Standing
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import BEELINE, Ways
from dispatcher.projections.board import BOARD, OPEN, declined_by, work_of
from dispatcher.projections.dispatch_rules import rules_now
from dispatcher.projections.engineer_days import BOOKED_HOURS, bookings, horizon
from dispatcher.projections.engineers import ALL_ENGINEERS, Engineers
from dispatcher.projections.travel import ways_now
from services.chassis.clock import at_micros
from services.chassis.service import Queries

OPEN_ORDERS: Final = select(BOARD.table).where(
    BOARD.table.c.tenant == bindparam("tenant"), or_(*[BOARD.table.c.state == state for state in OPEN])
)


@dataclass
class Plan:
    """Engineers, their days, and the open orders, at one moment."""

    engineers: dict[str, Registered]
    booked: Mapping[str, Mapping[str, tuple[Booking, ...]]]
    works: Mapping[str, Work]
    standing: Mapping[str, Standing]
    """Those that somebody has; who has departed for one has it locked."""
    offered: frozenset[str]
    rules: DispatchRulesSet
    now: datetime
    not_before: dict[str, datetime] = field(default_factory=dict)
    ways: Ways = BEELINE

    @classmethod
    async def read(cls, queries: Queries, tenant: str, now: datetime) -> Plan:
        rules = await rules_now(queries, tenant, now)
        engineers = dict(Engineers(await queries.fetch(ALL_ENGINEERS, tenant=tenant)))
        rows = await queries.fetch(BOOKED_HOURS, tenant=tenant, **horizon(now, rules.horizon_days))
        orders = await queries.fetch(OPEN_ORDERS, tenant=tenant)
        booked = {one: {day: tuple(hours) for day, hours in days.items()} for one, days in bookings(rows).items()}
        return cls(
            engineers,
            booked,
            {row["order_id"]: work_of(row) for row in orders},
            {row["order_id"]: _standing(row) for row in orders if row["state"] != "waiting"},
            frozenset(row["order_id"] for row in orders if row["offered_until"] is not None),
            rules,
            now,
            ways=await ways_now(queries, tenant, rules),
        )

    def repaired(self, order_ids: Iterable[str], *, displacing: bool, besides: Collection[str] = ()) -> Repaired:
        """These orders lose their hours and find others, as far as they can be moved."""
        affected = [
            self.works[one]
            for one in order_ids
            if one in self.works and not (one in self.standing and self.standing[one].locked)
        ]
        repair = Repair(self.engineers, self.booked, self.standing, self.now, self.rules, self.ways)
        return repair.run(affected, self.not_before, displacing, besides)

    def held_up(self, engineer_id: str, free_from: datetime) -> list[str]:
        """The orders of hers that she cannot reach in time if she is free from then only; she gets nothing before."""
        engineer = self.engineers[engineer_id]
        late = Absence(self.now, free_from, "held up")
        self.engineers[engineer_id] = replace(engineer, absences=tuple(sorted([*engineer.absences, late])))
        missed, ready, place = [], free_from, None
        for booking in sorted(one for day in self.booked.get(engineer_id, {}).values() for one in day):
            standing = self.standing.get(booking.order_id)
            if standing is None or standing.locked or booking.ends_at <= self.now:
                place = booking.place if booking.starts_at <= self.now or place is None else place
                continue
            way = self.ways.time(place, booking.place, ready) if place else timedelta()
            if ready + way > booking.starts_at:
                missed.append(booking.order_id)
            else:
                ready, place = booking.ends_at, booking.place
        return missed


async def in_thread(plan: Plan, order_ids: Iterable[str], *, displacing: bool) -> Repaired:
    """What may take a second does not keep other calls waiting."""
    return await asyncio.to_thread(plan.repaired, list(order_ids), displacing=displacing)


def as_command(
    found: Repaired,
    replan_id: str,
    cause: ReplanCause,
    now: datetime,
    *,
    absence_id: str = "",
    note: str = "",
    **search: Any,
) -> Replan:
    """`search` are fields of Replan that say how a better plan was looked for."""
    moves = tuple([_move(one) for one in found.moves.values()])
    facts = {"replan_id": replan_id, "cause": cause, "absence_id": absence_id, "note": note, "now": now, **search}
    return Replan(moves=moves, left=tuple(found.left.items()), **facts)


def _move(one: Move) -> OrderMove:
    before = one.before
    return OrderMove(
        order_id=one.order_id,
        engineer_id=one.engineer_id,
        day=one.proposal.day,
        starts_at=one.proposal.starts_at,
        from_engineer_id=before.engineer_id if before else "",
        from_day=before.day if before else "",
        from_starts_at=before.starts_at if before else None,
    )


def _standing(row: Mapping[str, Any]) -> Standing:
    return Standing(
        work_of(row),
        row["engineer_id"],
        row["day"],
        at_micros(row["starts_at"]),
        locked=row["state"] == "under-way",
        declined=declined_by(row),
    )
