"""
From a request to its engineer as on a machine that does nothing else, however busy this one is.

`python -m tests.benchmarks.bench_alone --rate 100` runs the six services in one process over a loop whose clock moves
by the CPU that its callbacks take, and by the waits that they ask for; what goes to a thread takes its own CPU beside
that, and a commit of a journal the wait for the disk as well. So what queues is what would queue, and two versions of
the code can be told apart by turns while others compute. No port is opened: the app is called as a server calls it.
CPU is dearer on a busy machine: `--speed 0.7` counts 0.7 s for each second of it.
"""

from __future__ import annotations

import argparse
import asyncio
import heapq
import logging
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

import httpx
import msgspec
import structlog
from starlette.types import ASGIApp, Message

from dispatcher.projections.board import BOARD
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.readers.viewstore import Change
from services.demo.company import Company
from services.demo.people import People, found
from services.serving import all_in_one, calm_collector, tokens_of
from services.settings import Settings
from tests.benchmarks.bench_latency import RATE, TENANT, big_company
from tests.simulation.loop import SimLoop
from tests.simulation.process import BEGINS

DISK_S = 0.001
"""What a durable commit waits for."""

TURN_S, THREAD_S = 4e-6, 15e-6
"""What a turn of the real loop takes around a callback, and to hand work to a thread; each is CPU."""


class AloneLoop(SimLoop):
    """Callbacks in their order, each as long as its CPU."""

    def __init__(self, speed: float) -> None:
        super().__init__(Random(0))
        self._speed = speed
        self.cpu = self.cpu_of_threads = self._beside = 0.0
        """Seconds; `cpu` is of the loop's own thread."""

    def _run_once(self) -> None:
        scheduled, ready = self._scheduled, self._ready  # type: ignore[attr-defined]
        while scheduled and scheduled[0].cancelled():
            heapq.heappop(scheduled)
        if not ready and scheduled:
            self._now = max(self._now, scheduled[0].when())
        while scheduled and scheduled[0].when() <= self._now:
            ready.append(heapq.heappop(scheduled))
        for _ in range(len(ready)):
            handle = ready.popleft()
            if not handle.cancelled():
                self._beside, begun = 0.0, time.thread_time()
                handle._context.run(handle._callback, *handle._args)
                self._takes(time.thread_time() - begun - self._beside + TURN_S)

    def _takes(self, seconds: float) -> None:
        self.cpu += seconds
        self._now += seconds * self._speed

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> Any:
        future, begun = self.create_future(), time.thread_time()
        try:
            tell, outcome = future.set_result, func(*args)
        except Exception as error:
            tell, outcome = future.set_exception, error
        took = time.thread_time() - begun
        self._beside += took
        self.cpu_of_threads += took
        self._takes(THREAD_S)
        commits = "SqliteJournal.commit" in getattr(func, "__qualname__", "")
        self.call_later(took * self._speed + DISK_S * commits, lambda: future.done() or tell(outcome))
        return future


class _Clock:
    def now(self) -> datetime:
        return BEGINS + timedelta(seconds=asyncio.get_running_loop().time())


@dataclass(frozen=True)
class Alone:
    """Milliseconds, and commits of all services, per request."""

    p50: float
    p99: float
    cpu: float
    cpu_of_threads: float
    journal_commits: float
    view_commits: float
    busy: float
    """The part of the time in which the loop's thread computed."""


class _Watch:
    """Sees what is committed, and when an order is first seen as assigned."""

    def __init__(self, loop: AloneLoop) -> None:
        self.due: dict[str, float] = {}
        self.assigned: dict[str, float] = {}
        self.commits = Counter[str]()
        columns = [column.name for column in BOARD.table.columns]
        state, request = columns.index("state"), columns.index("request_id")
        of_journal, of_views = SqliteJournal.commit, SqliteViews.commit

        async def journal_commit(journal: SqliteJournal, batch: Any, after: int) -> None:
            self.commits["journal"] += 1
            await of_journal(journal, batch, after)

        async def views_commit(views: SqliteViews, changes: Sequence[Change]) -> None:
            self.commits["views"] += 1
            await of_views(views, changes)
            for row in [row for change in changes if change.view is BOARD for row in change.put]:
                if row[state] == "assigned":
                    self.assigned.setdefault(row[request], loop.time())

        SqliteJournal.commit = journal_commit  # type: ignore[method-assign]
        SqliteViews.commit = views_commit  # type: ignore[method-assign]


async def _post(app: ASGIApp, headers: dict[str, str], body: bytes) -> Any:
    given = {"host": "alone", "content-type": "application/json", "content-length": str(len(body)), **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/v1/requests",
        "raw_path": b"/v1/requests",
        "root_path": "",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "server": ("alone", 80),
        "headers": [(name.encode(), value.encode()) for name, value in given.items()],
    }
    asked: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]
    answered: list[Message] = []

    async def receive() -> Message:
        return asked.pop() if asked else await asyncio.get_running_loop().create_future()

    async def send(message: Message) -> None:
        answered.append(message)

    await app(scope, receive, send)
    if answered[0]["status"] != 201:
        raise RuntimeError(f"a request was answered {answered[0]['status']}: {answered[1]['body'][:300]!r}")
    return msgspec.json.decode(answered[1]["body"])


async def _burst(app: ASGIApp, watch: _Watch, token: str, firm: Company, run: str, rate: int, seconds: float) -> None:
    loop = asyncio.get_running_loop()
    begun = loop.time()

    async def one(number: int, due: float) -> None:
        await asyncio.sleep(max(0.0, due - loop.time()))
        device = firm.devices[number % len(firm.devices)]
        body = {
            "request_type": "repair",
            "customer_id": device["customer_id"],
            "device_id": device["device_id"],
            "description": "It does not cool",
        }
        headers = {"authorization": f"Bearer {token}", "idempotency-key": f"{run}-{number}"}
        watch.due[(await _post(app, headers, msgspec.json.encode(body)))["id"]] = due

    await asyncio.gather(*[one(number, begun + number / rate) for number in range(int(rate * seconds))])
    while watch.due.keys() - watch.assigned.keys():
        await asyncio.sleep(0.02)


async def measured(rate: int, seconds: float, speed: float) -> Alone:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, AloneLoop)
    clock, watch, firm = _Clock(), _Watch(loop), big_company()
    with tempfile.TemporaryDirectory() as name:
        settings = Settings(data=Path(name))
        async with all_in_one(settings, clock=clock) as (host, app):
            await host.led()
            calm_collector()
            async with httpx.AsyncClient(base_url="http://alone", transport=httpx.ASGITransport(app)) as client:
                people = People(client, tokens_of(settings, clock), TENANT)
                await found(people, firm, "alone-")
            token = people._token("agent", "")
            await _burst(app, watch, token, firm, "warm", rate // 2, 2.0)
            watch.due.clear()
            watch.commits.clear()
            cpu, beside, begun = loop.cpu, loop.cpu_of_threads, loop.time()
            await _burst(app, watch, token, firm, "run", rate, seconds)
            cpu, beside, took = loop.cpu - cpu, loop.cpu_of_threads - beside, loop.time() - begun
            waited = [watch.assigned[request] - due for request, due in watch.due.items()]
    cuts, each = statistics.quantiles(waited, n=100, method="inclusive"), 1_000 / len(waited)
    commits = [watch.commits[of] / len(waited) for of in ("journal", "views")]
    return Alone(cuts[49] * 1_000, cuts[98] * 1_000, cpu * each, beside * each, *commits, cpu * speed / took)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=RATE, help="requests a second")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--speed", type=float, default=1.0, help="what a second of CPU counts")
    given = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with asyncio.Runner(loop_factory=lambda: AloneLoop(given.speed)) as runner:
        print(runner.run(measured(given.rate, given.seconds, given.speed)))
