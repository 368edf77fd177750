"""Audits and proofs over the stores that a demo left."""

import asyncio
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from contracts import envelope as envelopes
from services.audit.story import Instant
from services.chassis.journal.attempt import SEALED
from services.host import discover
from services.offline import CannotDo, audit
from services.settings import Settings


def requests_of(data):
    rows = sqlite3.connect(f"file:{data / 'intake' / 'journal.db'}?mode=ro", uri=True).execute(
        "SELECT correlation_id, record FROM events ORDER BY position"
    )
    return [name for name, record in rows if envelopes.read(record).type == "RequestReceived"]


def asked(data, subject, instant=None):
    return asyncio.run(audit(Settings(data=data), subject, None, instant or Instant()))


def test_what_is_shown_now_is_what_the_services_show(of_a_demo):
    """Of the rows that are one request's alone."""
    data = of_a_demo[0]
    compared = 0
    for request_id in requests_of(data):
        found = asked(data, request_id)
        for service, name in (("intake", "requests"), ("dispatcher", "dispatch_board"), ("fieldwork", "visits")):
            [shown] = [one for one in found.shown[service] if one.view == name]
            view = next(one for one in discover()[service].views if one.name == name)
            [row] = shown.rows
            key = next(iter(view.key))
            db = sqlite3.connect(f"file:{(data / service / 'views.db').resolve()}?mode=ro", uri=True)
            db.row_factory = sqlite3.Row
            live = dict(db.execute(f"SELECT * FROM {name} WHERE {key} = ?", (row[key],)).fetchone())
            db.close()
            differing = {
                column: (value, row[column])
                for column, value in live.items()
                if column != "tenant" and row[column] != SEALED and not same(value, row[column])
            }
            assert differing == {}, f"{service} {name} {request_id}"
            compared += 1
    assert compared == 15


def same(stored, shown):
    if isinstance(shown, datetime):
        return stored == (shown - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)
    return stored == shown


def test_an_instant_on_the_way_shows_how_far_it_had_come(of_a_demo):
    data = of_a_demo[0]
    [request_id, *_] = requests_of(data)
    story = asked(data, request_id).story
    for line in story:
        past = asked(data, request_id, Instant(known_at=line.known_at))
        assert {one.id for one in past.story} == {one.id for one in story if one.known_at <= line.known_at}
    departed = next(line for line in story if line.type == "EngineerDeparted")
    [visit] = next(
        view.rows
        for view in asked(data, request_id, Instant(known_at=departed.known_at)).shown["fieldwork"]
        if view.view == "visits"
    )
    assert visit["state"] == "departed"
    assert asked(data, request_id).shown["fieldwork"][0].rows[0]["state"] == "completed"


def test_a_request_is_found_by_its_number_and_a_stream_by_its_name(of_a_demo):
    data = of_a_demo[0]
    [request_id, *_] = requests_of(data)
    [number] = [line.said["number"] for line in asked(data, request_id).story if line.type == "RequestReceived"]
    assert asked(data, number).subject == request_id
    order = next(line.stream for line in asked(data, request_id).story if line.type == "OrderAssigned")
    assert {"OrderOpened", "OrderAssigned", "OrderFinished"} <= {line.type for line in asked(data, order).story}
    assert "EngineerRegistered" in {line.type for line in asked(data, "engineer/E01").story}
    for nothing in ("nix", "", "nix/nix", "order/nix"):
        with pytest.raises(CannotDo, match="nothing is recorded of"):
            asked(data, nothing)


def test_the_command_tells_it_in_words_and_as_json(fieldloop, of_a_demo):
    data = of_a_demo[0]
    [request_id, *_] = requests_of(data)
    ran = fieldloop("audit", request_id, FIELDLOOP_DATA=data)
    assert ran.code == 0, ran.err
    for words in ("RequestReceived", "because of", "1 RequestReceived", "dispatcher dispatch_board", "state finished"):
        assert words in ran.out
    said = fieldloop("audit", request_id, "--json", FIELDLOOP_DATA=data).json
    assert (said["subject"], said["story"][0]["type"]) == (request_id, "RequestReceived")
    assert fieldloop("audit", request_id, "--at", "noon", FIELDLOOP_DATA=data).code == 2


def test_the_command_writes_a_proof_that_the_script_believes(fieldloop, of_a_demo, tmp_path):
    data = of_a_demo[0]
    [request_id, *_] = requests_of(data)
    out = tmp_path / "proof.json"
    ran = fieldloop("verify", "--proof", request_id, "--out", out, FIELDLOOP_DATA=data)
    assert ran.code == 0, ran.err
    script = Path(__file__).parents[2] / "deploy" / "check_proof.py"
    key = ran.out.split()[-1]
    done = subprocess.run(
        [sys.executable, "-I", str(script), str(out), key], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"of request {request_id} are in the journals that were signed" in done.stdout


def test_an_id_is_audited_where_no_view_was_made_yet(stores):
    """After a restore there are journals alone; only a number needs a view."""
    subject = requests_of(stores)[0]
    told = asked(stores, subject).story
    for view in stores.glob("*/views*"):
        view.unlink()
    assert asked(stores, subject).story == told
