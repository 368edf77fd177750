"""What engineers say of their work: one row an engineer and month."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.quality import StaffSurveyAnswered
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: StaffSurveyAnswered, envelope: Envelope) -> None:
    rows.put(
        event.engineer_id,
        event.month,
        answered_at=micros(envelope.time),
        content=event.content,
        workload=event.workload,
        support=event.support,
    )


STAFF_ANSWERS = View(
    name="staff_answers",
    version=1,
    key={"engineer_id": str, "month": str},
    columns={"answered_at": 0, "content": 0, "workload": 0, "support": 0},
    reads=(StaffSurveyAnswered,),
    apply=apply,
    indexes=(("answered_at",),),
)
