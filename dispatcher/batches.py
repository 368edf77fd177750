"""Orders that wait, or engineers who have time, at the same moment: what the batch says of each, for the policies."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from contracts.dispatcher import DispatchRulesSet
from dispatcher.commands import PartsInVans
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import Proposal, Ranking
from dispatcher.domain.roster import Roster
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Ways

if TYPE_CHECKING:
    from dispatcher.domain.batch import Batch


class Order(NamedTuple):
    work: Work
    declined: Collection[str]
    parts: PartsInVans


class Free(NamedTuple):
    """An engineer who has time again, and the orders that she could do."""

    engineer_id: str
    engineer: Registered
    booked: Mapping[str, Sequence[Booking]]
    orders: Sequence[Order]


class Got(NamedTuple):
    order_id: str
    engineer_id: str
    proposal: Proposal


class Together(NamedTuple):
    """What became of one order."""

    ranking: Ranking
    given: Got | None
    orders: int
    """So many were looked at together."""


class HerOrders(NamedTuple):
    """What became of one engineer."""

    given: Sequence[Got]
    orders: int
    engineers: int


async def orders_together(
    orders: Sequence[Order],
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    rules: DispatchRulesSet,
    ways: Ways,
) -> Mapping[int, Together]:
    """By the number of the order; those that are given first in the order of their booking."""
    found = await _batch(orders, engineers, booked, now, rules, ways)
    if found is None:
        return {}
    numbers = {one.work.order_id: number for number, one in enumerate(orders)}
    given = {one.order_id: Got(*one) for one in found.given}
    return {
        numbers[name]: Together(found.rankings[name], given.get(name), len(orders)) for name in {**given, **numbers}
    }


async def engineers_together(
    free: Sequence[Free], now: datetime, rules: DispatchRulesSet, ways: Ways
) -> Mapping[int, HerOrders]:
    """By the number of the engineer."""
    orders: dict[str, Order] = {}
    for one in free:
        for order in one.orders:
            known = orders.get(order.work.order_id)
            # Each knows of her own van.
            held = {**(known.parts.held if known else {}), **order.parts.held}
            parts = PartsInVans(expected=order.parts.expected, held=held)
            orders[order.work.order_id] = order._replace(parts=parts)
    staff = {one.engineer_id: one.engineer for one in free}
    found = await _batch(list(orders.values()), staff, {one.engineer_id: one.booked for one in free}, now, rules, ways)
    if found is None:
        return {}
    hers: defaultdict[str, list[Got]] = defaultdict(list)
    for given in found.given:
        hers[given.engineer_id].append(Got(*given))
    return {n: HerOrders(hers[one.engineer_id], len(orders), len(free)) for n, one in enumerate(free)}


async def _batch(
    orders: Sequence[Order],
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    rules: DispatchRulesSet,
    ways: Ways,
) -> Batch | None:
    """None where this installation has no scipy, as it does no planning: then each is looked at alone."""
    try:
        from dispatcher.domain.batch import Waits, batch
    except ModuleNotFoundError:
        return None
    waits = [Waits(*one) for one in orders]
    # Of hundreds it takes a second, in which others are answered.
    return await asyncio.to_thread(batch, waits, Roster(engineers), booked, now, rules, ways)
