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

from contracts.inventory import (
    Condition,
    LotPieces,
    PartConsumed,
    PartRepaired,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PiecesNamed,
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
from services.chassis.journal.rules import Stream


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
    pieces: tuple[str, ...] = ()
    """Serial numbers of the good pieces that came here and did not leave, by this stream, the first first."""
    named: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """By order, which of the pieces that are set aside for it they are."""
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

    def still_named(self, order_id: str) -> tuple[str, ...]:
        """Those of its pieces that lie here, and not more than are set aside for it."""
        here = [serial for serial in self.named.get(order_id, ()) if serial in self.pieces]
        return tuple(here[: self.of(order_id)])

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
OfAnOrder = StockSetAside | PiecesNamed | StockReturned | StockFellShort | PartConsumed
PurchaseEvent = ReorderPointSet | PurchaseSuggested | PurchaseOrdered | PurchaseDismissed | PurchaseNotNeeded
StockEvent = Said | OfAnOrder | StockIssued | StockLow | PartRepaired | CameIn | WentOut | PurchaseEvent


def stock_stream(part_id: str, place_id: str) -> str:
    return f"stock/{part_id}/{place_id}"


def evolve(stock: Stock, event: StockEvent) -> Stock:
    after = replace(_evolve(stock, event), pieces=_pieces(stock.pieces, event), version=stock.version + 1)
    return _tell(after, event)


def _pieces(pieces: tuple[str, ...], event: StockEvent) -> tuple[str, ...]:
    """The good ones with serial numbers after this, in the order in which they came."""
    if getattr(event, "condition", "good") != "good":
        return pieces
    match event:
        case StockReceived() | StockArrived() | PartReturned() | PartRepaired():
            left = pieces
        case StockCounted():
            left = tuple([one for one in pieces if one not in event.missing]) if event.missing else pieces
        case StockSent() | PartScrapped() | PartSentBack() | StockIssued() | PartConsumed() if event.serials:
            return tuple([one for one in pieces if one not in event.serials])
        case _:
            return pieces
    return (*left, *[one for one in event.serials if one not in left]) if event.serials else left


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
        case PartRepaired():
            less = Told(stock.version, "defective", -event.quantity)
            return replace(stock, told=(*stock.told, less, Told(stock.version, "good", event.quantity)))
        case _:
            return stock
    return replace(stock, told=(*stock.told, told))


def _evolve(stock: Stock, event: StockEvent) -> Stock:
    match event:
        case StockCounted(condition="good"):
            return replace(with_lots(stock, event), on_hand=event.quantity, known=True)
        case StockCounted():
            return replace(with_lots(stock, event), defective=event.quantity, defective_known=True)
        case StockSetAside():
            return _set_aside(stock, event.order_id, event.quantity)
        case PiecesNamed():
            named = {**stock.named, event.order_id: event.serials}
            return replace(stock, named={order_id: some for order_id, some in named.items() if some})
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
        case PartRepaired():
            as_good = _lots(_lots(stock, "defective", event.lots, -1), "good", event.lots, 1)
            return _moved(_moved(as_good, "defective", -event.quantity), "good", event.quantity)
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


def with_lots(stock: Stock, event: StockCounted) -> Stock:
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
