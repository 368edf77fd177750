"""The stores of views that tests run on, a journal in memory, and a view whose events say what its fold is to do."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import msgspec
import pytest

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import RequestSupplemented, RequestWithdrawn
from services.chassis.journal.store import Entry
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.sqlite_views import SqliteViews, connect
from services.chassis.readers.viewstore import ViewStore
from services.chassis.views import Rows, View
from tests.fold import Given, enveloped

STORES = ("sqlite", "postgres")

_services = count()


class InSqlite:
    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def _open(self, views: Sequence[View], readonly: bool) -> ViewStore:
        return await SqliteViews.open(self.folder / "views.db", views, readonly=readonly)

    @asynccontextmanager
    async def store(self, *views: View, readonly: bool = False) -> AsyncIterator[ViewStore]:
        store = await self._open(views, readonly)
        try:
            yield store
        finally:
            await store.close()

    async def execute(self, sql: str) -> None:
        """As somebody with a database client of their own would."""
        db = connect((self.folder / "views.db").resolve(), readonly=False)
        db.execute(sql)
        db.close()

    async def copies(self) -> int:
        """How many copies of the views there are, the served one among them."""
        return len(list(self.folder.glob("views.*.db")))

    def another(self) -> InSqlite:
        folder = self.folder / str(next(_services))
        folder.mkdir()
        return InSqlite(folder)


class InPostgres(InSqlite):
    def __init__(self, dsn: str) -> None:
        self.dsn, self.service = dsn, f"s{next(_services)}"

    async def _open(self, views: Sequence[View], readonly: bool) -> ViewStore:
        return await PostgresViews.open(self.dsn, self.service, views, readonly=readonly)

    async def execute(self, sql: str) -> None:
        db = await asyncpg.connect(self.dsn, server_settings={"search_path": f"{self.service}_views"})
        await db.execute(sql)
        await db.close()

    async def copies(self) -> int:
        db = await asyncpg.connect(self.dsn)
        found: int = await db.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname ~ $1", f"^{self.service}_views")
        await db.close()
        return found

    def another(self) -> InPostgres:
        return InPostgres(self.dsn)


def place_of(request: pytest.FixtureRequest, tmp_path: Path) -> InSqlite:
    """For a fixture with `params=STORES`."""
    if request.param == "sqlite":
        return InSqlite(tmp_path)
    return InPostgres(request.getfixturevalue("postgres").fresh_database())


class Journal:
    """What a reader needs of a `JournalStore`, in memory."""

    def __init__(self, events: Sequence[Given] = ()) -> None:
        self.events: list[Given] = list(events)
        self.reads: list[int] = []
        """After which position each read began."""

    def record(self, *events: Given) -> int:
        self.events += events
        return len(self.events)

    async def head(self) -> Any:
        return SimpleNamespace(position=len(self.events))

    async def read(self, after: int, limit: int) -> list[Entry]:
        self.reads.append(after)
        found = []
        for position, (_, envelope) in enumerate(enveloped(self.events)[after : after + limit], after + 1):
            record = msgspec.json.encode(envelope)
            story = envelope.correlation_id
            found.append(
                Entry(position, envelope.id, envelope.tenant, envelope.stream, envelope.version, story, b"", record)
            )
        return found

    records = read


# An event is a script: `does("r-1", "put", {"text": "a"})`.


def does(key: str, *words: Any, **said: Any) -> tuple[Event, dict[str, Any]]:
    fields = tuple(msgspec.json.encode(word).decode() for word in words)
    return RequestSupplemented(request_id=key, customer_id="c-1", fields=fields), said


def gone(key: str) -> Event:
    return RequestWithdrawn(request_id=key, customer_id="c-1")


def act(rows: Rows, event: Event, envelope: Envelope) -> None:
    if isinstance(event, RequestWithdrawn):
        rows.drop(event.request_id, 1)
        return
    assert isinstance(event, RequestSupplemented)
    key = event.request_id, 1
    match [msgspec.json.decode(word) for word in event.fields]:
        case ["put", columns]:
            rows.put(*key, **columns)
        case ["bytes", text]:
            rows.put(*key, blob=text.encode())
        case ["count"]:
            row = rows.get(*key)
            rows.put(*key, count=row["count"] + 1 if row else 1)
        case ["trust"]:
            # It raises where the row is not there, or seems not to be.
            row = rows.get(*key)
            assert row is not None
            rows.put(*key, text=f"was {row['count']}")
        case ["follow"]:
            # Which row is read next stands in the row before, so that one look is not enough to know all rows.
            row = rows.get(*key)
            while row and row["next"]:
                row = rows.get(row["next"], 1)
            rows.put(*key, text=row["text"] if row else "nothing")
        case ["fail"]:
            raise ValueError("a mistake of ours")
        case _:
            raise AssertionError(event.fields)


COLUMNS = {
    "text": "",
    "note": (str, None),
    "next": "",
    "count": 0,
    "number": (int, None),
    "flag": False,
    "perhaps": (bool, None),
    "blob": b"",
}


def things(name: str = "things", version: int = 1, apply: Any = act, **changed: Any) -> View:
    """Rows by a text and a number."""
    return View(
        **{
            "name": name,
            "version": version,
            "key": {"key": str, "part": int},
            "columns": COLUMNS,
            "reads": (RequestSupplemented, RequestWithdrawn),
            "apply": apply,
            "indexes": (("text",),),
            **changed,
        }
    )


def run(story: Coroutine[Any, Any, Any]) -> Any:
    """Run to the end, or fail after half a minute."""
    return asyncio.run(asyncio.wait_for(story, timeout=30))
