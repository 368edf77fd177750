"""
Home health care (Mankowska 2014, JSON of Ceschia et al. 2024): two caregivers at once or one after the other.

A patient who needs two services is two visits with a link. Begins later than the window are late, and not forbidden.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from dispatcher.planning.check import Checked
from dispatcher.planning.formats.benchmark import Benchmark
from dispatcher.planning.model import CALL, Engineer, Link, Plan, Problem, Travel, Unfit, Visit, Weights

SCALE: Final = 1000

HORIZON: Final = 1_000_000_000
"""Nobody must be back before."""


def recognised(text: str) -> bool:
    return '"required_caregivers"' in text and '"caregivers"' in text


def read(name: str, text: str) -> Benchmark:
    try:
        told = json.loads(text)
        visits, links = _visits(told)
        engineers = [
            Engineer(one["id"], 0, 0, (0, HORIZON), skills={ability: 1 for ability in one["abilities"]})
            for one in told["caregivers"]
        ]
        far = np.rint(np.array(told["distances"], dtype=np.float64) * SCALE).astype(np.int64)
    except (KeyError, TypeError, ValueError) as wrong:
        raise Unfit(f"{name} is no instance of home health care: {wrong!r}") from wrong
    problem = Problem(
        engineers, visits, Travel(far, far), Weights(distance=1, lateness=1, worst_lateness=1), links=links
    )
    return Benchmark(
        name,
        "hhcrsp",
        problem,
        SCALE,
        "(distance + total tardiness + greatest tardiness) / 3",
        lambda checked: checked.cost / SCALE / 3,
        lambda plan, checked: _written(problem, plan, checked),
    )


def _visits(told: Mapping[str, Any]) -> tuple[list[Visit], list[Link]]:
    visits: list[Visit] = []
    links: list[Link] = []
    for place, patient in enumerate(told["patients"], 1):
        opens, closes = (round(at * SCALE) for at in patient["time_window"])
        first = len(visits)
        for care in patient["required_caregivers"]:
            visits.append(
                Visit(
                    f"{patient['id']} {care['service']}",
                    place,
                    round(care["duration"] * SCALE),
                    (opens, HORIZON),
                    due=closes,
                    skills={care["service"]: 1},
                )
            )
        if len(patient["required_caregivers"]) == 2:
            how = patient["synchronization"]
            least, most = (0, 0) if how["type"] == "simultaneous" else how["distance"]
            links.append(Link(first, first + 1, round(least * SCALE), round(most * SCALE)))
    return visits, links


def plan_of(problem: Problem, text: str) -> Plan:
    """Of a solution file. Raises Unfit where it names what the problem has not."""
    ids = {visit.id: i for i, visit in enumerate(problem.visits)}
    routes = {}
    try:
        for route in json.loads(text)["routes"]:
            stops = route.get("locations", ())
            routes[route["caregiver_id"]] = tuple(ids[f"{at['patient']} {at['service']}"] for at in stops)
    except KeyError as unknown:
        raise Unfit(f"the solution names {unknown}, which the instance has not") from unknown
    return Plan([routes.get(engineer.id, ()) for engineer in problem.engineers])


def _written(problem: Problem, plan: Plan, checked: Checked) -> str:
    routes: list[dict[str, object]] = []
    begun: dict[str, int] = {}
    for engineer, route, timed in zip(problem.engineers, plan.routes, checked.routes, strict=True):
        locations = []
        for stop, at in zip(route, timed.begins if timed else (), strict=True):
            assert stop != CALL
            visit = problem.visits[stop]
            patient, _, service = visit.id.partition(" ")
            begun[patient] = min(begun.get(patient, at), at)
            left = (at + visit.duration) / SCALE
            locations.append(
                {"patient": patient, "service": service, "arrival_time": at / SCALE, "departure_time": left}
            )
        routes.append({"caregiver_id": engineer.id, "locations": locations})
    return json.dumps({"global_ordering": sorted(begun, key=lambda one: begun[one]), "routes": routes}, indent=1) + "\n"
