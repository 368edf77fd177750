"""Receipts whose thirty days are over are removed by and by; those of reactions stay, and nobody waits for it."""

import asyncio
import functools
from datetime import timedelta

import pytest

from services.chassis.journal import sweep
from services.chassis.journal.store import Wanted
from services.chassis.journal.sweep import Sweeper
from services.chassis.journal.work import Ask, Settle
from tests.chassis import test_reactor
from tests.chassis.test_reactor import writing
from tests.chassis.test_writer import Faulty
from tests.chassis.toy import Fill

for name in ("clock", "database", "journal", "logs", "_toy_events_can_be_read"):
    globals()[name] = getattr(test_reactor, name)

PAGE, KEYS = 20, 130


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch):
    monkeypatch.setattr(sweep, "PAGE", PAGE)


def told(story):
    @functools.wraps(story)
    def test(*args, **kwargs):
        asyncio.run(asyncio.wait_for(story(*args, **kwargs), 30))

    return test


async def filled(writer, prefix, count, derived=False):
    asks = [
        Ask(command=Fill("g", 1), tenant="t", actor="u", caller="u", key=f"{prefix}{n:04}", derived=derived)
        for n in range(count)
    ]
    await asyncio.gather(*[writer.ask(ask) for ask in asks])


async def kept(store):
    """The keys of all receipts."""
    return [key[2] for key, _ in await store.receipts(("", "", ""), 10_000)]


@told
async def test_all_that_is_over_goes_and_all_else_stays(journal, clock):
    async with journal() as store, writing(store, clock) as writer:
        await filled(writer, "old", KEYS)
        await filled(writer, "reaction", 10, derived=True)
        clock.set(clock.now() + timedelta(days=29))
        await filled(writer, "young", 10)
        sweeper = Sweeper(store, writer, clock)
        while await sweeper.page():
            pass
        assert len(await kept(store)) == KEYS + 20, "nothing is over yet"
        clock.set(clock.now() + timedelta(days=2))
        while await sweeper.page():
            pass
        assert await kept(store) == [*[f"reaction{n:04}" for n in range(10)], *[f"young{n:04}" for n in range(10)]]
        before = writer.position
        await filled(writer, "old", 1)
        assert writer.position == before + 1, "the key is new again"


@told
async def test_a_page_is_one_small_commit_whatever_the_table_holds(journal, clock):
    async with journal() as store, writing(store, clock) as writer:
        await filled(writer, "old", KEYS)
        clock.set(clock.now() + timedelta(days=31))
        sweeper, pages = Sweeper(Faulty(store), writer, clock), 0
        before = len(await kept(store))
        while await sweeper.page():
            pages += 1
            left = len(await kept(store))
            assert before - left == PAGE
            before = left
        assert pages == KEYS // PAGE


@told
async def test_a_receipt_that_was_given_anew_meanwhile_is_not_removed(journal, clock):
    async with journal() as store, writing(store, clock) as writer:
        await filled(writer, "old", 2)
        clock.set(clock.now() + timedelta(days=31))
        await filled(writer, "old", 1)
        keys = [("t", "u", "old0000"), ("t", "u", "old0001"), ("t", "u", "never")]
        await writer.settle(Settle(expired=keys))
        known = (await store.load(Wanted(receipts=set(keys)))).receipts
        assert known.keys() == {keys[0]}
