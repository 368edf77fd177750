"""
Technician routing and scheduling (Pillac, Guéret, Medaglia 2013): skills, tools, parts, homes, windows.

Node 0 is the depot, nodes 1 to `CREW` are homes, the others requests. What is sought is the least total working
duration that serves all. Where each engineer may call once at the depot is not in the files: `Problem.depot`.
"""

from __future__ import annotations

import re
from typing import Final

from dispatcher.planning.arrivals import Released
from dispatcher.planning.formats.benchmark import Benchmark, ReleasedBenchmark
from dispatcher.planning.model import Engineer, Plan, Problem, Travel, Unfit, Visit, Weights, euclidean

SCALE: Final = 1_000_000

LINE: Final = re.compile(
    r"^(\d+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+(\S+)\s+\[([\d,\s]*)\]\s+\[([\d,\s]*)\]\s+\[([\d,\s]*)\]\s*$"
)


def recognised(text: str) -> bool:
    return "CREW COUNT" in text and "SPARE PARTS" in text


def read(name: str, text: str) -> Benchmark:
    crew = _crew(text)
    rows = [found for line in text.splitlines() if (found := LINE.match(line.strip()))]
    if len(rows) < crew + 2:
        raise Unfit(f"{name} has {len(rows)} lines of depot, technicians and requests, and says it has {crew} homes")
    ids = [int(row[1]) for row in rows]
    if ids != list(range(len(rows))):
        raise Unfit(f"{name}: the ids of its lines must be 0, 1, 2, …")
    places = [(float(row[2]), float(row[3])) for row in rows]
    far = euclidean(places, SCALE)
    engineers = [_engineer(rows[i], i) for i in range(1, crew + 1)]
    visits = [_visit(rows[i], i) for i in range(crew + 1, len(rows))]
    problem = Problem(engineers, visits, Travel(far, far), Weights(duration=1), depot=0)
    return Benchmark(
        name,
        "trsp",
        problem,
        SCALE,
        "total working duration",
        lambda checked: checked.duration / SCALE,
        lambda plan, _: _written(problem, plan),
    )


def _crew(text: str) -> int:
    lines = text.splitlines()
    for i, line in enumerate(lines):
        if line.startswith("CREW COUNT") and i + 1 < len(lines) and (counts := lines[i + 1].split()):
            return int(counts[0])
    raise Unfit("there is no number of technicians under CREW COUNT")


def _numbers(listed: str) -> list[int]:
    return [int(one) for one in listed.replace(",", " ").split()]


def _units(text: str) -> int:
    return round(float(text) * SCALE)


def _engineer(row: re.Match[str], place: int) -> Engineer:
    return Engineer(
        id=row[1],
        start=place,
        end=place,
        shift=(_units(row[4]), _units(row[5])),
        skills={f"skill {one}": 1 for one in _numbers(row[7])},
        tools=frozenset(f"tool {one}" for one in _numbers(row[8])),
        parts={f"part {i}": n for i, n in enumerate(_numbers(row[9]))},
    )


def _visit(row: re.Match[str], place: int) -> Visit:
    return Visit(
        id=row[1],
        place=place,
        duration=_units(row[6]),
        window=(_units(row[4]), _units(row[5])),
        skills={f"skill {one}": 1 for one in _numbers(row[7])},
        tools=frozenset(f"tool {one}" for one in _numbers(row[8])),
        parts={f"part {i}": n for i, n in enumerate(_numbers(row[9])) if n},
    )


def _written(problem: Problem, plan: Plan) -> str:
    """A line for each technician, a call at the depot as node 0."""
    lines = []
    for engineer, route in zip(problem.engineers, plan.routes, strict=True):
        nodes = [problem.visits[stop].id if stop >= 0 else "0" for stop in route]
        lines.append(f"{engineer.id}: {' '.join(nodes)}".rstrip())
    return "\n".join(lines) + "\n"


def released_recognised(text: str) -> bool:
    return text.startswith("# Instance") and "dynamic requests" in text.partition("\n")[0]


def instance_of(text: str) -> str:
    """The name of the instance that a file of release dates is about."""
    return text.split()[2]


def read_released(name: str, text: str, whole: Benchmark) -> ReleasedBenchmark:
    """The file of release dates, for the instance that it names."""
    at = {}
    for words in map(str.split, text.splitlines()):
        if len(words) == 2 and words[0].isdigit() and words[1].lstrip("-").replace(".", "", 1).isdigit():
            at[words[0]] = float(words[1])
    # The line of how many are dynamic and how many static looks like a date, of no request.
    dates = [at.get(visit.id) for visit in whole.problem.visits]
    if None in dates:
        raise Unfit(f"{name} has no release date for every request of {whole.name}")
    release = tuple(-1 if date is None or date < 0 else round(date * SCALE) for date in dates)
    return ReleasedBenchmark(
        name, Released(whole.problem, release), SCALE, "served, then total working duration as it was"
    )
