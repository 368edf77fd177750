"""The route by which another system's history is recorded while the services run: many rows in one call."""

from __future__ import annotations

import asyncio
from typing import Any, Final

import msgspec
from pydantic import AwareDatetime, Field

from contracts.dispatcher import OrderFinished, OrderOpened, OrderPaused, OrderQueued, OrderTaken
from contracts.problems import Rejected
from dispatcher.commands import RecordHistory
from services.chassis.http import Body, Call, Problem, ServiceRouter, command
from services.chassis.journal.work import Answer, Ask
from services.chassis.service import Api

MOST: Final = 1_000
KINDS: Final = {kind.__name__: kind for kind in (OrderOpened, OrderQueued, OrderTaken, OrderPaused, OrderFinished)}


class HistoryEvent(Body):
    type: str = Field(max_length=100, examples=["OrderTaken"])
    data: dict[str, Any] = Field(description="The event's fields, as its contract names them")


class HistoryRow(Body):
    """What happened to an order at one time. Said again under the same key, nothing happens."""

    key: str = Field(min_length=1, max_length=300, description="The row's own within its source")
    content_hash: str = Field("", pattern=r"^([0-9a-f]{2})*$", max_length=128, description="Of what the row says, hex")
    happened_at: AwareDatetime
    order_id: str = Field(min_length=1, max_length=100)
    request_id: str = Field(min_length=1, max_length=100)
    events: tuple[HistoryEvent, ...] = Field(min_length=1, max_length=10)


class History(Body):
    source: str = Field(pattern=r"^[a-z0-9][a-z0-9_.-]{0,63}$", examples=["bpic2013"])
    rows: tuple[HistoryRow, ...] = Field(min_length=1, max_length=MOST)


class RowAnswer(Body):
    position: int
    repeated: bool = Field(description="It was recorded before, by this call or another")
    rejected: str = Field(default="", description="The code of the rule that refused it")


def routes(api: Api) -> ServiceRouter:
    router = ServiceRouter(api, prefix="/v1/orders", tags=["orders"])

    @router.post("/history", summary="Record what another system did; nothing acts on it")
    async def record(body: History, call: Call = command("operator")) -> list[RowAnswer]:
        # All is read before any is recorded, so that a wrong row leaves nothing behind.
        asks = [_ask(body.source, row, call) for row in body.rows]
        # Each row has a key of its own. The call's key is heeded by a command that decides nothing: what else is sent
        # under it is refused before a row is recorded.
        await call.ask(RecordHistory(order_id=call.new_id(), request_id="", events=()))
        rows = await asyncio.gather(*[_record(api, ask) for ask in asks])
        call.reached(max(row.position for row in rows))
        return rows

    return router


def _ask(source: str, row: HistoryRow, call: Call) -> Ask:
    if row.happened_at > call.now:
        raise Problem("history.in-future", key=row.key, at=row.happened_at.isoformat(), now=call.now.isoformat())
    asked = RecordHistory(
        order_id=row.order_id,
        request_id=row.request_id,
        events=tuple(_event(row, event) for event in row.events),
    )
    return Ask(
        command=asked,
        tenant=call.tenant,
        actor=f"import:{source}",
        caller=f"import:{source}",
        key=row.key,
        request_hash=bytes.fromhex(row.content_hash),
        happened_at=row.happened_at,
        channel="import",
        origin="import",
        derived=True,
    )


def _event(row: HistoryRow, said: HistoryEvent) -> Any:
    if said.type not in KINDS:
        raise Problem("history.unknown-event", key=row.key, type=said.type, allowed=sorted(KINDS))
    try:
        event: Any = msgspec.convert(said.data, KINDS[said.type])
    except msgspec.ValidationError as error:
        raise Problem("history.wrong-event", key=row.key, type=said.type, why=str(error)) from None
    if (event.order_id, event.request_id) != (row.order_id, row.request_id):
        raise Problem("history.wrong-event", key=row.key, type=said.type, why="it is about another order or request")
    return event


async def _record(api: Api, ask: Ask) -> RowAnswer:
    try:
        answer: Answer = await api.ask(ask)
    except Rejected as no:
        return RowAnswer(position=0, repeated=False, rejected=no.code)
    return RowAnswer(position=answer.position, repeated=answer.repeated, rejected="")
