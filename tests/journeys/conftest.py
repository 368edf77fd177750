"""Whole systems, as an operator starts them, on both pairs of bus and store."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from deploy import free_port, until
from deploy.kafka import local as kafka
from deploy.local import Installation, Process
from deploy.postgres import local as postgres
from services import offline
from services.chassis.clock import SystemClock
from services.demo.people import People
from services.host import discover
from services.serving import tokens_of
from services.settings import Settings
from tests.journeys.slow_bus import six

__all__ = ["six"]

LACKS = kafka.missing() or postgres.missing()
PAIRS = [
    "embedded",
    pytest.param("distributed", marks=pytest.mark.skipif(bool(LACKS), reason=f"the distributed pair: {LACKS}")),
]
READY_S = 60.0


class PatientPeople(People):
    """Repeats a call that was not answered, or answered with a 5xx, under the same key: as our own apps do."""

    patience_s = within_s = 90.0

    async def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        deadline = time.monotonic() + self.patience_s
        while True:
            try:
                answer = await super().request(method, path, **options)
                if answer.status_code < 500 or time.monotonic() > deadline:
                    return answer
            except httpx.TransportError:
                if time.monotonic() > deadline:
                    raise
            await asyncio.sleep(0.1)


@dataclass
class System:
    """A running system and how to speak to it."""

    name: str
    settings: Settings
    """For commands that read its stores."""
    url: str
    parts: Callable[[], list[Process]]
    restart: Callable[[Process], None]
    env: dict[str, str] = field(default_factory=dict)

    def people(self, client: httpx.AsyncClient, tenant: str) -> PatientPeople:
        return PatientPeople(client, tokens_of(self.settings, SystemClock()), tenant)

    def kill(self, process: Process) -> None:
        """End it as a crash would, and start it again."""
        process.signal(signal.SIGKILL)
        assert until(lambda: not process.alive, 10), f"{process.name} outlived SIGKILL"
        self.restart(process)

    async def must_hold(self) -> None:
        """What closes every journey: all is taken in and shown, the invariants hold, rebuilt equals live."""
        async with asyncio.timeout(90):
            while True:
                assert await offline.settled(self.settings, within=90), "something is left to take in or to show"
                checked = await offline.verify_stores(self.settings)
                # A message that is recorded as sent, or not, comes after all that it was sent for is quiet.
                if not checked.behind:
                    break
        assert (checked.findings, checked.chain) == ([], True)
        names = list(discover())
        rebuilt = await offline.rebuild(self.settings, names, True, lambda read: None)
        assert {f"{one.service}.{one.view}": one.difference for one in rebuilt if not one.identical} == {}

    def story(self, tenant: str, tell: Callable[[PatientPeople], Any]) -> Any:
        """Run a story of a tenant, then what closes every journey."""

        async def whole() -> Any:
            async with httpx.AsyncClient(base_url=self.url, timeout=20) as client:
                result = await tell(self.people(client, tenant))
            await self.must_hold()
            return result

        return asyncio.run(asyncio.wait_for(whole(), 300))


class Embedded:
    """`fieldloop up` as its own process on a data directory."""

    def __init__(self, data: Path) -> None:
        self.data, self.port = data, free_port()
        self.env = {"FIELDLOOP_DATA": str(data)}
        self.process: Process | None = None

    def start(self, _: Process | None = None) -> None:
        command = [sys.executable, "-m", "services.cli", "up", "--port", str(self.port)]
        with (self.data / "up.log").open("ab") as log:
            started = subprocess.Popen(command, env={**os.environ, **self.env}, stdout=log, stderr=log)
        url = f"http://127.0.0.1:{self.port}"
        self.process = _Up("all", "all", started.pid, url)
        assert until(lambda: _ready(url) or started.poll() is not None, READY_S)
        assert started.poll() is None, (self.data / "up.log").read_text()[-2000:]

    def system(self) -> System:
        assert self.process
        settings = Settings(data=self.data)
        return System("embedded", settings, self.process.url, lambda: [self.process], self.start, self.env)

    def stop(self) -> None:
        assert self.process
        self.process.signal(signal.SIGTERM)
        if not until(lambda: not self.process.alive, 15):
            self.process.signal(signal.SIGKILL)


class _Up(Process):
    @property
    def alive(self) -> bool:
        from deploy import command_line

        return f"up\0--port\0{self.url.rpartition(':')[2]}" in command_line(self.pid)


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=2).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="session")
def systems(tmp_path_factory):
    """Each pair is started when it is first wanted, and ended with the session."""
    started: dict[str, tuple[System, Callable[[], None]]] = {}

    def get(pair: str) -> System:
        if pair not in started:
            data = tmp_path_factory.mktemp(pair)
            if pair == "embedded":
                embedded = Embedded(data)
                embedded.start()
                started[pair] = embedded.system(), embedded.stop
            else:
                installation = Installation(data, free_port())
                installation.up()
                env = installation.env()
                settings = Settings.from_env(env=env)
                system = System(
                    "distributed",
                    settings,
                    installation.url,
                    lambda: installation.processes,
                    installation.restart,
                    env,
                )
                started[pair] = system, installation.down
        return started[pair][0]

    yield get
    for _, stop in started.values():
        stop()


@pytest.fixture(params=PAIRS)
def system(request, systems) -> System:
    return systems(request.param)
