"""The views of service levels: what the events make of them."""

from contracts.dispatcher import ClocksStarted, DecisionRecorded, Difference, SlaBreached, SlaRestated, SlaWarned
from dispatcher.projections.calendars import CALENDARS, measure_of
from dispatcher.projections.clocks import CLOCKS
from dispatcher.projections.slas import SLAS
from dispatcher.service import RULES
from services.chassis.clock import micros
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.sla.cases import CALENDARS as MEASURES
from tests.sla.examples import HOUR, calendar_defined, move_clocks, pause_clocks, sla_defined, start_clocks

given = spec_for(RULES, besides=(DecisionRecorded,))


def story(*commands):
    events = [calendar_defined(), sla_defined()]
    for command in commands:
        events += given(*events).when(command)._events()
    return events


def fix(events):
    return rows_after(CLOCKS, events)["o-1", "fix"]


def test_a_clock_is_shown_from_its_start():
    row = fix(story(start_clocks()))
    assert (row["sla_id"], row["revision"], row["calendar_id"], row["allowed_s"]) == ("standard", 1, "office", 7_200)
    assert (row["state"], row["due_at"], row["started_at"]) == ("running", micros(NOW + 17 * HOUR), micros(NOW))


def test_what_waits_is_due_at_no_time_and_what_ended_says_when():
    paused = fix(story(start_clocks(), pause_clocks()))
    assert (paused["state"], paused["due_at"]) == ("paused", 0)
    stopped = fix(story(start_clocks(), move_clocks("finished", NOW + HOUR)))
    assert (stopped["state"], stopped["stopped_at"], stopped["used_us"]) == (
        "stopped",
        micros(NOW + HOUR),
        HOUR.total_seconds() * 1_000_000,
    )


def test_what_was_told_is_shown_until_it_is_taken_back():
    events = story(start_clocks())
    (started,) = [event for event in events if isinstance(event, ClocksStarted)]
    of_clock = {"order_id": "o-1", "request_id": "r-1", "sla_id": "standard", "revision": 1, "clock": "fix"}
    told = [
        SlaWarned(**of_clock, percent=75, reached_at=NOW),
        SlaBreached(**of_clock, due_at=NOW),
    ]
    row = fix([*events, *told])
    assert (row["warned_percent"], row["breached"]) == (75, True)
    restated = SlaRestated(
        order_id="o-1",
        request_id="r-1",
        cause="late-fact",
        differences=(Difference("fix", "breached", "true", "false"),),
        standings=started.standings,
    )
    row = fix([*events, *told, restated])
    assert (row["warned_percent"], row["breached"]) == (75, False)


def test_a_half_hour_that_begins_anew_has_told_nothing():
    told = SlaBreached(
        order_id="o-1", request_id="r-1", sla_id="standard", revision=1, clock="assign", due_at=NOW + HOUR / 2
    )
    events = [*story(start_clocks()), told]
    assert rows_after(CLOCKS, events)["o-1", "assign"]["breached"]
    events += given(*events).when(move_clocks("waiting", NOW + HOUR))._events()
    assert not rows_after(CLOCKS, events)["o-1", "assign"]["breached"]


def test_a_calendar_is_shown_as_it_is_measured_by():
    row = rows_after(CALENDARS, [calendar_defined()])["office",]
    measured, same = measure_of({"calendar_id": "office", **row}), MEASURES["plain"]
    start, end = micros(NOW), micros(NOW + 400 * HOUR)
    assert measured.between(start, end) == same.between(start, end)


def test_the_views_do_not_depend_on_the_order_of_arrival():
    events = story(start_clocks(), pause_clocks(), start_clocks(order_id="o-2", request_id="r-2"))
    for view in (CLOCKS, CALENDARS, SLAS):
        assert_same_rows_shuffled(view, events)
