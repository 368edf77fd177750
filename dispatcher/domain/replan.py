"""
A part of the plan, changed in one step: what a person changed meanwhile wins, and stays with the reason.

The plan was made upon views; here the streams decide. What is moved must be where the plan found it, its new hours must
be free and keep every rule; a move that is refused may take others with it that needed its hours.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal

from contracts.dispatcher import (
    BetterDaysDue,
    Considered,
    DispatchRulesSet,
    EngineerDay,
    HoursFreed,
    OrderAssigned,
    OrderReassigned,
    ReplanAsked,
    ReplanDone,
    Unmoved,
    WithoutHours,
)
from contracts.event import Event
from dispatcher.commands import AskReplan, LookForBetterDays, OrderMove, Replan
from dispatcher.domain import decision, dispatch_rules, engineer_day, learned_travel, order
from dispatcher.domain import engineer as engineers
from dispatcher.domain.assignment import given_to, hours_booked
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import Proposal, broken, hours_at
from dispatcher.domain.order import Assigned, Case, UnderWay, Waiting
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Place

States = Mapping[str, Any]
Why = Literal["changed-meanwhile", "under-way", "hours-taken", "known-absence", "ended", "offered"]

INITIAL: Final = 0
"""Whether it was done: once at most."""


def stream(replan_id: str) -> str:
    return f"replan/{replan_id}"


def evolve(count: int, event: ReplanAsked | ReplanDone) -> int:
    return count + isinstance(event, ReplanDone)


def ask(states: States, command: AskReplan) -> list[Event]:
    facts = command.model_dump()
    return [ReplanAsked(**facts)]


BETTER_DAYS: Final = "better-days"
"""The stream of the looks for better plans."""


def seen(count: int, event: BetterDaysDue) -> int:
    return count + 1


def look(states: States, command: LookForBetterDays) -> list[Event]:
    """Nothing where other rules hold by now, which say for themselves how often."""
    rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.due_at)
    if rules.version != command.version:
        return []
    due = BetterDaysDue(
        rules_version=rules.version,
        seconds=rules.better_seconds,
        least_percent=rules.better_least_percent,
        next_minutes=rules.better_every_minutes,
    )
    return [due]


def reads(command: Replan) -> tuple[str, ...]:
    named = [stream(command.replan_id), dispatch_rules.STREAM, learned_travel.STREAM]
    for move in command.moves:
        named += [order.stream(move.order_id), decision.stream(move.order_id, Replan)]
        named += [engineers.stream(move.engineer_id), engineer_day.stream(move.engineer_id, move.day)]
        if move.from_engineer_id:
            named.append(engineer_day.stream(move.from_engineer_id, move.from_day))
    return tuple(dict.fromkeys(named))


def decide(states: States, command: Replan) -> list[Event]:
    if states[stream(command.replan_id)]:
        return []
    rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
    unmoved: dict[str, Why] = {}
    for move in command.moves:
        if why := _changed(states, move, command):
            unmoved[move.order_id] = why
    while True:
        moves = [move for move in command.moves if move.order_id not in unmoved]
        proposals = _placed(states, moves, command, rules)
        taken = next((move for move in moves if move.order_id not in proposals), None)
        if taken is None:
            break
        unmoved[taken.order_id] = "hours-taken"
    freed: list[Event] = []
    given: list[Event] = []
    for move in moves:
        case, proposal = states[order.stream(move.order_id)].case, proposals[move.order_id]
        if move.from_engineer_id:
            freed.append(HoursFreed(engineer_id=move.from_engineer_id, day=move.from_day, order_id=move.order_id))
        given += _events(states, case, move, proposal, command, rules)
    done = ReplanDone(
        replan_id=command.replan_id,
        cause=command.cause,
        moved=tuple([move.order_id for move in moves]),
        hours_changed=sum(1 for move in moves if move.from_starts_at not in (None, move.starts_at)),
        unmoved=tuple(Unmoved(order_id, why) for order_id, why in unmoved.items()),
        left=tuple([WithoutHours(order_id, rules) for order_id, rules in command.left]),
        verdict=command.verdict,
        cost_before=command.cost_before,
        cost_after=command.cost_after,
        left_alone=command.left_alone,
        seed=command.seed,
        note=command.note,
    )
    # All that is given back comes first: no hours are ever booked twice, not even between two events of one step.
    return [*[one for one in given if one.STREAM == "order-decisions"], *freed, *_others(given), done]


def _others(events: list[Event]) -> list[Event]:
    return [one for one in events if one.STREAM != "order-decisions"]


def _changed(states: States, move: OrderMove, command: Replan) -> Why | None:
    match states[order.stream(move.order_id)]:
        case Waiting(offering=offering) if not move.from_engineer_id:
            return "offered" if offering else None
        case Assigned(booked=booked, though_absent=known) if move.from_engineer_id:
            if booked != EngineerDay(move.from_engineer_id, move.from_day):
                return "changed-meanwhile"
            if command.absence_id and command.absence_id in known:
                return "known-absence"
            hers: engineer_day.Day = states[engineer_day.stream(move.from_engineer_id, move.from_day)]
            at = next((one.starts_at for one in hers if one.order_id == move.order_id), None)
            return None if at == move.from_starts_at else "changed-meanwhile"
        case UnderWay():
            return "under-way"
        case Waiting() | Assigned():
            return "changed-meanwhile"
        case _:
            return "ended"


def _placed(states: States, moves: list[OrderMove], command: Replan, rules: DispatchRulesSet) -> dict[str, Proposal]:
    """The hours of each move, upon the days without what is moved away; without the first that has no room."""
    days: dict[tuple[str, str], list[Booking]] = {}
    ways = learned_travel.ways(states, rules)

    def day_of(engineer_id: str, day: str) -> list[Booking]:
        name = engineer_id, day
        if name not in days:
            days[name] = list(states[engineer_day.stream(engineer_id, day)])
        return days[name]

    for move in moves:
        if move.from_engineer_id:
            hers = day_of(move.from_engineer_id, move.from_day)
            hers[:] = [one for one in hers if one.order_id != move.order_id]
    found: dict[str, Proposal] = {}
    for move in moves:
        case: Case = states[order.stream(move.order_id)].case
        engineer, work = states[engineers.stream(move.engineer_id)], Work.of(case.opened)
        if not isinstance(engineer, Registered):
            return found
        hers = day_of(move.engineer_id, move.day)
        proposal = hours_at(work, engineer, hers, command.now, move.starts_at, rules, ways)
        overlaps = any(one.starts_at < proposal.ends_at and proposal.starts_at < one.ends_at for one in hers)
        declined = move.engineer_id in case.declined
        if (
            overlaps
            or any(one.order_id == work.order_id for one in hers)
            or proposal.starts_at < command.now
            or broken(work, engineer, hers, proposal, command.now, declined, ways)
        ):
            return found
        hers.append(Booking(proposal.starts_at, proposal.ends_at, work.order_id, work.place))
        hers.sort()
        found[move.order_id] = proposal
    return found


def _events(
    states: States, case: Case, move: OrderMove, proposal: Proposal, command: Replan, rules: DispatchRulesSet
) -> list[Event]:
    opened, engineer = case.opened, states[engineers.stream(move.engineer_id)]
    facts = given_to(opened, move.engineer_id, engineer, proposal) | {"rules_version": rules.version}
    given: Event
    if move.from_engineer_id:
        reason = f"{command.cause}: {command.note}" if command.note else command.cause
        given = OrderReassigned(from_engineer_id=move.from_engineer_id, reason=reason, chosen_by="rule", **facts)
    else:
        given = OrderAssigned(crew=(move.engineer_id,), chosen_by="rule", candidates=1, note=command.note, **facts)
    hours = hours_booked(case, move.engineer_id, proposal)
    considered = [Considered(move.engineer_id, proposal.day, proposal.cost)]
    day = states[engineer_day.stream(move.engineer_id, move.day)]
    places: list[Place] = [engineer.home, *[one.place for one in day]]
    why = decision.recorded(
        command,
        case,
        move.engineer_id,
        proposal,
        considered,
        places,
        rules.version,
        learned_travel.ways(states, rules),
        command.seed,
    )
    return [why, given, hours]
