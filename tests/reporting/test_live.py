"""What has just changed, for screens: each role is told of what it may see, once, and after a break of the rest."""

from __future__ import annotations

from contextlib import asynccontextmanager

import msgspec

from contracts.quality import ComplaintRaised
from services.chassis.auth import Principal
from tests.fold import TENANT
from tests.given import NOW
from tests.reporting.examples import engineer_departed, order_assigned, request_received
from tests.reporting.test_feed import served, story


@asynccontextmanager
async def watching(it, client, role, person="", tenant=TENANT, query="", cursor=""):
    """A screen that listens: gives an iterator of (cursor, type, request) and the cursor it began with."""
    token = it._tokens.issue(Principal("u-1", tenant, role, person))
    asked = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"}
    asked |= {"Last-Event-ID": cursor} if cursor else {}
    async with client.stream("GET", f"/v1/live{query}", headers=asked) as answer:
        assert answer.status_code == 200, await answer.aread()

        async def changes():
            at = ""
            async for line in answer.aiter_lines():
                name, _, value = line.partition(": ")
                if name == "id":
                    begun, at = not at, value
                    if begun:
                        yield at, "", ""
                elif name == "data":
                    change = msgspec.json.decode(value)
                    assert set(change) == {"type", "thing", "request_id", "at", "position"}, "no more than which it was"
                    yield at, change["type"], change["request_id"]

        yield changes()


@story
async def test_staff_is_told_of_what_changes_from_now_on_in_its_own_tenant(it):
    await it.publishes(request_received(1))
    async with served(it) as client, watching(it, client, "agent") as changes:
        await anext(changes)
        await it.publishes((request_received(2), {"tenant": "other"}), order_assigned(1))
        assert (await anext(changes))[1:] == ("OrderAssigned", "r-1")


@story
async def test_a_screen_that_was_cut_off_goes_on_where_it_was(it):
    async with served(it) as client:
        async with watching(it, client, "dispatcher") as changes:
            begun, *_ = await anext(changes)
        await it.publishes(request_received(1), request_received(2))
        async with watching(it, client, "dispatcher", cursor=begun) as changes:
            await anext(changes)
            seen = [await anext(changes) for _ in range(2)]
        assert [request for _, _, request in seen] == ["r-1", "r-2"]
        await it.publishes(request_received(3))
        async with watching(it, client, "dispatcher", cursor=seen[0][0]) as changes:
            await anext(changes)
            assert [(await anext(changes))[2] for _ in range(2)] == ["r-2", "r-3"]


@story
async def test_an_engineer_is_told_of_what_names_them(it):
    async with served(it) as client, watching(it, client, "engineer", "e-2") as changes:
        await anext(changes)
        await it.publishes(order_assigned(1), engineer_departed(2, engineer=2))
        assert (await anext(changes))[1:] == ("EngineerDeparted", "r-2")


@story
async def test_a_customer_is_told_of_a_request_of_their_own_and_of_no_other(it):
    await it.publishes(request_received(1))
    async with served(it) as client, watching(it, client, "customer", "c-1", query="?request_id=r-1") as changes:
        await anext(changes)
        await it.publishes(request_received(2), order_assigned(1))
        assert (await anext(changes))[1:] == ("OrderAssigned", "r-1")
    assert (await it.get("/v1/live", role="customer", request_id="r-1")).json()["code"] == "resource.absent"


@story
async def test_a_customer_is_told_of_her_complaint_about_the_request_and_of_nobody_elses(it):
    await it.publishes(request_received(1))
    others = ("k-2", "c-2", "r-1"), ("k-3", "c-1", "r-2")
    async with served(it) as client, watching(it, client, "customer", "c-1", query="?request_id=r-1") as changes:
        await anext(changes)
        for complaint_id, customer_id, request_id in (*others, ("k-1", "c-1", "r-1")):
            ids = {"complaint_id": complaint_id, "customer_id": customer_id, "request_id": request_id}
            await it.publishes(ComplaintRaised(**ids, answer_due_at=NOW, words="late"))
        assert (await anext(changes))[1:] == ("ComplaintRaised", "complaint/k-1")


@story
async def test_another_company_is_told_nothing(it):
    assert (await it.get("/v1/live", role="partner")).status_code == 403


@story
async def test_a_screen_may_ask_where_it_is_now_and_begin_there(it):
    await it.publishes(request_received(1))
    now = (await it.get("/v1/live", role="agent")).json()["cursor"]
    await it.publishes(request_received(2))
    async with served(it) as client, watching(it, client, "agent", cursor=now) as changes:
        await anext(changes)
        assert (await anext(changes))[2] == "r-2"
