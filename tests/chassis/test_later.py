"""What only a later release knows stops nothing here, and is there when that release runs (decision 18)."""

import asyncio
import functools
from dataclasses import replace

import msgspec
import pytest

from contracts import envelope as envelopes
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import NOT_TAKEN, arrival_of, since_when
from services.chassis.journal.work import Ask
from services.chassis.readers.reactor import LATER
from tests.bus.harness import forged
from tests.chassis import test_reactor
from tests.chassis.test_reactor import Pays, pay, reacting, until, writing
from tests.chassis.toy import Book, Fill, Free, PurseFilled, Recite, SeatBooked

for name in ("clock", "database", "journal", "logs", "_toy_events_can_be_read"):
    globals()[name] = getattr(test_reactor, name)


def told(story):
    @functools.wraps(story)
    def test(*args, **kwargs):
        asyncio.run(asyncio.wait_for(story(*args, **kwargs), 30))

    return test


@pytest.fixture
def before(monkeypatch):
    """An earlier release, which does not know of seats that are booked."""

    class Release:
        def runs(self):
            monkeypatch.delitem(envelopes.REGISTRY, "SeatBooked")

        def ends(self):
            monkeypatch.setitem(envelopes.REGISTRY, "SeatBooked", SeatBooked)

    return Release()


def ask(command):
    return Ask(command=command, tenant="t", actor="u", caller="u")


@told
async def test_a_stream_with_such_an_event_can_be_decided_upon(journal, clock, before):
    """After a roll-back: the event counts as a version and says nothing."""
    async with journal() as store, writing(store, clock) as writer:
        await writer.ask(ask(Book("s1", "g")))
    before.runs()
    async with journal() as store, writing(store, clock) as writer:
        answer = await writer.ask(ask(Recite("s1")))
        assert (answer.rejected, answer.facts["guest_id"]) == ("seat.recited", "")
        assert (await writer.ask(ask(Fill("g", 1)))).events == ("PurseFilled",)
    before.ends()
    async with journal() as store, writing(store, clock) as writer:
        freed = await writer.ask(ask(Free("s1")))
        assert freed.versions == {"seat/s1": 2}, "what was recorded meanwhile did not write over it"


@told
async def test_a_policy_acts_on_it_once_its_release_runs_and_its_key_in_order(journal, clock, before):
    react = Pays()
    async with journal() as store, writing(store, clock) as writer:
        for command in (Book("s1", "g"), Book("s2", "g"), Book("s3", "h")):
            await writer.ask(ask(command))
    before.runs()
    of_then = replace(pay(react), when=(PurseFilled,))
    async with journal() as store, reacting(store, clock, of_then) as stage:
        await stage.settled()
        assert react.seen == []
        assert [key.key for key, _ in await store.held([LATER])] == ["g", "g", "h"]
        assert await stage.held() == []
    before.ends()
    fresh = Pays()
    async with journal() as store, reacting(store, clock, pay(react), pay(fresh, "fresh", starts="now")) as stage:
        await until(stage.nothing_held)
        assert await store.held([LATER]) == []
        assert sorted(react.seen) == ["s1", "s2", "s3"]
        assert react.seen.index("s1") < react.seen.index("s2")
        assert fresh.seen == [], "a policy that is new begins where it says"
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.settled()
        assert len(react.seen) == 3, "and it is done once"


def test_it_is_taken_in_whole_and_what_is_known_and_not_wanted_is_counted_only():
    record = msgspec.json.decode(forged(1))
    unheard_of = msgspec.json.encode(record | {"type": "RequestPainted"})
    kept = arrival_of(Record("intake", "p", 1, unheard_of), frozenset({"OrderOpened"}))
    assert (kept.wanted, kept.record) == (True, unheard_of)
    counted = arrival_of(Record("intake", "p", 1, forged(1)), frozenset({"OrderOpened"}))
    assert (counted.wanted, counted.record) == (False, b"")


def test_since_when_a_type_is_taken_in_is_noted_when_the_release_changes():
    first = since_when({"A", "B"}, {"policy:x": 5}, now=70)
    assert first == {"takes:A": 0, "takes:B": 0}, "from the beginning"
    assert since_when({"A", "B"}, first, now=80) == {}
    second = first | since_when({"A", "B", "C"}, first, now=90)
    assert second["takes:C"] == 90
    back = second | since_when({"A"}, second, now=95)
    assert (back["takes:A"], back["takes:B"], back["takes:C"]) == (0, NOT_TAKEN, NOT_TAKEN)
    assert since_when({"A", "C"}, back, now=99) == {"takes:C": 99}, "what came meanwhile is not there either"
