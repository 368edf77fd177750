"""
The bus of one machine: the publishers' journals are the log, and their readers read them.

No extra file and no extra flush. A partition is a whole service, which promises more order than Kafka does.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import suppress

import structlog

from services.chassis.bus.feed import Page, Record, pauses
from services.chassis.journal.store import Entry, JournalStore

PAGE = 1000

log = structlog.get_logger(__name__)


class EmbeddedFeed:
    """
    A `Feed` over the journals of these publishers.

    Those in `woken` run in this process, and `wake` tells of their commits. The others are looked at every 2 to 50 ms.
    """

    def __init__(self, journals: Mapping[str, JournalStore], woken: Collection[str] = ()) -> None:
        self._journals = dict(journals)
        self._polled = set(journals) - set(woken)
        self._fresh: set[str] = set()
        self._heads: dict[str, int] = {}
        self._news = asyncio.Event()
        self._closed = False

    def wake(self, service: str, position: int) -> None:
        """Say that a publisher's journal ends here now."""
        self._heads[service] = position
        self._fresh.add(service)
        self._news.set()

    async def close(self) -> None:
        self._closed = True
        self._news.set()

    async def pages(self, offsets: Mapping[str, int]) -> AsyncGenerator[Page, None]:
        after = {service: await self._start(service, offsets.get(service, 1)) for service in self._journals}
        self._fresh.update(self._journals)
        waits = pauses(0.002, 0.05)
        while not self._closed:
            self._news.clear()
            looked_at, self._fresh = self._fresh | self._polled, set()
            page = Page([], {}, {})
            for service in sorted(looked_at):
                if entries := await self._journals[service].read(after[service], PAGE):
                    after[service] = entries[-1].position
                    self._fresh.add(service)
                    page = self._with(page, service, entries)
            if page.offsets:
                waits = pauses(0.002, 0.05)
                yield page
            elif not self._fresh:
                yield Page((), {}, {})
                await self._wait(next(waits) if self._polled else None)

    async def _start(self, service: str, offset: int) -> int:
        head = (await self._journals[service].head()).position
        if offset - 1 > head:
            log.error("feed.begins-again", partition=service, offset=offset, end=head + 1)
            return 0
        return offset - 1

    def _with(self, page: Page, service: str, entries: Sequence[Entry]) -> Page:
        records = [record for entry in entries if (record := _published(service, entry))]
        last = entries[-1].position
        behind = max(0, self._heads.get(service, 0) - last)
        return Page([*page.records, *records], page.offsets | {service: last + 1}, page.behind | {service: behind})

    async def _wait(self, most: float | None) -> None:
        try:
            async with asyncio.timeout(most):
                await self._news.wait()
        except TimeoutError:
            pass


def _published(service: str, entry: Entry) -> Record | None:
    """What others may see: recorded by its service itself, and public. What cannot be read is theirs to judge."""
    if ":" in entry.stream:
        return None
    record = Record(service, service, entry.position, entry.record)
    with suppress(ValueError):
        record.read_envelope, record.read_event = entry.envelope(), entry.read_event
        if not record.read_envelope.public_version:
            return None
    return record
