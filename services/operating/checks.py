"""What the machine and one service have and lack. Each finding that is not well says what mends it."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import asyncpg

from services.chassis.bus.ingest import NOT_TAKEN, taken_since
from services.chassis.clock import SystemClock, at_micros
from services.chassis.journal.store import Head, JournalStore
from services.chassis.readers.reactor import LATER
from services.chassis.readers.stuck import policies_of, still_open
from services.chassis.service import Concern, Service
from services.host import journal_file, letters_of, open_to_read, open_views
from services.settings import Settings

LEAST_FREE: Final = 0.05
LEAST_FREE_GIB: Final = 2
"""Less room than either of these is nearly none: a journal that cannot be written stops its service."""


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    well: bool
    finding: str
    remedy: str = ""


def room(settings: Settings) -> Check:
    """The folder is made at the first start, not by looking."""
    there = next(folder for folder in (settings.data.absolute(), *settings.data.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Check("data folder", False, f"{there} cannot be written to", "choose another: --data DIR")
    disk = shutil.disk_usage(there)
    enough = disk.free >= min(LEAST_FREE * disk.total, LEAST_FREE_GIB * 2**30)
    finding = f"{settings.data}, {disk.free / 2**30:.1f} GiB free of {disk.total / 2**30:.0f}"
    remedy = "" if enough else "make room on the disk, or move the folder to another and say --data DIR"
    return Check("data folder", enough, finding, remedy)


async def of_service(settings: Settings, service: Service) -> list[Check]:
    """Who writes, what is shown, what is stuck, and what the service itself is concerned about."""
    async with AsyncExitStack() as opened:
        journal = await open_to_read(settings, service.name)
        opened.push_async_callback(journal.close)
        head = await journal.head()
        positions: dict[str, int] = {}
        concerns: Sequence[Concern] = ()
        if settings.dsn or (settings.data / service.name / "views.db").exists():
            views = await open_views(settings, service, readonly=True)
            opened.push_async_callback(views.close)
            positions, concerns = await views.positions(), await service.concerns(views, SystemClock().now())
        missing = [view.name for view in service.views if view.name not in positions]
        return [
            await _writer(settings, service.name),
            _views(service.name, head, positions, missing),
            *await _stuck(settings, service, journal),
            *[Check(f"{service.name}: {one.what}", False, one.finding, one.remedy) for one in concerns],
        ]


async def _writer(settings: Settings, name: str) -> Check:
    """Who writes; that nobody does is well, unless somebody should."""
    what, start = f"{name}: writer", f"fieldloop {'serve ' + name if settings.dsn else 'up'}"
    if not settings.dsn:
        pid = _who_locks(settings, name)
        return Check(what, True, f"process {pid} writes" if pid else "nobody writes now", "" if pid else start)
    db = await asyncpg.connect(settings.dsn, timeout=5)
    try:
        holder, until, now = await db.fetchrow(  # type: ignore[misc]
            f"SELECT holder, CASE WHEN isfinite(expires_at) THEN expires_at END, clock_timestamp() "
            f'FROM "{name}_journal".lease'
        )
    finally:
        await db.close()
    return _lease(what, start, holder, until, now)


def _lease(what: str, start: str, holder: str | None, until: datetime | None, now: datetime) -> Check:
    if holder is None or until is None:
        return Check(what, True, "nobody writes now", start)
    if until > now:
        return Check(what, True, f"{holder} writes")
    ago = (now - until).total_seconds()
    finding = f"{holder} held the lease and has not renewed it for {ago:.0f} s: it died or is stopped"
    return Check(what, False, finding, f"look at its log and start it: {start}; whoever starts takes over at once")


def _who_locks(settings: Settings, name: str) -> str:
    """The process that holds the lock of a journal's file; empty where none does."""
    path = journal_file(settings, name).with_suffix(".lock")
    if not path.exists():
        return ""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip() or "unknown"
    return ""


def _views(name: str, head: Head, positions: Mapping[str, int], missing: list[str]) -> Check:
    if missing:
        finding = f"{', '.join(missing)} of this release is not there yet"
        return Check(f"{name}: views", False, finding, f"start it, or fieldloop rebuild {name}")
    slowest = min(positions.values(), default=head.position)
    remedy = "" if slowest == head.position else f"start it, or fieldloop rebuild {name}"
    finding = f"{head.position - slowest} of {head.position} records behind"
    return Check(f"{name}: views", slowest == head.position, finding, remedy)


async def _stuck(settings: Settings, service: Service, journal: JournalStore) -> list[Check]:
    held = await journal.held(policies_of(service))
    parked = sum(1 for _, hold in held if hold.parked)
    look = f"fieldloop deadletters list --service {service.name}"
    checks = [
        Check(f"{service.name}: held events", not parked, f"{len(held)} held, {parked} parked", look if parked else "")
    ]
    letters = letters_of(settings, service.name)
    try:
        unread = await still_open(service, journal, await letters.all())
    finally:
        await letters.close()
    if unread:
        checks.append(Check(f"{service.name}: unread messages", False, f"{len(unread)} nobody could read", look))
    since = taken_since(await journal.checkpoints())
    if late := sorted(name for name, at in since.items() if 0 < at < NOT_TAKEN and name in service.takes):
        first = at_micros(min(since[name] for name in late))
        finding = f"{', '.join(late)} since {first:%Y-%m-%d}: what came before is not in its journal"
        checks.append(Check(f"{service.name}: takes in", True, finding))
    if later := await journal.held([LATER]):
        finding = f"{len(later)} events of a later release wait for it"
        checks.append(Check(f"{service.name}: later events", True, finding, "they are acted on when that runs again"))
    return checks
