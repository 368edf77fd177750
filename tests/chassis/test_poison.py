"""What a poisoned key costs the others, counted: what it takes in time, `tests/benchmarks/bench_poison.py` measures."""

import asyncio
import functools

import pytest

from services.chassis.journal.work import Ask
from tests.chassis import test_reactor
from tests.chassis.test_reactor import Pays, pay, reacting, until, writing
from tests.chassis.test_writer import Faulty, in_postgres, in_sqlite
from tests.chassis.toy import Book

for name in ("clock", "database", "logs", "_toy_events_can_be_read"):
    globals()[name] = getattr(test_reactor, name)

OTHERS, POISON = 400, 50
MOST = 1.2


def told(story):
    @functools.wraps(story)
    def test(*args, **kwargs):
        asyncio.run(asyncio.wait_for(story(*args, **kwargs), 60))

    return test


class Counting(Faulty):
    """A real store that counts what it is asked."""

    def __init__(self, store):
        super().__init__(store)
        self.reads = 0

    async def read(self, after, limit):
        self.reads += 1
        return await self._store.read(after, limit)


async def spent(journal, clock, poisoned):
    """Commits and reads until all others were paid, with the same events whether one key is poisoned or not."""
    react = Pays(**({"s1": RuntimeError("poison")} if poisoned else {}))
    async with journal() as store:
        async with writing(store, clock) as writer:
            # One key has every ninth event.
            seats = [f"s{n}" for n in range(1, OTHERS + POISON + 1)]
            for n, seat in enumerate(seats):
                guest = "poisoned" if n % 9 == 0 else f"g{n}"
                await writer.ask(Ask(command=Book(seat, guest), tenant="t", actor="u", caller="u"))
        counting = Counting(store)
        async with reacting(counting, clock, pay(react)) as stage:
            await until(lambda: len(set(react.seen)) >= OTHERS)
            await stage.settled()
            assert bool(await stage.held()) == poisoned
            assert len(await stage.paid()) == (OTHERS if poisoned else OTHERS + POISON)
            return len(counting.commits), counting.reads


@pytest.fixture(params=[in_sqlite, in_postgres])
def journals(request):
    """Two that nobody has written to."""
    return request.param(request), request.param(request)


@told
async def test_the_other_keys_need_no_more_commits_and_no_more_reads_beside_a_poisoned_one(journals, clock):
    poisoned, whole = journals
    commits, reads = await spent(poisoned, clock, poisoned=True)
    commits_without, reads_without = await spent(whole, clock, poisoned=False)
    assert commits <= MOST * commits_without + 1, (commits, commits_without)
    assert reads <= MOST * reads_without + 1, (reads, reads_without)
