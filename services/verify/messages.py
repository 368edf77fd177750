"""I8 over intake's log: a message tells of the event that it follows from, and comes to one end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from contracts.envelope import Envelope
from contracts.intake import MessageNotSent, MessageSent
from services.verify.findings import Findings


@dataclass
class Messages:
    findings: Findings
    _ended: set[tuple[str, str]] = field(default_factory=set)

    READS: ClassVar[frozenset[type[Any]]] = frozenset({MessageSent, MessageNotSent})

    def check(self, position: int, event: Any, envelope: Envelope) -> None:
        message = envelope.tenant, event.message_id
        if message in self._ended:
            self.findings.add("I8", position, f"message {event.message_id} comes to an end a second time")
        self._ended.add(message)
        if envelope.causation_id != event.message_id:
            what = f"message {event.message_id} follows from {envelope.causation_id}, of which it does not tell"
            self.findings.add("I8", position, what)
