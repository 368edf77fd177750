"""
The log run through the folds again: what it tells of what lives, that it can be held to a speed and paused, and that
nothing outside ever hears of it.
"""

import asyncio
import hashlib
import os
import signal
import smtplib
import socket
import sqlite3
import subprocess
import time
from contextlib import asynccontextmanager
from datetime import timedelta

import msgspec
import pytest

from services import offline
from services.chassis.bus.kafka import Outlet
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.writer import Writer
from services.chassis.messages import outlets
from services.chassis.readers.reactor import Reactor
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.readers.timers import Timers
from services.host import discover
from services.replaying.chosen import Choice
from services.replaying.replay import Pace, replay
from services.restoring.refilling import Sent, append
from services.settings import Settings
from tests.host.conftest import recorded

INTAKE = discover()["intake"]


def by_hand(stores, service, sql):
    with sqlite3.connect((stores / service / "views.db").resolve()) as db:
        assert db.execute(sql).rowcount > 0


def of(found, view):
    return next(table for one in found for table in one["tables"] if table["view"] == view)


def test_the_whole_log_gives_what_lives_and_a_row_that_was_changed_by_hand_is_told(stores, fieldloop):
    ran = fieldloop("--data", stores, "replay", "--json")
    assert ran.code == 0
    assert {(t["added"], t["missing"], t["changed"]) for one in ran.json for t in one["tables"]} == {(0, 0, 0)}
    assert {one["service"] for one in ran.json} == set(discover())

    by_hand(stores, "intake", "UPDATE requests SET number = 'x' WHERE number LIKE '%-0001'")
    by_hand(stores, "intake", "DELETE FROM requests WHERE number LIKE '%-0002'")
    by_hand(stores, "intake", "UPDATE requests SET request_id = 'nobody' WHERE number LIKE '%-0003'")
    ran = fieldloop("--data", stores, "replay", "--service", "intake", "--json")
    assert ran.code == 1
    requests = of(ran.json, "requests")
    assert (requests["added"], requests["missing"], requests["changed"]) == (2, 1, 1)
    changed = next(one for one in requests["first"] if one["kind"] == "changed")
    assert changed["lives"] == {"number": "x"} and changed["replayed"]["number"].endswith("-0001")
    told = fieldloop("--data", stores, "replay", "--service", "intake", "--show", "9").out
    assert "intake requests missing: tenant demo, request_id nobody" in told and "nothing was sent" in told

    assert fieldloop("--data", stores, "replay", "--service", "intake", "--swap").code == 0
    assert fieldloop("--data", stores, "replay").code == 0, "what was put in place is what the log says"


def test_a_part_of_the_log_gives_the_rows_of_that_part(stores, fieldloop):
    settings = Settings(data=stores)
    log = asyncio.run(recorded(settings, "intake"))
    received = [(entry, e) for entry, e in log if e.type == "RequestReceived"]
    third, its = received[2]

    def rows(*words):
        return of(fieldloop("--data", stores, "replay", "--service", "intake", "--json", *words).json, "requests")

    upto = rows("--to", str(third.position))
    assert (upto["rows"], upto["missing"], upto["added"]) == (3, len(received) - 3, 0)
    by_time = rows("--to", (its.recorded_at + timedelta(microseconds=1)).isoformat())
    assert by_time["rows"] >= 3 and by_time["rows"] + by_time["missing"] == len(received)
    of_one = rows("--request", its.correlation_id)
    assert (of_one["rows"], of_one["missing"], of_one["changed"], of_one["added"]) == (1, 0, 0, 0)
    assert rows("--from", str(third.position + 1), "--to", str(third.position + 1))["rows"] <= 1
    assert rows("--tenant", "nobody")["rows"] == 0


@pytest.mark.parametrize(
    "part", [("--to", "5"), ("--from", "2"), ("--tenant", "demo"), ("--request", "x"), ("--view", "requests")]
)
def test_a_part_is_never_put_in_place(stores, fieldloop, part):
    before = (stores / "intake" / "views.db").resolve()
    ran = fieldloop("--data", stores, "replay", "--service", "intake", *part, "--swap")
    assert ran.code == 2 and "whole" in ran.err
    assert (stores / "intake" / "views.db").resolve() == before


def test_nothing_is_put_in_place_under_a_process_that_writes(stores, fieldloop):
    journal = SqliteJournal(stores / "intake" / "journal.db")
    try:
        ran = fieldloop("--data", stores, "replay", "--service", "intake", "--swap")
        assert ran.code == 2 and "in use by process" in ran.err
        assert fieldloop("--data", stores, "replay", "--service", "intake").code == 0, "beside it is beside it"
    finally:
        asyncio.run(journal.close())


def test_words_that_make_no_sense_are_told_what_would(stores, fieldloop):
    for words, told in {
        ("--service", "nobody"): "give one of intake",
        ("--speed", "fast"): "events a second",
        ("--from", "yesterday"): "give an instant",
        ("--view", "nothing"): "there is no view nothing",
    }.items():
        ran = fieldloop("--data", stores, "replay", *words)
        assert ran.code == 2 and told in ran.err, words


# Over a journal by itself.


@asynccontextmanager
async def opened(folder):
    journal = SqliteJournal(folder / "journal.db", readonly=True)
    live = await SqliteViews.open(folder / "views.db", INTAKE.views)
    shadow = await live.beside()
    yield journal, live, shadow
    await shadow.close()
    await live.close()
    await journal.close()


async def made(folder, source, events):
    """A journal of intake with so many records: those of the demo again and again, each time of another tenant."""
    folder.mkdir()
    records = [e for _, e in await recorded(Settings(data=source), "intake")]
    sent, chains = [], {}

    async def pages():
        position = 0
        while position < events:
            page = []
            tenant = f"t-{position}"
            for envelope in records[: events - position]:
                position += 1
                id, cause = f"{position}-{envelope.id}", envelope.causation_id and f"x-{envelope.causation_id}"
                copy = msgspec.structs.replace(
                    envelope, tenant=tenant, id=id, causation_id=cause, position=str(position)
                )
                record = msgspec.json.encode(copy)
                link = chains[tenant] = _link(chains.get(tenant, bytes(32)), record)
                page.append(Sent(position, link, record))
            sent.append(len(page))
            yield page

    return await append(folder / "journal.db", INTAKE, pages())


def _link(before, record):
    return hashlib.sha256(before + record).digest()


def test_a_hundred_thousand_events_are_replayed_and_nothing_outside_is_called(of_a_demo, tmp_path, monkeypatch):
    called = []

    def armed(what):
        def fail(*args, **kwargs):
            called.append(what)
            raise AssertionError(f"a replay called {what}")

        return fail

    async def story():
        assert await made(tmp_path / "intake", of_a_demo[0], 100_000) == 100_000
        async with opened(tmp_path / "intake") as (journal, live, shadow):
            with monkeypatch.context() as now:
                for where, name in (
                    (socket.socket, "connect"),
                    (socket.socket, "sendall"),
                    (socket, "create_connection"),
                    (subprocess, "Popen"),
                    (smtplib, "SMTP"),
                    (outlets.Outlets, "of"),
                    (Outlet, "send"),
                    (Writer, "ask"),
                    (Writer, "take_in"),
                    (Writer, "settle"),
                    (Reactor, "run"),
                    (Timers, "run"),
                    (SqliteJournal, "commit"),
                ):
                    now.setattr(where, name, armed(f"{where.__name__}.{name}"))
                with pytest.raises(AssertionError, match="a replay called"):
                    socket.create_connection(("127.0.0.1", 9))
                called.clear()
                done = await replay("intake", journal, live, shadow, Choice(last=100_000), Pace(), show=0)
        return done

    done = asyncio.run(asyncio.wait_for(story(), 120))
    assert called == [] and done.events >= 100_000
    assert {table.position for table in done.tables} == {100_000} and not any(table.failed for table in done.tables)
    print(f"{done.events} events in {done.seconds} s")


def test_a_speed_is_kept_and_a_pause_is_not_made_up_for(of_a_demo, tmp_path):
    async def story():
        await made(tmp_path / "intake", of_a_demo[0], 400)
        async with opened(tmp_path / "intake") as (journal, live, shadow):
            pace, pages, begun = Pace(1_000), [], time.monotonic()

            def told(events):
                if events:
                    pages.append(events)
                    if len(pages) == 2:
                        pace.turn()
                        asyncio.get_running_loop().call_later(1.0, pace.turn)

            chosen = Choice(last=400)
            done = await replay("intake", journal, live, shadow, chosen, pace, show=0, progress=told)
            return pages, time.monotonic() - begun, done

    pages, took, done = asyncio.run(asyncio.wait_for(story(), 60))
    assert done.events == 400 and max(pages) <= 100
    assert took >= 1.3, "0.4 s at that speed, and the rest of a second of pause"


def test_a_signal_pauses_it_and_lets_it_go_on(stores):
    said, folded = [], []

    def told(paused):
        said.append(paused)
        if paused:
            asyncio.get_running_loop().call_later(0.05, os.kill, os.getpid(), signal.SIGUSR1)

    def progress(events):
        folded.append(events)
        if len(folded) == 1:
            os.kill(os.getpid(), signal.SIGUSR1)

    done = asyncio.run(
        offline.replay_views(
            Settings(data=stores), ["intake"], Choice(), speed=5_000, progress=progress, told=told, show=1
        )
    )
    assert said == [True, False]
    assert all(table.equal for table in done[0].tables)


def test_what_is_recorded_meanwhile_is_caught_up_before_the_swap(stores):
    """Rows that a swap puts in place stand where the journal ends, also where the ones that lived did not."""
    with sqlite3.connect((stores / "intake" / "views.db").resolve()) as db:
        db.execute("DELETE FROM requests")
        db.execute("UPDATE _checkpoints SET position = 0 WHERE view = 'requests'")
    done = asyncio.run(offline.replay_views(Settings(data=stores), ["intake"], Choice(), swap=True))
    assert done[0].upto == {table.position for table in done[0].tables}.pop()
    rebuilt = asyncio.run(offline.rebuild(Settings(data=stores), ["intake"], True, lambda read: None))
    assert all(one.identical for one in rebuilt)
