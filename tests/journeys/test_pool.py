"""Engineers race for orders that are offered to them while the process of the dispatcher is killed."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from random import Random

from services.demo.company import company
from services.demo.people import Unexpected, found
from tests.journeys.test_kills import recorded

SMALL = company(seed=5)
SEED = int(os.environ.get("FIELDLOOP_TEST_SEED", "0")) or int(time.time())
ORDERS, KILLS = 12, 3


def test_what_is_offered_is_taken_by_one_whatever_is_killed_meanwhile(system):
    """The seed is printed; FIELDLOOP_TEST_SEED repeats it."""
    print(f"FIELDLOOP_TEST_SEED={SEED}")
    rng = Random(SEED)
    tenant = f"pool-{SEED}"
    lost = Counter()

    async def tell(people):
        await found(people, SMALL, "pool-")
        rules = {"offered_first": [{"request_type": "repair"}], "offer_to": 50}
        await people.call("POST", "/v1/dispatch-rules", "manager", key="pool-rules", json=rules)
        killing = asyncio.create_task(kill())
        taking = [asyncio.create_task(taker(people, one["engineer_id"])) for one in SMALL.engineers]
        await asyncio.gather(*[submit(people, number) for number in range(ORDERS)])
        await people.until(
            "/v1/orders?state=assigned&limit=100", "dispatcher", lambda page: len(page["items"]) == ORDERS
        )
        await killing
        for task in taking:
            task.cancel()
        await asyncio.gather(*taking, return_exceptions=True)

    async def submit(people, number):
        device = SMALL.devices[number]
        body = {"request_type": "repair", "device_id": device["device_id"], "description": "不制冷"}
        await people.call("POST", "/v1/requests", "customer", device["customer_id"], f"pool-{number}", json=body)

    async def taker(people, engineer_id):
        """Takes whatever she is offered, as fast as she can."""
        while True:
            offers = await people.call("GET", f"/v1/engineers/{engineer_id}/offers", "engineer", engineer_id)
            for one in offers:
                path, key = f"/v1/orders/{one['order_id']}/take", f"take-{engineer_id}-{one['order_id']}"
                try:
                    await people.call("POST", path, "engineer", engineer_id, key)
                except Unexpected as no:
                    assert no.status == 409, no
                    lost[one["order_id"]] += 1
            await asyncio.sleep(0.02)  # the next look; nothing is waited for

    async def kill():
        for _ in range(KILLS):
            await asyncio.sleep(rng.uniform(0.2, 1.0))  # the moment is random; nothing is waited for
            process = next(p for p in system.parts() if p.serves in ("all", "dispatcher"))
            await asyncio.to_thread(system.kill, process)

    system.story(tenant, tell)
    events = asyncio.run(recorded(system.settings, tenant))
    counts = Counter(event.type for event in events)
    assert (counts["OrderOpened"], counts["OrderOffered"], counts["OrderAssigned"]) == (ORDERS, ORDERS, ORDERS)
    assert sum(lost.values()) > 0, "nobody raced for anything"
