"""
The whole system in one process, with two small companies of two tenants in which everything has happened once.

In each, the customer `one` is visited by the engineer `two`, and the customer `two` by the engineer `one`: whoever
takes a person's id for enough, without asking what the person is, shows the one what is the other's.
"""

from __future__ import annotations

import asyncio
import io
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple
from zlib import crc32

import httpx
import structlog
from fastapi import FastAPI

from quality.commands import Counted, JudgeAlert
from quality.domain.alert import alert_id
from services.chassis import telemetry
from services.chassis.auth import ONLY_THEIR_OWN, ROLES, Principal, Tokens
from services.chassis.clock import SystemClock
from services.chassis.http import route_roles
from services.chassis.journal.work import Ask
from services.demo.company import Company
from services.demo.people import People, found
from services.gateway.users import DEMO_PASSWORD, FILE, Account, hashed, write_users
from services.host import Host
from services.serving import all_in_one, listening, tokens_of
from services.settings import Settings
from tests.fieldwork.pictures import PNG

TENANTS = ("demo", "other")
PROBLEM_FIELDS = ("type", "title", "status", "detail", "remedy", "code")
SIGNATURE = "M10 40 C 20 10, 40 10, 50 40 S 80 70, 90 4{}"


class Story(NamedTuple):
    """What came of one request that went through the whole loop."""

    customer_id: str
    device_id: str
    request_id: str
    order_id: str
    engineer_id: str
    visit_id: str
    photo_id: str
    survey_id: str
    incomplete_id: str
    """Another request of the same customer, which waits for a supplement."""
    twin_id: str
    """One more that waits for a supplement."""
    stuck_id: str
    """A third one, for which nobody has the skill."""
    waiting_id: str
    """The order of that one."""
    assigned_id: str
    """The order of a fourth one, which an engineer has."""
    planned_id: str
    """The visit for a fifth one, which is still to come."""
    transfer_id: str
    """Pieces that are on their way to the van of the engineer."""
    rma_id: str
    """A defective piece that is on its way to the depot."""
    absence_id: str = ""
    """The engineer is away for a time that is far ahead."""
    alert_id: str = ""
    """An alert about the engineer of the customer's own name; it is raised by `alerted`."""
    inspection_id: str = ""
    complaint_id: str = ""
    decision_id: str = ""
    """Who carries the order out."""
    replan_id: str = ""
    draft_id: str = ""
    """A search for hours for the order of which nobody has the skill."""
    slot_id: str = ""
    """Held for the order that an engineer has."""


@dataclass
class Firm:
    """One tenant."""

    tenant: str
    people: People
    stories: dict[str, Story] = field(default_factory=dict)
    """By `one` and `two`, the customer's."""

    def person(self, name: str) -> str:
        return name if self.tenant == TENANTS[0] else f"{self.tenant}-{name}"

    def words(self, name: str) -> dict[str, str]:
        """What is written of and by a customer: nobody else of the customers, and no other tenant, may read it."""
        kinds = ("name", "phone", "street", "description", "record", "comment", "reason")
        words = {kind: f"{kind}-of-{self.person(name)}-at-{self.tenant}" for kind in kinds}
        # A phone must be one that can be called.
        return words | {"phone": f"139{crc32(words['phone'].encode()) % 10**8:08}"}


@dataclass
class World:
    host: Host
    app: FastAPI
    tokens: Tokens
    settings: Settings
    url: str
    client: httpx.AsyncClient
    """Judges every answer that comes through it: a refusal must be a whole problem."""
    run: Callable[[Coroutine[Any, Any, Any]], Any]
    firms: dict[str, Firm] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    """The codes of the refusals that were seen."""

    @property
    def demo(self) -> Firm:
        return self.firms[TENANTS[0]]

    @cached_property
    def roles(self) -> Mapping[tuple[str, str], frozenset[str]]:
        """Who may call each route, by method and path; they are hundreds, and asked for at every call."""
        return route_roles(self.app)

    def headers(self, role: str, person: str = "", tenant: str = TENANTS[0]) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.tokens.issue(caller(role, tenant, person))}"}

    async def call(self, method: str, path: str, role: str, person: str = "", **options: Any) -> httpx.Response:
        """One call, whatever comes of it. `tenant` is `demo` if left out."""
        headers = self.headers(role, person, options.pop("tenant", TENANTS[0])) | options.pop("headers", {})
        return await self.client.request(method, path, headers=headers, **options)


def caller(role: str, tenant: str = TENANTS[0], person: str = "") -> Principal:
    """A user of the accounts; both tenants have persons of the same ids."""
    return Principal(f"{role}@{tenant}", tenant, role, (person or "one") if role in ONLY_THEIR_OWN else "")


@contextmanager
def running(folder: Path, *, told: bool = True) -> Iterator[World]:
    """The world, in a loop of its own that runs while a test does: `world.run(story())`."""
    telemetry.log_as_json(io.BytesIO(), logging.ERROR)
    with asyncio.Runner() as runner:
        opened = _opened(folder, runner.run, told)
        world = runner.run(opened.__aenter__())
        try:
            yield world
        finally:
            runner.run(opened.__aexit__(None, None, None))
            structlog.reset_defaults()


@asynccontextmanager
async def _opened(folder: Path, run: Callable[..., Any], told: bool) -> AsyncIterator[World]:
    settings = Settings(data=folder, port=0)
    password = hashed(DEMO_PASSWORD)
    principals = [caller(role, tenant) for tenant in TENANTS for role in ROLES]
    accounts = [
        Account(user=p.user_id, tenant=p.tenant, role=p.role, person_id=p.person_id, password=password)
        for p in principals
    ]
    folder.mkdir(parents=True, exist_ok=True)
    write_users(folder / FILE, accounts)
    async with AsyncExitStack() as stack:
        host, app = await stack.enter_async_context(all_in_one(settings))
        assert isinstance(app, FastAPI)
        assert await host.led(), "the services did not begin to write"
        url = await stack.enter_async_context(listening(settings, app))
        client = await stack.enter_async_context(httpx.AsyncClient(base_url=url, timeout=20))
        world = World(host, app, tokens_of(settings, SystemClock()), settings, url, client, run)
        client.event_hooks["response"] = [lambda answer: _must_be_whole(answer, world)]
        if told:
            for tenant in TENANTS:
                world.firms[tenant] = await _told(world, Firm(tenant, People(client, world.tokens, tenant)))
            assert await host.idle(), "something is left to take in or to show"
        yield world
        # Streams of news end first; the port waits for whoever is still answered.
        await host.stop_leading()


PAGE = "/v1/surveys/page"
"""What a person opens in a browser: it says in words why not."""


async def _must_be_whole(answer: httpx.Response, world: World) -> None:
    """What every refusal has, whoever refuses."""
    if not answer.is_error or answer.request.url.path == "/readyz":
        return
    await answer.aread()
    where = f"{answer.request.method} {answer.request.url}: {answer.status_code} {answer.text[:300]}"
    if answer.request.url.path == PAGE and answer.headers["content-type"] == "text/html; charset=utf-8":
        assert answer.text.endswith("</html>"), where
        return
    assert answer.headers["content-type"] == "application/problem+json", where
    problem = answer.json()
    assert [name for name in PROBLEM_FIELDS if name not in problem] == [], where
    assert problem["status"] == answer.status_code, where
    assert problem["type"] == f"urn:fieldloop:problem:{problem['code']}", where
    assert problem["title"] and problem["remedy"], where
    # `?` stands where a fact is missing; what the caller sent may have one of its own.
    asks = "?" in problem["title"] + problem["detail"] + problem["remedy"] and "?" not in str(problem.get("facts"))
    assert not asks, f"a fact is missing: {where}"
    assert answer.headers["content-language"] in ("en", "zh"), where
    assert "Accept-Language" in answer.headers["vary"], where
    world.problems.append(problem["code"])


SKILLS = {"one": "refrigeration", "two": "laundry"}
"""What the device of each customer needs, and only the engineer of the other name can do."""


def company(firm: Firm) -> Company:
    def customer(name: str) -> dict[str, Any]:
        words = {kind: firm.words(name)[kind] for kind in ("name", "phone", "street")}
        place = {"region": "朝阳区", "lat_udeg": 39_921_000, "lon_udeg": 116_443_000}
        return {"customer_id": firm.person(name), **words, **place}

    def device(name: str, skill: str) -> dict[str, Any]:
        number = f"{firm.person(name)}-{skill}"
        owner = firm.person(name)
        return {
            "device_id": f"D-{number}",
            "customer_id": owner,
            "model": f"M-{skill}",
            "serial": number,
            "skill": skill,
        }

    def engineer(name: str) -> dict[str, Any]:
        of_the_other = SKILLS["two" if name == "one" else "one"]
        return {
            "engineer_id": firm.person(name),
            "name": f"engineer-{name}-at-{firm.tenant}",
            "skills": [of_the_other],
            "region": "朝阳区",
            "home_lat_udeg": 39_921_000,
            "home_lon_udeg": 116_443_000,
            "shifts": [{"weekday": day, "from_minute": 0, "to_minute": 1440} for day in range(7)],
            "van_id": f"VAN-{name}",
            "daily_limit": 50,
        }

    people = ("one", "two")
    places = [{"place_id": "WH", "kind": "warehouse", "name": "Warehouse"}]
    places += [{"place_id": "BR", "kind": "branch", "name": "Branch", "region": "朝阳区"}]
    places += [{"place_id": f"VAN-{name}", "kind": "van", "name": name} for name in people]
    parts = [
        {"part_id": f"P-{skill}", "name": f"part for {skill}", "fits": [f"M-{skill}"]} for skill in SKILLS.values()
    ]
    return Company(
        request_types={"repair": {"name": "Repair", "duration_s": 600, "min_description": 2}},
        customers=[customer(name) for name in people],
        devices=[device(name, skill) for name in people for skill in (SKILLS[name], "nobody-can")],
        engineers=[engineer(name) for name in people],
        places=places,
        parts=parts,
        counts=[
            {"part_id": part["part_id"], "place_id": place["place_id"], "quantity": 50}
            for part in parts
            for place in places
        ],
        service_codes=[{kind: [{"code": code, "en": code, "zh": code}] for kind, code in CODES}],
        prices=[
            {"effective_from": f"202{n}-01-01T00:00:00Z", "labour_fen_per_h": 100, "travel_fen": n} for n in range(3)
        ],
        coverages=[
            {"device_id": f"D-{firm.person(name)}-{skill}", "coverage_id": "w", "kind": "warranty", **COVER}
            for name, skill in SKILLS.items()
        ],
    )


MODEL = {"name": "Model", "faults": [{"code": "leaks", "label": "Leaks", "label_zh": "漏水"}]}
MAIL = b"From: new@example.cn\r\nMessage-ID: <1@example.cn>\r\nSubject: leak\r\n\r\nit leaks\r\n"
STANDARD = {"items": [{"item_id": "uniform", "en": "Uniform and badge", "zh": "工服和工牌"}]}
CODES = (("causes", "wear"), ("remedies", "replaced"))
LONG = {"percent": 50, "until": "2090-01-01T00:00:00Z"}
COVER = {"starts_at": "2020-01-01T00:00:00Z", "labour": LONG, "parts": LONG, "travel": LONG}


async def _told(world: World, firm: Firm) -> Firm:
    await found(firm.people, company(firm), f"{firm.tenant}-")
    await promise(firm.people)
    await name_pieces(firm.people, "WH", "BR")
    stories = await asyncio.gather(*[tell(firm, name) for name in SKILLS])
    for name, story in zip(SKILLS, stories, strict=True):
        firm.stories[name] = story._replace(alert_id=await alerted(world, firm, name))
        await restate(firm.people, story.order_id, name)
    return firm


async def alerted(world: World, firm: Firm, name: str) -> str:
    """An alert is raised about the engineer of this name. It takes weeks, so what the last night asks is asked here."""
    subject, week = firm.person(name), timedelta(days=7)
    first = date(2026, 11, 9)
    weeks = [Counted(begins_on=first + n * week, ends_on=first + (n + 1) * week, counted=9, bad=8) for n in range(2)]
    figure = alert_id("bad-rating", "engineer", subject)
    judge = JudgeAlert(alert_id=figure, kind="bad-rating", of="engineer", subject=subject, windows=tuple(weeks))
    policy = "policy:judge-figures"
    await world.host.running["quality"].ask(Ask(command=judge, tenant=firm.tenant, actor=policy, caller=policy))
    return figure


async def name_pieces(people: People, warehouse: str, other: str) -> None:
    """
    Parts with serial numbers and lots: one piece is found where the books do not have it, few are left, and a defective
    one goes to be repaired.
    """
    numbered, of_lots = {"part_id": "P-numbered"}, {"part_id": "P-of-lots"}
    for part, tracked in ((numbered, "serial"), (of_lots, "lot")):
        body = {**part, "name": "Named", "usual_quantity": 0, "tracked": tracked}
        await people.call("POST", "/v1/parts", "operator", key=f"named-{tracked}", json=body)
    came = {"place_id": warehouse, "quantity": 2, "source": "maker"}
    for number, body in enumerate(
        ({**numbered, **came, "serials": ["A", "B"]}, {**of_lots, **came, "lots": [{"lot": "L-1", "quantity": 2}]})
    ):
        await people.call("POST", "/v1/stock/receive", "operator", key=f"named-{number}", json=body)
    found = {**numbered, "place_id": other, "quantity": 1, "serials": ["A"]}
    await people.call("POST", "/v1/stock/count", "operator", key="named-found", json=found)
    point = {**numbered, "place_id": warehouse, "reorder_at": 5, "reorder_to": 9}
    await people.call("POST", "/v1/stock/reorder-points", "operator", key="named-point", json=point)
    depot = {"place_id": "DEPOT", "kind": "depot", "name": "Workshop"}
    await people.call("POST", "/v1/places", "operator", key="named-depot", json=depot)
    dead = {**numbered, "place_id": warehouse, "quantity": 1, "serials": ["C"]}
    came = {**dead, "condition": "defective", "source": "found"}
    await people.call("POST", "/v1/stock/receive", "operator", key="named-dead", json=came)
    asked = {**dead, "depot_id": "DEPOT", "fault": "dead", "due_at": "2091-01-01T00:00:00Z"}
    await people.call("POST", "/v1/rmas", "operator", key="named-rma", json=asked)


NINE_TO_SIX = [{"weekday": day, "from_minute": 540, "to_minute": 1080} for day in range(5)]
CALENDAR: Mapping[str, Any] = {
    "calendar_id": "office",
    "name": "Office",
    "weeks": [{"hours": NINE_TO_SIX}],
    "years": [2026],
}
_WITHIN = {"calendar_id": "office", "low_s": 86_400, "normal_s": 28_800, "high_s": 14_400, "critical_s": 7_200}
LEVEL: Mapping[str, Any] = {
    "sla_id": "standard",
    "name": "Standard",
    "clocks": [{"clock": name, "excuses": ["customer"], **_WITHIN} for name in ("arrive", "fix")],
}


async def promise(people: People) -> None:
    """A calendar and a service level, so that every order has clocks; templates of records for other work."""
    await people.call("POST", "/v1/calendars", "manager", json=CALENDAR)
    await people.call("POST", "/v1/slas", "manager", json=LEVEL)
    for request_type in ("round", "installation"):
        template = {"request_type": request_type, "labour": True}
        await people.call("POST", "/v1/record-templates", "manager", json=template)
    covered = {kind: {"percent": 100, "months": 12} for kind in ("labour", "parts", "travel")}
    warranty = {"device_model": "M-laundry", "effective_from": "2090-01-01", **covered}
    await people.call("POST", "/v1/coverages/models", "manager", json=warranty)


async def restate(people: People, order_id: str, key: str) -> None:
    """A table of holidays that comes late, and an assignment that was later than it was recorded."""
    today = SystemClock().now().date()
    days = [today + timedelta(days=ahead) for ahead in range(1, 6)]
    table = {"years": sorted({day.year for day in days}), "days": [{"day": day.isoformat()} for day in days]}
    await people.call("PUT", "/v1/calendars/office/holidays", "operator", "", f"{key}-table", json=table)
    wrong = {"happening": "assigned", "happened_at": SystemClock().now().isoformat(), "reason": "told too soon"}
    path = f"/v1/orders/{order_id}/clocks/corrections"
    await people.call("POST", path, "dispatcher", "", f"{key}-assigned", json=wrong)


async def tell(firm: Firm, name: str, key: str = "") -> Story:
    """One request of this customer, from the first word to the answered survey, and two that stand still."""
    people, customer, words, skill = firm.people, firm.person(name), firm.words(name), SKILLS[name]
    key = f"{key or name}-"
    await people.call("POST", "/v1/standards/repair", "manager", "", f"{key}standard", json=STANDARD)
    agreed = {"payee": "engineer", "payee_id": "standard", "effective_from": "2020-01-01T00:00:00Z", "visit_fen": 1_000}
    await people.call("POST", "/v1/payouts/terms", "manager", "", f"{key}terms", json=agreed)

    async def submit(nth: str, device: str, description: str) -> str:
        body = {"request_type": "repair", "device_id": device, "description": description}
        answer = await people.call("POST", "/v1/requests", "customer", customer, f"{key}{nth}", json=body)
        return str(answer["id"])

    model = {"model": f"M-{skill}", **MODEL}
    await people.call("POST", "/v1/device-models", "manager", "", f"{key}model", json=model)
    place = {"region": "朝阳区", "lat_udeg": 39_921_000, "lon_udeg": 116_443_000}
    for nth in ("first", "second"):
        path, shop = f"/v1/customers/{customer}/sites", {"name": f"{nth} shop", **place}
        await people.call("POST", path, "agent", "", f"{key}{nth}-shop", json=shop)
    device = f"D-{customer}-{skill}"
    incomplete = await submit("incomplete", "", words["description"])
    twin = await submit("twin", "", words["description"])
    stuck = await submit("stuck", f"D-{customer}-nobody-can", words["description"])
    request = await submit("submit", device, words["description"])

    async def visit_of(request_id: str) -> Any:
        path = f"/v1/visits?request_id={request_id}"
        return (await people.until(path, "dispatcher", lambda page: page["items"]))["items"][0]

    visit = await visit_of(request)
    assigned = await visit_of(await submit("assigned", device, words["description"]))
    planned = await visit_of(await submit("planned", device, words["description"]))
    engineer, base = visit["engineer_id"], f"/v1/visits/{visit['visit_id']}"
    order, reservation = visit["order_id"], f"/v1/reservations/{visit['order_id']}"
    reserved = await people.until(reservation, "engineer", lambda one: one["reserved"], person=engineer)

    async def step(step: str, **options: Any) -> Any:
        options = options or {"json": {}}
        named = f"{key}{step.replace('?', '-')}"
        return await people.call("POST", f"{base}/{step}", "engineer", engineer, named, **options)

    await step("depart")
    await step("arrive")
    await step("start")
    photo = await step("photos?moment=before", content=PNG, headers={"Content-Type": "image/png"})
    await step("photos?moment=after", content=PNG, headers={"Content-Type": "image/png"})
    shown = f"/v1/requests/{request}/photos?photo_id={photo['id']}"
    sent = {"content": PNG, "headers": {"Content-Type": "image/png"}}
    await people.call("POST", shown, "customer", customer, f"{key}shown", **sent)
    written = {"words": words["comment"]}
    await people.call("POST", f"/v1/requests/{request}/remarks", "customer", customer, f"{key}remark", json=written)
    await step("parts", json={"part_id": reserved["reserved"][0]["part_id"], "old_returned": 1})
    await step("finish", json={"cause": "wear", "action": "replaced", "record": words["record"]})
    await step("accept", json={"rating": 5, "signature": SIGNATURE.format(len(customer))})
    # A part that nobody has defined, of which her phone tells late.
    late = {"visit_id": visit["visit_id"], "step_id": "late", "number": 1, "step": "use-part", "part_id": "P-unheard"}
    sent = {"steps": [{**late, "happened_at": SystemClock().now().isoformat()}]}
    await people.call("POST", "/v1/visits/sync", "engineer", engineer, f"{key}late", json=sent)
    surveys = await people.until(
        f"/v1/surveys?request_id={request}", "customer", lambda page: page["items"], person=customer
    )
    survey = surveys["items"][0]["survey_id"]
    rated = {"attitude": 5, "outcome": 4, "punctuality": 3, "comment": words["comment"]}
    if name == "one":
        await people.call("POST", f"/v1/surveys/{survey}/answer", "customer", customer, f"{key}answer", json=rated)
    else:
        link = (await people.until(f"/v1/surveys/{survey}/link", "agent", lambda page: page["link"]))["link"]
        await people.call(
            "POST", "/v1/surveys/linked", "customer", customer, f"{key}answer", json=rated | {"link": link}
        )
    queue = await people.until(f"/v1/inspections?request_id={request}", "manager", lambda page: page["items"])
    sent = {"request_id": request, "words": words["comment"]}
    complaint = await people.call("POST", "/v1/complaints", "customer", customer, f"{key}complain", json=sent)
    owner = caller("dispatcher", firm.tenant).user_id
    reached = {"person_id": owner, "role": "dispatcher", "phone": "13700000001"}
    await people.call("POST", "/v1/contacts", "manager", key=f"{key}contact", json=reached)
    owned = {"owner_id": owner}
    await people.call("POST", f"/v1/complaints/{complaint['id']}/assign", "manager", key=f"{key}owner", json=owned)
    await people.until(f"/v1/notices?person_id={owner}", "manager", lambda page: page["items"])
    board = await people.until(
        "/v1/orders?state=waiting&limit=200",
        "dispatcher",
        lambda page: [one for one in page["items"] if one["request_id"] == stuck],
    )
    waiting = next(one["order_id"] for one in board["items"] if one["request_id"] == stuck)
    await people.until(f"/v1/requests/{request}", "agent", lambda one: one["state"] == "closed")
    van = next(one["van_id"] for one in company(firm).engineers if one["engineer_id"] == engineer)
    way = {"from_place_id": "WH", "to_place_id": van}
    sent = {**way, "lines": [{"part_id": f"P-{skill}", "quantity": 9}]}
    transfer = await people.call("POST", "/v1/transfers", "operator", key=f"{key}transfer", json=sent)
    depot = {"place_id": "DEPOT", "kind": "depot", "name": "Workshop"}
    await people.call("POST", "/v1/places", "operator", key=f"{key}depot", json=depot)
    dead = {"part_id": f"P-{skill}", "place_id": "WH", "quantity": 1}
    came = {**dead, "condition": "defective", "source": "found"}
    await people.call("POST", "/v1/stock/receive", "operator", key=f"{key}dead", json=came)
    asked = {**dead, "depot_id": "DEPOT", "fault": "dead", "due_at": "2091-01-01T00:00:00Z"}
    rma = await people.call("POST", "/v1/rmas", "operator", key=f"{key}rma", json=asked)
    lost = {"lines": [{"part_id": f"P-{skill}", "quantity": 1, "condition": "defective"}]}
    issue = {"document_id": f"I-{name}", "kind": "issue", "place_id": "WH", **lost}
    await people.call("POST", "/v1/stock/movements", "operator", key=f"{key}issue", json=issue)
    away = {"starts_at": "2090-01-01T00:00:00Z", "ends_at": "2090-02-01T00:00:00Z", "reason": "training"}
    absences = f"/v1/engineers/{engineer}/absences"
    absence = await people.call("POST", absences, "engineer", engineer, f"{key}away", json=away)
    decisions = await people.until(f"/v1/decisions?order_id={order}", "dispatcher", bool)
    urgent = {"cause": "urgent", "order_id": waiting}
    replan = await people.call("POST", "/v1/replans", "dispatcher", key=f"{key}replan", json=urgent)
    thought = {"name": f"draft {key}", "points_a_booking": 5}
    draft = await people.call("POST", "/v1/dispatch-rules/drafts", "manager", key=f"{key}draft", json=thought)
    of_order = f"/v1/orders/{assigned['order_id']}/slots"
    slots = await people.until(of_order, "dispatcher", bool)
    wanted = {"opens_at": slots[-1]["opens_at"], "minutes": 60}
    slot = await people.call("POST", of_order, "agent", key=f"{key}slot", json=wanted)
    return Story(
        customer_id=customer,
        device_id=device,
        request_id=request,
        order_id=order,
        engineer_id=engineer,
        visit_id=visit["visit_id"],
        photo_id=photo["id"],
        survey_id=survey,
        incomplete_id=incomplete,
        twin_id=twin,
        stuck_id=stuck,
        waiting_id=waiting,
        assigned_id=assigned["order_id"],
        planned_id=planned["visit_id"],
        transfer_id=transfer["id"],
        rma_id=rma["id"],
        inspection_id=queue["items"][0]["inspection_id"],
        complaint_id=complaint["id"],
        absence_id=absence["id"],
        decision_id=decisions[0]["decision_id"],
        replan_id=replan["id"],
        draft_id=draft["id"],
        slot_id=slot["id"],
    )


def same(answer: httpx.Response) -> tuple[int, Mapping[str, Any]]:
    """What must be the same of an answer that is given again."""
    return answer.status_code, answer.json()
