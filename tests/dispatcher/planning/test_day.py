"""A day in the product: what the services recorded is what the planner decided, and breaks no rule."""

import asyncio
from dataclasses import replace

import pytest

from dispatcher.planning.arrivals import check_played
from dispatcher.planning.day import in_seconds, lived, violations
from dispatcher.planning.formats.benchmark import ReleasedBenchmark
from tests.dispatcher.planning.test_arrivals import released

DAY = ReleasedBenchmark("invented", released(3), 1, "served")


@pytest.fixture(scope="module")
def found():
    return asyncio.run(lived(DAY, 0.0, 1, before=0.0))


def test_a_day_is_played_through_the_services(found):
    assert violations(found) == []
    served, refused = found.played.plan.served, found.played.refused
    assert len(served) + len(refused) == len(DAY.problem.release) == found.counts["requests"]
    assert found.counts["visits_completed"] == found.counts["orders_finished"] == len(served) > 10
    used = sum(n for i in served for n in found.released.problem.visits[i].parts.values())
    assert found.counts["parts_used"] == used > 0


def test_what_fieldwork_records_otherwise_is_found(found):
    row = next(i for i, begins in enumerate(found.played.begins) if begins)
    early = tuple((at[0] - 5_000, *at[1:]) if i == row else at for i, at in enumerate(found.played.begins))
    assert check_played(found.released, replace(found.played, begins=early)).violations
    assert violations(replace(found, counts=found.counts | {"orders_finished": 0}))


def test_an_instance_in_whole_seconds_is_no_easier():
    fine, unit = in_seconds(ReleasedBenchmark("fine", released(3), 7, "served"))
    assert unit == 7 * 12 * 3600 // 60_000
    for was, now in zip(DAY.problem.problem.visits, fine.problem.visits, strict=True):
        assert now.window[0] * 7 >= was.window[0] * unit
        assert now.window[1] * 7 <= was.window[1] * unit
        assert now.duration * 7 >= was.duration * unit
    assert (fine.problem.travel.seconds * 7 >= DAY.problem.problem.travel.seconds * unit).all()
