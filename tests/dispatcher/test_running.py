"""The dispatcher as it runs: through its routes, its policies and its timers, over real stores."""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

import httpx
import pytest

from contracts.topics import PUBLISHER_OF
from dispatcher.service import service
from services.chassis.auth import Principal, Tokens
from services.chassis.clock import SetClock
from services.chassis.journal.work import Ask
from services.host import Host
from services.settings import Settings
from tests.dispatcher.examples import open_order, register
from tests.given import NOW
from tests.standing import standing


def own(events):
    return tuple(event for event in events if PUBLISHER_OF[event.__name__] == "dispatcher")


OWN = tuple(replace(policy, when=own(policy.when)) for policy in service.policies if own(policy.when))
VIEWS = tuple(replace(view, reads=own(view.reads)) for view in service.views)
"""With nothing in them that others publish: where it runs alone, there is nobody to take it from."""


def alone(policies=OWN):
    """The dispatcher by itself, with these policies."""
    return replace(service, policies=policies, views=VIEWS)


class NoKeys:
    """Personal texts stay as they are."""

    async def ensure(self, persons, joined=()):
        pass

    def seal(self, tenant, person, text):
        return text

    def open(self, tenant, text):
        return text

    async def ready(self, tenant, sealed):
        pass


class Desk:
    """A running dispatcher and its callers."""

    def __init__(self, host, clock, http, tokens):
        self.host, self.clock, self.http, self.tokens = host, clock, http, tokens
        self.running = host.running["dispatcher"]

    async def call(self, method, path, *, role="dispatcher", person_id="", tenant="t-1", headers=None, **body):
        token = self.tokens.issue(Principal(person_id or role, tenant, role, person_id))
        headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        return await self.http.request(method, path, headers=headers, json=body if method != "GET" else None)

    async def get(self, path, **caller):
        answer = await self.call("GET", path, **caller)
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def register(self, engineer_id, **changes):
        body = register(engineer_id, **changes).model_dump(mode="json")
        answer = await self.call("POST", "/v1/engineers", **body)
        assert answer.status_code == 201, answer.text

    async def open(self, order_id="o-1", tenant="t-1", **changes):
        command = open_order(order_id=order_id, request_id=f"r-of-{order_id}", now=self.clock.now(), **changes)
        await self.running.ask(Ask(command=command, tenant=tenant, actor="test", caller="test"))

    async def order(self, order_id="o-1"):
        return await self.get(f"/v1/orders/{order_id}")

    async def quiet(self):
        assert await self.host.idle(within=20)

    async def worked(self, path, done):
        """What this reads when work in the background is done, for which the clock goes on."""
        async with asyncio.timeout(20):
            while not done(found := await self.get(path, role="manager")):
                self.clock.set(self.clock.now() + timedelta(seconds=1))
                self.running.reactor.wake()
                await asyncio.sleep(0.02)
        await self.quiet()
        return found

    async def later(self, **by):
        """So much later, with the timers looked at."""
        await self.due(**by)
        await self.quiet()

    async def due(self, **by):
        """The same, where what the timers begin goes on in the background."""
        self.clock.set(self.clock.now() + timedelta(**by))
        self.running.timers.wake()
        async with asyncio.timeout(10):
            while await self.running.journal.due(int(self.clock.now().timestamp() * 1_000_000), 1):
                await asyncio.sleep(0.01)


@asynccontextmanager
async def opened(make, folder, policies, clock):
    """A desk, such as `make(host, clock, http, tokens)` gives, over the dispatcher with these policies alone."""
    tokens, one = Tokens.from_file(folder / "token-keys.json", clock), alone(policies)
    async with Host(Settings(data=folder), [one], NoKeys(), clock=clock) as host:
        running = host.running["dispatcher"]
        async with asyncio.timeout(10):
            while not host.leads("dispatcher"):
                await asyncio.sleep(0.01)
        with standing(one, running, tokens) as app:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
                yield make(host, clock, http, tokens)


@pytest.fixture
def told(tmp_path):
    """Runs a story at a desk: `told(story)`, where `async def story(desk)`."""

    def tell(story, policies=OWN):
        async def whole():
            # Without the policies on other services' events: there is nobody to take them from.
            async with opened(Desk, tmp_path, policies, SetClock(NOW)) as one:
                await story(one)

        asyncio.run(whole())

    return tell


def test_an_opened_order_is_assigned_by_itself_with_its_reasons(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=40_000_000)
        await desk.quiet()
        await desk.open()
        await desk.quiet()
        order = await desk.order()
        assert (order["state"], order["engineer_id"], order["chosen_by"]) == ("assigned", "e-1", "rule")
        assert order["candidates"] == 2
        assert [reason["rule"] for reason in order["reasons"]] == ["skill", "distance", "load", "shift"]

    told(story)


def test_an_order_that_no_engineer_may_ever_carry_out_is_said_at_once_with_the_rules(told):
    async def story(desk):
        await desk.register("e-1", skills=("heating",))
        await desk.register("e-2", territory=("西城区",))
        await desk.quiet()
        await desk.open()
        await desk.quiet()
        order = await desk.order()
        said = {one["rule"]: one["engineers"] for one in order["nobody_can"]}
        assert (order["state"], said) == ("waiting", {"skill": 1, "territory": 1})
        await desk.later(minutes=20)
        assert (await desk.order())["version"] > order["version"], "it is looked at again"
        await desk.register("e-3")
        await desk.quiet()
        order = await desk.order()
        assert (order["engineer_id"], order["nobody_can"]) == ("e-3", [])

    told(story)


def test_many_orders_at_once_all_find_somebody_and_nobody_is_booked_twice(told):
    async def story(desk):
        for n in range(6):
            await desk.register(f"e-{n}")
        await desk.quiet()
        await asyncio.gather(*[desk.open(f"o-{n}") for n in range(120)])
        await desk.quiet()
        for minutes in (1, 2, 4):
            await desk.later(minutes=minutes)
        orders = (await desk.get("/v1/orders?limit=200"))["items"]
        assert Counter(order["state"] for order in orders) == {"assigned": 120}
        hours = {(order["engineer_id"], order["starts_at"]) for order in orders}
        assert len(hours) == 120

    told(story)


def test_of_two_hundred_who_take_one_order_one_wins_and_the_others_are_told(told):
    async def story(desk):
        await desk.open()
        await asyncio.gather(*[desk.register(f"e-{n}") for n in range(200)])
        answers = await asyncio.gather(
            *[desk.call("POST", "/v1/orders/o-1/take", role="engineer", person_id=f"e-{n}") for n in range(200)]
        )
        assert Counter(answer.status_code for answer in answers) == {200: 1, 409: 199}
        assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"order.already-assigned"}
        winner = next(n for n, answer in enumerate(answers) if answer.status_code == 200)
        assert (await desk.order())["engineer_id"] == f"e-{winner}"

    told(story, policies=())


def test_a_declined_order_goes_to_another_and_its_hours_come_back(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        answer = await desk.call("POST", "/v1/orders/o-1/decline", role="engineer", person_id="e-1", reason="ill")
        assert answer.json()["events"] == ["OrderDeclined"]
        await desk.quiet()
        assert (await desk.order())["state"] == "waiting"
        candidates = await desk.get("/v1/orders/o-1/candidates")
        assert (candidates["candidates"], candidates["excluded"]) == (
            [],
            [
                {
                    "engineer_id": "e-1",
                    "rule": "declined",
                    "rules": ["declined"],
                    "names": ["declined this order"],
                }
            ],
        )
        await desk.register("e-2")
        await desk.quiet()
        assert (await desk.order())["engineer_id"] == "e-2"
        await desk.open("o-2", duration_s=3 * 3_600)
        await desk.quiet()
        assert (await desk.order("o-2"))["engineer_id"] == "e-1"

    told(story)


def test_an_order_that_nobody_has_turns_red_after_half_an_hour_once_and_is_found_somebody_later(told):
    async def story(desk):
        await desk.open()
        await desk.later(minutes=29, seconds=59)
        assert (await desk.get("/v1/orders?overdue=true"))["items"] == []
        await desk.later(seconds=1)
        (red,) = (await desk.get("/v1/orders?overdue=true"))["items"]
        assert (red["order_id"], red["state"]) == ("o-1", "waiting")
        await desk.register("e-1")
        await desk.quiet()
        assert (await desk.order())["state"] == "assigned"
        await desk.call("POST", "/v1/orders/o-1/decline", role="engineer", person_id="e-1", reason="ill")
        await desk.quiet()
        await desk.later(hours=2)
        types = Counter(
            entry.record.decode().split('"type":"')[1].split('"')[0]
            for entry in await desk.running.journal.read(0, 999)
        )
        assert types["AssignmentOverdue"] == 1

    told(story)


def test_the_horizon_moving_on_brings_an_engineer(told):
    async def story(desk):
        await desk.register("e-1", daily_limit=1)
        await desk.quiet()
        for n in range(8):
            await desk.open(f"o-{n}")
            await desk.quiet()
        waiting = (await desk.get("/v1/orders?state=waiting"))["items"]
        assert [order["order_id"] for order in waiting] == ["o-7"], "each of seven days has one"
        for _ in range(8):
            await desk.later(hours=1)
        assert (await desk.order("o-7"))["state"] == "assigned"

    told(story)


def test_who_has_an_order_is_seen_by_who_may(told):
    async def story(desk):
        await desk.register("e-1")
        await desk.open()
        await desk.quiet()
        path = "/v1/orders/o-1"
        assert (await desk.call("GET", path, role="engineer", person_id="e-1")).status_code == 200
        assert (await desk.call("GET", path, role="engineer", person_id="e-2")).status_code == 404
        assert (await desk.call("GET", path, tenant="t-2")).status_code == 404
        assert (await desk.get("/v1/orders", role="engineer", person_id="e-2"))["items"] == []
        assert (await desk.call("GET", "/v1/engineers/e-1", role="engineer", person_id="e-2")).status_code == 404
        assert (await desk.get("/v1/engineers/e-1"))["name"] == "王"

    told(story)


def test_a_dispatcher_assigns_reassigns_and_cancels_by_hand(told):
    async def story(desk):
        await desk.open()
        await desk.register("e-1", skills=("heating",))
        await desk.register("e-2", skills=("heating",))
        await desk.quiet()
        path = "/v1/orders/o-1"
        stale = await desk.call(
            "POST", f"{path}/assign", engineer_id="e-1", headers={"If-Match": '"9"'}, reason="knows the house"
        )
        assert (stale.status_code, stale.json()["code"]) == (412, "stream.stale")
        done = await desk.call(
            "POST", f"{path}/assign", engineer_id="e-1", starts_at=NOW.isoformat(), reason="knows the house"
        )
        assert (done.status_code, done.json()["version"]) == (200, 2)
        again = await desk.call("POST", f"{path}/assign", engineer_id="e-2")
        assert (again.status_code, again.json()["code"]) == (409, "order.already-assigned")
        await desk.call("POST", f"{path}/reassign", engineer_id="e-2", reason="closer")
        await desk.quiet()
        assert (await desk.order())["engineer_id"] == "e-2"
        await desk.call("POST", f"{path}/cancel", note="twice")
        await desk.quiet()
        assert (await desk.order())["state"] == "cancelled"
        # The hours of both are free again.
        await desk.open("o-2", skill="heating")
        await desk.quiet()
        assert (await desk.order("o-2"))["starts_at"] == NOW.isoformat().replace("+00:00", "Z")
        for verb in ("assign", "reassign", "cancel", "decline", "take"):
            role, body = ("engineer", {}) if verb in ("decline", "take") else ("dispatcher", {})
            body |= {"reason": "x"} if verb in ("decline", "reassign") else {}
            body |= {"engineer_id": "e-1"} if verb in ("assign", "reassign") else {}
            answer = await desk.call("POST", f"/v1/orders/nope/{verb}", role=role, person_id="e-1", **body)
            assert (verb, answer.status_code) == (verb, 404)

    told(story)
