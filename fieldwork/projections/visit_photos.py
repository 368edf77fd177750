"""The photos of every visit, in the order in which they were attached."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.fieldwork import PhotoAttached
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: PhotoAttached, envelope: Envelope) -> None:
    rows.put(
        event.visit_id,
        event.photo_id,
        number=envelope.version,
        taken_at=micros(event.taken_at or envelope.time),
        lat_udeg=event.lat_udeg,
        lon_udeg=event.lon_udeg,
        place=event.place,
        picture_sha256=event.picture_sha256,
        moment=event.moment,
        sha256=event.sha256,
        media_type=event.media_type,
        size_b=event.size_b,
    )


VISIT_PHOTOS = View(
    name="visit_photos",
    version=3,
    key={"visit_id": str, "photo_id": str},
    columns={
        "number": 0,
        "taken_at": 0,
        "moment": "other",
        "sha256": "",
        "media_type": "",
        "size_b": 0,
        "picture_sha256": "",
        "place": "",
        "lat_udeg": (int, None),
        "lon_udeg": (int, None),
    },
    reads=(PhotoAttached,),
    apply=apply,
)
