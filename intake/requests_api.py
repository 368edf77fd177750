"""The routes of requests: submitted, put right, followed to their end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AfterValidator, BaseModel, Field
from sqlalchemy import or_, select

from contracts.intake import Impact, RequestKind, Urgency
from contracts.problems import Unfit
from intake.adapters.geocoder import Geocoder
from intake.channel_api import answers_of, corrected, device_facts, supplemented, take
from intake.commands import (
    MergeRequest,
    ReopenRequest,
    ResolveRemotely,
    UnmergeRequest,
    WithdrawRequest,
)
from intake.domain.checks import answers_text
from intake.domain.duplicates import LIKELY, NEAR_UDEG, WINDOW, Asked, shared
from intake.domain.register import EXACT
from intake.placing import Spot
from intake.projections.follow_ups import FOLLOW_UPS
from intake.projections.registers import CUSTOMERS
from intake.projections.requests import MILESTONES, REQUESTS
from intake.register_api import (
    STAFF,
)
from services.chassis.clock import at_micros, micros
from services.chassis.http import (
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    Parked,
    ServiceRouter,
    absent,
    command,
    parked_of,
    query,
)
from services.chassis.service import Api


def _short(answers: dict[str, Any]) -> dict[str, Any]:
    if len(answers_text(answers)) > MOST_ANSWERED:
        raise Unfit(f"They take more than {MOST_ANSWERED} characters.", f"内容超过 {MOST_ANSWERED} 个字符。")
    return answers


MOST_ANSWERED = 20_000
"""Characters of all answers of one form as JSON."""

Answer = str | bool | int | list[str]
Answers = Annotated[dict[str, Answer], AfterValidator(_short)]


State = Literal["received", "incomplete", "expired", "merged", "withdrawn", "cancelled", "closed"]
Channel = Literal["web", "app", "wechat", "hotline", "email", "partner", "api"]


class NewRequest(Body):
    """What somebody asks for. What is missing is asked for afterwards; only `request_type` must be there."""

    request_type: str = Field(max_length=100, examples=["repair"])
    customer_id: str = Field("", max_length=100, description="A customer may leave it out: it is known who asks.")
    device_id: str = Field("", max_length=100)
    urgency: Urgency = "normal"
    impact: Impact = Field("medium", description="How far it reaches; staff says it, a customer's is passed over.")
    description: str = Field("", max_length=4_000)
    answers: Answers = Field(default_factory=dict, description="By the names of the fields of the type's form.")
    serial: str = Field("", max_length=100, description="Read from the device, in place of `device_id`.")
    contact_phone: str = Field("", max_length=40, description="Whom to call on site, if not the customer.")
    site_id: str = Field("", max_length=100, description="Another place of the customer's, where service is wanted.")
    address: str = Field("", max_length=400, description="As people write it, with province, city and district.")
    here: Spot | None = Field(None, description="Where it is in coordinates; it goes before the address.")
    fault: str = Field("", max_length=60, description="A code of the fault tree of the device's model.")
    wished_engineer_id: str = Field("", max_length=100, description="Whom the customer wishes for, if she can do it.")
    message_id: str = Field(
        "", max_length=150, description="The channel's own name of the message; its repeat gets the first answer."
    )


class Change(Body):
    """What a request says is other than it was; fields that are left out stay as they were."""

    customer_id: str = Field("", max_length=100)
    device_id: str = Field("", max_length=100)
    site_id: str = Field("", max_length=100)
    fault: str = Field("", max_length=60)
    contact_phone: str = Field("", max_length=40)
    address: str = Field("", max_length=400)
    here: Spot | None = None


class Supplement(Change):
    """What was missing, or what was wrong; fields that are left out stay as they were."""

    request_type: str = Field("", max_length=100)
    description: str = Field("", max_length=4_000)
    answers: Answers = Field(default_factory=dict)
    serial: str = Field("", max_length=100)
    wished_engineer_id: str = Field("", max_length=100)


class RequestCorrection(Change):
    """What was wrong of a request that was complete; fields that are left out stay as they were."""

    reason: str = Field("", max_length=1_000)


class Withdrawal(Body):
    reason: str = Field("", max_length=1_000)


class Merging(Body):
    into_id: str = Field(min_length=1, max_length=100, description="The request that stands for both.")


class Reopening(Body):
    reason: str = Field("", max_length=1_000)


class Resolution(Body):
    action: str = Field(min_length=1, max_length=4_000, description="What was done.")


class Candidate(BaseModel):
    """An open request that may be the same."""

    request_id: str
    number: str
    state: str
    customer_id: str
    device_id: str
    request_type: str
    fault_class: str
    submitted_at: datetime
    score: int
    """Of 100."""
    because: dict[str, int]
    """What the two have in common, and its points."""


class RequestView(Body):
    """A request with where it stands. Times are null until the milestone is reached; after a reopening, again."""

    request_id: str
    version: int
    number: str
    state: str
    request_type: str
    customer_id: str
    device_id: str
    type_version: int
    kind: str
    """What the type is of: repair, complaint …; empty while it is incomplete."""
    urgency: str
    """What the type's matrix made of the customer's urgency and the impact; what the customer said while incomplete."""
    stated_urgency: str
    impact: str
    needs_visit: bool
    sla: str
    description: str
    answers: dict[str, Any]
    serial: str
    """What was read out and leads to no device of this customer."""
    contact_phone: str
    address: str
    site_id: str
    division: str
    lat_udeg: int | None
    """Where it is, to a thousandth of a degree, WGS-84; null while nobody knows."""
    lon_udeg: int | None
    placed_by: str
    """How that is known: `given` in coordinates, by a `map`, or as the seat of the `district` or `city`."""
    missing: list[str]
    """`field: what is wrong with it`."""
    missing_zh: list[str]
    channel: str
    fault_class: str
    """A code of the fault tree of the device's model, or what the form says."""
    model_version: int
    wished_engineer_id: str
    outcome: str
    action: str
    """What an agent did who solved it from the desk."""
    first_contact: bool
    merged_into: str
    """The request that stands for this one; empty where none does."""
    parked: list[Parked] | None = None
    """What intake could not act on and waits for somebody to look; null in lists, and for whoever is not staff."""
    reopenings: int
    """How often the fault came back within the warranty."""
    unanswered: bool
    """The customer has written about it and waits for an answer."""
    engineer_id: str
    submitted_at: datetime | None
    reminded_at: datetime | None
    reopened_at: datetime | None
    received_at: datetime | None
    assigned_at: datetime | None
    departed_at: datetime | None
    arrived_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    completed_at: datetime | None
    closed_at: datetime | None


class Progress(Body):
    """What the customer sees: the step reached, and when each was."""

    request_id: str
    number: str
    step: str
    """How far it has come: received, reopened … closed; or incomplete, expired, merged, withdrawn, cancelled."""
    steps: dict[str, datetime]


STEPS = ("received", "reopened", "assigned", "departed", "arrived", "started", "finished", "completed", "closed")


def _request_view(row: Mapping[str, Any], call: Call) -> RequestView:
    names = [name for name in RequestView.model_fields if name.endswith("_at")]
    past = _past(row)
    times = {name: at_micros(row[name]) if row[name] and name not in past else None for name in names}
    facts = {name: row[name] for name in RequestView.model_fields if name not in times and name != "parked"}
    if row["customer_id"] == row["request_id"]:  # Nobody has said yet who asks.
        facts["customer_id"] = ""
    text = call.open(row["description"])
    lines = {name: row[name].split("\n") if row[name] else [] for name in ("missing", "missing_zh")}
    opened = {"description": text, "answers": answers_of(row, call)}
    opened |= {name: call.open(row[name]) for name in ("contact_phone", "address", "action")}
    return RequestView(**facts | times | lines | opened)


class FollowUpView(Body):
    """A request that was made of a point that was not in order at a visit of another."""

    request_id: str
    follows_id: str
    visit_id: str
    item: str


def _past(row: Mapping[str, Any]) -> frozenset[str]:
    """The milestones that were reached before the request was reopened: they are of the round that was then over."""
    since = row["reopened_at"] or 0
    return frozenset(name for name in MILESTONES.values() if row[name] and row[name] < since)


def _progress(row: Mapping[str, Any]) -> Progress:
    past = _past(row)
    columns = {step: f"{step}_at" for step in STEPS}
    reached = {step: at_micros(row[name]) for step, name in columns.items() if row[name] and name not in past}
    stopped = row["state"] if row["state"] in ("incomplete", "expired", "merged", "withdrawn", "cancelled") else ""
    last = max(reached, key=STEPS.index, default="")
    return Progress(request_id=row["request_id"], number=row["number"], step=stopped or last, steps=reached)


def request_routes(api: Api, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/requests", tags=["requests"])
    table = REQUESTS.table

    async def own(request_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.request_id == request_id))
        if row is None or not row["number"] or not call.owns(row["customer_id"]):
            raise absent("request", request_id)
        return row

    @router.post("", status_code=201, summary="Submit a request")
    async def submit(body: NewRequest, call: Call = command("customer", "agent", "partner")) -> Accepted:
        request_id = call.new_id()
        # Until somebody says who asks, what was written of them is sealed under a key of this request's own.
        asked_for = call.person_id if call.role == "customer" else body.customer_id or request_id
        facts = body.model_dump() | {"customer_id": asked_for, "here": body.here and body.here.wgs84()}
        if call.role == "customer":
            facts |= {"impact": "medium", "by_customer": True}
        return await take(call, map_, request_id, facts, body.model_dump_json(exclude={"message_id"}))

    @router.get("", summary="Requests, the newest first")
    async def some(
        call: Call = query("customer", *STAFF),
        state: State | None = None,
        channel: Channel | None = None,
        kind: RequestKind | None = None,
        unanswered: Annotated[bool, Query(description="Only those whose customer waits for an answer.")] = False,
        customer_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[RequestView]:
        rows = select(table).where(table.c.number != "")
        if state:
            rows = rows.where(table.c.state == state)
        if channel:
            rows = rows.where(table.c.channel == channel)
        if kind:
            rows = rows.where(table.c.kind == kind)
        if unanswered:
            rows = rows.where(table.c.unanswered)
        if call.role == "customer" or customer_id:
            rows = rows.where(table.c.customer_id == (call.person_id if call.role == "customer" else customer_id))
        order = [table.c.submitted_at.desc(), table.c.request_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: _request_view(row, call))

    @router.get("/duplicates", summary="Open requests that may be the same as the one to be submitted")
    async def duplicates(
        call: Call = query("customer", "agent", "dispatcher"),
        customer_id: str = "",
        device_id: str = "",
        serial: Annotated[str, Query(max_length=100, description="Of the device, where its id is not known.")] = "",
        request_type: str = "",
        fault: str = "",
        window_h: Annotated[int, Query(ge=1, le=24 * 90)] = WINDOW // timedelta(hours=1),
        least: Annotated[int, Query(ge=1, le=100)] = LIKELY,
    ) -> list[Candidate]:
        who = call.person_id if call.role == "customer" else customer_id
        device_id = (await device_facts(call, serial, device_id))["device_id"]
        place = await call.one(select(CUSTOMERS.table).where(CUSTOMERS.table.c.customer_id == who)) if who else None
        at = (place["lat_udeg"], place["lon_udeg"]) if place and place["placed_by"] in EXACT else (None, None)
        asked = Asked(device_id, who, request_type, fault, *at)
        since = micros(call.now - timedelta(hours=window_h))
        rows = select(table).where(table.c.submitted_at >= since, table.c.state.in_(("received", "incomplete")))
        if call.role == "customer":
            rows = rows.where(table.c.customer_id == who)
        alike = [table.c.customer_id == who] if who else []
        alike += [table.c.device_id == device_id] if device_id else []
        if asked.lat_udeg is not None and asked.lon_udeg is not None:
            alike.append(
                table.c.lat_udeg.between(asked.lat_udeg - NEAR_UDEG, asked.lat_udeg + NEAR_UDEG)
                & table.c.lon_udeg.between(asked.lon_udeg - NEAR_UDEG, asked.lon_udeg + NEAR_UDEG)
            )
        if not alike:
            return []
        newest = rows.where(or_(*alike)).order_by(table.c.submitted_at.desc(), table.c.request_id).limit(200)
        found = [_candidate(row, asked) for row in await call.fetch(newest)]
        return sorted([one for one in found if one.score >= least], key=lambda one: (-one.score, one.submitted_at))

    @router.get("/{request_id}", summary="One request")
    async def one(request_id: str, call: Call = query("customer", *STAFF)) -> RequestView:
        row = await own(request_id, call)
        call.etag(row["version"])
        return _request_view(row, call).model_copy(update={"parked": await parked_of(call, request_id)})

    @router.get("/{request_id}/follow-ups", summary="The requests that came of what was not in order at its visits")
    async def follow_ups(request_id: str, call: Call = query("customer", *STAFF)) -> list[FollowUpView]:
        await own(request_id, call)
        links = FOLLOW_UPS.table
        rows = await call.fetch(select(links).where(links.c.follows_id == request_id).order_by(links.c.request_id))
        return [FollowUpView(**{name: row[name] for name in FollowUpView.model_fields}) for row in rows]

    @router.get("/{request_id}/progress", summary="How far a request has come")
    async def progress(request_id: str, call: Call = query("customer", *STAFF)) -> Progress:
        return _progress(await own(request_id, call))

    @router.post("/{request_id}/supplement", summary="Give what was missing")
    async def supplement(request_id: str, body: Supplement, call: Call = command("customer", "agent")) -> Accepted:
        row = await own(request_id, call)
        facts = body.model_dump() | ({"customer_id": call.person_id} if call.role == "customer" else {})
        facts |= {"here": body.here and body.here.wgs84()}
        asked = await supplemented(call, map_, row, facts)
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=request_id)

    @router.post(
        "/{request_id}/correct", summary="It was of another customer, device or place; until an engineer departs"
    )
    async def correct(request_id: str, body: RequestCorrection, call: Call = command("agent")) -> Accepted:
        row = await own(request_id, call)
        asked = await corrected(call, map_, row, body.model_dump() | {"here": body.here and body.here.wgs84()})
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=request_id)

    @router.post("/{request_id}/withdraw", summary="The customer does not want it any more")
    async def withdraw(request_id: str, body: Withdrawal, call: Call = command("customer", "agent")) -> Accepted:
        await own(request_id, call)
        asked = WithdrawRequest(request_id=request_id, reason=body.reason)
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=request_id)

    @router.post("/{request_id}/merge", summary="Let another request stand for this one")
    async def merge(request_id: str, body: Merging, call: Call = command("agent", "dispatcher")) -> Accepted:
        row = await own(request_id, call)
        asked = MergeRequest(request_id=request_id, into_id=body.into_id, under_way=row["under_way"])
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=request_id)

    @router.post("/{request_id}/unmerge", summary="It was another thing after all")
    async def unmerge(request_id: str, call: Call = command("agent", "dispatcher")) -> Accepted:
        await own(request_id, call)
        asked = UnmergeRequest(request_id=request_id)
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=request_id)

    @router.post("/{request_id}/reopen", summary="The fault is back: go on with it, within the warranty of the work")
    async def reopen(request_id: str, body: Reopening, call: Call = command("customer", "agent")) -> Accepted:
        await own(request_id, call)
        asked = ReopenRequest(request_id=request_id, reason=body.reason, now=call.now)
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=request_id)

    @router.post("/{request_id}/resolve", summary="It was solved from the desk; nobody needs to go")
    async def resolve(request_id: str, body: Resolution, call: Call = command("agent")) -> Accepted:
        await own(request_id, call)
        asked = ResolveRemotely(request_id=request_id, action=body.action, now=call.now)
        return Accepted.of(await call.ask(asked, versioned=f"request/{request_id}"), id=request_id)

    return router


def _candidate(row: Mapping[str, Any], asked: Asked) -> Candidate:
    told = ("device_id", "customer_id", "request_type", "fault_class", "lat_udeg", "lon_udeg")
    other = Asked(**{name: row[name] for name in told})
    if row["placed_by"] not in EXACT:
        other = replace(other, lat_udeg=None, lon_udeg=None)  # In the middle of one district nobody is a neighbour.
    because = shared(asked, other)
    names = ("request_id", "number", "state", "customer_id", "device_id", "request_type", "fault_class")
    return Candidate(
        **{name: row[name] for name in names},
        submitted_at=at_micros(row["submitted_at"]),
        score=sum(because.values()),
        because=because,
    )
