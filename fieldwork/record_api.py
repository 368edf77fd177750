"""What a record of work must have and which causes and remedies it may name: the manager says so, in versions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from pydantic import Field
from sqlalchemy import Select, select

from fieldwork.commands import Code, DefineCodes, DefineRecordTemplate, Meter, Point
from fieldwork.domain.record_templates import template_stream
from fieldwork.domain.service_codes import CODES_STREAM
from fieldwork.projections.record_templates import RECORD_TEMPLATES, items_of, meters_of
from fieldwork.projections.service_codes import SERVICE_CODES, codes_of
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, command, query
from services.chassis.service import Api

STAFF = ("agent", "dispatcher", "manager", "auditor")


class CodesBody(Body):
    causes: tuple[Code, ...] = Field(min_length=1, max_length=500)
    remedies: tuple[Code, ...] = Field(min_length=1, max_length=500)


class CodesView(CodesBody):
    version: int


class TemplateView(Body):
    """A version of what the record of work for a type of request must have."""

    request_type: str
    version: int
    checklist: list[Point]
    readings: list[Meter]
    labour: bool = Field(description="The paid working time must be said.")


def routers(api: Api) -> list[ServiceRouter]:
    codes = ServiceRouter(api, prefix="/v1/service-codes", tags=["service codes"])
    _codes(codes)
    templates = ServiceRouter(api, prefix="/v1/record-templates", tags=["record templates"])
    _templates(templates)
    return [codes, templates]


def _codes(router: ServiceRouter) -> None:
    table = SERVICE_CODES.table

    @router.post("", summary="Define the causes and remedies that a record of work may use, as a new version")
    async def define(body: CodesBody, call: Call = command("manager")) -> Accepted:
        answer = await call.ask(DefineCodes(causes=body.causes, remedies=body.remedies), versioned=CODES_STREAM)
        return Accepted.of(answer, id="service")

    @router.get("", summary="The versions of the list, the newest first")
    async def versions(
        call: Call = query("engineer", *STAFF), cursor: str | None = None, limit: Limit = 20
    ) -> Page[CodesView]:
        page = await call.page(select(table), order_by=[table.c.version.desc()], cursor=cursor, limit=limit)
        return page.map(_codes_view)


def _templates(router: ServiceRouter) -> None:
    table = RECORD_TEMPLATES.table

    @router.post("", summary="Say what the record of work for a type of request must have, as a new version")
    async def define(body: DefineRecordTemplate, call: Call = command("manager")) -> Accepted:
        answer = await call.ask(body, versioned=template_stream(body.request_type))
        return Accepted.of(answer, id=body.request_type)

    @router.get("", summary="The templates of records, of each type the newest version first")
    async def versions(
        call: Call = query("engineer", *STAFF),
        request_type: str | None = None,
        cursor: str | None = None,
        limit: Limit = 20,
    ) -> Page[TemplateView]:
        rows: Select[Any] = select(table)
        if request_type is not None:
            rows = rows.where(table.c.request_type == request_type)
        order = [table.c.request_type, table.c.version.desc()]
        return (await call.page(rows, order_by=order, cursor=cursor, limit=limit)).map(_template_view)


def _template_view(row: Mapping[str, Any]) -> TemplateView:
    return TemplateView(
        request_type=row["request_type"],
        version=row["version"],
        checklist=[Point(**msgspec.structs.asdict(one)) for one in items_of(row["checklist"])],
        readings=[Meter(**msgspec.structs.asdict(one)) for one in meters_of(row["readings"])],
        labour=row["labour"],
    )


def _codes_view(row: Mapping[str, Any]) -> CodesView:
    def listed(text: str) -> tuple[Code, ...]:
        return tuple([Code(**msgspec.structs.asdict(one)) for one in codes_of(text)])

    return CodesView(version=row["version"], causes=listed(row["causes"]), remedies=listed(row["remedies"]))
