"""What warranties and contracts pay for each device."""

from __future__ import annotations

from typing import Final

from sqlalchemy import bindparam, select

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
        customer_id=event.customer_id,
        device_model=event.device_model,
        list_id=event.list_id,
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
    version=2,
    key={"device_id": str, "coverage_id": str},
    columns={
        "version": 0,
        "kind": "",
        "customer_id": "",
        "device_model": "",
        "list_id": "",
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

LISTS_OF_DEVICE: Final = (
    select(COVERAGES.table.c.list_id)
    .where(COVERAGES.table.c.tenant == bindparam("tenant"), COVERAGES.table.c.device_id == bindparam("device_id"))
    .order_by(COVERAGES.table.c.list_id)
)
