"""
All six services with real stores in one process, over a bus that is slow where a test says so.

What one service records reaches another only when it is let. So either side of a race decides first, as it would with a
phone that reports late. And the bus says everything twice, which must change nothing.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from types import SimpleNamespace

import msgspec
import pytest
from sqlalchemy import select

from dispatcher.commands import RegisterEngineer, ShiftHours
from dispatcher.policies import order_of
from dispatcher.projections.board import BOARD
from dispatcher.projections.engineer_days import ENGINEER_DAYS
from fieldwork.commands import AbortVisit, AcceptWork, Arrive, Depart, FinishWork, StartWork
from fieldwork.projections.visits import VISITS
from intake.commands import DefineRequestType, RegisterCustomer, RegisterDevice, SubmitRequest
from intake.projections.requests import REQUESTS
from inventory.commands import CountStock, DefinePart, DefinePlace
from inventory.projections.reservations import RESERVATIONS
from inventory.projections.stock import STOCK
from services.chassis.bus.feed import Page
from services.chassis.journal.work import Ask
from services.gateway.persons import MemoryBook, PersonKeys
from services.host import Host, discover
from services.offline import rebuild_one
from services.settings import Settings
from services.verify.run import verify

ALWAYS = tuple(ShiftHours(weekday=day, from_minute=0, to_minute=1440) for day in range(7))
ON_SITE = ("departed", "arrived")
WAY = {"departed": (Depart,), "working": (Depart, Arrive, StartWork)}


class SlowFeed:
    """A service's feed. What publishers in `held` say is kept back; all else comes twice."""

    def __init__(self, feed, held):
        self._feed, self._held = feed, held

    async def pages(self, offsets):
        kept = defaultdict(list)
        async for page in self._feed.pages(offsets):
            for publisher, offset in page.offsets.items():
                records = [record for record in page.records if record.service == publisher]
                kept[publisher].append(Page(records, {publisher: offset}, {publisher: page.behind[publisher]}))
            for publisher in kept.keys() - self._held:
                for one in kept.pop(publisher):
                    yield one
                    yield one
            if not page.offsets:
                yield page

    async def close(self):
        await self._feed.close()


class SlowBus(Host):
    def __init__(self, *args):
        super().__init__(*args)
        self.held = defaultdict(set)

    @asynccontextmanager
    async def _feed(self, service):
        async with super()._feed(service) as feed:
            yield feed and SlowFeed(feed, self.held[service.name])


class World:
    """The six, and what people ask of them."""

    def __init__(self, host):
        self.host, self._tenants, self._keys = host, count(1), count(1)

    async def ask(self, service, tenant, *commands):
        for command in commands:
            key = str(next(self._keys))
            ask = Ask(command=command, tenant=tenant, actor="a", caller="a", key=key)
            await self.host.running[service].ask(ask)

    async def rows(self, service, view, tenant):
        return await self.host.running[service].fetch(select(view.table).where(view.table.c.tenant == tenant))

    async def until(self, find):
        async with asyncio.timeout(20):
            while not (found := await find()):
                await asyncio.sleep(0.005)
            return found

    async def quiet(self):
        assert await self.host.idle(within=30), "something is left to take in, to react to or to show"

    def hold(self, taker, *publishers):
        self.host.held[taker] |= set(publishers)

    async def let(self):
        """Let the bus deliver all that it kept back, and wait until nothing follows any more."""
        for held in self.host.held.values():
            held.clear()
        for taker, feed in self.host._feeds.items():
            for publisher in discover()[taker].listens_to:
                feed.wake(publisher, 0)
        await self.quiet()

    async def company(self, engineers=1, orders=1):
        """A tenant of its own, with so many engineers, each with a van and the part in it, and received requests."""
        tenant = f"t-{next(self._tenants)}"
        place = {"region": "r", "lat_udeg": 0, "lon_udeg": 0}
        await self.ask(
            "intake",
            tenant,
            DefineRequestType(type_id="repair", name="repair"),
            RegisterCustomer(customer_id="c-1", name="李", phone="13800000000", street="s", **place),
            RegisterDevice(device_id="d-1", customer_id="c-1", model="M", serial="S", skill="heating"),
        )
        await self.ask("inventory", tenant, DefinePart(part_id="p-1", name="p", fits=("M",)))
        for number in range(1, engineers + 1):
            await self.engineer(tenant, number)
        await self.quiet()
        for number in range(1, orders + 1):
            await self.submit(tenant, number)
        await self.quiet()
        return tenant

    async def submit(self, tenant, number):
        said = SubmitRequest(
            request_id=f"{tenant}-r{number}",
            request_type="repair",
            customer_id="c-1",
            device_id="d-1",
            description="?",
            day="2026-11-24",
        )
        await self.ask("intake", tenant, said)

    async def engineer(self, tenant, number):
        van = f"van-{number}"
        await self.ask(
            "inventory",
            tenant,
            DefinePlace(place_id=van, kind="van", name="v"),
            CountStock(part_id="p-1", place_id=van, quantity=100),
        )
        registered = RegisterEngineer(
            engineer_id=f"e-{number}",
            name="王",
            skills=("heating",),
            region="r",
            home_lat_udeg=0,
            home_lon_udeg=0,
            shifts=ALWAYS,
            van_id=van,
            daily_limit=20,
        )
        await self.ask("dispatcher", tenant, registered)

    async def step(self, tenant, visit_id, *kinds):
        now = self.host.running["fieldwork"].now()
        words = {
            FinishWork: {"cause": "wear", "action": "replaced", "record": "ok"},
            AcceptWork: {"rating": 5, "signature": "M0 0 L1 1"},
            AbortVisit: {"reason": "other"},
        }
        steps = [kind(visit_id=visit_id, at=now, now=now, **words.get(kind, {})) for kind in kinds]
        await self.ask("fieldwork", tenant, *steps)

    async def complete(self, tenant, visit_id):
        await self.step(tenant, visit_id, Arrive, StartWork, FinishWork, AcceptWork)

    async def stand(self, tenant):
        """How each request of the tenant and all that belongs to it stands, by request."""
        found = {}
        visits, hours = defaultdict(list), defaultdict(set)
        for row in await self.rows("fieldwork", VISITS, tenant):
            visits[row["order_id"]].append((row["engineer_id"], row["state"]))
        for row in await self.rows("dispatcher", ENGINEER_DAYS, tenant):
            for booking in msgspec.json.decode(row["bookings"]):
                hours[booking[2]].add(row["engineer_id"])
        orders = {row["order_id"]: row for row in await self.rows("dispatcher", BOARD, tenant)}
        reserved = {row["order_id"]: row for row in await self.rows("inventory", RESERVATIONS, tenant)}
        for row in await self.rows("intake", REQUESTS, tenant):
            order_id = order_of(row["request_id"])
            order, parts = orders[order_id], reserved[order_id]
            found[row["request_id"]] = Stand(
                f"{row['state']} {row['outcome']}".strip(),
                f"{order['state']} {order['engineer_id']}".strip(),
                tuple(sorted(visits[order_id])),
                parts["engineer_id"] if parts["lines"] != "[]" else "",
                tuple(sorted(hours[order_id])),
            )
        aside = sum(row["set_aside"] for row in await self.rows("inventory", STOCK, tenant))
        assert aside == sum(bool(stand.parts) for stand in found.values()), "set aside for nobody"
        return found


@dataclass(frozen=True)
class Stand:
    request: str
    """State and outcome."""
    order: str
    """State and engineer."""
    visits: tuple[tuple[str, str], ...]
    """Engineer and state of each."""
    parts: str
    """For whose visit they are set aside."""
    hours: tuple[str, ...]
    """Whose are booked."""

    def wrong(self):
        """What does not fit together where nothing is on its way any more."""
        order, _, engineer = self.order.partition(" ")
        planned = [who for who, state in self.visits if state == "planned"]
        going = [who for who, state in self.visits if state in ON_SITE]
        active = order in ("assigned", "under-way")
        yield from ["planned visits"] * (planned != ([engineer] if order == "assigned" else []))
        yield from ["somebody goes for nothing"] * (bool(going) and order in ("finished", "cancelled"))
        yield from ["parts"] * (self.parts != (engineer if active else ""))
        yield from ["hours"] * (active and self.hours != (engineer,))
        yield from ["hours of nobody"] * (order in ("waiting", "cancelled") and self.hours != ())
        yield from ["hours of another"] * (order == "finished" and self.hours not in ((), (engineer,)))
        yield from ["closed"] * (self.request.startswith("closed") != (order == "finished"))
        yield from ["withdrawn"] * (self.request == "withdrawn" and order in ("waiting", "assigned"))
        yield from ["completed"] * (("completed" in dict(map(reversed, self.visits))) != (order == "finished"))


@pytest.fixture(scope="module")
def six(tmp_path_factory):
    """One system for all races, each of a tenant of its own; at the end, what closes every journey."""
    settings = Settings(data=tmp_path_factory.mktemp("races"))
    restless = [replace(service, takes_in_every_s=0) for service in discover().values()]
    host = SlowBus(settings, restless, PersonKeys(MemoryBook()))

    async def begin():
        await host.__aenter__()
        assert await host.led(within=20)

    async def end():
        try:
            await World(host).quiet()
            services, journals = discover(), {name: one.journal for name, one in host.running.items()}
            checked = await verify(services, journals)
            assert (checked.findings, checked.chain, checked.behind) == ([], True, {})
            for name, running in host.running.items():
                for one in await rebuild_one(name, running.journal, running.views, lambda read: None, swap=False):
                    assert one.identical, f"{name}.{one.view}: {one.difference}"
        finally:
            await host.__aexit__()

    with asyncio.Runner() as runner:
        runner.run(begin())
        world = World(host)
        yield SimpleNamespace(tell=lambda story: runner.run(asyncio.wait_for(story(world), 60)))
        runner.run(end())
