"""Every survey with its answer."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.quality import FeedbackReceived, SurveySent
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: SurveySent | FeedbackReceived, envelope: Envelope) -> None:
    match event:
        case SurveySent():
            rows.put(
                event.survey_id,
                version=envelope.version,
                request_id=event.request_id,
                order_id=event.order_id,
                engineer_id=event.engineer_id,
                customer_id=event.customer_id,
                sent_at=micros(envelope.time),
                expires_at=micros(event.expires_at),
            )
        case FeedbackReceived():
            rows.put(
                event.survey_id,
                version=envelope.version,
                attitude=event.attitude,
                outcome=event.outcome,
                punctuality=event.punctuality,
                comment=event.comment,
                answered_at=micros(envelope.time),
            )


SURVEYS = View(
    name="surveys",
    version=1,
    key={"survey_id": str},
    columns={
        "version": 0,
        "request_id": "",
        "order_id": "",
        "engineer_id": "",
        "customer_id": "",
        "sent_at": 0,
        "expires_at": 0,
        "answered_at": (int, None),
        "attitude": (int, None),
        "outcome": (int, None),
        "punctuality": (int, None),
        "comment": "",
    },
    reads=(SurveySent, FeedbackReceived),
    apply=apply,
    indexes=(("customer_id",), ("request_id",), ("sent_at",)),
)
