"""The dispatch board: every order with where it stands, who has it and why. History of other systems is not on it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import (
    AssignmentOverdue,
    AssignmentRetried,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOpened,
    OrderReassigned,
    OrderReturned,
    OrderStarted,
    WithdrawalNoted,
)
from contracts.envelope import Envelope
from dispatcher.domain.matching import Work
from dispatcher.domain.order import OrderEvent
from dispatcher.domain.travel import Place
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View

OPEN = ("waiting", "assigned", "under-way")
STATES = (*OPEN, "finished", "cancelled")

_NOBODY: Mapping[str, Value] = {
    "engineer_id": "",
    "van_id": "",
    "day": "",
    "starts_at": None,
    "ends_at": None,
    "travel_m": 0,
    "chosen_by": "",
    "candidates": 0,
    "reasons": "[]",
    "note": "",
}


def apply(rows: Rows, event: OrderEvent, envelope: Envelope) -> None:
    if envelope.origin == "import":
        return
    rows.put(event.order_id, version=envelope.version, **_changes(rows, event, envelope))


def _changes(rows: Rows, event: OrderEvent, envelope: Envelope) -> Mapping[str, Value]:
    at = micros(envelope.time)
    match event:
        case OrderOpened():
            due = event.assign_due_at
            facts = {name: getattr(event, name) for name in _OPENED}
            return {**facts, "opened_at": at, "waiting_since": at, "assign_due_at": due and micros(due)}
        case OrderAssigned():
            return {
                "state": "assigned",
                "waiting_since": None,
                **{name: getattr(event, name) for name in _BOOKED},
                "starts_at": micros(event.starts_at),
                "ends_at": micros(event.ends_at),
                "chosen_by": event.chosen_by,
                "candidates": event.candidates,
                "reasons": msgspec.json.encode(event.reasons).decode(),
                "note": event.note,
            }
        case OrderReassigned():
            return {
                **_NOBODY,
                **{name: getattr(event, name) for name in _BOOKED},
                "starts_at": micros(event.starts_at),
                "ends_at": micros(event.ends_at),
                "chosen_by": "person",
                "note": event.reason,
            }
        case OrderStarted():
            return {"state": "under-way"}
        case OrderDeclined():
            row = rows.get(event.order_id)
            declined = [*_texts(row["declined_by"] if row else "[]"), event.engineer_id]
            text = msgspec.json.encode(declined).decode()
            return {**_NOBODY, "state": "waiting", "waiting_since": at, "declined_by": text}
        case OrderReturned():
            return {**_NOBODY, "state": "waiting", "waiting_since": at}
        case WithdrawalNoted():
            return {"withdrawn": True}
        case AssignmentOverdue():
            return {"overdue": True}
        case OrderCancelled():
            return {**_NOBODY, "state": "cancelled", "waiting_since": None, "note": event.note or event.reason}
        case OrderFinished():
            return {"state": "finished", "waiting_since": None, "engineer_id": event.engineer_id}
        case _:
            return {}


_OPENED = (
    "request_id",
    "customer_id",
    "device_id",
    "device_model",
    "request_type",
    "skill",
    "urgency",
    "duration_s",
    "region",
    "lat_udeg",
    "lon_udeg",
)
_BOOKED = ("engineer_id", "van_id", "day", "travel_m")

BOARD = View(
    name="dispatch_board",
    version=1,
    key={"order_id": str},
    columns={
        "version": 0,
        "state": "waiting",
        "request_id": "",
        "customer_id": "",
        "device_id": "",
        "device_model": "",
        "request_type": "",
        "skill": "",
        "urgency": "normal",
        "duration_s": 0,
        "region": "",
        "lat_udeg": 0,
        "lon_udeg": 0,
        "opened_at": 0,
        "waiting_since": (int, None),
        "assign_due_at": (int, None),
        "overdue": False,
        "withdrawn": False,
        "declined_by": "[]",
        **_NOBODY,
        "starts_at": (int, None),
        "ends_at": (int, None),
    },
    reads=(
        OrderOpened,
        OrderAssigned,
        OrderReassigned,
        OrderStarted,
        OrderDeclined,
        OrderReturned,
        WithdrawalNoted,
        AssignmentRetried,
        AssignmentOverdue,
        OrderCancelled,
        OrderFinished,
    ),
    apply=apply,
    indexes=(("state", "opened_at"), ("request_id",)),
)


_orders = select(BOARD.table).where(BOARD.table.c.tenant == bindparam("tenant"))

ONE_ORDER: Final = _orders.where(BOARD.table.c.order_id == bindparam("order_id"))
WAITING_ORDERS: Final = _orders.where(BOARD.table.c.state == "waiting").order_by(BOARD.table.c.opened_at)


def work_of(row: Mapping[str, Any]) -> Work:
    """What matching must know of an order on the board."""
    return Work(
        order_id=row["order_id"],
        skill=row["skill"],
        device_model=row["device_model"],
        urgency=row["urgency"],
        duration=timedelta(seconds=row["duration_s"]),
        place=Place(row["lat_udeg"], row["lon_udeg"]),
    )


def declined_by(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(_texts(row["declined_by"]))


def _texts(json: str) -> list[str]:
    return msgspec.json.decode(json, type=list[str])
