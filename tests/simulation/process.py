"""One service as a process of its own: started from its stores, ended at any moment, asked over a network."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Final, NamedTuple

from fastapi import FastAPI

from contracts.envelope import Envelope
from services.chassis.auth import Tokens
from services.chassis.bus.ingest import DeadLetterFile
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import Batch, Entry, NotCommitted
from services.chassis.messages.outlets import Outlets
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.running import Running
from services.chassis.service import Facts, Policy, Service
from services.gateway.persons import MemoryBook, PersonKeys
from services.host import again
from tests.simulation.broker import Broker, BrokerFeed, BrokerOutlet
from tests.simulation.faults import Faults
from tests.simulation.loop import Life, SimLoop, quietly
from tests.standing import Door, made

BEGINS: Final = datetime(2026, 11, 30, 0, 0, tzinfo=UTC)
"""Second 0 of virtual time: a Monday, eight in the morning in Shanghai."""


class SimClock:
    """A machine's clock: virtual time, and by how much it is wrong."""

    def __init__(self, loop: SimLoop) -> None:
        self._loop = loop
        self.ahead = timedelta()

    def now(self) -> datetime:
        return BEGINS + timedelta(seconds=self._loop.time()) + self.ahead


MOST_READS: Final = 10_000
"""In one callback: who reads so often goes round in a circle, and nothing else will ever run."""


class FaultyJournal:
    """A journal whose disk may fail."""

    def __init__(self, journal: SqliteJournal, faults: Faults, process: Process, loop: SimLoop) -> None:
        self._journal, self._faults, self._process, self._loop = journal, faults, process, loop
        self._reads, self._callback = 0, 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._journal, name)

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        self._reads = self._reads + 1 if self._callback == self._loop.callbacks else 1
        self._callback = self._loop.callbacks
        if self._reads > MOST_READS:
            self._loop.stuck = f"the day did not end: {self._process.name} reads {after} for ever"
            await self._loop.create_future()
        return await self._journal.read(after, limit)

    async def commit(self, batch: Batch, after: int) -> None:
        service = self._process.name
        await self._faults.point(service, "commit.before")
        if self._faults.within(service, "disk-full"):
            raise NotCommitted("database or disk is full")
        kind = self._faults.take(service, "commit")
        if kind == "not-committed":
            raise NotCommitted("disk I/O error")
        await self._journal.commit(batch, after)
        for timer in batch.timers.values():
            if timer is not None:
                self._process.look_at(timer.due)
        await self._faults.point(service, "commit.after")
        if kind == "not-answered":
            raise NotCommitted("the connection broke")


class FaultyViews:
    """Views whose disk may fail."""

    def __init__(self, views: SqliteViews, faults: Faults, service: str) -> None:
        self._inner, self._faults, self._service = views, faults, service

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    async def commit(self, changes: Any) -> None:
        await self._faults.point(self._service, "views.before")
        if self._faults.within(self._service, "views-full"):
            raise sqlite3.OperationalError("database or disk is full")
        await self._inner.commit(changes)
        await self._faults.point(self._service, "views.after")


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: Any


class Unreachable(Exception):
    """No answer came: nobody knows whether the call was heard."""


class Process:
    """One of the six. Its stores outlive it."""

    def __init__(
        self,
        service: Service,
        folder: Path,
        *,
        loop: SimLoop,
        broker: Broker,
        faults: Faults,
        book: MemoryBook,
        outlets: Outlets,
        rng: Random,
    ) -> None:
        self.service, self.name, self.folder = service, service.name, folder
        self._loop, self._broker, self.faults, self._book, self._outlets = loop, broker, faults, book, outlets
        self._rng = rng
        self.clock = SimClock(loop)
        self.life: Life | None = None
        self.running: Running | None = None
        self.starts = 0
        self._open: list[Any] = []

    # Its life.

    def start(self) -> None:
        """Begin from the stores."""
        self.starts += 1
        life = self.life = Life(self.name)
        life.disk = lambda: self.faults.disk(self.name)
        rng = Random(self._rng.getrandbits(64))
        journal = SqliteJournal(self.folder / "journal.db")
        views = SqliteViews(self.folder / "views.db", self.service.views, readonly=False)
        views._open()
        self._open = [journal, views]
        faulty = FaultyJournal(journal, self.faults, self, self._loop)
        running = self.running = Running(
            replace(self.service, policies=tuple([self._fallible(one) for one in self.service.policies])),
            faulty,  # type: ignore[arg-type]
            FaultyViews(views, self.faults, self.name),  # type: ignore[arg-type]
            self.folder,
            keys=PersonKeys(self._book, monotonic=self._loop.time, random=rng.randbytes),
            clock=self.clock,
            new_id=new_ids(lambda: int(self.clock.now().timestamp() * 1_000), rng),
            outlets=self._outlets,
        )
        for publisher in self.service.listens_to:
            assert publisher != self.name

        async def lead(running: Running) -> None:
            feed = None
            if self.service.takes:
                feed = BrokerFeed(self._broker, self.service.listens_to, self.faults, self.name, rng)
            outlet = BrokerOutlet(self._broker, self.faults, self.name, rng)
            letters = DeadLetterFile(self.folder / "dead-letters.jsonl")
            await running.lead(running.journal, feed, letters, outlet)

        task = self._loop.task_of(life, again(running, lead))
        quietly(task)
        self._loop.graveyard.append(task)
        life.ends.append(self._close)
        self._look_at_all(journal)

    def _fallible(self, policy: Policy) -> Policy:
        """The policy, with the bug of a day in it."""

        async def react(event: Any, envelope: Envelope, facts: Facts) -> Sequence[Any]:
            if self.faults.take(self.name, "policy"):
                raise RuntimeError("a policy fails")
            return await policy.react(event, envelope, facts)

        return replace(policy, react=react)

    def end(self) -> None:
        """As `kill -9` does."""
        if self.life is not None:
            self.life.end()

    def _close(self) -> None:
        """What the system does with the open files of a process that is gone: what was not committed never was."""
        journal, views = self._open
        for db in (journal._reader, journal._heads, journal._db, views._db):
            with suppress(sqlite3.Error):
                db.close()
        journal._lock.release()
        with suppress(Exception):
            views._close_quick()
        with suppress(Exception):
            views._engine.dispose()

    @property
    def alive(self) -> bool:
        return self.life is not None and self.life.alive

    # Its timers. What looks each half second would be most of what happens; here it looks when something is due.

    def look_at(self, due: int) -> None:
        now = int(self.clock.now().timestamp() * 1e6)
        wait = max(0.0, (due - now) / 1e6) + self._rng.uniform(0.0, 4.0)
        self._loop.call_later(wait, self._look, context=Context())

    def _look(self) -> None:
        if self.alive and self.running is not None:
            for reader in (self.running.timers, self.running.reactor):
                if reader is not None:
                    reader.wake()

    def _look_at_all(self, journal: SqliteJournal) -> None:
        for (due,) in journal._reader.execute("SELECT DISTINCT due FROM timers"):
            self.look_at(due)

    def set_clock(self, ahead: timedelta) -> None:
        self.clock.ahead += ahead
        if self.alive:
            self._look_at_all(self._open[0])
            self._look()

    # Asking it.

    async def call(
        self, method: str, path: str, headers: Mapping[str, str], body: Any, tokens: Tokens, within_s: float = 10.0
    ) -> Answer:
        """Over a network: raises Unreachable where no answer comes."""
        life, loop = self.life, self._loop
        if life is None or not life.alive or self.running is None:
            raise Unreachable(f"{self.name} is not there")
        answered = loop.create_future()

        def broken() -> None:
            if not answered.done():
                answered.set_exception(Unreachable(f"{self.name} has ended"))

        async def serve() -> None:
            answer = await _asked(app_of(self), method, path, headers, body)
            if method != "GET" and self.faults.take(self.name, "answer"):
                return
            if not answered.done():
                answered.set_result(answer)

        app_of(self).state.tokens = tokens
        life.ends.append(broken)
        task = loop.task_of(life, serve())
        quietly(task)
        loop.graveyard.append(task)
        try:
            async with asyncio.timeout(within_s):
                return await answered  # type: ignore[no-any-return]
        except TimeoutError:
            raise Unreachable(f"{self.name} did not answer") from None
        finally:
            with suppress(ValueError):
                life.ends.remove(broken)


_APPS: dict[str, tuple[FastAPI, Door]] = {}


def app_of(process: Process) -> FastAPI:
    """The app of a service. Making one takes longer than a day."""
    if process.name not in _APPS:
        _APPS[process.name] = made(process.service)
    app, door = _APPS[process.name]
    door.behind = lambda: process.running
    return app


async def _asked(app: FastAPI, method: str, path: str, headers: Mapping[str, str], body: Any) -> Answer:
    route, _, query = path.partition("?")
    content = b"" if body is None else json.dumps(body).encode()
    sent = {"content-type": "application/json", **headers}
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": route,
        "raw_path": route.encode(),
        "query_string": query.encode(),
        "root_path": "",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    asked, status, found, parts = False, 0, {}, []

    async def receive() -> dict[str, Any]:
        nonlocal asked
        if asked:
            return {"type": "http.disconnect"}
        asked = True
        return {"type": "http.request", "body": content, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status, found
        if message["type"] == "http.response.start":
            status = message["status"]
            found = {name.decode(): value.decode("latin-1") for name, value in message["headers"]}
        else:
            parts.append(message.get("body", b""))

    await app(scope, receive, send)
    text = b"".join(parts)
    is_json = "json" in found.get("content-type", "")
    return Answer(status, found, json.loads(text) if text and is_json else text)
