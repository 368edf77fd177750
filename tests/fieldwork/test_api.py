"""A visit through the routes, on real stores: who may see it, what is answered, what is kept."""

import asyncio
import functools
import hashlib
from datetime import timedelta

import msgspec
import pytest

from contracts.dispatcher import OrderAssigned, OrderCancelled, OrderReassigned
from contracts.examples import EXAMPLES
from contracts.fieldwork import EngineerDeparted, PhotoAttached, ServiceCompleted, VisitCancelled, VisitPlanned
from contracts.inventory import PartDefined
from fieldwork.service import service
from services.chassis.ids import derived_id
from tests.fieldwork.examples import SIGNATURE, minute
from tests.fieldwork.live import live
from tests.fieldwork.pictures import JPEG, PNG, camera, picture
from tests.given import NOW


def assigned(**changes):
    facts = {
        "order_id": "o-1",
        "request_id": "r-1",
        "engineer_id": "e-1",
        "van_id": "van-1",
        "starts_at": minute(30),
        "ends_at": minute(90),
        "travel_m": 900,
        "chosen_by": "rule",
        "customer_id": "c-1",
        "device_id": "d-1",
        "device_model": "BCD-520",
    }
    return OrderAssigned(**facts | changes)


def reassigned(**changes):
    facts = {name: getattr(assigned(), name) for name in assigned().__struct_fields__}
    facts = {name: value for name, value in facts.items() if name in OrderReassigned.__struct_fields__}
    return OrderReassigned(**facts | {"from_engineer_id": "e-1", "engineer_id": "e-2", "reason": "ill"} | changes)


def story(test):
    """Runs a coroutine that is given the live service."""

    @functools.wraps(test)
    def run(tmp_path):
        async def told():
            async with live(service, tmp_path) as it:
                await it.publishes(PartDefined(part_id="fan", name="Fan", fits=()))
                await test(it)

        asyncio.run(told())

    del run.__wrapped__  # pytest would look for the parameters of the coroutine
    return run


async def planned(it, event=None):
    """A visit, planned upon an assignment; its id."""
    event = event or assigned()
    (envelope,) = await it.publishes(event)
    return derived_id("visit", event.order_id, envelope.id)


async def step(it, visit_id, name, *, person="e-1", role="engineer", headers=None, **body):
    return await it.call(person, role, "POST", f"/v1/visits/{visit_id}/{name}", json=body, headers=headers)


async def walk(it, visit_id, *names):
    bodies = {
        "finish": {"cause": "fan-stuck", "action": "replaced", "record": "changed the fan"},
        "accept": {"rating": 5, "signature": SIGNATURE},
        "parts": {"part_id": "fan"},
    }
    for name in names:
        it.clock.set(it.clock.now() + timedelta(minutes=5))
        answer = await step(it, visit_id, name, **bodies.get(name, {}))
        assert answer.status_code == 200, answer.text
    return answer


def attach(it, visit_id, content, *, person="e-1", role="engineer", **params):
    return it.call(person, role, "POST", f"/v1/visits/{visit_id}/photos", content=content, params=params)


@story
async def test_a_visit_goes_its_way_and_is_shown(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive", "start", "parts")
    assert (await attach(it, visit_id, JPEG, moment="after")).status_code == 200
    last = await walk(it, visit_id, "finish", "accept")
    assert last.json()["events"] == ["ServiceCompleted"]
    shown = await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}")
    found = shown.json()
    assert (found["state"], found["rating"], found["photos"]) == ("completed", 5, 1)
    assert (found["record"], found["signature"]) == ("changed the fan", SIGNATURE)
    assert found["parts"] == [
        {"part_id": "fan", "place_id": "van-1", "quantity": 1, "serials": [], "old_returned": 0}
        | {"lot": "", "old_serials": []}
    ]
    assert shown.headers["etag"] == f'"{last.json()["version"]}"'
    assert isinstance((await it.own_events())[-1], ServiceCompleted)


@story
async def test_what_is_said_of_a_person_is_not_in_the_views_and_goes_with_her_key(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive", "start", "finish", "accept")
    (row,) = await it.rows(service.views[0])
    assert "changed the fan" not in str(row) and SIGNATURE not in str(row)
    it.keys.forgotten.add("c-1")
    found = (await it.call("m-1", "manager", "GET", f"/v1/visits/{visit_id}")).json()
    assert (found["record"], found["signature"], found["state"]) == ("", "", "completed")


@story
async def test_a_visit_of_somebody_else_is_not_there(it):
    visit_id = await planned(it)
    for person, role in (("e-2", "engineer"), ("c-2", "customer")):
        assert (await it.call(person, role, "GET", f"/v1/visits/{visit_id}")).status_code == 404
        assert (await it.call(person, role, "GET", f"/v1/visits/{visit_id}/photos")).status_code == 404
        answer = await step(it, visit_id, "accept", person=person, role=role, rating=5, signature=SIGNATURE)
        assert answer.status_code == 404
    assert (await step(it, visit_id, "depart", person="e-2")).status_code == 404
    assert (await attach(it, visit_id, JPEG, person="e-2")).status_code == 404
    other = await it.call("d-1", "dispatcher", "GET", f"/v1/visits/{visit_id}", tenant="t-2")
    assert other.status_code == 404
    assert [type(event) for event in await it.own_events() if isinstance(event, EngineerDeparted)] == []


@story
async def test_an_engineer_sees_her_own_of_today_in_order_and_staff_sees_all(it):
    later = assigned(order_id="o-2", request_id="r-2", starts_at=minute(120), ends_at=minute(180))
    tomorrow = assigned(order_id="o-3", request_id="r-3", starts_at=minute(24 * 60), ends_at=minute(25 * 60))
    others = assigned(order_id="o-4", request_id="r-4", engineer_id="e-2")
    ids = [await planned(it, event) for event in (later, tomorrow, others, assigned())]
    mine = (await it.call("e-1", "engineer", "GET", "/v1/visits")).json()["items"]
    assert [visit["visit_id"] for visit in mine] == [ids[3], ids[0]]
    day = (minute(24 * 60)).date().isoformat()
    mine = (await it.call("e-1", "engineer", "GET", f"/v1/visits?day={day}")).json()["items"]
    assert [visit["visit_id"] for visit in mine] == [ids[1]]
    page = (await it.call("d-1", "dispatcher", "GET", "/v1/visits?limit=3")).json()
    rest = (await it.call("d-1", "dispatcher", "GET", f"/v1/visits?limit=3&cursor={page['next']}")).json()
    assert {visit["visit_id"] for visit in page["items"] + rest["items"]} == set(ids)
    one = (await it.call("d-1", "dispatcher", "GET", "/v1/visits?engineer_id=e-2&state=planned")).json()
    assert [visit["visit_id"] for visit in one["items"]] == [ids[2]]


@story
async def test_a_visit_that_is_under_way_stays_on_the_list_of_the_next_day(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart")
    it.clock.set(NOW + timedelta(days=2))
    mine = (await it.call("e-1", "engineer", "GET", "/v1/visits")).json()["items"]
    assert [visit["visit_id"] for visit in mine] == [visit_id]


@story
async def test_a_step_that_has_nothing_to_say_needs_no_body(it):
    visit_id = await planned(it)
    for name in ("depart", "arrive", "start"):
        it.clock.set(it.clock.now() + timedelta(minutes=5))
        answer = await it.call("e-1", "engineer", "POST", f"/v1/visits/{visit_id}/{name}")
        assert answer.status_code == 200, answer.text
    told = await it.call("e-1", "engineer", "POST", f"/v1/visits/{visit_id}/finish")
    assert (told.status_code, told.json()["errors"][0]["field"]) == (422, "body")


@story
async def test_a_phone_that_was_offline_says_when_it_happened(it):
    visit_id = await planned(it)
    it.clock.set(NOW + timedelta(hours=2))
    answer = await step(it, visit_id, "depart", happened_at="2026-11-24T17:05:00+08:00")
    assert answer.status_code == 200
    found = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}")).json()
    assert found["departed_at"] == "2026-11-24T09:05:00Z"
    assert (await it.own_events())[-1].departed_at == NOW + timedelta(minutes=5)


@story
async def test_a_clock_a_little_ahead_is_taken_to_say_now_and_one_far_ahead_is_not_believed(it):
    visit_id = await planned(it)
    too_far = await step(it, visit_id, "depart", happened_at=(NOW + timedelta(minutes=3)).isoformat())
    assert too_far.json()["code"] == "visit.time-in-future"
    now = it.clock.now()
    answer = await step(it, visit_id, "depart", happened_at=(now + timedelta(seconds=119)).isoformat())
    assert answer.status_code == 200
    assert (await it.own_events())[-1].departed_at == now


@pytest.mark.parametrize("when", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2026-11-24T09:00:00"])
def test_a_time_that_cannot_be_is_refused(when, tmp_path):
    @story
    async def told(it):
        visit_id = await planned(it)
        assert (await step(it, visit_id, "depart", happened_at=when)).status_code == 422
        assert (await attach(it, visit_id, JPEG, happened_at=when)).status_code == 422

    told(tmp_path)


@story
async def test_a_repeat_with_the_same_key_does_nothing_twice(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive", "start")
    key = {"Idempotency-Key": "k-1"}
    first = await step(it, visit_id, "parts", headers=key, part_id="fan", quantity=2)
    again = await step(it, visit_id, "parts", headers=key, part_id="fan", quantity=2)
    assert first.json() == again.json()
    found = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}")).json()
    assert [line["quantity"] for line in found["parts"]] == [2]


@story
async def test_a_stale_view_is_refused(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart")
    stale = await step(it, visit_id, "arrive", headers={"If-Match": '"1"'})
    assert (stale.status_code, stale.json()["code"]) == (412, "stream.stale")


@story
async def test_photos_are_kept_sealed_listed_and_shown(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive")
    before = (await attach(it, visit_id, PNG, moment="before", photo_id="p-9")).json()
    assert before["id"] == "p-9"
    await attach(it, visit_id, JPEG)
    listed = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}/photos")).json()
    assert [(one["moment"], one["media_type"]) for one in listed] == [
        ("before", "image/png"),
        ("other", "image/jpeg"),
    ]
    shown = await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}/photos/p-9")
    assert shown.headers["content-type"] == "image/png"
    event = next(event for event in await it.own_events() if isinstance(event, PhotoAttached))
    assert event.size_b == len(shown.content)
    assert event.picture_sha256 == hashlib.sha256(shown.content).hexdigest() == listed[0]["picture_sha256"]
    it.keys.forgotten.add("c-1")
    assert (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}/photos/p-9")).status_code == 404
    assert (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}/photos/none")).status_code == 404


@story
async def test_when_and_where_a_photo_was_taken_is_recorded_and_not_in_its_bytes(it):
    visit_id = await planned(it)
    await attach(it, visit_id, picture(exif=camera()), photo_id="p-1")
    (listed,) = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}/photos")).json()
    assert listed["taken_at"] == "2026-11-24T09:20:00Z"
    assert (listed["lat_udeg"], listed["lon_udeg"]) == (31_230_500, 121_473_667)
    (event,) = [event for event in await it.own_events() if isinstance(event, PhotoAttached)]
    assert (event.lat_udeg, event.lon_udeg) == (None, None)
    assert event.place.startswith("sealed:c-1:") and "31230500" not in event.place
    shown = await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}/photos/p-1")
    assert shown.status_code == 200
    assert b"Exif" not in shown.content and b"OWNER" not in shown.content
    it.keys.forgotten.add("c-1")
    (listed,) = (await it.call("m-1", "manager", "GET", f"/v1/visits/{visit_id}/photos")).json()
    assert (listed["lat_udeg"], listed["lon_udeg"]) == (None, None)


@story
async def test_what_is_no_picture_is_refused_whatever_it_calls_itself(it):
    visit_id = await planned(it)
    await walk(it, visit_id, "depart", "arrive")
    path = f"/v1/visits/{visit_id}/photos"
    page = {"content": b"<html>", "headers": {"Content-Type": "image/png"}}
    answer = await it.call("e-1", "engineer", "POST", path, **page)
    assert answer.json()["code"] == "photo.not-a-picture"
    large = await attach(it, visit_id, JPEG + bytes(10 * 1024 * 1024))
    assert large.status_code == 413
    assert not any(isinstance(event, PhotoAttached) for event in await it.own_events())


@story
async def test_a_reassignment_moves_the_visit_to_the_other_engineer(it):
    former = await planned(it)
    (envelope,) = await it.publishes(reassigned())
    assert (await step(it, former, "depart")).json()["code"] == "visit.called-off"
    mine = (await it.call("e-2", "engineer", "GET", "/v1/visits")).json()["items"]
    assert [visit["visit_id"] for visit in mine] == [derived_id("visit", "o-1", envelope.id)]


@story
async def test_assignment_and_cancellation_that_arrive_together_leave_no_visit_open(it):
    """The view cannot show the visit yet; the policy waits until it does."""
    cancelled = OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher")
    await it.publishes(assigned(), reassigned(), cancelled)
    kinds = [type(event) for event in await it.own_events()]
    assert (kinds.count(VisitPlanned), kinds.count(VisitCancelled)) == (2, 2)
    assert {row["state"] for row in await it.rows(service.views[0])} == {"cancelled"}


@story
async def test_an_assignment_that_is_repeated_plans_one_visit(it):
    await it.publishes(assigned())
    await it.publishes(assigned())
    rows = await it.rows(service.views[0])
    # Another event is another assignment: the visit of the first is called off.
    assert sorted(row["state"] for row in rows) == ["cancelled", "planned"]


@story
async def test_a_customer_sees_who_comes_and_when_and_no_visit_of_another(it):
    registered = msgspec.structs.replace(EXAMPLES["EngineerRegistered"], engineer_id="e-1", name="王芳")
    await it.publishes(registered)
    visit_id = await planned(it)
    [seen] = (await it.call("c-1", "customer", "GET", "/v1/visits?request_id=r-1")).json()["items"]
    assert (seen["visit_id"], seen["engineer_name"]) == (visit_id, "王芳")
    assert (await it.call("c-1", "customer", "GET", f"/v1/visits/{visit_id}")).json()["engineer_name"] == "王芳"
    assert (await it.call("c-2", "customer", "GET", "/v1/visits?request_id=r-1")).json()["items"] == []
