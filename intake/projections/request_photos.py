"""The photos of every request, in the order in which they were attached."""

from __future__ import annotations

from contracts.envelope import Envelope
from contracts.intake import RequestPhotoAttached
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: RequestPhotoAttached, envelope: Envelope) -> None:
    rows.put(
        event.request_id,
        event.photo_id,
        number=envelope.version,
        attached_at=micros(envelope.time),
        taken_at=micros(event.taken_at) if event.taken_at else None,
        place=event.place,
        sha256=event.sha256,
        media_type=event.media_type,
        size_b=event.size_b,
        picture_sha256=event.picture_sha256,
    )


REQUEST_PHOTOS = View(
    name="request_photos",
    version=1,
    key={"request_id": str, "photo_id": str},
    columns={
        "number": 0,
        "attached_at": 0,
        "taken_at": (int, None),
        "place": "",
        "sha256": "",
        "media_type": "",
        "size_b": 0,
        "picture_sha256": "",
    },
    reads=(RequestPhotoAttached,),
    apply=apply,
)
