"""What intake does when others have done something."""

from __future__ import annotations

from contracts.dispatcher import OrderCancelled
from contracts.envelope import Envelope
from contracts.fieldwork import ServiceCompleted
from intake.commands import CancelRequest, CloseRequest
from services.chassis.service import Facts, Policy


async def when_work_ended(
    event: ServiceCompleted | OrderCancelled, envelope: Envelope, facts: Facts
) -> list[CloseRequest | CancelRequest]:
    """
    Work done in the field is a fact: it closes the request, also one that was withdrawn or cancelled meanwhile.

    A cancelled order ends its request too, unless the customer's own withdrawal has done so.
    """
    if isinstance(event, ServiceCompleted):
        return [CloseRequest(request_id=event.request_id, completed_at=envelope.time)]
    if event.reason == "request-withdrawn":
        return []  # The request ended, or was merged, at intake's own word; by now it may go on with another order.
    return [CancelRequest(request_id=event.request_id)]


POLICIES = (Policy("end-request", (ServiceCompleted, OrderCancelled), when_work_ended),)
