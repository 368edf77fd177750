"""
One row an order: who was sent and who did it, which promises were kept, and what was charged for it.

Each column has one publisher, as in `request_story`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from contracts.dispatcher import (
    ClocksStarted,
    OrderAssigned,
    OrderDeclined,
    OrderOpened,
    OrderReassigned,
    SlaBreached,
    SlaRestated,
)
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import ChargeCorrected, EngineerArrived, ServiceCharged, ServiceCompleted, VisitAborted
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View

CLOCKS: Final = ("assign", "arrive", "fix")

SENT_AGAIN_FOR: Final = ("part-missing", "not-repairable-here")
"""Why a visit was broken off whose engineer lacked the part or the skill."""

OrderEvent = (
    OrderOpened
    | OrderAssigned
    | OrderReassigned
    | OrderDeclined
    | ClocksStarted
    | SlaBreached
    | SlaRestated
    | EngineerArrived
    | VisitAborted
    | ServiceCompleted
    | ServiceCharged
    | ChargeCorrected
)


def apply(rows: Rows, event: OrderEvent, envelope: Envelope) -> None:
    order_id, at = event.order_id, micros(envelope.time)
    row = rows.get(order_id) or {}

    def first(column: str) -> dict[str, Value]:
        known = row.get(column)
        return {column: at if known is None else min(known, at)}

    def one_more(column: str) -> dict[str, Value]:
        return {column: row.get(column, 0) + 1}

    rows.put(order_id, request_id=event.request_id, **_promises(event))
    match event:
        case OrderOpened():
            kept = {"region": event.region, "device_model": event.device_model, "request_type": event.request_type}
            rows.put(order_id, **kept, **first("opened_at"))
        case OrderAssigned():
            rows.put(
                order_id,
                first_engineer=row.get("first_engineer") or event.engineer_id,
                engineer_id=event.engineer_id,
                travel_m=event.travel_m,
                by_rule=event.chosen_by == "rule",
                **first("assigned_at"),
            )
        case OrderReassigned():
            rows.put(order_id, engineer_id=event.engineer_id, travel_m=event.travel_m, **one_more("reassigned"))
        case OrderDeclined():
            rows.put(order_id, **one_more("declined"))
        case EngineerArrived():
            rows.put(order_id, **first("arrived_at"))
        case VisitAborted():
            rows.put(order_id, sent_again=row.get("sent_again", False) or event.reason in SENT_AGAIN_FOR)
        case ServiceCompleted():
            rows.put(order_id, served_by=event.engineer_id, **first("completed_at"))
        case ServiceCharged():
            rows.put(order_id, **_more(row, event.gross_fen, event.customer_fen))
        case ChargeCorrected():
            rows.put(order_id, **_more(row, event.gross_diff_fen, event.customer_diff_fen))


def _more(row: Mapping[str, Any], gross_fen: int, customer_fen: int) -> dict[str, Value]:
    """What an order comes to with one more charge, or with the difference that a correction makes."""
    return {
        "revenue_fen": (row.get("revenue_fen") or 0) + gross_fen,
        "customer_fen": (row.get("customer_fen") or 0) + customer_fen,
    }


def _promises(event: Event) -> dict[str, Value]:
    """What a word about the clocks of an order changes."""
    match event:
        case ClocksStarted():
            return {f"{terms.clock}_promised": True for terms in event.clocks}
        case SlaBreached():
            return {f"{event.clock}_breached": True}
        case SlaRestated():
            told = [one for one in event.differences if one.figure == "breached"]
            return {f"{one.clock}_breached": one.after == "true" for one in told}
        case _:
            return {}


ORDER_STORY = View(
    name="order_story",
    version=1,
    key={"order_id": str},
    columns={
        "request_id": "",
        "region": "",
        "device_model": "",
        "request_type": "",
        "opened_at": (int, None),
        "assigned_at": (int, None),
        "arrived_at": (int, None),
        "completed_at": (int, None),
        "first_engineer": "",
        "engineer_id": "",
        "served_by": "",
        "by_rule": False,
        "travel_m": (int, None),
        "reassigned": 0,
        "declined": 0,
        "sent_again": False,
        **{f"{clock}_{word}": False for clock in CLOCKS for word in ("promised", "breached")},
        "revenue_fen": (int, None),
        "customer_fen": (int, None),
    },
    reads=(
        OrderOpened,
        OrderAssigned,
        OrderReassigned,
        OrderDeclined,
        ClocksStarted,
        SlaBreached,
        SlaRestated,
        EngineerArrived,
        VisitAborted,
        ServiceCompleted,
        ServiceCharged,
        ChargeCorrected,
    ),
    apply=apply,
    indexes=(("opened_at",), ("completed_at",)),
)
