"""
Kafka as the bus: the topics as code, the feed of the services, and a way to send that ends when it says so.

See decisions 2 and 3. Consumed offsets lie in the journals; none are committed to Kafka by the services, whose lag is
told by their own health and metrics. Nothing is compressed: gzip costs more than a local network saves, and better
codecs would be one more dependency.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import ConsumerStoppedError, KafkaError, OffsetOutOfRangeError, for_code

from contracts import envelope as envelopes
from contracts.topics import PARTITIONS, PUBLISHERS, dead_letter_topic, journal_topic, public_topic
from services.chassis.bus.feed import Page, Record
from services.chassis.bus.ingest import Letter, in_order, without

MIB = 1024 * 1024
MAX_REQUEST: Final = 16 * MIB
"""The largest record is 10 MiB; the rest is for the batch around it."""

DELIVERY_S: Final = 4.0
"""So long a page may take to be acknowledged. Shorter than a lease (6 s), so that a successor need not wait."""

PAGE = 2_000

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Cluster:
    """Where Kafka is, how many copies it keeps, and what its clients must show to be let in."""

    bootstrap: Sequence[str]
    replication: int = 1
    """3 wherever data matters; then a message is acknowledged once two brokers have it."""
    security: Mapping[str, Any] = field(default_factory=dict)
    """As aiokafka names it: `security_protocol`, `ssl_context`, `sasl_mechanism` …"""

    @staticmethod
    def named(addresses: str, replication: int = 1) -> Cluster:
        """From a setting: `host:port`, or several of them separated by commas."""
        return Cluster([one.strip() for one in addresses.split(",")], replication)

    @property
    def clients(self) -> dict[str, Any]:
        """What every client is given."""
        return {"bootstrap_servers": list(self.bootstrap), **self.security}


async def ensure_topics(cluster: Cluster, services: Iterable[str] = tuple(PUBLISHERS)) -> None:
    """
    Create the public, the journal and the dead-letter topic of these services, where they are not there yet.

    Raises RuntimeError when Kafka refuses, or when a public topic has another number of partitions than the contract.
    """
    keep = {
        "retention.ms": "-1",
        "retention.bytes": "-1",
        "cleanup.policy": "delete",
        "min.insync.replicas": str(max(1, cluster.replication - 1)),
        "unclean.leader.election.enable": "false",
        "max.message.bytes": str(MAX_REQUEST),
    }
    partitions: dict[str, int] = {}
    for service in services:
        partitions |= {public_topic(service): PARTITIONS, journal_topic(service): 1, dead_letter_topic(service): 1}
    wanted = [NewTopic(name, n, cluster.replication, topic_configs=keep) for name, n in sorted(partitions.items())]
    admin = AIOKafkaAdminClient(**cluster.clients)
    await admin.start()
    try:
        for name, code, *rest in (await admin.create_topics(wanted)).topic_errors:
            if code and for_code(code).__name__ != "TopicAlreadyExistsError":
                raise RuntimeError(f"Kafka does not create {name}: {for_code(code).__name__} {rest}")
        for topic in await admin.describe_topics(list(partitions)):
            # One that was created just now may not be described yet (an error code); then it is as we asked for it.
            if not topic["error_code"] and len(topic["partitions"]) != partitions[topic["topic"]]:
                raise RuntimeError(
                    f"{topic['topic']} has {len(topic['partitions'])} partitions in place of "
                    f"{partitions[topic['topic']]}: the order of its keys is not what the contract promises"
                )
    finally:
        await admin.close()


class KafkaFeed:
    """A `Feed` over the public topics of these services: every partition, by assignment, without a group."""

    def __init__(self, services: Collection[str], cluster: Cluster, client_id: str = "fieldloop") -> None:
        self._service_of = {public_topic(service): service for service in sorted(services)}
        self._cluster, self._client_id = cluster, client_id
        self._closed = False
        self.consumer: AIOKafkaConsumer | None = None
        """The running client, whose settings a test reads."""

    async def close(self) -> None:
        self._closed = True
        if consumer := self.consumer:
            await consumer.stop()

    async def pages(self, offsets: Mapping[str, int]) -> AsyncGenerator[Page, None]:
        consumer = self._new_consumer()
        try:
            await self._position(consumer, offsets)
            self.consumer = consumer  # only now: one that is stopped while it starts would leave its tasks behind
            while not self._closed:
                yield await self._page(consumer)
        except ConsumerStoppedError:
            return
        finally:
            self.consumer = None
            await consumer.stop()

    def _new_consumer(self) -> AIOKafkaConsumer:
        return AIOKafkaConsumer(
            client_id=self._client_id,
            group_id=None,
            enable_auto_commit=False,
            # Where to begin is always said; an offset that is not there is an error, which we report (see `_page`).
            auto_offset_reset="none",
            # Nobody here uses transactions; a hanging one of somebody else must not hold us up.
            isolation_level="read_uncommitted",
            max_poll_records=PAGE,
            request_timeout_ms=10_000,
            retry_backoff_ms=100,
            **self._cluster.clients,
        )

    async def _position(self, consumer: AIOKafkaConsumer, offsets: Mapping[str, int]) -> None:
        await consumer.start()
        if lacks := self._service_of.keys() - await consumer.topics():
            raise KafkaError(f"no topic {', '.join(sorted(lacks))}: create them with ensure_topics")
        partitions = [TopicPartition(topic, n) for topic in self._service_of for n in range(PARTITIONS)]
        consumer.assign(partitions)
        for partition in partitions:  # nothing is awaited between, so nothing is fetched before
            consumer.seek(partition, offsets.get(_name(partition), 0))

    async def _page(self, consumer: AIOKafkaConsumer) -> Page:
        try:
            found = await consumer.getmany(timeout_ms=500)
        except OffsetOutOfRangeError as error:
            for partition, offset in error.args[0].items():
                log.error("feed.begins-again", partition=_name(partition), offset=offset)
                await consumer.seek_to_beginning(partition)
            return Page((), {}, {})
        records: list[Record] = []
        offsets: dict[str, int] = {}
        behind: dict[str, int] = {}
        for partition, messages in found.items():
            name, service = _name(partition), self._service_of[partition.topic]
            records += [Record(service, name, m.offset, m.value or b"", m.key, m.headers) for m in messages]
            offsets[name] = messages[-1].offset + 1
            behind[name] = max(0, (consumer.highwater(partition) or 0) - offsets[name])
        return Page(records, offsets, behind)


class Waiting(NamedTuple):
    """What lies in a public topic after the offsets of somebody who takes it in, and concerns them."""

    offset: int
    """The sum over the partitions of where to go on."""
    messages: int
    oldest: bytes
    """The one that was recorded first; empty where none waits."""
    at_least: bool = False
    """There may be more: not all of the topic was looked at."""


async def waiting_in(
    cluster: Cluster, service: str, offsets: Mapping[str, int], concerns: Callable[[bytes], bool], most: int
) -> Waiting:
    """
    How much of a service's public topic lies after these offsets and concerns who asks.

    No more than `most` are looked at, and the rest of a page. Raises what Kafka raises.
    """
    consumer = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="none", **cluster.clients)
    await consumer.start()
    try:
        partitions = [TopicPartition(public_topic(service), n) for n in range(PARTITIONS)]
        ends = await consumer.end_offsets(partitions)
        starts = {one: offsets.get(_name(one), 0) for one in partitions}
        left = {one: ends[one] - starts[one] for one in partitions if ends[one] > starts[one]}
        consumer.assign(list(left))
        for partition in left:
            consumer.seek(partition, starts[partition])
        read, found, oldest = 0, 0, b""
        while left and read < most:
            pages = await consumer.getmany(*left, timeout_ms=500)
            for partition, messages in pages.items():
                wanted = [m.value or b"" for m in messages if m.offset < ends[partition] and concerns(m.value or b"")]
                read, found = read + len(messages), found + len(wanted)
                oldest = min(filter(None, [oldest, *wanted]), key=_recorded_at, default=b"")
                if messages[-1].offset + 1 >= ends[partition]:
                    del left[partition]
                    consumer.pause(partition)
        return Waiting(sum(starts.values()), found, oldest, at_least=bool(left))
    finally:
        await consumer.stop()


def _recorded_at(record: bytes) -> str:
    try:
        return envelopes.read(record).recorded_at.isoformat()
    except ValueError:
        return "~"  # nobody can say; after all that can


def _name(partition: TopicPartition) -> str:
    return f"{partition.topic}/{partition.partition}"


class Message(NamedTuple):
    topic: str
    value: bytes
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()
    partition: int | None = None
    """Given only where there is one partition; else the key decides."""


class NotSent(Exception):
    """The broker did not acknowledge all of it in time. Some of it may have arrived; none of it is sent any more."""


class Outlet:
    """
    Sends messages and returns when every in-sync broker has them, or gives up for good.

    aiokafka's idempotent producer tries for ever and its `stop` waits for that. A publisher that has lost its lease
    must not: when time is up, the producer and its connections are given up and a new one is made for the next call.
    """

    def __init__(self, cluster: Cluster, client_id: str = "fieldloop") -> None:
        self._cluster, self._client_id = cluster, client_id
        self.producer: AIOKafkaProducer | None = None
        """The running client, whose settings a test reads."""

    async def send(self, messages: Sequence[Message]) -> None:
        """One send per message, so that keys route. Those of one key stay in order. Raises NotSent."""
        waits: list[asyncio.Future[Any]] = []
        try:
            async with asyncio.timeout(DELIVERY_S):
                producer = await self._open()
                for topic, value, key, headers, partition in messages:
                    waits.append(await producer.send(topic, value, key=key, partition=partition, headers=list(headers)))
                await asyncio.gather(*waits)
        except BaseException as error:
            for wait in waits:
                wait.cancel()
            await self._abandon()
            if isinstance(error, (KafkaError, OSError, TimeoutError)):
                raise NotSent(f"{type(error).__name__}: {error}") from error
            raise

    async def close(self) -> None:
        """End. Only whole calls of `send` lie behind, so nothing is left to be sent."""
        producer, self.producer = self.producer, None
        if producer:
            await producer.stop()

    async def _open(self) -> AIOKafkaProducer:
        if self.producer is None:
            self.producer = AIOKafkaProducer(
                client_id=self._client_id,
                acks="all",
                enable_idempotence=True,
                request_timeout_ms=int(DELIVERY_S * 1000),
                retry_backoff_ms=100,
                max_request_size=MAX_REQUEST,
                max_batch_size=MIB,
                **self._cluster.clients,
            )
            await self.producer.start()
        return self.producer

    async def _abandon(self) -> None:
        producer, self.producer = self.producer, None
        if producer is None:
            return
        producer._closed = True  # or it would complain that nobody stopped it
        ends = {asyncio.ensure_future(producer.client.close())}
        if task := producer._sender.sender_task:
            task.cancel()
            ends.add(task)
        _, late = await asyncio.wait(ends, timeout=0.5)
        for one in late:  # the first cancel lets a request in flight end; the second does not
            one.cancel()
        if late:
            await asyncio.wait(late, timeout=0.5)


class KafkaDeadLetters:
    """`DeadLetters` in a service's dead-letter topic: the message as it came, its origin and the reason in headers."""

    def __init__(self, service: str, cluster: Cluster) -> None:
        self._topic, self._cluster = dead_letter_topic(service), cluster
        self._outlet = Outlet(cluster, f"fieldloop.{service}.dead-letters")

    async def leave(self, record: Record, reason: str) -> None:
        topic, _, partition = record.partition.rpartition("/")
        origin = {"reason": reason[:1000], "topic": topic, "partition": partition, "offset": str(record.offset)}
        headers = [*record.headers, *[(f"dead-letter-{name}", text.encode()) for name, text in origin.items()]]
        await self._outlet.send([Message(self._topic, record.value, record.key, headers, partition=0)])

    async def all(self) -> list[Letter]:
        return (await self._read())[0]

    async def forget(self, persons: Collection[str]) -> int:
        """
        Empty the letters that name one of these; returns how many.

        A topic cannot be rewritten: all that is kept is sent anew behind, and then everything before is deleted. Ended
        in between, a letter is there twice, which is read once, and the next call deletes it.
        """
        letters, end = await self._read()
        kept, named = without(letters, persons)
        if named:
            for one in kept:
                await self.leave(one.record, one.reason)
            admin = AIOKafkaAdminClient(**self._cluster.clients)
            await admin.start()
            try:
                await admin.delete_records({TopicPartition(self._topic, 0): RecordsToDelete(end)})
            finally:
                await admin.close()
        return named

    async def _read(self) -> tuple[list[Letter], int]:
        """The letters in order, and the offset at which the topic ended."""
        consumer = AIOKafkaConsumer(enable_auto_commit=False, auto_offset_reset="none", **self._cluster.clients)
        await consumer.start()
        try:
            partition = TopicPartition(self._topic, 0)
            consumer.assign([partition])
            [first], [end] = [
                list(found.values())
                for found in (await consumer.beginning_offsets([partition]), await consumer.end_offsets([partition]))
            ]
            consumer.seek(partition, first)
            letters: list[Letter] = []
            while await consumer.position(partition) < end:
                for found in (await consumer.getmany(timeout_ms=500)).values():
                    letters += [_letter(one.value or b"", one.key, one.headers) for one in found]
            return in_order(letters), end
        finally:
            await consumer.stop()

    async def close(self) -> None:
        await self._outlet.close()


_LEFT: Final = "dead-letter-"


def _letter(value: bytes, key: bytes | None, headers: Sequence[tuple[str, bytes | None]]) -> Letter:
    origin = {name.removeprefix(_LEFT): (text or b"").decode() for name, text in headers if name.startswith(_LEFT)}
    own = [one for one in headers if not one[0].startswith(_LEFT)]
    topic, partition, offset = origin["topic"], origin["partition"], int(origin["offset"])
    publisher = next((service for service in PUBLISHERS if public_topic(service) == topic), topic)
    return Letter(Record(publisher, f"{topic}/{partition}", offset, value, key, own), origin["reason"])
