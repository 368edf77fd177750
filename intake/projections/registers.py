"""Customers, devices and kinds of request, as they are now."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.intake import (
    CustomerRegistered,
    CustomerUpdated,
    DeviceModelDefined,
    DeviceRegistered,
    RequestTypeDefined,
    SiteRegistered,
)
from services.chassis.views import Rows, View


def apply_customer(rows: Rows, event: CustomerRegistered | CustomerUpdated, envelope: Envelope) -> None:
    rows.put(
        event.customer_id,
        version=envelope.version,
        name=event.name,
        phone=event.phone,
        street=event.street,
        kind=event.kind,
        region=event.region,
        lat_udeg=event.lat_udeg,
        lon_udeg=event.lon_udeg,
        email=event.email,
        phone_index=event.phone_index,
        email_index=event.email_index,
        source=event.source,
        source_version=event.source_version,
        wechat=event.wechat,
        language=event.language,
        quiet_hours=event.quiet_hours,
        placed_by=event.placed_by,
    )


def apply_site(rows: Rows, event: SiteRegistered, envelope: Envelope) -> None:
    rows.put(
        event.site_id,
        version=envelope.version,
        customer_id=event.customer_id,
        name=event.name,
        address=event.address,
        region=event.region,
        lat_udeg=event.lat_udeg,
        lon_udeg=event.lon_udeg,
        placed_by=event.placed_by,
    )


def apply_device(rows: Rows, event: DeviceRegistered, envelope: Envelope) -> None:
    rows.put(
        event.device_id,
        version=envelope.version,
        customer_id=event.customer_id,
        model=event.model,
        serial=event.serial,
        skill=event.skill,
        site_id=event.site_id,
        purchased_on=event.purchased_on,
        in_service_on=event.in_service_on,
        device_supplier=event.device_supplier,
    )


def apply_device_model(rows: Rows, event: DeviceModelDefined, envelope: Envelope) -> None:
    rows.put(
        event.model,
        model_version=event.model_version,
        name=event.name,
        name_zh=event.name_zh,
        serial_pattern=event.serial_pattern,
        serial_check=event.serial_check,
        faults=_text(event.faults),
    )


def apply_request_type(rows: Rows, event: RequestTypeDefined, envelope: Envelope) -> None:
    rows.put(
        event.type_id,
        type_version=event.type_version,
        name=event.name,
        needs_device=event.needs_device,
        skill=event.skill,
        duration_s=event.duration_s,
        min_description=event.min_description,
        name_zh=event.name_zh,
        kind=event.kind,
        needs_visit=event.needs_visit,
        form=_text(event.form),
        urgency_matrix=_text(event.urgency_matrix),
        usual_parts=_text(event.usual_parts),
        sla=event.sla,
        serial_pattern=event.serial_pattern,
        serial_check=event.serial_check,
        remind_after_s=event.remind_after_s,
        expire_after_s=event.expire_after_s,
        warranty_s=event.warranty_s,
        more_skills=_text(event.more_skills),
        skill_level=event.skill_level,
        certificates=_text(event.certificates),
    )


def _text(values: tuple[msgspec.Struct, ...] | tuple[str, ...]) -> str:
    return msgspec.json.encode(values).decode()


CUSTOMERS = View(
    name="customers",
    version=3,
    key={"customer_id": str},
    columns={
        "version": 0,
        "name": "",
        "phone": "",
        "street": "",
        "kind": "person",
        "region": "",
        "lat_udeg": 0,
        "lon_udeg": 0,
        "email": "",
        "phone_index": "",
        "email_index": "",
        "source": "",
        "source_version": 0,
        "wechat": "",
        "language": "zh",
        "quiet_hours": "",
        "placed_by": "given",
    },
    reads=(CustomerRegistered, CustomerUpdated),
    apply=apply_customer,
    indexes=(("phone_index",), ("email_index",)),
)

SITES = View(
    name="sites",
    version=2,
    key={"site_id": str},
    columns={
        "version": 0,
        "customer_id": "",
        "name": "",
        "address": "",
        "region": "",
        "lat_udeg": 0,
        "lon_udeg": 0,
        "placed_by": "given",
    },
    reads=(SiteRegistered,),
    apply=apply_site,
    indexes=(("customer_id",),),
)

DEVICES = View(
    name="devices",
    version=4,
    key={"device_id": str},
    columns={
        "version": 0,
        "customer_id": "",
        "model": "",
        "serial": "",
        "skill": "",
        "site_id": "",
        "purchased_on": "",
        "in_service_on": "",
        "device_supplier": "",
    },
    reads=(DeviceRegistered,),
    apply=apply_device,
    indexes=(("customer_id",), ("serial",)),
)

_d = DEVICES.table.c
ONE_DEVICE: Final = select(_d.serial).where(_d.tenant == bindparam("tenant"), _d.device_id == bindparam("device_id"))

DEVICE_MODELS = View(
    name="device_models",
    version=1,
    key={"model": str},
    columns={
        "model_version": 0,
        "name": "",
        "name_zh": "",
        "serial_pattern": "",
        "serial_check": "none",
        "faults": "[]",
    },
    reads=(DeviceModelDefined,),
    apply=apply_device_model,
)

REQUEST_TYPES = View(
    name="request_types",
    version=3,
    key={"type_id": str},
    columns={
        "type_version": 0,
        "name": "",
        "needs_device": True,
        "skill": "",
        "duration_s": 0,
        "min_description": 0,
        "name_zh": "",
        "kind": "repair",
        "needs_visit": True,
        "form": "[]",
        "urgency_matrix": "[]",
        "usual_parts": "[]",
        "sla": "",
        "serial_pattern": "",
        "serial_check": "none",
        "remind_after_s": 0,
        "expire_after_s": 0,
        "warranty_s": 0,
        "more_skills": "[]",
        "skill_level": 0,
        "certificates": "[]",
    },
    reads=(RequestTypeDefined,),
    apply=apply_request_type,
)
