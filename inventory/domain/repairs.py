"""
The depot's work: defective pieces go there, are diagnosed, and are repaired, scrapped or exchanged.

What is repaired or came in exchange leaves the depot at once, by a transfer, for the place that is named; so good
pieces never lie at a depot, where no order would look for them.
"""

from __future__ import annotations

from contracts.event import Event
from contracts.inventory import (
    Condition,
    LotPieces,
    MovedLine,
    PartDefined,
    PartRepaired,
    PartScrapped,
    PartSentBack,
    RmaDiagnosed,
    RmaOpened,
    RmaSettled,
    StockReceived,
)
from contracts.problems import Rejected
from inventory.commands import DiagnoseRma, OpenRma, SendTransfer, SettleRma
from inventory.domain.draft import Draft
from inventory.domain.pieces import must_be_named, named
from inventory.domain.register import known_part, known_place, part_stream, place_stream
from inventory.domain.rma import Rma, rma_stream
from inventory.domain.stock import stock_stream
from inventory.domain.transfer import depart, send_claims, send_reads, transfer_stream
from services.chassis.journal.rules import States


def _to_depot(command: OpenRma) -> SendTransfer:
    line = MovedLine(command.part_id, command.quantity, "defective", command.serials, command.lots)
    way = {"from_place_id": command.place_id, "to_place_id": command.depot_id}
    return SendTransfer(transfer_id=command.rma_id, **way, lines=(line,), reason="repair")


def open_reads(command: OpenRma) -> tuple[str, ...]:
    return rma_stream(command.rma_id), *send_reads(_to_depot(command))


def open_claims(command: OpenRma) -> tuple[tuple[str, str], ...]:
    return send_claims(_to_depot(command))


def open_rma(states: States, command: OpenRma) -> list[Event]:
    """Raises Rejected where the place that is named is not a depot, or the pieces are not there."""
    known: Rma = states[rma_stream(command.rma_id)]
    if known.opened is not None:
        return []
    if known_place(states, command.depot_id).kind != "depot":
        raise Rejected("rma.not-a-depot", place_id=command.depot_id)
    draft = Draft(states)
    depart(draft, states, _to_depot(command))
    facts = command.model_dump(exclude={"place_id", "lots"})
    return [*draft.events, RmaOpened(**facts, lots=command.lots, from_place_id=command.place_id)]


def diagnose(known: Rma, command: DiagnoseRma) -> list[Event]:
    _must_be_there(known, command.rma_id, 1)
    return [RmaDiagnosed(**command.model_dump())]


def _must_be_there(known: Rma, rma_id: str, quantity: int) -> None:
    if quantity > known.at_depot:
        raise Rejected("rma.not-there", rma_id=rma_id, wanted=quantity, at_depot=known.at_depot)


def settle_reads(command: SettleRma) -> tuple[str, ...]:
    places = [place_stream(command.place_id)]
    back = [place_stream(command.to_place_id), transfer_stream(command.transfer_id)] if command.transfer_id else []
    own = (rma_stream(command.rma_id), part_stream(command.part_id), stock_stream(command.part_id, command.place_id))
    return tuple(dict.fromkeys([*own, *places, *back]))


def settle_claims(command: SettleRma) -> tuple[tuple[str, str], ...]:
    return named(command.part_id, (*command.serials, *command.replaced_by))


def settle(states: States, command: SettleRma) -> list[Event]:
    """Raises Rejected where not so many pieces of it are at the depot, or nobody has said what was found."""
    known: Rma = states[rma_stream(command.rma_id)]
    _must_be_there(known, command.rma_id, command.quantity)
    if not known.diagnosed:
        raise Rejected("rma.not-diagnosed", rma_id=command.rma_id)
    draft, part = Draft(states), known_part(states, command.part_id)
    serials, lots = _as_good(draft, part, command)
    if command.transfer_id:
        line = MovedLine(command.part_id, command.quantity, "good", serials, lots)
        way = {"from_place_id": command.place_id, "to_place_id": command.to_place_id}
        depart(draft, states, SendTransfer(transfer_id=command.transfer_id, **way, lines=(line,), reason="repaired"))
    said = {"rma_id", "outcome", "quantity", "serials", "replaced_by", "to_place_id", "transfer_id"}
    return [*draft.events, RmaSettled(**command.model_dump(include=said), left=known.left - command.quantity)]


def _as_good(draft: Draft, part: PartDefined, command: SettleRma) -> tuple[tuple[str, ...], tuple[LotPieces, ...]]:
    """What becomes of the pieces there, and which of them, or which that came for them, are good now."""
    part_id, place_id, quantity = command.part_id, command.place_id, command.quantity
    serials, lots = command.serials, command.lots
    needed: Condition = "good" if command.outcome == "repaired" else "defective"
    must_be_named(part, needed, quantity, serials, lots)
    match command.outcome:
        case "repaired":
            repaired = PartRepaired(
                part_id=part_id,
                place_id=place_id,
                quantity=quantity,
                rma_id=command.rma_id,
                serials=serials,
                lots=lots,
            )
            draft.repair(repaired)
            return serials, lots
        case "scrapped":
            scrapped = PartScrapped(
                part_id=part_id,
                place_id=place_id,
                quantity=quantity,
                condition="defective",
                reason=command.reason,
                serials=serials,
                lots=lots,
            )
            draft.take_out(scrapped)
            return (), ()
        case "exchanged":
            must_be_named(part, "good", quantity, command.replaced_by, command.replaced_by_lots)
            gone = PartSentBack(
                part_id=part_id,
                place_id=place_id,
                quantity=quantity,
                condition="defective",
                supplier=place_id,
                serials=serials,
                lots=lots,
            )
            draft.take_out(gone)
            draft.must_be_new(part_id, command.replaced_by)
            came = StockReceived(
                part_id=part_id,
                place_id=place_id,
                quantity=quantity,
                source=place_id,
                serials=command.replaced_by,
                lots=command.replaced_by_lots,
            )
            draft.add(came)
            return came.serials, came.lots
