"""
Every message to a customer: what it tells of, and what became of it.

The event that it tells of and its outcome come in either order, so each fills columns of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from contracts.dispatcher import OrderAssigned, OrderReassigned
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import (
    MessageNotSent,
    MessageSent,
    RequestCancelled,
    RequestCorrected,
    RequestExpired,
    RequestIncomplete,
    RequestMovedAway,
    RequestReceived,
    RequestReminded,
)
from contracts.quality import ComplaintClosed, SurveySent
from services.chassis.clock import micros
from services.chassis.views import Rows, View

TEMPLATE_OF: Final[Mapping[type[Event], str]] = {
    RequestReceived: "request-received",
    RequestIncomplete: "request-incomplete",
    RequestReminded: "request-reminded",
    RequestExpired: "request-expired",
    RequestCancelled: "request-cancelled",
    RequestCorrected: "request-corrected",
    RequestMovedAway: "request-moved-away",
    OrderAssigned: "order-assigned",
    OrderReassigned: "order-reassigned",
    SurveySent: "survey",
    ComplaintClosed: "complaint-closed",
}
"""The events that customers are told of, and in which words."""


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    match event:
        case MessageSent():
            _settle(rows, event, envelope, state="sent", provider_ref=event.provider_ref)
        case MessageNotSent():
            _settle(rows, event, envelope, state="not_sent", reason=event.reason, detail=event.detail)
        case _ if envelope.origin == "live":  # Of another system's history nobody is told.
            request_id = str(getattr(event, "request_id", ""))
            template = TEMPLATE_OF[type(event)]
            rows.put(envelope.id, request_id=request_id, template=template, due_at=micros(envelope.recorded_at))


def _settle(rows: Rows, event: MessageSent | MessageNotSent, envelope: Envelope, **more: str) -> None:
    rows.put(
        event.message_id,
        customer_id=event.customer_id,
        language=event.language,
        medium=event.medium,
        recipient=event.recipient,
        attempts=event.attempts,
        settled_at=micros(envelope.time),
        **more,
    )


MESSAGES = View(
    name="messages",
    version=2,
    key={"message_id": str},
    columns={
        "request_id": "",
        "template": "",
        "due_at": 0,
        "state": "due",
        "customer_id": "",
        "language": "",
        "medium": "",
        "recipient": "",
        "reason": "",
        "detail": "",
        "provider_ref": "",
        "attempts": 0,
        "settled_at": (int, None),
    },
    reads=(*TEMPLATE_OF, MessageSent, MessageNotSent),
    apply=apply,
    indexes=(("request_id", "due_at"), ("due_at",)),
    waited_for=False,
)
