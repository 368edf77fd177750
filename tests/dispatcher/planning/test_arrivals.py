"""A day as it comes: nobody acts on what was not heard of yet, and what was promised is kept."""

import random
from dataclasses import replace

import pytest

from dispatcher.planning import planner
from dispatcher.planning.arrivals import Released, check_played, play
from dispatcher.planning.engines.given import given
from dispatcher.planning.engines.ruin import Search
from dispatcher.planning.model import Plan
from dispatcher.planning.planner import Engine
from tests.dispatcher.planning import problems

SEEDS = range(12)


def released(seed: int) -> Released:
    problem = replace(problems.routing(seed), depot=22)
    lasting = [replace(one, longest=None, overtime=0) for one in problem.engineers]
    chance = random.Random(seed)
    release = [chance.choice((-1, chance.randrange(40_000))) for _ in problem.visits]
    weights = replace(problem.weights, distance=0, duration=1, route=0, stranger=0)
    return Released(replace(problem, engineers=lasting, weights=weights), release)


def inserted(problem, begin, now):
    return Search(given(problem), 1, begin).plan


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_is_played_without_foreknowledge(seed):
    day = released(seed)
    played = play(day, inserted)
    checked = check_played(day, played)
    assert checked.violations == ()
    assert played.plan.served | set(played.refused) == set(range(len(day.release)))
    assert not played.plan.served & set(played.refused)


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_heard_of_later_changes_nothing_of_what_was_done_before(seed):
    day = released(seed)
    middle = sorted(day.release)[len(day.release) // 2]
    known = [i for i, at in enumerate(day.release) if at <= middle]
    fewer = Released(
        replace(day.problem, visits=[day.problem.visits[i] for i in known]), [day.release[i] for i in known]
    )
    whole, part = play(day, inserted), play(fewer, inserted)
    for all_left, some_left in zip(whole.left, part.left, strict=True):
        assert [one for one in all_left if one[1] <= middle] == [one for one in some_left if one[1] <= middle]


def test_a_search_that_drops_what_was_promised_is_found_out():
    day = released(1)

    def forgetful(problem, begin, now):
        found = inserted(problem, begin, now)
        return found if now < 0 else replace(found, routes=[() for _ in found.routes])

    with pytest.raises(ValueError, match="which were promised"):
        play(day, forgetful)


def test_foreknowledge_is_found_out():
    day = released(1)
    played = play(replace(day, release=[-1] * len(day.release)), inserted)
    assert any("before it was heard of" in found.text for found in check_played(day, played).violations)


def test_a_child_that_is_gone_leaves_the_plan_as_it_is():
    problem, nobody = released(1).problem, Plan([()] * 4)
    engine = Engine()
    try:
        first = engine.better(problem, nobody, 0.0)
        assert first.served
        engine._child.kill()
        engine._child.wait()
        assert engine.better(problem, nobody, 0.0) == nobody
        assert engine.better(problem, nobody, 0.0) == first
    finally:
        engine.close()


def test_a_plan_that_is_worse_or_breaks_a_rule_is_not_taken(monkeypatch):
    problem, nobody = released(1).problem, Plan([()] * 4)
    engine = Engine()
    try:
        first = engine.better(problem, nobody, 0.0)
        monkeypatch.setattr(planner, "_plan", lambda routes: Plan([(0, 1, 2, 3), (0,), (), ()]))
        assert engine.better(problem, first, 0.0) == first
    finally:
        engine.close()
