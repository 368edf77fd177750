"""A day of two small repair companies: who is there, and what they do, each story from a seed of its own."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from random import Random
from typing import Any, Final, NamedTuple

from services.chassis.auth import Principal, Tokens
from services.demo.company import CODES, FAULTS, FOUNDED
from services.gateway.proxy import OWNERS
from tests.simulation.process import Answer, Process, Unreachable

TENANTS: Final = ("aa", "bb")
CUSTOMERS: Final = {"aa": 3, "bb": 1}
ENGINEERS: Final = {"aa": 3, "bb": 1}
SIGNATURE: Final = "M10 40 C 20 10, 40 10, 50 40 S 80 70, 90 40"
PATIENCE_S: Final = 240.0


class Acked(NamedTuple):
    """A command that somebody saw done: whatever happens, it is on record."""

    service: str
    tenant: str
    caller: str
    key: str
    path: str
    position: int


@dataclass
class Town:
    """Everybody outside: they know the services by their network only."""

    processes: Mapping[str, Process]
    tokens: Tokens
    acked: list[Acked] = field(default_factory=list)
    submitted: dict[str, str] = field(default_factory=dict)
    """Of every request that was answered, its id, and the tenant."""
    failed: list[str] = field(default_factory=list)
    """Answers that nobody should ever see."""
    asked: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """By path: the keys of all that was ever asked there, answered or not."""
    late: set[str] = field(default_factory=set)
    """Visits that a phone reported late, step by step and all of it."""
    calls: int = 0
    _issued: dict[tuple[str, str, str], str] = field(default_factory=dict)

    async def call(
        self, who: Person, method: str, path: str, key: str, body: Any, patience_s: float = PATIENCE_S
    ) -> Answer | None:
        """Asked until it is answered, under one key; None where patience ends and nobody knows what became of it."""
        loop = asyncio.get_running_loop()
        service = _owner(path)
        headers = {"authorization": f"Bearer {self._token(who)}"}
        if key:
            headers["idempotency-key"] = key
            self.asked[path].add(f"{who.user} {key}")
        until, pause = loop.time() + patience_s, 0.5
        while True:
            self.calls += 1
            try:
                answer = await self.processes[service].call(method, path, headers, body, self.tokens)
            except Unreachable:
                answer = None
            if answer is not None and answer.status == 500:
                self.failed.append(f"{method} {path}: 500 {answer.body}")
            if answer is not None and answer.status in (400, 422) and answer.body.get("code") == "body.invalid":
                self.failed.append(f"the day itself is wrong: {method} {path} {answer.body}")
            if answer is not None and answer.status < 500:
                if key and answer.status < 300:
                    position = int(answer.headers.get("fieldloop-position", ";0").partition(";")[2])
                    self.acked.append(Acked(service, who.tenant, who.user, key, path, position))
                return answer
            if loop.time() > until:
                return None
            await asyncio.sleep(pause)
            pause = min(2 * pause, 20.0)

    def _token(self, who: Person) -> str:
        at = int(asyncio.get_running_loop().time() // 300)
        known = (who.tenant, who.user, str(at))
        if known not in self._issued:
            principal = Principal(who.user, who.tenant, who.role, who.person, "web")
            self._issued[known] = self.tokens.issue(principal)
        return self._issued[known]


def _owner(path: str) -> str:
    return OWNERS[path.split("/")[2].partition("?")[0]]


@dataclass(frozen=True)
class Person:
    town: Town
    tenant: str
    role: str
    person: str = ""

    @property
    def user(self) -> str:
        return f"{self.tenant}-{self.role}-{self.person}"

    async def do(self, path: str, key: str, body: Any = None, method: str = "POST") -> Answer | None:
        return await self.town.call(self, method, path, key, {} if body is None else body)

    async def see(self, path: str) -> Any:
        """What a page shows; None where it cannot be seen now."""
        answer = await self.town.call(self, "GET", path, "", None, patience_s=30.0)
        return answer.body if answer is not None and answer.status == 200 else None


# The companies, as they are before the day begins.


def founding(tenant: str) -> list[tuple[str, str, str, Any]]:
    """Role, path, method and body of all that is registered."""
    place = {"region": "朝阳区", "lat_udeg": 39_921_000, "lon_udeg": 116_443_000}
    said: list[tuple[str, str, str, Any]] = [
        ("manager", "/v1/request-types/repair", "POST", {"name": "R", "duration_s": 1_200, "min_description": 2}),
    ]
    said += [("agent", "/v1/customers", "POST", {**customer(tenant, n), **place}) for n in range(CUSTOMERS[tenant])]
    said += [("agent", "/v1/devices", "POST", device(tenant, n)) for n in range(CUSTOMERS[tenant])]
    said += [("operator", "/v1/places", "POST", {"place_id": f"{tenant}-WH", "kind": "warehouse", "name": "WH"})]
    said += [
        ("operator", "/v1/places", "POST", {"place_id": f"{tenant}-VAN{n}", "kind": "van", "name": f"van {n}"})
        for n in range(ENGINEERS[tenant])
    ]
    part = {"part_id": f"{tenant}-P1", "name": "seal", "fits": ["M-1"], "usual_quantity": 1, "low_below": 2}
    said += [("operator", "/v1/parts", "POST", part)]
    said += [
        (
            "operator",
            "/v1/stock/count",
            "POST",
            {"part_id": f"{tenant}-P1", "place_id": f"{tenant}-{at}", "quantity": n},
        )
        for at, n in (("WH", 3), ("VAN0", 1))
    ]
    said += [("manager", "/v1/service-codes", "POST", CODES)]
    prices = {"effective_from": FOUNDED, "labour_fen_per_h": 12_000, "labour_step_s": 900, "travel_fen": 5_000}
    said += [
        ("manager", "/v1/price-lists", "POST", prices | {"parts": [{"part_id": f"{tenant}-P1", "unit_fen": 4_900}]})
    ]
    covered = {"percent": 50, "until": "2029-01-01T00:00:00+08:00"}
    said += [
        (
            "agent",
            "/v1/coverages",
            "POST",
            {
                "device_id": f"{tenant}-D0",
                "coverage_id": f"{tenant}-W0",
                "kind": "warranty",
                "starts_at": FOUNDED,
                "labour": covered,
                "parts": covered,
                "travel": covered,
            },
        )
    ]
    within = {"low_s": 86_400, "normal_s": 3_600, "high_s": 1_800, "critical_s": 1_200}
    clocks = [{"clock": name, **within} for name in ("assign", "arrive", "fix")]
    said += [("manager", "/v1/slas", "POST", {"sla_id": f"{tenant}-sla", "name": "standard", "clocks": clocks})]
    said += [("dispatcher", "/v1/engineers", "POST", engineer(tenant, n, place)) for n in range(ENGINEERS[tenant])]
    return said


def customer(tenant: str, n: int) -> dict[str, Any]:
    return {
        "customer_id": f"{tenant}-C{n}",
        "name": f"客户 {tenant} {n}",
        "phone": f"1380000{n:02}{len(tenant):02}",
        "street": f"路 {n} 号",
    }


def device(tenant: str, n: int) -> dict[str, Any]:
    return {
        "device_id": f"{tenant}-D{n}",
        "customer_id": f"{tenant}-C{n}",
        "model": "M-1",
        "serial": f"{tenant}-{n:04}",
        "skill": "cold",
    }


def engineer(tenant: str, n: int, place: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "engineer_id": f"{tenant}-E{n}",
        "name": f"工程师 {tenant} {n}",
        "skills": ["cold"],
        "region": place["region"],
        "home_lat_udeg": place["lat_udeg"] + 3_000 * n,
        "home_lon_udeg": place["lon_udeg"],
        "shifts": [{"weekday": day, "from_minute": 0, "to_minute": 1_440} for day in range(7)],
        "van_id": f"{tenant}-VAN{n}",
        "daily_limit": 3,
    }


async def found(town: Town) -> None:
    for tenant in TENANTS:
        for n, (role, path, method, body) in enumerate(founding(tenant)):
            answer = await Person(town, tenant, role).do(path, f"found-{n}", body, method)
            assert answer is not None, f"{path} was not answered"
            assert answer.status < 300, f"{path}: {answer}"


# What they do. A story is told by name and seed, so that without one story the others stay as they are.


class Story(NamedTuple):
    kind: str
    tenant: str
    begins: float
    seed: int

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.tenant}-{self.seed}"


async def repair(town: Town, story: Story, rng: Random) -> None:
    """A customer with a broken device, from her first word to her last."""
    tenant, key = story.tenant, story.name
    number = rng.randrange(CUSTOMERS[tenant])
    she = Person(town, tenant, "customer", f"{tenant}-C{number}")
    body: dict[str, Any] = {"request_type": "repair", "device_id": f"{tenant}-D{number}"}
    body["urgency"] = rng.choice(("low", "normal", "high", "critical"))
    forgets = rng.random() < 0.15
    if not forgets:
        body["description"] = rng.choice(FAULTS)
    request_id = await _submit(town, she, key, body, rng)
    if request_id is None:
        return
    if forgets:
        await asyncio.sleep(rng.uniform(1, 300))
        await she.do(f"/v1/requests/{request_id}/supplement", f"{key}-more", {"description": rng.choice(FAULTS)})
    fate = rng.choices(("served", "withdraws", "cancelled", "reassigned", "declined"), (60, 14, 8, 10, 8))[0]
    if fate == "withdraws":
        withdrawing = asyncio.create_task(_withdraw(she, request_id, key, rng.choice((0.1, 20, 200, 900))))
        await _visited(town, story, request_id, rng)
        await withdrawing
        return
    if fate != "served":
        await _upset(town, story, request_id, fate, rng)
    await _visited(town, story, request_id, rng)
    await _answer_survey(she, request_id, key, rng)
    if rng.random() < 0.2:
        await she.do("/v1/complaints", f"{key}-complain", {"request_id": request_id, "words": "太慢了"})
    if rng.random() < 0.15:
        await asyncio.sleep(rng.uniform(1, 600))
        await she.do(f"/v1/requests/{request_id}/reopen", f"{key}-again", {"reason": "又坏了"})


async def _submit(town: Town, she: Person, key: str, body: Any, rng: Random) -> str | None:
    calls = [she.do("/v1/requests", f"{key}-submit", body)]
    if rng.random() < 0.3:  # she presses the button twice
        calls.append(she.do("/v1/requests", f"{key}-submit", body))
    answers = [one for one in await asyncio.gather(*calls) if one is not None]
    ids = {one.body["id"] for one in answers if one.status < 300}
    for one in answers:
        if one.status >= 300:
            town.failed.append(f"submit {key}: {one.status} {one.body}")
    if len(ids) > 1:
        town.failed.append(f"submit {key}: one key was answered with {sorted(ids)}")
    for request_id in ids:
        town.submitted[request_id] = she.tenant
    return min(ids, default=None)


async def _withdraw(she: Person, request_id: str, key: str, after_s: float) -> None:
    await asyncio.sleep(after_s)
    await she.do(f"/v1/requests/{request_id}/withdraw", f"{key}-withdraw", {"reason": "不修了"})


async def _upset(town: Town, story: Story, request_id: str, fate: str, rng: Random) -> None:
    """A dispatcher, or the engineer, changes what was decided."""
    visit = await _visit(town, story.tenant, request_id, rng)
    if visit is None:
        return
    dispatcher = Person(town, story.tenant, "dispatcher")
    base = f"/v1/orders/{visit['order_id']}"
    await asyncio.sleep(rng.choice((0.1, 5, 60)))
    if fate == "cancelled":
        await dispatcher.do(f"{base}/cancel", f"{story.name}-cancel", {"note": "停"})
    elif fate == "declined":
        her = Person(town, story.tenant, "engineer", visit["engineer_id"])
        await her.do(f"{base}/decline", f"{story.name}-decline", {"reason": "too far"})
    else:
        other = f"{story.tenant}-E{rng.randrange(ENGINEERS[story.tenant])}"
        body = {"engineer_id": other, "reason": "closer"}
        both = [dispatcher.do(f"{base}/reassign", f"{story.name}-reassign", body)]
        if rng.random() < 0.3:  # another dispatcher thinks otherwise at the same moment
            other = f"{story.tenant}-E{rng.randrange(ENGINEERS[story.tenant])}"
            second = {"engineer_id": other, "reason": "better"}
            both.append(Person(town, story.tenant, "dispatcher", "2").do(f"{base}/reassign", f"{story.name}-2", second))
        await asyncio.gather(*both)


async def _visit(town: Town, tenant: str, request_id: str, rng: Random) -> Any:
    """The visit that is planned for a request, once there is one."""
    dispatcher = Person(town, tenant, "dispatcher")
    for pause in (1, 5, 30, 120, 600, 1_200):
        await asyncio.sleep(pause)
        page = await dispatcher.see(f"/v1/visits?request_id={request_id}&state=planned")
        if page and page["items"]:
            return rng.choice(page["items"])
    return None


async def _visited(town: Town, story: Story, request_id: str, rng: Random) -> None:
    """The engineer goes there; with a network, or reporting it all late."""
    visit = await _visit(town, story.tenant, request_id, rng)
    if visit is None:
        return
    her = Person(town, story.tenant, "engineer", visit["engineer_id"])
    steps: list[tuple[str, dict[str, Any]]] = [("depart", {}), ("arrive", {}), ("start", {})]
    ends_early = rng.random()
    if ends_early < 0.1:
        steps = [*steps[: rng.randint(1, 3)], ("abort", {"reason": rng.choice(("nobody-there", "part-missing"))})]
    else:
        if rng.random() < 0.6:
            part = {"part_id": f"{story.tenant}-P1", "quantity": rng.choice((1, 1, 1, 2)), "old_returned": 1}
            steps.append(("parts", part))
        steps.append(("finish", {"cause": "wear", "action": "replaced", "record": "好了"}))
        if ends_early < 0.2:
            steps.append(("refuse", {"reason": "还响"}))
            steps.append(("finish", {"cause": "wear", "action": "adjusted", "record": "又调了"}))
        steps.append(("accept", {"rating": rng.randint(1, 5), "signature": SIGNATURE}))
    if rng.random() < 0.35:
        await _late(her, visit["visit_id"], story.name, steps, rng)
        return
    for n, (step, body) in enumerate(steps):
        await asyncio.sleep(rng.uniform(5, 240))
        repeats = 2 if rng.random() < 0.1 else 1
        path = f"/v1/visits/{visit['visit_id']}/{step}"
        answers = await asyncio.gather(*[her.do(path, f"{story.name}-{n}", body) for _ in range(repeats)])
        if answers[0] is not None and answers[0].status >= 300:
            return  # she was called back, or came too late


async def _late(her: Person, visit_id: str, key: str, steps: list[tuple[str, dict[str, Any]]], rng: Random) -> None:
    """A phone that was offline: its steps come at the end, in pieces, in any order, some of them twice."""
    clock = her.town.processes["fieldwork"].clock
    wrong = timedelta(seconds=rng.choice((0, 0, -600, 1_800)))
    reports = []
    for number, (step, body) in enumerate(steps, 1):
        await asyncio.sleep(rng.uniform(5, 120))
        said = {"visit_id": visit_id, "step_id": f"{key}-{number}", "number": number, **body}
        said["step"] = "use-part" if step == "parts" else step
        reports.append(said | {"happened_at": (clock.now() + wrong).isoformat()})
    await asyncio.sleep(rng.choice((1, 300)))
    again = rng.sample(reports, rng.randint(0, len(reports)))
    sent = [*reports, *again]
    rng.shuffle(sent)
    her.town.late.add(visit_id)
    begin, batch = 0, 0
    while begin < len(sent):
        some = sent[begin : begin + rng.randint(1, len(sent))]
        body = {"sent_at": (clock.now() + wrong).isoformat(), "steps": some}
        if await her.do("/v1/visits/sync", f"{key}-sync-{batch}", body) is None:
            her.town.late.discard(visit_id)
        begin, batch = begin + len(some), batch + 1


async def _answer_survey(she: Person, request_id: str, key: str, rng: Random) -> None:
    for pause in (5, 60, 300):
        await asyncio.sleep(pause)
        page = await she.see(f"/v1/surveys?request_id={request_id}")
        if page and page["items"]:
            survey = page["items"][0]["survey_id"]
            rated = {name: rng.randint(1, 5) for name in ("attitude", "outcome", "punctuality")}
            await she.do(f"/v1/surveys/{survey}/answer", f"{key}-answer", rated)
            return


async def stock_comes(town: Town, story: Story, rng: Random) -> None:
    """Parts arrive at the warehouse, go to a van, or are counted."""
    operator, tenant = Person(town, story.tenant, "operator"), story.tenant
    part = {"part_id": f"{tenant}-P1"}
    for n in range(rng.randint(1, 3)):
        await asyncio.sleep(rng.uniform(1, 600))
        came = {**part, "place_id": f"{tenant}-WH", "quantity": rng.randint(1, 3), "source": "maker"}
        await operator.do("/v1/stock/receive", f"{story.name}-{n}", came)
        if rng.random() < 0.5:
            line = {**part, "quantity": 1}
            sent = {"from_place_id": f"{tenant}-WH", "to_place_id": f"{tenant}-VAN0", "lines": [line]}
            answer = await operator.do("/v1/transfers", f"{story.name}-send-{n}", sent)
            if answer is not None and answer.status < 300:
                await asyncio.sleep(rng.uniform(1, 300))
                path = f"/v1/transfers/{answer.body['id']}/arrive"
                await operator.do(path, f"{story.name}-come-{n}", {"lines": [line]})


async def somebody_is_ill(town: Town, story: Story, rng: Random) -> None:
    """An engineer is away for some hours; what she had goes to others."""
    her = f"{story.tenant}-E{rng.randrange(ENGINEERS[story.tenant])}"
    dispatcher = Person(town, story.tenant, "dispatcher")
    now = town.processes["dispatcher"].clock.now()
    away = {"starts_at": now.isoformat(), "ends_at": (now + timedelta(hours=3)).isoformat(), "reason": "ill"}
    answer = await dispatcher.do(f"/v1/engineers/{her}/absences", f"{story.name}-ill", away)
    if answer is not None and answer.status < 300 and rng.random() < 0.5:
        await asyncio.sleep(rng.uniform(1, 1_800))
        path = f"/v1/engineers/{her}/absences/{answer.body['id']}/call-off"
        await dispatcher.do(path, f"{story.name}-well")


async def offers(town: Town, story: Story, rng: Random) -> None:
    """From now on orders are offered first; engineers take or decline what they see."""
    rules = {"offered_first": [{"request_type": "repair"}], "offer_minutes": rng.choice((2, 10))}
    await Person(town, story.tenant, "manager").do("/v1/dispatch-rules", f"{story.name}-rules", rules)
    for turn in range(3):
        await asyncio.sleep(rng.uniform(10, 600))
        taking = []
        for n in range(ENGINEERS[story.tenant]):
            her = Person(town, story.tenant, "engineer", f"{story.tenant}-E{n}")
            for offer in await her.see(f"/v1/engineers/{her.person}/offers") or []:
                step = rng.choice(("take", "take", "decline"))
                path = f"/v1/orders/{offer['order_id']}/{step}"
                body = {"reason": "no"} if step == "decline" else None
                taking.append(her.do(path, f"{story.name}-{turn}-{offer['order_id']}-{n}", body))
        await asyncio.gather(*taking)


STORIES: Final[dict[str, Callable[[Town, Story, Random], Any]]] = {
    "repair": repair,
    "stock": stock_comes,
    "ill": somebody_is_ill,
    "offers": offers,
}


def planned(rng: Random, day_s: float) -> list[Story]:
    """The stories of a day, most of them repairs, some of them all at once."""
    stories = []
    rush = rng.random() < 0.3
    for _ in range(rng.randint(4, 8)):
        tenant = "bb" if rng.random() < 0.2 else "aa"
        begins = rng.uniform(0.0, 60.0 if rush else day_s * 0.6)
        stories.append(Story("repair", tenant, round(begins, 3), rng.getrandbits(32)))
    for kind, likely in (("stock", 0.5), ("ill", 0.35), ("offers", 0.3)):
        if rng.random() < likely:
            stories.append(Story(kind, "aa", round(rng.uniform(0.0, day_s * 0.6), 3), rng.getrandbits(32)))
    return stories


async def told(town: Town, story: Story) -> None:
    await asyncio.sleep(story.begins)
    await STORIES[story.kind](town, story, Random(story.seed))
