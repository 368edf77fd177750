"""The routes of what a customer and the desk write to each other about a request."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import Field
from sqlalchemy import select

from intake.commands import RemarkOnRequest
from intake.projections.request_remarks import REQUEST_REMARKS
from intake.projections.requests import REQUESTS
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, ServiceRouter, absent, command, query
from services.chassis.service import Api

READERS = ("customer", "agent", "dispatcher", "manager", "auditor")
Id = Annotated[str, Path(max_length=100)]


class RemarkBody(Body):
    words: str = Field(min_length=1, max_length=2_000, pattern=r"\S")


class RemarkView(Body):
    remark_id: str
    by: Literal["customer", "desk"]
    words: str
    """Empty where the customer is forgotten."""
    at: datetime


def remark_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/requests", tags=["requests"])
    table = REQUEST_REMARKS.table

    async def own(request_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(REQUESTS.table).where(REQUESTS.table.c.request_id == request_id))
        if row is None or not row["number"] or not call.owns(row["customer_id"]):
            raise absent("request", request_id)
        return row

    @router.post("/{request_id}/remarks", summary="Write to the service desk about a request, or answer the customer")
    async def remark(request_id: Id, body: RemarkBody, call: Call = command("customer", "agent")) -> Accepted:
        row = await own(request_id, call)
        asked = RemarkOnRequest(
            request_id=request_id,
            remark_id=call.new_id(),
            customer_id=row["customer_id"],
            by="customer" if call.role == "customer" else "desk",
            words=body.words,
        )
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=asked.remark_id)

    @router.get("/{request_id}/remarks", summary="What was written about a request, in the order in which it was")
    async def remarks(request_id: Id, call: Call = query(*READERS)) -> list[RemarkView]:
        await own(request_id, call)
        rows = select(table).where(table.c.request_id == request_id).order_by(table.c.number)
        if call.role == "customer":
            # It may have been said to be somebody else's before.
            rows = rows.where(table.c.customer_id == call.person_id)
        return [
            RemarkView(remark_id=row["remark_id"], by=row["by"], words=call.open(row["words"]), at=at_micros(row["at"]))
            for row in await call.fetch(rows)
        ]

    return router
