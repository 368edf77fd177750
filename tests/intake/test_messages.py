"""Customers are told on the channel on which they asked, once, and what became of it is recorded."""

import asyncio
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest

from contracts import envelope as envelopes
from contracts.dispatcher import OrderAssigned
from contracts.intake import MessageNotSent, MessageSent
from contracts.quality import ComplaintClosed, SurveySent
from intake.adapters.words import words
from intake.messages_api import masked
from intake.projections.messages import TEMPLATE_OF
from intake.service import service
from services.chassis.messages.message import Away, Refused
from services.chassis.messages.outlets import Outlets
from tests.fieldwork.live import live
from tests.given import NOW
from tests.intake.examples import CUSTOMER, FRIDGE, founded, submit
from tests.intake.test_waiting import later
from tests.messages.providers import Armed, Orders

DAY = timedelta(days=1)
URL = "https://service.example"


class Told:
    """A running intake with a provider for each medium."""

    def __init__(self, it, providers):
        self.it, self.providers = it, providers

    @property
    def calls(self):
        return [call for provider in self.providers.values() for call in provider.calls]

    async def outcomes(self, count):
        """What became of messages, once it is known of so many; one more would be seen a moment later."""
        found = []
        async with asyncio.timeout(10):
            while len(found) < count:
                await asyncio.sleep(0.005)
                await self.it.settled()
                found = [e for e in await self.it.own_events() if isinstance(e, MessageSent | MessageNotSent)]
        await self.it.settled()
        assert len(found) == count, found
        return found

    async def again(self):
        """The pauses of what is held are over, and it was tried again."""
        held = self.it.running.sender.waiting
        assert held
        tried = len(self.calls)
        self.it.clock.set(self.it.clock.now() + timedelta(minutes=6))
        self.it.running.sender.wake()
        async with asyncio.timeout(10):
            while len(self.calls) == tried:
                await asyncio.sleep(0.005)
        await self.it.settled()

    async def shown(self, request_id=""):
        path = f"/v1/messages?request_id={request_id}" if request_id else "/v1/messages"
        answer = await self.it.call("a", "agent", "GET", path)
        assert answer.status_code == 200, answer.text
        return answer.json()["items"]


@asynccontextmanager
async def told(folder, *media, provider=Orders):
    providers = {medium: provider() for medium in media}
    outlets = Outlets(providers, url=URL, link=lambda tenant, to, made_at: f"{tenant}/{to.purpose}/{to.subject}")
    async with live(service, folder, outlets) as it:
        yield Told(it, providers)


def run(story, folder, *media):
    async def on_stage():
        async with told(folder, *media) as it:
            await founded(it.it)
            await story(it)

    asyncio.run(on_stage())


async def change(it, **facts):
    answer = await it.it.call("a", "agent", "POST", "/v1/customers", json=CUSTOMER | facts)
    assert answer.is_success, answer.text


def on(channel):
    return {"headers": {"Fieldloop-Channel": channel}}


def test_every_language_has_the_words_of_every_message():
    assert set(words("zh").templates) == set(words("en").templates) == set(TEMPLATE_OF.values())
    assert set(words("zh").fields) == set(words("en").fields)

    class Names(dict):
        def __missing__(self, name):
            self[name] = ""
            return ""

    for name in TEMPLATE_OF.values():
        asked = []
        for language in ("zh", "en"):
            names = Names()
            template = words(language).templates[name]
            template.subject.format_map(names), template.body.format_map(names)
            asked.append(set(names))
        assert asked[0] == asked[1], name


def test_a_request_is_answered_with_its_number(tmp_path):
    async def story(it):
        made = await submit(it.it)
        [sent] = await it.outcomes(1)
        number = (await it.it.call("a", "agent", "GET", f"/v1/requests/{made['id']}")).json()["number"]
        [call] = it.calls
        assert (call.medium, call.recipient, call.template) == ("text", "13800000001", "request-received")
        assert number in call.body
        assert (sent.message_id, sent.provider_ref, sent.attempts) == (call.key, "ref-1", 1)
        assert "13800000001" not in str(sent)

    run(story, tmp_path, "text", "mail", "wechat")


def test_what_is_missing_goes_back_in_the_customers_language_by_the_names_of_the_fields(tmp_path):
    async def story(it):
        await submit(it.it, device_id="", contact_phone="123")
        await change(it, language="en")
        await submit(it.it, device_id="", contact_phone="123")
        await it.outcomes(2)
        zh, en = [call.body for call in it.calls]
        assert "- 设备：请说明是哪台设备\n- 联系电话：电话号码无效" in zh
        assert "- Device: which device it is about\n- Phone on site: this is no phone number that exists" in en

    run(story, tmp_path, "text")


@pytest.mark.parametrize(
    ("channel", "media", "expected"),
    [
        ("email", ("text", "mail", "wechat"), ("mail", "li@example.com")),
        ("wechat", ("text", "mail", "wechat"), ("wechat", "oLi")),
        ("hotline", ("text", "mail", "wechat"), ("text", "13800000001")),
        ("wechat", ("text",), ("text", "13800000001")),
    ],
)
def test_it_goes_by_the_medium_of_the_channel_or_by_one_that_there_is(tmp_path, channel, media, expected):
    async def story(it):
        await change(it, email="li@example.com", wechat="oLi")
        await submit(it.it, person="a", role="agent", customer_id="c-1", **on(channel))
        await it.outcomes(1)
        assert [(call.medium, call.recipient) for call in it.calls] == [expected]

    run(story, tmp_path, *media)


def test_who_does_not_answer_is_reminded_and_who_has_withdrawn_is_not(tmp_path):
    async def story(it):
        waits, gone = await submit(it.it, device_id=""), await submit(it.it, device_id="")
        await it.outcomes(2)
        await it.it.call("c-1", "customer", "POST", f"/v1/requests/{gone['id']}/withdraw", json={})
        await later(it.it, DAY)
        await it.outcomes(3)
        assert [call.template for call in it.calls] == 2 * ["request-incomplete"] + ["request-reminded"]
        assert [one["template"] for one in await it.shown(waits["id"])] == ["request-reminded", "request-incomplete"]

    run(story, tmp_path, "text")


def test_who_withdraws_while_the_provider_is_away_is_not_reminded(tmp_path):
    async def story(it):
        made = await submit(it.it, device_id="")
        await it.outcomes(1)
        it.providers["text"].fails = Away("down")
        await later(it.it, DAY)
        while not it.it.running.sender.waiting:
            await asyncio.sleep(0.005)
        assert [one["state"] for one in await it.shown(made["id"])] == ["due", "sent"]
        await it.it.call("c-1", "customer", "POST", f"/v1/requests/{made['id']}/withdraw", json={})
        tried = len(it.calls)
        it.it.clock.set(it.it.clock.now() + timedelta(minutes=6))
        it.it.running.sender.wake()
        _, unsent = await it.outcomes(2)
        assert (unsent.reason, unsent.template, len(it.calls)) == ("not-wanted", "request-reminded", tried)

    run(story, tmp_path, "text")


def test_while_the_provider_is_away_it_is_tried_again_under_the_same_key_and_others_go_on(tmp_path):
    async def story(it):
        text = it.providers["text"]
        text.fails = OSError("13800000001")
        held = await submit(it.it)
        while not it.it.running.sender.waiting:
            await asyncio.sleep(0.005)
        await it.again()
        await it.again()
        text.fails = None
        other = await submit(it.it)
        await it.outcomes(1)
        assert [one["state"] for one in await it.shown(other["id"])] == ["sent"]
        await it.again()
        await it.outcomes(2)
        [last] = await it.shown(held["id"])
        assert (last["state"], last["attempts"]) == ("sent", 4)
        assert [call.key for call in it.calls].count(last["message_id"]) == 4
        assert len(it.calls) == 5

    run(story, tmp_path, "text")


def test_what_a_provider_refuses_is_not_tried_again_and_its_words_are_shown_masked(tmp_path):
    async def story(it):
        it.providers["text"].fails = Refused("422 no such phone 13800000001")
        made = await submit(it.it)
        [unsent] = await it.outcomes(1)
        assert (unsent.reason, unsent.attempts, len(it.calls)) == ("refused", 1, 1)
        assert "13800000001" not in str(unsent)
        [shown] = await it.shown(made["id"])
        assert (shown["state"], shown["recipient"]) == ("not_sent", "138****0001")
        assert shown["detail"] == "422 no such phone 138****0001"

    run(story, tmp_path, "text")


def test_what_could_not_be_sent_for_a_day_is_given_up(tmp_path):
    async def story(it):
        it.providers["text"].fails = Away("down")
        await submit(it.it)
        while not it.it.running.sender.waiting:
            await asyncio.sleep(0.005)
        await it.again()
        tried = len(it.calls)
        it.it.clock.set(it.it.clock.now() + DAY)
        it.it.running.sender.wake()
        [unsent] = await it.outcomes(1)
        assert (unsent.reason, unsent.attempts, len(it.calls)) == ("too-late", 3, tried)

    run(story, tmp_path, "text")


def test_without_a_provider_it_is_recorded_once_as_not_sent(tmp_path):
    async def story(it):
        made = await submit(it.it)
        [unsent] = await it.outcomes(1)
        assert (unsent.reason, unsent.medium) == ("no-sender", "text")
        [shown] = await it.shown(made["id"])
        assert (shown["state"], shown["reason"]) == ("not_sent", "no-sender")

    run(story, tmp_path)


def test_who_is_not_known_is_told_by_the_phone_that_was_left_or_not_at_all(tmp_path):
    async def story(it):
        await submit(it.it, person="a", role="agent", contact_phone="13900000002")
        await submit(it.it, person="a", role="agent")
        sent, unsent = sorted(await it.outcomes(2), key=lambda one: isinstance(one, MessageNotSent))
        assert [call.recipient for call in it.calls] == ["13900000002"]
        assert sent.medium == "text"
        assert unsent.reason == "no-address"

    run(story, tmp_path, "text")


def test_who_is_forgotten_is_told_nothing(tmp_path):
    async def story(it):
        it.it.keys.forgotten.add("c-1")
        await submit(it.it)
        [unsent] = await it.outcomes(1)
        assert (unsent.reason, it.calls) == ("forgotten", [])

    run(story, tmp_path, "text")


def survey(request_id):
    facts = {"order_id": "o-1", "visit_id": "v-1", "engineer_id": "e-1", "customer_id": "c-1"}
    return SurveySent(survey_id="s-1", request_id=request_id, expires_at=NOW + 14 * DAY, **facts)


def test_a_survey_comes_with_its_link_and_a_complaint_with_its_answer(tmp_path):
    async def story(it):
        made = await submit(it.it)
        answer = f"sealed:c-1:{'抱歉'[::-1]}"
        closed = ComplaintClosed(complaint_id="k-1", customer_id="c-1", owner_id="m", root_cause="late", answer=answer)
        await it.it.publishes(survey(made["id"]), closed)
        await it.outcomes(3)
        bodies = {call.template: call.body for call in it.calls}
        assert f"{URL}/v1/surveys/page?link=t-1/survey/s-1" in bodies["survey"]
        assert "抱歉" in bodies["complaint-closed"]

    run(story, tmp_path, "text")


def assigned(request_id, **facts):
    booked = {"starts_at": NOW, "ends_at": NOW + timedelta(hours=1)}
    return OrderAssigned(
        order_id="o-1", request_id=request_id, engineer_id="e-1", travel_m=1, chosen_by="rule", **booked | facts
    )


def test_who_asked_is_told_when_somebody_comes(tmp_path):
    async def story(it):
        made = await submit(it.it)
        await it.it.publishes(assigned(made["id"]))
        await it.outcomes(2)
        assert it.calls[-1].template == "order-assigned"
        assert "e-1" not in it.calls[-1].body

    run(story, tmp_path, "text")


def test_when_a_request_is_anothers_both_are_told_and_who_heard_nothing_of_it_is_not(tmp_path):
    other = CUSTOMER | {"customer_id": "c-2", "phone": "13800000011"}
    theirs = FRIDGE | {"device_id": "d-2", "customer_id": "c-2", "serial": "S2"}
    right = {"customer_id": "c-2", "device_id": "d-2"}

    async def story(it):
        for path, body in (("/v1/customers", other), ("/v1/devices", theirs)):
            assert (await it.it.call("a", "agent", "POST", path, json=body)).is_success
        asked = await submit(it.it, "a", "agent", customer_id="c-1")
        await it.outcomes(1)
        path = f"/v1/requests/{asked['id']}/correct"
        assert (await it.it.call("a", "agent", "POST", path, json=right)).is_success
        await it.outcomes(3)
        hers, [told] = [[c for c in it.calls if c.recipient == phone] for phone in (CUSTOMER["phone"], other["phone"])]
        assert [call.template for call in hers] == ["request-received", "request-moved-away"]
        assert told.template == "request-corrected"
        assert "客户" in told.body
        answer = await it.it.call("a", "agent", "POST", path, json={"address": "北京市朝阳区建国路 2 号"})
        assert answer.is_success, answer.text
        await it.outcomes(4)
        assert it.calls[-1].recipient == other["phone"] and "地址" in it.calls[-1].body

    run(story, tmp_path, "text")


def test_of_what_was_imported_nobody_is_told(tmp_path):
    async def story(it):
        made = await submit(it.it)
        await it.outcomes(1)
        await it.it.publishes((assigned(made["id"]), {"origin": "import"}))
        assert len(await it.outcomes(1)) == 1
        assert len(await it.shown(made["id"])) == 1

    run(story, tmp_path, "text")


def test_after_a_restart_nothing_is_sent_again(tmp_path):
    async def first(it):
        await submit(it)
        await submit(it, device_id="")

    async def story():
        async with told(tmp_path, "text") as it:
            await founded(it.it)
            await first(it.it)
            before = await it.outcomes(2)
        async with told(tmp_path, "text", provider=Armed) as it:
            assert await it.outcomes(2) == before
            assert it.calls == []

    asyncio.run(story())


def test_a_crash_between_the_call_and_its_record_sends_again_under_the_same_key(tmp_path):
    class Crashes(Orders):
        async def send(self, message):
            await super().send(message)
            crashed.set()
            await asyncio.Event().wait()

    crashed = asyncio.Event()

    async def story():
        async with told(tmp_path, "text", provider=Crashes) as it:
            await founded(it.it)
            asking = asyncio.create_task(submit(it.it))
            await crashed.wait()
            first = it.calls
            asking.cancel()
        async with told(tmp_path, "text") as it:
            [sent] = await it.outcomes(1)
            assert [call.key for call in first] == [call.key for call in it.calls] == [sent.message_id]
            assert first == it.calls

    asyncio.run(story())


def test_a_message_belongs_to_the_story_that_it_tells_of(tmp_path):
    async def story(it):
        made = await submit(it.it)
        await it.outcomes(1)
        read = [envelopes.read(entry.record) for entry in await it.it.running.journal.read(0, 1_000)]
        [sent] = [one for one in read if one.type == "MessageSent"]
        assert sent.correlation_id == made["id"]
        assert sent.causation_id == it.calls[0].key

    run(story, tmp_path, "text")


@pytest.mark.parametrize(
    ("medium", "recipient", "expected"),
    [
        ("text", "13800000001", "138****0001"),
        ("text", "12345", "****"),
        ("mail", "li.hua@example.com", "l***@example.com"),
        ("wechat", "oA1b2C3", "oA***"),
        ("", "", ""),
    ],
)
def test_addresses_are_shown_masked(medium, recipient, expected):
    assert masked(medium, recipient) == expected
