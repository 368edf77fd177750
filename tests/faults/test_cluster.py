"""Three brokers, each record on all of them and acknowledged by two: one is killed, and nothing is lost or held up."""

from __future__ import annotations

import asyncio
import time

import pytest

from deploy.kafka import local as kafka
from deploy.kafka.cluster import LocalCluster
from services.chassis.bus.publisher import CHECKPOINT
from services.offline import readers
from tests.faults.ledger import Clients
from tests.faults.scenarios import must_be_on_topic
from tests.faults.single import Single

LACKS = kafka.missing()
PUBLISHED_WITHIN_S = 30.0


@pytest.fixture
def cluster(tmp_path):
    if LACKS:
        pytest.skip(LACKS)
    cluster = LocalCluster(tmp_path / "kafka")
    cluster.start()
    yield cluster
    cluster.stop()


def test_one_of_three_brokers_is_killed(cluster, tmp_path, rng):
    bus = {"FIELDLOOP_BUS": f"kafka:{cluster.bootstrap}", "FIELDLOOP_REPLICATION": str(len(cluster.brokers))}
    with Single(tmp_path / "data", tmp_path / "up.log", **bus) as single:
        clients = Clients(single.settings, single.url, "cluster")

        async def story():
            async with clients.asking() as told:
                await told.served(20)
                await asyncio.to_thread(rng.choice(cluster.brokers).kill)
                killed = time.monotonic()
                await told.served(20)
                await published(single)
                print(f"published on {time.monotonic() - killed:.1f} s after a broker was killed")
            assert told.repeated == {}, told
            await single.must_hold(told)
            async with readers(single.settings, ["intake"]) as journals:
                head = (await journals["intake"].head()).position
            await must_be_on_topic(cluster.bootstrap, "intake", head)

        asyncio.run(asyncio.wait_for(story(), 180))


async def published(single):
    """Wait until all that is recorded by now is acknowledged by the brokers that are left."""
    async with readers(single.settings, ["intake"]) as journals:
        journal = journals["intake"]
        head = (await journal.head()).position
        async with asyncio.timeout(PUBLISHED_WITHIN_S):
            while (await journal.checkpoints())[CHECKPOINT] < head:
                await asyncio.sleep(0.1)
