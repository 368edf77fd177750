"""
A document of the warehouse system: a snapshot of a place, a receipt or an issue, booked whole and once by its number.

The warehouse system keeps the books of its warehouses: what it says is a fact, and where ours said something else, the
difference is recorded beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

import msgspec

from contracts.event import Event
from contracts.inventory import DocumentLine, PartDefined, StockDocumentBooked, StockReceived, StockSynchronised
from contracts.problems import Rejected
from inventory.commands import BookDocument, Shelf
from inventory.domain.draft import Draft
from inventory.domain.pieces import must_be_named, named
from inventory.domain.register import known_part, known_place, low_limit, part_stream, place_stream
from inventory.domain.stock import stock_stream
from services.chassis.clock import micros
from services.chassis.ids import derived_id
from services.chassis.journal.rules import States, Stream


def document_stream(source: str, document_id: str) -> str:
    return f"stock-document/{source}/{document_id}"


def content_id(place_id: str, taken_at: datetime, lines: Sequence[DocumentLine]) -> str:
    """What a snapshot is known by that has no number: its lines are given in one order."""
    return derived_id("snapshot", place_id, str(micros(taken_at)), msgspec.json.encode(lines).decode())


def book_reads(command: BookDocument) -> tuple[str, ...]:
    parts = dict.fromkeys(line.part_id for line in command.lines)
    return (
        document_stream(command.source, command.document_id),
        place_stream(command.place_id),
        *[part_stream(part_id) for part_id in parts],
        *[stock_stream(part_id, command.place_id) for part_id in parts],
    )


def book_claims(command: BookDocument) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys([claim for line in command.lines for claim in named(line.part_id, line.serials)]))


def book(states: States, command: BookDocument) -> list[Event]:
    event = StockDocumentBooked(**command.model_dump())
    known: StockDocumentBooked | None = states[document_stream(command.source, command.document_id)]
    if known is not None:
        if known == event:
            return []
        raise Rejected("document.other-content", source=command.source, document_id=command.document_id)
    place = known_place(states, command.place_id)
    draft = Draft(states)
    for line in command.lines:
        _book_line(draft, command, line, known_part(states, line.part_id))
    draft.events.append(event)
    for part_id in dict.fromkeys(line.part_id for line in command.lines):
        limit = low_limit(known_part(states, part_id), place)
        draft.warn(Shelf(part_id=part_id, place_id=command.place_id, low_below=limit))
    return draft.events


def _book_line(draft: Draft, command: BookDocument, line: DocumentLine, part: PartDefined) -> None:
    part_id, place_id, condition = line.part_id, command.place_id, line.condition
    match command.kind:
        case "snapshot":
            stock = draft.stock(part_id, place_id)
            before = stock.synchronised_at.get(condition)
            if command.taken_at is None or (before and command.taken_at <= before):
                raise Rejected("document.not-newer", document_id=command.document_id, part_id=part_id)
            said = StockSynchronised(
                part_id=part_id,
                place_id=place_id,
                condition=condition,
                theirs=line.quantity,
                ours=stock.there(condition),
                source=command.source,
                document_id=command.document_id,
                taken_at=command.taken_at,
                booked_version=line.booked_version,
                unbooked=stock.unbooked(condition, line.booked_version),
            )
            draft.count(said)
        case "receipt":
            must_be_named(part, condition, line.quantity, line.serials, line.lots)
            draft.must_be_new(part_id, line.serials)
            received = StockReceived(
                part_id=part_id,
                place_id=place_id,
                quantity=line.quantity,
                condition=condition,
                source=command.source,
                serials=line.serials,
                lots=line.lots,
            )
            draft.come(received)
        case "issue":
            draft.issue(line, place_id, command.source, command.document_id)
        case _:
            assert_never(command.kind)


DOCUMENT: Stream[StockDocumentBooked | None] = Stream("stock-document", None, lambda _, event: event)
