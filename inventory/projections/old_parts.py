"""Which old parts have still to come back, from whom, and until when; and what a customer kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

import msgspec

from contracts.envelope import Envelope
from contracts.inventory import OldPartsBack, OldPartsDue, OldPartsForfeited, OldPartsReminded, PartLine
from inventory.domain.old_parts import OldPartsEvent, lines_of, more
from inventory.projections.reservations import part_lines
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: OldPartsEvent, envelope: Envelope) -> None:
    key = event.order_id
    row = rows.get(key) or OLD_PARTS.defaults
    left, forfeited = _pieces(str(row["left"])), _pieces(str(row["forfeited"]))
    match event:
        case OldPartsDue():
            left = more(left, event.lines)
            rows.put(key, request_id=event.request_id, due_at=micros(event.due_at), overdue=False)
            if event.engineer_id:
                rows.put(key, engineer_id=event.engineer_id)
            if event.forfeit_at is not None:
                rows.put(key, customer_id=event.customer_id, forfeit_at=micros(event.forfeit_at), reminded=False)
        case OldPartsBack():
            left = more(left, (PartLine(event.part_id, event.quantity - event.forfeited),), -1)
            forfeited = more(forfeited, (PartLine(event.part_id, event.forfeited),) if event.forfeited else (), -1)
        case OldPartsReminded():
            rows.put(key, reminded=True)
        case OldPartsForfeited():
            left, forfeited = more(left, event.lines, -1), more(forfeited, event.lines)
        case _:
            rows.put(key, overdue=True)
    texts = {"left": _text(left), "forfeited": _text(forfeited)}
    rows.put(key, **texts, is_due=bool(left), is_forfeited=bool(forfeited))


def _pieces(text: str) -> dict[str, int]:
    return {line.part_id: line.quantity for line in part_lines(text)}


def _text(pieces: Mapping[str, int]) -> str:
    return msgspec.json.encode(lines_of(pieces)).decode()


OLD_PARTS = View(
    name="old_parts",
    version=2,
    key={"order_id": str},
    columns={
        "request_id": "",
        "engineer_id": "",
        "customer_id": "",
        "left": "[]",
        "is_due": False,
        "due_at": 0,
        "overdue": False,
        "reminded": False,
        "forfeit_at": (int, None),
        "forfeited": "[]",
        "is_forfeited": False,
    },
    reads=get_args(OldPartsEvent),
    apply=apply,
    indexes=(("is_due",), ("is_forfeited",)),
)
