"""
The stock of one part at one place: so many good pieces on hand, some of them set aside for orders, and so many
defective ones.

Never is more set aside than lies there, and never less than nothing lies there. A count and a use are facts and are
never refused: where they leave less than was set aside, the orders that came last lose theirs; where more was used
than we had on our books, the difference is the drift. What somebody means to do with pieces (send, scrap, give back to
the supplier) is refused where not so many are free: whoever has them in her hand counts first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Literal, assert_never

from contracts.event import Event
from contracts.fieldwork import UsedPart
from contracts.inventory import (
    Condition,
    Disputed,
    DocumentLine,
    LotPieces,
    PartConsumed,
    PartDefined,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PurchaseDismissed,
    PurchaseNotNeeded,
    PurchaseOrdered,
    PurchaseSuggested,
    ReorderPointSet,
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
from inventory.domain.old_parts import OldParts, bring, old_parts_stream
from inventory.domain.pieces import (
    is_booked,
    is_used,
    is_with_us,
    lies,
    moves,
    must_be_named,
    named,
    unnamed,
)
from inventory.domain.register import known_part, known_place, low_limit, part_stream, place_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Buying:
    """When more is to be bought, and what was done about it."""

    reorder_at: int = 0
    reorder_to: int = 0
    suggested: Literal["", "open", "dismissed"] = ""
    ordered: int = 0


@dataclass(frozen=True)
class Told:
    """What the warehouse system hears of us: so many pieces more, or fewer."""

    version: int
    condition: Condition
    more: int


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
    lots: Mapping[tuple[str, Condition], int] = field(default_factory=dict)
    """Pieces by lot, of a part that has lots."""
    buying: Buying = Buying()
    version: int = 0
    """Of the stream: so many events."""
    told: tuple[Told, ...] | None = None
    """
    What left or came back since, and may not have been booked by the warehouse system; none unless its last snapshot
    said what it had booked.
    """

    @property
    def free(self) -> int:
        return self.on_hand - sum(self.set_aside.values())

    def of(self, order_id: str) -> int:
        return self.set_aside.get(order_id, 0)

    def there(self, condition: Condition) -> int:
        return self.on_hand if condition == "good" else self.defective

    def unbooked(self, condition: Condition, booked_version: int | None) -> int:
        """So many pieces more (or fewer) since that version; 0 where it is not said what was booked."""
        if booked_version is None:
            return 0
        newer = [one for one in self.told or () if one.version > booked_version and one.condition == condition]
        return sum(one.more for one in newer)

    def movable(self, condition: Condition) -> int:
        """Pieces that nobody waits for."""
        return self.free if condition == "good" else self.defective


CameIn = StockReceived | StockArrived | PartReturned
WentOut = StockSent | PartScrapped | PartSentBack
Said = StockCounted | StockSynchronised
OfAnOrder = StockSetAside | StockReturned | StockFellShort | PartConsumed
PurchaseEvent = ReorderPointSet | PurchaseSuggested | PurchaseOrdered | PurchaseDismissed | PurchaseNotNeeded
StockEvent = Said | OfAnOrder | StockIssued | StockLow | CameIn | WentOut | PurchaseEvent


def stock_stream(part_id: str, place_id: str) -> str:
    return f"stock/{part_id}/{place_id}"


class Draft:
    """What a decision has decided so far, and every stock as it is after that."""

    def __init__(self, states: States) -> None:
        self.events: list[Event] = []
        self._before = states
        self._after: dict[str, Stock] = {}
        self._moved: dict[tuple[str, str], str] = {}

    def knows(self, part_id: str, place_id: str) -> bool:
        """Whether the command named this stock."""
        return stock_stream(part_id, place_id) in self._before

    def stock(self, part_id: str, place_id: str) -> Stock:
        name = stock_stream(part_id, place_id)
        found: Stock = self._after.get(name) or self._before[name]
        return found

    def where(self, part_id: str, serial: str) -> str:
        """The whereabouts of a piece; empty where it was never heard of. The command must have named its claim."""
        ((kind, key),) = named(part_id, [serial])
        return self._moved.get((part_id, serial)) or self._before.owner(kind, key) or ""

    def must_lie(self, part_id: str, serials: Iterable[str], where: str) -> None:
        """Raises Rejected for a piece that is elsewhere."""
        for serial in serials:
            if (is_at := self.where(part_id, serial)) != where:
                facts = {"part_id": part_id, "serial": serial}
                raise Rejected("serial.elsewhere", **facts, wanted=where, whereabouts=is_at or "unknown")

    def must_be_new(self, part_id: str, serials: Iterable[str]) -> None:
        """Raises Rejected for a piece that we have, or that is in a device."""
        for serial in serials:
            if is_booked(where := self.where(part_id, serial)):
                raise Rejected("serial.known", part_id=part_id, serial=serial, whereabouts=where)

    def disputed(self, part_id: str, serials: Iterable[str], where: str, tracked: bool) -> tuple[Disputed, ...]:
        """
        Those that our books did not have there. Of a part without serial numbers only those that were used before: the
        others are on no book of ours.
        """
        was = [(serial, self.where(part_id, serial)) for serial in serials]
        return tuple([Disputed(serial, at) for serial, at in was if (at != where if tracked else is_used(at))])

    def overdrawn(self, part_id: str, place_id: str, condition: Condition, lots: Iterable[LotPieces]) -> list[Disputed]:
        """Lots of which more went than our books had there."""
        there = self.stock(part_id, place_id).lots
        left = [(lot, there.get((lot.lot, condition), 0)) for lot in lots]
        return [Disputed(lot.lot, lies(condition, place_id) if had else "") for lot, had in left if lot.quantity > had]

    def add(self, event: StockEvent) -> None:
        self.events.append(event)
        for part_id, serial, where in moves(event):
            self._moved[part_id, serial] = where
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
        self.must_lie(event.part_id, event.serials, lies(event.condition, event.place_id))
        stock = self.stock(event.part_id, event.place_id)
        for lot in event.lots:
            if lot.quantity > (left := stock.lots.get((lot.lot, event.condition), 0)):
                where = {"part_id": event.part_id, "place_id": event.place_id, "condition": event.condition}
                raise Rejected("lot.not-enough", **where, lot=lot.lot, wanted=lot.quantity, there=left)
        self.add(event)

    def set_aside(self, part_id: str, place_id: str, order_id: str, quantity: int) -> None:
        """Have so many pieces set aside for the order, whatever it was before."""
        more = quantity - self.stock(part_id, place_id).of(order_id)
        where = {"part_id": part_id, "place_id": place_id, "order_id": order_id}
        if more > 0:
            self.add(StockSetAside(**where, quantity=more))
        elif more < 0:
            self.add(StockReturned(**where, quantity=-more))

    def consume(self, used: UsedPart, part: PartDefined | None, device_id: str, **order: str) -> None:
        """A fact: also of a piece that was used before, or that our books had elsewhere."""
        part_id, place_id, quantity = used.part_id, used.place_id, used.quantity
        lots = (LotPieces(used.lot, quantity),) if used.lot else ()
        tracked = part.tracked if part else "none"
        disputed = self.disputed(part_id, used.serials, lies("good", place_id), tracked == "serial")
        overdrawn = self.overdrawn(part_id, place_id, "good", lots) if tracked == "lot" else ()
        event = PartConsumed(
            part_id=part_id,
            place_id=place_id,
            quantity=quantity,
            order_id=order["order_id"],
            request_id=order["request_id"],
            drift=max(0, quantity - self.stock(part_id, place_id).on_hand),
            device_id=device_id,
            serials=used.serials,
            lots=lots,
            unnamed=unnamed(part, quantity, used.serials, lots),
            disputed=(*disputed, *overdrawn),
        )
        self.add(event)
        self._fall_short(part_id, place_id)

    def issue(self, line: DocumentLine, place_id: str, source: str, document_id: str) -> None:
        disputed = self.disputed(line.part_id, line.serials, lies(line.condition, place_id), tracked=True)
        event = StockIssued(
            part_id=line.part_id,
            place_id=place_id,
            quantity=line.quantity,
            condition=line.condition,
            source=source,
            document_id=document_id,
            drift=max(0, line.quantity - self.stock(line.part_id, place_id).there(line.condition)),
            serials=line.serials,
            lots=line.lots,
            disputed=(*disputed, *self.overdrawn(line.part_id, place_id, line.condition, line.lots)),
        )
        self.add(event)
        self._fall_short(line.part_id, place_id)

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
    if known == (True, command.quantity) and as_known and _with_lots(stock, counted) == stock:
        return []
    draft.count(counted)
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
    draft.add(StockReceived(**command.model_dump()))
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
    draft.add(PartReturned(**command.model_dump()))
    if command.condition == "good":
        return draft.events
    known: OldParts = states[old_parts_stream(command.order_id)]
    return [*draft.events, *bring(known, command.order_id, command.part_id, command.quantity)]


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


def evolve(stock: Stock, event: StockEvent) -> Stock:
    return _tell(replace(_evolve(stock, event), version=stock.version + 1), event)


def _tell(stock: Stock, event: StockEvent) -> Stock:
    """Kept from the first snapshot on that says what was booked, until one says that this was."""
    if isinstance(event, StockSynchronised):
        upto, other = event.booked_version, tuple([one for one in stock.told or () if one.condition != event.condition])
        if upto is None:
            return replace(stock, told=None)
        newer = [one for one in stock.told or () if one.condition == event.condition and one.version > upto]
        return replace(stock, told=(*other, *newer))
    if stock.told is None:
        return stock
    match event:
        case PartConsumed():
            told = Told(stock.version, "good", -event.quantity)
        case PartReturned():
            told = Told(stock.version, event.condition, event.quantity)
        case PartScrapped() | PartSentBack():
            told = Told(stock.version, event.condition, -event.quantity)
        case _:
            return stock
    return replace(stock, told=(*stock.told, told))


def _evolve(stock: Stock, event: StockEvent) -> Stock:
    match event:
        case StockCounted(condition="good"):
            return replace(_with_lots(stock, event), on_hand=event.quantity, known=True)
        case StockCounted():
            return replace(_with_lots(stock, event), defective=event.quantity, defective_known=True)
        case StockSetAside():
            return _set_aside(stock, event.order_id, event.quantity)
        case StockReturned() | StockFellShort():
            return _set_aside(stock, event.order_id, -event.quantity)
        case PartConsumed():
            left = _lots(stock, "good", event.lots, -1)
            return replace(left, on_hand=stock.on_hand - event.quantity + event.drift)
        case StockSynchronised():
            at = {**stock.synchronised_at, event.condition: event.taken_at}
            more = after_snapshot(event) - stock.there(event.condition)
            said = replace(_moved(stock, event.condition, more), synchronised_at=at)
            return _came_in(said, event)
        case StockIssued():
            left = _lots(stock, event.condition, event.lots, -1)
            return _moved(left, event.condition, event.drift - event.quantity)
        case StockReceived():
            received = _moved(_lots(stock, event.condition, event.lots, 1), event.condition, event.quantity)
            return _came_in(received, event)
        case StockArrived() | PartReturned():
            return _moved(_lots(stock, event.condition, event.lots, 1), event.condition, event.quantity)
        case StockSent() | PartScrapped() | PartSentBack():
            return _moved(_lots(stock, event.condition, event.lots, -1), event.condition, -event.quantity)
        case StockLow():
            return stock
        case ReorderPointSet():
            return _buy(stock, reorder_at=event.reorder_at, reorder_to=event.reorder_to)
        case PurchaseSuggested():
            return _buy(stock, suggested="open")
        case PurchaseOrdered():
            return _buy(stock, suggested="", ordered=stock.buying.ordered + event.quantity)
        case PurchaseDismissed():
            return _buy(stock, suggested="dismissed")
        case PurchaseNotNeeded():
            return _buy(stock, suggested="")
        case _:
            assert_never(event)


def _buy(stock: Stock, **changes: Any) -> Stock:
    return replace(stock, buying=replace(stock.buying, **changes))


def after_snapshot(event: StockSynchronised) -> int:
    """What our books have from there on."""
    return max(0, event.theirs + event.unbooked)


def came_of_order(event: StockReceived | StockSynchronised) -> int:
    """
    So many good pieces came that may have been on order. Where the warehouse system tells of no receipts, it is what
    its snapshot has more than our books.
    """
    if event.condition != "good":
        return 0
    return event.quantity if isinstance(event, StockReceived) else max(0, after_snapshot(event) - event.ours)


def _came_in(stock: Stock, event: StockReceived | StockSynchronised) -> Stock:
    if not stock.buying.ordered:
        return stock
    return _buy(stock, ordered=max(0, stock.buying.ordered - came_of_order(event)))


def _lots(stock: Stock, condition: Condition, lots: Iterable[LotPieces], sign: int) -> Stock:
    """More of these lots, or fewer; what is used and was not there is used from nothing."""
    if not lots:
        return stock
    after = {lot.lot: max(0, stock.lots.get((lot.lot, condition), 0) + sign * lot.quantity) for lot in lots}
    return _put_lots(stock, condition, after)


def _with_lots(stock: Stock, event: StockCounted) -> Stock:
    return _put_lots(stock, event.condition, {lot.lot: lot.quantity for lot in event.lots}) if event.lots else stock


def _put_lots(stock: Stock, condition: Condition, after: Mapping[str, int]) -> Stock:
    lots = {**stock.lots, **{(lot, condition): left for lot, left in after.items()}}
    return replace(stock, lots={where: left for where, left in lots.items() if left})


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
