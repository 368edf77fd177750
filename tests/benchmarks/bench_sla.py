"""
A calendar is changed, and every order that it measured is looked at again: orders per second, and the memory it takes.

The orders were opened over a year, with three clocks each, and finished the day after; then the office is said to
have opened an hour later all the year, so that what was used up is otherwise for most of them. It is the dispatcher as
it runs, journal, policies, views and all, on SQLite. `--holiday` changes one day in the stead of all: then the orders
of that day alone are looked at, however many there are.

    python -m tests.benchmarks.bench_sla --orders 1000000
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, get_args

import structlog
import uvloop
from sqlalchemy import bindparam, select

from contracts.intake import Urgency
from dispatcher.commands import (
    CalendarDay,
    CalendarHours,
    CalendarWeek,
    ChangeCalendar,
    ClockAgreed,
    DefineCalendar,
    DefineSla,
    ImportHolidays,
    MoveClocks,
    StartClocks,
)
from dispatcher.projections.restatements import RESTATEMENTS
from services.chassis.clock import SetClock, micros
from services.chassis.journal.work import Ask
from services.chassis.running import Running
from services.host import Host
from services.serving import calm_collector
from services.settings import Settings
from tests.benchmarks.measure import Span, crowd, timed
from tests.dispatcher.test_running import NoKeys, alone

YEAR = datetime(2026, 1, 1, tzinfo=UTC)
AFTER = datetime(2027, 1, 1, tzinfo=UTC)
TENANT = "t-1"
CLIENTS = 256
LOOK_S = 1.0

_PROGRESS = select(RESTATEMENTS.table).where(
    RESTATEMENTS.table.c.tenant == bindparam("tenant"), RESTATEMENTS.table.c.calendar_id == bindparam("calendar_id")
)


@dataclass(frozen=True)
class Found:
    orders: int
    looked_at: int
    restated: int
    filled: Span
    span: Span
    before_mib: float
    most_mib: float
    """Resident memory before the change, and the most of it that was seen until it was through."""
    longest_s: float
    """The longest time for which the process could do nothing else."""
    journal_mib: float


def week(opens: int) -> tuple[CalendarWeek, ...]:
    return (
        CalendarWeek(hours=tuple(CalendarHours(weekday=day, from_minute=opens, to_minute=1_080) for day in range(5))),
    )


OFFICE: dict[str, Any] = {"calendar_id": "office", "name": "Office", "zone": "Asia/Shanghai", "years": (2026,)}


async def measure(folder: Path, orders: int, holiday: bool = False, told: bool = False) -> Found:
    """`told`: how far it has come is printed."""
    clock = SetClock(YEAR)
    async with Host(Settings(data=folder), [alone()], NoKeys(), clock=clock) as host:
        assert await host.led(30)
        running = host.running["dispatcher"]
        with timed() as filled:
            await fill(running, orders, told)
        clock.set(AFTER)
        running.timers.wake()
        while await running.journal.due(micros(AFTER), 1):
            await asyncio.sleep(0.1)  # Nobody was assigned within half an hour: that is told first.
        assert await host.idle(600)
        before = resident_mib()
        with timed() as span:
            await _ask(running, _change(holiday))
            row, most, longest = await _followed(running, told)
        size = (folder / "dispatcher" / "journal.db").stat().st_size / 2**20
        figures = row["orders"], row["looked_at"], row["restated"]
        return Found(*figures, filled, span, before, most, longest, size)


def _change(holiday: bool) -> ChangeCalendar | ImportHolidays:
    if holiday:
        day = CalendarDay(day=date(2026, 6, 19), name="端午节")
        return ImportHolidays(calendar_id="office", years=(2026,), days=(day,), reason="late notice")
    return ChangeCalendar(**OFFICE, weeks=week(600), reason="it opened at ten")


async def fill(running: Running, orders: int, told: bool) -> None:
    """Each order is opened at a time of the year and finished some hours later."""
    await _ask(running, DefineCalendar(**OFFICE, weeks=week(540)))
    times = {"low_s": 72 * 3_600, "normal_s": 48 * 3_600, "high_s": 36 * 3_600, "critical_s": 24 * 3_600}
    clocks = tuple(ClockAgreed(clock=clock, calendar_id="office", **times) for clock in ("arrive", "fix"))
    await _ask(running, DefineSla(sla_id="standard", name="Standard", clocks=clocks, now=YEAR))
    assert running.writer
    writer, step, urgencies = running.writer, timedelta(days=360) / orders, get_args(Urgency)

    def of_order(number: int) -> Iterator[StartClocks | MoveClocks]:
        ids = {"order_id": f"o-{number * 7_919 % orders:07}", "request_id": f"r-{number:07}"}
        opened_at = YEAR + number * step
        facts = {"request_type": "repair", "urgency": urgencies[number % 4], "opened_at": opened_at}
        yield StartClocks(**ids, **facts, now=opened_at)
        done_at = opened_at + timedelta(hours=30)
        yield MoveClocks(**ids, happening="finished", happened_at=done_at, now=done_at)

    async def one(number: int) -> None:
        for command in of_order(number):
            (await writer.ask(Ask(command=command, tenant=TENANT, actor="bench", caller="bench"))).or_raise()

    for first in range(0, orders, 10_000):
        await crowd(CLIENTS, one, range(first, min(first + 10_000, orders)))
        if told:
            print(f"{min(first + 10_000, orders):,} orders opened, {resident_mib():.0f} MiB", file=sys.stderr)


async def _ask(running: Running, command: Any) -> None:
    await running.ask(Ask(command=command, tenant=TENANT, actor="bench", caller="bench"))


async def _followed(running: Running, told: bool) -> tuple[Any, float, float]:
    """Until all was looked at: where it stands, the most memory, the longest that nothing else could be done."""
    begun, most, longest, said = time.perf_counter(), 0.0, 0.0, 0.0
    while True:
        looked = time.perf_counter()
        rows = await running.fetch(_PROGRESS, tenant=TENANT, calendar_id="office")
        row = rows[-1] if rows else None
        most = max(most, resident_mib())
        if told and row and looked - said > 10 * LOOK_S:
            said, rate = looked, row["looked_at"] / (looked - begun)
            print(
                f"{row['looked_at']:,} of {row['orders']:,}, {rate:,.0f} a second, {resident_mib():.0f} MiB",
                file=sys.stderr,
            )
        if row and row["done_at"]:
            return row, most, longest
        for _ in range(int(LOOK_S / 0.01)):
            slept = time.perf_counter()
            await asyncio.sleep(0.01)
            longest = max(longest, time.perf_counter() - slept - 0.01)


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.bench_sla", description=__doc__)
    parser.add_argument("--orders", type=int, default=100_000)
    parser.add_argument("--holiday", action="store_true", help="one day is changed, and not all")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    calm_collector()
    with tempfile.TemporaryDirectory(prefix="fieldloop-bench-sla-") as name:
        found = uvloop.run(measure(Path(name), options.orders, options.holiday, told=True))
    each, rate = found.span.cpu / max(1, found.looked_at) * 1e6, found.looked_at / found.span.wall
    print(
        f"{options.orders:,} orders opened and finished in {found.filled.wall:,.0f} s; "
        f"the journal has {found.journal_mib:,.0f} MiB\n"
        f"{found.looked_at:,} looked at, {found.restated:,} restated in {found.span.wall:,.0f} s: "
        f"{rate:,.0f} orders a second, {each:,.0f} µs of CPU each\n"
        f"memory {found.before_mib:,.0f} MiB before and {found.most_mib:,.0f} MiB at most; "
        f"at the longest, nothing else was done for {found.longest_s * 1_000:,.0f} ms"
    )


if __name__ == "__main__":
    main()
