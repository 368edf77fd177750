"""
The writer: takes whatever waits, decides each in turn in memory, and commits all of it together.

A batch either commits or is undone as a whole: then every cached state is dropped, the head is read again, and each
piece of work is decided again in a commit of its own. Only what is durable is answered. While it cannot be learned
whether a commit took effect, nothing is decided upon it: the writer ends, and a new one begins from the journal.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from services.chassis.clock import Clock
from services.chassis.ids import Ids
from services.chassis.journal.attempt import Attempt, Keys, Memory, asked, wanted_by
from services.chassis.journal.rules import Rules
from services.chassis.journal.store import JournalStore, LostLease, NotCommitted, Wanted
from services.chassis.journal.work import Answer, Ask, Settle, Stopped, TakeIn, Work

BATCH = 512
"""The most pieces of work in one commit; more would only make the first of them wait longer."""

SOON_S = 0.1
"""What is to be settled soon waits so long for something to be recorded with."""

CACHED_STREAMS = 100_000
"""States kept in memory; those not written for longest go first and are read again when they are wanted."""


class _Waiting(msgspec.Struct, frozen=True):
    work: Work
    answer: asyncio.Future[Any]

    def settle(self, outcome: object) -> None:
        if self.answer.done():  # whoever asked has gone away
            return
        if isinstance(outcome, Exception):
            self.answer.set_exception(outcome)
        else:
            self.answer.set_result(outcome)


def _settle(batch: Sequence[_Waiting], outcomes: Sequence[object]) -> None:
    for waiting, outcome in zip(batch, outcomes, strict=True):
        waiting.settle(outcome)


class Writer:
    """The one writer of a service. `run` is its loop; `ask`, `take_in` and `settle` hand it work and wait for it."""

    def __init__(
        self,
        rules: Rules,
        store: JournalStore,
        *,
        clock: Clock,
        new_id: Ids,
        keys: Keys,
        cell: str = "c1",
        may_write: Callable[[], bool] = lambda: True,
    ) -> None:
        self._rules, self._store, self._may_write = rules, store, may_write
        self._clock, self._new_id, self._keys, self._cell = clock, new_id, keys, cell
        self._memory = Memory()
        self._queue: list[_Waiting] = []
        self._taken: list[_Waiting] = []
        self._in_doubt: list[_Waiting] = []
        self._soon: list[_Waiting] = []
        self._wake = asyncio.Event()
        self._stopping = False
        self.committed: Callable[[int], None] = lambda position: None
        """Told of every new head, once it is durable, by the loop: what it raises harms no command."""

    @property
    def position(self) -> int:
        """The newest durable position."""
        return self._memory.position

    def now(self) -> datetime:
        """The time by which it records."""
        return self._clock.now()

    async def ask(self, ask: Ask) -> Answer:
        """Decide and record a command. A rejection is an Answer too. Raises Stopped, Bug, or what the store raised."""
        answer: Answer = await self._put(ask)
        return answer

    async def take_in(self, batch: TakeIn) -> None:
        """Record what others published, exactly once. Raises Hole and Fork."""
        await self._put(batch)

    async def settle(self, done: Settle) -> None:
        """Record how far a reader has come."""
        await self._put(done)

    def settle_soon(self, done: Settle) -> None:
        """
        Record it with what is recorded next, or by itself after `SOON_S`: a commit less, for most of them.

        For a reader to whom it makes no difference: what it has done since the last checkpoint it may do again.
        """
        if self._stopping:
            return
        if not self._soon:
            asyncio.get_running_loop().call_later(SOON_S, self._no_longer_wait)
        future = asyncio.get_running_loop().create_future()
        future.add_done_callback(asyncio.Future.exception)  # nobody else looks
        self._soon.append(_Waiting(done, future))

    def _no_longer_wait(self) -> None:
        self._queue += self._soon
        self._soon = []
        self._wake.set()

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
        self._no_longer_wait()

    async def start(self) -> None:
        """Learn where the journal ends, and forget all else. Call it before `run`."""
        head = await self._store.head()
        source = f"/{self._cell}/{self._rules.service}/{head.incarnation}"
        self._memory = Memory(
            source,
            head.position,
            dict(head.chains),
            armed=self._memory.armed,
            shift=head.shift,
            restored=head.incarnation > 1,
            receipts_from=head.position,
        )

    async def run(self) -> None:
        """
        Write until `stop`.

        Raises LostLease when another process may write, and what the store raised when it cannot be learned whether a
        commit took effect. What waits is answered with Stopped, and what is in doubt with NotCommitted: asked again
        with the same key, it is done once.
        """
        try:
            if not self._memory.source:
                await self.start()
            while self._queue or not self._stopping:
                if not self._queue:
                    self._wake.clear()
                    await self._wake.wait()
                    continue
                self._taken, self._queue[:BATCH], self._soon = [*self._soon, *self._queue[:BATCH]], [], []
                await self._write(self._taken)
        finally:
            self._stopping = True
            for waiting in self._in_doubt:
                waiting.settle(NotCommitted(f"{self._rules.service} stopped; whether this was recorded is not known"))
            for waiting in [*self._taken, *self._queue]:
                waiting.settle(Stopped(f"{self._rules.service} stopped before this was recorded"))
            self._queue.clear()

    async def _write(self, batch: list[_Waiting]) -> None:
        """Record a batch and answer everyone in it, each for itself where the batch as a whole cannot be recorded."""
        outcomes = await self._record(batch)
        if not isinstance(outcomes, Exception):
            self._taken = []
            # Those who follow the journal come first: who waits for a view then finds it where it should be.
            loop = asyncio.get_running_loop()
            loop.call_soon(loop.call_soon, _settle, batch, outcomes)
            return
        # What is wrong with one is not the answer to the others: alone, each meets its own fate.
        for waiting in batch:
            if not waiting.answer.done():
                alone = await self._record([waiting])
                waiting.settle(alone if isinstance(alone, Exception) else alone[0])

    async def _record(self, batch: list[_Waiting]) -> list[object] | Exception:
        """Record these together and say what became of each; or record none of them, forget all, and say why."""
        try:
            return await self._try([waiting.work for waiting in batch], batch)
        except LostLease:
            raise
        except Exception as error:
            if self._in_doubt:
                raise
            await self.start()
            return error

    async def _try(self, given: Sequence[Work], batch: list[_Waiting]) -> list[object]:
        memory = self._memory
        works = [asked(self._rules, work) if isinstance(work, Ask) else work for work in given]
        known = await self._store.load(wanted_by(works, memory))
        attempt = Attempt(self._rules, memory, known, self._clock.now())
        outcomes: list[object] = [attempt.take(work) for work in works]
        if attempt.unread:
            # Something was taken in before. Seldom: so only then is it read what it was.
            known.streams.update((await self._store.load(Wanted(streams=attempt.unread))).streams)
            attempt = Attempt(self._rules, memory, known, self._clock.now())
            outcomes = [attempt.take(work) for work in works]
        await attempt.encode(self._new_id, self._keys)
        if not attempt.batch.is_empty():
            self._in_doubt = batch
            await self._commit(attempt)
            self._in_doubt = []
        elif not self._may_write():
            # No commit asked the store, so nothing has shown that what these were decided upon is the newest there is.
            raise LostLease(f"{self._rules.service} cannot tell what was recorded elsewhere meanwhile")
        if attempt.position > memory.position:
            asyncio.get_running_loop().call_soon(self.committed, attempt.position)
        memory.follow(attempt, CACHED_STREAMS)
        return outcomes

    async def _commit(self, attempt: Attempt) -> None:
        """Commit, or raise with nothing in doubt; when even that cannot be learned, raise with the batch in doubt."""
        try:
            await self._store.commit(attempt.batch, after=self._memory.position)
        except LostLease:
            self._in_doubt = []
            raise
        except Exception:
            if not await self._is_recorded(attempt):
                self._in_doubt = []
                raise

    async def _is_recorded(self, attempt: Attempt) -> bool:
        """
        Whether a commit that failed took effect all the same.

        Only this batch ends in its hashes, and only it wrote its receipts. What has neither may be done twice.
        """
        batch = attempt.batch
        if batch.entries:
            head = await self._store.head()
            return (head.position, head.chains) == (attempt.position, attempt.chains)
        known = await self._store.load(Wanted(receipts=set(batch.receipts)))
        return bool(batch.receipts) and known.receipts == batch.receipts
