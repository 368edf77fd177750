"""Engines reckon as the evaluator does, and break no rule. Their clock here counts its own calls."""

import itertools
import random
from dataclasses import replace

import pytest

from dispatcher.planning.check import check
from dispatcher.planning.engines.clock import NEVER
from dispatcher.planning.engines.given import given
from dispatcher.planning.engines.ordering import Ordering
from dispatcher.planning.engines.pyvrp import Searched, maps
from dispatcher.planning.engines.routes import cheapest, empty_routes, put, rebuilt
from dispatcher.planning.engines.ruin import Search
from dispatcher.planning.engines.team_days import TeamDays
from dispatcher.planning.model import CALL, Plan, Unfit
from dispatcher.planning.teams import Member, TeamProblem, Work, check_teams
from tests.dispatcher.planning import problems

SEEDS = range(12)


def counted():
    count = itertools.count()
    return lambda: float(next(count))


@pytest.mark.parametrize("kind", [problems.routing, problems.of_days])
@pytest.mark.parametrize("seed", SEEDS)
def test_ruin_and_recreate_costs_what_the_evaluator_says_and_breaks_nothing(seed, kind):
    problem = kind(seed)
    search = Search(given(problem), seed)
    before = search.cost
    search.run(40, hot=search.scale, cold=search.scale / 100, clock=counted())
    checked = check(problem, search.plan)
    assert (checked.violations, checked.cost) == ((), search.cost)
    assert search.cost <= before


@pytest.mark.parametrize("kind", [problems.routing, lambda seed: problems.of_days(seed, breaks=False)])
@pytest.mark.parametrize("seed", SEEDS)
def test_insertion_finds_the_cheapest_of_all_places(seed, kind):
    problem = kind(seed)
    arrays = given(problem)
    routes = empty_routes(arrays, len(problem.visits))
    chance = random.Random(seed)
    row = chance.randrange(len(problem.engineers))
    stops: tuple[int, ...] = ()
    assert rebuilt(arrays, routes, row) < 0

    def cost(route):
        alone = check(problem, Plan([route if i == row else () for i in range(len(problem.engineers))]))
        broken = [found for found in alone.violations if found.rule != "left out"]
        left_out = [problem.visits[i] for i in alone.left_out]
        prizes = sum(visit.prize + problem.weights.change * (visit.told is not None) for visit in left_out)
        return None if broken else alone.cost - prizes

    for visit in chance.sample(range(len(problem.visits)), len(problem.visits)):
        if not arrays.fit[row, visit]:
            continue
        base = cost(stops) if stops else 0
        bare = tuple(stop for stop in stops if stop != CALL)
        ways = [(*stops[:i], visit, *stops[i:]) for i in range(len(stops) + 1)]
        if CALL not in stops and problem.depot is not None and all(cost(way) is None for way in ways):
            with_visit = [(*bare[:i], visit, *bare[i:]) for i in range(len(bare) + 1)]
            ways = [(*way[:i], CALL, *way[i:]) for way in with_visit for i in range(way.index(visit) + 1)]
        added = [found - base for way in ways if (found := cost(way)) is not None]
        told, at, call = cheapest(arrays, routes, row, visit, NEVER, 0.0)
        if CALL in stops:
            # She may call earlier now and then, which is cheaper then.
            assert (at >= 0) >= bool(added) and (not added or told <= min(added))
        else:
            assert (at >= 0, told) == (bool(added), min(added, default=NEVER))
        if at >= 0:
            assert put(arrays, routes, row, visit, at, call) < 0
            bare = tuple(int(v) for v in routes.visits[row, : routes.n[row]])
            stops = (*bare[:call], CALL, *bare[call:]) if call >= 0 else bare
            assert cost(stops) == routes.cost[row]


@pytest.mark.parametrize("kind", [problems.routing, problems.of_days])
@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_locked_stays_at_the_begin(seed, kind):
    problem = kind(seed)
    first = Search(given(problem), seed).plan
    kept = [tuple(stop for stop in route if stop >= 0)[:2] if CALL not in route[:4] else () for route in first.routes]
    locked = [replace(one, locked=stops) for one, stops in zip(problem.engineers, kept, strict=True)]
    again = replace(problem, engineers=locked)
    search = Search(given(again), seed, first)
    search.run(40, hot=search.scale, cold=search.scale / 100, clock=counted())
    assert check(again, search.plan).violations == ()


@pytest.mark.parametrize("seed", SEEDS)
def test_an_ordering_costs_what_the_evaluator_says_and_keeps_links(seed):
    problem = problems.linked(seed)
    search = Ordering(problem, seed)
    before = search.cost
    search.run(40, hot=3000, cold=30, clock=counted())
    checked = check(problem, search.plan)
    assert (checked.violations, checked.cost) == ((), search.cost)
    assert search.cost < before


def test_an_ordering_knows_breaks_windows_pins_and_the_most_of_a_day():
    found = []
    for seed in SEEDS:
        problem = problems.linked_days(seed)
        search = Ordering(problem, seed)
        search.run(60, hot=3000, cold=30, clock=counted())
        checked = check(problem, search.plan)
        # Some of these have no plan that breaks nothing: then it knows that its own breaks something.
        assert search.cost == checked.cost if not checked.violations else search.cost > checked.cost, seed
        found.append(checked.violations)
    assert found.count(()) >= len(SEEDS) / 2


def test_a_visit_that_nobody_may_do_is_named():
    problem = problems.linked(1)
    impossible = replace(problem.visits[9], certificates=frozenset({"height"}))
    asked = replace(problem, visits=[*problem.visits[:9], impossible, *problem.visits[10:]])
    with pytest.raises(Unfit, match="nobody may do v9"):
        Ordering(asked, 1)


def test_what_pyvrp_cannot_say_is_not_given_to_it():
    routing = replace(problems.routing(3), depot=None, weights=replace(problems.routing(3).weights, stranger=0))
    assert maps(routing, given(routing))
    with_depot = replace(routing, depot=0)
    assert not maps(with_depot, given(with_depot))
    linked = problems.linked(3)
    assert not maps(linked, given(linked))


@pytest.mark.parametrize("seed", SEEDS[:4])
def test_pyvrp_goes_on_from_a_plan_and_breaks_nothing(seed):
    problem = problems.routing(seed)
    weights = replace(problem.weights, stranger=0, overtime=0, distance=1)
    within = [replace(one, overtime=0) for one in problem.engineers]
    problem = replace(problem, depot=None, weights=weights, engineers=within)
    arrays = given(problem)
    begin = Search(arrays, seed).plan
    found = check(problem, Searched(problem, arrays).run(0.2, seed, begin))
    assert found.violations == ()
    assert found.cost <= check(problem, begin).cost


def teams(seed: int) -> TeamProblem:
    chance = random.Random(seed)
    members = [
        Member(f"m{i}", (chance.randint(0, 2), chance.randint(1, 2)), frozenset({chance.randint(1, 3)}))
        for i in range(5)
    ]
    members.append(Member("all", (2, 2)))
    work = [
        Work(
            f"w{i}",
            chance.choice((15, 60, 120)),
            chance.randint(1, 4),
            ((1, chance.randint(0, 1)), (chance.randint(0, 3), 0)),
            after=(i - 1,) if i and chance.random() < 0.2 else (),
            price=chance.randint(1, 10),
        )
        for i in range(14)
    ]
    return TeamProblem(members, work, (28, 14, 4, 1), budget=12)


@pytest.mark.parametrize("seed", SEEDS)
def test_teams_of_a_day_break_nothing(seed):
    problem = teams(seed)
    search = TeamDays(problem, seed)
    before = check_teams(problem, search.plan)
    search.run(40, hot=before.cost / 100, cold=before.cost / 3000, clock=counted())
    checked = check_teams(problem, search.plan)
    assert (before.violations, checked.violations) == ((), ())
    assert checked.cost <= before.cost
    # The engine counts the objective in thousandths, and less than a fifth of it beside.
    assert 1000 * checked.cost <= search.cost < 1200 * checked.cost


def test_work_for_which_there_are_not_enough_is_named():
    with pytest.raises(Unfit, match="w needs 2 in domain 1 at level 2; there are 1"):
        TeamProblem([Member("a", (2,)), Member("b", (1,))], [Work("w", 60, 1, ((2, 2),))], (28, 14, 4, 1))
