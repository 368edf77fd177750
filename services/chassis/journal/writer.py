"""
The writer: takes whatever waits, decides each in turn in memory, and commits all of it together.

A batch either commits or is undone as a whole: then every cached state is dropped, the head is read again, and each
piece of work is decided again in a commit of its own. Only what is durable is answered.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from services.chassis.clock import Clock
from services.chassis.ids import Ids
from services.chassis.journal.attempt import Attempt, Keys, Memory, wanted_by
from services.chassis.journal.rules import Rules
from services.chassis.journal.store import JournalStore, LostLease, NotCommitted
from services.chassis.journal.work import Answer, Ask, Settle, Stopped, TakeIn, Work

BATCH = 512
"""The most pieces of work in one commit; more would only make the first of them wait longer."""

CACHED_STREAMS = 100_000
"""States kept in memory; the oldest go first and are read again when they are wanted."""


class _Waiting(NamedTuple):
    work: Work
    answer: asyncio.Future[Any]

    def settle(self, outcome: object) -> None:
        if self.answer.done():  # whoever asked has gone away
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


class Writer:
    """The one writer of a service. `run` is its loop; `ask`, `take_in` and `settle` hand it work and wait for it."""

    def __init__(
        self, rules: Rules, store: JournalStore, *, clock: Clock, new_id: Ids, keys: Keys, cell: str = "c1"
    ) -> None:
        self._rules, self._store = rules, store
        self._clock, self._new_id, self._keys, self._cell = clock, new_id, keys, cell
        self._memory = Memory()
        self._queue: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self.committed: Callable[[int], None] = lambda position: None
        """Told of every new head, once it is durable."""

    @property
    def position(self) -> int:
        """The newest durable position."""
        return self._memory.position

    async def ask(self, ask: Ask) -> Answer:
        """Decide and record a command. A rejection is an Answer too. Raises Stopped, Bug, or what the store raised."""
        answer: Answer = await self._put(ask)
        return answer

    async def take_in(self, batch: TakeIn) -> None:
        """Record what others published, exactly once. Raises Hole."""
        await self._put(batch)

    async def settle(self, done: Settle) -> None:
        """Record how far a reader has come."""
        await self._put(done)

    def _put(self, work: Work) -> asyncio.Future[Any]:
        waiting = _Waiting(work, asyncio.get_running_loop().create_future())
        if self._stopping:
            waiting.settle(Stopped(f"{self._rules.service} does not take work any more"))
        else:
            self._queue.append(waiting)
            self._wake.set()
        return waiting.answer

    def stop(self) -> None:
        """Finish what waits, then end `run`."""
        self._stopping = True
        self._wake.set()

    async def start(self) -> None:
        """Learn where the journal ends, and forget all else. Call it before `run`."""
        head = await self._store.head()
        source = f"/{self._cell}/{self._rules.service}/{head.incarnation}"
        self._memory = Memory(source, head.position, dict(head.chains))

    async def run(self) -> None:
        """Write until `stop`. Raises LostLease when another process may write; what waits is answered with Stopped."""
        try:
            while self._queue or not self._stopping:
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                batch, self._queue[:BATCH] = self._queue[:BATCH], []
                await self._write(batch)
        finally:
            self._stopping = True
            for waiting in self._queue:
                waiting.settle(Stopped(f"{self._rules.service} stopped before this was recorded"))
            self._queue.clear()

    async def _write(self, batch: list[_Waiting]) -> None:
        """Record a batch and answer everyone in it, each for itself where the batch as a whole cannot be recorded."""
        try:
            outcomes = await self._record([waiting.work for waiting in batch])
        except LostLease as lost:
            for waiting in batch:
                waiting.settle(Stopped(f"{self._rules.service} lost its lease before this was recorded: {lost}"))
            raise
        except Exception as error:
            await self.start()
            if len(batch) == 1:
                batch[0].settle(error)
                return
            # What is wrong with one is not the answer to the others: alone, each meets its own fate.
            for waiting in batch:
                if not waiting.answer.done():
                    await self._write([waiting])
            return
        for waiting, outcome in zip(batch, outcomes, strict=True):
            waiting.settle(outcome)

    async def _record(self, works: Sequence[Work]) -> list[object]:
        memory = self._memory
        known = await self._store.load(wanted_by(self._rules, works, memory))
        attempt = Attempt(self._rules, memory, known, self._clock.now())
        outcomes: list[object] = [attempt.take(work) for work in works]
        await attempt.encode(self._new_id, self._keys)
        if not attempt.batch.is_empty():
            await self._commit(attempt)
        memory.live.update(attempt.live)
        while len(memory.live) > CACHED_STREAMS:
            del memory.live[next(iter(memory.live))]
        if attempt.position > memory.position:
            memory.position, memory.chains = attempt.position, attempt.chains
            self.committed(attempt.position)
        return outcomes

    async def _commit(self, attempt: Attempt) -> None:
        try:
            await self._store.commit(attempt.batch, after=self._memory.position)
        except NotCommitted:
            # It may have been recorded all the same. The chain tells: only this batch ends in these very hashes.
            head = await self._store.head()
            if not attempt.batch.entries or (head.position, head.chains) != (attempt.position, attempt.chains):
                raise
