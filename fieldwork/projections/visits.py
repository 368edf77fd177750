"""Every visit with where it stands, when each step was taken, and what was used."""

from __future__ import annotations

from typing import Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.envelope import Envelope
from contracts.fieldwork import (
    AcceptanceRefused,
    ChecklistItem,
    EngineerArrived,
    EngineerDeparted,
    FollowUpAsked,
    MeterReading,
    PartUsed,
    PhotoAttached,
    ServiceCompleted,
    UsedPart,
    VisitAborted,
    VisitCancelled,
    VisitPlanned,
    WorkFinished,
    WorkStarted,
)
from fieldwork.domain.visit import VisitEvent, with_part
from services.chassis.clock import micros
from services.chassis.views import Rows, View

UNDER_WAY = ("departed", "arrived", "working", "finished")


def apply(rows: Rows, event: VisitEvent, envelope: Envelope) -> None:
    key, version, at = event.visit_id, envelope.version, micros(envelope.time)
    match event:
        case VisitPlanned():
            rows.put(
                key,
                version=version,
                state="planned",
                order_id=event.order_id,
                request_id=event.request_id,
                engineer_id=event.engineer_id,
                customer_id=event.customer_id,
                device_id=event.device_id,
                device_model=event.device_model,
                van_id=event.van_id,
                request_type=event.request_type,
                template_version=event.template_version,
                starts_at=micros(event.starts_at),
                ends_at=micros(event.ends_at),
            )
        case EngineerDeparted():
            rows.put(key, version=version, state="departed", departed_at=at)
        case EngineerArrived():
            rows.put(key, version=version, state="arrived", arrived_at=at)
        case WorkStarted():
            rows.put(key, version=version, state="working", started_at=at)
        case PhotoAttached():
            known = rows.get(key)
            rows.put(key, version=version, photos=known["photos"] + 1 if known else 1)
        case PartUsed():
            known = rows.get(key)
            parts = with_part(parts_of(known["parts"]) if known else (), event)
            rows.put(key, version=version, parts=msgspec.json.encode(parts).decode())
        case WorkFinished():
            rows.put(
                key,
                version=version,
                state="finished",
                finished_at=at,
                cause=event.cause,
                action=event.action,
                record=event.record,
                codes_version=event.codes_version,
                labour_s=event.labour_s,
                checklist=msgspec.json.encode(event.checklist).decode(),
                readings=msgspec.json.encode(event.readings).decode(),
                lacking=msgspec.json.encode(event.lacking).decode(),
                record_sha256=event.record_sha256,
            )
        case FollowUpAsked():
            known = rows.get(key)
            rows.put(key, version=version, follow_ups=known["follow_ups"] + 1 if known else 1)
        case AcceptanceRefused():
            rows.put(key, version=version, state="working", refusal=event.reason)
        case ServiceCompleted():
            rows.put(
                key,
                version=version,
                state="completed",
                ended_at=at,
                rating=event.rating,
                signature=event.signature,
                signed_name=event.signed_name,
                signed_lat_udeg=event.signed_lat_udeg,
                signed_lon_udeg=event.signed_lon_udeg,
                signed_sha256=event.record_sha256,
            )
        case VisitAborted():
            rows.put(key, version=version, state="aborted", ended_at=at, why=event.reason, note=event.note)
        case VisitCancelled():
            rows.put(key, version=version, state="cancelled", ended_at=at, why=event.reason)


def parts_of(text: str) -> tuple[UsedPart, ...]:
    """The parts of a row."""
    return msgspec.json.decode(text, type=tuple[UsedPart, ...])


def checklist_of(text: str) -> tuple[ChecklistItem, ...]:
    """The checklist of a row."""
    return msgspec.json.decode(text, type=tuple[ChecklistItem, ...])


def readings_of(text: str) -> tuple[MeterReading, ...]:
    """The meter readings of a row."""
    return msgspec.json.decode(text, type=tuple[MeterReading, ...])


VISITS = View(
    name="visits",
    version=4,
    key={"visit_id": str},
    columns={
        "version": 0,
        "state": "",
        "order_id": "",
        "request_id": "",
        "engineer_id": "",
        "customer_id": "",
        "device_id": "",
        "device_model": "",
        "van_id": "",
        "request_type": "",
        "template_version": 0,
        "starts_at": 0,
        "ends_at": 0,
        "departed_at": (int, None),
        "arrived_at": (int, None),
        "started_at": (int, None),
        "finished_at": (int, None),
        "ended_at": (int, None),
        "parts": "[]",
        "photos": 0,
        "cause": "",
        "action": "",
        "record": "",
        "codes_version": 0,
        "labour_s": 0,
        "checklist": "[]",
        "readings": "[]",
        "follow_ups": 0,
        "lacking": "[]",
        "record_sha256": "",
        "refusal": "",
        "rating": (int, None),
        "signature": "",
        "signed_name": "",
        "signed_lat_udeg": (int, None),
        "signed_lon_udeg": (int, None),
        "signed_sha256": "",
        "why": "",
        "note": "",
    },
    reads=(
        VisitPlanned,
        EngineerDeparted,
        EngineerArrived,
        WorkStarted,
        PhotoAttached,
        PartUsed,
        WorkFinished,
        FollowUpAsked,
        AcceptanceRefused,
        ServiceCompleted,
        VisitAborted,
        VisitCancelled,
    ),
    apply=apply,
    indexes=(("engineer_id", "starts_at"), ("order_id",), ("state", "starts_at"), ("starts_at",)),
)

ONE_VISIT: Final = select(VISITS.table).where(
    VISITS.table.c.tenant == bindparam("tenant"), VISITS.table.c.visit_id == bindparam("visit_id")
)

VISITS_OF_ORDER: Final = (
    select(VISITS.table.c.visit_id)
    .where(VISITS.table.c.tenant == bindparam("tenant"), VISITS.table.c.order_id == bindparam("order_id"))
    .order_by(VISITS.table.c.visit_id)
)
