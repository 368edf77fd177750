"""The challenge of ROADEF 2007 (France Telecom): a folder of three files, teams of a day, priorities, a budget."""

from __future__ import annotations

import re
from typing import Final

from dispatcher.planning.formats.benchmark import TeamBenchmark
from dispatcher.planning.model import Unfit
from dispatcher.planning.teams import Member, TeamProblem, Work

FILES: Final = ("instance", "interv_list", "tech_list")

WEIGHTS: Final = (28, 14, 4, 1)


def read(name: str, instance: str, interventions: str, technicians: str) -> TeamBenchmark:
    try:
        _, domains, levels, _, _, budget = instance.split("\n")[1].split()
        d, n = int(domains), int(levels)
        work = [_work(row, d, n) for row in interventions.splitlines()[1:] if row.strip()]
        members = [_member(row, d) for row in technicians.splitlines()[1:] if row.strip()]
    except (IndexError, ValueError) as wrong:
        raise Unfit(f"{name} is no instance of ROADEF 2007: {wrong}") from wrong
    index = {one.id: i for i, (one, _) in enumerate(work)}
    try:
        linked = [
            Work(one.id, one.duration, one.priority, one.needs, tuple(index[i] for i in after), one.price)
            for one, after in work
        ]
    except KeyError as unknown:
        raise Unfit(f"{name}: an intervention must come after {unknown}, which is not there") from unknown
    problem = TeamProblem(members, linked, WEIGHTS, budget=int(budget))
    return TeamBenchmark(name, problem, "28 t1 + 14 t2 + 4 t3 + t4")


def _lists(row: str) -> tuple[list[str], list[str]]:
    """The words of the row, and those between its brackets."""
    inside = re.search(r"\[(.*?)\]", row)
    if inside is None:
        raise ValueError(f"a line has no list: {row!r}")
    return (row[: inside.start()] + row[inside.end() :]).split(), inside[1].split()


def _work(row: str, domains: int, levels: int) -> tuple[Work, list[str]]:
    words, after = _lists(row)
    counts = [int(word) for word in words[4:]]
    if len(counts) != domains * levels:
        raise ValueError(f"a line has {len(counts)} needs, not {domains} x {levels}: {row!r}")
    needs = tuple(tuple(counts[i * levels : (i + 1) * levels]) for i in range(domains))
    return Work(words[0], int(words[1]), int(words[2]), needs, price=int(words[3])), after


def _member(row: str, domains: int) -> Member:
    words, away = _lists(row)
    if len(words) != domains + 1:
        raise ValueError(f"a line has not {domains} levels: {row!r}")
    return Member(words[0], tuple(int(word) for word in words[1:]), frozenset(int(day) for day in away))
