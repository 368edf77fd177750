"""The routes of how the staff is reached, and of what each of them was told."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, cast

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from intake.adapters.words import words
from intake.commands import QuietHours, SetContact, StaffRole
from intake.domain.notice import contact_stream
from intake.projections.contacts import CONTACTS
from intake.projections.notices import NOTICES, about_of
from intake.projections.requests import REQUESTS
from intake.register_api import ADDRESS, ADDRESSABLE
from intake.staff_notices import said
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, Problem, ServiceRouter, command, query
from services.chassis.messages.kinds import Language
from services.chassis.service import Api

TOLD = ("agent", "dispatcher", "engineer", "manager")
"""The roles that are told something."""


class Reached(Body):
    """How somebody is reached; what is empty is not used, and without any of the three no message leaves for her."""

    phone: str = Field("", max_length=40, pattern=r"^$|^\+?[0-9 -]{5,39}$")
    email: str = Field("", max_length=254, pattern=ADDRESS)
    wechat: str = Field("", max_length=100, description="What WeChat calls her towards the company (openid).")
    language: Language = "zh"
    quiet_hours: QuietHours = Field(
        "", description="When only what is urgent disturbs her, `22:00-08:00`; empty: as the installation says."
    )


class NewContact(Reached):
    person_id: str = Field(
        min_length=1, max_length=200, pattern=ADDRESSABLE, description="Of an engineer her id; of others their user."
    )
    role: StaffRole


class ContactView(NewContact):
    version: int


class NoticeView(Body):
    """What somebody was told, in her language, whether a message left for her or not."""

    notice_id: str
    person_id: str
    template: str
    request_id: str
    subject: str
    text: str
    about: dict[str, str] = Field(description="What the text was made of: ids, numbers, instants.")
    due_at: datetime
    state: str = Field(description="`due`, such as in quiet hours or while a provider is away; `sent` or `not_sent`.")
    reason: str = Field(description="Why no message left, such as `no-sender`.")
    medium: str
    attempts: int
    settled_at: datetime | None


def _person(call: Call) -> str:
    return call.person_id or call.user_id


def contact_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/contacts", tags=["messages"])
    table = CONTACTS.table

    async def put(call: Call, contact: SetContact) -> Accepted:
        answer = await call.ask(contact, versioned=contact_stream(contact.person_id))
        return Accepted.of(answer, id=contact.person_id)

    @router.post("", summary="Say how somebody of the staff is reached, and as what; all of it as it is now")
    async def set_of(body: NewContact, call: Call = command("manager")) -> Accepted:
        return await put(call, SetContact(**body.model_dump()))

    @router.post("/me", summary="Say how you are reached; all of it as it is now")
    async def set_own(body: Reached, call: Call = command(*TOLD)) -> Accepted:
        facts: dict[str, Any] = {"person_id": _person(call), "role": call.role}
        return await put(call, SetContact(**body.model_dump(), **facts))

    @router.get("", summary="How the staff is reached")
    async def some(
        call: Call = query("manager"),
        role: StaffRole | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[ContactView]:
        rows = select(table)
        if role:
            rows = rows.where(table.c.role == role)
        page = await call.page(rows, order_by=[table.c.person_id], cursor=cursor, limit=limit)
        return page.map(lambda row: _contact(row, call))

    @router.get("/me", summary="How you are reached")
    async def own(call: Call = query(*TOLD)) -> ContactView:
        row = await call.one(select(table).where(table.c.person_id == _person(call)))
        call.etag(row["version"] if row else 0)
        if row is None:
            nothing = Reached.model_construct().model_dump()
            return ContactView(**nothing, person_id=_person(call), role=cast(StaffRole, call.role), version=0)
        return _contact(row, call)

    return router


def _contact(row: Mapping[str, Any], call: Call) -> ContactView:
    opened = {name: call.open(row[name]) for name in ("phone", "email", "wechat")}
    return ContactView(**{name: row[name] for name in ContactView.model_fields} | opened)


def notice_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/notices", tags=["messages"])
    table = NOTICES.table

    @router.get("", summary="What you were told, the newest first; a manager sees what anybody was told")
    async def some(
        call: Call = query(*TOLD),
        person_id: Annotated[str, Query(max_length=200, description="Whom; for managers. You, if left out")] = "",
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[NoticeView]:
        if person_id and person_id != _person(call) and call.role != "manager":
            raise Problem("role.not-allowed", role=call.role, allowed=["manager"])
        person = person_id or _person(call)
        known = await call.one(select(CONTACTS.table).where(CONTACTS.table.c.person_id == person))
        rows = select(table).where(table.c.person_id == person)
        order = [table.c.due_at.desc(), table.c.notice_id]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        numbers = await _requests(call, {row["request_id"] for row in page.items if row["request_id"]})
        language: Language = known["language"] if known else "zh"
        return page.map(lambda row: _notice(row, numbers.get(row["request_id"]), language))

    return router


async def _requests(call: Call, ids: set[str]) -> dict[str, Mapping[str, Any]]:
    if not ids:
        return {}
    table = REQUESTS.table
    rows = await call.fetch(select(table).where(table.c.request_id.in_(sorted(ids))))
    return {row["request_id"]: row for row in rows}


def _notice(row: Mapping[str, Any], request: Mapping[str, Any] | None, language: Language) -> NoticeView:
    about = dict(about_of(row["about"]))
    text = words(language).notices[row["template"]]
    shown = said(about, request, language)
    same = ("notice_id", "person_id", "template", "request_id", "state", "reason", "medium", "attempts")
    return NoticeView(
        **{name: row[name] for name in same},
        subject=text.subject.format(**shown),
        text=text.body.format(**shown),
        about=about,
        due_at=at_micros(row["due_at"]),
        settled_at=at_micros(row["settled_at"]) if row["settled_at"] else None,
    )
