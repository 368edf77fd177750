"""
The stock of one part at one place: so many good pieces on hand, some of them set aside for orders, and so many
defective ones.

Never is more set aside than lies there, and never less than nothing lies there. A count and a use are facts and are
never refused: where they leave less than was set aside, the orders that came last lose theirs; where more was used
than we had on our books, the difference is the drift. What somebody means to do with pieces (send, scrap, give back to
the supplier) is refused where not so many are free: whoever has them in her hand counts first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never

from contracts.event import Event
from contracts.inventory import (
    Condition,
    PartConsumed,
    PartReturned,
    PartScrapped,
    PartSentBack,
    StockArrived,
    StockCounted,
    StockFellShort,
    StockIssued,
    StockLow,
    StockReceived,
    StockReturned,
    StockSent,
    StockSetAside,
    StockSynchronised,
)
from contracts.problems import Rejected
from inventory.commands import CountStock, Move, ReceiveStock, ReturnPart, ScrapPart, SendBackPart, Shelf
from inventory.domain.register import known_part, known_place, low_limit, part_stream, place_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Stock:
    on_hand: int = 0
    """Good pieces."""
    set_aside: Mapping[str, int] = field(default_factory=dict)
    """Pieces by order, in the order in which they were set aside."""
    known: bool = False
    """Somebody has counted it, or pieces came in."""
    defective: int = 0
    defective_known: bool = False
    synchronised_at: Mapping[Condition, datetime] = field(default_factory=dict)
    """When the warehouse system counted what it said last."""

    @property
    def free(self) -> int:
        return self.on_hand - sum(self.set_aside.values())

    def of(self, order_id: str) -> int:
        return self.set_aside.get(order_id, 0)

    def there(self, condition: Condition) -> int:
        return self.on_hand if condition == "good" else self.defective

    def movable(self, condition: Condition) -> int:
        """Pieces that nobody waits for."""
        return self.free if condition == "good" else self.defective


CameIn = StockReceived | StockArrived | PartReturned
WentOut = StockSent | PartScrapped | PartSentBack
Said = StockCounted | StockSynchronised
OfAnOrder = StockSetAside | StockReturned | StockFellShort | PartConsumed
StockEvent = Said | OfAnOrder | StockIssued | StockLow | CameIn | WentOut


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

    def count(self, event: Said) -> None:
        self.add(event)
        self._fall_short(event.part_id, event.place_id)

    def take_out(self, event: WentOut) -> None:
        """Raises Rejected where not so many pieces of that condition are free."""
        there = self.stock(event.part_id, event.place_id).movable(event.condition)
        if event.quantity > there:
            raise Rejected(
                "stock.not-enough",
                part_id=event.part_id,
                place_id=event.place_id,
                condition=event.condition,
                wanted=event.quantity,
                free=there,
            )
        self.add(event)

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

    def issue(self, part_id: str, place_id: str, quantity: int, condition: Condition, **document: str) -> None:
        drift = max(0, quantity - self.stock(part_id, place_id).there(condition))
        where = {"part_id": part_id, "place_id": place_id}
        self.add(StockIssued(**where, **document, quantity=quantity, condition=condition, drift=drift))
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


def shelf_reads(command: CountStock | Move) -> tuple[str, ...]:
    stock = stock_stream(command.part_id, command.place_id)
    return stock, part_stream(command.part_id), place_stream(command.place_id)


def _shelf(states: States, command: CountStock | Move) -> Shelf:
    """Raises Rejected for a part or a place that is not defined."""
    limit = low_limit(known_part(states, command.part_id), known_place(states, command.place_id))
    return Shelf(part_id=command.part_id, place_id=command.place_id, low_below=limit)


def count(states: States, command: CountStock) -> list[Event]:
    shelf, draft = _shelf(states, command), Draft(states)
    stock = draft.stock(command.part_id, command.place_id)
    known = (stock.known, stock.on_hand) if command.condition == "good" else (stock.defective_known, stock.defective)
    if known == (True, command.quantity):
        return []
    draft.count(StockCounted(**command.model_dump()))
    draft.warn(shelf)
    return draft.events


def receive(states: States, command: ReceiveStock) -> list[Event]:
    _shelf(states, command)
    return [StockReceived(**command.model_dump())]


def bring_back(states: States, command: ReturnPart) -> list[Event]:
    _shelf(states, command)
    return [PartReturned(**command.model_dump())]


def scrap(states: States, command: ScrapPart) -> list[Event]:
    return _without(states, command, PartScrapped(**command.model_dump()))


def send_back(states: States, command: SendBackPart) -> list[Event]:
    return _without(states, command, PartSentBack(**command.model_dump()))


def _without(states: States, command: Move, event: WentOut) -> list[Event]:
    shelf, draft = _shelf(states, command), Draft(states)
    draft.take_out(event)
    draft.warn(shelf)
    return draft.events


def evolve(stock: Stock, event: StockEvent) -> Stock:
    match event:
        case StockCounted(condition="good"):
            return replace(stock, on_hand=event.quantity, known=True)
        case StockCounted():
            return replace(stock, defective=event.quantity, defective_known=True)
        case StockSetAside():
            return _set_aside(stock, event.order_id, event.quantity)
        case StockReturned() | StockFellShort():
            return _set_aside(stock, event.order_id, -event.quantity)
        case PartConsumed():
            return replace(stock, on_hand=stock.on_hand - event.quantity + event.drift)
        case StockSynchronised():
            at = {**stock.synchronised_at, event.condition: event.taken_at}
            more = event.theirs - stock.there(event.condition)
            return replace(_moved(stock, event.condition, more), synchronised_at=at)
        case StockIssued():
            return _moved(stock, event.condition, event.drift - event.quantity)
        case StockReceived() | StockArrived() | PartReturned():
            return _moved(stock, event.condition, event.quantity)
        case StockSent() | PartScrapped() | PartSentBack():
            return _moved(stock, event.condition, -event.quantity)
        case StockLow():
            return stock
        case _:
            assert_never(event)


def _set_aside(stock: Stock, order_id: str, more: int) -> Stock:
    pieces = {**stock.set_aside, order_id: stock.of(order_id) + more}
    if not pieces[order_id]:
        del pieces[order_id]
    return replace(stock, set_aside=pieces)


def _moved(stock: Stock, condition: Condition, more: int) -> Stock:
    if condition == "good":
        return replace(stock, on_hand=stock.on_hand + more, known=True)
    return replace(stock, defective=stock.defective + more, defective_known=True)


STOCK: Stream[Stock] = Stream("stock", Stock(), evolve)
