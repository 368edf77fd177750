"""
The feed of all public events: pages of JSON, or server-sent events that go on as long as the reader stays.

What reporting has taken in, in the order in which it came, is the feed. A record is given out as the bytes that its
service recorded; sealed fields stay sealed. A reader keeps its cursor: what it reads after it, it has not read before.
"""

from __future__ import annotations

import binascii
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import AsyncIterator, Callable
from typing import Annotated, Any, Final, NamedTuple, Protocol

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel

from contracts import envelope as envelopes
from services.chassis.http import Call, Problem, ServiceRouter, query
from services.chassis.journal.store import Entry, JournalStore
from services.chassis.journal.work import Stopped
from services.chassis.service import Api

CHUNK: Final = 1_000
"""Records read from the journal at a time."""

MOST_READ: Final = 20_000
"""Records looked at for one page, so that a small tenant's page does not read a large journal to its end."""

HEARTBEAT_S: Final = 15.0
LOOK_EVERY_S: Final = 1.0
"""A process that does not write is not told of what is new, and looks itself."""

EVENT_STREAM: Final = "text/event-stream"


class FeedApi(Api, Protocol):
    """What the feed needs of its host beside the views: the service's own journal, and to be told that it has grown."""

    journal: JournalStore
    incarnation: int
    """Of the journal: after a restore, positions may stand for other events, and old cursors end."""

    async def committed_after(self, position: int, at_most_s: float) -> None:
        """Return once the journal is longer than this, or after so many seconds. Raises Stopped when the host ends."""


class Events(BaseModel):
    """A page of the feed, for the description of the route; the records themselves are passed on as bytes."""

    events: list[dict[str, Any]]
    """CloudEvents 1.0, as recorded."""
    next: str
    """The cursor of what follows; also at the end, where it waits for what is still to come."""
    end: bool
    """Whether there was nothing more."""


class Read(NamedTuple):
    records: list[tuple[int, bytes]]
    """Position and record."""
    position: int
    """How far was looked; the next read goes on there."""
    end: bool


def cursor_of(incarnation: int, position: int) -> str:
    return urlsafe_b64encode(f"{incarnation}.{position}".encode()).rstrip(b"=").decode()


def position_of(cursor: str, incarnation: int) -> int:
    """Where a cursor stands. Raises a problem for what is none, or one of another life of the journal."""
    if not cursor:
        return 0
    try:
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        raise Problem("cursor.invalid", field="after") from None
    life, _, position = text.partition(".")
    if life != str(incarnation) or not position.isdecimal() or len(position) > 18:
        raise Problem("cursor.invalid", field="after")
    if cursor_of(incarnation, int(position)) != cursor:  # the decoder passes over what is no base64
        raise Problem("cursor.invalid", field="after")
    return int(position)


def is_public(entry: Entry) -> bool:
    """What was taken in is public; of its own, reporting may keep some to itself."""
    taken_in = ":" in entry.stream.partition("/")[0]
    return taken_in or envelopes.read(entry.record).public_version > 0


class Reader(NamedTuple):
    """Who reads, and what they may read of their tenant."""

    tenant: str
    types: frozenset[str] | None = None
    """The types of events; None for all of them."""
    is_believed: Callable[[], bool] = lambda: True
    """Whether they are still signed in."""
    names: bytes = b""
    """What a record must have in it, such as `"E01"`; of an engineer her id."""
    story: str = ""
    """The request that it must be part of."""
    told: Callable[[bytes], bytes] = lambda record: record
    """What a stream gives out of a record: one line."""
    or_names: tuple[bytes, ...] = ()
    """With a story, also what has all of these in it: a complaint about a request has a story of its own."""

    def may_read(self, entry: Entry) -> bool:
        if entry.tenant != self.tenant or self.names not in entry.record or not is_public(entry):
            return False
        if self.types is None and not self.story:
            return True
        envelope = envelopes.read(entry.record)
        return (self.types is None or envelope.type in self.types) and (
            self.story in ("", envelope.correlation_id)
            or (bool(self.or_names) and all(name in entry.record for name in self.or_names))
        )


async def read(journal: JournalStore, reader: Reader, after: int, limit: int) -> Read:
    """Public records that the reader may see after a position."""
    records: list[tuple[int, bytes]] = []
    position = after
    while position - after < MOST_READ:
        entries = await journal.read(position, CHUNK)
        for entry in entries:
            position = entry.position
            if reader.may_read(entry):
                records.append((position, entry.record))
                if len(records) == limit:
                    return Read(records, position, end=False)
        if len(entries) < CHUNK:
            return Read(records, position, end=True)
    return Read(records, position, end=False)


async def stream(api: FeedApi, reader: Reader, after: int, heartbeat_s: float = HEARTBEAT_S) -> AsyncIterator[bytes]:
    """
    Server-sent events after a position, until the host stops or the reader's token has ended; with a new token they go
    on after the last cursor. The response cancels it when its reader has gone.
    """
    position, incarnation = after, api.incarnation
    # With the cursor, so that a reader who is cut off before the first event has missed none either.
    yield b"retry: 2000\nid: %b\n\n" % cursor_of(incarnation, position).encode()
    silent_since = time.monotonic()
    while reader.is_believed():
        page = await read(api.journal, reader, position, CHUNK)
        for at, record in page.records:
            # A record is JSON of one line, so that it needs no splitting.
            yield b"id: %b\ndata: %b\n\n" % (cursor_of(incarnation, at).encode(), reader.told(record))
        position = page.position
        if page.records:
            silent_since = time.monotonic()
        silent_s = time.monotonic() - silent_since
        if silent_s >= heartbeat_s:
            # With the cursor, so that a tenant in which nothing happens does not read all again when it comes back.
            yield b": nothing new\nid: %b\n\n" % cursor_of(incarnation, position).encode()
            silent_since, silent_s = time.monotonic(), 0.0
        if page.end:
            try:
                await api.committed_after(position, min(LOOK_EVERY_S, heartbeat_s - silent_s))
            except Stopped:
                return


def streamed(parts: AsyncIterator[bytes]) -> StreamingResponse:
    """The answer that goes on."""
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(parts, media_type=EVENT_STREAM, headers=headers)


def routes(api: FeedApi) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/events", tags=["events"])

    @router.get(
        "",
        summary="All public events from a cursor on, as pages or as a stream",
        responses={
            200: {
                "description": "A page, or with `Accept: text/event-stream` a stream with the cursor as `id`",
                "model": Events,
                "content": {EVENT_STREAM: {"schema": {"type": "string"}}},
            }
        },
        response_class=Response,
    )
    async def events(
        call: Call = query("auditor", "manager", "operator", "partner"),
        after: Annotated[str, Query(max_length=100, description="`next` of an earlier page; none from the start")] = "",
        limit: Annotated[int, Query(ge=1, le=CHUNK, description="How many events at most")] = 200,
        accept: Annotated[str, Header(include_in_schema=False)] = "",
        last_event_id: Annotated[str, Header(max_length=100)] = "",
    ) -> Response:
        position = position_of(last_event_id or after, api.incarnation)
        # A partner is another company: it reads what its account lists, and nothing by default.
        reader = Reader(call.tenant, call.events if call.role == "partner" else None, call.is_believed)
        if EVENT_STREAM in accept:
            return streamed(stream(api, reader, position))
        page = await read(api.journal, reader, position, limit)
        body = b'{"events":[%b],"next":"%b","end":%b}' % (
            b",".join(record for _, record in page.records),
            cursor_of(api.incarnation, page.position).encode(),
            b"true" if page.end else b"false",
        )
        return Response(body, media_type="application/json")

    return router
