"""
Where the hours of engineers go: one row a visit, and one row an engineer with the shifts she works.

What figures of visits are grouped by is said of the request, and kept as `request_row` says.
"""

from __future__ import annotations

from typing import Final

import msgspec

from contracts.dispatcher import EngineerRegistered, Shift
from contracts.envelope import Envelope
from contracts.fieldwork import (
    EngineerArrived,
    EngineerDeparted,
    ServiceCompleted,
    VisitAborted,
    VisitCancelled,
    WorkFinished,
)
from contracts.intake import RequestCorrected, RequestReceived
from contracts.quality import StaffSurveyAnswered
from reporting.projections.request_row import RequestRow
from services.chassis.clock import micros
from services.chassis.views import Rows, View

VisitEvent = EngineerDeparted | EngineerArrived | WorkFinished | ServiceCompleted | VisitAborted | VisitCancelled
EngineerEvent = EngineerRegistered | EngineerDeparted | EngineerArrived | WorkFinished | StaffSurveyAnswered

ABOUT: Final = ("device_model", "request_type", "channel")
"""What is said of the request of a visit."""

OF_REQUEST: Final = RequestRow(ABOUT, "visits")

_shifts = msgspec.msgpack.Decoder(tuple[Shift, ...])


def shifts_of(packed: bytes) -> tuple[Shift, ...]:
    """The shifts that a row of ENGINEERS holds."""
    return _shifts.decode(packed)


def apply_visit(rows: Rows, event: VisitEvent | RequestReceived | RequestCorrected, envelope: Envelope) -> None:
    at = micros(envelope.time)
    if isinstance(event, RequestReceived):
        facts = {"device_model": event.device_model, "request_type": event.request_type}
        OF_REQUEST.say(rows, event.request_id, **facts, channel=envelope.channel)
        return
    if isinstance(event, RequestCorrected):
        OF_REQUEST.say(rows, event.request_id, device_model=event.work.device_model)
        return
    whose = {"engineer_id": event.engineer_id, "request_id": event.request_id, "order_id": event.order_id}
    rows.put(event.visit_id, **whose)
    OF_REQUEST.add(rows, event.request_id, event.visit_id)
    match event:
        case EngineerDeparted():
            rows.put(event.visit_id, departed_at=at)
        case EngineerArrived():
            rows.put(event.visit_id, arrived_at=at)
        case WorkFinished() | VisitAborted():
            # After a refused acceptance the work is finished a second time; the last one ends the hours on site.
            rows.put(event.visit_id, left_at=at)
            if isinstance(event, VisitAborted):
                rows.put(event.visit_id, in_vain=True)
        case ServiceCompleted():
            rows.put(event.visit_id, completed=True)
        case VisitCancelled():
            rows.put(event.visit_id, in_vain=True)


def apply_engineer(rows: Rows, event: EngineerEvent, envelope: Envelope) -> None:
    if not isinstance(event, EngineerRegistered):
        rows.put(event.engineer_id)  # so that what somebody did has always a row of hers
        return
    known = rows.get(event.engineer_id)
    rows.put(
        event.engineer_id,
        since=micros(envelope.time) if known is None or known["since"] is None else known["since"],
        zone=event.zone,
        shifts=msgspec.msgpack.encode(event.shifts),
        has_shifts=bool(event.shifts),
        region=event.region,
    )


VISITS = View(
    name="visit_hours",
    version=5,
    key={"visit_id": str},
    columns={
        "engineer_id": "",
        "request_id": "",
        "order_id": "",
        "departed_at": (int, None),
        "arrived_at": (int, None),
        "left_at": (int, None),
        "completed": False,
        "in_vain": False,
        "device_model": "",
        "request_type": "",
        "channel": "",
        "visits": "",
    },
    reads=(
        EngineerDeparted,
        EngineerArrived,
        WorkFinished,
        ServiceCompleted,
        VisitAborted,
        VisitCancelled,
        RequestReceived,
        RequestCorrected,
    ),
    apply=apply_visit,
    # Visits have their names by chance: what figures of a range need is read from the index, not row by row.
    indexes=(
        ("arrived_at", "engineer_id", "departed_at", "left_at", "completed", *ABOUT),
        ("departed_at", "engineer_id", "in_vain", *ABOUT),
    ),
)

ENGINEERS = View(
    name="engineer_shifts",
    version=3,
    key={"engineer_id": str},
    columns={
        "since": (int, None),
        "zone": "",
        "shifts": b"",
        "has_shifts": False,
        "region": "",
    },
    reads=(EngineerRegistered, EngineerDeparted, EngineerArrived, WorkFinished, StaffSurveyAnswered),
    apply=apply_engineer,
)
