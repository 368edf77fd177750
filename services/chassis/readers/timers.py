"""
Deadlines: rows of the journal, armed in the commit of the event that needs them.

When one is due, its command is asked under a key derived from what armed it; the timer goes in the same commit. So it
acts once, whatever restarts.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import structlog

from services.chassis.clock import Clock, micros
from services.chassis.journal.store import JournalStore, Timer, TimerKey
from services.chassis.journal.work import Ask, Stopped
from services.chassis.journal.writer import Writer

PAGE = 512
LOOK_EVERY_S = 0.5
"""How late a timer may be noticed; a promise of ours is 5 s."""

_log = structlog.get_logger()


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
        self._wake = asyncio.Event()

    def wake(self) -> None:
        """Look now: the clock was set."""
        self._wake.set()

    async def run(self) -> None:
        if not self._commands:
            return
        while True:
            self._wake.clear()
            due = await self._store.due(micros(self._clock.now()), PAGE)
            fired = await asyncio.gather(*[self._fire(key, timer) for key, timer in due])
            if any(fired):
                continue
            try:
                await asyncio.wait_for(self._wake.wait(), LOOK_EVERY_S)
            except TimeoutError:
                continue

    async def _fire(self, key: TimerKey, timer: Timer) -> bool:
        """True when the timer is gone; one that failed is tried again at the next look."""
        caller = f"timer:{key.name}"
        try:
            await self._writer.ask(
                Ask(
                    command=self._commands[key.name](key, timer),
                    tenant=key.tenant,
                    actor=caller,
                    caller=caller,
                    key=f"{key.key}/{timer.event_id}",
                    causation_id=timer.event_id,
                    derived=True,
                    forget_timer=key,
                )
            )
        except Stopped:
            raise
        except Exception:
            _log.exception("timer.failed", timer=key.name, key=key.key)
            return False
        return True
