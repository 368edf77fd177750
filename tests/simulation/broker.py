"""
A broker in memory behind the ports of the bus: partitions that keep their order, a way to send and a way to read.

What may go wrong with the real one goes wrong here: a send that did not arrive, one that arrived and was not
acknowledged, one in two parts, one that arrives after its sender has ended; partitions that lag behind each other, a
reader that is thrown out in the middle of a page and begins again from where its journal stands.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Collection, Iterable, Mapping, Sequence
from random import Random
from zlib import crc32

from contracts.topics import PARTITIONS, public_topic
from services.chassis.bus.feed import Page, Record
from services.chassis.bus.kafka import Message, NotSent
from tests.simulation.faults import Faults

SEND_S = 0.002
MOST_IN_A_PAGE = 40


class Rebalanced(Exception):
    """The reader lost its partitions and must begin again."""


class Broker:
    """The log of every topic. It outlives all processes."""

    def __init__(self) -> None:
        self.partitions: dict[str, list[Message]] = defaultdict(list)
        self._news: dict[str, list[asyncio.Event]] = defaultdict(list)

    def append(self, messages: Sequence[Message]) -> None:
        for message in messages:
            number = message.partition
            if number is None:
                number = crc32(message.key or b"") % PARTITIONS
            self.partitions[f"{message.topic}/{number}"].append(message)
        for topic in dict.fromkeys([message.topic for message in messages]):
            for news in self._news[topic]:
                news.set()

    def listen(self, topics: Iterable[str]) -> asyncio.Event:
        """Told of every message on these topics."""
        news = asyncio.Event()
        for topic in topics:
            self._news[topic].append(news)
        return news


class BrokerOutlet:
    """The way of one publisher to the broker."""

    def __init__(self, broker: Broker, faults: Faults, service: str, rng: Random) -> None:
        self._broker, self._faults, self._service, self._rng = broker, faults, service, rng

    async def send(self, messages: Sequence[Message]) -> None:
        loop, point = asyncio.get_running_loop(), self._faults.point
        await point(self._service, "send.before")
        kind = self._faults.take(self._service, "send")
        if kind == "not-sent":
            raise NotSent("the broker is away")
        sent = list(messages)
        if kind == "half-sent":
            sent = sent[: self._rng.randrange(len(sent) + 1)]
        elif kind == "sent-twice":
            sent += sent
        wait = self._faults.delay(self._service, "send", SEND_S)
        # It is on the wire: it arrives, whatever becomes of the sender.
        arrived = self._faults.outside(loop, wait, lambda: self._broker.append(sent))
        await arrived
        await point(self._service, "send.after")
        if kind in ("half-sent", "not-acknowledged"):
            raise NotSent("no acknowledgement came")

    async def close(self) -> None:
        pass


class BrokerFeed:
    """A `Feed` over the public topics of these services."""

    def __init__(self, broker: Broker, services: Collection[str], faults: Faults, taker: str, rng: Random) -> None:
        self._service_of = {public_topic(service): service for service in sorted(services)}
        self._broker, self._faults, self._taker, self._rng = broker, faults, taker, rng
        self._closed = False
        self._news = broker.listen(self._service_of)

    async def close(self) -> None:
        self._closed = True
        self._news.set()

    async def pages(self, offsets: Mapping[str, int]) -> AsyncGenerator[Page, None]:
        at = {f"{topic}/{n}": 0 for topic in self._service_of for n in range(PARTITIONS)}
        at.update({name: offset for name, offset in offsets.items() if name in at})
        while not self._closed:
            self._news.clear()
            if self._faults.take(self._taker, "feed") == "rebalanced":
                raise Rebalanced
            page, waits = self._page(at)
            if page.offsets:
                at.update(page.offsets)
                yield page
                await self._faults.point(self._taker, "feed.page")
                if self._faults.take(self._taker, "page") == "rebalanced":
                    raise Rebalanced
            else:
                yield page
                try:
                    async with asyncio.timeout(waits):
                        await self._news.wait()
                except TimeoutError:
                    pass

    def _page(self, at: Mapping[str, int]) -> tuple[Page, float | None]:
        now, waits = asyncio.get_running_loop().time(), None
        logs = self._broker.partitions
        lying = [name for name, offset in at.items() if (log := logs.get(name)) and offset < len(log)]
        self._rng.shuffle(lying)
        records: list[Record] = []
        offsets: dict[str, int] = {}
        behind: dict[str, int] = {}
        for name in lying:
            held = self._faults.lag(self._taker, name) - now
            if held > 0:
                waits = held if waits is None else min(waits, held)
                continue
            log, begin = self._broker.partitions[name], at[name]
            found = log[begin : begin + self._rng.randint(1, MOST_IN_A_PAGE)]
            service = self._service_of[name.rpartition("/")[0]]
            records += [Record(service, name, begin + n, m.value, m.key, m.headers) for n, m in enumerate(found)]
            offsets[name] = begin + len(found)
            behind[name] = len(log) - offsets[name]
            if len(records) >= MOST_IN_A_PAGE:
                break
        return Page(records, offsets, behind), waits
