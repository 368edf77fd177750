"""The story that an auditor is told: order, causes, the two clocks, and what stays covered."""

from datetime import UTC, datetime, timedelta
from itertools import permutations

import msgspec
import pytest

from contracts.envelope import Envelope
from services.audit.story import Instant, show, tell
from services.chassis.journal.attempt import SEALED
from services.chassis.journal.store import Entry
from services.chassis.views import View
from services.host import discover

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def minutes(number):
    return NOON + timedelta(minutes=number)


def event(name, at, known=None, cause="", service="intake", position=1, stream="request/r-1", **data):
    return Envelope(
        id=name,
        source=f"/c1/{service}/1",
        type=data.pop("type", name),
        subject=stream,
        time=minutes(at),
        tenant="t",
        stream=stream,
        version=position,
        position=str(position),
        recorded_at=minutes(at if known is None else known),
        correlation_id="r-1",
        causation_id=cause,
        actor="u",
        partition_key="r-1",
        data=msgspec.Raw(msgspec.json.encode(data)),
    )


def told(*events, at=None, known_at=None):
    return tell([msgspec.json.encode(one) for one in events], Instant(at, known_at))


def test_events_are_told_as_they_became_known_each_once_whatever_journal_they_are_read_from():
    opened = event("opened", 1, service="dispatcher", cause="received")
    story = [event("received", 0), opened, event("closed", 9, position=2, cause="done")]
    for order in permutations([*story, opened]):
        assert [line.type for line in told(*order)] == ["received", "opened", "closed"]
    lines = told(*story)
    assert [(line.number, line.cause) for line in lines] == [(1, ""), (2, "1 received"), (3, "done")]


def test_a_cause_comes_before_its_effect_also_where_the_clocks_of_two_machines_differ():
    fast, slow = event("received", 5), event("opened", 4, service="dispatcher", cause="received")
    later = event("assigned", 3, service="dispatcher", position=2, cause="opened")
    assert [line.type for line in told(slow, later, fast)] == ["received", "opened", "assigned"]


def test_events_that_name_each_other_as_their_cause_are_told_all_the_same():
    assert len(told(event("a", 1, cause="b"), event("b", 2, cause="a"))) == 2


@pytest.mark.parametrize(
    ("at", "known_at", "types"),
    [
        (None, None, ["departed", "arrived", "corrected"]),
        (15, None, ["departed", "arrived"]),
        (None, 15, ["departed"]),
        (15, 15, ["departed"]),
        (15, 70, ["departed", "arrived"]),
        (5, 70, []),
        (10, 10, ["departed"]),
    ],
)
def test_what_had_happened_and_what_was_known_are_two_questions(at, known_at, types):
    """She arrived at 15 past, without a network; her phone said so an hour later."""
    story = [
        event("departed", 10),
        event("arrived", 15, known=70, position=2),
        event("corrected", 80, position=3),
    ]
    instants = [None if one is None else minutes(one) for one in (at, known_at)]
    assert [line.type for line in told(*story, at=instants[0], known_at=instants[1])] == types


def test_texts_about_persons_stay_covered_however_deep_they_lie():
    sealed = "sealed:v1:k:xyz"
    [line] = told(event("said", 1, title=sealed, place="Beijing", lines=[{"note": sealed, "quantity": 2}]))
    assert line.said == {"title": SEALED, "place": "Beijing", "lines": [{"note": SEALED, "quantity": 2}]}


def test_a_view_that_needs_what_is_not_of_the_story_says_so():
    def apply(rows, event, envelope):
        raise KeyError("the customer")

    requests = next(view for view in discover()["intake"].views if view.name == "requests")
    asked = View("asked", 1, {"request_id": str}, {}, requests.reads, apply)
    received = next(kind for kind in requests.reads if kind.__name__ == "RequestReceived")
    facts = {"request_id": "r-1", "number": "1", "request_type": "repair", "customer_id": "c"}
    required = {f.name for f in msgspec.structs.fields(received) if f.required}
    data = {name: facts.get(name, 0 if name.endswith(("_s", "udeg")) else "x") for name in required}
    one = event("RequestReceived", 1, **data)
    entry = Entry(1, one.id, "t", one.stream, 1, "r-1", b"", msgspec.json.encode(one))
    [shown] = show([asked], [entry], Instant())
    assert (shown.rows, "RequestReceived could not be shown" in shown.incomplete) == ([], True)
