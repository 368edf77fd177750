"""A correction and its races (docs/explanation/races.md): the right customer is served once, whoever heard of what."""

from __future__ import annotations

import pytest

from contracts.problems import Rejected
from dispatcher.policies import order_of
from dispatcher.projections.board import BOARD
from fieldwork.commands import AbortVisit, AcceptWork, Arrive, Depart, FinishWork, StartWork
from fieldwork.projections.visits import VISITS
from intake.commands import CorrectRequest, RegisterCustomer, RegisterDevice
from intake.projections.requests import REQUESTS
from quality.projections.surveys import SURVEYS
from tests.journeys.slow_bus import WAY

RIGHT = "c-2"


async def another_customer(world, tenant):
    place = {"region": "r", "lat_udeg": 0, "lon_udeg": 0}
    await world.ask(
        "intake",
        tenant,
        RegisterCustomer(customer_id=RIGHT, name="王", phone="13800000001", street="s", **place),
        RegisterDevice(device_id="d-2", customer_id=RIGHT, model="M", serial="S2", skill="heating"),
    )


async def correct(world, tenant):
    """As the route asks it: by what the view of intake shows."""
    [row] = await world.rows("intake", REQUESTS, tenant)
    asked = CorrectRequest(
        request_id=row["request_id"],
        customer_id=RIGHT,
        device_id="d-2",
        device_model="M",
        under_way=row["under_way"],
        known_request_type="repair",
        known_customer_id=row["customer_id"],
        known_device_id=row["device_id"],
        known_description="?",
    )
    await world.ask("intake", tenant, asked)


async def race(world, when, deaf, then):
    tenant = await world.company()
    await world.engineer(tenant, 2)
    await another_customer(world, tenant)
    await world.quiet()
    [visit] = await world.rows("fieldwork", VISITS, tenant)
    first = order_of(f"{tenant}-r1")
    for taker in deaf:
        world.hold(taker, "fieldwork")
    if when == "completed":
        await world.step(tenant, visit["visit_id"], Depart)
        await world.complete(tenant, visit["visit_id"])
    elif when != "planned":
        await world.step(tenant, visit["visit_id"], *WAY[when])
    if not deaf:
        await world.quiet()
    refused = ""
    try:
        await correct(world, tenant)
    except Rejected as no:
        refused = no.code
    if deaf:
        await world.until(lambda: decided(world, tenant, first))
    await world.let()
    if then == "complete":
        await world.complete(tenant, visit["visit_id"])
    elif then == "abort":
        await world.step(tenant, visit["visit_id"], AbortVisit)
    await world.quiet()
    if not refused:
        second = next(v for v in await world.rows("fieldwork", VISITS, tenant) if v["order_id"] != first)
        await world.step(tenant, second["visit_id"], Depart, Arrive, StartWork, FinishWork, AcceptWork)
        await world.quiet()
    orders = {row["order_id"]: row["state"] for row in await world.rows("dispatcher", BOARD, tenant)}
    visits = [(v["order_id"] == first, v["state"]) for v in await world.rows("fieldwork", VISITS, tenant)]
    asked = sorted(row["customer_id"] for row in await world.rows("quality", SURVEYS, tenant))
    [request] = await world.rows("intake", REQUESTS, tenant)
    mine = [state for is_first, state in visits if is_first]
    return refused, f"{request['state']} {request['customer_id']}", orders[first], mine, asked


async def decided(world, tenant, first):
    """The dispatcher has withdrawn the order, or noted that it is."""
    orders = {row["order_id"]: row for row in await world.rows("dispatcher", BOARD, tenant)}
    return len(orders) > 1 and (orders[first]["state"] in ("cancelled", "finished") or orders[first]["withdrawn"])


SERVED = f"closed {RIGHT}"
BOTH = ("dispatcher", "intake")

RACES = [
    # how far she is, who has not heard, what she does then: the refusal, the request, her order, her visit, the surveys
    ("planned", (), "", ("", SERVED, "cancelled", ["cancelled"], [RIGHT])),
    ("departed", (), "complete", ("request.correction-too-late", "closed c-1", "finished", ["completed"], ["c-1"])),
    ("working", (), "complete", ("request.correction-too-late", "closed c-1", "finished", ["completed"], ["c-1"])),
    ("completed", (), "", ("request.closed", "closed c-1", "finished", ["completed"], ["c-1"])),
    ("departed", ("intake",), "abort", ("", SERVED, "cancelled", ["aborted"], [RIGHT])),
    ("working", ("intake",), "complete", ("", SERVED, "finished", ["completed"], ["c-1", RIGHT])),
    ("departed", BOTH, "", ("", SERVED, "cancelled", ["cancelled"], [RIGHT])),
    ("working", BOTH, "complete", ("", SERVED, "finished", ["completed"], ["c-1", RIGHT])),
    ("completed", BOTH, "", ("", SERVED, "finished", ["completed"], ["c-1", RIGHT])),
]


@pytest.mark.parametrize(("when", "deaf", "then", "end"), RACES)
def test_the_right_customer_is_served_once_and_asked_how_it_was(six, when, deaf, then, end):
    assert six.tell(lambda world: race(world, when, deaf, then)) == end
