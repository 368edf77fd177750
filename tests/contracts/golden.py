"""
The golden records: every event of a release as its writer recorded it, kept for ever.

    python -m tests.contracts.golden 0.2.0      # once, when that release is made

They are written by a real writer into a real journal, sealed texts and all, and never written again.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from contracts import envelope as envelopes
from contracts.event import Event
from contracts.examples import EXAMPLES
from contracts.topics import OF_ANY_SERVICE, PUBLISHERS, events_of
from services.chassis.clock import SetClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.rules import Handler, Rules, Stream
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.work import Ask
from services.chassis.journal.writer import Writer
from services.gateway.persons import MemoryBook, PersonKeys
from services.reference import schema_of

FOLDER = Path(__file__).parents[2] / "contracts/golden"
SUMS = FOLDER / "released.sha256"
NOW = datetime(2026, 11, 24, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Record:
    event: Event


def expected(record: bytes) -> dict[str, Any]:
    """What a release reads in a record: where it belongs, and the value of every field."""
    envelope = envelopes.read(record)
    event = envelopes.payload(envelope)
    return {
        "type": envelope.type,
        "tenant": envelope.tenant,
        "stream": event.stream(),
        "partition_key": event.partition_key(),
        "public": event.PUBLIC,
        "time": envelope.time.isoformat(),
        "fields": json.loads(msgspec.json.encode(event)),
    }


async def _recorded(service: str, events: Sequence[type[Event]], folder: Path) -> list[bytes]:
    kinds = {event.STREAM for event in events}
    rules = Rules(
        service=service,
        streams=tuple([Stream(kind, None, lambda state, _: state) for kind in sorted(kinds)]),
        handlers=(Handler(Record, lambda c: (c.event.stream(),), lambda _, c: [c.event]),),
    )
    clock = SetClock(NOW)
    journal = SqliteJournal(folder / f"{service}.db")
    writer = Writer(
        rules, journal, clock=clock, new_id=new_ids(lambda: micros(NOW) // 1_000), keys=PersonKeys(MemoryBook())
    )
    await writer.start()
    running = asyncio.create_task(writer.run())
    for event in events:
        ask = Ask(command=Record(EXAMPLES[event.__name__]), tenant="demo", actor="agent@demo", caller="golden")
        (await writer.ask(ask)).or_raise()
    writer.stop()
    await running
    records = [entry.record for entry in await journal.read(0, 1_000)]
    await journal.close()
    return records


def _events() -> dict[str, list[type[Event]]]:
    """By the service that records them here; what any service may record, one does."""
    events = {service: events_of(service) for service in PUBLISHERS}
    events["intake"] += OF_ANY_SERVICE
    return events


async def _all_recorded() -> list[bytes]:
    with TemporaryDirectory() as folder:
        return [one for service, events in _events().items() for one in await _recorded(service, events, Path(folder))]


def write(release: str) -> list[Path]:
    """Write the files of a release. Raises FileExistsError for one that has them."""
    files = [FOLDER / f"{release}{end}" for end in (".jsonl", ".expected.json", ".schemas.json")]
    records = asyncio.run(_all_recorded())
    schemas = {event.__name__: schema_of(event) for events in _events().values() for event in events}
    contents = (
        b"\n".join(records) + b"\n",
        _json([expected(record) for record in records]),
        _json({"Envelope": schema_of(envelopes.Envelope)} | schemas),
    )
    for file, content in zip(files, contents, strict=True):
        with file.open("xb") as out:
            out.write(content)
    with SUMS.open("a") as sums:
        for file in files:
            sums.write(f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n")
    return files


def _json(value: Any) -> bytes:
    return json.dumps(value, indent=1, ensure_ascii=False).encode() + b"\n"


if __name__ == "__main__":
    for written in write(sys.argv[1]):
        print(written.name)
