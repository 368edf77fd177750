"""Answers from memory are those that the tables would give, and are given again only while these stay as they are."""

import asyncio
from contextlib import asynccontextmanager
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Table, bindparam, func, select

from services.chassis.readers.answers import Answers, look_of
from services.chassis.readers.projector import Projector
from services.chassis.readers.viewstore import Change
from tests.chassis.test_projector import THINGS, running
from tests.chassis.view_stores import STORES, InSqlite, Journal, does, gone, place_of, run, things
from tests.fold import TENANT

OTHERS = things("others")
_thing, _other = THINGS.table.c, OTHERS.table.c
_ONE = select(THINGS.table).where(
    _thing.tenant == bindparam("tenant"), _thing.key == bindparam("key"), _thing.part == bindparam("part")
)
TEXT = select(_thing.text, _thing.key).where(*_ONE.whereclause.clauses)
LIKE = select(_thing.key, _thing.text, _thing.flag).where(
    _thing.tenant == bindparam("tenant"), _thing.text == bindparam("text")
)
BOTH = (
    select(_thing.key, _other.count)
    .join(OTHERS.table, (_other.tenant == _thing.tenant) & (_other.key == _thing.key))
    .where(_thing.tenant == bindparam("tenant"))
    .order_by(_thing.key)
)
ALL = LIKE, BOTH, _ONE, TEXT


@pytest.fixture(params=STORES)
def place(request, tmp_path):
    return place_of(request, tmp_path)


class Counted:
    """A store that counts what it is asked, and can be made to take its time."""

    def __init__(self, store) -> None:
        self._store, self.asked, self.found, self.gate = store, 0, 0, None
        self.views = store.views

    def __getattr__(self, name):
        return getattr(self._store, name)

    async def fetch(self, query, **values):
        self.asked += 1
        rows = await self._store.fetch(query, **values)
        self.found += 1
        if self.gate:
            await self.gate.wait()
        return rows


@asynccontextmanager
async def answering(place, journal, *views):
    async with place.store(*(views or (THINGS, OTHERS))) as store:
        counted = Counted(store)
        async with running(Projector(journal, counted)) as projector:
            yield SimpleNamespace(
                answers=Answers(projector, counted), projector=projector, store=counted, journal=journal
            )


async def told(world, *events) -> None:
    world.journal.events.extend(events)
    world.projector.wake()
    assert await world.projector.wait_for(len(world.journal.events), 10)


VALUES = {"tenant": TENANT, "key": "a", "part": 1, "text": "x"}


def given_to(query) -> dict:
    return {name: value for name, value in VALUES.items() if name in query.compile().params}


def test_what_a_query_looks_at_is_told_by_its_form():
    those = (THINGS, OTHERS)
    assert look_of(_ONE, those).key == ("tenant", "key", "part")
    assert look_of(TEXT, those).columns == ("text", "key")
    assert look_of(BOTH, those) == (("others", "things"), (), ())
    for query in (
        LIKE,
        _ONE.limit(0),
        _ONE.where(_thing.text == "x"),
        select(func.count().label("n")).select_from(THINGS.table).where(*_ONE.whereclause.clauses),
        select(THINGS.table).where(
            _thing.tenant == bindparam("tenant"), _thing.key == bindparam("part"), _thing.part == bindparam("key")
        ),
        select(THINGS.table).where(
            _thing.tenant == bindparam("tenant"), _thing.key == bindparam("key"), _thing.part > bindparam("part")
        ),
    ):
        assert look_of(query, those) == (("things",), (), ()), str(query)


def test_a_table_that_nobody_folds_is_asked_each_time():
    foreign = things("foreign").table
    assert isinstance(foreign, Table)
    query = select(foreign).where(foreign.c.tenant == bindparam("tenant"))
    assert look_of(query, (THINGS,)).views == ()


def test_the_same_question_is_asked_once_until_a_row_of_its_tables_changes(place):
    async def scenario():
        async with answering(place, Journal()) as world:
            await told(world, does("a", "put", {"text": "x"}))
            first = await world.answers.fetch(LIKE, given_to(LIKE))
            assert [row["key"] for row in first] == ["a"]
            asked = world.store.asked
            assert await world.answers.fetch(LIKE, given_to(LIKE)) == first
            assert world.store.asked == asked
            await told(world, does("b", "put", {"text": "x"}))
            assert [row["key"] for row in await world.answers.fetch(LIKE, given_to(LIKE))] == ["a", "b"]

    run(scenario())


def test_a_row_that_is_named_by_its_key_is_not_asked_for(place):
    async def scenario():
        async with answering(place, Journal()) as world:
            await told(world, does("a", "put", {"text": "x", "flag": True}))
            by_table = list(await world.store.fetch(_ONE, **given_to(_ONE)))
            asked = world.store.asked
            assert list(await world.answers.fetch(_ONE, given_to(_ONE))) == by_table
            assert list(await world.answers.fetch(_ONE, given_to(_ONE) | {"key": "z"})) == []
            assert world.store.asked == asked
            await told(world, gone("a"))
            assert list(await world.answers.fetch(_ONE, given_to(_ONE))) == []

    run(scenario())


def test_an_answer_that_was_on_its_way_while_a_row_changed_is_not_given_to_others(place):
    async def scenario():
        async with answering(place, Journal()) as world:
            await told(world, does("a", "put", {"text": "x"}))
            world.store.gate, world.store.found = asyncio.Event(), 0
            late = asyncio.create_task(world.answers.fetch(LIKE, given_to(LIKE)))
            while world.store.asked < 1:
                await asyncio.sleep(0)
            while not world.store.found:
                await asyncio.sleep(0)
            await told(world, does("b", "put", {"text": "x"}))
            world.store.gate.set()
            assert [row["key"] for row in await world.answers.fetch(LIKE, given_to(LIKE))] == ["a", "b"]
            await late
            assert [row["key"] for row in await world.answers.fetch(LIKE, given_to(LIKE))] == ["a", "b"]

    run(scenario())


def test_those_who_ask_at_the_same_time_share_one_answer_and_not_its_end(place):
    async def scenario():
        async with answering(place, Journal()) as world:
            await told(world, does("a", "put", {"text": "x"}))
            world.store.gate = asyncio.Event()
            first, *others = [asyncio.create_task(world.answers.fetch(LIKE, given_to(LIKE))) for _ in range(4)]
            while world.store.asked < 1:
                await asyncio.sleep(0)
            await asyncio.sleep(0)
            assert world.store.asked == 1
            first.cancel()
            others[0].cancel()
            world.store.gate.set()
            assert [row["key"] for row in await others[1]] == ["a"]
            assert [row["key"] for row in await others[2]] == ["a"]
            assert world.store.asked == 2

    run(scenario())


def test_what_stands_in_doubt_is_asked_for(place):
    async def scenario():
        async with answering(place, Journal()) as world:
            await told(world, does("a", "put", {"text": "x"}))
            await world.answers.fetch(LIKE, given_to(LIKE))
            asked, world.projector.doubts = world.store.asked, True
            await world.answers.fetch(LIKE, given_to(LIKE))
            await world.answers.fetch(_ONE, given_to(_ONE))
            assert world.store.asked == asked + 2

    run(scenario())


def test_what_another_process_wrote_is_seen_when_this_one_begins_again(place):
    async def scenario():
        async with answering(place, Journal(), THINGS) as world:
            await told(world, does("a", "put", {"text": "x"}))
            await world.answers.fetch(LIKE, given_to(LIKE))
            # Another one folds the next event, which this one learns when its own commit is refused.
            world.journal.events.append(does("b", "put", {"text": "x"}))
            row = (TENANT, "b", 1, *{**THINGS.defaults, "text": "x"}.values())
            await world.store.positions()
            await world.store.commit([Change(THINGS, 1, 2, [row])])
            await told(world, does("c", "put", {"text": "y"}))
            assert [row["key"] for row in await world.answers.fetch(LIKE, given_to(LIKE))] == ["a", "b"]

    run(scenario())


KEYS = st.sampled_from("abc")
TOLD = st.fixed_dictionaries({"text": st.sampled_from("xy"), "flag": st.booleans()})
PUT = st.builds(lambda key, columns: does(key, "put", columns), KEYS, TOLD)
PAGE = st.lists(st.one_of(PUT, st.builds(lambda key: does(key, "count"), KEYS), st.builds(gone, KEYS)), max_size=6)


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(pages=st.lists(PAGE, max_size=6))
def test_answers_are_those_of_the_tables_whatever_happens(tmp_path_factory, pages):
    async def scenario():
        async with answering(InSqlite(tmp_path_factory.mktemp("views")), Journal()) as world:
            for page in pages:
                if page:
                    await told(world, *page)
                for query in ALL:
                    for key in "ab":
                        values = {**given_to(query), **({"key": key} if "key" in given_to(query) else {})}
                        by_table = list(await world.store.fetch(query, **values))
                        assert list(await world.answers.fetch(query, values)) == by_table

    run(scenario())
