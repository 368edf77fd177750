"""
Old parts that have to come back: how many of an order, and until when.

Those that an engineer took out of a device are due when the visit has ended, `old_parts_within_days` later; those of an
advance exchange, whose replacement has left for the customer, `exchange_within_days` after that. They are back when
they are booked at a place of ours (PartReturned, defective, of that order). More than were due may come back; what is
overdue is said once and stays due. What a customer owes is forfeited in the end: it is billed, and nobody waits for it;
where it comes all the same, OldPartsBack says that it was forfeited.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import assert_never

from contracts.event import Event
from contracts.inventory import (
    OldPartsBack,
    OldPartsDue,
    OldPartsForfeited,
    OldPartsOverdue,
    OldPartsReminded,
    PartLine,
    StockRulesSet,
)
from inventory.commands import ForfeitOldParts, MissOldParts, RemindOfOldParts, SendReplacement
from services.chassis.journal.rules import Stream


@dataclass(frozen=True)
class OldParts:
    request_id: str = ""
    engineer_id: str = ""
    left: Mapping[str, int] = field(default_factory=dict)
    """Pieces by part."""
    due_at: datetime | None = None
    """None when that was missed, and said."""
    customer_id: str = ""
    owed: Mapping[str, int] = field(default_factory=dict)
    """Of those left, what the customer owes for replacements."""
    owed_due_at: datetime | None = None
    remind_at: datetime | None = None
    forfeit_at: datetime | None = None
    """These two None when that was said."""
    forfeited: Mapping[str, int] = field(default_factory=dict)


OldPartsEvent = OldPartsDue | OldPartsBack | OldPartsReminded | OldPartsOverdue | OldPartsForfeited


def old_parts_stream(order_id: str) -> str:
    return f"old-parts/{order_id}"


def lines_of(pieces: Mapping[str, int]) -> tuple[PartLine, ...]:
    return tuple([PartLine(part_id, quantity) for part_id, quantity in pieces.items() if quantity])


def owe(command: SendReplacement, rules: StockRulesSet) -> OldPartsDue:
    """What the customer owes for the replacement. A reminder is never due before the replacement has left."""
    due_at = command.sent_at + timedelta(days=command.within_days or rules.exchange_within_days)
    return OldPartsDue(
        order_id=command.order_id,
        request_id=command.request_id,
        engineer_id="",
        customer_id=command.customer_id,
        lines=(PartLine(command.part_id, command.quantity),),
        due_at=due_at,
        remind_at=max(command.sent_at, due_at - timedelta(days=rules.remind_days_before)),
        forfeit_at=due_at + timedelta(days=rules.forfeit_after_days),
    )


def bring(known: OldParts, order_id: str, part_id: str, quantity: int) -> list[Event]:
    """What of these pieces was due or forfeited, if any of them was."""
    due = min(quantity, known.left.get(part_id, 0))
    late = min(quantity - due, known.forfeited.get(part_id, 0))
    if not due + late:
        return []
    over = OldPartsBack(
        order_id=order_id,
        request_id=known.request_id,
        part_id=part_id,
        quantity=due + late,
        left=sum(known.left.values()) - due,
        forfeited=late,
    )
    return [over]


def remind(known: OldParts, command: RemindOfOldParts) -> list[Event]:
    if known.remind_at != command.due_at or not known.owed or known.owed_due_at is None:
        return []
    ids = {"order_id": command.order_id, "request_id": known.request_id, "customer_id": known.customer_id}
    return [OldPartsReminded(**ids, lines=lines_of(known.owed), due_at=known.owed_due_at)]


def miss(known: OldParts, command: MissOldParts) -> list[Event]:
    if known.due_at != command.due_at or not known.left:
        return []
    return [
        OldPartsOverdue(
            order_id=command.order_id,
            request_id=known.request_id,
            engineer_id=known.engineer_id,
            lines=lines_of(known.left),
            due_at=command.due_at,
        )
    ]


def forfeit(known: OldParts, command: ForfeitOldParts) -> list[Event]:
    if known.forfeit_at != command.due_at or not known.owed or known.owed_due_at is None:
        return []
    ids = {"order_id": command.order_id, "request_id": known.request_id, "customer_id": known.customer_id}
    return [OldPartsForfeited(**ids, lines=lines_of(known.owed), due_at=known.owed_due_at)]


def evolve(known: OldParts, event: OldPartsEvent) -> OldParts:
    match event:
        case OldPartsDue():
            due = replace(
                known,
                request_id=event.request_id,
                engineer_id=event.engineer_id or known.engineer_id,
                left=more(known.left, event.lines),
                due_at=event.due_at,
            )
            if event.forfeit_at is None:
                return due
            return replace(
                due,
                customer_id=event.customer_id,
                owed=more(known.owed, event.lines),
                owed_due_at=event.due_at,
                remind_at=event.remind_at,
                forfeit_at=event.forfeit_at,
            )
        case OldPartsBack():
            late = (PartLine(event.part_id, event.forfeited),) if event.forfeited else ()
            came = (PartLine(event.part_id, event.quantity - event.forfeited),)
            left = more(known.left, came, -1)
            owed = {part_id: min(quantity, left.get(part_id, 0)) for part_id, quantity in known.owed.items()}
            return replace(known, left=left, owed=more(owed, ()), forfeited=more(known.forfeited, late, -1))
        case OldPartsReminded():
            return replace(known, remind_at=None)
        case OldPartsOverdue():
            return replace(known, due_at=None)
        case OldPartsForfeited():
            left, gone = more(known.left, event.lines, -1), more(known.forfeited, event.lines)
            return replace(known, left=left, owed={}, forfeit_at=None, forfeited=gone)
        case _:
            assert_never(event)


def more(pieces: Mapping[str, int], lines: tuple[PartLine, ...], sign: int = 1) -> dict[str, int]:
    """So many more, or with -1 fewer; parts of which nothing is left are not there."""
    after = dict(pieces)
    for line in lines:
        after[line.part_id] = after.get(line.part_id, 0) + sign * line.quantity
    return {part_id: quantity for part_id, quantity in after.items() if quantity}


OLD_PARTS: Stream[OldParts] = Stream("old-parts", OldParts(), evolve)
