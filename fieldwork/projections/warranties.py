"""The warranties of models, in versions, and the devices that they may be for."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, or_, select

from contracts.envelope import Envelope
from contracts.fieldwork import WarrantyDefined, WarrantyTerm
from contracts.intake import DeviceRegistered
from services.chassis.views import Rows, View


def apply(rows: Rows, event: WarrantyDefined, envelope: Envelope) -> None:
    rows.put(
        event.device_model,
        event.version,
        effective_from=event.effective_from,
        from_purchase=event.from_purchase,
        **{name: msgspec.json.encode(getattr(event, name)).decode() for name in ("labour", "parts", "travel")},
    )


def term_of(text: str) -> WarrantyTerm:
    return msgspec.json.decode(text, type=WarrantyTerm)


WARRANTIES = View(
    name="warranties",
    version=1,
    key={"device_model": str, "version": int},
    columns={"effective_from": "", "from_purchase": False, "labour": "{}", "parts": "{}", "travel": "{}"},
    reads=(WarrantyDefined,),
    apply=apply,
)


def apply_device(rows: Rows, event: DeviceRegistered, envelope: Envelope) -> None:
    rows.put(
        event.device_id,
        customer_id=event.customer_id,
        model=event.model,
        purchased_on=event.purchased_on,
        in_service_on=event.in_service_on,
    )


NOTED_DEVICES = View(
    name="noted_devices",
    version=1,
    key={"device_id": str},
    columns={"customer_id": "", "model": "", "purchased_on": "", "in_service_on": ""},
    reads=(DeviceRegistered,),
    apply=apply_device,
    indexes=(("model",),),
)
_d = NOTED_DEVICES.table
OF_MODEL: Final = (
    select(_d)
    .where(
        _d.c.tenant == bindparam("tenant"),
        _d.c.model == bindparam("model"),
        or_(_d.c.purchased_on != "", _d.c.in_service_on != ""),
    )
    .order_by(_d.c.device_id)
)
"""Devices of a model whose warranty has begun on some day."""
