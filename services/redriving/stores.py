"""
The same for the command: upon the stores, or with FIELDLOOP_URL through the system that serves them.

Looking goes on beside a running system. Deciding is done by the service itself: it runs here for as long as it takes,
or it is asked through its gateway.
"""

from __future__ import annotations

import asyncio
import getpass
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import asdict
from typing import Any, Final

import httpx

from services.chassis.auth import Principal
from services.chassis.clock import SystemClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import InUse
from services.chassis.journal.work import Answer, Ask
from services.chassis.readers.holds import DiscardHeld
from services.chassis.readers.stuck import Stuck
from services.chassis.running import Running
from services.deadletters.desk import Shown, Which, redrive, show
from services.host import Host, discover
from services.offline import CannotDo, looked_at, readers
from services.serving import host_of, tokens_of
from services.settings import Settings

THROUGH: Final = "or do it through it with FIELDLOOP_URL=http://HOST:PORT"
TRIED_WITHIN_S: Final = 20.0


def services_named(service: str) -> list[str]:
    """The one that is named, or all. Raises CannotDo."""
    known = list(discover())
    if service and service not in known:
        raise CannotDo(f"there is no service {service}: give one of {', '.join(known)}")
    return [service] if service else known


async def stuck_in(settings: Settings, names: Collection[str], tenant: str, which: Which) -> list[Stuck]:
    """What is stuck in these services, of one tenant or of all; of whom nobody knows is always among it."""
    found: list[Stuck] = []
    services = discover()
    async with readers(settings, names) as journals:
        for name in names:
            async with looked_at(settings, services[name], journals[name]) as running:
                found += await running.stuck()
    return which.meant([one for one in found if tenant in ("", one.tenant) or not one.tenant])


async def shown(settings: Settings, one: Stuck) -> list[Shown]:
    """All that waits with one that was found."""
    service = discover()[one.service]
    async with (
        readers(settings, [service.name]) as journals,
        looked_at(settings, service, journals[service.name]) as running,
    ):
        return await show(running, one.tenant, one.policy, one.key)


async def redriven(settings: Settings, service: str, tenant: str, which: Which, reason: str) -> list[Stuck]:
    """Have it tried again, and wait until it was; what is stuck afterwards of what was meant. Raises CannotDo."""
    if settings.url:
        body = {"policy": which.policy, "key": which.key, "cause": which.cause, "reason": reason}
        await _through(settings, tenant, f"{service}/redrive", body)
        return []
    async with _led(settings, service) as host:
        running = host.running[service]
        found = which.meant([one for one in await running.stuck() if one.tenant in ("", tenant)])
        answer = await redrive(running, _asker(running, tenant), running.new_id(), which, reason, found)
        await _until_tried(running, answer)
        return which.meant([one for one in await running.stuck() if one.tenant in ("", tenant)])


async def _until_tried(running: Running, answer: Answer) -> None:
    """Wait until what was decided has been done; not for ever, as a service may not come on."""
    with suppress(TimeoutError):
        async with asyncio.timeout(TRIED_WITHIN_S):
            while not _has_tried(running, answer.position):  # noqa: ASYNC110 - two readers, and no news of theirs
                await asyncio.sleep(0.02)


def _has_tried(running: Running, position: int) -> bool:
    reacting = [one for one in (running.reactor, running.sender) if one is not None]
    return bool(reacting) and all(one.has_tried(position) for one in reacting)


async def discarded(settings: Settings, one: Stuck, tenant: str, reason: str) -> None:
    """Settle it by hand, recorded in the journal of this tenant. Raises CannotDo."""
    decided = DiscardHeld(one.policy, one.key, one.position, reason)
    if settings.url:
        await _through(settings, tenant, f"{one.service}/discard", asdict(decided))
        return
    async with _led(settings, one.service) as host:
        running = host.running[one.service]
        await _until_tried(running, await _asker(running, tenant)(decided))


@asynccontextmanager
async def _led(settings: Settings, service: str) -> AsyncIterator[Host]:
    """The service in this process, once it may write. Raises CannotDo where another one does."""
    async with AsyncExitStack() as opened:
        try:
            host = await opened.enter_async_context(host_of(settings, [discover()[service]]))
        except InUse as other:
            raise CannotDo(f"{other}, {THROUGH}") from None
        if not await host.led(within=30):
            raise CannotDo(f"another process writes to these stores: stop it first, {THROUGH}")
        yield host


def _asker(running: Running, tenant: str) -> Any:
    """Asks in the name of whoever types the command, by the name that the machine knows."""
    who = f"operator:{getpass.getuser()}"

    async def ask(command: Any) -> Answer:
        return await running.ask(Ask(command=command, tenant=tenant, actor=who, caller=who, channel="cli"))

    return ask


async def _through(settings: Settings, tenant: str, path: str, body: Mapping[str, Any]) -> None:
    clock = SystemClock()
    tokens, key = tokens_of(settings, clock), new_ids(lambda: micros(clock.now()) // 1_000)()
    token = tokens.issue(Principal(f"cli-{getpass.getuser()}", tenant, "operator", channel="api"))
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": key}
    async with httpx.AsyncClient(base_url=settings.url, timeout=60) as client:
        answer = await client.post(f"/v1/deadletters/{path}", json=body, headers=headers)
    if answer.is_error:
        problem = answer.json()
        raise CannotDo(" ".join(filter(None, (problem["title"], problem.get("detail"), problem.get("remedy")))))
