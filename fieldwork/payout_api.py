"""
The routes of settlement: what suppliers and engineers are paid for visits, their sheets of a month, and disputes.

An engineer sees her own; a partner sees those of the supplier that their account names; a manager sees all and pays.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import Select, func, select

from fieldwork.commands import (
    DefinePayoutTerms,
    DisputePayout,
    Fen,
    Name,
    PayeeId,
    PayOut,
    Reasoned,
    ResolvePayoutDispute,
    Short,
)
from fieldwork.domain.payout import payout_stream, terms_stream
from fieldwork.projections.payouts import PAYOUT_TERMS, PAYOUTS
from services.chassis.clock import TENANT_ZONE, at_micros, micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api

Payee = Literal["supplier", "engineer"]
Month = Annotated[str, Field(pattern=r"^20\d\d-(0[1-9]|1[0-2])$", examples=["2026-11"])]
READERS: Final = ("engineer", "partner", "manager", "auditor")


class TermsBody(Body, DefinePayoutTerms):
    """What they are paid from then on; the percentages are of what the charge comes to, whoever pays that."""


class TermsView(Body):
    """A version of what a supplier or an engineer is paid; 1/100 CNY."""

    payee: Payee
    payee_id: str = Field(description="`standard`: all who have no terms of their own.")
    version: int
    effective_from: datetime
    visit_fen: int
    labour_percent: int
    parts_percent: int
    travel_percent: int
    in_vain_fen: int


class ShareView(Body):
    """What one of them is paid for a visit; 1/100 CNY. `payout_fen` is the sum of the five amounts before it."""

    visit_id: str
    order_id: str
    payee: Payee
    payee_id: str
    worked_at: datetime
    charged_fen: int = Field(description="What customer, maker, contract and we pay for it together.")
    terms_id: str
    terms_version: int
    visit_fen: int
    labour_fen: int
    parts_fen: int
    travel_fen: int
    adjusted_fen: int = Field(description="What a manager added or took off upon a dispute.")
    payout_fen: int
    paid_fen: int
    due_fen: int
    reference: str = Field(description="Of the last payment.")
    paid_at: datetime | None
    dispute: Literal["", "open", "corrected", "stands"]
    asked_fen: int
    reason: str
    answer: str


class SheetView(Body):
    """What one of them is paid for the visits of a month."""

    payee: Payee
    payee_id: str
    month: str
    visits: int
    charged_fen: int
    payout_fen: int
    paid_fen: int
    due_fen: int
    disputed: int = Field(description="Visits whose share is disputed: these are not paid until it is decided.")


class PaymentBody(Body):
    payee: Payee
    payee_id: PayeeId
    visit_ids: tuple[Name, ...] = Field(min_length=1, max_length=500)
    reference: Short = Field(description="Of the transfer or the sheet that it is on.")


class PayoutDisputeBody(Body):
    payee: Payee
    payee_id: PayeeId = Field(description="An engineer and a partner mean themselves, whatever they say.")
    asked_fen: Fen = Field(description="What it should be.")
    reason: Reasoned


class PayoutAnswerBody(Body):
    payee: Payee
    payee_id: PayeeId
    payout_fen: Fen | None = Field(None, description="What it comes to after all; without it the share stands.")
    answer: Reasoned


def router(api: Api) -> ServiceRouter:
    found = ServiceRouter(api, prefix="/v1/payouts", tags=["payouts"])
    _terms(found)
    _shares(found)
    _decided(found)
    return found


def _terms(router: ServiceRouter) -> None:
    table = PAYOUT_TERMS.table

    @router.post("/terms", summary="What a supplier or an engineer is paid from a time on, as a new version")
    async def define(body: TermsBody, call: Call = command("manager")) -> Accepted:
        asked = DefinePayoutTerms(**body.model_dump() | {"effective_from": body.effective_from.astimezone(UTC)})
        answer = await call.ask(asked, versioned=terms_stream(body.payee, body.payee_id))
        return Accepted.of(answer, id=body.payee_id)

    @router.get("/terms", summary="What suppliers and engineers are paid, of each the newest version first")
    async def versions(
        call: Call = query("manager", "auditor"), cursor: str | None = None, limit: Limit = 50
    ) -> Page[TermsView]:
        order = [table.c.payee, table.c.payee_id, table.c.version.desc()]
        page = await call.page(select(table), order_by=order, cursor=cursor, limit=limit)
        return page.map(_terms_view)


def _terms_view(row: Mapping[str, Any]) -> TermsView:
    same = {name: row[name] for name in TermsView.model_fields if name != "effective_from"}
    return TermsView(**same, effective_from=at_micros(row["effective_from"]))


def _shares(router: ServiceRouter) -> None:
    table = PAYOUTS.table

    @router.get("", summary="What is paid for visits, the newest first; an engineer's or a supplier's own")
    async def some(
        call: Call = query(*READERS),
        visit_id: str | None = None,
        payee: Payee | None = None,
        payee_id: str | None = None,
        month: Month | None = None,
        due: bool = False,
        disputed: bool = False,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[ShareView]:
        rows = _asked(call, payee, payee_id, month)
        if visit_id is not None:
            rows = rows.where(table.c.visit_id == visit_id)
        if due:
            rows = rows.where(table.c.payout_fen != table.c.paid_fen)
        if disputed:
            rows = rows.where(table.c.state == "open")
        order = [table.c.worked_at.desc(), table.c.visit_id, table.c.payee, table.c.payee_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: _share_view(row, call))

    @router.get("/sheets", summary="The settlement sheets of a month: each payee's sum, what is paid and what is due")
    async def sheets(
        month: Month,
        call: Call = query(*READERS),
        payee: Payee | None = None,
        payee_id: str | None = None,
    ) -> list[SheetView]:
        asked = _asked(call, payee, payee_id, month)
        sums = {name: func.sum(table.c[name]).label(name) for name in ("charged_fen", "payout_fen", "paid_fen")}
        open_ones = func.count().filter(table.c.state == "open").label("disputed")
        keys = table.c.payee, table.c.payee_id
        grouped = asked.with_only_columns(*keys, func.count().label("visits"), *sums.values(), open_ones)
        rows = await call.fetch(grouped.group_by(*keys).order_by(*keys))
        return [_sheet_view(row, month) for row in rows]


def _asked(call: Call, payee: Payee | None, payee_id: str | None, month: str | None) -> Select[Any]:
    """Whose they may see, as far as they want to."""
    table = PAYOUTS.table
    rows: Select[Any] = select(table)
    if call.role in ("engineer", "partner"):
        rows = rows.where(table.c.payee == _kind(call), table.c.payee_id == call.person_id)
    if payee is not None:
        rows = rows.where(table.c.payee == payee)
    if payee_id is not None:
        rows = rows.where(table.c.payee_id == payee_id)
    if month is not None:
        first = date.fromisoformat(f"{month}-01")
        after = date(first.year + first.month // 12, first.month % 12 + 1, 1)
        begin, end = (micros(datetime.combine(day, time(), TENANT_ZONE)) for day in (first, after))
        rows = rows.where(table.c.worked_at >= begin, table.c.worked_at < end)
    return rows


def _kind(call: Call) -> Payee:
    # By the role: an engineer and a supplier may have the same id.
    return "engineer" if call.role == "engineer" else "supplier"


def _share_view(row: Mapping[str, Any], call: Call) -> ShareView:
    plain = set(ShareView.model_fields) - {"worked_at", "paid_at", "due_fen", "dispute", "reason", "answer"}
    return ShareView(
        **{name: row[name] for name in plain},
        worked_at=at_micros(row["worked_at"]),
        paid_at=None if row["paid_at"] is None else at_micros(row["paid_at"]),
        due_fen=row["payout_fen"] - row["paid_fen"],
        dispute=row["state"],
        reason=call.open(row["reason"]),
        answer=call.open(row["answer"]),
    )


def _sheet_view(row: Mapping[str, Any], month: str) -> SheetView:
    # A sum of PostgreSQL is a decimal number.
    sums = {name: int(row[name]) for name in ("visits", "charged_fen", "payout_fen", "paid_fen", "disputed")}
    due_fen = sums["payout_fen"] - sums["paid_fen"]
    return SheetView(payee=row["payee"], payee_id=row["payee_id"], month=month, due_fen=due_fen, **sums)


def _decided(router: ServiceRouter) -> None:
    @router.post("/pay", summary="What is due of these visits is paid to one payee: all of them, or none")
    async def pay(body: PaymentBody, call: Call = command("manager")) -> Accepted:
        answer = await call.ask(PayOut(**body.model_dump(), at=call.now))
        return Accepted.of(answer, id=body.payee_id)

    @router.post("/{visit_id}/disputes", summary="A supplier or an engineer does not agree with a share")
    async def dispute(
        visit_id: str, body: PayoutDisputeBody, call: Call = command("engineer", "partner", "manager")
    ) -> Accepted:
        who: dict[str, Any] = {"payee": body.payee, "payee_id": body.payee_id}
        if call.role in ("engineer", "partner"):
            who = {"payee": _kind(call), "payee_id": call.person_id}
        await _must_be(call, visit_id, **who)
        said: dict[str, Any] = {"asked_fen": body.asked_fen, "reason": body.reason, "at": call.now}
        asked = DisputePayout(visit_id=visit_id, **who, **said)
        return Accepted.of(await call.ask(asked, versioned=payout_stream(visit_id)), id=visit_id)

    @router.post("/{visit_id}/disputes/resolve", summary="Decide an open dispute of a share")
    async def resolve(visit_id: str, body: PayoutAnswerBody, call: Call = command("manager")) -> Accepted:
        await _must_be(call, visit_id, body.payee, body.payee_id)
        asked = ResolvePayoutDispute(visit_id=visit_id, **body.model_dump(), at=call.now)
        return Accepted.of(await call.ask(asked, versioned=payout_stream(visit_id)), id=visit_id)


async def _must_be(call: Call, visit_id: str, payee: str, payee_id: str) -> None:
    c = PAYOUTS.table.c
    share = select(c.payout_fen).where(c.visit_id == visit_id, c.payee == payee, c.payee_id == payee_id)
    if await call.one(share) is None:
        raise absent("payout", visit_id)
