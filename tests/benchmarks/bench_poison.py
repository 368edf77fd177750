"""
What a poisoned key costs the others: p99 of command → reaction → what reads the reaction, beside a key that fails.

Intake's real writer, journal, views and reactor. The same customers and the same events in every round; in half of the
rounds one customer's events fail with their policy, are held, tried again, and all later ones wait behind them. So what
differs is the failing alone. Rounds alternate, and the ratio is of all samples of each kind.

    python -m tests.benchmarks.bench_poison [rounds]
"""

from __future__ import annotations

import asyncio
import io
import json
import logging
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.envelope import Envelope
from contracts.intake import CustomerRegistered, CustomerUpdated, DeviceRegistered
from intake.commands import RegisterCustomer, RegisterDevice
from intake.service import service as intake
from services.chassis import telemetry
from services.chassis.clock import SystemClock
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.work import Ask
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.running import Running
from services.chassis.service import Facts, Policy
from services.gateway.persons import MemoryBook, PersonKeys

ROUNDS, OTHERS, CLIENTS = 10, 240, 8
POISONED_EVERY = 8
"""Of so many commands one is the poisoned customer's."""
PLACE: dict[str, Any] = {"region": "r", "lat_udeg": 0, "lon_udeg": 0}


class Stage:
    """Customers who are given a device by a policy as soon as they are registered, and the time that takes."""

    def __init__(self) -> None:
        self.poisoned = False
        self.tried = 0
        self.seen: dict[str, asyncio.Future[float]] = {}

    async def gives(self, event: CustomerRegistered | CustomerUpdated, envelope: Envelope, facts: Facts) -> list[Any]:
        who = event.customer_id
        if who.startswith("poison"):
            self.tried += 1
            if self.poisoned:
                raise RuntimeError("a poisonous event")
        return [RegisterDevice(device_id=f"d-{who}", customer_id=who, model="m", serial=f"s-{who}", skill="s")]

    async def sees(self, event: DeviceRegistered, envelope: Envelope, facts: Facts) -> list[Any]:
        if waits := self.seen.pop(event.customer_id, None):
            waits.set_result(time.perf_counter())
        return []

    @property
    def policies(self) -> tuple[Policy, ...]:
        gives = Policy("gives", (CustomerRegistered, CustomerUpdated), self.gives)
        return gives, Policy("sees", (DeviceRegistered,), self.sees)


async def _register(running: Running, who: str, nth: int) -> None:
    named = RegisterCustomer(customer_id=who, name=f"n{nth}", phone="13800000000", street="s", **PLACE)
    assert running.writer
    (await running.writer.ask(Ask(command=named, tenant="t", actor="u", caller="u", key=f"{who}/{nth}"))).or_raise()


async def round_of(folder: Path, *, poisoned: bool) -> list[float]:
    """Seconds for each of the other customers."""
    stage = Stage()
    stage.poisoned = poisoned
    service = replace(intake, policies=stage.policies, notices=None)
    journal, views = SqliteJournal(folder / "journal.db"), await SqliteViews.open(folder / "views.db", intake.views)
    keys, ids = PersonKeys(MemoryBook()), new_ids(lambda: time.time_ns() // 10**6)
    running = Running(service, journal, views, folder, keys=keys, clock=SystemClock(), new_id=ids)
    leading = asyncio.create_task(running.lead(journal, None, None, None))  # type: ignore[arg-type]
    try:
        while running.writer is None or running.reactor is None:
            await asyncio.sleep(0)
        left, taken = iter(range(OTHERS)), list[float]()

        async def client() -> None:
            for number in left:
                if number % POISONED_EVERY == 0:
                    await _register(running, "poison", number)
                who = f"c{number}"
                seen = stage.seen[who] = asyncio.get_running_loop().create_future()
                begun = time.perf_counter()
                await _register(running, who, 0)
                taken.append(await seen - begun)

        await asyncio.gather(*[client() for _ in range(CLIENTS)])
        held = len(await journal.held(["gives"]))
        assert (held > OTHERS // POISONED_EVERY // 2) == poisoned, "the poison does not hold its key"
        return taken
    finally:
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await views.close()
        await journal.close()


def p99(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98]


def measure(rounds: int = ROUNDS) -> tuple[float, float]:
    """p99 in milliseconds with the poison and without it, over so many rounds of each."""
    telemetry.log_as_json(io.BytesIO(), logging.ERROR)
    found: dict[bool, list[float]] = {True: [], False: []}
    for number in range(2 * rounds + 1):
        with tempfile.TemporaryDirectory() as folder:
            poisoned = number % 2 == 1
            seconds = asyncio.run(round_of(Path(folder), poisoned=poisoned))
            if number:  # the first warms up
                found[poisoned] += seconds
    return p99(found[True]) * 1e3, p99(found[False]) * 1e3


if __name__ == "__main__":
    beside, alone = measure(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS)
    print(json.dumps({"p99_ms": round(beside, 2), "without_ms": round(alone, 2), "ratio": round(beside / alone, 3)}))
