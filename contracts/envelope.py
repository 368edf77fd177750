"""
The envelope: what is known about every event beside what it says. CloudEvents 1.0 with extension attributes.

On the wire the names are CloudEvents' (lower case, no separators), in Python snake_case; `WIRE_NAMES` is the one table
between them. A record is the envelope with its payload as one JSON object. It is stored, chained, published and
exported as the same bytes.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final, Literal

import msgspec

from contracts.event import REGISTRY, Event

Origin = Literal["live", "import"]

WIRE_NAMES: Final = {
    "spec_version": "specversion",
    "data_schema": "dataschema",
    "public_version": "publicversion",
    "recorded_at": "recordedat",
    "correlation_id": "correlationid",
    "causation_id": "causationid",
    "partition_key": "partitionkey",
    "key_ids": "keyids",
    "trace_parent": "traceparent",
}


class Envelope(msgspec.Struct, frozen=True, kw_only=True, rename=WIRE_NAMES, omit_defaults=True):
    """One record of a journal. Times are UTC; `position` is text because CloudEvents' Integer has 32 bits only."""

    id: str
    """UUIDv7, or a name-based UUIDv8 for what is derived (timer, import row, reaction) and so exists once."""
    source: str
    """`/cell/service/incarnation` of the journal that recorded it."""
    spec_version: str = msgspec.field(default_factory=lambda: "1.0")
    """Written out in every record, also where other defaults are not: without it a record is no CloudEvent."""
    type: str
    subject: str
    """The stream again, for CloudEvents consumers who know no `stream`."""
    time: datetime
    """When it happened."""
    data_schema: str = ""
    tenant: str
    stream: str
    version: int
    """Dense from 1 within the stream."""
    public_version: int = 0
    """Dense from 1 over the stream's public events, so that a consumer sees holes; 0 for an internal event."""
    position: str
    """Dense from 1 within the recording journal."""
    recorded_at: datetime
    """When the recording service knew."""
    correlation_id: str
    """The request (or other stream) whose story this is part of."""
    causation_id: str = ""
    """The event that this one answers, if any."""
    actor: str
    channel: str = "api"
    origin: Origin = "live"
    """`import`: history of another system. It is shown, and nothing acts on it."""
    partition_key: str
    key_ids: str = ""
    """Persons under whose keys fields are sealed, separated by commas."""
    trace_parent: str = ""
    data: msgspec.Raw

    @property
    def service(self) -> str:
        return self.source.split("/")[2]


class UnknownEvent(Exception):
    """A record whose type these contracts do not know; only a newer release can read it."""


_envelopes = msgspec.json.Decoder(Envelope)
_payloads: dict[str, msgspec.json.Decoder[Event]] = {}


def read(record: bytes) -> Envelope:
    """The envelope of a record with its payload left raw. Raises msgspec.DecodeError for what is no record."""
    return _envelopes.decode(record)


def is_known(kind: str) -> bool:
    """Whether these contracts know this type of event. One that they do not was recorded by a later release."""
    return kind in REGISTRY


def payload(envelope: Envelope) -> Event:
    """The typed event inside. Raises UnknownEvent, or msgspec.ValidationError naming the field that is wrong."""
    decoder = _payloads.get(envelope.type)
    if decoder is None:
        if envelope.type not in REGISTRY:
            raise UnknownEvent(envelope.type)
        decoder = _payloads[envelope.type] = msgspec.json.Decoder(REGISTRY[envelope.type])
    return decoder.decode(envelope.data)
