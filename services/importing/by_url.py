"""Hands an import's rows to a running system: those that wait at the same time go in one call."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any, Final, NamedTuple

import httpx
import msgspec

from services.chassis.journal.work import Answer, Ask, Stopped

MOST: Final = 300
"""Rows in one call; a call is at most a mebibyte, so a row may have 3 KiB."""

AT_ONCE: Final = 4


class Told(NamedTuple):
    """What a row says, in place of the command that the other side makes of it."""

    order_id: str
    request_id: str
    events: tuple[Any, ...]


class HistoryByUrl:
    """`ask` takes a row and answers when it is recorded; `run` sends what waits, until cancelled."""

    def __init__(self, client: httpx.AsyncClient, headers: Callable[[], dict[str, str]], source: str) -> None:
        self._client, self._headers, self._source = client, headers, source
        self._waiting: list[tuple[Ask, asyncio.Future[Answer]]] = []
        self._news = asyncio.Event()

    def ask(self, ask: Ask) -> asyncio.Future[Answer]:
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((ask, answer))
        self._news.set()
        return answer

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(self._send())

    async def _send(self) -> None:
        while True:
            await self._news.wait()
            # Whoever waits for a row's answer asks the next one of its case only then: what is here belongs to
            # different cases, and may be recorded in any order.
            batch, self._waiting[:MOST] = self._waiting[:MOST], []
            if not self._waiting:
                self._news.clear()
            if batch:
                await self._post(batch)

    async def _post(self, batch: list[tuple[Ask, asyncio.Future[Answer]]]) -> None:
        body = {"source": self._source, "rows": [_row(ask) for ask, _ in batch]}
        try:
            answered = await self._client.post("/v1/orders/history", json=body, headers=self._headers())
            if answered.is_error:
                raise Stopped(f"the import was refused: {answered.status_code} {answered.text}")
            rows = answered.json()
        except (httpx.HTTPError, Stopped, ValueError) as error:
            for _, answer in batch:
                if not answer.done():
                    answer.set_exception(error)
            return
        for (_, answer), row in zip(batch, rows, strict=True):
            if not answer.done():
                answer.set_result(Answer(row["position"], rejected=row["rejected"], repeated=row["repeated"]))


def _row(ask: Ask) -> dict[str, Any]:
    told: Told = ask.command
    assert ask.happened_at
    return {
        "key": ask.key,
        "content_hash": ask.request_hash.hex(),
        "happened_at": ask.happened_at.isoformat(),
        "order_id": told.order_id,
        "request_id": told.request_id,
        "events": [{"type": type(e).__name__, "data": msgspec.to_builtins(e)} for e in told.events],
    }
