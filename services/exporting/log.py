"""
The events of a tenant, written for other tools: each event once, from the journal of the service that recorded it.

`jsonl`   the records themselves, byte for byte, one a line
`xes`     IEEE 1849: a trace for each request, for process mining
`ocel2`   OCEL 2.0 (JSON): events with the requests, orders, visits, devices, parts, engineers … they are about
`parquet` a row for each event: its envelope as columns, times in microseconds UTC, and what it says as JSON

Texts about persons stay sealed. Of internal events a service keeps its own account; they are in no export.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Final, Literal
from xml.sax.saxutils import quoteattr

import msgspec

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.journal.store import JournalStore
from services.chassis.parquet import Kind, ParquetTable

Format = Literal["jsonl", "xes", "ocel2", "parquet"]

PAGE: Final = 5_000
ROW_GROUP: Final = 20_000
"""Events of one row group of Parquet: so many are in memory."""

OBJECTS: Final[Mapping[str, str]] = {
    "request_id": "request",
    "order_id": "order",
    "visit_id": "visit",
    "device_id": "device",
    "part_id": "part",
    "engineer_id": "engineer",
    "customer_id": "customer",
    "survey_id": "survey",
    "place_id": "place",
}
"""Field of an event → kind of thing that it names."""


@dataclass
class Exported:
    """What was written."""

    events: int = 0
    objects: int = 0
    """Of `ocel2`; the traces of `xes`."""
    by_type: dict[str, int] = field(default_factory=dict)

    def count(self, envelope: Envelope) -> None:
        self.events += 1
        self.by_type[envelope.type] = self.by_type.get(envelope.type, 0) + 1


async def export(journals: Mapping[str, JournalStore], tenant: str, form: Format, path: Path) -> Exported:
    """Write the log to a file, whole or not at all."""
    aside = path.with_name(f"{path.name}.part")
    write = {"jsonl": _jsonl, "xes": _xes, "ocel2": _ocel2, "parquet": _parquet}[form]
    try:
        with aside.open("wb") as out:
            exported = await write(_public(journals, tenant), out)
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
    return exported


async def _public(journals: Mapping[str, JournalStore], tenant: str) -> AsyncIterator[tuple[Envelope, bytes]]:
    for journal in journals.values():
        position = 0
        while entries := await journal.read(position, PAGE):
            position = entries[-1].position
            for entry in entries:
                # What was taken in is exported from the journal of whoever recorded it.
                if entry.tenant == tenant and ":" not in entry.stream.partition("/")[0]:
                    envelope = envelopes.read(entry.record)
                    if envelope.public_version:
                        yield envelope, entry.record


Events = AsyncIterator[tuple[Envelope, bytes]]


async def _jsonl(events: Events, out: BinaryIO) -> Exported:
    done = Exported()
    async for envelope, record in events:
        done.count(envelope)
        out.write(record + b"\n")
    return done


# Parquet.

_COLUMNS: Final[Mapping[str, Kind]] = {
    "id": "text",
    "service": "text",
    "type": "text",
    "tenant": "text",
    "stream": "text",
    "version": "int64",
    "position": "int64",
    "time_us": "int64",
    "recorded_at_us": "int64",
    "story": "text",
    "cause": "text",
    "actor": "text",
    "channel": "text",
    "origin": "text",
    "data": "text",
}


async def _parquet(events: Events, out: BinaryIO) -> Exported:
    done, table = Exported(), ParquetTable(out, _COLUMNS)
    rows: list[tuple[Any, ...]] = []

    def add() -> None:
        columns = zip(*rows, strict=True) if rows else [()] * len(_COLUMNS)
        table.add(dict(zip(_COLUMNS, columns, strict=True)))
        rows.clear()

    async for envelope, _ in events:
        done.count(envelope)
        rows.append(_row(envelope))
        if len(rows) == ROW_GROUP:
            add()
    if rows or not done.events:
        add()
    table.end()
    return done


def _row(one: Envelope) -> tuple[Any, ...]:
    return (
        one.id,
        one.service,
        one.type,
        one.tenant,
        one.stream,
        one.version,
        int(one.position),
        micros(one.time),
        micros(one.recorded_at),
        one.correlation_id,
        one.causation_id or None,
        one.actor,
        one.channel,
        one.origin,
        bytes(one.data).decode(),
    )


# OCEL 2.0.


async def _ocel2(events: Events, out: BinaryIO) -> Exported:
    done, encode = Exported(), msgspec.json.Encoder().encode
    objects: dict[tuple[str, str], None] = {}
    attributes: dict[str, dict[str, str]] = {}
    out.write(b'{"events":[')
    async for envelope, _ in events:
        said: dict[str, Any] = msgspec.json.decode(envelope.data)
        # An event of nothing among these, as a price list, is about its stream: tools pass over what is about nothing.
        named = dict.fromkeys(_named(said)) or {envelope.stream.partition("/")[::2]: None}
        objects |= named
        facts = {**_plain(said), **_of_envelope(envelope)}
        types = attributes.setdefault(envelope.type, {})
        types |= {name: _kind(value) for name, value in facts.items()}
        event = {
            "id": envelope.id,
            "type": envelope.type,
            "time": envelope.time,
            "attributes": [{"name": name, "value": value} for name, value in facts.items()],
            "relationships": [{"objectId": f"{kind}:{id}", "qualifier": kind} for kind, id in named],
        }
        out.write((b"," if done.events else b"") + encode(event))
        done.count(envelope)
    kinds = sorted({kind for kind, _ in objects})
    out.write(b'],"eventTypes":' + encode([_type(name, types) for name, types in sorted(attributes.items())]))
    out.write(b',"objectTypes":' + encode([{"name": kind, "attributes": []} for kind in kinds]))
    things = [{"id": f"{kind}:{id}", "type": kind, "attributes": [], "relationships": []} for kind, id in objects]
    out.write(b',"objects":' + encode(things) + b"}\n")
    done.objects = len(objects)
    return done


def _type(name: str, attributes: Mapping[str, str]) -> dict[str, Any]:
    return {"name": name, "attributes": [{"name": one, "type": kind} for one, kind in sorted(attributes.items())]}


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """The things that an event names, also in its lines."""
    match value:
        case dict():
            for name, one in value.items():
                if (kind := OBJECTS.get(name)) and isinstance(one, str) and one:
                    yield kind, one
                else:
                    yield from _named(one)
        case list():
            for one in value:
                yield from _named(one)


def _plain(said: Mapping[str, Any]) -> dict[str, str | int | bool]:
    """What an event says beside what it names; a list or an object as its JSON."""
    return {
        name: value if isinstance(value, str | int | bool) else msgspec.json.encode(value).decode()
        for name, value in said.items()
        if name not in OBJECTS and value is not None
    }


def _of_envelope(envelope: Envelope) -> dict[str, str | int | bool]:
    return {
        "actor": envelope.actor,
        "channel": envelope.channel,
        "service": envelope.service,
        "recorded_at": envelope.recorded_at.isoformat(),
        "cause": envelope.causation_id,
    }


def _kind(value: object) -> str:
    return "boolean" if isinstance(value, bool) else "integer" if isinstance(value, int) else "string"


# XES.

_NOT_XML: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

_HEAD: Final = b"""<?xml version="1.0" encoding="UTF-8"?>
<log xes.version="1849.2016" xes.features="" xmlns="http://www.xes-standard.org/">
<extension name="Concept" prefix="concept" uri="http://www.xes-standard.org/concept.xesext"/>
<extension name="Time" prefix="time" uri="http://www.xes-standard.org/time.xesext"/>
<extension name="Organizational" prefix="org" uri="http://www.xes-standard.org/org.xesext"/>
<classifier name="Activity" keys="concept:name"/>
"""


async def _xes(events: Events, out: BinaryIO) -> Exported:
    """
    All in memory: a trace is written together, and its events lie in six journals.

    What belongs to no request, such as a device that is registered, is in no trace.
    """
    done = Exported()
    traces: dict[str, list[Envelope]] = {}
    async for envelope, _ in events:
        # Of other events it is their stream, `device/D01`.
        if "/" not in envelope.correlation_id:
            done.count(envelope)
            traces.setdefault(envelope.correlation_id, []).append(envelope)
    out.write(_HEAD)
    for name, story in traces.items():
        out.write(f'<trace><string key="concept:name" value={_quoted(name)}/>\n'.encode())
        for one in sorted(story, key=lambda one: (one.time, one.recorded_at, one.service, int(one.position))):
            out.write(_xes_event(one))
        out.write(b"</trace>\n")
    out.write(b"</log>\n")
    done.objects = len(traces)
    return done


def _xes_event(one: Envelope) -> bytes:
    parts = [
        f'<string key="concept:name" value={_quoted(one.type)}/>',
        f'<date key="time:timestamp" value="{one.time.isoformat()}"/>',
        f'<string key="org:resource" value={_quoted(one.actor)}/>',
        f'<string key="id" value={_quoted(one.id)}/>',
    ]
    for name, value in _plain(msgspec.json.decode(one.data)).items():
        kind, text = _kind(value), str(value).lower() if isinstance(value, bool) else str(value)
        tag = {"boolean": "boolean", "integer": "int", "string": "string"}[kind]
        parts.append(f"<{tag} key={_quoted(name)} value={_quoted(text)}/>")
    return f"<event>{''.join(parts)}</event>\n".encode()


def _quoted(text: str) -> str:
    """As the value of an attribute, without what XML 1.0 cannot hold."""
    return quoteattr(_NOT_XML.sub("\ufffd", text))
