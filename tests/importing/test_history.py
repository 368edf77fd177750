"""A case's rows become one stream in the order of the file, once; history is recorded and acts on nothing."""

import asyncio
from datetime import UTC, datetime
from random import Random

import pytest

from contracts.dispatcher import OrderFinished, OrderOpened, OrderPaused, OrderQueued, OrderTaken
from dispatcher.service import service as dispatcher
from services.importing.history import order_id_of
from tests.importing.imports import csv_of, importing, row
from tests.importing.test_bad_rows import event_of, xes_of

LATER = "2012-05-01T09:00:00Z"

STORY = csv_of(
    row(status="new"),
    row("c-2", status="new"),
    row(at=LATER, sub="wait - user"),
    row(at=LATER),
    row("c-2", at=LATER, status="done"),
    row(at=LATER, status="done", team="T2"),
)


async def lines(it):
    """The journal as an auditor compares it, but for when it was recorded."""
    return sorted((entry.event_id, entry.stream, entry.version) for entry in await it.entries())


def test_rows_become_events_at_the_time_they_happened_in_the_order_of_the_file(tmp_path):
    async def story():
        async with importing(tmp_path) as it:
            done = await it.imports(STORY)
            assert (done.rows, done.recorded, done.cases) == (6, 6, 2)
            rows = await it.rows()
            first = [(e, event) for e, event in rows if event.order_id == order_id_of("desk", "c-1")]
            assert [type(event) for _, event in first] == [OrderQueued, OrderPaused, OrderTaken, OrderFinished]
            assert [envelope.version for envelope, _ in first] == [2, 3, 4, 5], "after the opening"
            assert first[1][1].reason == "wait - user"
            assert (first[3][1].outcome, first[3][1].team, first[3][1].impact) == ("solved", "T2", "Low")
            for envelope, event in rows:
                assert envelope.origin == "import"
                assert envelope.actor == "import:desk"
                assert envelope.partition_key == event.request_id
            assert first[0][0].time == datetime(2012, 5, 1, 8, tzinfo=UTC)

    asyncio.run(story())


def test_csv_and_xes_give_the_same_events(tmp_path):
    async def of(folder, content, name):
        async with importing(folder) as it:
            await it.imports(content, name)
            return [(e.id, e.stream, e.version, e.time, e.type, bytes(e.data)) for e, _ in await it.rows()]

    async def story():
        csv = csv_of(row(status="new"), row(at=LATER, status="done")).replace(",P1", ",")
        xes = xes_of(event_of("new", impact="Low"), event_of("done", at=LATER, impact="Low"))
        assert await of(tmp_path / "csv", csv, "a.csv") == await of(tmp_path / "xes", xes, "b.xes")

    asyncio.run(story())


@pytest.mark.parametrize("seed", range(8))
def test_an_import_that_was_interrupted_goes_on_without_a_repeat(tmp_path, seed):
    rng = Random(seed)
    rows = [row(f"c-{rng.randrange(40)}", status=rng.choice(["new", "work", "done"])) for _ in range(600)]
    stop_at = rng.randrange(1, 600)

    async def story():
        async with importing(tmp_path / "whole") as it:
            await it.imports(csv_of(*rows))
            expected = await lines(it)
        async with importing(tmp_path / "broken") as it:
            asked = 0

            async def ask(work):
                nonlocal asked
                asked += 1
                if asked == stop_at:
                    running.cancel()
                return await it.writer.ask(work)

            running = asyncio.create_task(it.imports(csv_of(*rows), ask=ask))
            with pytest.raises(asyncio.CancelledError):
                await running
            before = await lines(it)
        # Another process, as after a crash.
        async with importing(tmp_path / "broken") as it:
            done = await it.imports(csv_of(*rows))
            assert done.recorded + done.repeated == 600
            assert done.rejected == 0
            assert len(before) < len(expected)
            assert await lines(it) == expected

    asyncio.run(story())


@pytest.mark.parametrize("bad", [row(at="soon"), "c-1,2012-05-01T08:00:00Z,work", row() + ",more"])
def test_a_row_that_was_mended_is_added_and_the_others_keep_their_keys(tmp_path, bad):
    async def story():
        async with importing(tmp_path) as it:
            broken = await it.imports(csv_of(bad, row(at=LATER), row("c-2")))
            assert (broken.recorded, broken.rejected) == (2, 1)
            mended = await it.imports(csv_of(row(), row(at=LATER), row("c-2")))
            assert (mended.recorded, mended.repeated, mended.rejected) == (1, 2, 0)
            assert len(await it.entries()) == 3 + 2, "and each case was opened once"

    asyncio.run(story())


def test_a_row_that_says_something_else_than_before_is_listed(tmp_path):
    async def story():
        async with importing(tmp_path) as it:
            await it.imports(csv_of(row(), row(at=LATER)))
            again = await it.imports(csv_of(row(), row(at=LATER, team="T9"), row(at=LATER, status="done")))
            assert (again.recorded, again.repeated, again.rejected) == (1, 1, 1)
            [(line, reason)] = it.rejects()
            assert (line, "row c-1/2 was imported before" in reason) == (3, True)

    asyncio.run(story())


def test_what_the_writer_raises_ends_the_import_and_is_told(tmp_path):
    async def story():
        async with importing(tmp_path) as it:

            async def ask(work):
                raise OSError("no space left on device")

            with pytest.raises(OSError, match="no space left"):
                await it.imports(STORY, ask=ask)

    asyncio.run(story())


def test_history_sets_no_deadline(tmp_path):
    async def story():
        async with importing(tmp_path) as it:
            await it.imports(STORY)
            assert OrderOpened in dispatcher.rules.timers, "a live order would set one"
            assert await it.journal.next_due() is None

    asyncio.run(story())


def test_progress_ends_with_the_whole_file(tmp_path):
    async def story():
        async with importing(tmp_path) as it:
            await it.imports(csv_of(*[row(f"c-{n % 7}") for n in range(1_200)]))
            assert [said.rows for said in it.progress] == [500, 1_000, 1_200]
            last = it.progress[-1]
            assert (last.recorded, last.bytes_read) == (1_200, last.bytes_all)

    asyncio.run(story())
