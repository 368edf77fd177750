"""A phone without a network: whatever the order, the repetitions and the batches, what follows is the same."""

from datetime import timedelta

import msgspec
import pytest
from hypothesis import given as drawn
from hypothesis import settings
from hypothesis import strategies as st

from contracts.fieldwork import (
    EngineerArrived,
    EngineerDeparted,
    PartUsedAfterEnd,
    StepKept,
    StepRefused,
    StepTaken,
    UsedPart,
)
from fieldwork.domain import reported_steps, service_codes, visit
from fieldwork.projections.reported_steps import REPORTED
from fieldwork.projections.visits import VISITS
from fieldwork.service import RULES
from services.chassis.journal.rules import States
from tests.fieldwork import examples as ex
from tests.fieldwork.examples import arrive, cancelled, depart, finish, minute, planned, report, start, use
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for

given = spec_for(RULES)
LATE = minute(600)


def taken(number):
    step = {1: depart(), 2: arrive()}[number]
    said = msgspec.structs.asdict(kept(number, step))
    del said["reported"], said["customer_id"]
    return StepTaken(**said)


def kept(number, step):
    said = step.model_dump_json(exclude={"now"})
    name = next(name for name, kind in reported_steps.KINDS.items() if isinstance(step, kind))
    ids = {"visit_id": "v-1", "request_id": "r-1", "step_id": f"s-{number}"}
    return StepKept(**ids, number=number, step=name, happened_at=step.at, reported=said)


def refused(number, command, code, **facts):
    said = msgspec.structs.asdict(kept(number, command))
    return StepRefused(**said, order_id="o-1", engineer_id="e-1", code=code, facts=facts)


def test_a_step_whose_turn_it_is_is_taken_at_the_time_it_happened():
    given(planned()).when(report(1, depart(at=10, now=LATE))).then(ex.departed(at=10), taken(1))


def test_a_step_that_comes_before_another_is_kept_until_that_is_there():
    given(planned()).when(report(2, arrive())).then(kept(2, arrive()))
    given(planned(), kept(2, arrive())).when(report(1, depart())).then(ex.departed(), taken(1), ex.arrived(), taken(2))


def test_a_step_that_comes_again_changes_nothing():
    given(planned(), kept(2, arrive())).when(report(2, arrive())).then_nothing()
    given(planned(), ex.departed(), taken(1)).when(report(1, depart())).then_nothing()


def test_what_was_known_by_a_single_call_is_taken_and_adds_nothing():
    given(planned(), ex.departed()).when(report(1, depart())).then(taken(1))


def test_two_steps_cannot_have_one_number():
    again = {"number": 1, "step_id": "other", "next": 2}
    given(planned(), ex.departed(), taken(1)).when(report(1, depart(), step_id="other")).then_rejected(
        "step.number-taken", **again
    )
    given(planned(), kept(2, arrive())).when(report(2, arrive(), step_id="other")).then_rejected("step.number-taken")


def test_a_time_to_come_is_refused_and_not_kept_so_that_it_can_be_sent_again():
    given(planned()).when(report(2, arrive(at=30, now=NOW))).then_rejected("visit.time-in-future")


def test_a_phone_that_runs_wild_is_stopped_and_told_what_is_missing():
    waiting = [kept(number, use()) for number in range(2, 2 + reported_steps.MOST_KEPT)]
    more = report(9_000, use())
    given(planned(), *waiting).when(more).then_rejected("step.too-many-waiting", next=1)


def test_of_a_visit_that_was_called_off_both_facts_are_kept_and_the_next_step_has_its_turn():
    away = cancelled(cancelled_at=minute(5), reason="order-reassigned")
    facts = {"step": "depart", "at": minute(10).isoformat(), "reason": "order-reassigned"}
    first = refused(1, depart(), "visit.called-off", **facts, since=minute(5).isoformat())
    given(planned(), away).when(report(1, depart())).then(first)
    given(planned(), away, first).when(report(2, arrive())).then_types(StepRefused)
    given(planned(), away, first).when(report(1, depart())).then_nothing()


def test_a_step_before_the_one_it_follows_is_refused_whichever_comes_first():
    no = refused(2, arrive(at=9), "visit.time-before", at=minute(9).isoformat(), after=minute(10).isoformat())
    given(planned(), ex.departed(), taken(1)).when(report(2, arrive(at=9))).then(no)
    given(planned(), kept(2, arrive(at=9))).when(report(1, depart())).then(ex.departed(), taken(1), no)


def test_each_event_of_one_commit_has_the_time_when_it_happened():
    times = {event.occurred_at() for event in (ex.departed(), ex.arrived(), ex.part(), ex.completed(), ex.aborted())}
    assert times == {minute(10), minute(30), minute(45), minute(85), minute(90)}


# Any permutation, any repetition, any split.

LOOP = st.lists(st.sampled_from(["part", "refused", "wrong", "early"]), max_size=8)


@st.composite
def ways(draw):
    """What an engineer did of one visit, in order: with parts, refusals, slips, and an end or none."""
    steps, at = [depart(), arrive(), start()], 35
    for what in draw(LOOP):
        at += draw(st.integers(0, 5))
        match what:
            case "part":
                steps.append(use(at=at, part_id=draw(st.sampled_from(["fan", "seal"]))))
            case "refused":
                steps += [finish(at=at), ex.refuse(at=at)]
            case "wrong":
                steps.append(arrive(at=at) if draw(st.booleans()) else ex.accept(at=at))
            case "early":
                steps.append(use(at=1))
    ends = [[], [finish(at=at)], [finish(at=at), ex.accept(at=at)], [ex.abort(at=at)]]
    steps += draw(st.sampled_from(ends))
    return [report(number, step.model_copy(update={"now": LATE})) for number, step in enumerate(steps, 1)]


def told(before, commands):
    """The events of the visit's stream, all events, and the states after these came."""
    events, states = list(before), {"visit/v-1": visit.INITIAL, "visit-steps/v-1": reported_steps.Reported()}
    states[service_codes.CODES_STREAM] = service_codes.NONE
    for event in before:
        states[event.stream()] = RULES.stream_of[event.STREAM].evolve(states[event.stream()], event)
    for number, command in enumerate(commands):
        # Whenever it comes, it is another moment.
        moved = command.step.model_copy(update={"now": LATE + timedelta(minutes=number)})
        for event in reported_steps.report(States(states, {}), command.model_copy(update={"step": moved})):
            states[event.stream()] = RULES.stream_of[event.STREAM].evolve(states[event.stream()], event)
            events.append(event)
    return events, states


def figures(view, events):
    """The rows but for the number of records that made them."""
    rows = rows_after(view, [(event, {"time": event.occurred_at() or NOW}) for event in events])
    return {key: {name: value for name, value in row.items() if name != "version"} for key, row in rows.items()}


@settings(max_examples=300, deadline=None, print_blob=True)
@drawn(ways(), st.data(), st.sampled_from([[planned()], [planned(), cancelled(cancelled_at=minute(5))]]))
def test_any_order_and_repetition_gives_the_same_events_states_and_rows(commands, data, before):
    straight, states = told(before, commands)
    again = data.draw(st.lists(st.sampled_from(commands), max_size=10))
    mixed, other_states = told(before, data.draw(st.permutations([*commands, *again])))
    assert [event for event in mixed if not isinstance(event, StepKept)] == straight
    assert other_states == states
    assert not states["visit-steps/v-1"].kept
    for view in (VISITS, REPORTED):
        assert figures(view, mixed) == figures(view, straight)


def test_rows_of_reports_are_the_same_in_whatever_order_events_arrive():
    other = {"visit_id": "v-2", "request_id": "r-2"}
    no = refused(2, arrive(), "visit.called-off")
    events = [kept(2, arrive()), taken(1), msgspec.structs.replace(taken(1), **other), no]
    assert_same_rows_shuffled(REPORTED, events)
    rows = rows_after(REPORTED, events)
    assert [rows["v-1", name]["outcome"] for name in ("s-1", "s-2")] == ["taken", "refused"]


# The phone's clock, and parts of visits that have ended.


def late(number, step, ahead_s):
    """As a phone reports it whose clock is so far ahead."""
    shown = step.at + timedelta(seconds=ahead_s)
    return report(number, step.model_copy(update={"at": shown, "now": LATE}), clock_ahead_s=ahead_s)


@pytest.mark.parametrize("ahead_s", [-7_200, -121, 121, 36_000])
def test_the_times_of_a_phone_whose_clock_is_wrong_are_corrected_and_what_it_showed_is_kept(ahead_s):
    event, step = given(planned()).when(late(1, depart(), ahead_s)).then_types(EngineerDeparted, StepTaken)
    assert event == ex.departed()
    assert (step.happened_at, step.clock_ahead_s) == (minute(10), ahead_s)


@pytest.mark.parametrize("ahead_s", [-120, 0, 120])
def test_a_clock_that_is_right_within_two_minutes_is_right(ahead_s):
    event, step = given(planned()).when(late(1, depart(), ahead_s)).then_types(EngineerDeparted, StepTaken)
    assert (event.departed_at, step.clock_ahead_s) == (minute(10) + timedelta(seconds=ahead_s), 0)


def test_a_later_measurement_that_agrees_with_the_first_one_changes_nothing():
    """The way through the network takes another time each time; steps must not change places by that."""
    first = given(planned()).when(late(1, depart(at=29), 600)).then_types(EngineerDeparted, StepTaken)
    shown = arrive(at=29, now=LATE).at + timedelta(seconds=600)
    next_ = report(2, arrive().model_copy(update={"at": shown, "now": LATE}), clock_ahead_s=719)
    event, step = given(planned(), *first).when(next_).then_types(EngineerArrived, StepTaken)
    assert (event.arrived_at, step.clock_ahead_s) == (minute(29), 600)


def test_a_time_that_is_still_to_come_by_our_clock_is_refused():
    step = depart(at=10).model_copy(update={"now": NOW})
    given(planned()).when(report(1, step, clock_ahead_s=300)).then_rejected("visit.time-in-future")
    given(planned()).when(report(1, step, clock_ahead_s=600)).then_types(EngineerDeparted, StepTaken)


ENDS = {
    "called off": [planned(), cancelled()],
    "aborted": [*ex.AT_WORK, ex.aborted()],
    "completed": [*ex.DONE, ex.completed()],
}


@pytest.mark.parametrize("end", ENDS)
def test_a_part_is_in_the_device_whatever_became_of_the_visit(end):
    said = report(1, use(quantity=2, old_returned=1, old_serials=("S0",), now=LATE))
    no, fact = given(*ENDS[end]).when(said).then_types(StepRefused, PartUsedAfterEnd)
    assert (no.step, fact.step_id, fact.used_at) == ("use-part", "s-1", minute(45))
    assert fact.part == UsedPart("fan", "van-1", 2, (), 1, old_serials=("S0",))
    given(*ENDS[end], no, fact).when(said).then_nothing()


def test_while_the_visit_goes_on_a_part_can_still_be_reported_as_its_step():
    given(*ex.THERE).when(report(1, use(now=LATE))).then_types(StepRefused)


def test_a_step_that_holds_a_customers_words_says_under_whose_key():
    words = finish(record="sealed:c-1:x", now=LATE)
    (kept_,) = given(planned()).when(report(5, words)).then_types(StepKept)
    assert kept_.customer_id == "c-1"
    (kept_,) = given(planned()).when(report(5, arrive(now=LATE))).then_types(StepKept)
    assert kept_.customer_id == ""
