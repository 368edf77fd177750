"""Which old parts have still to come back, from whom, and until when."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.inventory import OldPartsBack, OldPartsDue, OldPartsOverdue, PartLine
from inventory.projections.reservations import part_lines
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: OldPartsDue | OldPartsBack | OldPartsOverdue, envelope: Envelope) -> None:
    row = rows.get(event.order_id) or OLD_PARTS.defaults
    left = {line.part_id: line.quantity for line in part_lines(str(row["left"]))}
    match event:
        case OldPartsDue():
            for line in event.lines:
                left[line.part_id] = left.get(line.part_id, 0) + line.quantity
            facts = {"engineer_id": event.engineer_id, "request_id": event.request_id}
            rows.put(event.order_id, **facts, due_at=micros(event.due_at), overdue=False)
        case OldPartsBack():
            left[event.part_id] -= event.quantity
        case OldPartsOverdue():
            rows.put(event.order_id, overdue=True)
    lines = [PartLine(part_id, quantity) for part_id, quantity in left.items() if quantity]
    rows.put(event.order_id, left=msgspec.json.encode(lines).decode(), is_due=bool(lines))


OLD_PARTS = View(
    name="old_parts",
    version=1,
    key={"order_id": str},
    columns={
        "request_id": "",
        "engineer_id": "",
        "left": "[]",
        "is_due": False,
        "due_at": 0,
        "overdue": False,
    },
    reads=(OldPartsDue, OldPartsBack, OldPartsOverdue),
    apply=apply,
    indexes=(("is_due",),),
)
