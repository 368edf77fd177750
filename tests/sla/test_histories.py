"""Histories of clocks with their answers: the domain and a counter that shares nothing with it must both give them."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.sla import brute, cases
from tests.sla.generate import GOLDEN, STARTS, history

HERE = Path(__file__).parent
THREADS = yaml.safe_load((HERE / "threads.yaml").read_text())
MADE = yaml.safe_load(GOLDEN.read_text())

REPORTED = [
    "glpi-project/glpi#6902",
    "glpi-project/glpi#15605",
    "glpi-project/glpi#23359",
    "glpi-project/glpi#15355",
    "glpi-project/glpi#16722",
    "zammad/zammad#5177",
    "zammad/zammad#5624",
    "zammad/zammad#1322",
    "zammad/zammad#904",
    "frappe/helpdesk#2405",
    "frappe/helpdesk#1675",
    "osTicket/osTicket#6524",
    "frappe/helpdesk#2212",
    "chatwoot/chatwoot#14009",
    "glpi-project/glpi#20077",
]
"""The threads about wrong clocks and split shifts of our study of the field."""


@pytest.mark.parametrize("case", THREADS, ids=lambda case: case["name"])
def test_what_was_worked_by_hand_is_what_the_clock_says(case):
    assert cases.answer(case) == case["answer"], case["worked"]


@pytest.mark.parametrize("case", THREADS, ids=lambda case: case["name"])
def test_what_was_worked_by_hand_is_what_counting_minutes_gives(case):
    assert brute.answer(case) == case["answer"], case["worked"]


def test_every_reported_thread_has_a_history():
    assert set(REPORTED) <= {case.get("thread") for case in THREADS}


@pytest.mark.parametrize("case", MADE, ids=lambda case: case["name"])
def test_what_was_counted_is_what_the_clock_says(case):
    assert cases.answer(case) == case["answer"]


def test_what_was_counted_is_still_what_counting_gives():
    """A tenth of them, so that the file and the counter are of one mind."""
    for case in MADE[::10]:
        assert brute.answer(case) == case["answer"], case["name"]


def test_the_histories_are_many_and_of_all_kinds():
    assert len(THREADS) + len(MADE) >= 200
    assert len({repr(case["facts"]) + repr(case["terms"]) for case in MADE}) == len(MADE)
    states = Counter(case["answer"]["state"] for case in MADE)
    assert {state for state, count in states.items() if count >= 10} >= {"running", "paused", "stopped", "none"}, states
    assert states["cancelled"] >= 10
    assert sum(case["answer"]["breached"] for case in MADE) >= 40
    assert sum(case["answer"]["waited"] > 0 for case in MADE) >= 30
    words = Counter(word for case in MADE for word in set(re.findall(r"Z (\w+)", " ".join(case["facts"]))))
    assert min(words[word] for word in ("pause", "resume", "stop", "reset", "cancel", "reopen")) >= 40, words


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 2**32), number=st.integers(0, len(STARTS) - 1))
def test_the_clock_says_what_counting_minutes_gives(seed, number):
    case = history(Random(seed), number)
    assert cases.answer(case) == brute.answer(case)


@settings(max_examples=200, deadline=None)
@given(seed=st.integers(0, 2**32), number=st.integers(0, len(STARTS) - 1), order=st.randoms(use_true_random=False))
def test_in_whatever_order_facts_are_known_the_clock_is_the_same(seed, number, order):
    case = history(Random(seed), number)
    # Of one instant the first known goes first, so only what is at different instants is known in any order.
    apart = {fact.split()[0]: fact for fact in case["facts"]}
    facts = [*apart.values()]
    shuffled = order.sample(facts, len(facts))
    assert cases.answer(case | {"facts": shuffled}) == cases.answer(case | {"facts": sorted(facts)})


@settings(max_examples=150, deadline=None)
@given(
    calendar=st.sampled_from([*brute.CALENDARS]),
    start=st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 20), timezones=st.just(UTC)),
    minutes=st.integers(0, 6_000),
)
def test_business_time_is_what_counting_minutes_gives(calendar, start, minutes):
    start = start.replace(second=0, microsecond=0)
    end = start + timedelta(minutes=minutes)
    counted = sum(brute.counts(calendar, start + timedelta(minutes=minute)) for minute in range(minutes))
    reckoned = cases.CALENDARS[calendar].as_if_known()
    first, last = cases.micros(start.isoformat()), cases.micros(end.isoformat())
    assert reckoned.between(first, last) == counted * cases.MINUTE
