"""
A transfer: pieces that left one place for another and are in transit until they arrive or are given up.

What is sent is off the stock of the place that it left at once, and on that of the other only when somebody there says
that it has arrived; so every piece is in one place or in transit, and never in two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import assert_never

from msgspec.structs import replace

from contracts.event import Event
from contracts.inventory import (
    Condition,
    LotPieces,
    MovedLine,
    StockArrived,
    StockSent,
    TransferLost,
    TransferReceived,
    TransferSent,
)
from contracts.problems import NotYet, Rejected
from inventory.commands import EndTransfer, LoseTransfer, ReceiveTransfer, SendTransfer, Shelf
from inventory.domain.draft import Draft
from inventory.domain.pieces import must_be_named, named
from inventory.domain.register import known_part, known_place, low_limit, part_stream, place_stream
from inventory.domain.rma import Rma, rma_stream
from inventory.domain.stock import stock_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Transfer:
    sent: TransferSent | None = None
    in_transit: Mapping[tuple[str, Condition], MovedLine] = field(default_factory=dict)


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


def send_claims(command: SendTransfer) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys([claim for line in command.lines for claim in named(line.part_id, line.serials)]))


def send(states: States, command: SendTransfer) -> list[Event]:
    event = TransferSent(**command.model_dump())
    known: Transfer = states[transfer_stream(command.transfer_id)]
    if known.sent is not None:
        if known.sent == event:
            return []
        raise Rejected("transfer.exists", transfer_id=command.transfer_id)
    if command.from_place_id == command.to_place_id:
        raise Rejected("transfer.same-place", place_id=command.to_place_id)
    draft = Draft(states)
    depart(draft, states, command)
    return draft.events


def depart(draft: Draft, states: States, command: SendTransfer) -> None:
    """The pieces leave. Raises Rejected where they are not there."""
    place = known_place(states, command.from_place_id)
    known_place(states, command.to_place_id)
    for line in command.lines:
        must_be_named(known_part(states, line.part_id), line.condition, line.quantity, line.serials, line.lots)
        sent = StockSent(
            part_id=line.part_id,
            place_id=command.from_place_id,
            to_place_id=command.to_place_id,
            transfer_id=command.transfer_id,
            quantity=line.quantity,
            condition=line.condition,
            serials=line.serials,
            lots=line.lots,
        )
        draft.take_out(sent)
    draft.events.append(TransferSent(**command.model_dump()))
    for part_id in dict.fromkeys(line.part_id for line in command.lines):
        limit = low_limit(known_part(states, part_id), place)
        draft.warn(Shelf(part_id=part_id, place_id=command.from_place_id, low_below=limit))


def end_reads(command: EndTransfer) -> tuple[str, ...]:
    parts = dict.fromkeys([*command.parts, *[line.part_id for line in command.lines]])
    stocks = [stock_stream(part_id, command.to_place_id) for part_id in parts]
    return (transfer_stream(command.transfer_id), rma_stream(command.transfer_id), *stocks)


def end_claims(command: EndTransfer) -> tuple[tuple[str, str], ...]:
    said = [(line.part_id, serial) for line in command.lines for serial in line.serials]
    return tuple(
        dict.fromkeys([claim for part_id, serial in (*command.serials, *said) for claim in named(part_id, [serial])])
    )


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
            serials=_still(draft, command, line),
            lots=line.lots,
        )
        draft.come(arrived)
    rma: Rma = states[rma_stream(command.transfer_id)]
    received = TransferReceived(transfer_id=command.transfer_id, lines=lines)
    return [*draft.events, received, *rma.arrives(sum(line.quantity for line in lines))]


def lose(states: States, command: LoseTransfer) -> list[Event]:
    sent, lines = _ending(states, command)
    draft = Draft(states)
    gone = tuple([replace(line, serials=_still(draft, command, line)) for line in lines])
    facts = {"transfer_id": command.transfer_id, "to_place_id": sent.to_place_id}
    rma: Rma = states[rma_stream(command.transfer_id)]
    gone_for_good = rma.loses(sum(line.quantity for line in gone))
    return [TransferLost(**facts, lines=gone, reason=command.reason), *gone_for_good]


def _still(draft: Draft, command: EndTransfer, line: MovedLine) -> tuple[str, ...]:
    """Those that are still on their way: a piece may have been used before somebody said that it has arrived."""
    way = f"transfer/{command.transfer_id}"
    return tuple([serial for serial in line.serials if draft.where(line.part_id, serial) == way])


def _ending(states: States, command: EndTransfer) -> tuple[TransferSent, tuple[MovedLine, ...]]:
    """The transfer, and what of it ends its way. Raises Rejected where not so much of it is in transit."""
    known: Transfer = states[transfer_stream(command.transfer_id)]
    if known.sent is None or known.sent.to_place_id != command.to_place_id:
        raise Rejected("transfer.unknown", transfer_id=command.transfer_id)
    if not known.in_transit:
        raise Rejected("transfer.ended", transfer_id=command.transfer_id)
    for line in command.lines:
        _must_be_in_transit(known.in_transit.get((line.part_id, line.condition)), command.transfer_id, line)
    lines = command.lines or tuple(known.in_transit.values())
    seen = {claim for part_id, serial in command.serials for claim in named(part_id, [serial])}
    if any(claim not in seen for line in lines for claim in named(line.part_id, line.serials)):
        raise NotYet(f"the view has not seen which pieces the transfer {command.transfer_id} carries")
    return known.sent, lines


def _must_be_in_transit(there: MovedLine | None, transfer_id: str, line: MovedLine) -> None:
    """Raises Rejected where not so many of these pieces, or not these, are on their way."""
    left = there.quantity if there else 0
    if there is None or line.quantity > left:
        raise Rejected(
            "transfer.not-in-transit",
            transfer_id=transfer_id,
            part_id=line.part_id,
            condition=line.condition,
            wanted=line.quantity,
            in_transit=left,
        )
    for serial in line.serials:
        if serial not in there.serials:
            way = f"transfer/{transfer_id}"
            raise Rejected("serial.elsewhere", part_id=line.part_id, serial=serial, wanted=way, whereabouts="elsewhere")
    lots = {lot.lot: lot.quantity for lot in there.lots}
    for lot in line.lots:
        if lot.quantity > lots.get(lot.lot, 0):
            facts = {"part_id": line.part_id, "place_id": f"transfer/{transfer_id}", "condition": line.condition}
            raise Rejected("lot.not-enough", **facts, lot=lot.lot, wanted=lot.quantity, there=lots.get(lot.lot, 0))
    every = (len(there.serials) == left, sum(lots.values()) == left)
    said = (len(line.serials), sum(lot.quantity for lot in line.lots))
    for all_have_one, number, tracked in zip(every, said, ("serial", "lot"), strict=True):
        if all_have_one and number != line.quantity:
            facts = {"part_id": line.part_id, "tracked": tracked}
            raise Rejected("part.pieces-not-named", **facts, quantity=line.quantity, named=number)


def evolve(transfer: Transfer, event: TransferEvent) -> Transfer:
    match event:
        case TransferSent():
            return Transfer(event, {(line.part_id, line.condition): line for line in event.lines})
        case TransferReceived() | TransferLost():
            return Transfer(transfer.sent, left_after(transfer.in_transit, event.lines))
        case _:
            assert_never(event)


def left_after(
    in_transit: Mapping[tuple[str, Condition], MovedLine], ended: Iterable[MovedLine]
) -> Mapping[tuple[str, Condition], MovedLine]:
    """What is in transit by part and condition when these pieces have ended their way."""
    left = dict(in_transit)
    for line in ended:
        was = left[line.part_id, line.condition]
        if was.quantity == line.quantity:
            del left[line.part_id, line.condition]
            continue
        gone = {lot.lot: lot.quantity for lot in line.lots}
        lots = [LotPieces(lot.lot, lot.quantity - gone.get(lot.lot, 0)) for lot in was.lots]
        left[line.part_id, line.condition] = replace(
            was,
            quantity=was.quantity - line.quantity,
            serials=tuple([serial for serial in was.serials if serial not in line.serials]),
            lots=tuple([lot for lot in lots if lot.quantity]),
        )
    return left


TRANSFER: Stream[Transfer] = Stream("transfer", Transfer(), evolve)
