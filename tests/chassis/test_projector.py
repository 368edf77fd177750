"""What the projector promises of the rows it folds, the checkpoints behind them, and waiting; on both stores."""

import asyncio
from contextlib import asynccontextmanager, suppress

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, func, select

from contracts.intake import RequestWithdrawn
from services.chassis.readers import projector as projector_module
from services.chassis.readers import sqlite_views
from services.chassis.readers.projector import WITHIN_REACH, Folder, Projector
from services.chassis.readers.rows import BadRow
from services.chassis.readers.viewstore import Change, Moved, Refused, dump
from tests.chassis.view_stores import (
    COLUMNS,
    STORES,
    InPostgres,
    InSqlite,
    Journal,
    act,
    does,
    gone,
    place_of,
    run,
    things,
)
from tests.fold import TENANT, assert_same_rows_shuffled, rows_after

THINGS = things()
OTHERS = things("others")


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    return place_of(request, tmp_path)


@pytest.fixture(params=[False, True], ids=["commit by commit", "overlapping"])
def overlaps(request):
    return request.param


async def fold(store, journal, page=1_000, cached_rows=20_000, overlaps=False) -> Folder:
    folder = Folder(store, cached_rows=cached_rows, overlaps=overlaps)
    await folder.start()
    while await folder.step(journal, page) or not await folder.keep():
        pass
    return folder


async def stored(store, view=THINGS) -> dict:
    """The rows as a query sees them, by tenant and key."""
    found = await store.fetch(select(view.table))
    return {(row["tenant"], row["key"], row["part"]): {name: row[name] for name in COLUMNS} for row in found}


def row(**columns) -> dict:
    return {**THINGS.defaults, **columns}


def key(name: str) -> tuple:
    return (TENANT, name, 1)


@asynccontextmanager
async def running(projector: Projector):
    task = asyncio.create_task(projector.run())
    try:
        yield projector
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


# Rows.

KEYS = st.sampled_from(["a", "b", "c", "d", "e", "f"])
TEXTS = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=5)
SOME = st.fixed_dictionaries(
    {},
    optional={
        "text": TEXTS,
        "note": st.none() | TEXTS,
        "next": KEYS,
        "count": st.integers(-(2**63), 2**63 - 2),
        "number": st.none() | st.integers(-(2**63), 2**63 - 1),
        "flag": st.booleans(),
        "perhaps": st.none() | st.booleans(),
    },
)
DEEDS = st.one_of(
    st.builds(lambda k, columns, t: does(k, "put", columns, tenant=t), KEYS, SOME, st.sampled_from(["t-1", "t-2"])),
    st.builds(lambda k: does(k, "count"), KEYS),
    st.builds(lambda k, text: does(k, "bytes", text), KEYS, TEXTS),
    st.builds(gone, KEYS),
)


def modelled(events) -> dict:
    """What the deeds come to, written down plainly."""
    rows = {}
    for one in events:
        event, said = one if isinstance(one, tuple) else (one, {})
        at = (said.get("tenant", TENANT), event.request_id, 1)
        if isinstance(event, RequestWithdrawn):
            rows.pop(at, None)
            continue
        words = [msgspec.json.decode(word) for word in event.fields]
        now = rows.setdefault(at, row())
        if words[0] == "put":
            now.update(words[1])
        elif words[0] == "bytes":
            now["blob"] = words[1].encode()
        else:
            now["count"] += 1
    return rows


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(DEEDS, max_size=40), st.integers(1, 9), st.sampled_from([2, 4, 1_000]), st.booleans())
def test_the_rows_are_what_the_events_say_wherever_pages_end_and_however_little_is_cached(
    place, events, page, cached, overlaps
):
    async def story():
        async with place.another().store(THINGS) as store:
            await fold(store, Journal(events), page, cached, overlaps)
            assert await stored(store) == modelled(events)

    run(story())


def test_a_row_whose_key_stands_in_another_row_is_found_in_the_store(place):
    events = [does(a, "put", {"next": b, "text": a}) for a, b in ("ab", "bc", "cd")] + [does("d", "put", {"text": "!"})]

    async def story():
        journal = Journal(events)
        async with place.store(THINGS) as store:
            await fold(store, journal)
        journal.record(does("a", "follow"))
        async with place.store(THINGS) as store:
            await fold(store, journal)
            assert (await stored(store))[key("a")]["text"] == "!"

    run(story())


def test_a_fold_that_trusts_a_row_to_be_there_finds_it_after_a_restart(place):
    async def story():
        journal = Journal([does("a", "count"), does("b", "count")])
        async with place.store(THINGS) as store:
            await fold(store, journal)
        journal.record(does("a", "trust"), does("b", "count"), does("b", "trust"))
        async with place.store(THINGS) as store:
            assert (await fold(store, journal)).failed == {}
            assert [one["text"] for one in (await stored(store)).values()] == ["was 1", "was 2"]

    run(story())


def test_every_type_comes_back_as_it_was_put(place):
    values = {"text": "日本 𝄞 'q' \\ \u2028", "note": None, "count": -(2**63), "number": 2**63 - 1, "flag": True}

    async def story():
        async with place.store(THINGS) as store:
            await fold(store, Journal([does("ключ", "put", values), does("ключ", "bytes", "\0ÿ")]))
            (found,) = (await stored(store)).values()
            assert found == row(**values, blob="\0ÿ".encode())
            assert {name: type(value) for name, value in found.items()} == {
                **{name: type(value) for name, value in row(**values, blob=b"").items()}
            }
            loaded = await store.load(THINGS, [key("ключ"), key("absent")])
            assert loaded == {key("ключ"): found} and type(loaded[key("ключ")]["flag"]) is bool

    run(story())


def test_queries_sort_and_compare_text_by_code_point(place):
    names = ["b", "B", "ä", "a", "Z", "𝄞", "\uffff", "1"]

    async def story():
        async with place.store(THINGS) as store:
            await fold(store, Journal([does(name, "put", {"text": name}) for name in names]))
            column = THINGS.table.c.text
            found = await store.fetch(select(column).order_by(column))
            assert [one["text"] for one in found] == sorted(names)
            chosen = select(column).where(column.in_(["a", "b", "x"]), column.like("B%") | (column == "a"))
            assert [one["text"] for one in await store.fetch(chosen)] == ["a"]
            flags = select(THINGS.table.c.flag).where(THINGS.table.c.flag.is_(False)).limit(1)
            assert await store.fetch(flags) == [{"flag": False}]
            # As a route would answer it.
            assert msgspec.json.encode(await store.fetch(flags)) == b'[{"flag":false}]'

    run(story())


def test_a_query_that_is_made_once_is_asked_with_other_values_each_time(place):
    table = THINGS.table.c
    query = select(table.text).where(
        table.tenant == bindparam("tenant"), table.key == bindparam("name"), table.part == 1
    )

    async def story():
        async with place.store(THINGS) as store:
            await fold(store, Journal([does(name, "put", {"text": name.upper()}) for name in ("a", "b")]))
            for name in ("a", "b", "a"):
                assert await store.fetch(query, tenant=TENANT, name=name) == [{"text": name.upper()}]
            assert await store.fetch(query, tenant=TENANT, name="c") == []

    run(story())


def test_a_long_query_in_sqlite_leaves_the_loop_free(tmp_path):
    one, two = THINGS.table.alias(), THINGS.table.alias()
    long = select(func.count()).where(one.c.text <= two.c.text)

    async def story():
        async with InSqlite(tmp_path).store(THINGS) as store:
            await fold(store, Journal([does(f"k{n}", "put", {"text": f"{n:04}"}) for n in range(1_000)]))
            asked = asyncio.create_task(store.fetch(long))
            # It takes 50 times what is answered at once; meanwhile others have their turn.
            for _ in range(3):
                await asyncio.sleep(0)
            assert not asked.done()
            assert await store.fetch(select(func.count(THINGS.table.c.key))) == [{"count_1": 1_000}]
            assert await asked == [{"count_1": 500_500}]

    run(story())


def test_text_in_postgres_is_sorted_by_code_point_whatever_the_language_of_the_database(postgres):
    place = InPostgres(postgres.fresh_database())

    async def story():
        async with place.store(THINGS):
            await place.execute(
                "DO $$ BEGIN ASSERT (SELECT count(*) = 5 FROM information_schema.columns WHERE table_name = 'things' "
                "AND data_type = 'text' AND collation_name = 'C'); END $$"
            )

    run(story())


def test_the_dump_is_the_same_bytes_on_both_stores(tmp_path, postgres):
    events = [does(name, "put", {"text": name, "flag": True, "number": n}) for n, name in enumerate("bäa𝄞Z\uffff")]
    dumps = []

    async def story():
        for place in (InSqlite(tmp_path), InPostgres(dsn)):
            async with place.store(THINGS) as store:
                await fold(store, Journal([*events, does("b", "bytes", "é")]))
                dumps.append(await dump(store, THINGS))

    dsn = postgres.fresh_database()
    run(story())
    assert dumps[0] == dumps[1]
    assert dumps[0].splitlines()[1] == b'["t-1","Z",1,"Z",null,"",0,4,true,null,""]'
    assert len(dumps[0].splitlines()) == 1 + len(events)


# Checkpoints.


def test_a_restart_goes_on_from_the_checkpoint_and_repeats_nothing(place):
    async def story():
        journal = Journal([does("a", "count")] * 5)
        async with place.store(THINGS) as store:
            await fold(store, journal, page=2)
        journal.record(does("a", "count"))
        journal.reads.clear()
        async with place.store(THINGS) as store:
            folder = await fold(store, journal)
            assert (await stored(store))[key("a")]["count"] == 6
            assert folder.positions == {"things": 6}
            assert journal.reads == [5, 6]

    run(story())


def test_rows_and_checkpoints_are_written_together_or_not_at_all(place):
    good = (TENANT, "a", 1, "", None, "", 0, None, False, None, b"")
    bad = (TENANT, "a", 1, None, None, "", 0, None, False, None, b"")

    async def story():
        async with place.store(THINGS, OTHERS) as store:
            await store.positions()
            with pytest.raises(Refused) as refused:
                await store.commit([Change(THINGS, 0, 7, [good]), Change(OTHERS, 0, 7, [bad])])
            assert refused.value.view is OTHERS
        async with place.store(THINGS, OTHERS) as store:
            assert await store.positions() == {"things": 0, "others": 0}
            assert await stored(store) == {}

    run(story())


def test_who_does_not_stand_where_the_checkpoint_is_cannot_commit(place):
    async def story():
        async with place.store(THINGS) as store:
            await store.positions()
            await store.commit([Change(THINGS, 0, 3)])
            for change in (Change(THINGS, 0, 4), Change(things(version=2), 3, 4)):
                with pytest.raises(Moved):
                    await store.commit([change])
            assert await store.positions() == {"things": 3}

    run(story())


def test_two_that_fold_the_same_views_count_nothing_twice(place):
    async def story():
        journal = Journal([does("a", "count")] * 3)
        async with place.store(THINGS) as store, place.store(THINGS) as second:
            one, two = Projector(journal, store), Projector(journal, second)
            async with running(one), running(two):
                for _ in range(20):
                    end = journal.record(does("a", "count"))
                    one.wake()
                    two.wake()
                    assert await one.wait_for(end, 20) and await two.wait_for(end, 20)
            assert (await stored(store))[key("a")]["count"] == 23

    run(story())


def test_a_view_of_another_version_or_shape_is_left_as_it_is_and_not_folded_and_the_others_are(place):
    async def story():
        journal = Journal([does("a", "count")] * 3)
        async with place.store(THINGS, OTHERS) as store:
            await fold(store, journal)
        journal.record(does("a", "count"))
        for newer in (
            things(version=2),
            things(version=2, columns={**COLUMNS, "more": ""}),
            things(indexes=()),
        ):
            async with place.store(newer, OTHERS) as store:
                assert list(await store.positions()) == ["others"]
                folder = await fold(store, journal, page=2)
                assert folder.positions["others"] == 4 and "another release" in folder.failed["things"]
                assert (await stored(store, OTHERS))[key("a")]["count"] == 4
        async with place.store(THINGS, readonly=True) as reader:
            assert await reader.positions() == {"things": 3}
            assert (await stored(reader))[key("a")]["count"] == 3

    run(story())


def test_a_view_that_catches_up_does_not_hold_up_the_others(place):
    async def story():
        journal = Journal([does("a", "count")] * 10)
        async with place.store(THINGS, OTHERS) as store:
            folder = Folder(store)
            await folder.start()
            while await folder.step(journal, 1_000, {"others": 10}):
                pass
        journal.record(does("a", "count"))
        async with place.store(THINGS, OTHERS) as store:
            folder = Folder(store)
            await folder.start()
            await folder.step(journal, 2)
            assert folder.positions == {"things": 2, "others": 11}
            while await folder.step(journal, 4):
                pass
            assert folder.positions == {"things": 11, "others": 11}
            assert await stored(store, THINGS) == await stored(store, OTHERS)

    run(story())


# A view that fails.


def fails_on(text):
    def apply(rows, event, envelope):
        act(rows, event, envelope)
        row = rows.get(event.request_id, 1)
        if row and row["text"] == text:
            raise ValueError("a mistake of ours")

    return apply


@pytest.mark.parametrize("page", [1, 3, 100])
@pytest.mark.parametrize("again", [False, True], ids=["all in memory", "read back"])
def test_a_view_that_fails_stops_alone_right_before_the_event(place, page, again, overlaps):
    failing = things("failing", apply=fails_on("bad"))
    before = [does("a", "count"), does("b", "count"), does("a", "count")]
    events = [*before, does("a", "put", {"text": "bad", "count": 99}), does("b", "count"), does("c", "count")]

    async def story():
        journal = Journal(before[:2] if again else events)
        async with place.store(failing, THINGS) as store:
            await fold(store, journal, page)
        journal = Journal(events)
        async with place.store(failing, THINGS) as store:
            folder = await fold(store, journal, page, overlaps=overlaps)
            assert folder.positions == {"failing": 3, "things": 6}
            assert folder.failed == {"failing": "event 4: ValueError('a mistake of ours')"}
            assert await stored(store, failing) == modelled(before)
            assert await stored(store) == modelled(events)

    run(story())


UNSTORABLE = {
    "a text with NUL": {"text": "a\0b"},
    "a number above 64 bits": {"number": 2**63},
    "a number for a text": {"text": 1},
    "a truth value for a number": {"count": True},
    "nothing for a text": {"text": None},
}


@pytest.mark.parametrize("columns", UNSTORABLE.values(), ids=UNSTORABLE)
@pytest.mark.parametrize("page", [1, 16])
def test_a_row_that_no_store_can_keep_stops_its_view_right_before_the_event(place, columns, page, overlaps):
    def apply(rows, event, envelope):
        if envelope.position == "8":
            rows.put("b", 1, **columns)
        act(rows, event, envelope)

    careless = things("careless", apply=apply)

    async def story():
        journal = Journal([does("a", "count")] * 12)
        async with place.store(careless, THINGS) as store:
            folder = await fold(store, journal, page, overlaps=overlaps)
            assert folder.positions == {"careless": 7, "things": 12}
            assert folder.failed["careless"].startswith("event 8: ")
            assert (await stored(store, careless))[key("a")]["count"] == 7

    run(story())


@pytest.mark.parametrize("page", [3, 1_000])
def test_a_row_that_only_the_database_refuses_stops_its_view_right_before_the_event(place, page, overlaps):
    async def story():
        journal = Journal([does(f"k{n}", "count") for n in range(12)])
        async with place.store(THINGS, OTHERS) as store:
            await place.execute("CREATE UNIQUE INDEX planted ON things (tenant, part) WHERE key IN ('k2', 'k7')")
            folder = await fold(store, journal, page, overlaps=overlaps)
            assert folder.positions == {"things": 7, "others": 12}
            assert folder.failed["things"].startswith("event 8: Refused")
            assert len(await stored(store)) == 7

    run(story())


def test_an_event_that_cannot_be_read_stops_those_who_read_it(place):
    class Damaged(Journal):
        async def read(self, after, limit):
            found = await super().read(after, limit)
            return [
                e._replace(record=e.record.replace(b'"fields"', b'"felds"')) if e.position == 2 else e for e in found
            ]

    spared = things("spared", reads=(RequestWithdrawn,))

    async def story():
        journal = Damaged([does("a", "count"), does("a", "count"), gone("a")])
        async with place.store(THINGS, spared) as store:
            folder = await fold(store, journal)
            assert folder.positions == {"things": 1, "spared": 3}
            assert "ValidationError" in folder.failed["things"] and "fields" in folder.failed["things"]

    run(story())


def test_a_fold_that_names_an_unknown_column_or_a_wrong_key_is_told_so():
    with pytest.raises(TypeError, match="view things has no column colour"):
        rows_after(things(apply=lambda rows, *_: rows.put("a", 1, colour="red")), [gone("a")])
    for call in ("get", "put", "drop"):
        for wrong in (("a",), ("a", 1, 2), ("a", "1"), ("a", None)):
            with pytest.raises(TypeError, match=r"the key of view things is \(key: str, part: int\), not \('a'"):
                rows_after(things(apply=lambda rows, *_, c=call, k=wrong: getattr(rows, c)(*k)), [gone("a")])
        for wrong in (("a\0", 1), ("a", 2**63)):
            with pytest.raises(BadRow, match="no row of things can have the key"):
                rows_after(things(apply=lambda rows, *_, c=call, k=wrong: getattr(rows, c)(*k)), [gone("a")])
    with pytest.raises(BadRow, match=r"things\.count is int and was given str"):
        rows_after(things(apply=lambda rows, *_: rows.put("a", 1, count="1")), [gone("a")])


# Running and waiting.


def test_wait_for_returns_when_the_views_have_come_so_far(place):
    async def story():
        journal = Journal()
        async with place.store(THINGS, OTHERS) as store, running(Projector(journal, store)) as projector:
            waiting = [asyncio.create_task(projector.wait_for(n, 20)) for n in (2, 1)]
            journal.record(does("a", "count"))
            projector.wake(1)
            assert await waiting[1]
            assert not waiting[0].done()
            journal.record(does("a", "count"))
            projector.wake(2)
            assert await waiting[0]
            assert projector.positions() == {"things": 2, "others": 2}
            assert (await stored(store))[key("a")]["count"] == 2
            assert not await projector.wait_for(3, 0)

    run(story())


def test_a_projector_that_is_not_told_looks_by_itself(place):
    async def story():
        journal = Journal()
        async with place.store(THINGS) as store, running(Projector(journal, store, polls=True)) as projector:
            assert await projector.wait_for(journal.record(does("a", "count")), 20)
            assert await projector.wait_for(journal.record(does("a", "count")), 20)

    run(story())


def test_a_view_that_stopped_is_not_waited_for_and_one_that_waits_for_it_is_let_go(place):
    failing = things("failing", apply=fails_on("bad"))

    async def story():
        journal = Journal()
        async with place.store(failing, THINGS) as store, running(Projector(journal, store)) as projector:
            waiting = asyncio.create_task(projector.wait_for(2, 20))
            journal.record(does("a", "count"), does("a", "put", {"text": "bad"}))
            projector.wake()
            assert await waiting
            assert projector.positions() == {"failing": 1, "things": 2}
            assert list(projector.failed()) == ["failing"]
            end = journal.record(does("a", "count"))
            projector.wake()
            assert await projector.wait_for(end, 20)

    run(story())


def test_only_the_views_that_are_waited_for_or_named_are_waited_for(place):
    slow = things("slow", waited_for=False)

    async def story():
        journal = Journal([does("a", "count")])
        async with place.store(THINGS, slow) as store:
            projector = Projector(journal, store)
            projector._folder.positions = {"things": 5, "slow": 4}
            assert await projector.wait_for(5, 0)
            assert not await projector.wait_for(5, 0, ["slow"])

    run(story())


def test_a_view_that_is_far_behind_does_not_make_others_wait(place):
    async def story():
        async with place.store(THINGS, OTHERS) as store:
            projector = Projector(Journal(), store)
            projector._folder.positions = {"things": WITHIN_REACH + 1, "others": 0}
            # It says at once that not all have come so far.
            assert not await projector.wait_for(WITHIN_REACH + 1, 1_000)

    run(story())


def test_a_projector_that_starts_again_tries_a_stopped_view_again(place):
    mended = []

    def apply(rows, event, envelope):
        if not mended:
            raise ValueError("not yet mended")
        act(rows, event, envelope)

    view = things(apply=apply)

    async def story():
        journal = Journal([does("a", "count")])
        async with place.store(view) as store:
            projector = Projector(journal, store)
            async with running(projector):
                assert await projector.wait_for(1, 20)
                assert projector.positions() == {"things": 0}
            mended.append(True)
            async with running(projector):
                assert await projector.wait_for(1, 20, ["things"])
                while projector.positions() != {"things": 1}:
                    await asyncio.sleep(0)
                assert projector.failed() == {}

    run(story())


def test_a_store_that_fails_once_is_tried_again(place, monkeypatch):
    monkeypatch.setattr("services.chassis.readers.projector.FIRST_PAUSE_S", 0.001)

    async def story():
        journal = Journal([does("a", "count")] * 3)
        async with place.store(THINGS) as store:
            commit, tries = store.commit, []

            async def after_all(changes):
                """The commit takes effect, and its answer is lost."""
                tries.append(changes)
                await commit(changes)
                if len(tries) == 1:
                    raise OSError("the connection is gone")

            monkeypatch.setattr(store, "commit", after_all)
            async with running(Projector(journal, store)) as projector:
                assert await projector.wait_for(3, 20)
                assert await projector.wait_for(journal.record(does("a", "count")), 0) is False
                projector.wake()
                assert await projector.wait_for(4, 20)
            assert (await stored(store))[key("a")]["count"] == 4

    run(story())


# The helper for the services' tests.


def test_the_helper_tells_a_fold_that_depends_on_the_order_of_arrival():
    last = things(apply=lambda rows, event, _: rows.put("last", 1, text=event.request_id))
    events = [gone("a"), gone("b"), gone("c")]
    with pytest.raises(AssertionError, match="depends on the order of arrival"):
        assert_same_rows_shuffled(last, events)
    assert_same_rows_shuffled(THINGS, [does("a", "count"), does("b", "count"), gone("a"), does("a", "count")])
    assert rows_after(THINGS, [does("a", "count"), does("b", "count", tenant="t-2")]) == {("a", 1): row(count=1)}


def test_rows_that_a_crash_of_the_database_took_are_folded_again_at_once_and_not_believed_meanwhile(postgres):
    """Commits of views are not flushed: the database may come back without the last ones, though nothing is new."""
    place = InPostgres(postgres.fresh_database())

    async def story():
        journal = Journal([does("a", "count")] * 3)
        async with place.store(THINGS) as store:
            projector = Projector(journal, store)
            async with running(projector):
                assert await projector.wait_for(3, 20)
                await place.execute(
                    "DELETE FROM things; UPDATE _checkpoints SET position = 0; "
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
                rows = {}
                async with asyncio.timeout(20):
                    while not rows:
                        await projector.wait_for(3, 20)
                        with suppress(Exception):  # readers lost their connections, too
                            rows = await stored(store)
                assert rows[key("a")]["count"] == 3

    run(story())


@pytest.mark.parametrize(("carried_s", "written"), [(60.0, ["things"]), (-1.0, ["resting", "things"])])
def test_a_checkpoint_waits_for_rows_of_its_own_and_not_for_long(place, monkeypatch, carried_s, written):
    monkeypatch.setattr(projector_module, "CARRIED_S", carried_s)

    async def scenario():
        journal = Journal([does("a", "count")])
        async with place.store(THINGS, things("resting", reads=())) as store:
            folder = Folder(store, carries=True)
            await folder.start()
            await folder.step(journal, 1_000)
            commits, commit = [], store.commit

            async def noted(changes):
                commits.append(sorted(change.view.name for change in changes))
                await commit(changes)

            store.commit = noted
            for _ in range(3):
                journal.record(does("a", "count"))
                await folder.step(journal, 1_000)
            assert commits == [written] * 3
            assert folder.positions == {"things": 4, "resting": 4}
            await folder.keep()
            assert await store.positions() == {"things": 4, "resting": 4}

    run(scenario())


def test_what_holds_the_answer_of_a_tidied_file_keeps_no_commit_from_its_end(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite_views, "TIDIED", 1)

    async def scenario():
        async with InSqlite(tmp_path).store(THINGS) as store:
            there, given_back = store._in, []

            async def slow_to_let_go(pool, work):
                given_back.append(await there(pool, work))
                return given_back[-1]

            store._in = slow_to_let_go
            journal = Journal([does("a", "count") for _ in range(3)])
            assert (await fold(store, journal, page=1)).positions == {"things": 3}
            assert given_back

    run(scenario())
