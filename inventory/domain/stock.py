"""
The stock of one part at one place: so many pieces on hand, some of them set aside for orders.

Never is more set aside than lies there, and never less than nothing lies there. A count and a use are facts and are
never refused: where they leave less than was set aside, the orders that came last lose theirs; where more was used
than we had on our books, the difference is the drift.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import assert_never

from contracts.event import Event
from contracts.inventory import (
    PartConsumed,
    PartDefined,
    PlaceDefined,
    StockCounted,
    StockFellShort,
    StockLow,
    StockReturned,
    StockSetAside,
)
from contracts.problems import Rejected
from inventory.commands import CountStock, Shelf
from inventory.domain.register import low_limit, part_stream, place_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Stock:
    on_hand: int = 0
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Pieces by order, in the order in which they were set aside."""
    known: bool = False
    """Somebody has counted it."""

    @property
    def free(self) -> int:
        return self.on_hand - sum(self.set_aside.values())

    def of(self, order_id: str) -> int:
        return self.set_aside.get(order_id, 0)


StockEvent = StockCounted | StockSetAside | StockReturned | StockFellShort | PartConsumed | StockLow


def stock_stream(part_id: str, place_id: str) -> str:
    return f"stock/{part_id}/{place_id}"


class Draft:
    """What a decision has decided so far, and every stock as it is after that."""

    def __init__(self, states: States) -> None:
        self.events: list[Event] = []
        self._before = states
        self._after: dict[str, Stock] = {}

    def knows(self, part_id: str, place_id: str) -> bool:
        """Whether the command named this stock."""
        return stock_stream(part_id, place_id) in self._before

    def stock(self, part_id: str, place_id: str) -> Stock:
        name = stock_stream(part_id, place_id)
        found: Stock = self._after.get(name) or self._before[name]
        return found

    def add(self, event: StockEvent) -> None:
        self.events.append(event)
        self._after[event.stream()] = evolve(self.stock(event.part_id, event.place_id), event)

    def count(self, part_id: str, place_id: str, quantity: int, source: str) -> None:
        self.add(StockCounted(part_id=part_id, place_id=place_id, quantity=quantity, source=source))
        self._fall_short(part_id, place_id)

    def set_aside(self, part_id: str, place_id: str, order_id: str, quantity: int) -> None:
        """Have so many pieces set aside for the order, whatever it was before."""
        more = quantity - self.stock(part_id, place_id).of(order_id)
        where = {"part_id": part_id, "place_id": place_id, "order_id": order_id}
        if more > 0:
            self.add(StockSetAside(**where, quantity=more))
        elif more < 0:
            self.add(StockReturned(**where, quantity=-more))

    def consume(self, part_id: str, place_id: str, quantity: int, order_id: str, request_id: str) -> None:
        drift = max(0, quantity - self.stock(part_id, place_id).on_hand)
        used = PartConsumed(
            part_id=part_id,
            place_id=place_id,
            quantity=quantity,
            order_id=order_id,
            request_id=request_id,
            drift=drift,
        )
        self.add(used)
        self._fall_short(part_id, place_id)

    def _fall_short(self, part_id: str, place_id: str) -> None:
        stock = self.stock(part_id, place_id)
        missing = -stock.free
        for order_id, quantity in reversed([*stock.set_aside.items()]):
            if missing <= 0:
                break
            lost = min(missing, quantity)
            self.add(StockFellShort(part_id=part_id, place_id=place_id, order_id=order_id, quantity=lost))
            missing -= lost

    def warn(self, shelf: Shelf) -> None:
        """Say so if the free pieces there have fallen below the limit by what was decided."""
        name = stock_stream(shelf.part_id, shelf.place_id)
        before: Stock = self._before[name]
        after = self._after.get(name, before)
        was_low = before.known and before.free < shelf.low_below
        if after.known and after.free < shelf.low_below and not was_low:
            low = StockLow(part_id=shelf.part_id, place_id=shelf.place_id, free=after.free, low_below=shelf.low_below)
            self.events.append(low)


def count_reads(command: CountStock) -> tuple[str, ...]:
    stock = stock_stream(command.part_id, command.place_id)
    return stock, part_stream(command.part_id), place_stream(command.place_id)


def count(states: States, command: CountStock) -> list[Event]:
    part: PartDefined | None = states[part_stream(command.part_id)]
    place: PlaceDefined | None = states[place_stream(command.place_id)]
    if part is None:
        raise Rejected("part.unknown", part_id=command.part_id)
    if place is None:
        raise Rejected("place.unknown", place_id=command.place_id)
    draft = Draft(states)
    stock = draft.stock(command.part_id, command.place_id)
    if stock.known and stock.on_hand == command.quantity:
        return []
    draft.count(**command.model_dump())
    limit = low_limit(part, place)
    draft.warn(Shelf(part_id=command.part_id, place_id=command.place_id, low_below=limit))
    return draft.events


def evolve(stock: Stock, event: StockEvent) -> Stock:
    match event:
        case StockCounted():
            return Stock(event.quantity, stock.set_aside, known=True)
        case StockSetAside():
            return _set_aside(stock, event.order_id, event.quantity)
        case StockReturned() | StockFellShort():
            return _set_aside(stock, event.order_id, -event.quantity)
        case PartConsumed():
            return Stock(stock.on_hand - event.quantity + event.drift, stock.set_aside, stock.known)
        case StockLow():
            return stock
        case _:
            assert_never(event)


def _set_aside(stock: Stock, order_id: str, more: int) -> Stock:
    pieces = {**stock.set_aside, order_id: stock.of(order_id) + more}
    if not pieces[order_id]:
        del pieces[order_id]
    return Stock(stock.on_hand, pieces, stock.known)


STOCK: Stream[Stock] = Stream("stock", Stock(), evolve)
