"""The clocks of an order: what starts and moves them, what is told once, and what is taken back."""

from datetime import timedelta

import msgspec
import pytest

from contracts.dispatcher import (
    CalendarChanged,
    ClocksMoved,
    ClocksStarted,
    DecisionRecorded,
    Difference,
    SlaBreached,
    SlaClock,
    SlaRestated,
    SlaWarned,
    SpecialDay,
)
from dispatcher.commands import TellMark
from dispatcher.service import RULES
from tests.given import NOW, spec_for
from tests.sla.examples import (
    HOUR,
    MINUTE,
    calendar_defined,
    move_clocks,
    pause_clocks,
    resume_clocks,
    sla_defined,
    start_clocks,
)

given = spec_for(RULES, besides=(DecisionRecorded,))

PLAIN = SlaClock("fix", "", 14_400, 7_200, 3_600, 1_800, ("customer", "parts"))
"""Two hours around the clock."""
LEVEL = sla_defined(PLAIN)


def told(*events, at, clock="fix"):
    """What the timer of this clock says when it is due, and nothing else."""
    return given(*events).when(TellMark(order_id="o-1", clock=clock, due_at=at))


def decided(*events, command):
    when = given(*events).when(command)
    return [*events, *when._events()]


def standing(event, clock="fix"):
    return next(one for one in event.standings if one.clock == clock)


def running(level=LEVEL, *before, **changes):
    return decided(level, *before, command=start_clocks(**changes))


def told_until(events, percent):
    """The story with the marks told up to this one, each when it is due."""
    for _ in range(3):
        after = standing(events[-1]) if hasattr(events[-1], "standings") else events[-1]
        if after.next_at is None:
            return events
        events = [*events, *told(*events, at=after.next_at)._events()]
        if getattr(events[-1], "percent", 100) == percent:
            return events
    return events


def test_an_order_cites_the_revision_that_held_and_somebody_must_have_it_in_half_an_hour():
    (started,) = given(LEVEL).when(start_clocks(urgency="high")).then_types(ClocksStarted)
    assert (started.sla_id, started.revision) == ("standard", 1)
    assert {terms.clock: terms.allowed_s for terms in started.clocks} == {"fix": 3_600, "assign": 1_800}
    assert standing(started).due_at == NOW + HOUR
    assert standing(started, "assign").due_at == NOW + 30 * MINUTE
    assert (standing(started).next_percent, standing(started).next_at) == (50, NOW + 30 * MINUTE)


def test_business_hours_are_those_of_the_calendar_of_each_clock():
    level = sla_defined(SlaClock("fix", "office", 1, 7_200, 1, 1))
    started = running(level, calendar_defined())[-1]
    # One hour is left of the Tuesday, the other is on Wednesday from nine.
    assert standing(started).due_at == NOW + 17 * HOUR
    assert standing(started).next_at == NOW + HOUR
    assert (standing(started).calendar_revision, standing(started, "assign").calendar_revision) == (1, 0)


def test_clocks_start_once_and_not_where_nothing_is_promised():
    given(*running()).when(start_clocks()).then_nothing()
    given().when(start_clocks()).then_nothing()
    given(sla_defined(request_types=("other",))).when(start_clocks()).then_nothing()


@pytest.mark.parametrize(
    ("happening", "states"),
    [
        ("assigned", {"assign": "stopped", "arrive": "running", "fix": "running"}),
        ("arrived", {"assign": "running", "arrive": "stopped", "fix": "running"}),
        ("finished", {"assign": "stopped", "arrive": "stopped", "fix": "stopped"}),
        ("cancelled", {"assign": "cancelled", "arrive": "cancelled", "fix": "cancelled"}),
    ],
)
def test_what_happens_moves_the_clocks_that_it_concerns(happening, states):
    level = sla_defined(PLAIN, msgspec.structs.replace(PLAIN, clock="arrive"))
    story = running(level)
    (moved,) = given(*story).when(move_clocks(happening, NOW + 10 * MINUTE)).then_types(ClocksMoved)
    assert {one.clock: one.state for one in moved.standings} == states
    assert standing(moved).next_at is None or states["fix"] == "running"
    given(*story, moved).when(move_clocks(happening, NOW + 10 * MINUTE)).then_nothing()


def test_an_order_that_waits_again_has_its_half_hour_anew():
    story = decided(*running(), command=move_clocks("assigned", NOW + 10 * MINUTE))
    (moved,) = given(*story).when(move_clocks("waiting", NOW + HOUR)).then_types(ClocksMoved)
    assert standing(moved, "assign").due_at == NOW + HOUR + 30 * MINUTE
    assert standing(moved).due_at == NOW + 2 * HOUR


def test_marks_are_told_in_turn_and_each_once():
    story = running()
    assert told(*story, at=NOW + HOUR).then_types(SlaWarned)[0].percent == 50
    story = told_until(story, 50)
    told(*story, at=NOW + HOUR).then_nothing()
    (warned,) = told(*story, at=NOW + 90 * MINUTE).then_types(SlaWarned)
    assert (warned.percent, warned.next_percent, warned.next_at) == (75, 100, NOW + 2 * HOUR)
    told(*story, at=NOW + 2 * HOUR).then_nothing()
    story = told_until(story, 100)
    assert isinstance(story[-1], SlaBreached) and story[-1].due_at == NOW + 2 * HOUR
    for at in (HOUR, 90 * MINUTE, 2 * HOUR):
        told(*story, at=NOW + at).then_nothing()


def test_a_clock_that_was_moved_is_not_told_of_by_its_old_timer():
    story = decided(*running(), command=pause_clocks(NOW + 30 * MINUTE))
    told(*story, at=NOW + HOUR).then_nothing()
    assert standing(story[-1]).due_at is None
    story = decided(*story, command=resume_clocks(NOW + 50 * MINUTE))
    told(*story, at=NOW + HOUR).then_nothing()
    told(*story, at=NOW + 80 * MINUTE).then_types(SlaWarned)


def test_a_pause_for_a_reason_that_a_clock_does_not_excuse_leaves_it_running():
    (moved,) = given(*running()).when(pause_clocks(reason="weather")).then_types(ClocksMoved)
    assert standing(moved).state == "running"
    (moved,) = given(*running()).when(pause_clocks()).then_types(ClocksMoved)
    assert (standing(moved).state, standing(moved, "assign").state) == ("paused", "running")


def test_pausing_and_resuming_are_refused_where_they_mean_nothing():
    given(*running()).when(resume_clocks()).then_rejected("clock.not-paused")
    paused = decided(*running(), command=pause_clocks())
    given(*paused).when(pause_clocks()).then_nothing()
    given(*paused).when(resume_clocks(reason="parts")).then_rejected("clock.not-paused", reason="parts")
    given(*paused).when(resume_clocks(reason="customer")).then_types(ClocksMoved)
    future = pause_clocks(happened_at=NOW + MINUTE)
    given(*running()).when(future).then_rejected("clock.in-the-future")
    before = pause_clocks(happened_at=NOW - MINUTE)
    given(*running()).when(before).then_rejected("clock.before-the-opening")
    ended = decided(*running(), command=move_clocks("finished"))
    given(*ended).when(pause_clocks()).then_rejected("clock.ended")


def test_an_arrival_that_is_known_late_takes_the_breach_back():
    level = sla_defined(msgspec.structs.replace(PLAIN, clock="arrive"))
    story = running(level)
    for _ in range(3):
        last = story[-1]
        at = standing(last, "arrive").next_at if isinstance(last, ClocksStarted) else last.next_at
        story += told(*story, at=at, clock="arrive")._events()
    assert isinstance(story[-1], SlaBreached)
    late = move_clocks("arrived", NOW + HOUR, now=NOW + 4 * HOUR)
    moved, restated = given(*story).when(late).then_types(ClocksMoved, SlaRestated)
    assert standing(moved, "arrive").stopped_at == NOW + HOUR
    assert restated.cause == "late-fact"
    assert Difference("arrive", "breached", "true", "false") in restated.differences


def test_what_is_known_a_moment_after_it_happened_is_no_restatement():
    late = move_clocks("assigned", NOW, now=NOW + timedelta(seconds=2))
    given(*running()).when(late).then_types(ClocksMoved)


def test_a_pause_that_is_known_after_the_breach_is_told_of_and_the_breach_can_come_again():
    story = told_until(running(), 100)
    pause = pause_clocks(NOW + 3 * HOUR, happened_at=NOW + HOUR)
    story = decided(*story, command=pause)
    assert Difference("fix", "breached", "true", "false") in story[-1].differences
    story = decided(*story, command=resume_clocks(NOW + 3 * HOUR))
    assert (standing(story[-1]).next_percent, standing(story[-1]).next_at) == (100, NOW + 4 * HOUR)
    told(*story, at=NOW + 4 * HOUR).then_types(SlaBreached)


def test_a_mark_that_a_new_calendar_puts_later_is_not_told_by_the_timer_of_the_old_one():
    calendar = calendar_defined(years=(2026,))
    story = told_until(running(sla_defined(SlaClock("fix", "office", 1, 7_200, 1, 1)), calendar), 75)
    facts = {name: getattr(calendar, name) for name in calendar.__struct_fields__}
    holiday = facts | {"revision": 2, "days": (SpecialDay("2026-11-25", "holiday"),)}
    changed = CalendarChanged(**holiday, reason="", changed_from="2026-11-25", changed_until="2026-11-25")
    told(*story, at=NOW + 17 * HOUR).then_types(SlaBreached)
    told(*story, changed, at=NOW + 17 * HOUR).then_nothing()
