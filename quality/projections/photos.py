"""The photos of visits, by which a standard is checked. Their bytes are fieldwork's."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.fieldwork import PhotoAttached
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: PhotoAttached, envelope: Envelope) -> None:
    rows.put(event.visit_id, event.photo_id, moment=event.moment, taken_at=micros(envelope.time))


PHOTOS = View(
    name="photos",
    version=1,
    key={"visit_id": str, "photo_id": str},
    columns={"moment": "", "taken_at": 0},
    reads=(PhotoAttached,),
    apply=apply,
)
