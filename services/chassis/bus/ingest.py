"""
What others published, into our journal, exactly once: the records and where to go on, in one commit.

Three things end it, each as an alarm and none of them silently: a hole or a fork in a stream, too many messages in a
row that nobody can read, and the end of the writer. Whatever else goes wrong is tried again from the offsets in the
journal.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, NamedTuple, Protocol

import msgspec
import structlog

from contracts import envelope as envelopes
from services.chassis.bus.feed import Feed, Page, Record, pauses
from services.chassis.clock import micros
from services.chassis.journal.store import JournalStore
from services.chassis.journal.work import Arrival, Fork, Hole, Settle, Stopped, TakeIn
from services.chassis.journal.writer import Writer

MOST_IN_A_ROW = 100
"""So many unreadable messages, one right after the other, are no accident: taking in stops."""

MOST_CARRIED = 2_000
"""So far the offsets may move over what nobody wants before that is worth a commit of its own."""

log = structlog.get_logger(__name__)


LETTERS: Final = "dead-letters.jsonl"
"""In the folder of a service, for the bus that has no topics."""


class Letter(NamedTuple):
    """A message that was put aside, and why."""

    record: Record
    reason: str


class DeadLetters(Protocol):
    """Where a message is left that nobody can read."""

    async def leave(self, record: Record, reason: str) -> None:
        """Keep it, with its origin and the reason. Durable when this returns; the same one may be left twice."""

    async def all(self) -> list[Letter]:
        """What was left, each once, in the order of its partition and offset."""

    async def close(self) -> None: ...


class DeadLetterFile:
    """Dead letters as lines of JSON in a file, their bytes in base64: for the bus that has no topics."""

    def __init__(self, path: Path) -> None:
        self.path = path

    async def leave(self, record: Record, reason: str) -> None:
        line = msgspec.json.encode({**record._asdict(), "reason": reason})
        await asyncio.to_thread(self._append, line + b"\n")

    def _append(self, line: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())

    async def all(self) -> list[Letter]:
        return in_order(await asyncio.to_thread(self._read))

    def _read(self) -> list[Letter]:
        if not self.path.exists():
            return []
        lines = [line for line in self.path.read_bytes().splitlines() if line.endswith(b"}")]
        return [_letter(msgspec.json.decode(line, type=_Line)) for line in lines]

    def forget(self, persons: Collection[str]) -> int:
        """Empty the letters that name one of these; what is in them was never sealed, or is not known to be."""
        letters = self._read()
        kept, named = without(letters, persons)
        if named:
            aside = self.path.with_suffix(".new")
            lines = [msgspec.json.encode({**one.record._asdict(), "reason": one.reason}) + b"\n" for one in kept]
            with aside.open("wb") as file:
                file.write(b"".join(lines))
                file.flush()
                os.fsync(file.fileno())
            aside.replace(self.path)
        return named

    async def close(self) -> None:
        pass


class _Line(msgspec.Struct):
    """A letter as a line of the file has it."""

    service: str
    partition: str
    offset: int
    value: bytes
    reason: str
    key: bytes | None = None
    headers: list[tuple[str, bytes | None]] = []


def _letter(line: _Line) -> Letter:
    return Letter(Record(line.service, line.partition, line.offset, line.value, line.key, line.headers), line.reason)


def without(letters: Sequence[Letter], persons: Collection[str]) -> tuple[list[Letter], int]:
    """The letters, those that name one of these persons emptied; and how many these were."""
    named = [any(person.encode() in one.record.value for person in persons) for one in letters]
    return [_emptied(one) if is_named else one for one, is_named in zip(letters, named, strict=True)], sum(named)


def _emptied(letter: Letter) -> Letter:
    return Letter(letter.record._replace(value=b"", key=None, headers=()), "it named a person who was forgotten")


def in_order(letters: Iterable[Letter]) -> list[Letter]:
    """Each message once, whatever was left twice."""
    once = {(one.record.partition, one.record.offset): one for one in letters}
    return [once[place] for place in sorted(once)]


@dataclass
class IngestState:
    """What health and metrics tell of an ingest."""

    offsets: dict[str, int] = field(default_factory=dict)
    """Per partition, how far it has come: all before it is in the journal, was put aside, or is wanted by nobody."""
    behind: dict[str, int] = field(default_factory=dict)
    """Per partition, how many records are known to wait."""
    dead_letters: int = 0
    """Since this process began."""
    trouble: str = ""
    """What is being tried again."""
    stopped: str = ""
    """Why it does not go on; a person must look."""


class TooManyUnreadable(Exception):
    """Something is wrong with the messages as a whole, or with us: going on would put aside all of them."""


class Ingest:
    """Takes in what one service reads of the others. `run` is its loop."""

    def __init__(
        self,
        takes: Iterable[str],
        feed: Feed,
        journal: JournalStore,
        writer: Writer,
        dead_letters: DeadLetters,
        *,
        most_in_a_row: int = MOST_IN_A_ROW,
        pause_s: float = 0.0,
    ) -> None:
        self._takes, self._feed, self._journal, self._writer = frozenset(takes), feed, journal, writer
        self._dead_letters, self._most_in_a_row, self._pause_s = dead_letters, most_in_a_row, pause_s
        self._stopping = asyncio.Event()
        self._in_a_row = 0
        self._arrivals: list[Arrival] = []
        self._offsets: dict[str, int] = {}
        self._recorded: dict[str, int] = {}
        self._passed: dict[str, int] = {}
        """Per publisher, the highest position of its journal that was recorded here or passed over."""
        self._passing: dict[str, int] = {}
        """The same, with the page in hand."""
        self._partitions: dict[str, set[str]] = defaultdict(set)
        self.state = IngestState()

    async def run(self) -> None:
        """Take in until `stop`, or until the writer ends, or until `state.stopped` says why not."""
        waits = pauses()
        try:
            while not self._stopping.is_set():
                try:
                    await self._follow()
                except Stopped:
                    return
                except (Hole, Fork, TooManyUnreadable) as error:
                    self.state.stopped = str(error)
                    log.error("ingest.stopped", reason=self.state.stopped)
                    return
                except Exception as error:  # a slow neighbour, a bus that is away, a commit that failed
                    if not self.state.trouble:
                        waits = pauses()
                    self.state.trouble = f"{type(error).__name__}: {error}"
                    log.warning("ingest.tries-again", trouble=self.state.trouble)
                    await self._pause(next(waits))
        finally:
            await self._feed.close()
            await self._dead_letters.close()

    async def stop(self) -> None:
        """Record what is in hand, then end `run`."""
        self._stopping.set()
        await self._feed.close()

    def has_taken(self, publisher: str, position: int) -> bool:
        """Whether all that this publisher had published up to a position of its journal was taken in or passed over."""
        if publisher in self.state.offsets:  # the embedded bus: its offsets are positions
            return self.state.offsets[publisher] > position
        waits = any(self.state.behind.get(partition, 0) for partition in self._partitions[publisher])
        return self._passed.get(publisher, 0) >= position and not waits

    async def _pause(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._stopping.wait()
        except TimeoutError:
            pass

    async def _follow(self) -> None:
        if marks := since_when(self._takes, await self._journal.checkpoints(), micros(self._writer.now())):
            await self._writer.settle(Settle(marks))
        self._recorded = await self._journal.offsets()
        self._arrivals, self._offsets, self._in_a_row = [], {}, 0
        self._passing = dict(self._passed)
        self.state.offsets = dict(self._recorded)
        async with aclosing(self._feed.pages(self._recorded)) as pages:
            async for page in pages:
                if await self._judge(page) or self._carried() >= MOST_CARRIED:
                    await self._record()
                self._pass(page)
                self.state.offsets.update(page.offsets)
                self.state.behind.update(page.behind)
                self.state.trouble = ""
                if self._pause_s and page.records and not any(page.behind.values()):
                    await self._pause(self._pause_s)  # what comes meanwhile is one commit
        await self._record()

    async def _judge(self, page: Page) -> bool:
        """Sort a page; whether there is something in it that must be recorded now."""
        now = False
        for record in page.records:
            try:
                arrival = arrival_of(record, self._takes)
            except ValueError as error:
                await self._put_aside(record, str(error))
                now = True
            else:
                self._in_a_row = 0
                now |= arrival.wanted
                self._arrivals.append(arrival)
                self._passing[record.service] = max(
                    self._passing.get(record.service, 0), int(arrival.envelope.position)
                )
        self._offsets.update(page.offsets)
        return now

    async def _put_aside(self, record: Record, reason: str) -> None:
        self._in_a_row += 1
        await self._dead_letters.leave(record, reason)
        self.state.dead_letters += 1
        log.error("ingest.dead-letter", partition=record.partition, offset=record.offset, reason=reason)
        if self._in_a_row >= self._most_in_a_row:
            # Those of this page are not passed: once the cause is gone, they are read again.
            raise TooManyUnreadable(
                f"{self._in_a_row} messages in a row could not be read, "
                f"the last at {record.partition} offset {record.offset}: {reason}"
            )

    def _pass(self, page: Page) -> None:
        for record in page.records:
            self._partitions[record.service].add(record.partition)
        self._passed.update(self._passing)

    def _carried(self) -> int:
        return sum(next_one - self._recorded.get(name, 0) for name, next_one in self._offsets.items())

    async def _record(self) -> None:
        if self._offsets:
            await self._writer.take_in(TakeIn(self._arrivals, self._offsets))
            self._recorded.update(self._offsets)
            self._arrivals, self._offsets = [], {}


TAKES = "takes:"
"""Before the name of a type: the checkpoint that says since when it is taken in, in microseconds UTC."""

NOT_TAKEN = 2**62


def taken_since(checkpoints: Mapping[str, int]) -> dict[str, int]:
    """Since when each type is taken in, as the journal notes it."""
    return {name.removeprefix(TAKES): at for name, at in checkpoints.items() if name.startswith(TAKES)}


def since_when(takes: Collection[str], checkpoints: Mapping[str, int], now: int) -> dict[str, int]:
    """
    What must be noted, because another release ran here that took in other types.

    The first release that notes it says 0: all of them, from the beginning.
    """
    known = taken_since(checkpoints)
    begun = {name for name in takes if known.get(name, NOT_TAKEN) == NOT_TAKEN}
    ended = {name for name, at in known.items() if name not in takes and at != NOT_TAKEN}
    at = now if known else 0
    return {TAKES + name: at for name in begun} | {TAKES + name: NOT_TAKEN for name in ended}


def arrival_of(record: Record, takes: frozenset[str]) -> Arrival:
    """The event in a message. Raises ValueError with the reason why nobody can read it."""
    envelope = record.envelope()
    source = envelope.source.split("/")
    if len(source) != 4 or source[2] != record.service:
        raise ValueError(f"it was published by {record.service}, but its source is {envelope.source}")
    # What only a later release knows is kept, so that nothing is missing when that one runs here (decision 18).
    if envelope.type in takes or not envelopes.is_known(envelope.type):
        return Arrival(envelope, record.value, event=record.read_event)
    return Arrival(envelope, b"", wanted=False)  # only counted, so its bytes need not be kept
