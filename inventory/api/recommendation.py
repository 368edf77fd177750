"""What repairs of a device model took so far."""

from __future__ import annotations

from fastapi import APIRouter
from pydantic import Field

from inventory.policies import past_use
from inventory.projections.used import scope_of
from services.chassis.http import Body, Call, ServiceRouter, query
from services.chassis.service import Api

WHO_PLANS = ("engineer", "agent", "dispatcher", "manager", "operator", "auditor")


class TakenView(Body):
    part_id: str
    used_in: int = Field(description="So many of the repairs took it.")
    pieces: int = Field(description="So many pieces in all.")


class UsualView(Body):
    device_model: str
    request_type: str
    cause: str
    repairs: int = Field(description="Completed repairs of this model with this request type, and with this cause.")
    parts: list[TakenView] = Field(description="The most frequent first.")


def recommendation_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/parts", tags=["parts"])

    @router.get("/usual", summary="What repairs of a device model took so far")
    async def usual(device_model: str, request_type: str, cause: str = "", call: Call = query(*WHO_PLANS)) -> UsualView:
        repairs, history = await past_use(scope_of(device_model, request_type, cause), call.tenant, api)
        return UsualView(
            device_model=device_model,
            request_type=request_type,
            cause=cause,
            repairs=repairs,
            parts=[TakenView(**past.model_dump()) for past in history],
        )

    return router
