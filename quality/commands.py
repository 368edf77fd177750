"""What quality can be asked to do."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from contracts.quality import AlertKind, Judged, RootCause
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


class SetAlertRules(Command):
    """From which figures on an alert is raised."""

    bad_percent: int = Field(20, ge=0, le=100)
    bad_weeks: int = Field(2, ge=1, le=12)
    min_ratings: int = Field(5, ge=1, le=10_000)
    repeat_percent: int = Field(15, ge=0, le=100)
    repeat_weeks: int = Field(4, ge=1, le=26)
    min_visits: int = Field(5, ge=1, le=10_000)
    repeat_days: int = Field(30, ge=1, le=366)
    bad_judged: Judged = "percent"
    repeat_judged: Judged = "percent"
    baseline_weeks: int = Field(12, ge=4, le=52)


class EndDay(Command):
    """A day has begun for which figures wait to be judged."""

    day: str


Watched = Literal["engineer", "team", "supplier", "region", "device_model", "device_supplier"]
"""Whose figures raise alerts."""


class Counted(Command):
    """What was counted in some whole weeks; `begins_on` and `ends_on` are Mondays, the second one is after the last."""

    begins_on: date
    ends_on: date
    counted: int
    bad: int


class JudgeAlert(Command):
    """The figures of one engineer, group of them, region, device model or device supplier as they are known now."""

    alert_id: str
    kind: AlertKind
    of: Watched
    subject: str
    windows: tuple[Counted, ...]
    """The oldest first."""
    baseline: Counted | None = None
    """What was counted of all in the weeks before, where the rules ask for a control chart."""


class FollowAlert(Command):
    """Somebody takes an alert upon them and says what is done."""

    alert_id: str
    owner_id: str = Field(min_length=1, max_length=100)
    measure: Words


class CloseAlert(Command):
    """What the measure did."""

    alert_id: str
    effect: Words
    today: date
    """In the tenant's zone."""


# Standards, and whether they were kept.

Code = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]
"""A name in a contract: small letters, digits and hyphens."""


class Item(Command):
    """One thing that is expected."""

    item_id: Code
    en: str = Field(min_length=1, max_length=200)
    zh: str = Field(min_length=1, max_length=200)
    shown_by: Literal["photo", "answer"] = "photo"


class DefineStandard(Command):
    """The next version of what is expected of the visits for a type of request."""

    type_id: str
    items: tuple[Item, ...] = Field(max_length=50)
    effective_from: AwareDatetime | None = None
    """None: at once."""
    now: AwareDatetime


class OpenInspection(Command):
    """A visit was finished; if its type of request has a standard, somebody is to look."""

    inspection_id: str
    request_id: str
    visit_id: str
    order_id: str
    engineer_id: str
    customer_id: str
    type_id: str
    completed_at: AwareDatetime
    """It is held against the version of the standard that was in force then."""


class ItemVerdict(Command):
    """What was found of one item."""

    item_id: Code
    found: Literal["kept", "broken", "not-shown"]


class ReviewInspection(Command):
    """A verdict for every item, and who puts right by when what was broken."""

    inspection_id: str
    reviewer_id: str
    verdicts: tuple[ItemVerdict, ...] = Field(max_length=50)
    note: str = Field("", max_length=2_000)
    owner_id: str = Field("", max_length=100)
    """Empty: the engineer of the visit."""
    due_at: AwareDatetime | None = None
    """None: `CORRECT_WITHIN` from now on."""
    now: AwareDatetime


class RecordCorrectionDueSoon(Command):
    """A day is left in which a correction is to be done."""

    inspection_id: str
    due_at: AwareDatetime


class RecordCorrectionOverdue(Command):
    """The time in which a correction was to be done is over."""

    inspection_id: str
    due_at: AwareDatetime


class FinishCorrection(Command):
    """What was done about what was broken."""

    inspection_id: str
    done: Words


# Complaints.


class RaiseComplaint(Command):
    """A customer is not content."""

    complaint_id: str
    customer_id: str
    request_id: str = ""
    words: Words
    now: AwareDatetime


class AssignComplaint(Command):
    """Somebody is to answer it."""

    complaint_id: str
    owner_id: str = Field(min_length=1, max_length=100)
    answer_due_at: AwareDatetime | None = None
    """None: the deadline stays."""
    now: AwareDatetime


class RecordComplaintOverdue(Command):
    """The time in which the customer was to be answered is over."""

    complaint_id: str
    due_at: AwareDatetime


class CloseComplaint(Command):
    """What the customer is answered, and what was behind it."""

    complaint_id: str
    root_cause: RootCause
    answer: Words


class WithdrawComplaint(Command):
    """Who complained is owed no answer any more."""

    complaint_id: str
    reason: str = Field("", max_length=1_000)


# What engineers say of their work.


class AnswerStaffSurvey(Command):
    """How the work of a month was, as an engineer sees it."""

    engineer_id: str
    month: str = Field(pattern=r"^[0-9]{4}-(0[1-9]|1[0-2])$")
    content: Rating
    workload: Rating
    support: Rating
    comment: str = Field("", max_length=2_000)
    now: AwareDatetime
