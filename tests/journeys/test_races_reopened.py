"""
The races of what goes on after its end (docs/explanation/races.md): reopened, unmerged, while somebody is under way.

One work is done once: however far she is and whoever has heard of it, at most one order of the request is open in the
end, and who goes goes for an open one.
"""

from __future__ import annotations

from collections import Counter, defaultdict

import pytest
from sqlalchemy import select

from dispatcher.policies import order_of
from dispatcher.projections.board import BOARD
from fieldwork.commands import AbortVisit, Arrive, Depart
from fieldwork.projections.visits import VISITS
from intake.commands import MergeRequest, ReopenRequest, ResolveRemotely, UnmergeRequest
from intake.projections.requests import REQUESTS
from tests.journeys.slow_bus import ON_SITE, WAY

LAST_ROUND = 4


async def off_and_on(world, tenant, what):
    """The request ends at the desk, and goes on."""
    request_id, now = f"{tenant}-r1", world.host.running["intake"].now
    if what == "reopen":
        await world.ask("intake", tenant, ResolveRemotely(request_id=request_id, action="restarted", now=now()))
        await world.ask("intake", tenant, ReopenRequest(request_id=request_id, reason="again", now=now()))
    else:
        await world.ask("intake", tenant, MergeRequest(request_id=request_id, into_id=f"{tenant}-r2"))
        await world.ask("intake", tenant, UnmergeRequest(request_id=request_id))


async def ended(world, tenant):
    """How the request stands, and each of its orders with its visits, by round."""
    request_id = f"{tenant}-r1"
    [request] = [row for row in await world.rows("intake", REQUESTS, tenant) if row["request_id"] == request_id]
    orders = {row["order_id"]: row for row in await world.rows("dispatcher", BOARD, tenant)}
    visits = defaultdict(list)
    for row in await world.rows("fieldwork", VISITS, tenant):
        visits[row["order_id"]].append(row["state"])
    names = [order_of(request_id, round_no) for round_no in range(1, LAST_ROUND)]
    found = [(orders[name]["state"], tuple(sorted(visits[name]))) for name in names if name in orders]
    return f"{request['state']} {request['outcome']}".strip(), found


def wrong(request, orders):
    """What does not fit together where nothing is on its way any more."""
    states = Counter(state for state, _ in orders)
    is_open = states["waiting"] + states["assigned"] + states["under-way"]
    yield from ["two orders for one work"] * (is_open > 1)
    yield from ["nobody comes"] * (request == "received" and is_open == 0)
    yield from ["somebody comes"] * (request.startswith("closed") and is_open > 0)
    for state, visits in orders:
        going = [visit for visit in visits if visit in ("planned", *ON_SITE)]
        yield from ["somebody goes for nothing"] * (bool(going) and state in ("finished", "cancelled"))


async def race(world, what, when, deaf, then):
    tenant = await world.company()
    await world.engineer(tenant, 2)
    if what == "unmerge":
        await world.submit(tenant, 2)
        await world.quiet()
    visits = await world.rows("fieldwork", VISITS, tenant)
    [visit] = [row for row in visits if row["order_id"] == order_of(f"{tenant}-r1")]
    for taker in deaf:
        world.hold(taker, "fieldwork")
    if when == "completed":
        await world.step(tenant, visit["visit_id"], Depart)
        await world.complete(tenant, visit["visit_id"])
    else:
        await world.step(tenant, visit["visit_id"], *WAY[when])
    if "dispatcher" not in deaf:
        await world.until(lambda: has_heard(world, tenant, when))
    await off_and_on(world, tenant, what)
    await world.until(lambda: goes_on(world, tenant))
    await world.let()
    if then == "complete":
        await world.complete(tenant, visit["visit_id"])
    elif then == "abort":
        await world.step(tenant, visit["visit_id"], AbortVisit)
    elif then == "turned round":
        with pytest.raises(Exception, match=r"visit\.called-off"):
            await world.step(tenant, visit["visit_id"], Arrive)
    await world.quiet()
    request, orders = await ended(world, tenant)
    assert list(wrong(request, orders)) == [], (request, orders)
    return request, orders


async def has_heard(world, tenant, when):
    rows = await world.rows("dispatcher", BOARD, tenant)
    [order] = [row for row in rows if row["order_id"] == order_of(f"{tenant}-r1")]
    return order["state"] == ("finished" if when == "completed" else "under-way")


async def goes_on(world, tenant):
    """The dispatcher has decided what becomes of the orders."""
    table = BOARD.table
    own = table.c.tenant == tenant, table.c.request_id == f"{tenant}-r1"
    rows = await world.host.running["dispatcher"].fetch(select(table).where(*own))
    return len(rows) > 1 or await world.host.idle(within=5)


CLOSED = "closed completed"
DONE = ("finished", ("completed",))
DESK, BOTH = ("dispatcher",), ("dispatcher", "intake")

JOINED = (CLOSED, [DONE])
SENT_BACK = ("received", [("assigned", ("aborted", "planned"))])
SECOND_CALLED_OFF = (CLOSED, [DONE, ("cancelled", ("cancelled",))])

RACES = [
    # what, how far she is, who has not heard, what she does then: the request, its orders by round and their visits
    *[
        race
        for what in ("reopen", "unmerge")
        for race in [
            (what, "departed", (), "complete", JOINED),
            (what, "departed", (), "abort", SENT_BACK),
            (what, "working", (), "complete", JOINED),
            (what, "working", (), "abort", SENT_BACK),
            (
                what,
                "departed",
                DESK,
                "turned round",
                ("received", [("cancelled", ("cancelled",)), ("assigned", ("planned",))]),
            ),
            (what, "working", DESK, "complete", SECOND_CALLED_OFF),
            (what, "working", DESK, "abort", ("received", [("cancelled", ("aborted",)), ("assigned", ("planned",))])),
        ]
    ],
    # Work that was done before the fault was said to be back does not mend it.
    ("reopen", "completed", (), "", ("received", [DONE, ("assigned", ("planned",))])),
    (
        "reopen",
        "completed",
        ("intake",),
        "",
        ("received", [DONE, ("cancelled", ("cancelled",)), ("assigned", ("planned",))]),
    ),
    (
        "reopen",
        "completed",
        BOTH,
        "",
        ("received", [DONE, ("cancelled", ("cancelled",)), ("assigned", ("planned",))]),
    ),
    ("unmerge", "completed", BOTH, "", SECOND_CALLED_OFF),
]


def named(value):
    return "+".join(value) if isinstance(value, tuple) and all(isinstance(one, str) for one in value) else str(value)


@pytest.mark.parametrize(("what", "when", "deaf", "then", "end"), RACES, ids=lambda value: named(value)[:24])
def test_what_goes_on_while_somebody_is_under_way_is_done_once(six, what, when, deaf, then, end):
    assert six.tell(lambda world: race(world, what, when, deaf, then)) == end
