"""
The runner of an import: reads a file row by row and has each row recorded as an event at the time it happened.

A case is one order, opened by its first row. Its rows are asked one after the other, so that the version of the stream
is the order of the file; many cases are under way at once. A row's key is its case and its number within it: importing
the same file again, after an interruption or a correction, records what is missing and repeats nothing.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import hashlib
import os
import zlib
from collections import Counter, abc
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import IO, Any, Final, NamedTuple, Protocol, TypedDict, assert_never

import msgspec

from contracts.dispatcher import OrderFinished, OrderOpened, OrderPaused, OrderQueued, OrderTaken
from services.chassis.ids import derived_id
from services.chassis.journal.work import Answer, Ask
from services.importing.csv_rows import csv_rows
from services.importing.mapping import ALWAYS, Mapping, Meaning
from services.importing.rows import BadRow, Row, Unusable, legible
from services.importing.xes_rows import xes_rows

IN_FLIGHT: Final = 4_096
"""Rows that were read and are not answered yet; the writer commits what waits together."""

BREATH: Final = 64
"""Rows read in one go, before others have their turn."""

TOLD_EVERY: Final = 500
"""Rows between two words of progress."""

GZIP: Final = b"\x1f\x8b"

Step = OrderQueued | OrderTaken | OrderPaused | OrderFinished
HistoryEvent = OrderOpened | Step


class MakeCommand(Protocol):
    """The command that records an order's history: the class itself, which belongs to a service."""

    def __call__(self, *, order_id: str, request_id: str, events: tuple[HistoryEvent, ...]) -> Any: ...


class Progress(NamedTuple):
    """How far an import has come."""

    rows: int = 0
    recorded: int = 0
    repeated: int = 0
    """Rows that an earlier run had recorded."""
    rejected: int = 0
    bytes_read: int = 0
    bytes_all: int = 0
    """Of the file as it lies there, compressed or not."""


@dataclass(frozen=True)
class Imported:
    """What became of a file."""

    rows: int
    recorded: int
    repeated: int
    rejected: int
    cases: int
    incomplete: str = ""
    """Why the file could not be read to its end, with the line; what came before it is recorded."""


class _Known(NamedTuple):
    """A row that is understood."""

    row: Row
    case: str
    key: str
    event: Step
    at: datetime


async def import_history(
    file: Path,
    mapping: Mapping,
    ask: Callable[[Ask], Awaitable[Answer]],
    *,
    make_command: MakeCommand,
    rejects: Path,
    tenant: str,
    progress: Callable[[Progress], None] = lambda _: None,
) -> Imported:
    """
    Record the history in `file`. What cannot be used is listed in `rejects`, which is written anew: line, reason, row.

    Raises Unusable when nothing of the file fits the mapping, and what `ask` raises. It may be cancelled at any moment:
    what was answered is recorded, and the next run goes on from there.
    """
    with file.open("rb") as opened, rejects.open("w", encoding="utf-8", newline="") as listed:
        run = _Run(mapping, ask, make_command, tenant, listed)
        size = os.fstat(opened.fileno()).st_size

        def tell() -> None:
            progress(run.progress._replace(bytes_read=opened.tell(), bytes_all=size))

        try:
            async with asyncio.TaskGroup() as group:
                for row in _rows(opened, file.name, mapping):
                    await run.take(row, group)
                    if run.progress.rows % TOLD_EVERY == 0:
                        tell()
        except ExceptionGroup as failed:
            raise failed.exceptions[0] from None
        tell()
        said = run.progress
        return Imported(said.rows, said.recorded, said.repeated, said.rejected, len(run.counted), run.incomplete)


def order_id_of(source: str, case: str) -> str:
    """The order that a case of another system is here."""
    return derived_id("import", source, case)


def _rows(opened: IO[bytes], name: str, mapping: Mapping) -> Iterator[Row | BadRow]:
    beginning = opened.read(len(GZIP))
    opened.seek(0)
    file: IO[bytes] = gzip.GzipFile(fileobj=opened) if beginning == GZIP else opened  # type: ignore[assignment]
    reader = {"csv": csv_rows, "xes": xes_rows}[_format(name, mapping)]
    line = 0
    try:
        for row in reader(file, mapping):
            line = row.line
            yield row
    except (EOFError, gzip.BadGzipFile, zlib.error, UnicodeError) as error:
        yield BadRow(line + 1, f"the file cannot be read from here on: {error}", "", ends=True)


def _format(name: str, mapping: Mapping) -> str:
    if mapping.format != "auto":
        return mapping.format
    ending = name.lower().removesuffix(".gz").rpartition(".")[2]
    if ending not in ("csv", "xes"):
        raise Unusable(f"{name} ends neither in .csv nor in .xes; say `format: csv` or `format: xes` in the mapping")
    return ending


class _Run:
    """One import under way."""

    def __init__(
        self,
        mapping: Mapping,
        ask: Callable[[Ask], Awaitable[Answer]],
        make_command: MakeCommand,
        tenant: str,
        listed: IO[str],
    ) -> None:
        self._mapping, self._ask, self._make_command, self._tenant = mapping, ask, make_command, tenant
        self._caller = f"import:{mapping.source}"
        self._listed = csv.writer(listed)
        self._listed.writerow(["line", "reason", "row"])
        self._meanings: dict[tuple[str, str], Meaning | None] = {}
        self._room = asyncio.Semaphore(IN_FLIGHT)
        self._last: dict[str, asyncio.Task[None]] = {}
        """The newest row under way of each case."""
        self._opened: set[str] = set()
        self.counted: Counter[str] = Counter()
        """Rows of each case so far, good or bad, so that a row keeps its number when a bad one is mended."""
        self.progress = Progress()
        self.incomplete = ""

    async def take(self, row: Row | BadRow, group: asyncio.TaskGroup) -> None:
        """List a bad row, or have a good one recorded after those of its case; waits while many are under way."""
        self._add(rows=1)
        case = row.case if isinstance(row, BadRow) else row.values.get("case", "")
        if case:
            self.counted[case] += 1
        known = row if isinstance(row, BadRow) else self._understand(row)
        if isinstance(known, BadRow):
            self._reject(known)
        else:
            await self._room.acquire()
            opens = case not in self._opened
            self._opened.add(case)
            self._last[case] = group.create_task(self._record(known, self._last.get(case), opens))
        if self.progress.rows % BREATH == 0:
            await asyncio.sleep(0)

    def _understand(self, row: Row) -> _Known | BadRow:
        said, mapping = row.values, self._mapping
        case = said.get("case", "")

        def bad(reason: str) -> BadRow:
            return BadRow(row.line, reason, row.raw, case)

        for name in (*ALWAYS, *mapping.required):
            if not said.get(name):
                return bad(f"{name} is missing")
        if "\0" in row.raw:
            return bad("a text holds the character NUL, which cannot be stored")
        try:
            at = mapping.time.read(said["time"])
        except ValueError as error:
            return bad(f"the time cannot be read: {error}")
        meaning = self._meaning(said["status"], said.get("sub_status", ""))
        if meaning is None:
            return bad(f"the status {said['status']!r} / {said.get('sub_status', '')!r} is not in the mapping")
        event = _event(*_ids(mapping.source, case), said, meaning)
        return _Known(row, case, f"{case}/{self.counted[case]}", event, at)

    def _meaning(self, status: str, sub_status: str) -> Meaning | None:
        key = status, sub_status
        if key not in self._meanings:
            self._meanings[key] = self._mapping.meaning(*key)
        return self._meanings[key]

    async def _record(self, known: _Known, after: asyncio.Task[None] | None, opens: bool) -> None:
        if after is not None:
            await after
        event = known.event
        answer = None
        if opens:
            # Under a key of its own, so that it is recorded once also when the first row is mended later.
            opened = OrderOpened(order_id=event.order_id, request_id=event.request_id)
            answer = await self._tell(known.at, opened, f"{known.case}/0", b"")
        if answer is None or not answer.rejected:
            content = msgspec.json.encode([known.at, type(event).__name__, event])
            answer = await self._tell(known.at, event, known.key, hashlib.sha256(content).digest())
        if answer.rejected:
            self._reject(BadRow(known.row.line, _refusal(answer, known.key), known.row.raw))
        elif answer.repeated:
            self._add(repeated=1)
        else:
            self._add(recorded=1)
        if self._last.get(known.case) is asyncio.current_task():
            del self._last[known.case]
        self._room.release()

    async def _tell(self, at: datetime, event: HistoryEvent, key: str, request_hash: bytes) -> Answer:
        return await self._ask(
            Ask(
                command=self._make_command(order_id=event.order_id, request_id=event.request_id, events=(event,)),
                tenant=self._tenant,
                actor=self._caller,
                caller=self._caller,
                key=key,
                request_hash=request_hash,
                happened_at=at,
                channel="import",
                origin="import",
                derived=True,
            )
        )

    def _reject(self, bad: BadRow) -> None:
        self._add(rejected=1)
        self._listed.writerow([bad.line, bad.reason, legible(bad.raw)])
        if bad.ends:
            self.incomplete = f"line {bad.line}: {bad.reason}"

    def _add(self, rows: int = 0, recorded: int = 0, repeated: int = 0, rejected: int = 0) -> None:
        p = self.progress
        self.progress = Progress(p.rows + rows, p.recorded + recorded, p.repeated + repeated, p.rejected + rejected)


def _refusal(answer: Answer, key: str) -> str:
    if answer.rejected == "idempotency-key.reused":
        return f"row {key} was imported before and said something else; history is not rewritten"
    return f"refused: {answer.rejected}"


@lru_cache(1_024)
def _ids(source: str, case: str) -> tuple[str, str]:
    """Of the order and of its request; rows of a case lie near each other."""
    return order_id_of(source, case), derived_id("import", source, case, "request")


class _Common(TypedDict):
    """What all steps say."""

    order_id: str
    request_id: str
    team: str
    person: str
    impact: str
    product: str


def _event(order_id: str, request_id: str, said: abc.Mapping[str, str], meaning: Meaning) -> Step:
    common: _Common = {
        "order_id": order_id,
        "request_id": request_id,
        "team": said.get("team", ""),
        "person": said.get("person", ""),
        "impact": said.get("impact", ""),
        "product": said.get("product", ""),
    }
    match meaning.kind:
        case "queued":
            return OrderQueued(**common)
        case "taken":
            return OrderTaken(**common)
        case "paused":
            return OrderPaused(reason=meaning.reason, **common)
        case "finished":
            return OrderFinished(outcome=meaning.outcome, **common)
        case _:
            assert_never(meaning.kind)
