"""Every decision is a record: who was considered and why, and the same answer when it is decided again."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from contracts.dispatcher import DecisionRecorded, EngineerAbsent
from dispatcher.domain.again import again, reads
from dispatcher.domain.decision import travel_hash
from dispatcher.domain.travel import Place
from dispatcher.service import RULES
from services.chassis.clock import SetClock
from services.chassis.journal.rules import States
from tests.dispatcher.examples import TODAY, assign, at, booked, by_hand, opened, registered
from tests.dispatcher.test_running import OWN, Desk
from tests.dispatcher.test_running import opened as desk_opened
from tests.given import NOW, spec_for

given = spec_for(RULES)

HISTORY = (
    registered("e-1"),
    registered("e-2", home_lat_udeg=39_990_000),
    registered("e-3"),
    opened(),
    booked("e-3", order_id="o-7", starts_at=NOW, ends_at=at(20)),
)
CHOSEN = assign(("e-1", TODAY), ("e-2", TODAY), ("e-3", TODAY))


def states_after(*events, streams):
    states = {name: RULES.stream_of[name.partition("/")[0]].initial for name in streams}
    for event in events:
        if event.stream() in states:
            states[event.stream()] = RULES.stream_of[event.STREAM].evolve(states[event.stream()], event)
    return States(states, {})


def decided(command, *events):
    return given(*events).when(command)._events()[0]


def test_the_record_says_who_was_considered_at_what_cost_and_who_could_not():
    record = decided(CHOSEN, *HISTORY)
    assert isinstance(record, DecisionRecorded)
    assert [(one.engineer_id, one.cost, one.rules) for one in record.considered] == [
        ("e-1", 0, ()),
        ("e-2", 145, ()),
        ("e-3", None, ("hours",)),
    ]
    assert (record.engineer_id, record.starts_at, record.command) == ("e-1", NOW, "AssignOrder")


@pytest.mark.parametrize(
    "command",
    [CHOSEN, by_hand("e-2"), by_hand("e-3", starts_at=at(20), reason="she knows the house")],
    ids=["by rule", "by hand", "overruled"],
)
def test_from_its_record_it_is_decided_the_same_again(command):
    record = decided(command, *HISTORY)
    states = states_after(*HISTORY, streams=reads(record))
    assert again(record, states) == record


def test_what_became_known_later_gives_another_answer():
    record = decided(CHOSEN, *HISTORY)
    away = EngineerAbsent(engineer_id="e-1", absence_id="a-1", starts_at=NOW, ends_at=NOW + timedelta(days=9))
    found = again(record, states_after(*HISTORY, away, streams=reads(record)))
    assert found.engineer_id == "e-2" and found != record


def test_the_hash_is_of_the_ways_and_not_of_their_order():
    shop, north, south = Place(39_900_000, 116_400_000), Place(39_990_000, 116_400_000), Place(39_810_000, 116_400_000)
    assert travel_hash(shop, [north, south, north], NOW) == travel_hash(shop, [south, north], NOW)
    assert travel_hash(shop, [north], NOW) != travel_hash(north, [shop], NOW)


def test_it_is_told_and_decided_again_over_http(tmp_path):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_990_000)
        await desk.quiet()
        await desk.open()
        await desk.quiet()
        [one] = await desk.get("/v1/decisions?order_id=o-1")
        assert (one["engineer_id"], [it["cost"] for it in one["considered"]]) == ("e-1", [0, 145])
        moved = await desk.call("POST", "/v1/orders/o-1/reassign", engineer_id="e-2", reason="she is nearer after all")
        assert moved.status_code == 200, moved.text
        await desk.quiet()
        latest, first = await desk.get("/v1/decisions?order_id=o-1")
        assert (latest["command"], latest["reason"]) == ("ReassignOrder", "she is nearer after all")
        for decision in (latest, first):
            path = f"/v1/decisions/{decision['decision_id']}"
            assert await desk.get(path) == decision
            again_told = await desk.get(f"{path}/again")
            assert again_told["same"] is True, again_told
            assert again_told["again"] == again_told["recorded"]

    async def whole():
        async with desk_opened(Desk, tmp_path, OWN, SetClock(NOW)) as desk:
            await story(desk)

    asyncio.run(whole())


def test_a_record_reads_back():
    record = decided(CHOSEN, *HISTORY)
    assert msgspec.json.decode(msgspec.json.encode(record), type=DecisionRecorded) == record
