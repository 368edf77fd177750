"""
Many orders and many engineers at one moment: who takes which, all of them looked at together.

In rounds: each engineer gets one order at the most, so that the points of all together are the least there are
(an assignment problem, which scipy solves exactly); what is left goes into the next round, upon the days with what was
given. Then each is put where it is cheapest now, and all are booked by when they begin. Beside it the orders are given
one by one, the urgent and then the first ones first; the cheaper plan is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from contracts.dispatcher import DispatchRulesSet
from dispatcher.commands import PartsInVans
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import NO_PARTS, Proposal, Ranking, propose, ranked
from dispatcher.domain.repair import URGENCIES
from dispatcher.domain.roster import Roster
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import BEELINE, Ways

LEFT: Final = 10_000_000
"""Points of an order that is not given in a round, for each step of urgency: more than all hours of a round cost."""

Days = Mapping[str, Mapping[str, Sequence[Booking]]]
Costs = Mapping[str, Mapping[str, Proposal]]
"""Of each order, with whom it would cost what, before anything is given."""


class Waits(NamedTuple):
    """An order that waits, who declined it, and where the parts lie that it is expected to take."""

    work: Work
    declined: Collection[str] = ()
    parts: PartsInVans = NO_PARTS


class Given(NamedTuple):
    order_id: str
    engineer_id: str
    proposal: Proposal


@dataclass(frozen=True)
class Batch:
    given: tuple[Given, ...]
    """In the order in which the hours were booked: what follows is booked upon it."""
    rankings: Mapping[str, Ranking]
    """Of each order, all engineers as they were before."""
    together: bool
    """Whether the rounds were cheaper than one by one."""

    @property
    def points(self) -> int:
        return sum(one.proposal.cost for one in self.given)


def batch(
    orders: Sequence[Waits],
    roster: Roster,
    booked: Days,
    now: datetime,
    rules: DispatchRulesSet,
    ways: Ways = BEELINE,
) -> Batch:
    """Whom each order goes to. What finds nobody is not among those given."""
    rankings = {
        one.work.order_id: ranked(one.work, roster, booked, now, one.declined, rules, one.parts, None, ways)
        for one in orders
    }
    costs = {name: dict(ranking.proposals) for name, ranking in rankings.items()}
    begin = partial(_Plan, orders, roster, booked, now, rules, costs, ways)
    rounds, single = _in_rounds(orders, costs, begin), _one_by_one(orders, begin)
    together = _dear(orders, rounds) < _dear(orders, single)
    return Batch(tuple(rounds if together else single), rankings, together)


def _dear(orders: Sequence[Waits], given: Sequence[Given]) -> tuple[int, int]:
    """How urgent what is left is, and what the others cost."""
    served = {one.order_id for one in given}
    return (
        sum(_step(one) for one in orders if one.work.order_id not in served),
        sum(one.proposal.cost for one in given),
    )


def _step(one: Waits) -> int:
    return 1 + URGENCIES.index(one.work.urgency)


class _Plan:
    """The days as they fill, and what each order would cost with each engineer upon them."""

    def __init__(
        self,
        orders: Sequence[Waits],
        roster: Roster,
        booked: Days,
        now: datetime,
        rules: DispatchRulesSet,
        costs: Costs,
        ways: Ways,
    ) -> None:
        self._roster, self._now, self._rules, self._ways = roster, now, rules, ways
        self._booked = booked
        self._days: dict[str, defaultdict[str, list[Booking]]] = {}
        self.left = {one.work.order_id: one for one in orders}
        self.costs = {name: dict(hers) for name, hers in costs.items()}
        self.given: list[Given] = []

    def give(self, order_id: str, engineer_id: str) -> None:
        proposal = self.costs.pop(order_id)[engineer_id]
        self.given.append(Given(order_id, engineer_id, proposal))
        place = self.left.pop(order_id).work.place
        if engineer_id not in self._days:
            known = self._booked.get(engineer_id, {})
            self._days[engineer_id] = defaultdict(list, {day: list(hours) for day, hours in known.items()})
        hers = self._days[engineer_id][proposal.day]
        hers.append(Booking(proposal.starts_at, proposal.ends_at, order_id, place))
        hers.sort()

    def take_back(self, one: Given, order: Waits) -> None:
        hers = self._days[one.engineer_id][one.proposal.day]
        hers[:] = [it for it in hers if it.order_id != one.order_id]
        self.given.remove(one)
        self.left[one.order_id] = order

    def cheapest(self, order_id: str) -> str:
        """Who has the cheapest hours for it upon the days as they are; empty: nobody."""
        self.renew(list(self._days), [order_id])
        costs = self.costs[order_id]
        return min(costs, key=lambda name: (costs[name].cost, name), default="")

    def renew(self, engineer_ids: Collection[str], order_ids: Collection[str]) -> None:
        """What these orders cost with these engineers, whose days are others by now."""
        for order_id in order_ids:
            one, costs = self.left[order_id], self.costs[order_id]
            for name in engineer_ids:
                if name in costs and name in self._days:
                    hers = self._days[name]
                    found = propose(
                        one.work,
                        name,
                        self._roster[name],
                        hers,
                        self._now,
                        one.declined,
                        self._rules,
                        one.parts,
                        ways=self._ways,
                    )
                    if isinstance(found, Proposal):
                        costs[name] = found
                    else:
                        del costs[name]


def _in_rounds(orders: Sequence[Waits], costs: Costs, begin: Callable[[], _Plan]) -> list[Given]:
    plan = begin()
    while plan.left:
        names = list(plan.left)
        people = sorted({name for one in names for name in plan.costs[one]})
        column = {name: nth for nth, name in enumerate(people)}
        # A column of its own for each order stands for its being left in this round.
        matrix = np.full((len(names), len(people) + len(names)), float(LEFT * len(names) * 10))
        for row, order_id in enumerate(names):
            for name, proposal in plan.costs[order_id].items():
                matrix[row, column[name]] = proposal.cost
            matrix[row, len(people) + row] = LEFT * _step(plan.left[order_id])
        pairs = [(int(row), int(nth)) for row, nth in zip(*linear_sum_assignment(matrix), strict=True)]
        chosen = [(names[row], people[nth]) for row, nth in pairs if nth < len(people)]
        if not chosen:
            break
        for order_id, engineer_id in chosen:
            plan.give(order_id, engineer_id)
        plan.renew({engineer_id for _, engineer_id in chosen}, list(plan.left))
    waits = {one.work.order_id: one for one in orders}
    for one in sorted(plan.given, key=lambda one: -one.proposal.cost):
        # The dearest first: where it is cheaper beside another by now, it goes there.
        plan.take_back(one, waits[one.order_id])
        plan.costs[one.order_id] = dict(costs[one.order_id])
        plan.give(one.order_id, plan.cheapest(one.order_id))
    # The hours are those that are found when one is booked after the other, as they will be.
    booking = begin()
    for one in sorted(plan.given, key=lambda one: one.proposal.starts_at):
        booking.renew([one.engineer_id], [one.order_id])
        if one.engineer_id in booking.costs[one.order_id]:
            booking.give(one.order_id, one.engineer_id)
    return booking.given


def _one_by_one(orders: Sequence[Waits], begin: Callable[[], _Plan]) -> list[Given]:
    plan = begin()
    for one in sorted(orders, key=_step, reverse=True):
        if engineer_id := plan.cheapest(one.work.order_id):
            plan.give(one.work.order_id, engineer_id)
    return plan.given
