"""
Real processes, Kafka and PostgreSQL are harmed while clients ask: acknowledged and lost 0, doubled 0.

Here a little of each; `make chaos` goes on for as long as it is told.
"""

from __future__ import annotations

import asyncio

from deploy.local import TWICE
from services.chassis.journal.postgres import TTL_S
from tests.faults import scenarios

WITHIN_S = 300


def run(story):
    return asyncio.run(asyncio.wait_for(story, WITHIN_S))


def test_kill_9_of_any_process(ground, rng):
    run(scenarios.kills(ground, "kills", rng, times=24))


def test_a_stopped_process_that_lost_its_lease_does_not_write(ground):
    run(scenarios.stopped_holder(ground, "stopped", "intake", seconds=TTL_S + 3))


def test_a_broker_that_is_away_stops_no_answer_and_loses_nothing(ground):
    run(scenarios.broker_down(ground, "broker", seconds=45))


def test_crashes_of_postgres(ground, rng):
    run(scenarios.postgres_crashes(ground, "postgres", rng, times=3))


def test_lines_that_are_slow_cut_or_stand_still(ground, rng):
    run(scenarios.network(ground, "network", rng, rounds=1))


def test_a_rolling_restart_fails_no_call(ground):
    run(scenarios.rolling_restart(ground, "rolling", TWICE, times=1))


def test_what_was_rebuilt_after_all_this_equals_what_lives(ground):
    run(ground.must_be_rebuilt_equal())
