"""Small problems made by chance, of every kind that the engines plan."""

import random
from dataclasses import replace

import numpy as np

from dispatcher.planning.model import Break, Engineer, Link, Problem, Travel, Visit, Weights

TOOLS = ("meter", "ladder")
PARTS = ("pump", "board")
LUNCH = (Break((15_000, 25_000), 2_000),)


def travel(chance: random.Random, places: int) -> Travel:
    at = np.array([(chance.randrange(100), chance.randrange(100)) for _ in range(places)])
    far = np.rint(np.sqrt(((at[:, None] - at[None]) ** 2).sum(axis=2)) * 100).astype(np.int64)
    return Travel(far, far)


def engineers(chance: random.Random, n: int) -> list[Engineer]:
    return [
        Engineer(
            f"e{i}",
            i,
            i,
            (0, 60_000),
            skills={skill: chance.randint(1, 3) for skill in ("lifts", "doors") if chance.random() < 0.8},
            tools=frozenset(tool for tool in TOOLS if chance.random() < 0.5),
            parts={part: chance.randint(0, 3) for part in PARTS},
            overtime=chance.choice((0, 5_000)),
            longest=chance.choice((None, 50_000)),
        )
        for i in range(n)
    ]


def visits(chance: random.Random, first: int, n: int) -> list[Visit]:
    made = []
    for i in range(n):
        opens = chance.choice((0, chance.randrange(40_000)))
        made.append(
            Visit(
                f"v{i}",
                first + i,
                1000,
                (opens, opens + chance.choice((3_000, 10_000, 60_000))),
                skills={chance.choice(("lifts", "doors")): chance.randint(1, 2)},
                tools=frozenset(tool for tool in TOOLS if chance.random() < 0.3),
                parts={part: 1 for part in PARTS if chance.random() < 0.3},
                prize=chance.choice((20_000, 100_000)),
                preferred=frozenset({"e0"}) if chance.random() < 0.2 else frozenset(),
            )
        )
    return made


def routing(seed: int) -> Problem:
    """With every rule of routes; what no one can reach is left out for its prize."""
    chance = random.Random(seed)
    crew, asked = 4, 18
    weights = Weights(
        distance=chance.randint(0, 2),
        duration=chance.randint(0, 2),
        route=500,
        overtime=3,
        stranger=chance.randint(0, 900),
    )
    depot = chance.choice((None, crew + asked))
    return Problem(
        engineers(chance, crew), visits(chance, crew, asked), travel(chance, crew + asked + 1), weights, depot=depot
    )


def linked(seed: int) -> Problem:
    """Pairs at once and one after the other, late begins; everybody can do everything."""
    chance = random.Random(seed)
    crew, asked = 3, 12
    made = [
        Visit(
            f"v{i}", crew + i // 2 if i < 8 else crew + i, 1000, (at := chance.randrange(30_000), 10**9), due=at + 4_000
        )
        for i in range(asked)
    ]
    links = [Link(0, 1, 0, 0), Link(2, 3, 2_000, 5_000), Link(4, 5, 1_000, None), Link(6, 7, 0, 0)]
    who = [Engineer(f"e{i}", i, i, (0, 10**9)) for i in range(crew)]
    weights = Weights(distance=1, lateness=2, worst_lateness=1)
    return Problem(who, made, travel(chance, crew + asked), weights, links=links)


def linked_days(seed: int) -> Problem:
    """As `linked`, with breaks, several windows, pins, what is locked, and a most and a longest of the day."""
    chance = random.Random(seed)
    plain = linked(seed)
    who = [
        replace(
            one,
            shift=(0, 100_000),
            overtime=5_000,
            breaks=chance.choice((LUNCH, (*LUNCH, Break((35_000, 35_000), 3_000)), ())),
            most=chance.choice((None, 4)),
            longest=chance.choice((None, 95_000)),
        )
        for one in plain.engineers
    ]
    made = [
        replace(
            one,
            window=(one.window[0], one.window[0] + chance.choice((20_000, 90_000))),
            also=chance.choice(((), ((one.window[0] + 91_000, one.window[0] + 99_000),))),
            only=frozenset(chance.sample(["e0", "e1", "e2"], 2)) if i > 7 and chance.random() < 0.4 else None,
            urgency=chance.choice((1, 3)),
        )
        for i, one in enumerate(plain.visits)
    ]
    who[0] = replace(who[0], locked=(8,))
    made[8] = replace(made[8], only=None)
    weights = Weights(distance=1, lateness=2, worst_lateness=1, late_doubles=chance.choice((0, 3_000)), overtime=3)
    return Problem(who, made, plain.travel, weights, links=plain.links)


def of_days(seed: int, breaks: bool = True) -> Problem:
    """As `routing`, with what only the clock of a whole route can say."""
    chance = random.Random(seed)
    plain = routing(seed)
    who = [
        replace(
            one,
            breaks=chance.choice((LUNCH, (*LUNCH, Break((35_000, 35_000), 3_000)), ())) if breaks else (),
            most=chance.choice((None, 4)),
            leave=chance.choice((None, None, 0)),
        )
        for one in plain.engineers
    ]
    asked = []
    for visit in plain.visits:
        closes = visit.window[1]
        asked.append(
            replace(
                visit,
                also=chance.choice(((), ((closes + 4_000, closes + 9_000), (closes + 12_000, closes + 13_000)))),
                due=chance.choice((None, closes - 2_000)),
                urgency=chance.randint(1, 3),
                told=chance.choice((None, (f"e{chance.randrange(5)}", chance.randrange(50_000)))),
                only=chance.choice((None, None, frozenset({"e1", "e2"}))),
            )
        )
    weights = replace(
        plain.weights,
        lateness=2,
        late_doubles=chance.choice((0, 1_000)),
        waiting=chance.randint(0, 2),
        balance=chance.randint(0, 2),
        overqualified=chance.randint(0, 200),
        change=700,
        change_within=900,
    )
    return replace(plain, engineers=who, visits=asked, weights=weights)
