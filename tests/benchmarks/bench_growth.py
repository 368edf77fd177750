"""
What an event costs as the journal grows: CPU per command of intake, its view among it, at two lengths of one journal.

Each figure is the median of five runs of 2,000 commands at that length. Between them the journal is filled by imports
of the same kind, so that its indexes, streams and receipts are as long as they would be.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from services.chassis.running import Running
from tests.benchmarks.bench_command import ask_all, on_sqlite
from tests.benchmarks.measure import median

RUN = 2_000
RUNS = 5


async def measure(folder: Path, short: int, long: int) -> tuple[float, float]:
    """Microseconds of CPU per event at the one length and at the other."""
    async with on_sqlite(folder) as running:
        used = await _grown(running, 0, short)
        at_short, used = await _cost(running, used)
        used = await _grown(running, used, long)
        at_long, used = await _cost(running, used)
        return at_short, at_long


async def _grown(running: Running, used: int, to: int) -> int:
    """Commands until the journal is so long; returns the first number that is not used yet."""
    assert running.writer
    while (lacking := to - running.writer.position) > 0:
        many = min(lacking, 20_000)
        await ask_all(running, used, many, clients=512)
        used += many
    return used


async def _cost(running: Running, used: int) -> tuple[float, int]:
    costs = []
    for _ in range(RUNS):
        span = await ask_all(running, used, RUN)
        used += RUN
        costs.append(span.cpu / RUN * 1e6)
    return median(costs), used


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        print(asyncio.run(measure(Path(name), int(sys.argv[1]), int(sys.argv[2]))))
