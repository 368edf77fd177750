"""
Old parts that came out of a device and have to come back: how many of an order, and until when.

Due when the visit has ended, `old_parts_within_days` later; back when they are booked at a place of ours (PartReturned,
defective, of that order). More than were due may come back; what is overdue is said once and stays due.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from contracts.event import Event
from contracts.inventory import OldPartsBack, OldPartsDue, OldPartsOverdue, PartLine
from inventory.commands import MissOldParts
from services.chassis.journal.rules import Stream


@dataclass(frozen=True)
class OldParts:
    request_id: str = ""
    engineer_id: str = ""
    left: Mapping[str, int] = field(default_factory=dict)
    """Pieces by part."""
    due_at: datetime | None = None
    """None when that was missed, and said."""

    def lines(self) -> tuple[PartLine, ...]:
        return tuple([PartLine(part_id, quantity) for part_id, quantity in self.left.items()])


OldPartsEvent = OldPartsDue | OldPartsBack | OldPartsOverdue


def old_parts_stream(order_id: str) -> str:
    return f"old-parts/{order_id}"


def bring(known: OldParts, order_id: str, part_id: str, quantity: int) -> list[Event]:
    """What of these pieces was due, if any of them was."""
    back = min(quantity, known.left.get(part_id, 0))
    if not back:
        return []
    left = dict(known.left) | {part_id: known.left[part_id] - back}
    over = OldPartsBack(
        order_id=order_id,
        request_id=known.request_id,
        part_id=part_id,
        quantity=back,
        left=sum(left.values()),
    )
    return [over]


def miss(known: OldParts, command: MissOldParts) -> list[Event]:
    if known.due_at != command.due_at or not known.left:
        return []
    return [
        OldPartsOverdue(
            order_id=command.order_id,
            request_id=known.request_id,
            engineer_id=known.engineer_id,
            lines=known.lines(),
            due_at=command.due_at,
        )
    ]


def evolve(known: OldParts, event: OldPartsEvent) -> OldParts:
    match event:
        case OldPartsDue():
            left = dict(known.left)
            for line in event.lines:
                left[line.part_id] = left.get(line.part_id, 0) + line.quantity
            return OldParts(event.request_id, event.engineer_id, left, event.due_at)
        case OldPartsBack():
            left = dict(known.left) | {event.part_id: known.left[event.part_id] - event.quantity}
            return replace(known, left={part_id: many for part_id, many in left.items() if many})
        case OldPartsOverdue():
            return replace(known, due_at=None)
        case _:
            assert_never(event)


OLD_PARTS: Stream[OldParts] = Stream("old-parts", OldParts(), evolve)
