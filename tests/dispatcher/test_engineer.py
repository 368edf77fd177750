"""Engineers and the hours of their days."""

import pytest

from contracts.dispatcher import DecisionRecorded
from dispatcher.commands import FreeHours, ShiftHours, UpdateEngineer
from dispatcher.service import RULES
from tests.dispatcher.examples import TODAY, booked, freed, register, registered
from tests.given import spec_for

given = spec_for(RULES, besides=(DecisionRecorded,))


def update(**changes):
    return UpdateEngineer(**register().model_dump(exclude={"shifts"}) | {"shifts": register().shifts} | changes)


def test_an_engineer_is_registered():
    given().when(register()).then(registered())


def test_the_same_registration_again_changes_nothing():
    given(registered()).when(register()).then_nothing()


def test_who_is_registered_is_updated_not_registered_again():
    given(registered()).when(register(skills=("heating",))).then_rejected("engineer.already-registered")


def test_an_update_records_all_of_it():
    given(registered()).when(update(skills=("heating",))).then(registered(skills=("heating",)))


def test_a_new_name_is_recorded_though_no_state_holds_names():
    given(registered()).when(update(name="李")).then(registered(name="李"))


def test_nobody_unknown_is_updated():
    given().when(update()).then_rejected("engineer.unknown")


def test_a_zone_is_for_ever():
    given(registered()).when(update(zone="Europe/Berlin")).then_rejected("engineer.zone-is-fixed", zone="Asia/Shanghai")


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../etc/passwd", ""])
def test_a_zone_that_does_not_exist_is_refused(zone):
    given().when(register(zone=zone)).then_rejected("engineer.zone-unknown")


def test_a_shift_ends_after_it_begins():
    shift = ShiftHours(weekday=0, from_minute=600, to_minute=600)
    given().when(register(shifts=(shift,))).then_rejected("engineer.shift-ends-before-it-begins")


FREE = FreeHours(engineer_id="e-1", day=TODAY, order_id="o-1")


def test_hours_are_given_back():
    given(booked(), booked(order_id="o-2")).when(FREE).then(freed())


def test_hours_are_given_back_once():
    given(booked(), freed()).when(FREE).then_nothing()


def test_hours_of_another_order_stay():
    given(booked(order_id="o-2")).when(FREE).then_nothing()


def test_when_hours_are_given_back_the_others_stay_booked():
    story = (booked(), booked(order_id="o-2"), freed())
    given(*story).when(FreeHours(engineer_id="e-1", day=TODAY, order_id="o-2")).then(freed(order_id="o-2"))
