"""
What if: a past time dispatched again, by other rules or with fewer engineers, beside what was.

The log is followed in its order. What persons decided and what happened stays as it was; what was decided by rule is
decided again, upon days in which the decisions of this run are booked. By the recorded rules it comes to the recorded
plan exactly, which shows that nothing else than what is changed makes the difference.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from contracts.dispatcher import (
    AbsenceCalledOff,
    DecisionRecorded,
    DispatchRulesSet,
    EngineerAbsent,
    EngineerRegistered,
    HoursBooked,
    HoursFreed,
    OrderDeclined,
    OrderOpened,
    TravelLearned,
)
from dispatcher.commands import AssignOrder
from dispatcher.domain import dispatch_rules, engineer_day, learned_travel
from dispatcher.domain import engineer as engineers
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking, Day
from dispatcher.domain.matching import Proposal, propose, rank_in_turns
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Estimate, Learned

Changed = Callable[[DispatchRulesSet], DispatchRulesSet]


@dataclass(frozen=True)
class Given:
    """To whom the run gave an order, and for when; nobody where no rule allowed anyone."""

    engineer_id: str
    proposal: Proposal | None


@dataclass
class Run:
    """What came of it; `same` counts the decisions that are as they were recorded."""

    decisions: int = 0
    same: int = 0
    refused: int = 0
    travel_m: int = 0
    wait_s: int = 0
    expense_fen: int = 0
    busiest: int = 0
    """Orders of the engineer who got the most."""

    def told(self) -> dict[str, int | float]:
        served = max(1, self.decisions - self.refused)
        return {
            "decisions": self.decisions,
            "as_recorded": self.same,
            "refused": self.refused,
            "travel_km": round(self.travel_m / 1_000, 1),
            "mean_wait_h": round(self.wait_s / served / 3_600, 2),
            "expense_fen": self.expense_fen,
            "orders_of_the_busiest": self.busiest,
        }


@dataclass
class Again:
    """One run over the log."""

    since: datetime
    until: datetime
    changed: Changed | None = None
    """The rules by which is compared, made of those in force; None: those, and the candidates as recorded."""
    without: frozenset[str] = frozenset()
    run: Run = field(default_factory=Run)
    _rules: tuple[DispatchRulesSet, ...] = ()
    _learned: Learned | None = None
    _people: dict[str, Any] = field(default_factory=dict)
    _days: defaultdict[str, defaultdict[str, Day]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(tuple))
    )
    _orders: dict[str, OrderOpened] = field(default_factory=dict)
    _declined: defaultdict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    _elsewhere: dict[tuple[str, str, str], tuple[str, str] | None] = field(default_factory=dict)
    """Where the run has the hours that were recorded with this engineer, on this day, for this order."""
    _next: dict[str, Given] = field(default_factory=dict)
    _counts: Counter[str] = field(default_factory=Counter)

    def follow(self, events: Iterable[Any]) -> Run:
        for event in events:
            self._one(event)
        self.run.busiest = max(self._counts.values(), default=0)
        return self.run

    def _one(self, event: Any) -> None:
        match event:
            case EngineerRegistered() | EngineerAbsent() | AbsenceCalledOff():
                known = self._people.get(event.engineer_id, engineers.INITIAL)
                self._people[event.engineer_id] = engineers.evolve(known, event)
            case DispatchRulesSet():
                self._rules = dispatch_rules.evolve(self._rules, event)
            case TravelLearned():
                self._learned = learned_travel.evolve(self._learned, event)
            case OrderOpened():
                self._orders[event.order_id] = event
            case OrderDeclined(cause="engineer"):
                self._declined[event.order_id].add(event.engineer_id)
            case DecisionRecorded(command="AssignOrder"):
                self._decide(event)
            case HoursBooked():
                self._book(event)
            case HoursFreed():
                here = event.engineer_id, event.day, event.order_id
                place = self._elsewhere.pop(here, (event.engineer_id, event.day))
                if place:
                    self._free(*place, event.order_id)
            case _:
                pass

    def _decide(self, record: DecisionRecorded) -> None:
        command = AssignOrder.model_validate_json(record.asked)
        opened = self._orders.get(record.order_id)
        if opened is None or not self.since <= command.now < self.until:
            return
        given = self._chosen(Work.of(opened), command)
        self._next[record.order_id] = given
        run, found = self.run, given.proposal
        run.decisions += 1
        run.refused += found is None
        if found:
            run.same += (given.engineer_id, found.starts_at) == (record.engineer_id, record.starts_at)
            run.travel_m += found.travel_m
            run.wait_s += int((found.starts_at - command.now).total_seconds())
            run.expense_fen += found.expense_fen
            self._counts[given.engineer_id] += 1

    def _chosen(self, work: Work, command: AssignOrder) -> Given:
        """As `assignment.assign` chooses: the cheapest, and of equals who was named first."""
        rules = dispatch_rules.in_force(self._rules, command.now)
        declined = self._declined[work.order_id]
        if self.changed is None and not self.without:
            found = []
            for nth, one in enumerate(command.candidates):
                engineer, hers = self._people[one.engineer_id], self._days[one.engineer_id][one.day]
                held = any(it.order_id == work.order_id for it in hers)
                proposal = propose(
                    work,
                    one.engineer_id,
                    engineer,
                    {one.day: hers},
                    command.now,
                    declined,
                    rules,
                    command.parts,
                    (one.day,),
                    learned_travel.with_map(Estimate.by(rules, self._learned), command.ways),
                )
                if not held and isinstance(proposal, Proposal):
                    found.append((proposal.cost, nth, one.engineer_id, proposal))
            if not found:
                return Given("", None)
            *_, engineer_id, best = min(found, key=lambda one: one[:2])
            return Given(engineer_id, best)
        rules = self.changed(rules) if self.changed else rules
        staff: Mapping[str, Registered] = {
            name: one for name, one in self._people.items() if isinstance(one, Registered) and name not in self.without
        }
        ways = Estimate.by(rules, self._learned)
        turns = rank_in_turns(work, staff, self._days, command.now, declined, rules, command.parts, 1, ways)
        while True:
            try:
                next(turns)
            except StopIteration as done:
                best_of_all = done.value.proposals
                return Given(*best_of_all[0]) if best_of_all else Given("", None)

    def _book(self, event: HoursBooked) -> None:
        given = self._next.pop(event.order_id, None)
        if given is None:
            self._days[event.engineer_id][event.day] = engineer_day.evolve(
                self._days[event.engineer_id][event.day], event
            )
            return
        here, found = (event.engineer_id, event.day, event.order_id), given.proposal
        self._elsewhere[here] = (given.engineer_id, found.day) if found else None
        if found:
            opened = self._orders[event.order_id]
            booking = Booking(found.starts_at, found.ends_at, event.order_id, Work.of(opened).place)
            hers = self._days[given.engineer_id]
            hers[found.day] = tuple(sorted([*hers[found.day], booking]))

    def _free(self, engineer_id: str, day: str, order_id: str) -> None:
        hers = self._days[engineer_id]
        hers[day] = tuple(one for one in hers[day] if one.order_id != order_id)
