"""What each engineer is called, so that a customer knows who comes."""

from __future__ import annotations

from contracts.dispatcher import EngineerRegistered
from contracts.envelope import Envelope
from services.chassis.views import Rows, View


def apply(rows: Rows, event: EngineerRegistered, envelope: Envelope) -> None:
    rows.put(event.engineer_id, name=event.name)


ENGINEERS = View(
    name="engineer_names",
    version=1,
    key={"engineer_id": str},
    columns={"name": ""},
    reads=(EngineerRegistered,),
    apply=apply,
)
