"""Events and commands of quality that are valid by default; a test says what matters to it."""

from datetime import timedelta

from contracts.fieldwork import ServiceCompleted
from contracts.intake import RequestReceived
from contracts.quality import CustomerSurveyed, FeedbackReceived, SurveySent, SurveySkipped
from quality.commands import AnswerSurvey, SendSurvey
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
