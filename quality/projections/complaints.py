"""Every complaint, with who answers it by when, and what the answer was."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.quality import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintOverdue,
    ComplaintRaised,
    ComplaintWithdrawn,
)
from services.chassis.clock import micros
from services.chassis.views import Rows, View

ComplaintEvent = ComplaintRaised | ComplaintAssigned | ComplaintOverdue | ComplaintClosed | ComplaintWithdrawn


def apply(rows: Rows, event: ComplaintEvent, envelope: Envelope) -> None:
    key, at = event.complaint_id, micros(envelope.time)
    rows.put(key, version=envelope.version)
    match event:
        case ComplaintRaised():
            rows.put(
                key,
                customer_id=event.customer_id,
                request_id=event.request_id,
                state="open",
                channel=envelope.channel,
                words=event.words,
                raised_at=at,
                answer_due_at=micros(event.answer_due_at),
            )
        case ComplaintAssigned():
            due_at = micros(event.answer_due_at)
            moved = due_at != (rows.get(key) or {}).get("answer_due_at")
            rows.put(key, owner_id=event.owner_id, answer_due_at=due_at, **({"overdue": False} if moved else {}))
        case ComplaintOverdue():
            rows.put(key, overdue=True, was_overdue=True)
        case ComplaintClosed():
            rows.put(key, state="closed", root_cause=event.root_cause, answer=event.answer, closed_at=at)
        case ComplaintWithdrawn():
            # Nobody is late with it any more.
            rows.put(key, state="withdrawn", overdue=False, closed_at=at)


COMPLAINTS = View(
    name="complaints",
    version=2,
    key={"complaint_id": str},
    columns={
        "version": 0,
        "customer_id": "",
        "request_id": "",
        "state": "",
        "channel": "",
        "words": "",
        "raised_at": 0,
        "owner_id": "",
        "answer_due_at": 0,
        "overdue": False,
        "was_overdue": False,
        "root_cause": "",
        "answer": "",
        "closed_at": (int, None),
    },
    reads=(ComplaintRaised, ComplaintAssigned, ComplaintOverdue, ComplaintClosed, ComplaintWithdrawn),
    apply=apply,
    indexes=(("raised_at",), ("customer_id",), ("request_id",), ("state", "answer_due_at")),
)
