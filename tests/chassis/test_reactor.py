"""What the reactor keeps to, over a real writer and real stores: each event once, in order within its key, or held."""

import asyncio
import functools
import random
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from itertools import count

import msgspec
import pytest
from structlog.testing import capture_logs

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.problems import NotBefore, NotYet
from services.chassis.clock import SetClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal import writer as writer_module
from services.chassis.journal.store import Batch, Entry, HoldKey
from services.chassis.journal.work import Arrival, Ask, Stopped, TakeIn
from services.chassis.journal.writer import Writer
from services.chassis.readers import reactor as reactor_module
from services.chassis.readers.reactor import LONGEST_PAUSE_S, LOOK_EVERY_S, PAGE, TRIES, Reactor
from services.chassis.service import Policy, Service
from tests.chassis.test_writer import FakeKeys, Faulty, in_postgres, in_sqlite
from tests.chassis.toy import EVENTS, RULES, Book, Do, Fill, Free, PurseFilled, SeatBooked, SeatFreed

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
HANGS_S = 30.0

ids = new_ids(count(1_800_000_000_000).__next__, random.Random(7))


@pytest.fixture(scope="module")
def database(postgres):
    return postgres.fresh_database()


@pytest.fixture(params=[in_sqlite, in_postgres])
def journal(request):
    """Opens one and the same journal, as often as it is called."""
    return request.param(request)


@pytest.fixture
def clock():
    return SetClock(NOW)


@pytest.fixture(autouse=True)
def _toy_events_can_be_read(monkeypatch):
    for name, kind in EVENTS.items():
        monkeypatch.setitem(envelopes.REGISTRY, name, kind)


@pytest.fixture(autouse=True)
def logs():
    """What was said meanwhile."""
    with capture_logs() as said:
        yield said


def told(story):
    """A test that is a coroutine; it fails when it hangs."""

    @functools.wraps(story)
    def test(*args, **kwargs):
        asyncio.run(asyncio.wait_for(story(*args, **kwargs), HANGS_S))

    return test


async def until(condition):
    """Wait for what is to come; it is asked for again and again."""
    async with asyncio.timeout(HANGS_S / 2):
        while not (await condition() if asyncio.iscoroutinefunction(condition) else condition()):
            await asyncio.sleep(0.001)


# The stage: a policy that does as it is told, and a reactor that runs it.


class Pays:
    """
    Pays a guest as many fen as the number of the seat that was booked.

    Of the seats named in `wrong` it raises that instead.
    """

    def __init__(self, **wrong):
        self.seen = []
        self.wrong = wrong

    async def __call__(self, event, envelope, facts):
        self.seen.append(event.seat_id)
        if event.seat_id in self.wrong:
            raise self.wrong[event.seat_id]
        return [Fill(event.guest_id, int(event.seat_id.strip("s")))]


class Facts:
    """What policies here look at: nothing."""

    def now(self):
        return NOW


def pay(react, name="pay", **more):
    return Policy(name, (SeatBooked,), react, **({"starts": "beginning"} | more))


class Stage:
    """A writer and a reactor, with whoever asks them."""

    def __init__(self, store, writer, reactor, clock):
        self.store, self.writer, self.reactor, self.clock = store, writer, reactor, clock

    async def book(self, *seats, guest="g", origin="live", tenant="t"):
        for seat in seats:
            command = Book(seat, guest)
            await self.writer.ask(Ask(command=command, tenant=tenant, actor="u", caller="u", origin=origin))

    async def settled(self):
        """Everything recorded was looked at."""
        await until(lambda: self.reactor.position == self.writer.position)

    def kept(self, position):
        """Whether the journal knows that the reactor has come so far."""

        async def is_kept():
            return (await self.store.checkpoints()).get("policy:pay") == position

        return is_kept

    async def later(self, seconds):
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))
        self.reactor.wake()

    async def held(self, policy="pay"):
        """The positions that wait, in order."""
        return [held.position for _, held in await self.store.held([policy])]

    async def nothing_held(self):
        return await self.held() == [] and self.reactor.waiting == 0

    async def first_try(self):
        """The oldest that is held."""
        return (await self.store.held(["pay"]))[0][1]

    async def tried(self, times):
        """So often, and the outcome is recorded."""

        async def so_often():
            held = await self.store.held(["pay"])
            return held and held[0][1].tries == times and self.reactor._retries

        await until(so_often)

    async def paid(self):
        """What guests were paid, in order."""
        found = [envelopes.read(entry.record) for entry in await self.store.read(0, 100_000)]
        return [envelopes.payload(one).fen for one in found if one.type == PurseFilled.__name__]


@asynccontextmanager
async def writing(store, clock):
    writer = Writer(RULES, store, clock=clock, new_id=ids, keys=FakeKeys())
    await writer.start()
    run = asyncio.create_task(writer.run())
    try:
        yield writer
    finally:
        writer.stop()
        await run


def reactor_on(store, writer, clock, *policies):
    async def views_have(position):
        pass

    service = Service(name="theatre", rules=RULES, policies=policies)
    return Reactor(service, store, writer, Facts(), clock, views_have=views_have)


@asynccontextmanager
async def reacting(store, clock, *policies):
    """A service that records and reacts; what ended its reactor is raised here."""
    async with writing(store, clock) as writer:
        reactor = reactor_on(store, writer, clock, *policies)
        writer.committed = lambda position: reactor.wake()
        run = asyncio.create_task(reactor.run())
        stage = Stage(store, writer, reactor, clock)
        try:
            await until(lambda: reactor._done or run.done())
            yield stage
        finally:
            run.cancel()
            with suppress(asyncio.CancelledError):
                await run


# Once.


@told
async def test_a_policy_acts_once_for_each_event_whatever_restarts(journal, clock):
    react = Pays()
    for restart in range(3):
        async with journal() as store, reacting(store, clock, pay(react)) as stage:
            await stage.book(f"s{restart}1", f"s{restart}2")
            await stage.settled()
            assert react.seen == [f"s{n}{seat}" for n in range(restart + 1) for seat in (1, 2)]
            assert await stage.paid() == [1, 2, 11, 12, 21, 22][: len(react.seen)]


class Killed(Exception):
    """The process is no more."""


class DiesAtCheckpoint:
    """A writer that records what is asked and is killed before it hears how far the reactor has come."""

    def __init__(self, writer):
        self._writer = writer

    def __getattr__(self, name):
        return getattr(self._writer, name)

    async def settle(self, done):
        if any(done.checkpoints.values()):
            raise Killed
        await self._writer.settle(done)

    def settle_soon(self, done):
        raise Killed


@told
async def test_killed_between_the_command_and_the_checkpoint_it_asks_again_and_nothing_is_done_twice(journal, clock):
    react = Pays()
    async with journal() as store, writing(store, clock) as writer:
        await Stage(store, writer, None, clock).book("s1", "s2")
        with pytest.raises(Killed):
            await reactor_on(store, DiesAtCheckpoint(writer), clock, pay(react)).run()
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.settled()
        assert react.seen == ["s1", "s2", "s1", "s2"]
        assert await stage.paid() == [1, 2]


@told
async def test_of_two_commands_the_first_is_not_repeated_when_the_second_fails(journal, clock):
    broken = [RuntimeError("not today")]

    async def react(event, envelope, facts):
        return [Fill(event.guest_id, 1), Do("other", broken[0] if broken else [])]

    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        await until(stage.held)
        broken.clear()
        await stage.later(1)
        await until(stage.nothing_held)
        assert await stage.paid() == [1]


@told
async def test_two_commands_of_one_kind_for_one_stream_are_refused_and_not_taken_for_repeats(journal, clock):
    async def react(event, envelope, facts):
        return [Fill("g", 1), Fill("g", 2)]

    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        await stage.settled()
        assert "two Fill of purse/g" in (await stage.first_try()).reason
        assert await stage.paid() == []


@told
async def test_what_is_asked_says_why_and_belongs_to_the_same_story(journal, clock):
    async with journal() as store, reacting(store, clock, pay(Pays())) as stage:
        await stage.book("s1", tenant="u")
        await stage.settled()
        cause, effect = [envelopes.read(entry.record) for entry in await store.read(0, 10)]
        assert (effect.causation_id, effect.correlation_id) == (cause.id, cause.correlation_id)
        assert (effect.actor, effect.tenant, effect.origin) == ("policy:pay", "u", "live")


# In order within a key; other keys go on.


@told
async def test_order_is_kept_within_a_key(journal, clock):
    seats = [f"s{n}" for n in range(1, 301)]
    react = Pays()
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        asks = [Ask(command=Book(seat, "g"), tenant="t", actor="u", caller="u") for seat in seats]
        await asyncio.gather(*[stage.writer.ask(ask) for ask in asks])
        await stage.settled()
        assert react.seen == seats
        assert await stage.paid() == list(range(1, 301))


@told
async def test_a_page_of_many_keys_is_asked_at_once_and_recorded_together(journal, clock):
    async with journal() as store:
        async with writing(store, clock) as writer:
            asks = [Ask(command=Book(f"s{n + 1}", f"g{n}"), tenant="t", actor="u", caller="u") for n in range(PAGE)]
            await asyncio.gather(*[writer.ask(ask) for ask in asks])
        faulty = Faulty(store)
        async with reacting(faulty, clock, pay(Pays())) as stage:
            await until(lambda: stage.reactor.position >= PAGE)
            await until(stage.kept(PAGE))
            # Where it begins; all that it asked; how far it came. A few may go first while the others are on the way.
            begins, *asked, came = faulty.commits
            assert (begins, sum(asked), came) == (0, PAGE, 0)
            assert len(asked) <= 2


@told
async def test_what_fails_holds_its_key_and_all_later_events_of_the_key_join_in_order(journal, clock):
    react = Pays(s1=RuntimeError("our bug"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", "s2")
        await stage.settled()
        await stage.book("s3")
        await stage.book("s4", guest="h")
        await stage.book("s5", tenant="other")
        await stage.settled()
        assert react.seen == ["s1", "s4", "s5"]
        assert await stage.paid() == [4, 5]
        assert await stage.held() == [1, 2, 3]
        assert (stage.reactor.waiting, stage.reactor.parked) == (3, 0)
        assert (await stage.first_try()).reason == "RuntimeError: our bug"


@told
async def test_success_lets_the_others_follow_in_order(journal, clock):
    react = Pays(s1=RuntimeError())
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", "s2", "s3")
        await stage.settled()
        react.wrong.clear()
        await stage.later(1)
        await until(stage.nothing_held)
        assert react.seen == ["s1", "s1", "s2", "s3"]
        assert await stage.paid() == [1, 2, 3]
        await stage.book("s4")
        await stage.settled()
        assert await stage.paid() == [1, 2, 3, 4]


@told
async def test_one_that_fails_while_it_follows_holds_the_rest(journal, clock):
    react = Pays(s1=RuntimeError(), s2=RuntimeError())
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", "s2", "s3")
        await stage.settled()
        del react.wrong["s1"]
        await stage.later(1)
        await until(lambda: stage.reactor.waiting == 2)
        first = await stage.first_try()
        assert (first.position, first.tries) == (2, 1)
        assert await stage.paid() == [1]


@told
async def test_holds_outlive_the_process(journal, clock):
    react = Pays(s1=RuntimeError())
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", "s2")
        await stage.settled()
    react.wrong.clear()
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        assert stage.reactor.waiting == 2
        await stage.book("s3")
        await stage.settled()
        assert react.seen == ["s1"]
        await stage.later(1)
        await until(stage.nothing_held)
        assert await stage.paid() == [1, 2, 3]


# Tried again, and parked.


@told
async def test_the_pauses_grow_and_then_the_key_is_parked_and_said(journal, clock, logs):
    react = Pays(s1=RuntimeError("our bug"))
    async with journal() as store, reacting(store, clock, pay(react), pay(other := Pays(), "other")) as stage:
        pauses = []
        await stage.book("s1", "s2")
        for tries in range(1, TRIES):
            await stage.tried(tries)
            held = await stage.first_try()
            assert (held.tries, held.parked) == (tries, False)
            pauses.append(held.retry_at - micros(clock.now()))
            clock.set(clock.now() + timedelta(microseconds=pauses[-1] - 1))
            await stage.book(f"unpaid{tries}", guest="h", origin="import")
            await stage.settled()
            assert len(react.seen) == tries
            await stage.later(0.000001)
        await until(lambda: stage.reactor.parked == 1)
        assert pauses == [min(2**n, LONGEST_PAUSE_S) * 1_000_000 for n in range(TRIES - 1)]
        assert 25 * 60 < sum(pauses) / 1_000_000 < 35 * 60
        parked = [log for log in logs if log["event"] == "reaction.parked"]
        assert [(log["policy"], log["key"], log["log_level"]) for log in parked] == [("pay", "g", "error")]
        await stage.later(10**6)
        await stage.settled()
        assert len(react.seen) == TRIES
        assert other.seen == ["s1", "s2"]
        events = {entry.position: envelopes.payload(entry.envelope()) for entry in await store.read(0, 10)}
        assert [events[position].seat_id for position in await stage.held()] == ["s1", "s2"]


@told
async def test_a_parked_key_stays_parked_over_a_restart_until_it_is_redriven(journal, clock):
    react = Pays(s1=RuntimeError())
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", "s2")
        for tries in range(1, TRIES):
            await stage.tried(tries)
            await stage.later(LONGEST_PAUSE_S)
        await until(lambda: stage.reactor.parked == 1)
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s3")
        await stage.settled()
        assert (stage.reactor.parked, stage.reactor.waiting, len(react.seen)) == (1, 3, TRIES)
        assert stage.reactor.redrive() == 1
        await until(lambda: stage.reactor.parked == 0)
        held = await stage.first_try()
        assert (held.tries, held.parked) == (1, False)
        react.wrong.clear()
        await stage.later(1)
        await until(stage.nothing_held)
        assert await stage.paid() == [1, 2, 3]
        assert stage.reactor.redrive() == 0


@told
async def test_a_fact_that_is_not_here_yet_is_waited_for(journal, clock, logs):
    react = Pays(s1=NotYet("who g is"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        await stage.settled()
        assert [log for log in logs if log["log_level"] == "error"] == []
        assert (await stage.first_try()).reason == "not yet: who g is"
        react.wrong.clear()
        await stage.later(1)
        await until(stage.nothing_held)
        assert await stage.paid() == [1]


@told
async def test_what_waits_for_a_fact_goes_on_at_once_when_something_of_its_key_is_recorded(journal, clock):
    """However long the pause is by then. Such a look is no try: it neither parks the key nor makes the pause longer."""
    react = Pays(s1=NotYet("who g is"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        for tries in range(1, TRIES - 1):
            await stage.tried(tries)
            await stage.later(LONGEST_PAUSE_S)
        await stage.tried(TRIES - 1)
        before, looks = await stage.first_try(), len(react.seen)
        for n in range(2, 6):
            await stage.book(f"s{n}")
            await until(lambda n=n: len(react.seen) == looks + n - 1)
        await stage.book("s7", guest="h")
        await until(lambda: "s7" in react.seen)
        await stage.settled()
        assert await stage.first_try() == before
        assert len(react.seen) == looks + 5, "what is recorded of another key brings no fact"
        react.wrong.clear()
        await stage.book("s6")
        await until(stage.nothing_held)
        assert await stage.paid() == [7, 1, 2, 3, 4, 5, 6]


@told
async def test_a_fact_that_comes_under_another_key_is_found_within_seconds(journal, clock):
    react = Pays(s1=NotYet("who g is"))
    async with journal() as store:
        async with reacting(store, clock, pay(react)) as stage:
            await stage.book("s1")
            for tries in range(1, TRIES - 1):
                await stage.tried(tries)
                await stage.later(LONGEST_PAUSE_S)
            await stage.tried(TRIES - 1)
            before, looks = await stage.first_try(), len(react.seen)
            for n in range(1, 4):
                await stage.later(LOOK_EVERY_S)
                await until(lambda n=n: len(react.seen) == looks + n and stage.reactor._retries)
            assert await stage.first_try() == before
        async with reacting(store, clock, pay(react)) as stage:
            react.wrong.clear()
            await stage.later(LOOK_EVERY_S)
            await until(stage.nothing_held)
            assert await stage.paid() == [1]


@told
async def test_what_failed_is_not_tried_sooner_because_more_of_its_key_comes(journal, clock):
    react = Pays(s1=RuntimeError("our bug"))
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        for tries in range(1, 6):
            await stage.tried(tries)
            await stage.later(LONGEST_PAUSE_S)
        await stage.tried(6)
        await stage.book("s2", "s3")
        await stage.settled()
        await stage.later(LOOK_EVERY_S)
        await stage.book("s4", guest="h")
        await until(lambda: "s4" in react.seen)
        assert react.seen == ["s1"] * 6 + ["s4"]


@told
async def test_what_is_not_to_be_before_a_time_waits_by_itself_until_then_and_keeps_no_other_waiting(journal, clock):
    react = Pays(s1=NotBefore(NOW + timedelta(hours=2), "it is night"))
    async with journal() as store:
        async with reacting(store, clock, pay(react)) as stage:
            await stage.book("s1", "s2")
            await stage.settled()
            assert await stage.paid() == [2]
            held = await stage.first_try()
            assert (held.tries, held.retry_at) == (0, micros(NOW + timedelta(hours=2)))
            react.wrong["s3"] = NotYet("a fact")
            await stage.book("s3", "s4")
            await stage.settled()
            react.wrong["s3"] = NotBefore(NOW + timedelta(hours=3), "it is night")
            await stage.later(1)
            await until(lambda: stage.reactor.waiting == 2)
            assert await stage.paid() == [2, 4]
        react.wrong.clear()
        async with reacting(store, clock, pay(react)) as stage:
            await stage.later(7_198)
            await stage.settled()
            assert (await stage.paid(), stage.reactor.waiting) == ([2, 4], 2)
            await stage.later(1)
            await until(lambda: stage.reactor.waiting == 1)
            await stage.later(3_600)
            await until(stage.nothing_held)
            assert await stage.paid() == [2, 4, 1, 3]


@told
async def test_a_decision_may_say_that_a_fact_is_not_here_yet(journal, clock, logs):
    async def react(event, envelope, facts):
        return [Do("other", NotYet("the view is old"))]

    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        await stage.settled()
        assert (await stage.first_try()).reason == "not yet: the view is old"
        assert [log for log in logs if log["log_level"] == "error"] == []


@told
async def test_a_rejected_command_is_settled(journal, clock):
    async def react(event, envelope, facts):
        return [Book(event.seat_id, "h")]

    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        await stage.settled()
        await stage.writer.ask(Ask(command=Free("s1"), tenant="t", actor="u", caller="u"))
        await stage.settled()
        assert await stage.held() == []
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.settled()
        types = [envelopes.read(entry.record).type for entry in await store.read(0, 10)]
        assert types == [SeatBooked.__name__, SeatFreed.__name__]


@told
async def test_when_the_clock_is_set_back_no_key_waits_for_the_old_time(journal, clock):
    react = Pays(s1=RuntimeError())
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1")
        await until(lambda: stage.reactor._retries)
        react.wrong.clear()
        await stage.later(-3_600)
        await until(stage.nothing_held)
        assert await stage.paid() == [1]


@told
async def test_a_long_hold_is_let_go_in_parts_and_with_few_reads(journal, clock, monkeypatch):
    monkeypatch.setattr(reactor_module, "RELEASED", 8)
    react = Pays(s1=RuntimeError())
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book(*[f"s{n}" for n in range(1, 41)])
        await stage.settled()
        await stage.book("s50", guest="h")
        react.wrong.clear()
        reads = []

        async def read(after, limit, real=store.read):
            reads.append((after, limit))
            return await real(after, limit)

        monkeypatch.setattr(store, "read", read)
        await stage.later(1)
        await until(stage.nothing_held)
        assert sorted(await stage.paid())[:40] == list(range(1, 41))
        assert react.seen == ["s1", "s50", *[f"s{n}" for n in range(1, 41)]]
        of_holds = [read for read in reads if read[1] < PAGE]
        assert of_holds == [read for n in range(0, 40, 8) for read in ((n, 1), (n + 1, 7))]


@told
async def test_a_journal_that_never_rests_keeps_no_held_key_waiting(journal, clock):
    """Each event here leads to another one, so there is always a next page."""
    going_on = asyncio.Event()

    async def chase(event, envelope, facts):
        number = int(event.seat_id[1:])
        return [] if going_on.is_set() else [Book(f"c{number + 1}", "chaser")]

    react = Pays(s1=RuntimeError())
    follow = Policy("chase", (SeatBooked,), lambda e, *more: chase(e, *more) if e.guest_id == "chaser" else nothing())
    only_g = pay(lambda e, *more: react(e, *more) if e.guest_id == "g" else nothing())
    async with journal() as store, reacting(store, clock, only_g, follow) as stage:
        await stage.book("s1")
        await stage.settled()
        react.wrong.clear()
        await stage.book("c1", guest="chaser")
        await stage.later(1)
        await until(lambda: stage.reactor.waiting == 0)
        assert not going_on.is_set()
        going_on.set()
        await stage.settled()


async def nothing():
    return []


@told
async def test_what_comes_while_it_rests_is_looked_at_together(journal, clock):
    """However slow this machine is: there can be no more pages than rests."""
    react, pages = Pays(), []

    async def counted(position):
        pages.append(position)

    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        stage.reactor.rests_s = 0.1
        stage.reactor._views_have = counted
        loop = asyncio.get_running_loop()
        begun = loop.time()
        for number in range(30):
            await stage.book(f"s{number}")
        await stage.settled()
        assert sorted(react.seen) == sorted(f"s{number}" for number in range(30))
        assert len(pages) <= (loop.time() - begun) / 0.1 + 1


# What it does not act on.


@told
async def test_imported_history_does_not_act(journal, clock):
    react = Pays()
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.book("s1", origin="import")
        await stage.book("s2")
        await stage.settled()
        assert react.seen == ["s2"]


@told
async def test_a_stale_event_is_passed_over(journal, clock):
    react = Pays()
    policy = pay(react, stale_after=timedelta(hours=1))
    async with journal() as store:
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s1")
        clock.set(NOW + timedelta(minutes=30))
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s2")
        clock.set(NOW + timedelta(minutes=61))
        async with reacting(store, clock, policy) as stage:
            await stage.settled()
            assert react.seen == ["s2"]


@told
async def test_an_event_that_became_stale_while_it_was_held_is_passed_over(journal, clock):
    react = Pays(s1=NotYet("never"))
    async with journal() as store, reacting(store, clock, pay(react, stale_after=timedelta(minutes=5))) as stage:
        await stage.book("s1", "s2")
        await until(lambda: stage.reactor.has_tried(stage.writer.position))
        looks = list(react.seen)
        await stage.later(301)
        await until(stage.nothing_held)
        assert (react.seen, set(looks), await stage.paid()) == (looks, {"s1"}, [])


def foreign(data, kind="SeatBooked"):
    at = {"time": NOW, "recorded_at": NOW}
    names = {"stream": "seat/x", "subject": "seat/x", "partition_key": "x", "correlation_id": "x"}
    envelope = Envelope(
        id=ids(),
        source="/c1/opera/1",
        type=kind,
        tenant="t",
        version=1,
        public_version=1,
        position="1",
        actor="u",
        data=msgspec.Raw(msgspec.json.encode(data)),
        **at,
        **names,
    )
    return TakeIn([Arrival(envelope, msgspec.json.encode(envelope))], {})


@told
async def test_an_event_that_cannot_be_read_holds_its_key_and_nothing_else(journal, clock):
    react = Pays()
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.writer.take_in(foreign({"seat_id": 5}))
        await stage.book("s2")
        await stage.settled()
        ((key, held),) = await store.held(["pay"])
        assert (key, held.position) == (HoldKey("pay", "t", "x"), 1)
        assert "seat_id" in held.reason
        assert react.seen == ["s2"]


@told
async def test_an_event_of_a_type_that_this_release_does_not_know_is_nobodys(journal, clock):
    react = Pays()
    async with journal() as store, reacting(store, clock, pay(react)) as stage:
        await stage.writer.take_in(foreign({}, kind="SeatReupholstered"))
        await stage.book("s2")
        await stage.settled()
        assert (await stage.held(), react.seen) == ([], ["s2"])


@told
async def test_what_is_no_record_is_said_and_stops_nobody(journal, clock, logs):
    react = Pays()
    async with journal() as store:
        damaged = Entry(1, "e-1", "t", "opera:seat/x", 1, "x", b"", b"{ no record")
        await store.commit(Batch(entries=[damaged]), after=0)
        async with reacting(store, clock, pay(react)) as stage:
            await stage.book("s2")
            await stage.settled()
        assert react.seen == ["s2"]
        assert [log["position"] for log in logs if log["event"] == "reaction.unreadable"] == [1]


# Where a policy begins.


@told
async def test_a_new_policy_starts_now_or_at_the_beginning_as_it_says_and_keeps_where_it_began(journal, clock):
    from_now, from_first = Pays(), Pays()
    policies = (pay(from_now, starts="now"), pay(from_first, "all"))
    async with journal() as store:
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s1")
        async with reacting(store, clock, *policies):
            pass
        async with writing(store, clock) as writer:  # while no reactor runs
            await Stage(store, writer, None, clock).book("s2")
        async with reacting(store, clock, *policies) as stage:
            await stage.settled()
            assert from_now.seen == ["s2"]
            assert set(from_first.seen) == {"s1", "s2"}


@told
async def test_what_is_recorded_before_a_new_reactor_has_begun_is_new_to_it(journal, clock):
    react = Pays()
    async with journal() as store, writing(store, clock) as writer:
        reactor = reactor_on(store, writer, clock, pay(react, starts="now"))
        stage = Stage(store, writer, reactor, clock)
        await stage.book("s1")
        run = asyncio.create_task(reactor.run())
        await until(lambda: react.seen)
        assert react.seen == ["s1"]
        run.cancel()


@told
async def test_a_policy_that_is_behind_catches_up_and_the_others_neither_repeat_nor_wait(journal, clock):
    old, new = Pays(), Pays()
    async with journal() as store:
        async with reacting(store, clock, pay(old)) as stage:
            await stage.book(*[f"s{n}" for n in range(1, 4)])
            asks = [Ask(command=Fill("h", 1), tenant="t", actor="u", caller="u") for _ in range(3 * PAGE)]
            await asyncio.gather(*[stage.writer.ask(ask) for ask in asks])
            await stage.book("s4")
            await stage.settled()
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s5")
        order = []

        def noting(name, react):
            def noted(event, *more):
                order.append((name, event.seat_id))
                return react(event, *more)

            return noted

        async with reacting(store, clock, pay(noting("old", old)), pay(noting("new", new), "new")) as stage:
            await stage.settled()
            assert old.seen == new.seen == ["s1", "s2", "s3", "s4", "s5"]
            # The one that stands at the end acts at once, while the new one is pages behind.
            assert order.index(("old", "s5")) < order.index(("new", "s4"))


# What it costs, and how it ends.


async def fill(writer, times):
    for _ in range(times):
        await writer.ask(Ask(command=Fill("h", 1), tenant="t", actor="u", caller="u"))


@told
async def test_what_concerns_no_policy_costs_no_commit_until_it_is_much(journal, clock, monkeypatch):
    monkeypatch.setattr(reactor_module, "MOST_CARRIED", 20)
    async with journal() as store:
        faulty = Faulty(store)
        async with reacting(faulty, clock, pay(Pays())) as stage:
            begun = faulty.commits.count(0)
            for _ in range(19):
                await fill(stage.writer, 1)
                await stage.settled()
            assert faulty.commits.count(0) == begun
            await fill(stage.writer, 1)
            await until(stage.kept(20))
            assert faulty.commits.count(0) == begun + 1


@told
async def test_how_far_it_came_is_recorded_with_what_comes_next(journal, clock, monkeypatch):
    monkeypatch.setattr(writer_module, "SOON_S", HANGS_S)
    async with journal() as store:
        faulty = Faulty(store)
        async with reacting(faulty, clock, pay(Pays())) as stage:
            await stage.book("s1")
            await stage.settled()
            commits = len(faulty.commits)
            await stage.book("s2")
            assert faulty.commits[commits:] == [1]
            assert (await store.checkpoints())["policy:pay"] == 1


@told
async def test_the_end_of_the_writer_ends_the_reactor_and_holds_nothing(journal, clock, logs):
    asked = asyncio.Event()

    async def react(event, envelope, facts):
        asked.set()
        await stopped.wait()
        return [Fill("g", 1)]

    stopped = asyncio.Event()
    async with journal() as store:
        async with writing(store, clock) as writer:
            reactor = reactor_on(store, writer, clock, pay(react))
            run = asyncio.create_task(reactor.run())
            await until(lambda: reactor._done)
            await Stage(store, writer, reactor, clock).book("s1")
            reactor.wake()
            await asked.wait()
        stopped.set()
        with pytest.raises(Stopped):
            await run
        assert (await store.held(["pay"]), logs) == ([], [])
        assert (await store.checkpoints())["policy:pay"] == 0
        again = Pays()
        async with reacting(store, clock, pay(again)) as stage:
            await stage.settled()
            assert again.seen == ["s1"]


@told
async def test_the_views_are_as_new_as_the_event_before_anybody_looks_at_them(journal, clock):
    seen = []

    async def views_have(position):
        seen.append(position)

    async def react(event, envelope, facts):
        assert seen
        return []

    async with journal() as store, writing(store, clock) as writer:
        service = Service(name="theatre", rules=RULES, policies=(pay(react),))
        reactor = Reactor(service, store, writer, Facts(), clock, views_have=views_have)
        await Stage(store, writer, reactor, clock).book("s1")
        run = asyncio.create_task(reactor.run())
        await until(lambda: reactor.position == 1)
        assert (seen, reactor.waiting) == ([1], 0)
        run.cancel()


@told
async def test_woken_and_cancelled_at_once_it_ends(journal, clock):
    async with journal() as store, writing(store, clock) as writer:
        await Stage(store, writer, None, clock).book("s1")
        reactor = reactor_on(store, writer, clock, pay(Pays(s1=RuntimeError())))
        run = asyncio.create_task(reactor.run())
        await until(lambda: reactor.waiting and reactor._wake._waiters)
        reactor.wake()
        run.cancel()
        await asyncio.wait([run], timeout=10)
        assert run.cancelled()


@told
async def test_a_service_without_policies_has_nothing_to_run(journal, clock):
    async with journal() as store, writing(store, clock) as writer:
        await reactor_on(store, writer, clock).run()


def test_where_a_policy_stands_is_kept_under_its_name():
    """For ever: under another one it would begin anew."""
    assert reactor_module.checkpoint_of(pay(Pays(), "follow-request")) == "policy:follow-request"
