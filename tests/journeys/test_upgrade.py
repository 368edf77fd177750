"""
Release N and release N+1 side by side, forward and back, while clients ask on: nobody is refused and nothing is lost.

N+1 is a copy of this tree with three changes: an event has one more field, intake records a type of event that N has
never heard of, and the dispatcher has a view of it. Both run on one Kafka and one PostgreSQL, behind one gateway.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx
import pytest

from contracts import envelope as envelopes
from deploy import free_port, until
from deploy.kafka.local import LocalKafka
from deploy.postgres.local import LocalPostgres
from services import offline
from services.chassis.auth import Principal
from services.chassis.bus.kafka import Cluster, ensure_topics
from services.chassis.clock import SystemClock
from services.serving import tokens_of
from services.settings import Settings
from tests.journeys.conftest import LACKS

ROOT = Path(__file__).parents[2]
PACKAGES = (
    "contracts",
    "deploy",
    "services",
    "intake",
    "dispatcher",
    "fieldwork",
    "inventory",
    "quality",
    "reporting",
)
NEW_TYPE = "CustomerGreeted"
READY_S = 90.0
TENANT = "t-upgrade"

LANGUAGE = '''    """In which messages to the customer are: zh or en."""
'''

PATCHES = {
    "contracts/intake/__init__.py": [
        ("    CustomerRegistered,\n", "    CustomerGreeted,\n    CustomerRegistered,\n"),
    ],
    "contracts/intake/registers.py": [
        (LANGUAGE, LANGUAGE + '    loyalty: str = ""\n    """Since N+1."""\n'),
        (
            '@belongs_to("customer", of="customer_id")\nclass CustomerUpdated(',
            '@belongs_to("customer", of="customer_id")\nclass CustomerGreeted(Event, frozen=True, kw_only=True):\n'
            '    """Somebody bade the customer welcome. Since N+1."""\n\n    customer_id: str\n\n\n'
            '@belongs_to("customer", of="customer_id")\nclass CustomerUpdated(',
        ),
    ],
    "intake/domain/register.py": [
        ("    CustomerRegistered,\n", "    CustomerGreeted,\n    CustomerRegistered,\n"),
        (
            "    return [CustomerRegistered(**facts) if customer is None else CustomerUpdated(**facts)]\n",
            "    if customer is not None:\n        return [CustomerUpdated(**facts)]\n"
            '    registered = CustomerRegistered(**facts, loyalty="gold")\n'
            "    return [registered, CustomerGreeted(customer_id=command.customer_id)]\n",
        ),
        (
            "    counted = counted_by(customer.counted if customer else (), event)\n",
            "    if isinstance(event, CustomerGreeted):\n        return customer\n"
            "    counted = counted_by(customer.counted if customer else (), event)\n",
        ),
    ],
    "dispatcher/service.py": [
        ("    views=(\n", "    views=(\n        GREETINGS,\n"),
        (
            "\nRULES = Rules(",
            "\nfrom dispatcher.projections.greetings import GREETINGS  # noqa: E402\n\nRULES = Rules(",
        ),
    ],
}
VIEW = """
from contracts.intake import CustomerGreeted
from services.chassis.views import View


def apply(rows, event, envelope):
    rows.put(event.customer_id, greeted=1)


GREETINGS = View("greetings", 1, {"customer_id": str}, {"greeted": 0}, (CustomerGreeted,), apply)
"""


def next_release(folder: Path) -> Path:
    """A copy of this tree as the next release would be. A patch that does not apply any more fails."""
    for package in PACKAGES:
        shutil.copytree(ROOT / package, folder / package, ignore=shutil.ignore_patterns("__pycache__"))
    for name, changes in PATCHES.items():
        file = folder / name
        text = file.read_text("utf-8")
        for old, new in changes:
            assert old in text, f"{name} has no {old!r} any more: mend PATCHES"
            text = text.replace(old, new, 1)
        file.write_text(text, "utf-8")
    (folder / "dispatcher/projections/greetings.py").write_text(VIEW, "utf-8")
    return folder


@dataclass
class Place:
    """One replica's address, and which release runs there."""

    service: str
    port: int
    release: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@dataclass
class Installation:
    data: Path
    env: dict[str, str]
    places: list[Place]
    gateway: Place
    answers: Counter[int] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    registered: list[str] = field(default_factory=list)

    def start(self, place: Place, more: dict[str, str]) -> None:
        words = ["serve", place.service, "--port", str(place.port)]
        with (self.data / f"{place.service}-{place.port}.log").open("ab") as log:
            place.process = subprocess.Popen(
                [sys.executable, "-m", "services.cli", *words],
                env={**os.environ, **self.env, **more, "PYTHONPATH": str(place.release)},
                cwd=place.release,
                stdout=log,
                stderr=log,
            )
        assert until(lambda: ready(place.url) or place.process.poll() is not None, READY_S), place
        log_text = (self.data / f"{place.service}-{place.port}.log").read_text(errors="replace")
        assert place.process.poll() is None, log_text[-3000:]

    def replace(self, place: Place, release: Path) -> None:
        """In good order, as an orchestrator does: end it, start the other release where it was."""
        place.process.send_signal(signal.SIGTERM)
        place.process.wait(30)
        place.release = release
        self.start(place, {"FIELDLOOP_GATEWAY": self.gateway.url})

    def roll(self, service: str, release: Path) -> None:
        for place in self.places:
            if place.service == service:
                self.replace(place, release)

    def end(self) -> None:
        for place in [*self.places, self.gateway]:
            if place.process is not None and place.process.poll() is None:
                place.process.send_signal(signal.SIGTERM)
        for place in [*self.places, self.gateway]:
            if place.process is not None:
                try:
                    place.process.wait(15)
                except subprocess.TimeoutExpired:
                    place.process.kill()


def ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


class Clients:
    """Who registers customers, changes them and looks at them, each call tried once: what is refused is seen."""

    def __init__(self, it: Installation, tokens) -> None:
        self.it, self.tokens = it, tokens
        self.ended = asyncio.Event()

    def headers(self, role: str) -> dict[str, str]:
        token = self.tokens.issue(Principal(f"{role}@{TENANT}", TENANT, role))
        return {"Authorization": f"Bearer {token}"}

    async def call(self, client, method, path, role, expected, **options) -> None:
        answer = await client.request(method, path, headers=self.headers(role), **options)
        self.it.answers[answer.status_code] += 1
        if answer.status_code != expected:
            self.it.wrong.append(f"{method} {path}: {answer.status_code} {answer.text[:300]}")

    async def writes(self, client, number: int) -> None:
        asked = 0
        while not self.ended.is_set():
            asked += 1
            name = f"K{number}-{time.time_ns()}-{asked}"
            place = {"region": "朝阳区", "lat_udeg": 0, "lon_udeg": 0}
            body = {"customer_id": name, "name": "李", "phone": "13800000000"} | place
            await self.call(client, "POST", "/v1/customers", "agent", 201, json=body)
            self.it.registered.append(name)
            if len(self.it.registered) > 20:
                # Of a stream that the other release may have written.
                older = self.it.registered[-20]
                changed = body | {"customer_id": older, "name": f"李{asked}"}
                await self.call(client, "POST", "/v1/customers", "agent", 201, json=changed)

    async def reads(self, client) -> None:
        while not self.ended.is_set():
            await self.call(client, "GET", "/v1/orders", "dispatcher", 200)
            if len(self.it.registered) > 60:
                await self.call(client, "GET", f"/v1/customers/{self.it.registered[-60]}", "agent", 200)
            await asyncio.sleep(0.01)


async def counted(dsn: str, sql: str) -> int:
    db = await asyncpg.connect(dsn)
    try:
        return int(await db.fetchval(sql))
    finally:
        await db.close()


async def until_true(condition, within: float = 60.0) -> None:
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.1)


async def greeted(settings: Settings) -> int:
    """How often intake recorded what N does not know."""
    found = 0
    async with offline.readers(settings, ["intake"]) as journals:
        position = 0
        while entries := await journals["intake"].read(position, 2_000):
            position = entries[-1].position
            found += sum(envelopes.read(entry.record).type == NEW_TYPE for entry in entries)
    return found


@pytest.mark.skipif(bool(LACKS), reason=f"the distributed pair: {LACKS}")
def test_two_releases_side_by_side_forward_and_back_and_no_client_sees_it(tmp_path):
    today, tomorrow = ROOT, next_release(tmp_path / "next")
    data = tmp_path / "data"
    data.mkdir()
    with LocalKafka(tmp_path / "kafka") as kafka, LocalPostgres(tmp_path / "postgres") as postgres:
        dsn = postgres.create_database("upgrade")
        env = {"FIELDLOOP_DATA": str(data), "FIELDLOOP_BUS": f"kafka:{kafka.bootstrap}", "FIELDLOOP_STORE": dsn}
        # Also those of services that do not run here: whoever takes in waits for all of its topics.
        asyncio.run(ensure_topics(Cluster.named(kafka.bootstrap)))
        places = [Place(service, free_port(), today) for service in ("intake", "dispatcher") for _ in "12"]
        it = Installation(data, env, places, Place("gateway", free_port(), today))
        settings = Settings.from_env(env=env)

        async def story() -> None:
            clients = Clients(it, tokens_of(settings, SystemClock()))
            async with httpx.AsyncClient(base_url=it.gateway.url, timeout=30) as client:
                asking = [asyncio.create_task(clients.writes(client, n)) for n in range(2)]
                asking.append(asyncio.create_task(clients.reads(client)))

                async def goes_on() -> None:
                    """Some are served by what runs now."""
                    before = len(it.registered)
                    await until_true(lambda: asyncio.sleep(0, len(it.registered) > before + 30))

                try:
                    await goes_on()
                    # Forward: intake first, so that the dispatcher of N hears what it does not know.
                    await asyncio.to_thread(it.roll, "intake", tomorrow)
                    await goes_on()
                    of_n = await greeted(settings)
                    assert of_n > 20
                    await asyncio.to_thread(it.roll, "dispatcher", tomorrow)
                    await goes_on()
                    # Back, both, and half of it forward again.
                    await asyncio.to_thread(it.roll, "dispatcher", today)
                    await asyncio.to_thread(it.roll, "intake", today)
                    await goes_on()
                    assert await greeted(settings) > of_n
                    await asyncio.to_thread(it.roll, "dispatcher", tomorrow)
                    await goes_on()
                finally:
                    clients.ended.set()
                    await asyncio.gather(*asking)
            assert it.wrong == [], it.wrong[:5]
            expected = await greeted(settings)

            async def all_shown() -> bool:
                return await counted(dsn, "SELECT count(*) FROM dispatcher_views.greetings") == expected

            await until_true(all_shown)

        try:
            for place in places:
                it.start(place, {"FIELDLOOP_GATEWAY": it.gateway.url})
            replicas = {
                service: ",".join(place.url for place in places if place.service == service)
                for service in ("intake", "dispatcher")
            }
            it.start(it.gateway, {"FIELDLOOP_REPLICAS": ";".join(f"{name}={urls}" for name, urls in replicas.items())})
            asyncio.run(asyncio.wait_for(story(), 1_200))
        finally:
            it.end()
    print(f"answers: {dict(it.answers)}")
