"""A request that is reopened has its way before it again."""

import asyncio
from datetime import timedelta

import msgspec

from contracts.examples import EXAMPLES
from intake.service import service
from tests.fieldwork.live import live
from tests.intake.examples import founded, request, submit

STEPS = "OrderAssigned", "EngineerDeparted", "EngineerArrived", "WorkStarted", "WorkFinished", "ServiceCompleted"


async def go(it, request_id, visit_id, *steps):
    """These happen at an order of the request, a minute after each other."""
    for name in steps:
        it.clock.set(it.clock.now() + timedelta(minutes=1))
        example = EXAMPLES[name]
        said = {"request_id": request_id, "order_id": f"o-{visit_id}", "visit_id": visit_id, "engineer_id": "e-1"}
        at = [field for field in example.__struct_fields__ if field == example.AT]
        said |= dict.fromkeys(at, it.clock.now())
        known = {field: value for field, value in said.items() if field in example.__struct_fields__}
        await it.publishes(msgspec.structs.replace(example, **known))


async def progress(it, request_id):
    return (await it.call("c-1", "customer", "GET", f"/v1/requests/{request_id}/progress")).json()


def test_its_progress_is_that_of_the_repeat_visit(tmp_path):
    async def story(it):
        await founded(it)
        asked = (await submit(it))["id"]
        await go(it, asked, "v-1", *STEPS)
        assert (await progress(it, asked))["step"] == "closed"
        it.clock.set(it.clock.now() + timedelta(days=1))
        again = await it.call("c-1", "customer", "POST", f"/v1/requests/{asked}/reopen", json={"reason": "又漏了"})
        assert again.json()["events"] == ["RequestReopened"]
        told = await progress(it, asked)
        assert (told["step"], set(told["steps"])) == ("reopened", {"received", "reopened"})
        await go(it, asked, "v-2", *STEPS[:2])
        told = await progress(it, asked)
        assert (told["step"], set(told["steps"])) == ("departed", {"received", "reopened", "assigned", "departed"})
        shown = await request(it, asked)
        assert shown["departed_at"] and shown["completed_at"] is None

    async def on_stage():
        async with live(service, tmp_path) as it:
            await story(it)

    asyncio.run(on_stage())
