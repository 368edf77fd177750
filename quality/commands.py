"""What quality can be asked to do."""

from __future__ import annotations

from typing import Annotated

from pydantic import AwareDatetime, Field

from services.chassis.command import Command

Rating = Annotated[int, Field(ge=1, le=5)]


class SendSurvey(Command):
    """A customer whose service was completed is to be asked about it."""

    survey_id: str
    request_id: str
    order_id: str
    visit_id: str
    engineer_id: str
    customer_id: str
    expires_at: AwareDatetime


class AnswerSurvey(Command):
    """The customer's answer."""

    survey_id: str
    attitude: Rating
    outcome: Rating
    punctuality: Rating
    comment: str = Field("", max_length=2_000)
    now: AwareDatetime
