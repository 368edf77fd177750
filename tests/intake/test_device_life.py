"""The service life of a device: who came, what was found, which parts went in, on one call."""

import asyncio
from datetime import timedelta

import msgspec

from contracts.dispatcher import OrderAssigned
from contracts.examples import EXAMPLES
from contracts.fieldwork import (
    ChecklistItem,
    MeterReading,
    ServiceCompleted,
    UsedPart,
    VisitAborted,
    WorkFinished,
)
from contracts.intake import DeviceRegistered
from intake.projections.service_records import SERVICE_RECORDS
from intake.service import service
from tests.fieldwork.live import live
from tests.fieldwork.pictures import picture
from tests.fold import assert_same_rows_shuffled, rows_after
from tests.given import NOW
from tests.intake.examples import CUSTOMER, FRIDGE, founded, submit

PARTS = (UsedPart("P-1", "VAN-1", 2), UsedPart("P-2", "VAN-1", 1))


def ids(request_id, visit_id="v-1"):
    return {"visit_id": visit_id, "order_id": "o-1", "request_id": request_id, "engineer_id": "e-1"}


def finished(request_id, visit_id="v-1", **changes):
    facts = {"customer_id": "c-1", "cause": "wear", "action": "replaced", "record": "sealed:c-1:tsur"}
    return WorkFinished(**ids(request_id, visit_id) | facts | changes)


def completed(request_id, visit_id="v-1", parts=PARTS):
    times = {name: NOW for name in ("departed_at", "arrived_at", "started_at", "finished_at")}
    facts = {"customer_id": "c-1", "rating": 4, "signature": "", "parts": parts}
    return ServiceCompleted(**ids(request_id, visit_id), **times, **facts)


def aborted(request_id, visit_id="v-2"):
    return VisitAborted(**ids(request_id, visit_id), reason="part-missing", parts=PARTS[1:])


def test_a_record_is_that_of_the_last_finish_of_its_visit():
    rows = rows_after(SERVICE_RECORDS, [finished("r-1", cause="dust"), finished("r-1"), completed("r-1")])
    row = rows["v-1",]
    assert (row["cause"], row["ended"], row["rating"]) == ("wear", "completed", 4)


def test_whatever_comes_first_the_records_are_the_same():
    events = [finished("r-1"), completed("r-1"), aborted("r-2"), finished("r-3", "v-3"), completed("r-3", "v-3")]
    assert_same_rows_shuffled(SERVICE_RECORDS, events, seed=5)


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


async def served(it):
    """Two requests of the fridge: one came to nothing at first and was then done, the other waits."""
    first = await submit(it)
    assigned = msgspec.structs.replace(EXAMPLES["OrderAssigned"], order_id="o-1", request_id=first["id"])
    assert isinstance(assigned, OrderAssigned)
    await it.publishes(msgspec.structs.replace(assigned, engineer_id="e-1"))
    await it.publishes(aborted(first["id"], "v-0"))
    it.clock.set(it.clock.now() + timedelta(days=1))
    await it.publishes(finished(first["id"]), completed(first["id"]))
    it.clock.set(it.clock.now() + timedelta(days=1))
    return first, await submit(it)


async def life(it, person, role, device="d-1"):
    return await it.call(person, role, "GET", f"/v1/devices/{device}/life")


def test_all_that_was_done_to_a_device_is_on_one_call(tmp_path):
    async def story(it):
        first, second = await served(it)
        told = (await life(it, "a", "agent")).json()
        assert told["device"]["serial"] == "S1"
        assert [one["request_id"] for one in told["requests"]] == [second["id"], first["id"]]
        assert told["requests"][0]["visits"] == []
        came, done = told["requests"][1]["visits"]
        assert (came["ended"], [part["part_id"] for part in came["parts"]]) == ("part-missing", ["P-2"])
        assert (done["ended"], done["engineer_id"], done["cause"], done["action"], done["record"]) == (
            "completed",
            "e-1",
            "wear",
            "replaced",
            "rust",
        )
        assert (told["visits_completed"], told["parts"]) == (1, {"P-1": 2, "P-2": 2})

    run(tmp_path, story)


def test_it_shows_the_photos_of_requests_what_was_found_and_the_serial_numbers_that_are_inside(tmp_path):
    async def story(it):
        first, _ = await served(it)
        newest = await submit(it, description="又漏水了")
        sent = await it.call("c-1", "customer", "POST", f"/v1/requests/{newest['id']}/photos", content=picture())
        assert sent.is_success, sent.text
        points = (ChecklistItem("earthing", False, "接地线松动"), ChecklistItem("hoses", True))
        found = {"checklist": points, "readings": (MeterReading("cycles", 812, "n"),)}
        parts = (UsedPart("P-1", "VAN-1", 2, ("SN-1", "SN-2"), 1, "L-7", ("OLD-1",)),)
        await it.publishes(finished(newest["id"], "v-2", **found), completed(newest["id"], "v-2", parts))
        told = (await life(it, "a", "agent")).json()
        shown = next(one for one in told["requests"] if one["request_id"] == newest["id"])
        [photo] = shown["photos"]
        assert (photo["photo_id"], photo["taken_at"]) == (sent.json()["id"], None)
        assert shown["description"] == "又漏水了"
        [visit] = shown["visits"]
        assert [(one["item"], one["passed"], one["note"]) for one in visit["checklist"]] == [
            ("earthing", False, "接地线松动"),
            ("hoses", True, ""),
        ]
        assert visit["readings"] == [{"meter": "cycles", "value": 812, "unit": "n"}]
        [part] = visit["parts"]
        assert (part["lot"], part["old_serials"], part["old_returned"]) == ("L-7", ["OLD-1"], 1)
        assert (told["serials"], told["last_engineer_id"]) == ({"P-1": ["SN-1", "SN-2"]}, "e-1")
        # She was sent to the first request, and not to this one. What customers write the desk tells her.
        seen = {one["request_id"]: one for one in (await life(it, "e-1", "engineer")).json()["requests"]}
        others = seen[newest["id"]]
        assert (others["description"], others["photos"], len(others["visits"])) == ("", [], 1)
        assert seen[first["id"]]["description"] == ""

    run(tmp_path, story)


def test_who_may_see_it(tmp_path):
    """Its owner, staff, and the engineer who was sent to it."""

    async def story(it):
        assert (await life(it, "e-1", "engineer")).status_code == 404
        await served(it)
        seen = {person: (await life(it, person, role)).status_code for person, role in WHO}
        assert seen == {"a": 200, "c-1": 200, "e-1": 200, "c-2": 404, "e-2": 404}
        assert (await life(it, "a", "agent", "none")).status_code == 404

    run(tmp_path, story)


WHO = [("a", "agent"), ("c-1", "customer"), ("e-1", "engineer"), ("c-2", "customer"), ("e-2", "engineer")]


def test_who_bought_it_from_somebody_sees_nothing_of_what_that_one_asked_for(tmp_path):
    async def story(it):
        await served(it)
        await it.call("a", "agent", "POST", "/v1/customers", json=CUSTOMER | {"customer_id": "c-2"})
        moved = await it.call("a", "agent", "POST", "/v1/devices", json=FRIDGE | {"customer_id": "c-2"})
        assert moved.is_success, moved.text
        told = (await life(it, "c-2", "customer")).json()
        assert (told["requests"], told["visits_completed"], told["parts"]) == ([], 0, {})
        assert len((await life(it, "a", "agent")).json()["requests"]) == 2

    run(tmp_path, story)


async def installed(it, kind, at=NOW, **device):
    """The device after work of that kind was completed at it."""
    await founded(it, kind=kind)
    answer = await it.call("a", "agent", "POST", "/v1/devices", json=FRIDGE | device)
    assert answer.is_success, answer.text
    asked = await submit(it)
    before = len(await it.own_events())
    it.clock.set(at)
    await it.publishes(msgspec.structs.replace(completed(asked["id"]), device_id="d-1"))
    told = (await it.call("a", "agent", "GET", "/v1/devices/d-1")).json()
    events = (await it.own_events())[before:]
    return told["in_service_on"], [event for event in events if isinstance(event, DeviceRegistered)]


def test_a_device_that_we_have_installed_is_in_service_from_that_day_on(tmp_path):
    late = NOW.replace(hour=23)  # which is the next day in China

    async def story(it):
        day, [event] = await installed(it, "installation", late, purchased_on="2026-01-02", device_supplier="冷暖贸易")
        assert day == event.in_service_on == (NOW + timedelta(days=1)).date().isoformat()
        assert (event.serial, event.purchased_on, event.device_supplier) == ("S1", "2026-01-02", "冷暖贸易")

    run(tmp_path, story)


def test_a_day_that_the_register_names_stays_and_a_repair_puts_nothing_into_service(tmp_path):
    async def known(it):
        assert await installed(it, "installation", in_service_on="2026-03-08") == ("2026-03-08", [])

    async def bought_later(it):
        day = (NOW + timedelta(days=9)).date().isoformat()
        assert await installed(it, "installation", purchased_on=day) == (None, [])

    async def repaired(it):
        assert await installed(it, "repair") == (None, [])

    for n, story in enumerate((known, bought_later, repaired)):
        (tmp_path / str(n)).mkdir()
        run(tmp_path / str(n), story)
