"""What a customer and the desk write to each other about a request: while it is open, and after its end."""

from __future__ import annotations

from typing import Final

from contracts.event import Event
from contracts.intake import RequestRemarked
from contracts.problems import Rejected
from intake.commands import RemarkOnRequest
from intake.domain.request import Absent, request_stream
from services.chassis.journal.rules import States, Stream

MOST: Final = 200
"""Remarks on one request."""

Remarks = frozenset[str]
"""Their ids."""


def remarks_stream(request_id: str) -> str:
    return f"request-remarks/{request_id}"


def reads(command: RemarkOnRequest) -> tuple[str, ...]:
    return (remarks_stream(command.request_id), request_stream(command.request_id))


def remark(states: States, command: RemarkOnRequest) -> list[Event]:
    """What is sent again under its id changes nothing."""
    remarks: Remarks = states[remarks_stream(command.request_id)]
    if isinstance(states[request_stream(command.request_id)], Absent):
        raise Rejected("request.unknown", request_id=command.request_id)
    if command.remark_id in remarks:
        return []
    if len(remarks) >= MOST:
        raise Rejected("request.remarks-full", request_id=command.request_id, most=MOST)
    return [RequestRemarked(**command.model_dump())]


def evolve(remarks: Remarks, event: RequestRemarked) -> Remarks:
    return remarks | {event.remark_id}


REMARKS: Stream[Remarks] = Stream("request-remarks", frozenset(), evolve)
