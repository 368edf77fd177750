"""
When more of a part is to be bought for a place, and whether that was done.

What counts is what will be left: the free pieces and those on order, less what open orders are expected to use. At the
reorder point or below, so many are suggested that it comes to the upper level: once, until they are ordered, or there
is enough again. What is received at the place counts against what was ordered for it.
"""

from __future__ import annotations

from datetime import timedelta

from contracts.event import Event
from contracts.inventory import (
    PurchaseDismissed,
    PurchaseNotNeeded,
    PurchaseOrdered,
    PurchaseSuggested,
    ReorderPointSet,
    StockRulesSet,
)
from contracts.problems import Rejected
from inventory.commands import (
    AboutPurchase,
    DismissPurchase,
    OrderPurchase,
    SetReorderPoint,
    SuggestPurchase,
)
from inventory.domain.register import RULES_STREAM, known_part, known_place, part_stream, place_stream
from inventory.domain.stock import Stock, stock_stream
from services.chassis.journal.rules import States


def purchase_reads(command: AboutPurchase) -> tuple[str, ...]:
    stock = stock_stream(command.part_id, command.place_id)
    return stock, part_stream(command.part_id), place_stream(command.place_id), RULES_STREAM


def _stock(states: States, command: AboutPurchase) -> Stock:
    """Raises Rejected for a part or a place that is not defined."""
    known_part(states, command.part_id)
    known_place(states, command.place_id)
    stock: Stock = states[stock_stream(command.part_id, command.place_id)]
    return stock


def set_reorder_point(states: States, command: SetReorderPoint) -> list[Event]:
    buying = _stock(states, command).buying
    if (buying.reorder_at, buying.reorder_to) == (command.reorder_at, command.reorder_to):
        return []
    return [ReorderPointSet(**command.model_dump())]


def suggest(states: States, command: SuggestPurchase) -> list[Event]:
    stock, rules = _stock(states, command), states[RULES_STREAM]
    buying, where = stock.buying, {"part_id": command.part_id, "place_id": command.place_id}
    expected = expected_use(command, rules)
    left = stock.free + buying.ordered - expected
    if not buying.reorder_to or left > buying.reorder_at:
        return [PurchaseNotNeeded(**where)] if buying.suggested else []
    if buying.suggested:
        return []
    suggested = PurchaseSuggested(
        part_id=command.part_id,
        place_id=command.place_id,
        quantity=buying.reorder_to - left,
        on_hand=stock.on_hand,
        set_aside=stock.on_hand - stock.free,
        expected_use=expected,
        ordered=buying.ordered,
        reorder_at=buying.reorder_at,
        reorder_to=buying.reorder_to,
    )
    return [suggested]


def expected_use(command: SuggestPurchase, rules: StockRulesSet) -> int:
    """Of orders whose day is not known, and of those whose parts are kept until a day that is not too far away."""
    until = command.now + timedelta(days=rules.plan_ahead_days)
    return sum(one.quantity for one in command.wanted if one.until is None or one.until <= until)


def order(states: States, command: OrderPurchase) -> list[Event]:
    """Also of more or less than was suggested, or where nothing was: the supplier decides what a box holds."""
    _stock(states, command)
    return [PurchaseOrdered(**command.model_dump())]


def dismiss(states: States, command: DismissPurchase) -> list[Event]:
    if _stock(states, command).buying.suggested != "open":
        raise Rejected("purchase.not-suggested", part_id=command.part_id, place_id=command.place_id)
    return [PurchaseDismissed(**command.model_dump())]
