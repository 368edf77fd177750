"""
From a request to its engineer: milliseconds from the moment a request is due to be sent until its assignment is
readable on the dispatch board, at 100 requests a second, whether or not earlier ones were answered (open model).

The six services as they are run: all in one process on the embedded bus and SQLite, or each in its own on Kafka and
PostgreSQL. This process is the users: it asks over HTTP, and looks at the board's table every 10 ms, so that half of
that is in the figures.
"""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import httpx
import msgspec
from sqlalchemy import bindparam, select

from deploy import free_port, until
from deploy.local import Installation
from dispatcher.projections.board import BOARD
from dispatcher.service import service as dispatcher
from services.chassis.auth import Tokens
from services.chassis.clock import SystemClock
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.readers.viewstore import ViewStore
from services.demo.company import Company, company
from services.demo.people import People, found
from services.serving import tokens_of
from services.settings import Settings
from tests.benchmarks.client import Client
from tests.benchmarks.measure import timed

RATE = 100
TENANT = "bench"
ENGINEERS = 40
"""So many that everyone can be given somebody within a week: each works around the clock in one of five trades."""

WITHIN_S = 180
WARM_S = 20
LOOK_EVERY_S = 0.010


def big_company() -> Company:
    small = company(seed=7)
    rng = Random(7)
    engineers = []
    for number in range(ENGINEERS):
        like = small.engineers[number % len(small.engineers)]
        skills = sorted({device["skill"] for device in small.devices})
        engineers.append(
            like
            | {
                "engineer_id": f"X{number:03}",
                "van_id": f"VX{number:03}",
                "skills": [skills[number % len(skills)]],
                "home_lat_udeg": like["home_lat_udeg"] + rng.randint(-20_000, 20_000),
                "shifts": [{"weekday": day, "from_minute": 0, "to_minute": 1440} for day in range(7)],
                "daily_limit": 20,
            }
        )
    return replace(small, engineers=engineers, counts=[])


@dataclass(frozen=True)
class Latency:
    """Milliseconds; the CPU is that of all processes of Fieldloop."""

    p50: float
    p99: float
    cpu_ms_per_request: float
    samples: tuple[float, ...]
    """Seconds, of each request."""


async def measured(
    url: str,
    tokens: Tokens,
    views: ViewStore,
    rate: int,
    seconds: float,
    pids: Sequence[int],
    run: str = "run",
    warm_s: float = WARM_S,
    beside: AbstractContextManager[object] | None = None,
) -> Latency:
    """
    Each run has a name of its own; `beside` lasts as long as what is measured.

    Raises RuntimeError when requests are not assigned within three minutes.
    """
    firm = big_company()
    async with httpx.AsyncClient(base_url=url, timeout=30) as founding:
        people = People(founding, tokens, TENANT)
        await found(people, firm, "bench-")
        sent: dict[str, float] = {}
        took: list[float] = []
        agent = people._token("agent", "")
        looking = asyncio.create_task(_look(views, sent, took))
        async with Client(int(url.rpartition(":")[2]), 64) as client:
            await _send(client, agent, firm, rate // 2, warm_s, f"warm-{run}", sent)
            await _all_in(sent, WITHIN_S)
            took.clear()
            with beside or nullcontext(), timed(pids) as span:
                await _send(client, agent, firm, rate, seconds, run, sent)
                await _all_in(sent, WITHIN_S)
        looking.cancel()
    cuts = statistics.quantiles(took, n=100, method="inclusive")
    return Latency(cuts[49] * 1_000, cuts[98] * 1_000, span.cpu / len(took) * 1_000, tuple(took))


async def _send(
    client: Client, token: str, firm: Company, rate: int, seconds: float, run: str, sent: dict[str, float]
) -> None:
    begun = time.perf_counter()

    async def one(number: int, due: float) -> None:
        device = firm.devices[number % len(firm.devices)]
        asked = {
            "request_type": "repair",
            "customer_id": device["customer_id"],
            "device_id": device["device_id"],
            "description": "It does not cool",
        }
        headers = f"Authorization: Bearer {token}\r\nIdempotency-Key: {run}-{number}\r\n"
        status, answer = await client.post("/v1/requests", msgspec.json.encode(asked), headers)
        if status != 201:
            raise RuntimeError(f"a request was answered {status}: {answer[:300]!r}")
        sent[msgspec.json.decode(answer)["id"]] = due

    async with asyncio.TaskGroup() as group:
        for number in range(int(seconds * rate)):
            due = begun + number / rate
            await asyncio.sleep(due - time.perf_counter())
            group.create_task(one(number, due))


_board = BOARD.table.c
ASSIGNED = select(_board.request_id).where(
    _board.tenant == bindparam("tenant"), _board.state == "assigned", _board.opened_at >= bindparam("since")
)
"""So small a query that looking takes little from what is looked at."""


async def _look(views: ViewStore, sent: dict[str, float], took: list[float]) -> None:
    wall = time.time() - time.perf_counter()
    while True:
        if sent:
            oldest = min(sent.values())
            rows = await views.fetch(ASSIGNED, tenant=TENANT, since=int((oldest + wall) * 1_000_000))
            now = time.perf_counter()
            took += [now - sent.pop(row["request_id"]) for row in rows if row["request_id"] in sent]
        await asyncio.sleep(LOOK_EVERY_S)


async def _all_in(sent: Collection[str], within: float) -> None:
    deadline = time.monotonic() + within
    while sent:
        if time.monotonic() > deadline:
            raise RuntimeError(f"{len(sent)} requests are not assigned within {within:.0f} s")
        await asyncio.sleep(0.02)


def embedded(folder: Path, seconds: float, rate: int = RATE) -> Latency:
    settings = Settings(data=folder, port=free_port())
    with served(settings) as pid:
        return asyncio.run(_from_outside(settings, f"http://127.0.0.1:{settings.port}", rate, seconds, [pid]))


BESIDE_RATE, SPEED = 20, 1_000
"""Requests a second that leave the machine time for a replay, and the events a second that it is held to."""


def beside_a_replay(folder: Path, seconds: float, rounds: int) -> tuple[float, float]:
    """
    p99 in milliseconds of the same requests beside `fieldloop replay --speed` of what they are recorded in, over and
    over, and without it; embedded, by turns, over all samples of each.
    """
    settings = Settings(data=folder, port=free_port())
    url, found = f"http://127.0.0.1:{settings.port}", {True: list[float](), False: list[float]()}
    with served(settings) as pid:
        for number in range(2 * rounds):
            beside = number % 2 == 1
            with _replaying(folder) if beside else nullcontext():
                named = _from_outside(settings, url, BESIDE_RATE, seconds, [pid], f"{number}", 2.0)
                found[beside] += asyncio.run(named).samples
    cuts = {which: statistics.quantiles(all_of, n=100, method="inclusive") for which, all_of in found.items()}
    return cuts[True][98] * 1_000, cuts[False][98] * 1_000


@contextmanager
def _replaying(folder: Path) -> Iterator[None]:
    ended, process = threading.Event(), list[subprocess.Popen[bytes]]()
    command = [Path(sys.executable).with_name("fieldloop"), "--data", folder]
    said = ["replay", "--speed", str(SPEED), "--json"]

    def run() -> None:
        while not ended.is_set():
            process[:] = [subprocess.Popen([*map(str, command), *said], stdout=subprocess.DEVNULL)]
            process[0].wait()

    replaying = threading.Thread(target=run)
    replaying.start()
    try:
        yield
    finally:
        ended.set()
        while replaying.is_alive():
            if process:
                process[0].terminate()
            replaying.join(0.1)


@contextmanager
def served(settings: Settings) -> Iterator[int]:
    """`fieldloop serve all` in a process of its own, whose pid is given once it is ready."""
    url = f"http://127.0.0.1:{settings.port}"
    command = [Path(sys.executable).with_name("fieldloop"), "--data", settings.data, "up"]
    with (settings.data / "serve.log").open("wb") as log:
        process = subprocess.Popen([*map(str, command), "--port", str(settings.port)], stdout=log, stderr=log)
    try:
        if not until(lambda: process.poll() is not None or _is_ready(url), 60) or process.poll() is not None:
            raise RuntimeError(f"{url} does not come up; see {settings.data / 'serve.log'}")
        yield process.pid
    finally:
        process.terminate()
        process.wait(30)
    _nothing_failed(settings.data)


def _nothing_failed(folder: Path) -> None:
    """A figure is of work that was done: raises RuntimeError for an error in a log."""
    for log in folder.rglob("*.log"):
        for line in log.read_text(errors="replace").splitlines():
            if '"level":"error"' in line:
                raise RuntimeError(f"{log.name}: {line[:500]}")


def _is_ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=1).is_success
    except httpx.TransportError:
        return False


def distributed(folder: Path, seconds: float, rate: int = RATE) -> Latency:
    installation = Installation(folder, free_port())
    try:
        installation.up()
        settings = Settings.from_env(env=installation.env())
        pids = [process.pid for process in installation.processes]
        return asyncio.run(_from_outside(settings, installation.url, rate, seconds, pids))
    finally:
        installation.down()
        _nothing_failed(folder)


async def _from_outside(
    settings: Settings,
    url: str,
    rate: int,
    seconds: float,
    pids: Sequence[int],
    run: str = "run",
    warm_s: float = WARM_S,
    beside: AbstractContextManager[object] | None = None,
) -> Latency:
    views: ViewStore
    if settings.dsn:
        views = await PostgresViews.open(settings.dsn, "dispatcher", dispatcher.views, readonly=True)
    else:
        views = await SqliteViews.open(settings.folder("dispatcher") / "views.db", dispatcher.views, readonly=True)
    try:
        return await measured(url, tokens_of(settings, SystemClock()), views, rate, seconds, pids, run, warm_s, beside)
    finally:
        await views.close()


if __name__ == "__main__":
    import tempfile

    which, how_long, how_many = sys.argv[1], float(sys.argv[2]), int(sys.argv[3])
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        if which == "replay":
            print("p99 in ms beside a replay and without one:", *beside_a_replay(Path(name), how_long, how_many))
        else:
            measure = embedded if which == "embedded" else distributed
            print(replace(measure(Path(name), how_long, how_many), samples=()))
