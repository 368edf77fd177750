"""The stores as commands open them, beside a system that may be running."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress

from services.chassis.clock import SystemClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import InUse, WriterLock
from services.chassis.journal.store import JournalStore
from services.chassis.running import Running
from services.chassis.service import Service
from services.gateway.persons import PersonKeys
from services.host import discover, journal_file, letters_of, open_to_read, open_views
from services.serving import key_book
from services.settings import Settings
from services.verify.run import verify

SETTLED_WITHIN_S = 600.0
DEFAULT_TENANT = "default"


class CannotDo(Exception):
    """The command cannot do its work; the text says what would help."""


@asynccontextmanager
async def readers(settings: Settings, names: Collection[str]) -> AsyncIterator[dict[str, JournalStore]]:
    """The journals of these services, to read. Raises CannotDo where there is none."""
    async with AsyncExitStack() as opened:
        journals: dict[str, JournalStore] = {}
        for name in names:
            if not settings.dsn and not journal_file(settings, name).exists():
                raise CannotDo(f"{settings.data} has no journal of {name}: run `fieldloop demo`, or say --data DIR")
            journals[name] = await open_to_read(settings, name)
            opened.push_async_callback(journals[name].close)
        yield journals


@contextmanager
def nobody_writes(settings: Settings, service: str) -> Iterator[None]:
    """
    Keep the SQLite files of a service to ourselves: who has the rows open would go on with those that were replaced.

    In PostgreSQL whoever writes is told by the database. Raises CannotDo.
    """
    if settings.dsn:
        yield
        return
    try:
        lock = WriterLock(journal_file(settings, service).with_suffix(".lock"))
    except InUse as other:
        raise CannotDo(f"{other}: what is read there cannot be put in place under it") from None
    try:
        yield
    finally:
        lock.release()


@asynccontextmanager
async def looked_at(settings: Settings, service: Service, journal: JournalStore) -> AsyncIterator[Running]:
    """A service as its stores have it, to be asked and not to write."""
    clock = SystemClock()
    async with key_book(settings) as book, AsyncExitStack() as opened:
        views = await open_views(settings, service, readonly=True)
        opened.push_async_callback(views.close)
        yield Running(
            service,
            journal,
            views,
            settings.data / service.name,
            keys=PersonKeys(book),
            clock=clock,
            new_id=new_ids(lambda: micros(clock.now()) // 1_000),
            letters=lambda: letters_of(settings, service.name),
        )


def only_one(tenants: Collection[str]) -> str:
    """Whose figures are meant where nobody says it. Raises CannotDo where it may be any of several."""
    if len(tenants) > 1 and DEFAULT_TENANT not in tenants:
        raise CannotDo(f"the stores hold several tenants: give --tenant, one of {', '.join(sorted(tenants))}")
    return DEFAULT_TENANT if len(tenants) != 1 else next(iter(tenants))


async def settled(settings: Settings, within: float = SETTLED_WITHIN_S) -> bool:
    """Wait until a running system has taken in and shows all it recorded; False when that does not come in time."""
    services = discover()
    async with AsyncExitStack() as opened:
        journals = await opened.enter_async_context(readers(settings, services))
        views = {}
        for name, service in services.items():
            views[name] = await open_views(settings, service, readonly=True)
            opened.push_async_callback(views[name].close)

        async def heads() -> dict[str, int]:
            return {name: (await journal.head()).position for name, journal in journals.items()}

        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while True:
                    before = await heads()
                    shown = {name: await views[name].positions() for name in services}
                    behind = any(min(at.values(), default=before[n]) < before[n] for n, at in shown.items())
                    checked = behind or (await verify(services, journals)).behind
                    if not checked and before == await heads():
                        return True
                    await asyncio.sleep(0.2)
    return False
