"""Every inspection: what waits for a reviewer, what was found, and who puts it right by when."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.quality import (
    CorrectionAsked,
    CorrectionDone,
    CorrectionDueSoon,
    CorrectionOverdue,
    InspectionOpened,
    StandardChecked,
    Verdict,
)
from services.chassis.clock import micros
from services.chassis.views import Rows, View

InspectionEvent = (
    InspectionOpened | StandardChecked | CorrectionAsked | CorrectionDueSoon | CorrectionOverdue | CorrectionDone
)


def apply(rows: Rows, event: InspectionEvent, envelope: Envelope) -> None:
    key, at = event.inspection_id, micros(envelope.time)
    rows.put(key, version=envelope.version)
    match event:
        case InspectionOpened():
            rows.put(
                key,
                request_id=event.request_id,
                visit_id=event.visit_id,
                order_id=event.order_id,
                engineer_id=event.engineer_id,
                customer_id=event.customer_id,
                type_id=event.type_id,
                standard_version=event.standard_version,
                items=msgspec.json.encode(event.items).decode(),
                state="waiting",
                opened_at=at,
            )
        case StandardChecked():
            verdicts = msgspec.json.encode(event.verdicts).decode()
            state = "passed" if event.passed else "failed"
            rows.put(
                key, state=state, reviewer_id=event.reviewer_id, verdicts=verdicts, note=event.note, reviewed_at=at
            )
        case CorrectionAsked():
            rows.put(key, owner_id=event.owner_id, due_at=micros(event.due_at))
        case CorrectionOverdue():
            rows.put(key, overdue=True)
        case CorrectionDone():
            rows.put(key, state="corrected", done=event.done, done_at=at)


def verdicts_of(text: str) -> list[Verdict]:
    return msgspec.json.decode(text, type=list[Verdict])


INSPECTIONS = View(
    name="inspections",
    version=1,
    key={"inspection_id": str},
    columns={
        "version": 0,
        "request_id": "",
        "visit_id": "",
        "order_id": "",
        "engineer_id": "",
        "customer_id": "",
        "type_id": "",
        "standard_version": 0,
        "items": "[]",
        "state": "",
        "opened_at": 0,
        "reviewer_id": "",
        "verdicts": "[]",
        "note": "",
        "reviewed_at": (int, None),
        "owner_id": "",
        "due_at": (int, None),
        "overdue": False,
        "done": "",
        "done_at": (int, None),
    },
    reads=(InspectionOpened, StandardChecked, CorrectionAsked, CorrectionDueSoon, CorrectionOverdue, CorrectionDone),
    apply=apply,
    indexes=(("state", "opened_at"), ("request_id",), ("engineer_id",), ("owner_id",)),
)
