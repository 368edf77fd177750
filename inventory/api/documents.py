"""What the warehouse system sends: snapshots and movements; and where its books and ours differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field, field_validator
from sqlalchemy import or_, select

from contracts.inventory import Condition, DocumentLine
from inventory.api.stock import KEEPERS, WAREHOUSE_SYSTEM, MovedBody
from inventory.commands import BookDocument, Name, Quantity, each_once
from inventory.domain.document import content_id, document_stream
from inventory.projections.drift import DRIFT
from services.chassis.clock import at_micros
from services.chassis.http import Body, Call, Limit, Page, Problem, ServiceRouter, command, query
from services.chassis.service import Api


class CountedBody(Body):
    part_id: Name
    quantity: Quantity
    condition: Condition = "good"
    booked_version: Annotated[int, Field(ge=0, le=2**53)] | None = Field(
        None, description="The `version` of our newest event of this stock that was booked when it was counted."
    )


class DocumentBody(Body):
    document_id: Name = Field(description="Its number at the system that sends it; booked once.")
    source: Name = Field("wms", description="The system that sends it.")
    place_id: Name


class SnapshotBody(DocumentBody):
    document_id: Name | Literal[""] = Field(
        "",
        description="Its number at the system that sends it; booked once. Without one it is known by its lines and by "
        "when it was taken: the same again is the same snapshot.",
    )
    taken_at: AwareDatetime
    lines: list[CountedBody] = Field(min_length=1, max_length=1_000)

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: list[CountedBody]) -> list[CountedBody]:
        each_once(_document_lines(lines))
        return lines


class MovementBody(DocumentBody):
    kind: Literal["receipt", "issue"]
    lines: list[MovedBody] = Field(min_length=1, max_length=1_000)

    @field_validator("lines")
    @classmethod
    def _each_once(cls, lines: list[MovedBody]) -> list[MovedBody]:
        each_once(_document_lines(lines))
        return lines


class BookedView(Body):
    """The same for a repeat as for the first time: the document is on our books."""

    id: str
    lines: int


def _document_lines(lines: Sequence[CountedBody | MovedBody]) -> tuple[DocumentLine, ...]:
    def of(line: CountedBody | MovedBody) -> DocumentLine:
        if isinstance(line, CountedBody):
            return DocumentLine(line.part_id, line.quantity, line.condition, booked_version=line.booked_version)
        return DocumentLine(line.part_id, line.quantity, line.condition, line.serials, line.of_lots())

    return tuple([of(line) for line in lines])


class DriftView(Body):
    part_id: str
    place_id: str
    condition: Condition
    ours: int = Field(description="Pieces on our books when they were last compared.")
    theirs: int = Field(description="What the warehouse system said then; ours since.")
    difference: int = Field(description="Theirs, with what they had not booked, less ours.")
    source: str
    document_id: str
    taken_at: datetime | None = Field(description="Nothing where they were never compared.")
    not_on_our_books: int = Field(description="Pieces that were used or issued since and were not on our books.")


def document_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/stock", tags=["stock"])
    table = DRIFT.table

    async def booked(call: Call, asked: BookDocument) -> BookedView:
        # Not the receipt of the call: a document that was refused may come again when what it lacked is there.
        stream = document_stream(asked.source, asked.document_id)
        await call.ask(asked, versioned=stream)
        return BookedView(id=f"{asked.source}/{asked.document_id}", lines=len(asked.lines))

    @router.post("/snapshots", summary="The warehouse system says what lies at a place")
    async def snapshot(body: SnapshotBody, call: Call = command(WAREHOUSE_SYSTEM, *KEEPERS)) -> BookedView:
        if body.taken_at > call.now:
            raise Problem("document.in-future", taken_at=body.taken_at.isoformat(), now=call.now.isoformat())
        facts, lines = body.model_dump(exclude={"lines"}), _document_lines(body.lines)
        if not body.document_id:
            lines = tuple(sorted(lines, key=lambda line: (line.part_id, line.condition)))
            facts["document_id"] = content_id(body.place_id, body.taken_at, lines)
        return await booked(call, BookDocument(kind="snapshot", lines=lines, **facts))

    @router.post("/movements", summary="The warehouse system says what came in or left the house")
    async def movement(body: MovementBody, call: Call = command(WAREHOUSE_SYSTEM, *KEEPERS)) -> BookedView:
        facts = body.model_dump(exclude={"lines"})
        return await booked(call, BookDocument(lines=_document_lines(body.lines), **facts))

    @router.get("/drift", summary="Where our books and the warehouse system's differ")
    async def drift(
        call: Call = query("auditor", *KEEPERS),
        place_id: str | None = None,
        part_id: str | None = None,
        agreed: Annotated[bool, Query(description="Also where both say the same.")] = False,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[DriftView]:
        rows = select(table)
        if not agreed:
            rows = rows.where(or_(table.c.difference != 0, table.c.not_on_our_books != 0))
        for column, value in ((table.c.place_id, place_id), (table.c.part_id, part_id)):
            if value is not None:
                rows = rows.where(column == value)
        order = [table.c.place_id, table.c.part_id, table.c.condition]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(_drift)

    return router


def _drift(row: Mapping[str, Any]) -> DriftView:
    taken_at = None if row["taken_at"] is None else at_micros(row["taken_at"])
    return DriftView(**{name: row[name] for name in DriftView.model_fields} | {"taken_at": taken_at})
