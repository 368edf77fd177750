"""An order has one visit that counts: planning the next calls the former off, and a cancellation all, in time."""

import asyncio

import pytest

from contracts.dispatcher import OrderAssigned, OrderCancelled, OrderDeclined, OrderFinished, OrderReassigned
from contracts.problems import NotYet
from fieldwork.policies import when_order_moves
from fieldwork.service import RULES, service
from services.chassis.ids import derived_id
from tests.fieldwork.examples import (
    AT_WORK,
    DONE,
    ON_THE_WAY,
    PLAN,
    THERE,
    aborted,
    added,
    arrived,
    cancel,
    cancelled,
    completed,
    depart,
    departed,
    plan,
    planned,
    started,
)
from tests.fold import enveloped
from tests.given import NOW, spec_for

given = spec_for(RULES)


def test_an_assignment_plans_a_visit():
    given().when(plan()).then(planned(), added())


@pytest.mark.parametrize(
    "since", [[], [departed()], [cancelled()], [departed(), arrived(), started(), aborted()]], ids=len
)
def test_the_same_assignment_again_plans_nothing(since):
    given(planned(), added(), *since).when(plan(known_visits=("v-1",))).then_nothing()


def next_plan(*known):
    return plan(visit_id="v-2", engineer_id="e-2", known_visits=known)


PLANNED_NEXT = planned(visit_id="v-2", engineer_id="e-2"), added(visit_id="v-2")


def test_a_reassignment_calls_the_former_visit_off():
    given(planned(), added()).when(next_plan("v-1")).then(cancelled(reason="order-reassigned"), *PLANNED_NEXT)


@pytest.mark.parametrize("way", [ON_THE_WAY, THERE, AT_WORK, DONE, [*DONE, completed()], [*THERE, aborted()]], ids=len)
def test_a_reassignment_leaves_a_visit_alone_that_is_under_way_or_over(way):
    given(*way, added()).when(next_plan("v-1")).then(*PLANNED_NEXT)


def test_what_the_view_has_not_seen_is_waited_for():
    with pytest.raises(NotYet, match="v-1"):
        given(planned(), added()).when(next_plan()).then_nothing()
    with pytest.raises(NotYet, match="v-1"):
        given(planned(), added()).when(cancel()).then_nothing()


@pytest.mark.parametrize("way", [[planned()], ON_THE_WAY, THERE], ids=len)
def test_a_cancelled_order_needs_no_visit(way):
    given(*way, added()).when(cancel("v-1")).then(cancelled())


@pytest.mark.parametrize("way", [AT_WORK, DONE, [*DONE, completed()], [*THERE, aborted()]], ids=len)
def test_work_that_has_begun_wins_against_a_cancellation(way):
    given(*way, added()).when(cancel("v-1")).then_nothing()


def test_a_visit_is_cancelled_once():
    given(planned(), added(), cancelled()).when(cancel("v-1")).then_nothing()
    given().when(cancel()).then_nothing()


def test_a_declined_order_takes_the_visit_off_her_list_unless_she_is_on_her_way():
    declined = cancel("v-1", reason="order-declined")
    given(planned(), added()).when(declined).then(cancelled(reason="order-declined"))
    given(*ON_THE_WAY, added()).when(declined).then_nothing()


@pytest.mark.parametrize("way", [[planned()], ON_THE_WAY, THERE], ids=len)
def test_work_that_somebody_else_has_finished_calls_her_back(way):
    given(*way, added()).when(cancel("v-1", reason="order-finished")).then(cancelled(reason="order-reassigned"))


@pytest.mark.parametrize("way", [AT_WORK, [*DONE, completed()]], ids=len)
def test_a_finished_order_leaves_work_alone_that_was_begun(way):
    given(*way, added()).when(cancel("v-1", reason="order-finished")).then_nothing()


def test_all_open_visits_of_an_order_are_called_off():
    other = {"visit_id": "v-2", "engineer_id": "e-2"}
    two = [planned(), departed(), added(), planned(**other), added(visit_id="v-2")]
    given(*two).when(cancel("v-1", "v-2")).then(cancelled(), cancelled(**other))


def test_a_departure_loses_against_the_cancellation_that_came_first():
    given(planned(), added(), cancelled()).when(depart()).then_rejected(
        "visit.called-off", step="depart", reason="order-cancelled"
    )


# The policy.


class Facts:
    """Views that show these visits of an order for a repair."""

    def __init__(self, *visits):
        self.visits, self.queries = visits, []

    async def fetch(self, query, **values):
        self.queries.append(str(query.params(values).compile(compile_kwargs={"literal_binds": True})))
        return [{"visit_id": visit_id, "request_type": "repair"} for visit_id in self.visits]


ASSIGNED = {name: PLAN[name] for name in ("order_id", "request_id", "engineer_id", "starts_at", "ends_at", "van_id")}
DEVICE = {name: PLAN[name] for name in ("customer_id", "device_id", "device_model")}


def reaction(event, facts):
    ((event, envelope),) = enveloped([event])
    return asyncio.run(when_order_moves(event, envelope, facts)), envelope


def test_the_policy_plans_what_the_assignment_says():
    facts = Facts("v-0")
    event = OrderAssigned(**ASSIGNED, **DEVICE, travel_m=1, chosen_by="rule")
    asked, envelope = reaction(event, facts)
    id_ = derived_id("visit", "o-1", envelope.id)
    assert asked == [plan(visit_id=id_, request_type="repair", at=envelope.time, known_visits=("v-0",))]
    assert "tenant = 't-1'" in facts.queries[0] and "order_id = 'o-1'" in facts.queries[0]


def test_the_policy_plans_anew_upon_a_reassignment():
    event = OrderReassigned(**ASSIGNED, **DEVICE, from_engineer_id="e-0", travel_m=1, reason="ill")
    asked, envelope = reaction(event, Facts("v-0"))
    id_ = derived_id("visit", "o-1", envelope.id)
    assert asked == [plan(visit_id=id_, request_type="repair", at=envelope.time, known_visits=("v-0",))]


def test_the_policy_calls_off_what_is_cancelled_declined_or_finished():
    event = OrderCancelled(order_id="o-1", request_id="r-1", reason="request-withdrawn")
    assert reaction(event, Facts("v-1"))[0] == [cancel("v-1", at=NOW)]
    event = OrderDeclined(order_id="o-1", request_id="r-1", engineer_id="e-1", reason="ill")
    assert reaction(event, Facts("v-1"))[0] == [cancel("v-1", reason="order-declined", at=NOW)]
    event = OrderFinished(order_id="o-1", request_id="r-1", engineer_id="e-1")
    assert reaction(event, Facts("v-1"))[0] == [cancel("v-1", reason="order-finished", at=NOW)]


def test_an_assignment_that_does_not_say_whose_visit_it_is_fails_and_is_held():
    event = OrderAssigned(**ASSIGNED, travel_m=1, chosen_by="rule")
    with pytest.raises(ValueError, match="customer_id"):
        reaction(event, Facts())


def test_fieldwork_takes_in_what_its_policy_acts_on():
    of_orders = {"OrderOpened", "OrderAssigned", "OrderReassigned", "OrderCancelled", "OrderDeclined", "OrderFinished"}
    assert service.takes == of_orders | {"DeviceRegistered", "EngineerRegistered", "PartDefined"}
