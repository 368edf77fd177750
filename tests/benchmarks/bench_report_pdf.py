"""
How long a service report takes with 8 photos of 12 megapixels: in this process, and as a route asks for it, by a child
that must start first and by one that is warm.

    .venv/bin/python -m tests.benchmarks.bench_report_pdf
"""

from __future__ import annotations

import asyncio
import statistics
import time
from typing import NamedTuple

from PIL import Image

from fieldwork.adapters.report_pdf import ReportPhoto, ServiceReport, report_pdf
from services.chassis.workshop import Workshop
from tests.fieldwork.pictures import picture
from tests.fieldwork.test_acceptance import report

TIMES = 5


class Paper(NamedTuple):
    """Seconds that a report took, each time."""

    here: list[float]
    """In this process."""
    cpu: float
    """Of that on the average."""
    first: float
    """By a child that must start."""
    warm: list[float]
    size_b: int


def measure() -> Paper:
    contents = [picture(image=Image.effect_noise((4_000, 3_000), 60)) for _ in range(8)]
    photos = [ReportPhoto("before", "2026-11-24 17:20", content) for content in contents]
    told = report(photos=photos, photos_kept=8, record="更换压缩机并重新加注制冷剂。" * 40)
    here, busy, size_b = [], time.process_time(), 0
    for _ in range(TIMES):
        begun = time.perf_counter()
        size_b = len(report_pdf(told))
        here.append(time.perf_counter() - begun)
    cpu = (time.process_time() - busy) / TIMES
    first, *warm = asyncio.run(by_a_child(told))
    return Paper(here, cpu, first, warm, size_b)


async def by_a_child(told: ServiceReport) -> list[float]:
    paper = Workshop("fieldwork.adapters.paper")
    took = []
    for _ in range(TIMES + 1):
        begun = time.perf_counter()
        await paper.done("report", told, within_s=60)
        took.append(time.perf_counter() - begun)
    paper.close()
    return took


def main() -> None:
    found = measure()
    clock = f"median {statistics.median(found.here):.2f} s, slowest {max(found.here):.2f} s"
    print(f"8 photos of 12 MP: {clock}, of it {found.cpu:.2f} s of CPU; {found.size_b // 1000} kB")
    warm = f"warm median {statistics.median(found.warm):.2f} s, slowest {max(found.warm):.2f} s"
    print(f"by a child: the first {found.first:.2f} s, {warm}")


if __name__ == "__main__":
    main()
