"""What suites of different folders share: a real PostgreSQL."""

import asyncio
import os
from collections.abc import Iterator
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import pytest

from deploy.postgres.local import LocalPostgres, missing

NAMED = "FIELDLOOP_TEST_POSTGRES"
"""The address of a server to test against; its user must be allowed to create databases and roles."""


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores, since some always wait for a browser or a broker; no more than memory is for."""
    return min(4, (os.cpu_count() or 1) + 1)


class Postgres:
    """A running server. Databases made here are removed by `clear`."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self._names: list[str] = []

    def fresh_database(self) -> str:
        """Create an empty database and return its address. Not from within an event loop."""
        self._names.append(f"fieldloop_test_{uuid4().hex[:12]}")
        self._run(f"CREATE DATABASE {self._names[-1]}")
        return urlsplit(self.dsn)._replace(path=f"/{self._names[-1]}").geturl()

    def clear(self) -> None:
        for name in self._names:
            self._run(f"DROP DATABASE {name} WITH (FORCE)")

    def _run(self, sql: str) -> None:
        async def story() -> None:
            db = await asyncpg.connect(self.dsn)
            await db.execute(sql)
            await db.close()

        asyncio.run(story())


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One server for all tests: the one that is named, else our own, which flushes to disk like any real one."""
    if named := os.environ.get(NAMED):
        server = Postgres(named)
        yield server
        server.clear()
    elif lack := missing():
        pytest.skip(f"{lack}, or name a server in {NAMED}")
    else:
        with LocalPostgres(tmp_path_factory.mktemp("postgres") / "data") as local:
            yield Postgres(local.dsn())
