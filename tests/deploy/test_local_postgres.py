"""The local database is a real PostgreSQL: what it committed outlives a crash, and any process can stop it."""

import asyncio
from pathlib import Path

import asyncpg
import pytest

from deploy.postgres.local import LocalPostgres, missing

pytestmark = pytest.mark.skipif(bool(missing()), reason=str(missing()))


def ask(dsn: str, sql: str) -> object:
    async def story() -> object:
        db = await asyncpg.connect(dsn)
        try:
            return await db.fetchval(sql)
        finally:
            await db.close()

    return asyncio.run(story())


def test_what_was_committed_outlives_a_crash(tmp_path: Path) -> None:
    with LocalPostgres(tmp_path / "data") as server:
        dsn = server.create_database("dispatcher")
        ask(dsn, "CREATE TABLE kept AS SELECT 7 AS value")
        server.kill_immediate()
        assert server.pid is None
        server.start()
        assert server.create_database("dispatcher") == dsn
        assert ask(dsn, "SELECT value FROM kept") == 7


def test_any_process_that_knows_the_directory_can_stop_the_server(tmp_path: Path) -> None:
    with LocalPostgres(tmp_path / "data") as server:
        same = LocalPostgres(tmp_path / "data")
        assert same.start() == server.dsn()
        assert same.pid == server.pid
        same.stop()
        assert server.pid is None
