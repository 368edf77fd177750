"""What was written under a wrong customer is the right one's in the end, and is forgotten with her."""

import asyncio

from contracts.intake import RequestIncomplete, RequestReceived
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import CUSTOMER, founded, request, submit


def test_the_text_of_a_request_that_named_another_customer_is_forgotten_with_the_right_one(tmp_path):
    async def story(it):
        await founded(it)
        other = CUSTOMER | {"customer_id": "c-11", "phone": "13800000011"}
        assert (await it.call("a", "agent", "POST", "/v1/customers", json=other)).is_success
        asked = await submit(it, "a", "agent", customer_id="c-11", contact_phone="13800000009")
        assert it.keys.joined[asked["id"]] == "c-11"
        path = f"/v1/requests/{asked['id']}/supplement"
        assert (await it.call("a", "agent", "POST", path, json={"customer_id": "c-1"})).is_success
        told = {type(event): event for event in await it.own_events()}
        wrong, right = told[RequestIncomplete], told[RequestReceived]
        assert (wrong.customer_id, right.customer_id) == ("c-11", "c-1")
        for text in (wrong.description, wrong.contact_phone, right.description):
            assert text.startswith(f"sealed:{asked['id']}:")
        assert it.keys.joined[asked["id"]] == "c-1"

    async def on_stage():
        async with live(service, tmp_path) as it:
            await story(it)

    asyncio.run(on_stage())


def test_a_customer_who_is_not_registered_is_asked_for_and_not_whose_the_device_is(tmp_path):
    async def on_stage():
        async with live(service, tmp_path) as it:
            await founded(it)
            asked = await submit(it, "a", "agent", customer_id="c-l")
            told = await request(it, asked["id"])
            assert [line.partition(":")[0] for line in told["missing"]] == ["customer_id"]
            strange = await it.call("a", "agent", "GET", "/v1/requests?state=done")
            assert (strange.status_code, strange.json()["errors"][0]["field"]) == (422, "state")

    asyncio.run(on_stage())
