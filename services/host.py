"""
Runs one service, or all of them, in a process.

Services are found by their entry points, so that nothing here imports one of them. With SQLite the process that opened
the files writes; with PostgreSQL whoever has the lease does, the others serve reads and wait for it.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Coroutine, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, TypeVar

import structlog

from services.chassis.bus.embedded import EmbeddedFeed
from services.chassis.bus.feed import Feed
from services.chassis.bus.ingest import LETTERS, DeadLetterFile, DeadLetters
from services.chassis.bus.kafka import KafkaDeadLetters, KafkaFeed, Outlet, ensure_topics
from services.chassis.clock import Clock, SystemClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.postgres import Lease, PostgresJournal, prepare
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import JournalStore
from services.chassis.messages.outlets import Outlets
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.readers.viewstore import ViewStore
from services.chassis.running import BeginAgain, Keys, Running
from services.chassis.service import Service
from services.proof.kept import Keeper, Kept
from services.proof.notes import Signer
from services.settings import Settings

T = TypeVar("T")

GROUP = "fieldloop.services"

_log = structlog.get_logger()


def discover() -> dict[str, Service]:
    """Every installed service by its name, in the order of the loop."""
    order = ("intake", "dispatcher", "fieldwork", "inventory", "quality", "reporting")
    found = {entry.name: entry.load() for entry in entry_points(group=GROUP)}
    return {
        name: found[name] for name in sorted(found, key=lambda n: (n not in order, order.index(n) if n in order else 0))
    }


def journal_file(settings: Settings, service: str) -> Path:
    return settings.data / service / "journal.db"


def letters_of(settings: Settings, service: str) -> DeadLetters:
    """Where a service leaves what it cannot read."""
    if settings.cluster:
        return KafkaDeadLetters(service, settings.cluster)
    return letter_file(settings, service)


def letter_file(settings: Settings, service: str) -> DeadLetterFile:
    """Where a service of this installation leaves it without Kafka."""
    return DeadLetterFile(settings.data / service / LETTERS)


async def open_to_read(settings: Settings, service: str) -> JournalStore:
    """A service's journal for one who only reads it, wherever its writer runs."""
    if settings.dsn:
        return await PostgresJournal.open(settings.dsn, service)
    return SqliteJournal(journal_file(settings, service), readonly=True)


async def open_views(settings: Settings, service: Service, *, readonly: bool) -> ViewStore:
    """A service's views, wherever they lie."""
    if settings.dsn:
        return await PostgresViews.open(settings.dsn, service.name, service.views, readonly=readonly)
    return await SqliteViews.open(settings.folder(service.name) / "views.db", service.views, readonly=readonly)


class Host:
    """The services of one process. Inside its context they run; leaving it, they finish what they were asked."""

    def __init__(
        self,
        settings: Settings,
        services: Collection[Service],
        keys: Keys,
        *,
        clock: Clock | None = None,
        address: str = "",
        signer: Signer | None = None,
        outlets: Outlets | None = None,
    ) -> None:
        self.settings = settings
        self._services = {service.name: service for service in services}
        self._keys, self._clock = keys, clock or SystemClock()
        self._new_id = new_ids(lambda: micros(self._clock.now()) // 1_000)
        self._address = address
        """Where a gateway reaches this process, for the lease."""
        self._signer = signer
        """Signs how far the journals have come; without one nothing is signed."""
        self._outlets = outlets or Outlets()
        self.running: dict[str, Running] = {}
        self._feeds: dict[str, EmbeddedFeed] = {}
        self._leads: list[asyncio.Task[None]] = []
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Host:
        try:
            if self.settings.cluster:
                await ensure_topics(self.settings.cluster, self._services)
            for service in self._services.values():
                await self._open(service)
            for running in self.running.values():
                lead = self._with_lease if self.settings.dsn else self._as_owner
                self._leads.append(asyncio.create_task(again(running, lead), name=f"{running.name}.lead"))
                self._leads.append(asyncio.create_task(running.look_ahead(), name=f"{running.name}.ahead"))
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop_leading()
        await self._stack.aclose()

    async def stop_leading(self) -> None:
        """Finish what was asked and let others write; queries go on, streams of news end."""
        for running in self.running.values():
            running.end()
        for lead in self._leads:
            lead.cancel()
        await asyncio.gather(*self._leads, return_exceptions=True)
        self._leads.clear()

    def leads(self, service: str) -> bool:
        """Whether this process writes for the service now."""
        return self.running[service].writer is not None

    # Opening.

    async def _open(self, service: Service) -> None:
        journal: JournalStore
        folder = self.settings.folder(service.name)
        if self.settings.dsn:
            await prepare(self.settings.dsn, service.name)
            journal = await PostgresJournal.open(self.settings.dsn, service.name)
        else:
            journal = SqliteJournal(journal_file(self.settings, service.name))
        self._stack.push_async_callback(journal.close)
        views = await open_views(self.settings, service, readonly=False)
        self._stack.push_async_callback(views.close)
        running = Running(
            service,
            journal,
            views,
            folder,
            keys=self._keys,
            clock=self._clock,
            new_id=self._new_id,
            follower=self._keeper(service.name),
            outside={
                "geocoder": self.settings.geocoder,
                "map": self.settings.map,
                "map_key": self.settings.map_key,
            },
            outlets=self._outlets,
            letters=partial(letters_of, self.settings, service.name),
        )
        self._stack.push_async_callback(running.ahead.close)
        await running.ahead.look()
        running.on_commit(lambda position: self._tell_feeds(service.name, position))
        self.running[service.name] = running

    def _keeper(self, service: str) -> Callable[[JournalStore], Keeper] | None:
        if (signer := self._signer) is None:
            return None
        kept = Kept(self.settings.checkpoint_folder, service)
        return lambda journal: Keeper(journal, kept, signer, self._clock)

    def _tell_feeds(self, publisher: str, position: int) -> None:
        for taker, feed in self._feeds.items():
            if publisher in self._services[taker].listens_to:
                feed.wake(publisher, position)

    # Leading.

    async def _as_owner(self, running: Running) -> None:
        async with self._feed(running.service) as feed:
            dead_letters = letters_of(self.settings, running.name)
            await running.lead(running.journal, feed, dead_letters, self._outlet(running.name))

    async def _with_lease(self, running: Running) -> None:
        assert self.settings.dsn
        read_only = running.journal
        lease = Lease(self.settings.dsn, running.name)
        try:
            while (epoch := await lease.acquire(self._address)) is None:  # the database tells nobody
                # Those of our services that do have their lease must hear of what another process records.
                self._tell_feeds(running.name, (await read_only.head()).position)
                await asyncio.sleep(lease.ttl / 20)
            keeping = asyncio.create_task(lease.keep())
            try:
                journal = await PostgresJournal.open(self.settings.dsn, running.name, epoch=epoch)
                try:
                    await self._while_kept(running, journal, lease, keeping)
                finally:
                    running.journal = read_only
                    await journal.close()
            finally:
                keeping.cancel()
                await lease.release()
        finally:
            await lease.close()

    async def _while_kept(
        self, running: Running, journal: JournalStore, lease: Lease, keeping: asyncio.Task[None]
    ) -> None:
        async with self._feed(running.service) as feed:
            dead_letters = letters_of(self.settings, running.name)
            lead = running.lead(journal, feed, dead_letters, self._outlet(running.name), lambda: lease.held)
            leading = asyncio.create_task(lead)
            try:
                await asyncio.wait([keeping, leading], return_when=asyncio.FIRST_COMPLETED)
            finally:
                leading.cancel()
                await asyncio.wait([leading])
            if not leading.cancelled() and (error := leading.exception()):
                raise error

    @asynccontextmanager
    async def _feed(self, service: Service) -> AsyncIterator[Feed | None]:
        """What the service takes in, if it takes in anything."""
        if not service.takes:
            yield None
        elif self.settings.cluster:
            feed = KafkaFeed(sorted(service.listens_to), self.settings.cluster, f"fieldloop.{service.name}")
            yield feed
        else:
            async with AsyncExitStack() as opened:
                journals: dict[str, JournalStore] = {}
                for publisher in service.listens_to:
                    if publisher in self.running and not self.settings.dsn:
                        journals[publisher] = self.running[publisher].journal
                    else:
                        journals[publisher] = await open_to_read(self.settings, publisher)
                        opened.push_async_callback(journals[publisher].close)
                self._feeds[service.name] = EmbeddedFeed(journals, self.running.keys() & journals.keys())
                try:
                    yield self._feeds[service.name]
                finally:
                    del self._feeds[service.name]

    def _outlet(self, service: str) -> Outlet | None:
        if self.settings.cluster:
            return Outlet(self.settings.cluster, f"fieldloop.{service}.publisher")
        return None

    # Health.

    def ready(self) -> Mapping[str, Callable[[], bool]]:
        """
        The checks of /readyz: every view alive, taking in. A process that may only wait for the lease serves reads, and
        is well; one that owns its SQLite files must write.
        """
        return {name: partial(self._is_well, running) for name, running in self.running.items()}

    def _is_well(self, running: Running) -> bool:
        if running.projector is None:
            return self.settings.dsn is not None and running.can_read
        stopped = running.ingest is not None and running.ingest.state.stopped
        return not running.projector.failed() and not stopped

    async def led(self, within: float = 30.0) -> bool:
        """Wait until this process writes for every service; False when that does not come in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not all(map(self.leads, self.running)):  # noqa: ASYNC110 - a lease may be another's
                    await asyncio.sleep(0.02)
                return True
        return False

    async def idle(self, within: float = 60.0) -> bool:
        """Wait until nothing is left to take in, to react to or to show; False when that does not come in time."""
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while not await self._is_idle():  # noqa: ASYNC110 - it is many conditions, and for a human
                    await asyncio.sleep(0.05)
                return True
        return False

    async def _is_idle(self) -> bool:
        heads = {name: (await running.journal.head()).position for name, running in self.running.items()}
        for name, running in self.running.items():
            positions = await running.views.positions()
            if running.reactor is None or running.reactor.waiting:
                return False
            if running.service.policies and running.reactor.position < heads[name]:
                return False
            if running.sender is not None and (running.sender.waiting or running.sender.position < heads[name]):
                return False
            if running.ahead.lacks or min(positions.values(), default=heads[name]) < heads[name]:
                return False
            if running.ingest is not None and not self._took_all(running, heads):
                return False
        return heads == {name: (await running.journal.head()).position for name, running in self.running.items()}

    def _took_all(self, running: Running, heads: Mapping[str, int]) -> bool:
        assert running.ingest is not None
        state = running.ingest.state
        if self.settings.cluster:
            return not any(state.behind.values()) and all(
                self.running[p].publisher is not None and self.running[p].publisher.state.position >= heads[p]  # type: ignore[union-attr]
                for p in running.service.listens_to & self.running.keys()
            )
        return all(state.offsets.get(p, 1) > heads[p] for p in running.service.listens_to & self.running.keys())


async def again(running: Running, lead: Callable[[Running], Awaitable[None]]) -> None:
    """Lead, and when something ended it, begin again from the journal, sooner or later."""
    pause = 0.1
    while True:
        begun = asyncio.get_running_loop().time()
        try:
            await lead(running)
        except BeginAgain as why:
            _log.info("service.begins-again", service=running.name, why=str(why))
        except Exception:
            _log.exception("service.begins-again", service=running.name)
        lasted = asyncio.get_running_loop().time() - begun
        pause = 0.1 if lasted > 30 else min(2 * pause, 5.0)
        await asyncio.sleep(pause)


@contextmanager
def told_to_end() -> Iterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets, in place of what they do otherwise."""
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    try:
        yield told
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def until_told(work: Coroutine[Any, Any, T], told: asyncio.Event) -> T | None:
    """What `work` returns or raises; None where it was told to end first, and the work is cancelled."""
    working, waiting = asyncio.create_task(work), asyncio.create_task(told.wait())
    try:
        await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
        return await working if working.done() else None
    finally:
        waiting.cancel()
        working.cancel()
        await asyncio.wait([working, waiting])
