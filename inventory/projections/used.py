"""
What repairs took: of a device model with a request type, and with the cause that was found, how many took which part.

A repair counts once, when its order is known and its work is completed, whichever of the two is heard of first.
"""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import OrderOpened
from contracts.envelope import Envelope
from contracts.fieldwork import ServiceCompleted, UsedPart, WorkFinished
from inventory.projections.registers import PARTS
from services.chassis.views import Rows, View


def scope_of(device_model: str, request_type: str, cause: str = "") -> str:
    """The repairs of a model with a request type, and of these the ones in which this cause was found."""
    named = (device_model, request_type, cause) if cause else (device_model, request_type)
    return msgspec.json.encode(named).decode()


def apply(rows: Rows, event: OrderOpened | WorkFinished | ServiceCompleted, envelope: Envelope) -> None:
    order = f"order/{event.order_id}"
    match event:
        case OrderOpened():
            rows.put(order, "", opened=True, device_model=event.device_model, request_type=event.request_type)
        case WorkFinished():
            rows.put(order, "", cause=event.cause)
        case ServiceCompleted():
            rows.put(order, "", completed=True, parts=msgspec.json.encode(event.parts).decode())
    row = rows.get(order, "") or PARTS_USED.defaults
    if row["opened"] and row["completed"]:
        model, kind, cause = str(row["device_model"]), str(row["request_type"]), str(row["cause"])
        used = msgspec.json.decode(str(row["parts"]), type=tuple[UsedPart, ...])
        rows.drop(order, "")
        if model:
            for scope in {scope_of(model, kind), scope_of(model, kind, cause)}:
                _count(rows, scope, used)


def _count(rows: Rows, scope: str, used: tuple[UsedPart, ...]) -> None:
    pieces: dict[str, int] = {}
    for line in used:
        pieces[line.part_id] = pieces.get(line.part_id, 0) + line.quantity
    _add(rows, scope, "", 1)
    for part_id, quantity in pieces.items():
        _add(rows, scope, part_id, quantity)


def _add(rows: Rows, scope: str, part_id: str, pieces: int) -> None:
    row = rows.get(scope, part_id) or PARTS_USED.defaults
    rows.put(scope, part_id, repairs=int(row["repairs"] or 0) + 1, pieces=int(row["pieces"] or 0) + pieces)


PARTS_USED = View(
    name="parts_used",
    version=1,
    key={"scope": str, "part_id": str},
    columns={
        # Of a scope: without a part, all repairs; with one, those that took it, and how many pieces.
        "repairs": 0,
        "pieces": 0,
        # Of an order that is still to be counted.
        "opened": False,
        "completed": False,
        "device_model": "",
        "request_type": "",
        "cause": "",
        "parts": "[]",
    },
    reads=(OrderOpened, WorkFinished, ServiceCompleted),
    apply=apply,
    waited_for=False,
)

_used, _part = PARTS_USED.table.c, PARTS.table.c

REPAIRS_OF: Final = select(_used.repairs).where(
    _used.tenant == bindparam("tenant"), _used.scope == bindparam("scope"), _used.part_id == ""
)
"""How many repairs there were."""

PARTS_USED_IN: Final = (
    select(_used.part_id, _used.repairs, _used.pieces)
    .join(PARTS.table, (_part.tenant == _used.tenant) & (_part.part_id == _used.part_id))
    .where(_used.tenant == bindparam("tenant"), _used.scope == bindparam("scope"))
    .order_by(_used.repairs.desc(), _used.part_id)
)
"""The defined parts that they took, the most frequent first."""
