"""The views: what they show, and that they show the same whatever arrives first."""

from datetime import timedelta
from random import Random

import pytest

from contracts.dispatcher import (
    AssignmentOverdue,
    AssignmentRetried,
    EngineerDay,
    OrderCancelled,
    OrderFinished,
    OrderReassigned,
    Reason,
    WithdrawalNoted,
)
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import Work
from dispatcher.domain.travel import Place
from dispatcher.projections.board import BOARD, declined_by, work_of
from dispatcher.projections.engineer_days import ENGINEER_DAYS, bookings
from dispatcher.projections.engineers import ENGINEERS
from dispatcher.projections.engineers import registered as known
from services.chassis.clock import micros
from tests.dispatcher.examples import (
    TODAY,
    assigned,
    at,
    booked,
    declined,
    freed,
    opened,
    registered,
    returned,
    started,
)
from tests.fold import FIRST, assert_same_rows_shuffled, rows_after
from tests.given import NOW

OVERDUE = AssignmentOverdue(order_id="o-1", request_id="r-1", due_at=NOW)
DONE = OrderFinished(order_id="o-1", request_id="r-1", engineer_id="e-1")
GONE = OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher", note="twice")


def row_after(*events):
    return rows_after(BOARD, events)[("o-1",)]


def second(n):
    return micros(FIRST + timedelta(seconds=n))


def test_an_open_order_waits_on_the_board_with_all_that_matching_needs():
    row = row_after(opened(device_model="KFR-35"))
    assert (row["state"], row["waiting_since"], row["overdue"], row["version"]) == ("waiting", second(0), False, 1)
    assert row["assign_due_at"] == micros(NOW + timedelta(minutes=30))
    assert work_of(row | {"order_id": "o-1"}) == Work.of(opened(device_model="KFR-35"))


def test_an_assigned_order_shows_who_when_and_why():
    row = row_after(opened(), assigned(reasons=(Reason("load", 2, 30),), candidates=7, van_id="van-1"))
    assert (row["state"], row["engineer_id"], row["starts_at"]) == ("assigned", "e-1", micros(at(17)))
    assert (row["waiting_since"], row["candidates"], row["chosen_by"]) == (None, 7, "rule")
    assert row["reasons"] == '[{"rule":"load","value":2,"cost":30}]'


@pytest.mark.parametrize("back", [declined(), returned()])
def test_an_order_that_is_given_back_waits_again_and_nobody_has_it(back):
    row = row_after(opened(), assigned(note="mine"), back)
    assert (row["state"], row["engineer_id"], row["starts_at"], row["note"]) == ("waiting", "", None, "")
    assert row["waiting_since"] == second(2)


def test_who_declined_stays_known():
    row = row_after(opened(), assigned(), declined(), assigned("e-2"), declined(engineer_id="e-2"))
    assert declined_by(row) == {"e-1", "e-2"}


def test_a_reassigned_order_shows_the_new_engineer_without_the_old_reasons():
    to_second = OrderReassigned(
        order_id="o-1",
        request_id="r-1",
        from_engineer_id="e-1",
        engineer_id="e-2",
        starts_at=at(18),
        ends_at=at(19),
        day=TODAY,
        travel_m=5,
        reason="closer",
        frees=EngineerDay("e-1", TODAY),
    )
    row = row_after(opened(), assigned(reasons=(Reason("load", 2, 30),)), to_second)
    assert (row["state"], row["engineer_id"], row["starts_at"]) == ("assigned", "e-2", micros(at(18)))
    assert (row["reasons"], row["note"], row["chosen_by"]) == ("[]", "closer", "person")


@pytest.mark.parametrize(
    ("events", "column", "value"),
    [
        ((OVERDUE,), "overdue", True),
        ((OVERDUE, assigned()), "overdue", True),
        ((assigned(), started()), "state", "under-way"),
        ((assigned(), started(), WithdrawalNoted(order_id="o-1", request_id="r-1")), "withdrawn", True),
        ((assigned(), started(), DONE), "state", "finished"),
        ((assigned(), started(), DONE), "engineer_id", "e-1"),
        ((assigned(), GONE), "state", "cancelled"),
        ((assigned(), GONE), "engineer_id", ""),
        ((GONE,), "note", "twice"),
        ((AssignmentRetried(order_id="o-1", request_id="r-1", attempt=1),), "version", 2),
    ],
)
def test_the_board_follows_the_order(events, column, value):
    assert row_after(opened(), *events)[column] == value


def test_history_is_not_on_the_board():
    imported = {"origin": "import"}
    assert rows_after(BOARD, [(opened(assign_due_at=None), imported), (DONE, imported)]) == {}


def test_an_engineer_is_shown_as_she_is_now():
    rows = rows_after(ENGINEERS, [registered(), registered(skills=("heating", "cooling"), daily_limit=3)])
    assert rows[("e-1",)]["version"] == 2
    assert known([rows[("e-1",)] | {"engineer_id": "e-1"}]) == {
        "e-1": Registered.by(registered(skills=("heating", "cooling"), daily_limit=3))
    }


def test_booked_hours_are_shown_by_start_until_they_are_freed():
    early = booked(order_id="o-2", starts_at=at(8), ends_at=at(9))
    rows = rows_after(ENGINEER_DAYS, [booked(), early, booked(order_id="o-3"), freed(order_id="o-3")])
    days = bookings([{"engineer_id": who, "day": day, **row} for (who, day), row in rows.items()])
    assert dict(days["e-1"]) == {TODAY: [_booking(early), _booking(booked())]}


def test_the_hours_of_the_order_itself_are_left_out():
    rows = rows_after(ENGINEER_DAYS, [booked(), booked(order_id="o-2")])
    days = bookings([{"engineer_id": who, "day": day, **row} for (who, day), row in rows.items()], besides="o-1")
    assert [booking.order_id for booking in days["e-1"][TODAY]] == ["o-2"]


def test_a_day_with_nothing_booked_is_no_row():
    assert rows_after(ENGINEER_DAYS, [booked(), freed()]) == {}


def _booking(event):
    place = Place(event.lat_udeg, event.lon_udeg)
    return Booking(event.starts_at, event.ends_at, event.order_id, place)


@pytest.mark.parametrize("view", [BOARD, ENGINEERS, ENGINEER_DAYS], ids=lambda view: view.name)
def test_the_rows_do_not_depend_on_the_order_in_which_keys_arrive(view):
    rng = Random(3)
    events = [registered(f"e-{n}") for n in range(3)]
    for n in range(12):
        order = {"order_id": f"o-{n}", "request_id": f"r-{n}"}
        who = f"e-{n % 3}"
        story = [
            opened(**order),
            AssignmentOverdue(**order, due_at=NOW),
            assigned(who, **order),
            booked(who, order_id=order["order_id"]),
            declined(engineer_id=who, **order),
            freed(who, order_id=order["order_id"]),
            assigned("e-2", **order),
            booked("e-2", order_id=order["order_id"]),
            started(engineer_id="e-2", **order),
            OrderFinished(**order, engineer_id="e-2"),
        ]
        events += story[: rng.randrange(1, len(story) + 1)]
    assert_same_rows_shuffled(view, events)
