"""The monthly question to engineers, which each answers for herself."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from quality.commands import AnswerStaffSurvey, Rating
from quality.domain.staff import staff_stream
from services.chassis.clock import TENANT_ZONE
from services.chassis.http import Accepted, Body, Call, ServiceRouter, command
from services.chassis.service import Api


class StaffAnswerBody(Body):
    """How the work of a month was, each from 1 to 5."""

    month: str = Field(
        "", pattern=r"^([0-9]{4}-(0[1-9]|1[0-2]))?$", description="`2026-11`; the present month if left out"
    )
    content: Rating = Field(description="With the work as a whole")
    workload: Rating = Field(description="5: just right")
    support: Rating = Field(description="By the desk, by colleagues, by parts and papers")
    comment: str = Field("", max_length=2_000)


def staff_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/staff-surveys", tags=["surveys"])

    @router.post("", status_code=201, summary="Say how the work of a month was, once a month")
    async def say(body: StaffAnswerBody, call: Call = command("engineer")) -> Accepted:
        month = body.month or f"{call.now.astimezone(TENANT_ZONE):%Y-%m}"
        answers = body.model_dump(exclude={"month"})
        asked = AnswerStaffSurvey(engineer_id=call.person_id, month=month, now=call.now, **answers)
        return Accepted.of(await call.ask(asked, versioned=staff_stream(call.person_id, month)), id=month)

    return router
