"""Who is behind, by events that concern them and by seconds; and what is held back, with its cause."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

import msgspec

from contracts import envelope as envelopes
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import arrival_of
from services.chassis.bus.kafka import Waiting
from services.chassis.journal.store import JournalStore
from services.chassis.service import Service

PAGE: Final = 5_000
MOST_READ: Final = 200_000
"""Who is further behind than this is said to be so at least."""


class Lag(msgspec.Struct, frozen=True):
    """How far one reader of a service's journal has come."""

    service: str
    reader: str
    """`view requests`, `policy find-engineer`, `publisher`."""
    position: int
    events: int
    """Recorded since, of those that concern it."""
    seconds: float
    """Since the oldest of these was recorded; 0 where there is none."""
    at_least: bool = False
    """There may be more: not the whole rest of the journal was looked at."""


class HeldBack(msgspec.Struct, frozen=True):
    """One event that waits with a policy, because it or an earlier one of its key failed."""

    service: str
    policy: str
    tenant: str
    key: str
    """The request or other thing whose order it keeps."""
    position: int
    event: str
    tries: int
    parked: bool
    """It waits for somebody to look; it is tried again when the service starts."""
    reason: str


async def lags(
    service: Service, journal: JournalStore, views: Mapping[str, int], publishes: bool, now: datetime
) -> list[Lag]:
    """All readers of a journal; `views` is where each view stands. Only what concerns a reader counts as lag."""
    checkpoints = await journal.checkpoints()
    readers: dict[str, tuple[int, frozenset[str] | None]] = {}
    for view in service.views:
        readers[f"view {view.name}"] = views.get(view.name, 0), frozenset(kind.__name__ for kind in view.reads)
    for policy in service.policies:
        done = checkpoints.get(f"policy:{policy.name}", 0)
        readers[f"policy {policy.name}"] = done, frozenset(kind.__name__ for kind in policy.when)
    if publishes:
        readers["publisher"] = checkpoints.get("publisher", 0), None
    counts = dict.fromkeys(readers, 0)
    oldest: dict[str, datetime] = {}
    begin = position = min([at for at, _ in readers.values()], default=0)
    head = (await journal.head()).position
    while position < min(head, begin + MOST_READ) and (entries := await journal.read(position, PAGE)):
        position = entries[-1].position
        for entry in entries:
            envelope = envelopes.read(entry.record)
            for name, (at, kinds) in readers.items():
                concerned = envelope.type in kinds if kinds is not None else ":" not in entry.stream
                if entry.position > at and concerned:
                    counts[name] += 1
                    oldest.setdefault(name, envelope.recorded_at)
    return [
        Lag(
            service.name,
            name,
            at,
            counts[name],
            _age(oldest.get(name), now),
            position < head,
        )
        for name, (at, _) in readers.items()
    ]


async def still_to_take(
    service: Service, journal: JournalStore, publishers: Mapping[str, JournalStore], now: datetime
) -> list[Lag]:
    """On the embedded bus: what each publisher recorded and the service has not taken in yet, of what concerns it."""
    offsets, found = await journal.offsets(), []
    for name in sorted(service.listens_to & publishers.keys()):
        at = position = offsets.get(name, 1) - 1
        events, oldest = 0, None
        head = (await publishers[name].head()).position
        while position < min(head, at + MOST_READ) and (entries := await publishers[name].read(position, PAGE)):
            position = entries[-1].position
            for entry in entries:
                envelope = envelopes.read(entry.record)
                if ":" not in entry.stream and envelope.public_version and envelope.type in service.takes:
                    events += 1
                    oldest = oldest or envelope.recorded_at
        found.append(Lag(service.name, f"takes in {name}", at, events, _age(oldest, now), position < head))
    return found


def to_take(service: str, publisher: str, waiting: Waiting, now: datetime) -> Lag:
    """On Kafka: what lies in the publisher's topic after the offsets, of what concerns the service."""
    oldest = envelopes.read(waiting.oldest).recorded_at if waiting.oldest else None
    at_least = waiting.at_least
    return Lag(service, f"takes in {publisher}", waiting.offset, waiting.messages, _age(oldest, now), at_least)


def concerns(service: Service, publisher: str, message: bytes) -> bool:
    """Whether it is taken in, or put aside because nobody can read it; of all else only the offset is noted."""
    try:
        return arrival_of(Record(publisher, "", 0, message), service.takes).wanted
    except ValueError:
        return True


def _age(oldest: datetime | None, now: datetime) -> float:
    return round(max(0.0, (now - oldest).total_seconds()), 3) if oldest else 0.0


async def held_back(service: Service, journal: JournalStore) -> list[HeldBack]:
    """What the policies of a service hold, by key and in order."""
    found = []
    for key, hold in await journal.held([policy.name for policy in service.policies]):
        [entry] = await journal.read(hold.position - 1, 1)
        event = envelopes.read(entry.record).type
        at = (key.policy, key.tenant, key.key, hold.position)
        found.append(HeldBack(service.name, *at, event, hold.tries, hold.parked, hold.reason))
    return found
