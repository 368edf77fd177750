"""What intake does when others have done something."""

from __future__ import annotations

from typing import Any

from contracts.dispatcher import OrderCancelled
from contracts.envelope import Envelope
from contracts.fieldwork import FollowUpAsked, ServiceCompleted
from contracts.problems import NotYet
from intake import staff_notices
from intake.commands import AskFollowUp, CancelRequest, CloseRequest, PutIntoService, SubmitRequest
from intake.projections.follow_ups import ONE_REQUEST
from intake.projections.registers import ONE_DEVICE
from services.chassis.clock import TENANT_ZONE
from services.chassis.ids import derived_id
from services.chassis.service import Facts, Policy


async def when_work_ended(
    event: ServiceCompleted | OrderCancelled, envelope: Envelope, facts: Facts
) -> list[CloseRequest | CancelRequest]:
    """
    Work done in the field is a fact: it closes the request, also one that was withdrawn or cancelled meanwhile.

    A cancelled order ends its request too, unless the customer's own withdrawal has done so.
    """
    if isinstance(event, ServiceCompleted):
        whose = {"order_id": event.order_id, "customer_id": event.customer_id, "device_id": event.device_id}
        return [CloseRequest(request_id=event.request_id, completed_at=envelope.time, **whose)]
    if event.reason != "dispatcher":
        return []  # It ended, or was merged or corrected, at intake's own word; by now it may go on with another order.
    return [CancelRequest(request_id=event.request_id)]


async def when_installed(event: ServiceCompleted, envelope: Envelope, facts: Facts) -> list[PutIntoService]:
    """A device that we have installed is in service from that day on, where its register names no other."""
    if not event.device_id:
        return []
    requests = await facts.fetch(ONE_REQUEST, tenant=envelope.tenant, request_id=event.request_id)
    if not requests or not requests[0]["request_type"]:
        raise NotYet(f"the view has not seen request {event.request_id}")
    day = envelope.time.astimezone(TENANT_ZONE).date()
    return [
        PutIntoService(
            device_id=event.device_id, serial=row["serial"], request_type=requests[0]["request_type"], on=day
        )
        for row in await facts.fetch(ONE_DEVICE, tenant=envelope.tenant, device_id=event.device_id)
    ]


async def when_follow_up_asked(event: FollowUpAsked, envelope: Envelope, facts: Facts) -> list[AskFollowUp]:
    """
    What was not in order becomes a request of the same type, customer, device and site, with a number of its own.

    Its id follows from the visit and the point, so that each point has one.
    """
    rows = await facts.fetch(ONE_REQUEST, tenant=envelope.tenant, request_id=event.request_id)
    if not rows or not rows[0]["request_type"]:
        raise NotYet(f"the view has not seen request {event.request_id}")
    said: dict[str, Any] = {
        "request_type": rows[0]["request_type"],
        "customer_id": event.customer_id,
        "device_id": event.device_id,
        "site_id": rows[0]["site_id"],
        "description": " ".join(f"上门检查不合格 Not in order at a visit: {event.item} {event.note}".split()),
        "day": envelope.recorded_at.astimezone(TENANT_ZONE).date().isoformat(),
    }
    new = SubmitRequest(request_id=derived_id("follow-up", event.visit_id, event.item), **said)
    return [AskFollowUp(follows_id=event.request_id, visit_id=event.visit_id, item=event.item, request=new)]


POLICIES = (
    Policy("end-request", (ServiceCompleted, OrderCancelled), when_work_ended),
    Policy("device-in-service", (ServiceCompleted,), when_installed),
    Policy("request-follow-up", (FollowUpAsked,), when_follow_up_asked),
    staff_notices.POLICY,
)
