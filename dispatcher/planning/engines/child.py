"""
The child process in which engines run: `python -m dispatcher.planning.engines.child`.

On stdin one frame, a problem and what is asked; on stdout a line of JSON for every plan that is better than the one
before, the word `ready` first. Who started it kills it when it is late, and has the last line. With `--again` frames
follow one another, each a problem, the plan to begin with and the seconds; each has one line of answer.
"""

from __future__ import annotations

import json
import pickle
import sys
import time
from dataclasses import replace
from typing import IO, Any, Final, NamedTuple

from dispatcher.planning.arrivals import BEFORE_S, Released, play
from dispatcher.planning.model import Plan, Problem
from dispatcher.planning.teams import TeamPlan, TeamProblem, check_teams

HEAT: Final = (2.0, 0.015)
"""Of ruin and recreate, in mean costs of a visit: where annealing begins and ends."""

FIRST_HEAT: Final = (0.3, 0.003)
"""The same where PyVRP goes on from there, which finds its own way out of where ruin and recreate has settled."""

ORDERING_HEAT: Final = (5.0, 0.005)
"""In the cost of the mean distance."""

BEGINS: Final = 6
"""How often an ordering is begun anew at the most: one that settles early is up to a tenth worse than another."""

SETTLES_S: Final = 0.1
"""What each of them has for each visit at the least."""

FIRST_SHARE: Final = 0.25
"""Of the time that ruin and recreate has before PyVRP goes on from its plan."""


TEAM_HEAT: Final = (0.01, 0.0003)
"""In costs of the first plan."""


ARRIVAL_HEAT: Final = (0.1, 0.003)
"""As HEAT, between arrivals: the plan there is good already."""


class Asked(NamedTuple):
    problem: Problem | TeamProblem | Released
    seconds: float
    seed: int
    engine: str
    """auto, ruin, ordering, pyvrp (from its own beginning)."""
    begin: Plan | None = None


def main() -> None:
    if "--again" in sys.argv[1:]:
        _again(sys.stdin.buffer, sys.stdout)
        return
    # Written by the process that started us, which is of this package.
    asked = Asked(*pickle.loads(sys.stdin.buffer.read()))  # noqa: S301
    if isinstance(asked.problem, TeamProblem):
        _team_days(asked, asked.problem, sys.stdout)
    elif isinstance(asked.problem, Released):
        _arrivals(asked, asked.problem, sys.stdout)
    else:
        _Work(asked, asked.problem, sys.stdout).done()


def _say(to: IO[str], **told: Any) -> None:
    to.write(json.dumps(told) + "\n")
    to.flush()


def _team_days(asked: Asked, problem: TeamProblem, to: IO[str]) -> None:
    from dispatcher.planning.engines.team_days import TeamDays

    def say(plan: TeamPlan) -> None:
        _say(to, plan=[(team.day, team.members, team.work) for team in plan.teams])

    search = TeamDays(problem, asked.seed)
    TeamDays(problem, asked.seed).run(0.0001, hot=1, cold=1)
    _say(to, ready="teams of a day")
    first = search.plan
    say(first)
    cost = max(1, check_teams(problem, first).cost)
    search.run(asked.seconds, hot=TEAM_HEAT[0] * cost, cold=TEAM_HEAT[1] * cost)
    say(search.plan)


def _better(problem: Problem, begin: Plan, seconds: float, seed: int) -> Plan:
    """What is new is put in where it is cheapest, and then, in the time there is, all is looked at again."""
    from dispatcher.planning.engines.given import given
    from dispatcher.planning.engines.ruin import Search

    search = Search(given(problem), seed, begin)
    if seconds:
        search.run(seconds, hot=ARRIVAL_HEAT[0] * search.scale, cold=ARRIVAL_HEAT[1] * search.scale)
    return search.plan


def _arrivals(asked: Asked, released: Released, to: IO[str]) -> None:
    problem = released.problem
    _better(problem, Plan([()] * len(problem.engineers)), 0.0001, asked.seed)
    _say(to, ready="insertion, then ruin" if asked.seconds else "insertion")
    before = max(BEFORE_S, asked.seconds)

    def improve(rest: Problem, begin: Plan, now: int) -> Plan:
        return _better(rest, begin, before if now < 0 else asked.seconds, asked.seed)

    played = play(released, improve)
    _say(to, plan=[played.plan.routes, played.departures, played.begins, played.left, played.refused])


def _again(from_: IO[bytes], to: IO[str]) -> None:
    while head := from_.read(8):
        # Written by the process that started us, as above.
        problem, begin, seconds, seed = pickle.loads(from_.read(int.from_bytes(head, "big")))  # noqa: S301
        _say(to, plan=_better(problem, begin, seconds, seed).routes)


class _Work:
    """The engines of routes."""

    def __init__(self, asked: Asked, problem: Problem, to: IO[str]) -> None:
        self._asked, self._problem, self._to = asked, problem, to

    def done(self) -> None:
        from dispatcher.planning.engines.given import given

        problem, engine = self._problem, self._asked.engine
        arrays = given(problem)
        if engine == "ordering" or (engine == "auto" and (problem.links or problem.weights.worst_lateness)):
            self._ordering(arrays)
        elif engine == "pyvrp":
            self._pyvrp_alone(arrays)
        else:
            self._ruin(arrays, go_on=engine == "auto")

    def _say(self, **told: Any) -> None:
        _say(self._to, **told)

    def _ordering(self, arrays: Any) -> None:
        from dispatcher.planning.engines.ordering import Ordering

        seed, seconds = self._asked.seed, self._asked.seconds
        Ordering(self._problem, seed, arrays).run(0.0001, hot=1, cold=1)
        self._say(ready="ordering")
        unit = max(1.0, float(arrays.metres.mean()) * self._problem.weights.distance)
        times = max(1, min(BEGINS, int(seconds / SETTLES_S / len(self._problem.visits))))
        for i in range(times):
            search = Ordering(self._problem, seed + i, arrays)
            self._say(plan=search.plan.routes)
            search.run(seconds / times, hot=ORDERING_HEAT[0] * unit, cold=ORDERING_HEAT[1] * unit)
            self._say(plan=search.plan.routes)

    def _pyvrp_alone(self, arrays: Any) -> None:
        from dispatcher.planning.engines.pyvrp import Searched

        searched = Searched(self._problem, arrays)
        self._say(ready="PyVRP")
        self._say(plan=searched.run(self._asked.seconds, self._asked.seed).routes)

    def _ruin(self, arrays: Any, go_on: bool) -> None:
        from dispatcher.planning.engines.given import given
        from dispatcher.planning.engines.pyvrp import Searched, maps
        from dispatcher.planning.engines.ruin import Search

        problem, seed = self._problem, self._asked.seed
        # PyVRP counts how long a route takes and how far it is, as we do, and is the better of the two at distance.
        library = go_on and not problem.weights.duration and maps(problem, arrays)
        if library and self._asked.begin is None and any(visit.prize is not None for visit in problem.visits):
            # Where much is left out, what is cheapest at the moment is a worse begin than its own.
            self._pyvrp_alone(arrays)
            return
        searched = Searched(problem, arrays) if library else None
        # What is compiled is loaded before the clock starts.
        one = replace(problem.engineers[0], locked=())
        few = replace(problem, engineers=[one], visits=problem.visits[:2], links=())
        Search(given(few), seed).run(0.0001, hot=1, cold=1)
        begin = time.monotonic()
        search = Search(arrays, seed, self._asked.begin)
        self._say(ready="ruin, then PyVRP" if library else "ruin")
        self._say(plan=search.plan.routes)
        share = FIRST_SHARE if searched else 1.0
        left = self._asked.seconds * share - (time.monotonic() - begin)
        hot, cold = FIRST_HEAT if searched else HEAT
        search.run(left, hot=hot * search.scale, cold=cold * search.scale)
        self._say(plan=search.plan.routes)
        if searched:
            left = self._asked.seconds - (time.monotonic() - begin)
            self._say(plan=searched.run(left, seed, search.plan).routes)


if __name__ == "__main__":
    main()
