"""Defective pieces that go to a depot, what it finds, and what becomes of them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Self

import msgspec
from fastapi import APIRouter
from pydantic import AwareDatetime, Field, field_validator, model_validator
from sqlalchemy import select

from contracts.problems import Unfit
from inventory.api.stock import KEEPERS, LotBody, MoveBody, NamedBody
from inventory.commands import (
    FIRST,
    LAST,
    DiagnoseRma,
    Name,
    OpenRma,
    Outcome,
    Pieces,
    Serials,
    SettleRma,
    Verdict,
    Words,
    differ,
)
from inventory.domain.rma import rma_stream
from inventory.projections.rmas import RMAS
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, Problem, ServiceRouter, absent, command, query
from services.chassis.service import Api

READERS = (*KEEPERS, "auditor")


class RmaBody(MoveBody):
    """The pieces are defective ones of `place_id`; those with a serial number may be named."""

    depot_id: Name = Field(description="A place of the kind `depot`.")
    fault: Words
    reference: str = Field("", max_length=100, description="The number that the depot or the supplier gave.")
    due_at: AwareDatetime = Field(ge=FIRST, le=LAST, description="When what becomes of them should be known.")


class DiagnosisBody(Body):
    verdict: Verdict
    finding: Words


class OutcomeBody(NamedBody):
    """What became of pieces at the depot."""

    outcome: Outcome
    quantity: Pieces
    to_place_id: Name | None = Field(None, description="Where they go as good pieces; not of scrapped ones.")
    replaced_by: Serials = Field((), description="Of exchanged pieces, the serial numbers that came for them.")
    replaced_by_lots: list[LotBody] = Field([], max_length=200, description="As with `replaced_by`, by lot.")
    reason: str = Field("", max_length=200, description="Why they were scrapped.")

    @field_validator("replaced_by_lots")
    @classmethod
    def _each_replaced_lot_once(cls, lots: list[LotBody]) -> list[LotBody]:
        differ(tuple([lot.lot for lot in lots]))
        return lots

    @model_validator(mode="after")
    def _what_it_takes(self) -> Self:
        scrapped, exchanged = self.outcome == "scrapped", self.outcome == "exchanged"
        if scrapped == (self.to_place_id is not None):
            raise Unfit(
                "Say to which place repaired or exchanged pieces go; leave it out of scrapped ones.",
                "修复或换新的备件须填写去向库位；报废的不填。",
                "to_place_id",
            )
        if scrapped != bool(self.reason):
            raise Unfit("Say why pieces are scrapped, and only of those.", "报废须填写原因，其他结果不填。", "reason")
        if (self.replaced_by or self.replaced_by_lots) and not exchanged:
            raise Unfit(
                "Only exchanged pieces are replaced by others.",
                "只有换新的备件才填写换来的序列号或批次。",
                "replaced_by",
            )
        return self


class RmaView(Body):
    rma_id: str
    version: int
    part_id: str
    from_place_id: str
    depot_id: str
    fault: str
    reference: str
    serials: list[str]
    replaced_by: list[str]
    quantity: int = Field(description="As it was sent: on the way, at the depot, lost, or what became of it.")
    on_the_way: int
    at_depot: int
    lost: int
    repaired: int
    scrapped: int
    exchanged: int
    verdict: str
    finding: str
    is_open: bool = Field(description="Of some pieces it is still to be said what becomes of them.")
    overdue: bool
    opened_at: datetime
    due_at: datetime


def _view(row: Mapping[str, Any]) -> RmaView:
    derived: dict[str, Any] = {name: msgspec.json.decode(row[name]) for name in ("serials", "replaced_by")}
    derived |= {name: at_micros(row[name]) for name in ("opened_at", "due_at")}
    return RmaView(**{name: row[name] for name in RmaView.model_fields if name not in derived} | derived)


def rma_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/rmas", tags=["stock"])
    table = RMAS.table

    async def known(call: Call, rma_id: str) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.rma_id == rma_id))
        if row is None:
            raise absent("rma", rma_id)
        return row

    @router.post("", status_code=201, summary="Send defective pieces to a depot to be repaired")
    async def begin(body: RmaBody, call: Call = command(*KEEPERS)) -> Accepted:
        if body.due_at <= call.now:
            raise Problem("rma.due-in-past", due_at=body.due_at.isoformat(), now=call.now.isoformat())
        rma_id = call.new_id()
        return Accepted.of(await call.ask(OpenRma(rma_id=rma_id, **body.facts())), id=rma_id)

    @router.post("/{rma_id}/diagnose", summary="Say what the depot found")
    async def diagnose(rma_id: str, body: DiagnosisBody, call: Call = command(*KEEPERS)) -> Accepted:
        await known(call, rma_id)
        asked = DiagnoseRma(rma_id=rma_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=rma_stream(rma_id)), id=rma_id)

    @router.post("/{rma_id}/settle", summary="Say what became of pieces; good ones leave the depot by a transfer")
    async def settle(rma_id: str, body: OutcomeBody, call: Call = command(*KEEPERS)) -> Accepted:
        row = await known(call, rma_id)
        facts = body.facts() | {"to_place_id": body.to_place_id or ""}
        facts["replaced_by_lots"] = tuple([lot.pieces() for lot in body.replaced_by_lots])
        where = {"part_id": row["part_id"], "place_id": row["depot_id"]}
        back = call.new_id() if body.to_place_id else ""
        asked = SettleRma(rma_id=rma_id, **where, **facts, transfer_id=back)
        return Accepted.of(await call.ask(asked, versioned=rma_stream(rma_id)), id=rma_id)

    @router.get("", summary="What is at depots or on its way there; those that are due first, first")
    async def some(
        call: Call = query(*READERS),
        is_open: bool | None = None,
        overdue: bool | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[RmaView]:
        rows = select(table)
        for column, value in ((table.c.is_open, is_open), (table.c.overdue, overdue)):
            if value is not None:
                rows = rows.where(column == value)
        page = await call.page(rows, order_by=[table.c.due_at, table.c.rma_id], cursor=cursor, limit=limit)
        return page.map(_view)

    @router.get("/{rma_id}", summary="One RMA")
    async def one(rma_id: str, call: Call = query(*READERS)) -> RmaView:
        row = await known(call, rma_id)
        call.etag(row["version"])
        return _view(row)

    return router
