"""One row a complaint: what it is about, whether it was answered in time, and whether there was reason for it."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.quality import ComplaintClosed, ComplaintOverdue, ComplaintRaised, ComplaintWithdrawn
from services.chassis.clock import micros
from services.chassis.views import Rows, View

ComplaintEvent = ComplaintRaised | ComplaintOverdue | ComplaintClosed | ComplaintWithdrawn


def apply(rows: Rows, event: ComplaintEvent, envelope: Envelope) -> None:
    at = micros(envelope.time)
    match event:
        case ComplaintRaised():
            rows.put(event.complaint_id, request_id=event.request_id, channel=envelope.channel, raised_at=at)
        case ComplaintOverdue():
            rows.put(event.complaint_id, overdue=True)
        case ComplaintClosed():
            rows.put(event.complaint_id, root_cause=event.root_cause, closed_at=at)
        case ComplaintWithdrawn():
            rows.put(event.complaint_id, withdrawn_at=at)


COMPLAINT_STORY = View(
    name="complaint_story",
    version=2,
    key={"complaint_id": str},
    columns={
        "request_id": "",
        "channel": "",
        "raised_at": (int, None),
        "overdue": False,
        "root_cause": "",
        "closed_at": (int, None),
        "withdrawn_at": (int, None),
    },
    reads=(ComplaintRaised, ComplaintOverdue, ComplaintClosed, ComplaintWithdrawn),
    apply=apply,
    indexes=(("raised_at",),),
)
