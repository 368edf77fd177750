"""I3 for single pieces: a serial number is at one place at a time, and goes into one device, or the event says so."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from contracts.envelope import Envelope
from contracts.inventory import (
    PartConsumed,
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

USED, AWAY = "used", "away"
"""In a device, and out of the house in any other way; else a piece is at a place or on its way."""


@dataclass
class Pieces:
    """Judged by what the log said before, whatever the service's own books of serial numbers say."""

    findings: Findings
    _where: dict[tuple[str, str, str], str] = field(default_factory=dict)
    """By tenant, part and serial number."""

    def check(self, position: int, event: Any, envelope: Envelope) -> None:
        if isinstance(event, TransferLost):
            for line in event.lines:
                for serial in line.serials:
                    self._leaves(position, envelope, line.part_id, serial, f"on its way by {event.transfer_id}", AWAY)
            return
        disputed = {one.number for one in getattr(event, "disputed", ())}
        for serial in getattr(event, "serials", ()):
            self._moves(position, event, envelope, serial, said=serial in disputed)
        for serial in getattr(event, "missing", ()):
            here = f"{event.condition} at {event.place_id}"
            self._leaves(position, envelope, event.part_id, serial, here, AWAY)

    def _moves(self, position: int, event: Any, envelope: Envelope, serial: str, *, said: bool) -> None:
        piece = envelope.tenant, event.part_id, serial
        was = self._where.get(piece, "")
        here = f"{getattr(event, 'condition', 'good')} at {event.place_id}"
        match event:
            case StockReceived() | PartReturned():
                if was not in ("", AWAY) and not (was == USED and isinstance(event, PartReturned)):
                    self._found(position, event, serial, f"comes in and was {was}")
                self._where[piece] = here
            case StockArrived():
                way = f"on its way by {event.transfer_id}"
                self._leaves(position, envelope, event.part_id, serial, way, here)
            case StockSent():
                way = f"on its way by {event.transfer_id}"
                self._leaves(position, envelope, event.part_id, serial, here, way)
            case PartScrapped() | PartSentBack():
                self._leaves(position, envelope, event.part_id, serial, here, AWAY)
            case StockCounted():
                if was not in ("", AWAY, here) and not said:
                    self._found(position, event, serial, f"is found {here} and was {was}")
                self._where[piece] = here
            case PartConsumed() | StockIssued():
                if was not in ("", here) and not said:
                    self._found(position, event, serial, f"is used or issued {here} and was {was}")
                self._where[piece] = USED if isinstance(event, PartConsumed) else AWAY
            case _:
                pass

    def _leaves(self, position: int, envelope: Envelope, part_id: str, serial: str, there: str, to: str) -> None:
        was = self._where.get((envelope.tenant, part_id, serial), "nowhere")
        if was != there:
            self.findings.add("I3", position, f"{serial} of {part_id} leaves {there} and was {was}")
        self._where[envelope.tenant, part_id, serial] = to

    def _found(self, position: int, event: Any, serial: str, what: str) -> None:
        self.findings.add("I3", position, f"{serial} of {event.part_id} {what}")
