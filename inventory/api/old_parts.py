"""Old parts that have still to come back."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from inventory.projections.old_parts import OLD_PARTS
from inventory.projections.reservations import part_lines
from services.chassis.clock import at_micros
from services.chassis.http import Body, Call, Limit, Page, ServiceRouter, query
from services.chassis.service import Api


class DueBody(Body):
    part_id: str
    quantity: int


class OldPartsView(Body):
    order_id: str
    request_id: str
    engineer_id: str = Field(description="Who took them out.")
    left: list[DueBody] = Field(description="What has not come back yet.")
    due_at: datetime
    overdue: bool


def _view(row: Mapping[str, Any]) -> OldPartsView:
    left = [DueBody(part_id=line.part_id, quantity=line.quantity) for line in part_lines(row["left"])]
    derived = {"left": left, "due_at": at_micros(row["due_at"])}
    return OldPartsView(**{name: row[name] for name in OldPartsView.model_fields if name not in derived} | derived)


def old_part_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])
    table = OLD_PARTS.table

    @router.get("/old-parts", summary="Old parts that have still to come back; an engineer sees her own")
    async def due(
        call: Call = query("engineer", "dispatcher", "manager", "operator", "auditor"),
        overdue: bool | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[OldPartsView]:
        rows = select(table).where(table.c.is_due)
        if call.role == "engineer":
            rows = rows.where(table.c.engineer_id == call.person_id)
        if overdue is not None:
            rows = rows.where(table.c.overdue == overdue)
        page = await call.page(rows, order_by=[table.c.due_at, table.c.order_id], cursor=cursor, limit=limit)
        return page.map(_view)

    return router
