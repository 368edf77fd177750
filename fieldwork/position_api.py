"""The routes of where an engineer is on her way: she says it herself, and the customer who waits for her reads it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Protocol

from pydantic import Field

from contracts.problems import Rejected
from fieldwork.adapters.whereabouts import Whereabouts
from services.chassis.http import Body, Call, ServiceRouter, absent, command, query
from services.chassis.journal.work import Stopped
from services.chassis.service import Api

ON_THE_WAY = "departed"


class Writing(Api, Protocol):
    """What these routes need beside what every service has."""

    @property
    def writer(self) -> Any:
        """None while another process writes."""


class PositionBody(Body):
    """Where the phone is now, WGS-84, in millionths of a degree. It is kept to a thousandth of a degree."""

    lat_udeg: int = Field(ge=-90_000_000, le=90_000_000)
    lon_udeg: int = Field(ge=-180_000_000, le=180_000_000)


class PositionView(Body):
    """Where the engineer was when her phone said so last, to a thousandth of a degree (110 m), WGS-84."""

    visit_id: str
    lat_udeg: int
    lon_udeg: int
    said_at: datetime


Own = Callable[[str, Call], Awaitable[Mapping[str, Any]]]
"""The visit of this id, if it is the caller's to see."""


def add(router: ServiceRouter, api: Writing, own: Own) -> None:
    known = Whereabouts()

    def must_write() -> None:
        # Positions are known to the process that writes alone; the edge asks the others no further.
        if api.writer is None:
            raise Stopped(f"{api.name} does not write here now")

    @router.post(
        "/{visit_id}/position",
        summary="Where she is, while she is on her way",
        description="Said by her phone every half minute from leaving to arriving, if she lets it. It is not recorded: "
        "the customer is shown the last one, for two minutes, and not after the arrival.",
    )
    async def say(visit_id: str, body: PositionBody, call: Call = command("engineer")) -> PositionView:
        must_write()
        visit = await own(visit_id, call)
        if visit["state"] != ON_THE_WAY:
            known.forget(call.tenant, visit_id)
            raise Rejected("visit.not-on-the-way", visit_id=visit_id, state=visit["state"])
        known.said(call.tenant, visit_id, body.lat_udeg, body.lon_udeg, call.now)
        return _view(visit_id, call)

    @router.get("/{visit_id}/position", summary="Where the engineer is who is on her way to the caller")
    async def read(visit_id: str, call: Call = query("customer")) -> PositionView:
        must_write()
        if (await own(visit_id, call))["state"] != ON_THE_WAY:
            known.forget(call.tenant, visit_id)
        return _view(visit_id, call)

    def _view(visit_id: str, call: Call) -> PositionView:
        found = known.of(call.tenant, visit_id, call.now)
        if found is None:
            raise absent("position", visit_id)
        return PositionView(visit_id=visit_id, lat_udeg=found.lat_udeg, lon_udeg=found.lon_udeg, said_at=found.at)
