"""What every benchmark here measures with: rows of the table, clocks, and a crowd of clients."""

from __future__ import annotations

import asyncio
import os
import statistics
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One line of the table. A figure that a row has no use for is None; `holds` is when it could not be measured."""

    name: str
    bar: str
    ours: float | None = None
    raw: float | None = None
    peer: float | None = None
    ratio_raw: float | None = None
    ratio_peer: float | None = None
    holds: bool | None = None
    note: str = ""


@dataclass
class Span:
    """How long something took, on the clock and in CPU."""

    wall: float = 0.0
    cpu: float = 0.0


@contextmanager
def timed(pids: Sequence[int] = ()) -> Iterator[Span]:
    """CPU is that of this process, or of the processes that are named."""
    span = Span()
    cpu, wall = _cpu(pids), time.perf_counter()
    yield span
    span.wall, span.cpu = time.perf_counter() - wall, _cpu(pids) - cpu


def _cpu(pids: Sequence[int]) -> float:
    return sum(map(cpu_of, pids)) if pids else time.process_time()


def cpu_of(pid: int) -> float:
    """Seconds of CPU that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def settle() -> None:
    """Let the disk finish what an earlier measurement wrote, so that the next one does not wait for it."""
    os.sync()
    time.sleep(0.2)


async def crowd(clients: int, each: Callable[[int], Awaitable[object]], numbers: Iterable[int]) -> None:
    """So many clients, each of whom asks, waits for the answer, and asks again until all numbers are used."""
    left = iter(numbers)

    async def client() -> None:
        for number in left:
            await each(number)

    await asyncio.gather(*[client() for _ in range(clients)])


class GroupCommit:
    """The least that a hand-written group commit is: whoever waits is written together, in a thread, then told."""

    def __init__(self, commit: Callable[[list[object]], Awaitable[None]]) -> None:
        self._commit = commit
        self._queue: list[tuple[object, asyncio.Future[None]]] = []
        self._wake = asyncio.Event()

    def put(self, what: object) -> asyncio.Future[None]:
        done = asyncio.get_running_loop().create_future()
        self._queue.append((what, done))
        self._wake.set()
        return done

    async def run(self) -> None:
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            batch, self._queue = self._queue, []
            await self._commit([what for what, _ in batch])
            for _, done in batch:
                done.set_result(None)


def in_thread(
    pool: ThreadPoolExecutor, work: Callable[[list[object]], None]
) -> Callable[[list[object]], Awaitable[None]]:
    async def commit(batch: list[object]) -> None:
        await asyncio.get_running_loop().run_in_executor(pool, work, batch)

    return commit


def median(figures: Iterable[float]) -> float:
    return statistics.median(figures)
