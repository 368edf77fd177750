"""The local broker is a real Kafka: what it acknowledged outlives a crash, large messages fit, groups rebalance."""

import asyncio
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.kafka.local import BOOTSTRAP, LocalKafka, choose, install, jars, missing, verify

needs_kafka = pytest.mark.skipif(bool(missing()), reason=str(missing()))
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def bootstrap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with LocalKafka(tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka.bootstrap


@needs_kafka
def test_what_is_produced_is_consumed(bootstrap: str) -> None:
    async def scenario() -> None:
        await create_topic(bootstrap, "round-trip")
        async with producing(bootstrap) as producer:
            await producer.send_and_wait("round-trip", b"opened", key=b"r-1", headers=[("ce_type", b"OrderOpened")])
        record = await first_record(bootstrap, "round-trip")
        assert (record.key, record.value, record.headers) == (b"r-1", b"opened", (("ce_type", b"OrderOpened"),))

    run(scenario())


@needs_kafka
def test_a_message_of_10_mib_fits(bootstrap: str) -> None:
    async def scenario() -> None:
        await create_topic(bootstrap, "large")
        photo = bytes(range(256)) * (10 * MIB // 256)
        async with producing(bootstrap) as producer:
            await producer.send_and_wait("large", photo)
        assert (await first_record(bootstrap, "large")).value == photo

    run(scenario())


@needs_kafka
def test_an_undeclared_topic_is_not_created(bootstrap: str) -> None:
    async def scenario() -> None:
        async with AIOKafkaConsumer(bootstrap_servers=bootstrap) as consumer:
            consumer.subscribe(["undeclared"])
            await consumer.topics()
            assert "undeclared" not in await consumer.topics()

    run(scenario())


@needs_kafka
def test_an_acknowledged_message_outlives_a_killed_broker(tmp_path: Path) -> None:
    async def scenario(kafka: LocalKafka) -> None:
        await create_topic(kafka.bootstrap, "kept")
        async with producing(kafka.bootstrap) as producer:
            await producer.send_and_wait("kept", b"before")
            await asyncio.to_thread(kafka.kill)
            assert kafka.pid is None
            await asyncio.to_thread(kafka.start)
            # The same producer goes on, because the broker came back at the same address.
            await producer.send_and_wait("kept", b"after")
        async with reading(kafka.bootstrap, "kept") as consumer:
            assert [(await consumer.getone()).value for _ in range(2)] == [b"before", b"after"]

    with LocalKafka(tmp_path) as kafka:
        run(scenario(kafka))


@needs_kafka
def test_two_members_share_a_group_and_one_takes_over(bootstrap: str) -> None:
    async def scenario() -> None:
        await create_topic(bootstrap, "shared", partitions=2)
        first, second = Member(bootstrap, "shared"), Member(bootstrap, "shared")
        async with first.consumer:
            await first.owns(2)
            async with second.consumer:
                await asyncio.gather(first.owns(1), second.owns(1))
                assert first.owned.isdisjoint(second.owned)
            await first.owns(2)

    run(scenario())


@needs_kafka
def test_any_process_that_knows_the_directory_can_stop_the_broker(tmp_path: Path) -> None:
    with LocalKafka(tmp_path) as kafka:
        same = LocalKafka(tmp_path)
        assert same.start() == kafka.bootstrap
        assert same.pid == kafka.pid
        same.stop()
        assert kafka.pid is None


@needs_kafka
def test_a_broker_that_gives_up_says_why(tmp_path: Path, bootstrap: str) -> None:
    taken = int(bootstrap.split(":")[1])
    with pytest.raises(RuntimeError, match="Address already in use"):
        LocalKafka(tmp_path, port=taken).start()


@needs_kafka
def test_a_jar_that_is_not_the_pinned_one_is_refused(tmp_path: Path) -> None:
    install()
    copy = shutil.copytree(jars(), tmp_path / "jars")
    verify(copy)
    next(copy.glob("kafka-clients-*.jar")).write_bytes(b"something else")
    with pytest.raises(RuntimeError, match=r"not as pinned in jars.sha256: kafka-clients-[\d.]+jar$"):
        verify(copy)


@pytest.mark.parametrize(
    ("named", "lacks", "engine", "chosen"),
    [
        ("broker:9092", None, True, "bootstrap"),
        ("", None, True, "java"),
        ("", "Java 17", True, "docker"),
        ("", "Java 17", False, None),
    ],
)
def test_a_named_broker_goes_before_java_and_java_before_docker(
    named: str, lacks: str | None, engine: bool, chosen: str | None
) -> None:
    assert choose(needs=lambda: lacks, engine=lambda: engine, env={BOOTSTRAP: named}) == chosen


class Member(ConsumerRebalanceListener):
    """One consumer of a group, which can be asked to wait until it owns so many partitions."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self.owned: set[TopicPartition] = set()
        self.changed = asyncio.Condition()
        self.consumer = AIOKafkaConsumer(
            bootstrap_servers=bootstrap, group_id=topic, heartbeat_interval_ms=100, auto_offset_reset="earliest"
        )
        self.consumer.subscribe([topic], listener=self)

    async def owns(self, count: int) -> None:
        async with self.changed:
            await self.changed.wait_for(lambda: len(self.owned) == count)

    async def on_partitions_assigned(self, assigned: Collection[TopicPartition]) -> None:
        async with self.changed:
            self.owned = set(assigned)
            self.changed.notify_all()

    async def on_partitions_revoked(self, revoked: Collection[TopicPartition]) -> None:
        self.owned = set()


def run(scenario) -> None:
    """Run to the end, or fail after a minute."""
    asyncio.run(asyncio.wait_for(scenario, timeout=60))


async def create_topic(bootstrap: str, name: str, partitions: int = 1) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        answer = await admin.create_topics([NewTopic(name, partitions, 1, topic_configs={"retention.ms": "-1"})])
        assert [error for _, error, *_ in answer.topic_errors] == [0]
    finally:
        await admin.close()


def producing(bootstrap: str) -> AIOKafkaProducer:
    return AIOKafkaProducer(bootstrap_servers=bootstrap, enable_idempotence=True, max_request_size=16 * MIB)


def reading(bootstrap: str, topic: str) -> AIOKafkaConsumer:
    return AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")


async def first_record(bootstrap: str, topic: str):
    async with reading(bootstrap, topic) as consumer:
        return await consumer.getone()
