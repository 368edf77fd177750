"""What quality does when others have done something."""

from __future__ import annotations

from datetime import timedelta

from contracts.envelope import Envelope
from contracts.fieldwork import ServiceCompleted
from quality.commands import SendSurvey
from services.chassis.ids import derived_id
from services.chassis.service import Facts, Policy

ANSWER_WITHIN = timedelta(days=14)
STALE_AFTER = timedelta(days=3)
"""Nobody wants to be asked about a repair of last week."""


async def when_service_completed(event: ServiceCompleted, envelope: Envelope, facts: Facts) -> list[SendSurvey]:
    """Each completed visit is asked about once."""
    return [
        SendSurvey(
            survey_id=derived_id("survey", event.visit_id),
            request_id=event.request_id,
            order_id=event.order_id,
            visit_id=event.visit_id,
            engineer_id=event.engineer_id,
            customer_id=event.customer_id,
            expires_at=envelope.recorded_at + ANSWER_WITHIN,
        )
    ]


POLICIES = (Policy("send-survey", (ServiceCompleted,), when_service_completed, stale_after=STALE_AFTER),)
