"""The service levels with all their revisions."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import SlaDefined
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: SlaDefined, envelope: Envelope) -> None:
    rows.put(
        event.sla_id,
        event.revision,
        version=envelope.version,
        name=event.name,
        effective_from=micros(event.effective_from),
        request_types=msgspec.json.encode(event.request_types).decode(),
        clocks=msgspec.json.encode(event.clocks).decode(),
    )


SLAS = View(
    name="slas",
    version=1,
    key={"sla_id": str, "revision": int},
    columns={"version": 0, "name": "", "effective_from": 0, "request_types": "[]", "clocks": "[]"},
    reads=(SlaDefined,),
    apply=apply,
)

ANY_SLA: Final = select(SLAS.table.c.sla_id).where(SLAS.table.c.tenant == bindparam("tenant")).limit(1)
"""Whether anything is promised at all."""
