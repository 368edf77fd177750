"""The routes of disruptions: say what happened, and only what is affected is planned anew."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from contracts.dispatcher import ReplanCause, ReplanDone
from contracts.problems import Rejected
from dispatcher.better_days import LOOKED_FOR_WITHIN
from dispatcher.commands import FIRST, LAST, AskReplan
from dispatcher.projections.replans import REPLANS, asked_of, replan_of
from dispatcher.replanning import Plan, as_command, in_thread
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, ServiceRouter, absent, command, query
from services.chassis.http.rule_names import name_of
from services.chassis.service import Api

WHO = ("dispatcher", "manager", "auditor")


class DisruptionBody(Body):
    """
    What happened. Her visit runs over or the way takes longer: `engineer_id` and when she is free, `from_at`. A part is
    not there: `order_id` and when it is, `from_at`. An order cannot wait: `order_id`; another may give its hours.
    """

    cause: Literal["overrun", "traffic", "part-missing", "urgent"]
    engineer_id: str = Field("", max_length=100)
    order_id: str = Field("", max_length=100)
    from_at: AwareDatetime | None = Field(None, ge=FIRST, lt=LAST)
    note: str = Field("", max_length=1_000)


class UnmovedView(Body):
    order_id: str
    why: str


class LeftView(Body):
    """An order that found no hours keeps those that it has, and the rules say why."""

    order_id: str
    rules: list[str]
    names: list[str]
    """The same in the caller's language."""


class ReplanView(Body):
    replan_id: str
    state: Literal["looking", "done", "given-up"]
    """A better day is looked for in the background; one that nobody could look for within an hour is given up."""
    progress_percent: int
    """Of the time for which is looked, once it is its turn."""
    cause: ReplanCause
    asked_at: datetime | None
    done_at: datetime | None
    actor: str
    moved: list[str]
    hours_changed: int
    """How many of them had been promised other hours."""
    unmoved: list[UnmovedView]
    """Changed by somebody while it was planned, and left as that one wanted."""
    left: list[LeftView]
    verdict: Literal["", "published", "not-better", "nobody-works", "nothing-found"]
    """What a search for a better plan came to; empty for a repair."""
    cost_before: int
    """Metres of way, with 5,000 for each order that is with another engineer and more for what is not served."""
    cost_after: int
    left_alone: list[str]
    """Engineers with several windows that day, whose days stay as they are."""
    note: str

    @classmethod
    def of(cls, row: Mapping[str, Any], language: str, now: datetime) -> ReplanView:
        asked, done, asked_at = asked_of(row), replan_of(row), _instant(row["asked_at"])
        one = done or ReplanDone(replan_id=row["replan_id"], cause="better", moved=())
        state: Literal["looking", "done", "given-up"] = "done"
        percent = 100
        if asked and asked_at and not done:
            state = "given-up" if now - asked_at > LOOKED_FOR_WITHIN else "looking"
            percent = min(99, int(100_000 * (now - asked_at).total_seconds() / asked.look_ms))
        return cls(
            replan_id=one.replan_id,
            state=state,
            progress_percent=percent,
            asked_at=asked_at,
            cause=one.cause,
            done_at=_instant(row["done_at"]),
            actor=row["actor"],
            moved=list(one.moved),
            hours_changed=one.hours_changed,
            unmoved=[UnmovedView(order_id=it.order_id, why=it.why) for it in one.unmoved],
            left=[
                LeftView(
                    order_id=it.order_id,
                    rules=list(it.rules),
                    names=[name_of("breaks", rule, language) for rule in it.rules],
                )
                for it in one.left
            ],
            verdict=one.verdict,
            cost_before=one.cost_before,
            cost_after=one.cost_after,
            left_alone=list(one.left_alone),
            note=one.note,
        )


class BetterBody(Body):
    """Look for a better plan of a day."""

    day: date = Field(ge=FIRST.date(), lt=LAST.date())
    region: str = Field("", max_length=100, description="Whose engineers and waiting orders; empty: all")
    seconds: float = Field(10, ge=0.5, le=60, description="How long is looked for")
    least_gain_percent: float = Field(2, ge=0, le=100, description="Below it nothing is moved")
    slack_minutes: int = Field(0, ge=0, le=240, description="So far promised hours may move; 0: not at all")
    seed: int = Field(1, ge=0, lt=2**31)


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/replans", tags=["orders"])
    table = REPLANS.table

    @router.post("", summary="Something came between: plan anew what is affected, and nothing else")
    async def disrupt(body: DisruptionBody, call: Call = command("dispatcher")) -> Accepted:
        plan = await Plan.read(api, call.tenant, call.now)
        orders = _affected(body, plan)
        found = await in_thread(plan, orders, displacing=True)
        replan_id = call.new_id()
        asked = as_command(found, replan_id, body.cause, call.now, note=body.note)
        return Accepted.of(await call.ask(asked), id=replan_id)

    @router.post(
        "/better",
        summary="Look for a better plan of a day in the background; what is begun or promised is kept",
        status_code=202,
    )
    async def better(body: BetterBody, call: Call = command("dispatcher", "manager")) -> Accepted:
        replan_id = call.new_id()
        asked = AskReplan(
            replan_id=replan_id,
            day=body.day.isoformat(),
            region=body.region,
            look_ms=round(1_000 * body.seconds),
            least_gain_permille=round(10 * body.least_gain_percent),
            slack_s=60 * body.slack_minutes,
            seed=body.seed,
        )
        return Accepted.of(await call.ask(asked), id=replan_id)

    @router.get("/{replan_id}", summary="What was moved, and what stayed because somebody had changed it")
    async def one(replan_id: str, call: Call = query(*WHO)) -> ReplanView:
        row = await call.one(select(table).where(table.c.replan_id == replan_id))
        if row is None:
            raise absent("replan", replan_id)
        return ReplanView.of(row, call.language, call.now)

    return router


def _instant(micros: int | None) -> datetime | None:
    return None if micros is None else at_micros(micros)


def _affected(body: DisruptionBody, plan: Plan) -> list[str]:
    if body.cause in ("overrun", "traffic"):
        if body.engineer_id not in plan.engineers:
            raise Rejected("engineer.unknown", engineer_id=body.engineer_id)
        if body.from_at is None:
            raise Rejected("replan.from-at-missing", cause=body.cause)
        return plan.held_up(body.engineer_id, body.from_at)
    if body.order_id not in plan.works:
        raise Rejected("order.unknown")
    if body.cause == "part-missing":
        if body.from_at is None:
            raise Rejected("replan.from-at-missing", cause=body.cause)
        plan.not_before[body.order_id] = body.from_at
    return [body.order_id]
