"""Where one piece is, and its story; where a lot is, and what it went into."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import Field
from sqlalchemy import select

from contracts.inventory import Condition
from inventory.projections.pieces import LOT_USES, LOTS, SERIAL_MOVES, SERIALS
from services.chassis.clock import at_micros
from services.chassis.http import Body, Call, Limit, Page, ServiceRouter, query
from services.chassis.service import Api

WHO_RECALLS = ("agent", "dispatcher", "manager", "operator", "auditor")
"""Not engineers: the story of a piece names the orders of others."""


class SerialView(Body):
    part_id: str
    serial: str
    whereabouts: str = Field(
        description="`good@PLACE`, `defective@PLACE`, `transfer/ID`, `order/ID`, `issued`, `sent-back`, `scrapped`, "
        "`lost` or `missing@PLACE`; empty for a piece that was never heard of."
    )
    moved_at: datetime | None


class MoveView(Body):
    """One step of its story."""

    part_id: str
    serial: str = Field(description="Its number; of a `lot` that of the lot.")
    kind: Literal["serial", "lot"]
    what: str = Field(description="The event that says so.")
    moved_at: datetime
    whereabouts: str = Field(description="Where it was then.")
    place_id: str
    order_id: str
    device_id: str
    said: str = Field(description="From whom it came, to whom it went, or why.")
    is_disputed: bool = Field(description="Our books had it elsewhere; of a lot, had fewer pieces there.")
    was: str = Field(description="Where our books had it, if they did not agree; empty for nowhere.")


class StoryView(SerialView):
    story: list[MoveView] = Field(description="The first first.")


class LotPlaceView(Body):
    place_id: str = Field(description="A place, or `transfer/ID` while they are on their way.")
    condition: Condition
    quantity: int


class LotUseView(Body):
    order_id: str
    device_id: str
    quantity: int
    used_at: datetime


class LotView(Body):
    part_id: str
    lot: str
    there: list[LotPlaceView]
    used: list[LotUseView] = Field(description="Into which devices its pieces went.")


def _view(kind: Any, row: Mapping[str, Any], **more: Any) -> Any:
    times = {name: at_micros(row[name]) for name in ("moved_at", "used_at") if name in row}
    return kind(**{name: row[name] for name in kind.model_fields if name in row} | times | more)


def piece_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])
    serials, moves = SERIALS.table, SERIAL_MOVES.table

    @router.get("/serials", summary="Where the pieces with serial numbers are")
    async def some(
        call: Call = query(*WHO_RECALLS),
        part_id: str | None = None,
        whereabouts: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[SerialView]:
        rows = select(serials)
        for column, value in ((serials.c.part_id, part_id), (serials.c.whereabouts, whereabouts)):
            if value is not None:
                rows = rows.where(column == value)
        page = await call.page(rows, order_by=[serials.c.part_id, serials.c.serial], cursor=cursor, limit=limit)
        return page.map(lambda row: _view(SerialView, row))

    @router.get("/serial", summary="Where one piece is, and its whole story")
    async def one(part_id: str, serial: str, call: Call = query(*WHO_RECALLS)) -> StoryView:
        row = await call.one(select(serials).where(serials.c.part_id == part_id, serials.c.serial == serial))
        if row is None:
            return StoryView(part_id=part_id, serial=serial, whereabouts="", moved_at=None, story=[])
        told = select(moves).where(moves.c.part_id == part_id, moves.c.serial == serial)
        story = [_view(MoveView, step) for step in await call.fetch(told.order_by(moves.c.position))]
        found: StoryView = _view(StoryView, row, story=story)
        return found

    @router.get("/lot", summary="Where the pieces of a lot are, and into which devices they went")
    async def lot(part_id: str, lot: str, call: Call = query(*WHO_RECALLS)) -> LotView:
        there, used = LOTS.table.c, LOT_USES.table.c
        lies = select(LOTS.table).where(there.part_id == part_id, there.lot == lot)
        went = select(LOT_USES.table).where(used.part_id == part_id, used.lot == lot)
        return LotView(
            part_id=part_id,
            lot=lot,
            there=[
                _view(LotPlaceView, row) for row in await call.fetch(lies.order_by(there.place_id, there.condition))
            ],
            used=[_view(LotUseView, row) for row in await call.fetch(went.order_by(used.order_id))],
        )

    @router.get("/disputes", summary="Pieces and lots that were not where our books had them: somebody has to look")
    async def disputes(
        call: Call = query("auditor", "dispatcher", "manager", "operator"),
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[MoveView]:
        rows = select(moves).where(moves.c.is_disputed)
        order = [moves.c.position.desc(), moves.c.part_id, moves.c.serial]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: _view(MoveView, row))

    return router
