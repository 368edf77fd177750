"""A service's journal as its private topic has it, and what a lost topic is filled with again."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition

from contracts.topics import journal_topic
from services.chassis.bus.kafka import Cluster, Outlet
from services.chassis.bus.publisher import PAGE, messages_of, pages_of
from services.chassis.journal.store import JournalStore
from services.restoring.refilling import Broken, Sent

ANSWER_MS: Final = 1_000


class JournalTopic:
    """The topic of one service, to be read from its beginning to where it ends now."""

    def __init__(self, service: str, cluster: Cluster) -> None:
        self._service, self._cluster = service, cluster
        self.last = 0
        """The newest position that was read."""

    async def pages(self) -> AsyncGenerator[Sequence[Sent], None]:
        """Every record, in order; one that was sent twice comes twice. Raises Broken and what Kafka raises."""
        partition = TopicPartition(journal_topic(self._service), 0)
        consumer = AIOKafkaConsumer(
            client_id=f"fieldloop.{self._service}.restore",
            group_id=None,
            enable_auto_commit=False,
            auto_offset_reset="none",
            isolation_level="read_uncommitted",
            max_poll_records=PAGE,
            **self._cluster.clients,
        )
        await consumer.start()
        try:
            if partition.topic not in await consumer.topics():
                return
            consumer.assign([partition])
            [end], [begin] = (
                (await consumer.end_offsets([partition])).values(),
                (await consumer.beginning_offsets([partition])).values(),
            )
            consumer.seek(partition, begin)
            while await consumer.position(partition) < end:
                found = await consumer.getmany(partition, timeout_ms=ANSWER_MS)
                page = [_sent(self._service, message) for message in found.get(partition, ())]
                if page:
                    self.last = max(self.last, page[-1].position)
                    yield page
        finally:
            await consumer.stop()


def _sent(service: str, message: object) -> Sent:
    headers = dict(message.headers)  # type: ignore[attr-defined]
    try:
        link = bytes.fromhex(headers["hash"].decode())
        return Sent(int(headers["position"]), link, message.value)  # type: ignore[attr-defined]
    except (KeyError, ValueError):
        offset = message.offset  # type: ignore[attr-defined]
        raise Broken(f"{journal_topic(service)} has at offset {offset} what is no record of a journal") from None


async def republish(
    service: str, journal: JournalStore, cluster: Cluster, progress: Callable[[int], None] = lambda sent: None
) -> int:
    """
    Send every record that is published already once more, to both topics. Those who have it drop the repeat.

    What is not published yet is left to the publisher. Returns how many records were sent.
    """
    outlet, sent = Outlet(cluster, f"fieldloop.{service}.republish"), 0
    upto = (await journal.checkpoints()).get("publisher", 0)
    try:
        while sent < upto:
            for page in pages_of(await journal.read(sent, min(PAGE, upto - sent))):
                private, public = messages_of(service, page)
                await outlet.send(private)
                if public:
                    await outlet.send(public)
                sent = page[-1].position
                progress(len(page))
    finally:
        await outlet.close()
    return sent
