"""What is at a depot to be repaired, or on its way there, and what became of what was."""

from __future__ import annotations

from typing import get_args

import msgspec

from contracts.envelope import Envelope
from contracts.inventory import RmaDiagnosed, RmaLost, RmaOpened, RmaOverdue, RmaReceived, RmaSettled
from inventory.domain.rma import RmaEvent
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RmaEvent, envelope: Envelope) -> None:
    key = event.rma_id
    row = rows.get(key) or RMAS.defaults

    def more(name: str, quantity: int) -> int:
        return int(row[name] or 0) + quantity

    rows.put(key, version=envelope.version)
    match event:
        case RmaOpened():
            facts = {"part_id": event.part_id, "from_place_id": event.from_place_id, "depot_id": event.depot_id}
            facts |= {"fault": event.fault, "reference": event.reference, "serials": _text(event.serials)}
            rows.put(key, **facts, quantity=event.quantity, on_the_way=event.quantity, is_open=True)
            rows.put(key, opened_at=micros(envelope.time), due_at=micros(event.due_at))
        case RmaReceived():
            on_the_way, at_depot = more("on_the_way", -event.quantity), more("at_depot", event.quantity)
            rows.put(key, on_the_way=on_the_way, at_depot=at_depot)
        case RmaLost():
            on_the_way, lost = more("on_the_way", -event.quantity), more("lost", event.quantity)
            rows.put(key, on_the_way=on_the_way, lost=lost, is_open=event.left > 0)
        case RmaDiagnosed():
            rows.put(key, verdict=event.verdict, finding=event.finding)
        case RmaSettled():
            at_depot, settled = more("at_depot", -event.quantity), more(event.outcome, event.quantity)
            rows.put(key, at_depot=at_depot, is_open=event.left > 0, **{event.outcome: settled})
            if event.replaced_by:
                came = (*msgspec.json.decode(str(row["replaced_by"])), *event.replaced_by)
                rows.put(key, replaced_by=_text(came))
        case RmaOverdue():
            rows.put(key, overdue=True)


def _text(serials: tuple[str, ...]) -> str:
    return msgspec.json.encode(serials).decode()


RMAS = View(
    name="rmas",
    version=1,
    key={"rma_id": str},
    columns={
        "version": 0,
        "part_id": "",
        "from_place_id": "",
        "depot_id": "",
        "fault": "",
        "reference": "",
        "serials": "[]",
        "replaced_by": "[]",
        "quantity": 0,
        "on_the_way": 0,
        "at_depot": 0,
        "lost": 0,
        "repaired": 0,
        "scrapped": 0,
        "exchanged": 0,
        "verdict": "",
        "finding": "",
        "is_open": False,
        "overdue": False,
        "opened_at": 0,
        "due_at": 0,
    },
    reads=get_args(RmaEvent),
    apply=apply,
    indexes=(("is_open",),),
)
