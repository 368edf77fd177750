"""Standards of service, and the queue in which finished visits are held against them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path
from pydantic import AwareDatetime, Field
from sqlalchemy import or_, select

from contracts.quality import StandardDefined, StandardItem
from quality.commands import DefineStandard, FinishCorrection, Item, ItemVerdict, ReviewInspection, Words
from quality.domain.inspection import inspection_stream
from quality.domain.standard import standard_stream
from quality.projections.inspections import INSPECTIONS, verdicts_of
from quality.projections.photos import PHOTOS
from quality.projections.standards import STANDARDS, items_of, versions_of
from quality.projections.surveys import SURVEYS
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api

State = Literal["waiting", "passed", "failed", "corrected"]

TypeId = Annotated[str, Path(max_length=100, pattern=r"^[^/\x00]+$")]


class ItemBody(Body):
    """One thing that is expected, in both languages, and what shows it."""

    item_id: str
    en: str
    zh: str
    shown_by: Literal["photo", "answer"] = "photo"


class StandardBody(Body):
    items: tuple[Item, ...] = Field(max_length=50, description="Without any, nothing is expected any more.")
    effective_from: AwareDatetime | None = Field(
        None,
        ge=datetime(2000, 1, 1, tzinfo=UTC),
        lt=datetime(2100, 1, 1, tzinfo=UTC),
        description="Of visits that are completed from then on; without it, at once",
    )


class StandardVersion(Body):
    standard_version: int
    items: list[ItemBody]
    effective_from: datetime | None = Field(description="None: it held at once.")


class StandardView(StandardVersion):
    """What is expected of the visits for a type of request, in its newest version; and those before, newest first."""

    type_id: str
    version: int
    earlier: list[StandardVersion]


class VerdictBody(Body):
    item_id: str
    found: Literal["kept", "broken", "not-shown"]


class InspectionView(Body):
    """
    A finished visit and its standard.

    `waiting` for a reviewer; `passed`; `failed` while the owner is to put it right until `due_at`; `corrected`.
    """

    inspection_id: str
    version: int
    state: State
    request_id: str
    visit_id: str
    order_id: str
    engineer_id: str
    customer_id: str
    type_id: str
    standard_version: int
    items: list[ItemBody]
    opened_at: datetime
    reviewer_id: str
    reviewed_at: datetime | None
    verdicts: list[VerdictBody]
    owner_id: str
    due_at: datetime | None
    overdue: bool
    done_at: datetime | None


class PhotoRef(Body):
    """A photo of the visit; its bytes are at `/v1/visits/{visit_id}/photos/{photo_id}`."""

    photo_id: str
    moment: Literal["before", "after", "other"]
    taken_at: datetime


class AnswerRef(Body):
    """What the customer said in the survey of the visit."""

    survey_id: str
    attitude: int
    outcome: int
    punctuality: int
    recommends: int | None
    comment: str


class InspectionDetail(InspectionView):
    """With what a reviewer looks at, and what was done. `answer` is null while the customer has said nothing."""

    photos: list[PhotoRef]
    answer: AnswerRef | None
    note: str
    done: str


class Review(Body):
    """One verdict per item. What is `broken`, the owner (the engineer if left out) puts right until `due_at`."""

    verdicts: tuple[ItemVerdict, ...] = Field(max_length=50)
    note: str = Field("", max_length=2_000)
    owner_id: str = Field("", max_length=100)
    due_at: AwareDatetime | None = Field(None, ge=datetime(2000, 1, 1, tzinfo=UTC), lt=datetime(2100, 1, 1, tzinfo=UTC))


class Correction(Body):
    done: Words


def _items(text: str) -> list[ItemBody]:
    return [_item(one) for one in items_of(text)]


def _item(one: StandardItem) -> ItemBody:
    return ItemBody(item_id=one.item_id, en=one.en, zh=one.zh, shown_by=one.shown_by)


def _standard(row: Mapping[str, Any]) -> StandardView:
    newest, *earlier = reversed(versions_of(row["versions"]))
    of = {"type_id": row["type_id"], "version": row["version"]}
    return StandardView(**of, **_version(newest), earlier=[StandardVersion(**_version(one)) for one in earlier])


def _version(one: StandardDefined) -> dict[str, Any]:
    plain = {"standard_version": one.standard_version, "effective_from": one.effective_from}
    return {**plain, "items": [_item(item) for item in one.items]}


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    times = {n: at_micros(row[n]) if row[n] else None for n in ("opened_at", "reviewed_at", "due_at", "done_at")}
    verdicts = [VerdictBody(item_id=v.item_id, found=v.found) for v in verdicts_of(row["verdicts"])]
    plain = {name: row[name] for name in InspectionView.model_fields}
    return plain | times | {"items": _items(row["items"]), "verdicts": verdicts}


def standard_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/standards", tags=["standards"])
    table = STANDARDS.table

    @router.get("", summary="What is expected of visits, by type of request")
    async def some(
        call: Call = query("engineer", "dispatcher", "manager", "auditor"),
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[StandardView]:
        page = await call.page(select(table), order_by=[table.c.type_id], cursor=cursor, limit=limit)
        return page.map(_standard)

    @router.get("/{type_id}", summary="What is expected of the visits for one type of request")
    async def one(type_id: TypeId, call: Call = query("engineer", "dispatcher", "manager", "auditor")) -> StandardView:
        row = await call.one(select(table).where(table.c.type_id == type_id))
        if row is None:
            raise absent("standard", type_id)
        call.etag(row["version"])
        return _standard(row)

    @router.post("/{type_id}", summary="The next version of what is expected; inspections that run keep theirs")
    async def define(type_id: TypeId, body: StandardBody, call: Call = command("manager")) -> Accepted:
        asked = DefineStandard(type_id=type_id, now=call.now, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=standard_stream(type_id)), id=type_id)

    return router


def inspection_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/inspections", tags=["inspections"])
    table = INSPECTIONS.table

    @router.get("", summary="The visits that wait for a reviewer, and those that were reviewed; the oldest first")
    async def some(
        call: Call = query("engineer", "manager", "auditor"),
        state: State | None = None,
        request_id: str | None = None,
        engineer_id: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[InspectionView]:
        rows = select(table)
        if call.role == "engineer":
            rows = rows.where(or_(table.c.engineer_id == call.person_id, table.c.owner_id == call.person_id))
        for column, value in (
            (table.c.state, state),
            (table.c.request_id, request_id),
            (table.c.engineer_id, engineer_id),
        ):
            if value is not None:
                rows = rows.where(column == value)
        order = [table.c.opened_at, table.c.inspection_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: InspectionView(**_facts(row)))

    @router.get("/{inspection_id}", summary="One inspection, with the photos and the customer's answer")
    async def one(inspection_id: str, call: Call = query("engineer", "manager", "auditor")) -> InspectionDetail:
        row = await _seen(inspection_id, call)
        call.etag(row["version"])
        photos = await call.fetch(
            select(PHOTOS.table)
            .where(PHOTOS.table.c.visit_id == row["visit_id"])
            .order_by(PHOTOS.table.c.taken_at, PHOTOS.table.c.photo_id)
        )
        said = await call.one(
            select(SURVEYS.table).where(
                SURVEYS.table.c.request_id == row["request_id"],
                SURVEYS.table.c.visit_id == row["visit_id"],
                SURVEYS.table.c.answered_at.is_not(None),
            )
        )
        return InspectionDetail(
            **_facts(row),
            photos=[
                PhotoRef(photo_id=photo["photo_id"], moment=photo["moment"], taken_at=at_micros(photo["taken_at"]))
                for photo in photos
            ],
            answer=_answer(said, call) if said else None,
            note=call.open(row["note"]),
            done=call.open(row["done"]),
        )

    @router.post("/{inspection_id}/review", summary="Say of each item of the standard whether it was kept")
    async def review(inspection_id: str, body: Review, call: Call = command("manager")) -> Accepted:
        await _seen(inspection_id, call)
        said = body.model_dump() | {"due_at": body.due_at.astimezone(UTC) if body.due_at else None}
        asked = ReviewInspection(inspection_id=inspection_id, reviewer_id=call.user_id, now=call.now, **said)
        return Accepted.of(await call.ask(asked, versioned=inspection_stream(inspection_id)), id=inspection_id)

    @router.post("/{inspection_id}/correct", summary="Say what was done about what was broken")
    async def correct(inspection_id: str, body: Correction, call: Call = command("engineer", "manager")) -> Accepted:
        row = await _seen(inspection_id, call)
        if row["owner_id"] and not call.owns(row["owner_id"]):
            raise absent("inspection", inspection_id)
        asked = FinishCorrection(inspection_id=inspection_id, done=body.done)
        return Accepted.of(await call.ask(asked, versioned=inspection_stream(inspection_id)), id=inspection_id)

    async def _seen(inspection_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(table).where(table.c.inspection_id == inspection_id))
        if row is None or not (call.owns(row["engineer_id"]) or call.owns(row["owner_id"])):
            raise absent("inspection", inspection_id)
        return row

    return router


def _answer(row: Mapping[str, Any], call: Call) -> AnswerRef:
    plain = {name: row[name] for name in ("survey_id", "attitude", "outcome", "punctuality", "recommends")}
    # What a customer wrote is not for the engineer whom it is about.
    return AnswerRef(**plain, comment="" if call.role == "engineer" else call.open(row["comment"]))
