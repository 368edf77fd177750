"""
Every visit of the last word: who did the work on what, how it was rated, what was photographed.

What fieldwork says and what quality says of a visit stand in columns of their own, so either may come first.
"""

from __future__ import annotations

from typing import Final

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import PhotoAttached, ServiceCompleted, WorkFinished
from contracts.quality import FeedbackReceived
from services.chassis.clock import micros
from services.chassis.views import Rows, View

BAD: Final = 2
"""So many stars or fewer, of five, are a bad rating."""


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    match event:
        case PhotoAttached():
            column = f"photos_{event.moment}"
            row = rows.get(event.visit_id) or {}
            rows.put(event.visit_id, request_id=event.request_id, **{column: row.get(column, 0) + 1})
        case WorkFinished():
            rows.put(event.visit_id, request_id=event.request_id, cause=event.cause)
        case ServiceCompleted():
            rows.put(
                event.visit_id,
                request_id=event.request_id,
                order_id=event.order_id,
                engineer_id=event.engineer_id,
                customer_id=event.customer_id,
                device_id=event.device_id,
                device_model=event.device_model,
                stars=event.rating,
                completed_at=micros(envelope.time),
            )
        case FeedbackReceived(visit_id=visit_id) if visit_id:
            worst = min(event.attitude, event.outcome, event.punctuality)
            rows.put(visit_id, request_id=event.request_id, worst_answer=worst)


SERVED = View(
    name="served",
    version=1,
    key={"visit_id": str},
    columns={
        "request_id": "",
        "order_id": "",
        "engineer_id": "",
        "customer_id": "",
        "device_id": "",
        "device_model": "",
        "cause": "",
        "completed_at": (int, None),
        "stars": (int, None),
        "worst_answer": (int, None),
        "photos_before": 0,
        "photos_after": 0,
        "photos_other": 0,
    },
    reads=(PhotoAttached, WorkFinished, ServiceCompleted, FeedbackReceived),
    apply=apply,
    indexes=(("completed_at",), ("device_id", "completed_at"), ("request_id",)),
)
