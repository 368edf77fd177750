"""What the running clients are set to, read from them: each of these defaults is wrong for a log of facts."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from faststream import AckPolicy

from contracts.topics import public_topic
from services.chassis.bus.channels import channels, subscribe
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import DeadLetterFile
from services.chassis.bus.kafka import MAX_REQUEST, Cluster, KafkaDeadLetters, NotSent
from services.chassis.journal.postgres import TTL_S
from tests.bus.harness import PUBLISHER, READER, Kafka, forged, node, received, run, until

MIB = 1024 * 1024


@asynccontextmanager
async def group(kafka: Kafka, folder: Path) -> AsyncIterator[tuple[Any, Any]]:
    """The broker for the edge with one subscriber, both running."""
    broker = channels(kafka.cluster)

    async def ignore(*_: Any) -> None: ...

    subscriber = subscribe(broker, PUBLISHER, ignore, group="crm", dead_letters=DeadLetterFile(folder / "dead"))
    async with broker:
        await broker.start()
        yield broker, subscriber


def check_producer(producer: AIOKafkaProducer) -> None:
    assert producer._sender._acks == -1  # all
    assert producer._txn_manager is not None  # idempotent
    assert producer._txn_manager.transactional_id is None
    assert producer._request_timeout_ms / 1000 < TTL_S
    assert producer._max_request_size == MAX_REQUEST > 10 * MIB


def test_producers(kafka: Kafka, tmp_path: Path) -> None:
    async def story() -> None:
        async with node(PUBLISHER, tmp_path / "j") as intake, kafka.publishing(intake) as publisher:
            await intake.say(received("r-1"))
            await until(lambda: publisher.state.position == 1)
            check_producer(publisher.outlet.producer)
        letters = KafkaDeadLetters(READER, kafka.cluster)
        async with node(READER, tmp_path / "d") as dispatcher, kafka.taking_in(dispatcher, intake):
            await until(lambda: dispatcher.has(1))
        await letters.close()
        async with group(kafka, tmp_path) as (broker, _):
            check_producer(broker.config.producer._producer.producer)

    run(story())


def test_the_consumer_of_a_service(kafka: Kafka, tmp_path: Path) -> None:
    async def story() -> None:
        async with node(PUBLISHER, tmp_path / "j") as intake, node(READER, tmp_path / "d") as dispatcher:
            async with kafka.taking_in(dispatcher, intake) as (_, watched):
                feed: Any = watched.feed
                await until(lambda: feed.consumer)
                consumer: AIOKafkaConsumer = feed.consumer
                assert consumer._group_id is None  # no group: nobody can take a partition away, or move an offset
                assert consumer._enable_auto_commit is False
                assert consumer._auto_offset_reset == "none"
                assert consumer._isolation_level == "read_uncommitted"
                assert len(consumer.assignment()) == 12
            assert feed.consumer is None

    run(story())


def test_the_consumer_of_a_group(kafka: Kafka, tmp_path: Path) -> None:
    async def story() -> None:
        async with group(kafka, tmp_path) as (_, subscriber):
            consumer: AIOKafkaConsumer = subscriber.consumer
            assert consumer._group_id == "crm"
            assert consumer._auto_offset_reset == "earliest"
            assert consumer._isolation_level == "read_uncommitted"
            assert consumer._enable_auto_commit is False
            assert consumer._session_timeout_ms == 30_000
            assert subscriber.ack_policy is AckPolicy.NACK_ON_ERROR

    run(story())


def test_a_subscriber_makes_no_topic(kafka: Kafka, tmp_path: Path) -> None:
    async def story() -> None:
        broker = channels(kafka.cluster)
        assert broker.config.allow_auto_create_topics is False

        async def ignore(*_: Any) -> None: ...

        subscribe(broker, "quality", ignore, group="crm", dead_letters=DeadLetterFile(tmp_path / "dead"))
        starting = asyncio.create_task(broker.start())  # without its topic it may wait, or begin without partitions
        async with AIOKafkaConsumer(bootstrap_servers=list(kafka.cluster.bootstrap)) as consumer:
            for _ in range(20):
                assert public_topic("quality") not in await consumer.topics()
        starting.cancel()
        await asyncio.gather(starting, return_exceptions=True)
        await broker.stop()

    run(story())


def test_several_addresses_are_several_hosts(kafka: Kafka) -> None:
    cluster = Cluster.named(f"127.0.0.1:1, {kafka.cluster.bootstrap[0]}")
    assert cluster.bootstrap == ["127.0.0.1:1", kafka.cluster.bootstrap[0]]

    async def story() -> None:
        # The first one refuses; a client that took the list for one host would not come to the second.
        async with AIOKafkaConsumer(**cluster.clients) as consumer:
            await until(consumer.topics)  # those made just now may take a moment to be known
        async with channels(cluster) as broker:
            await until(lambda: broker.ping(5.0))
        letters = KafkaDeadLetters(READER, cluster)
        await until(lambda: is_left(letters))
        await letters.close()

    run(story())


async def is_left(letters: KafkaDeadLetters) -> bool:
    try:
        await letters.leave(Record(PUBLISHER, f"{public_topic(PUBLISHER)}/0", 0, forged(1)), "unreadable")
    except NotSent:  # a busy machine
        return False
    return True
