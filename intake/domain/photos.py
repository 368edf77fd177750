"""The pictures of a request, which a customer sends with it or after it, while it is open."""

from __future__ import annotations

from typing import Final

from contracts.event import Event
from contracts.intake import RequestPhotoAttached
from contracts.problems import Rejected
from intake.commands import AttachRequestPhoto
from intake.domain.request import Absent, Incomplete, Received, Request, request_stream
from services.chassis.journal.rules import States, Stream

MOST: Final = 20
"""Pictures of one request."""

Photos = frozenset[str]
"""Their ids."""


def photos_stream(request_id: str) -> str:
    return f"request-photos/{request_id}"


def reads(command: AttachRequestPhoto) -> tuple[str, ...]:
    return (photos_stream(command.request_id), request_stream(command.request_id))


def attach(states: States, command: AttachRequestPhoto) -> list[Event]:
    """A picture that is sent again changes nothing."""
    photos: Photos = states[photos_stream(command.request_id)]
    request: Request = states[request_stream(command.request_id)]
    if isinstance(request, Absent):
        raise Rejected("request.unknown", request_id=command.request_id)
    if command.photo_id in photos:
        return []
    if not isinstance(request, Incomplete | Received):
        raise Rejected("request.not-open", request_id=command.request_id)
    if len(photos) >= MOST:
        raise Rejected("request.photos-full", request_id=command.request_id, most=MOST)
    seen = command.lat_udeg is not None and command.lon_udeg is not None
    place = f"{command.lat_udeg},{command.lon_udeg}" if seen else ""
    return [RequestPhotoAttached(place=place, **command.model_dump(exclude={"lat_udeg", "lon_udeg"}))]


def evolve(photos: Photos, event: RequestPhotoAttached) -> Photos:
    return photos | {event.photo_id}


PHOTOS: Stream[Photos] = Stream("request-photos", frozenset(), evolve)
