"""A point that failed at a visit becomes a request of the same customer and device, once, linked to the first."""

import asyncio

from contracts.fieldwork import FollowUpAsked
from contracts.intake import NumberGiven, RequestFollowsUp, RequestIncomplete, RequestReceived
from intake.commands import AskFollowUp, SubmitRequest
from intake.projections.follow_ups import FOLLOW_UPS
from intake.service import RULES, service
from tests.fieldwork.live import live
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.intake.examples import founded, request, submit

given = spec_for(RULES)


def asked(request_id, item="earthing", **changes):
    said = {"visit_id": "v-1", "order_id": "o-1", "engineer_id": "e-1", "customer_id": "c-1", "device_id": "d-1"}
    return FollowUpAsked(request_id=request_id, item=item, note="接地线松动", asked_at=NOW, **said | changes)


def ask():
    new = SubmitRequest(request_id="r-2", request_type="none", customer_id="c-1", description="x", day="2026-11-24")
    return AskFollowUp(follows_id="r-1", visit_id="v-1", item="earthing", request=new)


LINK = RequestFollowsUp(request_id="r-2", follows_id="r-1", customer_id="c-1", visit_id="v-1", item="earthing")


def test_a_follow_up_is_a_request_that_names_the_one_that_it_follows():
    *_, link = given().when(ask()).then_types(NumberGiven, RequestIncomplete, RequestFollowsUp)
    assert link == LINK


def test_a_point_has_one_request_however_often_it_is_asked():
    given(LINK).when(ask()).then_nothing()


def test_the_view_knows_which_follows_which():
    assert rows_after(FOLLOW_UPS, [LINK])["r-2",] == {"follows_id": "r-1", "visit_id": "v-1", "item": "earthing"}
    assert_same_rows_shuffled(FOLLOW_UPS, [LINK])


def test_what_failed_at_a_visit_is_a_request_that_waits_for_an_order(tmp_path):
    async def told():
        async with live(service, tmp_path) as it:
            await founded(it)
            first = await submit(it)
            await it.publishes(asked(first["id"]))
            # Again, as after a refusal; the contract says once, and intake does not rely on it.
            await it.publishes(asked(first["id"]), asked(first["id"], "noise"))
            links = (await it.call("c-1", "customer", "GET", f"/v1/requests/{first['id']}/follow-ups")).json()
            assert sorted(one["item"] for one in links) == ["earthing", "noise"]
            assert (
                await it.call("c-2", "customer", "GET", f"/v1/requests/{first['id']}/follow-ups")
            ).status_code == 404
            (earthing,) = [one for one in links if one["item"] == "earthing"]
            found = await request(it, earthing["request_id"])
            assert (found["state"], found["request_type"], found["device_id"]) == ("received", "repair", "d-1")
            assert found["description"].endswith("earthing 接地线松动")
            received = [event for event in await it.own_events() if isinstance(event, RequestReceived)]
            assert len(received) == 3
            assert all("接地线" not in event.description for event in received[1:])

    asyncio.run(told())
