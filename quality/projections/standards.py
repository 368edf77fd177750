"""The standards by type of request, in all their versions."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.quality import StandardDefined, StandardItem
from services.chassis.views import Rows, View


def apply(rows: Rows, event: StandardDefined, envelope: Envelope) -> None:
    known = rows.get(event.type_id)
    versions = (*(versions_of(known["versions"]) if known else ()), event)
    rows.put(
        event.type_id,
        version=envelope.version,
        versions=msgspec.json.encode(versions).decode(),
        has_items=any(one.items for one in versions),
    )


def versions_of(text: str) -> list[StandardDefined]:
    """The oldest first."""
    return msgspec.json.decode(text, type=list[StandardDefined])


def items_of(text: str) -> list[StandardItem]:
    return msgspec.json.decode(text, type=list[StandardItem])


STANDARDS = View(
    name="standards",
    version=2,
    key={"type_id": str},
    columns={"version": 0, "versions": "[]", "has_items": False},
    reads=(StandardDefined,),
    apply=apply,
)

TYPES_WITH_ONE: Final = select(STANDARDS.table.c.type_id).where(
    STANDARDS.table.c.tenant == bindparam("tenant"), STANDARDS.table.c.has_items
)
