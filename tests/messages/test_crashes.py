"""Whoever is killed while a provider has a message in hand tells it again, as the same one."""

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
from services.demo.people import found
from services.offline import readers
from tests.journeys.conftest import Embedded
from tests.messages.providers import SECRET, gateway, mail_server

SEED = int(os.environ.get("FIELDLOOP_TEST_SEED", "0")) or int(time.time())
REQUESTS = 24
WHOLE = company(seed=11)
FIRM = type(WHOLE)(**{name: [] for name in vars(WHOLE)} | {"request_types": WHOLE.request_types})


def settings_of(medium, it):
    sends = {"FIELDLOOP_PUBLIC_URL": "https://service.example"}
    if medium == "text":
        return sends | {"FIELDLOOP_TEXT": it.url, "FIELDLOOP_WEBHOOK_SECRET": SECRET}
    return sends | {"FIELDLOOP_MAIL": f"smtp://{it.address}", "FIELDLOOP_MAIL_FROM": "service@firm.example"}


async def asked(people):
    """Customers who leave something out; what they are told is all that happens."""
    await found(people, FIRM, "crash-")

    async def one(number):
        who = f"C{number}"
        customer = WHOLE.customers[0] | {"customer_id": who, "email": f"c{number}@example.com"}
        await people.call("POST", "/v1/customers", "agent", key=f"crash-c{number}", json=customer)
        body = {"request_type": "repair", "description": "漏水"}
        await people.call("POST", "/v1/requests", "customer", who, f"crash-r{number}", json=body)

    await asyncio.gather(*[one(number) for number in range(REQUESTS)])
    page = "/v1/messages?limit=200"
    found_ = await people.until(page, "manager", lambda page: _settled(page["items"]))
    return {one["message_id"]: one for one in found_["items"]}


def _settled(messages):
    return len(messages) == REQUESTS and all(one["state"] != "due" for one in messages)


async def recorded(settings):
    async with readers(settings, ["intake"]) as journals:
        entries = await journals["intake"].read(0, 10_000)
    return Counter(envelopes.read(e.record).type for e in entries)


@pytest.mark.parametrize(("medium", "provider"), [("text", gateway), ("mail", mail_server)])
def test_who_is_killed_with_a_message_in_hand_sends_it_again_under_the_same_key(tmp_path, medium, provider):
    """The seed is printed; FIELDLOOP_TEST_SEED repeats it."""
    print(f"FIELDLOOP_TEST_SEED={SEED}")
    at = Random(f"{SEED}/{medium}").randint(1, REQUESTS // 2)
    with provider() as it:
        system = Embedded(tmp_path)
        system.env |= settings_of(medium, it)
        killed = []

        def kill(number):
            if number == at and not killed:
                killed.append(it.keys[-1])
                system.process.signal(signal.SIGKILL)
                assert until(lambda: not system.process.alive, 10), "it outlived SIGKILL"

        it.before_answer = kill
        system.start()
        first = system.process.pid
        try:

            async def restart():
                while not killed or system.process.alive:
                    await asyncio.sleep(0.02)
                await asyncio.to_thread(system.start)

            async def tell():
                running = system.system()
                async with httpx.AsyncClient(base_url=running.url, timeout=20) as client:
                    told, _ = await asyncio.gather(asked(running.people(client, "crash")), restart())
                return told

            told = asyncio.run(asyncio.wait_for(tell(), 150))
        finally:
            system.stop()
        assert system.process.pid != first
        counts = Counter(it.keys)
        assert counts.keys() == told.keys(), "every message went out, and no other"
        assert set(counts.values()) <= {1, 2}
        assert counts[killed[0]] == 2, "the one that was in hand went out again, as the same one"
        assert {one["state"] for one in told.values()} == {"sent"}
        kept = asyncio.run(recorded(system.system().settings))
        assert (kept["MessageSent"], kept["MessageNotSent"]) == (REQUESTS, 0)
