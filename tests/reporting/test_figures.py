"""The formulas, on examples that can be checked by hand."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.dispatcher import Shift
from reporting.figures import (
    HOUR,
    MEDIAN,
    P90,
    Cases,
    Totals,
    day_begins,
    hours,
    incident_kpis,
    lasted,
    lasted_in_all,
    quantile,
    quantiles_in,
    quotient,
    share,
    shift_us,
    shown,
    spread,
)
from services.chassis.clock import micros

MAY = datetime(2012, 5, 1, tzinfo=UTC)


def at(**since):
    return micros(MAY + timedelta(**since))


@pytest.mark.parametrize(
    ("values", "part", "expected"),
    [
        ([], MEDIAN, None),
        ([7], P90, 7),
        ([1, 2], MEDIAN, Fraction(3, 2)),
        ([1, 2, 10], MEDIAN, 2),
        (list(range(11)), P90, 9),
        ([0, 10], P90, 9),
    ],
)
def test_a_quantile_lies_between_its_neighbours(values, part, expected):
    assert quantile(values, part) == expected


@settings(deadline=None)
@given(st.lists(st.integers(-(10**18), 10**18), min_size=1), st.fractions(0, 1))
def test_a_quantile_is_within_the_values_and_grows_with_its_part(values, part):
    ordered = sorted(values)
    assert ordered[0] <= quantile(ordered, part) <= ordered[-1]
    assert quantile(ordered, part / 2) <= quantile(ordered, part)


RUNS = st.lists(st.lists(st.integers(-(10**12), 10**17) | st.integers(0, 9), max_size=40).map(sorted), max_size=12)


@settings(deadline=None)
@given(RUNS, st.sampled_from([MEDIAN, P90, Fraction(0), Fraction(1)]))
def test_a_quantile_of_sorted_runs_is_that_of_all_together(runs, part):
    ordered = sorted(value for run in runs for value in run)
    exact = quantile(ordered, part)
    group = lasted_in_all([lasted(run) for run in runs])
    assert (group.many, group.total) == (len(ordered), sum(ordered))
    # Twice, since the second asks what the first has sampled.
    found = quantiles_in([group, lasted(ordered), group], part, HOUR, 3)
    assert found == 3 * [shown(None if exact is None else exact / HOUR)]


def test_what_nobody_measured_is_no_zero():
    assert spread("assign", []) == {"assign_h_mean": None, "assign_h_median": None, "assign_h_p90": None}
    assert share(0, 0) is None
    assert shown(None) is None


def test_figures_are_rounded_once_at_the_end():
    assert hours(Fraction(HOUR, 3)) == 0.333
    assert share(510, 7_546) == 0.06759
    assert spread("x", [0, HOUR, HOUR]) == {"x_h_mean": 0.667, "x_h_median": 1.0, "x_h_p90": 1.0}


CASES = {
    "Low": Cases(
        opened=[at(days=20), at(hours=0)],
        finished=[at(hours=4), at(days=20, hours=2)],
        resolved_after=[2 * HOUR, 4 * HOUR],
        lasted=[9 * HOUR, 2 * HOUR],
        last=at(days=20, hours=2),
    ),
    "High": Cases(opened=[at(hours=1)], finished=[], resolved_after=[], lasted=[HOUR], last=at(hours=2)),
}

TEAMS = {"A\nB": 1, "A 2nd": 1, "A22nd": 1}


def test_incidents_by_hand():
    found = incident_kpis(CASES, Totals(events=7, reopened_cases=1, team_changes=3, queued_us=HOUR), TEAMS)
    assert {name: found[name] for name in ("cases", "cases_resolved", "mttr_h_mean", "cycle_h_median")} == {
        "cases": 3,
        "cases_resolved": 2,
        "mttr_h_mean": 3.0,
        "cycle_h_median": 2.0,
    }
    assert found["reopen_rate_of_resolved"] == 0.5
    assert found["group_changes_per_case"] == 1.0
    assert found["cases_by_impact"] == {"High": 1, "Low": 2}
    assert found["mttr_h_median_by_impact"] == {"Low": 3.0}
    assert found["arrivals_max_day"] == ["2012-05-01", 2]
    assert found["queued_hours_total"] == 1.0
    assert found["push_to_front_cases_only_1st_line"] == 2, "`A22nd` is no word `2nd`"
    backlog = {name: value for name, value in found.items() if name.startswith("backlog")}
    assert backlog == {"backlog_2012-05-01": 1, "backlog_2012-05-10": 1, "backlog_2012-05-20": 1}


def test_the_first_line_and_the_days_of_a_backlog_can_be_said():
    asked = {"backlog_on": [date(2012, 5, 22)], "higher_lines": ["B"]}
    found = incident_kpis(CASES, Totals(), TEAMS, **asked)
    assert found["push_to_front_cases_only_1st_line"] == 2
    assert [name for name in found if name.startswith("backlog")] == ["backlog_2012-05-22"]


def test_a_day_is_one_of_the_zone():
    shanghai = incident_kpis(CASES, Totals(), TEAMS, zone=ZoneInfo("Asia/Shanghai"), backlog_on=[date(2012, 5, 2)])
    assert shanghai["arrivals_days_with_cases"] == 2
    assert day_begins(date(2012, 5, 2), ZoneInfo("Asia/Shanghai")) == at(hours=16)


def test_without_cases_there_is_nothing_to_say():
    assert incident_kpis({}, Totals(), {}) == {"events": 0, "cases": 0}


NINE_TO_FIVE = tuple(Shift(weekday, 540, 1020) for weekday in range(5))


@pytest.mark.parametrize(
    ("shifts", "zone", "begin", "end", "expected"),
    [
        # 2012-05-01 is a Tuesday.
        (NINE_TO_FIVE, "UTC", at(hours=0), at(days=7), 40),
        (NINE_TO_FIVE, "UTC", at(hours=10), at(hours=12), 2),
        (NINE_TO_FIVE, "Asia/Shanghai", at(hours=0), at(hours=8), 7),
        (NINE_TO_FIVE, "UTC", at(days=4), at(days=6), 0),
        ((Shift(0, 1320, 360),), "UTC", at(hours=0), at(hours=24), 6),
        ((Shift(1, 0, 1440),), "UTC", at(hours=0), at(hours=24), 24),
        # 2026-03-29, a Sunday: in Berlin the clock goes from 2 to 3, and the day has 23 hours.
        (
            (Shift(6, 0, 1440),),
            "Europe/Berlin",
            micros(datetime(2026, 3, 28, tzinfo=UTC)),
            micros(MAY.replace(2026)),
            119,
        ),
        ((), "UTC", at(hours=0), at(days=7), 0),
    ],
)
def test_shift_hours_in_a_range(shifts, zone, begin, end, expected):
    assert shift_us(shifts, zone, begin, end) == expected * HOUR


def test_a_quotient_is_rounded_as_the_exact_fraction_is():
    for part in range(-300, 300):
        for whole in (1, 2, 3, 7, 8, 16, 400, 2_000, 8_000_000_000):
            for digits in (3, 5):
                assert quotient(part, whole, digits) == shown(Fraction(part, whole), digits), (part, whole)
