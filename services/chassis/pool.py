"""Connections to PostgreSQL that several share, and that are all made anew when one of them is found dead."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

import asyncpg

if TYPE_CHECKING:
    Connection = asyncpg.pool.PoolConnectionProxy[asyncpg.Record]
    Record = asyncpg.Record

ENDS_WITH_US = {"client_connection_check_interval": "1s"}
"""So that the server does not go on working for one who has gone."""

GOODBYE_S = 1.0
"""So long the other end may take to close a connection; one that is gone never does."""

_OPEN: Final[WeakSet[Pool]] = WeakSet()
"""The pools of this process."""


class EndsInTime(asyncpg.Connection):
    """A connection that is ended in time even where nobody hears it."""

    async def close(self, *, timeout: float | None = None) -> None:  # noqa: ASYNC109 - asyncpg's own
        with suppress(TimeoutError):
            await super().close(timeout=timeout or GOODBYE_S)


class Pool:
    """
    What `asyncpg.create_pool` makes, for lines that a firewall may forget without a word.

    Nothing ever comes on such a line, and its neighbours are as dead. The first to wait in vain pays for all: its
    connection is ended at once, no polite goodbye is tried, and the others, of every pool of this process, are made
    again when they are taken next.
    """

    def __init__(self, pool: asyncpg.Pool[asyncpg.Record]) -> None:
        self._pool = pool
        _OPEN.add(self)

    @classmethod
    async def open(
        cls, dsn: str, *, answer_s: float, server_settings: Mapping[str, str] | None = None, **options: Any
    ) -> Pool:
        """`answer_s`: so long an answer may take where nothing else is said, in seconds."""
        settings = {**ENDS_WITH_US, **(server_settings or {})}
        options |= {"command_timeout": answer_s, "server_settings": settings, "connection_class": EndsInTime}
        return cls(await asyncpg.create_pool(dsn, **options))

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Connection]:
        db = await self._pool.acquire()
        try:
            yield db
        except TimeoutError:
            db.terminate()
            for one in list(_OPEN):
                await one._pool.expire_connections()
            raise
        finally:
            await self._pool.release(db)

    @asynccontextmanager
    async def transaction(self, **options: Any) -> AsyncIterator[Connection]:
        """One that ends with its block; who waited in vain within it does not wait to take it back."""
        async with self.taken() as db:
            transaction = db.transaction(**options)
            await transaction.start()
            try:
                yield db
            except TimeoutError:
                raise
            except BaseException:
                await transaction.rollback()
                raise
            await transaction.commit()

    async def fetch(self, sql: str, *values: object) -> list[Record]:
        async with self.taken() as db:
            return await db.fetch(sql, *values)

    async def fetchval(self, sql: str, *values: object) -> Any:
        async with self.taken() as db:
            return await db.fetchval(sql, *values)

    async def execute(self, sql: str, *values: object, within_s: float | None = None) -> None:
        async with self.taken() as db:
            await db.execute(sql, *values, timeout=within_s)

    async def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> None:
        async with self.taken() as db:
            await db.executemany(sql, rows)

    async def close(self) -> None:
        await self._pool.close()
