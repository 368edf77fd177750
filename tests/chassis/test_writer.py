"""What the writer keeps to, over a real store: decided in turn, recorded together or not at all, told truthfully."""

import asyncio
import functools
import hashlib
import random
from collections import Counter
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from services.chassis.clock import SetClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal import attempt as attempt_module
from services.chassis.journal import writer as writer_module
from services.chassis.journal.postgres import Lease, PostgresJournal, prepare
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import (
    GENESIS,
    Held,
    HoldKey,
    LostLease,
    NotCommitted,
    Timer,
    TimerKey,
    Wanted,
)
from services.chassis.journal.work import Answer, Arrival, Ask, Bug, Fork, Hole, Settle, Stopped, TakeIn
from services.chassis.journal.writer import Writer
from tests.chassis.toy import (
    EVENTS,
    RULES,
    Book,
    BookPair,
    Do,
    Fill,
    Free,
    Overdue,
    PassOn,
    Postpone,
    PurseFilled,
    Recite,
    SeatBooked,
)

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
LONG_S = 60.0
"""A lease that does not run out while a test is running."""
HANGS_S = 30.0
"""A story that takes longer waits for something that never comes."""


# The stage: a place that can be opened again and again, a store that fails on demand, and a writer on it.


@asynccontextmanager
async def sqlite_journal(path):
    store = SqliteJournal(path)
    try:
        yield store
    finally:
        await store.close()


@asynccontextmanager
async def postgres_journal(dsn, schema):
    lease = Lease(dsn, schema, ttl=LONG_S)
    store = await PostgresJournal.open(dsn, schema, epoch=await lease.acquire("here"))
    try:
        yield store
    finally:
        await store.close()
        await lease.release()
        await lease.close()


def in_sqlite(request):
    return partial(sqlite_journal, request.getfixturevalue("tmp_path_factory").mktemp("place") / "journal.db")


def in_postgres(request):
    dsn, schema = request.getfixturevalue("database"), f"theatre_{next(numbers)}"
    asyncio.run(prepare(dsn, schema))
    return partial(postgres_journal, dsn, schema)


@pytest.fixture(scope="module")
def database(postgres):
    """One for all tests here: a schema for each is made faster than a database."""
    return postgres.fresh_database()


@pytest.fixture(params=[in_sqlite, in_postgres])
def journal(request):
    """Opens one and the same journal, as often as it is called."""
    return request.param(request)


@pytest.fixture
def other_journal(request):
    """Opens another one."""
    return in_sqlite(request)


@pytest.fixture(autouse=True)
def _toy_events_can_be_read(monkeypatch):
    for name, kind in EVENTS.items():
        monkeypatch.setitem(envelopes.REGISTRY, name, kind)


def told(story):
    """A test that is a coroutine; it fails when it hangs."""

    @functools.wraps(story)
    def test(*args, **kwargs):
        asyncio.run(asyncio.wait_for(story(*args, **kwargs), HANGS_S))

    return test


class Faulty:
    """A real store whose next commits fail as told: before they take effect, after it, or with an error."""

    def __init__(self, store, *faults):
        self._store, self.faults = store, list(faults)
        self.loads = []
        """Which streams were read, each time."""
        self.receipts_sought = []
        """Which keys of receipts were looked for, each time."""
        self.commits = []
        """How many entries each commit was to write."""
        self.broken_head = None
        """What the next look at the head raises."""

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def head(self):
        if error := self.broken_head:
            self.broken_head = None
            raise error
        return await self._store.head()

    async def load(self, wanted):
        self.loads.append({stream for _, stream in wanted.streams})
        self.receipts_sought.append({key for _, _, key in wanted.receipts})
        return await self._store.load(wanted)

    async def commit(self, batch, after):
        self.commits.append(len(batch.entries))
        fault = self.faults.pop(0) if self.faults else None
        if fault == "before":
            raise NotCommitted("as told, before it took effect")
        if isinstance(fault, Exception):
            raise fault
        await self._store.commit(batch, after)
        if fault == "after":
            raise NotCommitted("as told, after it took effect")


class FakeKeys:
    """Seals by naming the person, and only with a key that was made ready."""

    def __init__(self):
        self.ready = set()

    async def ensure(self, persons, joined):
        self.ready |= persons

    def seal(self, tenant, person, text):
        assert (tenant, person) in self.ready
        return f"sealed:{tenant}:{person}:{text[::-1]}"


numbers = count(1)
ids = new_ids(count(1_800_000_000_000).__next__, random.Random(7))


def writer_on(store, *, now=NOW, keys=None, **more):
    return Writer(RULES, store, clock=SetClock(now), new_id=ids, keys=keys or FakeKeys(), **more)


@asynccontextmanager
async def writing(store, **how):
    """A running writer, stopped at the end; what its run raised is raised here."""
    writer = writer_on(store, **how)
    await writer.start()
    run = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.stop()
        await run


async def all_at_once(writer, *works):
    """Hand over all of this before the writer looks, and give back what each was answered, errors included."""
    does = {Ask: writer.ask, TakeIn: writer.take_in, Settle: writer.settle}
    return await asyncio.gather(*[does[type(work)](work) for work in works], return_exceptions=True)


def ask(command, key="", *, tenant="t", caller="u-1", body=b"", **more):
    return Ask(command=command, tenant=tenant, actor=caller, caller=caller, key=key, request_hash=body, **more)


def reaction(command, key, **more):
    return ask(command, key, caller="policy:seat_them", derived=True, **more)


async def audit(store):
    """Everything recorded; every entry is checked against the rules that hold for all of them."""
    entries = await store.read(0, 1_000_000)
    assert [entry.position for entry in entries] == list(range(1, len(entries) + 1))
    assert len({entry.event_id for entry in entries}) == len(entries)
    chains, versions, public = {}, Counter(), Counter()
    for entry in entries:
        envelope = envelopes.read(entry.record)
        chains[entry.tenant] = hashlib.sha256(chains.get(entry.tenant, GENESIS) + entry.record).digest()
        assert entry.hash == chains[entry.tenant]
        assert (entry.event_id, entry.tenant, entry.version) == (envelope.id, envelope.tenant, envelope.version)
        assert entry.correlation_id == envelope.correlation_id
        if envelope.service == RULES.service:
            envelopes.payload(envelope)
            stream = (entry.tenant, entry.stream)
            versions[stream] += 1
            assert (envelope.stream, envelope.version) == (entry.stream, versions[stream])
            public[stream] += EVENTS[envelope.type].PUBLIC
            assert envelope.public_version == (public[stream] if EVENTS[envelope.type].PUBLIC else 0)
            assert envelope.position == str(entry.position)
    assert (await store.head()).chains == chains
    return entries


async def recorded(store):
    """The payloads of all that this service recorded, in order."""
    return [envelopes.payload(envelopes.read(entry.record)) for entry in await audit(store)]


async def fen_in(store, guest_id="g"):
    return sum(
        event.fen for event in await recorded(store) if isinstance(event, PurseFilled) and event.guest_id == guest_id
    )


# Taking turns.


@told
async def test_commands_on_one_stream_take_turns(journal):
    async with journal() as store, writing(store) as writer:
        answers = await all_at_once(writer, *[ask(Fill("g", 1)) for _ in range(700)])
        assert [answer.versions["purse/g"] for answer in answers] == list(range(1, 701))
        assert [answer.position for answer in answers] == list(range(1, 701))
        assert await fen_in(store) == 700


@told
async def test_of_two_who_want_one_seat_the_later_is_rejected(journal):
    async with journal() as store, writing(store) as writer:
        first, second = await all_at_once(writer, ask(Book("s", "g")), ask(Book("s", "h")))
        assert first.events == ("SeatBooked",)
        assert (second.rejected, second.facts, second.events) == ("seat.taken", {"seat_id": "s"}, ())
        assert len(await audit(store)) == 1


@told
async def test_a_command_writes_all_its_streams_in_one_commit(journal):
    async with journal() as store, writing(faulty := Faulty(store)) as writer:
        await writer.ask(ask(Fill("g", 9)))
        answer = await writer.ask(ask(Book("s", "g", 5)))
        assert answer == Answer(3, ("SeatBooked", "PurseCharged"), {"seat/s": 1, "purse/g": 2})
        assert faulty.commits == [1, 2]
        assert [entry.stream for entry in await audit(store)] == ["purse/g", "seat/s", "purse/g"]


@told
async def test_a_command_that_is_refused_half_way_leaves_no_trace_of_its_first_half(journal):
    async with journal() as store, writing(store) as writer:
        refused, seat, badge = await all_at_once(
            writer,
            ask(BookPair(("s", "z"), "g", "b")),
            ask(Book("s", "h")),
            ask(Book("y", "h", badge="b")),
        )
        assert (refused.rejected, refused.facts) == ("badge.taken", {"key": "b", "owner": "seat/s"})
        assert (seat.versions, badge.versions) == ({"seat/s": 1}, {"seat/y": 1})
        assert len(await audit(store)) == 2


@told
async def test_an_event_of_a_stream_that_its_command_did_not_name_is_a_bug(journal):
    async with journal() as store, writing(store) as writer:
        with pytest.raises(Bug, match="seat/other"):
            await writer.ask(ask(Do("s", [SeatBooked(seat_id="other", guest_id="g")])))
        assert await audit(store) == []


@told
async def test_tenants_share_nothing_and_each_has_a_chain_of_its_own(journal):
    async with journal() as store, writing(store) as writer:
        book = Book("s", "g", badge="b")
        answers = await all_at_once(writer, ask(book, "k"), ask(book, "k", tenant="u"), ask(Fill("g", 1)))
        assert [answer.rejected or answer.position for answer in answers] == [1, 2, 3]
        first, second, third = await audit(store)
        assert first.hash == hashlib.sha256(GENESIS + first.record).digest()
        assert second.hash == hashlib.sha256(GENESIS + second.record).digest()
        assert third.hash == hashlib.sha256(first.hash + third.record).digest()


@told
async def test_the_chain_and_the_versions_go_on_after_a_restart(journal):
    for restart in range(3):
        async with journal() as store, writing(store) as writer:
            assert writer.position == restart
            assert (await writer.ask(ask(Fill("g", 1)))).versions == {"purse/g": restart + 1}
            assert len(await audit(store)) == restart + 1


# Claims.


@told
async def test_a_name_has_one_owner_until_it_is_given_back(journal):
    async with journal() as store, writing(store) as writer:
        wins, loses = await all_at_once(writer, ask(Book("s", "g", badge="b")), ask(Book("z", "h", badge="b")))
        assert (wins.rejected, loses.rejected) == ("", "badge.taken")
    async with journal() as store, writing(store) as writer:
        assert (await writer.ask(ask(Book("z", "h", badge="b")))).rejected == "badge.taken"
        await writer.ask(ask(Free("s", "b")))
        assert (await writer.ask(ask(Book("z", "h", badge="b")))).rejected == ""
        claim = ("t", "badge", "b")
        assert (await store.load(Wanted(claims={claim}))).claims == {claim: "seat/z"}


@told
async def test_a_name_given_back_is_free_for_the_next_in_the_same_batch(journal):
    async with journal() as store, writing(faulty := Faulty(store)) as writer:
        await writer.ask(ask(Book("s", "g", badge="b")))
        answers = await all_at_once(writer, ask(Free("s", "b")), ask(Book("z", "h", badge="b")))
        assert [answer.events for answer in answers] == [("SeatFreed",), ("SeatBooked",)]
        assert faulty.commits == [1, 2]


@told
async def test_one_command_can_hand_a_name_on(journal):
    async with journal() as store, writing(store) as writer:
        await writer.ask(ask(Book("s", "g", badge="b")))
        assert (await writer.ask(ask(PassOn("b", "s", "z")))).events == ("SeatFreed", "SeatBooked")
        assert (await writer.ask(ask(Book("y", "h", badge="b")))).facts["owner"] == "seat/z"


@told
async def test_taking_or_giving_back_a_name_that_the_command_did_not_name_is_a_bug(journal):
    async with journal() as store, writing(store) as writer:
        await writer.ask(ask(Book("s", "g", badge="b")))
        for command in (Do("z", [SeatBooked(seat_id="z", guest_id="g", badge="b")]), Free("s")):
            with pytest.raises(Bug, match="badge b"):
                await writer.ask(ask(command))
        assert (await writer.ask(ask(Book("z", "h", badge="b")))).rejected == "badge.taken"


# Races and repeats.


@told
async def test_who_has_not_seen_the_newest_version_is_told(journal):
    async with journal() as store, writing(store) as writer:
        new, late = await all_at_once(writer, *[ask(Fill("g", fen), expected={"purse/g": 0}) for fen in (1, 2)])
        assert new.versions == {"purse/g": 1}
        assert (late.rejected, late.facts) == ("stream.stale", {"stream": "purse/g", "expected": 0, "current": 1})
        assert (await writer.ask(ask(Fill("g", 3), expected={"purse/g": 1}))).versions == {"purse/g": 2}
        with pytest.raises(Bug, match="does not read seat/s"):
            await writer.ask(ask(Fill("g", 4), expected={"seat/s": 1}))


@told
async def test_a_repeat_is_answered_the_same_and_does_nothing(journal):
    async with journal() as store, writing(store) as writer:
        first, same_batch = await all_at_once(writer, *[ask(Fill("g", 1), "k", body=b"one") for _ in range(2)])
        later = await writer.ask(ask(Fill("g", 1), "k", body=b"one"))
    async with journal() as store, writing(store) as writer:
        after_restart = await writer.ask(ask(Fill("g", 1), "k", body=b"one"))
        assert first == Answer(1, ("PurseFilled",), {"purse/g": 1})
        assert [same_batch, later, after_restart] == [msgspec.structs.replace(first, repeated=True)] * 3
        assert await fen_in(store) == 1


@told
async def test_a_key_stands_for_one_body_of_one_caller(journal):
    async with journal() as store, writing(store) as writer:
        await writer.ask(ask(Fill("g", 1), "k", body=b"one"))
        other = await writer.ask(ask(Fill("g", 2), "k", body=b"two"))
        assert (other.rejected, other.facts) == ("idempotency-key.reused", {"key": "k"})
        assert not (await writer.ask(ask(Fill("g", 4), "k", caller="u-2", body=b"two"))).rejected
        assert not (await writer.ask(ask(Fill("g", 8), body=b"one"))).repeated
        assert await fen_in(store) == 13


@told
async def test_a_rejection_and_a_no_op_are_remembered_even_if_they_would_come_out_otherwise_now(journal):
    async with journal() as store, writing(store) as writer:
        await writer.ask(ask(Book("s", "g")))
        rejection, no_op = await all_at_once(writer, ask(Book("s", "h"), "no"), ask(Free("z"), "nothing"))
        assert (rejection.rejected, no_op.events) == ("seat.taken", ())
        await all_at_once(writer, ask(Free("s")), ask(Book("z", "g")))
    async with journal() as store, writing(store) as writer:
        again = await all_at_once(writer, ask(Book("s", "h"), "no"), ask(Free("z"), "nothing"))
        assert again == [msgspec.structs.replace(one, repeated=True) for one in (rejection, no_op)]


@told
async def test_after_thirty_days_a_key_is_new_again_and_a_reactions_never(journal):
    async with journal() as store:
        for days, repeated, fen in ((0, False, 1), (29, True, 1), (30, False, 2), (31, True, 2), (60, False, 3)):
            async with writing(store, now=NOW + timedelta(days=days)) as writer:
                assert (await writer.ask(ask(Fill("g", 1), "k"))).repeated == repeated
                assert (await writer.ask(reaction(Fill("h", 1), "k"))).repeated == (days > 0)
                assert (await fen_in(store), await fen_in(store, "h")) == (fen, 1)


@told
async def test_a_reaction_decided_again_gives_the_same_ids(journal, other_journal):
    async def record_ids(store, *asks):
        async with writing(store) as writer:
            await all_at_once(writer, *asks)
        return [entry.event_id for entry in await audit(store)]

    book = [reaction(Fill("g", 5), "e-1/fill"), reaction(Book("s", "g", 5), "e-2/book")]
    async with journal() as store, other_journal() as other:
        derived = await record_ids(store, *book)
        assert len(derived) == 3
        assert derived == (await record_ids(other, ask(Fill("x", 1)), *book))[1:]
    async with journal() as store, writing(store) as writer:
        with pytest.raises(Bug, match="gave none"):
            await writer.ask(reaction(Fill("g", 1), ""))


@told
async def test_whether_a_reaction_to_a_new_event_was_asked_is_known_without_the_store(journal, monkeypatch):
    monkeypatch.setattr(attempt_module, "MOST_RECEIPTS", 3)
    async with journal() as store:
        faulty = Faulty(store)
        async with writing(faulty) as writer:
            await writer.ask(ask(Fill("g", 1)))
            known = reaction(Fill("g", 1), "e-1", caused_at=1)
            assert [(await writer.ask(known)).repeated for _ in range(2)] == [False, True]
            assert not any(faulty.receipts_sought)
            # Of many, those that were written first have to leave memory, and are looked for again.
            for n in range(2, 6):
                await writer.ask(reaction(Fill("g", 1), f"e-{n}", caused_at=writer.position))
            assert (await writer.ask(known)).repeated
            assert faulty.receipts_sought[-1] == {"e-1"}
        async with writing(faulty) as writer:
            # What was recorded before this writer began, others may have reacted to.
            assert (await writer.ask(known)).repeated
            assert faulty.receipts_sought[-1] == {"e-1"}
            assert await fen_in(store) == 6


@told
async def test_in_a_restored_journal_every_reaction_is_looked_for(journal):
    async with journal() as store:
        faulty = Faulty(store)
        async with writing(faulty) as writer:
            writer._memory.restored = True
            await writer.ask(ask(Fill("g", 1)))
            await writer.ask(reaction(Fill("g", 1), "e-1", caused_at=1))
            assert faulty.receipts_sought[-1] == {"e-1"}


# Commits that fail.


@pytest.mark.parametrize("keyed", [True, False], ids=["keyed", "keyless"])
@pytest.mark.parametrize("second", ["before", "after"])
@pytest.mark.parametrize("at", range(5))
@told
async def test_wherever_a_commit_fails_everyone_is_answered_once_and_truthfully(journal, at, second, keyed):
    commands = [Fill("g", 5), Book("s", "g", 3, badge="b"), Book("s", "h"), Free("z"), Fill("g", 7)]
    asks = [ask(command, f"k-{n}" if keyed else "") for n, command in enumerate(commands)]
    async with journal() as store, writing(Faulty(store, "before", *[None] * at, second)) as writer:
        answers = await all_at_once(writer, *asks)
        assert await written(store) == told_of(answers)
        assert not any(answer.repeated for answer in answers if isinstance(answer, Answer))
        refused = [n for n, answer in enumerate(answers) if isinstance(answer, NotCommitted)]
        # Alone and without a key, a rejection and a no-op have nothing to commit; so the fault meets a later one.
        assert refused == ([] if second == "after" else [at] if keyed else [0, 1, 4][at : at + 1])
        if keyed:
            again = await all_at_once(writer, *asks)
            assert [answer.repeated for answer in again] == [n not in refused for n in range(len(asks))]
            assert await written(store) == told_of(again)
            assert await fen_in(store) == 12


async def written(store):
    return Counter(type(event).__name__ for event in await recorded(store))


def told_of(answers):
    return Counter(name for answer in answers if isinstance(answer, Answer) for name in answer.events)


@told
async def test_a_batch_that_took_effect_after_all_is_not_done_again(journal):
    async with journal() as store, writing(faulty := Faulty(store, "after")) as writer:
        answers = await all_at_once(writer, *[ask(Fill("g", 1)) for _ in range(5)])
        assert [answer.position for answer in answers] == [1, 2, 3, 4, 5]
        assert faulty.commits == [5]
        assert (await writer.ask(ask(Fill("g", 1)))).position == 6


@told
async def test_one_who_was_alone_in_a_batch_gets_a_second_try_like_everyone(journal):
    async with journal() as store, writing(Faulty(store, "before")) as writer:
        assert (await writer.ask(ask(Fill("g", 1)))).events == ("PurseFilled",)
        assert await fen_in(store) == 1


@pytest.mark.parametrize("fault", ["before", "after"])
@told
async def test_what_has_no_events_survives_a_failed_commit_too(journal, fault):
    hold = (HoldKey("seat_them", "t", "g"), 1)
    done = Settle({"seat_them": 3}, {hold: Held(1, 2, 3, False, "NotYet")})
    async with journal() as store, writing(Faulty(store, fault)) as writer:
        answers = await all_at_once(writer, ask(Free("s"), "k"), done, take(request(1, wanted=False), next_offset=8))
        assert answers == [Answer(0), None, None]
        assert (await store.checkpoints(), await store.offsets()) == ({"seat_them": 3}, {"intake-0": 8})
        assert await store.held(["seat_them"]) == [(hold[0], done.holds[hold])]


@told
async def test_after_a_failed_commit_nothing_is_believed_that_was_in_memory(journal):
    async with journal() as store, writing(faulty := Faulty(store)) as writer:
        await writer.ask(ask(Book("s", "g")))
        assert (await writer.ask(ask(Recite("s")))).facts["guest_id"] == "g"
        assert faulty.loads.pop() == set()
        faulty.faults = ["before", "before"]
        with pytest.raises(NotCommitted):
            await writer.ask(ask(Book("z", "h", badge="b")))
        guests = [(await writer.ask(ask(Recite(seat)))).facts["guest_id"] for seat in ("s", "z")]
        assert (guests, faulty.loads[-2:]) == (["g", ""], [{"seat/s"}, {"seat/z"}])
        assert (await writer.ask(ask(Book("z", "i", badge="b")))).versions == {"seat/z": 1}


@told
async def test_while_it_is_not_known_what_took_effect_nothing_is_decided_and_all_are_told(journal):
    asks = [ask(Fill("g", 1), f"k-{n}") for n in range(3)]
    async with journal() as store:
        faulty = Faulty(store, "after")
        writer = writer_on(faulty)
        await writer.start()
        faulty.broken_head = OSError("the database is away")
        waiting = asyncio.create_task(all_at_once(writer, *asks))
        with pytest.raises(OSError, match="away"):
            await writer.run()
        answers = await waiting
        assert [type(answer) for answer in answers] == [NotCommitted] * 3
        with pytest.raises(Stopped):
            await writer.ask(ask(Fill("g", 1)))
        async with writing(store) as successor:
            answers = await all_at_once(successor, *asks)
            assert [answer.repeated for answer in answers] == [True] * 3
            assert await fen_in(store) == 3


@told
async def test_a_writer_that_is_cancelled_leaves_nobody_waiting(journal):
    async with journal() as store:
        reached = asyncio.Event()

        async def endless(batch, after):
            reached.set()
            await asyncio.Event().wait()

        faulty = Faulty(store)
        faulty.commit = endless
        writer = writer_on(faulty)
        run = asyncio.create_task(writer.run())
        asked = asyncio.create_task(writer.ask(ask(Fill("g", 1))))
        await reached.wait()
        later = asyncio.create_task(writer.ask(ask(Fill("g", 1))))
        await asyncio.wait([later], timeout=0)
        run.cancel()
        with suppress(asyncio.CancelledError):
            await run
        with pytest.raises(NotCommitted, match="not known"):
            await asked
        with pytest.raises(Stopped):
            await later


# Work that is poisoned.


@pytest.mark.parametrize("error", [ValueError("poison"), StopIteration(), KeyError("poison")])
@told
async def test_one_of_64_whose_decision_fails_fails_alone(journal, error):
    asks = [ask(Fill("g", 1), f"k-{n}") for n in range(64)]
    asks[20] = ask(Do("s", error), "k-20")
    async with journal() as store, writing(faulty := Faulty(store)) as writer:
        answers = await all_at_once(writer, *asks)
        assert isinstance(answers.pop(20), Bug)
        assert [answer.versions["purse/g"] for answer in answers] == list(range(1, 64))
        assert faulty.commits == [63]
        assert len(await audit(store)) == 63
        assert (await store.load(Wanted(receipts={("t", "u-1", "k-20")}))).receipts == {}


WRONG = {
    "a text where a number belongs": [PurseFilled(guest_id="s", fen="ten")],
    "a number below its bound": [SeatBooked(seat_id="s", guest_id="g"), SeatBooked(seat_id="s", guest_id=7)],
    "a time without a zone": [SeatBooked(seat_id="s", guest_id="g", pay_by=datetime(2026, 1, 1))],
    "what reads as something else": [SeatBooked(seat_id="s", guest_id="g", pay_by="2026-01-01T00:00:00Z")],
}


@pytest.mark.parametrize("events", WRONG.values(), ids=WRONG)
@told
async def test_an_event_with_a_wrong_field_is_never_written_and_fails_alone(journal, events):
    async with journal() as store, writing(store) as writer:
        asks = [ask(Fill("g", 1)) for _ in range(64)]
        asks[20] = ask(Do("s", events))
        answers = await all_at_once(writer, *asks)
        assert isinstance(answers.pop(20), Bug)
        assert [answer.versions["purse/g"] for answer in answers] == list(range(1, 64))
        assert len(await audit(store)) == 63
        assert (await writer.ask(ask(Recite("s")))).facts["guest_id"] == ""


@pytest.mark.parametrize("wrong", [{"actor": None}, {"happened_at": datetime(2026, 1, 1)}, {"channel": 3}])
@told
async def test_an_envelope_that_nobody_could_read_is_never_written(journal, wrong):
    async with journal() as store, writing(store) as writer:
        with pytest.raises(Bug):
            await writer.ask(msgspec.structs.replace(ask(Fill("g", 1)), **wrong))
        assert await audit(store) == []


@told
async def test_a_command_that_the_service_does_not_know_fails_alone(journal):
    async with journal() as store, writing(store) as writer:
        good, unknown, another = await all_at_once(writer, ask(Fill("g", 1)), ask("what?"), ask(Fill("g", 1)))
        assert (good.position, another.position) == (1, 2)
        assert isinstance(unknown, Bug)
        assert len(await audit(store)) == 2


@told
async def test_what_the_listener_to_new_heads_raises_harms_no_command(journal):
    heads, complaints = [], []

    def listen(position):
        heads.append(position)
        raise RuntimeError("a bug of the listener")

    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context["exception"]))
    async with journal() as store, writing(store) as writer:
        writer.committed = listen
        answers = await all_at_once(writer, *[ask(Fill("g", 1)) for _ in range(3)])
        assert [answer.position for answer in answers] == [1, 2, 3]
        assert (await writer.ask(ask(Free("s"), "k"))).position == 3
        assert await fen_in(store) == 3
    assert heads == [3]
    assert [str(one) for one in complaints] == ["a bug of the listener"]


# What others published.


def request(version, *, stream="request/r-1", wanted=True, tenant="t"):
    """A public record of another service."""
    envelope = Envelope(
        id=f"{tenant}/{stream}/{version}",
        source="/c1/intake/1",
        type="RequestTold",
        subject=stream,
        time=NOW,
        tenant=tenant,
        stream=stream,
        version=2 * version,  # between two public ones there was one that is not
        public_version=version,
        position=str(version),
        recorded_at=NOW,
        correlation_id="r-1",
        actor="somebody",
        partition_key="r-1",
        data=msgspec.Raw(b"{}"),
    )
    return Arrival(envelope, msgspec.json.encode(envelope), wanted)


def take(*arrivals, next_offset):
    return TakeIn(arrivals, {"intake-0": next_offset})


async def taken_in(store):
    return [(entry.stream, entry.version) for entry in await store.read(0, 1_000) if entry.stream.startswith("intake:")]


async def seen(store, stream="intake:request/r-1"):
    return (await store.load(Wanted(seen={("t", stream)}))).seen.get(("t", stream), 0)


@told
async def test_what_arrives_is_recorded_once_as_it_is_in_the_commit_that_moves_the_offset(journal):
    async with journal() as store, writing(faulty := Faulty(store)) as writer:
        await all_at_once(
            writer,
            ask(Fill("g", 1)),
            take(request(1), request(2), next_offset=2),
            take(request(2), request(3), next_offset=4),
            ask(Fill("g", 1)),
        )
        await writer.take_in(take(request(1), request(2), request(3), next_offset=4))
        assert faulty.commits == [5, 0]
        assert await taken_in(store) == [
            ("intake:request/r-1", 2),
            ("intake:request/r-1", 4),
            ("intake:request/r-1", 6),
        ]
        entries = await store.read(0, 10)
        assert [entry.record for entry in entries[1:4]] == [request(n).record for n in (1, 2, 3)]
        assert (await store.offsets(), await seen(store)) == ({"intake-0": 4}, 3)


@told
async def test_a_type_that_is_not_read_is_passed_over_and_counted(journal):
    async with journal() as store, writing(store) as writer:
        await writer.take_in(take(request(1, wanted=False), request(2), request(3, wanted=False), next_offset=3))
        await writer.take_in(take(request(4), next_offset=4))
        assert await taken_in(store) == [("intake:request/r-1", 4), ("intake:request/r-1", 8)]
        assert await seen(store) == 4


@told
async def test_a_hole_stops_the_batch_that_has_it_and_nothing_else(journal):
    async with journal() as store, writing(store) as writer:
        await writer.take_in(take(request(1), next_offset=1))
        fill, hole = await all_at_once(
            writer, ask(Fill("g", 1)), take(request(2), request(1, stream="request/r-2"), request(4), next_offset=9)
        )
        assert fill.events == ("PurseFilled",)
        assert isinstance(hole, Hole)
        assert "request/r-1 goes on with its public version 4 after 2" in str(hole)
        assert (await taken_in(store), await store.offsets()) == ([("intake:request/r-1", 2)], {"intake-0": 1})
        assert (await seen(store), await seen(store, "intake:request/r-2")) == (1, 0)
        await writer.take_in(take(request(2), next_offset=2))
        assert await seen(store) == 2


def as_other(arrival):
    """The same public version, recorded anew by a publisher that was set back: another event of another incarnation."""
    envelope = msgspec.structs.replace(arrival.envelope, id="another", source="/c1/intake/2")
    return Arrival(envelope, msgspec.json.encode(envelope), arrival.wanted)


@told
async def test_one_version_that_is_two_events_is_an_alarm_and_not_a_repeat(journal):
    async with journal() as store, writing(store) as writer:
        await writer.take_in(take(request(1), request(2, wanted=False), request(3), next_offset=3))
        before = await audit(store)
        fill, fork = await all_at_once(
            writer, ask(Fill("g", 1)), take(request(1), as_other(request(3)), request(4), next_offset=9)
        )
        assert fill.events == ("PurseFilled",)
        assert isinstance(fork, Fork)
        for said in ("request/r-1 has as its public version 3 another of /c1/intake/2", "t/request/r-1/3 is recorded"):
            assert said in str(fork)
        # It moves nothing, and what is right is still taken in.
        assert (await audit(store))[: len(before)] == before
        assert (await store.offsets(), await seen(store)) == ({"intake-0": 3}, 3)
        await writer.take_in(take(request(3), request(4), next_offset=4))
        assert await seen(store) == 4
        assert isinstance((await all_at_once(writer, take(request(5), as_other(request(5)), next_offset=6)))[0], Fork)


@told
async def test_what_was_passed_over_cannot_be_told_from_a_fork_and_is_dropped(journal):
    async with journal() as store, writing(store) as writer:
        await writer.take_in(take(request(1, wanted=False), request(2), next_offset=2))
        await writer.take_in(take(as_other(request(1)), request(2), request(3), next_offset=3))
        assert await taken_in(store) == [("intake:request/r-1", 4), ("intake:request/r-1", 6)]


@told
async def test_only_what_comes_again_costs_a_second_look(journal):
    async with journal() as store, writing(faulty := Faulty(store)) as writer:
        await writer.take_in(take(*[request(n) for n in range(1, 5)], next_offset=4))
        await writer.take_in(take(request(5), next_offset=5))
        assert faulty.loads == [set(), set()]
        await writer.take_in(take(request(5), request(6), next_offset=6))
        assert faulty.loads == [set(), set(), set(), {"intake:request/r-1"}]


@told
async def test_a_restored_older_journal_reads_again_what_it_lost_and_only_that(journal, other_journal):
    async with journal() as restored, other_journal() as lost:
        for store, known in ((restored, 2), (lost, 4)):
            async with writing(store) as writer:
                await writer.take_in(take(*[request(n) for n in range(1, known + 1)], next_offset=known))
        async with writing(restored) as writer:
            offset = (await restored.offsets())["intake-0"]
            overlap = [request(n) for n in range(offset, 5)]
            await writer.take_in(take(*overlap, next_offset=4))
        assert await audit(restored) == await audit(lost)
        assert await restored.offsets() == await lost.offsets()


@pytest.mark.parametrize("fault", ["before", "after"])
@told
async def test_taking_in_is_exactly_once_when_its_commit_fails(journal, fault):
    async with journal() as store, writing(Faulty(store, fault)) as writer:
        answers = await all_at_once(writer, take(request(1), request(2), next_offset=2), ask(Fill("g", 1)))
        assert not [answer for answer in answers if isinstance(answer, Exception)]
        assert await taken_in(store) == [("intake:request/r-1", 2), ("intake:request/r-1", 4)]
        assert (await store.offsets(), await fen_in_toy(store)) == ({"intake-0": 2}, 1)


async def fen_in_toy(store):
    toy = [envelopes.read(entry.record) for entry in await store.read(0, 100) if ":" not in entry.stream]
    return sum(envelopes.payload(one).fen for one in toy)


# Timers.


UNPAID = TimerKey("t", "unpaid", "s")


async def timers(store):
    return dict(await store.due(2**62, 100))


@told
async def test_a_deadline_is_set_moved_and_forgotten_in_the_commit_of_its_event(journal):
    pay_by = NOW + timedelta(hours=2)
    async with journal() as store, writing(faulty := Faulty(store)) as writer:
        await writer.ask(ask(Book("s", "g", pay_by=pay_by)))
        (first,) = await audit(store)
        assert await timers(store) == {UNPAID: Timer(micros(pay_by), first.event_id)}
        await writer.ask(ask(Postpone("s", pay_by + timedelta(hours=1))))
        assert (await timers(store))[UNPAID].due == micros(pay_by + timedelta(hours=1))
        faulty.faults = ["before", "before"]
        with pytest.raises(NotCommitted):
            await writer.ask(ask(Free("s")))
        assert UNPAID in await timers(store)
        await writer.ask(ask(Free("s")))
        assert await timers(store) == {}


@told
async def test_history_of_another_system_sets_no_deadline(journal):
    async with journal() as store, writing(store) as writer:
        happened = NOW - timedelta(days=5_000)
        await writer.ask(ask(Book("s", "g", pay_by=happened), origin="import", happened_at=happened))
        (entry,) = await audit(store)
        envelope = envelopes.read(entry.record)
        assert (envelope.origin, envelope.time, envelope.recorded_at) == ("import", happened, NOW)
        assert await timers(store) == {}


def fired(timer):
    return reaction(Overdue("s"), f"{UNPAID}/{timer.event_id}", forget_timer=UNPAID, causation_id=timer.event_id)


@told
async def test_a_timer_that_fired_is_forgotten_with_its_answer_and_with_a_repeat_of_it(journal):
    async with journal() as store, writing(store) as writer:
        await writer.ask(ask(Book("s", "g", pay_by=NOW)))
        timer = (await timers(store))[UNPAID]
        assert not (await writer.ask(fired(timer))).repeated
        assert await timers(store) == {}


@pytest.mark.parametrize("together", [True, False])
@told
async def test_a_deadline_that_moved_while_its_timer_fired_is_still_to_come(journal, together):
    async with journal() as store, writing(store) as writer:
        await writer.ask(ask(Book("s", "g", pay_by=NOW)))
        timer = (await timers(store))[UNPAID]
        move = ask(Postpone("s", NOW + timedelta(hours=1)))
        if together:
            await all_at_once(writer, move, fired(timer))
        else:
            await writer.ask(move)
            await writer.ask(fired(timer))
        moved = (await timers(store))[UNPAID]
        assert moved.due == micros(NOW + timedelta(hours=1))
        await writer.ask(fired(moved))
        assert await timers(store) == {}


# The end of a writer.


@told
async def test_stop_finishes_what_waits_and_takes_nothing_more(journal):
    async with journal() as store:
        writer = writer_on(store)
        waiting = asyncio.gather(*[writer.ask(ask(Fill("g", 1))) for _ in range(600)])
        await asyncio.wait([waiting], timeout=0)
        writer.stop()
        with pytest.raises(Stopped):
            await writer.ask(ask(Fill("g", 1)))
        await writer.run()
        assert [answer.position for answer in await waiting] == list(range(1, 601))
        assert await fen_in(store) == 600


@pytest.mark.parametrize("faults", [[], ["before"], ["before", None]], ids=["at once", "then", "in between"])
@told
async def test_when_the_lease_is_lost_all_who_wait_are_told_and_nothing_of_theirs_is_recorded(journal, faults):
    async with journal() as store:
        writer = writer_on(Faulty(store, *faults, LostLease("another has it")))
        # More than one batch, so that some have been taken and some still wait.
        waiting = asyncio.create_task(all_at_once(writer, *[ask(Fill("g", 1), f"k-{n}") for n in range(600)]))
        await asyncio.wait([waiting], timeout=0)
        with pytest.raises(LostLease):
            await writer.run()
        answers = await waiting
        done = [answer for answer in answers if isinstance(answer, Answer)]
        assert len(done) == faults.count(None)
        assert Counter(map(type, answers)) == Counter({Stopped: 600 - len(done), Answer: len(done)}) - Counter()
        assert await fen_in(store) == len(done)
        with pytest.raises(Stopped):
            await writer.ask(ask(Fill("g", 1)))


@pytest.mark.parametrize("command", [Book("s1", "h"), Fill("g", 0)], ids=["a refusal", "a no-op"])
@told
async def test_without_a_commit_nothing_is_answered_by_who_may_not_write_any_more(journal, command):
    """Another writes meanwhile, so what this one remembers may be old; and no commit of its own would show it."""
    may_write = True
    async with journal() as store:
        writer = writer_on(store, may_write=lambda: may_write)
        run = asyncio.create_task(writer.run())
        await writer.ask(ask(Book("s1", "g")))
        answer = await writer.ask(ask(command))
        assert (answer.rejected, answer.events) == ("seat.taken" if isinstance(command, Book) else "", ())
        may_write = False
        with pytest.raises(Stopped):
            await writer.ask(ask(command))
        with pytest.raises(LostLease):
            await run


@told
async def test_who_goes_away_before_the_answer_disturbs_nobody(journal):
    async with journal() as store, writing(Faulty(store, "before")) as writer:
        gone = asyncio.create_task(writer.ask(ask(Fill("g", 1))))
        stays = asyncio.create_task(writer.ask(ask(Fill("g", 2))))
        await asyncio.wait([gone], timeout=0)
        gone.cancel()
        assert (await stays).events == ("PurseFilled",)


@told
async def test_records_name_their_journal_also_when_nobody_called_start(journal):
    async with journal() as store:
        writer = writer_on(store)
        run = asyncio.create_task(writer.run())
        await writer.ask(ask(Fill("g", 1)))
        writer.stop()
        await run
        (entry,) = await audit(store)
        assert envelopes.read(entry.record).source == "/c1/theatre/1"


# Memory and persons.


@told
async def test_a_state_that_had_to_leave_memory_is_read_again(journal, monkeypatch):
    monkeypatch.setattr(writer_module, "CACHED_STREAMS", 3)
    async with journal() as store, writing(store) as writer:
        for turn in range(1, 4):
            answers = await all_at_once(writer, *[ask(Fill(f"g-{n}", 1)) for n in range(5)])
            assert {next(iter(answer.versions.values())) for answer in answers} == {turn}
        assert len(writer._memory.live) == 3
        await writer.ask(ask(Fill("g-2", 1)))
        await writer.ask(ask(Fill("g-0", 1)))
        assert list(writer._memory.live) == [("t", f"purse/g-{n}") for n in (4, 2, 0)]


@told
async def test_what_is_said_of_a_person_is_sealed_under_that_persons_key(journal):
    async with journal() as store, writing(store) as writer:
        await all_at_once(writer, ask(Book("s", "g", name="Li Na")), ask(Book("z", "h")))
        said, silent = await audit(store)
        assert b"Li Na" not in said.record
        assert envelopes.payload(envelopes.read(said.record)).name == "sealed:t:g:aN iL"
        assert envelopes.read(said.record).key_ids == "g"
        assert envelopes.read(silent.record).key_ids == ""
        with pytest.raises(Bug, match="about whom"):
            await writer.ask(ask(Book("y", "", name="Li Na")))


@told
async def test_a_state_is_the_same_in_memory_and_read_again_also_where_a_text_was_sealed(journal):
    async with journal() as store, writing(store) as writer:
        await all_at_once(writer, ask(Book("s", "g", name="Li Na")), ask(Book("z", "h")))
        in_memory = await all_at_once(writer, ask(Recite("s")), ask(Recite("z")))
    async with journal() as store, writing(store) as writer:
        assert await all_at_once(writer, ask(Recite("s")), ask(Recite("z"))) == in_memory
        assert [one.facts["name"] for one in in_memory] == ["(sealed)", ""]


@told
async def test_when_keys_cannot_be_had_only_what_needs_them_fails(journal):
    class NoKeys(FakeKeys):
        async def ensure(self, persons, joined):
            raise OSError("the keys are away")

    async with journal() as store, writing(store, keys=NoKeys()) as writer:
        fill, book = await all_at_once(writer, ask(Fill("g", 1)), ask(Book("s", "g", name="Li Na")))
        assert (fill.position, type(book)) == (1, OSError)
        assert len(await audit(store)) == 1


# Anything, in any order.


SEATS, GUESTS, BADGES = ("s-1", "s-2", "s-3"), ("g-1", "g-2"), ("", "b-1", "b-2")


class Theatre:
    """What the toy's rules come to, written down plainly: one dictionary of each, one command at a time."""

    def __init__(self):
        self.seats, self.purses, self.badges, self.answers = {}, {}, {}, {}
        self.events = 0

    def expect(self, asked):
        """How many events and which rejection a command comes to that is decided now; None for our own mistake."""
        if asked.key and asked.key in self.answers:
            command, answer = self.answers[asked.key]
            return answer if command == asked.command else (0, "idempotency-key.reused")
        answer = self._decide(asked.command)
        if answer is None:
            return None
        self.events += answer[0]
        if asked.key:
            self.answers[asked.key] = asked.command, answer
        return answer

    def _decide(self, command):
        match command:
            case Fill(guest, fen):
                self.purses[guest] = self.purses.get(guest, 0) + fen
                return (1 if fen else 0), ""
            case Book(seat, guest, fen, badge):
                if seat in self.seats:
                    return 0, "seat.taken"
                if self.purses.get(guest, 0) < fen:
                    return 0, "purse.short"
                if badge and badge in self.badges:
                    return 0, "badge.taken"
                self.seats[seat] = badge
                self.purses[guest] = self.purses.get(guest, 0) - fen
                if badge:
                    self.badges[badge] = seat
                return (2 if fen else 1), ""
            case Free(seat, badge):
                if seat not in self.seats:
                    return 0, ""
                if self.seats[seat] not in ("", badge):
                    return None  # it would give back a badge that it does not name
                self.badges.pop(self.seats.pop(seat), None)
                return 1, ""


COMMANDS = st.one_of(
    st.builds(Fill, st.sampled_from(GUESTS), st.integers(0, 5)),
    st.builds(Book, st.sampled_from(SEATS), st.sampled_from(GUESTS), st.integers(0, 4), st.sampled_from(BADGES)),
    st.builds(Free, st.sampled_from(SEATS), st.just("")),
)
FAULTS = st.lists(st.sampled_from([None, "before", "after"]), max_size=3)


def machine_over(place):
    """Batches, repeats, failing commits and restarts in any order; the plain model says what must come of it."""

    class Machine(RuleBasedStateMachine):
        @initialize()
        def open(self):
            self.loop = asyncio.new_event_loop()
            self.model, self.number, self.repeatable = Theatre(), count(), []
            self.journal = place()
            self._restart(first=True)

        def _do(self, story):
            return self.loop.run_until_complete(asyncio.wait_for(story, HANGS_S))

        def _restart(self, first=False):
            async def story():
                if not first:
                    await self.running.__aexit__(None, None, None)
                    await self.opened.__aexit__(None, None, None)
                self.opened = self.journal()
                self.store = Faulty(await self.opened.__aenter__())
                self.running = writing(self.store)
                self.writer = await self.running.__aenter__()

            self._do(story())

        @rule(commands=st.lists(COMMANDS, min_size=1, max_size=6), faults=FAULTS, keyed=st.booleans())
        def batch(self, commands, faults, keyed):
            asks = [
                ask(self._named(c), f"k-{next(self.number)}" if keyed else "", body=repr(c).encode()) for c in commands
            ]
            self.repeatable += [one for one in asks if one.key]
            self._check(asks, faults)

        @rule(data=st.data(), faults=FAULTS)
        def repeat(self, data, faults):
            if self.repeatable:
                self._check(data.draw(st.lists(st.sampled_from(self.repeatable), min_size=1, max_size=4)), faults)

        @rule()
        def restart(self):
            self._restart()

        def _named(self, command):
            """A seat is freed with the badge that it has as far as is known."""
            return (
                Free(command.seat_id, self.model.seats.get(command.seat_id, ""))
                if isinstance(command, Free)
                else command
            )

        def _check(self, asks, faults):
            self.store.faults = list(faults)
            answers = self._do(all_at_once(self.writer, *asks))
            self.store.faults = []
            for asked, answer in zip(asks, answers, strict=True):
                if isinstance(answer, NotCommitted):
                    assert "before" in faults
                    continue  # truthfully not done
                expected = self.model.expect(asked)
                if expected is None:
                    assert isinstance(answer, Bug)
                else:
                    assert (len(answer.events), answer.rejected) == expected
            assert len(self._do(audit(self.store))) == self.model.events

        def teardown(self):
            if hasattr(self, "running"):
                self._do(self.running.__aexit__(None, None, None))
                self._do(self.opened.__aexit__(None, None, None))
            self.loop.close()

    return Machine


def test_whatever_comes_in_whatever_order_it_is_as_if_each_had_come_alone(request):
    run_state_machine_as_test(
        machine_over(partial(in_sqlite, request)),
        settings=settings(
            max_examples=40,
            stateful_step_count=15,
            deadline=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.reuse, Phase.generate, Phase.shrink],
        ),
    )
