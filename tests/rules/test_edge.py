"""
What the edge promises of every route, tried on the whole system by the table of its routes.

A new route is tried without being named here, or fails with what to do.
"""

from __future__ import annotations

import asyncio
import io
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import jsonschema
import pytest

from contracts import envelope as envelopes
from intake.commands import WithdrawRequest
from services.chassis import telemetry
from services.chassis.clock import SystemClock
from services.chassis.http.app import service_app
from services.chassis.journal.store import Held, HoldKey
from services.chassis.journal.work import Ask, Settle
from services.chassis.service import Service
from services.demo.people import People
from services.host import discover
from services.serving import host_of, tokens_of
from services.settings import Settings
from tests.fieldwork.pictures import PNG
from tests.rules.world import (
    CALENDAR,
    LEVEL,
    MAIL,
    SIGNATURE,
    Firm,
    Story,
    World,
    alerted,
    company,
    running,
    same,
    tell,
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with running(tmp_path_factory.mktemp("edge")) as world:
        yield world


class Route(NamedTuple):
    method: str
    path: str

    @property
    def names(self) -> list[str]:
        return re.findall(r"\{(\w+)\}", self.path)


def routes(world: World, *methods: str) -> list[Route]:
    return [Route(method, path) for method, path in world.roles if method in methods]


NO_COMMANDS = {f"/v1/sessions{kind}" for kind in ("", "/renewals", "/guests", "/links", "/oidc")} | {
    "/v1/visits/{visit_id}/position",
}
"""They change nothing that is recorded: a session is not a thing of ours, and where somebody is nobody keeps."""
MANY_COMMANDS = {"/v1/orders/history", "/v1/customers/import", "/v1/devices/import", "/v1/customers/sync"}
"""Each of its rows has a key of its own."""


FORMS = {"/v1/surveys/page"}
"""What the form of a page sends, and answers with a page; its own tests send it."""


def commands(world: World) -> list[Route]:
    passed_over = NO_COMMANDS | FORMS
    return [one for one in routes(world, "POST", "PUT", "PATCH", "DELETE") if one.path not in passed_over]


def operation(world: World, route: Route) -> Mapping[str, Any]:
    found: Mapping[str, Any] = world.app.openapi()["paths"][route.path][route.method.lower()]
    return found


def takes_json(world: World, route: Route) -> bool:
    return "application/json" in operation(world, route).get("requestBody", {}).get("content", {})


STAFF = ("dispatcher", "agent", "manager", "operator")


def caller_of(world: World, route: Route) -> tuple[str, str]:
    """A role that may call it, and whose things it sees: staff where there is one, else who is in the story `one`."""
    roles = world.roles[route]
    role = next((role for role in STAFF if role in roles or roles == {"public"}), min(roles))
    story = world.demo.stories["one"]
    return role, {"engineer": story.engineer_id, "customer": story.customer_id}.get(role, "")


IN_EVERY_TENANT = {
    "type_id": "repair",
    "name": "efficiency",
    "calendar_id": "office",
    "sla_id": "standard",
    "model": "M-laundry",
    "service": "intake",
}


def given(world: World, route: Route) -> str:
    """The path with the ids of what has been through, of the customer `one`."""
    story, path = world.demo.stories["one"]._asdict(), route.path
    for name in route.names:
        value = story.get(name) or IN_EVERY_TENANT.get(name)
        assert value, f"you added a route: let `tell` of tests/rules/world.py make a {name}, for {path}"
        path = path.replace(f"{{{name}}}", value)
    return path


# Idempotency.


class Doubting(People):
    """Says everything twice, and then something else under the same key."""

    def __init__(self, world: World, tenant: str) -> None:
        super().__init__(world.client, world.tokens, tenant)
        self.world, self.wrong = world, list[str]()
        self.done: Counter[Route] = Counter()

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        first = await super().request(method, path, **options)
        if "Idempotency-Key" not in options["headers"]:
            return first
        route = self.route_of(method, path)
        before = await self.recorded(options)
        again = await super().request(method, path, **options)
        other = await super().request(method, path, **options | self.changed(options))
        after = await self.recorded(options)
        if same(first) != same(again):
            self.wrong.append(f"{route}: {same(first)}, then {same(again)}")
        for name in ("etag", "fieldloop-position"):
            if first.headers.get(name) != again.headers.get(name):
                self.wrong.append(f"{route}: {name} {first.headers.get(name)}, then {again.headers.get(name)}")
        if first.is_success and again.headers.get("idempotent-replayed") != "true":
            self.wrong.append(f"{route}: does not say that it is a repeat")
        if "idempotent-replayed" in first.headers:
            self.wrong.append(f"{route}: the first is said to be a repeat")
        if (other.status_code, other.json()["code"]) != (422, "idempotency-key.reused"):
            self.wrong.append(f"{route}: another body under the same key: {other.status_code} {other.text[:200]}")
        if before != after:
            self.wrong.append(f"{route}: the repeat recorded {after - before}")
        if first.is_success:
            self.done[route] += 1
        return first

    def route_of(self, method: str, path: str) -> Route:
        path = path.partition("?")[0]
        for route in commands(self.world):
            if route.method == method and re.fullmatch(re.sub(r"\{\w+\}", "[^/]+", route.path), path):
                return route
        raise AssertionError(f"there is no route for {method} {path}")

    async def recorded(self, options: Mapping[str, Any]) -> Counter[str]:
        """The events of whoever asks, as the journals have them."""
        headers = options["headers"]
        who = self.world.tokens.verify(headers["Authorization"].partition(" ")[2])
        found: Counter[str] = Counter()
        for service in self.world.host.running.values():
            for entry in await service.journal.read(0, 10_000):
                envelope = envelopes.read(entry.record)
                # What was taken in from another service has its actor, too.
                ours = ":" not in entry.stream.partition("/")[0]
                if ours and envelope.tenant == who.tenant and envelope.actor == f"{who.role}:{who.user_id}":
                    found[envelope.type] += 1
        return found

    @staticmethod
    def changed(options: Mapping[str, Any]) -> dict[str, Any]:
        if "content" in options:
            return {"content": options["content"] + b"\0"}
        # A field of its own would be refused before anybody looks at the key; white space is another body.
        headers = {**options["headers"], "Content-Type": "application/json"}
        return {"json": None, "content": json.dumps(options.get("json")).encode() + b" ", "headers": headers}


def test_every_command_is_done_once_however_often_it_is_asked(world: World):
    async def told() -> Doubting:
        people = Doubting(world, "doubt")
        firm = Firm("doubt", people)
        firm_company = company(firm)
        for name, kind in firm_company.request_types.items():
            await people.call("POST", f"/v1/request-types/{name}", "manager", key="t", json=kind)
        for path, role, bodies in (
            ("/v1/customers", "agent", firm_company.customers),
            ("/v1/devices", "agent", firm_company.devices),
            ("/v1/places", "operator", firm_company.places),
            ("/v1/parts", "operator", firm_company.parts),
            ("/v1/stock/count", "operator", firm_company.counts),
            ("/v1/service-codes", "manager", firm_company.service_codes),
            ("/v1/price-lists", "manager", firm_company.prices),
            ("/v1/coverages", "agent", firm_company.coverages),
            ("/v1/engineers", "dispatcher", firm_company.engineers),
            ("/v1/calendars", "manager", [CALENDAR]),
            ("/v1/slas", "manager", [LEVEL]),
        ):
            for number, body in enumerate(bodies):
                await people.call("POST", path, role, key=f"{path}{number}", json=body)
        story, _ = await tell(firm, "one"), await tell(firm, "two")
        await whatever_else(people, firm, story._replace(alert_id=await alerted(world, firm, "one"))._asdict())
        await move_parts(people, story)
        await see_to_what_is_stuck(people)
        return people

    people = world.run(told())
    assert people.wrong == []
    missing = {*commands(world)} - {*people.done} - {Route("POST", path) for path in MANY_COMMANDS}
    assert missing == set(), "you added a command: let somebody do it in `tell` or in `whatever_else`"


async def see_to_what_is_stuck(people: Doubting) -> None:
    """What a policy holds is tried again, and one event of it settled by hand."""
    intake = people.world.host.running["intake"]
    position = next(one.position for one in await intake.journal.read(0, 10_000) if one.tenant == people._tenant)
    hold = HoldKey(intake.service.policies[0].name, people._tenant, "stuck")
    assert intake.writer
    await intake.writer.settle(Settle(holds={(hold, position): Held(position, 1, 0, True, "our bug")}))
    desk = "/v1/deadletters/intake"
    await people.call("POST", f"{desk}/redrive", "operator", "", "stuck-1", json={"key": "none", "reason": "mended"})
    settled = {"policy": hold.policy, "key": hold.key, "position": position, "reason": "done by hand"}
    await people.call("POST", f"{desk}/discard", "operator", "", "stuck-2", json=settled)


async def move_parts(people: People, story: Story) -> None:
    """What comes to a place and leaves it, and what is said of it."""
    part, keeper = {"part_id": "P-refrigeration", "place_id": "WH"}, ("operator", "")
    pieces = {**part, "quantity": 2}
    for number, (path, body) in enumerate(
        (
            ("receive", {**pieces, "source": "maker"}),
            ("return", {**pieces, "order_id": "o-1"}),
            ("scrap", {**part, "quantity": 1, "reason": "wet"}),
            ("send-back", {**part, "quantity": 1, "supplier": "maker"}),
        )
    ):
        await people.call("POST", f"/v1/stock/{path}", *keeper, f"parts-{number}", json=body)
    ahead = {**part, "quantity": 1, "order_id": story.order_id}
    await people.call("POST", "/v1/stock/old-parts/replacements", *keeper, "parts-ahead", json=ahead)
    lines = [{"part_id": "P-refrigeration", "quantity": 1}]
    snapshot = {"document_id": "S-1", "place_id": "WH", "taken_at": "2020-01-01T00:00:00Z", "lines": lines}
    await people.call("POST", "/v1/stock/snapshots", *keeper, "parts-s", json=snapshot)
    await people.call("POST", "/v1/stock/rules", "manager", "", "parts-r", json={"keep_reserved_h": 24})
    point = {**part, "reorder_at": 900, "reorder_to": 1_000}
    await people.call("POST", "/v1/stock/reorder-points", *keeper, "parts-point", json=point)
    await people.until("/v1/stock/purchases?state=suggested", "operator", lambda page: page["items"])
    no, yes = {**part, "reason": "the model is given up"}, {**part, "quantity": 1, "reference": "PO-1"}
    await people.call("POST", "/v1/stock/purchases/dismiss", *keeper, "parts-no", json=no)
    await people.call("POST", "/v1/stock/purchases/order", *keeper, "parts-yes", json=yes)
    await people.call("POST", f"/v1/transfers/{story.rma_id}/receive", *keeper, "rma-in", json={"lines": []})
    found, outcome = {"verdict": "repairable", "finding": "a relay"}, {"outcome": "repaired", "to_place_id": "WH"}
    await people.call("POST", f"/v1/rmas/{story.rma_id}/diagnose", *keeper, "rma-found", json=found)
    await people.call("POST", f"/v1/rmas/{story.rma_id}/settle", *keeper, "rma-over", json={**outcome, "quantity": 1})
    transfer = f"/v1/transfers/{story.transfer_id}"
    await people.call("POST", f"{transfer}/receive", *keeper, "parts-in", json={"lines": lines})
    await people.call("POST", f"{transfer}/lose", *keeper, "parts-lost", json={"reason": "gone"})


async def whatever_else(people: People, firm: Firm, story: Mapping[str, str]) -> None:
    """The commands that no story of a request that goes well has in it."""
    asked = people.call
    customer, engineer, other = firm.person("one"), firm.person("two"), firm.person("one")
    incomplete, assigned = f"/v1/requests/{story['incomplete_id']}", f"/v1/orders/{story['assigned_id']}"
    waiting, planned = f"/v1/orders/{story['waiting_id']}", f"/v1/visits/{story['planned_id']}"
    await asked("POST", f"{incomplete}/supplement", "customer", customer, "1", json={"description": "it still leaks"})
    await asked(
        "POST", f"{incomplete}/withdraw", "customer", customer, "2", json={"reason": firm.words("one")["reason"]}
    )
    changed = {name: value for name, value in CALENDAR.items() if name != "calendar_id"} | {"reason": "so decided"}
    await asked("PUT", "/v1/calendars/office", "manager", "", "s1", json=changed | {"name": "Other"})
    table = {"years": [2026], "days": [{"day": "2026-10-01"}]}
    await asked("PUT", "/v1/calendars/office/holidays", "operator", "", "s2", json=table)
    revised = {name: value for name, value in LEVEL.items() if name != "sla_id"} | {"name": "Better"}
    await asked("PUT", "/v1/slas/standard", "manager", "", "s3", json=revised)
    clocks = f"{waiting}/clocks"
    await people.until(clocks, "dispatcher", lambda found: found)
    await asked("POST", f"{clocks}/pause", "dispatcher", "", "s4", json={"reason": "customer"})
    await asked("POST", f"{clocks}/resume", "dispatcher", "", "s5", json={})
    never = {"happening": "paused", "happened_at": None, "reason": "another order was meant"}
    await asked("POST", f"{clocks}/corrections", "manager", "", "s6", json=never)
    gold = {**LEVEL, "sla_id": "gold", "request_types": ["gold"]}
    await asked("POST", "/v1/slas", "manager", "", "s7", json=gold)
    await asked("PUT", f"{waiting}/sla", "dispatcher", "", "s8", json={"sla_id": "gold", "reason": "so agreed"})
    facts = {name: value for name, value in company(firm).engineers[0].items() if name != "engineer_id"}
    facts["skills"] = [*facts["skills"], "nobody-can"]
    await asked("PUT", f"/v1/engineers/{other}", "dispatcher", "", "3", json=facts)
    await people.until(waiting, "dispatcher", lambda order: order["engineer_id"] == other)
    await asked("POST", f"{waiting}/decline", "engineer", other, "4", json={"reason": "too far"})
    await asked("POST", f"{waiting}/take", "engineer", other, "5")
    await asked("POST", f"{waiting}/decline", "engineer", other, "5a", json={"reason": "too far after all"})
    offer = {"engineer_ids": [other], "minutes": 60, "note": "after all?"}
    await asked("POST", f"{waiting}/offer", "dispatcher", "", "5b", json=offer)
    given = {"engineer_id": engineer, "reason": "she knows the house"}
    await asked("POST", f"{waiting}/assign", "dispatcher", "", "5b2", json=given)
    away = f"/v1/engineers/{engineer}/absences"
    times = {"absence_id": "away-2", "starts_at": "2092-01-01T00:00:00Z", "ends_at": "2092-02-01T00:00:00Z"}
    await asked("POST", away, "dispatcher", "", "5b3", json=times)
    await asked("POST", f"{away}/away-2/call-off", "dispatcher", "", "5b4")
    await asked("POST", "/v1/dispatch-rules", "manager", "", "5b5", json={"offer_minutes": 5})
    drafted = await asked("POST", "/v1/dispatch-rules/drafts", "manager", "", "5b6", json={"name": "near"})
    draft = f"/v1/dispatch-rules/drafts/{drafted['id']}"
    await asked("PUT", draft, "manager", "", "5b7", json={"name": "near", "points_a_booking": 1})
    await asked("POST", f"{draft}/try", "manager", "", "5b8", json={})
    await asked("POST", f"{draft}/publish", "manager", "", "5b9", json={"reason": "it cannot wait"})
    await asked("POST", "/v1/dispatch-rules/restore", "manager", "", "5b10", json={"version": 0, "reason": "too far"})
    slots = await people.until(f"{assigned}/slots", "dispatcher", bool)
    for number, (band, what) in enumerate(((slots[-1], "release"), (slots[-1], "book"))):
        held = await asked("POST", f"{assigned}/slots", "agent", "", f"5d{number}", json={"opens_at": band["opens_at"]})
        path = f"/v1/slots/{held['id']}"
        await people.until(path, "agent", lambda slot: slot["state"] == "held")
        await asked("POST", f"{path}/{what}", "agent", "", f"5e{number}")
    day = {"day": slots[-1]["opens_at"][:10], "seconds": 0.5}
    await asked("POST", "/v1/replans/better", "dispatcher", "", "5f", json=day)
    await asked("POST", f"/v1/reservations/{story['assigned_id']}/pick-up", "operator", "", "5c")
    await asked("POST", f"{assigned}/reassign", "dispatcher", "", "6", json={"engineer_id": other, "reason": "nearer"})
    await asked("POST", f"{assigned}/unassign", "dispatcher", "", "6b", json={"reason": "nearer still"})
    await asked("POST", f"{assigned}/cancel", "dispatcher", "", "7", json={"note": "not needed"})
    gone = {"visit_id": story["planned_id"], "step_id": "s-1", "number": 1, "step": "depart"}
    steps = [{**gone, "happened_at": SystemClock().now().isoformat()}]
    await asked("POST", "/v1/visits/sync", "engineer", engineer, "8", json={"steps": steps})
    for number, (step, body) in enumerate(
        {
            "depart": {},
            "arrive": {},
            "start": {},
            "photos?moment=before": PNG,
            "photos?moment=after": PNG,
            "finish": {"cause": "wear", "action": "replaced", "record": "done"},
            "refuse": {"reason": "it is not clean"},
            "abort": {"reason": "not-repairable-here"},
        }.items()
    ):
        sent: dict[str, Any] = {"content": body} if isinstance(body, bytes) else {"json": body}
        await asked("POST", f"{planned}/{step}", "engineer", engineer, f"9{number}", **sent)
    points = {"request_type": "other", "checklist": [{"item": "earth", "en": "Earth", "zh": "接地"}]}
    await asked("POST", "/v1/record-templates", "manager", "", "c0", json=points)
    agreed = {"list_id": "chain", "effective_from": "2020-01-01T00:00:00Z", "labour_fen_per_h": 1, "travel_fen": 1}
    await asked("POST", "/v1/price-lists/contracts", "manager", "", "c1", json=agreed)
    charge = f"/v1/visits/{story['visit_id']}/charge"
    await people.until(charge, "manager", lambda found: found)
    own = {"reason": firm.words("one")["reason"]}
    await asked("POST", f"{charge}/disputes", "customer", customer, "c3", json=own)
    await asked("POST", f"{charge}/disputes/resolve", "manager", "", "c4", json={"answer": "it stands"})
    payee = {"payee": "engineer", "payee_id": engineer}
    agreed = {**payee, "effective_from": "2020-01-01T00:00:00Z", "visit_fen": 1_000}
    await asked("POST", "/v1/payouts/terms", "manager", "", "c8", json=agreed)
    less = {"lines": [{"kind": "travel", "gross_fen": 0}], "reason": firm.words("one")["reason"]}
    await asked("POST", f"{charge}/corrections", "manager", "", "c2", json=less)
    share = f"/v1/payouts/{story['visit_id']}/disputes"
    await people.until(f"/v1/payouts?visit_id={story['visit_id']}", "manager", lambda found: found["items"])
    await asked("POST", share, "engineer", engineer, "c9", json={**payee, "asked_fen": 2_000, "reason": "far"})
    await asked("POST", f"{share}/resolve", "manager", "", "c10", json={**payee, "answer": "no"})
    payment = {**payee, "visit_ids": [story["visit_id"]], "reference": "2026-11"}
    await asked("POST", "/v1/payouts/pay", "manager", "", "c11", json=payment)
    covered = {kind: {"percent": 100, "months": 12} for kind in ("labour", "parts", "travel")}
    warranty = {"device_model": "M-other", "effective_from": "2026-01-01", **covered}
    await asked("POST", "/v1/coverages/models", "manager", "", "c7", json=warranty)
    reached = {"person_id": engineer, "role": "engineer", "phone": "13700000001"}
    await asked("POST", "/v1/contacts", "manager", "", "c5", json=reached)
    await asked("POST", "/v1/contacts/me", "dispatcher", "", "c6", json={"email": "d@example.com"})
    alert, inspection = f"/v1/alerts/{story['alert_id']}", f"/v1/inspections/{story['inspection_id']}"
    complaint = f"/v1/complaints/{story['complaint_id']}"
    for number, (path, manages) in enumerate(
        {
            "/v1/surveys/rules": {"quiet_days": 30},
            "/v1/alerts/rules": {"bad_percent": 30},
            f"{alert}/follow": {"owner_id": "m-1", "measure": "training"},
            f"{alert}/close": {"effect": "none was rated badly since"},
            f"{inspection}/review": {"verdicts": [{"item_id": "uniform", "found": "broken"}]},
            f"{inspection}/correct": {"done": "has a new badge"},
            f"{complaint}/assign": {"owner_id": "m-1"},
            f"{complaint}/close": {"root_cause": "late", "answer": "we are sorry"},
        }.items()
    ):
        await asked("POST", path, "manager", "", f"quality-{number}", json=manages)
    own_words = {"words": firm.words("one")["reason"]}
    taken_back = await asked("POST", "/v1/complaints", "customer", customer, "quality-k", json=own_words)
    path = f"/v1/complaints/{taken_back['id']}/withdraw"
    await asked("POST", path, "customer", customer, "quality-w", json=own)
    said = {"content": 4, "workload": 3, "support": 5}
    await asked("POST", "/v1/staff-surveys", "engineer", engineer, "staff-1", json=said)
    twin, closed = f"/v1/requests/{story['twin_id']}", f"/v1/requests/{story['request_id']}"
    stuck = f"/v1/requests/{story['stuck_id']}"
    await asked("POST", f"{stuck}/correct", "agent", "", "a0", json={"contact_phone": "13800000009"})
    await asked("POST", f"{twin}/merge", "agent", "", "a1", json={"into_id": story["stuck_id"]})
    await asked("POST", f"{twin}/unmerge", "agent", "", "a2")
    await asked("POST", f"{twin}/resolve", "agent", "", "a3", json={"action": "restarted"})
    await asked("POST", f"{closed}/reopen", "customer", customer, "a4", json={"reason": firm.words("one")["reason"]})
    place = {"name": "branch", "region": "朝阳区", "lat_udeg": 39_921_000, "lon_udeg": 116_443_000}
    await asked("POST", f"/v1/customers/{customer}/sites", "agent", "", "a6", json=place)
    guest = {**place, "name": "Guest", "phone": "13800000000"}
    await asked("POST", "/v1/customers/me", "customer", "guest", "a7g", json=guest)
    await asked("POST", "/v1/channels/email?request_type=repair", "operator", "", "a7", content=MAIL)
    inspected = {"round_id": "r", "customer_id": customer, "request_type": "repair", "each": "site"}
    await asked("POST", "/v1/requests/rounds", "agent", "", "a8", json=inspected)
    await asked("POST", "/v1/request-types/packs", "manager", "", "a5", json={"pack_id": "it"})


def test_a_refusal_is_given_again_too(world: World):
    """Also when what was refused would be right by now: the key stands for the answer that was given."""
    body = {"device_id": "D-late", "customer_id": "late", "model": "m", "serial": "late", "skill": "s"}
    place = {"region": "r", "lat_udeg": 0, "lon_udeg": 0}
    person = {"customer_id": "late", "name": "n", "phone": "13800000000", **place}

    async def told() -> list[tuple[int, Any]]:
        async def device(key: str) -> tuple[int, Any]:
            headers = {"Idempotency-Key": key}
            answer = await world.call("POST", "/v1/devices", "agent", json=body, headers=headers)
            return answer.status_code, answer.json().get("code")

        refused = await device("k")
        await world.call("POST", "/v1/customers", "agent", json=person)
        return [refused, await device("k"), await device("k2")]

    assert world.run(told()) == [(404, "customer.unknown"), (404, "customer.unknown"), (201, None)]


def test_a_key_that_comes_twice_at_once_is_done_once(world: World):
    body = {"request_type": "repair", "device_id": "D-one-refrigeration", "description": "twice at once"}

    async def asked() -> httpx.Response:
        headers = {"Idempotency-Key": "at-once"}
        return await world.call("POST", "/v1/requests", "customer", "one", json=body, headers=headers)

    async def told() -> list[httpx.Response]:
        return list(await asyncio.gather(*[asked() for _ in range(20)]))

    answers = world.run(told())
    assert {same(answer)[0] for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert Counter(answer.headers.get("idempotent-replayed") for answer in answers) == {"true": 19, None: 1}


def test_the_rows_of_a_history_are_recorded_once(world: World):
    data = {"order_id": "h-1", "request_id": "h-1", "team": "V5"}
    row = {"key": "r-1", "happened_at": "2020-01-01T00:00:00Z", "order_id": "h-1", "request_id": "h-1"}
    body = {"source": "old", "rows": [row | {"events": [{"type": "OrderQueued", "data": data}]}]}

    async def told() -> list[Any]:
        return [(await world.call("POST", "/v1/orders/history", "operator", json=body)).json()[0] for _ in "12"]

    first, second = world.run(told())
    assert (first["repeated"], second["repeated"], second["position"]) == (False, True, first["position"])


# Versions and races.


def test_a_stale_version_is_412_with_the_current_one(world: World):
    """On every command about one thing: no rule has been looked at, and nothing is done."""

    async def told() -> list[str]:
        wrong = []
        for route in commands(world):
            if route.names in ([], ["service"]):  # a service has no versions
                continue
            options = {"json": {}} if takes_json(world, route) else {"content": PNG}
            if takes_json(world, route):
                options = {"json": body_for(world, route)}
            elif "requestBody" not in operation(world, route):
                options = {}
            headers = {"If-Match": '"987654"'}
            answer = await world.call(
                route.method, given(world, route), *caller_of(world, route), headers=headers, **options
            )
            said = answer.json()
            current = said.get("facts", {}).get("current")
            right = (answer.status_code, said.get("code"), said.get("facts", {}).get("expected"))
            if right != (412, "stream.stale", 987654) or answer.headers.get("etag") != f'"{current}"':
                wrong.append(f"{route}: {answer.status_code} {answer.text[:300]}")
        return wrong

    assert world.run(told()) == []


def body_for(world: World, route: Route) -> Any:
    """The smallest body that the schema takes; of words with a form of their own, ones that have it."""
    from tests.rules.authz_matrix import example

    document = world.app.openapi()
    schema = operation(world, route)["requestBody"]["content"]["application/json"]["schema"]
    body = example(schema, document)
    named = {"signature": SIGNATURE.format(1), "source": "elsewhere", "phone": "13800000000"}
    named |= {"part_id": "P-laundry", "payee": "engineer", "payee_id": "two"}
    # What is repaired goes somewhere, which the schema alone does not say.
    goes = {"to_place_id": "WH"} if body.get("outcome") == "repaired" else {}
    return {name: named.get(name, value) for name, value in body.items()} | goes


def test_a_thing_that_is_registered_again_can_be_demanded_in_a_version(world: World):
    """Registers have no path of one thing: its id is in the body."""

    async def told() -> list[tuple[str, int, str]]:
        firm = company(world.demo)
        found = []
        for path, role, body in (
            ("/v1/customers", "agent", firm.customers[0]),
            ("/v1/devices", "agent", firm.devices[0]),
            ("/v1/parts", "operator", firm.parts[0]),
            ("/v1/places", "operator", firm.places[0]),
            ("/v1/stock/count", "operator", firm.counts[0]),
        ):
            answer = await world.call("POST", path, role, json=body, headers={"If-Match": '"987654"'})
            found.append((path, answer.status_code, answer.json()["code"]))
        return found

    assert {(status, code) for _, status, code in world.run(told())} == {(412, "stream.stale")}


def test_the_version_that_was_read_is_the_one_to_demand(world: World):
    async def told() -> tuple[int, int]:
        path = f"/v1/requests/{world.demo.stories['two'].incomplete_id}"
        etag = (await world.call("GET", path, "agent")).headers["etag"]
        said = {"json": {"description": "with the version"}, "headers": {"If-Match": etag}}
        first = await world.call("POST", f"{path}/supplement", "agent", **said)
        second = await world.call("POST", f"{path}/supplement", "agent", **said)
        fresh = (await world.call("GET", path, "agent")).headers["etag"]
        assert first.headers["etag"] == fresh == second.headers["etag"] == f'"{first.json()["version"]}"'
        return first.status_code, second.status_code

    assert world.run(told()) == (200, 412)


def test_who_loses_a_race_is_told_409(world: World):
    async def told() -> Counter[tuple[int, str]]:
        path = f"/v1/orders/{world.demo.stories['two'].waiting_id}/assign"
        asked = [
            world.call("POST", path, "dispatcher", json={"engineer_id": one, "reason": "?"})
            for one in ("one", "two") * 10
        ]
        answers = await asyncio.gather(*asked)
        recorded = sum(len(one.json().get("events", ())) > 0 for one in answers)
        assert recorded == 1, "one of them, and only one, has it"
        return Counter((one.status_code, one.json().get("code", "")) for one in answers)

    # To give it again to whom it was given is no error.
    assert world.run(told()) == {(200, ""): 10, (409, "order.already-assigned"): 10}


def test_every_single_thing_has_its_version_as_etag(world: World):
    """A report is made when it is asked for, and a photo or a decision never changes: they have none."""

    async def told() -> list[str]:
        without = []
        for route in routes(world, "GET"):
            if route.path.startswith("/v1/") and route.path.endswith("}") and route.path not in NO_VERSION:
                answer = await world.call("GET", given(world, route), *caller_of(world, route))
                assert answer.status_code == 200, f"{route}: {answer.text}"
                if answer.headers.get("etag") != f'"{answer.json()["version"]}"':
                    without.append(route.path)
        return without

    assert world.run(told()) == []


NO_VERSION = {
    "/v1/decisions/{decision_id}",
    "/v1/replans/{replan_id}",
    "/v1/reports/{name}",
    "/v1/audit/{request_id}",
    "/v1/visits/{visit_id}/photos/{photo_id}",
    "/v1/deadletters/{service}",
    "/v1/operations/{service}/lag",
    "/v1/operations/{service}/doctor",
    "/v1/operations/{service}/proof/{request_id}",
    "/v1/requests/{request_id}/photos/{photo_id}",
    "/v1/slots/requests/{request_id}",
    "/v1/orders/{order_id}/arrival",
}


# Bodies.


def test_an_unknown_field_is_named_with_a_remedy_in_the_callers_language(world: World):
    async def told() -> list[str]:
        wrong = []
        for route in [one for one in routes(world, "POST", "PUT") if takes_json(world, one)]:
            body = body_for(world, route) | {"unheard_of": 1}
            for language, remedy in (("en-GB,en;q=0.9", "Leave this field out"), ("zh-CN,zh;q=0.9", "请删除此字段")):
                headers = {"Accept-Language": language}
                answer = await world.call(
                    route.method, given(world, route), *caller_of(world, route), headers=headers, json=body
                )
                said = answer.json()
                errors = {one["field"]: one for one in said.get("errors", ())}
                named = errors.get("unheard_of", {})
                if answer.status_code != 422 or not named.get("remedy", "").startswith(remedy):
                    wrong.append(f"{route} {language}: {answer.status_code} {answer.text[:300]}")
                if answer.headers.get("content-language") != language[:2]:
                    wrong.append(f"{route} {language}: it says that it speaks {answer.headers.get('content-language')}")
        return wrong

    assert world.run(told()) == []


def test_a_field_within_is_named_by_its_way(world: World):
    engineer = company(world.demo).engineers[0]
    shifts = [{"weekday": 0, "from_minute": 0, "to_minute": 60}, {"weekday": 9, "from_minute": 0, "to_minute": 60}]

    async def told() -> httpx.Response:
        return await world.call("POST", "/v1/engineers", "dispatcher", json=engineer | {"shifts": shifts})

    answer = world.run(told())
    assert [one["field"] for one in answer.json()["errors"]] == ["shifts[1].weekday"]


def test_a_body_of_more_than_a_mebibyte_is_413(world: World):
    """Whether it says its length or not, and a photo may have ten."""

    async def chunks(size: int) -> AsyncIterator[bytes]:
        for begin in range(0, size, 65_536):
            yield b" " * min(65_536, size - begin)

    async def told() -> list[str]:
        wrong = []
        for route in routes(world, "POST", "PUT"):
            path, who = given(world, route), caller_of(world, route)
            limit = (10 if path.endswith(("/photos", "/email")) else 1) * 1024 * 1024
            bodies = {"plain": b" " * (limit + 1), "in chunks": chunks(limit + 1)}
            for kind, content in bodies.items():
                try:
                    answer = await world.call(
                        route.method, path, *who, content=content, headers={"Content-Type": "application/json"}
                    )
                except httpx.TransportError as error:
                    wrong.append(f"{route} {kind}: {error!r}")
                    continue
                if (answer.status_code, answer.json()["code"]) != (413, "body.too-large"):
                    wrong.append(f"{route} {kind}: {answer.status_code} {answer.text[:200]}")
        return wrong

    assert world.run(told()) == []


def test_a_body_of_just_a_mebibyte_is_read(world: World):
    async def told() -> httpx.Response:
        body = json.dumps({"request_type": "repair"}).encode()
        whole = body + b" " * (1024 * 1024 - len(body))
        headers = {"Content-Type": "application/json"}
        return await world.call("POST", "/v1/requests", "customer", content=whole, headers=headers)

    assert world.run(told()).status_code == 201


# Lists.


def lists(world: World) -> list[tuple[Route, str]]:
    """The lists, each with the name of its cursor."""
    found = []
    for route in routes(world, "GET"):
        if route.path in world.app.openapi()["paths"]:
            names = {one["name"] for one in operation(world, route).get("parameters", ())}
            found += [(route, name) for name in ("cursor", "after") if name in names]
    return found


def asked_of(route: Route) -> dict[str, str]:
    return {"figure": "requests_received"} if route.path == "/v1/reports/{name}/events" else {}


def rows_of(page: Mapping[str, Any]) -> list[Any]:
    rows: list[Any] = page["items"] if "items" in page else page["events"]
    return rows


async def page_of(world: World, route: Route, name: str, limit: int, after: str | None = None) -> Any:
    params = asked_of(route) | {"limit": str(limit)} | ({name: after} if after else {})
    answer = await world.call("GET", given(world, route), *caller_of(world, route), params=params)
    assert answer.status_code == 200, f"{route}: {answer.text}"
    return answer.json()


def test_a_cursor_walks_every_row_of_every_list_once(world: World):
    async def told() -> list[str]:
        assert await world.host.idle()
        wrong = []
        for route, cursor in lists(world):
            whole = await page_of(world, route, cursor, 200)
            for size in (7,) if len(rows_of(whole)) > 40 else (1, 3):
                walked, at = [], None
                for _ in range(len(rows_of(whole)) + 2):
                    one = await page_of(world, route, cursor, size, at)
                    assert len(rows_of(one)) <= size
                    walked += rows_of(one)
                    at = one["next"]
                    if at is None or one.get("end"):
                        break
                if walked[: len(rows_of(whole))] != rows_of(whole):
                    wrong.append(f"{route} by {size}: {len(walked)} rows instead of {len(rows_of(whole))}")
            if not rows_of(whole):
                wrong.append(f"{route} is empty: let `tell` of tests/rules/world.py make some")
        return wrong

    assert world.run(told()) == []
    assert len(lists(world)) >= 12


def test_limits_and_cursors_that_cannot_be_are_refused_and_named(world: World):
    async def told() -> list[str]:
        wrong = []
        foreign = (await world.call("GET", "/v1/devices", "agent", params={"limit": 1})).json()["next"]
        assert foreign
        for route, name in lists(world):
            who, path, more = caller_of(world, route), given(world, route), asked_of(route)
            most = 1000 if name == "after" else 200
            for limit in ("0", "-1", str(most + 1), "x", "1.5", "1" * 30):
                answer = await world.call("GET", path, *who, params=more | {"limit": limit})
                fields = [one["field"] for one in answer.json().get("errors", ())]
                if (answer.status_code, fields) != (422, ["limit"]):
                    wrong.append(f"{route} limit={limit}: {answer.status_code} {answer.text[:200]}")
            for cursor in ("x", "====", "W10", "\u4e2d", "bnVsbA", foreign if path != "/v1/devices" else "e30"):
                answer = await world.call("GET", path, *who, params=more | {name: cursor})
                if (answer.status_code, answer.json().get("code")) != (400, "cursor.invalid"):
                    wrong.append(f"{route} {name}={cursor}: {answer.status_code} {answer.text[:200]}")
        return wrong

    assert world.run(told()) == []


# Positions.


@asynccontextmanager
async def slow_views(world: World, service: str, seconds: float) -> AsyncIterator[None]:
    """The views of a service show what is recorded only so much later."""
    views = world.host.running[service].views
    commit = views.commit

    async def slowly(changes: Any) -> None:
        await asyncio.sleep(seconds)
        await commit(changes)

    views.commit = slowly  # type: ignore[method-assign]
    yield
    views.commit = commit  # type: ignore[method-assign]
    assert await world.host.idle()


async def withdrawn(world: World, request_id: str) -> int:
    """Recorded without waiting for the views, as by another process."""
    writer = world.host.running["intake"].writer
    assert writer
    command = WithdrawRequest(request_id=request_id, reason="")
    answer = await writer.ask(Ask(command=command, tenant="demo", actor="agent:x", caller="x"))
    return answer.or_raise().position


async def submitted(world: World, description: str) -> str:
    body = {"request_type": "repair", "description": description}
    return str((await world.call("POST", "/v1/requests", "customer", "one", json=body)).json()["id"])


def test_a_read_with_the_position_of_a_command_sees_it(world: World):
    async def told() -> tuple[str, str, str | None]:
        request_id = await submitted(world, "to be withdrawn")
        path = f"/v1/requests/{request_id}"
        async with slow_views(world, "intake", 0.2):
            position = await withdrawn(world, request_id)
            before = await world.call("GET", path, "agent")
            after = await world.call("GET", path, "agent", headers={"Fieldloop-Position": f"intake;{position}"})
        return before.json()["state"], after.json()["state"], after.headers.get("fieldloop-stale")

    assert world.run(told()) == ("incomplete", "withdrawn", None)


def test_a_read_that_waited_in_vain_says_so(world: World):
    async def told() -> httpx.Response:
        head = (await world.host.running["intake"].journal.head()).position
        return await world.call("GET", "/v1/requests", "agent", headers={"Fieldloop-Position": f"intake;{head + 5}"})

    answer = world.run(told())
    assert (answer.status_code, answer.headers["fieldloop-stale"]) == (200, "true")
    assert 0.4 < answer.elapsed.total_seconds() < 5


@pytest.mark.parametrize("position", ["intake;1", "gateway;1", "gateway;1, intake;1", "nobody;1"])
@pytest.mark.parametrize("path", ["/v1/sessions/me", "/.well-known/jwks.json", "/v1/deadletters/intake"])
def test_a_read_that_shows_no_view_has_nothing_to_wait_for(world: World, path: str, position: str):
    answer = world.run(world.call("GET", path, "operator", headers={"Fieldloop-Position": position}))
    assert (answer.status_code, answer.headers.get("fieldloop-stale")) == (200, None)


def test_a_command_answers_when_its_views_show_it_and_names_its_position(world: World):
    async def told() -> tuple[httpx.Response, httpx.Response]:
        async with slow_views(world, "intake", 0.1):
            body = {"request_type": "repair", "description": "seen at once"}
            made = await world.call("POST", "/v1/requests", "customer", "one", json=body)
            return made, await world.call("GET", f"/v1/requests/{made.json()['id']}", "customer", "one")

    made, seen = world.run(told())
    assert seen.status_code == 200
    assert made.headers["fieldloop-position"] == f"intake;{made.json()['position']}"


# The feed.


async def fed(world: World) -> list[Any]:
    """All events of the feed by pages."""
    found, cursor = [], ""
    while True:
        params = {"after": cursor, "limit": 100}
        page = (await world.call("GET", "/v1/events", "auditor", params=params)).json()
        found += page["events"]
        cursor = page["next"]
        if page["end"]:
            return found


async def streamed(world: World, most: int, last: str = "") -> list[tuple[str, Any]]:
    """So many events of the stream, each with its cursor."""
    headers = world.headers("auditor") | {"Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    found: list[tuple[str, Any]] = []
    async with world.client.stream("GET", "/v1/events", headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        cursor = ""
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                cursor = value
            elif name == "data":
                found.append((cursor, json.loads(value)))
                if len(found) == most:
                    break
    return found


def test_the_stream_goes_on_after_any_event_without_gap_or_repeat(world: World):
    async def told() -> None:
        assert await world.host.idle()
        everything = await fed(world)
        seen: list[tuple[str, Any]] = []
        last = ""
        for size in (1, 2, 7, 30):
            part = await asyncio.wait_for(streamed(world, size, last), 10)
            seen += part
            last = part[-1][0]
        rest = len(everything) - len(seen)
        waiting = asyncio.create_task(streamed(world, rest + 3, last))
        await asyncio.sleep(0.1)
        request_id = await submitted(world, "while somebody listens")
        await world.call("POST", f"/v1/requests/{request_id}/withdraw", "customer", "one", json={})
        seen += await asyncio.wait_for(waiting, 10)
        assert [event["id"] for _, event in seen] == [event["id"] for event in await fed(world)]
        assert len({cursor for cursor, _ in seen}) == len(seen)
        # Nobody is there who would send what is missing, and that is recorded before the withdrawal or after it.
        new = [event["type"] for _, event in seen[-3:]]
        assert sorted(new) == ["MessageNotSent", "RequestIncomplete", "RequestWithdrawn"]

    world.run(told())


def test_a_stream_from_a_cursor_that_is_none_is_refused(world: World):
    async def told() -> httpx.Response:
        headers = {"Accept": "text/event-stream", "Last-Event-ID": "nonsense"}
        return await world.call("GET", "/v1/events", "auditor", headers=headers)

    assert world.run(told()).json()["code"] == "cursor.invalid"


# Refusals.


def test_every_kind_of_refusal_is_a_whole_problem(world: World):
    """Each answer in this file is judged when it comes; here are those that no other test asks for."""

    async def told() -> dict[str, tuple[int, str]]:
        async def asked(method: str, path: str, role: str = "agent", **options: Any) -> tuple[int, str]:
            answer = await world.call(method, path, role, **options)
            return answer.status_code, answer.json()["code"]

        json_type = {"Content-Type": "application/json"}
        return {
            "no route": await asked("GET", "/v1/nothing"),
            "a slash too many": await asked("GET", "/v1/requests/"),
            "no method": await asked("DELETE", "/v1/requests"),
            "no JSON": await asked("POST", "/v1/requests", content=b"{", headers=json_type),
            "no UTF-8": await asked("POST", "/v1/requests", content=b'{"a":"\xff"}', headers=json_type),
            "no object": await asked("POST", "/v1/requests", json=[1]),
            "no body": await asked("POST", "/v1/requests"),
            "a role": await asked("GET", "/v1/events", "customer"),
            "a NUL": await asked("POST", "/v1/requests", json={"request_type": "a\0b"}),
            "half a character": await asked(
                "POST", "/v1/requests", content=b'{"request_type":"\\ud800"}', headers=json_type
            ),
            "half a character as a name": await asked(
                "POST", "/v1/requests", content=b'{"\\udfff":1}', headers=json_type
            ),
            "a key": await asked(
                "POST", "/v1/requests", json={"request_type": "r"}, headers={"Idempotency-Key": "a b"}
            ),
            "a version": await asked(
                "POST",
                "/v1/places",
                "operator",
                json={"place_id": "p", "kind": "van", "name": "n"},
                headers={"If-Match": "W/x"},
            ),
            "a channel": await asked(
                "POST", "/v1/requests", json={"request_type": "r"}, headers={"Fieldloop-Channel": "pigeon"}
            ),
        }

    answers = world.run(told())
    assert {status for status, _ in answers.values()} <= {400, 403, 404, 405, 422}, answers
    assert answers["no method"] == (405, "method.not-allowed")
    assert answers["no route"] == answers["a slash too many"] == (404, "route.absent")


def test_what_is_said_of_a_caller_who_is_not_yet_known_is_kept(world: World):
    """The hotline takes down what somebody says before it knows who it is."""

    async def told() -> list[tuple[str, str, str]]:
        found = []

        async def seen(path: str) -> None:
            one = (await world.call("GET", path, "agent")).json()
            found.append((one["state"], one["customer_id"], one["description"]))

        said = {"request_type": "repair", "description": "somebody says that it leaks"}
        made = await world.call("POST", "/v1/requests", "agent", json=said)
        path = f"/v1/requests/{made.json()['id']}"
        await seen(path)
        known = {"customer_id": "one", "device_id": "D-one-refrigeration"}
        await world.call("POST", f"{path}/supplement", "agent", json=known)
        await seen(path)
        other = (await world.call("POST", "/v1/requests", "agent", json=said)).json()["id"]
        reason = {"reason": "she hung up"}
        await world.call("POST", f"/v1/requests/{other}/withdraw", "agent", json=reason)
        await seen(f"/v1/requests/{other}")
        return found

    words = "somebody says that it leaks"
    assert world.run(told()) == [("incomplete", "", words), ("received", "one", words), ("withdrawn", "", words)]


# The document.


def test_the_document_is_valid_and_is_the_table_of_routes(world: World):
    async def told() -> Any:
        return (await world.client.get("/openapi.json")).json()

    document = world.run(told())
    assert document["openapi"].startswith("3.1")
    said = {
        (method.upper(), path): operation
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    }
    table = {route: roles for route, roles in world.roles.items() if route[1].startswith(("/v1/", "/.well-known/"))}
    assert {route: set(operation["x-roles"]) for route, operation in said.items()} == {
        route: set(roles) for route, roles in table.items()
    }
    assert _wrong_in(document) == []
    undescribed = [route for route, operation in said.items() if not operation.get("summary")]
    assert [route for route in undescribed if "sessions" not in route[1] and "jwks" not in route[1]] == []


def _wrong_in(document: Any) -> list[str]:
    """What an OpenAPI 3.1 document must not have, as far as it can be told without its own schema."""
    wrong = []
    operations = [
        (path, method, operation) for path, found in document["paths"].items() for method, operation in found.items()
    ]
    names = Counter(operation["operationId"] for _, _, operation in operations)
    wrong += [f"operationId {name} is used twice" for name, count in names.items() if count > 1]
    for path, method, operation in operations:
        where = f"{method} {path}"
        named = {one["name"] for one in operation.get("parameters", ()) if one["in"] == "path"}
        if named != set(re.findall(r"\{(\w+)\}", path)):
            wrong.append(f"{where}: its path has other parameters than {named}")
        keys = Counter((one["name"].lower(), one["in"]) for one in operation.get("parameters", ()))
        wrong += [f"{where}: parameter {key} is there twice" for key, count in keys.items() if count > 1]
        if not any(status.startswith(("2", "3")) for status in operation["responses"]):
            wrong.append(f"{where}: it never succeeds")
        wrong += [
            f"{where} {status}: no description"
            for status, one in operation["responses"].items()
            if "description" not in one
        ]
        wrong += [
            f"{where}: security {scheme}"
            for needed in operation["security"]
            for scheme in needed
            if scheme not in document["components"]["securitySchemes"]
        ]
    for ref in _refs(document):
        found: Any = document
        for step in ref.removeprefix("#/").split("/"):
            found = found.get(step) if isinstance(found, dict) else None
        if not ref.startswith("#/") or found is None:
            wrong.append(f"{ref} leads nowhere")
    for name, schema in document["components"]["schemas"].items():
        try:
            jsonschema.Draft202012Validator.check_schema(schema)
        except jsonschema.SchemaError as error:
            wrong.append(f"schema {name}: {error.message}")
    return wrong


def _refs(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        if isinstance(part.get("$ref"), str):
            yield part["$ref"]
        for value in part.values():
            yield from _refs(value)
    elif isinstance(part, list):
        for value in part:
            yield from _refs(value)


def test_what_is_wrong_in_a_document_is_found(world: World):
    broken = json.loads(json.dumps(world.app.openapi()))
    operation = broken["paths"]["/v1/requests/{request_id}"]["get"]
    operation["parameters"] = [one for one in operation["parameters"] if one["in"] != "path"]
    operation["operationId"] = broken["paths"]["/v1/requests"]["get"]["operationId"]
    broken["components"]["schemas"]["Accepted"] = {"type": "thing"}
    del broken["components"]["schemas"]["Problem"]
    found = " ".join(_wrong_in(broken))
    assert all(text in found for text in ("used twice", "other parameters", "schema Accepted", "Problem leads nowhere"))


# What is logged, traced and measured.


def test_each_command_is_one_line_of_json_and_its_trace_goes_on_into_other_services(world: World):
    trace = f"00-{'4b' * 16}-{'7a' * 8}-01"
    body = {"request_type": "repair", "device_id": "D-one-refrigeration", "description": "line\nbreak \u2028"}

    async def told() -> tuple[httpx.Response, list[Any], bytes]:
        out = io.BytesIO()
        telemetry.log_as_json(out)
        try:
            headers = {"traceparent": trace, "Idempotency-Key": "logged"}
            made = await world.call("POST", "/v1/requests", "customer", "one", json=body, headers=headers)
            await world.call("GET", f"/v1/requests/{made.json()['id']}", "customer", "one")
        finally:
            telemetry.log_as_json(io.BytesIO(), 40)
        assert await world.host.idle()
        return made, await fed(world), out.getvalue()

    made, events, logged = world.run(told())
    lines = [json.loads(line) for line in logged.splitlines()]
    [line] = [line for line in lines if line["event"] == telemetry.LOG_COMMAND]
    said = {name: line[name] for name in ("tenant", "user", "role", "service", "method", "route", "status")}
    assert said == {
        "tenant": "demo",
        "user": "customer@demo",
        "role": "customer",
        "service": "intake",
        "method": "POST",
        "route": "/v1/requests",
        "status": 201,
    }
    request_id = made.json()["id"]
    assert (line["correlation"], line["position"]) == (request_id, made.json()["position"])
    assert line["trace"] == trace[3:35]
    assert "break" not in logged.decode(), "what customers write is in no log"
    of_it = {event["type"]: event for event in events if event["correlationid"] == request_id}
    assert of_it.keys() >= {"RequestReceived", "OrderOpened", "OrderAssigned", "VisitPlanned", "PartsRecommended"}
    assert {
        name: event["traceparent"] for name, event in of_it.items() if event["traceparent"][3:35] != trace[3:35]
    } == {}


def test_metrics_count_what_was_asked_by_its_route(world: World):
    async def told() -> tuple[httpx.Response, httpx.Response]:
        await world.call("GET", "/v1/requests", "agent")
        return await world.client.get("/metrics"), await world.client.get("/readyz")

    metrics, ready = world.run(told())
    assert metrics.headers["content-type"].startswith("text/plain")
    [line] = [
        line
        for line in metrics.text.splitlines()
        if line.startswith("fieldloop_http_seconds_count")
        and 'method="GET",route="/v1/requests",service="intake",status="200"' in line
    ]
    assert float(line.rpartition(" ")[2]) >= 1
    assert world.demo.stories["one"].request_id not in metrics.text, "an id would make a series of its own"
    assert (ready.status_code, ready.text) == (200, "")


def test_a_view_that_failed_is_told_by_readyz_and_the_rest_goes_on(tmp_path: Path):
    def breaks(rows: Any, event: Any, envelope: Any) -> None:
        raise ZeroDivisionError("planted")

    intake: Service = discover()["intake"]
    views = tuple(replace(view, apply=breaks) if view.name == "devices" else view for view in intake.views)
    assert any(view.apply is breaks for view in views), "the view of devices has another name"
    settings = Settings(data=tmp_path)

    async def told() -> list[tuple[int, str]]:
        broken = replace(intake, views=views)
        async with host_of(settings, [broken if one.name == "intake" else one for one in discover().values()]) as host:
            assert await host.led()
            running = host.running["intake"]
            tokens = tokens_of(settings, running._clock)
            app = service_app([broken.routes(running)], tokens=tokens, ready=host.ready())
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
                world = World(host, app, tokens, settings, "", client, asyncio.run)
                answers = [await client.get("/readyz")]
                customer = company(Firm("demo", People(client, tokens))).customers[0]
                await world.call("POST", "/v1/customers", "agent", json=customer)
                device = {"device_id": "d", "customer_id": "one", "model": "m", "serial": "s", "skill": "k"}
                answers.append(await world.call("POST", "/v1/devices", "agent", json=device))
                async with asyncio.timeout(5):
                    while (ready := await client.get("/readyz")).status_code == 200:
                        await asyncio.sleep(0.01)
                answers += [ready, await world.call("GET", "/v1/customers/one", "agent"), await client.get("/livez")]
        return [(answer.status_code, answer.text if len(answer.text) < 20 else "…") for answer in answers]

    telemetry.log_as_json(io.BytesIO(), 50)
    assert asyncio.run(told()) == [(200, ""), (201, "…"), (503, "intake"), (200, "…"), (204, "")]
