"""
One row a request: when each milestone was first reached, and what the customer said.

Each column has one publisher, which keeps the order within a request; between publishers any order gives the same row.
"""

from __future__ import annotations

from contracts.dispatcher import AssignmentOverdue, OrderAssigned, OrderCancelled
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import AcceptanceRefused, EngineerArrived, ServiceCompleted
from contracts.intake import RequestReceived, RequestWithdrawn
from contracts.quality import FeedbackReceived, SurveySent
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    request_id, at = event.partition_key(), micros(envelope.time)
    row = rows.get(request_id) or {}

    def first(column: str) -> dict[str, Value]:
        known = row.get(column)
        return {column: at if known is None else min(known, at)}

    match event:
        case RequestReceived():
            rows.put(request_id, device_id=event.device_id, **first("received_at"))
        case RequestWithdrawn():
            rows.put(request_id, withdrawn=True)
        case OrderAssigned():
            rows.put(request_id, **first("assigned_at"))
        case AssignmentOverdue():
            rows.put(request_id, overdue=True)
        case OrderCancelled():
            rows.put(request_id, cancelled=True)
        case EngineerArrived():
            rows.put(request_id, visits=row.get("visits", 0) + 1)
            if (known := row.get("arrived_at")) is None or at < known:
                rows.put(request_id, arrived_at=at, planned_at=micros(event.planned_at))
        case AcceptanceRefused():
            rows.put(request_id, refused=True)
        case ServiceCompleted():
            rows.put(request_id, rating=event.rating, **first("completed_at"))
        case SurveySent():
            rows.put(request_id, surveyed=True)
        case FeedbackReceived():
            rows.put(
                request_id,
                attitude=event.attitude,
                outcome=event.outcome,
                punctuality=event.punctuality,
            )


REQUEST_STORY = View(
    name="request_story",
    version=1,
    key={"request_id": str},
    columns={
        "device_id": "",
        "received_at": (int, None),
        "assigned_at": (int, None),
        "arrived_at": (int, None),
        "planned_at": (int, None),
        "completed_at": (int, None),
        "withdrawn": False,
        "cancelled": False,
        "overdue": False,
        "visits": 0,
        "refused": False,
        "rating": (int, None),
        "surveyed": False,
        "attitude": (int, None),
        "outcome": (int, None),
        "punctuality": (int, None),
    },
    reads=(
        RequestReceived,
        RequestWithdrawn,
        OrderAssigned,
        AssignmentOverdue,
        OrderCancelled,
        EngineerArrived,
        AcceptanceRefused,
        ServiceCompleted,
        SurveySent,
        FeedbackReceived,
    ),
    apply=apply,
    indexes=(("received_at",), ("completed_at",), ("device_id", "received_at")),
)
