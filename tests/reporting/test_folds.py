"""The folds of reporting, and that they make the same rows in whatever order publishers are heard."""

from datetime import timedelta
from random import Random

import pytest
from msgspec import structs

from contracts.dispatcher import OrderFinished
from contracts.inventory import PartConsumed, PartDefined
from reporting.figures import HOUR
from reporting.projections.engineer_hours import ENGINEERS, VISITS, shifts_of
from reporting.projections.order_costs import ORDER_COSTS
from reporting.projections.order_costs import WEEK as WEEK_US
from reporting.projections.order_timeline import ORDER_TIMELINE, facts_of
from reporting.projections.request_story import REQUEST_STORY
from reporting.service import service
from services.chassis.clock import micros
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW
from tests.reporting.examples import (
    WEEK,
    acceptance_refused,
    after,
    assignment_overdue,
    engineer_arrived,
    engineer_departed,
    engineer_registered,
    feedback_received,
    finished,
    order_assigned,
    order_cancelled,
    paused,
    queued,
    request_received,
    request_withdrawn,
    service_completed,
    survey_sent,
    taken,
    visit_aborted,
    work_finished,
)
from tests.reporting.history import history

MINUTE = 60_000_000


def timeline(*events):
    [row] = rows_after(ORDER_TIMELINE, events).values()
    return row


STORY = [
    (queued(team="A"), after(0)),
    (taken(team="A"), after(10)),
    (queued(team="B 2nd"), after(20)),
    (taken(team="B 2nd", person="bob"), after(50)),
    (paused(team="B 2nd"), after(60)),
    (taken(team="A", impact="High"), after(70)),
    (finished(team="A"), after(80)),
    (queued(team="A", impact=""), after(90)),
    (finished(team="A"), after(95)),
]


def test_the_steps_of_an_order_are_counted():
    row = timeline(*STORY)
    counts = {name: row[name] for name in row if isinstance(row[name], int)}
    assert counts == {
        "steps": 9,
        "opened_at": micros(NOW),
        "first_finished_at": micros(NOW) + 80 * MINUTE,
        "last_at": micros(NOW) + 95 * MINUTE,
        "reopenings": 1,
        "team_changes": 2,
        "team_returns": 1,
        "person_changes": 2,
        "person_returns": 1,
        "queued_us": 45 * MINUTE,
    }
    assert (row["impact"], row["teams"], row["source"]) == ("High", "A\nB 2nd", "")


def test_a_pause_after_the_end_is_no_reopening():
    assert timeline(finished(), paused(reason="unmatched"), taken())["reopenings"] == 0
    assert timeline(finished(), finished())["reopenings"] == 0
    assert timeline(finished(), taken(), finished(), queued())["reopenings"] == 2


@pytest.mark.parametrize("seed", range(20))
def test_steps_that_are_reported_late_change_the_row_as_if_they_had_come_in_time(seed):
    in_time = timeline(*STORY)
    late = STORY[:]
    Random(seed).shuffle(late)
    row = timeline(*late)
    numbered = [(fact.at, fact.kind, fact.team) for fact in facts_of(row)]
    assert numbered == [(fact.at, fact.kind, fact.team) for fact in facts_of(in_time)]
    assert {**row, "facts": b""} == {**in_time, "facts": b""}


def test_steps_at_one_instant_follow_the_version():
    at = after(0)
    row = timeline((queued(), at), (taken(), at), (finished(), at))
    assert [fact.kind for fact in facts_of(row)] == ["queued", "taken", "finished"]


def test_the_end_of_a_visit_is_no_step_of_a_team_but_imported_history_is():
    end = OrderFinished(order_id="o-1", request_id="r-1", engineer_id="e-1")
    assert rows_after(ORDER_TIMELINE, [end]) == {}
    row = timeline((end, {"origin": "import", "actor": "import:desk"}))
    assert (row["steps"], row["source"]) == (1, "import:desk")


REQUESTS = [
    (request_received(1, "d-1"), after(0)),
    (order_assigned(1), after(10)),
    (engineer_departed(1), after(20)),
    (engineer_arrived(1, NOW + timedelta(minutes=30)), after(40)),
    (work_finished(1), after(60)),
    (acceptance_refused(1), after(61)),
    (work_finished(1), after(70)),
    (service_completed(1, rating=2), after(75)),
    (survey_sent(1), after(76)),
    (feedback_received(1, attitude=4), after(99)),
    (engineer_registered(1), after(1)),
    (engineer_registered(1, WEEK[:5]), after(30)),
    (request_received(2), after(3)),
    (assignment_overdue(2), after(33)),
    (request_withdrawn(2), after(40)),
    (order_cancelled(2), after(41)),
    (request_received(3), after(5)),
    (order_assigned(3), after(6)),
    (engineer_arrived(3), after(30)),
    (visit_aborted(3), after(35)),
]


def test_the_story_of_a_request_is_kept():
    rows = rows_after(REQUEST_STORY, REQUESTS)
    start = micros(NOW)
    assert rows["r-1",] == {
        "device_id": "d-1",
        "device_model": "",
        "request_type": "repair",
        "region": "Changchun",
        "channel": "api",
        "received_at": start,
        "assigned_at": start + 10 * MINUTE,
        "assigned_to": "e-1",
        "arrived_at": start + 40 * MINUTE,
        "planned_at": start + 30 * MINUTE,
        "completed_at": start + 75 * MINUTE,
        "served_by": "e-1",
        "remote_at": None,
        "first_contact": False,
        "completions": 1,
        "resolutions": 0,
        "reopenings": 0,
        "withdrawn": False,
        "merged": False,
        "cancelled": False,
        "overdue": False,
        "visits": 1,
        "refused": True,
        "complained": False,
        "rating": 2,
        "surveyed": True,
        "attitude": 4,
        "outcome": 5,
        "punctuality": 5,
        "recommends": None,
        "repeated": False,
        "rounds": b"",
    }
    assert [rows["r-2",][name] for name in ("overdue", "withdrawn", "cancelled", "visits")] == [True, True, True, 0]


@pytest.mark.parametrize(
    ("asked", "days", "repeated"), [("repair", 30, True), ("repair", 31, False), ("upkeep", 9, False)]
)
def test_a_repair_is_repeated_by_a_request_of_its_type_within_thirty_days(asked, days, repeated):
    again = structs.replace(request_received(2, "d-1"), request_type=asked)
    told = [
        (request_received(1, "d-1"), after(0)),
        (service_completed(1), after(75)),
        (again, after(75 + days * 1_440)),
    ]
    assert rows_after(REQUEST_STORY, told)["r-1",]["repeated"] is repeated
    assert_same_rows_shuffled(REQUEST_STORY, told, seed=3)


def test_an_earlier_arrival_that_is_reported_late_is_the_first():
    planned = [NOW + timedelta(minutes=m) for m in (30, 60)]
    late = [(engineer_arrived(1, planned[1]), after(65)), (engineer_arrived(1, planned[0]), after(20))]
    row = rows_after(REQUEST_STORY, late)["r-1",]
    assert (row["arrived_at"], row["planned_at"]) == (micros(NOW) + 20 * MINUTE, micros(planned[0]))
    assert row["visits"] == 2


def test_the_hours_of_a_visit_end_with_the_last_finish():
    rows = rows_after(VISITS, REQUESTS)
    first = rows["v-1",]
    assert [first[name] - micros(NOW) for name in ("departed_at", "arrived_at", "left_at")] == [
        20 * MINUTE,
        40 * MINUTE,
        70 * MINUTE,
    ]
    assert (first["engineer_id"], first["completed"]) == ("e-1", True)
    assert (rows["v-3",]["left_at"] - micros(NOW), rows["v-3",]["completed"]) == (35 * MINUTE, False)


def test_an_engineer_has_the_newest_shifts_since_she_was_first_registered():
    row = rows_after(ENGINEERS, REQUESTS)["e-1",]
    assert (row["since"], shifts_of(row["shifts"])) == (micros(NOW) + MINUTE, WEEK[:5])


def cost(fen, hours, since=None):
    held = None if since is None else NOW + timedelta(hours=since)
    return PartDefined(part_id="p", name="x", fits=(), cost_fen=fen, cost_from=held), after(60 * hours)


def costs_at(*hours, said, used_first=False):
    """What a piece that was used then is counted at; None for not at all."""
    pieces = [used(hour) for hour in hours]
    rows = rows_after(ORDER_COSTS, [*pieces, *said] if used_first else [*said, *pieces])
    found = [rows[f"o-{hour}",] for hour in hours]
    assert all(row["pieces_priced"] + row["pieces_without_cost"] == 1 for row in found)
    return [row["parts_fen"] if row["pieces_priced"] else None for row in found]


def used(hour):
    whose = {"order_id": f"o-{hour}", "request_id": f"r-{hour}"}
    return PartConsumed(part_id="p", place_id="x", quantity=1, **whose), after(60 * hour)


@pytest.mark.parametrize("used_first", [False, True], ids=["said first", "used first"])
@pytest.mark.parametrize(
    ("said", "costs"),
    [
        ([cost(100, 0), cost(120, 5)], [None, 100, 120, 120]),
        ([cost(100, 0), cost(120, 5, since=-9)], [120, 120, 120, 120]),
        ([cost(100, 3), cost(120, 5, since=3)], [None, None, 120, 120]),
        ([cost(100, 0), cost(120, 5, since=10), cost(120, 6)], [None, 100, 100, 120]),
        ([cost(100, 0), cost(0, 5)], [None, 100, None, None]),
    ],
    ids=["from the word on", "from a day before", "the later word", "from a day to come", "nobody knows any more"],
)
def test_a_cost_holds_from_when_it_was_said_or_from_the_day_that_was_named(said, costs, used_first):
    assert costs_at(-1, 2, 7, 11, said=said, used_first=used_first) == costs


def test_what_is_counted_at_a_cost_is_found_by_the_week_also_when_a_departure_is_told_late():
    late = [(work_finished(1), after(0)), (engineer_departed(1), after(-60 * 24 * 30))]
    rows = rows_after(ORDER_COSTS, late)
    assert {key for (key,) in rows if key.startswith("engineer/")} == {
        "engineer/e-1",
        f"engineer/e-1/{(micros(NOW) - 30 * 24 * HOUR) // WEEK_US}",
    }


@pytest.mark.parametrize("view", service.views, ids=lambda view: view.name)
def test_any_order_of_arrival_gives_the_same_rows(view):
    assert_same_rows_shuffled(view, [*REQUESTS, *STORY], seed=3)
    told = history(7, 60, NOW, 20)
    assert rows_after(view, told), "the history tells of everything that is kept"
    assert_same_rows_shuffled(view, told, seed=4)
