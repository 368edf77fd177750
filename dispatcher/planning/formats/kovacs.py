"""
Service technicians (Kovacs, Parragh, Doerner, Hartl 2012): a skill × level matrix for each task, and outsourcing.

The technicians of `tasks_noTeam/X.txt` are in `technicians_noTeam/technicians_X.txt`, two folders that lie side by
side. A task that is left out costs 200 + (sum of its entries)^1.5. Capacity and demand are not used.
"""

from __future__ import annotations

from typing import Final

from dispatcher.planning.formats.benchmark import Benchmark
from dispatcher.planning.model import Engineer, Problem, Travel, Unfit, Visit, Weights, euclidean

SCALE: Final = 1_000_000


def recognised(text: str) -> bool:
    return "CUST NO." in text and "d11" in text and "SERVICE TIME" in text


def read(name: str, text: str, technicians: str) -> Benchmark:
    domains, levels = _shape(name, text)
    rows = [[float(word) for word in words] for words in map(str.split, text.splitlines()) if _numbers(words)]
    rows = [row for row in rows if len(row) == 8 + domains * levels]
    if len(rows) < 2:
        raise Unfit(f"{name} has no tasks with {domains} skills at {levels} levels")
    far = euclidean([(row[1], row[2]) for row in rows], SCALE)
    depot = rows[0]
    shift = (round(depot[4] * SCALE), round(depot[5] * SCALE))
    engineers = []
    for words in map(str.split, technicians.splitlines()):
        if _numbers(words) and len(words) == domains + 1:
            skills = {f"skill {d}": int(level) for d, level in enumerate(words[1:], 1)}
            engineers.append(Engineer(words[0], 0, 0, shift, skills=skills))
    if not engineers:
        raise Unfit(f"there are no technicians with {domains} skills beside {name}")
    visits = [_visit(name, row, place, levels) for place, row in enumerate(rows[1:], 1)]
    problem = Problem(engineers, visits, Travel(far, far), Weights(distance=1))
    return Benchmark(
        name, "kovacs", problem, SCALE, "routing cost + outsourcing cost", lambda checked: checked.cost / SCALE
    )


def _numbers(words: list[str]) -> bool:
    return bool(words) and all(word.lstrip("-").replace(".", "", 1).isdigit() for word in words)


def _shape(name: str, text: str) -> tuple[int, int]:
    """How many skills, at how many levels: the last heading is d54 of five skills at four levels."""
    head = next((line for line in text.splitlines() if "d11" in line), "")
    last = head.split()[-1] if head else ""
    if len(last) != 3 or last[0] != "d" or not last[1:].isdigit():
        raise Unfit(f"{name} has no heading that ends with the last of its skills and levels, as d54")
    return int(last[1]), int(last[2])


def _visit(name: str, row: list[float], place: int, levels: int) -> Visit:
    needs = [int(n) for n in row[8:]]
    if max(needs) > 1:
        raise Unfit(f"{name}: task {row[0]:g} needs {max(needs)} technicians of one skill; teams are not planned yet")
    skills = {f"skill {i // levels + 1}": i % levels + 1 for i, n in enumerate(needs) if n}
    return Visit(
        f"{row[0]:g}",
        place,
        round(row[6] * SCALE),
        (round(row[4] * SCALE), round(row[5] * SCALE)),
        skills=skills,
        prize=round((200 + sum(needs) ** 1.5) * SCALE),
    )
