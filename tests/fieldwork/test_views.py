"""What the views show of a visit, in whatever order its events arrive."""

import pytest

from contracts.fieldwork import UsedPart
from fieldwork.projections.visit_photos import VISIT_PHOTOS
from fieldwork.projections.visits import VISITS, parts_of
from services.chassis.clock import micros
from tests.fieldwork.examples import (
    AT_WORK,
    DONE,
    THERE,
    aborted,
    cancelled,
    completed,
    departed,
    finished,
    minute,
    part,
    photo,
    planned,
    refused,
)
from tests.fold import FIRST, assert_same_rows_shuffled, rows_after


def row(events):
    (found,) = rows_after(VISITS, events).values()
    return found


def test_a_visit_is_shown_with_its_plan():
    found = row([planned()])
    assert (found["state"], found["engineer_id"], found["order_id"]) == ("planned", "e-1", "o-1")
    assert (found["starts_at"], found["ends_at"]) == (micros(minute(30)), micros(minute(90)))
    assert found["departed_at"] is None


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([planned(), departed()], "departed"),
        (THERE, "arrived"),
        (AT_WORK, "working"),
        (DONE, "finished"),
        ([*DONE, refused()], "working"),
        ([*DONE, completed()], "completed"),
        ([*THERE, aborted()], "aborted"),
        ([planned(), cancelled()], "cancelled"),
    ],
)
def test_the_state_follows_the_steps(events, state):
    assert row(events)["state"] == state


def test_times_are_those_when_it_happened():
    found = row([planned(), (departed(), {"time": minute(-7)})])
    assert found["departed_at"] == micros(minute(-7))


def test_photos_are_counted_and_parts_summed():
    found = row([*AT_WORK, photo(), part(), part(quantity=2), photo(photo_id="p-2"), part(place_id="wh-1")])
    assert found["photos"] == 2
    assert parts_of(found["parts"]) == (UsedPart("fan", "van-1", 3), UsedPart("fan", "wh-1", 1))


def test_what_is_sealed_stays_sealed():
    found = row([*AT_WORK, finished(record="sealed:x"), completed(signature="sealed:y")])
    assert (found["record"], found["signature"], found["rating"]) == ("sealed:x", "sealed:y", 5)


def test_photos_are_listed_in_the_order_in_which_they_were_attached():
    events = [photo(photo_id="p-9"), photo(photo_id="p-1", moment="after")]
    rows = rows_after(VISIT_PHOTOS, events)
    assert [rows["v-1", name]["number"] for name in ("p-9", "p-1")] == [1, 2]
    assert rows["v-1", "p-9"]["taken_at"] == micros(FIRST)


def test_rows_are_the_same_in_whatever_order_events_arrive():
    other = {"visit_id": "v-2", "order_id": "o-2", "request_id": "r-2"}
    events = [
        planned(),
        planned(**other),
        departed(),
        departed(**other),
        *THERE[2:],
        photo(),
        photo(visit_id="v-2", request_id="r-2"),
        *AT_WORK[3:],
        part(),
        aborted(**other),
        finished(),
        completed(),
    ]
    for view in (VISITS, VISIT_PHOTOS):
        assert_same_rows_shuffled(view, events)
