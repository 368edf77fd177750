"""
One order, now: the matching of the running dispatcher, without its stores.

Each order is given to the best engineer as it comes, and its hours are booked. Half of 8 skills each, levels and
certificates with dates, territories, shifts of ten hours, absences, ten visits a day at the most, parts in vans.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

from contracts.dispatcher import Certificate, Shift, SkillLevel
from dispatcher.commands import PartsInVans
from dispatcher.domain.dispatch_rules import DEFAULTS
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.glance import Glance
from dispatcher.domain.matching import rank_in_turns
from dispatcher.domain.repair import Repair, Standing
from dispatcher.domain.roster import Roster
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Place

NOW = datetime(2026, 11, 24, 0, tzinfo=UTC)
"""Eight in the morning in Shanghai, a Tuesday."""

SKILLS = [f"skill {n}" for n in range(8)]
SHIFTS = tuple(Shift(weekday, 480, 1_080) for weekday in range(7))
SIDE = 540_000
"""Of the city in millionths of a degree: about 60 km."""


def somewhere(chance: Random, side: int = SIDE) -> Place:
    return Place(39_600_000 + chance.randrange(side), 116_100_000 + chance.randrange(side))


def staff(count: int, regions: int, chance: Random) -> dict[str, Registered]:
    found = {}
    for n in range(count):
        skills = chance.sample(SKILLS, 4)
        away = NOW + timedelta(minutes=chance.randrange(600))
        found[f"e-{n}"] = Registered(
            skills=frozenset(skills),
            home=somewhere(chance),
            zone="Asia/Shanghai",
            shifts=SHIFTS,
            van_id=f"van-{n}",
            daily_limit=10,
            levels=(SkillLevel(skills[0], 3, "2027-12-31"),),
            certificates=(Certificate("high voltage", "2027-06-30"),) if chance.random() < 0.5 else (),
            territory=frozenset({f"region {n % regions}", f"region {(n + 1) % regions}"}) if regions else frozenset(),
            hour_fen=8_000,
            km_fen=200,
            absences=(Absence(away, away + timedelta(hours=1), f"a-{n}"),) if chance.random() < 0.1 else (),
        )
    return found


def order(number: int, regions: int, chance: Random) -> Work:
    return Work(
        order_id=f"o-{number}",
        skill=chance.choice(SKILLS),
        device_model="",
        urgency=chance.choice(("low", "normal", "high", "critical")),
        duration=timedelta(minutes=30),
        place=somewhere(chance),
        region=f"region {chance.randrange(regions)}" if regions else "",
        level=chance.choice((0, 0, 0, 1)),
        certificates=("high voltage",) if chance.random() < 0.1 else (),
    )


def insertion(engineers: int, orders: int, regions: int, seed: int = 1) -> str:
    chance = Random(seed)
    roster = Roster(staff(engineers, regions, chance))
    glance = Glance(roster)
    booked: dict[str, dict[str, list[Booking]]] = {}
    took: list[float] = []
    busy: list[float] = []
    unserved = 0
    for n in range(orders):
        work = order(n, regions, chance)
        parts = PartsInVans(expected=1, held={f"van-{one}": 1 for one in range(n % 7, engineers, 7)})
        begin, cpu = time.perf_counter(), time.thread_time()
        turns = rank_in_turns(work, roster, booked, NOW, (), DEFAULTS, parts, 8, glance=glance)
        try:
            while True:
                next(turns)
        except StopIteration as done:
            best = done.value.proposals[:1]
        took.append(time.perf_counter() - begin)
        busy.append(time.thread_time() - cpu)
        if best:
            [(engineer_id, found)] = best
            hers = booked.get(engineer_id, {})
            one = Booking(found.starts_at, found.ends_at, work.order_id, work.place)
            booked[engineer_id] = {**hers, found.day: sorted([*hers.get(found.day, ()), one])}
        else:
            unserved += 1
    p50, p99 = (1_000 * sorted(took)[int(share * orders)] for share in (0.5, 0.99))
    of_cpu = 1_000 * sorted(busy)[int(0.99 * orders)]
    return (
        f"one order, now, {engineers} engineers x {orders} orders, {regions or 'no'} regions: p50 {p50:.2f} ms, "
        f"p99 {p99:.2f} ms ({of_cpu:.2f} of CPU), all {sum(took):.2f} s ({sum(busy):.2f} of CPU), {unserved} not served"
    )


def disruption(engineers: int, visits: int, seed: int = 1, times: int = 60) -> str:
    """
    A full day; then an engineer is ill, a visit runs over by two hours, or an urgent order comes: the repair alone.
    """
    chance = Random(seed)
    regions = max(1, engineers // 25)
    people = staff(engineers, regions, chance)
    roster = Roster(people)
    booked: defaultdict[str, dict[str, list[Booking]]] = defaultdict(dict)
    standing: dict[str, Standing] = {}
    for n in range(visits):
        work = order(n, regions, chance)
        turns = rank_in_turns(work, roster, booked, NOW, (), DEFAULTS, PartsInVans(), 1)
        try:
            while True:
                next(turns)
        except StopIteration as done:
            [(engineer_id, found)] = done.value.proposals[:1] or [("", None)]
        if found:
            day = booked[engineer_id].setdefault(found.day, [])
            day.append(Booking(found.starts_at, found.ends_at, work.order_id, work.place))
            day.sort()
            standing[work.order_id] = Standing(work, engineer_id, found.day, found.starts_at)
    took: list[float] = []
    busy: list[float] = []
    affected = moved = others = changed = left = 0
    for n in range(times):
        name, away = f"e-{chance.randrange(engineers)}", timedelta(hours=(24, 2, 0)[n % 3])
        now = NOW + timedelta(minutes=chance.randrange(300))
        if away:
            out = Absence(now, now + away, "out")
            day_of = {**people, name: replace(people[name], absences=tuple(sorted([*people[name].absences, out])))}
            hit = [one for one in standing.values() if one.engineer_id == name and now < one.starts_at < now + away]
            works = [one.work for one in hit]
        else:
            day_of, works = people, [replace(order(visits + n, regions, chance), urgency="critical")]
        begin, cpu = time.perf_counter(), time.thread_time()
        found_for = Repair(day_of, booked, standing, now, DEFAULTS).run(works)
        took.append(time.perf_counter() - begin)
        busy.append(time.thread_time() - cpu)
        theirs = {one.order_id for one in works}
        affected += len(works)
        moved += len(found_for.moves)
        others += len(found_for.moves.keys() - theirs)
        changed += found_for.changed
        left += len(found_for.left)
    p50, p95 = (sorted(took)[int(share * times)] for share in (0.5, 0.95))
    return (
        f"disruption, {engineers} engineers x {len(standing)} visits, {times} times: p50 {p50:.2f} s, p95 {p95:.2f} s "
        f"({sorted(busy)[int(0.95 * times)]:.2f} of CPU); {affected} affected, {moved} moved ({others} of others), "
        f"{changed} at other hours, {left} without any"
    )


def rows() -> Iterator[str]:
    yield disruption(50, 500)
    yield insertion(300, 3_000, 0)
    yield insertion(300, 3_000, 10)
    yield insertion(10_000, 3_000, 100)


if __name__ == "__main__":
    for row in rows():
        print(row, flush=True)
