"""The orders of a request's rounds: never two on the way at once."""

import asyncio

import pytest

from contracts.dispatcher import (
    DecisionRecorded,
    EngineerDay,
    OrderCancelled,
    OrderReturned,
    WithdrawalNoted,
    WithdrawalTakenBack,
)
from contracts.intake import RequestClosed, RequestReopened, RequestUnmerged, Work
from dispatcher.commands import ReturnOrder, WithdrawOrder
from dispatcher.policies import order_of, when_request_changed
from dispatcher.service import RULES
from tests.dispatcher.examples import TODAY, assigned, open_order, opened, started
from tests.given import NOW, spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))

NOTED = WithdrawalNoted(order_id="o-1", request_id="r-1")
BACK = WithdrawalTakenBack(order_id="o-1", request_id="r-1")
SECOND = open_order(order_id="o-2", earlier_ids=("o-1",))
THIRD = open_order(order_id="o-3", earlier_ids=("o-1", "o-2"))
GOES = opened(), assigned(), started()
CALLED_OFF = OrderCancelled(order_id="o-1", request_id="r-1", reason="request-withdrawn")


def test_who_is_on_the_way_goes_on_for_the_next_round_and_nobody_else_is_sent():
    given(*GOES, NOTED).when(SECOND).then(BACK)
    given(*GOES, NOTED, BACK, NOTED).when(THIRD).then(BACK)


@pytest.mark.parametrize(
    "before",
    [
        (),
        (opened(),),
        GOES,
        (*GOES, NOTED, OrderCancelled(order_id="o-1", request_id="r-1", reason="request-withdrawn")),
    ],
)
def test_otherwise_the_next_round_has_an_order_of_its_own(before):
    given(*before).when(SECOND).then(opened(order_id="o-2"))


def test_the_order_that_goes_on_waits_again_when_the_visit_is_aborted():
    aborted = ReturnOrder(order_id="o-1", engineer_id="e-1", reason="nobody-there")
    given(*GOES, NOTED).when(aborted).then_types(OrderCancelled)
    given(*GOES, NOTED, BACK).when(aborted).then_types(OrderReturned)


def test_what_withdraws_the_round_withdraws_the_order_that_serves_it():
    withdraw = WithdrawOrder(order_id="o-2", earlier_ids=("o-1",))
    given(*GOES, NOTED, BACK).when(withdraw).then(NOTED)
    back = OrderReturned(
        order_id="o-1", request_id="r-1", engineer_id="e-1", reason="nobody-there", frees=EngineerDay("e-1", TODAY)
    )
    given(*GOES, NOTED, BACK, back).when(withdraw).then_types(OrderCancelled)
    [own] = given(*GOES, NOTED, opened(order_id="o-2")).when(withdraw).then_types(OrderCancelled)
    assert own.order_id == "o-2"


WORK = Work(request_type="repair", skill="s", duration_s=60, region="r", lat_udeg=0, lon_udeg=0)


class At:
    def now(self):
        return NOW


def asked(event):
    [command] = asyncio.run(when_request_changed(event, None, At()))
    return command


def test_what_goes_on_looks_at_the_earlier_orders_but_not_at_the_one_whose_work_was_done():
    back = RequestUnmerged(request_id="r-1", customer_id="c", into_id="r-0", round_no=3, work=WORK)
    assert asked(back).earlier_ids == (order_of("r-1", 1), order_of("r-1", 2))
    again = {"request_id": "r-1", "customer_id": "c", "round_no": 3, "work": WORK}
    assert asked(RequestReopened(**again)).earlier_ids == (order_of("r-1", 1), order_of("r-1", 2))
    assert asked(RequestReopened(**again, done_order_id=order_of("r-1", 2))).earlier_ids == (order_of("r-1", 1),)


def test_work_done_for_one_order_of_a_later_round_withdraws_the_others():
    def asked_by(**changes):
        closed = RequestClosed(request_id="r-1", outcome="completed", **changes)
        return asyncio.run(when_request_changed(closed, None, At()))

    first, second, third = (order_of("r-1", round_no) for round_no in (1, 2, 3))
    assert asked_by(order_id=first) == []
    assert asked_by(order_id=first, round_no=2) == [WithdrawOrder(order_id=second)]
    assert asked_by(order_id=second, round_no=3) == [WithdrawOrder(order_id=first), WithdrawOrder(order_id=third)]
    assert asked_by(round_no=2) == []
