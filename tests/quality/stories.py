"""A story told to quality as it runs, and what happens before one begins."""

import asyncio
import functools

from quality.projections.surveys import SURVEYS
from quality.service import service
from services.chassis.journal.work import Settle
from tests.fieldwork.live import live
from tests.quality.examples import request_received, service_completed


def story(test):
    """Runs a coroutine that is given the live service."""

    @functools.wraps(test)
    def run(tmp_path):
        async def told():
            async with live(service, tmp_path) as it:
                await test(it)

        asyncio.run(told())

    del run.__wrapped__  # pytest would look for the parameters of the coroutine
    return run


async def completed(it, number, **changes):
    """A request is received and served; the id of what became of its survey."""
    ids = {"request_id": f"r-{number}", **changes}
    asked = {name: value for name, value in ids.items() if name in ("request_id", "customer_id", "region")}
    done = {name: value for name, value in ids.items() if name != "region"}
    await it.publishes(request_received(**asked))
    await it.publishes(service_completed(visit_id=f"v-{number}", order_id=f"o-{number}", **done))
    [row] = [row for row in await it.rows(SURVEYS) if row["visit_id"] == f"v-{number}"]
    return row["survey_id"]


async def at(it, when):
    """The clock is set, and every deadline up to then has been kept."""
    it.clock.set(when)
    async with asyncio.timeout(10):
        while await it.running.journal.due(int(when.timestamp() * 1_000_000), 1):
            it.running.timers.wake()
            await asyncio.sleep(0.005)
    # A timer is gone with the commit of its command, which the writer learns a moment later.
    await it.running.writer.settle(Settle())
    await it.settled()
