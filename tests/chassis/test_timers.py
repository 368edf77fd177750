"""What the timers keep to: each deadline acts once, in order, and one that fails delays no other."""

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta

import pytest
from structlog.testing import capture_logs

from contracts import envelope as envelopes
from services.chassis.clock import SetClock
from services.chassis.journal.store import TimerKey
from services.chassis.journal.work import Ask, Bug, Stopped
from services.chassis.readers import timers as timers_module
from services.chassis.readers.timers import LONGEST_PAUSE_S, PAGE, Timers
from tests.chassis.test_reactor import HANGS_S, NOW, told, until, writing
from tests.chassis.test_writer import Faulty, in_postgres, in_sqlite
from tests.chassis.toy import EVENTS, Book, Do, Fill, Free, Postpone

FAR = 2**62


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


# The stage: bookings that must be paid in time, and a fine for whoever did not.


def fine(key, timer):
    """Fills the purse of a guest called like the seat."""
    return Fill(key.key, 1)


def ask(command, **more):
    return Ask(command=command, tenant="t", actor="u", caller="u", **more)


class Stage:
    """A writer and timers, with whoever asks them."""

    def __init__(self, store, writer, timers, clock):
        self.store, self.writer, self.timers, self.clock = store, writer, timers, clock

    async def book(self, *seats, within=0, **more):
        """Seats that must be paid in so many seconds."""
        pay_by = self.clock.now() + timedelta(seconds=within)
        for seat in seats:
            await self.writer.ask(ask(Book(seat, "g", pay_by=pay_by), **more))
        if self.timers:
            self.timers.wake()

    async def later(self, seconds):
        self.clock.set(self.clock.now() + timedelta(seconds=seconds))
        self.timers.wake()

    async def armed(self):
        return [key.key for key, _ in await self.store.due(FAR, 100_000)]

    async def none_armed(self):
        # The store shows a commit a moment before the journal gives what it recorded.
        return await self.armed() == [] and self.writer.position == (await self.store.head()).position

    async def fined(self):
        """Whose deadline was missed, in order."""
        found = [envelopes.read(entry.record) for entry in await self.store.read(0, 1_000_000)]
        return [one.partition_key.partition("/")[2] for one in found if one.type == "PurseFilled"]


@asynccontextmanager
async def timing(store, clock, **commands):
    """A service that records and has deadlines; what ended its timers is raised here."""
    async with writing(store, clock) as writer:
        timers = Timers(commands or {"unpaid": fine}, store, writer, clock)
        run = asyncio.create_task(timers.run())
        try:
            yield Stage(store, writer, timers, clock)
        finally:
            run.cancel()
            with suppress(asyncio.CancelledError):
                await run


# Once, in order.


@told
async def test_a_deadline_acts_when_it_is_due_and_not_before(journal, clock):
    async with journal() as store, timing(store, clock) as stage:
        await stage.book("s1", within=60)
        await stage.later(59)
        await stage.book("s2")
        await until(lambda: stage.writer.position == 3)
        assert await stage.fined() == ["s2"]
        await stage.later(1)
        await until(stage.none_armed)
        assert await stage.fined() == ["s2", "s1"]


@told
async def test_those_that_are_due_act_in_the_order_in_which_they_became_due(journal, clock):
    async with journal() as store:
        async with writing(store, clock) as writer:
            stage = Stage(store, writer, None, clock)
            for seconds in (30, 10, 20):
                await stage.book(f"s{seconds}", within=seconds)
        clock.set(NOW + timedelta(hours=1))
        async with timing(store, clock) as stage:
            await until(stage.none_armed)
            assert await stage.fined() == ["s10", "s20", "s30"]


@told
async def test_what_it_records_names_the_event_that_set_it_and_whose_clock_it_was(journal, clock):
    async with journal() as store, timing(store, clock) as stage:
        await stage.book("s1")
        await until(stage.none_armed)
        cause, effect = [envelopes.read(entry.record) for entry in await store.read(0, 10)]
        assert (effect.causation_id, effect.actor, effect.tenant) == (cause.id, "timer:unpaid", "t")


@told
async def test_killed_right_after_its_commit_it_does_not_act_again(journal, clock):
    """The commit took effect, and nobody was told."""
    async with journal() as store:
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s1")
        dying = Dies(store)
        with suppress(ConnectionError):
            async with timing(dying, clock) as stage:
                await asyncio.wait_for(dying.dead.wait(), 10)
    async with journal() as store, timing(store, clock) as stage:
        await until(stage.none_armed)
        await stage.book("s2")
        await until(stage.none_armed)
        assert await stage.fined() == ["s1", "s2"]


class Dies:
    """A store whose process is killed right after its first commit."""

    def __init__(self, store):
        self._store = store
        self.dead = asyncio.Event()

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def commit(self, batch, after):
        await self._store.commit(batch, after)
        self.dead.set()
        raise ConnectionError

    async def head(self):
        if self.dead.is_set():
            raise ConnectionError
        return await self._store.head()


@told
async def test_a_command_that_was_recorded_while_its_timer_stayed_is_not_done_again(journal, clock):
    """As after a restore that brought the timer back: its key was answered before."""
    async with journal() as store:
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s1")
            ((key, timer),) = await store.due(FAR, 10)
            done = {"actor": "timer:unpaid", "caller": "timer:unpaid", "key": f"s1/{timer.event_id}", "derived": True}
            await writer.ask(Ask(command=fine(key, timer), tenant="t", **done))
        async with timing(store, clock) as stage:
            await until(stage.none_armed)
            assert await stage.fined() == ["s1"]


@told
async def test_when_the_clock_is_set_back_nothing_acts_a_second_time(journal, clock):
    async with journal() as store, timing(store, clock) as stage:
        await stage.book("s1", within=10)
        await stage.later(10)
        await until(stage.none_armed)
        await stage.later(-3_600)
        await stage.book("s2", within=60)
        await stage.later(60)
        await until(stage.none_armed)
        await stage.later(3_600)
        assert await stage.fined() == ["s1", "s2"]


# Set anew, settled, never set.


@told
async def test_a_deadline_that_is_set_anew_while_it_acts_is_still_to_come(journal, clock):
    moved = []

    def slow(key, timer):
        """Before the command is asked, the deadline is moved."""
        if not moved:
            moved.append(asyncio.ensure_future(stage.writer.ask(ask(Postpone("s1", NOW + timedelta(hours=1))))))
        return fine(key, timer)

    async with journal() as store, timing(store, clock, unpaid=slow) as stage:
        await stage.book("s1")
        await until(lambda: stage.writer.position == 3)
        assert await stage.armed() == ["s1"]
        await stage.later(3_600)
        await until(stage.none_armed)
        assert await stage.fined() == ["s1", "s1"]


@told
async def test_a_deadline_that_was_kept_is_forgotten(journal, clock):
    async with journal() as store, timing(store, clock) as stage:
        await stage.book("s1", "s2", within=10)
        await stage.writer.ask(ask(Free("s1")))
        await stage.later(10)
        await until(stage.none_armed)
        assert await stage.fined() == ["s2"]


@told
async def test_imported_history_sets_none(journal, clock):
    async with journal() as store, timing(store, clock) as stage:
        await stage.book("s1", origin="import", happened_at=NOW - timedelta(days=5_000))
        assert await stage.none_armed()


# What fails, and what nobody knows.


class Fails:
    """Fines, but those seats it cannot."""

    def __init__(self, *seats):
        self.seats = set(seats)
        self.tried = []

    def __call__(self, key, timer):
        self.tried.append(key.key)
        return Do(key.key, RuntimeError("our bug")) if key.key in self.seats else fine(key, timer)


def failures(logs):
    return [log["again_in_s"] for log in logs if log["event"] == "timer.failed"]


@told
async def test_one_that_fails_is_tried_again_with_growing_pauses_and_never_given_up(journal, clock, logs):
    fails = Fails("s1")
    async with journal() as store, timing(store, clock, unpaid=fails) as stage:
        await stage.book("s1")
        for tries in range(1, 13):
            await until(lambda tries=tries: len(failures(logs)) == tries)
            await stage.later(failures(logs)[-1] - 0.001)
            await stage.book(f"s{tries + 1}")  # which shows that it looked
            await until(lambda tries=tries: f"s{tries + 1}" in fails.tried)
            assert len(failures(logs)) == tries
            await stage.later(0.001)
        assert failures(logs)[:12] == [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, LONGEST_PAUSE_S]
        await until(lambda: len(failures(logs)) == 13)
        fails.seats.clear()
        await stage.later(LONGEST_PAUSE_S)
        await until(stage.none_armed)
        assert sorted(await stage.fined()) == sorted(f"s{n}" for n in range(1, 14))


@told
async def test_those_that_fail_keep_no_other_waiting_however_many_they_are(journal, clock, logs, monkeypatch):
    monkeypatch.setattr(timers_module, "PAGE", 10)
    fails = Fails(*[f"s{n}" for n in range(35)])
    async with journal() as store:
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book(*[f"s{n}" for n in range(35)])
            clock.set(NOW + timedelta(seconds=1))
            await Stage(store, writer, None, clock).book("s99")
        async with timing(store, clock, unpaid=fails) as stage:
            await until(lambda: stage.writer.position == 37)
            assert await stage.fined() == ["s99"]
            await until(lambda: len(failures(logs)) == 35)


@told
async def test_one_that_failed_and_is_set_anew_begins_anew(journal, clock, logs):
    fails = Fails("s1")
    async with journal() as store, timing(store, clock, unpaid=fails) as stage:
        await stage.book("s1")
        await until(lambda: failures(logs) == [1])
        fails.seats.clear()
        await stage.writer.ask(ask(Postpone("s1", NOW)))
        stage.timers.wake()
        await until(stage.none_armed)
        assert await stage.fined() == ["s1"]


@told
async def test_when_the_clock_is_set_back_one_that_failed_does_not_wait_for_the_old_time(journal, clock, logs):
    fails = Fails("s1")
    async with journal() as store, timing(store, clock, unpaid=fails) as stage:
        await stage.book("s1", within=-7_200)
        await until(lambda: failures(logs) == [1])
        fails.seats.clear()
        await stage.later(-3_600)
        await until(stage.none_armed)
        assert await stage.fined() == ["s1"]


@told
async def test_a_timer_that_this_release_does_not_know_is_said_once_and_stays(journal, clock, logs):
    async with journal() as store:
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s1", "s2", within=-1)
        faulty = Faulty(store)
        async with timing(faulty, clock, unheard_of=fine) as stage:
            await until(lambda: [log for log in logs if log["event"] == "timer.unknown"])
            for _ in range(5):
                await stage.later(400)
                await stage.book(f"seen{clock.now()}")
            assert len([log for log in logs if log["event"] == "timer.unknown"]) == 1
            assert len(faulty.commits) == 5
        assert (await stage.armed())[:2] == ["s1", "s2"]
        async with timing(store, clock) as stage:
            await until(stage.none_armed)
            assert (await stage.fined())[:2] == ["s1", "s2"]


@told
async def test_a_rejected_command_settles_its_timer(journal, clock, logs):
    async with journal() as store, timing(store, clock, unpaid=lambda key, timer: Book(key.key, "h")) as stage:
        await stage.book("s1")
        await until(stage.none_armed)
        await until(lambda: [log["code"] for log in logs if log["event"] == "timer.rejected"] == ["seat.taken"])


@told
async def test_a_command_that_cannot_even_be_made_is_tried_again_too(journal, clock, logs):
    wrong = [Bug("no such seat")]

    def make(key, timer):
        if wrong:
            raise wrong[0]
        return fine(key, timer)

    async with journal() as store, timing(store, clock, unpaid=make) as stage:
        await stage.book("s1")
        await until(lambda: failures(logs) == [1])
        wrong.clear()
        await stage.later(1)
        await until(stage.none_armed)
        assert await stage.fined() == ["s1"]


@told
async def test_the_end_of_the_writer_ends_the_timers_and_the_deadline_stays(journal, clock):
    async with journal() as store:
        async with writing(store, clock) as writer:
            await Stage(store, writer, None, clock).book("s1")
        timers = Timers({"unpaid": fine}, store, writer, clock)
        with pytest.raises(Stopped):
            await timers.run()
        assert [key for key, _ in await store.due(FAR, 10)] == [TimerKey("t", "unpaid", "s1")]


@told
async def test_woken_and_cancelled_at_once_it_ends(journal, clock):
    async with journal() as store, writing(store, clock) as writer:
        timers = Timers({"unpaid": fine}, store, writer, clock)
        run = asyncio.create_task(timers.run())
        await until(lambda: timers._wake._waiters)
        timers.wake()
        run.cancel()
        await asyncio.wait([run], timeout=10)
        assert run.cancelled()


@told
async def test_a_service_without_deadlines_has_nothing_to_run(journal, clock):
    async with journal() as store, writing(store, clock) as writer:
        await Timers({}, store, writer, clock).run()


@told
async def test_many_that_are_due_at_once_all_act_once_a_page_in_a_commit_without_a_pause(journal, clock, monkeypatch):
    monkeypatch.setattr(timers_module, "LOOK_EVERY_S", 2 * HANGS_S)
    monkeypatch.setattr(timers_module, "AT_LATEST_S", 2 * HANGS_S)
    seats = [f"s{n:05}" for n in range(3 * PAGE)]
    async with journal() as store:
        async with writing(store, clock) as writer:
            await asyncio.gather(*[writer.ask(ask(Book(seat, "g", pay_by=NOW))) for seat in seats])
        faulty = Faulty(store)
        async with timing(faulty, clock) as stage:
            await until(stage.none_armed)
            assert sorted(await stage.fined()) == seats
            assert sum(faulty.commits) == len(seats)
            assert len(faulty.commits) <= 7
