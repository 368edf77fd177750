"""A complaint: raised by a customer, given to somebody, answered by a deadline with its cause, or withdrawn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, assert_never

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintOverdue,
    ComplaintRaised,
    ComplaintWithdrawn,
)
from quality.commands import (
    AssignComplaint,
    CloseComplaint,
    RaiseComplaint,
    RecordComplaintOverdue,
    WithdrawComplaint,
)
from services.chassis.journal.rules import Stream

ANSWER_WITHIN: Final = timedelta(days=3)
"""Until somebody sets another deadline."""


@dataclass(frozen=True)
class Unraised:
    pass


@dataclass(frozen=True)
class Open:
    customer_id: str
    answer_due_at: datetime
    owner_id: str = ""
    overdue: bool = False
    """Of this deadline."""
    request_id: str = ""


@dataclass(frozen=True)
class Closed:
    pass


@dataclass(frozen=True)
class Withdrawn:
    pass


Complaint = Unraised | Open | Closed | Withdrawn
ComplaintEvent = ComplaintRaised | ComplaintAssigned | ComplaintOverdue | ComplaintClosed | ComplaintWithdrawn
INITIAL: Complaint = Unraised()


def complaint_stream(complaint_id: str) -> str:
    return f"complaint/{complaint_id}"


def raise_complaint(complaint: Complaint, command: RaiseComplaint) -> list[Event]:
    match complaint:
        case Unraised():
            facts = command.model_dump(exclude={"now"})
            return [ComplaintRaised(answer_due_at=command.now + ANSWER_WITHIN, **facts)]
        case Open() | Closed() | Withdrawn():
            return []
        case _:
            assert_never(complaint)


def assign(complaint: Complaint, command: AssignComplaint) -> list[Event]:
    match complaint:
        case Open(_, due_at, owner_id):
            new_due = command.answer_due_at or due_at
            if (command.owner_id, new_due) == (owner_id, due_at):
                return []
            if new_due != due_at and new_due <= command.now:
                raise Rejected("complaint.due-past", due_at=new_due.isoformat(), now=command.now.isoformat())
            complaint_id = command.complaint_id
            return [ComplaintAssigned(complaint_id=complaint_id, owner_id=command.owner_id, answer_due_at=new_due)]
        case Unraised():
            raise Rejected("complaint.unknown", complaint_id=command.complaint_id)
        case Closed():
            raise Rejected("complaint.closed", complaint_id=command.complaint_id)
        case Withdrawn():
            raise Rejected("complaint.withdrawn", complaint_id=command.complaint_id)
        case _:
            assert_never(complaint)


def record_overdue(complaint: Complaint, command: RecordComplaintOverdue) -> list[Event]:
    """Nothing, if it was answered or given another deadline meanwhile."""
    match complaint:
        case Open(_, due_at, owner_id, overdue=False) if due_at == command.due_at:
            return [ComplaintOverdue(complaint_id=command.complaint_id, owner_id=owner_id, due_at=due_at)]
        case _:
            return []


def close(complaint: Complaint, command: CloseComplaint) -> list[Event]:
    match complaint:
        case Open(owner_id=""):
            raise Rejected("complaint.no-owner", complaint_id=command.complaint_id)
        case Open(customer_id, _, owner_id, request_id=request_id):
            said = command.model_dump()
            return [ComplaintClosed(customer_id=customer_id, owner_id=owner_id, request_id=request_id, **said)]
        case Unraised():
            raise Rejected("complaint.unknown", complaint_id=command.complaint_id)
        case Closed():
            raise Rejected("complaint.closed", complaint_id=command.complaint_id)
        case Withdrawn():
            raise Rejected("complaint.withdrawn", complaint_id=command.complaint_id)
        case _:
            assert_never(complaint)


def withdraw(complaint: Complaint, command: WithdrawComplaint) -> list[Event]:
    """What was answered meanwhile stays answered."""
    match complaint:
        case Open(customer_id, _, owner_id, request_id=request_id):
            said = command.model_dump()
            return [ComplaintWithdrawn(customer_id=customer_id, owner_id=owner_id, request_id=request_id, **said)]
        case Withdrawn():
            return []
        case Unraised():
            raise Rejected("complaint.unknown", complaint_id=command.complaint_id)
        case Closed():
            raise Rejected("complaint.closed", complaint_id=command.complaint_id)
        case _:
            assert_never(complaint)


def evolve(complaint: Complaint, event: ComplaintEvent) -> Complaint:
    match event:
        case ComplaintRaised():
            return Open(event.customer_id, event.answer_due_at, request_id=event.request_id)
        case ComplaintAssigned():
            return _assigned(complaint, event)
        case ComplaintOverdue():
            return replace(complaint, overdue=True) if isinstance(complaint, Open) else complaint
        case ComplaintClosed():
            return Closed()
        case ComplaintWithdrawn():
            return Withdrawn()
        case _:
            assert_never(event)


def _assigned(complaint: Complaint, event: ComplaintAssigned) -> Complaint:
    if not isinstance(complaint, Open):
        return complaint
    overdue = complaint.overdue and event.answer_due_at == complaint.answer_due_at
    return Open(complaint.customer_id, event.answer_due_at, event.owner_id, overdue, complaint.request_id)


COMPLAINT: Stream[Complaint] = Stream("complaint", INITIAL, evolve)
