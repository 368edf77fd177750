"""
Which of the pieces that are set aside they are, where a part has serial numbers: those that came to the place first.

The stock says for which order each of its pieces is set aside, and for one only; a piece lies at one place (its claim),
so no two orders have it. A name holds while the piece lies there. The reservation tells of it, and of each change.
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec import structs

from contracts.inventory import PlacedLine, ReservedPiecesChanged
from contracts.problems import NotYet
from inventory.commands import LOOKED_AT, Shelf
from inventory.domain.draft import Draft
from inventory.domain.pieces import named


def pieces_claims(shelves: Iterable[Shelf]) -> tuple[tuple[str, str], ...]:
    return tuple(dict.fromkeys([claim for shelf in shelves for claim in named(shelf.part_id, shelf.serials)]))


def with_names(
    draft: Draft, candidates: Iterable[Shelf], order_id: str, lines: Iterable[PlacedLine]
) -> tuple[PlacedLine, ...]:
    """Which pieces they are, where they have serial numbers: those that came first."""
    shelves = {(shelf.part_id, shelf.place_id): shelf for shelf in candidates}
    found = []
    for line in lines:
        shelf = shelves.get((line.part_id, line.place_id)) or Shelf(part_id=line.part_id, place_id=line.place_id)
        found.append(with_serials(line, named_now(draft, shelf, order_id)))
    return tuple(found)


def named_now(draft: Draft, shelf: Shelf, order_id: str) -> tuple[str, ...]:
    """Raises NotYet where a piece that nobody has lies there and the view had not seen it."""
    stock = draft.stock(shelf.part_id, shelf.place_id)
    taken = {serial for some in stock.named.values() for serial in some}
    unseen = [serial for serial in stock.pieces if serial not in taken and serial not in shelf.serials]
    if unseen and len(stock.still_named(order_id)) < stock.of(order_id) and len(shelf.serials) < LOOKED_AT:
        raise NotYet(f"the view has not seen that {unseen[0]} of {shelf.part_id} lies at {shelf.place_id}")
    return draft.name(shelf, order_id)


def with_serials(line: PlacedLine, serials: tuple[str, ...]) -> PlacedLine:
    return line if line.serials == serials else structs.replace(line, serials=serials)


def in_the_van(lines: Iterable[PlacedLine], fetched: Iterable[PlacedLine], van_id: str) -> tuple[PlacedLine, ...]:
    """What is set aside once all of it has been fetched: one line for each part."""
    took = {(line.part_id, line.place_id): line.serials for line in fetched}
    pieces: dict[str, PlacedLine] = {}
    for line in lines:
        was = pieces.get(line.part_id)
        serials = (*(was.serials if was else ()), *took.get((line.part_id, line.place_id), line.serials))
        quantity = (was.quantity if was else 0) + line.quantity
        pieces[line.part_id] = PlacedLine(line.part_id, van_id, quantity, serials)
    return tuple(pieces.values())


def with_pieces(lines: Iterable[PlacedLine], event: ReservedPiecesChanged) -> tuple[PlacedLine, ...]:
    """What is set aside when other pieces of it are named at that place."""
    where = event.part_id, event.place_id
    return tuple(
        [with_serials(line, event.serials) if (line.part_id, line.place_id) == where else line for line in lines]
    )
