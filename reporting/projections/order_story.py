"""
One row an order: who was sent and who did it, and which promises were kept.

Each column has one publisher, as in `request_story`. What is said of the request, its channel, is kept as `request_row`
says.
"""

from __future__ import annotations

from typing import Final

from contracts.dispatcher import (
    ClocksStarted,
    OrderAssigned,
    OrderDeclined,
    OrderOpened,
    OrderReassigned,
    SlaBreached,
    SlaChanged,
    SlaRestated,
)
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import EngineerArrived, ServiceCompleted, VisitAborted
from contracts.intake import RequestReceived
from reporting.projections.request_row import RequestRow
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View

OF_REQUEST: Final = RequestRow(("channel",), "orders")

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
    | SlaChanged
    | SlaRestated
    | EngineerArrived
    | VisitAborted
    | ServiceCompleted
)


def apply(rows: Rows, event: OrderEvent | RequestReceived, envelope: Envelope) -> None:
    if isinstance(event, RequestReceived):
        OF_REQUEST.say(rows, event.request_id, channel=envelope.channel)
        return
    OF_REQUEST.add(rows, event.request_id, event.order_id)
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


def _promises(event: Event) -> dict[str, Value]:
    """What a word about the clocks of an order changes."""
    told: dict[str, Value] = {}
    if isinstance(event, ClocksStarted | SlaChanged):
        measured = {terms.clock for terms in event.clocks}
        told |= {f"{clock}_promised": clock in measured for clock in CLOCKS}
    if isinstance(event, ClocksStarted | SlaChanged | SlaRestated):
        breaches = [one for one in event.differences if one.figure == "breached"]
        told |= {f"{one.clock}_breached": one.after == "true" for one in breaches}
    if isinstance(event, SlaBreached):
        told[f"{event.clock}_breached"] = True
    return told


ORDER_STORY = View(
    name="order_story",
    version=2,
    key={"order_id": str},
    columns={
        "request_id": "",
        "region": "",
        "device_model": "",
        "request_type": "",
        "channel": "",
        "orders": "",
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
    },
    reads=(
        OrderOpened,
        OrderAssigned,
        OrderReassigned,
        OrderDeclined,
        ClocksStarted,
        SlaBreached,
        SlaChanged,
        SlaRestated,
        EngineerArrived,
        VisitAborted,
        ServiceCompleted,
        RequestReceived,
    ),
    apply=apply,
    indexes=(("opened_at",),),
)
