"""What warranties and contracts pay for each device."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.fieldwork import CoverageSet
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: CoverageSet, envelope: Envelope) -> None:
    rows.put(
        event.device_id,
        event.coverage_id,
        version=envelope.version,
        kind=event.kind,
        starts_at=micros(event.starts_at),
        labour_percent=event.labour.percent,
        labour_until=micros(event.labour.until),
        parts_percent=event.parts.percent,
        parts_until=micros(event.parts.until),
        travel_percent=event.travel.percent,
        travel_until=micros(event.travel.until),
    )


COVERAGES = View(
    name="coverages",
    version=1,
    key={"device_id": str, "coverage_id": str},
    columns={
        "version": 0,
        "kind": "",
        "starts_at": 0,
        "labour_percent": 0,
        "labour_until": 0,
        "parts_percent": 0,
        "parts_until": 0,
        "travel_percent": 0,
        "travel_until": 0,
    },
    reads=(CoverageSet,),
    apply=apply,
)
