"""Events of quality: what customers say of the service."""

from __future__ import annotations

from typing import Annotated

from contracts.event import Event, Personal, Rating, Utc, belongs_to


@belongs_to("survey", of="survey_id", key="request_id")
class SurveySent(Event, frozen=True, kw_only=True):
    """The customer is asked how it went. Read by: reporting."""

    survey_id: str
    request_id: str
    order_id: str
    visit_id: str
    engineer_id: str
    customer_id: str
    expires_at: Utc
    """An answer is taken until then."""


@belongs_to("survey", of="survey_id", key="request_id")
class FeedbackReceived(Event, frozen=True, kw_only=True):
    """The customer has answered, once. Read by: reporting."""

    survey_id: str
    request_id: str
    order_id: str
    engineer_id: str
    customer_id: str
    attitude: Rating
    outcome: Rating
    punctuality: Rating
    comment: Annotated[str, Personal("customer_id")] = ""
