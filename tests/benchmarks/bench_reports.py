"""
How long every report takes in every grouping over a year of 100,000 requests, through its route.

    python -m tests.benchmarks.bench_reports                    # SQLite; the bar is 1 s
    python -m tests.benchmarks.bench_reports --postgres         # as well; the bar is 300 ms
    python -m tests.benchmarks.bench_reports --requests 10000

The events of the year (`tests/reporting/history.py`, 1.1 million of them) go through the folds of the views, as the
projector runs them; the rows are put into the tables at once. The journal is left out: no report reads it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import resource
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from deploy.postgres.local import LocalPostgres, missing
from reporting.projections.engineer_hours import ENGINEERS
from reporting.projections.order_timeline import ORDER_TIMELINE
from reporting.projections.rates import ENGINEER_RATES, PART_COSTS
from reporting.projections.staff_answers import STAFF_ANSWERS
from reporting.reports import REPORTS
from reporting.service import service
from services.chassis.clock import micros
from services.chassis.readers.rows import CachedRows
from tests.fold import TENANT, enveloped
from tests.reporting.history import YEAR_BEGINS, Company
from tests.reporting.running import Reporting, reporting

MANY = 100_000
CHUNK = 5_000
YEAR = {"from": "2026-01-01", "to": "2026-12-31"}
PERIODS = ("", "day", "week", "month")
SHARED = (ENGINEERS, ENGINEER_RATES, PART_COSTS, STAFF_ANSWERS)
"""Their rows are changed by many requests."""

BARS = {"SQLite": 1.0, "PostgreSQL": 0.3}


def groupings(name: str) -> list[dict[str, str]]:
    """Nothing, each period, each group, and each group by month."""
    report = REPORTS[name]
    if report.compute is not None:
        return [{}]
    asked = [{"by": by, "period": period} for by in ("", *report.by) for period in PERIODS]
    return [one for one in asked if not one["by"] or one["period"] in ("", "month")]


def rows_of_the_year(requests: int) -> Iterator[dict[str, list[tuple[object, ...]]]]:
    """The rows of all views by the view's name, some thousand requests at a time."""
    company = Company(1, YEAR_BEGINS, 365, engineers=150, parts=300, regions=30, models=40, devices=40_000)
    folds = [(view, CachedRows(view, most=1 << 40)) for view in service.views]

    def fold(told) -> None:
        for event, envelope in enveloped(told):
            for view, rows in folds:
                if isinstance(event, view.reads):
                    rows.tenant = envelope.tenant
                    view.apply(rows, event, envelope)

    def rows_of(shared: bool) -> dict[str, list[tuple[object, ...]]]:
        return {view.name: rows.split()[0] for view, rows in folds if (view in SHARED) == shared}

    fold([*company.founding(), *company.answers()])
    numbers = iter(range(requests))
    while chunk := list(islice(numbers, CHUNK)):
        # All that touches a row comes in one chunk, so that rows can be forgotten with it.
        fold([one for n in chunk for one in company.request(n, requests)])
        # The row of complaints that are about no request comes with each chunk, and counts nowhere.
        yield {name: [row for row in rows if row[1]] for name, rows in rows_of(shared=False).items()}
        for view, rows in folds:
            if view not in SHARED:
                rows.changed.clear()
    yield rows_of(shared=True)


def cases(requests: int) -> Iterator[tuple[object, ...]]:
    """Rows of cases that support teams handed on; their fold is measured with the real log."""
    minute = 60_000_000
    for n in range(requests):
        at = micros(YEAR_BEGINS) + n * 300_000_000
        case = {
            "steps": 9,
            "opened_at": at,
            "first_finished_at": at + n % 900 * minute,
            "last_at": at + n % 990 * minute,
            "impact": ("Low", "Medium", "High")[n % 3],
            "teams": f"T{n % 600} 2nd",
            "facts": bytes(300),
        }
        yield TENANT, f"c-{n:06}", *(ORDER_TIMELINE.defaults | case).values()


async def fill_sqlite(it: Reporting, requests: int) -> None:
    with it.api.views._connect(readonly=False) as db:
        for found in all_rows(requests):
            db.execute("BEGIN")
            for name, rows in found.items():
                if rows:
                    db.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(rows[0]))})', rows)
            db.execute("COMMIT")


async def fill_postgres(it: Reporting, requests: int) -> None:
    db = await asyncpg.connect(it.api.views._dsn)
    for found in all_rows(requests):
        for name, rows in found.items():
            if rows:
                await db.copy_records_to_table(name, schema_name=it.api.views._schema, records=rows)
    await db.execute("ANALYZE")
    await db.close()


def all_rows(requests: int) -> Iterator[dict[str, list[tuple[object, ...]]]]:
    yield from rows_of_the_year(requests)
    yield {ORDER_TIMELINE.name: list(cases(requests))}


async def measure(store: str, folder: Path, requests: int, dsn: str | None, only: str) -> bool:
    print(f"\n{store}, {requests} requests of a year; the bar is {BARS[store]} s\n")
    begun = time.perf_counter()
    missed = False
    async with reporting(folder, dsn) as it:
        it.api.clock.set(YEAR_BEGINS.replace(year=2026, month=12, day=31))
        await (fill_postgres if dsn else fill_sqlite)(it, requests)
        gc.collect()
        gc.freeze()
        print(f"(filled in {time.perf_counter() - begun:.0f} s)\n")
        print("| report | by | period | best of 3, s | CPU of this process, s | groups |\n|---|---|---|---|---|---|")
        for name in REPORTS:
            if only in name:
                for grouping in groupings(name):
                    took, cpu, groups = await time_of(it, name, grouping)
                    over = took > BARS[store]
                    missed |= over
                    said = " | ".join([name, grouping.get("by", "") or "-", grouping.get("period", "") or "-"])
                    print(f"| {said} | {took:.3f}{' **over**' if over else ''} | {cpu:.3f} | {groups} |", flush=True)
    return missed


async def time_of(it: Reporting, name: str, grouping: dict[str, str]) -> tuple[float, float, int]:
    best = (9e9, 9e9, 0)
    for _ in range(3):
        begun, cpu = time.perf_counter(), time.process_time()
        answer = await it.get(f"/v1/reports/{name}", **YEAR, **{k: v for k, v in grouping.items() if v})
        took = time.perf_counter() - begun, time.process_time() - cpu
        assert answer.status_code == 200, answer.text
        best = min(best, (*took, len(answer.json()["groups"])))
    return best


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--requests", type=int, default=MANY)
    asked.add_argument("--postgres", action="store_true", help="measure PostgreSQL as well")
    asked.add_argument("--only-postgres", action="store_true")
    asked.add_argument("--only", default="", help="reports with this in their name")
    said = asked.parse_args()
    with TemporaryDirectory() as folder:
        if not said.only_postgres:
            asyncio.run(measure("SQLite", Path(folder) / "a", said.requests, None, said.only))
        if said.postgres or said.only_postgres:
            if lack := missing():
                print(f"PostgreSQL was not measured: {lack}")
                return
            with LocalPostgres(Path(folder) / "data") as local:
                asyncio.run(measure("PostgreSQL", Path(folder) / "b", said.requests, local.dsn(), said.only))
    print(f"\nat most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB of memory")


if __name__ == "__main__":
    main()
