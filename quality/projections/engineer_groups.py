"""
The team and the supplier of every engineer, from each time on: a visit counts for those of its own day.

Nothing that says who they are.
"""

from __future__ import annotations

from contracts.dispatcher import EngineerRegistered
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: EngineerRegistered, envelope: Envelope) -> None:
    rows.put(event.engineer_id, micros(envelope.time), team=event.team, supplier=event.supplier)


ENGINEER_GROUPS = View(
    name="engineer_groups",
    version=1,
    key={"engineer_id": str, "since": int},
    columns={"team": "", "supplier": ""},
    reads=(EngineerRegistered,),
    apply=apply,
)
