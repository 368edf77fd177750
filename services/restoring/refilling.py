"""
A journal written again from its records, and what a journal keeps beside them, found again from them.

Names taken and deadlines set are folds of the records. Receipts are not: after a refill the writer tells by the ids of
its events that a reaction was done, and an idempotency key of the edge is a new one.
"""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import AsyncIterable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.ids import derived_id
from services.chassis.journal.rules import Claim, Rules
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import GENESIS, Batch, ClaimKey, Entry, StreamKey, Timer, TimerKey
from services.chassis.messages.sender import POLICY as SENDER
from services.chassis.service import Service
from services.restoring.copies import head_of, opened

PAGE: Final = 2_000


class Broken(Exception):
    """Records that do not make a journal; the text says where."""


class Sent(NamedTuple):
    """One record of a journal as it lies elsewhere."""

    position: int
    hash: bytes
    record: bytes


@dataclass
class Beside:
    """What the records of a service say about its names and deadlines, fold after fold."""

    rules: Rules
    claims: dict[ClaimKey, str] = field(default_factory=dict)
    timers: dict[TimerKey, Timer] = field(default_factory=dict)
    _armed_by: dict[str, list[TimerKey]] = field(default_factory=dict)

    def take(self, envelope: Envelope) -> None:
        """Fold the next record that the service recorded itself."""
        kind = envelope.type
        if kind in self._claims or kind in self._timers:
            event = envelopes.payload(envelope)
            for claim in self.rules.claims.get(type(event), _nothing)(event):
                key = (envelope.tenant, claim.kind, claim.key)
                if claim.owner is None:
                    self.claims.pop(key, None)
                else:
                    self.claims[key] = claim.owner
            if envelope.origin == "live" and (timers_of := self.rules.timers.get(type(event))):
                for arm in timers_of(event, envelope):
                    timer = TimerKey(envelope.tenant, arm.name, arm.key)
                    self.timers.pop(timer, None)
                    if arm.due is not None:
                        self.timers[timer] = Timer(micros(arm.due), envelope.id)
                        self._armed_by.setdefault(envelope.id, []).append(timer)
        if envelope.actor.startswith("timer:"):
            self._fired(envelope)

    def _fired(self, envelope: Envelope) -> None:
        for key in self._armed_by.get(envelope.causation_id, ()):
            acted = derived_id(envelope.tenant, f"timer:{key.name}", f"{key.key}/{envelope.causation_id}", "0")
            if acted == envelope.id and (timer := self.timers.get(key)) and timer.event_id == envelope.causation_id:
                del self.timers[key]

    def __post_init__(self) -> None:
        self._claims = {event.__name__ for event in self.rules.claims}
        self._timers = {event.__name__ for event in self.rules.timers}


def _nothing(event: object) -> Sequence[Claim]:
    return ()


async def append(path: Path, service: Service, sent: AsyncIterable[Sequence[Sent]]) -> int:
    """
    Append records to a journal, which may be empty, as they lie elsewhere. Those that it has must be the same.

    Positions and hashes must fit, byte for byte. Returns how many were new. Raises Broken.
    """
    journal = SqliteJournal(path)
    try:
        head = await journal.head()
        end, chains, new = head.position, dict(head.chains), 0
        async for page in sent:
            batch = Batch()
            for position, link, record in page:
                if position <= end:
                    await _must_be_there(journal, position, link, batch)
                    continue
                if position != end + 1:
                    raise Broken(f"position {position} of {service.name} follows {end}: records are missing")
                entry = _entry(service.name, position, record, chains)
                if entry.hash != link:
                    raise Broken(f"record {position} of {service.name} is not the one that was chained there")
                batch.entries.append(entry)
                chains[entry.tenant], end = entry.hash, position
            if batch.entries:
                await journal.commit(batch, batch.entries[0].position - 1)
                new += len(batch.entries)
        return new
    finally:
        await journal.close()


async def _must_be_there(journal: SqliteJournal, position: int, link: bytes, batch: Batch) -> None:
    if batch.entries and position >= batch.entries[0].position:
        found = batch.entries[position - batch.entries[0].position]
    else:
        found = (await journal.read(position - 1, 1))[0]
    if found.hash != link:
        raise Broken(f"record {position} is another one here than there: the two went on apart from each other")


def _entry(service: str, position: int, record: bytes, chains: Mapping[str, bytes]) -> Entry:
    try:
        envelope = envelopes.read(record)
    except ValueError as error:
        raise Broken(f"record {position} of {service} cannot be read: {error}") from None
    stream = envelope.stream if envelope.service == service else f"{envelope.service}:{envelope.stream}"
    link = hashlib.sha256(chains.get(envelope.tenant, GENESIS) + record).digest()
    story, tenant = envelope.correlation_id, envelope.tenant
    return Entry(position, envelope.id, tenant, stream, envelope.version, story, link, record)


async def refold(path: Path, service: Service) -> None:
    """Find names, deadlines and public versions taken in again from the records of a journal, in the place of all."""
    beside, seen = Beside(service.rules), dict[StreamKey, int]()
    journal = SqliteJournal(path)
    try:
        position = 0
        while entries := await journal.read(position, PAGE):
            position = entries[-1].position
            for entry in entries:
                envelope = envelopes.read(entry.record)
                if ":" in entry.stream:
                    seen[entry.tenant, entry.stream] = envelope.public_version
                else:
                    beside.take(envelope)
    finally:
        await journal.close()
    db = opened(path)
    with db:
        db.execute("BEGIN")
        for table in ("claims", "timers", "seen", "offsets"):
            db.execute(f"DELETE FROM {table}")
        db.executemany("INSERT INTO claims VALUES (?, ?, ?, ?)", [(*key, own) for key, own in beside.claims.items()])
        db.executemany(
            "INSERT INTO timers VALUES (?, ?, ?, ?, ?)", [(*k, *timer) for k, timer in beside.timers.items()]
        )
        db.executemany("INSERT INTO seen VALUES (?, ?, ?)", [(*key, version) for key, version in seen.items()])
    db.close()


EFFECTS: Final = """
    SELECT json_extract(CAST(e.record AS TEXT), '$.actor') AS actor, max(cause.position)
    FROM events AS e JOIN events AS cause ON cause.event_id = json_extract(CAST(e.record AS TEXT), '$.causationid')
    WHERE e.position > ? AND actor LIKE 'policy:%' GROUP BY actor
"""


def go_on_after_effects(path: Path, service: Service, after: int, *, only_sender: bool) -> None:
    """
    Let each policy go on after the last event that it has answered, by what is recorded of it after a position.

    What it had answered with nothing is asked again from there; what is recorded is not done twice. What was sent to
    persons is never sent again: `only_sender` leaves the other policies where they stand.
    """
    db = opened(path)
    with db:
        kept = dict(db.execute("SELECT reader, position FROM checkpoints"))
        answered = {str(actor).removeprefix("policy:"): int(at) for actor, at in db.execute(EFFECTS, (after,))}
        head = head_of(db)
        for name in _policies(service):
            reader = f"policy:{name}"
            if only_sender and name != SENDER:
                continue
            at = max(answered.get(name, head if name == SENDER else 0), kept.get(reader, 0))
            db.execute("INSERT OR REPLACE INTO checkpoints VALUES (?, ?)", (reader, at))
    db.close()


def _policies(service: Service) -> Iterable[str]:
    yield from (policy.name for policy in service.policies)
    if service.notices is not None:
        yield SENDER


def begin_life(path: Path, least: int) -> int:
    """Raise the incarnation: positions after the end may have stood for other records. Returns it."""
    db: sqlite3.Connection = opened(path)
    with db:
        db.execute("UPDATE meta SET value = max(value, ?) + 1 WHERE name = 'incarnation'", (least,))
        found = db.execute("SELECT value FROM meta WHERE name = 'incarnation'").fetchone()[0]
    db.close()
    return int(found)


def published_upto(path: Path, position: int) -> None:
    """Where the publisher goes on: what the topic has is not sent again."""
    db = opened(path)
    with db:
        db.execute("INSERT OR REPLACE INTO checkpoints VALUES ('publisher', ?)", (min(position, head_of(db)),))
    db.close()
