"""A complaint is given to somebody and answered by its deadline, with what was behind it."""

from datetime import timedelta

import pytest

from contracts.dispatcher import OrderOpened
from contracts.quality import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintOverdue,
    ComplaintRaised,
    ComplaintWithdrawn,
)
from quality.commands import (
    AssignComplaint,
    CloseComplaint,
    RaiseComplaint,
    RecordComplaintOverdue,
    WithdrawComplaint,
)
from quality.projections.asked_for import ASKED_FOR
from quality.projections.complaints import COMPLAINTS
from quality.service import RULES
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.quality.examples import request_received

given = spec_for(RULES)

DAY = timedelta(days=1)
OF = {"complaint_id": "k-1"}

COMPLAIN = RaiseComplaint(**OF, customer_id="c-1", request_id="r-1", words="nobody came", now=NOW)
RAISED = ComplaintRaised(**OF, customer_id="c-1", request_id="r-1", words="nobody came", answer_due_at=NOW + 3 * DAY)
CLOSE = CloseComplaint(**OF, root_cause="late", answer="we are sorry")
CLOSED = ComplaintClosed(
    **OF, customer_id="c-1", owner_id="m-1", root_cause="late", answer="we are sorry", request_id="r-1"
)

WITHDRAW = WithdrawComplaint(**OF, reason="she has come")
WITHDRAWN = ComplaintWithdrawn(**OF, customer_id="c-1", owner_id="", request_id="r-1", reason="she has come")


def assign(**changes):
    return AssignComplaint(**OF | {"owner_id": "m-1", "now": NOW} | changes)


def assigned(days=3, owner_id="m-1"):
    return ComplaintAssigned(**OF, owner_id=owner_id, answer_due_at=NOW + days * DAY)


def overdue(days=3, owner_id=""):
    return ComplaintOverdue(**OF, owner_id=owner_id, due_at=NOW + days * DAY)


def remind(days=3):
    return RecordComplaintOverdue(**OF, due_at=NOW + days * DAY)


def test_a_complaint_is_raised_once_and_to_be_answered_in_three_days():
    given().when(COMPLAIN).then(RAISED)
    given(RAISED).when(COMPLAIN).then_nothing()


def test_somebody_takes_it_and_the_deadline_stays_unless_another_is_set():
    given(RAISED).when(assign()).then(assigned())
    given(RAISED).when(assign(answer_due_at=NOW + DAY)).then(assigned(days=1))
    given(RAISED, assigned()).when(assign()).then_nothing()
    given(RAISED, assigned()).when(assign(owner_id="m-2")).then(assigned(owner_id="m-2"))


def test_a_deadline_that_is_over_is_not_set_and_one_that_has_passed_may_stay():
    given(RAISED).when(assign(answer_due_at=NOW)).then_rejected("complaint.due-past")
    given(RAISED, overdue()).when(assign(now=NOW + 4 * DAY)).then(assigned())


def test_it_is_overdue_once_for_each_deadline():
    given(RAISED).when(remind()).then(overdue())
    given(RAISED, overdue()).when(remind()).then_nothing()
    given(RAISED, overdue(), assigned()).when(remind()).then_nothing()
    given(RAISED, overdue(), assigned(days=5)).when(remind(5)).then(overdue(5, "m-1"))


def test_the_timer_of_a_former_deadline_finds_nothing_to_do():
    given(RAISED, assigned(days=5)).when(remind(3)).then_nothing()
    given(RAISED, assigned(), CLOSED).when(remind(3)).then_nothing()


def test_it_is_closed_with_an_answer_and_a_root_cause():
    given(RAISED, assigned()).when(CLOSE).then(CLOSED)
    given(RAISED, assigned(), overdue(owner_id="m-1")).when(CLOSE).then(CLOSED)


def test_nobody_closes_what_nobody_owns():
    given(RAISED).when(CLOSE).then_rejected("complaint.no-owner")


@pytest.mark.parametrize("command", [assign(), CLOSE], ids=["assign", "close"])
def test_what_is_closed_or_unknown_takes_nothing_more(command):
    given(RAISED, assigned(), CLOSED).when(command).then_rejected("complaint.closed")
    given().when(command).then_rejected("complaint.unknown")


def test_who_complained_takes_it_back_as_long_as_it_is_not_answered():
    given(RAISED).when(WITHDRAW).then(WITHDRAWN)
    given(RAISED, WITHDRAWN).when(WITHDRAW).then_nothing()
    given(RAISED, assigned(), CLOSED).when(WITHDRAW).then_rejected("complaint.closed")
    given().when(WITHDRAW).then_rejected("complaint.unknown")


@pytest.mark.parametrize("command", [assign(), CLOSE], ids=["assign", "close"])
def test_what_is_withdrawn_is_owed_no_answer(command):
    given(RAISED, assigned(), WITHDRAWN).when(command).then_rejected("complaint.withdrawn")
    given(RAISED, WITHDRAWN).when(remind()).then_nothing()
    row = rows_after(COMPLAINTS, [RAISED, overdue(), WITHDRAWN])[("k-1",)]
    assert (row["state"], row["overdue"], row["was_overdue"]) == ("withdrawn", False, True)


def test_the_view_forgets_that_it_was_late_when_another_deadline_is_set():
    late = [RAISED, overdue()]
    assert rows_after(COMPLAINTS, late)[("k-1",)]["overdue"]
    assert rows_after(COMPLAINTS, [*late, assigned()])[("k-1",)]["overdue"]
    row = rows_after(COMPLAINTS, [*late, assigned(days=5)])[("k-1",)]
    assert (row["overdue"], row["was_overdue"], row["owner_id"]) == (False, True, "m-1")


def test_a_request_and_its_order_may_become_known_in_either_order():
    order = OrderOpened(order_id="o-1", request_id="r-1")
    assert_same_rows_shuffled(ASKED_FOR, [request_received(), order], seed=3)
    assert rows_after(ASKED_FOR, [order, request_received()])[("r-1",)]["order_id"] == "o-1"
