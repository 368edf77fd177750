"""The clock where facts are late or wrong, and where a calendar is changed after all."""

from dataclasses import replace
from datetime import date

import pytest

from dispatcher.domain.sla_clock import Difference, Fact, Restated, Terms, correct, differences, read, restate
from tests.sla.cases import CALENDARS, MINUTE, micros

HOUR_S = 3_600
FIX = Terms("office", 4 * HOUR_S)


def at(text):
    return micros(f"2026-{text}+08:00")


def begun(when, terms=FIX):
    return Fact(at(when), "change", terms=terms), Fact(at(when), "start")


def test_a_stop_that_is_known_late_puts_the_clock_where_it_would_have_been():
    known = (*begun("03-02T09:00"), Fact(at("03-02T16:00"), "pause", "customer"))
    late = (*known, Fact(at("03-02T11:00"), "stop"))
    now = at("03-02T17:00")
    before, after = read(known, CALENDARS), read(late, CALENDARS)
    assert differences(before, after, now) == (
        Difference("state", "paused", "stopped"),
        Difference("due_at", at("03-02T14:00"), None),
        Difference("breached", True, False),
        Difference("elapsed", 360 * MINUTE, 120 * MINUTE),
        Difference("waited", 60 * MINUTE, 0),
    )


def test_a_fact_is_put_to_when_it_really_happened_or_taken_out():
    facts = (*begun("03-02T09:00"), Fact(at("03-02T15:00"), "stop", fact_id="f-1"))
    assert read(facts, CALENDARS).breached(at("03-02T18:00"))
    moved = correct(facts, "f-1", at("03-02T11:00"))
    assert not read(moved, CALENDARS).breached(at("03-02T18:00"))
    assert read(moved, CALENDARS).stopped_at == at("03-02T11:00")
    assert read(correct(facts, "f-1", None), CALENDARS).state == "running"
    assert correct(facts, "f-2", None) == facts


def test_a_holiday_that_is_added_restates_those_whom_it_touches_and_no_others():
    clocks = {
        "before": (*begun("03-02T09:00"), Fact(at("03-05T09:00"), "stop")),
        "over": begun("03-09T17:00"),
        "ended": (*begun("03-09T17:00"), Fact(at("03-09T17:30"), "stop")),
        "elsewhere": begun("03-09T17:00", Terms("plain", 4 * HOUR_S)),
        "after": begun("03-11T09:00"),
    }
    holiday = replace(CALENDARS["office"], days={**CALENDARS["office"].days, date(2026, 3, 10): ()}, _laid_out={})
    now = at("03-12T09:00")
    assert restate(clocks, CALENDARS, {**CALENDARS, "office": holiday}, now) == (
        Restated(
            "over",
            (
                Difference("due_at", at("03-10T12:00"), at("03-11T12:00")),
                Difference("elapsed", 1_020 * MINUTE, 540 * MINUTE),
            ),
        ),
    )
    assert restate(clocks, CALENDARS, CALENDARS, now) == ()


def test_a_due_time_in_a_year_without_a_table_names_the_year():
    reading = read(begun("12-31T17:00"), CALENDARS)
    assert reading.due_at == micros("2027-01-01T12:00+08:00")
    assert reading.unknown_years(at("12-31T17:00")) == (2027,)
    assert read(begun("12-30T09:00"), CALENDARS).unknown_years(at("12-30T09:00")) == ()


def test_a_clock_that_nobody_started_waits_for_its_start():
    reading = read([Fact(at("03-02T09:00"), "change", terms=FIX)], CALENDARS)
    assert (reading.state, reading.due_at, reading.elapsed(at("03-03T09:00"))) == ("idle", None, 0)
    assert read([], CALENDARS).state == "none"


def test_a_calendar_that_is_not_there_is_no_guess():
    with pytest.raises(KeyError, match="nowhere"):
        read(begun("03-02T09:00", Terms("nowhere", 60)), CALENDARS)
