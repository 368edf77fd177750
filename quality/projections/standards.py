"""The standards as they are now, by type of request."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.quality import StandardDefined, StandardItem
from services.chassis.views import Rows, View


def apply(rows: Rows, event: StandardDefined, envelope: Envelope) -> None:
    rows.put(
        event.type_id,
        version=envelope.version,
        standard_version=event.standard_version,
        items=msgspec.json.encode(event.items).decode(),
        has_items=bool(event.items),
    )


def items_of(text: str) -> list[StandardItem]:
    return msgspec.json.decode(text, type=list[StandardItem])


STANDARDS = View(
    name="standards",
    version=1,
    key={"type_id": str},
    columns={"version": 0, "standard_version": 0, "items": "[]", "has_items": False},
    reads=(StandardDefined,),
    apply=apply,
)

TYPES_WITH_ONE: Final = select(STANDARDS.table.c.type_id).where(
    STANDARDS.table.c.tenant == bindparam("tenant"), STANDARDS.table.c.has_items
)
