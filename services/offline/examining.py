"""What an installation has, what is behind, and what is missing."""

from __future__ import annotations

import asyncio
import os
import shutil
from contextlib import suppress
from dataclasses import dataclass

import asyncpg

from deploy.kafka import local as kafka
from deploy.postgres import local as postgres
from services.chassis.clock import SystemClock
from services.chassis.service import Service
from services.host import discover, journal_file, open_to_read
from services.offline.stores import open_views, readers
from services.settings import Settings


@dataclass(frozen=True)
class Check:
    """One thing that was looked at."""

    what: str
    well: bool
    finding: str
    remedy: str = ""


async def examine(settings: Settings) -> list[Check]:
    """What this installation has and lacks. What only the distributed form needs is well where it is not used."""
    services = discover()
    checks = [
        Check("services", len(services) == 6, ", ".join(services), "" if len(services) == 6 else "pip install -e ."),
        _writable(settings),
        await _kafka(settings),
        await _postgres(settings),
        _docker(),
    ]
    if settings.dsn and not all(check.well for check in checks):
        return checks  # Each look into a store that is not there would wait.
    with_journal = [service for service in services.values() if await _has_journal(settings, service.name)]
    if not with_journal:
        checks.append(Check("stores", True, "nothing is recorded yet", "fieldloop demo"))
    for service in with_journal:
        checks += await _behind(settings, service)
    return checks


async def _has_journal(settings: Settings, name: str) -> bool:
    if not settings.dsn:
        return journal_file(settings, name).exists()
    try:
        await (await open_to_read(settings, name)).close()
    except (asyncpg.PostgresError, OSError):
        return False
    return True


def _writable(settings: Settings) -> Check:
    """It is made at the first start, not by looking."""
    there = next(folder for folder in (settings.data.absolute(), *settings.data.absolute().parents) if folder.exists())
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        return Check("data folder", False, f"{there} cannot be written to", "choose another: --data DIR")
    free = shutil.disk_usage(there).free // 2**30
    return Check("data folder", free > 0, f"{settings.data}, {free} GiB free", "" if free else "make room on the disk")


async def _kafka(settings: Settings) -> Check:
    lacking = await asyncio.to_thread(kafka.missing)
    if settings.cluster is None:
        return Check("Kafka", True, f"not used; {lacking or 'it can be started here'}")
    for broker in settings.cluster.bootstrap:
        host, _, port = broker.rpartition(":")
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(5):
                _, writer = await asyncio.open_connection(host, int(port))
                writer.close()
            return Check("Kafka", True, f"{broker} answers")
    return Check("Kafka", False, f"FIELDLOOP_BUS={settings.bus} does not answer", lacking or "make up")


async def _postgres(settings: Settings) -> Check:
    lacking = await asyncio.to_thread(postgres.missing)
    if settings.dsn is None:
        return Check("PostgreSQL", True, f"not used; {lacking or 'it can be started here'}")
    try:
        await (await asyncpg.connect(settings.dsn, timeout=5)).close()
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        return Check("PostgreSQL", False, f"FIELDLOOP_STORE={settings.store}: {error}", lacking or "make up")
    return Check("PostgreSQL", True, f"{settings.store} answers")


def _docker() -> Check:
    answers = kafka.engine_answers()
    return Check("Docker", True, "an engine answers" if answers else "no engine answers; it is not needed")


async def _behind(settings: Settings, service: Service) -> list[Check]:
    async with readers(settings, [service.name]) as journals:
        journal = journals[service.name]
        head = (await journal.head()).position
        views = await open_views(settings, service, readonly=True)
        positions = await views.positions()
        concerns = await service.concerns(views, SystemClock().now())
        await views.close()
        held = await journal.held([policy.name for policy in service.policies])
    slowest = min(positions.values(), default=head)
    parked = sum(1 for _, hold in held if hold.parked)
    return [
        Check(
            f"{service.name}: views",
            slowest == head,
            f"{head - slowest} of {head} records behind",
            "" if slowest == head else f"start it, or fieldloop rebuild {service.name}",
        ),
        Check(
            f"{service.name}: held events",
            not parked,
            f"{len(held)} held, {parked} parked",
            "" if not parked else "its log names the cause; they go on when the service starts",
        ),
        *[Check(f"{service.name}: {one.what}", False, one.finding, one.remedy) for one in concerns],
    ]
