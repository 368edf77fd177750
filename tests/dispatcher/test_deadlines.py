"""Which deadlines an event sets and settles."""

from datetime import timedelta

import pytest

from contracts.dispatcher import AssignmentOverdue, AssignmentRetried, OrderCancelled, OrderFinished
from dispatcher.commands import RecordOverdue, RetryAssignment
from dispatcher.deadlines import AGAIN, OFFER, ON_TIMER, OVERDUE
from dispatcher.service import RULES, service
from services.chassis.clock import micros
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey
from tests.dispatcher.examples import assigned, declined, opened, returned, started
from tests.fold import enveloped
from tests.given import NOW

MINUTE = timedelta(minutes=1)


def arms(event):
    ((event, envelope),) = enveloped([event])
    return list(RULES.timers[type(event)](event, envelope)), envelope.recorded_at


def test_an_opened_order_must_be_assigned_in_time_and_is_looked_at_again_in_a_minute():
    armed, recorded_at = arms(opened())
    assert armed == [Arm(OVERDUE, "o-1", NOW + 30 * MINUTE), Arm(AGAIN, "o-1", recorded_at + MINUTE)]


@pytest.mark.parametrize(("changes", "minutes"), [({}, 30), ({"assign_within_s": 5 * 60}, 5)])
@pytest.mark.parametrize("event", [declined, returned])
def test_an_order_that_waits_again_has_its_time_anew(event, changes, minutes):
    armed, recorded_at = arms(event(**changes))
    assert armed == [Arm(OVERDUE, "o-1", recorded_at + minutes * MINUTE), Arm(AGAIN, "o-1", recorded_at + MINUTE)]


def test_what_a_dispatcher_took_back_is_hers_to_give_for_a_quarter_of_an_hour():
    armed, recorded_at = arms(declined(cause="dispatcher"))
    assert Arm(AGAIN, "o-1", recorded_at + 15 * MINUTE) in armed


@pytest.mark.parametrize(
    "event",
    [
        assigned(),
        OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher"),
        OrderFinished(order_id="o-1", request_id="r-1"),
    ],
)
def test_what_settles_an_order_forgets_its_deadlines(event):
    by_rule = event == assigned()
    offer = [] if by_rule else [Arm(OFFER, "o-1", None)]
    assert arms(event)[0] == [Arm(OVERDUE, "o-1", None), Arm(AGAIN, "o-1", None), *offer]


@pytest.mark.parametrize(("attempt", "minutes"), [(1, 2), (2, 4), (5, 32), (6, 60), (400, 60)])
def test_the_pauses_between_two_looks_grow_to_an_hour(attempt, minutes):
    armed, recorded_at = arms(AssignmentRetried(order_id="o-1", request_id="r-1", attempt=attempt))
    assert armed == [Arm(AGAIN, "o-1", recorded_at + minutes * MINUTE)]


def test_other_events_leave_the_deadlines_alone():
    assert RULES.timers.keys().isdisjoint({type(started()), AssignmentOverdue})


def test_each_timer_asks_its_command():
    timer = Timer(micros(NOW), "e-1")
    assert ON_TIMER[OVERDUE](TimerKey("t", OVERDUE, "o-1"), timer) == RecordOverdue(order_id="o-1", due_at=NOW)
    assert ON_TIMER[AGAIN](TimerKey("t", AGAIN, "o-1"), timer) == RetryAssignment(order_id="o-1")
    assert service.on_timer is ON_TIMER
