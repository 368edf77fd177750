"""
How long a service report takes with 8 photos of 12 megapixels, in this process.

    .venv/bin/python -m tests.benchmarks.bench_report_pdf
"""

from __future__ import annotations

import statistics
import time

from PIL import Image

from fieldwork.adapters.report_pdf import ReportPhoto, report_pdf
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


if __name__ == "__main__":
    main()
