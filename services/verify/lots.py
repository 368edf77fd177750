"""I3 for lots: no more of a lot leaves a place or its way than came there, or the event says so."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

from contracts.envelope import Envelope
from contracts.inventory import (
    PartConsumed,
    PartRepaired,
    PartReturned,
    PartScrapped,
    PartSentBack,
    StockArrived,
    StockCounted,
    StockIssued,
    StockReceived,
    StockSent,
    TransferLost,
)
from services.verify.findings import Findings

Where = tuple[str, str, str, str]
"""A tenant, a part, a lot, and the place and condition there, or the transfer."""


@dataclass
class Lots:
    """Judged by what the log said before, whatever the service's own books of lots say."""

    findings: Findings
    _there: dict[Where, int] = field(default_factory=lambda: defaultdict(int))

    def check(self, position: int, event: Any, envelope: Envelope) -> None:
        if isinstance(event, TransferLost):
            for line in event.lines:
                for lot in line.lots:
                    lost = f"on its way by {event.transfer_id}, {line.condition}"
                    self._leaves(position, (envelope.tenant, line.part_id, lot.lot, lost), lot.quantity)
            return
        said = {one.number for one in getattr(event, "disputed", ())}
        for lot in getattr(event, "lots", ()):
            here = f"{getattr(event, 'condition', 'good')} at {event.place_id}"
            where: Where = (envelope.tenant, event.part_id, lot.lot, here)
            match event:
                case StockCounted():
                    self._there[where] = lot.quantity
                case StockReceived() | PartReturned():
                    self._there[where] += lot.quantity
                case StockSent() | StockArrived():
                    way: Where = (*where[:3], f"on its way by {event.transfer_id}, {event.condition}")
                    source, aim = (where, way) if isinstance(event, StockSent) else (way, where)
                    self._leaves(position, source, lot.quantity)
                    self._there[aim] += lot.quantity
                case PartScrapped() | PartSentBack():
                    self._leaves(position, where, lot.quantity)
                case PartRepaired():
                    defective = (*where[:3], f"defective at {event.place_id}")
                    self._leaves(position, defective, lot.quantity)
                    self._there[where] += lot.quantity
                case PartConsumed() | StockIssued():
                    self._leaves(position, where, lot.quantity, said=lot.lot in said)
                case _:
                    pass

    def _leaves(self, position: int, where: Where, quantity: int, *, said: bool = False) -> None:
        _, part_id, lot, here = where
        if quantity > (there := self._there[where]) and not said:
            self.findings.add(
                "I3", position, f"{quantity} of lot {lot} of {part_id} leave {here} and {there} were there"
            )
        self._there[where] = max(0, there - quantity)
