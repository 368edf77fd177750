"""What is stuck in each service, over HTTP: auditors look, operators decide."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from services.chassis.clock import Clock
from services.chassis.http import Accepted, Body, Call, Problem, ServiceRouter, absent, command, query
from services.chassis.readers.holds import DiscardHeld
from services.chassis.readers.stuck import grouped
from services.chassis.running import Running
from services.deadletters.desk import Which, discard, redrive, show, stuck_of
from services.gateway.sessions import GatewayApi

MOST = 200
"""Keys of one answer; the groups count all of them."""

Reason = Annotated[str, Field(min_length=1, max_length=500)]
Name = Annotated[str, Field(max_length=200)]


class StuckView(BaseModel):
    """A key whose oldest event failed with a policy; or a message that could not be read (`take-in`)."""

    policy: str
    key: str
    position: int
    event: str
    event_id: str
    cause: str
    since: datetime | None
    tries: int
    parked: bool
    waiting: int
    """Later events of the key, which wait for this one."""


class GroupView(BaseModel):
    """What is stuck for one cause."""

    policy: str
    cause: str
    keys: int
    parked: int
    events: int
    oldest: datetime | None
    example: str


class StuckPage(BaseModel):
    service: str
    groups: list[GroupView]
    items: list[StuckView]
    """The oldest of them, 200 at most."""


class WaitingView(BaseModel):
    """One event of a stuck key, in the order in which it will be tried; texts about persons are covered."""

    position: int
    event: str
    known_at: str
    tries: int
    parked: bool
    cause: str
    actor: str
    said: Any


class RedriveBody(Body):
    """What is to be tried again; what is left out means everything."""

    policy: Name = ""
    key: Name = ""
    cause: Annotated[str, Field(max_length=500)] = ""
    """As it begins; numbers and ids in it do not count."""
    reason: Reason


class DiscardBody(Body):
    policy: Annotated[str, Field(min_length=1, max_length=200)]
    key: Annotated[str, Field(min_length=1, max_length=200)]
    position: Annotated[int, Field(ge=0, lt=2**63)]
    reason: Reason


def routes(running: Mapping[str, Running], clock: Clock) -> APIRouter:
    """The routes of all services that run in this process."""
    api: Any = GatewayApi(clock)
    router = ServiceRouter(api, prefix="/v1/deadletters", tags=["operations"])

    def named(service: str) -> Running:
        if service not in running:
            raise absent("service", service)
        return running[service]

    @router.get("/{service}", summary="What a service could not act on or not read, by cause")
    async def stuck(
        service: str,
        call: Call = query("auditor", "operator"),
        policy: Annotated[str, Query(max_length=200)] = "",
        key: Annotated[str, Query(max_length=200)] = "",
        cause: Annotated[str, Query(max_length=500)] = "",
    ) -> StuckPage:
        found = await stuck_of(named(service), call.tenant, Which(policy, key, cause))
        groups, items = map(msgspec.to_builtins, (grouped(found), found[:MOST]))
        return StuckPage(
            service=service,
            groups=[GroupView(**group) for group in groups],
            items=[StuckView(**item) for item in items],
        )

    @router.get("/{service}/events", summary="The events of one stuck key, in the order in which they will be tried")
    async def events(
        service: str,
        call: Call = query("auditor", "operator"),
        policy: Annotated[str, Query(max_length=200)] = "",
        key: Annotated[str, Query(max_length=200)] = "",
    ) -> list[WaitingView]:
        shown = await show(named(service), call.tenant, policy, key)
        return [WaitingView(**msgspec.to_builtins(one)) for one in shown]

    @router.post("/{service}/redrive", summary="Try again what is held or parked, each key in its order")
    async def again(service: str, body: RedriveBody, call: Call = command("operator")) -> Accepted:
        one, which = named(service), Which(body.policy, body.key, body.cause)
        found = await stuck_of(one, call.tenant, which)
        at = call.at(one)
        redrive_id = at.new_id()
        return Accepted.of(await redrive(one, at.ask, redrive_id, which, body.reason, found), id=redrive_id)

    @router.post("/{service}/discard", summary="Settle a held event by hand; the next one of its key follows")
    async def settle(service: str, body: DiscardBody, call: Call = command("operator")) -> Accepted:
        one = named(service)
        decided = DiscardHeld(body.policy, body.key, body.position, body.reason)
        answer = await discard(one, call.at(one).ask, call.tenant, decided)
        if answer is None:
            raise Problem("hold.absent", policy=body.policy, key=body.key, position=body.position)
        return Accepted.of(answer, id=body.key)

    return router
