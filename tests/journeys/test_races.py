"""
The races of docs/explanation/races.md, on all six services with real stores in one process; `slow_bus.py` says how.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import suppress
from datetime import timedelta
from random import Random

import msgspec
import pytest

from contracts.problems import Rejected
from dispatcher.commands import (
    CancelOrder,
    DeclineOrder,
    FirstOffered,
    LapseOffer,
    OfferOrder,
    ReassignOrder,
    ReportAbsence,
    SetDispatchRules,
    TakeOrder,
)
from dispatcher.policies import order_of
from dispatcher.projections.board import BOARD
from fieldwork.commands import AbortVisit, AcceptWork, Arrive, Depart, FinishWork, StartWork
from fieldwork.projections.visits import VISITS
from intake.commands import WithdrawRequest
from intake.projections.requests import REQUESTS
from tests.journeys.slow_bus import WAY, Stand


def desk(what, tenant, world):
    """What the desk, the customer or the engineer asks: the service, and the command."""
    request_id = f"{tenant}-r1"
    order_id, now = order_of(request_id), world.host.running["dispatcher"].now()
    return {
        "withdraw": ("intake", WithdrawRequest(request_id=request_id)),
        "cancel": ("dispatcher", CancelOrder(order_id=order_id)),
        "reassign": ("dispatcher", ReassignOrder(order_id=order_id, engineer_id="e-2", reason="nearer", now=now)),
        "decline": ("dispatcher", DeclineOrder(order_id=order_id, engineer_id="e-1", reason="ill")),
    }[what]


async def race(world, what, when, deaf, then):
    """
    She is so far, the desk asks, and those who are `deaf` have not heard of her. Then word spreads and she goes on.

    Gives the code of the refusal, or none, and how all stands.
    """
    tenant = await world.company()
    [visit] = await world.rows("fieldwork", VISITS, tenant)
    await world.engineer(tenant, 2)
    await world.quiet()
    for taker in deaf:
        world.hold(taker, "fieldwork")
    if when == "completed":
        await world.step(tenant, visit["visit_id"], Depart)
        await world.complete(tenant, visit["visit_id"])
    else:
        await world.step(tenant, visit["visit_id"], *WAY[when])
    if not deaf or deaf == ("intake",):
        # All but those hear of it first.
        await world.until(lambda: has_heard(world, tenant, when))
    refused = ""
    try:
        service, command = desk(what, tenant, world)
        await world.ask(service, tenant, command)
    except Rejected as no:
        refused = no.code
    if deaf and what == "withdraw":
        await world.until(lambda: withdrawn_or_over(world, tenant))
    await world.let()
    if then == "complete":
        await world.complete(tenant, visit["visit_id"])
    elif then == "abort":
        await world.step(tenant, visit["visit_id"], AbortVisit)
    elif then == "turned round":
        with pytest.raises(Rejected, match=r"visit\.called-off"):
            await world.step(tenant, visit["visit_id"], Arrive)
    await world.quiet()
    [stand] = (await world.stand(tenant)).values()
    assert list(stand.wrong()) == [], stand
    return refused, stand


async def has_heard(world, tenant, when):
    [order] = await world.rows("dispatcher", BOARD, tenant)
    if when == "completed":
        [request] = await world.rows("intake", REQUESTS, tenant)
        deaf = "fieldwork" in world.host.held["intake"]
        return order["state"] == "finished" and (deaf or request["state"] == "closed")
    return order["state"] == "under-way"


async def withdrawn_or_over(world, tenant):
    [order] = await world.rows("dispatcher", BOARD, tenant)
    return order["state"] in ("cancelled", "finished") or order["withdrawn"]


DONE = (("e-1", "completed"),)
FINISHED = "finished e-1"
AS_EVER = Stand("closed completed", FINISHED, DONE, "", ("e-1",))
CAME_BACK = Stand("withdrawn", "cancelled", (("e-1", "aborted"),), "", ())
CALLED_BACK = (("e-1", "cancelled"),)
NOTED = Stand("closed completed_after_withdrawal", FINISHED, DONE, "", ("e-1",))
SECOND_CALLED_OFF = Stand("closed completed", FINISHED, (*DONE, ("e-2", "cancelled")), "", ())
SECOND_GOES = Stand("received", "assigned e-2", (("e-1", "aborted"), ("e-2", "planned")), "e-2", ("e-2",))
UNDER_WAY, DESK = "order.under-way", ("dispatcher",)
BOTH = ("dispatcher", "intake")

RACES = [
    # what, how far she is, who has not heard, what she does then: the refusal, the end
    ("withdraw", "departed", (), "complete", "", NOTED),
    ("withdraw", "departed", (), "abort", "", CAME_BACK),
    ("withdraw", "working", (), "complete", "", NOTED),
    ("withdraw", "working", (), "abort", "", CAME_BACK),
    ("withdraw", "completed", (), "", "request.closed", AS_EVER),
    ("withdraw", "departed", DESK, "turned round", "", Stand("withdrawn", "cancelled", CALLED_BACK, "", ())),
    (
        "withdraw",
        "working",
        DESK,
        "complete",
        "",
        Stand("closed completed_after_withdrawal", FINISHED, DONE, "", ()),
    ),
    ("withdraw", "working", DESK, "abort", "", CAME_BACK),
    ("withdraw", "completed", ("intake",), "", "", NOTED),
    ("withdraw", "completed", BOTH, "", "", Stand("closed completed_after_withdrawal", FINISHED, DONE, "", ())),
    ("cancel", "departed", (), "complete", UNDER_WAY, AS_EVER),
    ("cancel", "working", (), "complete", UNDER_WAY, AS_EVER),
    ("cancel", "completed", (), "", "order.finished", AS_EVER),
    # Open: intake does not act on OrderCancelled.
    ("cancel", "departed", DESK, "turned round", "", Stand("cancelled", "cancelled", CALLED_BACK, "", ())),
    ("cancel", "working", DESK, "complete", "", Stand("closed completed", FINISHED, DONE, "", ())),
    ("cancel", "working", DESK, "abort", "", Stand("cancelled", "cancelled", (("e-1", "aborted"),), "", ())),
    ("cancel", "completed", DESK, "", "", Stand("closed completed", FINISHED, DONE, "", ())),
    *[
        race
        for what in ("reassign", "decline")
        for race in [
            (what, "departed", (), "complete", UNDER_WAY, AS_EVER),
            (what, "working", (), "complete", UNDER_WAY, AS_EVER),
            (what, "completed", (), "", "order.finished", AS_EVER),
            (what, "departed", DESK, "complete", "", SECOND_CALLED_OFF),
            (what, "departed", DESK, "abort", "", SECOND_GOES),
            (what, "working", DESK, "complete", "", SECOND_CALLED_OFF),
            (what, "working", DESK, "abort", "", SECOND_GOES),
            (what, "completed", DESK, "", "", SECOND_CALLED_OFF),
        ]
    ],
]


def named(value):
    return "+".join(value) if isinstance(value, tuple) else str(value) if isinstance(value, str) else ""


@pytest.mark.parametrize(("what", "when", "deaf", "then", "refused", "end"), RACES, ids=named)
def test_a_race_ends_as_its_page_says(six, what, when, deaf, then, refused, end):
    assert six.tell(lambda world: race(world, what, when, deaf, then)) == (refused, end)


@pytest.mark.parametrize("second_is", ["departed", "working"])
def test_two_who_go_for_one_order_do_it_once_and_the_second_is_called_back_unless_she_works(six, second_is):
    async def story(world):
        tenant = await world.company()
        [first] = await world.rows("fieldwork", VISITS, tenant)
        await world.engineer(tenant, 2)
        await world.quiet()
        world.hold("dispatcher", "fieldwork")
        await world.step(tenant, first["visit_id"], Depart)
        await world.ask("dispatcher", tenant, desk("reassign", tenant, world)[1])
        await world.let()
        second = next(v for v in await world.rows("fieldwork", VISITS, tenant) if v["engineer_id"] == "e-2")
        await world.step(tenant, second["visit_id"], *WAY[second_is])
        await world.quiet()
        await world.complete(tenant, first["visit_id"])
        await world.quiet()
        if second_is == "working":
            await world.step(tenant, second["visit_id"], FinishWork, AcceptWork)
            await world.quiet()
        [stand] = (await world.stand(tenant)).values()
        assert list(stand.wrong()) == [], stand
        return stand

    stand = six.tell(story)
    ended = "completed" if second_is == "working" else "cancelled"
    assert stand == Stand("closed completed", FINISHED, (("e-1", "completed"), ("e-2", ended)), "", ())


def test_what_was_set_aside_for_who_declines_is_free_while_nobody_has_the_order(six):
    async def story(world):
        tenant = await world.company()
        await world.ask("dispatcher", tenant, desk("decline", tenant, world)[1])
        await world.quiet()
        [stand] = (await world.stand(tenant)).values()
        return stand

    assert six.tell(story) == Stand("received", "waiting", (("e-1", "cancelled"),), "", ())


async def offered(world):
    """A company of four whose first order is offered to two of them: its tenant, and the order as the board has it."""
    tenant = await world.company(engineers=4, orders=0)
    now = world.host.running["dispatcher"].now()
    await world.ask("dispatcher", tenant, SetDispatchRules(offered_first=(FirstOffered(),), offer_to=2, now=now))
    await world.submit(tenant, 1)
    await world.quiet()
    [order] = await world.rows("dispatcher", BOARD, tenant)
    assert msgspec.json.decode(order["offered_to"]) == ["e-1", "e-2"]
    return tenant, order


async def refusals(world, tenant, commands):
    """They are all asked at once: the code of the refusal of each, or none."""

    async def one(command):
        try:
            await world.ask("dispatcher", tenant, command)
        except Rejected as no:
            return no.code
        return ""

    return await asyncio.gather(*[one(command) for command in commands])


@pytest.mark.parametrize("seed", range(5))
def test_of_all_who_take_an_offered_order_one_has_it_and_one_visit_is_planned(six, seed):
    async def story(world):
        tenant, order = await offered(world)
        now = world.host.running["dispatcher"].now()
        takers = [f"e-{n}" for n in range(1, 5)] * 2
        Random(seed).shuffle(takers)
        taken = [TakeOrder(order_id=order["order_id"], engineer_id=one, now=now) for one in takers]
        codes = await refusals(world, tenant, taken)
        await world.quiet()
        [stand] = (await world.stand(tenant)).values()
        won = {taker for taker, code in zip(takers, codes, strict=True) if not code}
        return stand, list(stand.wrong()), won, set(codes)

    stand, wrong, won, codes = six.tell(story)
    [winner] = won
    assert winner in ("e-1", "e-2")
    assert codes <= {"", "order.already-assigned", "order.offered-to-others"}
    assert wrong == []
    assert stand == Stand("received", f"assigned {winner}", ((winner, "planned"),), winner, (winner,))


@pytest.mark.parametrize("seed", range(5))
def test_an_offer_that_lapses_while_it_is_taken_ends_with_one_engineer_or_waits(six, seed):
    """Nobody would be given it by rule, since all declined; then a person offers it anew, and its time is just over."""

    async def story(world):
        tenant, order = await offered(world)
        order_id, now = order["order_id"], world.host.running["dispatcher"].now()
        for n in range(1, 5):
            declined = DeclineOrder(order_id=order_id, engineer_id=f"e-{n}", reason="far")
            await world.ask("dispatcher", tenant, declined)
            await world.quiet()
        facts = {"order_id": order_id, "engineer_ids": ("e-1", "e-2"), "offered_by": "person", "minutes": 5}
        over = OfferOrder(**facts, now=now - timedelta(minutes=5))
        asked = [LapseOffer(order_id=order_id, due_at=now)]
        asked += [TakeOrder(order_id=order_id, engineer_id=f"e-{n}", now=now) for n in range(1, 5)]
        Random(seed).shuffle(asked)
        codes = (await refusals(world, tenant, [over, *asked]))[1:]
        await world.quiet()
        [stand] = (await world.stand(tenant)).values()
        [after] = await world.rows("dispatcher", BOARD, tenant)
        took = [one for one, code in zip(asked, codes, strict=True) if isinstance(one, TakeOrder) and not code]
        return stand, list(stand.wrong()), took, msgspec.json.decode(after["offered_to"])

    stand, wrong, took, offered_to = six.tell(story)
    assert wrong == []
    assert len(took) <= 1
    assert (stand.order, offered_to) == (f"assigned {took[0].engineer_id}" if took else "waiting", [])


def test_who_is_absent_is_called_off_and_the_next_one_goes_with_the_parts(six):
    async def story(world):
        tenant = await world.company()
        await world.engineer(tenant, 2)
        await world.quiet()
        now = world.host.running["dispatcher"].now()
        away = {"starts_at": now, "ends_at": now + timedelta(days=30), "reason": "fever", "now": now}
        await world.ask("dispatcher", tenant, ReportAbsence(engineer_id="e-1", absence_id="a-1", **away))
        await world.quiet()
        [stand] = (await world.stand(tenant)).values()
        return stand, list(stand.wrong())

    stand, wrong = six.tell(story)
    assert wrong == []
    assert stand == Stand("received", "assigned e-2", (("e-1", "cancelled"), ("e-2", "planned")), "e-2", ("e-2",))


@pytest.mark.parametrize("seed", range(3))
def test_whatever_is_asked_and_whoever_hears_it_when_all_fits_together_in_the_end(six, seed):
    """Nobody gets an order back that was taken from her: that is open, see docs/explanation/races.md."""
    rng = Random(seed)

    async def story(world):
        tenant = await world.company(engineers=6, orders=12)
        had = defaultdict(set)
        for visit in await world.rows("fieldwork", VISITS, tenant):
            had[visit["order_id"]].add(visit["engineer_id"])
        for _ in range(150):
            taker = rng.choice(["dispatcher", "dispatcher", "fieldwork", "inventory", "intake"])
            publisher = rng.choice(["fieldwork", "dispatcher"])
            if rng.random() < 0.1:
                world.hold(taker, *({publisher} - {taker}))
            elif rng.random() < 0.03:
                await world.let()
            with suppress(Rejected):
                await anything(world, rng, tenant, had)
        await world.let()
        stands = await world.stand(tenant)
        return {request_id: (stand, wrong) for request_id, stand in stands.items() if (wrong := list(stand.wrong()))}

    assert six.tell(story) == {}


async def anything(world, rng, tenant, had):
    what = rng.choice(["step"] * 6 + ["abort", "withdraw", "cancel", "reassign", "decline"])
    if what in ("step", "abort"):
        visit = rng.choice(await world.rows("fieldwork", VISITS, tenant))
        following = {"planned": Depart, "departed": Arrive, "arrived": StartWork, "working": FinishWork}
        kind = AbortVisit if what == "abort" else following.get(visit["state"], AcceptWork)
        await world.step(tenant, visit["visit_id"], kind)
        return
    order = rng.choice(await world.rows("dispatcher", BOARD, tenant))
    now = world.host.running["dispatcher"].now()
    had[order["order_id"]].add(order["engineer_id"])
    match what:
        case "withdraw":
            await world.ask("intake", tenant, WithdrawRequest(request_id=order["request_id"]))
        case "cancel" if rng.random() < 0.5:
            await world.ask("dispatcher", tenant, CancelOrder(order_id=order["order_id"]))
        case "decline" if order["engineer_id"]:
            declined = DeclineOrder(order_id=order["order_id"], engineer_id=order["engineer_id"], reason="ill")
            await world.ask("dispatcher", tenant, declined)
        case "reassign":
            to = f"e-{rng.randint(1, 6)}"
            if to not in had[order["order_id"]]:
                ids = {"order_id": order["order_id"], "engineer_id": to}
                await world.ask("dispatcher", tenant, ReassignOrder(**ids, reason="nearer", now=now))
        case _:
            pass
