"""`fieldloop decision` and `fieldloop what-if`, from the stores that a dispatcher left behind."""

import json

import pytest
import structlog
from typer.testing import CliRunner

from services.cli import app
from tests.dispatcher import test_running

told = test_running.told


@pytest.fixture
def stores(told, tmp_path):
    async def story(desk):
        await desk.register("e-1")
        await desk.register("e-2", home_lat_udeg=39_990_000)
        await desk.quiet()
        await desk.open()
        await desk.open("o-2")
        await desk.quiet()

    told(story)
    yield tmp_path
    # The command logs to a stream that ends with it.
    structlog.reset_defaults()


def ask(stores, *words):
    done = CliRunner().invoke(app, ["--data", str(stores), *words, "--tenant", "t-1", "--json"])
    return done.exit_code, json.loads(done.stdout) if done.exit_code < 2 else done.output


def test_a_decision_is_told_by_its_own_id_and_by_its_orders_and_decided_again(stores):
    code, by_order = ask(stores, "decision", "o-1", "--again")
    assert (code, by_order["same"], by_order["engineer_id"]) == (0, True, "e-1")
    assert [one["cost"] for one in by_order["considered"]] == [0, 145]
    assert by_order["again"]["travel_hash"] == by_order["travel_hash"]
    code, by_id = ask(stores, "decision", by_order["decision_id"], "--again")
    assert (code, by_id) == (0, by_order)
    assert "nothing was decided of o-9" in ask(stores, "decision", "o-9")[1]


def test_the_recorded_rules_come_to_the_recorded_plan_and_others_stand_beside(stores):
    code, found = ask(stores, "what-if", "--without", "e-1")
    assert (code, found["recorded"]["as_recorded"], found["recorded"]["decisions"]) == (0, 2, 2)
    assert found["what_if"]["travel_km"] > found["recorded"]["travel_km"]
    assert "there is no such figure" in ask(stores, "what-if", "--rule", "speed=9")[1]
    assert ask(stores, "what-if", "--rule", "points_a_booking=much")[0] == 2
