"""The review queue through the routes: photos and answers beside the items, verdicts, corrections in time and late."""

import asyncio
from datetime import datetime, timedelta

from contracts.dispatcher import OrderOpened
from contracts.fieldwork import PhotoAttached
from contracts.quality import CorrectionDueSoon, CorrectionOverdue
from quality.projections.inspections import INSPECTIONS
from services.chassis.ids import derived_id
from tests.quality.examples import request_received, service_completed
from tests.quality.stories import at, completed, story

STANDARD = {
    "items": [
        {"item_id": "uniform", "en": "Uniform and badge", "zh": "工服和工牌"},
        {"item_id": "manner", "en": "Polite", "zh": "态度礼貌", "shown_by": "answer"},
    ]
}
INSPECTION = derived_id("inspection", "v-1")


async def ask(it, method, path, person="m-1", role="manager", status=200, **sent):
    answer = await it.call(person, role, method, path, **sent)
    assert answer.status_code == status, answer.text
    return answer.json()


async def waiting(it):
    await ask(it, "POST", "/v1/standards/repair", json=STANDARD)
    facts = {"request_id": "r-1", "media_type": "image/png", "size_b": 9, "sha256": "0" * 64}
    for moment in ("before", "after"):
        await it.publishes(PhotoAttached(visit_id="v-1", photo_id=f"p-{moment}", moment=moment, **facts))
        it.clock.set(it.clock.now() + timedelta(minutes=30))
    survey_id = await completed(it, 1)
    said = {"attitude": 1, "outcome": 5, "punctuality": 5, "comment": "不耐烦"}
    await ask(it, "POST", f"/v1/surveys/{survey_id}/answer", "c-1", "customer", json=said)
    return f"/v1/inspections/{INSPECTION}"


def verdicts(uniform="kept", manner="kept", **more):
    found = {"uniform": uniform, "manner": manner}
    return {"verdicts": [{"item_id": name, "found": one} for name, one in found.items()]} | more


@story
async def test_a_reviewer_sees_the_photos_and_the_answer_of_a_finished_visit(it):
    path = await waiting(it)
    [queued] = (await ask(it, "GET", "/v1/inspections?state=waiting"))["items"]
    assert (queued["inspection_id"], queued["standard_version"]) == (INSPECTION, 1)
    one = await ask(it, "GET", path)
    assert [(photo["photo_id"], photo["moment"]) for photo in one["photos"]] == [
        ("p-before", "before"),
        ("p-after", "after"),
    ]
    assert (one["answer"]["attitude"], one["answer"]["comment"]) == (1, "不耐烦")
    assert [item["zh"] for item in one["items"]] == ["工服和工牌", "态度礼貌"]
    theirs = await ask(it, "GET", path, "e-1", "engineer")
    assert theirs["answer"]["comment"] == ""
    await ask(it, "GET", path, "e-2", "engineer", 404)


@story
async def test_what_was_broken_is_corrected_by_its_owner_who_is_reminded_when_it_is_late(it):
    path = await waiting(it)
    await ask(it, "POST", f"{path}/review", json=verdicts(manner="broken", note="答复冷淡"))
    assert await ask(it, "GET", "/v1/inspections?state=waiting") == {"items": [], "next": None}
    [failed] = (await ask(it, "GET", "/v1/inspections?state=failed", "e-1", "engineer"))["items"]
    assert (failed["owner_id"], failed["overdue"]) == ("e-1", False)
    due_at = it.clock.now() + timedelta(days=7)
    await at(it, due_at - timedelta(days=1, seconds=1))
    assert not any(isinstance(event, CorrectionDueSoon) for event in await it.own_events())
    await at(it, due_at - timedelta(days=1))
    [soon] = [event for event in await it.own_events() if isinstance(event, CorrectionDueSoon)]
    assert (soon.owner_id, soon.due_at) == ("e-1", due_at)
    await at(it, due_at - timedelta(seconds=1))
    assert not (await ask(it, "GET", path))["overdue"]
    await at(it, due_at)
    assert (await ask(it, "GET", path))["overdue"]
    await ask(it, "POST", f"{path}/correct", "e-2", "engineer", 404, json={"done": "x"})
    await ask(it, "POST", f"{path}/correct", "e-1", "engineer", json={"done": "已参加培训"})
    one = await ask(it, "GET", path)
    assert (one["state"], one["done"], one["note"]) == ("corrected", "已参加培训", "答复冷淡")
    assert sum(isinstance(event, CorrectionOverdue) for event in await it.own_events()) == 1


@story
async def test_who_is_done_in_time_is_not_reminded(it):
    path = await waiting(it)
    await ask(it, "POST", f"{path}/review", json=verdicts(uniform="broken", owner_id="e-9"))
    await ask(it, "POST", f"{path}/correct", "e-1", "engineer", 404, json={"done": "x"})
    await ask(it, "POST", f"{path}/correct", "e-9", "engineer", json={"done": "已领取"})
    await at(it, it.clock.now() + timedelta(days=8))
    assert not any(isinstance(event, CorrectionDueSoon | CorrectionOverdue) for event in await it.own_events())


@story
async def test_of_what_is_due_within_a_day_nobody_is_reminded_before(it):
    path = await waiting(it)
    due = (it.clock.now() + timedelta(hours=20)).isoformat()
    await ask(it, "POST", f"{path}/review", json=verdicts(uniform="broken", due_at=due))
    await at(it, it.clock.now() + timedelta(hours=21))
    found = [type(event) for event in await it.own_events()]
    assert (found.count(CorrectionDueSoon), found.count(CorrectionOverdue)) == (0, 1)


@story
async def test_a_wrong_verdict_names_what_is_wrong_and_records_nothing(it):
    path = await waiting(it)
    before = await it.own_events()
    problem = await ask(it, "POST", f"{path}/review", status=422, json={"verdicts": verdicts()["verdicts"][:1]})
    assert (problem["code"], problem["facts"]["missing"]) == ("inspection.items-differ", ["manner"])
    past = verdicts(uniform="broken", due_at="2026-11-01T00:00:00+08:00")
    assert (await ask(it, "POST", f"{path}/review", status=422, json=past))["code"] == "correction.due-past"
    assert await it.own_events() == before


@story
async def test_a_visit_whose_request_is_not_known_yet_is_inspected_when_it_is(it):
    await ask(it, "POST", "/v1/standards/repair", json=STANDARD)
    await it.publishes(OrderOpened(order_id="o-1", request_id="r-9"))
    done = asyncio.create_task(it.publishes(service_completed(request_id="r-9")))
    async with asyncio.timeout(10):
        while not it.running.reactor.waiting:
            await asyncio.sleep(0.005)
    assert (await it.running.fetch(INSPECTIONS.table.select())) == []
    await it.publishes(request_received(request_id="r-9"))
    await done
    [one] = (await ask(it, "GET", "/v1/inspections"))["items"]
    assert (one["visit_id"], one["request_id"]) == ("v-1", "r-9")


@story
async def test_a_standard_is_shown_with_the_versions_before_and_when_each_holds(it):
    await ask(it, "POST", "/v1/standards/repair", json=STANDARD)
    later = it.clock.now() + timedelta(days=1)
    newer = {"items": STANDARD["items"][:1], "effective_from": later.isoformat()}
    await ask(it, "POST", "/v1/standards/repair", json=newer)
    found = await ask(it, "GET", "/v1/standards/repair")
    assert (found["standard_version"], datetime.fromisoformat(found["effective_from"])) == (2, later)
    assert [(one["standard_version"], one["effective_from"]) for one in found["earlier"]] == [(1, None)]
    await completed(it, 1)
    await at(it, later)
    await completed(it, 2)
    inspected = (await ask(it, "GET", "/v1/inspections"))["items"]
    assert [(one["visit_id"], one["standard_version"]) for one in inspected] == [("v-1", 1), ("v-2", 2)]
    wrong = {**newer, "effective_from": "2020-01-01T00:00:00Z"}
    refused = await ask(it, "POST", "/v1/standards/repair", status=422, json=wrong)
    assert refused["code"] == "standard.effective-before-last"


@story
async def test_without_a_standard_the_queue_stays_empty(it):
    await completed(it, 1)
    await ask(it, "POST", "/v1/standards/install", json=STANDARD)
    await completed(it, 2)
    assert (await ask(it, "GET", "/v1/inspections"))["items"] == []
    assert (await ask(it, "GET", "/v1/standards/install"))["standard_version"] == 1
    await ask(it, "GET", "/v1/standards/repair", status=404)
