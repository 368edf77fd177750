"""What was planned anew, and what stayed as it was."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from contracts.dispatcher import ReplanAsked, ReplanDone
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: ReplanAsked | ReplanDone, envelope: Envelope) -> None:
    record, at = msgspec.json.encode(event).decode(), micros(envelope.recorded_at)
    if isinstance(event, ReplanAsked):
        rows.put(event.replan_id, asked=record, asked_at=at, actor=envelope.actor)
        return
    asker = (rows.get(event.replan_id) or {}).get("actor")
    rows.put(event.replan_id, done_at=at, actor=asker or envelope.actor, record=record)


REPLANS = View(
    name="replans",
    version=2,
    key={"replan_id": str},
    columns={"asked": "", "asked_at": (int, None), "done_at": (int, None), "actor": "", "record": ""},
    reads=(ReplanAsked, ReplanDone),
    apply=apply,
)


def asked_of(row: Mapping[str, Any]) -> ReplanAsked | None:
    """What was asked for; None of one that was done at once."""
    return msgspec.json.decode(row["asked"], type=ReplanAsked) if row["asked"] else None


def replan_of(row: Mapping[str, Any]) -> ReplanDone | None:
    """What came of it; None while it is looked for."""
    return msgspec.json.decode(row["record"], type=ReplanDone) if row["record"] else None
