"""
Who carries an order out: decisions that read an order, engineers and their days, and write order and day together.

The asker's views only say where to look. Which hours are free is decided here, by the streams, so no engineer is
booked twice however many ask at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from contracts.dispatcher import (
    Considered,
    DecisionRecorded,
    DispatchRulesSet,
    EngineerDay,
    HoursBooked,
    OrderAssigned,
    OrderOpened,
    OrderReassigned,
    PassedOver,
    RuleCount,
)
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import AssignByHand, AssignOrder, ReassignOrder, TakeOrder
from dispatcher.domain import decision, dispatch_rules, engineer_day, learned_travel, order
from dispatcher.domain import engineer as engineers
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Day
from dispatcher.domain.hours import Person, days_in_question, free_hours, holds, overruled, wanted_hours
from dispatcher.domain.matching import Proposal, propose
from dispatcher.domain.order import Assigned, Case, Order, Waiting
from dispatcher.domain.suited import Rule, Work, lacks
from dispatcher.domain.travel import Place, Ways

States = Mapping[str, Any]
ByPerson = TakeOrder | AssignByHand | ReassignOrder


def reads_of_candidates(command: AssignOrder) -> tuple[str, ...]:
    named = [*_always_read(command)]
    for one in command.candidates:
        named += [engineers.stream(one.engineer_id), engineer_day.stream(one.engineer_id, one.day)]
    return tuple(dict.fromkeys(named))


def reads_of_engineer(command: ByPerson) -> tuple[str, ...]:
    days = [engineer_day.stream(command.engineer_id, day) for day in _days_in_question(command)]
    return (*_always_read(command), engineers.stream(command.engineer_id), *days)


def _always_read(command: AssignOrder | ByPerson) -> tuple[str, ...]:
    own = order.stream(command.order_id), decision.stream(command.order_id, type(command))
    return (*own, dispatch_rules.STREAM, learned_travel.STREAM)


def assign(states: States, command: AssignOrder) -> list[Event]:
    """
    The cheapest of the candidates as the streams have them now; they were chosen by views, which may be older. Of many
    orders that were looked at together, the one whom this order is meant for, if she is free.
    """
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Waiting(offering=offering) if offering:
            return []  # Those whom it was offered to have their time; then it is looked at again.
        case Waiting(by_hand=True):
            return []
        case Waiting(case=case):
            rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
            ways = learned_travel.ways(states, rules, command.ways)
            found: list[tuple[int, int, str, Proposal]] = []
            passed = [PassedOver(case.opened.wished_engineer_id, command.wished)] if command.wished else []
            considered = []
            work = Work.of(case.opened)
            for nth, one in enumerate(command.candidates):
                proposal = _proposal_of(states, case, work, one.engineer_id, one.day, command, rules, ways)
                if isinstance(proposal, Proposal):
                    found.append((proposal.cost, nth, one.engineer_id, proposal))
                    considered.append(Considered(one.engineer_id, one.day, proposal.cost))
                else:
                    passed.append(PassedOver(one.engineer_id, proposal))
                    considered.append(Considered(one.engineer_id, one.day, None, proposal))
            if not found:
                raise Rejected("order.no-free-engineer", order_id=command.order_id)
            *_, engineer_id, best = min(found, key=lambda one: (one[2] != command.meant, *one[:2]))
            events = _assigned(
                states,
                case,
                engineer_id,
                best,
                "rule",
                rules_version=rules.version,
                candidates=command.compared,
                passed_over=tuple(passed),
                excluded=tuple(RuleCount(rule, count) for rule, count in command.excluded),
            )
            places = [place for one in command.candidates for place in _places(states, one.engineer_id, [one.day])]
            return [
                decision.recorded(command, case, engineer_id, best, considered, places, rules.version, ways),
                *events,
            ]
        case order.Unopened():
            raise order.refusal(now)
        case _:
            return []  # It needs nobody any more.


def take(states: States, command: TakeOrder) -> list[Event]:
    """Two hundred may take one order at once: the first has it. What is on offer, only those whom it is offered to."""
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Waiting(offering=offering) if offering and command.engineer_id not in offering.engineer_ids:
            raise Rejected("order.offered-to-others", offered_until=offering.until.isoformat())
        case Waiting(case=case):
            rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
            work, person = Work.of(case.opened), _person(states, case, command)
            ways = learned_travel.ways(states, rules)
            proposal = free_hours(work, person, command.now, rules, command.parts, ways)
            if unfit := lacks(work, person.engineer, proposal.day):
                must_be_suited(work, command.engineer_id, unfit)
            events = _assigned(states, case, command.engineer_id, proposal, "pool", rules_version=rules.version)
            return [_decided(states, case, command, proposal, (), rules), *events]
        case Assigned(booked=booked) if booked.engineer_id == command.engineer_id:
            return []
        case _:
            raise order.refusal(now)


def must_be_suited(work: Work, engineer_id: str, unfit: tuple[Rule, ...]) -> None:
    if "skill" in unfit:
        raise Rejected("engineer.lacks-skill", skill=work.skill)
    if unfit:
        raise Rejected("engineer.not-suited", engineer_id=engineer_id, rules=", ".join(unfit))


def assign_by_hand(states: States, command: AssignByHand) -> list[Event]:
    """A person may overrule every rule with a reason, but not book hours twice."""
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Waiting(case=case):
            rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
            proposal, broke = _by_hand(states, case, command, rules)
            events = _assigned(
                states,
                case,
                command.engineer_id,
                proposal,
                "person",
                rules_version=rules.version,
                note=command.reason,
                broke_rules=broke,
                though_absent=_known_absences(states, command.engineer_id, proposal),
            )
            return [_decided(states, case, command, proposal, broke, rules), *events]
        case Assigned(booked=booked) if booked.engineer_id == command.engineer_id:
            return []
        case _:
            raise order.refusal(now)


def reassign(states: States, command: ReassignOrder) -> list[Event]:
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Assigned(booked=booked) if booked.engineer_id == command.engineer_id:
            return []
        case Assigned(case=case, booked=booked):
            rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
            proposal, broke = _by_hand(states, case, command, rules)
            given = _reassigned(states, case, booked, proposal, command, broke, rules)
            hours = hours_booked(case, command.engineer_id, proposal)
            return [_decided(states, case, command, proposal, broke, rules), given, hours]
        case _:
            raise order.refusal(now)


# Why.


def _decided(
    states: States,
    case: Case,
    command: ByPerson,
    proposal: Proposal,
    broke: tuple[Rule, ...],
    rules: DispatchRulesSet,
) -> DecisionRecorded:
    name = command.engineer_id
    considered = [Considered(name, proposal.day, proposal.cost, broke)]
    places = _places(states, name, _days_in_question(command))
    return decision.recorded(
        command, case, name, proposal, considered, places, rules.version, learned_travel.ways(states, rules)
    )


def _places(states: States, engineer_id: str, days: Iterable[str]) -> list[Place]:
    """Where she is on these days."""
    engineer = states[engineers.stream(engineer_id)]
    if not isinstance(engineer, Registered):
        return []
    return [engineer.home, *[it.place for day in days for it in states[engineer_day.stream(engineer_id, day)]]]


# Hours.


def _days_in_question(command: ByPerson) -> list[str]:
    starts_at = None if isinstance(command, TakeOrder) else command.starts_at
    return days_in_question(command.now, starts_at, command.horizon_days)


def _registered(states: States, engineer_id: str) -> Registered:
    engineer = states[engineers.stream(engineer_id)]
    if not isinstance(engineer, Registered):
        raise Rejected("engineer.unknown", engineer_id=engineer_id)
    return engineer


def _person(states: States, case: Case, command: ByPerson) -> Person:
    name = command.engineer_id
    days = {day: states[engineer_day.stream(name, day)] for day in _days_in_question(command)}
    return Person(name, _registered(states, name), days, name in case.declined)


def _by_hand(
    states: States, case: Case, command: AssignByHand | ReassignOrder, rules: DispatchRulesSet
) -> tuple[Proposal, tuple[Rule, ...]]:
    """The hours, and the rules that they break. Raises Rejected where there are some and no reason is given."""
    work, person = Work.of(case.opened), _person(states, case, command)
    ways = learned_travel.ways(states, rules)
    proposal = wanted_hours(work, person, command.now, command.starts_at, rules, command.parts, ways)
    broke = overruled(work, person, proposal, command.now, ways)
    if broke and not command.reason:
        raise Rejected("assignment.needs-reason", engineer_id=command.engineer_id, rules=", ".join(broke))
    return proposal, broke


def _known_absences(states: States, engineer_id: str, proposal: Proposal) -> tuple[str, ...]:
    absences = engineers.absences_of(states[engineers.stream(engineer_id)])
    return tuple(one.absence_id for one in absences if one.overlaps(proposal.starts_at, proposal.ends_at))


def _proposal_of(
    states: States,
    case: Case,
    work: Work,
    engineer_id: str,
    day: str,
    command: AssignOrder,
    rules: DispatchRulesSet,
    ways: Ways,
) -> Proposal | tuple[Rule | Literal["unknown"], ...]:
    engineer = states[engineers.stream(engineer_id)]
    bookings: Day = states[engineer_day.stream(engineer_id, day)]
    if not isinstance(engineer, Registered):
        return ("unknown",)
    if holds(bookings, work.order_id):
        return ("hours",)
    now, declined = command.now, case.declined
    return propose(work, engineer_id, engineer, {day: bookings}, now, declined, rules, command.parts, (day,), ways)


# Events.


def _assigned(
    states: States,
    case: Case,
    engineer_id: str,
    proposal: Proposal,
    chosen_by: Literal["rule", "person", "pool"],
    **how: Any,
) -> list[Event]:
    """`how` are fields of OrderAssigned that say how it came to this choice."""
    opened = case.opened
    assigned = OrderAssigned(
        crew=(engineer_id,),
        chosen_by=chosen_by,
        **{"candidates": 1, **given_to(opened, engineer_id, _registered(states, engineer_id), proposal), **how},
    )
    return [assigned, hours_booked(case, engineer_id, proposal)]


def _reassigned(
    states: States,
    case: Case,
    booked: EngineerDay,
    proposal: Proposal,
    command: ReassignOrder,
    broke_rules: tuple[Rule, ...],
    rules: DispatchRulesSet,
) -> OrderReassigned:
    opened = case.opened
    return OrderReassigned(
        from_engineer_id=booked.engineer_id,
        reason=command.reason,
        frees=booked,
        broke_rules=broke_rules,
        rules_version=rules.version,
        **given_to(opened, command.engineer_id, _registered(states, command.engineer_id), proposal),
        though_absent=_known_absences(states, command.engineer_id, proposal),
    )


def given_to(opened: OrderOpened, engineer_id: str, engineer: Registered, proposal: Proposal) -> dict[str, Any]:
    """What every event says that gives an order to an engineer at some hours."""
    return {
        "order_id": opened.order_id,
        "request_id": opened.request_id,
        "engineer_id": engineer_id,
        "van_id": engineer.van_id,
        "starts_at": proposal.starts_at,
        "ends_at": proposal.ends_at,
        "day": proposal.day,
        "travel_m": proposal.travel_m,
        "customer_id": opened.customer_id,
        "device_id": opened.device_id,
        "device_model": opened.device_model,
        "skill": opened.skill,
        "reasons": proposal.reasons,
        "expense_fen": proposal.expense_fen,
        "expense_cost": proposal.expense_cost,
    }


def hours_booked(case: Case, engineer_id: str, proposal: Proposal) -> HoursBooked:
    opened = case.opened
    return HoursBooked(
        engineer_id=engineer_id,
        day=proposal.day,
        order_id=opened.order_id,
        starts_at=proposal.starts_at,
        ends_at=proposal.ends_at,
        lat_udeg=opened.lat_udeg,
        lon_udeg=opened.lon_udeg,
    )
