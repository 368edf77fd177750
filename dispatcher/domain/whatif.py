"""
What if: a past time dispatched again, by other rules, with other engineers, skills or parts, beside what was.

The log is followed in its order. What persons decided and what happened stays as it was; what was decided by rule is
decided again, upon days in which the decisions of this run are booked. By the recorded rules it comes to the recorded
plan exactly, which shows that nothing else than what is changed makes the difference.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec

from contracts.dispatcher import (
    AbsenceCalledOff,
    ClockName,
    ClocksStarted,
    DecisionRecorded,
    DispatchRulesSet,
    EngineerAbsent,
    EngineerRegistered,
    HoursBooked,
    HoursFreed,
    OrderDeclined,
    OrderOpened,
    RunFigures,
    SkillLevel,
    SlaChanged,
    TravelLearned,
)
from dispatcher.commands import AssignOrder, PartsInVans
from dispatcher.domain import dispatch_rules, engineer_day, learned_travel
from dispatcher.domain import engineer as engineers
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking, Day
from dispatcher.domain.matching import Proposal, open_hours, propose, ranked
from dispatcher.domain.roster import Roster
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Estimate, Learned, Ways

Changed = Callable[[DispatchRulesSet], DispatchRulesSet]

EVERY_VAN: Final = "all"

MOMENT: Final = timedelta(minutes=1)
"""Within which the decisions of orders that were looked at together are recorded."""

MOST_BETWEEN: Final = 10_000
"""Events from the first of these decisions to the last: one of them may never have come."""


@dataclass(frozen=True)
class Otherwise:
    """What is other than it was; nothing: the recorded rules, and the candidates as recorded."""

    rules: Changed | None = None
    """The rules by which is compared, made of those that were in force."""
    without: frozenset[str] = frozenset()
    """Engineers who are not there."""
    like: tuple[str, ...] = ()
    """For each of these engineers there is one more such as she."""
    skills: tuple[tuple[str, str, int], ...] = ()
    """Engineer, what she can do beside, and at which level."""
    stocked: frozenset[str] = frozenset()
    """Vans that have every part that an order is expected to take, or EVERY_VAN."""

    def people(self, event: EngineerRegistered) -> Iterator[EngineerRegistered]:
        """Those who are registered in the stead of her whom the log has."""
        if event.engineer_id in self.without:
            return
        more = tuple(SkillLevel(skill, level) for name, skill, level in self.skills if name == event.engineer_id)
        able = msgspec.structs.replace(
            event,
            skills=(*event.skills, *[one.skill for one in more]),
            skill_levels=(*[one for one in event.skill_levels if one.skill not in {it.skill for it in more}], *more),
        )
        yield able if more else event
        for nth, name in enumerate(self.like):
            if name == event.engineer_id:
                yield msgspec.structs.replace(able, engineer_id=f"{name} (+{nth + 1})")

    def parts(self, parts: PartsInVans, engineers: Iterable[Registered]) -> PartsInVans:
        """Of a van that the decision did not look at it is taken that it has none, unless it is stocked here."""
        vans = {one.van_id for one in engineers} if EVERY_VAN in self.stocked else self.stocked
        return PartsInVans(expected=parts.expected, held={**parts.held, **dict.fromkeys(vans, parts.expected)})


AS_IT_WAS: Final = Otherwise()


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
    late: int = 0
    """Visits that begin after the service level promises; of a clock until the work is done, that end after it."""
    late_s: int = 0
    overtime_s: int = 0
    """From the end of the day's last shift until she would be home, of every engineer and day."""
    expense_fen: int = 0
    busiest: int = 0
    """Orders of the engineer who got the most."""

    @property
    def figures(self) -> RunFigures:
        return RunFigures(**asdict(self))

    def told(self) -> dict[str, int | float]:
        served = max(1, self.decisions - self.refused)
        return {
            "decisions": self.decisions,
            "as_recorded": self.same,
            "refused": self.refused,
            "travel_km": round(self.travel_m / 1_000, 1),
            "mean_wait_h": round(self.wait_s / served / 3_600, 2),
            "late": self.late,
            "late_h": round(self.late_s / 3_600, 2),
            "overtime_h": round(self.overtime_s / 3_600, 2),
            "expense_fen": self.expense_fen,
            "orders_of_the_busiest": self.busiest,
        }


@dataclass
class _Moment:
    """Orders that were decided together, and all that the log has from the first of them to the last."""

    began: datetime
    orders: int
    events: list[Any] = field(default_factory=list)
    commands: dict[str, AssignOrder] = field(default_factory=dict)


@dataclass
class Again:
    """One run over the log."""

    since: datetime
    until: datetime
    otherwise: Otherwise = AS_IT_WAS
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
    _got: dict[str, Given] = field(default_factory=dict)
    """Of each order, what it got last."""
    _due: dict[str, dict[ClockName, datetime | None]] = field(default_factory=dict)
    _roster: Roster | None = None
    _moment: _Moment | None = None
    _planned: dict[str, Given] = field(default_factory=dict)
    """Orders of a moment, which were decided together."""

    def follow(self, events: Iterable[Any]) -> Run:
        for event in events:
            self.take(event)
        return self.end()

    def end(self) -> Run:
        """All was taken: what can only be told then is reckoned."""
        self._decide_together()
        run = self.run
        run.busiest = max(self._counts.values(), default=0)
        late = [by for order_id, given in self._got.items() if (by := self._late_by(order_id, given)) > timedelta()]
        run.late, run.late_s = len(late), sum(int(by.total_seconds()) for by in late)
        first = (self.since - timedelta(days=1)).date().isoformat()
        ways = Estimate.by(dispatch_rules.in_force(self._rules, self.until), self._learned)
        run.overtime_s = sum(
            int(_overtime(self._people[name], day, hers, ways).total_seconds())
            for name, days in self._days.items()
            for day, hers in days.items()
            if day > first and hers and isinstance(self._people.get(name), Registered)
        )
        return run

    def _late_by(self, order_id: str, given: Given) -> timedelta:
        promised, found = self._due.get(order_id, {}), given.proposal
        if found is None:
            return timedelta()
        arrive, fix = promised.get("arrive"), promised.get("fix")
        return max(
            found.starts_at - arrive if arrive else timedelta(),
            found.ends_at - fix if fix else timedelta(),
        )

    def take(self, event: Any) -> None:
        """The next event of the log. What was decided together waits until all of it is known."""
        if self.otherwise == AS_IT_WAS:
            self._follow(event)
            return
        decided = self._decided(event)
        if self._moment and decided and decided.now - self._moment.began > MOMENT:
            self._decide_together()
        if self._moment is None and decided and decided.batch > 1:
            self._moment = _Moment(decided.now, decided.batch)
        if self._moment is None:
            self._follow(event)
            return
        self._moment.events.append(event)
        if decided and decided.batch == self._moment.orders:
            self._moment.commands[event.order_id] = decided
        if len(self._moment.commands) == self._moment.orders or len(self._moment.events) == MOST_BETWEEN:
            self._decide_together()

    def _decided(self, event: Any) -> AssignOrder | None:
        """What was decided by rule in the time that is looked at."""
        if not isinstance(event, DecisionRecorded) or event.command != "AssignOrder":
            return None
        command = AssignOrder.model_validate_json(event.asked)
        return command if self.since <= command.now < self.until else None

    def _decide_together(self) -> None:
        """As the live rule does; alone where this installation has no scipy, as it decided them alone then."""
        moment, self._moment = self._moment, None
        if moment is None:
            return
        for event in moment.events:
            if isinstance(event, OrderOpened):
                self._orders[event.order_id] = event
        with suppress(ModuleNotFoundError):
            self._planned = self._together(moment)
        for event in moment.events:
            self._follow(event)
        self._planned = {}

    def _together(self, moment: _Moment) -> dict[str, Given]:
        from dispatcher.domain.batch import Waits, batch

        rules = self._other_rules(moment.began)
        waits = []
        for order_id, command in moment.commands.items():
            if opened := self._orders.get(order_id):
                parts = self.otherwise.parts(command.parts, self._staff().values())
                waits.append(Waits(Work.of(opened), self._declined[order_id], parts))
        found = batch(waits, self._staff(), self._days, moment.began, rules, Estimate.by(rules, self._learned))
        given = {one.order_id: Given(one.engineer_id, one.proposal) for one in found.given}
        return {one.work.order_id: given.get(one.work.order_id, Given("", None)) for one in waits}

    def _other_rules(self, at: datetime) -> DispatchRulesSet:
        rules = dispatch_rules.in_force(self._rules, at)
        return self.otherwise.rules(rules) if self.otherwise.rules else rules

    def _staff(self) -> Roster:
        if self._roster is None:
            self._roster = Roster({name: one for name, one in self._people.items() if isinstance(one, Registered)})
        return self._roster

    def _follow(self, event: Any) -> None:
        match event:
            case EngineerRegistered():
                self._roster = None
                for one in self.otherwise.people(event):
                    known = self._people.get(one.engineer_id, engineers.INITIAL)
                    self._people[one.engineer_id] = engineers.evolve(known, one)
            case EngineerAbsent() | AbsenceCalledOff():
                self._roster = None
                if event.engineer_id in self._people:
                    known = self._people[event.engineer_id]
                    self._people[event.engineer_id] = engineers.evolve(known, event)
            case ClocksStarted() | SlaChanged():
                self._due[event.order_id] = {one.clock: one.due_at for one in event.standings}
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
        command, opened = self._decided(record), self._orders.get(record.order_id)
        if command is None or opened is None:
            return
        given = self._planned.get(record.order_id) or self._chosen(Work.of(opened), command)
        self._next[record.order_id] = self._got[record.order_id] = given
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
        if self.otherwise == AS_IT_WAS:
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
            *_, engineer_id, best = min(found, key=lambda one: (one[2] != command.meant, *one[:2]))
            return Given(engineer_id, best)
        rules, staff, parts = self._other_rules(command.now), self._staff(), command.parts
        if self.otherwise.stocked:
            parts = self.otherwise.parts(parts, staff.values())
        ways = Estimate.by(rules, self._learned)
        best_of_all = ranked(work, staff, self._days, command.now, declined, rules, parts, 1, ways).proposals
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


def _overtime(engineer: Registered, day: str, hers: Day, ways: Ways) -> timedelta:
    """How long after the end of her last shift of the day she is home, if she drives there from her last visit."""
    last, hours = hers[-1], open_hours(engineer, day)
    ends = hours[-1][1] if hours else hers[0].starts_at
    return max(last.ends_at + ways.time(last.place, engineer.home, last.ends_at) - ends, timedelta())


FOLLOWED: Final = (
    EngineerRegistered,
    EngineerAbsent,
    AbsenceCalledOff,
    DispatchRulesSet,
    OrderOpened,
    OrderDeclined,
    DecisionRecorded,
    HoursBooked,
    HoursFreed,
    ClocksStarted,
    SlaChanged,
)
"""What a run makes use of; everything else may be left out."""
