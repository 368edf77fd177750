"""I3 over the events of stock: what came in and has not left lies somewhere, once, and covers what is set aside."""

from collections import Counter
from dataclasses import dataclass, field

from contracts.inventory import (
    PartConsumed,
    PartRepaired,
    PartReturned,
    PartScrapped,
    PartSentBack,
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


@dataclass
class Ledger:
    """Pieces by part, place and condition; `in_transit` by part and condition."""

    received: Counter = field(default_factory=Counter)
    """From suppliers, back from devices, and what counts and drifts say was there all along (or was not)."""
    used: Counter = field(default_factory=Counter)
    scrapped: Counter = field(default_factory=Counter)
    """Lost on the way, too."""
    sent_back: Counter = field(default_factory=Counter)
    """And whatever else left the house, as the warehouse system says."""
    on_hand: Counter = field(default_factory=Counter)
    in_transit: Counter = field(default_factory=Counter)
    set_aside: Counter = field(default_factory=Counter)
    """By part, place and order."""

    def add(self, event):
        match event:
            case StockCounted():
                shelf = event.part_id, event.place_id, event.condition
                self.received["fan", event.condition] += event.quantity - self.on_hand[shelf]
                self.on_hand[shelf] = event.quantity
            case StockSynchronised():
                shelf = event.part_id, event.place_id, event.condition
                assert event.ours == self.on_hand[shelf], event
                after = max(0, event.theirs + event.unbooked)
                self.received["fan", event.condition] += after - event.ours
                self.on_hand[shelf] = after
            case StockIssued():
                self.received["fan", event.condition] += event.drift
                self.sent_back["fan", event.condition] += event.quantity
                self._put(event, event.drift - event.quantity)
            case StockReceived() | PartReturned():
                self.received["fan", event.condition] += event.quantity
                self._put(event, event.quantity)
            case PartConsumed():
                self.received["fan", "good"] += event.drift
                self.used["fan", "good"] += event.quantity
                self.on_hand[event.part_id, event.place_id, "good"] -= event.quantity - event.drift
            case PartRepaired():
                # Ours before and after: only the condition is another.
                self.received["fan", "defective"] -= event.quantity
                self.received["fan", "good"] += event.quantity
                self.on_hand[event.part_id, event.place_id, "defective"] -= event.quantity
                self.on_hand[event.part_id, event.place_id, "good"] += event.quantity
            case PartScrapped():
                self.scrapped["fan", event.condition] += event.quantity
                self._put(event, -event.quantity)
            case PartSentBack():
                self.sent_back["fan", event.condition] += event.quantity
                self._put(event, -event.quantity)
            case StockSent():
                self.in_transit["fan", event.condition] += event.quantity
                self._put(event, -event.quantity)
            case StockArrived():
                self.in_transit["fan", event.condition] -= event.quantity
                self._put(event, event.quantity)
            case TransferLost():
                for line in event.lines:
                    self.in_transit["fan", line.condition] -= line.quantity
                    self.scrapped["fan", line.condition] += line.quantity
            case StockSetAside():
                self.set_aside[event.part_id, event.place_id, event.order_id] += event.quantity
            case StockReturned() | StockFellShort():
                self.set_aside[event.part_id, event.place_id, event.order_id] -= event.quantity

    def _put(self, event, more):
        self.on_hand[event.part_id, event.place_id, event.condition] += more

    def check(self, after):
        for condition in ("good", "defective"):
            lot = "fan", condition
            came = self.received[lot] - self.used[lot] - self.scrapped[lot] - self.sent_back[lot]
            lies = sum(pieces for shelf, pieces in self.on_hand.items() if shelf[2] == condition)
            assert came == lies + self.in_transit[lot], (lot, came, lies, self.in_transit[lot], after)
        for pieces in (self.on_hand, self.in_transit, self.set_aside):
            assert all(number >= 0 for number in pieces.values()), (pieces, after)
        for (part, place, condition), there in self.on_hand.items():
            if condition == "good":
                promised = sum(number for key, number in self.set_aside.items() if key[:2] == (part, place))
                assert promised <= there, (part, place, promised, there, after)


def ledger_of(events):
    """
    The books of the part `fan` after each decision's events are in: `events` is a list of lists.

    Raises AssertionError where they do not close.
    """
    ledger = Ledger()
    for decided in events:
        for event in decided:
            ledger.add(event)
        ledger.check(decided)
    return ledger


def on_hand_and_set_aside(events):
    """Good pieces on hand by shelf, and set aside by shelf and order."""
    ledger = ledger_of(events)
    good = {(part, place): there for (part, place, condition), there in ledger.on_hand.items() if condition == "good"}
    return good, +ledger.set_aside
