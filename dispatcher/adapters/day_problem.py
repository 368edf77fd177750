"""
A day of a territory as a problem of the planning model, and a plan of that problem as moves of orders.

What is begun, held or off limits is pinned to its engineer and its minute. What is promised may go to another engineer
at the same minute, or within the slack that is given. Ways and durations are rounded up to full five minutes, so that
visits begin at such; the day begins where she is, and may end anywhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from contracts.dispatcher import DispatchRulesSet
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import STEP, broken, hours_at, open_hours
from dispatcher.domain.repair import URGENCIES, Move, Standing
from dispatcher.domain.suited import Work, lacks
from dispatcher.domain.travel import BEELINE, Place, Ways
from dispatcher.planning.model import Engineer, Ints, Plan, Problem, Travel, Visit, Weights

STEP_S: Final = int(STEP.total_seconds())

CHANGE_M: Final = 5_000
"""Another engineer than the customer was told must save so many metres."""

WAITING_M: Final = 200_000
"""What an order without hours costs, in metres, for each step of urgency."""


@dataclass(frozen=True)
class DayProblem:
    problem: Problem
    begin: Plan
    """The day as it is."""
    engineer_ids: Sequence[str]
    orders: Sequence[str]
    """The order of each visit; empty for one that is pinned."""
    midnight: datetime
    left_alone: tuple[str, ...]
    """Engineers with several windows that day, as by an absence at noon: the model has one."""


def day_problem(
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    standing: Mapping[str, Standing],
    waiting: Sequence[Work],
    day: str,
    now: datetime,
    slack: timedelta = timedelta(),
    ways: Ways = BEELINE,
) -> DayProblem | None:
    """None where nobody works that day."""
    midnight = datetime.fromisoformat(f"{day}T00:00:00+00:00") - timedelta(hours=14)
    """Before the day begins in any zone."""

    def second(at: datetime) -> int:
        return int((at - midnight).total_seconds())

    places: list[Place] = []
    fixed: list[datetime | None] = []
    people: list[Engineer] = []
    ids: list[str] = []
    early: list[int] = []
    visits: list[Visit] = []
    orders: list[str] = []
    routes: list[tuple[int, ...]] = []
    abilities: dict[str, dict[str, int]] = {}
    left_alone = []
    able_of: list[tuple[str, Registered]] = []
    for engineer_id, one in engineers.items():
        windows = open_hours(one, day)
        if len(windows) > 1:
            left_alone.append(engineer_id)
        if len(windows) != 1 or windows[0][1] <= now:
            continue
        able_of.append((engineer_id, one))
    if not able_of:
        return None
    works = [it.work for it in standing.values()] + list(waiting)
    fit = {
        work.order_id: {name for name, one in able_of if not lacks(work, one, day)}
        - (standing[work.order_id].declined if work.order_id in standing else frozenset())
        for work in works
    }
    for engineer_id, one in able_of:
        [(opens, closes)] = open_hours(one, day)
        hers = list(booked.get(engineer_id, {}).get(day, ()))
        begun = [it for it in hers if it.starts_at <= now]
        start = begun[-1].place if begun else one.home
        free = max([now, *[it.ends_at for it in begun]])
        leaves = -(-second(max(opens, free)) // STEP_S) * STEP_S
        early.append(max(0, int((opens - free).total_seconds())))
        skills = {f"only {engineer_id}": 1}
        route = []
        for it in hers[len(begun) :]:
            known = standing.get(it.order_id)
            movable = (
                known is not None
                and not known.locked
                and engineer_id in fit[it.order_id]
                and opens <= it.starts_at
                and it.ends_at <= closes
                and second(it.starts_at) % STEP_S == 0
            )
            at = second(it.starts_at)
            lasts = -(-int((it.ends_at - it.starts_at).total_seconds()) // STEP_S) * STEP_S
            wide = int(slack.total_seconds()) if movable else 0
            needs = {f"order {it.order_id}": 1} if movable else {f"only {engineer_id}": 1}
            window = (max(at - wide, second(now)), at + wide)
            preferred = frozenset({engineer_id}) if movable else frozenset()
            route.append(len(visits))
            visits.append(
                Visit(it.order_id, len(places), lasts, window, skills=needs, parts={"visit": 1}, preferred=preferred)
            )
            orders.append(it.order_id if movable else "")
            places.append(it.place)
            fixed.append(it.starts_at)
        abilities[engineer_id] = skills
        people.append(
            Engineer(
                engineer_id,
                len(places),
                -1,
                (leaves, max(leaves, second(closes))),
                # Whoever waits for her is visited as early as she can be there, not as late as costs her nothing.
                leave=leaves,
                parts={"visit": one.daily_limit - len(begun)},
            )
        )
        places.append(start)
        fixed.append(None)
        ids.append(engineer_id)
        routes.append(tuple(route))
    for work in waiting:
        lasts = -(-int(work.duration.total_seconds()) // STEP_S) * STEP_S
        window = (second(now), second(now) + 3 * 86_400)
        prize = WAITING_M * (1 + URGENCIES.index(work.urgency))
        needs = {f"order {work.order_id}": 1}
        visits.append(Visit(work.order_id, len(places), lasts, window, skills=needs, parts={"visit": 1}, prize=prize))
        orders.append(work.order_id)
        places.append(work.place)
        fixed.append(None)
    for order_id in {one for one in orders if one}:
        for engineer_id in fit[order_id]:
            if engineer_id in abilities:
                abilities[engineer_id][f"order {order_id}"] = 1
    people = [replace(one, skills=abilities[one.id], end=len(places)) for one in people]
    shifts = [window for _, one in able_of for window in open_hours(one, day)]
    hours = _hours_between(min(opens for opens, _ in shifts), max(closes for _, closes in shifts))
    travel = _travel(places, fixed, hours, ways, [(one.start, wait) for one, wait in zip(people, early, strict=True)])
    if ways.version:
        for person, stops in zip(people, routes, strict=True):
            _kept_possible(travel, person, [visits[stop] for stop in stops])
    problem = Problem(people, visits, travel, Weights(distance=1, stranger=CHANGE_M))
    return DayProblem(problem, Plan(routes), ids, orders, midnight, tuple(left_alone))


def _hours_between(opens: datetime, closes: datetime) -> list[datetime]:
    return [opens + n * timedelta(hours=1) for n in range(max(1, int((closes - opens) / timedelta(hours=1))))]


def _travel(
    places: Sequence[Place],
    fixed: Sequence[datetime | None],
    hours: Sequence[datetime],
    ways: Ways,
    starts: Sequence[tuple[int, int]],
) -> Travel:
    """
    Every way, and from everywhere none to the end of the day. Who begins later drives the first way before. The model
    knows no hours: to a visit that is promised a way takes as long as about then, to others as long as on the mean.
    """
    count = len(places)
    metres: Ints = np.zeros((count + 1, count + 1), np.int64)
    seconds: Ints = np.zeros((count + 1, count + 1), np.int64)
    hours = hours if ways.version else hours[:1]
    for j in range(count):
        about = [at] if (at := fixed[j]) else hours
        for i in range(count):
            metres[i, j] = ways.metres(places[i], places[j])
            times = [ways.time(places[i], places[j], at).total_seconds() for at in about]
            seconds[i, j] = -(-int(sum(times)) // (len(times) * STEP_S)) * STEP_S
    for row, wait in starts:
        seconds[row, :] = np.maximum(0, seconds[row, :] - wait // STEP_S * STEP_S)
    return Travel(seconds, metres)


def _kept_possible(travel: Travel, engineer: Engineer, visits: Sequence[Visit]) -> None:
    """What is promised was found possible by the hours of its own ways; the mean does not make it impossible."""
    free, place = engineer.shift[0], engineer.start
    for visit in visits:
        gap = max(0, visit.window[1] - free)
        travel.seconds[place, visit.place] = min(travel.seconds[place, visit.place], gap)
        free, place = visit.window[0] + visit.duration, visit.place


def moves_of(
    found: DayProblem,
    plan: Plan,
    begins: Sequence[Sequence[int]],
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    standing: Mapping[str, Standing],
    works: Mapping[str, Work],
    day: str,
    now: datetime,
    rules: DispatchRulesSet,
    ways: Ways = BEELINE,
) -> list[Move]:
    """
    The orders that are elsewhere in the plan. Each is held to the rules of matching, upon the days without what moves;
    raises ValueError where one breaks a rule there, and nothing is published then.
    """
    wanted: list[tuple[str, str, datetime]] = []
    for engineer_id, route, at in zip(found.engineer_ids, plan.routes, begins, strict=True):
        for stop, begin in zip(route, at, strict=True):
            order_id, starts_at = found.orders[stop], found.midnight + timedelta(seconds=int(begin))
            before = standing.get(order_id)
            if order_id and (before is None or (before.engineer_id, before.starts_at) != (engineer_id, starts_at)):
                wanted.append((order_id, engineer_id, starts_at))
    moving = {order_id for order_id, _, _ in wanted}
    days = {
        name: [one for one in booked.get(name, {}).get(day, ()) if one.order_id not in moving]
        for name in found.engineer_ids
    }
    moves = []
    for order_id, engineer_id, starts_at in wanted:
        work, engineer, hers = works[order_id], engineers[engineer_id], days[engineer_id]
        proposal = hours_at(work, engineer, hers, now, starts_at, rules, ways)
        if rules_broken := broken(work, engineer, hers, proposal, now, False, ways):
            raise ValueError(f"{order_id} with {engineer_id} at {starts_at}: {', '.join(rules_broken)}")
        hers.append(Booking(proposal.starts_at, proposal.ends_at, order_id, work.place))
        hers.sort()
        moves.append(Move(order_id, engineer_id, proposal, standing.get(order_id)))
    return moves
