"""Who supplied every device, as its register says now: a correction there restates figures."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.intake import DeviceRegistered
from services.chassis.views import Rows, View


def apply(rows: Rows, event: DeviceRegistered, envelope: Envelope) -> None:
    rows.put(event.device_id, device_supplier=event.device_supplier)


DEVICE_SUPPLIERS = View(
    name="device_suppliers",
    version=1,
    key={"device_id": str},
    columns={"device_supplier": ""},
    reads=(DeviceRegistered,),
    apply=apply,
)
