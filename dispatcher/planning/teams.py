"""
Teams of a day: work for several engineers at once, whose teams stay together for a day; no travel (ROADEF 2007).

Model and evaluator, as `model` and `check` are for routes. Times are in units of the day, of which a day has
`TeamProblem.day`; an instant is counted from the begin of the first day.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dispatcher.planning.model import Unfit, Violation


@dataclass(frozen=True)
class Member:
    id: str
    levels: tuple[int, ...]
    """In each domain; 0: knows nothing of it."""
    away: frozenset[int] = frozenset()
    """Days, the first being 1."""


@dataclass(frozen=True)
class Work:
    id: str
    duration: int
    priority: int
    """1 to 4; 1 is what should be done first."""
    needs: tuple[tuple[int, ...], ...]
    """[domain][level - 1] → how many of at least that level."""
    after: tuple[int, ...] = ()
    """What must be finished before, by index."""
    price: int = 0
    """What it takes from the budget to have others do it."""


@dataclass(frozen=True)
class TeamProblem:
    members: Sequence[Member]
    work: Sequence[Work]
    weights: tuple[int, int, int, int]
    """Of the instant at which the last of priority 1, 2, 3 and of all is finished."""
    day: int = 120
    budget: int = 0

    def __post_init__(self) -> None:
        for one in self.work:
            if one.duration > self.day:
                raise Unfit(f"{one.id} lasts {one.duration}, longer than a day of {self.day}")
            for domain, counts in enumerate(one.needs):
                for level, n in enumerate(counts, 1):
                    able = sum(member.levels[domain] >= level for member in self.members)
                    if able < n:
                        raise Unfit(f"{one.id} needs {n} in domain {domain + 1} at level {level}; there are {able}")


@dataclass(frozen=True)
class Team:
    day: int
    """The first is 1."""
    members: tuple[int, ...]
    work: tuple[tuple[int, int], ...]
    """What it does and at which instant each begins."""


@dataclass(frozen=True)
class TeamPlan:
    teams: Sequence[Team]

    @property
    def served(self) -> frozenset[int]:
        return frozenset(work for team in self.teams for work, _ in team.work)


@dataclass(frozen=True)
class TeamChecked:
    cost: int
    violations: tuple[Violation, ...]
    left_out: tuple[int, ...]
    ends: tuple[int, int, int, int]


def check_teams(problem: TeamProblem, plan: TeamPlan) -> TeamChecked:
    """What the plan costs and which rules it breaks."""
    found: list[Violation] = []
    ended: dict[int, int] = {}
    began: dict[int, int] = {}
    busy: set[tuple[int, int]] = set()
    for team in plan.teams:
        for member in team.members:
            if (member, team.day) in busy:
                found.append(Violation("twice", f"{problem.members[member].id} is in two teams on day {team.day}"))
            if team.day in problem.members[member].away:
                found.append(Violation("shift", f"{problem.members[member].id} is away on day {team.day}"))
            busy.add((member, team.day))
        free = (team.day - 1) * problem.day
        for index, begin in sorted(team.work, key=lambda one: one[1]):
            work = problem.work[index]
            if begin < free:
                found.append(Violation("shift", f"{work.id} begins at {begin}, when its team is not free"))
            free = begin + work.duration
            if free > team.day * problem.day:
                found.append(Violation("shift", f"{work.id} ends at {free}, after day {team.day}"))
            if index in ended:
                found.append(Violation("twice", f"{work.id} is done twice"))
            began[index], ended[index] = begin, free
            found.extend(_lacks(problem, team, work))
    left_out = tuple(i for i in range(len(problem.work)) if i not in ended)
    if (spent := sum(problem.work[i].price for i in left_out)) > problem.budget:
        found.append(Violation("left out", f"what is left to others costs {spent} of {problem.budget}"))
    for index, begin in began.items():
        for first in problem.work[index].after:
            if first not in ended or ended[first] > begin:
                names = problem.work[first].id, problem.work[index].id
                found.append(Violation("link", f"{names[0]} must be finished before {names[1]} begins"))
    last = [max((end for i, end in ended.items() if problem.work[i].priority == k), default=0) for k in (1, 2, 3)]
    ends = (last[0], last[1], last[2], max(ended.values(), default=0))
    cost = sum(weight * end for weight, end in zip(problem.weights, ends, strict=True))
    return TeamChecked(cost, tuple(found), left_out, ends)


def _lacks(problem: TeamProblem, team: Team, work: Work) -> list[Violation]:
    found = []
    for domain, counts in enumerate(work.needs):
        for level, n in enumerate(counts, 1):
            able = sum(problem.members[member].levels[domain] >= level for member in team.members)
            if able < n:
                told = f"{work.id} needs {n} in domain {domain + 1} at level {level}, its team has {able}"
                found.append(Violation("skill", told))
    return found
