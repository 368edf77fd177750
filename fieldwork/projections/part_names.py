"""Which parts are defined, and which that are not went into a device all the same."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, exists, select

from contracts.envelope import Envelope
from contracts.fieldwork import PartUsed, PartUsedAfterEnd
from contracts.inventory import PartDefined
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply_defined(rows: Rows, event: PartDefined, envelope: Envelope) -> None:
    rows.put(event.part_id, name=event.name)


PART_NAMES = View(
    name="part_names",
    version=1,
    key={"part_id": str},
    columns={"name": ""},
    reads=(PartDefined,),
    apply=apply_defined,
)


def apply_used(rows: Rows, event: PartUsed | PartUsedAfterEnd, envelope: Envelope) -> None:
    part_id = event.part_id if isinstance(event, PartUsed) else event.part.part_id
    rows.put(event.visit_id, part_id, order_id=event.order_id, used_at=micros(envelope.time))


USED_PARTS = View(
    name="used_parts",
    version=1,
    key={"visit_id": str, "part_id": str},
    columns={"order_id": "", "used_at": 0},
    reads=(PartUsed, PartUsedAfterEnd),
    apply=apply_used,
)

_known, _used = PART_NAMES.table.c, USED_PARTS.table.c

KNOWN_PART: Final = select(_known.part_id).where(
    _known.tenant == bindparam("tenant"), _known.part_id == bindparam("part_id")
)

UNKNOWN_PARTS: Final = select(_used.visit_id, _used.part_id, _used.order_id, _used.used_at).where(
    ~exists().where(_known.tenant == _used.tenant, _known.part_id == _used.part_id)
)
"""What was used and nobody has defined."""
