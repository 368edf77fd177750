"""
The full command in process, durable: commands per second at 128 concurrent clients.

ours    `RegisterDevice` of intake as a route asks it: validated by pydantic, idempotency receipt, claim on the serial
        number, decided over two streams, recorded, chained, committed with its batch, folded into the view, waited for
raw     the same records into one table by a hand-written group commit, no more
peer    `eventsourcing` 9.5: `save()` of one event of the same fields; on PostgreSQL by four threads
"""

from __future__ import annotations

import asyncio
import hashlib
import sqlite3
import threading
from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import msgspec
from eventsourcing.application import Application
from eventsourcing.domain import Aggregate

from intake.commands import RegisterCustomer, RegisterDevice
from intake.service import service as intake
from services.chassis.bus.ingest import DeadLetterFile
from services.chassis.clock import SystemClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.postgres import Lease, PostgresJournal, prepare
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import JournalStore
from services.chassis.journal.work import Ask
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.readers.viewstore import ViewStore
from services.chassis.running import Running
from services.gateway.persons import MemoryBook, PersonKeys
from tests.benchmarks.measure import GroupCommit, Span, crowd, in_thread, timed

CLIENTS = 128
THREADS = 4
CUSTOMERS = 200


def body(number: int) -> bytes:
    """What a caller sends."""
    device = {
        "device_id": f"0193a0f1-7c2e-7d3a-8b5c-{number:012d}",
        "customer_id": f"C{number % CUSTOMERS:05d}",
        "model": "KFR-35GW",
        "serial": f"KFR-35GW-{number:012d}",
        "skill": "air-conditioning",
    }
    return msgspec.json.encode(device)


@asynccontextmanager
async def running_on(journal: JournalStore, views: ViewStore, folder: Path) -> AsyncIterator[Running]:
    """Intake's writing side, all of it but the bus."""
    clock = SystemClock()
    new_id = new_ids(lambda: micros(clock.now()) // 1_000)
    running = Running(intake, journal, views, folder, keys=PersonKeys(MemoryBook()), clock=clock, new_id=new_id)
    leading = asyncio.create_task(running.lead(journal, None, DeadLetterFile(folder / "dead"), None))
    while running.writer is None:
        if leading.done():
            leading.result()
        await asyncio.sleep(0.01)
    try:
        for number in range(CUSTOMERS):
            place = {"street": "Renmin 1", "region": "Changchun", "lat_udeg": 43_817_000, "lon_udeg": 125_323_500}
            customer = RegisterCustomer(customer_id=f"C{number:05d}", name="A B", phone="13800000000", **place)
            await running.ask(Ask(command=customer, tenant="t-1", actor="agent:a-1", caller="a-1"))
        yield running
    finally:
        leading.cancel()
        await asyncio.gather(leading, return_exceptions=True)
        await views.close()
        await journal.close()


async def ask(running: Running, number: int, sent: bytes) -> None:
    """What a route does with a body."""
    await running.ask(
        Ask(
            command=RegisterDevice.model_validate_json(sent),
            tenant="t-1",
            actor="agent:a-1",
            caller="a-1",
            key=f"key-{number}",
            request_hash=hashlib.sha256(sent).digest(),
        )
    )


async def ask_all(running: Running, first: int, commands: int, clients: int = CLIENTS) -> Span:
    bodies = [body(first + number) for number in range(commands)]
    with timed() as span:
        await crowd(clients, lambda number: ask(running, first + number, bodies[number]), range(commands))
    return span


@asynccontextmanager
async def on_sqlite(folder: Path) -> AsyncIterator[Running]:
    views = await SqliteViews.open(folder / "views.db", intake.views)
    async with running_on(SqliteJournal(folder / "journal.db"), views, folder) as running:
        yield running


@asynccontextmanager
async def on_postgres(dsn: str, folder: Path) -> AsyncIterator[Running]:
    await prepare(dsn, "intake")
    lease = Lease(dsn, "intake")
    epoch = await lease.acquire("")
    keeping = asyncio.create_task(lease.keep())
    journal = await PostgresJournal.open(dsn, "intake", epoch=epoch)
    views = await PostgresViews.open(dsn, "intake", intake.views)
    try:
        async with running_on(journal, views, folder) as running:
            yield running
    finally:
        keeping.cancel()
        await lease.release()
        await lease.close()


async def records_of(running: Running, position: int, most: int) -> list[tuple[str, int, bytes]]:
    """Stream, version and record of what was recorded after a position."""
    found: list[tuple[str, int, bytes]] = []
    while len(found) < most and (entries := await running.journal.read(position, 5_000)):
        found += [(entry.stream, entry.version, entry.record) for entry in entries]
        position = entries[-1].position
    return found


async def raw_sqlite(folder: Path, records: Sequence[tuple[str, int, bytes]]) -> Span:
    db = sqlite3.connect(folder / "raw.db", isolation_level=None, check_same_thread=False)
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=FULL")
    db.execute(
        "CREATE TABLE plain "
        "(seq INTEGER PRIMARY KEY, stream TEXT, version INTEGER, body BLOB, UNIQUE (stream, version))"
    )

    def commit(rows: list[Any]) -> None:
        db.execute("BEGIN IMMEDIATE")
        db.executemany("INSERT INTO plain (stream, version, body) VALUES (?, ?, ?)", rows)
        db.execute("COMMIT")

    with ThreadPoolExecutor(1) as pool:
        group = GroupCommit(in_thread(pool, commit))
        running = asyncio.create_task(group.run())
        with timed() as span:
            await crowd(CLIENTS, lambda number: group.put(records[number]), range(len(records)))
        running.cancel()
    db.close()
    return span


class Device(Aggregate):
    """The same facts as an aggregate of the peer."""

    def __init__(self) -> None:
        self.serial = ""

    class Registered(Aggregate.Event):
        tenant: str
        actor: str
        correlation_id: str
        customer_id: str
        model: str
        serial: str
        skill: str

        def apply(self, aggregate: Any) -> None:
            aggregate.serial = self.serial

    def register(self, **facts: str) -> None:
        self.trigger_event(self.Registered, **facts)


class Devices(Application[Any]):
    pass


def peer_env(dsn: str | None, folder: Path) -> dict[str, str]:
    if dsn is None:
        return {"PERSISTENCE_MODULE": "eventsourcing.sqlite", "SQLITE_DBNAME": str(folder / "peer.db")}
    url = urlsplit(dsn)
    return {
        "PERSISTENCE_MODULE": "eventsourcing.postgres",
        "POSTGRES_DBNAME": url.path[1:],
        "POSTGRES_HOST": str(url.hostname),
        "POSTGRES_PORT": str(url.port),
        "POSTGRES_USER": str(url.username),
        "POSTGRES_PASSWORD": "none",
    }


def peer(env: dict[str, str], saves: int, threads: int = 1) -> Span:
    app = Devices(env)
    devices = [Device() for _ in range(50)]
    app.save(*devices)

    def work(mine: Sequence[Device], share: int) -> None:
        for number in range(share):
            device = mine[number % len(mine)]
            facts = msgspec.json.decode(body(number))
            device.register(
                tenant="t-1",
                actor="agent:a-1",
                correlation_id=f"device/{facts.pop('device_id')}",
                **facts,
            )
            app.save(device)

    workers = [threading.Thread(target=work, args=(devices[n::threads], saves // threads)) for n in range(threads)]
    with timed() as span:
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
    app.close()
    return span
