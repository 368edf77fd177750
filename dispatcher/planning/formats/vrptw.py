"""
Vehicle routing with time windows: Solomon's text, and the VRPLIB of PyVRP with prizes or several depots.

Objectives and roundings are those under which the best known values are published: DIMACS (distance times ten,
truncated) for Solomon 100, GH 1000 and PCVRPTW; fewest routes and then distance for GH 200 and 400 in Solomon's text;
distance times 1000, rounded, for several depots.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from dispatcher.planning.check import Checked
from dispatcher.planning.formats.benchmark import Benchmark
from dispatcher.planning.model import Engineer, Plan, Problem, Travel, Unfit, Visit, Weights, euclidean

LOAD: Final = "load"

DIMACS: Final = 10
EXACT: Final = 1000
FINE: Final = 1_000_000
"""For distances in double precision: four digits behind the point are published."""

ROUTE: Final = 20_000
"""A route costs so many times the unit of distance where fewest routes come first: more than any route is long."""


def solomon_recognised(text: str) -> bool:
    return "VEHICLE" in text and "CAPACITY" in text and "CUST NO" in text


def vrplib_recognised(text: str) -> bool:
    return "NODE_COORD_SECTION" in text and "TIME_WINDOW_SECTION" in text


def read_solomon(name: str, text: str, *, hierarchical: bool | None = None) -> Benchmark:
    """`hierarchical`: fewest routes first; None: where there are more than 100 customers, as is usual."""
    lines = [line.split() for line in text.splitlines() if line.strip()]
    numbers = [[float(word) for word in words] for words in lines if all(map(_is_number, words))]
    fleet = next((row for row in numbers if len(row) == 2), None)
    rows = [row for row in numbers if len(row) == 7]
    if fleet is None or len(rows) < 2:
        raise Unfit(f"{name} has no line of vehicles and capacity, or no customers of seven numbers each")
    if hierarchical is None:
        hierarchical = len(rows) > 101
    scale = FINE if hierarchical else DIMACS
    far = euclidean([(row[1], row[2]) for row in rows], scale, truncated=not hierarchical)
    depot = rows[0]
    shift = (round(depot[4] * scale), round(depot[5] * scale))
    engineers = [Engineer(f"v{i + 1}", 0, 0, shift, parts={LOAD: int(fleet[1])}) for i in range(int(fleet[0]))]
    visits = [
        Visit(
            str(int(row[0])),
            place,
            round(row[6] * scale),
            (round(row[4] * scale), round(row[5] * scale)),
            parts={LOAD: int(row[3])},
        )
        for place, row in enumerate(rows[1:], 1)
    ]
    weights = Weights(distance=1, route=ROUTE * scale if hierarchical else 0)
    problem = Problem(engineers, visits, Travel(far, far), weights)
    return Benchmark(
        name,
        "solomon",
        problem,
        scale,
        "fewest routes, then distance: `used` and `value`" if hierarchical else "distance (DIMACS)",
        lambda checked: checked.distance / scale,
        lambda plan, checked: _sol(problem, plan, checked.distance / scale),
    )


def _is_number(word: str) -> bool:
    return re.fullmatch(r"-?\d+(\.\d*)?", word) is not None


def read_vrplib(name: str, text: str) -> Benchmark:
    heads, sections = _sections(text)
    kind = heads.get("TYPE", "")
    several = kind.startswith("MD")
    scale = EXACT if several else DIMACS
    places = [(row[1], row[2]) for row in _rows(name, sections, "NODE_COORD_SECTION")]
    windows = [(round(row[1] * scale), round(row[2] * scale)) for row in _rows(name, sections, "TIME_WINDOW_SECTION")]
    demand = [int(row[1]) for row in _rows(name, sections, "DEMAND_SECTION")]
    prizes = [round(row[1] * scale) for row in sections.get("PRIZE_SECTION", [])] or None
    lasts = [round(row[1] * scale) for row in sections.get("SERVICE_TIME_SECTION", [])]
    if not lasts:
        lasts = [round(float(heads.get("SERVICE_TIME", "0")) * scale)] * len(places)
    depots = [int(row[0]) - 1 for row in sections.get("DEPOT_SECTION", []) if row[0] > 0]
    if not depots or not len(places) == len(windows) == len(demand) == len(lasts):
        raise Unfit(f"{name} has no depot, or its sections do not have as many lines as it has nodes")
    far = euclidean(places, scale, truncated=not several)
    homes = [int(row[1]) - 1 for row in sections.get("VEHICLES_DEPOT_SECTION", [])]
    homes = homes or [depots[0]] * int(heads.get("VEHICLES", len(places)))
    longest = heads.get("VEHICLES_MAX_DURATION")
    engineers = [
        Engineer(
            f"v{i + 1}",
            home,
            home,
            windows[home],
            parts={LOAD: int(heads["CAPACITY"])},
            longest=None if longest is None else round(float(longest) * scale),
        )
        for i, home in enumerate(homes)
    ]
    visits = [
        Visit(
            str(node),
            node,
            lasts[node],
            windows[node],
            parts={LOAD: demand[node]},
            prize=None if prizes is None else prizes[node],
        )
        for node in range(len(places))
        if node not in depots
    ]
    problem = Problem(engineers, visits, Travel(far, far), Weights(distance=1))

    def value(checked: Checked) -> float:
        return checked.cost / scale

    told = (
        "distance and the prizes of what is left out (DIMACS)"
        if prizes
        else "distance" + (", thousandths" if several else " (DIMACS)")
    )
    return Benchmark(
        name,
        kind.lower() or "vrptw",
        problem,
        scale,
        told,
        value,
        lambda plan, checked: _sol(problem, plan, checked.cost if prizes or several else value(checked)),
    )


def _sections(text: str) -> tuple[Mapping[str, str], Mapping[str, list[list[float]]]]:
    heads: dict[str, str] = {}
    sections: dict[str, list[list[float]]] = {}
    current: list[list[float]] | None = None
    for line in text.splitlines():
        words = line.split()
        if not words or words[0] == "EOF":
            continue
        if words[0].endswith("_SECTION"):
            current = sections[words[0]] = []
        elif ":" in line:
            key, _, said = line.partition(":")
            heads[key.strip()] = said.strip()
        elif current is not None and all(map(_is_number, words)):
            current.append([float(word) for word in words])
    return heads, sections


def _rows(name: str, sections: Mapping[str, list[list[float]]], section: str) -> list[list[float]]:
    if section not in sections:
        raise Unfit(f"{name} has no {section}")
    return sections[section]


def routes_of(text: str) -> list[list[str]]:
    """Of a solution file: `Route #1: 5 3` or `Route 1 : 5 3`, what is visited in each."""
    found = re.findall(r"^Route\s*#?\s*\d+\s*:(.*)$", text, re.MULTILINE)
    return [line.split() for line in found]


def _sol(problem: Problem, plan: Plan, cost: float) -> str:
    routes: Sequence[tuple[int, ...]] = [route for route in plan.routes if route]
    lines = [f"Route #{i}: {' '.join(problem.visits[v].id for v in route)}" for i, route in enumerate(routes, 1)]
    return "\n".join([*lines, f"Cost {cost:g}" if cost != int(cost) else f"Cost {int(cost)}"]) + "\n"
