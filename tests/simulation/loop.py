"""
An event loop with a virtual clock, whose order of events a seed chooses.

When nothing is ready, time jumps to the next timer. What is ready at once runs in an order that the seed chooses. What
would go to a thread runs here, between two other callbacks, so that nothing depends on the timing of threads. Every
callback belongs to the life of a process or to nobody; of a life that has ended nothing runs any more, not even what
would tidy up: that is what `kill -9` does at an `await`.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from random import Random
from typing import Any

MOST_TURNS = 200_000
"""Turns of the loop at one instant; more is a circle that never ends."""


MOST_CALLBACKS = 1_000_000
"""Callbacks of a day; a usual one has 13,000."""


class Life:
    """One run of one process, from its start to its end. `LIFE` says to whose life a callback belongs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.alive = True
        self.steps = 0
        self.dies_at_step = 0
        """The callback that it does not live to see; 0 for none."""
        self.ends: list[Callable[[], None]] = []
        """What the outside sees of its end: connections that break."""
        self.disk: Callable[[], float] = lambda: 0.0
        """How long its disk lets it wait now, in seconds."""

    def end(self) -> None:
        if self.alive:
            self.alive = False
            for tell in self.ends:
                tell()


LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


class Stuck(Exception):
    """Nothing can ever happen again, or the same for ever, while something is still waited for."""


class _Soon(asyncio.Handle):
    """As asyncio makes it when it does not debug, and does not ask each time whether it does."""

    def __init__(self, callback: Any, args: Any, loop: asyncio.AbstractEventLoop, context: Context | None) -> None:
        self._context = copy_context() if context is None else context  # type: ignore[misc]
        self._loop, self._callback, self._args = loop, callback, args  # type: ignore[misc]
        self._cancelled, self._repr, self._source_traceback = False, None, None  # type: ignore[misc]


class _Later(asyncio.TimerHandle):
    """A timer among others of its kind, which are all that it is ever compared with."""

    def __lt__(self, other: asyncio.TimerHandle) -> bool:
        return self._when < other._when  # type: ignore[attr-defined, no-any-return]


class _Clockwork:
    """In the place of a selector: there is no outside."""

    def get_map(self) -> dict[int, Any]:
        return {}

    def close(self) -> None:
        pass


class SimLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order of a seed, in virtual seconds from 0."""

    def __init__(self, rng: Random) -> None:
        super().__init__()
        self._rng, self._now = rng, 0.0
        self._selector = _Clockwork()
        self._clock_resolution = 0.0
        self.callbacks = 0
        self.graveyard: list[object] = []
        """What belonged to lives that have ended. It is kept, or collecting it would run what tidies up."""
        self._turns = 0
        self.stuck = ""
        """Why nothing goes on any more, said by who cannot raise it himself."""

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        if self.stuck or self.callbacks > MOST_CALLBACKS:
            raise Stuck(self.stuck or "the day did not end")
        scheduled, ready = self._scheduled, self._ready
        while scheduled and scheduled[0]._cancelled:
            heapq.heappop(scheduled)
        if not ready:
            if not scheduled:
                raise Stuck("nothing can happen any more")
            if scheduled[0]._when > self._now:
                self._now, self._turns = scheduled[0]._when, 0
        while scheduled and scheduled[0]._when <= self._now:
            handle = heapq.heappop(scheduled)
            if not handle._cancelled:
                ready.append(handle)
        self._turns += 1
        if self._turns > MOST_TURNS:
            raise Stuck(f"time stands still at {self._now}")
        now = list(ready)
        ready.clear()
        if len(now) > 1:
            self._rng.shuffle(now)
        for handle in now:
            if handle._cancelled:
                continue
            life = handle._context.get(LIFE)
            if life is not None:
                if not life.alive:
                    self.graveyard.append(handle)
                    continue
                life.steps += 1
                if life.steps == life.dies_at_step:
                    life.end()
                    self.graveyard.append(handle)
                    continue
            self.callbacks += 1
            try:
                handle._context.run(handle._callback, *handle._args)
            except (SystemExit, KeyboardInterrupt):
                raise
            except BaseException as error:
                self.call_exception_handler({"message": "a callback failed", "exception": error, "handle": handle})

    def call_soon(self, callback: Any, *args: Any, context: Context | None = None) -> asyncio.Handle:
        handle = _Soon(callback, args, self, context)
        self._ready.append(handle)
        return handle

    def call_at(self, when: float, callback: Any, *args: Any, context: Context | None = None) -> asyncio.TimerHandle:
        timer = _Later(when, callback, args, self, context)
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True
        return timer

    def _process_events(self, event_list: object) -> None:
        raise Stuck("there is no outside")

    def _write_to_self(self) -> None:
        pass

    def call_soon_threadsafe(self, callback: Any, *args: Any, context: Any = None) -> Any:
        raise Stuck("a thread wants to speak to the simulation")

    def run_in_executor(self, executor: object, func: Callable[..., Any], *args: Any) -> Any:
        """Done here: begun after a while and told after another, as a thread would; a process may end in between."""
        future = self.create_future()
        life = LIFE.get()

        def wait() -> float:
            return 0.0 if life is None else life.disk()

        def work() -> None:
            try:
                outcome, error = func(*args), None
            except Exception as raised:
                outcome, error = None, raised
            self._later(wait(), tell, outcome, error)

        def tell(outcome: Any, error: Exception | None) -> None:
            if future.done():
                return
            if error is not None:
                future.set_exception(error)
            else:
                future.set_result(outcome)

        self._later(wait(), work)
        return future

    def _later(self, seconds: float, callback: Callable[..., None], *args: object) -> None:
        if seconds > 0:
            self.call_later(seconds, callback, *args)
        else:
            self.call_soon(callback, *args)

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:
        pass

    def task_of(self, life: Life, coroutine: Any) -> asyncio.Task[Any]:
        """A task of this life; all that it begins belongs to the life too."""
        context = Context()
        context.run(LIFE.set, life)
        task = self.create_task(coroutine, context=context)
        return task


def quietly(task: asyncio.Task[Any]) -> None:
    """That it is never finished is meant so."""
    task._log_destroy_pending = False  # type: ignore[attr-defined]
