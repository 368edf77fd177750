"""Every view gives the same rows in whatever order a real log may arrive, order kept per key and topic."""

from __future__ import annotations

import asyncio
from random import Random

import httpx
import pytest

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from services.chassis.clock import SystemClock
from services.demo.company import company
from services.demo.people import People, Story, found
from services.host import discover
from services.serving import all_in_one, tokens_of
from services.settings import Settings
from tests.fold import assert_same_rows_shuffled
from tests.rules.world import promise

SERVICES = discover()
VIEWS = [(name, view) for name, service in SERVICES.items() for view in service.views]


@pytest.fixture(scope="module")
def logs(tmp_path_factory):
    """What each service recorded and took in while customers were served, withdrew, declined and complained."""
    return asyncio.run(asyncio.wait_for(_served(Settings(data=tmp_path_factory.mktemp("folds"))), 120))


async def _served(settings):
    firm = company(seed=5)
    async with all_in_one(settings) as (host, app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://fieldloop", timeout=30) as client:
            people = People(client, tokens_of(settings, SystemClock()))
            await host.led()
            await found(people, firm, "folds-")
            await promise(people)
            await asyncio.gather(*[Story(people, firm, f"folds-{n}-", Random(n)).run() for n in range(4)])
            await _upset(people, firm)
            assert await host.idle()
            return {
                name: [entry async for entry in _entries(running.journal)] for name, running in host.running.items()
            }


async def _entries(journal):
    position = 0
    while entries := await journal.read(position, 1_000):
        position = entries[-1].position
        for entry in entries:
            yield envelopes.read(entry.record)


async def _upset(people, firm):
    """What does not go straight: a withdrawal, a declined order, a reassignment, an aborted visit."""

    async def submitted(number):
        device = firm.devices[number]
        who = device["customer_id"]
        body = {"request_type": "repair", "device_id": device["device_id"], "description": "漏水"}
        answer = await people.call("POST", "/v1/requests", "customer", who, f"upset-{number}", json=body)
        path = f"/v1/visits?request_id={answer['id']}&state=planned"
        page = await people.until(path, "dispatcher", lambda page: page["items"])
        return answer["id"], who, page["items"][0]

    request_id, who, _ = await submitted(1)
    await people.call("POST", f"/v1/requests/{request_id}/withdraw", "customer", who, "upset-w", json={})
    _, _, visit = await submitted(2)
    reason = {"reason": "not today"}
    await people.call(
        "POST", f"/v1/orders/{visit['order_id']}/decline", "engineer", visit["engineer_id"], "upset-d", json=reason
    )
    _, _, visit = await submitted(3)
    base, engineer = f"/v1/visits/{visit['visit_id']}", visit["engineer_id"]
    await people.call("POST", f"{base}/depart", "engineer", engineer, "upset-a1", json={})
    await people.call("POST", f"{base}/abort", "engineer", engineer, "upset-a2", json={"reason": "nobody-there"})


FIELDS = Envelope.__struct_fields__


@pytest.mark.parametrize(("service", "view"), VIEWS, ids=[f"{name}.{view.name}" for name, view in VIEWS])
def test_a_view_does_not_depend_on_the_order_of_arrival(logs, service, view):
    kept = {event.__name__ for event in view.reads}
    events = [
        (envelopes.payload(envelope), {name: getattr(envelope, name) for name in FIELDS})
        for envelope in logs[service]
        if envelope.type in kept
    ]
    assert events, f"nothing of what {view.name} reads happened: add it to `_upset`"
    assert_same_rows_shuffled(view, events, seed=3)
