"""A complete request of a wrong customer, device or place is put right, until somebody is under way for it."""

import asyncio
from datetime import timedelta

import msgspec
import pytest

from contracts.dispatcher import OrderOpened
from contracts.examples import EXAMPLES
from contracts.intake import (
    CustomerRegistered,
    DeviceRegistered,
    NumberGiven,
    RequestClosed,
    RequestCorrected,
    RequestMovedAway,
    RequestReceived,
    RequestReopened,
    RequestTypeDefined,
    RequestWithdrawn,
)
from dispatcher.commands import OpenOrder, WithdrawOrder
from dispatcher.policies import order_of, when_order_moves, when_request_changed
from intake.commands import CloseRequest, CorrectRequest, ReopenRequest, SubmitRequest
from intake.service import RULES, service
from reporting.projections.request_story import REQUEST_STORY
from services.gateway.persons import MemoryBook, PersonKeys
from tests.fieldwork.live import live
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW, spec_for
from tests.intake.examples import CUSTOMER, FRIDGE, founded, request, submit

given = spec_for(RULES)

OTHER = CUSTOMER | {"customer_id": "c-2", "phone": "13800000011", "region": "海淀区"}
THEIRS = FRIDGE | {"device_id": "d-2", "customer_id": "c-2", "serial": "S2", "model": "KT-35", "skill": "cooling"}


async def with_another(it):
    await founded(it)
    for path, body in (("/v1/customers", OTHER), ("/v1/devices", THEIRS)):
        assert (await it.call("a", "agent", "POST", path, json=body)).is_success


async def correct(it, request_id, role="agent", **body):
    return await it.call("a", role, "POST", f"/v1/requests/{request_id}/correct", json=body)


def on_stage(tmp_path, story):
    async def play():
        async with live(service, tmp_path) as it:
            await with_another(it)
            await story(it)

    asyncio.run(play())


def test_an_agent_puts_customer_and_device_right_and_the_text_is_sealed_under_the_right_key(tmp_path):
    async def story(it):
        asked = (await submit(it, "a", "agent", customer_id="c-1", contact_phone="13800000009"))["id"]
        answer = await correct(it, asked, customer_id="c-2", device_id="d-2", reason="同名客户")
        assert answer.json()["events"] == ["RequestCorrected", "RequestMovedAway"]
        told = {type(event): event for event in await it.own_events()}
        event, received = told[RequestCorrected], told[RequestReceived]
        assert (event.from_customer_id, event.customer_id, event.round_no) == ("c-1", "c-2", 2)
        assert (event.work.device_id, event.work.device_model, event.work.skill) == ("d-2", "KT-35", "cooling")
        assert event.work.region != received.region
        assert set(event.fields) == {"customer_id", "device_id"}
        assert event.received_at is not None
        for text in (event.description, event.contact_phone, event.reason):
            assert text.startswith("sealed:c-2:")
        shown = await request(it, asked)
        assert (shown["customer_id"], shown["device_id"], shown["description"]) == ("c-2", "d-2", "漏水")
        assert (shown["contact_phone"], shown["state"]) == ("13800000009", "received")
        assert (await it.call("c-1", "customer", "GET", f"/v1/requests/{asked}")).status_code == 404
        assert (await it.call("c-2", "customer", "GET", f"/v1/requests/{asked}")).status_code == 200
        again = await correct(it, asked, customer_id="c-2", device_id="d-2")
        assert again.json()["events"] == []

    on_stage(tmp_path, story)


def test_the_first_record_of_a_corrected_request_is_forgotten_with_the_right_customer(
    tmp_path,
):
    async def story(it):
        asked = (await submit(it, "a", "agent", customer_id="c-1", contact_phone="13800000009"))["id"]
        assert it.keys.joined == {asked: "c-1"}
        await correct(it, asked, customer_id="c-2", device_id="d-2")
        [first] = [event for event in await it.own_events() if isinstance(event, RequestReceived)]
        keys, tenant = PersonKeys(MemoryBook()), "t-1"
        for text in (first.description, first.contact_phone):
            assert text.startswith(f"sealed:{asked}:")
        await keys.ensure({(tenant, asked), (tenant, "c-1")})
        sealed = keys.seal(tenant, asked, "漏水")
        await keys.ensure(set(), {(tenant, person): owner for person, owner in it.keys.joined.items()})
        await keys.forget(tenant, "c-1")
        assert await read(keys, tenant, sealed) == "漏水"
        await keys.forget(tenant, "c-2")
        assert await read(keys, tenant, sealed) == ""

    async def read(keys, tenant, sealed):
        afresh = PersonKeys(keys.book)
        await afresh.ready(tenant, [sealed])
        return afresh.open(tenant, sealed)

    on_stage(tmp_path, story)


def test_what_a_customer_writes_herself_lies_under_her_own_key(tmp_path):
    async def story(it):
        await submit(it, "c-1", "customer")
        [first] = [event for event in await it.own_events() if isinstance(event, RequestReceived)]
        assert first.description.startswith("sealed:c-1:")
        assert it.keys.joined == {}

    on_stage(tmp_path, story)


def test_what_would_be_incomplete_afterwards_is_refused_with_the_field_and_nothing_is_recorded(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        before = await it.own_events()
        for body, field in (
            ({"customer_id": "c-2"}, "device_id"),
            ({"customer_id": "nobody"}, "customer_id"),
            ({"site_id": "s-9"}, "site_id"),
            ({"address": "朝阳区建国路 1 号"}, "address"),
        ):
            answer = await correct(it, asked, **body)
            assert (answer.status_code, answer.json()["code"]) == (422, "request.correction-unfit"), answer.text
            assert answer.json()["errors"][0]["field"] == field
        assert await it.own_events() == before
        assert (await correct(it, asked, role="customer", customer_id="c-2")).status_code == 403

    on_stage(tmp_path, story)


def test_once_somebody_is_under_way_it_is_refused_until_her_visit_is_aborted(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]

        async def happens(name):
            it.clock.set(it.clock.now() + timedelta(minutes=1))
            ids = {"request_id": asked, "visit_id": "v-1", "order_id": "o-1", "engineer_id": "e-1"}
            example = EXAMPLES[name]
            at = {example.AT: it.clock.now()} if example.AT else {}
            await it.publishes(msgspec.structs.replace(example, **ids, **at))

        await happens("EngineerDeparted")
        refused = await correct(it, asked, customer_id="c-2", device_id="d-2")
        assert (refused.status_code, refused.json()["code"]) == (409, "request.correction-too-late")
        await happens("VisitAborted")
        assert (await correct(it, asked, customer_id="c-2", device_id="d-2")).is_success
        await it.call("c-2", "customer", "POST", f"/v1/requests/{asked}/withdraw", json={})
        over = await correct(it, asked, customer_id="c-1", device_id="d-1")
        assert (over.status_code, over.json()["code"]) == (409, "request.not-open")

    on_stage(tmp_path, story)


# The decision.


def person(customer_id):
    place = {"region": "朝阳区", "lat_udeg": 39_920_000, "lon_udeg": 116_443_000}
    return CustomerRegistered(customer_id=customer_id, name="n", phone="p", street="s", **place)


REGISTERS = (
    person("c-1"),
    person("c-2"),
    DeviceRegistered(device_id="d-1", customer_id="c-1", model="M", serial="S1", skill="heating"),
    DeviceRegistered(device_id="d-2", customer_id="c-2", model="N", serial="S2", skill="cooling"),
    RequestTypeDefined(type_id="repair", type_version=1, name="Repair"),
)
SUBMIT = SubmitRequest(
    request_id="r-1",
    request_type="repair",
    customer_id="c-1",
    device_id="d-1",
    device_model="M",
    description="漏水",
    day="2026-11-24",
)
WRONG = given(*REGISTERS).when(SUBMIT).then_types(NumberGiven, RequestReceived)[1]


def correction(**changes):
    known = {"known_request_type": "repair", "known_customer_id": "c-1", "known_device_id": "d-1"}
    known["known_description"] = SUBMIT.description
    said = {"customer_id": "c-2", "device_id": "d-2", "device_model": "N", "received_at": NOW}
    return CorrectRequest(request_id="r-1", **known | said | changes)


def corrected():
    event, _ = given(*REGISTERS, WRONG).when(correction()).then_types(RequestCorrected, RequestMovedAway)
    return event


def test_what_was_done_at_somebody_elses_does_not_close_a_corrected_request():
    done = CloseRequest(request_id="r-1", order_id="o-1", customer_id="c-1", device_id="d-1", completed_at=NOW)
    given(*REGISTERS, WRONG, corrected()).when(done).then_nothing()
    right = done.model_copy(update={"customer_id": "c-2", "device_id": "d-2"})
    [closed] = given(*REGISTERS, WRONG, corrected()).when(right).then_types(RequestClosed)
    assert closed.round_no == 2
    given(*REGISTERS, WRONG).when(done).then_types(RequestClosed)


def test_what_is_reopened_after_a_correction_is_the_right_work():
    closed = RequestClosed(request_id="r-1", outcome="completed", completed_at=NOW, order_id="o-2", round_no=2)
    reopen = ReopenRequest(request_id="r-1", now=NOW)
    [again] = given(*REGISTERS, WRONG, corrected(), closed).when(reopen).then_types(RequestReopened)
    assert (again.customer_id, again.work.device_id, again.round_no) == ("c-2", "d-2", 3)


@pytest.mark.parametrize(
    ("before", "code"),
    [
        ((), "request.unknown"),
        ((EXAMPLES["RequestIncomplete"],), "request.not-complete"),
        ((WRONG, RequestWithdrawn(request_id="r-1", customer_id="c-1")), "request.not-open"),
        ((WRONG, RequestClosed(request_id="r-1", outcome="completed")), "request.closed"),
    ],
)
def test_what_is_not_being_worked_on_is_not_corrected(before, code):
    before = [msgspec.structs.replace(event, request_id="r-1") for event in before]
    given(*REGISTERS, *before).when(correction()).then_rejected(code, request_id="r-1")


# Those who follow.


class At:
    def now(self):
        return NOW


def test_the_dispatcher_withdraws_the_order_and_opens_one_that_is_measured_from_the_receipt():
    withdraw, opened = asyncio.run(when_request_changed(corrected(), None, At()))
    assert withdraw == WithdrawOrder(order_id=order_of("r-1"), corrected=True)
    assert isinstance(opened, OpenOrder)
    assert (opened.order_id, opened.customer_id, opened.device_id) == (order_of("r-1", 2), "c-2", "d-2")
    assert (opened.earlier_ids, opened.asked_at) == ((), NOW)


class WithSla:
    def now(self):
        return NOW

    async def fetch(self, *_, **__):
        return [{}]


def test_a_corrected_request_has_no_more_time_than_it_had():
    envelope = type("E", (), {"time": NOW, "tenant": "t"})
    asked_at = NOW - timedelta(hours=2)
    opened = OrderOpened(order_id="o-2", request_id="r-1", request_type="repair", asked_at=asked_at)
    [start] = asyncio.run(when_order_moves(opened, envelope, WithSla()))
    assert start.opened_at == asked_at
    [plain] = asyncio.run(when_order_moves(msgspec.structs.replace(opened, asked_at=None), envelope, WithSla()))
    assert plain.opened_at == NOW


def test_the_story_of_a_request_is_of_the_right_device_and_the_wrong_one_was_not_reported():
    done = msgspec.structs.replace(EXAMPLES["ServiceCompleted"], request_id="r-0", device_id="d-1")
    first = msgspec.structs.replace(WRONG, request_id="r-0", message_id="")
    story = [first, done, WRONG, corrected()]
    rows = rows_after(REQUEST_STORY, story)
    assert (rows["r-1",]["device_id"], rows["r-1",]["device_model"]) == ("d-2", "N")
    wrongly = rows_after(REQUEST_STORY, story[:-1])
    assert wrongly["r-0",]["repeated"] and not rows["r-0",]["repeated"]
    assert_same_rows_shuffled(REQUEST_STORY, story)
