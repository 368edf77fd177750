"""Old parts that have still to come back, and replacements that are sent before they are."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from inventory.api.stock import KEEPERS, MoveBody
from inventory.commands import Days, Name, SendReplacement
from inventory.domain.stock import stock_stream
from inventory.projections.old_parts import OLD_PARTS
from inventory.projections.registers import ORDERS
from inventory.projections.reservations import part_lines
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, Problem, ServiceRouter, command, query
from services.chassis.service import Api


class DueBody(Body):
    part_id: str
    quantity: int


class ReplacementBody(MoveBody):
    order_id: Name = Field(description="Of the repair that it is for.")
    within_days: Days | None = Field(
        None, description="In which the customer's defective part is to be back; without it, as the rules say."
    )


class OldPartsView(Body):
    order_id: str
    request_id: str
    engineer_id: str = Field(description="Who took them out.")
    customer_id: str = Field(description="Who owes them for a replacement that was sent ahead; else empty.")
    left: list[DueBody] = Field(description="What has not come back yet.")
    due_at: datetime
    overdue: bool
    reminded: bool = Field(description="The customer was reminded.")
    forfeit_at: datetime | None = Field(description="When what the customer owes is billed instead.")
    forfeited: list[DueBody] = Field(description="What never came and is to be billed.")


def _view(row: Mapping[str, Any]) -> OldPartsView:
    derived: dict[str, Any] = {
        name: [DueBody(part_id=line.part_id, quantity=line.quantity) for line in part_lines(row[name])]
        for name in ("left", "forfeited")
    }
    derived["due_at"] = at_micros(row["due_at"])
    derived["forfeit_at"] = None if row["forfeit_at"] is None else at_micros(row["forfeit_at"])
    return OldPartsView(**{name: row[name] for name in OldPartsView.model_fields if name not in derived} | derived)


def old_part_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])
    table, orders = OLD_PARTS.table, ORDERS.table

    @router.get("/old-parts", summary="Old parts that have still to come back; an engineer sees her own")
    async def due(
        call: Call = query("engineer", "dispatcher", "manager", "operator", "auditor"),
        overdue: bool | None = None,
        forfeited: Annotated[bool, Query(description="Those that never came and are to be billed instead.")] = False,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[OldPartsView]:
        rows = select(table).where(table.c.is_forfeited if forfeited else table.c.is_due)
        if call.role == "engineer":
            rows = rows.where(table.c.engineer_id == call.person_id)
        if overdue is not None:
            rows = rows.where(table.c.overdue == overdue)
        page = await call.page(rows, order_by=[table.c.due_at, table.c.order_id], cursor=cursor, limit=limit)
        return page.map(_view)

    @router.post(
        "/old-parts/replacements", summary="Send a replacement to the customer before the defective part is back"
    )
    async def send_replacement(body: ReplacementBody, call: Call = command(*KEEPERS)) -> Accepted:
        order = await call.one(select(orders).where(orders.c.order_id == body.order_id))
        if order is None:
            raise Problem("replacement.order-unknown")
        known = {name: order[name] for name in ("request_id", "customer_id", "device_id")}
        asked = SendReplacement(**body.facts(), **known, sent_at=call.now)
        answer = await call.ask(asked, versioned=stock_stream(body.part_id, body.place_id))
        return Accepted.of(answer, id=body.order_id)

    return router
