"""A guest says who she is, and the engineer who is sent reads where to go."""

import asyncio
import functools

import msgspec

from contracts.examples import EXAMPLES
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import founded, request, submit

GUEST = {"name": "林小雨", "phone": "13900001234", "street": "北京市朝阳区建国路88号"}


def story(test):
    """Runs a coroutine that is given the live service with a customer and a type."""

    @functools.wraps(test)
    def run(tmp_path):
        async def told():
            async with live(service, tmp_path) as it:
                await founded(it, needs_device=False, skill="refrigeration")
                await test(it)

        asyncio.run(told())

    del run.__wrapped__
    return run


async def say(it, person="g-1", **changes):
    return await it.call(person, "customer", "POST", "/v1/customers/me", json=GUEST | changes)


@story
async def test_the_request_of_a_guest_is_complete_once_she_has_said_who_she_is(it):
    early = await submit(it, "g-1", device_id="")
    assert (await request(it, early["id"]))["state"] == "incomplete"
    made = await say(it)
    assert (made.status_code, made.json()["id"]) == (201, "g-1")
    asked = await submit(it, "g-1", device_id="")
    told = await request(it, asked["id"])
    assert (told["state"], told["customer_id"]) == ("received", "g-1")


@story
async def test_what_staff_keeps_of_her_stays_and_what_she_says_is_as_it_is_now(it):
    facts = {"customer_id": "g-1", "kind": "company", "email": "g@example.cn", **GUEST}
    made = await it.call("a", "agent", "POST", "/v1/customers", json=facts)
    assert made.is_success, made.text
    assert (await say(it, phone="13900005678")).is_success
    seen = (await it.call("g-1", "customer", "GET", "/v1/customers/g-1")).json()
    assert (seen["phone"], seen["kind"], seen["email"]) == ("13900005678", "company", "g@example.cn")


@story
async def test_an_address_that_may_be_two_is_refused_with_both(it):
    answer = await say(it, street="朝阳区建国路88号")
    assert (answer.status_code, answer.json()["code"]) == (422, "address.ambiguous")
    assert "北京市朝阳区" in answer.json()["facts"]["divisions"]
    assert (await it.call("g-1", "customer", "GET", "/v1/customers/g-1")).status_code == 404


@story
async def test_the_engineer_who_is_sent_reads_where_to_go_and_nobody_else_does(it):
    await say(it)
    asked = await submit(it, "g-1", device_id="", contact_phone="13900009999", address="北京市朝阳区建国路88号3单元")
    path = f"/v1/requests/{asked['id']}/job"
    assert (await it.call("e-1", "engineer", "GET", path)).status_code == 404
    sent = {"order_id": "o-1", "request_id": asked["id"], "engineer_id": "e-1", "customer_id": "g-1"}
    await it.publishes(msgspec.structs.replace(EXAMPLES["OrderAssigned"], **sent))
    job = (await it.call("e-1", "engineer", "GET", path)).json()
    assert (job["customer_name"], job["phone"]) == ("林小雨", "13900009999")
    assert (job["address"], job["description"]) == ("北京市朝阳区建国路88号3单元", "漏水")
    assert (await it.call("e-2", "engineer", "GET", path)).status_code == 404
    assert (await it.call("g-1", "customer", "GET", path)).status_code == 403
