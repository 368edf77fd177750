"""What each order is entitled to, as it was decided last."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.fieldwork import Entitled, EntitlementDecided, EntitlementRedecided, OrderCharged
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: EntitlementDecided | EntitlementRedecided | OrderCharged, envelope: Envelope) -> None:
    key = event.order_id
    match event:
        case EntitlementDecided():
            rows.put(
                key,
                request_id=event.request_id,
                customer_id=event.customer_id,
                device_id=event.device_id,
                entitled_at=micros(event.entitled_at),
                list_version=event.list_version,
                lines=msgspec.json.encode(event.lines).decode(),
            )
        case EntitlementRedecided():
            rows.put(
                key,
                lines=msgspec.json.encode(event.lines).decode(),
                before=msgspec.json.encode(event.before).decode(),
                decided_anew=event.number,
                reason=event.reason,
                decided_anew_at=micros(envelope.recorded_at),
            )
        case OrderCharged():
            known = rows.get(key)
            visits = [*visits_of(known["visits"] if known else "[]"), event.visit_id]
            rows.put(key, visits=msgspec.json.encode(visits).decode())


def entitled_of(text: str) -> tuple[Entitled, ...]:
    """The lines of a row."""
    return msgspec.json.decode(text, type=tuple[Entitled, ...])


def visits_of(text: str) -> tuple[str, ...]:
    """The charged visits of a row."""
    return msgspec.json.decode(text, type=tuple[str, ...])


ENTITLEMENTS = View(
    name="entitlements",
    version=1,
    key={"order_id": str},
    columns={
        "request_id": "",
        "customer_id": "",
        "device_id": "",
        "entitled_at": 0,
        "list_version": 0,
        "lines": "[]",
        "before": "[]",
        "decided_anew": 0,
        "reason": "",
        "decided_anew_at": (int, None),
        "visits": "[]",
    },
    reads=(EntitlementDecided, EntitlementRedecided, OrderCharged),
    apply=apply,
    indexes=(("device_id",),),
)

OF_DEVICE: Final = (
    select(ENTITLEMENTS.table.c.order_id, ENTITLEMENTS.table.c.visits)
    .where(ENTITLEMENTS.table.c.tenant == bindparam("tenant"), ENTITLEMENTS.table.c.device_id == bindparam("device_id"))
    .order_by(ENTITLEMENTS.table.c.order_id)
)
