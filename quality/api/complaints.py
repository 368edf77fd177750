"""Complaints: raised by a customer or for one, given to somebody, answered in time, with the story of the order."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from fastapi import APIRouter
from pydantic import AwareDatetime, Field
from sqlalchemy import select

from contracts.problems import Rejected
from contracts.quality import RootCause
from quality.commands import AssignComplaint, CloseComplaint, RaiseComplaint, WithdrawComplaint, Words
from quality.domain.complaint import complaint_stream
from quality.projections.asked_for import ASKED_FOR
from quality.projections.complaints import COMPLAINTS
from quality.projections.customers import CUSTOMERS
from quality.projections.inspections import INSPECTIONS
from quality.projections.served import SERVED
from quality.projections.surveys import SURVEYS
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api

State = Literal["open", "closed", "withdrawn"]


class ComplaintBody(Body):
    """What a customer is not content with; staff names the customer or the request."""

    words: Words
    request_id: str = Field("", max_length=100)
    customer_id: str = Field("", max_length=100)


class AssignBody(Body):
    owner_id: str = Field(min_length=1, max_length=100)
    answer_due_at: AwareDatetime | None = Field(
        None,
        ge=datetime(2000, 1, 1, tzinfo=UTC),
        lt=datetime(2100, 1, 1, tzinfo=UTC),
        description="The deadline stays if left out.",
    )


class CloseBody(Body):
    """`root_cause` is why there was reason to complain; the customer is shown the answer."""

    root_cause: RootCause
    answer: Words


class WithdrawBody(Body):
    """Why there is nothing to complain of any more."""

    reason: str = Field("", max_length=1_000)


class ComplaintView(Body):
    """
    A complaint. `overdue` is of the deadline as it is now, `was_overdue` of any that it had; `closed_at` is when it was
    answered, or withdrawn.

    Who owns it and its root cause are not shown to customers.
    """

    complaint_id: str
    version: int
    state: State
    customer_id: str
    request_id: str
    channel: str
    words: str
    raised_at: datetime
    owner_id: str
    answer_due_at: datetime
    overdue: bool
    was_overdue: bool
    root_cause: str
    answer: str
    closed_at: datetime | None


class VisitRef(Body):
    """A visit for the order; `completed_at` is null where the work was not accepted."""

    visit_id: str
    order_id: str
    engineer_id: str
    completed_at: datetime | None


class StoryView(Body):
    """The ids of all that came of the request; the services that own them have the rest."""

    request_id: str
    request_type: str
    order_id: str
    visits: list[VisitRef]
    survey_ids: list[str]
    inspection_ids: list[str]
    complaint_ids: list[str]


class ComplaintDetail(ComplaintView):
    """`story` is null where the complaint is about no request, and for customers."""

    story: StoryView | None


def _facts(row: Mapping[str, Any], call: Call) -> dict[str, Any]:
    found = {name: row[name] for name in ComplaintView.model_fields}
    found |= {name: at_micros(row[name]) if row[name] else None for name in ("raised_at", "answer_due_at", "closed_at")}
    found |= {name: call.open(row[name]) for name in ("words", "answer")}
    return found | ({"owner_id": "", "root_cause": ""} if call.role == "customer" else {})


def complaint_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/complaints", tags=["complaints"])
    table = COMPLAINTS.table

    @router.post("", status_code=201, summary="Say what one is not content with")
    async def complain(body: ComplaintBody, call: Call = command("customer", "agent")) -> Accepted:
        complaint_id, customer_id = call.new_id(), await _customer_of(body, call)
        asked = RaiseComplaint(
            complaint_id=complaint_id,
            customer_id=customer_id,
            request_id=body.request_id,
            words=body.words,
            now=call.now,
        )
        return Accepted.of(await call.ask(asked), id=complaint_id)

    @router.get("", summary="Complaints, the newest first")
    async def some(
        call: Call = query("customer", "agent", "manager", "auditor"),
        state: State | None = None,
        overdue: bool | None = None,
        owner_id: str | None = None,
        request_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[ComplaintView]:
        rows = select(table)
        if call.role == "customer":
            rows = rows.where(table.c.customer_id == call.person_id)
        elif owner_id is not None:
            rows = rows.where(table.c.owner_id == owner_id)
        if overdue is not None:
            rows = rows.where(table.c.overdue == overdue)
        for column, value in ((table.c.state, state), (table.c.request_id, request_id)):
            if value is not None:
                rows = rows.where(column == value)
        order = [table.c.raised_at.desc(), table.c.complaint_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: ComplaintView(**_facts(row, call)))

    @router.get("/{complaint_id}", summary="One complaint, with the story of its request beside it")
    async def one(complaint_id: str, call: Call = query("customer", "agent", "manager", "auditor")) -> ComplaintDetail:
        row = await _seen(complaint_id, call)
        call.etag(row["version"])
        told = row["request_id"] and call.role != "customer"
        return ComplaintDetail(**_facts(row, call), story=await _story(row["request_id"], call) if told else None)

    @router.post("/{complaint_id}/assign", summary="Give it to somebody, with a deadline")
    async def assign(complaint_id: str, body: AssignBody, call: Call = command("agent", "manager")) -> Accepted:
        await _seen(complaint_id, call)
        due_at = body.answer_due_at.astimezone(UTC) if body.answer_due_at else None
        asked = AssignComplaint(complaint_id=complaint_id, owner_id=body.owner_id, answer_due_at=due_at, now=call.now)
        return Accepted.of(await call.ask(asked, versioned=complaint_stream(complaint_id)), id=complaint_id)

    @router.post("/{complaint_id}/close", summary="Answer the customer, and say what was behind it")
    async def close(complaint_id: str, body: CloseBody, call: Call = command("agent", "manager")) -> Accepted:
        await _seen(complaint_id, call)
        asked = CloseComplaint(complaint_id=complaint_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=complaint_stream(complaint_id)), id=complaint_id)

    @router.post("/{complaint_id}/withdraw", summary="There is nothing to complain of any more")
    async def withdraw(
        complaint_id: str, body: WithdrawBody, call: Call = command("customer", "agent", "manager")
    ) -> Accepted:
        await _seen(complaint_id, call)
        asked = WithdrawComplaint(complaint_id=complaint_id, reason=body.reason)
        return Accepted.of(await call.ask(asked, versioned=complaint_stream(complaint_id)), id=complaint_id)

    async def _seen(complaint_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.complaint_id == complaint_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("complaint", complaint_id)
        return row

    return router


async def _customer_of(body: ComplaintBody, call: Call) -> str:
    """Whose complaint it is: the caller's, or of the customer whom staff names, by the request or by their id."""
    named = body.customer_id or (call.person_id if call.role == "customer" else "")
    if named and not call.owns(named):
        raise absent("customer", named)
    if body.request_id:
        request = await call.one(select(ASKED_FOR.table).where(ASKED_FOR.table.c.request_id == body.request_id))
        if request is None or not request["customer_id"] or request["customer_id"] != (named or request["customer_id"]):
            raise absent("request", body.request_id)
        return str(request["customer_id"])
    if not named:
        raise Rejected("complaint.no-customer")
    known = await call.one(select(CUSTOMERS.table).where(CUSTOMERS.table.c.customer_id == named))
    # Who has signed in as a customer is one, also while word of it is on its way.
    if known is None and call.role != "customer":
        raise absent("customer", named)
    return named


async def _story(request_id: str, call: Call) -> StoryView:
    def of(table: Any, *order: Any) -> Any:
        return select(table).where(table.c.request_id == request_id).order_by(*order)

    request = await call.one(of(ASKED_FOR.table))
    visits = await call.fetch(of(SERVED.table, SERVED.table.c.visit_id))
    surveys = await call.fetch(of(SURVEYS.table, SURVEYS.table.c.sent_at))
    inspections = await call.fetch(of(INSPECTIONS.table, INSPECTIONS.table.c.opened_at))
    complaints = await call.fetch(of(COMPLAINTS.table, COMPLAINTS.table.c.raised_at))
    return StoryView(
        request_id=request_id,
        request_type=request["request_type"] if request else "",
        order_id=request["order_id"] if request else "",
        visits=[
            VisitRef(
                visit_id=visit["visit_id"],
                order_id=visit["order_id"],
                engineer_id=visit["engineer_id"],
                completed_at=at_micros(visit["completed_at"]) if visit["completed_at"] else None,
            )
            for visit in visits
        ],
        survey_ids=[row["survey_id"] for row in surveys],
        inspection_ids=[row["inspection_id"] for row in inspections],
        complaint_ids=[row["complaint_id"] for row in complaints],
    )
