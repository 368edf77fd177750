"""The pool: offered, taken, declined, lapsed; and the rules of a company that say what is offered first."""

from datetime import timedelta

import pytest

from contracts.dispatcher import (
    DecisionRecorded,
    DispatchRulesSet,
    HoursBooked,
    OfferDeclined,
    OfferedFirst,
    OfferLapsed,
    OrderAssigned,
    OrderDeclined,
    OrderOffered,
    OrderOpened,
    OrderReturned,
)
from dispatcher.commands import (
    DeclineOrder,
    FirstOffered,
    LapseOffer,
    OfferOrder,
    RetryAssignment,
    ReturnOrder,
    SetDispatchRules,
)
from dispatcher.deadlines import OFFER, ON_TIMER
from dispatcher.domain.dispatch_rules import DEFAULTS, in_force, is_offered_first
from dispatcher.service import RULES
from services.chassis.clock import micros
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey
from tests.dispatcher.examples import assign, assigned, by_hand, declined, open_order, opened, registered, started, take
from tests.dispatcher.test_deadlines import arms
from tests.dispatcher.test_policies import assign as asked_to_assign
from tests.dispatcher.test_policies import reactions
from tests.given import NOW, spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))

MINUTE = timedelta(minutes=1)
UNTIL = NOW + 10 * MINUTE


def offer(*engineers, **changes):
    return OfferOrder(**{"order_id": "o-1", "engineer_ids": engineers or ("e-1", "e-2"), "now": NOW} | changes)


def offered(*engineers, **changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "offer_no": 1, "offered_until": UNTIL, "offered_by": "rule"}
    return OrderOffered(**facts | {"engineer_ids": engineers or ("e-1", "e-2")} | changes)


def said_no(engineer_id="e-1", left=1, **changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "offer_no": 1, "reason": "too far"}
    return OfferDeclined(**facts | {"engineer_id": engineer_id, "left": left} | changes)


def lapsed(*engineers, **changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "offer_no": 1, "engineer_ids": engineers or ("e-1", "e-2")}
    return OfferLapsed(**facts | changes)


def rules(**changes):
    return DispatchRulesSet(**{"version": 1, "effective_from": NOW} | changes)


TWO = (registered(), registered("e-2"))
ON_OFFER = (*TWO, registered("e-3"), opened(), offered())
LAPSE = LapseOffer(order_id="o-1", due_at=UNTIL)
DECLINE = DeclineOrder(order_id="o-1", engineer_id="e-1", reason="too far")


# Offering.


def test_a_waiting_order_is_offered_for_ten_minutes():
    given(*TWO, opened()).when(offer()).then(offered())


def test_how_long_is_said_by_the_rules_or_by_who_offers():
    story = (*TWO, opened(), rules(offer_minutes=3))
    given(*story).when(offer()).then(offered(offered_until=NOW + 3 * MINUTE, rules_version=1))
    command = offer(minutes=5, offered_by="person", note="who is near?")
    given(*story).when(command).then(
        offered(offered_until=NOW + 5 * MINUTE, offered_by="person", note="who is near?", rules_version=1)
    )


def test_by_rule_it_is_offered_to_who_is_suited_only():
    unsuited = (registered("e-2", skills=("heating",)), registered("e-3", territory=("海淀区",)))
    story = (registered(), *unsuited, registered("e-4"), opened(), assigned("e-4"), declined(engineer_id="e-4"))
    given(*story).when(offer("e-1", "e-2", "e-3", "e-4", "e-5")).then(offered("e-1"))
    given(*unsuited, opened()).when(offer("e-2")).then_rejected("order.no-free-engineer")


@pytest.mark.parametrize(
    ("hers", "code"),
    [({"skills": ("heating",)}, "engineer.lacks-skill"), ({"territory": ("海淀区",)}, "engineer.not-suited")],
)
def test_a_person_who_offers_it_to_somebody_unsuited_is_told_why(hers, code):
    story = (registered(), registered("e-2", **hers), opened())
    given(*story).when(offer(offered_by="person")).then_rejected(code)
    given(opened()).when(offer(offered_by="person")).then_rejected("engineer.unknown", engineer_id="e-1")


def test_what_is_on_offer_is_not_offered_to_others():
    given(*ON_OFFER).when(offer("e-3")).then_nothing()
    given(*ON_OFFER).when(offer("e-2", "e-1", offered_by="person")).then_nothing()
    given(*ON_OFFER).when(offer("e-3", offered_by="person")).then_rejected("order.already-offered")


@pytest.mark.parametrize(
    ("state", "code"),
    [((assigned(),), "order.already-assigned"), ((assigned(), started()), "order.under-way")],
)
def test_what_somebody_has_is_not_offered(state, code):
    given(*TWO, opened(), *state).when(offer()).then_nothing()
    given(*TWO, opened(), *state).when(offer(offered_by="person")).then_rejected(code)


def test_an_order_that_nobody_opened_is_not_offered():
    given(*TWO).when(offer()).then_rejected("order.unknown")


# Taking and declining.


def test_the_first_of_them_who_takes_it_has_it_and_the_second_is_told():
    event, _ = given(*ON_OFFER).when(take("e-2")).then_types(OrderAssigned, HoursBooked)
    assert (event.engineer_id, event.chosen_by) == ("e-2", "pool")
    given(*ON_OFFER, assigned("e-2")).when(take("e-1")).then_rejected("order.already-assigned", engineer_id="e-2")


def test_whom_it_was_not_offered_to_waits_until_the_offer_is_over():
    given(*ON_OFFER).when(take("e-3")).then_rejected("order.offered-to-others", offered_until=UNTIL.isoformat())
    given(*ON_OFFER, lapsed()).when(take("e-3")).then_types(OrderAssigned, HoursBooked)


def test_by_rule_nobody_is_given_what_is_on_offer_but_a_person_may():
    given(*ON_OFFER).when(assign()).then_nothing()
    given(*ON_OFFER).when(by_hand("e-3")).then_types(OrderAssigned, HoursBooked)


def test_who_declines_leaves_it_to_the_others():
    given(*ON_OFFER).when(DECLINE).then(said_no())
    given(*ON_OFFER, said_no()).when(DECLINE).then_nothing()
    given(*ON_OFFER, said_no()).when(take("e-1")).then_rejected("order.offered-to-others")
    given(*ON_OFFER, said_no()).when(take("e-2")).then_types(OrderAssigned, HoursBooked)
    second = DeclineOrder(order_id="o-1", engineer_id="e-2", reason="too far")
    given(*ON_OFFER, said_no()).when(second).then(said_no("e-2", left=0))


def test_who_declined_an_offer_is_not_given_the_order_by_rule_and_who_let_it_lapse_may_be():
    over = (*ON_OFFER, said_no(), lapsed("e-2"))
    given(*over).when(assign()).then_rejected("order.no-free-engineer")
    given(*over).when(assign(("e-2", "2026-11-24"))).then_types(OrderAssigned, HoursBooked)


# Lapsing.


def test_an_offer_lapses_once_and_names_who_did_not_answer():
    given(*ON_OFFER, said_no()).when(LAPSE).then(lapsed("e-2"))
    given(*ON_OFFER, lapsed()).when(LAPSE).then_nothing()


def test_the_end_of_an_earlier_offer_does_not_end_a_later_one():
    later = offered("e-3", offer_no=2, offered_until=UNTIL + MINUTE)
    given(*ON_OFFER, lapsed(), later).when(LAPSE).then_nothing()


@pytest.mark.parametrize("state", [(assigned(),), (assigned(), started()), (said_no(), said_no("e-2", left=0))])
def test_nothing_lapses_that_was_taken_or_declined_by_all(state):
    given(*ON_OFFER, *state).when(LAPSE).then_nothing()


def test_the_next_offer_has_the_next_number():
    given(*ON_OFFER, lapsed()).when(offer("e-3")).then(offered("e-3", offer_no=2))


def test_a_look_at_it_while_it_is_on_offer_leaves_the_offer():
    (retried,) = given(*ON_OFFER).when(RetryAssignment(order_id="o-1"))._events()
    given(*ON_OFFER, retried).when(take("e-3")).then_rejected("order.offered-to-others")


def test_the_timer_of_an_offer_is_armed_and_settled():
    assert arms(offered())[0] == [Arm(OFFER, "o-1", UNTIL)]
    assert arms(lapsed())[0] == arms(said_no(left=0))[0] == [Arm(OFFER, "o-1", None)]
    assert arms(said_no(left=1))[0] == []
    assert Arm(OFFER, "o-1", None) in arms(assigned(chosen_by="pool"))[0]
    assert ON_TIMER[OFFER](TimerKey("t", OFFER, "o-1"), Timer(micros(UNTIL), "e-1")) == LAPSE


# What is done by itself.

FIRST = rules(offered_first=(OfferedFirst("repair"),), offer_to=2)


def test_what_the_rules_say_is_offered_to_the_best_before_anybody_is_assigned():
    staff = [registered(f"e-{n}", home_lat_udeg=39_900_000 + 1_000 * n) for n in range(4)]
    assert reactions(opened(), *staff, FIRST) == {"find-engineer": [offer("e-0", "e-1")]}
    other = rules(offered_first=(OfferedFirst("installation"), OfferedFirst("repair", "critical")))
    best = ["e-0", "e-1", "e-2", "e-3"]
    assert reactions(opened(), *staff, other) == {"find-engineer": [asked_to_assign(*best, compared=4)]}


def test_what_nobody_took_goes_to_the_next_best():
    staff = [registered(f"e-{n}", home_lat_udeg=39_900_000 + 1_000 * n) for n in range(5)]
    before = (*staff, FIRST, opened(), offered("e-0", "e-1"))
    assert reactions(lapsed("e-0", "e-1"), *before) == {"find-engineer": [offer("e-2", "e-3")]}
    one_left = (*before, said_no("e-1"))
    assert reactions(said_no("e-0", left=0), *one_left) == {"find-engineer": [offer("e-2", "e-3")]}
    assert reactions(said_no("e-1", left=1), *before) == {"find-engineer": []}


def test_an_offer_by_a_person_goes_on_to_the_next_too():
    staff = [registered(f"e-{n}", home_lat_udeg=39_900_000 + 1_000 * n) for n in range(5)]
    before = (*staff, opened(), offered("e-0", offered_by="person"))
    assert reactions(lapsed("e-0"), *before) == {"find-engineer": [offer("e-1", "e-2", "e-3")]}


def test_when_nobody_is_left_it_is_assigned_as_usual_but_not_to_who_declined():
    before = (*TWO, FIRST, opened(), offered(), said_no())
    asked = asked_to_assign("e-2", compared=2, excluded=(("declined", 1),))
    assert reactions(lapsed("e-2"), *before) == {"find-engineer": [asked]}


def test_an_engineer_with_time_is_not_given_what_is_on_offer_to_others():
    assert reactions(registered("e-3"), *TWO, opened(), offered()) == {"offer-free-hours": []}


def test_an_engineer_with_time_is_offered_what_comes_to_be_offered_first_and_then_given_it():
    before = (FIRST, opened())
    assert reactions(registered("e-3"), *before) == {"offer-free-hours": [offer("e-3")]}
    let_it_lapse = (*before, registered("e-3"), offered("e-3"), lapsed("e-3"))
    asked = asked_to_assign("e-3", compared=1)
    assert reactions(registered("e-3", van_id="van-9"), *let_it_lapse) == {"offer-free-hours": [asked]}


def test_after_it_came_back_it_is_offered_again_to_whoever_is_best():
    before = (*TWO, FIRST, opened(), offered(), assigned(chosen_by="pool"))
    (asked,) = reactions(declined(), *before)["find-engineer"][1:]
    assert asked == offer("e-2")


# The rules.


def set_rules(**changes):
    return SetDispatchRules(**{"now": NOW} | changes)


def test_rules_are_versions_from_a_time_on():
    first = OfferedFirst("repair", "low")
    command = set_rules(offer_minutes=3, offered_first=(FirstOffered(request_type="repair", urgency="low"),))
    given().when(command).then(rules(offer_minutes=3, offered_first=(first,)))
    later = NOW + 60 * MINUTE
    given(rules()).when(set_rules(effective_from=later)).then(rules(version=2, effective_from=later))


def test_the_same_rules_again_change_nothing():
    given(rules(offer_to=5)).when(set_rules(offer_to=5)).then_nothing()


def test_rules_neither_hold_for_what_is_past_nor_before_newer_ones():
    given().when(set_rules(effective_from=NOW - MINUTE)).then_rejected("dispatch-rules.effective-in-the-past")
    coming = rules(effective_from=NOW + 9 * MINUTE)
    given(coming).when(set_rules(offer_to=5)).then_rejected("dispatch-rules.effective-before-last")


def test_the_version_holds_that_is_in_force():
    soon = rules(effective_from=NOW + MINUTE)
    assert in_force((), NOW) == in_force((soon,), NOW) == DEFAULTS
    assert in_force((soon,), NOW + MINUTE) == soon


@pytest.mark.parametrize(
    ("first", "is_it"),
    [((), False), (("", ""), True), (("repair", ""), True), (("", "low"), False), (("repair", "normal"), True)],
)
def test_what_is_offered_first_is_said_by_type_and_urgency(first, is_it):
    said = rules(offered_first=(OfferedFirst(*first),) if first else ())
    assert is_offered_first(said, "repair", "normal") is is_it


def test_a_decision_cites_the_version_it_used():
    event, _ = given(registered(), opened(), rules(version=4)).when(assign()).then_types(OrderAssigned, HoursBooked)
    assert event.rules_version == 4
    event, _ = given(registered(), opened(), rules(effective_from=NOW + MINUTE)).when(assign())._events()
    assert event.rules_version == 0


def test_an_order_is_overdue_after_the_minutes_of_the_rules_that_hold_at_its_opening_and_keeps_them():
    minutes = timedelta(minutes=5)
    kept = {"assign_due_at": NOW + minutes, "assign_within_s": 300, "rules_version": 1}
    hasty = rules(assign_minutes=5)
    given(hasty).when(open_order()).then(opened(**kept))
    later = rules(version=2, assign_minutes=60, effective_from=NOW)
    coming = rules(version=2, assign_minutes=60, effective_from=NOW + timedelta(seconds=1))
    given(hasty, coming).when(open_order()).then(opened(**kept))
    [own] = given(hasty, later).when(open_order()).then_types(OrderOpened)
    assert (own.assign_within_s, own.rules_version) == (3_600, 2)
    held = opened(**kept), assigned()
    decline = DeclineOrder(order_id="o-1", engineer_id="e-1", reason="ill")
    [gone] = given(hasty, later, *held).when(decline).then_types(OrderDeclined)
    aborted = ReturnOrder(order_id="o-1", engineer_id="e-1", reason="nobody-there")
    [back] = given(hasty, later, *held, started()).when(aborted).then_types(OrderReturned)
    assert (gone.assign_within_s, back.assign_within_s) == (300, 300)
