"""The routes of the dispatch rules."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, Field

from contracts.dispatcher import DispatchRulesSet
from dispatcher.commands import FIRST, LAST, FirstOffered, RuleFigures, SetDispatchRules
from dispatcher.domain import dispatch_rules
from dispatcher.projections.dispatch_rules import ALL_VERSIONS, rules_of
from services.chassis.http import Accepted, Body, Call, ServiceRouter, command, query
from services.chassis.service import Api


class RulesBody(Body, RuleFigures):
    """The rules from a time on; what is left out is as if nobody had ever set it."""

    effective_from: AwareDatetime | None = Field(None, ge=FIRST, lt=LAST, description="Without it, from now on")


class RulesView(Body):
    """A version of the rules; 0 is what holds until a company sets its own."""

    version: int
    effective_from: datetime
    in_force: bool
    horizon_days: int
    daily_limit: int
    metres_a_point: int
    points_a_booking: int
    points_an_hour_low: int
    points_an_hour_normal: int
    points_an_hour_high: int
    points_an_hour_critical: int
    fen_a_point: int
    points_for_wish: int
    points_a_missing_part: int
    offer_minutes: int
    offer_to: int
    offered_first: list[FirstOffered]
    assign_minutes: int
    detour_percent: int
    km_an_hour: int

    @classmethod
    def of(cls, rules: DispatchRulesSet, in_force: bool) -> RulesView:
        facts: dict[str, Any] = msgspec.structs.asdict(rules)
        first = [FirstOffered(request_type=one.request_type, urgency=one.urgency) for one in rules.offered_first]
        return cls(**facts | {"offered_first": first, "in_force": in_force})


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/dispatch-rules", tags=["orders"])

    @router.post(
        "", summary="Set by which figures engineers are compared, what is offered first, when an order is overdue"
    )
    async def define(body: RulesBody, call: Call = command("manager", "operator")) -> Accepted:
        asked = SetDispatchRules(now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=dispatch_rules.STREAM), id=dispatch_rules.STREAM)

    @router.get("", summary="The rules in all their versions, the newest first")
    async def some(call: Call = query("dispatcher", "manager", "operator", "auditor")) -> list[RulesView]:
        known = tuple([rules_of(row["rules"]) for row in await call.fetch(ALL_VERSIONS)])
        now = dispatch_rules.in_force(known, call.now)
        return [RulesView.of(one, one == now) for one in (*reversed(known), dispatch_rules.DEFAULTS)]

    return router
