"""The story of a request over HTTP: from what reporting took in, so all public events of the services."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel

from reporting.feed import FeedApi
from reporting.projections.request_story import REQUEST_STORY
from services.audit.story import Instant, show, tell
from services.chassis.http import Call, ServiceRouter, absent, query


class StoryLine(BaseModel):
    """One event."""

    number: int
    """Its place in the story, from 1."""
    id: str
    service: str
    position: int
    """Where in the journal of the service."""
    type: str
    stream: str
    version: int
    happened_at: datetime
    known_at: datetime
    """When the service knew. What a phone reported late happened earlier."""
    actor: str
    channel: str
    origin: str
    cause: str
    """The event that it answers, by its place in the story; the id of one from outside; empty for what somebody did."""
    said: dict[str, Any]
    """What the event says; texts about persons are covered."""


class StoryView(BaseModel):
    request_id: str
    at: datetime | None
    known_at: datetime | None
    events: list[StoryLine]
    shown: dict[str, Any] | None
    """What reporting showed of the request at that instant; null where it showed nothing yet."""


def routes(api: FeedApi) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/audit", tags=["events"])

    @router.get("/{request_id}", summary="The story of a request, as it was known at an instant")
    async def story(
        request_id: str,
        call: Call = query("auditor", "manager", "agent"),
        at: Annotated[AwareDatetime | None, Query(description="What had happened by then; now if left out")] = None,
        known_at: Annotated[
            AwareDatetime | None, Query(description="As far as it was known by then; now if left out")
        ] = None,
    ) -> StoryView:
        entries = await api.journal.story(call.tenant, request_id)
        if not entries:
            raise absent("request", request_id)
        instant = Instant(at, known_at)
        told = [StoryLine(**msgspec.to_builtins(line)) for line in tell([one.record for one in entries], instant)]
        shown = show([REQUEST_STORY], entries, instant)
        rows = [row for one in shown for row in one.rows if row["request_id"] == request_id]
        row = rows[0] if rows else None
        return StoryView(request_id=request_id, at=at, known_at=known_at, events=told, shown=row)

    return router
