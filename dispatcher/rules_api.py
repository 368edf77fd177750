"""The routes of the dispatch rules."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from contracts.dispatcher import DispatchRulesSet, RulesFacts, RulesTried, RunFigures
from contracts.problems import Rejected
from dispatcher.commands import (
    FIRST,
    LAST,
    AskTrial,
    DraftRules,
    FirstOffered,
    PublishRules,
    RestoreRules,
    RuleFigures,
    SetDispatchRules,
)
from dispatcher.domain import dispatch_rules, rules_draft
from dispatcher.domain.dispatch_rules import figures_of
from dispatcher.projections.calendars import CALENDARS
from dispatcher.projections.dispatch_rules import ALL_VERSIONS, rules_of
from dispatcher.projections.rules_drafts import RULES_DRAFTS, draft_of, trial_of
from dispatcher.trials import PROGRESS, TRIED_WITHIN
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, ServiceRouter, absent, command, query
from services.chassis.service import Api

MANAGE: Final = ("manager", "operator")
READ: Final = ("dispatcher", "manager", "operator", "auditor")

TRIED_FOR: Final = timedelta(days=90)


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
    better_every_minutes: int
    """So often a better plan is looked for by itself; 0: never."""
    better_seconds: int
    better_least_percent: int
    slots_calendar: str
    """The business calendar in whose hours slots are offered; empty: the company's own, where it has one only."""
    slots_outside: bool
    """Whether slots beyond those hours are offered too, and marked."""
    draft_id: str
    """The draft that was published; empty: set without one."""
    restores: int | None
    """The earlier version that holds again."""
    reason: str

    @classmethod
    def of(cls, rules: DispatchRulesSet, in_force: bool) -> RulesView:
        how = {name: getattr(rules, name) for name in ("version", "effective_from", "draft_id", "restores", "reason")}
        return cls(**how, **_plain(rules), in_force=in_force)


class DraftBody(Body, RuleFigures):
    """Rules that are thought of; what is left out is as if nobody had ever set it."""

    name: str = Field(min_length=1, max_length=200)
    note: str = Field("", max_length=1_000)


class TrialBody(Body):
    """What was decided by rule in this time is decided again."""

    since: AwareDatetime | None = Field(None, ge=FIRST, lt=LAST, description="Without it, 90 days ago")
    until: AwareDatetime | None = Field(None, ge=FIRST, lt=LAST, description="Without it, now")


class PublishBody(Body):
    reason: str = Field("", max_length=1_000, description="Must be there where the draft was not tried as it is now")
    effective_from: AwareDatetime | None = Field(None, ge=FIRST, lt=LAST, description="Without it, from now on")


class RestoreBody(Body):
    version: int = Field(ge=0, le=2**31, description="0: what held before the first version")
    reason: str = Field(min_length=1, max_length=1_000)
    effective_from: AwareDatetime | None = Field(None, ge=FIRST, lt=LAST, description="Without it, from now on")


class RunView(Body):
    """What came of a time that was dispatched again."""

    decisions: int
    same: int
    """Those that came out as they were recorded."""
    refused: int
    travel_m: int
    wait_s: int
    """From the decision until somebody comes, all together."""
    late: int
    """Visits that begin, or end, after the service level promises."""
    late_s: int
    overtime_s: int
    """From the end of the day's last shift until she would be home, all together."""
    expense_fen: int
    busiest: int
    """Orders of the engineer who got the most."""

    @classmethod
    def of(cls, run: RunFigures) -> RunView:
        return cls(**msgspec.structs.asdict(run))


class TrialView(Body):
    since: datetime
    until: datetime
    recorded: RunView
    """By the rules that held then."""
    tried: RunView
    """By the draft."""

    @classmethod
    def of(cls, trial: RulesTried) -> TrialView:
        recorded, tried = RunView.of(trial.recorded), RunView.of(trial.tried)
        return cls(since=trial.since, until=trial.until, recorded=recorded, tried=tried)


class DraftView(Body):
    draft_id: str
    version: int
    revision: int
    name: str
    note: str
    state: Literal["draft", "trying", "given-up", "tried", "published"]
    """Given up is a trial that came to no end within an hour."""
    progress_percent: int
    """Of a trial that is under way."""
    drafted_by: str
    drafted_at: datetime
    figures: RuleFigures
    trial: TrialView | None
    """Of this revision."""
    published_as: int
    """The version of the dispatch rules; 0: not published."""

    @classmethod
    def of(cls, row: Mapping[str, Any], call: Call) -> DraftView:
        draft, trial = draft_of(row), trial_of(row)
        state: Literal["draft", "trying", "given-up", "tried", "published"] = "tried" if trial else "draft"
        if row["published_as"]:
            state = "published"
        elif row["asked_at"]:
            state = "given-up" if call.now - at_micros(row["asked_at"]) > TRIED_WITHIN else "trying"
        return cls(
            draft_id=draft.draft_id,
            version=row["version"],
            revision=draft.revision,
            name=draft.name,
            note=draft.note,
            state=state,
            progress_percent=PROGRESS.of(call.tenant, draft.draft_id) if state == "trying" else 0,
            drafted_by=row["drafted_by"],
            drafted_at=at_micros(row["drafted_at"]),
            figures=RuleFigures(**_plain(draft)),
            trial=TrialView.of(trial) if trial else None,
            published_as=row["published_as"],
        )


def _plain(rules: RulesFacts) -> dict[str, Any]:
    """As bodies and answers have the figures."""
    first = [FirstOffered(request_type=one.request_type, urgency=one.urgency) for one in rules.offered_first]
    return figures_of(rules) | {"offered_first": first}


async def _must_be_known(calendar_id: str, call: Call) -> None:
    calendars = CALENDARS.table
    if calendar_id and not await call.fetch(select(calendars).where(calendars.c.calendar_id == calendar_id)):
        raise Rejected("dispatch-rules.calendar-unknown", calendar_id=calendar_id)


def routes(api: Api) -> APIRouter:
    router = ServiceRouter(api)
    router.include_router(_of_drafts(api))
    router.include_router(_of_rules(api))
    return router


def _of_drafts(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/dispatch-rules/drafts", tags=["orders"])
    table = RULES_DRAFTS.table

    def asked_for(draft_id: str, body: DraftBody) -> DraftRules:
        return DraftRules(draft_id=draft_id, **body.model_dump())

    @router.post("", status_code=201, summary="Draft other dispatch rules, which hold for nobody yet")
    async def draft(body: DraftBody, call: Call = command(*MANAGE)) -> Accepted:
        await _must_be_known(body.slots_calendar, call)
        draft_id = call.new_id()
        return Accepted.of(await call.ask(asked_for(draft_id, body)), id=draft_id)

    @router.get("", summary="All drafts, the newest first")
    async def some(call: Call = query(*READ)) -> list[DraftView]:
        return [DraftView.of(row, call) for row in await call.fetch(select(table).order_by(table.c.drafted_at.desc()))]

    @router.get("/{draft_id}", summary="A draft, and what came of trying it")
    async def one(draft_id: str, call: Call = query(*READ)) -> DraftView:
        row = await known(draft_id, call)
        call.etag(row["version"])
        return DraftView.of(row, call)

    async def known(draft_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.draft_id == draft_id))
        if row is None:
            raise absent("draft", draft_id)
        return row

    @router.put("/{draft_id}", summary="Change a draft: all of it; what was tried of it is void")
    async def change(draft_id: str, body: DraftBody, call: Call = command(*MANAGE)) -> Accepted:
        await known(draft_id, call)
        await _must_be_known(body.slots_calendar, call)
        answer = await call.ask(asked_for(draft_id, body), versioned=rules_draft.stream(draft_id))
        return Accepted.of(answer, id=draft_id)

    @router.post(
        "/{draft_id}/try",
        status_code=202,
        summary="Decide the last 90 days, or another time, again by the draft, in the background",
    )
    async def try_it(draft_id: str, body: TrialBody, call: Call = command(*MANAGE)) -> Accepted:
        await known(draft_id, call)
        until = body.until or call.now
        asked = AskTrial(draft_id=draft_id, since=body.since or until - TRIED_FOR, until=until)
        return Accepted.of(await call.ask(asked, versioned=rules_draft.stream(draft_id)), id=draft_id)

    @router.post("/{draft_id}/publish", summary="Let a draft hold; one that was not tried needs a reason")
    async def publish(draft_id: str, body: PublishBody, call: Call = command(*MANAGE)) -> Accepted:
        await known(draft_id, call)
        asked = PublishRules(draft_id=draft_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=rules_draft.stream(draft_id)), id=draft_id)

    return router


def _of_rules(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/dispatch-rules", tags=["orders"])

    @router.post(
        "", summary="Set by which figures engineers are compared, what is offered first, when an order is overdue"
    )
    async def define(body: RulesBody, call: Call = command(*MANAGE)) -> Accepted:
        await _must_be_known(body.slots_calendar, call)
        asked = SetDispatchRules(now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=dispatch_rules.STREAM), id=dispatch_rules.STREAM)

    @router.post("/restore", summary="Let an earlier version of the rules hold again")
    async def restore(body: RestoreBody, call: Call = command(*MANAGE)) -> Accepted:
        asked = RestoreRules(now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=dispatch_rules.STREAM), id=dispatch_rules.STREAM)

    @router.get("", summary="The rules in all their versions, the newest first")
    async def some(call: Call = query(*READ)) -> list[RulesView]:
        known = tuple([rules_of(row["rules"]) for row in await call.fetch(ALL_VERSIONS)])
        now = dispatch_rules.in_force(known, call.now)
        return [RulesView.of(one, one == now) for one in (*reversed(known), dispatch_rules.DEFAULTS)]

    return router
