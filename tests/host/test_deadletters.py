"""What a service could not act on is shown by cause and on the order's page, and seen to by command and over HTTP."""

import asyncio
from dataclasses import replace

import msgspec
import pytest

from contracts import envelope as envelopes
from contracts.examples import EXAMPLES
from contracts.operations import TAKE_IN
from dispatcher.service import service as dispatcher
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import DeadLetterFile
from services.chassis.readers.reactor import Reactor
from services.demo.people import Unexpected, found
from services.settings import Settings
from tests.host.conftest import TENANT, installation, recorded, with_engineers

BROKEN = ("--policy", "find-engineer")
"""Another policy may lack a fact for a moment, and hold its event until then."""
CAUSE = "RuntimeError: no road leads to 4711"


class Breakable:
    """The policy of the dispatcher that finds an engineer, as long as it is whole."""

    def __init__(self):
        [self.policy] = [policy for policy in dispatcher.policies if policy.name == "find-engineer"]
        self.broken = True

    async def react(self, event, envelope, facts):
        if self.broken:
            raise RuntimeError("no road leads to 4711")
        return await self.policy.react(event, envelope, facts)


@pytest.fixture
def breakable(monkeypatch):
    """The dispatcher with a policy that fails, and parks at once."""
    breakable = Breakable()
    policies = [
        replace(policy, react=breakable.react) if policy is breakable.policy else policy
        for policy in dispatcher.policies
    ]
    monkeypatch.setattr("dispatcher.service.service", replace(dispatcher, policies=tuple(policies)))
    next_try = Reactor._next_try

    def parks_at_once(reactor, key, held, *why):
        """Only what is broken: another policy may lack a fact for a moment."""
        found = next_try(reactor, key, held, *why)
        return found._replace(parked=True) if key.policy == breakable.policy.name else found

    monkeypatch.setattr(Reactor, "_next_try", parks_at_once)
    return breakable


async def parked_order(it):
    """An order that waits because of our own bug."""
    await found(it.people, with_engineers(2), "")
    request_id = await it.submit(0)
    order = await it.order_of(request_id, "waiting")
    path = f"/v1/orders/{order['order_id']}"
    return await it.people.until(path, "dispatcher", lambda one: one["parked"])


def told(story):
    return asyncio.run(asyncio.wait_for(story, 60))


async def decisions(settings):
    """What operators decided, as the journal has it."""
    kinds = ("RedriveAsked", "HeldEventDiscarded")
    return [envelope for _, envelope in await recorded(settings, "dispatcher") if envelope.type in kinds]


def test_a_parked_key_is_on_the_orders_page_and_an_operator_has_it_tried_again(tmp_path, breakable):
    async def story():
        async with installation(tmp_path) as it:
            order = await parked_order(it)
            [parked] = order["parked"]
            assert (parked["policy"], parked["event"], parked["cause"]) == ("find-engineer", "OrderOpened", CAUSE)
            assert parked["since"] >= order["opened_at"]
            request = await it.people.call("GET", f"/v1/requests/{order['request_id']}", "agent")
            assert request["parked"] == [], "intake has nothing to do with it"
            page = await it.people.call("GET", "/v1/orders", "dispatcher")
            assert [one["parked"] for one in page["items"]] == [None], "it is looked up for one order only"

            stuck = await it.people.call("GET", "/v1/deadletters/dispatcher", "auditor")
            [group], [item] = stuck["groups"], stuck["items"]
            assert (group["policy"], group["cause"], group["keys"]) == ("find-engineer", CAUSE.replace("4711", "…"), 1)
            assert (item["key"], item["parked"], item["cause"]) == (order["request_id"], True, CAUSE)
            at = f"/v1/deadletters/dispatcher/events?policy=find-engineer&key={order['request_id']}"
            [event, *_] = await it.people.call("GET", at, "auditor")
            assert (event["event"], event["said"]["order_id"]) == ("OrderOpened", order["order_id"])
            for service in ("intake", "reporting"):
                assert (await it.people.call("GET", f"/v1/deadletters/{service}", "auditor"))["items"] == []

            breakable.broken = False
            why = {"cause": "RuntimeError: no road", "reason": "the map is mended"}
            await it.people.call("POST", "/v1/deadletters/dispatcher/redrive", "operator", json=why)
            assigned = await it.order_of(order["request_id"], "assigned")
            path = f"/v1/orders/{assigned['order_id']}"
            await it.people.until(path, "dispatcher", lambda one: one["parked"] == [])
            [decided] = await decisions(it.settings)
            assert decided.actor.startswith("operator:")
            assert envelopes.payload(decided).reason == "the map is mended"

    told(story())


def test_a_discarded_event_is_not_acted_on_and_what_is_not_held_cannot_be_discarded(tmp_path, breakable):
    async def story():
        async with installation(tmp_path) as it:
            order = await parked_order(it)
            [item] = (await it.people.call("GET", "/v1/deadletters/dispatcher", "auditor"))["items"]
            body = {name: item[name] for name in ("policy", "key", "position")} | {"reason": "sent by telephone"}
            way = "POST", "/v1/deadletters/dispatcher/discard", "operator"
            with pytest.raises(Unexpected, match="409"):
                await it.people.call(*way, json=body | {"position": item["position"] + 1})
            await it.people.call(*way, json=body)
            await it.people.until("/v1/deadletters/dispatcher", "auditor", lambda page: not page["items"])
            await it.people.call(*way, json=body)
            [decided] = await decisions(it.settings)
            assert decided.correlation_id == order["request_id"], "it is in the story of the request"

    told(story())


def test_the_command_finds_it_in_the_stores_and_has_it_tried_again(tmp_path, breakable, fieldloop):
    async def broken():
        async with installation(tmp_path / "data") as it:
            return await parked_order(it)

    order = told(broken())
    ran = fieldloop("deadletters", "list", "--json")
    assert (ran.code, ran.json["groups"][0]["keys"], ran.json["items"][0]["cause"]) == (1, 1, CAUSE)
    assert "no road leads to" in fieldloop("deadletters", "list").out
    shown = fieldloop("deadletters", "show", order["request_id"], "--json").json
    assert shown[0]["events"][0]["event"] == "OrderOpened"
    assert "OrderOpened" in fieldloop("deadletters", "show", order["request_id"]).out

    ran = fieldloop("deadletters", "redrive", *BROKEN, "--reason", "try", "--json")
    assert (ran.code, ran.json["tried"], len(ran.json["left"])) == (1, 1, 1), "it fails as before"
    breakable.broken = False
    ran = fieldloop("deadletters", "redrive", *BROKEN, "--key", order["request_id"], "--reason", "mended")
    assert (ran.code, ran.out) == (0, "1 keys tried again\n")
    ran = fieldloop("deadletters", "list", "--json")
    assert CAUSE not in [one["cause"] for one in ran.json["items"]]
    reasons = [envelopes.payload(one).reason for one in told(decisions_in(tmp_path / "data"))]
    assert reasons == ["try", "mended"]
    story = fieldloop("audit", order["request_id"], "--tenant", TENANT, "--json").json
    assert "RedriveAsked" in [line["type"] for line in story["story"]]


async def decisions_in(data):
    return await decisions(Settings(data=data))


def test_the_command_discards_and_says_what_it_cannot_find(tmp_path, breakable, fieldloop):
    async def broken():
        async with installation(tmp_path / "data") as it:
            return await parked_order(it)

    order = told(broken())
    what = (
        "deadletters",
        "discard",
        "dispatcher",
        "find-engineer",
        order["request_id"],
        "--reason",
        "by hand",
        "--yes",
    )
    ran = fieldloop(*what)
    assert ran.code == 0, ran
    assert "OrderOpened" in ran.out and "is discarded" in ran.out
    ran = fieldloop(*what)
    assert (ran.code, "0 are meant" in ran.err) == (2, True)
    ran = fieldloop("deadletters", "show", "nothing")
    assert (ran.code, "deadletters list" in ran.err) == (2, True)
    ran = fieldloop("deadletters", "list", "--service", "billing")
    assert (ran.code, "intake" in ran.err) == (2, True)


# Messages that nobody could read.


def message(position=1, **changed):
    """What intake published of a request that is new to the dispatcher."""
    event = EXAMPLES["RequestReceived"]
    event = msgspec.structs.replace(event, request_id="r-left")
    record = {
        "id": "01933f1c-8a00-7000-8000-00000000f001",
        "source": "/c1/intake/1",
        "specversion": "1.0",
        "type": "RequestReceived",
        "subject": "request/r-left",
        "time": "2026-11-24T02:00:00Z",
        "tenant": TENANT,
        "stream": "request/r-left",
        "version": 1,
        "publicversion": 1,
        "position": "1",
        "recordedat": "2026-11-24T02:00:00Z",
        "correlationid": "r-left",
        "actor": "agent:a",
        "partitionkey": "r-left",
        "data": event,
    } | changed
    return msgspec.json.encode(record)


def left(folder, *values):
    async def leave():
        letters = DeadLetterFile(folder / "dispatcher" / "dead-letters.jsonl")
        for offset, value in enumerate(values, 1):
            await letters.leave(Record("intake", "intake", offset, value), "it could not be read")

    told(leave())


def test_a_message_that_could_not_be_read_is_taken_in_once_it_can_be_and_garbage_is_discarded(tmp_path, fieldloop):
    data = tmp_path / "data"

    async def founded():
        async with installation(data) as it:
            await found(it.people, with_engineers(1), "")

    told(founded())
    left(data, b"no record at all", message())
    listed = fieldloop("deadletters", "list", "--json").json["items"]
    assert [(one["policy"], one["position"], one["event"]) for one in listed] == [
        (TAKE_IN, 1, ""),
        (TAKE_IN, 2, "RequestReceived"),
    ]
    why = ("--reason", "1.1 reads it", "--policy", TAKE_IN)
    ran = fieldloop("deadletters", "redrive", *why)
    assert (ran.code, "give --tenant" in ran.err) == (2, True), "of the first nobody knows whose it is"
    ran = fieldloop("deadletters", "redrive", *why, "--tenant", TENANT, "--json")
    assert (ran.code, [one["position"] for one in ran.json["left"]]) == (1, [1])
    [garbage] = fieldloop("deadletters", "list", "--json").json["items"]
    assert garbage["position"] == 1

    async def orders():
        async with installation(data) as it:
            stuck = await it.people.call("GET", "/v1/deadletters/dispatcher", "operator")
            assert stuck["items"] == [], "whose it is nobody knows, so no tenant is shown it"
            kinds = [envelope.type for _, envelope in await recorded(it.settings, "dispatcher")]
            return kinds.count("OrderOpened")

    assert told(orders()) == 1
    ran = fieldloop(
        "deadletters", "discard", "dispatcher", TAKE_IN, "intake", "--reason", "noise", "--yes", "--tenant", TENANT
    )
    assert (ran.code, ran.out) == (0, "message 1 of intake is discarded\n")
    assert fieldloop("deadletters", "list").code == 0
