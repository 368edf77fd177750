"""Every decision about who carries an order out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.dispatcher import DecisionRecorded
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: DecisionRecorded, envelope: Envelope) -> None:
    rows.put(
        envelope.id,
        order_id=event.order_id,
        position=int(envelope.position),
        decided_at=micros(envelope.recorded_at),
        actor=envelope.actor,
        record=msgspec.json.encode(event).decode(),
    )


DECISIONS = View(
    name="decisions",
    version=1,
    key={"decision_id": str},
    columns={"order_id": "", "position": 0, "decided_at": 0, "actor": "", "record": ""},
    reads=(DecisionRecorded,),
    apply=apply,
    indexes=(("order_id",),),
)


def record_of(row: Mapping[str, Any]) -> DecisionRecorded:
    return msgspec.json.decode(row["record"], type=DecisionRecorded)
