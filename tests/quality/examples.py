"""Events and commands of quality that are valid by default; a test says what matters to it."""

from datetime import date, timedelta

from contracts.fieldwork import ServiceCompleted
from contracts.intake import RequestReceived
from contracts.quality import (
    CorrectionAsked,
    CustomerSurveyed,
    FeedbackReceived,
    InspectionOpened,
    QualityAlertClosed,
    QualityAlertFollowed,
    QualityAlertRaised,
    QualityAlertRecovered,
    StandardChecked,
    StandardDefined,
    StandardItem,
    SurveySent,
    SurveySkipped,
    Verdict,
    Window,
)
from quality.commands import (
    AnswerSurvey,
    Counted,
    ItemVerdict,
    JudgeAlert,
    OpenInspection,
    ReviewInspection,
    SendSurvey,
)
from tests.given import NOW

WHOM = {"request_id": "r-1", "order_id": "o-1", "engineer_id": "e-1", "customer_id": "c-1"}
SAID = {"attitude": 5, "outcome": 4, "punctuality": 3, "recommends": 9}


def send(**changes):
    facts = {"survey_id": "s-1", "visit_id": "v-1", "expires_at": NOW + timedelta(days=14), "draw": 0, "now": NOW}
    return SendSurvey(**facts | WHOM | changes)


def sent(**changes):
    return SurveySent(
        **{"survey_id": "s-1", "visit_id": "v-1", "expires_at": NOW + timedelta(days=14)} | WHOM | changes
    )


def skipped(reason, **changes):
    return SurveySkipped(**{"survey_id": "s-1", "visit_id": "v-1", "reason": reason} | WHOM | changes)


def surveyed(**changes):
    return CustomerSurveyed(**{"customer_id": "c-1", "survey_id": "s-1", "asked_at": NOW} | changes)


def answer(**changes):
    return AnswerSurvey(**{"survey_id": "s-1", "comment": "good", "now": NOW} | SAID | changes)


def answered(**changes):
    facts = {"survey_id": "s-1", "visit_id": "v-1", "comment": "good", "answered_at": NOW}
    return FeedbackReceived(**facts | SAID | WHOM | changes)


def request_received(**changes):
    facts = {
        "request_id": "r-1",
        "number": "R-261124-0001",
        "request_type": "repair",
        "type_version": 1,
        "customer_id": "c-1",
        "device_id": "d-1",
        "device_model": "BCD-520",
        "skill": "cooling",
        "duration_s": 3_600,
        "region": "朝阳区",
        "lat_udeg": 43_833_000,
        "lon_udeg": 125_289_000,
    }
    return RequestReceived(**facts | changes)


def service_completed(**changes):
    facts = {
        "visit_id": "v-1",
        "device_id": "d-1",
        "device_model": "BCD-520",
        "rating": 5,
        "signature": "M10 80",
        "departed_at": NOW - timedelta(hours=3),
        "arrived_at": NOW - timedelta(hours=2),
        "started_at": NOW - timedelta(hours=2),
        "finished_at": NOW - timedelta(hours=1),
    }
    return ServiceCompleted(**facts | WHOM | changes)


FORTNIGHT = (Window("2026-11-09", "2026-11-16", 10, 3), Window("2026-11-16", "2026-11-23", 10, 3))
"""Two weeks in which more than a fifth was rated badly."""


WEEKS_BEFORE = "2026-08-24", "2026-11-16"
"""The twelve weeks before the one that ends on 23 November."""


def judge(*counts, kind="bad-rating", ends_on=date(2026, 11, 23), weeks=1, baseline=None, **changes):
    """The figures as (counted, bad), the oldest first; the last ends on `ends_on`."""
    week, windows = timedelta(days=7 * weeks), []
    for back, (counted, bad) in enumerate(reversed(counts)):
        end = ends_on - back * week
        windows.insert(0, Counted(begins_on=end - week, ends_on=end, counted=counted, bad=bad))
    facts = {"alert_id": "a-1", "kind": kind, "of": "engineer", "subject": "e-1", "windows": tuple(windows)}
    if baseline is not None:
        begins_on, ends_on = WEEKS_BEFORE
        facts["baseline"] = Counted(begins_on=begins_on, ends_on=ends_on, counted=baseline[0], bad=baseline[1])
    return JudgeAlert(**facts | changes)


def raised(**changes):
    facts = {"alert_id": "a-1", "raising": 1, "kind": "bad-rating", "of": "engineer", "subject": "e-1"}
    return QualityAlertRaised(**facts | {"limit_percent": 20, "windows": FORTNIGHT} | changes)


def followed(**changes):
    facts = {"alert_id": "a-1", "raising": 1, "subject": "e-1", "owner_id": "m-1", "measure": "training"}
    return QualityAlertFollowed(**facts | changes)


def recovered(*windows, **changes):
    return QualityAlertRecovered(**{"alert_id": "a-1", "raising": 1, "windows": windows} | changes)


def closed(**changes):
    facts = {"alert_id": "a-1", "raising": 1, "subject": "e-1", "closed_on": "2026-11-24", "effect": "no more"}
    return QualityAlertClosed(**facts | changes)


ITEMS = (
    StandardItem("uniform", "Uniform and badge", "工服和工牌", "photo"),
    StandardItem("shoe-covers", "Shoe covers", "鞋套", "answer"),
)


def standard(*items, version=1, **changes):
    return StandardDefined(type_id="repair", standard_version=version, items=items or ITEMS, **changes)


def open_inspection(**changes):
    facts = {"inspection_id": "i-1", "visit_id": "v-1", "type_id": "repair", "completed_at": NOW}
    return OpenInspection(**facts | WHOM | changes)


def opened(**changes):
    facts = {"inspection_id": "i-1", "visit_id": "v-1", "type_id": "repair", "standard_version": 1, "items": ITEMS}
    return InspectionOpened(**facts | WHOM | changes)


def review(uniform="kept", shoe_covers="kept", **changes):
    found = {"uniform": uniform, "shoe-covers": shoe_covers}
    verdicts = tuple([ItemVerdict(item_id=name, found=one) for name, one in found.items() if one])
    return ReviewInspection(
        **{"inspection_id": "i-1", "reviewer_id": "m-1", "verdicts": verdicts, "now": NOW} | changes
    )


def checked(uniform="kept", shoe_covers="kept", **changes):
    verdicts = Verdict("uniform", uniform), Verdict("shoe-covers", shoe_covers)
    facts = {"inspection_id": "i-1", "request_id": "r-1", "visit_id": "v-1", "engineer_id": "e-1", "reviewer_id": "m-1"}
    return StandardChecked(**facts | {"verdicts": verdicts, "passed": "broken" not in (uniform, shoe_covers)} | changes)


def correction(**changes):
    facts = {"inspection_id": "i-1", "request_id": "r-1", "engineer_id": "e-1", "owner_id": "e-1"}
    return CorrectionAsked(**facts | {"due_at": NOW + timedelta(days=7), "items": ("uniform",)} | changes)
