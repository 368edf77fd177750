"""
A transfer: pieces that left one place for another and are in transit until they arrive or are given up.

What is sent is off the stock of the place that it left at once, and on that of the other only when somebody there says
that it has arrived; so every piece is in one place or in transit, and never in two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from contracts.event import Event
from contracts.inventory import (
    Condition,
    MovedLine,
    StockArrived,
    StockSent,
    TransferLost,
    TransferReceived,
    TransferSent,
)
from contracts.problems import Rejected
from inventory.commands import EndTransfer, LoseTransfer, ReceiveTransfer, SendTransfer, Shelf
from inventory.domain.register import known_part, known_place, low_limit, part_stream, place_stream
from inventory.domain.stock import Draft, stock_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Transfer:
    sent: TransferSent | None = None
    in_transit: Mapping[tuple[str, Condition], int] = field(default_factory=dict)


TransferEvent = TransferSent | TransferReceived | TransferLost


def transfer_stream(transfer_id: str) -> str:
    return f"transfer/{transfer_id}"


def send_reads(command: SendTransfer) -> tuple[str, ...]:
    parts = dict.fromkeys(line.part_id for line in command.lines)
    return (
        transfer_stream(command.transfer_id),
        *dict.fromkeys([place_stream(command.from_place_id), place_stream(command.to_place_id)]),
        *[part_stream(part_id) for part_id in parts],
        *[stock_stream(part_id, command.from_place_id) for part_id in parts],
    )


def send(states: States, command: SendTransfer) -> list[Event]:
    event = TransferSent(**command.model_dump())
    known: Transfer = states[transfer_stream(command.transfer_id)]
    if known.sent is not None:
        if known.sent == event:
            return []
        raise Rejected("transfer.exists", transfer_id=command.transfer_id)
    if command.from_place_id == command.to_place_id:
        raise Rejected("transfer.same-place", place_id=command.to_place_id)
    place = known_place(states, command.from_place_id)
    known_place(states, command.to_place_id)
    draft = Draft(states)
    for line in command.lines:
        known_part(states, line.part_id)
        sent = StockSent(
            part_id=line.part_id,
            place_id=command.from_place_id,
            to_place_id=command.to_place_id,
            transfer_id=command.transfer_id,
            quantity=line.quantity,
            condition=line.condition,
        )
        draft.take_out(sent)
    draft.events.append(event)
    for part_id in dict.fromkeys(line.part_id for line in command.lines):
        limit = low_limit(known_part(states, part_id), place)
        draft.warn(Shelf(part_id=part_id, place_id=command.from_place_id, low_below=limit))
    return draft.events


def end_reads(command: EndTransfer) -> tuple[str, ...]:
    parts = dict.fromkeys([*command.parts, *[line.part_id for line in command.lines]])
    stocks = [stock_stream(part_id, command.to_place_id) for part_id in parts]
    return (transfer_stream(command.transfer_id), *stocks)


def receive(states: States, command: ReceiveTransfer) -> list[Event]:
    sent, lines = _ending(states, command)
    draft = Draft(states)
    for line in lines:
        arrived = StockArrived(
            part_id=line.part_id,
            place_id=sent.to_place_id,
            from_place_id=sent.from_place_id,
            transfer_id=command.transfer_id,
            quantity=line.quantity,
            condition=line.condition,
        )
        draft.add(arrived)
    return [*draft.events, TransferReceived(transfer_id=command.transfer_id, lines=lines)]


def lose(states: States, command: LoseTransfer) -> list[Event]:
    sent, lines = _ending(states, command)
    return [
        TransferLost(transfer_id=command.transfer_id, to_place_id=sent.to_place_id, lines=lines, reason=command.reason)
    ]


def _ending(states: States, command: EndTransfer) -> tuple[TransferSent, tuple[MovedLine, ...]]:
    """The transfer, and what of it ends its way. Raises Rejected where not so much of it is in transit."""
    known: Transfer = states[transfer_stream(command.transfer_id)]
    if known.sent is None or known.sent.to_place_id != command.to_place_id:
        raise Rejected("transfer.unknown", transfer_id=command.transfer_id)
    if not known.in_transit:
        raise Rejected("transfer.ended", transfer_id=command.transfer_id)
    left = [MovedLine(part_id, quantity, condition) for (part_id, condition), quantity in known.in_transit.items()]
    for line in command.lines:
        there = known.in_transit.get((line.part_id, line.condition), 0)
        if line.quantity > there:
            raise Rejected(
                "transfer.not-in-transit",
                transfer_id=command.transfer_id,
                part_id=line.part_id,
                condition=line.condition,
                wanted=line.quantity,
                in_transit=there,
            )
    return known.sent, command.lines or tuple(left)


def evolve(transfer: Transfer, event: TransferEvent) -> Transfer:
    match event:
        case TransferSent():
            return Transfer(event, {(line.part_id, line.condition): line.quantity for line in event.lines})
        case TransferReceived() | TransferLost():
            return Transfer(transfer.sent, left_after(transfer.in_transit, event.lines))
        case _:
            assert_never(event)


def left_after(
    in_transit: Mapping[tuple[str, Condition], int], ended: Iterable[MovedLine]
) -> Mapping[tuple[str, Condition], int]:
    """What is in transit by part and condition when these pieces have ended their way."""
    left = dict(in_transit)
    for line in ended:
        left[line.part_id, line.condition] -= line.quantity
        if not left[line.part_id, line.condition]:
            del left[line.part_id, line.condition]
    return left


TRANSFER: Stream[Transfer] = Stream("transfer", Transfer(), evolve)
