"""The route of what customers were told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import select

from intake.projections.messages import MESSAGES
from services.chassis.clock import at_micros
from services.chassis.http import Body, Call, Limit, Page, ServiceRouter, query
from services.chassis.service import Api


class MessageView(Body):
    """A message to a customer. `due`: nothing is known yet of its sending, such as while a provider is away."""

    message_id: str
    """The id of the event that it tells of; the provider was given it as idempotency key."""
    request_id: str
    customer_id: str
    template: str
    language: str
    state: str
    """`due`, `sent` or `not_sent`."""
    reason: str
    """Why it was not sent."""
    detail: str
    """What the provider said to that."""
    medium: str
    recipient: str
    """Masked: enough to see whether it was the right one."""
    provider_ref: str
    attempts: int
    due_at: datetime | None
    settled_at: datetime | None


def masked(medium: str, recipient: str) -> str:
    """`138****0001`, `l***@example.com`, `oA***`."""
    if medium == "text":
        return f"{recipient[:3]}****{recipient[-4:]}" if len(recipient) > 7 else "****"
    if medium == "mail":
        name, at, domain = recipient.rpartition("@")
        return f"{name[:1]}***{at}{domain}"
    return f"{recipient[:2]}***" if recipient else ""


def _view(row: Mapping[str, Any], call: Call) -> MessageView:
    to = call.open(row["recipient"])
    detail = call.open(row["detail"])
    shown = masked(row["medium"], to) if to else ""
    return MessageView(
        **{name: row[name] for name in MessageView.model_fields}
        | {
            "recipient": shown,
            "detail": detail.replace(to, shown) if to else detail,
            "due_at": at_micros(row["due_at"]) if row["due_at"] else None,
            "settled_at": at_micros(row["settled_at"]) if row["settled_at"] else None,
        }
    )


def message_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/messages", tags=["messages"])
    table = MESSAGES.table

    @router.get("", summary="What customers were told, the newest first")
    async def some(
        call: Call = query("agent", "manager"),
        request_id: Annotated[str | None, Query(description="Only what was told of this request")] = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[MessageView]:
        rows = select(table)
        if request_id:
            rows = rows.where(table.c.request_id == request_id)
        order = [table.c.due_at.desc(), table.c.message_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: _view(row, call))

    return router
