"""
What has just changed, for screens: server-sent events that say which thing it was, and not what is to be read of it.

A screen reads anew what it shows of that thing, by its own routes, so that it sees what its user may see. It goes on
after the last `id` that it was given: nothing is missed, and nothing comes twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import msgspec
from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel

from contracts import envelope as envelopes
from reporting.feed import EVENT_STREAM, FeedApi, Reader, cursor_of, position_of, stream, streamed
from services.chassis.auth import ROLES
from services.chassis.http import Call, ServiceRouter, absent, query


class Now(BaseModel):
    cursor: str
    """As `Last-Event-ID`, all that comes from now on follows it."""


class Change(BaseModel):
    """One `data` of the stream, for the description of the route."""

    type: str
    """The event, such as `EngineerDeparted`."""
    thing: str
    """What it happened to: `visit/…`, `order/…`."""
    request_id: str
    """The request whose story it is part of, or what it happened to: of a complaint, the complaint."""
    at: datetime
    position: str
    """As `Fieldloop-Position` of a read: it waits until that service shows the change."""


def _told(record: bytes) -> bytes:
    envelope = envelopes.read(record)
    about = {"type": envelope.type, "thing": envelope.subject, "request_id": envelope.correlation_id}
    return msgspec.json.encode(about | {"at": envelope.time, "position": f"{envelope.service};{envelope.position}"})


async def _own(api: FeedApi, call: Call, request_id: str) -> None:
    """Raises a problem 404 unless the request is this customer's."""
    customer = ""
    for entry in await api.journal.story(call.tenant, request_id):
        envelope = envelopes.read(entry.record)
        if envelope.subject == f"request/{request_id}":
            # The last word counts: a request may have been put right.
            customer = getattr(envelopes.payload(envelope), "customer_id", "") or customer
    if customer != call.person_id:
        raise absent("request", request_id)


def routes(api: FeedApi) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/live", tags=["events"])

    @router.get(
        "",
        summary="What has just changed, as a stream: of all, for engineers and customers what names them",
        responses={
            200: {
                "description": "Where it is now; with `Accept: text/event-stream` what changes from now on, or after "
                "`Last-Event-ID`, with the cursor as `id`",
                "model": Now,
                "content": {EVENT_STREAM: {"schema": Change.model_json_schema()}},
            }
        },
        response_class=Response,
    )
    async def live(
        call: Call = query(*(role for role in ROLES if role != "partner")),
        request_id: Annotated[str, Query(max_length=100, description="Only of this request")] = "",
        accept: Annotated[str, Header(include_in_schema=False)] = "",
        last_event_id: Annotated[str, Header(max_length=100)] = "",
    ) -> Response:
        if call.role == "customer" and request_id:
            await _own(api, call, request_id)
        after = position_of(last_event_id, api.incarnation) if last_event_id else (await api.journal.head()).position
        if EVENT_STREAM not in accept:
            return JSONResponse(Now(cursor=cursor_of(api.incarnation, after)).model_dump())
        person = call.role == "engineer" or (call.role == "customer" and not request_id)
        names = msgspec.json.encode(call.person_id) if person else b""
        hers = tuple(map(msgspec.json.encode, (request_id, call.person_id))) if call.role == "customer" else ()
        reader = Reader(call.tenant, None, call.is_believed, names, request_id, _told, hers)
        return streamed(stream(api, reader, after))

    return router
