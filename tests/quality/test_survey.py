"""A survey is sent once where the rules do not spare the customer, and answered once, in time."""

from datetime import timedelta

from contracts.quality import SurveyRulesSet
from quality.commands import SetSurveyRules
from quality.policies import drawn
from quality.projections.surveys import SURVEYS
from quality.service import RULES
from tests.fold import rows_after
from tests.given import NOW, spec_for
from tests.quality.examples import answer, answered, send, sent, skipped, surveyed

given = spec_for(RULES)

DAY = timedelta(days=1)


def test_a_survey_is_sent_once():
    given().when(send()).then(sent(), surveyed())
    given(sent(), surveyed()).when(send()).then_nothing()


def test_everybody_is_asked_until_rules_say_otherwise():
    given(surveyed(survey_id="s-0", asked_at=NOW)).when(send(draw=99)).then(sent(), surveyed())


def test_of_a_sample_those_below_it_are_asked():
    half = SurveyRulesSet(sample_percent=50)
    given(half).when(send(draw=49)).then(sent(), surveyed())
    given(half).when(send(draw=50)).then(skipped("sample"))
    given(SurveyRulesSet(sample_percent=0)).when(send(draw=0)).then(skipped("sample"))


def test_in_the_quiet_period_a_customer_is_not_asked_again():
    month, before = SurveyRulesSet(quiet_days=30), surveyed(survey_id="s-0", asked_at=NOW - 30 * DAY)
    given(month, before).when(send(now=NOW - timedelta(seconds=1))).then(skipped("quiet"))
    given(month, before).when(send()).then(sent(), surveyed())
    given(month, surveyed(customer_id="c-2", asked_at=NOW)).when(send()).then(sent(), surveyed())


def test_who_was_spared_stays_spared_when_it_is_asked_again():
    given(SurveyRulesSet(sample_percent=100), skipped("sample")).when(send()).then_nothing()
    given(skipped("sample")).when(answer()).then_rejected("survey.unknown")


def test_chance_draws_the_same_for_a_visit_again_and_is_even_over_many():
    assert drawn("v-1") == drawn("v-1")
    below = sum(drawn(f"v-{number}") < 20 for number in range(10_000))
    assert 1_850 < below < 2_150  # 2,000 and four standard deviations


def test_rules_are_set_and_the_same_again_change_nothing():
    given().when(SetSurveyRules(sample_percent=20, quiet_days=90)).then(
        SurveyRulesSet(sample_percent=20, quiet_days=90)
    )
    given(SurveyRulesSet(quiet_days=90)).when(SetSurveyRules(quiet_days=90)).then_nothing()
    given().when(SetSurveyRules()).then_nothing()


def test_the_customers_answer_is_kept():
    given(sent()).when(answer()).then(answered())
    given(sent()).when(answer(recommends=None)).then(answered(recommends=None))


def test_the_same_answer_again_changes_nothing_and_another_is_refused():
    given(sent(), answered()).when(answer()).then_nothing()
    given(sent(), answered()).when(answer(attitude=1)).then_rejected("survey.already-answered")
    given(sent(), answered()).when(answer(recommends=0)).then_rejected("survey.already-answered")


def test_a_link_answers_once_and_says_when_it_was_used():
    given(sent()).when(answer(came_by="link")).then(answered(came_by="link"))
    again = given(sent(), answered()).when(answer(came_by="link"))
    again.then_rejected("survey.link-used", survey_id="s-1", answered_at=NOW.isoformat())


def test_after_its_time_no_answer_is_taken():
    given(sent()).when(answer(now=NOW + 14 * DAY)).then(answered(answered_at=NOW + 14 * DAY))
    given(sent()).when(answer(now=NOW + 14 * DAY + timedelta(seconds=1))).then_rejected("survey.expired")


def test_a_survey_that_was_not_sent_cannot_be_answered():
    given().when(answer()).then_rejected("survey.unknown")


def test_the_view_has_what_was_sent_spared_and_answered():
    rows = rows_after(SURVEYS, [sent(), answered(recommends=0), skipped("quiet", survey_id="s-2")])
    assert (rows[("s-1",)]["skipped"], rows[("s-1",)]["recommends"], rows[("s-1",)]["visit_id"]) == ("", 0, "v-1")
    assert (rows[("s-2",)]["skipped"], rows[("s-2",)]["answered_at"]) == ("quiet", None)
