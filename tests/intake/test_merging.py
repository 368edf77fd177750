"""Merging and taking it back: over any history the one undoes the other, in every view of intake, byte for byte."""

import asyncio
import json
from random import Random

import pytest

from contracts.fieldwork import EngineerDeparted
from contracts.intake import (
    CustomerRegistered,
    DeviceRegistered,
    RequestTypeDefined,
    RequestUnmerged,
)
from contracts.problems import Rejected
from intake.commands import (
    CloseRequest,
    MergeRequest,
    RemindRequest,
    ReopenRequest,
    ResolveRemotely,
    SubmitRequest,
    SupplementRequest,
    UnmergeRequest,
    WithdrawRequest,
)
from intake.domain.request import request_stream
from intake.service import RULES, service
from services.chassis.journal.rules import States
from tests.fieldwork.live import live
from tests.fold import rows_after
from tests.given import NOW, _sealed
from tests.intake.examples import founded, request, submit

PLACE = {"region": "朝阳区", "lat_udeg": 39_920_000, "lon_udeg": 116_443_000}
COMPANY = [
    CustomerRegistered(customer_id="c-1", name="李", phone="13800000001", street="路", **PLACE),
    DeviceRegistered(device_id="d-1", customer_id="c-1", model="M", serial="S", skill="cooling"),
    RequestTypeDefined(type_id="repair", type_version=1, name="Repair"),
]
IDS = [f"r-{n}" for n in range(12)]


class Journal:
    """What is recorded when commands are decided one after the other."""

    def __init__(self):
        self.events, self.states = [], {}
        self.record(COMPANY)

    def record(self, events):
        for event in events:
            stream = RULES.stream_of[event.STREAM]
            known = self.states.get(event.stream(), stream.initial)
            self.states[event.stream()] = stream.evolve(known, _sealed(event))
        self.events += events

    def ask(self, command):
        """What it records; nothing where a rule says no."""
        handler = RULES.handler_of[type(command)]
        initial = {name: RULES.stream_of[name.partition("/")[0]].initial for name in handler.reads(command)}
        states = {name: self.states.get(name, state) for name, state in initial.items()}
        try:
            events = list(handler.decide(States(states, {}), command))
        except Rejected:
            return []
        self.record(events)
        return events

    def views(self):
        """All rows of all views as bytes; the version of a stream counts what was said, so it alone may differ."""
        told = {}
        for view in service.views:
            rows = rows_after(view, [one for one in self.events if isinstance(one, view.reads)])
            told[view.name] = {repr(key): {**row, "version": 0} for key, row in rows.items()}
        return json.dumps(told, sort_keys=True, ensure_ascii=False).encode()


def submitted(one, rng):
    return SubmitRequest(
        request_id=one,
        request_type="repair",
        customer_id=rng.choice(["c-1", one]),
        device_id=rng.choice(["", "d-1"]),
        description=rng.choice(["", "漏水"]),
        day="2026-11-24",
    )


def happening(rng):
    one = rng.choice(IDS)
    missing = {"known_request_type": "repair", "known_customer_id": "c-1", "device_id": "d-1"}
    return rng.choice(
        [
            SupplementRequest(request_id=one, customer_id="c-1", **missing),
            RemindRequest(request_id=one),
            ResolveRemotely(request_id=one, action="x", now=NOW),
            CloseRequest(request_id=one, completed_at=NOW),
            ReopenRequest(request_id=one, now=NOW),
            WithdrawRequest(request_id=one),
            MergeRequest(request_id=one, into_id=rng.choice(IDS)),
            UnmergeRequest(request_id=one),
        ]
    )


@pytest.mark.parametrize("seed", range(30))
def test_taking_a_merger_back_gives_every_view_as_it_was(seed):
    print(f"seed {seed}")
    rng, journal, tried = Random(seed), Journal(), 0
    for one in IDS:
        journal.ask(submitted(one, rng))
    for _ in range(50):
        journal.ask(happening(rng))
        one, into = rng.sample(IDS, 2)
        before, state = journal.views(), journal.states.get(request_stream(one))
        if not journal.ask(MergeRequest(request_id=one, into_id=into)):
            continue
        merged = journal.views()
        assert merged != before
        [back] = journal.ask(UnmergeRequest(request_id=one))
        assert isinstance(back, RequestUnmerged) and journal.views() == before
        again = journal.states[request_stream(one)]
        # What only the next order and the next reminder need goes on counting.
        assert type(again) is type(state)
        # And merging is what undoes that.
        journal.ask(MergeRequest(request_id=one, into_id=into))
        assert journal.views() == merged
        journal.ask(UnmergeRequest(request_id=one))
        tried += 1
    assert tried, "this history has no merger in it"


def run(folder, story):
    async def on_stage():
        async with live(service, folder) as it:
            await founded(it)
            await story(it)

    asyncio.run(on_stage())


def of_visit(request_id):
    return {"visit_id": "v-1", "order_id": "o-1", "request_id": request_id, "engineer_id": "e-1"}


def departed(request_id):
    return EngineerDeparted(**of_visit(request_id), departed_at=NOW)


def test_a_merger_is_taken_back_also_while_an_engineer_is_under_way(tmp_path):
    async def story(it):
        stays, second = await submit(it), await submit(it)
        path = f"/v1/requests/{second['id']}"
        await it.call("a", "agent", "POST", f"{path}/merge", json={"into_id": stays["id"]})
        await it.publishes(departed(second["id"]))
        back = await it.call("a", "agent", "POST", f"{path}/unmerge")
        assert back.json()["events"] == ["RequestUnmerged"]
        again = await it.call("a", "agent", "POST", f"{path}/merge", json={"into_id": stays["id"]})
        assert (again.status_code, again.json()["code"]) == (409, "request.engineer-under-way")

    run(tmp_path, story)


def test_what_an_engineer_is_under_way_for_is_not_merged_but_another_is_merged_into_it(tmp_path):
    async def story(it):
        going, other = await submit(it), await submit(it)
        await it.publishes(departed(going["id"]))
        refused = await it.call(
            "a", "agent", "POST", f"/v1/requests/{going['id']}/merge", json={"into_id": other["id"]}
        )
        assert (refused.status_code, refused.json()["code"]) == (409, "request.engineer-under-way")
        merged = await it.call("a", "agent", "POST", f"/v1/requests/{other['id']}/merge", json={"into_id": going["id"]})
        assert merged.json()["events"] == ["RequestMerged"]

    run(tmp_path, story)


def test_whoever_withdraws_what_was_merged_has_a_request_of_her_own_that_ended(tmp_path):
    async def story(it):
        stays, second = await submit(it), await submit(it)
        path = f"/v1/requests/{second['id']}"
        await it.call("a", "agent", "POST", f"{path}/merge", json={"into_id": stays["id"]})
        await it.call("c-1", "customer", "POST", f"{path}/withdraw", json={})
        told = await request(it, second["id"])
        assert (told["state"], told["merged_into"]) == ("withdrawn", "")

    run(tmp_path, story)
