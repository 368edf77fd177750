"""Days that nobody has lived through: whatever goes wrong in them, the promises hold once it is over."""

import asyncio
import os
import subprocess
import sys
from random import Random

import pytest

from tests.simulation.__main__ import REPO, days, founded, regressions, repeat
from tests.simulation.loop import LIFE, Life, SimLoop, Stuck
from tests.simulation.shrinking import minimal

DAYS = int(os.environ.get("FIELDLOOP_TEST_DAYS", "300"))
FIRST = int(os.environ.get("FIELDLOOP_TEST_SEED", "1"))


@pytest.fixture
def loop():
    made = SimLoop(Random(7))
    yield made
    made.close()


def test_time_jumps_to_the_next_timer(loop):
    async def story():
        await asyncio.sleep(86_400)
        return loop.time()

    assert loop.run_until_complete(story()) == 86_400


def test_what_is_ready_at_once_runs_in_the_order_of_the_seed():
    def order(seed):
        loop, ran = SimLoop(Random(seed)), []

        async def one(number):
            await asyncio.sleep(1)
            ran.append(number)

        async def story():
            await asyncio.gather(*[one(n) for n in range(6)])

        loop.run_until_complete(story())
        loop.close()
        return tuple(ran)

    assert order(1) == order(1)
    assert len({order(seed) for seed in range(20)}) > 10


def test_of_a_life_that_has_ended_nothing_runs_any_more(loop):
    life, ran = Life("one"), []

    async def lives():
        try:
            await asyncio.sleep(1)
            ran.append("went on")
        finally:
            ran.append("tidied up")

    async def story():
        task = loop.task_of(life, lives())
        loop.graveyard.append(task)
        task._log_destroy_pending = False
        await asyncio.sleep(0.5)
        life.end()
        await asyncio.sleep(5)

    loop.run_until_complete(story())
    assert ran == []
    assert LIFE.get() is None


def test_a_thread_may_not_speak_to_it_and_its_work_is_done_in_turn(loop):
    async def story():
        assert await asyncio.to_thread(lambda: 42) == 42
        with pytest.raises(Stuck):
            loop.call_soon_threadsafe(print)

    loop.run_until_complete(story())


def test_a_world_in_which_nothing_can_happen_any_more_says_so(loop):
    async def story():
        await loop.create_future()

    with pytest.raises(Stuck, match="nothing can happen"):
        loop.run_until_complete(story())


def test_shrinking_leaves_what_matters():
    assert minimal(list(range(40)), lambda some: {3, 29} <= set(some)) == [3, 29]
    assert minimal([1, 2, 3], lambda some: True) == []


def test_the_same_seed_is_the_same_day_also_under_another_order_of_hashes():
    seeds = [FIRST, FIRST + 1, FIRST + 2]
    told = "import json,sys; from tests.simulation.world import Plan, run\n"
    told += "for n in sys.argv[1:]: r = run(Plan.of(int(n))); print(r.log_hash, r.views_hash, r.events)"

    def lived(hash_seed):
        env = {**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(REPO)}
        command = [sys.executable, "-c", told, *map(str, seeds)]
        return subprocess.run(command, cwd=REPO, env=env, capture_output=True, text=True, check=True).stdout

    with founded():
        first = lived("0")
        assert len(first.splitlines()) == len(seeds)
        assert lived("1") == first


def test_whatever_goes_wrong_in_a_day_the_promises_hold_afterwards():
    """FIELDLOOP_TEST_DAYS and FIELDLOOP_TEST_SEED say how many days, and from which seed on."""
    failed, lived, events, crashes = [], 0, 0, 0
    with founded():
        for result in days([*regressions(), *range(FIRST, FIRST + DAYS)], os.cpu_count() or 1):
            lived, events, crashes = lived + 1, events + result["events"], crashes + result["starts"] - 6
            if result["violations"]:
                failed.append(f"{repeat(result['seed'])} --shrink\n  {result['violations'][:3]}")
    print(f"{lived} days from seed {FIRST} on, {events} events, {crashes} restarts")
    assert lived == DAYS + len(regressions())
    assert not failed, "\n".join(failed)
