"""The routes of fieldwork: what the engineer reports of a visit, and the visits as they stand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any, Final, Literal, Protocol, Self, cast

import msgspec
from fastapi import APIRouter, Query, Response
from pydantic import AwareDatetime, Field, model_validator
from sqlalchemy import Select, and_, or_, select

from contracts.problems import Rejected, Unfit
from fieldwork import charge_api, payout_api, position_api, record_api
from fieldwork.adapters.report_pdf import MOST_PHOTOS, ReportPhoto, ServiceReport
from fieldwork.charge_api import (
    ChargeView,
    CorrectionBody,
    CorrectionView,
    DisputeBody,
    DisputeView,
    EntitlementView,
    ResolutionBody,
)
from fieldwork.commands import (
    FIRST,
    LAST,
    AbortReason,
    AbortVisit,
    AcceptWork,
    Arrive,
    AttachPhoto,
    Checked,
    CorrectCharge,
    Depart,
    DisputeCharge,
    FinishWork,
    Moment,
    Name,
    Note,
    Place,
    Reading,
    RefuseWork,
    ReportStep,
    ResolveDispute,
    Sha256,
    Short,
    StartWork,
    StepCommand,
    SvgPath,
    UsePart,
    Words,
)
from fieldwork.domain.charge import charge_stream
from fieldwork.domain.reported_steps import KINDS
from fieldwork.domain.visit import FAST_CLOCK, visit_stream
from fieldwork.projections.engineers import ENGINEERS
from fieldwork.projections.part_names import KNOWN_PART, UNKNOWN_PARTS, USED_PARTS
from fieldwork.projections.reported_steps import REPORTED, facts_of
from fieldwork.projections.service_codes import SERVICE_CODES, codes_of
from fieldwork.projections.visit_photos import VISIT_PHOTOS
from fieldwork.projections.visits import UNDER_WAY, VISITS, checklist_of, parts_of, readings_of
from fieldwork.record_api import STAFF
from services.chassis.clock import TENANT_ZONE, at_micros, micros
from services.chassis.http import (
    PHOTO_BYTES,
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    Problem,
    ServiceRouter,
    absent,
    command,
    query,
)
from services.chassis.pictures.kinds import MediaType
from services.chassis.pictures.taken import IMAGE, IMAGES, SAFE, Keeper, blobs, picture_of
from services.chassis.service import Api
from services.chassis.workshop import Workshop

IN_THE_FIELD = ("engineer", "dispatcher")
"""Who reports steps: the engineer her own, the dispatcher what she says on the phone."""
AT_THE_DOOR = ("customer", *IN_THE_FIELD)
"""Who records the customer's word: on the engineer's phone, or the customer on her own page."""


class FieldworkApi(position_api.Writing, Keeper, Protocol):
    """What these routes need beside what every service has."""

    async def seal_text(self, tenant: str, person: str, text: str) -> str: ...


HappenedAt = Annotated[
    AwareDatetime | None,
    Field(ge=FIRST, lt=LAST, description="When it happened, where the phone was offline; else it is now."),
]
Day = Annotated[
    date | None,
    Query(ge=FIRST.date(), lt=LAST.date(), description="In the tenant's zone; for an engineer, today if left out."),
]


class StepBody(Body):
    happened_at: HappenedAt = None


NOW: Final = StepBody()
"""What a step without a body says."""


class PartFacts(Body):
    part_id: Name
    serials: tuple[Name, ...] = Field(default=(), max_length=1_000, description="Of all pieces, or of none.")
    old_returned: int = Field(default=0, ge=0, le=1_000, description="So many old pieces go back to stock.")
    old_serials: tuple[Name, ...] = Field(default=(), max_length=1_000, description="Of them, where they can be read.")
    place_id: Name | Literal[""] = Field("", description="Where it was taken from; without it, the visit's van.")
    quantity: int = Field(1, ge=1, le=1_000)
    lot: Name | Literal[""] = Field("", description="Of the pieces, where the part has lots.")

    @model_validator(mode="after")
    def _a_serial_for_each_piece(self) -> Self:
        if self.serials and not len(self.serials) == len(set(self.serials)) == self.quantity:
            raise Unfit(
                "Give one for each piece, each once, or none.", "每件填写一个不重复的序列号，或都不填。", "serials"
            )
        if len(set(self.old_serials)) < len(self.old_serials) or len(self.old_serials) > self.old_returned:
            raise Unfit(
                "Give each once, and no more than old_returned.",
                "旧件序列号不得重复，且不得多于 old_returned。",
                "old_serials",
            )
        return self


class FinishFacts(Body):
    cause: Name
    action: Name = Field(description="The remedy.")
    record: Words
    codes_version: int = Field(
        default=0, ge=0, le=1_000_000, description="The list that the codes are of; else the newest."
    )
    labour_s: int | None = Field(default=None, ge=0, le=86_400, description="Else the time since work was started.")
    checklist: tuple[Checked, ...] = Field(default=(), max_length=200, description="What failed asks for an order.")
    readings: tuple[Reading, ...] = Field(default=(), max_length=50)


class AcceptFacts(Body):
    rating: int = Field(ge=1, le=5)
    signature: SvgPath
    signed_name: Short | Literal[""] = Field(default="", description="Who signs.")
    place: Place | None = Field(default=None, description="Where, by the phone.")
    record_sha256: Sha256 | Literal[""] = Field(
        default="", description="Of the record that was shown: another one is refused. Unknown to a phone offline."
    )


class RefuseFacts(Body):
    reason: Words


class AbortFacts(Body):
    reason: AbortReason
    note: Note = ""


class PartBody(StepBody, PartFacts):
    pass


class FinishBody(StepBody, FinishFacts):
    pass


class AcceptBody(StepBody, AcceptFacts):
    pass


class RefuseBody(StepBody, RefuseFacts):
    pass


class AbortBody(StepBody, AbortFacts):
    pass


class ReportedBody(Body):
    """What every step of a batch says."""

    visit_id: Name
    step_id: Name = Field(description="Made on the phone; what comes again under it changes nothing.")
    number: int = Field(ge=1, le=10_000, description="Its place among the steps of this visit on this phone, from 1.")
    happened_at: AwareDatetime = Field(ge=FIRST, lt=LAST, description="When it happened, by the phone's clock.")


class DepartReport(ReportedBody):
    step: Literal["depart"]


class ArriveReport(ReportedBody):
    step: Literal["arrive"]


class StartReport(ReportedBody):
    step: Literal["start"]


class PartReport(ReportedBody, PartFacts):
    step: Literal["use-part"]


class FinishReport(ReportedBody, FinishFacts):
    step: Literal["finish"]


class AcceptReport(ReportedBody, AcceptFacts):
    step: Literal["accept"]


class RefuseReport(ReportedBody, RefuseFacts):
    step: Literal["refuse"]


class AbortReport(ReportedBody, AbortFacts):
    step: Literal["abort"]


StepReport = Annotated[
    DepartReport | ArriveReport | StartReport | PartReport | FinishReport | AcceptReport | RefuseReport | AbortReport,
    Field(discriminator="step"),
]
ABOUT_REPORT = set(ReportedBody.model_fields) | {"step"}


class BatchBody(Body):
    sent_at: AwareDatetime | None = Field(
        default=None,
        ge=FIRST,
        lt=LAST,
        description="What the phone's clock shows as it sends this. If it is wrong by more than two minutes, the times "
        "of the steps are corrected by it; what it showed is kept too.",
    )
    steps: list[StepReport] = Field(min_length=1, max_length=200, description="In any order, also what was sent before")


Outcome = Literal["taken", "waiting", "refused", "received"]


class StepAnswer(Body):
    """What became of one step."""

    visit_id: str
    step_id: str
    outcome: Outcome = Field(
        description="taken: it is recorded, or was. waiting: it is kept until the step `waits_for` is there. "
        "refused: see `problem`. received: it is kept, and what became of it is shown a little later."
    )
    waits_for: int | None = Field(default=None, description="The number of the step that is missing.")
    kept: bool = Field(description="It is on record, also where it was refused, and need not be sent again.")
    problem: dict[str, Any] | None = Field(default=None, description="As in a refusal.")


class StepView(Body):
    """A step that a phone reported, and what it met where it was refused: both facts."""

    step_id: str
    number: int
    step: str
    happened_at: datetime = Field(description="By our clock.")
    clock_ahead_s: int = Field(description="So far the phone's clock was ahead, where it was wrong.")
    outcome: Outcome
    problem: dict[str, Any] | None = Field(description="As in a refusal.")


class BatchAnswer(Body):
    steps: list[StepAnswer] = Field(description="One for each that was sent, in the same order.")


class PartLine(Body):
    part_id: str
    place_id: str
    quantity: int
    serials: tuple[str, ...]
    old_returned: int
    lot: str
    old_serials: tuple[str, ...]


class UnknownPart(Body):
    """A part went into a device that nobody has defined: somebody has to ask what it was."""

    visit_id: str
    part_id: str
    order_id: str
    used_at: datetime


class VisitView(Body):
    """A visit with where it stands. Times are null until the step was taken."""

    visit_id: str
    version: int
    state: str
    order_id: str
    request_id: str
    engineer_id: str
    engineer_name: str
    customer_id: str
    device_id: str
    device_model: str
    van_id: str
    request_type: str
    template_version: int = Field(description="Of the template that its record is held to; 0 for none.")
    starts_at: datetime
    ends_at: datetime
    departed_at: datetime | None
    arrived_at: datetime | None
    started_at: datetime | None
    finished_at: datetime | None
    labour_s: int
    ended_at: datetime | None
    parts: list[PartLine]
    photos: int
    follow_ups: int = Field(description="Points of the checklist for which another order was asked.")
    cause: str
    action: str
    codes_version: int
    record_sha256: str = Field(description="Of the record as it was written last: what the customer signs.")
    rating: int | None
    why: str = Field(description="Why it was aborted or cancelled.")


class VisitDetail(VisitView):
    """A visit with what was written and signed."""

    record: str
    checklist: list[Checked]
    readings: list[Reading]
    lacking: tuple[str, ...] = Field(description="What the template wants and a phone offline did not report.")
    refusal: str
    signature: str
    signed_name: str
    signed_lat_udeg: int | None
    signed_lon_udeg: int | None
    signed_sha256: str = Field(description="Of the record that was signed.")
    note: str


class PhotoView(Body):
    visit_id: str
    photo_id: str
    moment: Moment
    taken_at: datetime = Field(description="As the camera says, else when it was attached.")
    lat_udeg: int | None
    lon_udeg: int | None
    media_type: MediaType
    size_b: int
    picture_sha256: str = Field(description="Of the bytes that are shown.")


TIMES = ("starts_at", "ends_at", "departed_at", "arrived_at", "started_at", "finished_at", "ended_at")
SEALED = ("record", "refusal", "signature", "signed_name")


def _facts(row: Mapping[str, Any], engineer_name: str) -> dict[str, Any]:
    times = {name: None if row[name] is None else at_micros(row[name]) for name in TIMES}
    parts = [PartLine(**msgspec.structs.asdict(part)) for part in parts_of(row["parts"])]
    plain = {name: row[name] for name in VisitView.model_fields if name != "engineer_name"}
    return {**plain, **times, "parts": parts, "engineer_name": engineer_name}


async def _names(rows: Sequence[Mapping[str, Any]], call: Call) -> dict[str, str]:
    """What the engineers of these visits are called; of one who is forgotten, the empty string."""
    table, ids = ENGINEERS.table, {row["engineer_id"] for row in rows}
    known = await call.fetch(select(table).where(table.c.engineer_id.in_(ids))) if ids else []
    return {engineer_id: "" for engineer_id in ids} | {row["engineer_id"]: call.open(row["name"]) for row in known}


async def _detail(row: Mapping[str, Any], call: Call) -> VisitDetail:
    names = await _names([row], call)
    opened: dict[str, Any] = {name: call.open(row[name]) for name in SEALED}
    plain = {name: row[name] for name in ("signed_lat_udeg", "signed_lon_udeg", "signed_sha256", "note")}
    checklist = [Checked(**msgspec.structs.asdict(one)) for one in checklist_of(row["checklist"])]
    readings = [Reading(**msgspec.structs.asdict(one)) for one in readings_of(row["readings"])]
    missing = msgspec.json.decode(row["lacking"], type=tuple[str, ...])
    return VisitDetail(
        **_facts(row, names[row["engineer_id"]]),
        **opened,
        checklist=checklist,
        readings=readings,
        lacking=missing,
        **plain,
    )


def reported(happened_at: datetime | None, now: datetime) -> datetime:
    """When it happened, in UTC; what a clock a little ahead of ours says is taken to be now."""
    if happened_at is None or now < happened_at <= now + FAST_CLOCK:
        return now
    return happened_at.astimezone(UTC)


def _today(table: Any, now: datetime, day: date | None) -> Any:
    """Visits whose hours touch the day in the tenant's zone; of today also those that are still under way."""
    today = now.astimezone(TENANT_ZONE).date()
    begin = datetime.combine(day or today, time(), TENANT_ZONE)
    touches = and_(table.c.starts_at < micros(begin + timedelta(days=1)), table.c.ends_at > micros(begin))
    return or_(touches, table.c.state.in_(UNDER_WAY)) if day in (None, today) else touches


def routes(api: Api) -> APIRouter:
    own = cast(FieldworkApi, api)
    visits = ServiceRouter(api, prefix="/v1/visits", tags=["visits"])
    _reads(visits)
    _steps(visits, own)
    position_api.add(visits, own, _own)
    _batch(visits, own)
    _photos(visits, own)
    _report(visits, own)
    _money(visits)
    router = ServiceRouter(api)
    for part in (visits, *record_api.routers(api), *charge_api.routers(api), payout_api.router(api)):
        router.include_router(part)
    return router


def _money(router: ServiceRouter) -> None:
    @router.get("/{visit_id}/entitlement", summary="Who will pay for it, before anybody drives; each line explained")
    async def entitlement(visit_id: str, call: Call = query("customer", "engineer", *STAFF)) -> EntitlementView:
        visit = await _own(visit_id, call)
        return await charge_api.entitlement_of(visit["order_id"], call)

    @router.get("/{visit_id}/charge", summary="What is paid for it and by whom, each line explained")
    async def charge(visit_id: str, call: Call = query("customer", "engineer", *STAFF)) -> ChargeView:
        await _own(visit_id, call)
        return await charge_api.charge_of(visit_id, call)

    @router.post("/{visit_id}/charge/corrections", summary="Say what lines of the charge come to, with the reason")
    async def correct(visit_id: str, body: CorrectionBody, call: Call = command("manager")) -> Accepted:
        await _own(visit_id, call)
        asked = CorrectCharge(visit_id=visit_id, lines=body.lines, reason=body.reason, at=call.now)
        return Accepted.of(await call.ask(asked, versioned=charge_stream(visit_id)), id=visit_id)

    @router.post("/{visit_id}/charge/disputes", summary="Who pays does not agree with the charge")
    async def dispute(
        visit_id: str, body: DisputeBody, call: Call = command("customer", "agent", "manager")
    ) -> Accepted:
        await _own(visit_id, call)
        by = "customer" if call.role == "customer" else body.disputed_by
        asked = DisputeCharge(visit_id=visit_id, disputed_by=by, lines=body.lines, reason=body.reason, at=call.now)
        return Accepted.of(await call.ask(asked, versioned=charge_stream(visit_id)), id=visit_id)

    @router.post("/{visit_id}/charge/disputes/resolve", summary="Decide the open dispute, with a correction or without")
    async def resolve(visit_id: str, body: ResolutionBody, call: Call = command("manager")) -> Accepted:
        await _own(visit_id, call)
        asked = ResolveDispute(visit_id=visit_id, lines=body.lines, answer=body.answer, at=call.now)
        return Accepted.of(await call.ask(asked, versioned=charge_stream(visit_id)), id=visit_id)

    @router.get("/{visit_id}/charge/disputes", summary="Every dispute of the charge, the newest first")
    async def disputes(visit_id: str, call: Call = query("customer", *STAFF)) -> list[DisputeView]:
        await _own(visit_id, call)
        return await charge_api.disputes_of(visit_id, call)

    @router.get("/{visit_id}/charge/corrections", summary="Every correction of the charge, with what it was before")
    async def corrections(visit_id: str, call: Call = query(*STAFF)) -> list[CorrectionView]:
        await _own(visit_id, call)
        return await charge_api.corrections_of(visit_id, call)


async def _own(visit_id: str, call: Call) -> Mapping[str, Any]:
    """The visit, if it is the caller's to see: the engineer who is sent, the customer who is visited, or staff."""
    row = await call.one(select(VISITS.table).where(VISITS.table.c.visit_id == visit_id))
    # Whose it is goes by the role: a customer and an engineer may have the same id.
    if row is None or not call.owns(row["customer_id" if call.role == "customer" else "engineer_id"]):
        raise absent("visit", visit_id)
    return row


async def _ask(call: Call, step: StepCommand) -> Accepted:
    stream = visit_stream(step.visit_id)
    return Accepted.of(await call.ask(step, versioned=stream, happened_at=step.at), id=step.visit_id)


def _reads(router: ServiceRouter) -> None:
    table = VISITS.table

    @router.get("", summary="Visits in the order of their hours; an engineer's own of the day, a customer's own")
    async def some(
        call: Call = query("customer", "engineer", *STAFF),
        day: Day = None,
        state: str | None = None,
        engineer_id: str | None = None,
        order_id: str | None = None,
        request_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[VisitView]:
        rows: Select[Any] = select(table)
        wanted = call.person_id if call.role == "engineer" else engineer_id
        if day or call.role == "engineer":
            rows = rows.where(_today(table, call.now, day))
        filters = (
            (table.c.customer_id, call.person_id if call.role == "customer" else None),
            (table.c.engineer_id, wanted),
            (table.c.state, state),
            (table.c.order_id, order_id),
            (table.c.request_id, request_id),
        )
        for column, value in filters:
            if value is not None:
                rows = rows.where(column == value)
        page = await call.page(rows, order_by=[table.c.starts_at, table.c.visit_id], cursor=cursor, limit=limit)
        names = await _names(page.items, call)
        return page.map(lambda row: VisitView(**_facts(row, names[row["engineer_id"]])))

    @router.get(
        "/unknown-parts",
        summary="Parts that were used and that nobody has defined, the newest first",
        description="A phone without a network reports what really went into a device, whatever it is called: that is "
        "kept. Define the part, or correct the charge and book the right one in its place.",
    )
    async def unknown(call: Call = query(*STAFF), cursor: str | None = None, limit: Limit = 50) -> Page[UnknownPart]:
        order = [USED_PARTS.table.c.used_at.desc(), USED_PARTS.table.c.visit_id, USED_PARTS.table.c.part_id]
        page = await call.page(UNKNOWN_PARTS, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: UnknownPart(**{**row, "used_at": at_micros(row["used_at"])}))

    @router.get("/{visit_id}", summary="One visit")
    async def one(visit_id: str, call: Call = query("customer", "engineer", *STAFF)) -> VisitDetail:
        row = await _own(visit_id, call)
        call.etag(row["version"])
        return await _detail(row, call)


def _steps(router: ServiceRouter, api: FieldworkApi) -> None:
    async def about(visit_id: str, body: StepBody, call: Call) -> dict[str, Any]:
        """What every step says."""
        visit = await _own(visit_id, call)
        said = body.model_dump(exclude={"happened_at"})
        if isinstance(body, FinishBody):
            # Sealed before it is decided upon, so that the hash of the record is of what is kept.
            said["record"] = await api.seal_text(call.tenant, visit["customer_id"], body.record)
            said["request_type"] = visit["request_type"]
        return {"visit_id": visit_id, "now": call.now, **said, "at": reported(body.happened_at, call.now)}

    @router.post("/{visit_id}/depart", summary="She is on her way")
    async def depart(visit_id: str, body: StepBody = NOW, call: Call = command(*IN_THE_FIELD)) -> Accepted:
        return await _ask(call, Depart(**await about(visit_id, body, call)))

    @router.post("/{visit_id}/arrive", summary="She is at the site")
    async def arrive(visit_id: str, body: StepBody = NOW, call: Call = command(*IN_THE_FIELD)) -> Accepted:
        return await _ask(call, Arrive(**await about(visit_id, body, call)))

    @router.post("/{visit_id}/start", summary="She works on the device")
    async def start(visit_id: str, body: StepBody = NOW, call: Call = command(*IN_THE_FIELD)) -> Accepted:
        return await _ask(call, StartWork(**await about(visit_id, body, call)))

    @router.post("/{visit_id}/parts", summary="A part went into the device")
    async def parts(visit_id: str, body: PartBody, call: Call = command(*IN_THE_FIELD)) -> Accepted:
        said = await about(visit_id, body, call)
        if await call.one(KNOWN_PART, part_id=body.part_id) is None:
            raise Rejected("visit.unknown-part", part_id=body.part_id)
        return await _ask(call, UsePart(**said))

    @router.post("/{visit_id}/finish", summary="The work is done")
    async def finish(visit_id: str, body: FinishBody, call: Call = command(*IN_THE_FIELD)) -> Accepted:
        return await _ask(call, FinishWork(**await about(visit_id, body, call)))

    @router.post("/{visit_id}/accept", summary="The customer accepts, rates and signs")
    async def accept(visit_id: str, body: AcceptBody, call: Call = command(*AT_THE_DOOR)) -> Accepted:
        return await _ask(call, AcceptWork(**await about(visit_id, body, call)))

    @router.post("/{visit_id}/refuse", summary="The customer does not accept the work as it is")
    async def refuse(visit_id: str, body: RefuseBody, call: Call = command(*AT_THE_DOOR)) -> Accepted:
        return await _ask(call, RefuseWork(**await about(visit_id, body, call)))

    @router.post("/{visit_id}/abort", summary="The visit ends without the work being done")
    async def abort(visit_id: str, body: AbortBody, call: Call = command(*IN_THE_FIELD)) -> Accepted:
        return await _ask(call, AbortVisit(**await about(visit_id, body, call)))


def _step_view(row: Mapping[str, Any], call: Call) -> StepView:
    return StepView(
        step_id=row["step_id"],
        number=row["number"],
        step=row["step"],
        happened_at=at_micros(row["happened_at"]),
        clock_ahead_s=row["clock_ahead_s"],
        outcome=row["outcome"],
        problem=call.said(row["code"], facts_of(row["facts"])) if row["code"] else None,
    )


PERSONAL = {FinishWork: ("record",), AcceptWork: ("signature", "signed_name"), RefuseWork: ("reason",)}
"""What a step says about the customer."""


def _batch(router: ServiceRouter, api: FieldworkApi) -> None:
    async def ask(call: Call, sent: StepReport, ahead_s: int) -> StepAnswer | None:
        """Have one step decided or kept; an answer at once where it is not kept."""
        kind = KINDS[sent.step]
        try:
            visit = await _own(sent.visit_id, call)
            said = sent.model_dump(exclude=ABOUT_REPORT)
            for name in PERSONAL.get(kind, ()):
                if said[name]:
                    said[name] = await api.seal_text(call.tenant, visit["customer_id"], said[name])
            step = kind(visit_id=sent.visit_id, at=sent.happened_at.astimezone(UTC), now=call.now, **said)
            facts: dict[str, Any] = {"clock_ahead_s": ahead_s, "request_type": visit["request_type"]}
            await call.ask(ReportStep(step_id=sent.step_id, number=sent.number, step=step, **facts))
        except (Rejected, Problem) as no:
            if no.code == "idempotency-key.reused":
                # The key is of the whole call and not of this step.
                raise
            problem = call.said(no.code, no.facts)
            return StepAnswer(
                visit_id=sent.visit_id, step_id=sent.step_id, outcome="refused", kept=False, problem=problem
            )
        return None

    @router.get("/{visit_id}/steps", summary="What a phone reported of it and what became of each step")
    async def steps(visit_id: str, call: Call = query("engineer", *STAFF)) -> list[StepView]:
        await _own(visit_id, call)
        table = REPORTED.table
        rows = await call.fetch(select(table).where(table.c.visit_id == visit_id).order_by(table.c.number))
        return [_step_view(row, call) for row in rows]

    @router.post(
        "/sync",
        summary="Steps of a phone that was offline",
        description="Steps may come in any order, again, and with gaps that a later batch fills: they are decided in "
        "the order of their `number`. Each has an answer of its own.",
    )
    async def sync(body: BatchBody, call: Call = command(*IN_THE_FIELD)) -> BatchAnswer:
        answered: dict[int, StepAnswer | None] = {}
        ahead_s = round((body.sent_at - call.now).total_seconds()) if body.sent_at else 0
        for place, sent in sorted(enumerate(body.steps), key=lambda one: (one[1].visit_id, one[1].number)):
            answered[place] = await ask(call, sent, ahead_s)
        table = REPORTED.table
        seen: dict[tuple[str, str], Mapping[str, Any]] = {}
        missing: dict[str, int] = {}
        for visit_id in {sent.visit_id for place, sent in enumerate(body.steps) if answered[place] is None}:
            rows = await call.fetch(select(table).where(table.c.visit_id == visit_id))
            seen |= {(visit_id, row["step_id"]): row for row in rows}
            missing[visit_id] = 1 + sum(row["outcome"] != "waiting" for row in rows)

        def answer(sent: StepReport) -> StepAnswer:
            row = seen.get((sent.visit_id, sent.step_id))
            outcome: Outcome = row["outcome"] if row else "received"
            return StepAnswer(
                visit_id=sent.visit_id,
                step_id=sent.step_id,
                outcome=outcome,
                kept=True,
                waits_for=missing[sent.visit_id] if outcome == "waiting" else None,
                problem=call.said(row["code"], facts_of(row["facts"])) if row and outcome == "refused" else None,
            )

        return BatchAnswer(steps=[answered[place] or answer(sent) for place, sent in enumerate(body.steps)])


PAPER: Final = Workshop("fieldwork.adapters.paper")
SLOWEST_REPORT_S: Final = 30


def _report(router: ServiceRouter, api: FieldworkApi) -> None:
    photos = VISIT_PHOTOS.table

    @router.get(
        "/{visit_id}/report",
        summary="The service report as a PDF, in Chinese and English",
        response_class=Response,
        responses={200: {"content": {"application/pdf": IMAGE}}},
    )
    async def report(visit_id: str, call: Call = query("customer", "engineer", *STAFF)) -> Response:
        visit = await _own(visit_id, call)
        if visit["finished_at"] is None:
            raise Problem("visit.no-record", visit_id=visit_id, state=visit["state"])
        rows = await call.fetch(select(photos).where(photos.c.visit_id == visit_id).order_by(photos.c.number))
        pictures = []
        for row in _most_telling(rows):
            content = await blobs(api).get(call.tenant, visit["customer_id"], row["sha256"])
            if content is not None:
                pictures.append(ReportPhoto(row["moment"], _local(row["taken_at"]), content))
        lists = SERVICE_CODES.table
        codes = await call.one(select(lists).where(lists.c.version == visit["codes_version"]))
        told = _told(await _detail(visit, call), codes, pictures, len(rows))
        paper: bytes = await PAPER.done("report", told, within_s=SLOWEST_REPORT_S)
        named = {"Content-Disposition": f'inline; filename="service-report-{visit_id}.pdf"'}
        return Response(paper, media_type="application/pdf", headers=SAFE | named)


def _most_telling(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """As many as the report has room for: before and after go first."""
    return sorted(rows, key=lambda row: row["moment"] == "other")[:MOST_PHOTOS]


def _local(at: int) -> str:
    return f"{at_micros(at).astimezone(TENANT_ZONE):%Y-%m-%d %H:%M}"


def _told(
    visit: VisitDetail, codes: Mapping[str, Any] | None, photos: list[ReportPhoto], photos_kept: int
) -> ServiceReport:
    def when(at: datetime | None) -> str:
        return f"{at.astimezone(TENANT_ZONE):%Y-%m-%d %H:%M}" if at else ""

    def words(code: str, listed: str) -> str:
        found = next((one for one in codes_of(codes[listed]) if one.code == code), None) if codes else None
        return f"{found.zh} {found.en} ({code})" if found else code

    place = (visit.signed_lat_udeg, visit.signed_lon_udeg)
    return ServiceReport(
        visit_id=visit.visit_id,
        order_id=visit.order_id,
        request_id=visit.request_id,
        customer_id=visit.customer_id,
        engineer_id=visit.engineer_id,
        device=" ".join(part for part in (visit.device_model, visit.device_id) if part),
        departed_at=when(visit.departed_at),
        arrived_at=when(visit.arrived_at),
        started_at=when(visit.started_at),
        finished_at=when(visit.finished_at),
        labour_min=round(visit.labour_s / 60),
        cause=words(visit.cause, "causes"),
        remedy=words(visit.action, "remedies"),
        record=visit.record,
        parts=[(p.part_id, p.place_id, p.quantity, ", ".join(p.serials), p.old_returned) for p in visit.parts],
        checklist=[(one.item, one.passed, one.note) for one in visit.checklist],
        readings=[(one.meter, f"{one.value} {one.unit}") for one in visit.readings],
        photos=photos,
        photos_kept=photos_kept,
        refusal=visit.refusal,
        accepted_at=when(visit.ended_at) if visit.state == "completed" else "",
        rating=visit.rating,
        signed_name=visit.signed_name,
        signature=visit.signature,
        signed_place=None if None in place else cast("tuple[int, int]", place),
        record_sha256=visit.signed_sha256 or visit.record_sha256,
    )


def _photo_view(row: Mapping[str, Any], call: Call) -> PhotoView:
    shown = [name for name in PhotoView.model_fields if name not in ("taken_at", "lat_udeg", "lon_udeg")]
    lat, _, lon = call.open(row["place"]).partition(",")
    place = {"lat_udeg": int(lat), "lon_udeg": int(lon)} if lon else {"lat_udeg": None, "lon_udeg": None}
    if not row["place"]:
        place = {name: row[name] for name in place}
    return PhotoView(**{name: row[name] for name in shown}, **place, taken_at=at_micros(row["taken_at"]))


def _photos(router: ServiceRouter, api: FieldworkApi) -> None:
    table = VISIT_PHOTOS.table

    @router.post(
        "/{visit_id}/photos",
        summary="Attach a photo: its bytes are the body",
        max_body_size=PHOTO_BYTES,
        openapi_extra={"requestBody": {"required": True, **IMAGES}},
    )
    async def attach(
        visit_id: str,
        call: Call = command(*IN_THE_FIELD),
        moment: Moment = "other",
        photo_id: Annotated[Name | Literal[""], Query(description="Made on the phone; a repeat changes nothing.")] = "",
        happened_at: HappenedAt = None,
    ) -> Accepted:
        row = await _own(visit_id, call)
        picture = await picture_of(await call.body())
        photo = AttachPhoto(
            visit_id=visit_id,
            at=reported(happened_at, call.now),
            now=call.now,
            photo_id=photo_id or call.new_id(),
            moment=moment,
            sha256=await blobs(api).put(call.tenant, row["customer_id"], picture.content),
            media_type=picture.media_type,
            size_b=len(picture.content),
            picture_sha256=picture.sha256,
            taken_at=picture.taken_at and picture.taken_at.astimezone(UTC),
            lat_udeg=picture.lat_udeg,
            lon_udeg=picture.lon_udeg,
        )
        stream = visit_stream(visit_id)
        answer = await call.ask(photo, versioned=stream, happened_at=photo.at)
        return Accepted.of(answer, id=photo.photo_id)

    @router.get("/{visit_id}/photos", summary="The photos of a visit, in the order in which they were attached")
    async def photos(visit_id: str, call: Call = query("customer", "engineer", *STAFF)) -> list[PhotoView]:
        await _own(visit_id, call)
        rows = await call.fetch(select(table).where(table.c.visit_id == visit_id).order_by(table.c.number))
        return [_photo_view(row, call) for row in rows]

    @router.get(
        "/{visit_id}/photos/{photo_id}",
        summary="One photo",
        response_class=Response,
        responses={200: IMAGES},
    )
    async def photo(visit_id: str, photo_id: str, call: Call = query("customer", "engineer", *STAFF)) -> Response:
        visit = await _own(visit_id, call)
        row = await call.one(select(table).where(table.c.visit_id == visit_id, table.c.photo_id == photo_id))
        content = row and await blobs(api).get(call.tenant, visit["customer_id"], row["sha256"])
        if row is None or content is None:
            raise absent("photo", photo_id)
        return Response(content, media_type=row["media_type"], headers=SAFE)
