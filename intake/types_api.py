"""The routes of request types and of the starter packs."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select

from contracts.intake import DAY_S, FormField, RequestKind, SerialCheck
from intake.adapters.packs import packs
from intake.commands import (
    DefineRequestType,
    LoadPack,
    MatrixCell,
    Name,
    PartUsed,
    Question,
)
from intake.domain.form import schema_of
from intake.domain.register import type_stream
from intake.projections.registers import REQUEST_TYPES
from intake.register_api import (
    STAFF,
)
from services.chassis.http import (
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    ServiceRouter,
    absent,
    command,
    query,
)
from services.chassis.service import Api

TypeId = Annotated[str, Path(max_length=100)]


class TypeDefinition(Body):
    name: str = Field(min_length=1, max_length=200)
    needs_device: bool = True
    skill: str = Field("", max_length=100)
    more_skills: list[Name] = Field([], max_length=20, description="Beside that, or beside what the device needs.")
    skill_level: int = Field(0, ge=0, le=100)
    certificates: list[Name] = Field([], max_length=20)
    duration_s: int = Field(3_600, ge=60, le=7 * 24 * 3_600)
    min_description: int = Field(0, ge=0, le=500)
    name_zh: str = Field("", max_length=200)
    kind: RequestKind = "repair"
    needs_visit: bool = Field(True, description="False: it is answered from the desk, and nobody is sent.")
    form: list[Question] = Field([], max_length=50, description="What is asked beside the description.")
    urgency_matrix: list[MatrixCell] = Field([], max_length=12)
    usual_parts: list[PartUsed] = Field([], max_length=50)
    sla: str = Field("", max_length=100, description="The id of the service level that is promised, one of /v1/slas.")
    serial_pattern: str = Field("", max_length=100, description="What a device's serial number must match as a whole.")
    serial_check: SerialCheck = "none"
    remind_after_s: int = Field(DAY_S, ge=60, le=30 * DAY_S, description="An incomplete request is reminded, twice.")
    expire_after_s: int = Field(7 * DAY_S, ge=60, le=90 * DAY_S, description="An incomplete request is given up.")
    warranty_s: int = Field(
        30 * DAY_S, ge=0, le=3_660 * DAY_S, description="So long it is reopened if the fault is back."
    )


class TypeView(TypeDefinition):
    type_id: str
    type_version: int
    answers_schema: dict[str, Any]
    """JSON Schema (2020-12) of `answers`, with `x-title-zh` and `x-labels` for who draws the form."""


class PackChoice(Body):
    pack_id: str = Field(max_length=100, examples=["it"])


class PackView(Body):
    """Request types of a trade, ready to be loaded."""

    pack_id: str
    name: str
    name_zh: str
    types: list[str]


STORED_AS_TEXT = ("form", "urgency_matrix", "usual_parts", "more_skills", "certificates")


def _type_view(row: Mapping[str, Any]) -> TypeView:
    several = {name: json.loads(row[name]) for name in STORED_AS_TEXT}
    schema = schema_of(msgspec.json.decode(row["form"], type=tuple[FormField, ...]))
    plain = {name: row[name] for name in TypeView.model_fields if name not in {*several, "answers_schema"}}
    return TypeView(**plain, **several, answers_schema=dict(schema))


def type_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/request-types", tags=["request types"])
    table = REQUEST_TYPES.table

    @router.get("/packs", summary="The starter packs that can be loaded")
    async def offered(call: Call = query("manager", "operator")) -> list[PackView]:
        return [
            PackView(
                pack_id=pack.pack_id,
                name=pack.name,
                name_zh=pack.name_zh,
                types=[one.type_id for one in pack.types],
            )
            for pack in packs().values()
        ]

    @router.post("/packs", summary="Define the request types of a trade; those that are there stay")
    async def load(body: PackChoice, call: Call = command("manager", "operator")) -> Accepted:
        if (pack := packs().get(body.pack_id)) is None:
            raise absent("pack", body.pack_id)
        return Accepted.of(await call.ask(LoadPack(types=pack.types)), id=body.pack_id)

    @router.post("/{type_id}", summary="Define a kind of request, or its next version")
    async def define(type_id: TypeId, body: TypeDefinition, call: Call = command("manager", "operator")) -> Accepted:
        asked = DefineRequestType(type_id=type_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=type_stream(type_id)), id=type_id)

    @router.get("", summary="The kinds of request")
    async def some(
        call: Call = query("customer", "operator", *STAFF), cursor: str | None = None, limit: Limit = 50
    ) -> Page[TypeView]:
        page = await call.page(select(table), order_by=[table.c.type_id], cursor=cursor, limit=limit)
        return page.map(_type_view)

    return router
