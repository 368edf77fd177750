"""The lists of causes and remedies, every version."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.fieldwork import ServiceCode, ServiceCodesDefined
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: ServiceCodesDefined, envelope: Envelope) -> None:
    rows.put(
        event.version,
        defined_at=micros(envelope.time),
        causes=msgspec.json.encode(event.causes).decode(),
        remedies=msgspec.json.encode(event.remedies).decode(),
    )


def codes_of(text: str) -> tuple[ServiceCode, ...]:
    """The codes of a row."""
    return msgspec.json.decode(text, type=tuple[ServiceCode, ...])


SERVICE_CODES = View(
    name="service_codes",
    version=1,
    key={"version": int},
    columns={"defined_at": 0, "causes": "[]", "remedies": "[]"},
    reads=(ServiceCodesDefined,),
    apply=apply,
)
