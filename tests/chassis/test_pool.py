"""Lines to PostgreSQL that nobody answers on any more are found out once, not one by one."""

import asyncio
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import pytest

from services.chassis.pool import Pool
from tests.faults.proxy import Line

CONNECTIONS = 3


@asynccontextmanager
async def pooled(dsn):
    """A pool whose connections are all made, behind a line that can be forgotten."""
    server = urlsplit(dsn)
    line = Line(server.port)
    await line.serve()
    through = server._replace(netloc=f"{server.username}@127.0.0.1:{line.port}").geturl()
    pool = await Pool.open(through, answer_s=0.5, min_size=CONNECTIONS, max_size=CONNECTIONS)
    try:
        yield pool, line
    finally:
        await pool.close()
        line.refuse()


def test_the_first_that_is_not_answered_in_time_has_all_of_them_made_anew(postgres):
    dsn = postgres.fresh_database()

    async def story():
        async with pooled(dsn) as (pool, line):
            line.forget()
            with pytest.raises(TimeoutError):
                await pool.fetchval("SELECT 1")
            return await asyncio.gather(*[pool.fetchval("SELECT $1::int", n) for n in range(2 * CONNECTIONS)])

    assert asyncio.run(story()) == list(range(2 * CONNECTIONS))


def test_so_have_those_of_other_pools_of_the_process(postgres):
    dsn = postgres.fresh_database()

    async def story():
        async with pooled(dsn) as (pool, line), pooled(dsn) as (other, others):
            line.forget()
            others.forget()
            with pytest.raises(TimeoutError):
                await pool.fetchval("SELECT 1")
            return await other.fetchval("SELECT 2")

    assert asyncio.run(story()) == 2


def test_who_waited_in_vain_in_a_transaction_does_not_wait_to_take_it_back(postgres):
    dsn = postgres.fresh_database()

    async def story():
        async with pooled(dsn) as (pool, line):
            await pool.execute("CREATE TABLE kept (n int)")
            with pytest.raises(TimeoutError):
                async with pool.transaction() as db:
                    await db.execute("INSERT INTO kept VALUES (1)")
                    line.forget()
                    await db.execute("INSERT INTO kept VALUES (2)")
            async with pool.transaction() as db:
                await db.execute("INSERT INTO kept VALUES (3)")
            with pytest.raises(ZeroDivisionError):
                async with pool.transaction() as db:
                    await db.execute("INSERT INTO kept VALUES (4)")
                    raise ZeroDivisionError
            return line.connections, [row["n"] for row in await pool.fetch("SELECT n FROM kept")]

    connections, kept = asyncio.run(story())
    assert (connections > CONNECTIONS, kept) == (True, [3])
