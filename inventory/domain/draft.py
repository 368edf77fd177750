"""What a decision about pieces has decided so far: the events, every stock after them, and which pieces are where."""

from __future__ import annotations

from collections.abc import Iterable

from contracts.event import Event
from contracts.fieldwork import UsedPart
from contracts.inventory import (
    Condition,
    Disputed,
    DocumentLine,
    LotPieces,
    PartConsumed,
    PartDefined,
    PartRepaired,
    PiecesNamed,
    StockCounted,
    StockFellShort,
    StockIssued,
    StockLow,
    StockReturned,
    StockSetAside,
)
from contracts.problems import Rejected
from inventory.commands import Shelf
from inventory.domain.pieces import is_booked, is_used, is_with_us, lies, moves, named, unnamed
from inventory.domain.stock import CameIn, Said, Stock, StockEvent, WentOut, evolve, stock_stream
from services.chassis.journal.rules import States


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
        after = evolve(self.stock(event.part_id, event.place_id), event)
        self._after[event.stream()] = after
        for order_id in [order_id for order_id, some in after.named.items() if after.still_named(order_id) != some]:
            self._name(event.part_id, event.place_id, order_id, after.still_named(order_id))

    def come(self, event: CameIn) -> None:
        self.add(event)
        self.name_for_orders(event)

    def name_for_orders(self, event: CameIn | StockCounted) -> None:
        """Orders for which pieces are set aside there that nobody could name so far, have those that are here now."""
        disputed = {one.number for one in getattr(event, "disputed", ())}
        shelf = Shelf(part_id=event.part_id, place_id=event.place_id, serials=event.serials)
        if event.condition == "good" and event.serials and not disputed:
            for order_id in self.stock(event.part_id, event.place_id).set_aside:
                self.name(shelf, order_id)

    def name(self, shelf: Shelf, order_id: str) -> tuple[str, ...]:
        """
        Which of the pieces they are that are set aside for the order there: those named before that still lie there,
        and else those of `shelf` that came first and are named for nobody.
        """
        stock, here = self.stock(shelf.part_id, shelf.place_id), lies("good", shelf.place_id)

        def is_here(serial: str) -> bool:
            return serial in shelf.serials and self.where(shelf.part_id, serial) == here

        taken = {serial for some in stock.named.values() for serial in some}
        before = stock.still_named(order_id)
        kept = [serial for serial in before if serial not in shelf.serials or is_here(serial)]
        more = [serial for serial in stock.pieces if serial not in taken and is_here(serial)]
        named = (*kept, *more)[: stock.of(order_id)]
        if named != before:
            self._name(shelf.part_id, shelf.place_id, order_id, named)
        return named

    def _name(self, part_id: str, place_id: str, order_id: str, serials: tuple[str, ...]) -> None:
        before = self.stock(part_id, place_id).named.get(order_id, ())
        freed = tuple([serial for serial in before if serial not in serials])
        where = {"part_id": part_id, "place_id": place_id, "order_id": order_id}
        self.add(PiecesNamed(**where, serials=serials, freed=freed))

    def count(self, event: Said) -> None:
        self.add(event)
        self._fall_short(event.part_id, event.place_id)

    def take_out(self, event: WentOut) -> None:
        """Raises Rejected where not so many pieces of that condition are free."""
        self._must_be_free(event, event.condition)
        self.add(event)

    def send_ahead(self, event: PartConsumed) -> None:
        """As a replacement: it is meant, and so refused where not so many good pieces are free."""
        self._must_be_free(event, "good")
        self.add(event)

    def repair(self, event: PartRepaired) -> None:
        """Raises Rejected where not so many defective pieces lie there; their numbers may be new to us."""
        here = lies("defective", event.place_id)
        self._must_be_there(event, "defective")
        self.must_lie(event.part_id, [one for one in event.serials if is_with_us(self.where(event.part_id, one))], here)
        self.add(event)

    def _must_be_free(self, event: WentOut | PartConsumed, condition: Condition) -> None:
        self._must_be_there(event, condition)
        self.must_lie(event.part_id, event.serials, lies(condition, event.place_id))

    def _must_be_there(self, event: WentOut | PartConsumed | PartRepaired, condition: Condition) -> None:
        there = self.stock(event.part_id, event.place_id).movable(condition)
        if event.quantity > there:
            raise Rejected(
                "stock.not-enough",
                part_id=event.part_id,
                place_id=event.place_id,
                condition=condition,
                wanted=event.quantity,
                free=there,
            )
        stock = self.stock(event.part_id, event.place_id)
        for lot in event.lots:
            if lot.quantity > (left := stock.lots.get((lot.lot, condition), 0)):
                where = {"part_id": event.part_id, "place_id": event.place_id, "condition": condition}
                raise Rejected("lot.not-enough", **where, lot=lot.lot, wanted=lot.quantity, there=left)

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
