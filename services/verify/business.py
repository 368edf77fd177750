"""
The invariants of the business, folded from the log of one service each.

I1 a request ends once, or a deadline or a person waits for it; I2 an order has one engineer, her hours overlap nowhere;
I3 parts are conserved; I7 a deadline is missed at most once, and not before it is due.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

from contracts.dispatcher import (
    AssignmentOverdue,
    HoursBooked,
    HoursFreed,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOpened,
    OrderReassigned,
    OrderReturned,
)
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import RequestClosed, RequestIncomplete, RequestReceived, RequestWithdrawn
from contracts.inventory import PartConsumed, StockCounted, StockReturned, StockSetAside
from services.verify.findings import Finding

TIMER = "assignment-overdue"


@dataclass
class Requests:
    """I1 over intake's log."""

    findings: list[Finding] = field(default_factory=list)
    _open: dict[tuple[str, str], str] = field(default_factory=dict)

    def check(self, position: int, event: Event, envelope: Envelope) -> None:
        match event:
            case RequestReceived() | RequestIncomplete():
                self._open[envelope.tenant, event.request_id] = "open"
            case RequestWithdrawn():
                self._open[envelope.tenant, event.request_id] = "withdrawn"
            case RequestClosed():
                before = self._open.get((envelope.tenant, event.request_id))
                wanted = "withdrawn" if event.outcome == "completed_after_withdrawal" else "open"
                if before != wanted:
                    what = f"request {event.request_id} is closed as {event.outcome} but was {before}"
                    self.findings.append(Finding("I1", "intake", position, what))
                self._open[envelope.tenant, event.request_id] = "closed"
            case _:
                pass


@dataclass
class Orders:
    """I1, I2 and I7 over the dispatcher's log; imported history is another system's and is not judged."""

    findings: list[Finding] = field(default_factory=list)
    _engineer: dict[tuple[str, str], str | None] = field(default_factory=dict)
    """Every live order that has not ended, and who has it."""
    _overdue: set[tuple[str, str]] = field(default_factory=set)
    _hours: dict[tuple[str, str, str], dict[str, tuple[datetime, datetime]]] = field(
        default_factory=lambda: defaultdict(dict)
    )

    def check(self, position: int, event: Event, envelope: Envelope) -> None:
        if envelope.origin == "import":
            return
        tenant = envelope.tenant
        match event:
            case OrderOpened():
                self._engineer[tenant, event.order_id] = None
            case OrderAssigned():
                if (who := self._engineer.get((tenant, event.order_id))) is not None:
                    self._find("I2", position, f"order {event.order_id} goes to {event.engineer_id}, {who} has it")
                self._engineer[tenant, event.order_id] = event.engineer_id
            case OrderReassigned():
                self._engineer[tenant, event.order_id] = event.engineer_id
            case OrderDeclined() | OrderReturned():
                if (tenant, event.order_id) in self._engineer:
                    self._engineer[tenant, event.order_id] = None
            case OrderCancelled() | OrderFinished():
                self._engineer.pop((tenant, event.order_id), None)
            case AssignmentOverdue():
                if (tenant, event.order_id) in self._overdue:
                    self._find("I7", position, f"order {event.order_id} is overdue a second time")
                if envelope.time < event.due_at:
                    self._find("I7", position, f"order {event.order_id} is overdue before it is due")
                self._overdue.add((tenant, event.order_id))
            case HoursBooked():
                booked = self._hours[tenant, event.engineer_id, event.day]
                for order, (starts, ends) in booked.items():
                    if order != event.order_id and event.starts_at < ends and starts < event.ends_at:
                        self._find("I2", position, f"{event.engineer_id} has {event.order_id} and {order} at once")
                booked[event.order_id] = event.starts_at, event.ends_at
            case HoursFreed():
                self._hours[tenant, event.engineer_id, event.day].pop(event.order_id, None)
            case _:
                pass

    def stuck(self, deadlines: AbstractSet[tuple[str, str]]) -> list[Finding]:
        """Waiting orders for which neither a deadline lives nor one was missed; `deadlines` are (tenant, order)."""
        waiting = {order for order, who in self._engineer.items() if who is None}
        stuck = sorted(waiting - deadlines - self._overdue)
        return [Finding("I1", "dispatcher", 0, f"order {order} waits and no deadline watches it") for _, order in stuck]

    def _find(self, rule: str, position: int, what: str) -> None:
        self.findings.append(Finding(rule, "dispatcher", position, what))


@dataclass
class Stock:
    """I3 over inventory's log: what was counted less what was consumed is on hand, and covers what is set aside."""

    findings: list[Finding] = field(default_factory=list)
    _on_hand: dict[tuple[str, str, str], int] = field(default_factory=lambda: defaultdict(int))
    _set_aside: dict[tuple[str, str, str], dict[str, int]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(int))
    )

    def check(self, position: int, event: Event, envelope: Envelope) -> None:
        if not isinstance(event, StockCounted | StockSetAside | StockReturned | PartConsumed):
            return
        stock = envelope.tenant, event.part_id, event.place_id
        match event:
            case StockCounted():
                # A count may say that less is there than was promised; that is a shortage, not a broken book.
                self._on_hand[stock] = event.quantity
                return
            case StockSetAside():
                self._set_aside[stock][event.order_id] += event.quantity
                if sum(self._set_aside[stock].values()) > self._on_hand[stock]:
                    self._find(position, f"more of {event.part_id} at {event.place_id} is set aside than is there")
            case StockReturned():
                self._set_aside[stock][event.order_id] -= event.quantity
                if self._set_aside[stock][event.order_id] < 0:
                    self._find(position, f"order {event.order_id} returns more of {event.part_id} than it had")
            case PartConsumed():
                self._on_hand[stock] += event.drift - event.quantity
                if self._on_hand[stock] < 0:
                    self._find(position, f"{event.part_id} at {event.place_id} falls below nothing")

    def _find(self, position: int, what: str) -> None:
        self.findings.append(Finding("I3", "inventory", position, what))
