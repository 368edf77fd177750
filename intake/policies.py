"""What intake does when others have done something."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.fieldwork import ServiceCompleted
from intake.commands import CloseRequest
from services.chassis.service import Facts, Policy


async def when_service_completed(event: ServiceCompleted, envelope: Envelope, facts: Facts) -> list[CloseRequest]:
    """Work done in the field is a fact: it closes the request, also one that was withdrawn meanwhile."""
    return [CloseRequest(request_id=event.request_id)]


POLICIES = (Policy("close-request", (ServiceCompleted,), when_service_completed),)
