"""
Removes receipts whose time is over, a page at a time, so that the table does not grow with every idempotency key.

It goes through all receipts in the order of their keys and needs no index of its own, which every command would pay
for. In a second it looks at a page and removes what is over of it in one commit, with whatever else is recorded then.
"""

from __future__ import annotations

import asyncio
from typing import Final

from services.chassis.clock import Clock, micros
from services.chassis.journal.store import JournalStore, ReceiptKey
from services.chassis.journal.work import Settle
from services.chassis.journal.writer import Writer

PAGE: Final = 500
BETWEEN_PAGES_S: Final = 1.0
BETWEEN_ROUNDS_S: Final = 3_600.0

FIRST: Final[ReceiptKey] = ("", "", "")


class Sweeper:
    """Sweeps the receipts of a service. Only the holder of the lease has one."""

    def __init__(self, store: JournalStore, writer: Writer, clock: Clock) -> None:
        self._store, self._writer, self._clock = store, writer, clock
        self._after = FIRST

    async def run(self) -> None:
        """Sweep until cancelled. Raises Stopped when the writer has ended, and what the store raised."""
        while True:  # noqa: ASYNC110 - it goes by the clock, and waits for nobody
            await asyncio.sleep(BETWEEN_PAGES_S if await self.page() else BETWEEN_ROUNDS_S)

    async def page(self) -> bool:
        """Sweep one page; False when that was the last one and the next begins anew."""
        found = await self._store.receipts(self._after, PAGE)
        now = micros(self._clock.now())
        if expired := [key for key, kept_until in found if 0 < kept_until <= now]:
            await self._writer.settle(Settle(expired=expired))
        self._after = found[-1][0] if len(found) == PAGE else FIRST
        return self._after != FIRST
