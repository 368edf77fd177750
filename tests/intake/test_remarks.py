"""What a customer writes about her request reaches the desk, is answered there, and is read by nobody else."""

import asyncio

from contracts.intake import RequestRemarked
from intake.domain.remarks import MOST
from intake.projections.requests import REQUESTS
from intake.service import service
from tests.fieldwork.live import live
from tests.fold import assert_same_rows_shuffled
from tests.intake.examples import founded, submit


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


def remarked(by, number=1):
    return RequestRemarked(request_id="R", customer_id="c-1", remark_id=f"m-{number}", by=by, words="?")


async def write(it, request_id, words, person="c-1", role="customer"):
    return await it.call(person, role, "POST", f"/v1/requests/{request_id}/remarks", json={"words": words})


async def waiting(it):
    page = (await it.call("a", "agent", "GET", "/v1/requests?unanswered=true")).json()
    return [one["request_id"] for one in page["items"]]


def test_a_remark_waits_at_the_desk_until_it_is_answered(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        assert await waiting(it) == []
        assert (await write(it, asked, "请先打电话")).is_success
        assert await waiting(it) == [asked]
        assert (await write(it, asked, "好的", "a", "agent")).is_success
        assert await waiting(it) == []
        seen = (await it.call("c-1", "customer", "GET", f"/v1/requests/{asked}/remarks")).json()
        assert [(one["by"], one["words"]) for one in seen] == [("customer", "请先打电话"), ("desk", "好的")]
        assert (await write(it, asked, "那明天呢")).is_success
        assert await waiting(it) == [asked]

    run(tmp_path, story)


def test_it_is_sealed_and_no_other_customer_reads_or_writes_it(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        await write(it, asked, "请先打电话")
        path = f"/v1/requests/{asked}/remarks"
        assert (await it.call("c-2", "customer", "GET", path)).status_code == 404
        assert (await write(it, asked, "是我", "c-2")).status_code == 404
        [event] = [event for event in await it.own_events() if isinstance(event, RequestRemarked)]
        assert event.words.startswith(f"sealed:{asked}:")

    run(tmp_path, story)


def test_nothing_and_too_much_are_refused_by_the_name_of_the_field(tmp_path):
    async def story(it):
        asked = (await submit(it))["id"]
        for words in ("", "  ", "字" * 2_001):
            answer = await write(it, asked, words)
            assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "words")
        for _ in range(MOST):
            assert (await write(it, asked, "还在吗")).is_success
        full = await write(it, asked, "还在吗")
        assert (full.status_code, full.json()["code"]) == (409, "request.remarks-full")

    run(tmp_path, story)


def test_the_view_is_the_same_in_any_order():
    assert_same_rows_shuffled(REQUESTS, [remarked("customer"), remarked("desk", 2)], seed=7)
