"""
The port between the writer and the durable store. SQLite and PostgreSQL stand behind it and pass one suite.

A store keeps what it is given, all of a batch or none of it, and judges one thing only: that the batch continues the
journal it has (same head, lease still ours). Deciding is the writer's work.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import Event

GENESIS = b"\0" * 32
"""What the first link of every chain is chained to."""


FORMAT = 1
"""Of the tables of a journal. A later release reads an earlier format for ever, and raises it in its own steps."""


class OtherFormat(Exception):
    """A journal that another release has written in a way that this one does not know; the text says what to do."""

    def __init__(self, journal: object, found: int) -> None:
        super().__init__(
            f"the journal {journal} has format {found}, and this release knows format {FORMAT}: "
            "use the release that wrote it, or a later one"
        )


class _Row(NamedTuple):
    position: int
    event_id: str
    tenant: str
    stream: str
    """Of an own event `order/…`; of one taken in `intake:request/…`, so that two services never share a stream."""
    version: int
    correlation_id: str
    hash: bytes
    record: bytes


class Entry(_Row):
    """
    One row of the journal.

    What wrote it has read it already, and lends what it read to all who follow the journal in this process.
    """

    read_envelope: Envelope | None = None
    read_event: Event | None = None

    def envelope(self) -> Envelope:
        """Raises what `envelopes.read` raises."""
        return self.read_envelope or envelopes.read(self.record)

    def event(self, envelope: Envelope) -> Event:
        """What the envelope, which is this entry's, holds. Raises what `envelopes.payload` raises."""
        return self.read_event or envelopes.payload(envelope)


class Recorded(NamedTuple):
    """Of a row of the journal, what a fold takes: the other columns cost as much to read as the record."""

    position: int
    record: bytes

    def envelope(self) -> Envelope:
        """Raises what `envelopes.read` raises."""
        return envelopes.read(self.record)

    def event(self, envelope: Envelope) -> Event:
        """What the envelope, which is this record's, holds. Raises what `envelopes.payload` raises."""
        return envelopes.payload(envelope)


StreamKey = tuple[str, str]
"""Tenant and stream. What each command looks up has plain keys: a named tuple takes longer to make than to use."""

ReceiptKey = tuple[str, str, str]
"""Tenant, caller and key: who asked, and the key under which the same ask is answered the same."""


class Receipt(NamedTuple):
    request_hash: bytes
    outcome: bytes
    """The answer as it was given, JSON; also a rejection or a no-op."""
    position: int
    kept_until: int
    """Microseconds UTC; 0 for ever."""


ClaimKey = tuple[str, str, str]
"""
Tenant, kind and key: a name that at most one owner holds, such as a channel message, a serial number, a slot.
"""


class TimerKey(NamedTuple):
    tenant: str
    name: str
    key: str


class Timer(NamedTuple):
    due: int
    """Microseconds UTC."""
    event_id: str
    """The event that armed it; it is the cause of what the timer records."""


class HoldKey(NamedTuple):
    policy: str
    tenant: str
    key: str


class Held(NamedTuple):
    """One event that waits for its turn with a policy, because it or an earlier one of its key failed."""

    position: int
    tries: int
    retry_at: int
    """Microseconds UTC."""
    parked: bool
    reason: str


@dataclass(slots=True)
class Batch:
    """What one commit writes. A value replaces what its key had, None removes it; a receipt is never replaced."""

    entries: list[Entry] = field(default_factory=list)
    receipts: dict[ReceiptKey, Receipt] = field(default_factory=dict)
    expired: set[ReceiptKey] = field(default_factory=set)
    """Receipts whose time is over; they go before the new ones come. One that is kept for ever never goes."""
    claims: dict[ClaimKey, str | None] = field(default_factory=dict)
    timers: dict[TimerKey, Timer | None] = field(default_factory=dict)
    offsets: dict[str, int] = field(default_factory=dict)
    """Per partition of a feed, the next offset to take in."""
    seen: dict[StreamKey, int] = field(default_factory=dict)
    """Per foreign stream, the last public version that was taken in or passed over."""
    checkpoints: dict[str, int] = field(default_factory=dict)
    """Per policy and per publisher, the last position that is done."""
    holds: dict[tuple[HoldKey, int], Held | None] = field(default_factory=dict)

    def is_empty(self) -> bool:
        return not (
            self.entries
            or self.receipts
            or self.expired
            or self.claims
            or self.timers
            or self.offsets
            or self.seen
            or self.checkpoints
            or self.holds
        )


@dataclass(slots=True)
class Wanted:
    """What the writer must know before it decides a batch."""

    streams: set[StreamKey] = field(default_factory=set)
    receipts: set[ReceiptKey] = field(default_factory=set)
    claims: set[ClaimKey] = field(default_factory=set)
    seen: set[StreamKey] = field(default_factory=set)
    events: set[str] = field(default_factory=set)
    """Ids of events that may be recorded already."""


@dataclass(slots=True)
class Known:
    """What the store knows of it; what is absent is not in the store."""

    streams: dict[StreamKey, list[bytes]] = field(default_factory=dict)
    """The records of each stream in order of version."""
    receipts: dict[ReceiptKey, Receipt] = field(default_factory=dict)
    claims: dict[ClaimKey, str] = field(default_factory=dict)
    seen: dict[StreamKey, int] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    """The position of each event that is recorded."""


class Head(NamedTuple):
    """Where a journal ends."""

    position: int
    incarnation: int
    """Above 1 after a restore: then positions may have stood for other records, and receipts may be lacking."""
    chains: dict[str, bytes]
    """Per tenant, the hash of its newest record."""
    shift: int = 0
    """
    What new records say as their position is so much above the one where they stand. Not 0 in a journal that one
    tenant was moved into: its older records say where they stood among others', and later ones must say more.
    """


class LostLease(Exception):
    """Another process may write now. Nothing of the batch was recorded; the writer must stop."""


class NotCommitted(Exception):
    """The batch was not recorded, or it is not known whether it was. The writer reads the head again and finds out."""


class JournalStore(Protocol):
    async def head(self) -> Head:
        """Where the journal ends. After NotCommitted this is final: the batch in question cannot be recorded later."""

    async def load(self, wanted: Wanted) -> Known: ...

    async def commit(self, batch: Batch, after: int) -> None:
        """
        Append at `after` + 1, durably, all or nothing. Raises LostLease or NotCommitted.

        A journal that does not end at `after` refuses the batch, also one without entries.
        """

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        """Entries with a position above `after`, in order."""

    async def records(self, after: int, limit: int) -> Sequence[Recorded]:
        """The same, for who needs the records only."""

    async def story(self, tenant: str, correlation_id: str) -> Sequence[Entry]:
        """All entries of one story, such as a request's, in order; what was taken in from others is among them."""

    async def receipts(self, after: ReceiptKey, limit: int) -> Sequence[tuple[ReceiptKey, int]]:
        """Keys of receipts above this one, in order, each with until when it is kept."""

    async def offsets(self) -> dict[str, int]: ...

    async def checkpoints(self) -> dict[str, int]: ...

    async def due(self, now: int, limit: int) -> Sequence[tuple[TimerKey, Timer]]:
        """Timers due by `now` (microseconds UTC), the oldest first."""

    async def next_due(self) -> int | None: ...

    async def held(
        self, policies: Collection[str], of: tuple[str, str] | None = None
    ) -> Sequence[tuple[HoldKey, Held]]:
        """What waits for these policies, by key and position; `of` one tenant and key, or all."""

    async def close(self) -> None: ...
