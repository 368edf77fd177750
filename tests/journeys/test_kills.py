"""Processes are killed at random moments while customers are served: nothing is lost, nothing is done twice."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections import Counter
from random import Random

import httpx
import pytest

from contracts import envelope as envelopes
from deploy import until
from services.demo.company import company
from services.demo.people import Story, found
from services.host import discover
from services.offline import readers
from tests.journeys.conftest import LACKS

SMALL = company(seed=11)
SEED = int(os.environ.get("FIELDLOOP_TEST_SEED", "0")) or int(time.time())
KILLS = {"embedded": 6, "distributed": 16}
"""Over the whole run, at least 20."""


async def recorded(settings, tenant):
    """Every event of a tenant that its own service recorded, by type."""
    events = []
    async with readers(settings, discover()) as journals:
        for journal in journals.values():
            position = 0
            while entries := await journal.read(position, 2_000):
                position = entries[-1].position
                events += [envelopes.read(e.record) for e in entries if e.tenant == tenant and ":" not in e.stream]
    return events


def test_kill_9_of_any_process_loses_nothing_and_doubles_nothing(system):
    """The seed is printed; FIELDLOOP_TEST_SEED repeats it."""
    print(f"FIELDLOOP_TEST_SEED={SEED}")
    rng = Random(SEED)
    tenant = f"kills-{SEED}"

    async def tell(people):
        await found(people, SMALL, "kills-")
        done = 0
        killing = asyncio.create_task(kill())
        stories = []

        async def customer(number):
            nonlocal done
            while not killing.done():
                story = Story(people, SMALL, f"kills-{number}-{done}-", Random(rng.random()))
                done += 1
                await story.run()
                stories.append(story)

        await asyncio.gather(killing, *[customer(number) for number in range(4)])
        return len(stories)

    async def kill():
        targets = [p.name for p in system.parts() if p.serves != "gateway"]
        order = [targets[n % len(targets)] for n in range(KILLS[system.name])]
        rng.shuffle(order)
        for name in order:
            await asyncio.sleep(rng.uniform(0.2, 2.0))  # the moment is random; nothing is waited for
            process = next(p for p in system.parts() if p.name == name)
            await asyncio.to_thread(system.kill, process)

    served = system.story(tenant, tell)
    counts = Counter(event.type for event in asyncio.run(recorded(system.settings, tenant)))
    assert served > 0
    for once in (
        "RequestReceived",
        "OrderOpened",
        "OrderAssigned",
        "ServiceCompleted",
        "OrderFinished",
        "SurveySent",
        "FeedbackReceived",
        "RequestClosed",
    ):
        assert counts[once] == served, (once, counts[once], served)


def holder(system, service):
    """The process that writes for a service now, as it says itself."""
    secret = (system.settings.data / "internal-secret").read_text()
    for process in [p for p in system.parts() if p.serves == service]:
        try:
            answer = httpx.get(
                f"{process.url}/internal/holder", headers={"Authorization": f"Bearer {secret}"}, timeout=2
            )
        except httpx.TransportError:
            continue
        if answer.status_code == 200 and answer.json()["holder"] == process.url:
            return process
    return None


@pytest.mark.skipif(bool(LACKS), reason=f"the distributed pair: {LACKS}")
@pytest.mark.parametrize(("number", "within_s"), [(signal.SIGKILL, 8.0), (signal.SIGTERM, 1.0)])
def test_a_replica_takes_over_and_no_command_is_lost_or_refused(systems, number, within_s):
    system = systems("distributed")
    tenant = f"takeover-{number}"

    async def tell(people):
        await found(people, SMALL, "takeover-")
        first = await asyncio.to_thread(wait_for_holder, system, "intake")
        answers, longest, ended = [], 0.0, asyncio.Event()

        async def ask_on(n):
            nonlocal longest
            asked = 0
            while not ended.is_set():
                asked += 1
                begun = time.monotonic()
                body = {
                    "customer_id": f"T{n}-{asked}",
                    "name": "李",
                    "phone": "13800000000",
                    "region": "朝阳区",
                    "lat_udeg": 0,
                    "lon_udeg": 0,
                }
                headers = {"Authorization": f"Bearer {people._token('agent', '')}", "Idempotency-Key": f"{n}-{asked}"}
                # One try: what the gateway cannot place, the customer sees.
                answer = await people._client.post("/v1/customers", json=body, headers=headers)
                longest = max(longest, time.monotonic() - begun)
                answers.append((body["customer_id"], answer.status_code))

        async def take_over():
            await asyncio.sleep(0.5)  # some commands first; the moment does not matter
            first.signal(number)
            assert await asyncio.to_thread(until, lambda: not first.alive, 10)
            second = await asyncio.to_thread(wait_for_holder, system, "intake")
            ended.set()
            return second

        second, *_ = await asyncio.gather(take_over(), *[ask_on(n) for n in range(4)])
        assert second.name != first.name
        system.restart(first)
        return answers, longest

    answers, longest = system.story(tenant, tell)
    assert [status for _, status in answers if status != 201] == []
    kept = {
        event.stream for event in asyncio.run(recorded(system.settings, tenant)) if event.type == "CustomerRegistered"
    }
    assert {f"customer/{customer}" for customer, _ in answers} <= kept
    print(f"longest answer {longest:.2f} s over {len(answers)} commands")
    assert longest <= within_s


def wait_for_holder(system, service):
    found_one = []

    def there():
        process = holder(system, service)
        if process:
            found_one.append(process)
        return bool(process)

    assert until(there, 20), f"nobody writes for {service}"
    return found_one[-1]
