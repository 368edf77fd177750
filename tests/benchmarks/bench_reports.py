"""
How long every report takes in every grouping over a year of 100,000 requests, through its route.

    python -m tests.benchmarks.bench_reports                    # SQLite; the bar is 1 s
    python -m tests.benchmarks.bench_reports --postgres         # as well; the bar is 300 ms
    python -m tests.benchmarks.bench_reports --requests 10000

Judged is the CPU that an answer takes, of this process and of the database server together: no longer it takes on a
machine that has a core for it. The time by the clock is beside it; on a busy machine it says what the others do.

The events of the year (`tests/reporting/history.py`, 1.1 million of them) go through the folds of the views, as the
projector runs them; the rows are put into the tables at once. The journal is left out: no report reads it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import resource
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import islice
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from deploy.postgres.local import LocalPostgres, missing
from reporting.projections.engineer_hours import ENGINEERS
from reporting.projections.order_costs import ORDER_COSTS
from reporting.projections.order_timeline import ORDER_TIMELINE
from reporting.projections.request_story import REQUEST_STORY
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
SHARED = (ENGINEERS, ORDER_COSTS, STAFF_ANSWERS, REQUEST_STORY)
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
        yield rows_of(shared=False)
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


async def measure(
    store: str, folder: Path, requests: int, only: str, dsn: str | None = None, postmaster: int | None = None
) -> None:
    print(f"\n{store}, {requests} requests of a year; the bar is {BARS[store]} s\n")
    begun = time.perf_counter()
    over, late = [], 0
    async with reporting(folder, dsn) as it:
        it.api.clock.set(YEAR_BEGINS.replace(year=2026, month=12, day=31))
        await (fill_postgres if dsn else fill_sqlite)(it, requests)
        gc.collect()
        gc.freeze()
        print(f"(filled in {time.perf_counter() - begun:.0f} s)\n")
        print("| report | by | period | CPU, s | of it the server's | by the clock, s | groups |")
        print("|---|---|---|---|---|---|---|")
        for name in REPORTS:
            if only in name:
                for grouping in groupings(name):
                    cpu, server, took, groups = await time_of(it, name, grouping, postmaster)
                    over.append(cpu > BARS[store])
                    late += took > BARS[store]
                    said = " | ".join([name, grouping.get("by", "") or "-", grouping.get("period", "") or "-"])
                    mark = " **over**" if over[-1] else ""
                    print(f"| {said} | {cpu:.3f}{mark} | {server:.3f} | {took:.3f} | {groups} |", flush=True)
    load = Path("/proc/loadavg").read_text().split()[0]
    print(f"\n{sum(over)} of {len(over)} over the bar; by the clock {late}, at a load of {load}")


async def time_of(
    it: Reporting, name: str, grouping: dict[str, str], postmaster: int | None
) -> tuple[float, float, float, int]:
    """Of three times the least CPU, the server's part of it, and the least by the clock; and how many groups."""
    cpus, clocks, groups = [], [], 0
    for _ in range(3):
        before = time.perf_counter(), time.process_time(), server_cpu(postmaster)
        answer = await it.get(f"/v1/reports/{name}", **YEAR, **{k: v for k, v in grouping.items() if v})
        took, own = time.perf_counter() - before[0], time.process_time() - before[1]
        assert answer.status_code == 200, answer.text
        clocks.append(took)
        cpus.append((own + (server := server_cpu(postmaster) - before[2]), server))
        groups = len(answer.json()["groups"])
    return *min(cpus), min(clocks), groups


def server_cpu(postmaster: int | None) -> float:
    """What the server and its processes have taken, those that ended too; seconds, to a hundredth."""
    if postmaster is None:
        return 0.0
    ticks = 0
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # After the name, which may hold anything: state, parent, …, then user, system, and both of ended children.
            pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
            if postmaster in (pid, int(rest[1])):
                ticks += sum(map(int, rest[11 : 15 if pid == postmaster else 13]))
    return ticks / os.sysconf("SC_CLK_TCK")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--requests", type=int, default=MANY)
    asked.add_argument("--postgres", action="store_true", help="measure PostgreSQL as well")
    asked.add_argument("--only-postgres", action="store_true")
    asked.add_argument("--only", default="", help="reports with this in their name")
    said = asked.parse_args()
    with TemporaryDirectory() as folder:
        if not said.only_postgres:
            asyncio.run(measure("SQLite", Path(folder) / "a", said.requests, said.only))
        if said.postgres or said.only_postgres:
            if lack := missing():
                print(f"PostgreSQL was not measured: {lack}")
                return
            with LocalPostgres(Path(folder) / "data") as local:
                here = Path(folder) / "b"
                asyncio.run(measure("PostgreSQL", here, said.requests, said.only, local.dsn(), local.pid))
    print(f"\nat most {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB of memory")


if __name__ == "__main__":
    main()
