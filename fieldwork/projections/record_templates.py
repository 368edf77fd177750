"""What service records must have, every version; and of which type each order is."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.fieldwork import OrderTyped, RecordTemplateDefined, TemplateItem, TemplateMeter
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RecordTemplateDefined, envelope: Envelope) -> None:
    rows.put(
        event.request_type,
        event.version,
        defined_at=micros(envelope.time),
        checklist=msgspec.json.encode(event.checklist).decode(),
        readings=msgspec.json.encode(event.readings).decode(),
        labour=event.labour,
    )


def items_of(text: str) -> tuple[TemplateItem, ...]:
    """The points of a row's checklist."""
    return msgspec.json.decode(text, type=tuple[TemplateItem, ...])


def meters_of(text: str) -> tuple[TemplateMeter, ...]:
    """The meters of a row."""
    return msgspec.json.decode(text, type=tuple[TemplateMeter, ...])


RECORD_TEMPLATES = View(
    name="record_templates",
    version=1,
    key={"request_type": str, "version": int},
    columns={"defined_at": 0, "checklist": "[]", "readings": "[]", "labour": False},
    reads=(RecordTemplateDefined,),
    apply=apply,
)


def apply_type(rows: Rows, event: OrderTyped, envelope: Envelope) -> None:
    rows.put(event.order_id, request_type=event.request_type)


ORDER_TYPES = View(
    name="order_types",
    version=1,
    key={"order_id": str},
    columns={"request_type": ""},
    reads=(OrderTyped,),
    apply=apply_type,
)

TYPE_OF_ORDER: Final = select(ORDER_TYPES.table.c.request_type).where(
    ORDER_TYPES.table.c.tenant == bindparam("tenant"), ORDER_TYPES.table.c.order_id == bindparam("order_id")
)
