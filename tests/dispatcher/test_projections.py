"""The views: what they show, and that they show the same whatever arrives first."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import msgspec
import pytest

from contracts.dispatcher import (
    AbsenceCalledOff,
    AssignmentOverdue,
    AssignmentRetried,
    Certificate,
    DispatchRulesSet,
    EngineerAbsent,
    EngineerDay,
    OfferDeclined,
    OfferLapsed,
    OrderCancelled,
    OrderFinished,
    OrderOffered,
    OrderReassigned,
    Reason,
    SkillLevel,
    WithdrawalNoted,
)
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Place
from dispatcher.projections.board import BOARD, declined_by, offered_before, offered_to, work_of
from dispatcher.projections.dispatch_rules import DISPATCH_RULES, rules_of
from dispatcher.projections.engineer_days import ENGINEER_DAYS, bookings
from dispatcher.projections.engineers import ENGINEERS
from dispatcher.projections.engineers import Engineers as known
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

OFFERED = OrderOffered(
    order_id="o-1",
    request_id="r-1",
    offer_no=1,
    engineer_ids=("e-1", "e-2"),
    offered_until=at(18),
    offered_by="rule",
    rules_version=4,
)
SAID_NO = OfferDeclined(order_id="o-1", request_id="r-1", offer_no=1, engineer_id="e-2", reason="far", left=1)
LAPSED = OfferLapsed(order_id="o-1", request_id="r-1", offer_no=1, engineer_ids=("e-1",))
ABSENT = EngineerAbsent(engineer_id="e-1", absence_id="a-1", starts_at=at(17), ends_at=at(19), reason="fever")

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


@pytest.mark.parametrize(
    ("events", "to", "until"),
    [
        ((OFFERED,), ("e-1", "e-2"), micros(at(18))),
        ((OFFERED, SAID_NO), ("e-1",), micros(at(18))),
        ((OFFERED, SAID_NO, LAPSED), (), None),
        (
            (OFFERED, msgspec.structs.replace(SAID_NO, left=0), msgspec.structs.replace(SAID_NO, engineer_id="e-1")),
            (),
            None,
        ),
        ((OFFERED, assigned(chosen_by="pool")), (), None),
        ((OFFERED, GONE), (), None),
        ((OFFERED, DONE), (), None),
    ],
)
def test_an_offer_is_shown_with_those_who_may_still_take_it(events, to, until):
    row = row_after(opened(), *events)
    assert (offered_to(row), row["offered_until"]) == (to, until)
    assert offered_before(row) == {"e-1", "e-2"}
    assert declined_by(row) >= ({"e-2"} if SAID_NO in events else set())


def test_an_offer_shows_the_rules_that_it_was_made_by():
    row = row_after(opened(), OFFERED)
    assert (row["rules_version"], row["note"]) == (4, "")
    assert row_after(opened(), OFFERED, assigned(rules_version=5))["rules_version"] == 5


def test_whom_it_was_offered_to_is_forgotten_when_it_comes_back_but_not_who_declined():
    row = row_after(opened(), OFFERED, SAID_NO, assigned(chosen_by="pool"), returned())
    assert (offered_before(row), declined_by(row)) == (frozenset(), {"e-2"})


def test_who_is_absent_has_declined_nothing():
    row = row_after(opened(), assigned(), declined(cause="absence", reason="absent"))
    assert (row["state"], declined_by(row)) == ("waiting", frozenset())


def test_an_order_is_shown_by_the_number_that_people_speak_of():
    assert row_after(opened(number="R-261124-0042"), assigned())["number"] == "R-261124-0042"


def test_an_order_that_needs_much_is_matched_as_it_was_opened():
    needs = {"more_skills": ("ladder",), "skill_level": 3, "certificates": ("电工证",), "wished_engineer_id": "e-9"}
    row = row_after(opened(**needs))
    assert work_of(row | {"order_id": "o-1"}) == Work.of(opened(**needs))


def test_an_engineer_is_shown_with_all_that_matching_needs_and_her_absences():
    facts = {
        "skill_levels": (SkillLevel("cooling", 3, "2027-01-01"),),
        "certificates": (Certificate("电工证"),),
        "territory": ("朝阳区", "海淀区"),
        "hour_fen": 8_000,
        "km_fen": 200,
    }
    later = EngineerAbsent(engineer_id="e-1", absence_id="a-2", starts_at=at(9), ends_at=at(10))
    gone = AbsenceCalledOff(engineer_id="e-1", absence_id="a-2")
    rows = rows_after(ENGINEERS, [registered(), ABSENT, later, registered(**facts), gone])
    away = replace(Registered.by(registered(**facts)), absences=(Absence(at(17), at(19), "a-1"),))
    assert known([rows[("e-1",)] | {"engineer_id": "e-1"}]) == {"e-1": away}
    assert rows[("e-1",)]["version"] == 5


def test_every_version_of_the_rules_is_shown():
    rules = [DispatchRulesSet(version=n, effective_from=at(n), offer_to=n) for n in (1, 2)]
    assert [rules_of(row["rules"]) for row in rows_after(DISPATCH_RULES, rules).values()] == rules


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
    assert dict(days["e-1"]) == {TODAY: (_booking(early), _booking(booked()))}


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
    events = [registered(f"e-{n}") for n in range(3)] + [ABSENT]
    for n in range(12):
        order = {"order_id": f"o-{n}", "request_id": f"r-{n}"}
        who = f"e-{n % 3}"
        story = [
            opened(**order),
            msgspec.structs.replace(OFFERED, **order),
            msgspec.structs.replace(SAID_NO, **order),
            msgspec.structs.replace(LAPSED, **order),
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
