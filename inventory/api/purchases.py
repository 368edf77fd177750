"""Reorder points, what should be bought, and what became of that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

from fastapi import APIRouter
from pydantic import Field, model_validator
from sqlalchemy import select

from inventory.commands import (
    AboutPurchase,
    DismissPurchase,
    Name,
    OrderPurchase,
    Pieces,
    Quantity,
    SetReorderPoint,
    Words,
    levels,
)
from inventory.domain.stock import stock_stream
from inventory.projections.purchases import PURCHASES
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, command, query
from services.chassis.service import Api

WHO_BUYS = ("dispatcher", "manager", "operator")


class ShelfBody(Body):
    part_id: Name
    place_id: Name


class ReorderPointBody(ShelfBody):
    reorder_at: Quantity = Field(description="With so many pieces left or fewer, more are suggested…")
    reorder_to: Quantity = Field(description="…up to so many; with 0 nothing is suggested any more.")

    @model_validator(mode="after")
    def _upwards(self) -> Self:
        levels(self.reorder_at, self.reorder_to)
        return self


class OrderedBody(ShelfBody):
    quantity: Pieces
    reference: Words = Field(description="The number of the order at the supplier or in the ERP.")


class DismissedBody(ShelfBody):
    reason: Words


class PurchaseView(Body):
    part_id: str
    place_id: str
    reorder_at: int
    reorder_to: int
    state: str = Field(description="`suggested`, `ordered`, `dismissed`, or empty while there is enough.")
    since: datetime | None = Field(description="When it was suggested last.")
    quantity: int = Field(description="So many were suggested last, for:")
    on_hand: int
    set_aside: int
    expected_use: int
    ordered: int = Field(description="Pieces on order now.")
    reason: str = Field(description="The order's reference, or why the suggestion was dismissed.")


def _purchase(row: Mapping[str, Any]) -> PurchaseView:
    since = at_micros(row["since"]) if row["since"] else None
    return PurchaseView(**{name: row[name] for name in PurchaseView.model_fields} | {"since": since})


def purchase_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])
    table = PURCHASES.table

    async def done(call: Call, asked: AboutPurchase) -> Accepted:
        answer = await call.ask(asked, versioned=stock_stream(asked.part_id, asked.place_id))
        return Accepted.of(answer, id=f"{asked.part_id}/{asked.place_id}")

    @router.post("/reorder-points", summary="When more of a part is to be bought for a place, and how much")
    async def reorder_point(body: ReorderPointBody, call: Call = command("manager", "operator")) -> Accepted:
        return await done(call, SetReorderPoint(**body.model_dump()))

    @router.post("/purchases/order", summary="A purchase was ordered")
    async def ordered(body: OrderedBody, call: Call = command(*WHO_BUYS)) -> Accepted:
        return await done(call, OrderPurchase(**body.model_dump()))

    @router.post("/purchases/dismiss", summary="Nothing is bought upon a suggestion")
    async def dismissed(body: DismissedBody, call: Call = command(*WHO_BUYS)) -> Accepted:
        return await done(call, DismissPurchase(**body.model_dump()))

    @router.get("/purchases", summary="Reorder points, what should be bought and why, and what is on order")
    async def some(
        call: Call = query("auditor", *WHO_BUYS),
        state: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[PurchaseView]:
        rows = select(table) if state is None else select(table).where(table.c.state == state)
        page = await call.page(rows, order_by=[table.c.part_id, table.c.place_id], cursor=cursor, limit=limit)
        return page.map(_purchase)

    return router
