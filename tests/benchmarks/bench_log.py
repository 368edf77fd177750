"""
What operations do with the log as a whole, on the journals of all six services, grown from what a company recorded.

verify       ours: `fieldloop verify`, every check over every record. raw: the same rows read and hashed, no more
audit        ours: `fieldloop audit` of one request. raw: the six queries that find its records
rebuild-all  ours: every view of every service folded anew into real tables, services side by side in processes.
             raw: the same pages read and decoded in as many processes; nothing is folded and no row is put
"""

from __future__ import annotations

import asyncio
import hashlib
import multiprocessing
import os
import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from random import Random

from contracts import envelope as envelopes
from services import offline
from services.audit.story import Instant
from services.chassis.journal.sqlite import SqliteJournal, connect
from services.chassis.readers import rebuild as rebuilding
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.service import Service
from services.host import discover, journal_file
from services.settings import Settings
from tests.benchmarks.grown import tenant_of
from tests.benchmarks.measure import Span, timed

PAGE = rebuilding.PAGE


# Verify.


def verify(settings: Settings) -> tuple[int, Span]:
    """How many records, and how long. All of them must be well."""
    with timed() as span:
        report = asyncio.run(offline.verify_stores(settings))
    assert (report.findings, report.behind, report.chain) == ([], {}, True)
    return report.events, span


def verify_raw(settings: Settings) -> Span:
    with timed() as span:
        for name in discover():
            db = connect(journal_file(settings, name), readonly=True)
            chains: dict[str, bytes] = {}
            for tenant, record in db.execute("SELECT tenant, record FROM events ORDER BY position"):
                chains[tenant] = hashlib.sha256(chains.get(tenant, b"") + record).digest()
            db.close()
    return span


# Audit.


def a_request(settings: Settings, seed: int) -> tuple[str, str]:
    """A tenant, and one of its requests."""
    db = connect(journal_file(settings, "intake"), readonly=True)
    tenants = db.execute("SELECT count(*) FROM chains").fetchone()[0]
    tenant = tenant_of(Random(seed).randrange(tenants))
    query = "SELECT correlation_id FROM events WHERE tenant = ? AND instr(record, 'RequestReceived') LIMIT 1"
    request = db.execute(query, (tenant,)).fetchone()[0]
    db.close()
    return tenant, request


def audit(settings: Settings, tenant: str, request: str) -> float:
    """Seconds."""
    begun = time.perf_counter()
    found = asyncio.run(offline.audit(settings, request, tenant, Instant()))
    assert len(found.story) > 10
    return time.perf_counter() - begun


def audit_raw(settings: Settings, tenant: str, request: str) -> float:
    begun = time.perf_counter()
    for name in discover():
        db = connect(journal_file(settings, name), readonly=True)
        of_story = "WHERE tenant = ? AND correlation_id = ? ORDER BY position"
        db.execute(f"SELECT record FROM events {of_story}", (tenant, request)).fetchall()
        db.close()
    return time.perf_counter() - begun


# Rebuild.


@dataclass(frozen=True)
class Rebuilt:
    """One service."""

    service: str
    events: int
    cpu: float
    begun: float
    ended: float
    """On a clock that all processes share."""
    peak_mib: float
    """Of its process, by then."""


Work = Callable[[Settings, str], Rebuilt]


def seconds(found: Sequence[Rebuilt]) -> float:
    """On the clock, from the begin of the first to the end of the last; to start Python is not in them."""
    return max(one.ended for one in found) - min(one.begun for one in found)


class _Nothing:
    """Served views of which there are none: all is rebuilt to the end of the journal."""

    views = ()

    async def positions(self) -> dict[str, int]:
        return {}


def rebuild_one(settings: Settings, name: str) -> Rebuilt:
    """In a process of its own."""
    service: Service = discover()[name]

    async def work() -> int:
        journal = SqliteJournal(journal_file(settings, name), readonly=True)
        path = settings.folder(name) / "views.db"
        fresh = await SqliteViews.open(path, service.views)
        report = await rebuilding.rebuild(journal, _Nothing(), fresh)  # type: ignore[arg-type]
        assert not report.failed, report.failed
        await fresh.close()
        await journal.close()
        for file in path.parent.glob("views.*"):
            file.unlink()
        return report.events

    begun = time.monotonic()
    with timed() as span:
        events = asyncio.run(work())
    return Rebuilt(name, events, span.cpu, begun, time.monotonic(), _peak_mib())


def decode_one(settings: Settings, name: str) -> Rebuilt:
    """The least that reading a journal is."""
    begun = time.monotonic()
    with timed() as span:
        db: sqlite3.Connection = connect(journal_file(settings, name), readonly=True)
        position = 0
        query = "SELECT record FROM events WHERE position > ? ORDER BY position LIMIT ?"
        while rows := db.execute(query, (position, PAGE)).fetchall():
            position += len(rows)
            for (record,) in rows:
                envelopes.payload(envelopes.read(record))
        db.close()
    return Rebuilt(name, position, span.cpu, begun, time.monotonic(), _peak_mib())


@contextmanager
def processes(settings: Settings) -> Iterator[Callable[[Work], list[Rebuilt]]]:
    """As many as there are cores; they do the services side by side, the longest first, and remember their peaks."""
    names = sorted(discover(), key=lambda name: -_size(journal_file(settings, name)))
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        yield lambda work: list(pool.map(work, [settings] * len(names), names))


def _size(path: Path) -> int:
    return path.stat().st_size


def _peak_mib() -> float:
    # `getrusage` would tell of the process that started this one, if that was larger.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return 0.0
