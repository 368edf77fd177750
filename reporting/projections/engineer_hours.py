"""Where the hours of engineers go: one row a visit, and one row an engineer with the shifts she works."""

from __future__ import annotations

import msgspec

from contracts.dispatcher import EngineerRegistered, Shift
from contracts.envelope import Envelope
from contracts.fieldwork import EngineerArrived, EngineerDeparted, ServiceCompleted, VisitAborted, WorkFinished
from services.chassis.clock import micros
from services.chassis.views import Rows, View

VisitEvent = EngineerDeparted | EngineerArrived | WorkFinished | ServiceCompleted | VisitAborted

_shifts = msgspec.msgpack.Decoder(tuple[Shift, ...])


def shifts_of(packed: bytes) -> tuple[Shift, ...]:
    """The shifts that a row of ENGINEERS holds."""
    return _shifts.decode(packed)


def apply_visit(rows: Rows, event: VisitEvent, envelope: Envelope) -> None:
    at = micros(envelope.time)
    rows.put(event.visit_id, engineer_id=event.engineer_id, request_id=event.request_id)
    match event:
        case EngineerDeparted():
            rows.put(event.visit_id, departed_at=at)
        case EngineerArrived():
            rows.put(event.visit_id, arrived_at=at)
        case WorkFinished() | VisitAborted():
            # After a refused acceptance the work is finished a second time; the last one ends the hours on site.
            rows.put(event.visit_id, left_at=at)
        case ServiceCompleted():
            rows.put(event.visit_id, completed=True)


def apply_engineer(rows: Rows, event: EngineerRegistered, envelope: Envelope) -> None:
    known = rows.get(event.engineer_id)
    rows.put(
        event.engineer_id,
        since=known["since"] if known else micros(envelope.time),
        zone=event.zone,
        shifts=msgspec.msgpack.encode(event.shifts),
    )


VISITS = View(
    name="visit_hours",
    version=1,
    key={"visit_id": str},
    columns={
        "engineer_id": "",
        "request_id": "",
        "departed_at": (int, None),
        "arrived_at": (int, None),
        "left_at": (int, None),
        "completed": False,
    },
    reads=(EngineerDeparted, EngineerArrived, WorkFinished, ServiceCompleted, VisitAborted),
    apply=apply_visit,
    indexes=(("arrived_at",),),
)

ENGINEERS = View(
    name="engineer_shifts",
    version=1,
    key={"engineer_id": str},
    columns={"since": 0, "zone": "", "shifts": b""},
    reads=(EngineerRegistered,),
    apply=apply_engineer,
)
