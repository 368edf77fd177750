"""Business time: what counts, exactly, over years, and where nobody can say."""

from datetime import UTC, date, datetime, timedelta
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dispatcher.domain.business_time import (
    ALL_DAY,
    Calendar,
    NeverReached,
    Week,
    YearUnknown,
    around_the_clock,
)
from services.chassis.clock import micros
from tests.sla.cases import CALENDARS

HOUR = 3_600_000_000
DECADE = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)


def at(text):
    return micros(datetime.fromisoformat(text))


def test_microseconds_are_counted_and_not_rounded():
    plain = CALENDARS["plain"]
    start, end = at("2026-03-02T17:59:59.999999+08:00"), at("2026-03-03T09:00:00.000001+08:00")
    assert plain.between(start, end) == 2
    assert plain.after(start, 1) == at("2026-03-02T18:00+08:00")
    assert plain.after(start, 2) == end


def test_nothing_has_passed_between_an_instant_and_itself_or_an_earlier_one():
    plain, noon = CALENDARS["plain"], at("2026-03-02T12:00+08:00")
    assert plain.between(noon, noon) == plain.between(noon, noon - HOUR) == 0
    assert plain.after(noon, 0) == noon


@settings(max_examples=300, deadline=None)
@given(
    name=st.sampled_from([*CALENDARS]),
    start=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(UTC)),
    amount=st.integers(1, 400 * HOUR),
)
def test_after_is_the_first_instant_by_which_so_much_lies_between(name, start, amount):
    calendar, start = CALENDARS[name].as_if_known(), micros(start)
    found = calendar.after(start, amount)
    assert calendar.between(start, found) == amount
    assert calendar.between(start, found - 1) == amount - 1


@settings(max_examples=200, deadline=None)
@given(
    name=st.sampled_from([*CALENDARS]),
    instants=st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1)), min_size=3, max_size=3),
)
def test_two_stretches_are_as_long_as_their_sum(name, instants):
    calendar = CALENDARS[name].as_if_known()
    first, middle, last = sorted(micros(one.replace(tzinfo=UTC)) for one in instants)
    assert calendar.between(first, middle) + calendar.between(middle, last) == calendar.between(first, last)


def test_around_the_clock_every_instant_counts_also_where_clocks_are_changed():
    for zone in ("UTC", "Europe/Berlin", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Casablanca"):
        calendar = around_the_clock(zone)
        assert calendar.between(*map(micros, DECADE)) == micros(DECADE[1]) - micros(DECADE[0])
    assert around_the_clock("Pacific/Apia").between(at("2011-12-29T00:00Z"), at("2012-01-02T00:00Z")) == 96 * HOUR


def test_a_day_of_23_and_one_of_25_hours():
    berlin = CALENDARS["berlin"]
    assert berlin.between(at("2026-03-29T00:00+01:00"), at("2026-03-30T00:00+02:00")) == 23 * HOUR
    assert berlin.between(at("2026-10-25T00:00+02:00"), at("2026-10-26T00:00+01:00")) == 25 * HOUR


def test_a_holiday_does_not_count_and_the_day_worked_instead_does():
    office = CALENDARS["office"]
    assert office.between(at("2026-02-14T00:00+08:00"), at("2026-02-15T00:00+08:00")) == 8 * HOUR
    assert office.between(at("2026-02-15T00:00+08:00"), at("2026-02-24T00:00+08:00")) == 0


def test_a_year_that_the_table_does_not_cover_is_said_aloud():
    office = CALENDARS["office"]
    new_year = at("2027-01-01T00:00+08:00")
    assert office.between(new_year - HOUR, new_year) == 0, "the last instant of 2026 is of 2026"
    with pytest.raises(YearUnknown, match="2027") as no:
        office.between(new_year - HOUR, new_year + 1)
    assert no.value.years == (2027,)
    with pytest.raises(YearUnknown, match="2027, 2028"):
        office.after(at("2026-12-31T17:00+08:00"), 2_500 * HOUR)
    assert office.after(at("2026-12-31T17:00+08:00"), HOUR) == at("2026-12-31T18:00+08:00")
    with pytest.raises(YearUnknown, match="2025"):
        office.between(at("2025-12-31T23:59+08:00"), new_year)


def test_taken_for_plain_weeks_the_unknown_years_are_still_named():
    office = CALENDARS["office"]
    start, end = at("2026-12-31T17:00+08:00"), at("2027-01-04T12:00+08:00")
    # The 1st is a Friday: without a table it is a day like others.
    assert office.as_if_known().between(start, end) == (1 + 8 + 3) * HOUR
    assert office.unknown_years(start, end) == (2027,)
    assert CALENDARS["plain"].unknown_years(start, end) == ()


def test_hours_hold_from_their_date_on():
    calendar = Calendar("UTC", (Week(date(2026, 1, 1), (ALL_DAY,) * 7), Week(date(2026, 2, 1), (((0, 60),),) * 7)))
    assert calendar.between(at("2025-12-01T00:00Z"), at("2026-01-02T00:00Z")) == 24 * HOUR
    assert calendar.between(at("2026-01-31T00:00Z"), at("2026-02-02T00:00Z")) == 25 * HOUR


def test_what_never_counts_is_never_reached():
    nothing = Calendar("UTC", (Week(date(2000, 1, 1), ((),) * 7),))
    with pytest.raises(NeverReached):
        nothing.after(at("2026-01-01T00:00Z"), 1)


def test_a_decade_is_added_up_by_years_and_not_by_days():
    """Laid out once, ten years of four spans a day take no longer than a search: 10,000 questions within a second."""
    office = CALENDARS["office"].as_if_known()
    first, last = map(micros, DECADE)
    total = office.between(first, last)
    began = perf_counter()
    for step in range(5_000):
        assert office.between(first + step, last) <= total
        assert office.after(first + step, total // 2) < last
    assert perf_counter() - began < 1
    assert timedelta(microseconds=total) > timedelta(days=800)
