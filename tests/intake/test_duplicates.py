"""What looks like one request twice: the score, the hint before it is submitted, and merging through the routes."""

import asyncio
from datetime import timedelta

import pytest

from contracts.dispatcher import OrderCancelled
from contracts.fieldwork import ServiceCompleted
from contracts.intake import RequestCancelled, RequestReopened
from intake.domain.duplicates import LIKELY, WEIGHTS, Asked, shared
from intake.service import service
from tests.fieldwork.live import live
from tests.given import NOW
from tests.intake.examples import CUSTOMER, founded, request, submit

HERE = {"lat_udeg": 39_920_000, "lon_udeg": 116_443_000}
FULL = {"device_id": "d-1", "customer_id": "c-1", "request_type": "repair", "fault_class": "leaks", **HERE}


def score(one, other):
    return sum(shared(Asked(**one), Asked(**other)).values())


@pytest.mark.parametrize(
    ("changes", "points"),
    [
        ({}, 100),
        ({"device_id": "d-2"}, 60),
        ({"customer_id": "c-2"}, 75),
        ({"request_type": "complaint"}, 80),
        ({"fault_class": "noise"}, 90),
        ({"fault_class": ""}, 90),
        ({"lat_udeg": 39_923_001}, 95),
        ({"lat_udeg": 39_923_000}, 100),
        ({"device_id": "", "customer_id": "c-2"}, 35),
    ],
)
def test_what_two_requests_share_has_points(changes, points):
    assert score(FULL, FULL | changes) == points == score(FULL | changes, FULL)


def test_what_neither_says_is_nothing_in_common():
    assert shared(Asked(), Asked()) == {}


def test_all_points_are_a_hundred_and_one_device_with_anything_else_is_likely():
    assert sum(WEIGHTS.values()) == 100
    assert all(WEIGHTS["device"] + points >= LIKELY for name, points in WEIGHTS.items() if name != "device")


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


async def hints(it, person="a", role="agent", **asked):
    answer = await it.call(person, role, "GET", "/v1/requests/duplicates", params=asked)
    assert answer.status_code == 200, answer.text
    return {one["request_id"]: one["score"] for one in answer.json()}


SAME = {"customer_id": "c-1", "device_id": "d-1", "request_type": "repair"}


def test_whoever_submits_sees_first_what_runs_already(tmp_path):
    async def story(it):
        assert await hints(it, **SAME) == {}
        first = await submit(it)
        waiting = await submit(it, device_id="")
        # Of one that is incomplete the place is not known yet.
        assert await hints(it, **SAME) == {first["id"]: 90, waiting["id"]: 45}
        [best, _] = (await it.call("a", "agent", "GET", "/v1/requests/duplicates", params=SAME)).json()
        assert best["because"] == {"device": 40, "customer": 25, "type": 20, "place": 5}
        assert await hints(it, customer_id="c-1", request_type="other") == {}
        assert await hints(it, customer_id="c-1", request_type="other", least=30) == {first["id"]: 30}
        assert await hints(it) == {}

    run(tmp_path, story)


def test_what_was_submitted_long_ago_or_has_ended_is_another_matter(tmp_path):
    async def story(it):
        first, second = await submit(it), await submit(it)
        await it.call("c-1", "customer", "POST", f"/v1/requests/{second['id']}/withdraw", json={})
        it.clock.set(it.clock.now() + timedelta(hours=71))
        assert await hints(it, **SAME) == {first["id"]: 90}
        it.clock.set(it.clock.now() + timedelta(hours=2))
        assert await hints(it, **SAME) == {}
        assert await hints(it, **SAME, window_h=96) == {first["id"]: 90}

    run(tmp_path, story)


def test_a_neighbour_with_the_same_fault_is_a_hint_for_staff_and_hidden_from_customers(tmp_path):
    async def story(it):
        neighbour = CUSTOMER | {"customer_id": "c-2", "lat_udeg": CUSTOMER["lat_udeg"] + 2_000}
        await it.call("a", "agent", "POST", "/v1/customers", json=neighbour)
        first = await submit(it)
        assert await hints(it, customer_id="c-2", request_type="repair", least=25) == {first["id"]: 25}
        assert await hints(it, "c-2", "customer", device_id="d-1", request_type="repair", least=1) == {}
        assert await hints(it, "c-1", "customer", device_id="d-1") == {first["id"]: 70}

    run(tmp_path, story)


def test_merging_and_taking_it_back_through_the_routes(tmp_path):
    async def story(it):
        first, second = await submit(it), await submit(it)
        before = await request(it, second["id"])
        path = f"/v1/requests/{second['id']}"
        merged = await it.call("a", "agent", "POST", f"{path}/merge", json={"into_id": first["id"]})
        assert merged.json()["events"] == ["RequestMerged"]
        told = await request(it, second["id"])
        assert (told["state"], told["merged_into"]) == ("merged", first["id"])
        assert (await it.call("c-1", "customer", "GET", f"{path}/progress")).json()["step"] == "merged"
        await it.call("a", "agent", "POST", f"{path}/unmerge")
        assert await request(it, second["id"]) == before | {"version": 3}
        refused = await it.call("a", "agent", "POST", f"{path}/merge", json={"into_id": "nothing"})
        assert (refused.status_code, refused.json()["code"]) == (404, "request.unknown")

    run(tmp_path, story)


def test_the_end_of_the_order_that_a_merger_ended_does_not_end_what_goes_on(tmp_path):
    async def story(it):
        first, second = await submit(it), await submit(it)
        path = f"/v1/requests/{second['id']}"
        await it.call("a", "agent", "POST", f"{path}/merge", json={"into_id": first["id"]})
        await it.call("a", "agent", "POST", f"{path}/unmerge")
        ids = {"order_id": "o-1", "request_id": second["id"]}
        await it.publishes(OrderCancelled(**ids, reason="request-withdrawn"))
        assert (await request(it, second["id"]))["state"] == "received"
        await it.publishes(OrderCancelled(**ids | {"order_id": "o-2"}, reason="dispatcher"))
        assert (await request(it, second["id"]))["state"] == "cancelled"
        assert [one for one in await it.own_events() if isinstance(one, RequestCancelled)]

    run(tmp_path, story)


# Coming back, and solved from the desk.


def completed(request_id):
    times = {name: NOW for name in ("departed_at", "arrived_at", "started_at", "finished_at")}
    ids = {"visit_id": "v-1", "order_id": "o-1", "engineer_id": "e-1", "customer_id": "c-1"}
    return ServiceCompleted(**ids, **times, request_id=request_id, rating=5, signature="M0")


def test_a_customer_reopens_what_was_repaired_within_its_warranty(tmp_path):
    async def story(it):
        made = await submit(it)
        path = f"/v1/requests/{made['id']}/reopen"
        early = await it.call("c-1", "customer", "POST", path, json={})
        assert early.json()["code"] == "request.not-completed"
        await it.publishes(completed(made["id"]))
        it.clock.set(it.clock.now() + timedelta(days=29))
        answer = await it.call("c-1", "customer", "POST", path, json={"reason": "又漏水"})
        assert answer.json()["events"] == ["RequestReopened"]
        told = await request(it, made["id"])
        assert (told["state"], told["reopenings"], told["closed_at"]) == ("received", 1, None)
        [event] = [one for one in await it.own_events() if isinstance(one, RequestReopened)]
        assert event.reason.startswith("sealed:c-1:")
        assert (event.round_no, event.work.skill) == (2, "refrigeration")

    run(tmp_path, story)


def test_after_the_warranty_the_customer_is_told_until_when_it_was(tmp_path):
    async def story(it):
        made = await submit(it)
        await it.publishes(completed(made["id"]))
        it.clock.set(it.clock.now() + timedelta(days=31))
        answer = await it.call("c-1", "customer", "POST", f"/v1/requests/{made['id']}/reopen", json={})
        assert (answer.status_code, answer.json()["code"]) == (409, "request.warranty-over")
        assert "T" in answer.json()["facts"]["until"]

    run(tmp_path, story)


def test_an_agent_solves_it_from_the_desk(tmp_path):
    async def story(it):
        made = await submit(it)
        path = f"/v1/requests/{made['id']}/resolve"
        assert (await it.call("c-1", "customer", "POST", path, json={"action": "x"})).status_code == 403
        answer = await it.call("a", "agent", "POST", path, json={"action": "电话指导复位"})
        assert answer.json()["events"] == ["RequestResolvedRemotely"]
        told = await request(it, made["id"])
        assert (told["state"], told["outcome"], told["action"]) == ("closed", "resolved_remotely", "电话指导复位")
        assert told["first_contact"] is True

    run(tmp_path, story)
