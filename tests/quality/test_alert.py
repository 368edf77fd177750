"""An alert is raised once for a figure that is too bad, followed, ended, and raised again only after that."""

from datetime import date

import pytest

from contracts.quality import AlertRulesSet, DayEnded, GroupAlertRaised, Window
from quality.commands import CloseAlert, EndDay, FollowAlert, SetAlertRules
from quality.projections.alerts import ALERTS
from quality.service import RULES
from tests.fold import rows_after
from tests.given import spec_for
from tests.quality.examples import FORTNIGHT, closed, followed, judge, raised, recovered

given = spec_for(RULES)

FOLLOW = FollowAlert(alert_id="a-1", owner_id="m-1", measure="training")
CLOSE = CloseAlert(alert_id="a-1", effect="no more", today=date(2026, 11, 24))
NEXT = date(2026, 11, 30)
"""The Monday after."""


def test_two_bad_weeks_running_raise_it():
    given().when(judge((10, 3), (10, 3))).then(raised())


@pytest.mark.parametrize("counts", [((10, 2), (10, 3)), ((10, 3), (10, 2))], ids=["only the second", "only the first"])
def test_one_bad_week_does_not(counts):
    given().when(judge(*counts)).then_nothing()


def test_the_limit_itself_is_not_above_it_and_the_next_rating_is():
    given().when(judge((5, 1), (1_000, 200))).then_nothing()
    given().when(judge((1_000, 201), (1_000, 201))).then(
        raised(windows=(Window("2026-11-09", "2026-11-16", 1_000, 201), Window("2026-11-16", "2026-11-23", 1_000, 201)))
    )


@pytest.mark.parametrize("counts", [((4, 4), (10, 9)), ((10, 9), (4, 4)), ((0, 0), (10, 9))])
def test_a_week_of_too_few_ratings_raises_nothing(counts):
    given().when(judge(*counts)).then_nothing()


def test_repeats_are_judged_over_all_weeks_together():
    month = Window("2026-10-26", "2026-11-23", 20, 4)
    over = judge((20, 4), kind="repeat-visit", weeks=4)
    given().when(over).then(raised(kind="repeat-visit", limit_percent=15, windows=(month,)))
    given().when(judge((20, 3), kind="repeat-visit", weeks=4)).then_nothing()
    given().when(judge((4, 4), kind="repeat-visit", weeks=4)).then_nothing()


def test_it_is_judged_by_the_rules_as_they_are_now():
    strict = AlertRulesSet(bad_percent=10, bad_weeks=1, min_ratings=2)
    one = Window("2026-11-16", "2026-11-23", 2, 1)
    given(strict).when(judge((2, 1))).then(raised(limit_percent=10, windows=(one,)))
    given(AlertRulesSet(bad_percent=30)).when(judge((10, 3), (10, 3))).then_nothing()
    # A policy that looked before the rules were changed brings too few weeks; the next night brings enough.
    given(AlertRulesSet(bad_weeks=3)).when(judge((10, 3), (10, 3))).then_nothing()


def test_while_it_is_raised_it_is_not_raised_again():
    for before in ([raised()], [raised(), followed()]):
        given(*before).when(judge((10, 3), (10, 9), ends_on=NEXT)).then_nothing()


def test_a_newest_week_within_the_limit_ends_it():
    windows = Window("2026-11-16", "2026-11-23", 10, 3), Window("2026-11-23", "2026-11-30", 10, 2)
    for before in ([raised()], [raised(), followed()]):
        given(*before).when(judge((10, 3), (10, 2), ends_on=NEXT)).then(recovered(*windows))


def test_a_newest_week_of_too_few_does_not_end_it():
    given(raised()).when(judge((10, 3), (4, 0), ends_on=NEXT)).then_nothing()


def test_after_recovery_two_bad_weeks_raise_it_again():
    given(raised(), recovered(*FORTNIGHT)).when(judge((10, 3), (10, 3))).then(raised(raising=2))


def test_after_closing_the_weeks_that_were_known_raise_nothing_and_newer_ones_do():
    ended = [raised(), followed(), closed(closed_on="2026-11-23")]
    given(*ended).when(judge((10, 3), (10, 3))).then_nothing()
    windows = Window("2026-11-16", "2026-11-23", 10, 3), Window("2026-11-23", "2026-11-30", 10, 3)
    given(*ended).when(judge((10, 3), (10, 3), ends_on=NEXT)).then(raised(raising=2, windows=windows))


def test_somebody_follows_it_and_may_be_followed_by_another():
    given(raised()).when(FOLLOW).then(followed())
    other = FOLLOW.model_copy(update={"owner_id": "m-2"})
    given(raised(), followed()).when(other).then(followed(owner_id="m-2"))


def test_it_is_closed_by_what_the_measure_did():
    given(raised(), followed()).when(CLOSE).then(closed())


def test_nobody_closes_what_nobody_followed():
    given(raised()).when(CLOSE).then_rejected("alert.not-followed")


@pytest.mark.parametrize("before", [[], [raised(), recovered(*FORTNIGHT)], [raised(), followed(), closed()]])
def test_what_is_not_raised_is_neither_followed_nor_closed(before):
    given(*before).when(FOLLOW).then_rejected("alert.not-raised")
    given(*before).when(CLOSE).then_rejected("alert.not-raised")


def test_a_day_ends_once_and_rules_are_set_once():
    given().when(EndDay(day="2026-11-23")).then(DayEnded(day="2026-11-23"))
    given(DayEnded(day="2026-11-23")).when(EndDay(day="2026-11-23")).then_nothing()
    given().when(SetAlertRules(bad_percent=30)).then(AlertRulesSet(bad_percent=30))
    given().when(SetAlertRules()).then_nothing()


def test_the_view_has_each_raising_with_its_end():
    again = raised(raising=2)
    rows = rows_after(ALERTS, [raised(), followed(), closed(), again, recovered(*FORTNIGHT, raising=2)])
    assert [(key, row["state"], row["owner_id"], row["effect"]) for key, row in sorted(rows.items())] == [
        (("a-1", 1), "closed", "m-1", "no more"),
        (("a-1", 2), "recovered", "", ""),
    ]
    assert rows[("a-1", 1)]["raised_at"] < rows[("a-1", 1)]["ended_at"] < rows[("a-1", 2)]["raised_at"]


@pytest.mark.parametrize("of", ["team", "supplier", "device_supplier"])
def test_a_figure_of_a_group_is_raised_as_an_event_of_its_own_and_followed_like_any_other(of):
    facts = {"alert_id": "a-1", "raising": 1, "kind": "bad-rating", "of": of, "subject": "t-1"}
    group = GroupAlertRaised(**facts, limit_percent=20, windows=FORTNIGHT)
    red = judge((10, 3), (10, 3), of=of, subject="t-1")
    given().when(red).then(group)
    given(group).when(red).then_nothing()
    given(group).when(FOLLOW).then(followed(subject="t-1"))
