"""What the suites of the bus are played with: nodes that have a journal and a writer, and a bus between them."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import RequestReceived
from contracts.topics import PARTITIONS, dead_letter_topic, events_of, journal_topic, public_topic
from deploy.kafka.local import LocalKafka
from services.chassis.bus.embedded import EmbeddedFeed
from services.chassis.bus.feed import Feed, Page, Record
from services.chassis.bus.ingest import DeadLetterFile, DeadLetters, Ingest
from services.chassis.bus.kafka import MAX_REQUEST, Cluster, KafkaDeadLetters, KafkaFeed, Outlet, ensure_topics
from services.chassis.bus.publisher import Publisher
from services.chassis.clock import SystemClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.rules import Handler, Rules, Stream
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import Batch, Entry
from services.chassis.journal.work import Answer, Ask, TakeIn
from services.chassis.journal.writer import Writer

MIB = 1024 * 1024
TAKES = frozenset({"RequestReceived"})
PUBLISHER, READER = "intake", "dispatcher"


def run(story: Coroutine[Any, Any, None]) -> None:
    """Play it to its end, or fail after a minute."""
    asyncio.run(asyncio.wait_for(story, timeout=60))


async def until(condition: Callable[[], Any | Awaitable[Any]], within: float = 30.0) -> None:
    """Wait until it holds; fail when it does not in time."""
    deadline = time.monotonic() + within
    while True:
        holds = condition()
        if asyncio.iscoroutine(holds):
            holds = await holds
        if holds:
            return
        assert time.monotonic() < deadline, f"this did not come true within {within:g} s"
        await asyncio.sleep(0.005)


# Events, and nodes that record them.


def received(request_id: str, number: int = 0, description: str = "") -> RequestReceived:
    return RequestReceived(
        request_id=request_id,
        sealed_under=request_id,
        number=str(number),
        request_type="repair",
        type_version=1,
        customer_id="c-1",
        skill="cooling",
        duration_s=3600,
        region="Changchun",
        lat_udeg=43_817_000,
        lon_udeg=125_323_500,
        description=description,
    )


class Say(NamedTuple):
    """Record this event."""

    event: Event


def rules_of(service: str) -> Rules:
    streams = {event.STREAM for event in events_of(service)}
    return Rules(
        service=service,
        streams=tuple(Stream(name, None, lambda state, _: state) for name in sorted(streams)),
        handlers=(Handler(Say, lambda c: (c.event.stream(),), lambda _, c: [c.event]),),
    )


class NoKeys:
    async def ensure(self, persons: set[tuple[str, str]], joined: Mapping[tuple[str, str], str]) -> None: ...

    def seal(self, tenant: str, person: str, text: str) -> str:
        return text


@dataclass
class Node:
    """As much of a service as the bus needs."""

    service: str
    journal: SqliteJournal
    writer: Writer

    async def say(self, *events: Event) -> None:
        await asyncio.gather(*[self._ask(event) for event in events])

    async def _ask(self, event: Event) -> Answer:
        return await self.writer.ask(Ask(command=Say(event), tenant="t-1", actor="u-1", caller="u-1"))

    async def entries(self) -> Sequence[Entry]:
        return await self.journal.read(0, 1_000_000)

    async def records(self) -> list[bytes]:
        return [entry.record for entry in await self.entries()]

    async def has(self, count: int) -> bool:
        return (await self.journal.head()).position >= count


@asynccontextmanager
async def node(service: str, path: Path) -> AsyncIterator[Node]:
    journal = SqliteJournal(path)
    writer = Writer(
        rules_of(service), journal, clock=SystemClock(), new_id=new_ids(lambda: time.time_ns() // 10**6), keys=NoKeys()
    )
    await writer.start()
    running = asyncio.create_task(writer.run())
    try:
        yield Node(service, journal, writer)
    finally:
        writer.stop()
        await running
        await journal.close()


def forged(public_version: int, request_id: str = "r-1", source: str = "/c1/intake/1") -> bytes:
    """A record of intake that no writer of ours would have let out."""
    now = datetime.now(UTC)
    stream = f"request/{request_id}"
    return msgspec.json.encode(
        Envelope(
            id=f"forged-{micros(now)}",
            source=source,
            type="RequestReceived",
            subject=stream,
            time=now,
            tenant="t-1",
            stream=stream,
            version=public_version,
            public_version=public_version,
            position="1",
            recorded_at=now,
            correlation_id=request_id,
            actor="u-1",
            partition_key=request_id,
            data=msgspec.Raw(msgspec.json.encode(received(request_id))),
        )
    )


def numbers(records: Sequence[bytes]) -> dict[str, list[int]]:
    """Per request, the numbers of its events in the order in which they lie there."""
    found: dict[str, list[int]] = {}
    for record in records:
        event = envelopes.payload(envelopes.read(record))
        assert isinstance(event, RequestReceived)
        found.setdefault(event.request_id, []).append(int(event.number))
    return found


# Reading.


@dataclass
class Watched:
    """A feed, and what came out of it."""

    feed: Feed
    seen: list[Record] = field(default_factory=list)

    async def pages(self, offsets: Mapping[str, int]) -> AsyncGenerator[Page, None]:
        async for page in self.feed.pages(offsets):
            self.seen += page.records
            yield page

    async def close(self) -> None:
        await self.feed.close()


class Letter(NamedTuple):
    value: bytes
    reason: str


class Bus(ABC):
    """One of the two buses, with intake on it as the publisher."""

    first_offset: int
    partitions: tuple[str, ...]

    @abstractmethod
    def publishing(self, publisher: Node) -> Any:
        """While this is entered, what the node records goes onto the bus."""

    @abstractmethod
    def feed(self, publisher: Node) -> Feed: ...

    @abstractmethod
    def dead_letters(self) -> DeadLetters: ...

    @abstractmethod
    async def letters(self) -> list[Letter]: ...

    @abstractmethod
    async def put(self, publisher: Node, *values: bytes) -> None:
        """Lay bytes onto the bus in the publisher's name, in one partition."""

    @asynccontextmanager
    async def taking_in(self, reader: Node, publisher: Node, **options: Any) -> AsyncIterator[tuple[Ingest, Watched]]:
        watched = Watched(self.feed(publisher))
        takes = options.pop("takes", TAKES)
        writer = options.pop("writer", reader.writer)
        ingest = Ingest(takes, watched, reader.journal, writer, self.dead_letters(), **options)
        running = asyncio.create_task(ingest.run())
        try:
            yield ingest, watched
        finally:
            await ingest.stop()
            await running

    async def forget_offsets(self, reader: Node) -> None:
        await reader.writer.take_in(TakeIn((), dict.fromkeys(self.partitions, self.first_offset)))


class Embedded(Bus):
    first_offset = 1
    partitions = (PUBLISHER,)

    def __init__(self, folder: Path) -> None:
        self._file = folder / "dead.jsonl"
        self._feeds: list[EmbeddedFeed] = []

    @asynccontextmanager
    async def publishing(self, publisher: Node) -> AsyncIterator[None]:
        def tell(position: int) -> None:
            for feed in self._feeds:
                feed.wake(publisher.service, position)

        publisher.writer.committed = tell
        yield

    def feed(self, publisher: Node) -> EmbeddedFeed:
        feed = EmbeddedFeed({publisher.service: publisher.journal}, woken={publisher.service})
        self._feeds.append(feed)
        return feed

    def dead_letters(self) -> DeadLetterFile:
        return DeadLetterFile(self._file)

    async def letters(self) -> list[Letter]:
        lines = self._file.read_text().splitlines() if self._file.exists() else []
        return [Letter(base64.b64decode(one["value"]), one["reason"]) for one in map(json.loads, lines)]

    async def put(self, publisher: Node, *values: bytes) -> None:
        after = publisher.writer.position
        entries = [
            Entry(after + n, f"put-{after + n}", "t-1", f"request/put-{after + n}", 1, "r-1", b"", value)
            for n, value in enumerate(values, 1)
        ]
        await publisher.journal.commit(Batch(entries=entries), after)
        await publisher.writer.start()
        publisher.writer.committed(after + len(values))


class Kafka(Bus):
    first_offset = 0
    partitions = tuple(f"{public_topic(PUBLISHER)}/{n}" for n in range(PARTITIONS))

    def __init__(self, cluster: Cluster, local: LocalKafka | None = None) -> None:
        self.cluster, self.local = cluster, local

    def publisher(self, publisher: Node, **options: Any) -> Publisher:
        outlet = Outlet(self.cluster, f"fieldloop.{publisher.service}.publisher")
        one = Publisher(publisher.service, publisher.journal, publisher.writer, outlet, **options)
        publisher.writer.committed = lambda _: one.wake()
        return one

    @asynccontextmanager
    async def publishing(self, publisher: Node, **options: Any) -> AsyncIterator[Publisher]:
        one = self.publisher(publisher, **options)
        running = asyncio.create_task(one.run())
        try:
            yield one
        finally:
            one.stop()
            await running

    def feed(self, publisher: Node) -> KafkaFeed:
        return KafkaFeed({publisher.service}, self.cluster)

    def dead_letters(self) -> KafkaDeadLetters:
        return KafkaDeadLetters(READER, self.cluster)

    async def letters(self) -> list[Letter]:
        found = await self.messages(dead_letter_topic(READER))
        return [Letter(m.value, dict(m.headers)["dead-letter-reason"].decode()) for m in found]

    async def put(self, publisher: Node, *values: bytes) -> None:
        async with self.producer() as producer:
            sent = [await producer.send(public_topic(publisher.service), value, key=b"r-1") for value in values]
            await asyncio.gather(*sent)

    def producer(self) -> AIOKafkaProducer:
        return AIOKafkaProducer(bootstrap_servers=list(self.cluster.bootstrap), max_request_size=MAX_REQUEST)

    async def messages(self, topic: str) -> list[Any]:
        """All that lies in a topic now."""
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=list(self.cluster.bootstrap), auto_offset_reset="earliest")
        async with consumer:
            partitions: list[TopicPartition] = list(consumer.assignment())
            ends = await consumer.end_offsets(partitions)
            found: list[Any] = []
            while len(found) < sum(ends.values()):
                for messages in (await consumer.getmany(timeout_ms=200)).values():
                    found += messages
            return found

    async def count(self, topic: str) -> int:
        return len(await self.messages(topic))

    async def clear(self) -> None:
        """New and empty topics of the two; those of quality are missing."""
        services = (PUBLISHER, READER, "quality")
        topics = [f(s) for s in services for f in (public_topic, journal_topic, dead_letter_topic)]
        admin = AIOKafkaAdminClient(bootstrap_servers=list(self.cluster.bootstrap))
        await admin.start()
        try:
            await admin.delete_topics(topics)
            await until(lambda: self._are_gone(admin, topics))
        finally:
            await admin.close()
        await ensure_topics(self.cluster, (PUBLISHER, READER))

    async def _are_gone(self, admin: AIOKafkaAdminClient, topics: Sequence[str]) -> bool:
        return not set(topics) & set(await admin.list_topics())
