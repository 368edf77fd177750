"""What is promised changes, and what was recorded is corrected: the clocks stand where they would have stood."""

from datetime import timedelta

import pytest

from contracts.dispatcher import (
    CalendarChanged,
    ClockMove,
    ClocksMoved,
    ClocksStarted,
    DecisionRecorded,
    Difference,
    FactCorrected,
    RestatementAdvanced,
    RestatementBegun,
    SlaBreached,
    SlaChanged,
    SlaClock,
    SlaDefined,
    SlaRestated,
    SlaWarned,
    SpecialDay,
)
from dispatcher.commands import BeginRestatement, CorrectFact, Moves, RestatePage, TellMark
from dispatcher.service import RULES
from tests.given import NOW, spec_for
from tests.sla.examples import (
    HOUR,
    MINUTE,
    agreed,
    calendar_defined,
    change_sla,
    define_sla,
    move_clocks,
    pause_clocks,
    resume_clocks,
    sla_defined,
    start_clocks,
)

given = spec_for(RULES, besides=(DecisionRecorded,))

FIX = SlaClock("fix", "", 14_400, 7_200, 3_600, 1_800, ("customer", "parts"))
"""Two hours around the clock."""
ARRIVE = SlaClock("arrive", "", 14_400, 7_200, 3_600, 1_800)
LEVEL = sla_defined(FIX, ARRIVE)
GOLD = sla_defined(SlaClock("fix", "", 7_200, 3_600, 1_800, 900, ("customer",)), sla_id="gold", request_types=("gold",))
SLOW = sla_defined(SlaClock("fix", "", 99_999, 28_800, 9_999, 9_999), sla_id="slow", request_types=("slow",))


def after(events, command):
    return [*events, *given(*events).when(command)._events()]


def running(*levels, **changes):
    return after([*(levels or (LEVEL, GOLD, SLOW))], start_clocks(**changes))


def standing(event, clock="fix"):
    return next(one for one in event.standings if one.clock == clock)


def correct(happening, happened_at, now=NOW + 3 * HOUR, **changes):
    said = {"order_id": "o-1", "happening": happening, "happened_at": happened_at, "reason": "the phone was wrong"}
    return CorrectFact(**said | {"now": now} | changes)


def told(events, at, clock="fix"):
    return given(*events).when(TellMark(order_id="o-1", clock=clock, due_at=at))


def with_marks_told(events, clock="fix", *, count=3):
    for _ in range(count):
        last = events[-1]
        at = standing(last, clock).next_at if hasattr(last, "standings") else last.next_at
        events = [*events, *told(events, at, clock)._events()]
    return events


# What a type of request names.


def test_the_service_level_that_the_type_of_the_request_names_holds_for_it():
    (started,) = given(LEVEL, GOLD).when(start_clocks(sla="gold")).then_types(ClocksStarted)
    assert (started.sla_id, started.named, standing(started).due_at) == ("gold", "", NOW + HOUR)


def test_a_name_that_no_service_level_has_is_passed_over_and_told():
    (started,) = given(LEVEL, GOLD).when(start_clocks(sla="platinum")).then_types(ClocksStarted)
    assert (started.sla_id, started.named) == ("standard", "platinum")
    later = SlaDefined(**{n: getattr(GOLD, n) for n in GOLD.__struct_fields__} | {"effective_from": NOW + MINUTE})
    (started,) = given(LEVEL, later).when(start_clocks(sla="gold")).then_types(ClocksStarted)
    assert (started.sla_id, started.named) == ("standard", "gold")


# Another service level for an order that is under way.


def test_a_change_is_measured_from_the_start_and_keeps_what_was_waited():
    story = after(running(), pause_clocks(NOW + 10 * MINUTE))
    story = after(story, resume_clocks(NOW + 40 * MINUTE))
    (changed,) = given(*story).when(change_sla(now=NOW + 50 * MINUTE)).then_types(SlaChanged)
    assert (changed.from_sla_id, changed.sla_id, changed.revision, changed.reason) == (
        "standard",
        "gold",
        1,
        "as the contract says",
    )
    # An hour from nine, and half an hour waited.
    assert standing(changed).due_at == NOW + 90 * MINUTE
    assert standing(changed).waited_us == 30 * 60_000_000
    due = [one for one in changed.differences if one.figure == "due_at" and one.clock == "fix"]
    assert due == [Difference("fix", "due_at", (NOW + 150 * MINUTE).isoformat(), (NOW + 90 * MINUTE).isoformat())]


def test_waiting_that_goes_on_is_granted_until_the_change_whatever_the_new_terms_excuse():
    story = after(running(), pause_clocks(NOW + 10 * MINUTE, reason="parts"))
    (changed,) = given(*story).when(change_sla(now=NOW + 40 * MINUTE)).then_types(SlaChanged)
    assert (standing(changed).state, standing(changed).due_at) == ("running", NOW + 90 * MINUTE)


def test_a_clock_that_is_not_promised_any_more_has_no_mark_and_a_new_one_counts_from_the_promise():
    story = after(running(), change_sla(now=NOW + 10 * MINUTE))
    assert (standing(story[-1], "arrive").state, standing(story[-1], "arrive").next_at) == ("cancelled", None)
    back = after(story, change_sla("standard", now=NOW + 70 * MINUTE))
    assert standing(back[-1], "arrive").due_at == NOW + 3 * HOUR
    arrived = after(
        after(running(GOLD, LEVEL, request_type="gold"), move_clocks("arrived", NOW + 5 * MINUTE)),
        change_sla("standard", NOW + HOUR / 2),
    )
    assert standing(arrived[-1], "arrive").state == "stopped"


def test_a_shorter_promise_that_is_over_already_is_told_at_once_and_a_longer_one_takes_the_breach_back():
    story = after(running(), change_sla(now=NOW + 100 * MINUTE))
    assert (standing(story[-1]).next_percent, standing(story[-1]).next_at) == (50, NOW + 30 * MINUTE)
    story = with_marks_told(story)
    assert [type(one) for one in story[-3:]] == [SlaWarned, SlaWarned, SlaBreached]
    assert (story[-1].sla_id, story[-1].due_at) == ("gold", NOW + HOUR)
    changed = after(story, change_sla("slow", now=NOW + 3 * HOUR))[-1]
    assert Difference("fix", "breached", "true", "false") in changed.differences
    # Three of eight hours are used: all marks of the new promise are ahead, and are told once more.
    assert (standing(changed).next_percent, standing(changed).next_at) == (50, NOW + 4 * HOUR)


def test_a_mark_that_is_passed_by_the_new_terms_too_is_not_told_again():
    story = with_marks_told(running(), count=2)
    changed = after(story, change_sla(now=NOW + 100 * MINUTE))[-1]
    assert (standing(changed).next_percent, standing(changed).next_at) == (100, NOW + HOUR)


def test_the_same_promise_again_changes_nothing():
    given(*running()).when(change_sla("standard")).then_nothing()
    story = after(running(), change_sla())
    given(*story).when(change_sla(now=NOW + HOUR)).then_nothing()


def test_a_change_is_refused_where_it_means_nothing():
    given(*running()).when(change_sla("none")).then_rejected("sla.not-there", sla_id="none")
    given(*after(running(), move_clocks("finished"))).when(change_sla()).then_rejected("clock.ended")
    later = sla_defined(FIX, sla_id="new", request_types=("new",), effective_from=NOW + HOUR)
    given(later, *running()).when(change_sla("new")).then_rejected("sla.not-yet", sla_id="new")


# What was recorded wrongly.


def test_an_arrival_that_is_put_to_when_it_was_restates_the_clocks_and_the_first_record_stays():
    story = with_marks_told(running(), "arrive")
    story = after(story, move_clocks("arrived", NOW + 2 * HOUR + 30 * MINUTE))
    corrected, restated = given(*story).when(correct("arrived", NOW + HOUR)).then_types(FactCorrected, SlaRestated)
    was = NOW + 2 * HOUR + 30 * MINUTE
    assert (corrected.recorded_at, corrected.was_at, corrected.happened_at) == (was, was, NOW + HOUR)
    assert standing(corrected, "arrive").stopped_at == NOW + HOUR
    assert Difference("arrive", "breached", "true", "false") in restated.differences
    assert Difference("arrive", "used_us", str(9_000_000_000), str(3_600_000_000)) in restated.differences
    again = [*story, corrected, restated]
    given(*again).when(correct("arrived", NOW + HOUR)).then_nothing()
    # Told anew by another way, the first record is known, and the correction holds.
    given(*again).when(move_clocks("arrived", was, now=NOW + 4 * HOUR)).then_nothing()
    twice = given(*again).when(correct("arrived", was, now=NOW + 4 * HOUR)).then_types(FactCorrected, SlaRestated)[0]
    assert (twice.recorded_at, twice.was_at) == (was, NOW + HOUR)


def test_an_arrival_that_was_later_than_recorded_may_be_a_breach():
    story = after(running(), move_clocks("arrived", NOW + HOUR))
    story = after(story, correct("arrived", NOW + 150 * MINUTE))
    at = standing(story[-1], "arrive")
    assert (at.next_percent, at.next_at) == (50, NOW + HOUR) or (at.next_percent, at.next_at) == (100, NOW + 2 * HOUR)
    assert told(story, NOW + 2 * HOUR, "arrive").then_types(SlaBreached)[0].due_at == NOW + 2 * HOUR


def test_what_never_happened_is_taken_out():
    story = after(running(), pause_clocks(NOW + 10 * MINUTE))
    story = after(story, correct("paused", None))
    assert (standing(story[-1]).state, standing(story[-1]).due_at) == ("running", NOW + 2 * HOUR)
    given(*story).when(correct("paused", None)).then_rejected("clock.fact-absent")
    given(*story).when(resume_clocks(NOW + 3 * HOUR)).then_rejected("clock.not-paused")


def test_of_two_alike_the_one_that_is_meant_must_be_named():
    story = running()
    for minutes in (10, 30):
        story = after(story, pause_clocks(NOW + minutes * MINUTE))
        story = after(story, resume_clocks(NOW + (minutes + 5) * MINUTE))
    given(*story).when(correct("resumed", NOW + 20 * MINUTE)).then_rejected("clock.fact-ambiguous")
    story = after(story, correct("resumed", NOW + 20 * MINUTE, was_at=NOW + 15 * MINUTE))
    assert standing(story[-1]).waited_us == 15 * 60_000_000


def test_a_correction_is_refused_where_it_means_nothing():
    given(LEVEL).when(correct("arrived", NOW)).then_rejected("clock.absent")
    given(*running()).when(correct("arrived", NOW)).then_rejected("clock.fact-absent", times="-")
    story = after(running(), move_clocks("arrived", NOW + HOUR))
    given(*story).when(correct("arrived", NOW + 4 * HOUR)).then_rejected("clock.in-the-future")
    given(*story).when(correct("arrived", NOW - HOUR)).then_rejected("clock.before-the-opening")


def test_a_corrected_reset_does_not_tell_a_mark_twice():
    story = after(running(), move_clocks("assigned", NOW + 5 * MINUTE))
    story = after(story, move_clocks("waiting", NOW + 60 * MINUTE))
    story = with_marks_told(story, "assign", count=1)
    assert story[-1].reached_at == NOW + 75 * MINUTE
    story = after(story, correct("waiting", NOW + 55 * MINUTE, now=NOW + 76 * MINUTE))
    at = standing(story[-1], "assign")
    assert (at.next_percent, at.next_at) == (75, NOW + 55 * MINUTE + timedelta(minutes=22, seconds=30))


# Conditions as data.


BY_ASSIGNMENT = (
    ClockMove("assigned", "start"),
    ClockMove("waiting", "pause"),
    ClockMove("finished", "stop"),
    ClockMove("paused", "pause"),
    ClockMove("resumed", "resume"),
    ClockMove("cancelled", "cancel"),
)


def moved_by(*moves, **changes):
    return sla_defined(SlaClock("fix", "", 14_400, 7_200, 3_600, 1_800, ("customer",), moves=moves), **changes)


def test_a_service_level_says_what_starts_a_clock():
    story = running(moved_by(*BY_ASSIGNMENT, ClockMove("arrived", "resume")))
    assert (standing(story[-1]).state, standing(story[-1]).next_at) == ("idle", None)
    story = after(story, move_clocks("assigned", NOW + HOUR))
    assert standing(story[-1]).due_at == NOW + 3 * HOUR


def test_what_waits_because_of_what_happened_is_apart_from_what_waits_for_a_reason():
    story = running(moved_by(*BY_ASSIGNMENT, ClockMove("arrived", "resume")))
    for command in (
        move_clocks("assigned", NOW),
        move_clocks("waiting", NOW + 10 * MINUTE),
        pause_clocks(NOW + 20 * MINUTE),
        move_clocks("arrived", NOW + 30 * MINUTE),
    ):
        story = after(story, command)
    assert standing(story[-1]).state == "paused"  # for the customer still
    story = after(story, resume_clocks(NOW + 40 * MINUTE))
    assert (standing(story[-1]).state, standing(story[-1]).waited_us) == ("running", 30 * 60_000_000)


def test_each_condition_can_be_given_to_any_happening():
    moves = (
        ClockMove("opened", "start"),
        ClockMove("assigned", "pause"),
        ClockMove("waiting", "reset"),
        ClockMove("arrived", "resume"),
        ClockMove("finished", "stop"),
        ClockMove("cancelled", "cancel"),
    )
    story = running(moved_by(*moves))
    states = []
    for minute, happening in enumerate(("assigned", "arrived", "waiting", "finished", "cancelled"), 1):
        story = after(story, move_clocks(happening, NOW + minute * MINUTE))
        states.append((standing(story[-1]).state, standing(story[-1]).started_at))
    begun, anew = NOW, NOW + 3 * MINUTE
    assert states == [
        ("paused", begun),
        ("running", begun),
        ("running", anew),
        ("stopped", anew),
        ("cancelled", anew),
    ]


@pytest.mark.parametrize(
    ("moves", "code", "facts"),
    [
        ([("opened", "start")], "sla.condition-missing", {"condition": "stop"}),
        ([("finished", "stop")], "sla.condition-missing", {"condition": "start"}),
        (
            [("opened", "start"), ("waiting", "pause"), ("finished", "stop")],
            "sla.condition-missing",
            {"condition": "resume"},
        ),
        ([("opened", "start"), ("opened", "stop")], "sla.move-twice", {"happening": "opened"}),
    ],
)
def test_conditions_that_leave_a_clock_without_begin_or_end_are_refused(moves, code, facts):
    said = tuple(Moves(happening=happening, condition=condition) for happening, condition in moves)
    given(calendar_defined()).when(define_sla(agreed(moves=said))).then_rejected(code, clock="fix", **facts)


def test_a_changed_promise_moves_by_its_own_conditions_from_the_start():
    story = running(
        LEVEL, moved_by(*BY_ASSIGNMENT, ClockMove("arrived", "resume"), sla_id="own", request_types=("own",))
    )
    story = after(story, move_clocks("assigned", NOW + HOUR))
    (changed,) = given(*story).when(change_sla("own", NOW + 70 * MINUTE)).then_types(SlaChanged)
    assert standing(changed).due_at == NOW + 3 * HOUR


# A changed calendar.


def on_holiday(calendar):
    facts = {name: getattr(calendar, name) for name in calendar.__struct_fields__}
    said = facts | {"revision": 2, "days": (SpecialDay("2026-11-25", "holiday"),)}
    return CalendarChanged(**said, reason="", changed_from="2026-11-25", changed_until="2026-11-25")


BEGUN = RestatementBegun(
    calendar_id="office", revision=2, changed_from="2026-11-25", changed_until="2026-11-25", orders=3
)


def page(*order_ids, after="", done=False):
    return RestatePage(calendar_id="office", revision=2, after=after, order_ids=order_ids, done=done, now=NOW)


def measured_by_the_office():
    story = [calendar_defined(years=(2026,)), sla_defined(SlaClock("fix", "office", 1, 7_200, 1, 1_800))]
    for order_id, urgency in (("o-1", "normal"), ("o-2", "critical"), ("o-3", "normal")):
        story = after(story, start_clocks(order_id=order_id, request_id=f"r-{order_id}", urgency=urgency))
    return story


def test_a_page_restates_the_orders_that_the_calendar_touches_and_says_how_far_it_came():
    story = [*measured_by_the_office(), on_holiday(calendar_defined(years=(2026,))), BEGUN]
    first, second = NOW + 17 * HOUR, NOW + 41 * HOUR
    restated, advanced = given(*story).when(page("o-1", "o-2")).then_types(SlaRestated, RestatementAdvanced)
    assert restated.differences == (Difference("fix", "due_at", first.isoformat(), second.isoformat()),)
    assert (restated.order_id, restated.calendar_revision, standing(restated).due_at) == ("o-1", 2, second)
    assert standing(restated).calendar_revision == 2
    assert (advanced.upto, advanced.looked_at, advanced.restated, advanced.done) == ("o-2", 2, 1, False)
    story = [*story, restated, advanced]
    given(*story).when(page("o-1", "o-2")).then_nothing()
    last = page("o-3", after="o-2", done=True)
    _, advanced = given(*story).when(last).then_types(SlaRestated, RestatementAdvanced)
    assert (advanced.looked_at, advanced.restated, advanced.done) == (3, 2, True)
    given(*story, advanced).when(page(after="o-3", done=True)).then_nothing()


def test_a_restatement_begins_once_and_no_page_comes_before_it():
    said = {name: getattr(BEGUN, name) for name in BEGUN.__struct_fields__}
    given().when(BeginRestatement(**said)).then(BEGUN)
    given(BEGUN).when(BeginRestatement(**said)).then_nothing()
    given(*measured_by_the_office()).when(page("o-1")).then_nothing()


def test_an_order_that_the_calendar_does_not_touch_is_only_looked_at():
    story = [*measured_by_the_office(), BEGUN]
    (advanced,) = given(*story).when(page("o-1", "unknown", done=True)).then_types(RestatementAdvanced)
    assert (advanced.looked_at, advanced.restated, advanced.done) == (2, 0, True)


def test_moves_of_an_order_are_recorded_also_where_no_clock_of_today_cares():
    """As another service level may care, and is measured from the start."""
    (moved,) = given(*running(GOLD, request_type="gold")).when(move_clocks("arrived")).then_types(ClocksMoved)
    assert moved.happening == "arrived"
