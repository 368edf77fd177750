"""The clocks of the orders: where each stands, when it is due, and what was told of it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import and_, bindparam, distinct, func, or_, select

from contracts.dispatcher import (
    ClocksMoved,
    ClocksStarted,
    FactCorrected,
    SlaBreached,
    SlaChanged,
    SlaRestated,
    SlaWarned,
    Standing,
)
from contracts.envelope import Envelope
from dispatcher.domain.business_time import SECOND
from dispatcher.domain.order_clocks import ClockEvent
from dispatcher.domain.sla_clock import WARNED
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: ClockEvent, envelope: Envelope) -> None:
    match event:
        case ClocksStarted():
            _promise(rows, event)
            _stand(rows, event.order_id, event.standings, envelope)
        case ClocksMoved():
            for standing in event.standings:
                row = rows.get(event.order_id, standing.clock)
                if row is not None and row["started_at"] not in (None, _micros(standing.started_at)):
                    rows.put(event.order_id, standing.clock, warned_percent=0, breached=False)
            _stand(rows, event.order_id, event.standings, envelope)
        case SlaChanged():
            _promise(rows, event)
            _stand_anew(rows, event.order_id, event.standings, envelope)
        case FactCorrected():
            _stand_anew(rows, event.order_id, event.standings, envelope)
        case SlaRestated():
            _stand(rows, event.order_id, event.standings, envelope)
        case SlaWarned():
            rows.put(event.order_id, event.clock, version=envelope.version, warned_percent=event.percent)
        case SlaBreached():
            rows.put(event.order_id, event.clock, version=envelope.version, breached=True)


def _promise(rows: Rows, event: ClocksStarted | SlaChanged) -> None:
    for terms in event.clocks:
        rows.put(
            event.order_id,
            terms.clock,
            request_id=event.request_id,
            sla_id=event.sla_id,
            revision=event.revision,
            urgency=event.urgency,
            calendar_id=terms.calendar_id,
            allowed_s=terms.allowed_s,
        )


def _stand_anew(rows: Rows, order_id: str, standings: tuple[Standing, ...], envelope: Envelope) -> None:
    """A mark that is ahead again is to be told again."""
    for standing in standings:
        row = rows.get(order_id, standing.clock)
        if row is not None:
            passed = standing.used_us * 100 // max(1, row["allowed_s"] * SECOND)
            told = [mark for mark in WARNED if mark <= min(row["warned_percent"], passed)]
            rows.put(order_id, standing.clock, warned_percent=max(told, default=0))
    _stand(rows, order_id, standings, envelope)


def _stand(rows: Rows, order_id: str, standings: tuple[Standing, ...], envelope: Envelope) -> None:
    for standing in standings:
        if standing.due_at is None or standing.due_at > standing.as_of:
            # What was told as a breach is none by now.
            rows.put(order_id, standing.clock, breached=False)
        rows.put(
            order_id,
            standing.clock,
            version=envelope.version,
            state=standing.state,
            as_of=micros(standing.as_of),
            used_us=standing.used_us,
            waited_us=standing.waited_us,
            started_at=_micros(standing.started_at),
            stopped_at=_micros(standing.stopped_at),
            due_at=_micros(standing.due_at) or 0,
            calendar_revision=standing.calendar_revision,
        )


def _micros(at: datetime | None) -> int | None:
    return None if at is None else micros(at)


# `due_at` is 0 where there is none, as lists are in its order.
CLOCKS = View(
    name="sla_clocks",
    version=3,
    key={"order_id": str, "clock": str},
    columns={
        "version": 0,
        "request_id": "",
        "sla_id": "",
        "revision": 0,
        "urgency": "normal",
        "calendar_id": "",
        "calendar_revision": 0,
        "allowed_s": 0,
        "state": "idle",
        "as_of": 0,
        "used_us": 0,
        "waited_us": 0,
        "started_at": (int, None),
        "stopped_at": (int, None),
        "due_at": 0,
        "warned_percent": 0,
        "breached": False,
    },
    reads=(ClocksStarted, ClocksMoved, SlaChanged, FactCorrected, SlaWarned, SlaBreached, SlaRestated),
    apply=apply,
    indexes=(("sla_id", "due_at"), ("calendar_id", "order_id")),
)

_c = CLOCKS.table.c

_MEASURED: Final = and_(
    _c.tenant == bindparam("tenant"),
    _c.calendar_id == bindparam("calendar_id"),
    _c.state != "cancelled",
    _c.started_at < bindparam("last"),
    or_(_c.stopped_at.is_(None), _c.stopped_at >= bindparam("first")),
)

MEASURED_BY: Final = (
    select(_c.order_id)
    .where(_MEASURED, _c.order_id > bindparam("after"))
    .group_by(_c.order_id)
    .order_by(_c.order_id)
    .limit(bindparam("limit"))
)
"""The next orders with a clock of this calendar that ran at some time between two instants."""

HOW_MANY_MEASURED_BY: Final = select(func.count(distinct(_c.order_id)).label("orders")).where(_MEASURED)
