"""Real processes with a proxy of ours before Kafka and before each process's PostgreSQL, to do harm to."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import httpx

from deploy import free_port, until
from deploy.kafka.local import LocalKafka
from deploy.local import DATABASE, SERVICES, Installation, Process
from services import offline
from services.settings import Settings
from tests.faults.ledger import Told, Verdict, judged, left
from tests.faults.proxy import Line, Lines

QUIET_S = 60.0
"""So soon after a fault all must be taken in and shown, or at least be worked on."""

LONGEST_S = 600.0
"""No backlog takes longer to be worked off."""


class Ground(Installation):
    """What `make up` starts, each process by lines of its own."""

    def __init__(self, data: Path) -> None:
        super().__init__(data, free_port())
        self.lines = Lines()
        broker = free_port()
        self.to_kafka = self.lines.to(broker)
        # A client goes on where the broker says it is found.
        self.kafka = LocalKafka(self.data / "kafka", broker, found_at=self.to_kafka.port)
        self.to_postgres: dict[str, Line] = {}

    def start(self, name: str, url: str, more: Mapping[str, str]) -> Process:
        if name not in self.to_postgres:
            self.to_postgres[name] = self.lines.to(self.postgres.port)
        store = self.postgres.dsn(DATABASE).replace(f":{self.postgres.port}/", f":{self.to_postgres[name].port}/")
        bus = f"kafka:127.0.0.1:{self.to_kafka.port}"
        return super().start(name, url, {**more, "FIELDLOOP_STORE": store, "FIELDLOOP_BUS": bus})

    @property
    def settings(self) -> Settings:
        """For who looks at the stores: past the proxies."""
        return Settings.from_env(env=self.env())

    def close(self) -> None:
        self.lines.heal()
        for process in self.processes:
            process.signal(signal.SIGCONT)
        self.down()
        self.lines.close()

    # Who writes.

    def holder(self, service: str) -> Process | None:
        """The process that writes for a service now, as it says itself."""
        secret = (self.data / "internal-secret").read_text()
        for process in [one for one in self.processes if one.serves == service]:
            try:
                headers = {"Authorization": f"Bearer {secret}"}
                answer = httpx.get(f"{process.url}/internal/holder", headers=headers, timeout=2)
            except httpx.TransportError:
                continue
            if answer.status_code == 200 and answer.json()["holder"] == process.url:
                return process
        return None

    def wait_for_holder(self, service: str, within: float = 30.0, but: str = "") -> Process:
        found: list[Process] = []

        def there() -> bool:
            process = self.holder(service)
            if process and process.name != but:
                found.append(process)
            return bool(found)

        assert until(there, within), f"nobody writes for {service}"
        return found[-1]

    def wait_until_led(self) -> None:
        for service in SERVICES:
            self.wait_for_holder(service, 60)

    # What closes every fault.

    async def _quiet(self) -> bool:
        """I14: whether within `QUIET_S` all is taken in and shown, nobody is behind, and nothing is held."""
        ends = time.monotonic() + QUIET_S
        while (within := ends - time.monotonic()) > 0:
            if await offline.settled(self.settings, within=within) and not await left(self.settings):
                return True
            await asyncio.sleep(0.2)
        return False

    async def must_hold(self, told: Told) -> Verdict:
        """All is taken in and shown; the clients' book agrees with the journals; the invariants hold."""
        begun, ends = time.monotonic(), await self._ends()
        while not await self._quiet():
            # Whoever still records works off what came in faster than it could be done, as orders for engineers whose
            # days are full; only who stands still has lost something.
            before, ends = ends, await self._ends()
            late = await left(self.settings)
            assert ends != before and time.monotonic() < begun + LONGEST_S, f"no quiet, and nobody's help; left: {late}"
        print(f"quiet after {time.monotonic() - begun:.0f} s")
        verdict = await judged(self.settings, told)
        print(f"{told}; {verdict}")
        assert verdict.clean, verdict
        checked = await offline.verify_stores(self.settings)
        assert (checked.findings, checked.chain, checked.checkpoints) == ([], True, True)
        return verdict

    async def _ends(self) -> dict[str, int]:
        async with offline.readers(self.settings, SERVICES) as journals:
            return {name: (await journal.head()).position for name, journal in journals.items()}

    async def must_be_rebuilt_equal(self) -> None:
        rebuilt = await offline.rebuild(self.settings, list(SERVICES), True, lambda read: None)
        assert {f"{one.service}.{one.view}": one.difference for one in rebuilt if not one.identical} == {}


def end(process: Process, number: signal.Signals, within: float = 30.0) -> None:
    """End a process with this signal and wait until it is gone."""
    process.signal(number)
    assert until(lambda: not process.alive, within), f"{process.name} outlived {number.name}"


def stop(process: Process) -> None:
    os.kill(process.pid, signal.SIGSTOP)


def go_on(process: Process) -> None:
    os.kill(process.pid, signal.SIGCONT)
