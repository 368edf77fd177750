"""Pieces of one part are counted, come to a place or leave it for good."""

from __future__ import annotations

from contracts.event import Event
from contracts.inventory import (
    Disputed,
    LotPieces,
    PartConsumed,
    PartDefined,
    PartReturned,
    PartScrapped,
    PartSentBack,
    StockCounted,
    StockReceived,
)
from contracts.problems import Rejected
from inventory.commands import (
    CountStock,
    Move,
    ReceiveStock,
    ReturnPart,
    ScrapPart,
    SendBackPart,
    SendReplacement,
    Shelf,
)
from inventory.domain.draft import Draft
from inventory.domain.old_parts import OldParts, bring, old_parts_stream, owe
from inventory.domain.pieces import is_booked, is_with_us, lies, must_be_named, named
from inventory.domain.register import RULES_STREAM, known_part, known_place, low_limit, part_stream, place_stream
from inventory.domain.stock import Stock, WentOut, stock_stream, with_lots
from services.chassis.journal.rules import States


def shelf_reads(command: CountStock | Move) -> tuple[str, ...]:
    stock = stock_stream(command.part_id, command.place_id)
    return stock, part_stream(command.part_id), place_stream(command.place_id)


def shelf_claims(command: CountStock | Move) -> tuple[tuple[str, str], ...]:
    expected = command.expected if isinstance(command, CountStock) else ()
    return named(command.part_id, (*command.serials, *expected))


def _shelf(states: States, command: CountStock | Move) -> Shelf:
    """Raises Rejected for a part or a place that is not defined."""
    limit = low_limit(known_part(states, command.part_id), known_place(states, command.place_id))
    return Shelf(part_id=command.part_id, place_id=command.place_id, low_below=limit)


def count(states: States, command: CountStock) -> list[Event]:
    shelf, draft = _shelf(states, command), Draft(states)
    stock = draft.stock(command.part_id, command.place_id)
    counted = _counted(draft, stock, known_part(states, command.part_id), command)
    known = (stock.known, stock.on_hand) if command.condition == "good" else (stock.defective_known, stock.defective)
    here = lies(command.condition, command.place_id)
    as_known = all(draft.where(command.part_id, serial) == here for serial in counted.serials) and not counted.missing
    if known == (True, command.quantity) and as_known and with_lots(stock, counted) == stock:
        return []
    draft.count(counted)
    draft.name_for_orders(counted)
    draft.warn(shelf)
    return draft.events


def _counted(draft: Draft, stock: Stock, part: PartDefined, command: CountStock) -> StockCounted:
    """With what the count says of serial numbers and lots, where they were read or where nothing is left."""
    serials, lots, here = command.serials, command.lots, lies(command.condition, command.place_id)
    if serials or lots:
        must_be_named(part, command.condition, command.quantity, serials, lots)
    was = {serial: draft.where(part.part_id, serial) for serial in dict.fromkeys((*serials, *command.expected))}
    read = bool(serials or lots) or not command.quantity
    gone = [serial for serial in command.expected if read and serial not in serials and was[serial] == here]
    found = {lot.lot for lot in lots}
    empty = [lot for (lot, condition) in stock.lots if read and condition == command.condition and lot not in found]
    return StockCounted(
        **command.model_dump(exclude={"expected", "lots"}),
        lots=(*lots, *[LotPieces(lot, 0) for lot in empty]),
        missing=tuple(gone),
        disputed=tuple([Disputed(one, was[one]) for one in serials if was[one] != here and is_booked(was[one])]),
    )


def receive(states: States, command: ReceiveStock) -> list[Event]:
    _shelf(states, command)
    draft = Draft(states)
    draft.must_be_new(command.part_id, command.serials)
    must_be_named(
        known_part(states, command.part_id), command.condition, command.quantity, command.serials, command.lots
    )
    draft.come(StockReceived(**command.model_dump()))
    return draft.events


def return_reads(command: ReturnPart) -> tuple[str, ...]:
    return *shelf_reads(command), old_parts_stream(command.order_id)


def bring_back(states: States, command: ReturnPart) -> list[Event]:
    _shelf(states, command)
    part, draft = known_part(states, command.part_id), Draft(states)
    must_be_named(part, command.condition, command.quantity, command.serials, command.lots)
    for serial in command.serials:
        if is_with_us(where := draft.where(command.part_id, serial)):
            facts = {"part_id": command.part_id, "serial": serial}
            raise Rejected("serial.elsewhere", **facts, wanted=f"order/{command.order_id}", whereabouts=where)
    draft.come(PartReturned(**command.model_dump()))
    if command.condition == "good":
        return draft.events
    known: OldParts = states[old_parts_stream(command.order_id)]
    return [*draft.events, *bring(known, command.order_id, command.part_id, command.quantity)]


def replacement_reads(command: SendReplacement) -> tuple[str, ...]:
    return *shelf_reads(command), old_parts_stream(command.order_id), RULES_STREAM


def send_replacement(states: States, command: SendReplacement) -> list[Event]:
    """Off the books as used, for the customer puts it in; what she owes for it is due from now on."""
    shelf, draft = _shelf(states, command), Draft(states)
    must_be_named(known_part(states, command.part_id), "good", command.quantity, command.serials, command.lots)
    named = {"serials", "lots", "part_id", "place_id", "quantity", "order_id", "request_id", "device_id"}
    draft.send_ahead(PartConsumed(**command.model_dump(include=named)))
    draft.warn(shelf)
    return [*draft.events, owe(command, states[RULES_STREAM])]


def scrap(states: States, command: ScrapPart) -> list[Event]:
    return _without(states, command, PartScrapped(**command.model_dump()))


def send_back(states: States, command: SendBackPart) -> list[Event]:
    return _without(states, command, PartSentBack(**command.model_dump()))


def _without(states: States, command: Move, event: WentOut) -> list[Event]:
    shelf, draft = _shelf(states, command), Draft(states)
    must_be_named(known_part(states, command.part_id), event.condition, event.quantity, command.serials, command.lots)
    draft.take_out(event)
    draft.warn(shelf)
    return draft.events
