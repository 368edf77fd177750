"""What becomes of an order between its opening and its end."""

from datetime import timedelta

import pytest

from contracts.dispatcher import (
    AssignmentOverdue,
    AssignmentRetried,
    DecisionRecorded,
    EngineerDay,
    HoursBooked,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderPaused,
    OrderQueued,
    WithdrawalNoted,
)
from dispatcher.commands import (
    CancelOrder,
    DeclineOrder,
    FinishOrder,
    RecordHistory,
    RecordOverdue,
    RetryAssignment,
    ReturnOrder,
    StartOrder,
    UnassignOrder,
    WithdrawOrder,
)
from dispatcher.service import RULES
from tests.dispatcher.examples import (
    TODAY,
    assign,
    assigned,
    by_hand,
    declined,
    open_order,
    opened,
    registered,
    returned,
    started,
)
from tests.given import NOW, spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))

DUE = NOW + timedelta(minutes=30)
HERS = EngineerDay("e-1", TODAY)


def decline(**changes):
    return DeclineOrder(**{"order_id": "o-1", "engineer_id": "e-1", "reason": "ill"} | changes)


def start(engineer_id="e-1"):
    return StartOrder(order_id="o-1", engineer_id=engineer_id)


def give_back(engineer_id="e-1"):
    return ReturnOrder(order_id="o-1", engineer_id=engineer_id, reason="nobody-there")


def finish(engineer_id="e-1"):
    return FinishOrder(order_id="o-1", request_id="r-1", engineer_id=engineer_id)


def cancelled(reason="dispatcher", **changes):
    return OrderCancelled(**{"order_id": "o-1", "request_id": "r-1", "reason": reason} | changes)


def finished(**changes):
    return OrderFinished(**{"order_id": "o-1", "request_id": "r-1", "engineer_id": "e-1"} | changes)


CANCEL = CancelOrder(order_id="o-1")
WITHDRAW = WithdrawOrder(order_id="o-1")
OVERDUE = RecordOverdue(order_id="o-1", due_at=DUE)
RETRY = RetryAssignment(order_id="o-1")
NOTED = WithdrawalNoted(order_id="o-1", request_id="r-1")
WAS_OVERDUE = AssignmentOverdue(order_id="o-1", request_id="r-1", due_at=DUE)


# Opening.


def test_an_order_is_opened_and_must_be_assigned_within_half_an_hour():
    given().when(open_order()).then(opened(assign_due_at=DUE))


def test_an_order_is_opened_once():
    given(opened()).when(open_order()).then_nothing()


# Declining.


def test_an_engineer_declines_her_order_and_gives_its_hours_back():
    given(opened(), assigned()).when(decline()).then(declined(frees=HERS))


def test_who_declined_an_order_has_nothing_more_to_decline():
    given(opened(), assigned(), declined()).when(decline()).then_nothing()


def test_nobody_declines_the_order_of_another():
    given(opened(), assigned()).when(decline(engineer_id="e-2")).then_rejected("order.not-yours")


def test_an_order_is_not_declined_on_the_way():
    given(opened(), assigned(), started()).when(decline()).then_rejected("order.under-way", engineer_id="e-1")


def test_a_waiting_order_is_nobodys_to_decline():
    given(opened()).when(decline()).then_rejected("order.not-assigned")


# Cancelling and withdrawing.


def test_a_waiting_order_is_cancelled():
    given(opened()).when(CancelOrder(order_id="o-1", note="twice")).then(cancelled(note="twice"))


def test_an_assigned_order_is_cancelled_and_gives_its_hours_back():
    given(opened(), assigned()).when(CANCEL).then(cancelled(frees=HERS))


def test_an_order_is_cancelled_once():
    given(opened(), cancelled()).when(CANCEL).then_nothing()


@pytest.mark.parametrize(
    ("story", "code"),
    [
        ((), "order.unknown"),
        ((opened(), assigned(), started()), "order.under-way"),
        ((opened(), assigned(), started(), finished()), "order.finished"),
    ],
)
def test_what_is_under_way_or_over_is_not_cancelled(story, code):
    given(*story).when(CANCEL).then_rejected(code)


@pytest.mark.parametrize("story", [(opened(),), (opened(), assigned())])
def test_a_withdrawn_request_cancels_its_order(story):
    frees = HERS if len(story) == 2 else None
    given(*story).when(WITHDRAW).then(cancelled("request-withdrawn", frees=frees))


def test_a_withdrawal_during_the_visit_is_noted_once():
    given(opened(), assigned(), started()).when(WITHDRAW).then(NOTED)
    given(opened(), assigned(), started(), NOTED).when(WITHDRAW).then_nothing()


def test_a_visit_that_is_aborted_after_the_withdrawal_cancels_the_order():
    story = (opened(), assigned(), started(), NOTED)
    given(*story).when(give_back()).then(cancelled("request-withdrawn", frees=HERS))


@pytest.mark.parametrize("story", [(), (opened(), cancelled()), (opened(), finished())])
def test_a_withdrawal_of_what_is_not_open_changes_nothing(story):
    given(*story).when(WITHDRAW).then_nothing()


# The visit.


def test_an_order_is_under_way_when_its_engineer_departs():
    given(opened(), assigned()).when(start()).then(started())


def test_who_has_departed_departs_no_more():
    given(opened(), assigned(), started()).when(start()).then_nothing()


@pytest.mark.parametrize(
    ("story", "code"),
    [((opened(),), "order.not-assigned"), ((opened(), assigned("e-2")), "order.already-assigned")],
)
def test_the_departure_of_somebody_else_does_not_put_the_order_under_way(story, code):
    given(*story).when(start()).then_rejected(code)


@pytest.mark.parametrize("story", [(opened(), assigned()), (opened(), assigned(), started())])
def test_an_aborted_visit_makes_the_order_wait_again_and_gives_its_hours_back(story):
    given(*story).when(give_back()).then(returned(frees=HERS))


@pytest.mark.parametrize("story", [(opened(),), (opened(), assigned("e-2")), (opened(), cancelled())])
def test_the_end_of_a_visit_that_the_order_does_not_depend_on_changes_nothing(story):
    given(*story).when(give_back()).then_nothing()


def test_an_engineer_whose_visit_was_aborted_may_be_sent_again():
    story = (registered(), opened(), assigned(), started(), returned())
    given(*story).when(assign()).then_types(OrderAssigned, HoursBooked)


def test_completed_work_finishes_the_order_and_its_hours_stay_booked():
    given(opened(), assigned(), started()).when(finish()).then(finished(frees=None))


def test_work_completed_by_a_former_engineer_wins_and_frees_the_hours_of_the_present_one():
    given(opened(), assigned("e-2")).when(finish("e-1")).then(finished(frees=EngineerDay("e-2", TODAY)))


def test_work_completed_after_the_cancellation_wins():
    given(opened(), cancelled()).when(finish()).then(finished(outcome="completed_after_cancellation"))


def test_an_order_is_finished_once():
    given(opened(), finished()).when(finish()).then_nothing()


def test_an_order_that_nobody_opened_is_not_finished():
    given().when(finish()).then_rejected("order.unknown")


# Deadlines.


def test_an_order_that_nobody_has_in_time_is_overdue():
    given(opened()).when(OVERDUE).then(AssignmentOverdue(order_id="o-1", request_id="r-1", due_at=DUE))


@pytest.mark.parametrize(
    "story",
    [
        (opened(), WAS_OVERDUE),
        (opened(), WAS_OVERDUE, assigned(), declined()),
        (opened(), WAS_OVERDUE, assigned(), started(), returned()),
    ],
)
def test_an_order_is_overdue_once_also_when_it_waits_again(story):
    given(*story).when(OVERDUE).then_nothing()


def test_an_order_that_waits_again_may_still_become_overdue():
    given(opened(), assigned(), declined()).when(OVERDUE).then(WAS_OVERDUE)


@pytest.mark.parametrize("story", [(opened(), assigned()), (opened(), cancelled()), (opened(), finished()), ()])
def test_what_does_not_wait_is_neither_overdue_nor_looked_at_again(story):
    given(*story).when(OVERDUE).then_nothing()
    given(*story).when(RETRY).then_nothing()


def test_the_attempts_are_counted_from_when_the_order_began_to_wait():
    def retried(attempt):
        return AssignmentRetried(order_id="o-1", request_id="r-1", attempt=attempt)

    given(opened()).when(RETRY).then(retried(1))
    given(opened(), retried(1), WAS_OVERDUE).when(RETRY).then(retried(2))
    given(opened(), retried(1), assigned(), declined()).when(RETRY).then(retried(1))


# History.


HISTORY = (
    opened(assign_due_at=None),
    OrderQueued(order_id="o-1", request_id="r-1", team="G97"),
    OrderPaused(order_id="o-1", request_id="r-1", reason="awaits the vendor"),
    finished(engineer_id="", person="Anna"),
    OrderQueued(order_id="o-1", request_id="r-1", team="G4"),
)


def history(*events):
    return RecordHistory(order_id="o-1", request_id="r-1", events=events)


def test_history_is_recorded_as_it_was_in_as_many_parts_as_it_comes():
    given().when(history(*HISTORY)).then(*HISTORY)
    given(*HISTORY[:2]).when(history(*HISTORY[2:])).then(*HISTORY[2:])


def test_a_living_order_takes_no_history():
    given(opened()).when(history(HISTORY[1])).then_rejected("order.is-no-history")


def test_history_has_no_deadline_to_keep():
    given().when(history(opened())).then_rejected("history.has-a-deadline")


@pytest.mark.parametrize("command", [CANCEL, decline(), start(), finish(), WITHDRAW, by_hand()])
def test_nobody_acts_on_history(command):
    given(*HISTORY).when(command).then_rejected("order.is-history")


def test_the_rule_has_nothing_to_assign_in_history():
    given(*HISTORY).when(assign()).then_nothing()


def test_history_can_be_written_down_as_json():
    command = history(*HISTORY)
    assert command.model_dump(mode="json")["events"][1]["team"] == "G97"


def test_a_dispatcher_takes_an_order_back_and_its_engineer_may_have_it_again():
    back = UnassignOrder(order_id="o-1", reason="no")
    (taken,) = given(opened(), assigned()).when(back).then_types(OrderDeclined)
    assert (taken.cause, taken.engineer_id, taken.frees) == ("dispatcher", "e-1", EngineerDay("e-1", TODAY))
    given(opened(), assigned(), taken).when(back).then_nothing()
    given(opened(), assigned(), started()).when(back).then_rejected("order.under-way")


def test_what_was_taken_back_is_assigned_by_hand_only_until_it_is_looked_at_again():
    story = (registered(), opened(), assigned(), declined(cause="dispatcher"))
    given(*story).when(assign()).then_nothing()
    given(*story).when(by_hand()).then_types(OrderAssigned, HoursBooked)
    again = AssignmentRetried(order_id="o-1", request_id="r-1", attempt=1)
    given(*story, again).when(assign()).then_types(OrderAssigned, HoursBooked)
