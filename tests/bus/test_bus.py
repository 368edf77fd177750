"""What the services rely on whatever bus is between them; then what only Kafka has."""

import asyncio
import inspect
import os
import shutil
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from contracts import envelope as envelopes
from contracts.intake import NumberGiven, RequestClosed
from contracts.topics import dead_letter_topic, journal_topic, public_topic
from services.chassis.bus import ingest as ingest_module
from services.chassis.bus.embedded import EmbeddedFeed
from services.chassis.bus.feed import Page
from services.chassis.bus.ingest import arrival_of
from services.chassis.bus.kafka import KafkaDeadLetters, Message, NotSent, Outlet, Waiting, ensure_topics, waiting_in
from services.chassis.bus.publisher import CHECKPOINT
from services.chassis.journal.postgres import TTL_S
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import NotCommitted
from services.chassis.journal.work import Arrival, Settle, TakeIn
from services.chassis.journal.writer import Writer
from tests.bus.harness import (
    MIB,
    PUBLISHER,
    READER,
    Bus,
    Embedded,
    Kafka,
    Node,
    forged,
    node,
    numbers,
    received,
    run,
    until,
)


def files(folder: Path) -> tuple[Path, Path]:
    return folder / "intake.journal", folder / "dispatcher.journal"


def in_rounds(rounds: int, requests: int = 5, first: int = 0) -> list[Any]:
    """Events of several requests in turns; each request's are numbered."""
    return [received(f"r-{r}", n) for n in range(first, first + rounds) for r in range(requests)]


class Commits:
    """A writer, and how many records each commit took in."""

    def __init__(self, writer: Writer) -> None:
        self._writer, self.arrivals = writer, list[int]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._writer, name)

    async def take_in(self, batch: TakeIn) -> None:
        await self._writer.take_in(batch)
        self.arrivals.append(len(batch.arrivals))


async def first_offset(letters: KafkaDeadLetters) -> int:
    consumer = AIOKafkaConsumer(**letters._cluster.clients)
    await consumer.start()
    try:
        [first] = (await consumer.beginning_offsets([TopicPartition(letters._topic, 0)])).values()
        return int(first)
    finally:
        await consumer.stop()


class TestBothBuses:
    def test_what_is_published_is_taken_in_as_the_same_bytes_in_order_per_key(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake) as (ingest, _):
                await intake.say(*in_rounds(20))
                await until(lambda: dispatcher.has(100))
                await until(lambda: set(ingest.state.behind.values()) == {0})
            assert numbers(await dispatcher.records()) == {f"r-{r}": list(range(20)) for r in range(5)}
            assert set(await dispatcher.records()) == set(await intake.records())

        between_two(tmp_path, story)

    def test_what_comes_while_taking_in_rests_is_one_commit(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            commits = Commits(dispatcher.writer)
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake, writer=commits, pause_s=60):
                await intake.say(received("r-1"))
                await until(lambda: dispatcher.has(1))
                for number in range(1, 5):
                    await intake.say(received("r-1", number))
            # Told to end, it does not sit its rest out, and what came meanwhile is still there to be read.
            assert commits.arrivals == [1]
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake, writer=commits, pause_s=0.5):
                await until(lambda: dispatcher.has(5))

        between_two(tmp_path, story)

    def test_only_public_events_that_are_the_publishers_own_are_seen(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake) as (ingest, feed):
                of_another = envelopes.read(forged(1, "r-9", source="/c1/fieldwork/1"))
                await intake.writer.take_in(TakeIn([arrival(of_another)], {}))
                await intake.say(received("r-1"))
                await intake.say(NumberGiven(day="2026-11-24", request_id="r-1"))
                await until(lambda: dispatcher.has(1))
                if isinstance(bus, Embedded):  # it has come over the internal one, though no commit says so yet
                    await until(lambda: ingest.state.offsets == {PUBLISHER: 4})
            assert [record.value for record in feed.seen] == await dispatcher.records()
            assert numbers(await dispatcher.records()) == {"r-1": [0]}
            assert ingest.state.dead_letters == 0

        between_two(tmp_path, story)

    def test_an_unwanted_type_leaves_no_hole_in_its_stream(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake):
                await intake.say(received("r-1", 1))
                await intake.say(RequestClosed(request_id="r-1", outcome="completed"))
                await intake.say(received("r-1", 2))
                await until(lambda: dispatcher.has(2))
            assert numbers(await dispatcher.records()) == {"r-1": [1, 2]}

        between_two(tmp_path, story)

    def test_repeats_are_dropped(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake):
                async with bus.taking_in(dispatcher, intake):
                    await intake.say(*in_rounds(3))
                    await until(lambda: dispatcher.has(15))
                taken = await dispatcher.records()
                await bus.forget_offsets(dispatcher)
                async with bus.taking_in(dispatcher, intake) as (_, feed):
                    await until(lambda: len(feed.seen) == 15)
                    await intake.say(received("r-9"))
                    await until(lambda: dispatcher.has(16))
            assert (await dispatcher.records())[:15] == taken

        between_two(tmp_path, story)

    def test_after_a_restart_it_goes_on_at_the_stored_offset(self, bus: Bus, tmp_path: Path) -> None:
        async def story() -> None:
            intake_file, dispatcher_file = files(tmp_path)
            async with node(PUBLISHER, intake_file) as intake, bus.publishing(intake):
                async with node(READER, dispatcher_file) as dispatcher, bus.taking_in(dispatcher, intake):
                    await intake.say(*in_rounds(3))
                    await until(lambda: dispatcher.has(15))
                await intake.say(*in_rounds(2, first=3))
                async with node(READER, dispatcher_file) as dispatcher:
                    async with bus.taking_in(dispatcher, intake) as (_, feed):
                        await until(lambda: dispatcher.has(25))
                    assert numbers(await dispatcher.records()) == {f"r-{r}": list(range(5)) for r in range(5)}
                    assert {number for n in numbers([r.value for r in feed.seen]).values() for number in n} == {3, 4}

        run(story())

    def test_a_restored_journal_reads_again_what_it_lost(self, bus: Bus, tmp_path: Path) -> None:
        async def story() -> None:
            intake_file, dispatcher_file = files(tmp_path)
            async with node(PUBLISHER, intake_file) as intake, bus.publishing(intake):
                async with node(READER, dispatcher_file) as dispatcher, bus.taking_in(dispatcher, intake):
                    await intake.say(*in_rounds(2))
                    await until(lambda: dispatcher.has(10))
                backup = shutil.copy(dispatcher_file, tmp_path / "backup")
                async with node(READER, dispatcher_file) as dispatcher, bus.taking_in(dispatcher, intake):
                    await intake.say(*in_rounds(2, first=2))
                    await until(lambda: dispatcher.has(20))
                for part in tmp_path.glob(f"{dispatcher_file.name}*"):
                    part.unlink()
                shutil.copy(backup, dispatcher_file)
                async with node(READER, dispatcher_file) as dispatcher:
                    assert await dispatcher.has(10) and not await dispatcher.has(11)
                    async with bus.taking_in(dispatcher, intake):
                        await until(lambda: dispatcher.has(20))
                    assert numbers(await dispatcher.records()) == {f"r-{r}": list(range(4)) for r in range(5)}

        run(story())

    def test_what_nobody_can_read_is_put_aside_with_the_reason_and_the_next_is_taken_in(
        self, bus: Bus, tmp_path: Path
    ) -> None:
        unreadable = [b"{", b'{"id": "\xff"}', forged(1, source="/c1/quality/1"), forged(1, source="intake")]

        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake) as (ingest, _):
                await intake.say(received("r-1", 1))
                await until(lambda: dispatcher.has(1))
                await bus.put(intake, *unreadable)
                await until(lambda: ingest.state.dead_letters == 4)
                await intake.say(received("r-1", 2))
                await until(lambda: dispatcher.has(2))
                letters = await bus.letters()
            assert [letter.value for letter in letters] == unreadable
            reasons = ["truncated", "utf-8", "published by intake, but its source is /c1/quality/1", "source is intake"]
            for letter, reason in zip(letters, reasons, strict=True):
                assert reason in letter.reason
            kept = bus.dead_letters()
            found = await kept.all()
            await kept.close()
            assert [letter.record.value for letter in found] == unreadable
            assert [letter.reason for letter in found] == [letter.reason for letter in letters]
            assert {letter.record.service for letter in found} == {PUBLISHER}
            assert {letter.record.partition for letter in found} <= set(bus.partitions)
            assert await dispatcher.journal.offsets() == ingest.state.offsets

        between_two(tmp_path, story)

    def test_letters_that_name_a_forgotten_person_are_emptied(self, bus: Bus, tmp_path: Path) -> None:
        unreadable = [b"{ c-her", b"{ somebody else", b"{ also c-her"]

        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake) as (ingest, _):
                await intake.say(received("r-1", 1))
                await until(lambda: dispatcher.has(1))
                await bus.put(intake, *unreadable)
                await until(lambda: ingest.state.dead_letters == 3)
                kept = bus.dead_letters()

                async def forget(*persons: str) -> int:
                    done = kept.forget(persons)
                    return await done if inspect.isawaitable(done) else done

                assert await forget("c-nobody") == 0
                before = await kept.all()
                assert await forget("c-her") == 2
                after = await kept.all()
                assert [one.record.value for one in after] == [b"", unreadable[1], b""]
                places = [[(one.record.partition, one.record.offset) for one in some] for some in (before, after)]
                assert places[0] == places[1], "each keeps its place, by which it is redriven or discarded"
                assert after[1] == before[1] and "forgotten" in after[0].reason
                if isinstance(kept, KafkaDeadLetters):
                    assert await first_offset(kept) == 3, "what was there before cannot be read any more"
                assert await forget("c-her") == 0
                await kept.close()
                await intake.say(received("r-1", 2))
                await until(lambda: dispatcher.has(2))

        between_two(tmp_path, story)

    def test_too_many_unreadable_in_a_row_stop_it_before_they_are_passed(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            await bus.put(intake, *[b"{"] * 99, forged(1), *[b"{"] * 100)
            async with bus.taking_in(dispatcher, intake) as (ingest, _):
                await until(lambda: ingest.state.stopped)
                assert ingest.state.stopped.startswith("100 messages in a row could not be read")
            assert len(await bus.letters()) == 199
            # One who has read on may set the limit higher, or first repair what made them unreadable.
            async with bus.taking_in(dispatcher, intake, most_in_a_row=1000) as (ingest, feed):
                await until(lambda: dispatcher.has(1))
                assert len(feed.seen) == 200

        between_two(tmp_path, story)

    def test_a_hole_stops_it_and_nothing_after_it_is_taken_in(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            await bus.put(intake, forged(1), forged(3))
            async with bus.taking_in(dispatcher, intake) as (ingest, _):
                await until(lambda: ingest.state.stopped)
                assert "goes on with its public version 3 after 1" in ingest.state.stopped
            assert await dispatcher.journal.offsets() == {}

        between_two(tmp_path, story)

    def test_a_fork_stops_it_and_nothing_after_it_is_taken_in(self, bus: Bus, tmp_path: Path) -> None:
        """A publisher that was set back to an older state and went on: the same version is another event now."""

        async def story(intake: Node, dispatcher: Node) -> None:
            first, other = forged(1), forged(1, source="/c1/intake/2")
            await bus.put(intake, first, first, other, forged(2))
            async with bus.taking_in(dispatcher, intake) as (ingest, _):
                await until(lambda: ingest.state.stopped)
                assert "has as its public version 1 forged-" in ingest.state.stopped
                assert "of /c1/intake/2, and forged-" in ingest.state.stopped
            assert await dispatcher.records() == []

        between_two(tmp_path, story)

    def test_a_commit_that_failed_is_tried_again_and_nothing_is_taken_in_twice(self, bus: Bus, tmp_path: Path) -> None:
        class Failing:
            """A writer two of whose commits fail: one before it takes effect, one after."""

            def __init__(self, writer: Writer) -> None:
                self._writer, self._calls = writer, 0

            def __getattr__(self, name: str) -> Any:
                return getattr(self._writer, name)

            async def take_in(self, batch: TakeIn) -> None:
                self._calls += 1
                if self._calls != 1:
                    await self._writer.take_in(batch)
                if self._calls <= 2:
                    raise NotCommitted("the disk is full")

        async def story(intake: Node, dispatcher: Node) -> None:
            async with (
                bus.publishing(intake),
                bus.taking_in(dispatcher, intake, writer=Failing(dispatcher.writer)) as (ingest, _),
            ):
                await intake.say(*in_rounds(2))
                await until(lambda: ingest.state.trouble == "NotCommitted: the disk is full")
                await intake.say(*in_rounds(2, first=2))
                await until(lambda: dispatcher.has(20))
                await until(lambda: not ingest.state.trouble)
            assert numbers(await dispatcher.records()) == {f"r-{r}": list(range(4)) for r in range(5)}

        between_two(tmp_path, story)

    def test_a_record_of_10_mib_gets_through(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake), bus.taking_in(dispatcher, intake):
                photo = "x" * 10 * MIB
                await intake.say(received("r-1", 1), received("r-1", 2, photo), received("r-1", 3, photo))
                await until(lambda: dispatcher.has(3))
            assert await dispatcher.records() == await intake.records()

        between_two(tmp_path, story)

    def test_it_can_be_stopped_at_any_moment_and_ends_at_once(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake):
                saying = asyncio.create_task(intake.say(*in_rounds(100)))
                for least in (1, 50, 200, 400):
                    async with bus.taking_in(dispatcher, intake) as (ingest, _):
                        await until(lambda least=least: dispatcher.has(least))
                        async with asyncio.timeout(5):
                            await ingest.stop()
                    # What it says of itself after the end is what the journal knows.
                    assert ingest.state.offsets == await dispatcher.journal.offsets()
                await saying
                async with bus.taking_in(dispatcher, intake):
                    await until(lambda: dispatcher.has(500))
            assert numbers(await dispatcher.records()) == {f"r-{r}": list(range(100)) for r in range(5)}

        between_two(tmp_path, story)

    def test_the_offset_moves_over_what_nobody_wants(
        self, bus: Bus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(ingest_module, "MOST_CARRIED", 20)

        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake):
                async with bus.taking_in(dispatcher, intake, takes={"SomethingElse"}) as (_, feed):
                    await intake.say(*in_rounds(10))
                    await until(dispatcher.journal.offsets)  # some at once, and the rest when it stops
                    await until(lambda: len(feed.seen) == 50)
                async with bus.taking_in(dispatcher, intake) as (_, feed):
                    await intake.say(*in_rounds(1, first=10))
                    await until(lambda: dispatcher.has(5))
            assert {n for found in numbers([r.value for r in feed.seen]).values() for n in found} == {10}

        between_two(tmp_path, story)

    def test_an_offset_that_the_bus_does_not_have_begins_again_at_the_start(self, bus: Bus, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with bus.publishing(intake):
                await dispatcher.writer.take_in(TakeIn((), dict.fromkeys(bus.partitions, 4711)))
                async with bus.taking_in(dispatcher, intake):
                    await intake.say(*in_rounds(2))
                    await until(lambda: dispatcher.has(10))
            assert numbers(await dispatcher.records()) == {f"r-{r}": [0, 1] for r in range(5)}

        between_two(tmp_path, story)


async def first_records(pages: AsyncIterator[Page]) -> Page:
    return await anext(page async for page in pages if page.records)


def test_the_journal_of_another_process_is_looked_at(tmp_path: Path) -> None:
    async def story(intake: Node, _: Node) -> None:
        await intake.say(received("r-1", 1))
        seen = SqliteJournal(files(tmp_path)[0], readonly=True)
        feed = EmbeddedFeed({PUBLISHER: seen})
        pages = feed.pages({})
        assert len((await anext(pages)).records) == 1
        assert await anext(pages) == ((), {}, {})  # nothing more now
        coming = asyncio.ensure_future(first_records(pages))
        await intake.say(received("r-1", 2))
        assert (await coming).offsets == {PUBLISHER: 3}
        await feed.close()
        assert [page async for page in pages] == []
        await seen.close()

    between_two(tmp_path, story)


def test_what_the_publisher_of_this_process_has_read_is_lent_to_who_takes_it_in(tmp_path: Path) -> None:
    async def story(intake: Node, dispatcher: Node) -> None:
        await intake.say(received("r-1"))
        pages = EmbeddedFeed({PUBLISHER: intake.journal}, woken={PUBLISHER}).pages({})
        [record] = (await first_records(pages)).records
        await pages.aclose()
        [entry] = await intake.entries()
        arrival = arrival_of(record, frozenset({"RequestReceived"}))
        assert arrival.envelope is entry.read_envelope and arrival.event is entry.read_event is not None
        assert (arrival.envelope, arrival.event) == (
            (envelope := envelopes.read(record.value)),
            envelopes.payload(envelope),
        )
        await dispatcher.writer.take_in(TakeIn([arrival], {}))
        [taken] = await dispatcher.entries()
        assert (taken.read_event, taken.record) == (entry.read_event, entry.record)

    between_two(tmp_path, story)


class TestKafka:
    def test_the_journal_topic_holds_the_journal_byte_for_byte(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story(intake: Node, _: Node) -> None:
            async with kafka.publishing(intake) as publisher:
                await intake.say(received("r-1"), NumberGiven(day="2026-11-24", request_id="r-1"), received("r-2"))
                taken = envelopes.read(forged(1, source="/c1/fieldwork/1"))
                await intake.writer.take_in(TakeIn([arrival(taken)], {}))
                await until(lambda: publisher.state.position == 4)
            entries = await intake.entries()
            kept = await kafka.messages(journal_topic(PUBLISHER))
            assert [m.value for m in kept] == [e.record for e in entries]
            assert [dict(m.headers) for m in kept] == [
                {"position": str(e.position).encode(), "hash": e.hash.hex().encode()} for e in entries
            ]
            public = {e.record for e in entries if e.stream.startswith("request/")}
            assert {m.value for m in await kafka.messages(public_topic(PUBLISHER))} == public

        between_two(tmp_path, story)

    def test_a_public_message_is_keyed_and_can_be_chosen_by_its_headers(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story(intake: Node, _: Node) -> None:
            async with kafka.publishing(intake) as publisher:
                await intake.say(*in_rounds(2, requests=30))
                await until(lambda: publisher.state.position == 60)
            chosen_by = {"id", "source", "type", "subject", "time", "tenant", "publicversion", "correlationid"}
            chosen_by.add("partitionkey")
            messages = await kafka.messages(public_topic(PUBLISHER))
            for message in messages:
                wire, headers = msgspec.json.decode(message.value), dict(message.headers)
                assert message.key.decode() == wire["partitionkey"] == wire["data"]["request_id"]
                assert headers.pop("content-type") == b"application/cloudevents+json; charset=UTF-8"
                assert headers.pop("ce_specversion") == b"1.0"
                assert headers.pop("ce_origin") == b"live"
                assert headers == {f"ce_{name}": str(wire[name]).encode() for name in chosen_by}
            of_key = {message.key: message.partition for message in messages}
            assert all(of_key[message.key] == message.partition for message in messages)
            assert len(set(of_key.values())) > 5

        between_two(tmp_path, story)

    def test_the_value_alone_is_a_whole_cloud_event(self, kafka: Kafka, tmp_path: Path) -> None:
        assert msgspec.json.decode(forged(1)).keys() >= {"id", "source", "type", "specversion"}

    def test_what_is_sent_twice_after_a_crash_is_taken_in_once(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with kafka.taking_in(dispatcher, intake) as (_, feed):
                async with kafka.publishing(intake) as publisher:
                    await intake.say(*in_rounds(2))
                    await until(lambda: publisher.state.position == 10)
                # As if the process had died between the broker's word and the checkpoint of the last six.
                await intake.writer.settle(Settle(checkpoints={CHECKPOINT: 4}))
                async with kafka.publishing(intake) as publisher:
                    await intake.say(*in_rounds(1, first=2))
                    await until(lambda: publisher.state.position == 15)
                await until(lambda: len(feed.seen) == 21)
                await until(lambda: dispatcher.has(15))
            assert numbers(await dispatcher.records()) == {f"r-{r}": [0, 1, 2] for r in range(5)}

        between_two(tmp_path, story)

    def test_moving_from_embedded_is_publishing_from_the_start(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            embedded = Embedded(tmp_path)
            async with embedded.publishing(intake), embedded.taking_in(dispatcher, intake):
                await intake.say(*in_rounds(4))
                await until(lambda: dispatcher.has(20))
            await intake.say(*in_rounds(1, first=4))
            async with kafka.publishing(intake), kafka.taking_in(dispatcher, intake) as (_, feed):
                await intake.say(*in_rounds(1, first=5))
                await until(lambda: dispatcher.has(30))
            assert len(feed.seen) == 30
            assert numbers(await dispatcher.records()) == {f"r-{r}": list(range(6)) for r in range(5)}

        between_two(tmp_path, story)

    def test_a_publisher_without_the_lease_sends_nothing_more(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story(intake: Node, _: Node) -> None:
            lease = [True]
            async with kafka.publishing(intake, may_write=lambda: lease[0]) as publisher:
                await intake.say(received("r-1", 1))
                await until(lambda: publisher.state.position == 1)
                lease[0] = False
                await intake.say(received("r-1", 2))
                await until(lambda: publisher.state.trouble.startswith("NotOurs"))
                assert await kafka.count(journal_topic(PUBLISHER)) == await kafka.count(public_topic(PUBLISHER)) == 1
                lease[0] = True
                await until(lambda: publisher.state.position == 2)
                assert not publisher.state.trouble
            assert numbers([m.value for m in await kafka.messages(public_topic(PUBLISHER))]) == {"r-1": [1, 2]}

        between_two(tmp_path, story)

    def test_a_lease_lost_between_the_two_topics_keeps_the_public_one_clean(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story(intake: Node, _: Node) -> None:
            await intake.say(received("r-1", 1))
            answers = iter([True])
            async with kafka.publishing(intake, may_write=lambda: next(answers, False)) as publisher:
                await until(lambda: publisher.state.trouble.startswith("NotOurs"))
            assert await kafka.count(journal_topic(PUBLISHER)) == 1
            assert await kafka.count(public_topic(PUBLISHER)) == 0
            assert await intake.journal.checkpoints() == {}

        between_two(tmp_path, story)

    def test_a_broker_that_is_killed_in_mid_stream_loses_and_doubles_nothing(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        local = kafka.local or pytest.skip("only our own broker may be killed")

        async def story(intake: Node, dispatcher: Node) -> None:
            async with kafka.publishing(intake) as publisher, kafka.taking_in(dispatcher, intake):
                saying = asyncio.create_task(intake.say(*in_rounds(100)))
                await until(lambda: dispatcher.has(1))
                await asyncio.to_thread(local.kill)
                await intake.say(*in_rounds(100, first=100))
                await saying
                await until(lambda: publisher.state.trouble)
                await asyncio.to_thread(local.start)
                await until(lambda: dispatcher.has(1000))
                await until(lambda: not publisher.state.trouble)
            assert numbers(await dispatcher.records()) == {f"r-{r}": list(range(200)) for r in range(5)}
            positions = [int(dict(m.headers)["position"]) for m in await kafka.messages(journal_topic(PUBLISHER))]
            assert without_repeats(positions) == list(range(1, 1001))

        between_two(tmp_path, story)

    def test_a_broker_that_does_not_answer_is_given_up_before_a_lease_ends(self, kafka: Kafka, tmp_path: Path) -> None:
        local = kafka.local or pytest.skip("only our own broker may be paused")
        if not Path("/proc/self/task").exists():
            pytest.skip("whether a process is paused is read from /proc")

        async def story() -> None:
            outlet = Outlet(kafka.cluster)
            await outlet.send([Message(public_topic(PUBLISHER), b"before", b"k")])
            client = outlet.producer
            assert local.pid
            threads = Path(f"/proc/{local.pid}/task")
            os.kill(local.pid, signal.SIGSTOP)
            try:
                await until(lambda: all("State:\tT" in one.read_text() for one in threads.glob("*/status")))
                begun = asyncio.get_running_loop().time()
                with pytest.raises(NotSent):
                    await outlet.send([Message(public_topic(PUBLISHER), b"%d" % n, b"k") for n in range(10)])
                assert asyncio.get_running_loop().time() - begun < TTL_S
            finally:
                os.kill(local.pid, signal.SIGCONT)
            # What was given up is not sent by anybody any more, and the next call begins anew.
            assert client and client._sender.sender_task.done()
            await until(lambda: sends(outlet, b"after"))
            await outlet.close()

        async def sends(outlet: Outlet, value: bytes) -> bool:
            try:
                await outlet.send([Message(public_topic(PUBLISHER), value, b"k")])
            except NotSent:
                return False
            return True

        run(story())

    def test_dead_letters_keep_key_headers_and_origin(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            async with kafka.producer() as producer:
                sent = await producer.send_and_wait(
                    public_topic(PUBLISHER), None, key=b"r-7", headers=[("ce_id", b"\xff"), ("x", b"1")]
                )
            async with kafka.taking_in(dispatcher, intake) as (ingest, _):
                await until(lambda: ingest.state.dead_letters)
            (letter,) = await kafka.messages(dead_letter_topic(READER))
            assert letter.key == b"r-7"
            assert dict(letter.headers) | {"dead-letter-reason": b""} == {
                "ce_id": b"\xff",
                "x": b"1",
                "dead-letter-reason": b"",
                "dead-letter-topic": public_topic(PUBLISHER).encode(),
                "dead-letter-partition": str(sent.partition).encode(),
                "dead-letter-offset": b"0",
            }

        between_two(tmp_path, story)

    def test_what_lies_in_a_topic_after_somebodys_offsets_is_counted_with_its_oldest(
        self, kafka: Kafka, tmp_path: Path
    ) -> None:
        async def story(intake: Node, dispatcher: Node) -> None:
            def waits(concerns: Callable[[bytes], bool], most: int = 100) -> Awaitable[Waiting]:
                return waiting_in(kafka.cluster, PUBLISHER, offsets, concerns, most)

            offsets = await dispatcher.journal.offsets()
            assert await waits(lambda _: True) == Waiting(0, 0, b"")
            async with kafka.publishing(intake):
                async with kafka.taking_in(dispatcher, intake):
                    await intake.say(received("r-1"))
                    await until(lambda: dispatcher.has(1))
                await intake.say(received("r-1", 1))
                await intake.say(received("r-2", 2), received("r-3", 3))
                offsets = await dispatcher.journal.offsets()

                async def has_come() -> bool:
                    return (await waits(lambda _: True)).messages == 3

                await until(has_come)
            records = await intake.records()
            assert (await waits(lambda _: True))[1:] == (3, records[1], False)
            # What concerns nobody here is no lag, though no offset was noted behind it.
            of_two = await waits(lambda record: record in records[2:])
            assert of_two.messages == 2 and of_two.oldest in records[2:]
            assert (await waits(lambda _: False))[1:] == (0, b"", False)
            assert (await waits(lambda _: True, most=0)).at_least

        between_two(tmp_path, story)

    def test_topics_are_made_once_and_never_expire(self, kafka: Kafka) -> None:
        wanted = {public_topic(PUBLISHER): 12, journal_topic(PUBLISHER): 1, dead_letter_topic(PUBLISHER): 1}

        async def are_there(admin: AIOKafkaAdminClient) -> bool:
            found = await admin.describe_topics(list(wanted))
            return {topic["topic"]: len(topic["partitions"]) for topic in found} == wanted

        async def story() -> None:
            await ensure_topics(kafka.cluster, [PUBLISHER])
            admin = AIOKafkaAdminClient(bootstrap_servers=list(kafka.cluster.bootstrap))
            await admin.start()
            await until(lambda: are_there(admin))
            asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"retention.ms": None}) for name in wanted]
            answers = [one for answer in await admin.describe_configs(asked) for one in answer.resources]
            assert [config[1] for *_, configs in answers for config in configs] == ["-1"] * 3
            await admin.create_topics([NewTopic(public_topic("wrong"), 3, 1)])
            await admin.close()
            with pytest.raises(RuntimeError, match=r"fieldloop\.wrong\.v1 has 3 partitions in place of 12"):
                await until(lambda: ensured("wrong"))

        async def ensured(service: str) -> bool:
            await ensure_topics(kafka.cluster, [service])
            return False

        run(story())

    def test_a_topic_that_is_missing_is_waited_for(self, kafka: Kafka, tmp_path: Path) -> None:
        async def story() -> None:
            async with (
                node("quality", tmp_path / "q") as quality,
                node(READER, tmp_path / "d") as dispatcher,
                kafka.taking_in(dispatcher, quality) as (ingest, _),
            ):
                await until(lambda: "no topic fieldloop.quality.v1" in ingest.state.trouble)
                await ensure_topics(kafka.cluster, ["quality"])
                await until(lambda: not ingest.state.trouble)

        run(story())


def arrival(envelope: envelopes.Envelope) -> Any:
    return Arrival(envelope, msgspec.json.encode(envelope))


def without_repeats(positions: Sequence[int]) -> list[int]:
    """As a refill reads the journal topic: the next position each time; what lies there again is passed over."""
    dense: list[int] = []
    for position in positions:
        assert position <= len(dense) + 1, f"position {position} comes after {len(dense)}"
        if position == len(dense) + 1:
            dense.append(position)
    return dense


def between_two(folder: Path, story: Any) -> None:
    """Play a story between intake, which publishes, and dispatcher, which reads."""

    async def played() -> None:
        intake_file, dispatcher_file = files(folder)
        async with node(PUBLISHER, intake_file) as intake, node(READER, dispatcher_file) as dispatcher:
            await story(intake, dispatcher)

    run(played())
