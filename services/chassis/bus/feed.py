"""
The port by which a service reads what others published. The embedded bus and Kafka stand behind it and pass one suite.

A feed keeps no account of what was read: whoever reads stores the offsets together with what came of the records, and
begins from them. So nothing is lost when a store is restored, and a record may come again; it is never out of order
within its key.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from typing import NamedTuple, Protocol

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import Event


class _Message(NamedTuple):
    service: str
    """Who published it, going by the place where it was found."""
    partition: str
    offset: int
    value: bytes
    key: bytes | None = None
    headers: Sequence[tuple[str, bytes | None]] = ()


class Record(_Message):
    """
    One message as it lies on the bus; whether it can be read is not known yet.

    Where its publisher runs in this process, what it has read of it is lent to all who take it in.
    """

    read_envelope: Envelope | None = None
    read_event: Event | None = None

    def envelope(self) -> Envelope:
        """Raises what `envelopes.read` raises."""
        return self.read_envelope or envelopes.read(self.value)


class Page(NamedTuple):
    """Some records, in order within each partition. One without records may move an offset, or only say: no news."""

    records: Sequence[Record]
    offsets: dict[str, int]
    """Per partition of this page, where to go on."""
    behind: dict[str, int]
    """Per partition of this page, how many records are known to lie after it; internal ones may be among them."""


class Feed(Protocol):
    def pages(self, offsets: Mapping[str, int]) -> AsyncGenerator[Page, None]:
        """
        What lies at these offsets and after, and then what comes; a partition that is not named begins at its start.

        Waits while there is nothing. An offset that the bus does not have (any more) is an error in the log, and that
        partition begins again at its start: repeats are dropped, holes are seen. Raises what the bus raises; call it
        again then. Ends after `close`. Only one may read at a time.
        """

    async def close(self) -> None: ...


def pauses(first: float = 0.1, most: float = 5.0) -> Iterator[float]:
    """How long to wait before each further try, in seconds: twice as long every time, up to the most."""
    pause = first
    while True:
        yield pause
        pause = min(2 * pause, most)
