"""The routes of a request's photos: the customer sends them, the desk and the engineer who is sent see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel
from sqlalchemy import select

from intake.commands import AttachRequestPhoto
from intake.domain.request import request_stream
from intake.projections.request_photos import REQUEST_PHOTOS
from intake.projections.requests import REQUESTS
from services.chassis.clock import at_micros
from services.chassis.http import PHOTO_BYTES, Accepted, Call, ServiceRouter, absent, command, query
from services.chassis.pictures.kinds import MediaType
from services.chassis.pictures.taken import IMAGES, SAFE, Keeper, blobs, picture_of
from services.chassis.service import Api

SEEN_BY = ("customer", "engineer", "agent", "dispatcher", "manager", "auditor")


class PhotoApi(Api, Keeper, Protocol):
    """What these routes are given."""


class RequestPhoto(BaseModel):
    """A picture that was sent with a request; `/v1/requests/<request_id>/photos/<photo_id>` has its bytes."""

    photo_id: str
    media_type: MediaType
    size_b: int
    sha256: str
    """Of its bytes."""
    attached_at: datetime
    taken_at: datetime | None
    """When and where, as the camera said; null where it did not."""
    lat_udeg: int | None
    lon_udeg: int | None


Id = Annotated[str, Path(max_length=100)]


async def attached(
    call: Call, keeper: Keeper, row: Mapping[str, Any], content: bytes, photo_id: str, *, versioned: bool = False
) -> Accepted:
    """
    A picture of the request of this row. Raises Problem for what is none, as `picture_of` does.

    `versioned`: the caller may demand the version of the request.
    """
    picture = await picture_of(content)
    request_id = row["request_id"]
    asked = AttachRequestPhoto(
        request_id=request_id,
        photo_id=photo_id,
        customer_id=row["customer_id"],
        sha256=await blobs(keeper).put(call.tenant, request_id, picture.content),
        media_type=picture.media_type,
        size_b=len(picture.content),
        picture_sha256=picture.sha256,
        taken_at=picture.taken_at and picture.taken_at.astimezone(UTC),
        lat_udeg=picture.lat_udeg,
        lon_udeg=picture.lon_udeg,
    )
    answer = await call.ask(asked, versioned=request_stream(request_id) if versioned else None)
    return Accepted.of(answer, id=photo_id)


def routes(api: PhotoApi) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/requests", tags=["requests"])
    table = REQUEST_PHOTOS.table

    async def seen(request_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(REQUESTS.table).where(REQUESTS.table.c.request_id == request_id))
        # Whose it is goes by the role: a customer and an engineer may have the same id.
        if row is None or not row["number"] or not call.owns(row[_WHOSE.get(call.role, "customer_id")]):
            raise absent("request", request_id)
        return row

    @router.post(
        "/{request_id}/photos",
        summary="Attach a photo: its bytes are the body",
        max_body_size=PHOTO_BYTES,
        openapi_extra={"requestBody": {"required": True, **IMAGES}},
    )
    async def attach(
        request_id: Id,
        call: Call = command("customer", "agent"),
        photo_id: Annotated[str, Query(max_length=100, description="Yours; a repeat changes nothing.")] = "",
    ) -> Accepted:
        row = await seen(request_id, call)
        return await attached(call, api, row, await call.body(), photo_id or call.new_id(), versioned=True)

    @router.get("/{request_id}/photos", summary="The photos of a request, in the order in which they were attached")
    async def photos(request_id: Id, call: Call = query(*SEEN_BY)) -> list[RequestPhoto]:
        await seen(request_id, call)
        rows = await call.fetch(select(table).where(table.c.request_id == request_id).order_by(table.c.number))
        return [_photo_view(row, call) for row in rows]

    @router.get(
        "/{request_id}/photos/{photo_id}", summary="One photo", response_class=Response, responses={200: IMAGES}
    )
    async def photo(request_id: Id, photo_id: Id, call: Call = query(*SEEN_BY)) -> Response:
        await seen(request_id, call)
        row = await call.one(select(table).where(table.c.request_id == request_id, table.c.photo_id == photo_id))
        content = row and await blobs(api).get(call.tenant, request_id, row["sha256"])
        if row is None or content is None:
            raise absent("photo", photo_id)
        return Response(content, media_type=row["media_type"], headers=SAFE)

    return router


_WHOSE = {"customer": "customer_id", "engineer": "engineer_id"}


def _photo_view(row: Mapping[str, Any], call: Call) -> RequestPhoto:
    place = call.open(row["place"])
    lat, lon = (int(part) for part in place.split(",")) if place else (None, None)
    return RequestPhoto(
        photo_id=row["photo_id"],
        media_type=row["media_type"],
        size_b=row["size_b"],
        sha256=row["picture_sha256"],
        attached_at=at_micros(row["attached_at"]),
        taken_at=at_micros(row["taken_at"]) if row["taken_at"] else None,
        lat_udeg=lat,
        lon_udeg=lon,
    )
