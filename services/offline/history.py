"""What another system recorded, into the journals."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import httpx

from services.chassis.auth import Principal
from services.chassis.clock import SystemClock
from services.chassis.journal.sqlite import InUse
from services.host import Host, discover
from services.importing.by_url import HistoryByUrl, Told
from services.importing.history import Imported, Progress, import_history
from services.importing.mapping import Mapping as HistoryMapping
from services.importing.mapping import load
from services.offline.stores import SETTLED_WITHIN_S, CannotDo, settled
from services.serving import host_of, tokens_of
from services.settings import Settings


async def import_file(
    settings: Settings,
    file: Path,
    mapping: Path,
    *,
    tenant: str,
    rejects: Path,
    progress: Callable[[Progress], None],
) -> Imported:
    """Record a file of history and wait until every view shows it. Raises BadMapping, Unusable, CannotDo."""
    what = load(mapping)
    if settings.url:
        return await _import_by_url(settings, file, what, tenant, rejects, progress)
    recorder = next((service for service in discover().values() if service.history), None)
    if recorder is None or recorder.history is None:
        raise CannotDo("no installed service records history: install this package with all its services")
    async with _host(settings) as host:
        writer = host.running[recorder.name].writer
        assert writer
        imported = await import_history(
            file,
            what,
            writer.ask,
            make_command=recorder.history,
            rejects=rejects,
            tenant=tenant,
            progress=progress,
        )
        # What was recorded is to be seen by the next command, which may be a report.
        if not await host.idle(SETTLED_WITHIN_S):
            raise CannotDo("the rows are recorded, but a view does not come on: `fieldloop doctor` says which")
    return imported


async def _import_by_url(
    settings: Settings,
    file: Path,
    what: HistoryMapping,
    tenant: str,
    rejects: Path,
    progress: Callable[[Progress], None],
) -> Imported:
    """The same through the gateway of a running system, whose key file is in our data folder."""
    tokens = tokens_of(settings, SystemClock())

    def headers() -> dict[str, str]:
        return {"Authorization": f"Bearer {tokens.issue(Principal('cli-import', tenant, 'operator', channel='api'))}"}

    async with httpx.AsyncClient(base_url=settings.url, timeout=60) as client:
        sender = HistoryByUrl(client, headers, what.source)
        sending = asyncio.create_task(sender.run())
        try:
            imported = await import_history(
                file,
                what,
                sender.ask,
                make_command=Told,
                rejects=rejects,
                tenant=tenant,
                progress=progress,
            )
        finally:
            sending.cancel()
    if not await settled(settings):
        raise CannotDo("the rows are recorded, but a service does not come on: `fieldloop doctor` says which")
    return imported


@asynccontextmanager
async def _host(settings: Settings) -> AsyncIterator[Host]:
    """The services in this process, once they may write. Raises CannotDo where another one does."""
    through = "or import through it with FIELDLOOP_URL=http://HOST:PORT"
    async with AsyncExitStack() as opened:
        try:
            host = await opened.enter_async_context(host_of(settings))
        except InUse as other:
            raise CannotDo(f"{other}, {through}") from None
        if not await host.led(within=30):
            raise CannotDo(f"another process writes to these stores: stop it first, {through}")
        yield host
