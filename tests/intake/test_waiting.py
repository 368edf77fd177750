"""What a request that lacks something goes through on its way: reminders, the end, and messages that come twice."""

import asyncio
from contextlib import suppress
from datetime import timedelta

import pytest

from contracts.intake import RequestExpired, RequestReminded
from intake.service import service
from services.chassis.clock import micros
from tests.fieldwork.live import live
from tests.intake.examples import founded, request, submit

DAY = timedelta(days=1)


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


async def later(it, by):
    """The clock goes on, and all timers that are due by then have fired."""
    it.clock.set(it.clock.now() + by)
    it.running.timers.wake()
    async with asyncio.timeout(10):
        while await it.running.journal.due(micros(it.clock.now()), 1):
            await asyncio.sleep(0.005)
    await it.settled()


async def said(it, *expected):
    """These reminders and ends are recorded, and shown, before long; no others were."""
    waited, found = (RequestReminded, RequestExpired), None
    with suppress(TimeoutError):
        async with asyncio.timeout(5):
            while found != list(expected):
                # A timer is gone with the commit of its command; the newest records are read a moment later.
                found = [type(event).__name__ for event in await it.own_events() if isinstance(event, waited)]
                await asyncio.sleep(0.005)
    assert found == list(expected)
    await it.settled()


def test_who_owes_an_answer_is_reminded_twice_and_then_given_up_once(tmp_path):
    async def story(it):
        made = await submit(it, device_id="")
        await later(it, DAY - timedelta(seconds=1))
        await said(it)
        await later(it, timedelta(seconds=1))
        await said(it, "RequestReminded")
        assert (await request(it, made["id"]))["reminded_at"]
        await later(it, DAY)
        await later(it, DAY)
        await said(it, "RequestReminded", "RequestReminded")
        await later(it, 4 * DAY)
        await said(it, "RequestReminded", "RequestReminded", "RequestExpired")
        assert (await request(it, made["id"]))["state"] == "expired"
        assert (await it.call("c-1", "customer", "GET", f"/v1/requests/{made['id']}/progress")).json()[
            "step"
        ] == "expired"
        path = f"/v1/requests/{made['id']}/supplement"
        answer = await it.call("c-1", "customer", "POST", path, json={"device_id": "d-1"})
        assert (answer.status_code, answer.json()["code"]) == (409, "request.expired")
        await later(it, 30 * DAY)
        await said(it, "RequestReminded", "RequestReminded", "RequestExpired")

    run(tmp_path, story)


def test_who_answers_is_left_alone(tmp_path):
    async def story(it):
        made = await submit(it, device_id="")
        await later(it, DAY)
        path = f"/v1/requests/{made['id']}/supplement"
        await it.call("c-1", "customer", "POST", path, json={"device_id": "d-1"})
        assert await it.running.journal.next_due() is None
        await later(it, 30 * DAY)
        await said(it, "RequestReminded")
        assert (await request(it, made["id"]))["state"] == "received"

    run(tmp_path, story)


def test_an_answer_that_is_not_enough_moves_the_end(tmp_path):
    async def story(it):
        made = await submit(it, device_id="", description="")
        await later(it, 6 * DAY)
        path = f"/v1/requests/{made['id']}/supplement"
        await it.call("c-1", "customer", "POST", path, json={"device_id": "d-1"})
        await later(it, 6 * DAY)
        assert (await request(it, made["id"]))["state"] == "incomplete"
        await later(it, DAY)
        await said(it, "RequestReminded", "RequestReminded", "RequestExpired")
        assert (await request(it, made["id"]))["state"] == "expired"

    run(tmp_path, story)


# What the channels bring.


@pytest.mark.parametrize("channel", ["web", "app", "wechat", "hotline", "email", "partner"])
def test_a_message_that_a_channel_repeats_is_given_the_first_answer(tmp_path, channel):
    async def story(it):
        named = {"message_id": "m-1", "customer_id": "c-1", "headers": {"Fieldloop-Channel": channel}}
        first = await submit(it, "a", "agent", **named)
        assert await submit(it, "b", "agent", **named) == first
        path = f"/v1/requests/{first['id']}/withdraw"
        await it.call("c-1", "customer", "POST", path, json={})
        assert await submit(it, "a", "agent", **named) == first
        assert (await request(it, first["id"]))["channel"] == channel
        assert len((await it.call("a", "agent", "GET", "/v1/requests")).json()["items"]) == 1

    run(tmp_path, story)


@pytest.mark.parametrize("channel", ["web", "app", "wechat", "hotline", "email", "partner"])
def test_another_text_under_the_name_of_a_message_is_refused_and_records_nothing(tmp_path, channel):
    async def story(it):
        headers = {"Fieldloop-Channel": channel}
        named = {"message_id": "m-1", "customer_id": "c-1", "request_type": "repair", "device_id": "d-1"}
        first = await submit(it, "a", "agent", **named, headers=headers)
        before = await it.own_events()
        other = named | {"description": "something else"}
        answer = await it.call("b", "agent", "POST", "/v1/requests", json=other, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (422, "channel-message.other-content")
        assert answer.json()["facts"]["request_id"] == first["id"]
        assert await it.own_events() == before

    run(tmp_path, story)


def test_a_message_that_comes_twenty_times_at_once_is_taken_once(tmp_path):
    async def story(it):
        again = [submit(it, "a", "agent", message_id="m-1", customer_id="c-1") for _ in range(20)]
        answers = await asyncio.gather(*again)
        assert len({one["id"] for one in answers}) == 1
        [listed] = (await it.call("a", "agent", "GET", "/v1/requests")).json()["items"]
        assert listed["request_id"] == answers[0]["id"]

    run(tmp_path, story)


def test_all_channels_are_one_queue_and_one_of_them_can_be_looked_at_alone(tmp_path):
    async def story(it):
        for channel in ("web", "wechat", "hotline"):
            await submit(it, "a", "agent", customer_id="c-1", headers={"Fieldloop-Channel": channel})

        async def listed(**asked):
            answer = await it.call("a", "agent", "GET", "/v1/requests", params=asked)
            return answer.status_code, [one["channel"] for one in answer.json().get("items", [])]

        assert sorted((await listed())[1]) == ["hotline", "web", "wechat"]
        assert await listed(channel="wechat") == (200, ["wechat"])
        assert await listed(channel="fax") == (422, [])

    run(tmp_path, story)


def test_the_same_name_on_two_channels_is_two_messages(tmp_path):
    async def story(it):
        made = [
            await submit(it, "a", "agent", message_id="m-1", customer_id="c-1", headers={"Fieldloop-Channel": channel})
            for channel in ("email", "wechat")
        ]
        assert made[0]["id"] != made[1]["id"]

    run(tmp_path, story)


def test_nobody_takes_the_name_of_anothers_message(tmp_path):
    async def story(it):
        hers = await submit(it, "c-1", message_id="m-1")
        theirs = await submit(it, "c-2", message_id="m-1")
        assert hers["id"] != theirs["id"]
        assert await submit(it, "c-1", message_id="m-1") == hers

    run(tmp_path, story)


def test_messages_that_come_at_once_make_one_request(tmp_path):
    async def story(it):
        asked = [submit(it, "a", "agent", message_id="m-1", customer_id="c-1") for _ in range(12)]
        answers = await asyncio.gather(*asked)
        assert all(answer == answers[0] for answer in answers)

    run(tmp_path, story)


# What leads to the device.


def test_a_serial_number_that_was_read_out_finds_the_device(tmp_path):
    async def story(it):
        made = await submit(it, device_id="", serial="S1")
        told = await request(it, made["id"])
        assert (told["state"], told["device_id"]) == ("received", "d-1")
        misread = await submit(it, device_id="", serial="5I")
        waiting = await request(it, misread["id"])
        assert waiting["missing"] == ["serial: no device has the serial number '5I'"]
        assert waiting["serial"] == "5I"
        path = f"/v1/requests/{misread['id']}/supplement"
        await it.call("c-1", "customer", "POST", path, json={"serial": "S1"})
        assert (await request(it, misread["id"]))["device_id"] == "d-1"

    run(tmp_path, story)


def test_phone_and_address_are_sealed_and_shown_to_staff(tmp_path):
    async def story(it):
        said = {"contact_phone": "13800000009", "address": "北京市朝阳区建国路 1 号"}
        made = await submit(it, **said)
        told = await request(it, made["id"])
        assert {name: told[name] for name in said} == said
        assert told["division"] == "110105"
        [row] = [row for row in await it.rows(service.views[0]) if row["number"]]
        assert row["contact_phone"].startswith("sealed:") and row["address"].startswith("sealed:")

    run(tmp_path, story)


def test_a_customer_whose_phone_cannot_be_called_is_not_registered(tmp_path):
    async def story(it):
        body = {"name": "X", "phone": "123456", "region": "r", "lat_udeg": 0, "lon_udeg": 0, "customer_id": "c-9"}
        answer = await it.call("a", "agent", "POST", "/v1/customers", json=body)
        assert (answer.status_code, answer.json()["code"]) == (422, "customer.phone-wrong")
        assert (await it.call("a", "agent", "GET", "/v1/customers/c-9")).status_code == 404

    run(tmp_path, story)
