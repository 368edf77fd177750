"""The work that a writer is handed, and what it answers."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec

from contracts.envelope import Envelope, Origin
from contracts.event import Event
from contracts.problems import Rejected
from services.chassis.journal.store import Held, HoldKey, ReceiptKey, TimerKey


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """A command with who asks it and why."""

    command: Any
    tenant: str
    actor: str
    caller: str
    """Whose idempotency key it is: a user, `policy:<name>`, `timer:<name>`, `import:<file>`."""
    key: str = ""
    """The idempotency key; without one, a repeat is a new command."""
    request_hash: bytes = b""
    happened_at: datetime | None = None
    """When it happened, where that is not now."""
    correlation_id: str = ""
    """The story it belongs to; without one, the partition key of its event."""
    causation_id: str = ""
    channel: str = "api"
    origin: Origin = "live"
    trace_parent: str = ""
    expected: Mapping[str, int] = msgspec.field(default_factory=dict)
    """Versions of streams that the caller has seen; any other is a stale view."""
    derived: bool = False
    """
    What a reaction, a timer or an import asks: the ids of its events are derived from its key, and its receipt is kept
    for ever.
    """
    caused_at: int = 0
    """
    Of a reaction, the position of the event that it reacts to: before that was recorded, nobody can have asked it. 0
    where that is not known.
    """
    forget_timer: TimerKey | None = None
    """The timer that asks, removed in the same commit."""


class Answer(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of a command, as it is kept in its receipt."""

    position: int
    """Where the journal stood after it: a reader who has come so far has seen its effect."""
    events: tuple[str, ...] = ()
    """Types of the events it recorded, in order; none when there was nothing to do."""
    versions: dict[str, int] = msgspec.field(default_factory=dict)
    """The version of every stream that it wrote."""
    rejected: str = ""
    """The code of the rule that said no."""
    facts: dict[str, Any] = msgspec.field(default_factory=dict)
    repeated: bool = False
    """The same key was answered before; nothing was done now."""

    def or_raise(self) -> Answer:
        """This answer, or the rejection that it stands for."""
        if self.rejected:
            raise Rejected(self.rejected, **self.facts)
        return self


@dataclass(frozen=True, slots=True)
class Arrival:
    """A public record of another service; `wanted` is false for a type that this service does not read."""

    envelope: Envelope
    record: bytes
    wanted: bool = True
    event: Event | None = None
    """What the record says, where that was read already."""

    @property
    def stream(self) -> str:
        return f"{self.envelope.service}:{self.envelope.stream}"


@dataclass(frozen=True, slots=True)
class TakeIn:
    """What arrived, in order, and where each partition goes on."""

    arrivals: Sequence[Arrival]
    offsets: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Settle:
    """What a reader has done: moves checkpoints and holds, records nothing."""

    checkpoints: Mapping[str, int] = field(default_factory=dict)
    holds: Mapping[tuple[HoldKey, int], Held | None] = field(default_factory=dict)
    expired: Collection[ReceiptKey] = ()
    """Receipts whose time may be over; those whose is, by then, are removed."""


Work = Ask | TakeIn | Settle


class Stopped(Exception):
    """This writer does not write any more; the work was not recorded. Another process may take it."""


class Hole(Exception):
    """A foreign stream misses public versions: something was lost on the way, and taking in must not go on."""


class Fork(Exception):
    """A public version of a foreign stream is two events: its publisher was set back and has recorded others since."""


class Bug(Exception):
    """Our own mistake, such as an event for a stream that its command did not name. Nothing was recorded."""
