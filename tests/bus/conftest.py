"""The real broker, one for the whole session, and the two buses that pass one suite."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.kafka.local import LocalKafka, engine_answers, missing
from deploy.kafka.local import _container as container
from services.chassis.bus.kafka import Cluster
from tests.bus.harness import Bus, Embedded, Kafka

NAMED = "FIELDLOOP_TEST_KAFKA"
"""The address of a broker to test against. Its topics of ours are deleted and made anew: never one that is in use."""


@pytest.fixture(scope="session")
def kafka_broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kafka]:
    """A running Kafka: the one that is named for tests, else our own from jars, else a container."""
    folder = tmp_path_factory.mktemp("kafka")
    if named := os.environ.get(NAMED):
        yield Kafka(Cluster.named(named))
    elif missing() is None:
        with LocalKafka(folder) as local:
            yield Kafka(Cluster.named(local.bootstrap), local)
    elif engine_answers():
        with container() as bootstrap:
            yield Kafka(Cluster.named(bootstrap))
    else:
        pytest.skip(f"{missing()}, or a Docker engine, or name a broker in {NAMED}")


@pytest.fixture
def kafka(kafka_broker: Kafka) -> Kafka:
    """The same broker, with empty topics."""
    asyncio.run(kafka_broker.clear())
    return kafka_broker


@pytest.fixture(params=["embedded", "kafka"])
def bus(request: pytest.FixtureRequest, tmp_path: Path) -> Bus:
    if request.param == "embedded":
        return Embedded(tmp_path)
    kafka: Kafka = request.getfixturevalue("kafka")
    return kafka
