"""What was done at each visit that ended, for the life of the device: who came, what was found, which parts went in."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import PhotoAttached, ServiceCompleted, UsedPart, VisitAborted, WorkFinished
from services.chassis.clock import micros
from services.chassis.views import Rows, View


class Photo(msgspec.Struct, frozen=True):
    """A picture of a visit; fieldwork gives it under `/v1/visits/<visit>/photos/<photo>`."""

    photo_id: str
    moment: str


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    """All of a visit has one publisher and one key, so its events come in order."""
    match event:
        case PhotoAttached():
            known = rows.get(event.visit_id)
            before: list[Photo] = msgspec.json.decode(str(known["photos"]), type=list[Photo]) if known else []
            photos = [*before, Photo(event.photo_id, event.moment)]
            rows.put(event.visit_id, request_id=event.request_id, photos=msgspec.json.encode(photos).decode())
        case WorkFinished():
            rows.put(
                event.visit_id,
                request_id=event.request_id,
                engineer_id=event.engineer_id,
                cause=event.cause,
                action=event.action,
                record=event.record,
                checklist=msgspec.json.encode(event.checklist).decode(),
                readings=msgspec.json.encode(event.readings).decode(),
            )
        case ServiceCompleted():
            rows.put(
                event.visit_id,
                request_id=event.request_id,
                engineer_id=event.engineer_id,
                ended="completed",
                ended_at=micros(envelope.time),
                parts=_text(event.parts),
                rating=event.rating,
            )
        case VisitAborted():
            rows.put(
                event.visit_id,
                request_id=event.request_id,
                engineer_id=event.engineer_id,
                ended=event.reason,
                ended_at=micros(envelope.time),
                parts=_text(event.parts),
            )
        case _:
            pass


def _text(parts: tuple[UsedPart, ...]) -> str:
    return msgspec.json.encode(parts).decode()


SERVICE_RECORDS = View(
    name="service_records",
    version=3,
    key={"visit_id": str},
    columns={
        "request_id": "",
        "engineer_id": "",
        "cause": "",
        "action": "",
        "record": "",
        # JSON: what was looked at, and what its meters showed.
        "checklist": "[]",
        "readings": "[]",
        # `completed`, or why the visit was aborted; empty while it goes on.
        "ended": "",
        "ended_at": (int, None),
        "parts": "[]",
        "rating": (int, None),
        # JSON: photo_id and moment of each, in the order in which they were attached.
        "photos": "[]",
    },
    reads=(PhotoAttached, WorkFinished, ServiceCompleted, VisitAborted),
    apply=apply,
    indexes=(("request_id",),),
)
