"""What was driven, and how long ways take by it: a drive for each visit, and the paces that were learned last."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import DispatchRulesSet, TravelLearned
from contracts.envelope import Envelope
from contracts.fieldwork import EngineerArrived, EngineerDeparted
from dispatcher.domain.learned_travel import LATE_S
from dispatcher.domain.travel import Estimate, Learned
from dispatcher.projections.board import BOARD
from services.chassis.clock import micros
from services.chassis.service import Queries
from services.chassis.views import Rows, View


def note(rows: Rows, event: EngineerDeparted | EngineerArrived, envelope: Envelope) -> None:
    facts: dict[str, Any] = {"engineer_id": event.engineer_id, "order_id": event.order_id}
    match event:
        case EngineerDeparted():
            facts["departed_at"] = micros(event.departed_at or envelope.time)
        case EngineerArrived():
            facts["arrived_at"] = micros(event.arrived_at or envelope.time)
            facts["planned_at"] = micros(event.planned_at)
    rows.put(event.visit_id, **facts)


DRIVES = View(
    name="drives",
    version=1,
    key={"visit_id": str},
    columns={"engineer_id": "", "order_id": "", "departed_at": (int, None), "arrived_at": (int, None), "planned_at": 0},
    reads=(EngineerDeparted, EngineerArrived),
    apply=note,
    indexes=(("arrived_at",),),
    waited_for=False,
)


def keep(rows: Rows, event: TravelLearned, envelope: Envelope) -> None:
    rows.put("last", learned=msgspec.json.encode(event).decode(), learned_at=micros(event.learned_at))


TRAVEL = View(
    name="travel",
    version=1,
    key={"which": str},
    columns={"learned": "", "learned_at": 0},
    reads=(TravelLearned,),
    apply=keep,
)

_drives, _board = DRIVES.table.c, BOARD.table.c

DRIVEN: Final = (
    select(_drives.engineer_id, _drives.departed_at, _drives.arrived_at, _drives.planned_at)
    .add_columns(_board.lat_udeg, _board.lon_udeg)
    .where(
        _drives.tenant == bindparam("tenant"),
        _board.tenant == _drives.tenant,
        _board.order_id == _drives.order_id,
        _drives.arrived_at >= bindparam("since"),
        _drives.departed_at.is_not(None),
    )
    .order_by(_drives.engineer_id, _drives.arrived_at)
)
"""Every drive to an order of ours since then, with the place to which it led."""

LAST_LEARNED: Final = select(TRAVEL.table).where(TRAVEL.table.c.tenant == bindparam("tenant"))
_LEARNED_AT: Final = select(TRAVEL.table.c.learned_at).where(TRAVEL.table.c.tenant == bindparam("tenant"))


@lru_cache(maxsize=64)
def _learned(text: str) -> Learned:
    """Cached: it is asked for with every order and changes once a day."""
    return Learned(msgspec.json.decode(text, type=TravelLearned))


async def learned_last(queries: Queries, tenant: str) -> Learned | None:
    rows = await queries.fetch(LAST_LEARNED, tenant=tenant)
    return _learned(rows[0]["learned"]) if rows else None


async def ways_now(queries: Queries, tenant: str, rules: DispatchRulesSet) -> Estimate:
    """What is estimated of ways now."""
    return Estimate.by(rules, await learned_last(queries, tenant))


async def band_now(queries: Queries, tenant: str) -> tuple[timedelta, timedelta]:
    """So much earlier, and so much later, than is planned somebody may arrive, for eight of ten."""
    learned = await learned_last(queries, tenant)
    early_s, late_s = (learned.event.early_s, learned.event.late_s) if learned else (LATE_S, LATE_S)
    return timedelta(seconds=early_s), timedelta(seconds=late_s)


async def is_due(queries: Queries, tenant: str, before: datetime) -> bool:
    """Whether nothing was learned since."""
    rows = await queries.fetch(_LEARNED_AT, tenant=tenant)
    return not rows or rows[0]["learned_at"] <= micros(before)
