"""
Kafka → journal: events per second and core of the ingest (`ours`), beside what bounds it and what it could have been.

    python -m tests.benchmarks.bench_ingest [events]

raw            aiokafka `getmany`, every envelope decoded by msgspec, nothing kept
ours           feed → writer → SQLite journal: repeats, holes, chain, offsets, durable commits
floor          `raw` and the same rows into the same tables of a SQLite journal, a durable commit per page: no repeats
               dropped, no holes seen, no chain
peer           FastStream's batch subscriber as documented: a list of pydantic models, a commit per batch, nothing kept
peer_msgspec   the same with validation off and our decoder: the best that path gives here

All read the same topic of a real broker. CPU is that of this process; the broker's is not counted. Median of `rounds`.
"""

from __future__ import annotations

import asyncio
import statistics
import sys
import time
from collections.abc import Callable, Coroutine
from datetime import datetime
from importlib.resources import files
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from pydantic import BaseModel

from contracts import envelope as envelopes
from contracts.topics import PARTITIONS, public_topic
from deploy.kafka.local import LocalKafka
from services.chassis import journal
from services.chassis.bus.ingest import DeadLetterFile, Ingest
from services.chassis.bus.kafka import PAGE, Cluster, KafkaFeed, Message, Outlet, ensure_topics
from services.chassis.bus.publisher import headers_of
from services.chassis.journal.sqlite import connect
from tests.bus.harness import PUBLISHER, READER, TAKES, forged, node

TOPIC = public_topic(PUBLISHER)
EVENTS_PER_STREAM = 10


async def fill(cluster: Cluster, events: int) -> None:
    """Lay events onto the topic: streams of ten, in turns, as records of about 700 bytes."""
    await ensure_topics(cluster, [PUBLISHER])
    template = msgspec.json.decode(forged(1))
    template["traceparent"] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    streams = max(1, events // EVENTS_PER_STREAM)
    async with AIOKafkaProducer(**cluster.clients, max_batch_size=1 << 20) as producer:
        waits: list[Any] = []
        for n in range(events):
            version, stream = divmod(n, streams)
            request = f"0193a0f1-7c2e-7d3a-8b5c-{stream:012d}"
            record = template | {
                "id": f"0193a0f1-0000-7d3a-8b5c-{n:012d}",
                "stream": f"request/{request}",
                "subject": f"request/{request}",
                "version": version + 1,
                "publicversion": version + 1,
                "correlationid": request,
                "partitionkey": request,
            }
            waits.append(await producer.send(TOPIC, msgspec.json.encode(record), key=request.encode()))
        await asyncio.gather(*waits)


async def raw(cluster: Cluster, events: int, _: Path) -> None:
    consumer = AIOKafkaConsumer(**cluster.clients, auto_offset_reset="earliest", max_poll_records=PAGE)
    await consumer.start()
    consumer.assign([TopicPartition(TOPIC, n) for n in range(PARTITIONS)])
    got = 0
    while got < events:
        for messages in (await consumer.getmany(timeout_ms=500)).values():
            got += len([envelopes.read(message.value) for message in messages])
    await consumer.stop()


async def ours(cluster: Cluster, events: int, folder: Path) -> None:
    async with node(READER, folder / "journal") as reader:
        feed = KafkaFeed({PUBLISHER}, cluster)
        ingest = Ingest(TAKES, feed, reader.journal, reader.writer, DeadLetterFile(folder / "dead"))
        reader.writer.committed = lambda position: done.set() if position >= events else None
        done = asyncio.Event()
        running = asyncio.create_task(ingest.run())
        await done.wait()
        await ingest.stop()
        await running


async def floor(cluster: Cluster, events: int, folder: Path) -> None:
    db = connect(folder / "journal")
    db.executescript(files(journal).joinpath("schema.sqlite.sql").read_text())
    consumer = AIOKafkaConsumer(**cluster.clients, auto_offset_reset="earliest", max_poll_records=PAGE)
    await consumer.start()
    consumer.assign([TopicPartition(TOPIC, n) for n in range(PARTITIONS)])
    got, streams = 0, dict[str, int]()
    while got < events:
        for messages in (await consumer.getmany(timeout_ms=500)).values():
            read = [(envelopes.read(message.value), message.value) for message in messages]
            new = dict.fromkeys(e.stream for e, _ in read if e.stream not in streams)
            streams |= {stream: len(streams) + n for n, stream in enumerate(new, 1)}
            rows = [
                (got + n, e.id, streams[e.stream], e.version, e.tenant, e.correlation_id, b"0" * 32, record)
                for n, (e, record) in enumerate(read, 1)
            ]
            db.execute("BEGIN IMMEDIATE")
            db.executemany("INSERT INTO streams VALUES (?, 't-1', ?)", [(streams[stream], stream) for stream in new])
            db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            db.execute("COMMIT")
            got += len(rows)
    db.close()
    await consumer.stop()


class Model(BaseModel):
    """The envelope as a pydantic model, as FastStream's guide would write it."""

    id: str
    source: str
    type: str
    subject: str
    time: datetime
    tenant: str
    stream: str
    version: int
    publicversion: int
    position: str
    recordedat: datetime
    correlationid: str
    actor: str
    partitionkey: str
    data: dict[str, Any]


async def peer(cluster: Cluster, events: int, folder: Path) -> None:
    broker = KafkaBroker(list(cluster.bootstrap), logger=None)
    counted = Counted(events)

    @_batches(broker, folder.name)
    async def handle(bodies: list[Model]) -> None:
        counted.more(len(bodies))

    async with broker:
        await broker.start()
        await counted.done.wait()


async def peer_msgspec(cluster: Cluster, events: int, folder: Path) -> None:
    async def decode(message: Any) -> list[envelopes.Envelope]:
        return [envelopes.read(body) for body in message.body]

    broker = KafkaBroker(list(cluster.bootstrap), logger=None, apply_types=False)
    counted = Counted(events)

    @_batches(broker, folder.name, decoder=decode)
    async def handle(bodies: list[envelopes.Envelope]) -> None:
        counted.more(len(bodies))

    async with broker:
        await broker.start()
        await counted.done.wait()


class Counted:
    def __init__(self, events: int) -> None:
        self._left, self.done = events, asyncio.Event()

    def more(self, count: int) -> None:
        self._left -= count
        if self._left <= 0:
            self.done.set()


def _batches(broker: KafkaBroker, group: str, **options: Any) -> Any:
    return broker.subscriber(
        TOPIC,
        group_id=group,
        batch=True,
        max_records=PAGE,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
        **options,
    )


PATHS: dict[str, Callable[[Cluster, int, Path], Coroutine[Any, Any, None]]] = {
    "raw": raw,
    "ours": ours,
    "floor": floor,
    "peer": peer,
    "peer_msgspec": peer_msgspec,
}


async def send_ours(cluster: Cluster, records: list[Message]) -> None:
    outlet = Outlet(cluster)
    for begin in range(0, len(records), 500):
        await outlet.send(records[begin : begin + 500])
    await outlet.close()


async def send_peer(cluster: Cluster, records: list[Message]) -> None:
    broker = KafkaBroker(list(cluster.bootstrap), logger=None, acks="all", enable_idempotence=True)
    async with broker:
        await broker.start()
        for begin in range(0, len(records), 500):
            waits = [
                await broker.publish(
                    one.value,
                    one.topic,
                    key=one.key,
                    headers={name: (value or b"").decode() for name, value in one.headers},
                    no_confirm=True,
                )
                for one in records[begin : begin + 500]
            ]
            await asyncio.gather(*waits)


def measure_sending(events: int = 20_000) -> dict[str, float]:
    """Records per second of CPU, keyed, acknowledged by page of 500: our outlet, and FastStream's publish."""
    value = forged(1)
    headers = headers_of(envelopes.read(value))
    records = [Message(TOPIC, value, b"r-%d" % (n % 1000), headers) for n in range(events)]
    figures = {}
    with TemporaryDirectory(prefix="fieldloop-bench-") as name, LocalKafka(Path(name, "kafka")) as kafka:
        cluster = Cluster.named(kafka.bootstrap)
        asyncio.run(ensure_topics(cluster, [PUBLISHER]))
        for path in (send_ours, send_peer):
            cpu = time.process_time()
            asyncio.run(path(cluster, records))
            figures[path.__name__] = events / (time.process_time() - cpu)
    return figures


def measure(events: int = 50_000, rounds: int = 3) -> dict[str, float]:
    """
    Events per second of CPU for each path, `<path>_wall` per second on the clock, `ratio` = ours / raw (bar: 0.3), and
    `of_floor` = ours / floor.

    Starts a broker of its own and removes it.
    """
    with TemporaryDirectory(prefix="fieldloop-bench-") as name, LocalKafka(Path(name, "kafka")) as kafka:
        cluster = Cluster.named(kafka.bootstrap)
        asyncio.run(fill(cluster, events))
        figures: dict[str, list[float]] = {}
        for one in range(rounds):
            for path, function in PATHS.items():
                place = Path(name, f"{path}-{one}")
                place.mkdir()
                cpu, wall = time.process_time(), time.perf_counter()
                asyncio.run(asyncio.wait_for(function(cluster, events, place), timeout=300))
                figures.setdefault(path, []).append(events / (time.process_time() - cpu))
                figures.setdefault(f"{path}_wall", []).append(events / (time.perf_counter() - wall))
    found = {path: statistics.median(each) for path, each in figures.items()}
    return found | {"ratio": found["ours"] / found["raw"], "of_floor": found["ours"] / found["floor"]}


if __name__ == "__main__":
    for path, figure in (measure(*map(int, sys.argv[1:])) | measure_sending()).items():
        print(f"{path:20} {figure:12,.2f}")
