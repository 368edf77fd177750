"""How far the readers of one service have come, wherever they run."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import partial

from services.audit.lag import MOST_READ, HeldBack, Lag, concerns, held_back, lags, still_to_take, to_take
from services.chassis.bus.kafka import waiting_in
from services.chassis.journal.store import JournalStore
from services.chassis.service import Service
from services.host import open_to_read, open_views
from services.settings import Settings


@dataclass(frozen=True)
class Behind:
    """Who has still something to do."""

    lags: list[Lag]
    held: list[HeldBack]


async def behind_of(settings: Settings, service: Service, now: datetime) -> Behind:
    """Every reader of a service's journal, what it has still to take in, and what is held back."""
    async with AsyncExitStack() as opened:

        async def to_read(name: str) -> JournalStore:
            journal = await open_to_read(settings, name)
            opened.push_async_callback(journal.close)
            return journal

        journal = await to_read(service.name)
        views = await open_views(settings, service, readonly=True)
        opened.push_async_callback(views.close)
        found = await lags(service, journal, await views.positions(), bool(settings.cluster), now)
        if settings.cluster:
            offsets = await journal.offsets()
            for publisher in sorted(service.listens_to):
                concerned = partial(concerns, service, publisher)
                waits = await waiting_in(settings.cluster, publisher, offsets, concerned, MOST_READ)
                found.append(to_take(service.name, publisher, waits, now))
        else:
            publishers = {name: await to_read(name) for name in sorted(service.listens_to)}
            found += await still_to_take(service, journal, publishers, now)
        return Behind(found, await held_back(service, journal))
