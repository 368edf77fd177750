"""Where an engineer is: seen by the customer who waits for her, from leaving to arriving, and kept nowhere."""

from datetime import timedelta

import pytest

from contracts.dispatcher import OrderCancelled
from fieldwork.adapters.whereabouts import FRESH
from tests.fieldwork.test_api import planned, step, story

HERE = {"lat_udeg": 39_908_765, "lon_udeg": 116_397_432}
ROUNDED = (39_909_000, 116_397_000)


async def say(it, visit_id, person="e-1", role="engineer", **where):
    return await it.call(person, role, "POST", f"/v1/visits/{visit_id}/position", json=HERE | where)


async def seen(it, visit_id, person="c-1", role="customer"):
    return await it.call(person, role, "GET", f"/v1/visits/{visit_id}/position")


async def on_the_way(it):
    visit_id = await planned(it)
    assert (await step(it, visit_id, "depart")).status_code == 200
    assert (await say(it, visit_id)).status_code == 200
    return visit_id


@story
async def test_the_customer_sees_roughly_where_she_is_who_is_on_her_way(it):
    visit_id = await on_the_way(it)
    answer = await seen(it, visit_id)
    assert (answer.status_code, answer.json()["lat_udeg"], answer.json()["lon_udeg"]) == (200, *ROUNDED)


@story
async def test_before_she_leaves_none_is_taken(it):
    visit_id = await planned(it)
    answer = await say(it, visit_id)
    assert (answer.status_code, answer.json()["code"]) == (409, "visit.not-on-the-way")
    assert (await step(it, visit_id, "depart")).status_code == 200
    assert (await seen(it, visit_id)).status_code == 404


@pytest.mark.parametrize("end", ["arrive", "abort", "cancel"])
def test_none_is_shown_or_taken_after_the_trip_however_it_ends(end, tmp_path):
    @story
    async def told(it):
        visit_id = await on_the_way(it)
        if end == "cancel":
            await it.publishes(OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher"))
        else:
            body = {"reason": "other"} if end == "abort" else {}
            assert (await step(it, visit_id, end, **body)).status_code == 200
        assert (await seen(it, visit_id)).status_code == 404
        assert (await say(it, visit_id)).status_code == 409
        assert (await seen(it, visit_id)).status_code == 404

    told(tmp_path)


@story
async def test_an_arrival_that_was_reported_from_a_phone_offline_ends_it_too(it):
    visit_id = await on_the_way(it)
    now = it.clock.now()
    sent = {"visit_id": visit_id, "step_id": "s-1", "number": 1, "step": "arrive", "happened_at": now.isoformat()}
    answer = await it.call("e-1", "engineer", "POST", "/v1/visits/sync", json={"steps": [sent]})
    assert answer.status_code == 200
    assert (await seen(it, visit_id)).status_code == 404


@story
async def test_an_old_position_is_forgotten(it):
    visit_id = await on_the_way(it)
    it.clock.set(it.clock.now() + FRESH)
    assert (await seen(it, visit_id)).status_code == 200
    it.clock.set(it.clock.now() + timedelta(seconds=1))
    assert (await seen(it, visit_id)).status_code == 404


@story
async def test_nobody_else_sees_it_and_nobody_else_says_it(it):
    visit_id = await on_the_way(it)
    others = [("c-2", "customer", 404), ("e-1", "engineer", 403), ("d-1", "dispatcher", 403), ("m-1", "manager", 403)]
    assert [(await seen(it, visit_id, *who)).status_code for *who, _ in others] == [status for *_, status in others]
    assert (await say(it, visit_id, "e-2")).status_code == 404
    assert (await say(it, visit_id, "d-1", "dispatcher")).status_code == 403
    assert (await say(it, visit_id, lat_udeg=90_000_001)).status_code == 422


@story
async def test_it_is_in_no_store(it):
    visit_id = await on_the_way(it)
    before = it.running.writer.position
    await say(it, visit_id)
    assert it.running.writer.position == before
    # The rounded one as it would stand in a row or a record.
    kept = [file for file in it.running.folder.rglob("*") if file.is_file()]
    assert kept and not any(str(ROUNDED[0]).encode() in file.read_bytes() for file in kept)


@story
async def test_who_does_not_write_sends_the_reader_to_who_does(it):
    visit_id = await on_the_way(it)
    writer, settled = it.running.writer, it.settled
    it.running.writer, it.settled = None, nothing_to_settle
    try:
        answers = [await seen(it, visit_id), await say(it, visit_id)]
    finally:
        it.running.writer, it.settled = writer, settled
    # After such an answer the edge asks the next replica.
    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in answers] == [(503, True)] * 2


async def nothing_to_settle():
    pass
