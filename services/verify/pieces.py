"""
I3 for single pieces: a serial number is at one place at a time, and goes into one device, or the event says so.

And no more of them lie at a place than pieces are on hand there, but for those that left it without being named.
"""

from __future__ import annotations

from collections import Counter
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
    StockSynchronised,
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
    _there: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How many serial numbers lie there, by tenant, part, and the place and condition."""
    _unnamed: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    """How many of these may have left, as pieces did that nobody named."""

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
                self._put(piece, here)
            case StockArrived():
                way = f"on its way by {event.transfer_id}"
                self._leaves(position, envelope, event.part_id, serial, way, here)
            case StockSent():
                way = f"on its way by {event.transfer_id}"
                self._leaves(position, envelope, event.part_id, serial, here, way)
            case PartScrapped() | PartSentBack():
                self._leaves(position, envelope, event.part_id, serial, here, AWAY)
            case PartRepaired():
                # It may be read for the first time there.
                if was not in ("", AWAY, USED, f"defective at {event.place_id}"):
                    self._found(position, event, serial, f"is repaired at {event.place_id} and was {was}")
                self._put(piece, here)
            case StockCounted():
                if was not in ("", AWAY, here) and not said:
                    self._found(position, event, serial, f"is found {here} and was {was}")
                self._put(piece, here)
            case PartConsumed() | StockIssued():
                if was not in ("", here) and not said:
                    self._found(position, event, serial, f"is used or issued {here} and was {was}")
                if was != here:
                    self._unnamed[envelope.tenant, event.part_id, here] += 1
                self._put(piece, USED if isinstance(event, PartConsumed) else AWAY)
            case _:
                pass

    def _leaves(self, position: int, envelope: Envelope, part_id: str, serial: str, there: str, to: str) -> None:
        was = self._where.get((envelope.tenant, part_id, serial), "nowhere")
        if was != there:
            self.findings.add("I3", position, f"{serial} of {part_id} leaves {there} and was {was}")
        self._put((envelope.tenant, part_id, serial), to)

    def _put(self, piece: tuple[str, str, str], where: str) -> None:
        tenant, part_id, _ = piece
        self._there[tenant, part_id, self._where.get(piece, "")] -= 1
        self._there[tenant, part_id, where] += 1
        self._where[piece] = where

    def compare(self, position: int, event: Any, envelope: Envelope, on_hand: int) -> None:
        """After any event of a stock: with how many pieces of its condition are on hand there now."""
        condition = getattr(event, "condition", "good")
        shelf = envelope.tenant, event.part_id, f"{condition} at {event.place_id}"
        match event:
            case StockSent() | StockIssued() | PartConsumed() | PartScrapped() | PartSentBack():
                self._unnamed[shelf] += max(0, event.quantity - len(event.serials))
            case StockSynchronised() | StockCounted():
                # It says how many there are; which they are, only a count that reads the numbers does.
                read = isinstance(event, StockCounted) and event.serials
                self._unnamed[shelf] = 0 if read else max(0, self._there[shelf] - on_hand)
            case _:
                pass
        if (many := self._there[shelf]) > on_hand + self._unnamed[shelf]:
            what = f"{many} serial numbers of {event.part_id} lie {shelf[2]} and {on_hand} pieces are on hand"
            self.findings.add("I3", position, what)
            self._unnamed[shelf] = many - on_hand  # It is said once.

    def _found(self, position: int, event: Any, serial: str, what: str) -> None:
        self.findings.add("I3", position, f"{serial} of {event.part_id} {what}")
