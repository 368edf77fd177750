"""
A service's journal, onto Kafka: every record to its private journal topic, then the public ones to the public topic.

At least once and in order: after a crash, or a page that was not acknowledged, records are sent again from the
checkpoint. Those who take in drop the repeats. See decision 2.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import msgspec
import structlog

from contracts.envelope import Envelope
from contracts.topics import journal_topic, public_topic
from services.chassis.bus.feed import pauses
from services.chassis.bus.kafka import MIB, Message
from services.chassis.journal.store import Entry, JournalStore
from services.chassis.journal.work import Settle, Stopped
from services.chassis.journal.writer import Writer

CHECKPOINT: Final = "publisher"
"""The journal's name for how far it is published."""

PAGE = 500
PAGE_BYTES = 16 * MIB
"""What one acknowledgement is waited for, at most; a record that is larger goes alone."""

log = structlog.get_logger(__name__)


class Outlet(Protocol):
    """The way to the broker: Kafka's, or a simulation's."""

    async def send(self, messages: Sequence[Message]) -> None:
        """Return when the broker has all of them; those of one key in order. Raises NotSent, or what it raises."""

    async def close(self) -> None: ...


class NotOurs(Exception):
    """The lease is lost, or not known to be held: another may publish now."""


@dataclass
class PublisherState:
    """What health and metrics tell of a publisher; its lag is the writer's position less this one."""

    position: int = 0
    """All up to here is acknowledged."""
    trouble: str = ""
    """What is being tried again."""


class Publisher:
    """Publishes one journal, from its checkpoint on. `run` is its loop; `wake` tells it of a commit."""

    def __init__(
        self,
        service: str,
        journal: JournalStore,
        writer: Writer,
        outlet: Outlet,
        may_write: Callable[[], bool] = lambda: True,
        *,
        pause_s: float = 0.0,
    ) -> None:
        self._service, self._journal, self._writer, self._may_write = service, journal, writer, may_write
        self._pause_s = pause_s
        self._outlet = outlet
        self._news = asyncio.Event()
        self._stopping = False
        self.state = PublisherState()

    @property
    def outlet(self) -> Outlet:
        return self._outlet

    def wake(self) -> None:
        self._news.set()

    def stop(self) -> None:
        """Finish the page in hand, then end `run`."""
        self._stopping = True
        self._news.set()

    async def run(self) -> None:
        """Publish until `stop`, or until the writer ends."""
        waits = pauses(most=2.0)
        try:
            while not self._stopping:
                try:
                    await self._publish()
                except Stopped:
                    return
                except Exception as error:  # the broker is away, the lease is lost, a commit failed
                    if not self.state.trouble:
                        waits = pauses(most=2.0)
                    self.state.trouble = f"{type(error).__name__}: {error}"
                    log.warning("publisher.tries-again", service=self._service, trouble=self.state.trouble)
                    await self._pause(next(waits))
        finally:
            await self._outlet.close()

    async def _publish(self) -> None:
        self.state.position = (await self._journal.checkpoints()).get(CHECKPOINT, 0)
        while not self._stopping:
            self._news.clear()
            entries = await self._journal.read(self.state.position, PAGE)
            for page in pages_of(entries):
                private, public = messages_of(self._service, page)
                await self._send(private)
                await self._send(public)
                self._writer.settle_soon(Settle(checkpoints={CHECKPOINT: page[-1].position}))
                self.state.position, self.state.trouble = page[-1].position, ""
                if self._stopping:
                    return
            if entries:
                await asyncio.sleep(self._pause_s)
            else:
                self.state.trouble = ""
                await self._news.wait()

    async def _send(self, messages: Sequence[Message]) -> None:
        if not self._may_write():
            raise NotOurs(f"{self._service} may be published by another process")
        if messages:
            await self._outlet.send(messages)

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                while not self._stopping:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            pass


def messages_of(service: str, page: Sequence[Entry]) -> tuple[list[Message], list[Message]]:
    """What a page is on the service's private topic, and on its public one."""
    private = [
        Message(
            journal_topic(service),
            entry.record,
            headers=[("position", b"%d" % entry.position), ("hash", entry.hash.hex().encode())],
            partition=0,
        )
        for entry in page
    ]
    public = [
        Message(public_topic(service), entry.record, envelope.partition_key.encode(), headers_of(envelope))
        for entry, envelope in _public(page)
    ]
    return private, public


def pages_of(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """Parts that are each acknowledged by themselves."""
    page: list[Entry] = []
    size = 0
    for entry in entries:
        if page and size + len(entry.record) > PAGE_BYTES:
            yield page
            page, size = [], 0
        page.append(entry)
        size += len(entry.record)
    if page:
        yield page


def _public(page: Sequence[Entry]) -> Iterator[tuple[Entry, Envelope]]:
    for entry in page:
        if ":" not in entry.stream and (envelope := entry.envelope()).public_version:
            yield entry, envelope


def headers_of(envelope: Envelope) -> list[tuple[str, bytes]]:
    """What a reader may choose by with the record unopened: CloudEvents attributes, named as in its binary mode."""
    headers = [
        ("content-type", b"application/cloudevents+json; charset=UTF-8"),
        ("ce_specversion", envelope.spec_version.encode()),
        ("ce_id", envelope.id.encode()),
        ("ce_source", envelope.source.encode()),
        ("ce_type", envelope.type.encode()),
        ("ce_subject", envelope.subject.encode()),
        ("ce_time", msgspec.json.encode(envelope.time).strip(b'"')),
        ("ce_tenant", envelope.tenant.encode()),
        ("ce_publicversion", b"%d" % envelope.public_version),
        ("ce_correlationid", envelope.correlation_id.encode()),
        ("ce_partitionkey", envelope.partition_key.encode()),
        ("ce_origin", envelope.origin.encode()),
    ]
    if envelope.trace_parent:
        headers.append(("traceparent", envelope.trace_parent.encode()))
    return headers
