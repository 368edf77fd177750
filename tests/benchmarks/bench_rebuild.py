"""
Rebuilding all views of a service from its journal: events per second.

ours    `rebuild` of intake's four views: chained records of the journal, folds, upserts, checkpoints
raw     hand-written: the same pages read and decoded by msgspec, and the very rows that ours wrote put into the same
        tables, page by page; nothing folds them
peer    `eventsourcing` 9.5: a projection with tracking on PostgreSQL, which puts no row at all
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from eventsourcing.application import Application

from contracts import envelope as envelopes
from intake.commands import DefineRequestType, RegisterCustomer, RegisterDevice, SubmitRequest
from services.chassis.journal.sqlite import connect
from services.chassis.journal.work import Ask
from services.chassis.readers import rebuild as rebuilding
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.readers.viewstore import Change, ViewStore
from services.chassis.running import Running
from tests.benchmarks.bench_command import Device as PeerDevice
from tests.benchmarks.bench_command import Devices, on_postgres, on_sqlite, peer_env
from tests.benchmarks.measure import Span, crowd, timed

PAGE = rebuilding.PAGE


def commands(events: int) -> Iterator[Any]:
    """A tenth customers, a fifth devices; the others ask for something, each two events."""
    yield DefineRequestType(type_id="repair", name="Repair", min_description=2)
    customers, devices, asks = events // 10, events // 5, events * 7 // 20
    place = {"street": "Renmin 1", "region": "Changchun", "lat_udeg": 43_817_000, "lon_udeg": 125_323_500}
    for n in range(customers):
        yield RegisterCustomer(customer_id=f"R{n:06}", name="Zhang Wei", phone=f"138{n:08}", **place)
    for n in range(devices):
        facts = {"model": "KFR-35GW", "serial": f"S-{n:08}", "skill": "air-conditioning"}
        yield RegisterDevice(device_id=f"D{n:06}", customer_id=f"R{n % customers:06}", **facts)
    for n in range(asks):
        device = n % devices
        yield SubmitRequest(
            request_id=f"0193a0f1-7c2e-7d3a-8b5c-{n:012d}",
            request_type="repair",
            customer_id=f"R{device % customers:06}",
            device_id=f"D{device:06}",
            description="It does not cool, and the compressor is loud",
            day=f"2026-{1 + n // 1000 % 12:02}-{1 + n % 28:02}",
        )


async def fill(running: Running, events: int) -> None:
    assert running.writer
    writer, every = running.writer, list(commands(events))

    async def ask(number: int) -> None:
        (await writer.ask(Ask(command=every[number], tenant="t-1", actor="agent:a", caller="a"))).or_raise()

    kinds = [type(command) for command in every]
    begin = 0
    for end in sorted({kinds.index(SubmitRequest), kinds.index(RegisterDevice), 1, len(every)}):
        await crowd(128, ask, range(begin, end))
        begin = end
    assert running.projector
    await running.projector.wait_for(writer.position, 60)


class _Noted:
    """Notes what is committed to a store, and how often."""

    def __init__(self, store: ViewStore) -> None:
        self.commits: list[Sequence[Change]] = []
        self._commit = store.commit
        store.commit = self.note  # type: ignore[method-assign]

    async def note(self, changes: Sequence[Change]) -> None:
        self.commits.append(changes)
        await self._commit(changes)


async def ours(running: Running) -> tuple[int, Span]:
    fresh = await running.views.beside()
    with timed() as span:
        report = await rebuilding.rebuild(running.journal, running.views, fresh)
    assert not report.failed
    await fresh.close()
    return report.events, span


async def noted(running: Running) -> list[Sequence[Change]]:
    fresh = await running.views.beside()
    note = _Noted(fresh)
    await rebuilding.rebuild(running.journal, running.views, fresh)
    await fresh.close()
    return note.commits


async def raw(running: Running, journal: Path, commits: Sequence[Sequence[Change]]) -> Span:
    fresh = await running.views.beside()
    assert isinstance(fresh, SqliteViews)
    puts = {name: table.put for name, table in fresh._tables.items()}
    source, target = connect(journal, readonly=True), fresh._db
    with timed() as span:
        position = 0
        for changes in commits:
            rows = source.execute(
                "SELECT record FROM events WHERE position > ? ORDER BY position LIMIT ?", (position, PAGE)
            ).fetchall()
            position += len(rows)
            for (record,) in rows:
                envelopes.payload(envelopes.read(record))
            target.execute("BEGIN IMMEDIATE")
            for change in changes:
                target.executemany(puts[change.view.name], change.put)
            target.execute("UPDATE _checkpoints SET position = ?", (position,))
            target.execute("COMMIT")
    source.close()
    await fresh.close()
    return span


async def on_sqlite_beside_raw(folder: Path, events: int, rounds: int) -> list[tuple[int, Span, Span]]:
    """Per round: how many events, ours, raw."""
    async with on_sqlite(folder) as running:
        await fill(running, events)
        commits = await noted(running)
        found = []
        for _ in range(rounds):
            mine = await ours(running)
            found.append((*mine, await raw(running, folder / "journal.db", commits)))
        return found


async def on_postgres_alone(dsn: str, folder: Path, events: int, rounds: int) -> list[tuple[int, Span]]:
    async with on_postgres(dsn, folder) as running:
        await fill(running, events)
        return [await ours(running) for _ in range(rounds)]


def peer(dsn: str, folder: Path, events: int) -> tuple[int, Span]:
    from eventsourcing.postgres import PostgresTrackingRecorder  # it needs psycopg, which we do not
    from eventsourcing.projection import Projection, ProjectionRunner

    class View(PostgresTrackingRecorder):
        seen = 0

    class Projected(Projection[View]):
        name = "benchmark"
        topics = ()

        def process_event(self, _: Any, tracking: Any) -> None:
            self.view.insert_tracking(tracking)
            self.view.seen += 1

    env = peer_env(dsn, folder)
    app: Application[Any] = Devices(env)
    device = PeerDevice()
    for number in range(events):
        facts = {"customer_id": "C1", "model": "KFR-35GW", "serial": f"S-{number}", "skill": "air-conditioning"}
        device.register(tenant="t-1", actor="agent:a-1", correlation_id="device/1", **facts)
        if number % 100 == 99:
            app.save(device)
    app.save(device)
    app.close()
    with timed() as span:
        deadline = time.monotonic() + 30
        with ProjectionRunner(application_class=Devices, projection_class=Projected, view_class=View, env=env) as run:
            while run.projection.view.seen < events and time.monotonic() < deadline:
                time.sleep(0.01)
            seen = run.projection.view.seen
    return seen, span


if __name__ == "__main__":
    import sys
    import tempfile

    with tempfile.TemporaryDirectory() as name:
        for count, mine, least in asyncio.run(on_sqlite_beside_raw(Path(name), int(sys.argv[1]), 3)):
            print(
                f"{count / mine.wall:,.0f} /s, raw {count / least.wall:,.0f} /s: {least.wall / mine.wall:.2f}; "
                f"by CPU {least.cpu / mine.cpu:.2f}"
            )
