"""A survey is sent once and answered once, in time."""

from datetime import timedelta

from contracts.quality import FeedbackReceived, SurveySent
from quality.commands import AnswerSurvey, SendSurvey
from quality.service import RULES
from tests.given import NOW, spec_for

given = spec_for(RULES)

WHOM = {"request_id": "r-1", "order_id": "o-1", "engineer_id": "e-1", "customer_id": "c-1"}
SENT_FACTS = {"survey_id": "s-1", "visit_id": "v-1", "expires_at": NOW + timedelta(days=14), **WHOM}
SENT = SurveySent(**SENT_FACTS)
RATINGS = {"attitude": 5, "outcome": 4, "punctuality": 3}
ANSWERED = FeedbackReceived(survey_id="s-1", comment="good", **RATINGS, **WHOM)


def answer(**changes):
    return AnswerSurvey(**{"survey_id": "s-1", "comment": "good", "now": NOW, **RATINGS} | changes)


def test_a_survey_is_sent_once():
    given().when(SendSurvey(**SENT_FACTS)).then(SENT)
    given(SENT).when(SendSurvey(**SENT_FACTS)).then_nothing()


def test_the_customers_answer_is_kept():
    given(SENT).when(answer()).then(ANSWERED)


def test_the_same_answer_again_changes_nothing_and_another_is_refused():
    given(SENT, ANSWERED).when(answer()).then_nothing()
    given(SENT, ANSWERED).when(answer(attitude=1)).then_rejected("survey.already-answered")


def test_after_its_time_no_answer_is_taken():
    given(SENT).when(answer(now=NOW + timedelta(days=14))).then(ANSWERED)
    given(SENT).when(answer(now=NOW + timedelta(days=14, seconds=1))).then_rejected("survey.expired")


def test_a_survey_that_was_not_sent_cannot_be_answered():
    given().when(answer()).then_rejected("survey.unknown")
