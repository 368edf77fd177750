"""
The invariants of the business, folded from the log of one service each.

I1 a request or an order ends once, and what waits has a deadline that watches it; I2 an order has one engineer, her
hours overlap nowhere; I3 parts are conserved; I7 a deadline is missed at most once, when it was due, while nobody had
the order (the marks of service levels: `clocks.py`). History that was imported is another system's and is not judged.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, ClassVar, Final, Protocol

from contracts.dispatcher import (
    AssignmentOverdue,
    HoursBooked,
    HoursFreed,
    OfferDeclined,
    OfferLapsed,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOffered,
    OrderOpened,
    OrderReassigned,
    OrderReturned,
)
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import (
    RequestCancelled,
    RequestClosed,
    RequestCorrected,
    RequestExpired,
    RequestIncomplete,
    RequestMerged,
    RequestReceived,
    RequestReopened,
    RequestResolvedRemotely,
    RequestUnmerged,
    RequestWithdrawn,
)
from contracts.inventory import (
    PartConsumed,
    PartRepaired,
    PartReturned,
    PartScrapped,
    PartSentBack,
    PartsReserved,
    StockArrived,
    StockCounted,
    StockFellShort,
    StockIssued,
    StockReceived,
    StockReturned,
    StockSent,
    StockSetAside,
    StockSynchronised,
    TransferLost,
)
from services.chassis.journal.store import TimerKey
from services.verify.findings import Findings
from services.verify.lots import Lots
from services.verify.pieces import Pieces

OVERDUE: Final = "assignment-overdue"
AGAIN: Final = "assign-again"
"""The dispatcher's timers. Whatever waits for an engineer has the second one, and the first one until it was missed."""

OFFER: Final = "offer-lapses"
"""The timer of what is on offer."""


class Check(Protocol):
    """One service's own events in order; imported ones are left out."""

    READS: ClassVar[frozenset[type[Any]]]

    def check(self, position: int, event: Any, envelope: Envelope) -> None: ...


# I1 over intake's log.


@dataclass
class Requests:
    findings: Findings
    _state: dict[tuple[str, str], str] = field(default_factory=dict)

    READS: ClassVar[frozenset[type[Any]]] = frozenset(
        {
            RequestReceived,
            RequestCorrected,
            RequestIncomplete,
            RequestExpired,
            RequestWithdrawn,
            RequestMerged,
            RequestUnmerged,
            RequestReopened,
            RequestResolvedRemotely,
            RequestCancelled,
            RequestClosed,
        }
    )

    def check(self, position: int, event: Event, envelope: Envelope) -> None:
        match event:
            case RequestIncomplete():
                self._becomes("incomplete", event.request_id, ("absent", "incomplete"), position, envelope)
            case RequestCorrected():
                self._becomes("received", event.request_id, ("received",), position, envelope)
            case RequestReceived():
                self._becomes("received", event.request_id, ("absent", "incomplete"), position, envelope)
            case RequestExpired():
                self._becomes("expired", event.request_id, ("incomplete",), position, envelope)
            case RequestMerged():
                self._becomes("merged", event.request_id, ("received", "incomplete"), position, envelope)
            case RequestUnmerged():
                again = "received" if event.work else "incomplete"
                self._becomes(again, event.request_id, ("merged",), position, envelope)
            case RequestReopened():
                over = ("closed", "closed after withdrawal", "resolved")
                self._becomes("received", event.request_id, over, position, envelope)
            case RequestResolvedRemotely():
                self._becomes("resolved", event.request_id, ("received", "incomplete"), position, envelope)
            case RequestWithdrawn():
                self._becomes("withdrawn", event.request_id, ("received", "incomplete", "merged"), position, envelope)
            case RequestCancelled():
                self._becomes("cancelled", event.request_id, ("received",), position, envelope)
            case RequestClosed(outcome="completed"):
                undone = ("received", "incomplete", "cancelled", "merged", "resolved")
                self._becomes("closed", event.request_id, undone, position, envelope)
            case RequestClosed():
                self._becomes("closed after withdrawal", event.request_id, ("withdrawn",), position, envelope)
            case _:
                pass

    def _becomes(self, state: str, request_id: str, after: Collection[str], position: int, envelope: Envelope) -> None:
        request = envelope.tenant, request_id
        if (before := self._state.get(request, "absent")) not in after:
            self.findings.add("I1", position, f"request {request_id} is {state} and was {before}")
        self._state[request] = state


# I1, I2 and I7 over the dispatcher's log.


@dataclass(slots=True)
class _Live:
    """An order that has not ended."""

    engineer: str
    """Who has it; empty while it waits."""
    since: int
    """Where it began to wait."""
    deadlines: tuple[datetime, ...]
    overdue: bool = False
    offered_until: datetime | None = None
    """While it is on offer."""
    offered: int = 0
    """Where it was last offered."""


_HISTORY, _CANCELLED, _FINISHED = "history", "cancelled", "finished"


@dataclass
class Orders:
    findings: Findings
    _order: dict[tuple[str, str], _Live | str] = field(default_factory=dict)
    """What lives, and of the others how they ended."""
    _hours: dict[tuple[str, str, str], dict[str, tuple[datetime, datetime]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    READS: ClassVar[frozenset[type[Any]]] = frozenset(
        {
            AssignmentOverdue,
            HoursBooked,
            HoursFreed,
            OfferDeclined,
            OfferLapsed,
            OrderAssigned,
            OrderCancelled,
            OrderDeclined,
            OrderFinished,
            OrderOffered,
            OrderOpened,
            OrderReassigned,
            OrderReturned,
        }
    )

    def check(self, position: int, event: Any, envelope: Envelope) -> None:
        if isinstance(event, HoursBooked | HoursFreed):
            self._check_hours(position, event, envelope.tenant)
            return
        name = envelope.tenant, event.order_id
        order = self._order.get(name)
        if isinstance(event, OrderOpened):
            if order is not None:
                self.findings.add("I1", position, f"order {event.order_id} is opened a second time")
            due = event.assign_due_at
            self._order[name] = _Live("", position, (due,)) if due else _HISTORY
        elif isinstance(order, _Live):
            self._order[name] = self._follow(position, event, envelope, order)
        elif isinstance(event, OrderFinished) and order == _CANCELLED:
            # Work that was done is a fact, and wins.
            if event.outcome != "completed_after_cancellation":
                self.findings.add("I1", position, f"order {event.order_id} ends a second time")
            self._order[name] = _FINISHED
        elif order != _HISTORY:
            what = f"{type(event).__name__} of order {event.order_id}, which is {order or 'not opened'}"
            self.findings.add("I1", position, what)

    def _follow(self, position: int, event: Any, envelope: Envelope, order: _Live) -> _Live | str:
        match event:
            case OrderOffered() | OfferDeclined() | OfferLapsed():
                self._check_offer(position, event, envelope, order)
            case OrderAssigned():
                self._had_by("", order, position, event)
                if order.offered_until and event.chosen_by == "rule":
                    what = f"order {event.order_id} is assigned by rule while it is on offer"
                    self.findings.add("I2", position, what)
                order.engineer, order.offered_until = event.engineer_id, None
            case OrderReassigned():
                self._had_by(event.from_engineer_id, order, position, event)
                order.engineer = event.engineer_id
            case OrderDeclined() | OrderReturned():
                self._had_by(event.engineer_id, order, position, event)
                due = envelope.recorded_at + timedelta(seconds=event.assign_within_s)
                return _Live("", position, (*order.deadlines, due), order.overdue)
            case AssignmentOverdue():
                self._check_deadline(position, event, envelope, order)
                order.overdue = True
            case OrderCancelled():
                return _CANCELLED
            case OrderFinished():
                return _FINISHED
            case _:
                pass
        return order

    def _had_by(self, engineer_id: str, order: _Live, position: int, event: Any) -> None:
        if order.engineer != engineer_id:
            who = f"{order.engineer} has" if order.engineer else "nobody has"
            what = f"{type(event).__name__} of order {event.order_id} to or by {event.engineer_id}, which {who}"
            self.findings.add("I2", position, what)

    def _check_deadline(self, position: int, event: AssignmentOverdue, envelope: Envelope, order: _Live) -> None:
        wrong = []
        if order.overdue:
            wrong.append("a second time")
        if order.engineer:
            wrong.append(f"while {order.engineer} has it")
        if event.due_at not in order.deadlines:
            wrong.append("at a time that was none of its deadlines")
        if envelope.time < event.due_at:
            wrong.append("before it is due")
        if wrong:
            self.findings.add("I7", position, f"order {event.order_id} is overdue {', '.join(wrong)}")

    def _check_offer(
        self, position: int, event: OrderOffered | OfferDeclined | OfferLapsed, envelope: Envelope, order: _Live
    ) -> None:
        wrong = [f"while {order.engineer} has it"] if order.engineer else []
        offered = isinstance(event, OrderOffered)
        if offered == bool(order.offered_until):
            wrong.append("while it is on offer" if offered else "and is not on offer")
        match event:
            case OrderOffered():
                order.offered_until, order.offered = event.offered_until, position
            case OfferDeclined():
                order.offered_until = order.offered_until if event.left else None
            case OfferLapsed():
                if order.offered_until and envelope.time < order.offered_until:
                    wrong.append("before it is due")
                order.offered_until = None
        if wrong:
            what = f"{type(event).__name__} of order {event.order_id} {', '.join(wrong)}"
            self.findings.add("I2", position, what)

    def _check_hours(self, position: int, event: HoursBooked | HoursFreed, tenant: str) -> None:
        booked = self._hours[tenant, event.engineer_id, event.day]
        if isinstance(event, HoursFreed):
            if booked.pop(event.order_id, None) is None:
                what = f"{event.engineer_id} gives back hours of {event.order_id} that were not booked"
                self.findings.add("I2", position, what)
            if not booked:
                del self._hours[tenant, event.engineer_id, event.day]
            return
        for order_id, (starts_at, ends_at) in booked.items():
            if order_id == event.order_id or (event.starts_at < ends_at and starts_at < event.ends_at):
                self.findings.add("I2", position, f"{event.engineer_id} has {event.order_id} and {order_id} at once")
        booked[event.order_id] = event.starts_at, event.ends_at

    def stuck(self, armed: Collection[TimerKey], upto: int) -> None:
        """I1 at the end of the log: what waits since `upto` or before must have its deadlines among those armed."""
        watched: Mapping[str, set[tuple[str, str]]] = {
            name: {(key.tenant, key.key) for key in armed if key.name == name} for name in (OVERDUE, AGAIN, OFFER)
        }
        for name, order in self._order.items():
            if isinstance(order, str) or order.engineer or order.since > upto:
                continue
            if name not in watched[OVERDUE] and not order.overdue:
                self.findings.add("I1", order.since, f"order {name[1]} waits from here and no deadline watches it")
            if name not in watched[AGAIN]:
                self.findings.add("I1", order.since, f"order {name[1]} waits from here and nobody will look again")
            if order.offered_until and order.offered <= upto and name not in watched[OFFER]:
                self.findings.add("I1", order.offered, f"order {name[1]} is offered here and no deadline ends it")


# I3 over inventory's log.


@dataclass(slots=True)
class _Shelf:
    on_hand: int = 0
    """Good pieces."""
    defective: int = 0
    aside: int = 0
    """The sum of `of`."""
    of: dict[str, int] = field(default_factory=dict)
    """Pieces set aside, by order."""
    since: int = 0
    """Where more came to be set aside than is there, until the orders that lose theirs are named; else 0."""


@dataclass
class Stock:
    """
    What came in less what went out is on hand and never below nothing; what is set aside lies there. What arrives was
    sent, and arrives or is lost once. A piece with a serial number is at one place at a time,
    and no more of a lot leaves a place than came there.

    A count or a use may leave less than was set aside: then the very next events of that stock take the difference from
    the orders.
    """

    findings: Findings
    _shelf: dict[tuple[str, str, str], _Shelf] = field(default_factory=lambda: defaultdict(_Shelf))
    _in_transit: dict[tuple[str, str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    """By tenant, transfer, part and condition."""
    _pieces: Pieces = field(init=False)
    _lots: Lots = field(init=False)

    def __post_init__(self) -> None:
        self._pieces, self._lots = Pieces(self.findings), Lots(self.findings)

    READS: ClassVar[frozenset[type[Any]]] = frozenset(
        {
            PartConsumed,
            PartRepaired,
            PartReturned,
            PartScrapped,
            PartSentBack,
            PartsReserved,
            StockArrived,
            StockCounted,
            StockFellShort,
            StockIssued,
            StockReceived,
            StockReturned,
            StockSent,
            StockSetAside,
            StockSynchronised,
            TransferLost,
        }
    )

    def check(self, position: int, event: Any, envelope: Envelope) -> None:
        if isinstance(event, PartsReserved):
            self._check_reserved(position, event, envelope.tenant)
            return
        self._pieces.check(position, event, envelope)
        self._lots.check(position, event, envelope)
        if isinstance(event, TransferLost):
            for line in event.lines:
                lot = envelope.tenant, event.transfer_id, line.part_id, line.condition
                self._moves(position, lot, -line.quantity)
            return
        shelf, where = (
            self._shelf[envelope.tenant, event.part_id, event.place_id],
            f"{event.part_id} at {event.place_id}",
        )
        if shelf.since and not isinstance(event, StockFellShort):
            self._broken(shelf, where)
        match event:
            case StockCounted(condition="defective"):
                shelf.defective = event.quantity
            case StockCounted():
                shelf.on_hand = event.quantity
            case StockSynchronised():
                there = shelf.on_hand if event.condition == "good" else shelf.defective
                if event.ours != there:
                    what = f"our books had {there} of {where} ({event.condition}) and not {event.ours}"
                    self.findings.add("I3", position, what)
                self._put(shelf, event.condition, max(0, event.theirs + event.unbooked) - there)
            case StockIssued():
                there = shelf.on_hand if event.condition == "good" else shelf.defective
                self._check_drift(position, event, there, where)
                self._put(shelf, event.condition, -event.quantity)
            case StockReceived() | PartReturned() | StockArrived():
                self._put(shelf, event.condition, event.quantity)
            case StockSent() | PartScrapped() | PartSentBack():
                there = shelf.on_hand - shelf.aside if event.condition == "good" else shelf.defective
                if event.quantity > there:
                    what = f"{event.quantity} of {where} ({event.condition}) leave and {there} were free"
                    self.findings.add("I3", position, what)
                self._put(shelf, event.condition, -event.quantity)
            case PartRepaired():
                if event.quantity > shelf.defective:
                    what = f"{event.quantity} of {where} are repaired and {shelf.defective} were there"
                    self.findings.add("I3", position, what)
                self._put(shelf, "defective", -event.quantity)
                self._put(shelf, "good", event.quantity)
            case StockSetAside():
                self._set_aside(shelf, event.order_id, event.quantity)
                if shelf.aside > shelf.on_hand:
                    self.findings.add("I3", position, f"more of {where} is set aside than is there")
                    return
            case StockReturned():
                self._take(shelf, position, event, where)
            case StockFellShort():
                if event.quantity > shelf.aside - shelf.on_hand:
                    self.findings.add("I3", position, f"order {event.order_id} loses {where} that is there")
                self._take(shelf, position, event, where)
            case PartConsumed():
                self._check_drift(position, event, shelf.on_hand, where)
                shelf.on_hand = max(0, shelf.on_hand - event.quantity)
        there = shelf.defective if getattr(event, "condition", "good") == "defective" else shelf.on_hand
        self._pieces.compare(position, event, envelope, there)
        if isinstance(event, StockSent | StockArrived):
            lot = envelope.tenant, event.transfer_id, event.part_id, event.condition
            self._moves(position, lot, event.quantity if isinstance(event, StockSent) else -event.quantity)
        if shelf.aside <= shelf.on_hand:
            shelf.since = 0
        elif not isinstance(event, StockReturned):
            shelf.since = shelf.since or position

    def end(self) -> None:
        """What is still short at the end of the log."""
        for (_, part_id, place_id), shelf in self._shelf.items():
            if shelf.since:
                self._broken(shelf, f"{part_id} at {place_id}")

    def _check_drift(self, position: int, event: PartConsumed | StockIssued, there: int, where: str) -> None:
        if event.drift != max(0, event.quantity - there):
            what = f"{event.quantity} of {where} are used and {there} were there: no drift {event.drift}"
            self.findings.add("I3", position, what)

    def _moves(self, position: int, lot: tuple[str, str, str, str], more: int) -> None:
        self._in_transit[lot] += more
        if self._in_transit[lot] < 0:
            _, transfer_id, part_id, condition = lot
            what = f"more of {part_id} ({condition}) ends its way by {transfer_id} than was sent"
            self.findings.add("I3", position, what)
        if self._in_transit[lot] <= 0:
            del self._in_transit[lot]

    def _put(self, shelf: _Shelf, condition: str, more: int) -> None:
        if condition == "good":
            shelf.on_hand = max(0, shelf.on_hand + more)
        else:
            shelf.defective = max(0, shelf.defective + more)

    def _broken(self, shelf: _Shelf, where: str) -> None:
        what = f"less of {where} is left than is set aside, and no order is told that it loses any"
        self.findings.add("I3", shelf.since, what)
        shelf.since = 0

    def _take(self, shelf: _Shelf, position: int, event: StockReturned | StockFellShort, where: str) -> None:
        if event.quantity > shelf.of.get(event.order_id, 0):
            self.findings.add("I3", position, f"order {event.order_id} gives up more of {where} than it had")
        self._set_aside(shelf, event.order_id, -event.quantity)

    def _set_aside(self, shelf: _Shelf, order_id: str, more: int) -> None:
        pieces = max(0, shelf.of.get(order_id, 0) + more)
        shelf.aside += pieces - shelf.of.get(order_id, 0)
        shelf.of[order_id] = pieces
        if not pieces:
            del shelf.of[order_id]

    def _check_reserved(self, position: int, event: PartsReserved, tenant: str) -> None:
        for line in event.lines:
            aside = self._shelf[tenant, line.part_id, line.place_id].of.get(event.order_id, 0)
            if aside != line.quantity:
                what = f"order {event.order_id} has {aside} of {line.part_id} at {line.place_id}, not {line.quantity}"
                self.findings.add("I3", position, what)
