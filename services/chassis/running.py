"""
A service as it runs in a process: it always answers queries, and while it may write, commands too.

`lead` is its writing side: the writer with its three readers, the timers and the ingest, as long as it may write. What
ends one of them ends all of them; whoever calls `lead` begins again from the journal.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode, b64encode
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Protocol

import structlog
from sqlalchemy import Select, Table
from sqlalchemy.sql import visitors

from contracts import envelope as envelopes
from contracts.event import Event
from services.chassis.bus.feed import Feed
from services.chassis.bus.ingest import DeadLetters, Ingest, Letter
from services.chassis.bus.publisher import Outlet, Publisher
from services.chassis.clock import Clock
from services.chassis.ids import Ids
from services.chassis.journal import attempt
from services.chassis.journal.as_of import states_before
from services.chassis.journal.store import JournalStore, Wanted
from services.chassis.journal.sweep import Sweeper
from services.chassis.journal.work import Answer, Ask, Fork, Hole, Stopped, TakeIn
from services.chassis.journal.writer import Writer
from services.chassis.messages.outlets import Outlets
from services.chassis.messages.sender import Sender
from services.chassis.readers.ahead import POLL_S, Ahead
from services.chassis.readers.answers import Answers
from services.chassis.readers.holds import DiscardHeld, discarded, with_holds
from services.chassis.readers.projector import Projector
from services.chassis.readers.reactor import Reactor
from services.chassis.readers.stuck import Stuck, held, readable, still_open, unread
from services.chassis.readers.timers import Timers
from services.chassis.readers.viewstore import Moved, ViewStore
from services.chassis.service import Service
from services.chassis.views import Value

WAIT_S = 0.5
"""So long a read waits for what another service recorded."""

ELSEWHERE_S = 2.0
"""So long a read waits for views that another process fills: that may be about to hand over to a third."""

RECORDED_PAGE = 256
"""Records that are read at once of what was recorded: a few milliseconds."""

LOOK_EVERY_S = 0.02
SOON_S = 0.002
LOOK_AT_VIEWS_S = 1.0
DAY_S = 86_400

_log = structlog.get_logger()


class Keys(attempt.Keys, Protocol):
    """Seals and opens what is said about persons."""

    def open(self, tenant: str, text: str) -> str:
        """The text made readable; of a forgotten person, the empty string."""

    async def ready(self, tenant: str, sealed: Sequence[str]) -> None:
        """Fetch the keys of these sealed texts, so that `open` need not wait."""

    async def index(self, tenant: str, text: str) -> str:
        """A keyed hash of the text, equal for equal texts of one tenant: for looking up what is kept sealed."""


class BeginAgain(Exception):
    """This leading ends so that a new one begins from the journal."""


class Follower(Protocol):
    """Keeps something of the journal elsewhere while this process writes it."""

    async def run(self) -> None:
        """Follow, until cancelled."""

    async def keep(self) -> None:
        """Come to where the journal ends now."""


class Running:
    """One service in this process; the `Api` of its routes and the `Facts` of its policies."""

    def __init__(
        self,
        service: Service,
        journal: JournalStore,
        views: ViewStore,
        folder: Path,
        *,
        keys: Keys,
        clock: Clock,
        new_id: Ids,
        follower: Callable[[JournalStore], Follower] | None = None,
        outside: Mapping[str, str] = MappingProxyType({}),
        outlets: Outlets | None = None,
        letters: Callable[[], DeadLetters] | None = None,
    ) -> None:
        """Without outlets, no message leaves this process, and each is recorded as not sent."""
        self.service, self.name = service, service.name
        self.folder = folder
        """Where the service keeps files of its own, such as photos."""
        self.journal, self.views = journal, views
        """The journal to read from, and the views that are served."""
        self.ahead = Ahead(views)
        self.keys, self._clock, self.new_id = keys, clock, new_id
        self._follower = follower
        self.outside = outside
        """Addresses of what lies outside, by name, as the operator has set them."""
        self._outlets = outlets or Outlets()
        self._letters = letters
        self._begin_again = asyncio.Event()
        self._incarnation = 1
        self._looked_at = float("-inf")
        self._committed: list[Callable[[int], None]] = []
        self._grown: asyncio.Future[None] | None = None
        self._ended = False
        self.writer: Writer | None = None
        """While this process may write."""
        self.projector: Projector | None = None
        self._answers: Answers | None = None
        self.reactor: Reactor | None = None
        self.sender: Sender | None = None
        """Of a service that tells persons outside something."""
        self.timers: Timers | None = None
        self.ingest: Ingest | None = None
        self.publisher: Publisher | None = None

    # The Api.

    async def ask(self, ask: Ask) -> Answer:
        if self.writer is None:
            raise Stopped(f"{self.name} does not write here now")
        answer = await self.writer.ask(ask)
        await self.wait_for(answer.position)
        return answer.or_raise()

    async def wait_for(self, position: int) -> bool:
        if self.projector is not None:
            return await self.projector.wait_for(position)
        return await self._seen_elsewhere(position)

    async def wait_for_other(self, publisher: str, position: int) -> bool:
        if publisher not in self.service.listens_to:
            return True
        if self.ingest is None or self.writer is None or self.reactor is None:
            return False
        ingest, writer, reactor = self.ingest, self.writer, self.reactor
        with suppress(TimeoutError):
            async with asyncio.timeout(WAIT_S):
                while not ingest.has_taken(publisher, position):  # noqa: ASYNC110 - seldom, and for a moment
                    await asyncio.sleep(SOON_S)
                taken = writer.position
                while self.service.policies and reactor.position < taken:  # noqa: ASYNC110
                    await asyncio.sleep(SOON_S)
                return await self.wait_for(writer.position)
        return False

    async def _seen_elsewhere(self, position: int) -> bool:
        """Whether the views, which another process fills, have come so far within the time of a read."""
        waited_for = [view.name for view in self.service.views if view.waited_for]
        with suppress(TimeoutError):
            async with asyncio.timeout(ELSEWHERE_S):
                while True:
                    positions = await self.ahead.views.positions()
                    if all(positions[name] >= position for name in waited_for if name in positions):
                        return True
                    await asyncio.sleep(LOOK_EVERY_S)
        return False

    async def fetch(self, query: Select[Any], **values: Value) -> Sequence[Mapping[str, Any]]:
        if self._answers is None or self.ahead.lacks:
            return await self._fetch_of_two(query, values)
        return await self._answers.fetch(query, values)

    async def _fetch_of_two(self, query: Select[Any], values: Mapping[str, Value]) -> Sequence[Mapping[str, Any]]:
        """Where another release may serve its own views, or put them in place. Raises Stopped if only that can tell."""
        now = asyncio.get_running_loop().time()
        if now > self._looked_at + LOOK_AT_VIEWS_S:
            self._looked_at = now
            await self.ahead.look()
        for _ in range(2):
            await self.ahead.settled()
            store = self._store_of(query)
            try:
                return await store.fetch(query, **values)
            except Moved:
                await self.ahead.look()
        raise Stopped(f"{self.name} is served by another release now")

    def _store_of(self, query: Select[Any]) -> ViewStore:
        if self.can_read:
            return self.ahead.views
        wanted = {part.name for part in visitors.iterate(query) if isinstance(part, Table)}
        if not wanted <= set(self.ahead.alike):
            raise Stopped(f"{self.name} is served by another release, and the views of this one are not folded yet")
        return self.views

    @property
    def can_read(self) -> bool:
        """All views of this release can be read here, as of the last look."""
        return not self.ahead.lacks or self.ahead.near

    async def look_ahead(self) -> None:
        """Fold the views of this release beside those that another one serves, as long as it does."""
        await self.ahead.follow(self.journal)

    def open(self, tenant: str, text: str) -> str:
        return self.keys.open(tenant, text)

    async def ready(self, tenant: str, sealed: Sequence[str]) -> None:
        await self.keys.ready(tenant, sealed)

    async def index(self, tenant: str, text: str) -> str:
        return await self.keys.index(tenant, text)

    async def seal(self, tenant: str, person: str, content: bytes) -> bytes:
        """Bytes, such as a photo, under the person's key."""
        await self.keys.ensure({(tenant, person)})
        return self.keys.seal(tenant, person, b64encode(content).decode()).encode()

    async def seal_text(self, tenant: str, person: str, text: str) -> str:
        """A text under the person's key, as the writer would seal it: what is sealed already stays as it is."""
        await self.keys.ensure({(tenant, person)})
        return self.keys.seal(tenant, person, text)

    async def unseal(self, tenant: str, person: str, sealed: bytes) -> bytes:
        """What `seal` sealed. Raises KeyError when the person is forgotten."""
        text = sealed.decode()
        await self.keys.ready(tenant, [text])
        opened = self.keys.open(tenant, text)
        if not opened:
            raise KeyError(person)
        return b64decode(opened)

    async def states_before(self, tenant: str, streams: Iterable[str], position: int) -> Mapping[str, Any]:
        return await states_before(self.journal, self.service.rules, tenant, streams, position)

    async def recorded(self, tenant: str, types: Collection[type[Event]], after: int) -> tuple[Sequence[Event], int]:
        entries, names = await self.journal.read(after, RECORDED_PAGE), {one.__name__ for one in types}
        found = [one for entry in entries if (one := entry.envelope()).tenant == tenant and one.service == self.name]
        read = [envelopes.payload(one) for one in found if one.type in names and envelopes.is_known(one.type)]
        return read, entries[-1].position if entries else after

    def now(self) -> datetime:
        return self._clock.now()

    @property
    def incarnation(self) -> int:
        """Of the journal: after a restore, positions may stand for other events."""
        return self._incarnation

    async def committed_after(self, position: int, at_most_s: float) -> None:
        """Return once the journal is longer than this, or after so many seconds. Raises Stopped when this ends."""
        if self._ended:
            raise Stopped(f"{self.name} ends")
        if self.writer is not None and self.writer.position > position:
            return
        if self._grown is None or self._grown.done():
            self._grown = asyncio.get_running_loop().create_future()
        with suppress(TimeoutError):
            await asyncio.wait_for(asyncio.shield(self._grown), at_most_s)
        if self._ended:
            raise Stopped(f"{self.name} ends")

    def end(self) -> None:
        """Let those who wait for news go."""
        self._ended = True
        if self._grown is not None and not self._grown.done():
            self._grown.set_result(None)

    # What could not be acted on.

    async def parked(self, tenant: str, key: str) -> list[Stuck]:
        """What waits for somebody to look, of one key."""
        reacting = [one for one in (self.reactor, self.sender) if one is not None]
        if reacting and not any(one.held_by(tenant, key) for one in reacting):
            return []  # as a rule; a process that does not write must look into the journal
        return [one for one in await held(self.service, self.journal, (tenant, key)) if one.parked]

    async def stuck(self) -> list[Stuck]:
        """Every key that is held and every message that could not be read, of all tenants."""
        return [*await held(self.service, self.journal), *await unread(self.service, self.journal, await self.left())]

    async def left(self) -> list[Letter]:
        """The dead letters of this service, in order."""
        if self._letters is None:
            return []
        letters = self._letters()
        try:
            return await letters.all()
        finally:
            await letters.close()

    async def is_discarded(self, tenant: str, one: DiscardHeld) -> bool:
        """Whether somebody has discarded it already."""
        stream = (tenant, discarded(one.policy, one.key, one.position))
        return bool((await self.journal.load(Wanted(streams={stream}))).streams)

    async def take_in_again(self, places: Collection[tuple[str, int]]) -> int:
        """
        Take in, in their order, the dead letters of these partitions and offsets that can be read by now.

        Returns how many.

        One that does not follow on its stream stays where it is. Raises Stopped where this process does not write.
        """
        taken = 0
        for letter in await still_open(self.service, self.journal, await self.left()):
            if self.writer is None:
                raise Stopped(f"{self.name} does not write here now")
            place = letter.record.partition, letter.record.offset
            if place in places and (arrival := readable(self.service, letter)):
                try:
                    await self.writer.take_in(TakeIn([arrival], {}))
                except (Hole, Fork) as why:
                    _log.warning("letter.not-taken-in", service=self.name, position=letter.record.offset, why=str(why))
                else:
                    taken += 1
        if taken and self.ingest is not None and self.ingest.state.stopped:
            self._begin_again.set()
        return taken

    # The writing side.

    def on_commit(self, told: Callable[[int], None]) -> None:
        """Tell this one of every new head of the journal."""
        self._committed.append(told)

    def _wake(self, position: int) -> None:
        for reader in (self.projector, self.reactor, self.sender, self.publisher):
            if reader is not None:
                reader.wake()
        for told in self._committed:
            told(position)
        if self._grown is not None and not self._grown.done():
            self._grown.set_result(None)

    async def lead(
        self,
        journal: JournalStore,
        feed: Feed | None,
        dead_letters: DeadLetters,
        outlet: Outlet | None,
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        """
        Write until cancelled, or until this process may not write any more. Without an outlet nothing is published.

        Cancelled, it finishes what it was asked before it returns. Raises what ended it otherwise.
        """
        self.journal = journal
        rules, clock, new_id = with_holds(self.service.rules), self._clock, self.new_id
        self._begin_again.clear()
        writer = Writer(rules, journal, clock=clock, new_id=new_id, keys=self.keys, may_write=may_write)
        writer.committed = self._wake
        await writer.start()
        self._incarnation = (await journal.head()).incarnation
        projector = Projector(journal, self.views)
        if await self.ahead.look():
            await self.ahead.step(journal)
            if self.ahead.near:
                await self.ahead.take_place(projector)
        reactor = Reactor(self.service, journal, writer, self, self._clock, views_have=projector.wait_for)
        sender = self._make_sender(journal, writer, projector)
        timers = Timers(self.service.on_timer, journal, writer, self._clock)
        follower = self._follower(journal) if self._follower else None
        running = {"writer": asyncio.create_task(writer.run(), name=f"{self.name}.writer")}
        try:
            # Where a new policy begins is on the disk before the first event that concerns it, whatever ends us then.
            for reacts in filter(None, (reactor, sender)):
                await reacts.begin()
                # What is parked waits for somebody to look, and who starts a service anew has.
                reacts.redrive()
            tasks = {
                "projector": projector.run(),
                "reactor": reactor.run(),
                "timers": timers.run(),
                "concerns": self._tell_concerns(),
                "redriven": self._until_redriven(),
                "sweeper": Sweeper(journal, writer, clock).run(),
            }
            if self.ahead.lacks:
                tasks["ahead"] = self._until_in_place(journal, projector)
            if sender is not None:
                tasks["sender"] = sender.run()
            if feed is not None:
                self.ingest = Ingest(
                    self.service.takes, feed, journal, writer, dead_letters, pause_s=self.service.takes_in_every_s
                )
                tasks["ingest"] = self.ingest.run()
            if outlet is not None:
                self.publisher = Publisher(
                    self.name, journal, writer, outlet, may_write, pause_s=self.service.publishes_every_s
                )
                tasks["publisher"] = self.publisher.run()
            if follower is not None:
                tasks["follower"] = _followed(self.name, follower)
            self.projector, self.reactor, self.timers, self.writer = projector, reactor, timers, writer
            self._answers = Answers(projector, self.views)
            self.sender = sender
            running |= {name: asyncio.create_task(work, name=f"{self.name}.{name}") for name, work in tasks.items()}
            _log.info("service.leads", service=self.name, position=writer.position)
            await self._watch(running)
        finally:
            await self._stop(writer, running)
            if follower is not None:
                await _kept(self.name, follower)

    async def _tell_concerns(self) -> None:
        """In the log, as the service begins to write and each day: a person must see to it."""
        while True:
            for one in await self.service.concerns(self, self.now()):
                _log.warning("service.concern", service=self.name, **one._asdict())
            await asyncio.sleep(DAY_S)

    async def _until_in_place(self, journal: JournalStore, projector: Projector) -> None:
        """What another release serves is read until the views of this one are folded, and then they are served."""
        while self.ahead.lacks:
            read = await self.ahead.step(journal)
            if self.ahead.near:
                await self.ahead.take_place(projector)
                _log.info("service.views-in-place", service=self.name)
            elif not read:
                await asyncio.sleep(POLL_S)

    async def _until_redriven(self) -> None:
        """Ends this leading, so that a taking in that had stopped begins again behind what was taken in by hand."""
        await self._begin_again.wait()
        raise BeginAgain(f"{self.name} takes in again what it could not read")

    def _make_sender(self, journal: JournalStore, writer: Writer, projector: Projector) -> Sender | None:
        if self.service.notices is None:
            return None
        return Sender(
            self.service,
            self.service.notices,
            journal,
            writer,
            self,
            self._clock,
            views_have=projector.wait_for,
            keys=self.keys,
            outlets=self._outlets,
        )

    async def _watch(self, running: Mapping[str, asyncio.Task[None]]) -> None:
        """Return when one of them that must not end has ended; raise what ended it."""
        # A reader with nothing to do ends at once, and an ingest that stopped says so in its state.
        essential = {running["writer"], running["projector"]}
        waiting = set(running.values())
        while not essential - waiting:
            done, waiting = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                if error := task.exception():
                    raise error
        return

    async def _stop(self, writer: Writer, running: Mapping[str, asyncio.Task[None]]) -> None:
        self.writer = None
        if self.ingest is not None:
            await self.ingest.stop()
        if self.publisher is not None:
            self.publisher.stop()
        askers = [task for name, task in running.items() if name not in ("writer", "projector")]
        for name in ("reactor", "sender", "timers", "concerns", "redriven", "sweeper", "ahead", "follower"):
            if name in running:
                running[name].cancel()
        if askers:
            await asyncio.wait(askers, timeout=5)
        writer.stop()
        await asyncio.wait([running["writer"]], timeout=5)
        for task in running.values():
            task.cancel()
            with suppress(asyncio.CancelledError, Exception):
                await task
        self.projector = self.reactor = self.sender = self.timers = self.ingest = self.publisher = None
        self._answers = None


async def _followed(service: str, follower: Follower) -> None:
    """Follow as long as it can be done; what cannot be kept elsewhere stops no service."""
    pause = 1.0
    while True:
        try:
            await follower.run()
        except Exception:
            _log.exception("follower.failed", service=service, seconds=pause)
        await asyncio.sleep(pause)
        pause = min(2 * pause, 60.0)


async def _kept(service: str, follower: Follower) -> None:
    """To the very end, when nothing is written any more."""
    try:
        await follower.keep()
    except Exception:
        _log.exception("follower.failed", service=service)
