"""The routes of quality: answer a survey, read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from quality.commands import AnswerSurvey, Rating
from quality.projections.surveys import SURVEYS
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api


class Feedback(Body):
    """How it went, each from 1 (bad) to 5 (very good)."""

    attitude: Rating
    outcome: Rating
    punctuality: Rating
    comment: str = Field("", max_length=2_000)


class SurveyView(Body):
    """A survey; ratings are null until it is answered."""

    survey_id: str
    version: int
    request_id: str
    order_id: str
    engineer_id: str
    customer_id: str
    sent_at: datetime | None
    expires_at: datetime | None
    answered_at: datetime | None
    attitude: int | None
    outcome: int | None
    punctuality: int | None
    comment: str


def _view(row: Mapping[str, Any], call: Call) -> SurveyView:
    times = {name: at_micros(row[name]) if row[name] else None for name in ("sent_at", "expires_at", "answered_at")}
    facts = {name: row[name] for name in SurveyView.model_fields if name not in times}
    return SurveyView(**facts | times | {"comment": call.open(row["comment"])})


def routes(api: Api) -> APIRouter:
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
            rows = rows.where(table.c.customer_id == call.person_id)
        if request_id:
            rows = rows.where(table.c.request_id == request_id)
        order = [table.c.sent_at.desc(), table.c.survey_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: _view(row, call))

    @router.get("/{survey_id}", summary="One survey")
    async def one(survey_id: str, call: Call = query("customer", "agent", "manager", "auditor")) -> SurveyView:
        row = await call.one(select(table).where(table.c.survey_id == survey_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("survey", survey_id)
        call.etag(row["version"])
        return _view(row, call)

    @router.post("/{survey_id}/answer", summary="Say how it went")
    async def answer(survey_id: str, body: Feedback, call: Call = command("customer", "agent")) -> Accepted:
        row = await call.one(select(table).where(table.c.survey_id == survey_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("survey", survey_id)
        asked = AnswerSurvey(survey_id=survey_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=f"survey/{survey_id}"), id=survey_id)

    return router
