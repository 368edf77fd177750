"""Whole installations in this process, and the command as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import structlog

from contracts import envelope as envelopes
from services import cli
from services.chassis.clock import SystemClock
from services.demo.company import company
from services.demo.people import People
from services.host import Host, discover
from services.offline import readers
from services.serving import all_in_one, tokens_of
from services.settings import Settings

TENANT = "t-not-by-chance"
WHOLE = company(seed=7)
FIRM = replace(WHOLE, customers=WHOLE.customers[:2], devices=WHOLE.devices[:2], parts=[], counts=[], places=[])
"""Enough for a request; `with_engineers` adds those who always work and know everything."""


def with_engineers(count: int):
    everyone = [
        FIRM.engineers[0]
        | {
            "engineer_id": f"X{n:03}",
            "skills": sorted({device["skill"] for device in FIRM.devices}),
            "shifts": [{"weekday": day, "from_minute": 0, "to_minute": 1440} for day in range(7)],
            "daily_limit": 100,
        }
        for n in range(count)
    ]
    return replace(FIRM, engineers=everyone)


NOBODY = replace(FIRM, engineers=[])


@dataclass
class Installation:
    """A running one and its callers."""

    settings: Settings
    host: Host
    client: httpx.AsyncClient
    people: People

    async def submit(self, number: int = 0, key: str = "submit") -> str:
        device = FIRM.devices[number]
        body = {"request_type": "repair", "device_id": device["device_id"], "description": "不制冷"}
        who = "customer", device["customer_id"]
        return (await self.people.call("POST", "/v1/requests", *who, f"{key}{number}", json=body))["id"]

    async def order_of(self, request_id: str, state: str):
        def wanted(page):
            return [order for order in page["items"] if order["request_id"] == request_id]

        page = await self.people.until(f"/v1/orders?state={state}", "dispatcher", wanted)
        return wanted(page)[0]

    async def quiet(self, clock=None):
        """Wait until all is done. A clock that stands still goes on: what waits for its turn is tried again by it."""
        for _ in range(200):
            if await self.host.idle(within=0.1):
                return
            if clock is not None:
                clock.set(clock.now() + timedelta(seconds=1))
                for running in self.host.running.values():
                    running.reactor.wake()
        raise AssertionError("something is left to take in, to react to or to show")


@asynccontextmanager
async def installation(data: Path, *, clock=None, **changed):
    settings = Settings(data=data, **changed)
    async with all_in_one(settings, clock=clock) as (host, app):
        assert await host.led(within=20)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as client:
            people = People(client, tokens_of(settings, clock or SystemClock()), TENANT)
            yield Installation(settings, host, client, people)


async def recorded(settings: Settings, *services: str):
    """What these services, or all, recorded themselves: entry and envelope, in order."""
    found = []
    async with readers(settings, services or discover()) as journals:
        for journal in journals.values():
            position = 0
            while entries := await journal.read(position, 5_000):
                position = entries[-1].position
                found += [(e, envelopes.read(e.record)) for e in entries if ":" not in e.stream]
    return found


class Ran(NamedTuple):
    """What a command left."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


@pytest.fixture
def fieldloop(monkeypatch, capsys, tmp_path) -> Callable[..., Ran]:
    """Types `fieldloop …`, with these settings and no others."""

    def typed(*words: str | Path, **env: str | Path) -> Ran:
        with monkeypatch.context() as now:
            for name in ("DATA", "BUS", "STORE", "HOST", "PORT", "URL", "GATEWAY", "REPLICAS"):
                now.delenv(f"FIELDLOOP_{name}", raising=False)
            for name, value in {"FIELDLOOP_DATA": tmp_path / "data", **env}.items():
                now.setenv(name, str(value))
            now.setattr(sys, "argv", ["fieldloop", *map(str, words)])
            capsys.readouterr()
            try:
                cli.main()
                code = 0
            except SystemExit as end:
                code = end.code or 0
            finally:
                # It logs into what was captured, which is gone after the test.
                structlog.reset_defaults()
            return Ran(code, *capsys.readouterr())

    return typed


@pytest.fixture(scope="session")
def of_a_demo(tmp_path_factory) -> tuple[Path, dict]:
    """The stores that a demo left, to copy, and what it said."""
    import subprocess

    data = tmp_path_factory.mktemp("demo") / "data"
    command = [sys.executable, "-m", "services.cli", "--data", str(data)]
    asked = [*command, "demo", "--once", "--json", "--requests", "5"]
    ran = subprocess.run(asked, capture_output=True, text=True, timeout=100, check=False)
    assert ran.returncode == 0, ran.stderr
    return data, {"out": ran.stdout, "err": ran.stderr}


@pytest.fixture
def stores(of_a_demo, tmp_path) -> Path:
    """A copy, to be tampered with."""
    return Path(shutil.copytree(of_a_demo[0], tmp_path / "stores", symlinks=True))


@contextmanager
def started(command, **options):
    """A process of its own, which does not outlive a test that fails."""
    with subprocess.Popen(command, **options) as process:
        try:
            yield process
        finally:
            process.kill()
