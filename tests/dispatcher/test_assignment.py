"""Who gets an order, and that no engineer's hours are given away twice."""

from datetime import timedelta

import pytest

from contracts.dispatcher import (
    DecisionRecorded,
    DispatchRulesSet,
    EngineerDay,
    HoursBooked,
    OrderAssigned,
    OrderReassigned,
    Reason,
    Shift,
)
from dispatcher.service import RULES
from tests.dispatcher.examples import (
    SHOP,
    TODAY,
    TOMORROW,
    assign,
    assigned,
    at,
    booked,
    by_hand,
    declined,
    freed,
    opened,
    reassign,
    registered,
    started,
    take,
)
from tests.given import NOW, spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))

MORNINGS = tuple(Shift(weekday, 8 * 60, 12 * 60) for weekday in range(7))
FULL = booked(order_id="o-9", starts_at=at(17), ends_at=at(20))
"""The rest of today is another order's."""


def who_got_it(given_when):
    event, hours = given_when.then_types(OrderAssigned, HoursBooked)
    assert (hours.engineer_id, hours.starts_at, hours.ends_at) == (event.engineer_id, event.starts_at, event.ends_at)
    return event


# By the rule.


def test_a_waiting_order_is_assigned_and_the_hours_are_booked():
    event, hours = given(registered(), opened()).when(assign()).then_types(OrderAssigned, HoursBooked)
    assert event == assigned(
        crew=("e-1",),
        van_id="van-1",
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        reasons=event.reasons,
        candidates=9,
        customer_id="c-1",
        skill="cooling",
    )
    assert [(reason.rule, reason.value, reason.cost) for reason in event.reasons] == [
        ("skill", 1, 0),
        ("distance", 0, 0),
        ("load", 0, 0),
        ("shift", 0, 0),
    ]
    assert hours == booked(starts_at=event.starts_at, ends_at=event.ends_at)


def test_an_order_that_somebody_has_is_not_assigned_again():
    given(registered(), opened(), assigned("e-2")).when(assign()).then_nothing()
    given(registered(), opened(), assigned("e-2"), started(engineer_id="e-2")).when(assign()).then_nothing()


def test_the_cheapest_of_the_candidates_gets_it_whatever_order_they_are_named_in():
    far = registered("e-2", home_lat_udeg=40_000_000)
    for candidates in [(("e-2", TODAY), ("e-1", TODAY)), (("e-1", TODAY), ("e-2", TODAY))]:
        event = who_got_it(given(registered(), far, opened()).when(assign(*candidates)))
        assert event.engineer_id == "e-1"


def test_of_two_orders_that_want_her_last_hours_one_takes_the_next_candidate():
    story = (registered(), registered("e-2"), FULL, opened())
    event = who_got_it(given(*story).when(assign(("e-1", TODAY), ("e-2", TODAY))))
    assert event.engineer_id == "e-2"


def test_hours_that_were_taken_meanwhile_make_way_for_the_next_of_her_day():
    taken = booked(order_id="o-9", starts_at=at(17), ends_at=at(18))
    assert who_got_it(given(registered(), taken, opened()).when(assign())).starts_at == at(18)


@pytest.mark.parametrize(
    "story",
    [
        (registered(), FULL, opened()),
        (registered(skills=("heating",)), opened()),
        (registered(shifts=MORNINGS), opened()),
        (registered(daily_limit=1), booked(order_id="o-9", starts_at=at(9), ends_at=at(10)), opened()),
        (registered(), opened(), assigned(), declined()),
        (registered(), opened(), booked()),
        (opened(),),
    ],
    ids=["full", "no skill", "no shift", "daily limit", "declined", "her old hours not yet back", "unknown"],
)
def test_without_a_free_candidate_the_order_waits(story):
    given(*story).when(assign()).then_rejected("order.no-free-engineer", order_id="o-1")


def test_an_order_that_nobody_opened_is_not_assigned():
    given(registered()).when(assign()).then_rejected("order.unknown")


def test_hours_that_came_back_are_given_to_the_next():
    story = (registered(), FULL, freed(order_id="o-9"), opened())
    assert who_got_it(given(*story).when(assign())).starts_at == at(17)


# From the pool.


def test_an_engineer_takes_a_waiting_order_for_her_first_free_hours():
    event = who_got_it(given(registered(), FULL, opened()).when(take()))
    assert (event.day, event.starts_at, event.chosen_by) == (TOMORROW, at(8, day=25), "pool")


def test_who_has_taken_it_takes_it_no_more():
    given(registered(), opened(), assigned()).when(take()).then_nothing()


def test_an_order_that_another_has_taken_is_gone():
    story = (registered(), registered("e-2"), opened(), assigned("e-2"))
    given(*story).when(take()).then_rejected("order.already-assigned", engineer_id="e-2")


def test_who_lacks_the_skill_takes_nothing():
    given(registered(skills=("heating",)), opened()).when(take()).then_rejected("engineer.lacks-skill")


def test_who_declined_an_order_may_take_it_after_all():
    story = (registered(), opened(), assigned(), declined())
    assert who_got_it(given(*story).when(take())).engineer_id == "e-1"


# By hand.


def test_a_dispatcher_overrules_skill_and_shift_and_says_why():
    lacks = registered(skills=("heating",), shifts=MORNINGS)
    command = by_hand(starts_at=at(21), reason="she knows the house")
    event = who_got_it(given(lacks, opened()).when(command))
    assert (event.starts_at, event.chosen_by, event.note) == (at(21), "person", "she knows the house")
    assert next(reason.value for reason in event.reasons if reason.rule == "skill") == 0


def test_by_hand_without_a_start_gives_her_best_free_hours():
    event = who_got_it(given(registered(shifts=MORNINGS), opened()).when(by_hand()))
    assert event.starts_at == at(8, day=25)


def test_the_drive_is_counted_from_the_visit_before():
    far = booked(order_id="o-9", starts_at=at(18), ends_at=at(19), lat_udeg=39_990_000)
    event = who_got_it(given(registered(), far, opened()).when(by_hand(starts_at=at(20), reason="x")))
    assert event.travel_m == 13_010


def test_a_day_is_kept_by_start_whatever_was_booked_first():
    late, early = (booked(order_id=f"o-{n}", starts_at=at(n), ends_at=at(n, 50)) for n in (19, 17))
    assert who_got_it(given(registered(), late, early, opened()).when(by_hand())).starts_at == at(17, 50)


def test_the_same_engineer_twice_is_no_error():
    given(registered(), opened(), assigned()).when(by_hand()).then_nothing()


@pytest.mark.parametrize(
    ("starts_at", "code"),
    [
        (at(16, 59), "hours.past"),
        (at(23, 30), "hours.cross-midnight"),
        (at(18, 30), "engineer.hours-taken"),
        (at(19, 59), "engineer.hours-taken"),
        (at(17, 30), "engineer.hours-taken"),
    ],
)
def test_a_person_cannot_overrule_that_hours_exist_once(starts_at, code):
    other = booked(order_id="o-9", starts_at=at(18), ends_at=at(20))
    given(registered(), other, opened()).when(by_hand(starts_at=starts_at)).then_rejected(code)


@pytest.mark.parametrize("starts_at", [at(17), at(20), at(23)])
def test_hours_that_only_touch_others_are_free(starts_at):
    other = booked(order_id="o-9", starts_at=at(18), ends_at=at(20))
    who_got_it(given(registered(), other, opened()).when(by_hand(starts_at=starts_at, reason="she will hurry")))


def test_an_engineer_who_is_not_free_or_not_known_is_not_given_anything():
    given(registered(shifts=(Shift(0, 0, 10),)), opened()).when(by_hand()).then_rejected("engineer.not-free")
    given(opened()).when(by_hand()).then_rejected("engineer.unknown", engineer_id="e-1")


def test_another_engineer_needs_a_reassignment():
    story = (registered("e-2"), opened(), assigned())
    given(*story).when(by_hand("e-2")).then_rejected("order.already-assigned", engineer_id="e-1")


# Reassigning.


def test_a_reassignment_books_the_new_hours_and_gives_the_old_ones_back():
    rules = DispatchRulesSet(version=3, effective_from=NOW)
    story = (rules, registered(), registered("e-2", van_id="van-2"), opened(), assigned(), booked())
    event, hours = given(*story).when(reassign("e-2")).then_types(OrderReassigned, HoursBooked)
    assert event == OrderReassigned(
        order_id="o-1",
        request_id="r-1",
        from_engineer_id="e-1",
        engineer_id="e-2",
        van_id="van-2",
        starts_at=NOW,
        ends_at=NOW + timedelta(hours=1),
        day=TODAY,
        travel_m=0,
        reason="closer",
        customer_id="c-1",
        skill="cooling",
        frees=EngineerDay("e-1", TODAY),
        reasons=(Reason("skill", 1, 0), Reason("distance", 0, 0), Reason("load", 0, 0), Reason("shift", 0, 0)),
        rules_version=3,
    )
    assert hours == booked("e-2", starts_at=event.starts_at, ends_at=event.ends_at)


def test_a_reassignment_to_who_has_it_changes_nothing():
    given(registered(), opened(), assigned()).when(reassign("e-1")).then_nothing()


@pytest.mark.parametrize(
    ("story", "code"),
    [
        ((opened(),), "order.not-assigned"),
        ((opened(), assigned(), started()), "order.under-way"),
        ((opened(), assigned()), "engineer.hours-taken"),
    ],
)
def test_a_reassignment_needs_an_order_that_waits_for_the_visit_and_free_hours(story, code):
    full = booked("e-2", order_id="o-9", starts_at=at(17), ends_at=at(20))
    given(registered("e-2"), full, *story).when(reassign("e-2", starts_at=at(18))).then_rejected(code)


def test_back_to_a_former_engineer_waits_until_her_old_hours_are_given_back():
    to_second = OrderReassigned(
        order_id="o-1",
        request_id="r-1",
        from_engineer_id="e-1",
        engineer_id="e-2",
        starts_at=at(17),
        ends_at=at(18),
        day=TODAY,
        travel_m=0,
        reason="closer",
        frees=EngineerDay("e-1", TODAY),
    )
    story = (registered(), opened(), assigned(), booked(), to_second)
    given(*story).when(reassign("e-1", starts_at=at(19))).then_rejected("engineer.hours-taken", order_id="o-1")
    given(*story, freed()).when(reassign("e-1", starts_at=at(19))).then_types(OrderReassigned, HoursBooked)


@pytest.mark.parametrize("command", [take(), by_hand()])
def test_a_day_with_hours_to_be_given_back_is_passed_over(command):
    assert who_got_it(given(registered(), booked(), opened()).when(command)).day == TOMORROW


def test_the_place_of_the_order_goes_into_the_hours():
    _, hours = given(registered(), opened()).when(assign()).then_types(OrderAssigned, HoursBooked)
    assert (hours.lat_udeg, hours.lon_udeg) == tuple(SHOP.values())
