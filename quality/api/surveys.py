"""Surveys: answer one, read them and what they add up to, say whom they are sent to."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from contracts.problems import Rejected
from contracts.quality import LINK_OUTLIVES, SURVEY_LINK, SurveyRulesSet
from quality.api.days import From, To, days
from quality.commands import AnswerSurvey, Rating, Recommends, SetSurveyRules
from quality.domain.survey import EVERYBODY, RULES_STREAM
from quality.projections.quality_rules import QUALITY_RULES
from quality.projections.surveys import SURVEYS, By, figures, results
from services.chassis.clock import at_micros
from services.chassis.http import (
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    ServiceRouter,
    absent,
    command,
    public,
    query,
)
from services.chassis.service import Api


class Feedback(Body):
    """How it went (服务态度, 解决效果, 上门时效), each from 1 (bad) to 5 (very good)."""

    attitude: Rating
    outcome: Rating
    punctuality: Rating
    recommends: Recommends | None = Field(
        None, description="How likely you are to recommend us, 0 to 10 (推荐意愿); may be left out"
    )
    comment: str = Field("", max_length=2_000)


class LinkedFeedback(Feedback):
    """The same from whoever holds the survey's link."""

    link: str = Field(min_length=1, max_length=4_096)


class SurveyView(Body):
    """A survey; ratings are null until it is answered. One that was not sent says why under `skipped`."""

    survey_id: str
    version: int
    request_id: str
    order_id: str
    visit_id: str
    engineer_id: str
    customer_id: str
    sent_at: datetime | None
    skipped: str
    expires_at: datetime | None
    answered_at: datetime | None
    attitude: int | None
    outcome: int | None
    punctuality: int | None
    recommends: int | None
    comment: str


class SurveyLink(Body):
    """The text of a link that answers one survey once."""

    survey_id: str
    link: str
    expires_at: datetime


class OpenSurvey(Body):
    """What the holder of a link sees: that the survey waits, and until when."""

    survey_id: str
    expires_at: datetime


class SurveyResults(Body):
    """
    What the answers add up to. Shares are of 1; a figure of nothing is null.

    `bad_share` is of the answers with two stars or fewer for any question; `net_promoter_score` (-100 to 100) is the
    percentage of 9 and 10 less that of 0 to 6.
    """

    of: str
    skipped: int
    sent: int
    answered: int
    answered_share: float | None
    bad: int
    bad_share: float | None
    attitude_mean: float | None
    outcome_mean: float | None
    punctuality_mean: float | None
    recommends_said: int
    net_promoter_score: float | None


class SurveyRules(Body):
    """Which customers are asked: `sample_percent` of the visits, and nobody twice within `quiet_days`."""

    sample_percent: int = Field(100, ge=0, le=100)
    quiet_days: int = Field(0, ge=0, le=366)


def _instant(at: int | None) -> datetime | None:
    return at_micros(at) if at else None


def _view(row: Mapping[str, Any], call: Call) -> SurveyView:
    times = {name: _instant(row[name]) for name in ("sent_at", "expires_at", "answered_at")}
    facts = {name: row[name] for name in SurveyView.model_fields if name not in times}
    return SurveyView(**facts | times | {"comment": call.open(row["comment"])})


def survey_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/surveys", tags=["surveys"])
    table = SURVEYS.table

    @router.get("", summary="Surveys, the newest first")
    async def some(
        call: Call = query("customer", "agent", "manager", "auditor"),
        request_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[SurveyView]:
        rows = select(table)
        if call.role == "customer":
            # What was never sent is nothing to a customer.
            rows = rows.where(table.c.customer_id == call.person_id, table.c.skipped == "")
        if request_id:
            rows = rows.where(table.c.request_id == request_id)
        order = [table.c.sent_at.desc(), table.c.survey_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: _view(row, call))

    @router.get("/results", summary="What the answers add up to, of the surveys of these days")
    async def added_up(
        call: Call = query("manager", "auditor"),
        by: Annotated[By, Query(description="Whose answers are added up together")] = "all",
        from_: From = None,
        to: To = None,
    ) -> list[SurveyResults]:
        rows = await call.fetch(results(by, *days(call, from_, to)))
        return [SurveyResults(**figures(row)) for row in rows]

    @router.get("/rules", summary="Which customers are asked")
    async def rules(call: Call = query("manager", "auditor")) -> SurveyRules:
        row = await call.one(select(QUALITY_RULES.table).where(QUALITY_RULES.table.c.rules_id == EVERYBODY.rules_id))
        call.etag(row["version"] if row else 0)
        known = msgspec.json.decode(row["rules"], type=SurveyRulesSet) if row else EVERYBODY
        return SurveyRules(sample_percent=known.sample_percent, quiet_days=known.quiet_days)

    @router.post("/rules", summary="Say which customers are asked from now on")
    async def set_rules(body: SurveyRules, call: Call = command("manager")) -> Accepted:
        asked = SetSurveyRules(**body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=RULES_STREAM), id=EVERYBODY.rules_id)

    @router.get("/linked", summary="The survey that a link opens")
    async def linked(link: Annotated[str, Query(min_length=1, max_length=4_096)], call: Call = public()) -> OpenSurvey:
        held, survey_id = call.by_link(SURVEY_LINK, link)
        row = await held.one(select(table).where(table.c.survey_id == survey_id))
        if row is None or row["skipped"]:
            raise absent("survey", survey_id)
        expires_at = at_micros(row["expires_at"])
        if row["answered_at"] is not None:
            raise Rejected(
                "survey.link-used", survey_id=survey_id, answered_at=at_micros(row["answered_at"]).isoformat()
            )
        if call.now > expires_at:
            raise Rejected("survey.expired", survey_id=survey_id, expired_at=expires_at.isoformat())
        return OpenSurvey(survey_id=survey_id, expires_at=expires_at)

    @router.post("/linked", summary="Say how it went, with the link of the survey; once")
    async def answer_linked(body: LinkedFeedback, call: Call = public()) -> Accepted:
        held, survey_id = call.by_link(SURVEY_LINK, body.link)
        said = body.model_dump(exclude={"link"})
        asked = AnswerSurvey(survey_id=survey_id, came_by="link", now=call.now, **said)
        return Accepted.of(await held.ask(asked), id=survey_id)

    @router.get("/{survey_id}", summary="One survey")
    async def one(survey_id: str, call: Call = query("customer", "agent", "manager", "auditor")) -> SurveyView:
        return _view(await _owned(survey_id, call), call)

    @router.get("/{survey_id}/link", summary="The link with which its customer answers it without signing in")
    async def link_of(survey_id: str, call: Call = query("customer", "agent")) -> SurveyLink:
        row = await _owned(survey_id, call)
        if row["skipped"]:
            raise Rejected("survey.unknown", survey_id=survey_id)
        expires_at = at_micros(row["expires_at"])
        lifetime = max(expires_at - call.now, timedelta()) + timedelta(days=LINK_OUTLIVES)
        return SurveyLink(survey_id=survey_id, link=call.link(SURVEY_LINK, survey_id, lifetime), expires_at=expires_at)

    async def _owned(survey_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.survey_id == survey_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("survey", survey_id)
        call.etag(row["version"])
        return row

    @router.post("/{survey_id}/answer", summary="Say how it went")
    async def answer(survey_id: str, body: Feedback, call: Call = command("customer", "agent")) -> Accepted:
        row = await call.one(select(table).where(table.c.survey_id == survey_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("survey", survey_id)
        asked = AnswerSurvey(survey_id=survey_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=f"survey/{survey_id}"), id=survey_id)

    return router
