"""
How long a service report takes with 8 photos of 12 megapixels: in this process, and as a route asks for it, by a child
that must start first and by one that is warm.

    .venv/bin/python -m tests.benchmarks.bench_report_pdf
"""

from __future__ import annotations

import asyncio
import statistics
import time

from PIL import Image

from fieldwork.adapters.report_pdf import ReportPhoto, ServiceReport, report_pdf
from services.chassis.workshop import Workshop
from tests.fieldwork.pictures import picture
from tests.fieldwork.test_acceptance import report


def main() -> None:
    contents = [picture(image=Image.effect_noise((4_000, 3_000), 60)) for _ in range(8)]
    photos = [ReportPhoto("before", "2026-11-24 17:20", content) for content in contents]
    told = report(photos=photos, photos_kept=8, record="更换压缩机并重新加注制冷剂。" * 40)
    took, busy = [], time.process_time()
    for _ in range(5):
        begun = time.perf_counter()
        size_b = len(report_pdf(told))
        took.append(time.perf_counter() - begun)
    busy = (time.process_time() - busy) / len(took)
    clock = f"median {statistics.median(took):.2f} s, slowest {max(took):.2f} s"
    print(f"8 photos of 12 MP: {clock}, of it {busy:.2f} s of CPU; {size_b // 1000} kB")
    asyncio.run(by_a_child(told))


async def by_a_child(told: ServiceReport) -> None:
    paper = Workshop("fieldwork.adapters.paper")
    took = []
    for _ in range(6):
        begun = time.perf_counter()
        await paper.done("report", told, within_s=60)
        took.append(time.perf_counter() - begun)
    paper.close()
    warm = took[1:]
    print(
        f"by a child: the first {took[0]:.2f} s, warm median {statistics.median(warm):.2f} s, slowest {max(warm):.2f} s"
    )


if __name__ == "__main__":
    main()
