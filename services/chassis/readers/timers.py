"""
Deadlines: rows of the journal, armed in the commit of the event that needs them.

When one is due, its command is asked under a key derived from what armed it; the timer goes in the same commit. So it
acts once, whatever restarts. One whose command fails is never given up; it is tried again with growing pauses.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import structlog

from services.chassis.clock import Clock, micros
from services.chassis.journal.store import JournalStore, Timer, TimerKey
from services.chassis.journal.work import Ask, Stopped
from services.chassis.journal.writer import Writer

PAGE = 512
LOOK_EVERY_S = 0.5
"""How late a timer is noticed, as a rule."""
AT_LATEST_S = 4.0
"""Where very many fail, looking at them costs something; a promise of ours is 5 s."""
LONGEST_PAUSE_S = 300
"""Between two tries of one that fails."""

_log = structlog.get_logger()


class _Failed(NamedTuple):
    """A due timer whose command failed, and the pause until it is tried again, in microseconds UTC."""

    event_id: str
    tries: int
    since: int
    until: int

    def waits(self, timer: Timer, now: int) -> bool:
        """Not one that was set anew meanwhile; and not one whose pause began later than now, as the clock was set."""
        return self.event_id == timer.event_id and self.since <= now < self.until


class Timers:
    """Fires a service's timers. Only the holder of the lease has one."""

    def __init__(
        self,
        commands: Mapping[str, Callable[[TimerKey, Timer], Any]],
        store: JournalStore,
        writer: Writer,
        clock: Clock,
    ) -> None:
        self._commands, self._store, self._writer, self._clock = commands, store, writer, clock
        self._failed: dict[TimerKey, _Failed] = {}
        self._unknown: set[str] = set()
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now: the clock was set."""
        self._wake.set()

    async def run(self) -> None:
        """Fire until cancelled. Raises Stopped when the writer has ended, and what the store raised."""
        if not self._commands:
            return
        while True:
            self._wake.clear()
            if await self._look():
                continue
            # Not wait_for, which forgets that it was cancelled when it was woken at the same moment.
            with suppress(TimeoutError):
                async with asyncio.timeout(min(LOOK_EVERY_S * (1 + len(self._failed) // PAGE), AT_LATEST_S)):
                    await self._wake.wait()

    async def _look(self) -> bool:
        """Fire a page of what is due; whether there may be more."""
        now = micros(self._clock.now())
        # Beyond those that fail, which are the oldest, a whole page: they keep nobody else waiting.
        due = await self._store.due(now, PAGE + len(self._failed))
        self._failed = {key: self._failed[key] for key, _ in due if key in self._failed}
        ready = [(key, timer) for key, timer in due if not self._waits(key, timer, now)]
        await asyncio.gather(*[self._fire(key, timer, now) for key, timer in ready])
        return bool(ready)

    def _waits(self, key: TimerKey, timer: Timer, now: int) -> bool:
        failed = self._failed.get(key)
        return failed is not None and failed.waits(timer, now)

    async def _fire(self, key: TimerKey, timer: Timer, now: int) -> None:
        if key.name not in self._commands:
            # Another release armed it, and that one may run again: it stays, and waits for that.
            if key.name not in self._unknown:
                _log.error("timer.unknown", timer=key.name, key=key.key)
            self._unknown.add(key.name)
            self._failed[key] = _Failed(timer.event_id, 0, 0, 2**63)
            return
        try:
            answer = await self._writer.ask(self._ask(key, timer))
        except Stopped:
            raise
        except Exception:
            before = self._failed.get(key)
            tries = before.tries + 1 if before and before.event_id == timer.event_id else 1
            pause = min(2 ** min(tries - 1, 10), LONGEST_PAUSE_S)
            self._failed[key] = _Failed(timer.event_id, tries, now, now + pause * 1_000_000)
            _log.exception("timer.failed", timer=key.name, key=key.key, tries=tries, again_in_s=pause)
            return
        if answer.rejected:
            _log.info("timer.rejected", timer=key.name, key=key.key, code=answer.rejected)
        self._failed.pop(key, None)

    def _ask(self, key: TimerKey, timer: Timer) -> Ask:
        caller = f"timer:{key.name}"
        return Ask(
            command=self._commands[key.name](key, timer),
            tenant=key.tenant,
            actor=caller,
            caller=caller,
            key=f"{key.key}/{timer.event_id}",
            causation_id=timer.event_id,
            derived=True,
            forget_timer=key,
        )
