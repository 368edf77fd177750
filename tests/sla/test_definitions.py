"""Calendars and service levels: how they are defined, changed and refused."""

from datetime import date

import pytest

from contracts.dispatcher import CalendarChanged, CalendarDefined, DecisionRecorded, SlaClock, SlaDefined, SpecialDay
from dispatcher.commands import CalendarHours, CalendarWeek
from dispatcher.domain.slas import for_request
from dispatcher.service import RULES
from tests.given import NOW, spec_for
from tests.sla.examples import (
    HOUR,
    OFFICE,
    agreed,
    calendar_defined,
    change_calendar,
    define_calendar,
    define_sla,
    holiday,
    import_holidays,
    revise_sla,
    sla_defined,
)

given = spec_for(RULES, besides=(DecisionRecorded,))


def hours(*spans):
    return tuple(CalendarHours(weekday=day, from_minute=start, to_minute=end) for day, start, end in spans)


def test_a_calendar_is_defined_once():
    given().when(define_calendar()).then(calendar_defined())
    given(calendar_defined()).when(define_calendar()).then_nothing()
    given(calendar_defined()).when(define_calendar(name="Other")).then_rejected("calendar.already-defined")
    given(calendar_defined()).when(define_calendar(calendar_id="shop")).then_types(CalendarDefined)


@pytest.mark.parametrize(
    ("code", "changes"),
    [
        ("calendar.zone-unknown", {"zone": "Asia/Nowhere"}),
        ("calendar.zone-unknown", {"zone": "Asia"}),
        ("calendar.zone-unknown", {"zone": "../etc/passwd"}),
        ("calendar.hours-end-before-they-begin", {"weeks": (CalendarWeek(hours=hours((0, 600, 600))),)}),
        ("calendar.hours-overlap", {"weeks": (CalendarWeek(hours=hours((0, 540, 720), (0, 700, 1_080))),)}),
        ("calendar.week-twice", {"weeks": (CalendarWeek(hours=OFFICE), CalendarWeek(hours=OFFICE))}),
        ("calendar.day-of-no-year", {"days": (holiday("2026-10-01"),)}),
        ("calendar.day-of-no-year", {"days": (holiday("2027-01-01"),), "years": (2026,)}),
        ("calendar.day-twice", {"days": (holiday("2026-10-01"), holiday("2026-10-01")), "years": (2026,)}),
    ],
)
def test_what_no_calendar_can_be_is_refused(code, changes):
    given().when(define_calendar(**changes)).then_rejected(code)
    given(calendar_defined()).when(change_calendar(**changes)).then_rejected(code)


def test_hours_that_touch_do_not_overlap():
    weeks = (CalendarWeek(hours=hours((0, 540, 720), (0, 720, 1_080))),)
    given().when(define_calendar(weeks=weeks)).then_types(CalendarDefined)


def test_a_change_says_which_days_are_others_now():
    earlier = (CalendarWeek(hours=OFFICE), CalendarWeek(since=date(2026, 12, 1), hours=hours((0, 540, 720))))
    (changed,) = given(calendar_defined()).when(change_calendar(weeks=earlier)).then_types(CalendarChanged)
    assert (changed.revision, changed.changed_from, changed.changed_until) == (2, "2026-12-01", "")
    until = (*earlier, CalendarWeek(since=date(2026, 12, 15), hours=OFFICE))
    (changed,) = given(calendar_defined()).when(change_calendar(weeks=until)).then_types(CalendarChanged)
    assert (changed.changed_from, changed.changed_until) == ("2026-12-01", "2026-12-14")
    (changed,) = given(calendar_defined()).when(change_calendar(name="New")).then_types(CalendarChanged)
    assert (changed.changed_from, changed.changed_until) == ("", "")
    (changed,) = given(calendar_defined()).when(change_calendar(zone="Asia/Tokyo")).then_types(CalendarChanged)
    assert (changed.changed_from, changed.changed_until) == ("2000-01-01", "")
    given(calendar_defined()).when(change_calendar()).then_nothing()


def test_what_is_not_there_is_not_changed():
    given().when(change_calendar()).then_rejected("calendar.unknown")


def test_a_table_of_holidays_takes_the_place_of_those_of_its_years():
    before = calendar_defined(
        days=(SpecialDay("2025-10-01", "old"), SpecialDay("2026-01-01", "wrong")), years=(2025, 2026)
    )
    table = import_holidays(holiday("2026-10-01"), holiday("2026-10-10", works_as=4))
    (changed,) = given(before).when(table).then_types(CalendarChanged)
    assert [day.day for day in changed.days] == ["2025-10-01", "2026-10-01", "2026-10-10"]
    assert changed.years == (2025, 2026)
    assert (changed.changed_from, changed.changed_until) == ("2026-01-01", "2026-10-10")
    given(before, changed).when(table).then_nothing()
    given().when(table).then_rejected("calendar.unknown")


def test_a_service_level_is_defined_and_then_revised():
    given(calendar_defined()).when(define_sla()).then_types(SlaDefined)
    (second,) = given(calendar_defined(), sla_defined()).when(revise_sla(name="Better")).then_types(SlaDefined)
    assert (second.revision, second.effective_from) == (2, NOW)
    for same in (define_sla, revise_sla):
        given(calendar_defined(), sla_defined()).when(same(agreed(excuses=("customer",)))).then_nothing()
    given(calendar_defined(), sla_defined()).when(define_sla()).then_rejected("sla.already-defined")
    given(calendar_defined()).when(revise_sla()).then_rejected("sla.unknown")


@pytest.mark.parametrize(
    ("code", "clocks", "changes"),
    [
        ("sla.clock-twice", [agreed(), agreed()], {}),
        ("sla.calendar-unknown", [agreed(calendar_id="shop")], {}),
        ("sla.effective-in-the-past", [agreed()], {"effective_from": NOW - HOUR / 2}),
        ("sla.effective-before-last", [agreed()], {"effective_from": NOW - 2 * HOUR}),
    ],
)
def test_what_no_service_level_can_be_is_refused(code, clocks, changes):
    given(calendar_defined(), sla_defined()).when(revise_sla(*clocks, **changes)).then_rejected(code)


def test_of_every_request_one_service_level_holds():
    general, repairs = sla_defined(), sla_defined(sla_id="repairs", request_types=("repair",))
    given(calendar_defined(), general).when(define_sla(sla_id="other")).then_rejected("sla.general-taken")
    twice = define_sla(sla_id="other", request_types=("repair",))
    given(calendar_defined(), repairs).when(twice).then_rejected("sla.type-taken", request_type="repair")
    slas = {"standard": (general,), "repairs": (repairs,)}
    assert for_request(slas, "repair", NOW).sla_id == "repairs"
    assert for_request(slas, "installation", NOW).sla_id == "standard"
    assert for_request({"repairs": (repairs,)}, "installation", NOW) is None


def test_the_revision_that_held_at_the_opening_holds():
    first, second = sla_defined(), sla_defined(revision=2, effective_from=NOW + HOUR)
    slas = {"standard": (first, second)}
    assert for_request(slas, "repair", NOW).revision == 1
    assert for_request(slas, "repair", NOW + HOUR).revision == 2
    assert for_request(slas, "repair", NOW - 2 * HOUR) is None


def test_around_the_clock_needs_no_calendar():
    clock = SlaClock("arrive", "", 60, 60, 60, 60)
    (defined,) = given().when(define_sla(agreed("arrive", calendar_id=""))).then_types(SlaDefined)
    assert defined.clocks[0].calendar_id == clock.calendar_id
