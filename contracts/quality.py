"""Events of quality: what customers say of the service, whom they are asked, and what follows from it."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from msgspec import Meta, Struct

from contracts.event import Event, NonNegative, Personal, Positive, Rating, Utc, belongs_to

Percent = Annotated[int, Meta(ge=0, le=100)]
Recommends = Annotated[int, Meta(ge=0, le=10)]
"""How likely the customer is to recommend the service, from 0 (not at all) to 10 (certainly)."""


# Surveys.

SURVEY_LINK: Final = "survey"
"""The purpose of a survey's link."""
SURVEY_PAGE: Final = "/v1/surveys/page"
"""The page that it opens, for whoever has a browser."""
LINK_OUTLIVES: Final = 180
"""For so many days a link still opens after its survey is over, so that its holder is told that it is over."""


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


# Alerts.

AlertKind = Literal["bad-rating", "repeat-visit"]
Watched = Literal["engineer", "region", "device_model"]
Judged = Literal["percent", "control-chart"]
"""Against which limit a figure is held: a percentage, or the control limit that a baseline gives its size."""


class Window(Struct, frozen=True):
    """Some whole weeks of one engineer, region or device model (a baseline: of all), and what was counted in them."""

    begins_on: str
    """ISO date of the first day, a Monday in the tenant's zone."""
    ends_on: str
    """ISO date of the day after the last, a Monday."""
    counted: NonNegative
    """bad-rating: visits that were rated; repeat-visit: visits to a device."""
    bad: NonNegative
    """bad-rating: of these, with two stars or fewer; repeat-visit: of these, with a visit for the same fault after."""


@belongs_to("alert-rules", of="rules_id")
class AlertRulesSet(Event, frozen=True, kw_only=True):
    """From which figures on an alert is raised; until it is recorded, from the defaults on."""

    rules_id: Literal["alerts"] = "alerts"
    bad_percent: Percent = 20
    """An alert is raised where more of the rated visits than this are badly rated…"""
    bad_weeks: Positive = 2
    """…in each of so many weeks running."""
    min_ratings: Positive = 5
    """A week with fewer ratings says nothing: it neither raises an alert nor ends one."""
    repeat_percent: Percent = 15
    """An alert is raised where more of the visits than this were not the last for their fault…"""
    repeat_weeks: Positive = 4
    """…over so many weeks together."""
    min_visits: Positive = 5
    """The same for visits, over these weeks together."""
    repeat_days: Positive = 30
    """A visit to the same device for the same fault is a repeat for so many days."""
    bad_judged: Judged = "percent"
    """`control-chart`: above the control limit instead of above `bad_percent`, in each of these weeks."""
    repeat_judged: Judged = "percent"
    """The same for repeat visits and `repeat_percent`."""
    baseline_weeks: Positive = 12
    """Of a control chart: the figure of all in so many weeks before those that are judged is the baseline."""


@belongs_to("judged-day", of="day", public=False)
class DayEnded(Event, frozen=True, kw_only=True):
    """
    A day began in which the figures of the weeks before are to be judged, also those that were late.

    Acted on by: quality (raises alerts, and sees that figures have recovered).
    """

    day: str
    """ISO date in the tenant's zone."""


@belongs_to("alert", of="alert_id")
class QualityAlertRaised(Event, frozen=True, kw_only=True):
    """A figure is worse than the rules allow, and somebody is to follow it up. Raised again only after it has ended."""

    alert_id: str
    """Of the figure: each raising of it is counted by `raising`."""
    raising: Positive
    kind: AlertKind
    of: Watched
    subject: str
    """The engineer's id, the region or the device model."""
    limit_percent: Percent
    """Of a control chart: its limit for the newest window, as a whole percentage, rounded down."""
    windows: tuple[Window, ...]
    """The oldest first."""
    baseline: Window | None = None
    """Of a control chart: the weeks before, of all; none where the figure was held against a percentage."""


@belongs_to("alert", of="alert_id")
class GroupAlertRaised(Event, frozen=True, kw_only=True):
    """
    A figure of a group of engineers or devices is worse than the rules allow, and somebody is to follow it up.

    It stands beside QualityAlertRaised, whose choices cannot grow, and is followed and ended by the same events.
    """

    alert_id: str
    raising: Positive
    kind: AlertKind
    of: str
    """`team`; `supplier`, the company that sends engineers; `device_supplier`, the one that sold the devices."""
    subject: str
    """The group's name."""
    limit_percent: Percent
    windows: tuple[Window, ...]
    """The oldest first; a visit counts for the group that its engineer was of when it was completed."""
    baseline: Window | None = None


@belongs_to("alert", of="alert_id")
class QualityAlertFollowed(Event, frozen=True, kw_only=True):
    """Somebody owns the alert and says what is done about it, such as a training. Recorded again when that changes."""

    alert_id: str
    raising: Positive
    subject: str
    owner_id: str
    measure: Annotated[str, Personal("subject")]


@belongs_to("alert", of="alert_id")
class QualityAlertRecovered(Event, frozen=True, kw_only=True):
    """The newest figure, of enough, is within the limit again. It ends the alert, whoever follows it."""

    alert_id: str
    raising: Positive
    windows: tuple[Window, ...]


@belongs_to("alert", of="alert_id")
class QualityAlertClosed(Event, frozen=True, kw_only=True):
    """Its owner has seen what the measure did. The figure is judged anew by weeks that end after that."""

    alert_id: str
    raising: Positive
    subject: str
    closed_on: str
    """ISO date in the tenant's zone."""
    effect: Annotated[str, Personal("subject")]


# Standards, and whether they were kept.


class StandardItem(Struct, frozen=True):
    """One thing that is expected of every visit of a kind, such as the uniform, and what shows it."""

    item_id: str
    en: str
    zh: str
    shown_by: Literal["photo", "answer"] = "photo"
    """`photo`: a picture of the site; `answer`: what the customer says in the survey."""


@belongs_to("standard", of="type_id")
class StandardDefined(Event, frozen=True, kw_only=True):
    """
    One version of what is expected of the visits for a type of request. Inspections keep the version they began with.

    Without items nothing is expected, and no visit is inspected any more. Cited by InspectionOpened.
    """

    type_id: str
    standard_version: Positive
    items: tuple[StandardItem, ...]
    effective_from: Utc | None = None
    """Visits that were completed from then on are held against it; none: all that are inspected after this event."""


@belongs_to("inspection", of="inspection_id", key="request_id")
class InspectionOpened(Event, frozen=True, kw_only=True):
    """A finished visit waits for somebody to look whether the standard was kept."""

    inspection_id: str
    request_id: str
    visit_id: str
    order_id: str
    engineer_id: str
    customer_id: str
    type_id: str
    standard_version: Positive
    items: tuple[StandardItem, ...]
    """As the standard had them then."""


class Verdict(Struct, frozen=True):
    """What a reviewer found of one item."""

    item_id: str
    found: Literal["kept", "broken", "not-shown"]
    """`not-shown`: neither photo nor answer says it; it is no failure of the visit."""


@belongs_to("inspection", of="inspection_id", key="request_id")
class StandardChecked(Event, frozen=True, kw_only=True):
    """A reviewer has looked at every item. CorrectionAsked follows when one was broken."""

    inspection_id: str
    request_id: str
    visit_id: str
    engineer_id: str
    reviewer_id: str
    verdicts: tuple[Verdict, ...]
    passed: bool
    note: Annotated[str, Personal("engineer_id")] = ""
    """What the reviewer saw, in their words."""


@belongs_to("inspection", of="inspection_id", key="request_id")
class CorrectionAsked(Event, frozen=True, kw_only=True):
    """Somebody is to put right what was broken, and to say by then what was done."""

    inspection_id: str
    request_id: str
    engineer_id: str
    owner_id: str
    due_at: Utc
    items: tuple[str, ...]
    """The ids of those that were broken."""


@belongs_to("inspection", of="inspection_id", key="request_id")
class CorrectionDueSoon(Event, frozen=True, kw_only=True):
    """
    A day is left to put right what was broken. Recorded once, by its timer, where there was more time than that.

    Acted on by: intake (reminds the owner).
    """

    inspection_id: str
    request_id: str
    owner_id: str
    due_at: Utc


@belongs_to("inspection", of="inspection_id", key="request_id")
class CorrectionOverdue(Event, frozen=True, kw_only=True):
    """Nobody has said in time what was done. Recorded once, by its timer; it reminds the owner."""

    inspection_id: str
    request_id: str
    owner_id: str
    due_at: Utc


@belongs_to("inspection", of="inspection_id", key="request_id")
class CorrectionDone(Event, frozen=True, kw_only=True):
    """What was broken is put right."""

    inspection_id: str
    request_id: str
    owner_id: str
    done: Annotated[str, Personal("owner_id")]
    """What was done, in the owner's words."""


# Complaints.

RootCause = Literal["manner", "workmanship", "late", "part", "price", "product", "communication", "unfounded", "other"]
"""Why there was reason to complain; `unfounded`: there was none."""


@belongs_to("complaint", of="complaint_id")
class ComplaintRaised(Event, frozen=True, kw_only=True):
    """A customer is not content, and is to be answered by then."""

    complaint_id: str
    customer_id: str
    request_id: str = ""
    """Which request it is about; empty where it is about none."""
    answer_due_at: Utc
    words: Annotated[str, Personal("customer_id")]


@belongs_to("complaint", of="complaint_id")
class ComplaintAssigned(Event, frozen=True, kw_only=True):
    """Somebody is to answer it, by then. Recorded again when that changes."""

    complaint_id: str
    owner_id: str
    answer_due_at: Utc


@belongs_to("complaint", of="complaint_id")
class ComplaintOverdue(Event, frozen=True, kw_only=True):
    """The customer was not answered in time. Recorded once for a deadline, by its timer; it reminds the owner."""

    complaint_id: str
    owner_id: str
    """Empty where nobody has taken it."""
    due_at: Utc


@belongs_to("complaint", of="complaint_id")
class ComplaintClosed(Event, frozen=True, kw_only=True):
    """The customer is answered, and it is known why there was reason to complain."""

    complaint_id: str
    customer_id: str
    owner_id: str
    root_cause: RootCause
    answer: Annotated[str, Personal("customer_id")]
    request_id: str = ""
    """Which request it is about; empty where it is about none, and in records that did not say."""


@belongs_to("complaint", of="complaint_id")
class ComplaintWithdrawn(Event, frozen=True, kw_only=True):
    """Who complained has nothing to complain of any more, and is owed no answer."""

    complaint_id: str
    customer_id: str
    owner_id: str
    """Empty where nobody had taken it."""
    request_id: str = ""
    reason: Annotated[str, Personal("customer_id")] = ""


# What engineers say of their work.


@belongs_to("staff-survey", of=("engineer_id", "month"), key=None)
class StaffSurveyAnswered(Event, frozen=True, kw_only=True):
    """
    An engineer has said how the work of a month was, once. Nobody's work is judged by it. Read by: reporting.
    """

    engineer_id: str
    month: str
    """`2026-11`, of the tenant's zone."""
    content: Rating
    """With the work as a whole."""
    workload: Rating
    """1: far too much or too little; 5: just right."""
    support: Rating
    """By the desk, by colleagues, by parts and papers."""
    comment: Annotated[str, Personal("engineer_id")] = ""
