"""What quality can be asked to do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from services.chassis.command import Command

Rating = Annotated[int, Field(ge=1, le=5)]
Recommends = Annotated[int, Field(ge=0, le=10)]
Words = Annotated[str, Field(min_length=1, max_length=2_000)]


class SetSurveyRules(Command):
    """Who is asked from now on."""

    sample_percent: int = Field(100, ge=0, le=100)
    quiet_days: int = Field(0, ge=0, le=366)


class SendSurvey(Command):
    """A customer whose service was completed is to be asked about it, if the survey rules do not spare them."""

    survey_id: str
    request_id: str
    order_id: str
    visit_id: str
    engineer_id: str
    customer_id: str
    expires_at: AwareDatetime
    draw: int = Field(ge=0, lt=100)
    """A number that chance gave this visit: those below the sample are asked."""
    now: AwareDatetime


class AnswerSurvey(Command):
    """The customer's answer."""

    survey_id: str
    attitude: Rating
    outcome: Rating
    punctuality: Rating
    recommends: Recommends | None = None
    comment: str = Field("", max_length=2_000)
    came_by: Literal["account", "link"] = "account"
    now: AwareDatetime
