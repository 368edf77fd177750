"""A published instance as a problem of ours, and how its own objective reads what `check` found."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from dispatcher.planning.arrivals import Released
from dispatcher.planning.check import Checked
from dispatcher.planning.model import Plan, Problem
from dispatcher.planning.teams import TeamProblem


@dataclass(frozen=True)
class Benchmark:
    name: str
    format: str
    problem: Problem
    scale: int
    """So many units of ours are one of the benchmark's."""
    objective: str
    """What `value` is, in words."""
    value: Callable[[Checked], float]
    written: Callable[[Plan, Checked], str] | None = None
    """The plan in the benchmark's own solution format, where it has one."""


@dataclass(frozen=True)
class TeamBenchmark:
    """The same for teams of a day; what `check_teams` says a plan costs is the objective."""

    name: str
    problem: TeamProblem
    objective: str
    format: str = "roadef"


@dataclass(frozen=True)
class ReleasedBenchmark:
    """The same for a day as it comes."""

    name: str
    problem: Released
    scale: int
    objective: str
    format: str = "trsp-dyn"
