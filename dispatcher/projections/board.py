"""The dispatch board: every order with where it stands, who has it and why. History of other systems is not on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import (
    AbsenceNoted,
    AbsenceNoteSettled,
    AssignmentOverdue,
    AssignmentRetried,
    NobodyCan,
    OfferDeclined,
    OfferLapsed,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOffered,
    OrderOpened,
    OrderReassigned,
    OrderReturned,
    OrderStarted,
    WithdrawalNoted,
    WithdrawalTakenBack,
)
from contracts.envelope import Envelope
from dispatcher.domain.order import OrderEvent
from dispatcher.domain.suited import Work
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
    "broke_rules": "[]",
    "passed_over": "[]",
    "excluded": "[]",
    "rules_version": 0,
    "expense_fen": 0,
    "expense_cost": 0,
    "offered_until": None,
    "offered_to": "[]",
    "absence_noted": "",
    "back_because": "",
    "back_reason": "",
    "nobody_can": "[]",
}
"""What a new assignment or a new wait begins with."""


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
            needs = {name: _text(getattr(event, name)) for name in ("more_skills", "certificates", "usual_parts")}
            return {**facts, **needs, "opened_at": at, "waiting_since": at, "assign_due_at": due and micros(due)}
        case OrderOffered() | OfferDeclined() | OfferLapsed():
            return _offered(rows.get(event.order_id) or {}, event)
        case OrderAssigned():
            return {
                **_NOBODY,
                "state": "assigned",
                "waiting_since": None,
                **{name: getattr(event, name) for name in _BOOKED},
                "starts_at": micros(event.starts_at),
                "ends_at": micros(event.ends_at),
                "chosen_by": event.chosen_by,
                "candidates": event.candidates,
                "reasons": _text(event.reasons),
                "note": event.note,
                "broke_rules": _text(event.broke_rules),
                "passed_over": _text(event.passed_over),
                "excluded": _text(event.excluded),
                "rules_version": event.rules_version,
                "expense_fen": event.expense_fen,
                "expense_cost": event.expense_cost,
            }
        case OrderReassigned():
            return {
                **_NOBODY,
                **{name: getattr(event, name) for name in _BOOKED},
                "starts_at": micros(event.starts_at),
                "ends_at": micros(event.ends_at),
                "chosen_by": event.chosen_by,
                "note": event.reason,
                "broke_rules": _text(event.broke_rules),
                "reasons": _text(event.reasons),
                "rules_version": event.rules_version,
                "expense_fen": event.expense_fen,
                "expense_cost": event.expense_cost,
            }
        case OrderStarted():
            return {"state": "under-way"}
        case OrderDeclined() | OrderReturned():
            because = "aborted" if isinstance(event, OrderReturned) else _DECLINED[event.cause]
            waits: dict[str, Value] = {"state": "waiting", "waiting_since": at, "offered_before": "[]"}
            waits |= {"back_because": because, "back_reason": event.reason}
            if because == "declined":
                waits["declined_by"] = _and(rows.get(event.order_id) or {}, "declined_by", event.engineer_id)
            return {**_NOBODY, **waits}
        case WithdrawalNoted():
            return {"withdrawn": True}
        case AbsenceNoted():
            return {"absence_noted": event.absence_id}
        case AbsenceNoteSettled():
            row = rows.get(event.order_id) or {}
            return {"absence_noted": ""} if row.get("absence_noted") == event.absence_id else {}
        case WithdrawalTakenBack():
            return {"withdrawn": False}
        case NobodyCan():
            return {"nobody_can": _text(event.excluded)}
        case AssignmentOverdue():
            return {"overdue": True}
        case OrderCancelled():
            return {**_NOBODY, "state": "cancelled", "waiting_since": None, "note": event.note or event.reason}
        case OrderFinished():
            over = {"waiting_since": None, "offered_until": None, "offered_to": "[]", "absence_noted": ""}
            return {**over, "state": "finished", "engineer_id": event.engineer_id}
        case _:
            return {}


def _offered(row: Mapping[str, Any], event: OrderOffered | OfferDeclined | OfferLapsed) -> Mapping[str, Value]:
    match event:
        case OrderOffered():
            before = _and(row, "offered_before", *event.engineer_ids)
            until, asked = micros(event.offered_until), _text(event.engineer_ids)
            said: dict[str, Value] = {"note": event.note, "rules_version": event.rules_version}
            return {**said, "offered_until": until, "offered_to": asked, "offered_before": before}
        case OfferDeclined():
            left = [one for one in _texts(row.get("offered_to", "[]")) if one != event.engineer_id]
            still: dict[str, Value] = {"offered_to": _text(left)}
            if event.cause == "engineer":
                still["declined_by"] = _and(row, "declined_by", event.engineer_id)
            return still if left else still | {"offered_until": None}
        case OfferLapsed():
            return {"offered_until": None, "offered_to": "[]"}


def _and(row: Mapping[str, Any], column: str, *names: str) -> str:
    return _text([*_texts(row.get(column, "[]")), *names])


def _text(values: Sequence[Any]) -> str:
    return msgspec.json.encode(values).decode()


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
    "skill_level",
    "wished_engineer_id",
    "number",
)
_BOOKED = ("engineer_id", "van_id", "day", "travel_m")
_DECLINED: Final = {"engineer": "declined", "absence": "absence", "dispatcher": "taken-back"}

BOARD = View(
    name="dispatch_board",
    version=4,
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
        "offered_before": "[]",
        "more_skills": "[]",
        "skill_level": 0,
        "certificates": "[]",
        "usual_parts": "[]",
        "wished_engineer_id": "",
        "number": "",
        **_NOBODY,
        "starts_at": (int, None),
        "ends_at": (int, None),
        "offered_until": (int, None),
    },
    reads=(
        OrderOpened,
        OrderOffered,
        OfferDeclined,
        OfferLapsed,
        OrderAssigned,
        OrderReassigned,
        OrderStarted,
        OrderDeclined,
        OrderReturned,
        WithdrawalNoted,
        AbsenceNoted,
        AbsenceNoteSettled,
        WithdrawalTakenBack,
        AssignmentRetried,
        AssignmentOverdue,
        NobodyCan,
        OrderCancelled,
        OrderFinished,
    ),
    apply=apply,
    indexes=(("state", "opened_at"), ("request_id",)),
)


_orders = select(BOARD.table).where(BOARD.table.c.tenant == bindparam("tenant"))

ONE_ORDER: Final = _orders.where(BOARD.table.c.order_id == bindparam("order_id"))
WAITING_ORDERS: Final = _orders.where(BOARD.table.c.state == "waiting").order_by(BOARD.table.c.opened_at)
OFFERED_ORDERS: Final = WAITING_ORDERS.where(BOARD.table.c.offered_until.is_not(None))
NOTED_FOR: Final = _orders.where(
    BOARD.table.c.state == "under-way",
    BOARD.table.c.engineer_id == bindparam("engineer_id"),
    BOARD.table.c.absence_noted == bindparam("absence_id"),
)


def work_of(row: Mapping[str, Any]) -> Work:
    """What matching must know of an order on the board."""
    return Work(
        order_id=row["order_id"],
        skill=row["skill"],
        device_model=row["device_model"],
        urgency=row["urgency"],
        duration=timedelta(seconds=row["duration_s"]),
        place=Place(row["lat_udeg"], row["lon_udeg"]),
        more_skills=tuple(_texts(row["more_skills"])),
        region=row["region"],
        level=row["skill_level"],
        certificates=tuple(_texts(row["certificates"])),
        wished=row["wished_engineer_id"],
    )


def declined_by(row: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(_texts(row["declined_by"]))


def offered_to(row: Mapping[str, Any]) -> tuple[str, ...]:
    """Who may take it now."""
    return tuple(_texts(row["offered_to"]))


def offered_before(row: Mapping[str, Any]) -> frozenset[str]:
    """To whom it was offered since it began to wait."""
    return frozenset(_texts(row["offered_before"]))


def _texts(json: str) -> list[str]:
    return msgspec.json.decode(json, type=list[str])
