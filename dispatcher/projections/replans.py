"""What was planned anew, and what stayed as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.dispatcher import ReplanDone
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: ReplanDone, envelope: Envelope) -> None:
    record = msgspec.json.encode(event).decode()
    rows.put(event.replan_id, done_at=micros(envelope.recorded_at), actor=envelope.actor, record=record)


REPLANS = View(
    name="replans",
    version=1,
    key={"replan_id": str},
    columns={"done_at": 0, "actor": "", "record": ""},
    reads=(ReplanDone,),
    apply=apply,
)


def replan_of(row: Mapping[str, Any]) -> ReplanDone:
    return msgspec.json.decode(row["record"], type=ReplanDone)
