"""
What an installation has and lacks: for `fieldloop doctor`. Each finding that is not well says what mends it.

It only looks, also beside a running system, and makes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import asyncpg

from deploy.kafka import local as kafka
from deploy.postgres import local as postgres
from services.chassis.maps import answers
from services.host import discover, journal_file, open_to_read
from services.operating.checks import Check, of_service, room
from services.serving import PERSONS_FILE, SIGNING_KEY
from services.settings import BadSetting, Settings


async def examine_all(settings: Callable[[], Settings]) -> list[Check]:
    """The same, where not even the settings may be right."""
    try:
        chosen = settings()
    except BadSetting as wrong:
        return [Check("settings", False, str(wrong), "docs/reference/settings.md lists them")]
    return [Check("settings", True, f"bus {chosen.bus}, store {chosen.store}"), *await examine(chosen)]


async def examine(settings: Settings) -> list[Check]:
    """What this installation has and lacks. What only the distributed form needs is well where it is not used."""
    services = discover()
    checks = [
        Check("services", len(services) == 6, ", ".join(services), "" if len(services) == 6 else "pip install -e ."),
        room(settings),
        await _kafka(settings),
        await _postgres(settings),
        *await _map(settings),
        _docker(),
        *_keys(settings),
    ]
    if settings.dsn and not all(check.well for check in checks):
        return checks  # Each look into a store that is not there would wait.
    with_journal = [service for service in services.values() if await _has_journal(settings, service.name)]
    if not with_journal:
        checks.append(Check("stores", True, "nothing is recorded yet", "fieldloop demo"))
    for service in with_journal:
        checks += await of_service(settings, service)
    return checks


# The machine and what stands beside us.


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


async def _map(settings: Settings) -> list[Check]:
    if not settings.map:
        return []
    wrong = await answers(settings.map, settings.map_key)
    kind = settings.map.partition(":")[0]
    if not wrong:
        return [Check("map", True, f"{kind} answers")]
    return [Check("map", False, f"{kind} does not: {wrong}", "ways are estimated until it does; see FIELDLOOP_MAP")]


def _docker() -> Check:
    answers = kafka.engine_answers()
    return Check("Docker", True, "an engine answers" if answers else "no engine answers; it is not needed")


# Keys that nothing can replace.


def _keys(settings: Settings) -> list[Check]:
    """The keys without which what is recorded cannot be read or proved; at a start, new ones would be made."""
    checks = []
    signed = settings.checkpoint_folder.is_dir() and any(settings.checkpoint_folder.iterdir())
    if signed:
        there = (settings.data / SIGNING_KEY).exists()
        finding = "is there" if there else "is missing, and checkpoints were signed with it"
        remedy = "" if there else f"put {SIGNING_KEY} back from a backup before you start; a new one proves nothing old"
        checks.append(Check("signing key", there, finding, remedy))
    recorded = not settings.dsn and journal_file(settings, "intake").exists()
    if recorded and not settings.gateway:
        there = (settings.data / PERSONS_FILE).exists()
        finding = "are there" if there else f"are missing: {PERSONS_FILE} is not in the data folder"
        remedy = "" if there else f"put {PERSONS_FILE} back from a backup; without it no name or address can be read"
        checks.append(Check("keys of persons", there, finding, remedy))
    return checks


# Each service.


async def _has_journal(settings: Settings, name: str) -> bool:
    if not settings.dsn:
        return journal_file(settings, name).exists()
    try:
        await (await open_to_read(settings, name)).close()
    except (asyncpg.PostgresError, OSError):
        return False
    return True
