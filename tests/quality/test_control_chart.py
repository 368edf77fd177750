"""A control limit is exceeded by chance as seldom as it says, and alerts by it live as the others do."""

from decimal import Decimal, localcontext
from fractions import Fraction
from math import comb
from statistics import NormalDist

import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from contracts.quality import AlertRulesSet, Window
from quality.domain.alert import most_within
from quality.domain.control_chart import BEYOND, EXPECTED, most_by_chance
from quality.service import RULES
from tests.given import spec_for
from tests.quality.examples import WEEKS_BEFORE, judge, raised, recovered

given = spec_for(RULES)

CHART = AlertRulesSet(bad_judged="control-chart", bad_weeks=1)


def test_beyond_three_standard_deviations_lies_so_much_of_a_normal_distribution():
    assert Fraction(*BEYOND) == round(Fraction(1 - NormalDist().cdf(3)), 5)


def test_the_limit_of_a_textbook_is_met():
    # Montgomery's cans of orange juice: 347 of 1,500 are bad, samples of 50; the p-chart says 0.4102, so 20 of 50.
    assert most_by_chance(1_500, 347, 50) in (20, 21)


@settings(max_examples=150, deadline=None)
@drawn(st.integers(2, 400), st.data())
def test_no_smaller_limit_is_exceeded_seldom_enough(counted, data):
    bad, of = data.draw(st.integers(1, counted - 1)), data.draw(st.integers(1, 100))
    p = Fraction(bad, counted)

    def more_than(most):
        return sum(comb(of, k) * p**k * (1 - p) ** (of - k) for k in range(most + 1, of + 1))

    most = most_by_chance(counted, bad, of)
    assert more_than(most) <= Fraction(*BEYOND)
    assert most == 0 or more_than(most - 1) > Fraction(*BEYOND)


@settings(max_examples=150, deadline=None)
@drawn(st.integers(2, 10**6), st.data())
def test_of_many_the_limit_is_three_standard_deviations_above_the_baseline(counted, data):
    bad = data.draw(st.integers(1, counted - 1))
    of = data.draw(st.integers(EXPECTED * counted // bad + 1, 10**9))
    with localcontext() as exact:
        exact.prec = 60
        p = Decimal(bad) / counted
        limit = p + 3 * (p * (1 - p) / of).sqrt()
        most = most_by_chance(counted, bad, of)
        assert Decimal(most) / of <= limit < Decimal(most + 1) / of


@pytest.mark.parametrize("p", [1, 10, 50])
def test_where_the_formula_changes_the_limit_does_not_jump(p):
    of = EXPECTED * 100 // p
    exact, p_chart = most_by_chance(100, p, of), most_by_chance(100, p, of + 1)
    assert 0 <= exact - p_chart <= 3 or 0 <= p_chart - exact <= 1


@pytest.mark.parametrize(
    ("counted", "bad", "most"),
    [(99, 5, 20), (100, 5, 13), (100, 0, 20), (100, 100, 20)],
    ids=["too few", "enough", "none bad", "all bad"],
)
def test_a_baseline_that_gives_no_limit_leaves_the_percentage(counted, bad, most):
    baseline = judge((10, 3), baseline=(counted, bad)).baseline
    assert most_within("bad-rating", CHART, 100, baseline) == most


BEFORE = Window(*WEEKS_BEFORE, 1_000, 80)
"""Of all, 8 % were rated badly: of ten, five bad ones come about by chance once in 1,700 times, four once in 170."""
WEEK = "2026-11-16", "2026-11-23"


def test_a_week_above_the_limit_raises_it_with_its_baseline():
    five = judge((10, 5), baseline=(1_000, 80))
    # The percentage would have raised it from three on.
    alert = raised(limit_percent=40, windows=(Window(*WEEK, 10, 5),), baseline=BEFORE)
    given(CHART).when(five).then(alert)
    given(CHART).when(judge((10, 4), baseline=(1_000, 80))).then_nothing()
    given(CHART).when(judge((4, 4), baseline=(1_000, 80))).then_nothing()
    given(CHART, alert).when(five).then_nothing()
    given(CHART, alert).when(judge((10, 4), baseline=(1_000, 80))).then(recovered(Window(*WEEK, 10, 4)))


def test_by_a_baseline_of_too_few_it_is_raised_above_the_percentage():
    alert = raised(limit_percent=20, windows=(Window(*WEEK, 10, 3),))
    given(CHART).when(judge((10, 3), baseline=(99, 9))).then(alert)


def test_what_was_counted_before_the_rules_were_changed_decides_nothing():
    given(CHART).when(judge((10, 9))).then_nothing()
    given(AlertRulesSet(bad_weeks=1)).when(judge((10, 9), baseline=(1_000, 80))).then_nothing()
