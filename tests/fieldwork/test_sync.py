"""The batch of a phone that was offline, through its route: an answer for each step, and the same in the end."""

import asyncio
from datetime import timedelta
from random import Random

import pytest

from contracts import envelope as envelopes
from contracts.dispatcher import OrderCancelled
from contracts.fieldwork import PartUsedAfterEnd, ServiceCompleted, StepRefused, WorkFinished
from contracts.inventory import PartDefined
from fieldwork.projections.reported_steps import REPORTED
from fieldwork.service import service
from tests.fieldwork.examples import SIGNATURE, minute
from tests.fieldwork.live import live
from tests.fieldwork.test_api import assigned, planned, step, story
from tests.given import NOW

WAY = [
    {"step": "depart"},
    {"step": "arrive"},
    {"step": "start"},
    {"step": "use-part", "part_id": "fan", "quantity": 2},
    {"step": "finish", "cause": "fan-stuck", "action": "replaced", "record": "changed the fan"},
    {"step": "refuse", "reason": "still loud"},
    {"step": "use-part", "part_id": "seal"},
    {"step": "finish", "cause": "fan-stuck", "action": "replaced", "record": "and the seal"},
    {"step": "accept", "rating": 4, "signature": SIGNATURE},
]


def way(visit_id):
    return [
        {"visit_id": visit_id, "step_id": f"s-{n}", "number": n, "happened_at": minute(5 * n).isoformat(), **said}
        for n, said in enumerate(WAY, 1)
    ]


async def sync(it, steps, *, person="e-1", role="engineer", sent_at=None, **options):
    body = {"steps": steps} | ({"sent_at": sent_at.isoformat()} if sent_at else {})
    answer = await it.call(person, role, "POST", "/v1/visits/sync", json=body, **options)
    assert answer.status_code == 200, answer.text
    return answer.json()["steps"]


def evening(it):
    """The phone has a network again."""
    it.clock.set(NOW + timedelta(hours=8))


@story
async def test_a_day_that_comes_at_once_and_backwards_is_taken_whole(it):
    visit_id = await planned(it)
    evening(it)
    answers = await sync(it, way(visit_id)[::-1])
    assert [(one["step_id"], one["outcome"], one["kept"]) for one in answers] == [
        (f"s-{n}", "taken", True) for n in range(9, 0, -1)
    ]
    found = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}")).json()
    assert (found["state"], found["rating"], found["record"], found["refusal"]) == (
        "completed",
        4,
        "and the seal",
        "still loud",
    )
    assert found["departed_at"] == minute(5).isoformat().replace("+00:00", "Z")
    assert found["finished_at"] == minute(40).isoformat().replace("+00:00", "Z")
    assert {line["part_id"]: line["quantity"] for line in found["parts"]} == {"fan": 2, "seal": 1}


@story
async def test_what_waits_is_told_what_it_waits_for_and_is_taken_with_the_batch_that_fills_the_gap(it):
    visit_id = await planned(it)
    evening(it)
    steps = way(visit_id)
    later = await sync(it, steps[4:])
    assert {(one["outcome"], one["waits_for"]) for one in later} == {("waiting", 1)}
    assert "changed the fan" not in str(await it.rows(REPORTED))
    later = await sync(it, [*steps[:2], steps[6]])
    assert [(one["outcome"], one["waits_for"]) for one in later] == [("taken", None), ("taken", None), ("waiting", 3)]
    await sync(it, steps[2:4])
    assert {one["outcome"] for one in await sync(it, steps)} == {"taken"}
    events = await it.own_events()
    assert all(event.record.startswith("sealed:c-1:") for event in events if isinstance(event, WorkFinished))
    (end,) = [event for event in events if isinstance(event, ServiceCompleted)]
    assert end.accepted_at == minute(45)


def test_any_split_into_batches_comes_to_the_same_figures(tmp_path):
    async def told(seed):
        rng = Random(seed)
        folder = tmp_path / str(seed)
        folder.mkdir()
        async with live(service, folder) as it:
            visit_id = await planned(it)
            evening(it)
            steps = way(visit_id)
            if seed:
                steps += rng.sample(steps, 4)
                rng.shuffle(steps)
            while steps:
                size = rng.randint(1, 4) if seed else len(steps)
                batch, steps = steps[:size], steps[size:]
                await sync(it, batch)
            rows = [row for view in service.views for row in await it.rows(view)]
            # How many records there are is not what happened.
            return [{name: value for name, value in row.items() if name != "version"} for row in rows]

    straight = asyncio.run(told(0))
    for seed in range(1, 6):
        assert asyncio.run(told(seed)) == straight


@story
async def test_of_a_visit_that_was_called_off_meanwhile_both_facts_are_told_and_kept(it):
    visit_id, other_id = await planned(it), await planned(it, assigned(order_id="o-2", request_id="r-2"))
    await it.publishes(OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher"))
    evening(it)
    ours = {**way(other_id)[0], "step_id": "x-1"}
    refused, taken = await sync(it, [way(visit_id)[0], ours], headers={"Accept-Language": "zh-CN"})
    assert (taken["outcome"], taken["problem"]) == ("taken", None)
    assert (refused["outcome"], refused["kept"], refused["problem"]["code"]) == ("refused", True, "visit.called-off")
    facts = refused["problem"]["facts"]
    assert (facts["at"], facts["since"], facts["reason"]) == (minute(5).isoformat(), NOW.isoformat(), "order-cancelled")
    assert refused["problem"]["title"] == "上门已被取消" and minute(5).isoformat() in refused["problem"]["detail"]
    (event,) = [event for event in await it.own_events() if isinstance(event, StepRefused)]
    assert (event.step, event.happened_at, event.code) == ("depart", minute(5), "visit.called-off")
    (again,) = await sync(it, [way(visit_id)[0]], headers={"Accept-Language": "zh-CN"})
    assert again == refused
    path = f"/v1/visits/{visit_id}/steps"
    (shown,) = (await it.call("d-1", "dispatcher", "GET", path, headers={"Accept-Language": "zh"})).json()
    assert (shown["step"], shown["outcome"], shown["problem"]) == ("depart", "refused", refused["problem"])
    (other,) = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{other_id}/steps")).json()
    assert (other["outcome"], other["happened_at"]) == ("taken", minute(5).isoformat().replace("+00:00", "Z"))
    assert (await it.call("e-2", "engineer", "GET", path)).status_code == 404


@story
async def test_what_is_not_hers_or_not_yet_is_refused_by_itself_and_not_kept(it):
    mine, hers = await planned(it), await planned(it, assigned(order_id="o-2", request_id="r-2", engineer_id="e-2"))
    early = {**way(mine)[0], "happened_at": minute(3).isoformat()}
    foreign, absent, future = await sync(it, [way(hers)[0], way("nothing")[0], early])
    assert [one["problem"]["code"] for one in (foreign, absent)] == ["resource.absent", "resource.absent"]
    assert (future["problem"]["code"], future["kept"]) == ("visit.time-in-future", False)
    it.clock.set(minute(3))
    (later,) = await sync(it, [early])
    assert later["outcome"] == "taken"


@story
async def test_with_a_key_for_the_call_each_step_still_has_an_answer_of_its_own(it):
    mine, other = await planned(it), await planned(it, assigned(order_id="o-2", request_id="r-2"))
    it.clock.set(minute(5))
    future, now = {**way(mine)[0], "happened_at": minute(60).isoformat()}, {**way(other)[0], "step_id": "x-1"}
    batch = [future, now, {**way(mine)[1], "happened_at": minute(60).isoformat()}]
    first = await sync(it, batch, headers={"Idempotency-Key": "k"})
    assert [(one["outcome"], one["kept"]) for one in first] == [("refused", False), ("taken", True), ("refused", False)]
    assert await sync(it, batch, headers={"Idempotency-Key": "k"}) == first
    path = "/v1/visits/sync"
    other_body = await it.call("e-1", "engineer", "POST", path, json={"steps": [now]}, headers={"Idempotency-Key": "k"})
    assert (other_body.status_code, other_body.json()["code"]) == (422, "idempotency-key.reused")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"happened_at": "2026-11-24T09:00:00"}, "happened_at"),
        ({"happened_at": None}, "happened_at"),
        ({"number": 0}, "number"),
        ({"step": "fly"}, "steps[0]"),
        ({"record": "x"}, "record"),
    ],
)
def test_a_batch_with_a_step_that_cannot_be_read_is_refused_whole_and_names_it(change, field, tmp_path):
    @story
    async def told(it):
        visit_id = await planned(it)
        steps = [{**way(visit_id)[0], **change}, way(visit_id)[1]]
        answer = await it.call("e-1", "engineer", "POST", "/v1/visits/sync", json={"steps": steps})
        assert answer.status_code == 422
        assert field in answer.json()["errors"][0]["field"]
        assert await it.rows(REPORTED) == []

    told(tmp_path)


@story
async def test_a_single_call_and_a_batch_go_together(it):
    visit_id = await planned(it)
    it.clock.set(minute(6))
    assert (await step(it, visit_id, "depart")).status_code == 200
    evening(it)
    assert {one["outcome"] for one in await sync(it, way(visit_id))} == {"taken"}


@story
async def test_a_phone_whose_clock_is_an_hour_ahead_is_put_right(it):
    visit_id = await planned(it)
    evening(it)
    steps = [{**one, "happened_at": minute(65 + 5 * n).isoformat()} for n, one in enumerate(way(visit_id)[:2])]
    await sync(it, steps, sent_at=it.clock.now() + timedelta(hours=1))
    found = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}")).json()
    assert found["departed_at"] == minute(5).isoformat().replace("+00:00", "Z")
    listed = (await it.call("e-1", "engineer", "GET", f"/v1/visits/{visit_id}/steps")).json()
    assert [one["clock_ahead_s"] for one in listed] == [3_600, 3_600]


@story
async def test_a_part_that_was_used_at_a_visit_that_was_called_off_is_a_fact(it):
    visit_id = await planned(it)
    await it.publishes(OrderCancelled(order_id="o-1", request_id="r-1", reason="dispatcher"))
    evening(it)
    await sync(it, way(visit_id)[:4])
    facts = [event for event in await it.own_events() if isinstance(event, PartUsedAfterEnd)]
    assert [(fact.part.part_id, fact.part.quantity, fact.part.place_id) for fact in facts] == [("fan", 2, "van-1")]


@story
async def test_a_kept_step_names_the_customer_under_whose_key_its_words_are(it):
    visit_id = await planned(it)
    evening(it)
    await sync(it, way(visit_id)[4:5])
    found = [envelopes.read(entry.record) for entry in await it.running.journal.read(0, 100)]
    assert [one.key_ids for one in found if one.type == "StepKept"] == ["c-1"]


@story
async def test_a_part_that_nobody_defined_is_refused_at_once_and_from_a_batch_kept_and_asked_about(it):
    visit_id = await planned(it)
    for name in ("depart", "arrive", "start"):
        await step(it, visit_id, name)
    before = len(await it.own_events())
    no = await step(it, visit_id, "parts", part_id="seal")
    assert (no.status_code, no.json()["code"]) == (422, "visit.unknown-part")
    assert no.json()["errors"][0]["field"] == "part_id"
    assert len(await it.own_events()) == before
    other_id = await planned(it, assigned(order_id="o-2", request_id="r-2"))
    evening(it)
    assert {one["outcome"] for one in await sync(it, way(other_id))} == {"taken"}
    asked = (await it.call("d-1", "dispatcher", "GET", "/v1/visits/unknown-parts")).json()["items"]
    assert [(one["visit_id"], one["part_id"], one["order_id"]) for one in asked] == [(other_id, "seal", "o-2")]
    await it.publishes(PartDefined(part_id="seal", name="Seal", fits=()))
    assert (await it.call("d-1", "dispatcher", "GET", "/v1/visits/unknown-parts")).json()["items"] == []
    assert (await step(it, visit_id, "parts", part_id="seal", happened_at=minute(400).isoformat())).status_code == 200
