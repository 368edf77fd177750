"""Events of quality: what customers say of the service, whom they are asked, and what follows from it."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from contracts.event import Event, NonNegative, Personal, Rating, Utc, belongs_to

Percent = Annotated[int, Meta(ge=0, le=100)]
Recommends = Annotated[int, Meta(ge=0, le=10)]
"""How likely the customer is to recommend the service, from 0 (not at all) to 10 (certainly)."""


@belongs_to("survey-rules", of="rules_id")
class SurveyRulesSet(Event, frozen=True, kw_only=True):
    """Which customers are asked, from now on; until it is recorded each one is, after each completed visit."""

    rules_id: Literal["surveys"] = "surveys"
    sample_percent: Percent = 100
    """Of so many in a hundred completed visits the customer is asked."""
    quiet_days: NonNegative = 0
    """For so many days after a survey was sent, its customer is sent no other; with 0 there is no quiet period."""


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
class SurveySkipped(Event, frozen=True, kw_only=True):
    """
    The customer is not asked about this visit, and why. It says nothing of the visit.

    Acted on by: nobody. Read by: quality, so that the share of answers is that of the surveys that were sent.
    """

    survey_id: str
    request_id: str
    order_id: str
    visit_id: str
    engineer_id: str
    customer_id: str
    reason: Literal["sample", "quiet"]
    """`sample`: the draw fell on another; `quiet`: the customer was asked a short while ago."""


@belongs_to("surveyed", of="customer_id", public=False)
class CustomerSurveyed(Event, frozen=True, kw_only=True):
    """A customer was sent a survey: recorded with it, so that no two of one quiet period are sent at once."""

    customer_id: str
    survey_id: str
    asked_at: Utc


@belongs_to("survey", of="survey_id", key="request_id")
class FeedbackReceived(Event, frozen=True, kw_only=True):
    """The customer has answered, once. Read by: quality, reporting."""

    survey_id: str
    request_id: str
    order_id: str
    engineer_id: str
    customer_id: str
    attitude: Rating
    outcome: Rating
    punctuality: Rating
    recommends: Recommends | None = None
    """None where the customer did not say."""
    comment: Annotated[str, Personal("customer_id")] = ""
    visit_id: str = ""
    """Which visit it is about; empty in records that did not say."""
    answered_at: Utc | None = None
    """The envelope's time, for decisions, which see no envelope; none in records that did not say."""
    came_by: Literal["account", "link"] = "account"
    """`link`: whoever held the survey's link, which is used up with it; else somebody who had signed in."""
