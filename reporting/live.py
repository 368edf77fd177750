"""
What has just changed, for screens: server-sent events that say which thing it was, and not what is to be read of it.

A screen reads anew what it shows of that thing, by its own routes, so that it sees what its user may see. It goes on
after the last `id` that it was given: nothing is missed, and nothing comes twice.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

import msgspec
from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from contracts import envelope as envelopes
from contracts.intake import RequestCorrected, RequestIncomplete, RequestReceived, RequestSupplemented
from reporting.feed import EVENT_STREAM, FeedApi, Reader, position_of, stream, streamed
from services.chassis.auth import ROLES
from services.chassis.http import Call, Problem, ServiceRouter, absent, query


class Change(BaseModel):
    """One `data` of the stream, for the description of the route."""

    type: str
    """The event, such as `EngineerDeparted`."""
    thing: str
    """What it happened to: `visit/…`, `order/…`."""
    request_id: str
    """The request whose story it is part of, or what it happened to."""
    at: datetime


WHOSE: Final = (RequestIncomplete, RequestReceived, RequestSupplemented, RequestCorrected)


def _told(record: bytes) -> bytes:
    envelope = envelopes.read(record)
    about = {"type": envelope.type, "thing": envelope.subject, "request_id": envelope.correlation_id}
    return msgspec.json.encode(about | {"at": envelope.time})


async def _own(api: FeedApi, call: Call, request_id: str) -> None:
    """Raises a problem 404 unless the request is this customer's."""
    customer = ""
    for entry in await api.journal.story(call.tenant, request_id):
        envelope = envelopes.read(entry.record)
        if envelope.type in {event.__name__ for event in WHOSE}:
            event = envelopes.payload(envelope)
            customer = getattr(event, "customer_id", "") or customer
    if customer != call.person_id:
        raise absent("request", request_id)


def routes(api: FeedApi) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/live", tags=["events"])

    @router.get(
        "",
        summary="What has just changed, as a stream: of all, for engineers what names them",
        responses={
            200: {
                "description": "Server-sent events with the cursor as `id`; from now on, or after `Last-Event-ID`",
                "model": Change,
                "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
            }
        },
        response_class=Response,
    )
    async def live(
        call: Call = query(*(role for role in ROLES if role != "partner")),
        request_id: Annotated[
            str, Query(max_length=100, description="Only of this request; a customer names one")
        ] = "",
        last_event_id: Annotated[str, Header(max_length=100)] = "",
    ) -> Response:
        if call.role == "customer":
            if not request_id:
                raise Problem("live.of-which-request", field="request_id")
            await _own(api, call, request_id)
        after = position_of(last_event_id, api.incarnation) if last_event_id else (await api.journal.head()).position
        names = msgspec.json.encode(call.person_id) if call.role == "engineer" else b""
        reader = Reader(call.tenant, None, call.is_believed, names, request_id, _told)
        return streamed(stream(api, reader, after))

    return router
