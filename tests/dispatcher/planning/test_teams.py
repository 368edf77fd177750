"""The evaluator of teams names what a plan breaks, and counts when the last of each priority is finished."""

from dataclasses import replace

import pytest

from dispatcher.planning.teams import Member, Team, TeamPlan, TeamProblem, Work, check_teams

ANNA, BO = Member("anna", (2,)), Member("bo", (1,), frozenset({2}))
FIRST, SECOND = Work("first", 60, 1, ((1, 1),)), Work("second", 60, 2, ((2, 0),), after=(0,), price=5)
PROBLEM = TeamProblem([ANNA, BO], [FIRST, SECOND], (28, 14, 4, 1))
GOOD = Team(1, (0, 1), ((0, 0), (1, 60)))


def test_a_plan_that_breaks_nothing():
    checked = check_teams(PROBLEM, TeamPlan([GOOD]))
    assert (checked.violations, checked.ends, checked.cost) == ((), (60, 120, 0, 120), 28 * 60 + 14 * 120 + 120)


@pytest.mark.parametrize(
    ("rules", "team"),
    [
        ({"skill"}, replace(GOOD, members=(0,))),
        ({"shift"}, Team(2, (0, 1), ((0, 120), (1, 180)))),
        ({"shift", "link"}, replace(GOOD, work=((0, 0), (1, 30)))),
        ({"shift"}, replace(GOOD, work=((0, 0), (1, 70)))),
        ({"link"}, replace(GOOD, work=((1, 0), (0, 60)))),
        ({"twice"}, replace(GOOD, members=(0, 1, 1))),
        ({"left out"}, replace(GOOD, work=((0, 0),))),
    ],
)
def test_each_rule_that_is_broken_is_named(rules, team):
    assert {found.rule for found in check_teams(PROBLEM, TeamPlan([team])).violations} == rules


def test_what_the_budget_pays_is_done_by_others():
    checked = check_teams(replace(PROBLEM, budget=5), TeamPlan([replace(GOOD, work=((0, 0),))]))
    assert (checked.violations, checked.left_out) == ((), (1,))
