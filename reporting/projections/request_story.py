"""
One row a request: when each milestone was first reached, what the customer said, and what figures are grouped by.

Each column has one publisher, which keeps the order within a request; between publishers any order gives the same row.
"""

from __future__ import annotations

from contracts.dispatcher import AssignmentOverdue, OrderAssigned, OrderCancelled, OrderReassigned
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import AcceptanceRefused, EngineerArrived, EngineerDeparted, ServiceCompleted
from contracts.intake import (
    RequestMerged,
    RequestReceived,
    RequestReopened,
    RequestResolvedRemotely,
    RequestUnmerged,
    RequestWithdrawn,
)
from contracts.quality import ComplaintRaised, FeedbackReceived, SurveySent
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    if isinstance(event, ComplaintRaised):
        # Its key is the complaint's own. What is about no request has the row of the empty id, which counts nowhere.
        rows.put(event.request_id, complained=True)
        return
    request_id, at = event.partition_key(), micros(envelope.time)
    row = rows.get(request_id) or {}

    def first(column: str) -> dict[str, Value]:
        known = row.get(column)
        return {column: at if known is None else min(known, at)}

    match event:
        case RequestReceived():
            rows.put(
                request_id,
                device_id=event.device_id,
                device_model=event.device_model,
                request_type=event.request_type,
                region=event.region,
                channel=envelope.channel,
                **first("received_at"),
            )
        case RequestWithdrawn():
            rows.put(request_id, withdrawn=True)
        case RequestMerged() | RequestUnmerged():
            rows.put(request_id, merged=isinstance(event, RequestMerged))
        case RequestReopened():
            rows.put(request_id, reopenings=row.get("reopenings", 0) + 1)
        case RequestResolvedRemotely():
            rows.put(
                request_id,
                resolutions=row.get("resolutions", 0) + 1,
                first_contact=row.get("first_contact", False) or event.first_contact,
                **first("remote_at"),
            )
        case OrderAssigned() | OrderReassigned():
            rows.put(request_id, assigned_to=event.engineer_id)
            if isinstance(event, OrderAssigned):
                rows.put(request_id, **first("assigned_at"))
        case AssignmentOverdue():
            rows.put(request_id, overdue=True)
        case OrderCancelled():
            rows.put(request_id, cancelled=True)
        case EngineerDeparted():
            rows.put(request_id)  # so that a visit has always the row of its request
        case EngineerArrived():
            rows.put(request_id, visits=row.get("visits", 0) + 1)
            if (known := row.get("arrived_at")) is None or at < known:
                rows.put(request_id, arrived_at=at, planned_at=micros(event.planned_at))
        case AcceptanceRefused():
            rows.put(request_id, refused=True)
        case ServiceCompleted():
            rows.put(
                request_id,
                rating=event.rating,
                served_by=event.engineer_id,
                completions=row.get("completions", 0) + 1,
                **first("completed_at"),
            )
        case SurveySent():
            rows.put(request_id, surveyed=True)
        case FeedbackReceived():
            rows.put(
                request_id,
                attitude=event.attitude,
                outcome=event.outcome,
                punctuality=event.punctuality,
                recommends=event.recommends,
            )


REQUEST_STORY = View(
    name="request_story",
    version=2,
    key={"request_id": str},
    columns={
        "device_id": "",
        "device_model": "",
        "request_type": "",
        "region": "",
        "channel": "",
        "received_at": (int, None),
        "assigned_at": (int, None),
        "assigned_to": "",
        "arrived_at": (int, None),
        "planned_at": (int, None),
        "completed_at": (int, None),
        "served_by": "",
        "remote_at": (int, None),
        "first_contact": False,
        "completions": 0,
        "resolutions": 0,
        "reopenings": 0,
        "withdrawn": False,
        "merged": False,
        "cancelled": False,
        "overdue": False,
        "visits": 0,
        "refused": False,
        "complained": False,
        "rating": (int, None),
        "surveyed": False,
        "attitude": (int, None),
        "outcome": (int, None),
        "punctuality": (int, None),
        "recommends": (int, None),
    },
    reads=(
        RequestReceived,
        RequestWithdrawn,
        RequestMerged,
        RequestUnmerged,
        RequestReopened,
        RequestResolvedRemotely,
        OrderAssigned,
        OrderReassigned,
        AssignmentOverdue,
        OrderCancelled,
        EngineerDeparted,
        EngineerArrived,
        AcceptanceRefused,
        ServiceCompleted,
        SurveySent,
        FeedbackReceived,
        ComplaintRaised,
    ),
    apply=apply,
    indexes=(("received_at",), ("completed_at",), ("device_id", "received_at")),
)
