"""A service without a journal for the tests of the edge: notes of customers, two tenants, in SQLite in memory."""

import asyncio
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Annotated, Any

import httpx
import msgspec
from fastapi import APIRouter, FastAPI
from pydantic import BaseModel, Field
from sqlalchemy import BigInteger, Column, MetaData, Select, StaticPool, Table, Text, create_engine, select
from starlette.responses import StreamingResponse

from contracts.problems import Rejected
from services.chassis import telemetry
from services.chassis.auth import Principal, Tokens
from services.chassis.clock import SetClock
from services.chassis.http import (
    PHOTO_BYTES,
    Accepted,
    Body,
    Call,
    Limit,
    Page,
    ServiceRouter,
    absent,
    command,
    public,
    query,
)
from services.chassis.http.app import service_app
from services.chassis.journal.work import Answer, Ask

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)

_tables = MetaData()
NOTES = Table(
    "notes",
    _tables,
    Column("tenant", Text, primary_key=True),
    Column("note_id", Text, primary_key=True),
    Column("customer_id", Text, nullable=False),
    Column("text", Text, nullable=False),
    Column("length", BigInteger, nullable=False),
    Column("version", BigInteger, nullable=False),
)


@dataclass
class WriteNote:
    note_id: str
    customer_id: str
    text: str


@dataclass
class ToyApi:
    """Does what it is asked at once, and keeps receipts as a writer does."""

    clock: SetClock
    name: str = "notes"
    asked: list[Ask] = field(default_factory=list)
    waited: list[int] = field(default_factory=list)
    fails: Exception | None = None
    keeps_up: bool = True
    position: int = 0

    def __post_init__(self) -> None:
        self.db = create_engine("sqlite://", poolclass=StaticPool)
        _tables.create_all(self.db)
        self.receipts: dict[tuple[str, str, str], tuple[bytes, Answer]] = {}
        self._ids = count(1)

    async def ask(self, ask: Ask) -> Answer:
        self.asked.append(ask)
        if self.fails:
            raise self.fails
        receipt = (ask.tenant, ask.caller, ask.key)
        if ask.key and receipt in self.receipts:
            sent, answer = self.receipts[receipt]
            if sent != ask.request_hash:
                raise Rejected("idempotency-key.reused", key=ask.key)
            return msgspec.structs.replace(answer, repeated=True)
        answer = self._decide(ask)
        if ask.key:
            self.receipts[receipt] = ask.request_hash, answer
        return answer

    def _decide(self, ask: Ask) -> Answer:
        note: WriteNote = ask.command
        stream = f"note/{note.note_id}"
        with self.db.begin() as db:
            here = (NOTES.c.tenant == ask.tenant) & (NOTES.c.note_id == note.note_id)
            current = db.execute(select(NOTES.c.version).where(here)).scalar() or 0
            if ask.expected.get(stream, current) != current:
                raise Rejected("stream.stale", stream=stream, expected=ask.expected[stream], current=current)
            if note.text == "forbidden":
                raise Rejected("order.already-assigned", engineer_id="e-7")
            db.execute(NOTES.delete().where(here))
            values = {"length": len(note.text), "version": current + 1, **vars(note)}
            db.execute(NOTES.insert().values(tenant=ask.tenant, **values))
        self.position += 1
        return Answer(self.position, ("NoteWritten",), {stream: current + 1})

    async def fetch(self, query: Select[Any], **values: Any) -> Sequence[Mapping[str, Any]]:
        with self.db.begin() as db:
            return [dict(row) for row in db.execute(query).mappings()]

    async def wait_for(self, position: int) -> bool:
        self.waited.append(position)
        return self.keeps_up

    async def wait_for_other(self, publisher: str, position: int) -> bool:
        return True

    def open(self, tenant: str, text: str) -> str:
        return text.removeprefix("sealed:")

    def now(self) -> datetime:
        return self.clock.now()

    def new_id(self) -> str:
        return f"n-{next(self._ids)}"

    def put(self, tenant: str, note_id: str, customer_id: str, text: str = "hello", version: int = 1) -> None:
        with self.db.begin() as db:
            db.execute(
                NOTES.insert().values(
                    tenant=tenant,
                    note_id=note_id,
                    customer_id=customer_id,
                    text=text,
                    length=len(text),
                    version=version,
                )
            )


class NewNote(Body):
    text: str = Field(min_length=1, max_length=20)
    stars: Annotated[int, Field(ge=1, le=5)] = 3
    lines: tuple["Line", ...] = ()


class Line(Body):
    part: str
    qty: int


class Item(Body):
    key: str
    text: str


class Batch(Body):
    items: tuple[Item, ...]


class Note(BaseModel):
    note_id: str
    text: str


def view(row: Mapping[str, Any]) -> Note:
    return Note(note_id=row["note_id"], text=row["text"])


def routes(api: ToyApi, *, forgets_owner: bool = False) -> APIRouter:
    """`forgets_owner` plants the hole that the matrix must find."""
    router = ServiceRouter(api, prefix="/v1/notes", tags=["notes"])

    async def own(note_id: str, call: Call) -> Mapping[str, Any]:
        row = await call.one(select(NOTES).where(NOTES.c.note_id == note_id))
        if row is None or not (forgets_owner or call.owns(row["customer_id"])):
            raise absent("note", note_id)
        return row

    @router.post("", status_code=201, summary="Write a note")
    async def write(body: NewNote, call: Call = command("customer", "agent")) -> Accepted:
        note_id = call.new_id()
        answer = await call.ask(WriteNote(note_id, call.person_id, body.text))
        return Accepted.of(answer, id=note_id)

    @router.get("", summary="Notes by length")
    async def many(
        call: Call = query("customer", "agent"), cursor: str | None = None, limit: Limit = 50, down: bool = False
    ) -> Page[Note]:
        notes = select(NOTES)
        if call.role == "customer":
            notes = notes.where(NOTES.c.customer_id == call.person_id)
        order = NOTES.c.length.desc() if down else NOTES.c.length
        return (await call.page(notes, order_by=[order], cursor=cursor, limit=limit)).map(view)

    @router.get("/{note_id}", summary="One note")
    async def one(note_id: str, call: Call = query("customer", "agent", "auditor")) -> Note:
        row = await own(note_id, call)
        call.etag(row["version"])
        return view(row)

    @router.post("/{note_id}/rewrite", summary="Write a note again")
    async def rewrite(note_id: str, body: NewNote, call: Call = command("customer", "agent")) -> Accepted:
        row = await own(note_id, call)
        again = WriteNote(note_id, row["customer_id"], body.text)
        return Accepted.of(await call.ask(again, versioned=f"note/{note_id}"), id=note_id)

    @router.put("/{note_id}/photo", summary="A photo", max_body_size=PHOTO_BYTES)
    async def photo(note_id: str, call: Call = command("customer")) -> dict[str, int]:
        await own(note_id, call)
        return {"bytes": len(await call.body())}

    @router.post("/two", status_code=201, summary="Two notes at once")
    async def two(call: Call = command("agent")) -> list[str]:
        ids = [call.new_id(), call.new_id()]
        for note_id in ids:
            await call.ask(WriteNote(note_id, "c-1", note_id))
        return ids

    @router.post("/sync", summary="What a phone wrote while it was offline")
    async def sync(body: Batch, call: Call = command("engineer")) -> list[bool]:
        answers = [
            await call.ask(WriteNote(one.key, "c-1", one.text), item=(one.key, one), happened_at=call.now)
            for one in body.items
        ]
        return [answer.repeated for answer in answers]

    @router.post("/{note_id}/share", status_code=201, summary="A link to one note")
    async def share(note_id: str, call: Call = command("customer")) -> str:
        await own(note_id, call)
        return call.link("note", note_id, timedelta(days=1))

    @router.get("/{note_id}/public", summary="What a link opens")
    async def shared(note_id: str, link: str, call: Call = public()) -> Note:
        within, opened = call.by_link("note", link)
        row = await within.one(select(NOTES).where(NOTES.c.note_id == opened))
        if row is None or opened != note_id:
            raise absent("note", note_id)
        return view(row)

    @router.get("/live/updates", summary="As it happens")
    async def live(call: Call = query("agent")) -> StreamingResponse:
        async def parts() -> Any:
            for part in (b"data: 1\n\n", b"data: 2\n\n"):
                yield part
                await asyncio.sleep(0.01)

        return StreamingResponse(parts(), media_type="text/event-stream")

    @router.get("/bug/of-ours", summary="Fails")
    async def bug(call: Call = query("agent")) -> None:
        raise ZeroDivisionError("a secret of ours")

    return router


class Toy:
    """The app over the toy, and clients of it who are signed in."""

    def __init__(self, tokens: Tokens, clock: SetClock, **options: Any) -> None:
        telemetry.log_as_json(io.BytesIO())
        self.clock, self.tokens = clock, tokens
        self.api = ToyApi(clock)
        holes = {"forgets_owner": options.pop("forgets_owner", False)}
        self.app: FastAPI = service_app([routes(self.api, **holes)], tokens=tokens, **options)

    def token(self, role: str, tenant: str = "demo", person_id: str = "c-1", **more: Any) -> str:
        return self.tokens.issue(Principal(f"{role}-user", tenant, role, person_id, **more))

    def call(self, method: str, path: str, role: str | None = "customer", **more: Any) -> httpx.Response:
        """One call and its answer, signed in as this role of `demo` (a customer is `c-1`), or as nobody."""
        who = {name: more.pop(name) for name in ("tenant", "person_id", "channel") if name in more}
        headers = dict(more.pop("headers", {}))
        if role:
            headers["Authorization"] = f"Bearer {self.token(role, **who)}"

        async def story() -> httpx.Response:
            transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
                return await client.request(method, path, headers=headers, **more)

        return asyncio.run(story())
