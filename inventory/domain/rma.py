"""
An RMA: defective pieces of one part that go to a depot, ours or a supplier's, to be repaired.

A transfer of the same id carries them there, so they are in transit, and then lie at the depot as defective, until it
is said what became of them. Whoever receives or loses the transfer tells the RMA.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from contracts.event import Event
from contracts.inventory import RmaDiagnosed, RmaLost, RmaOpened, RmaOverdue, RmaReceived, RmaSettled
from inventory.commands import MissRma
from services.chassis.journal.rules import Stream


@dataclass(frozen=True)
class Rma:
    opened: RmaOpened | None = None
    on_the_way: int = 0
    at_depot: int = 0
    diagnosed: bool = False
    due_at: datetime | None = None
    """None when that was missed, and said."""

    @property
    def left(self) -> int:
        """Pieces of which it is still to be said what becomes of them."""
        return self.on_the_way + self.at_depot

    def arrives(self, quantity: int) -> list[Event]:
        return [RmaReceived(rma_id=self.opened.rma_id, quantity=quantity)] if self.opened else []

    def loses(self, quantity: int) -> list[Event]:
        return [RmaLost(rma_id=self.opened.rma_id, quantity=quantity, left=self.left - quantity)] if self.opened else []


RmaEvent = RmaOpened | RmaReceived | RmaLost | RmaDiagnosed | RmaSettled | RmaOverdue


def rma_stream(rma_id: str) -> str:
    return f"rma/{rma_id}"


def miss(known: Rma, command: MissRma) -> list[Event]:
    if known.due_at != command.due_at or not known.left:
        return []
    return [RmaOverdue(rma_id=command.rma_id, left=known.left, due_at=command.due_at)]


def evolve(known: Rma, event: RmaEvent) -> Rma:
    match event:
        case RmaOpened():
            return Rma(event, on_the_way=event.quantity, due_at=event.due_at)
        case RmaReceived():
            there = known.at_depot + event.quantity
            return replace(known, on_the_way=known.on_the_way - event.quantity, at_depot=there)
        case RmaLost():
            return replace(known, on_the_way=known.on_the_way - event.quantity)
        case RmaDiagnosed():
            return replace(known, diagnosed=True)
        case RmaSettled():
            return replace(known, at_depot=known.at_depot - event.quantity)
        case RmaOverdue():
            return replace(known, due_at=None)
        case _:
            assert_never(event)


RMA: Stream[Rma] = Stream("rma", Rma(), evolve)
