"""The routes of intake: commands in, views out."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal, TypeVar, cast

import msgspec
from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, BaseModel, Field, ValidationError
from sqlalchemy import or_, select

from contracts.intake import DAY_S, FormField, Impact, RequestKind, SerialCheck, Urgency
from contracts.problems import Rejected, Unfit
from intake import channel_api, photos_api, register_api
from intake.adapters.geocoder import AsSet, Geocoder
from intake.adapters.packs import packs
from intake.adapters.sheets import SheetRow, Unreadable, reject_file, rows_of
from intake.channel_api import IntakeApi, answers_of, device_facts, supplemented, take
from intake.commands import (
    DefineRequestType,
    LoadPack,
    MatrixCell,
    MergeRequest,
    Name,
    PartUsed,
    Question,
    RegisterDevice,
    RegisterSite,
    ReopenRequest,
    ResolveRemotely,
    UnmergeRequest,
    WithdrawRequest,
)
from intake.contacts_api import contact_routes, notice_routes
from intake.domain.checks import answers_text
from intake.domain.duplicates import LIKELY, NEAR_UDEG, WINDOW, Asked, shared
from intake.domain.form import schema_of
from intake.domain.register import EXACT, customer_stream, device_stream, site_stream, type_stream
from intake.messages_api import message_routes
from intake.placing import Spot, Where, told
from intake.projections.follow_ups import FOLLOW_UPS
from intake.projections.registers import CUSTOMERS, DEVICES, REQUEST_TYPES, SITES
from intake.projections.requests import MILESTONES, REQUESTS
from intake.projections.service_records import SERVICE_RECORDS
from intake.register_api import (
    ADDRESSABLE,
    STAFF,
    CustomerView,
    NewCustomer,
    NewDevice,
    customer_command,
    customer_view,
)
from services.chassis.clock import at_micros, micros
from services.chassis.http import (
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    Parked,
    Problem,
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


class Supplement(Body):
    """What was missing, or what was wrong; fields that are left out stay as they were."""

    request_type: str = Field("", max_length=100)
    customer_id: str = Field("", max_length=100)
    device_id: str = Field("", max_length=100)
    description: str = Field("", max_length=4_000)
    answers: Answers = Field(default_factory=dict)
    serial: str = Field("", max_length=100)
    contact_phone: str = Field("", max_length=40)
    address: str = Field("", max_length=400)
    here: Spot | None = None
    site_id: str = Field("", max_length=100)
    fault: str = Field("", max_length=60)
    wished_engineer_id: str = Field("", max_length=100)


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


class NewSite(Where):
    site_id: str = Field("", max_length=100, pattern=ADDRESSABLE)
    name: str = Field(min_length=1, max_length=200)
    address: str = Field("", max_length=400)


class SiteView(Body):
    site_id: str
    version: int
    customer_id: str
    name: str
    address: str
    region: str
    lat_udeg: int
    lon_udeg: int
    placed_by: str
    """As of a customer."""


class SheetCustomer(NewCustomer):
    """A row of a file: it must say which customer it is, so that it can be sent again."""

    EXACT = False

    customer_id: str = Field(min_length=1, max_length=100, pattern=ADDRESSABLE)


class SheetDevice(NewDevice):
    """A row of a file: it must say which device it is, so that it can be sent again."""

    EXACT = False

    device_id: str = Field(min_length=1, max_length=100, pattern=ADDRESSABLE)


class DeviceView(Body):
    device_id: str
    version: int
    customer_id: str
    model: str
    serial: str
    skill: str
    site_id: str
    purchased_on: date | None
    in_service_on: date | None
    device_supplier: str
    """The company that it was bought from; empty where it is not known."""


def _device_view(row: Mapping[str, Any]) -> DeviceView:
    days = {name: row[name] or None for name in ("purchased_on", "in_service_on")}
    return DeviceView(**{name: row[name] for name in DeviceView.model_fields} | days)


class PartInside(BaseModel):
    """So many pieces of a part that went into the device."""

    part_id: str
    place_id: str
    """Where it was taken from."""
    quantity: int
    serials: list[str] = []
    """Of the pieces, where they have any and were read."""
    old_returned: int = 0
    """Old pieces that came out of the device."""


class PhotoOf(BaseModel):
    """A picture that the engineer took; `/v1/visits/<visit_id>/photos/<photo_id>` has it."""

    photo_id: str
    moment: str


class VisitRecord(BaseModel):
    """What was done at one visit."""

    visit_id: str
    engineer_id: str
    ended: str
    """`completed`, or why it was aborted."""
    ended_at: datetime
    cause: str
    action: str
    record: str
    """What was found and done, in the engineer's words."""
    parts: list[PartInside]
    photos: list[PhotoOf]
    rating: int | None


class ServedRequest(BaseModel):
    """One request about the device, with the visits that it led to, the first one first."""

    request_id: str
    number: str
    request_type: str
    kind: str
    state: str
    outcome: str
    submitted_at: datetime
    reopenings: int
    fault_class: str
    visits: list[VisitRecord]


class DeviceLife(BaseModel):
    """All that was ever done to a device: its newest 500 requests, the newest one first."""

    device: DeviceView
    requests: list[ServedRequest]
    last_engineer_id: str
    """Who came last; empty where nobody has come yet."""
    visits_completed: int
    parts: dict[str, int]
    """Pieces that went in, by part."""


MOST_REQUESTS = 500
"""Of one device, shown on one call."""

TypeId = Annotated[str, Path(max_length=100)]


class TypeDefinition(Body):
    name: str = Field(min_length=1, max_length=200)
    needs_device: bool = True
    skill: str = Field("", max_length=100)
    more_skills: list[Name] = Field([], max_length=20, description="Beside that, or beside what the device needs.")
    skill_level: int = Field(0, ge=0, le=100)
    certificates: list[Name] = Field([], max_length=20)
    duration_s: int = Field(3_600, ge=60, le=7 * 24 * 3_600)
    min_description: int = Field(0, ge=0, le=500)
    name_zh: str = Field("", max_length=200)
    kind: RequestKind = "repair"
    needs_visit: bool = Field(True, description="False: it is answered from the desk, and nobody is sent.")
    form: list[Question] = Field([], max_length=50, description="What is asked beside the description.")
    urgency_matrix: list[MatrixCell] = Field([], max_length=12)
    usual_parts: list[PartUsed] = Field([], max_length=50)
    sla: str = Field("", max_length=100, description="The id of the service level that is promised, one of /v1/slas.")
    serial_pattern: str = Field("", max_length=100, description="What a device's serial number must match as a whole.")
    serial_check: SerialCheck = "none"
    remind_after_s: int = Field(DAY_S, ge=60, le=30 * DAY_S, description="An incomplete request is reminded, twice.")
    expire_after_s: int = Field(7 * DAY_S, ge=60, le=90 * DAY_S, description="An incomplete request is given up.")
    warranty_s: int = Field(
        30 * DAY_S, ge=0, le=3_660 * DAY_S, description="So long it is reopened if the fault is back."
    )


class TypeView(TypeDefinition):
    type_id: str
    type_version: int
    answers_schema: dict[str, Any]
    """JSON Schema (2020-12) of `answers`, with `x-title-zh` and `x-labels` for who draws the form."""


class PackChoice(Body):
    pack_id: str = Field(max_length=100, examples=["it"])


class PackView(Body):
    """Request types of a trade, ready to be loaded."""

    pack_id: str
    name: str
    name_zh: str
    types: list[str]


STORED_AS_TEXT = ("form", "urgency_matrix", "usual_parts", "more_skills", "certificates")


def _type_view(row: Mapping[str, Any]) -> TypeView:
    several = {name: json.loads(row[name]) for name in STORED_AS_TEXT}
    schema = schema_of(msgspec.json.decode(row["form"], type=tuple[FormField, ...]))
    plain = {name: row[name] for name in TypeView.model_fields if name not in {*several, "answers_schema"}}
    return TypeView(**plain, **several, answers_schema=dict(schema))


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


def routes(api: Api) -> APIRouter:
    own = cast("IntakeApi", api)
    router, map_ = APIRouter(), AsSet(lambda: own.outside)
    router.include_router(channel_api.routes(own, map_))
    router.include_router(_requests(api, map_))
    router.include_router(photos_api.routes(own))
    router.include_router(register_api.routes(api))
    router.include_router(_customers(api, map_))
    router.include_router(_devices(api))
    router.include_router(_request_types(api))
    router.include_router(message_routes(api))
    router.include_router(contact_routes(api))
    router.include_router(notice_routes(api))
    return router


def _requests(api: Api, map_: Geocoder) -> APIRouter:
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
            facts["impact"] = "medium"
        return await take(call, map_, request_id, facts, body.model_dump_json(exclude={"message_id"}))

    @router.get("", summary="Requests, the newest first")
    async def some(
        call: Call = query("customer", *STAFF),
        state: State | None = None,
        channel: Channel | None = None,
        kind: RequestKind | None = None,
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


class Refused(BaseModel):
    """A row that was not taken."""

    line: int
    why: str


class Imported(BaseModel):
    """What became of the rows of a file: each is taken or refused by itself. One that is sent again changes nothing."""

    taken: int
    refused: list[Refused]
    reject_file: str
    """CSV of the refused rows with the reason: correct it and send it again. Empty if all were taken."""


SHEET: Mapping[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": {
                "schema": {"type": "string", "format": "binary"}
            },
        },
    }
}

AT_ONCE = 32
"""Rows of one file that are decided at a time."""

Row = TypeVar("Row", bound=Body)


async def _imported(call: Call, kind: type[Row], register: Callable[[Row, str], Awaitable[Any]]) -> Imported:
    try:
        rows = await asyncio.to_thread(rows_of, await call.body())
    except Unreadable as error:
        raise Problem("sheet.unreadable", why=error.en, why_zh=error.zh) from None
    gate = asyncio.Semaphore(AT_ONCE)

    async def one(row: SheetRow) -> str:
        try:
            said = kind(**row.cells)
        except ValidationError as error:
            return call.fields_said([dict(one) for one in error.errors()])
        content = hashlib.sha256(said.model_dump_json().encode()).hexdigest()
        async with gate:
            try:
                await register(said, f"{kind.__name__}/{content}")
            except Rejected as no:
                told = call.said(no.code, no.facts)
                return f"{no.code}: {' '.join([told['title'], told['detail'], told['remedy']]).strip()}"
        return ""

    answers = await asyncio.gather(*[one(row) for row in rows])
    refused = [(row, why) for row, why in zip(rows, answers, strict=True) if why]
    return Imported(
        taken=len(rows) - len(refused),
        refused=[Refused(line=row.line, why=why) for row, why in refused],
        reject_file=reject_file(refused),
    )


def _customers(api: Api, map_: Geocoder) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/customers", tags=["customers"])
    table = CUSTOMERS.table

    @router.post("", status_code=201, summary="Register a customer, or say what is known now")
    async def register(body: NewCustomer, call: Call = command("agent", "operator", "partner")) -> Accepted:
        customer_id = body.customer_id or call.new_id()
        asked = await customer_command(body, customer_id, call, map_)
        answer = await call.ask(asked, versioned=customer_stream(customer_id))
        return Accepted.of(answer, id=customer_id)

    @router.post(
        "/import",
        summary="Register the customers of a CSV or XLSX file",
        openapi_extra=dict(SHEET),
    )
    async def bring(call: Call = command("agent", "operator")) -> Imported:
        async def one(said: SheetCustomer, key: str) -> None:
            await call.ask(await customer_command(said, said.customer_id, call, map_), item=(key, said))

        return await _imported(call, SheetCustomer, one)

    @router.get("/{customer_id}", summary="One customer")
    async def one(customer_id: str, call: Call = query("customer", *STAFF)) -> CustomerView:
        row = await call.one(select(table).where(table.c.customer_id == customer_id))
        if row is None or not call.owns(customer_id):
            raise absent("customer", customer_id)
        call.etag(row["version"])
        return customer_view(row, call)

    async def own(customer_id: str, call: Call) -> None:
        row = await call.one(select(table).where(table.c.customer_id == customer_id))
        if row is None or not call.owns(customer_id):
            raise absent("customer", customer_id)

    @router.post("/{customer_id}/sites", status_code=201, summary="Register another place of a customer's")
    async def register_site(customer_id: str, body: NewSite, call: Call = command("agent", "operator")) -> Accepted:
        await own(customer_id, call)
        site_id = body.site_id or call.new_id()
        facts = body.model_dump(exclude={"datum"}) | await told(body, body.address, map_)
        asked = RegisterSite(**facts | {"site_id": site_id, "customer_id": customer_id})
        return Accepted.of(await call.ask(asked, versioned=site_stream(site_id)), id=site_id)

    @router.get("/{customer_id}/sites", summary="The other places of a customer's")
    async def sites(
        customer_id: str, call: Call = query("customer", *STAFF), cursor: str | None = None, limit: Limit = 50
    ) -> Page[SiteView]:
        await own(customer_id, call)
        rows = select(SITES.table).where(SITES.table.c.customer_id == customer_id)
        page = await call.page(rows, order_by=[SITES.table.c.site_id], cursor=cursor, limit=limit)
        return page.map(lambda row: _site_view(row, call))

    return router


def _site_view(row: Mapping[str, Any], call: Call) -> SiteView:
    opened = {name: call.open(row[name]) for name in ("name", "address")}
    return SiteView(**{name: row[name] for name in SiteView.model_fields} | opened)


def _devices(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/devices", tags=["devices"])
    table = DEVICES.table

    @router.post("", status_code=201, summary="Register a device at a customer's")
    async def register(body: NewDevice, call: Call = command("agent", "operator", "partner")) -> Accepted:
        device_id = body.device_id or call.new_id()
        asked = RegisterDevice(**body.model_dump() | {"device_id": device_id})
        answer = await call.ask(asked, versioned=device_stream(device_id))
        return Accepted.of(answer, id=device_id)

    @router.post(
        "/import",
        summary="Register the devices of a CSV or XLSX file",
        openapi_extra=dict(SHEET),
    )
    async def bring(call: Call = command("agent", "operator")) -> Imported:
        async def one(said: SheetDevice, key: str) -> None:
            await call.ask(RegisterDevice(**said.model_dump()), item=(key, said))

        return await _imported(call, SheetDevice, one)

    @router.get("", summary="Devices of a customer, or all")
    async def some(
        call: Call = query("customer", *STAFF),
        customer_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[DeviceView]:
        rows = select(table)
        if call.role == "customer" or customer_id:
            rows = rows.where(table.c.customer_id == (call.person_id if call.role == "customer" else customer_id))
        page = await call.page(rows, order_by=[table.c.device_id], cursor=cursor, limit=limit)
        return page.map(lambda row: _device_view(row))

    @router.get("/{device_id}", summary="One device")
    async def one(device_id: str, call: Call = query("customer", *STAFF)) -> DeviceView:
        row = await call.one(select(table).where(table.c.device_id == device_id))
        if row is None or not call.owns(row["customer_id"]):
            raise absent("device", device_id)
        call.etag(row["version"])
        return _device_view(row)

    @router.get(
        "/{device_id}/life", summary="All that was ever done to a device: who came, what was found, which parts"
    )
    async def life(device_id: str, call: Call = query("customer", "engineer", *STAFF)) -> DeviceLife:
        row = await call.one(select(table).where(table.c.device_id == device_id))
        if row is None:
            raise absent("device", device_id)
        asked = REQUESTS.table
        of_device = select(asked).where(asked.c.device_id == device_id, asked.c.number != "")
        requests = await call.fetch(
            of_device.order_by(asked.c.submitted_at.desc(), asked.c.request_id).limit(MOST_REQUESTS)
        )
        # An engineer sees what she was sent to.
        sent = call.role == "engineer" and any(call.owns(one["engineer_id"]) for one in requests)
        if not sent and not (call.role != "engineer" and call.owns(row["customer_id"])):
            raise absent("device", device_id)
        # What an earlier owner asked for is not the business of the present one.
        mine = [one for one in requests if call.role != "customer" or call.owns(one["customer_id"])]
        done = SERVICE_RECORDS.table
        ended = select(done).where(done.c.request_id.in_([one["request_id"] for one in mine]), done.c.ended != "")
        records = await call.fetch(ended.order_by(done.c.ended_at, done.c.visit_id))
        call.etag(row["version"])
        return _life(row, mine, records, call)

    return router


def _life(
    device: Mapping[str, Any],
    requests: Sequence[Mapping[str, Any]],
    records: Sequence[Mapping[str, Any]],
    call: Call,
) -> DeviceLife:
    visits: dict[str, list[VisitRecord]] = defaultdict(list)
    parts: Counter[str] = Counter()
    for one in records:
        used = [PartInside(**part) for part in json.loads(one["parts"])]
        for part in used:
            parts[part.part_id] += part.quantity
        plain = {name: one[name] for name in ("visit_id", "engineer_id", "ended", "cause", "action", "rating")}
        opened: dict[str, Any] = {
            "record": call.open(one["record"]),
            "ended_at": at_micros(one["ended_at"]),
            "parts": used,
            "photos": [PhotoOf(**photo) for photo in json.loads(one["photos"])],
        }
        visits[one["request_id"]].append(VisitRecord(**plain, **opened))
    names = ("request_id", "number", "request_type", "kind", "state", "outcome", "reopenings", "fault_class")
    return DeviceLife(
        device=_device_view(device),
        requests=[
            ServedRequest(
                **{name: one[name] for name in names},
                submitted_at=at_micros(one["submitted_at"]),
                visits=visits[one["request_id"]],
            )
            for one in requests
        ],
        last_engineer_id=records[-1]["engineer_id"] if records else "",
        visits_completed=sum(1 for one in records if one["ended"] == "completed"),
        parts=dict(sorted(parts.items())),
    )


def _request_types(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/request-types", tags=["request types"])
    table = REQUEST_TYPES.table

    @router.get("/packs", summary="The starter packs that can be loaded")
    async def offered(call: Call = query("manager", "operator")) -> list[PackView]:
        return [
            PackView(
                pack_id=pack.pack_id,
                name=pack.name,
                name_zh=pack.name_zh,
                types=[one.type_id for one in pack.types],
            )
            for pack in packs().values()
        ]

    @router.post("/packs", summary="Define the request types of a trade; those that are there stay")
    async def load(body: PackChoice, call: Call = command("manager", "operator")) -> Accepted:
        if (pack := packs().get(body.pack_id)) is None:
            raise absent("pack", body.pack_id)
        return Accepted.of(await call.ask(LoadPack(types=pack.types)), id=body.pack_id)

    @router.post("/{type_id}", summary="Define a kind of request, or its next version")
    async def define(type_id: TypeId, body: TypeDefinition, call: Call = command("manager", "operator")) -> Accepted:
        asked = DefineRequestType(type_id=type_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=type_stream(type_id)), id=type_id)

    @router.get("", summary="The kinds of request")
    async def some(
        call: Call = query("customer", "operator", *STAFF), cursor: str | None = None, limit: Limit = 50
    ) -> Page[TypeView]:
        page = await call.page(select(table), order_by=[table.c.type_id], cursor=cursor, limit=limit)
        return page.map(_type_view)

    return router
