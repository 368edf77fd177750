"""
The clients' own book: what each was told. It decides, against the journals, what was lost and what was done twice.

Every client asks for a repair under a key of its own and, like our apps, asks again under the same key until it has an
answer. In the end there must be one request for each key that was ever sent, and one order for each request.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import httpx

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from services import offline
from services.chassis.auth import Principal
from services.chassis.clock import SystemClock
from services.chassis.http.call import POSITION, STALE
from services.demo.company import company
from services.host import discover
from services.offline import readers
from services.serving import tokens_of
from services.settings import Settings

FIRM = company(seed=11)


@dataclass
class Told:
    """What the clients of one run were told."""

    tenant: str
    requests: dict[str, str] = field(default_factory=dict)
    """Per key, the request that was acknowledged."""
    sent: set[str] = field(default_factory=set)
    """Every key that was ever sent."""
    repeated: Counter[str] = field(default_factory=Counter)
    """Why a call had to be sent again, and how often: a status, or the kind of error."""
    longest_s: float = 0.0
    """The longest that one call took to be answered well, repeats included."""
    read: int = 0
    """How many reads were answered."""
    stale: int = 0
    """How many were answered with what was there, and were told that newer is to come."""

    async def served(self, more: int, within: float = 60.0) -> None:
        """Wait until so many more are acknowledged. Raises TimeoutError."""
        wanted = len(self.requests) + more
        async with asyncio.timeout(within):
            while len(self.requests) < wanted:
                await asyncio.sleep(0.05)

    def __str__(self) -> str:
        again = ", ".join(f"{why} x {often}" for why, often in self.repeated.items()) or "none"
        reads = f"{self.read} reads ({self.stale} stale)"
        return f"{len(self.requests)} acknowledged, {reads}, longest {self.longest_s:.1f} s, repeated: {again}"


class Clients:
    """So many clients who ask without end, at a rate that they hold together as long as they are answered."""

    def __init__(self, settings: Settings, url: str, tenant: str, *, count: int = 8, rate: float = 10.0) -> None:
        self._url, self._count, self._pause_s = url, count, count / rate
        self._tokens = tokens_of(settings, SystemClock())
        self.told = Told(tenant)
        self._ended = asyncio.Event()

    def headers(self, role: str, person: str = "") -> dict[str, str]:
        token = self._tokens.issue(Principal(f"{role}-{person}", self.told.tenant, role, person, "web"))
        return {"Authorization": f"Bearer {token}"}

    async def found(self, client: httpx.AsyncClient) -> None:
        """What must be there before a request: its type, a customer and a device for each client."""
        for name, kind in FIRM.request_types.items():
            await self._ask(client, f"/v1/request-types/{name}", "manager", "", f"type-{name}", kind)
        customers = {one["customer_id"]: one for one in FIRM.customers}
        for device in FIRM.devices[: self._count]:
            customer = device["customer_id"]
            await self._ask(client, "/v1/customers", "agent", "", f"customer-{customer}", customers[customer])
            await self._ask(client, "/v1/devices", "agent", "", f"device-{device['device_id']}", device)

    @asynccontextmanager
    async def asking(self) -> AsyncIterator[Told]:
        """They ask while the block lasts, and then until all that was sent is answered."""
        async with httpx.AsyncClient(base_url=self._url, timeout=30) as client:
            await self.found(client)
            clients = [asyncio.create_task(self._client(client, n)) for n in range(self._count)]
            try:
                yield self.told
            finally:
                self._ended.set()
                await asyncio.gather(*clients)

    async def _client(self, client: httpx.AsyncClient, number: int) -> None:
        device = FIRM.devices[number]
        asked = 0
        while not self._ended.is_set():
            asked += 1
            key = f"{number}-{asked}"
            self.told.sent.add(key)
            body = {"request_type": "repair", "device_id": device["device_id"], "description": "不制冷，压缩机一直响"}
            person = device["customer_id"]
            answer = await self._ask(client, "/v1/requests", "customer", person, key, body)
            request = self.told.requests[key] = answer.json()["id"]
            # With what it was told of the position, it must see its own request, whoever answers.
            headers = {**self.headers("customer", person), POSITION: answer.headers[POSITION]}
            await self._until_answered(client, "GET", f"/v1/requests/{request}", headers=headers)
            self.told.read += 1
            try:
                async with asyncio.timeout(self._pause_s):
                    await self._ended.wait()
            except TimeoutError:
                pass

    async def _ask(
        self, client: httpx.AsyncClient, path: str, role: str, person: str, key: str, body: dict[str, object]
    ) -> httpx.Response:
        headers = {**self.headers(role, person), "Idempotency-Key": key}
        return await self._until_answered(client, "POST", path, headers=headers, json=body)

    async def _until_answered(
        self, client: httpx.AsyncClient, method: str, path: str, **options: object
    ) -> httpx.Response:
        begun = time.monotonic()
        while True:
            try:
                answer = await client.request(method, path, **options)  # type: ignore[arg-type]
            except httpx.TransportError as error:
                why = type(error).__name__
            else:
                if answer.status_code < 300:
                    self.told.longest_s = max(self.told.longest_s, time.monotonic() - begun)
                    return answer
                if answer.headers.get(STALE):
                    self.told.stale += 1
                    await asyncio.sleep(0.1)
                    continue
                # What it is told is repeated; a refusal for good is a fault of the test or of the product.
                assert answer.status_code >= 500, answer.text
                why = str(answer.status_code)
            self.told.repeated[f"{method} {why}"] += 1
            await asyncio.sleep(0.1)


@dataclass(frozen=True)
class Verdict:
    """What the journals say to what the clients were told."""

    acknowledged: int
    lost: list[str]
    """Keys whose request, or whose order, is in no journal."""
    doubled: list[str]
    """Requests that nobody was told of, and orders that were opened twice."""

    @property
    def clean(self) -> bool:
        return not self.lost and not self.doubled

    def __str__(self) -> str:
        return f"acknowledged and lost {len(self.lost)}, doubled {len(self.doubled)}, of {self.acknowledged}"


async def left(settings: Settings) -> list[str]:
    """I14, of settled services: who is behind, and what waits after it was tried, or for somebody to look."""
    found = await offline.behind(settings)
    late = [str(one) for one in found.lags if one.events]
    return late + [str(one) for one in found.held if one.tries or one.parked]


async def judged(settings: Settings, told: Told) -> Verdict:
    """Hold the clients' book against the journals. All must be quiet and taken in."""
    return verdict(told, await recorded(settings, told.tenant))


def verdict(told: Told, events: Sequence[Envelope]) -> Verdict:
    """What these events, all that were recorded of the tenant, say to the book."""
    received = Counter(e.stream.partition("/")[2] for e in events if e.type == "RequestReceived")
    opened = Counter(e.correlation_id for e in events if e.type == "OrderOpened")
    lost = [key for key, request in told.requests.items() if not received[request] or not opened[request]]
    known = set(told.requests.values())
    doubled = [request for request in received if request not in known or received[request] > 1]
    doubled += [request for request, orders in opened.items() if orders > 1 or request not in known]
    # Two keys must not have been answered with one request either.
    assert len(known) == len(told.requests)
    assert told.sent == set(told.requests), "every client asks until it has its answer"
    return Verdict(len(told.requests), lost, doubled)


async def recorded(settings: Settings, tenant: str) -> list[Envelope]:
    """Every event of a tenant that its own service recorded."""
    events = []
    async with readers(settings, discover()) as journals:
        for journal in journals.values():
            position = 0
            while entries := await journal.read(position, 2_000):
                position = entries[-1].position
                events += [envelopes.read(e.record) for e in entries if e.tenant == tenant and ":" not in e.stream]
    return events
