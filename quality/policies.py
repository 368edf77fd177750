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


def drawn(visit_id: str) -> int:
    """A number of 0 to 99, even over many visits and always the same for one, so that a repeat draws it again."""
    return int(derived_id("survey-draw", visit_id)[:8], 16) % 100


async def when_service_completed(event: ServiceCompleted, envelope: Envelope, facts: Facts) -> list[SendSurvey]:
    """Each completed visit is asked about once, unless the survey rules spare the customer."""
    return [
        SendSurvey(
            survey_id=derived_id("survey", event.visit_id),
            request_id=event.request_id,
            order_id=event.order_id,
            visit_id=event.visit_id,
            engineer_id=event.engineer_id,
            customer_id=event.customer_id,
            expires_at=envelope.recorded_at + ANSWER_WITHIN,
            draw=drawn(event.visit_id),
            now=facts.now(),
        )
    ]


POLICIES = (Policy("send-survey", (ServiceCompleted,), when_service_completed, stale_after=STALE_AFTER),)
