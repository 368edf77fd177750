"""One installation of real processes for all that is done to them here, ended with its module."""

from __future__ import annotations

import os
import time
from random import Random

import pytest

from deploy.kafka import local as kafka
from deploy.postgres import local as postgres
from tests.faults.ground import Ground

LACKS = kafka.missing() or postgres.missing()
SEED = int(os.environ.get("FIELDLOOP_TEST_SEED", "0")) or int(time.time())


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    if LACKS:
        pytest.skip(f"real processes: {LACKS}")
    ground = Ground(tmp_path_factory.mktemp("ground"))
    try:
        ground.up()
        yield ground
    finally:
        ground.close()


@pytest.fixture
def rng(request) -> Random:
    """The seed is printed; FIELDLOOP_TEST_SEED repeats it."""
    print(f"FIELDLOOP_TEST_SEED={SEED}")
    return Random(f"{SEED}-{request.node.name}")
