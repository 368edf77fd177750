"""Plans a problem: an engine looks in a child process with a hard stop, and what it found is checked here."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Generic, TypeVar

import numpy as np

from dispatcher.planning import engines
from dispatcher.planning.arrivals import Played, PlayedChecked, Released, check_played
from dispatcher.planning.check import Checked, check
from dispatcher.planning.model import Engineer, Link, Plan, Problem, Travel, Unfit, Visit, Weights
from dispatcher.planning.teams import Member, Team, TeamChecked, TeamPlan, TeamProblem, Work, check_teams

START_S: Final = 600.0
"""For the child to begin: the first time on a machine it compiles its loops."""

DAY_S: Final = 5.0
"""What a release may take beside the search."""

GRACE_S: Final = 5.0
"""What a child may take longer than it was given before it is killed."""


P = TypeVar("P", Plan, TeamPlan, Played)
C = TypeVar("C", Checked, TeamChecked, PlayedChecked)


@dataclass(frozen=True)
class Planned(Generic[P, C]):
    plan: P
    checked: C
    engine: str
    seconds: float
    """By the clock on the wall, the start of the child included."""


def plan(
    problem: Problem, seconds: float, *, seed: int = 1, engine: str = "auto", begin: Plan | None = None
) -> Planned[Plan, Checked]:
    """
    The best plan found in `seconds` of search, which may break rules only where no plan was found that breaks none.

    `engine` is one of auto, ruin, ordering and pyvrp. Raises Unfit where the child ended without any plan, with what
    it said.
    """

    def judged(told: Any) -> tuple[Plan, Checked]:
        found = _plan(told)
        return found, check(problem, found)

    return _searched((problem, seconds, seed, engine, begin), seconds, judged)


def plan_teams(problem: TeamProblem, seconds: float, *, seed: int = 1) -> Planned[TeamPlan, TeamChecked]:
    """As `plan`."""

    def judged(told: Any) -> tuple[TeamPlan, TeamChecked]:
        teams = [Team(day, tuple(members), tuple((i, at) for i, at in work)) for day, members, work in told]
        found = TeamPlan(teams)
        return found, check_teams(problem, found)

    return _searched((problem, seconds, seed, "auto", None), seconds, judged)


def plan_day(released: Released, seconds: float, *, seed: int = 1) -> Planned[Played, PlayedChecked]:
    """
    A day as it comes, with `seconds` of search at each release (0: insertion alone) and some before the day.

    Raises Unfit as `plan` does.
    """

    def judged(told: Any) -> tuple[Played, PlayedChecked]:
        routes, departures, begins, left, refused = told
        played = Played(
            Plan([tuple(route) for route in routes]),
            tuple(departures),
            tuple(tuple(at) for at in begins),
            tuple(tuple((place, at) for place, at in each) for each in left),
            tuple(refused),
        )
        return played, check_played(released, played)

    longest = (len(set(released.release)) + 1) * (seconds + DAY_S)
    return _searched((released, seconds, seed, "auto", None), longest, judged)


class Engine:
    """
    The search in a child process that stays, for one who asks again and again; closed, it is killed.

    A child that is late or has ended is replaced at the next question.
    """

    def __init__(self, seed: int = 1) -> None:
        self._seed = seed
        self._child: subprocess.Popen[bytes] | None = None

    def better(self, problem: Problem, begin: Plan, seconds: float) -> Plan:
        """
        A plan in which what `begin` leaves out is put in, and which was looked at for so long.

        It breaks no rule that `begin` does not and costs no more than it, else it is `begin`.
        """
        stop, kept = None, check(problem, begin)
        try:
            child = self._started(problem) if self._child is None else self._child
            assert child.stdin is not None and child.stdout is not None
            stop = threading.Timer(seconds + GRACE_S, child.kill)
            stop.start()
            self._ask(child, problem, begin, seconds)
            found = _plan(json.loads(child.stdout.readline())["plan"])
        except (BrokenPipeError, json.JSONDecodeError):
            self.close()
            return begin
        finally:
            if stop:
                stop.cancel()
        checked = check(problem, found)
        is_better = (len(checked.violations), checked.cost) <= (len(kept.violations), kept.cost)
        return found if is_better else begin

    def close(self) -> None:
        if self._child is not None:
            self._child.kill()
            self._child.communicate()
            self._child = None

    def _started(self, problem: Problem) -> subprocess.Popen[bytes]:
        """With its loops loaded, or compiled the first time on a machine."""
        command = [sys.executable, "-m", "dispatcher.planning.engines.child", "--again"]
        self._child = child = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=_environment()
        )
        assert child.stdout is not None
        stop = threading.Timer(START_S, child.kill)
        stop.start()
        try:
            self._ask(child, problem, Plan([()] * len(problem.engineers)), 0.0001)
            child.stdout.readline()
        finally:
            stop.cancel()
        return child

    def _ask(self, child: subprocess.Popen[bytes], problem: Problem, begin: Plan, seconds: float) -> None:
        assert child.stdin is not None
        frame = pickle.dumps((problem, begin, seconds, self._seed))
        child.stdin.write(len(frame).to_bytes(8, "big") + frame)
        child.stdin.flush()


def prepare() -> float:
    """
    Compile what the engines run, where later children find it; returns how many seconds it took.

    It lies beside the code of the engines, or where NUMBA_CACHE_DIR says. On another kind of processor it is made anew.
    """
    begun = time.monotonic()
    nowhere = np.zeros((1, 1), np.int64)
    one, other = (Engineer(name, 0, 0, (0, 10)) for name in ("one", "other"))
    visits = [Visit("first", 0, 1, (0, 5)), Visit("second", 0, 1, (0, 5))]
    routes = Problem([one, other], visits, Travel(nowhere, nowhere), Weights(distance=1, duration=1))
    plan(routes, 0.01, engine="ruin")
    plan(replace(routes, links=[Link(0, 1)]), 0.01, engine="ordering")
    plan_teams(TeamProblem([Member("one", (1,))], [Work("first", 1, 1, ((1,),))], (1, 1, 1, 1)), 0.01)
    return time.monotonic() - begun


def _environment() -> Mapping[str, str]:
    """
    Where a child finds what was compiled, and may write: beside the code of the engines, or where NUMBA_CACHE_DIR says.

    Where nothing may be written there, a copy in the folder for temporary files.
    """
    given = os.environ.get("NUMBA_CACHE_DIR")
    kept = Path(given) if given else Path(engines.__file__).parent / "__pycache__"
    if os.access(kept if kept.is_dir() else kept.parent, os.W_OK):
        return os.environ
    mine = Path(tempfile.gettempdir()) / f"fieldloop-compiled-{os.getuid()}"
    if given and kept.is_dir() and not mine.exists():
        aside = tempfile.mkdtemp(prefix=f"{mine.name}-", dir=mine.parent)
        shutil.copytree(kept, aside, dirs_exist_ok=True)
        with suppress(OSError):
            # Another process may have put its own there meanwhile, which is as good.
            os.rename(aside, mine)
    return {**os.environ, "NUMBA_CACHE_DIR": str(mine)}


def _plan(routes: Any) -> Plan:
    return Plan([tuple(route) for route in routes])


def _searched(asked: object, seconds: float, judged: Callable[[Any], tuple[P, C]]) -> Planned[P, C]:
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "dispatcher.planning.engines.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_environment(),
    )
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    said: list[bytes] = []
    errors = threading.Thread(target=lambda: said.append(child.stderr.read()), daemon=True)  # type: ignore[union-attr]
    errors.start()
    stop = threading.Timer(START_S, child.kill)
    stop.start()
    used, best = "", None
    try:
        child.stdin.write(pickle.dumps(asked))
        child.stdin.close()
        for line in child.stdout:
            told = json.loads(line)
            if "ready" in told:
                used = told["ready"]
                stop.cancel()
                stop = threading.Timer(seconds + GRACE_S, child.kill)
                stop.start()
                continue
            found, checked = judged(told["plan"])
            if best is None or (len(checked.violations), checked.cost) < (len(best[1].violations), best[1].cost):
                best = found, checked
    except (BrokenPipeError, json.JSONDecodeError):
        # It ended in the middle of a line, or before it had read all: what it said before counts.
        pass
    finally:
        stop.cancel()
        child.kill()
        child.wait()
    errors.join()
    if best is None:
        last = b"".join(said).decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Unfit(f"no plan was found: {last[-1]}")
    return Planned(*best, used, time.monotonic() - started)
