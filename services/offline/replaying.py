"""The log run through the views again, beside what lives."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable, Collection, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import replace

from services.chassis.journal.store import JournalStore
from services.chassis.service import Service
from services.host import discover, open_views
from services.offline.log import request_numbered
from services.offline.stores import CannotDo, nobody_writes, only_one, readers
from services.replaying.chosen import Choice
from services.replaying.replay import Behind, Pace, Replayed, replay
from services.settings import Settings

PAUSE = signal.SIGUSR1


async def replay_views(
    settings: Settings,
    names: Collection[str],
    choice: Choice,
    *,
    views: Collection[str] = (),
    speed: int | None = None,
    show: int = 3,
    swap: bool = False,
    progress: Callable[[int], None] = lambda events: None,
    told: Callable[[bool], None] = lambda paused: None,
) -> list[Replayed]:
    """
    Replay what is chosen of these services' journals into shadow copies of their views, or of these views.

    With `swap` the shadows are put in place, each service's in one step. Raises CannotDo: where a part was replayed,
    where a fold stopped, and where a journal moved on under a service that would not notice.
    """
    services = _chosen(names, views)
    if swap and (not choice.is_all or views):
        raise CannotDo("--swap puts whole tables in place: replay the whole log and every view of the service")
    if choice.story:
        choice = await _of_request(settings, choice)
    pace, done = Pace(speed), []
    with _paused_by_signal(pace, told):
        async with readers(settings, services) as journals:
            for name, service in services.items():
                done.append(await _one(settings, service, journals[name], choice, pace, show, swap, progress))
    return done


def _chosen(names: Collection[str], views: Collection[str]) -> dict[str, Service]:
    services = discover()
    if unknown := set(names) - services.keys():
        raise CannotDo(f"there is no service {', '.join(sorted(unknown))}: give one of {', '.join(services)}, or all")
    found = {}
    for name in names:
        kept = tuple(view for view in services[name].views if not views or view.name in views)
        if kept:
            found[name] = replace(services[name], views=kept)
    known = {view.name for name in names for view in services[name].views}
    if strange := set(views) - known:
        raise CannotDo(f"there is no view {', '.join(sorted(strange))}: give one of {', '.join(sorted(known))}")
    return found


async def _of_request(settings: Settings, choice: Choice) -> Choice:
    async with readers(settings, ["intake"]) as journals:
        tenant = choice.tenant or only_one(sorted((await journals["intake"].head()).chains))
    return replace(choice, tenant=tenant, story=await request_numbered(settings, tenant, choice.story))


async def _one(
    settings: Settings,
    service: Service,
    journal: JournalStore,
    choice: Choice,
    pace: Pace,
    show: int,
    swap: bool,
    progress: Callable[[int], None],
) -> Replayed:
    async with AsyncExitStack() as opened:
        if swap:
            opened.enter_context(nobody_writes(settings, service.name))
        live = await open_views(settings, service, readonly=not swap)
        opened.push_async_callback(live.close)
        shadow = await live.beside()
        try:
            done = await replay(
                service.name, journal, live, shadow, choice, pace, show=show, to_end=swap, progress=progress
            )
        except Behind as error:
            await shadow.close()
            raise CannotDo(f"{service.name}: {error}; give a higher --speed, or stop it") from None
        stopped = {table.view: table.failed for table in done.tables if table.failed}
        if not swap or stopped:
            await shadow.close()
        if swap:
            if stopped:
                view, why = next(iter(stopped.items()))
                raise CannotDo(f"{service.name} {view} stopped at {why}: nothing was put in place")
            await live.become(shadow)
    return done


@contextmanager
def _paused_by_signal(pace: Pace, told: Callable[[bool], None]) -> Iterator[None]:
    loop = asyncio.get_running_loop()

    def turn() -> None:
        pace.turn()
        told(pace.paused)

    loop.add_signal_handler(PAUSE, turn)
    try:
        yield
    finally:
        loop.remove_signal_handler(PAUSE)
