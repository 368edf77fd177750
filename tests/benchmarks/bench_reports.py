"""How long each report takes over 100,000 requests: `python -m tests.benchmarks.bench_reports`. The promise is 1 s."""

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from reporting.projections.engineer_hours import VISITS
from reporting.projections.order_timeline import ORDER_TIMELINE
from reporting.projections.request_story import REQUEST_STORY
from reporting.reports import REPORTS
from services.chassis.clock import micros
from tests.fold import TENANT
from tests.given import NOW
from tests.reporting.examples import DAY
from tests.reporting.running import reporting

MANY = 100_000


async def measure(folder: Path) -> None:
    async with reporting(folder / "reporting") as it:
        fill(it.api.views)
        for name in REPORTS:
            took = []
            for _ in range(3):
                begun = time.perf_counter(), time.process_time()
                await it.report(name)
                took.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
            wall, cpu = min(took)
            print(f"{name:14} {wall:6.3f} s, of which the processor {cpu:6.3f} s")


def fill(views):
    """100,000 requests of 30 days, with their visits and as many cases."""
    start, minute = micros(NOW - 29 * DAY), 60_000_000
    stories, visits, cases = [], [], []
    for n in range(MANY):
        at = start + n * 25_000_000
        story = {
            "received_at": at,
            "assigned_at": at + n % 90 * minute,
            "arrived_at": at + n % 300 * minute,
            "planned_at": at + 150 * minute,
            "completed_at": at + n % 300 * minute + n % 7,
            "device_id": f"d-{n % 5_000}",
            "rating": n % 5 + 1,
            "attitude": n % 5 + 1 if n % 3 else None,
        }
        stories.append((TENANT, f"r-{n:06}", *(REQUEST_STORY.defaults | story).values()))
        hours = {"departed_at": at, "arrived_at": at + minute, "left_at": at + n % 90 * minute, "completed": True}
        visits.append((TENANT, f"v-{n:06}", *(VISITS.defaults | hours | {"engineer_id": f"e-{n % 1_000}"}).values()))
        case = {
            "steps": 9,
            "opened_at": at,
            "first_finished_at": at + n % 900 * minute,
            "last_at": at + n % 990 * minute,
            "impact": ("Low", "Medium", "High")[n % 3],
            "teams": f"T{n % 600} 2nd",
            "facts": bytes(300),
        }
        cases.append((TENANT, f"o-{n:06}", *(ORDER_TIMELINE.defaults | case).values()))
    with views._connect(readonly=False) as db:
        for view, rows in ((REQUEST_STORY, stories), (VISITS, visits), (ORDER_TIMELINE, cases)):
            db.executemany(f'INSERT INTO "{view.name}" VALUES ({", ".join("?" * len(rows[0]))})', rows)


if __name__ == "__main__":
    with TemporaryDirectory() as folder:
        asyncio.run(measure(Path(folder)))
