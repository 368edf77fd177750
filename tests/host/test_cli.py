"""The command, as a newcomer and as a script types it."""

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys

import pytest

from services.host import discover
from tests.host.conftest import started
from tests.importing.imports import write_mapping

PROMISED = (
    "requests",
    "assigned",
    "completed",
    "feedback",
    "parts_consumed",
    "events",
    "invariant_violations",
    "rebuild_identical",
    "chain_verified",
    "seconds",
    "peak_rss_mb",
)

COMMANDS = {
    ("up",): "gateway",
    ("serve",): "gateway",
    ("demo",): "repair company",
    ("import", "history"): "bpic2013.yaml",
    ("report",): "incident-kpis",
    ("rebuild",): "--check",
    ("verify",): "signed checkpoints",
    ("audit",): "known",
    ("forget",): "cannot be undone",
    ("export",): "OCEL 2.0",
    ("lag",): "held back",
    ("deadletters",): "by cause",
    ("deadletters", "list"): "parked",
    ("deadletters", "show"): "in the order",
    ("deadletters", "redrive"): "in order",
    ("deadletters", "discard"): "by hand",
    ("events",): "policy",
    ("doctor",): "mends it",
    ("token",): "curl",
    ("users",): "sign in",
    ("users", "add"): "Argon2id",
    ("users", "suspend"): "tokens",
    ("users", "list"): "password",
}


def one_line(text):
    assert len(text.strip().splitlines()) == 1, text
    return text.strip()


def free():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


# Help.


def test_help_says_how_to_begin_and_what_the_exit_codes_mean(fieldloop):
    ran = fieldloop("--help")
    said = " ".join(ran.out.split())
    assert ran.code == 0
    assert "fieldloop demo" in said
    assert "Exit codes" in said
    assert all(words[0] in said for words in COMMANDS)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_the_help_of_a_command_teaches_it(fieldloop, words):
    ran = fieldloop(*words, "--help")
    assert ran.code == 0
    assert COMMANDS[words] in ran.out


# What a script reads.


def test_the_demo_prints_one_object_with_what_happened(of_a_demo):
    *_, last = of_a_demo[1]["out"].splitlines()
    said = json.loads(last)
    assert of_a_demo[1]["out"] == last + "\n", "progress is for stderr"
    assert said.keys() == {*PROMISED, "assigned_after_ms_p50"}
    assert [said[name] for name in ("requests", "assigned", "completed", "feedback")] == [5, 5, 5, 5]
    assert (said["invariant_violations"], said["rebuild_identical"], said["chain_verified"]) == (0, True, True)
    assert 0 < said["seconds"] <= 60
    assert 20 < said["peak_rss_mb"] <= 500
    assert "5 of 5 requests" in of_a_demo[1]["err"]


def test_the_demo_leaves_its_stores_where_it_was_told_and_they_verify(fieldloop, of_a_demo):
    data, _ = of_a_demo
    assert {folder.name for folder in data.iterdir() if folder.is_dir()} == {*discover(), "checkpoints"}
    ran = fieldloop("verify", "--json", FIELDLOOP_DATA=data)
    assert (ran.code, ran.json["violations"], ran.json["chain"], ran.json["behind"]) == (0, 0, True, {})
    assert (ran.json["checkpoints"], ran.json["checkpoints_checked"]) == (True, 6)
    assert fieldloop("--data", data, "verify").code == 0, "the option says the same"


@pytest.mark.parametrize(
    "words",
    [
        ("verify",),
        ("rebuild", "all", "--check"),
        ("rebuild", "quality"),
        ("report", "efficiency"),
        ("report", "utilisation"),
        ("events",),
        ("doctor",),
        ("lag",),
    ],
    ids=" ".join,
)
def test_json_is_all_that_stands_on_stdout(fieldloop, stores, words):
    ran = fieldloop(*words, "--json", FIELDLOOP_DATA=stores)
    assert ran.code == 0, ran
    assert ran.json
    assert ran.err == ""
    assert fieldloop(*words, FIELDLOOP_DATA=stores).code == 0, "and as a table"


def test_a_report_is_of_the_only_tenant_there_is(fieldloop, of_a_demo):
    assert fieldloop("report", "efficiency", "--json", FIELDLOOP_DATA=of_a_demo[0]).json["requests_received"] == 5


def test_events_say_who_acts_on_them_and_who_shows_them(fieldloop):
    rows = {row["event"]: row for row in fieldloop("events", "--json").json}
    assert rows["RequestReceived"]["publisher"] == "intake"
    assert rows["RequestReceived"]["acted_on_by"] == ["dispatcher"]
    assert "reporting" in rows["RequestReceived"]["shown_by"]
    assert rows["OrderAssigned"]["acted_on_by"] == ["intake", "dispatcher", "fieldwork", "inventory"]
    assert all(row["meaning"].endswith(".") for row in rows.values())
    assert "RequestReceived" in fieldloop("events").out, "and no name is cut off"


def test_a_token_opens_the_api(fieldloop, of_a_demo):
    ran = fieldloop("token", "manager", "--tenant", "demo", FIELDLOOP_DATA=of_a_demo[0])
    assert (ran.code, ran.out.count("."), ran.err) == (0, 2, "")


# What is wrong is said in one line, with the setting or field and the remedy.


@pytest.mark.parametrize(
    ("words", "env", "says"),
    [
        (("verify",), {"FIELDLOOP_BUS": "rabbit"}, ("FIELDLOOP_BUS", "embedded", "kafka:")),
        (("verify",), {"FIELDLOOP_BUS": "kafka:"}, ("FIELDLOOP_BUS", "kafka:HOST:PORT")),
        (("up",), {"FIELDLOOP_BUS": "kafka:127.0.0.1:1"}, ("FIELDLOOP_BUS", "make up")),
        (("verify",), {"FIELDLOOP_STORE": "mysql"}, ("FIELDLOOP_STORE", "postgresql://")),
        (("verify",), {"FIELDLOOP_STORE": "postgresql://x@127.0.0.1:1/y"}, ("FIELDLOOP_STORE", "make up")),
        (("up",), {"FIELDLOOP_PORT": "http"}, ("FIELDLOOP_PORT", "whole number")),
        (("up", "--port", "70000"), {}, ("FIELDLOOP_PORT", "65535")),
        (("up",), {"FIELDLOOP_HOST": "host.invalid"}, ("FIELDLOOP_HOST",)),
        (("up",), {"FIELDLOOP_DATA": "/proc/nowhere"}, ("FIELDLOOP_DATA", "--data")),
        (("serve", "gateway"), {"FIELDLOOP_REPLICAS": "intake"}, ("FIELDLOOP_REPLICAS", "SERVICE=URL")),
        (("serve", "billing"), {}, ("billing", "intake", "gateway")),
        (("demo", "--once"), {"FIELDLOOP_HOST": "0.0.0.0"}, ("FIELDLOOP_HOST", "127.0.0.1")),
        (("demo", "--once"), {"FIELDLOOP_URL": "localhost:8080"}, ("FIELDLOOP_URL", "http://")),
        (("verify",), {}, ("no journal", "fieldloop demo", "--data")),
        (("report", "efficiency"), {}, ("no journal", "fieldloop demo", "--data")),
        (("rebuild", "billing"), {}, ("billing", "intake", "all")),
        (("token", "king"), {}, ("king", "manager")),
        (("token", "customer"), {}, ("--person",)),
    ],
)
def test_what_cannot_be_done_is_said_in_one_line(fieldloop, words, env, says):
    ran = fieldloop(*words, **env)
    assert (ran.code, ran.out) == (2, "")
    line = one_line(ran.err)
    assert all(word in line for word in says), line


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("report", "sales"), ("sales", "efficiency", "incident-kpis")),
        (("report", "efficiency", "--from", "yesterday"), ("from",)),
    ],
)
def test_a_report_that_is_not_there_or_asked_wrongly_is_named(fieldloop, of_a_demo, words, says):
    ran = fieldloop(*words, FIELDLOOP_DATA=of_a_demo[0])
    assert (ran.code, ran.out) == (2, "")
    assert all(word in one_line(ran.err) for word in says), ran.err


def test_a_port_in_use_is_said(fieldloop):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        for words in (("up", "--port", port), ("demo", "--port", port)):
            ran = fieldloop(*words)
            assert ran.code == 2
            assert port in ran.err.splitlines()[-1]
            assert "FIELDLOOP_PORT" in ran.err.splitlines()[-1]


def test_the_demo_keeps_away_from_another_seeds_company(fieldloop, stores):
    ran = fieldloop("demo", "--once", "--requests", "1", "--seed", "2", FIELDLOOP_DATA=stores)
    assert ran.code == 2
    assert "--seed" in ran.err.splitlines()[-1]


def test_the_demos_accounts_are_served_to_nobody_outside(fieldloop, stores):
    ran = fieldloop("up", FIELDLOOP_DATA=stores, FIELDLOOP_HOST="0.0.0.0")
    assert ran.code == 2
    assert "users.json" in one_line(ran.err)


def test_a_mapping_that_is_missing_or_wrong_is_said_by_field(fieldloop, tmp_path):
    log = tmp_path / "log.csv"
    log.write_text("case,time,status\n")
    missing = fieldloop("import", "history", log, "--mapping", tmp_path / "none.yaml")
    assert (missing.code, "none.yaml" in one_line(missing.err)) == (2, True)
    wrong = fieldloop("import", "history", log, "--mapping", write_mapping(tmp_path, {"source": "No Good"}))
    assert (wrong.code, "source:" in one_line(wrong.err)) == (2, True)
    unfit = fieldloop("import", "history", log, "--mapping", write_mapping(tmp_path, {}))
    assert (unfit.code, "no column" in one_line(unfit.err)) == (2, True)
    assert not (tmp_path / "log.csv.rejects.csv").exists(), "nothing is left beside the file"


def test_looking_makes_nothing(fieldloop, tmp_path):
    for words in (("doctor",), ("verify",), ("report", "efficiency"), ("rebuild", "all"), ("events",)):
        fieldloop(*words)
    assert not (tmp_path / "data").exists()


def test_doctor_names_a_neighbour_that_does_not_answer(fieldloop):
    ran = fieldloop(
        "doctor", "--json", FIELDLOOP_BUS="kafka:127.0.0.1:1", FIELDLOOP_STORE="postgresql://x@127.0.0.1:1/y"
    )
    assert ran.code == 1
    assert {check["what"] for check in ran.json if not check["well"]} == {"Kafka", "PostgreSQL"}


# Exit codes of checks.


def tamper(file, *statements):
    db = sqlite3.connect(file, isolation_level=None)
    for (trigger,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {trigger}")
    changed = [db.execute(sql).rowcount for sql in statements]
    db.close()
    assert all(changed), changed


def test_verify_finds_a_flipped_byte_and_where(fieldloop, stores):
    tamper(
        stores / "dispatcher" / "journal.db",
        "UPDATE events SET record = CAST(replace(CAST(record AS TEXT), '朝', '期') AS BLOB) WHERE position = "
        "(SELECT min(position) FROM events WHERE CAST(record AS TEXT) LIKE '%朝%')",
    )
    ran = fieldloop("verify", "--json", FIELDLOOP_DATA=stores)
    assert (ran.code, ran.json["chain"]) == (1, False)
    position = ran.json["first_bad_position"]["dispatcher"]
    rules = [rule for rule, service, where, _ in ran.json["findings"] if (service, where) == ("dispatcher", position)]
    assert sorted(rules) == ["chain", "checkpoint"]
    assert len(ran.json["findings"]) == 2
    table = fieldloop("verify", FIELDLOOP_DATA=stores)
    assert table.code == 1
    assert f"dispatcher position {position}" in table.out


def test_rebuild_finds_a_row_that_was_changed_by_hand_and_mends_it(fieldloop, stores):
    tamper(stores / "dispatcher" / "views.db", "UPDATE dispatch_board SET region = '别处'")
    checked = fieldloop("rebuild", "dispatcher", "--check", "--json", FIELDLOOP_DATA=stores)
    assert checked.code == 1
    [wrong] = [row for row in checked.json if not row["identical"]]
    assert (wrong["view"], "别处" in wrong["difference"]) == ("dispatch_board", True)
    assert fieldloop("rebuild", "dispatcher", "--check", FIELDLOOP_DATA=stores).code == 1, "looking mends nothing"
    mended = fieldloop("rebuild", "dispatcher", FIELDLOOP_DATA=stores)
    assert (mended.code, "mended" in mended.out) == (0, True)
    assert fieldloop("rebuild", "dispatcher", "--check", FIELDLOOP_DATA=stores).code == 0


def test_services_that_are_rebuilt_side_by_side_are_found_and_mended_as_one_by_one(fieldloop, stores, monkeypatch):
    one_by_one = fieldloop("rebuild", "all", "--check", "--json", FIELDLOOP_DATA=stores)
    tamper(stores / "dispatcher" / "views.db", "UPDATE dispatch_board SET region = '别处'")
    monkeypatch.setattr("services.offline.rebuilding.SIDE_BY_SIDE", 1)
    checked = fieldloop("rebuild", "all", "--check", "--json", FIELDLOOP_DATA=stores)
    assert [(row["service"], row["view"], row["rows"]) for row in checked.json if row["identical"]] == [
        (row["service"], row["view"], row["rows"]) for row in one_by_one.json if row["view"] != "dispatch_board"
    ]
    assert fieldloop("rebuild", "all", FIELDLOOP_DATA=stores).code == 0
    assert fieldloop("rebuild", "dispatcher", "--check", FIELDLOOP_DATA=stores).code == 0


# Ctrl-C.


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_ends_in_good_order_whenever_it_is_told(tmp_path, number):
    command = [sys.executable, "-m", "services.cli", "--data", str(tmp_path), "demo", "--port", str(free())]
    with started([*command, "--requests", "2000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as demo:
        assert "start in this process" in demo.stderr.readline()
        assert "founded" in demo.stderr.readline()
        demo.send_signal(number)  # it drives now
        _, said = demo.communicate(timeout=30)
    assert demo.returncode == 0, said
    assert "Traceback" not in said
    assert "ended before" in said


def test_the_demo_serves_on_until_it_is_told_to_end(tmp_path):
    import httpx

    port = free()
    command = [sys.executable, "-m", "services.cli", "--data", str(tmp_path), "demo", "--port", str(port)]
    with started(
        [*command, "--requests", "2"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    ) as demo:
        lines = iter(demo.stderr.readline, "")
        assert any("Ctrl-C ends it" in line for line in lines)
        address = f"http://127.0.0.1:{port}"
        assert httpx.get(f"{address}/readyz").status_code == 200
        credentials = {"user": "manager@demo", "password": "fieldloop-demo"}
        assert httpx.post(f"{address}/v1/sessions", json=credentials).status_code in (200, 201)
        demo.send_signal(signal.SIGINT)
        out, said = demo.communicate(timeout=30)
    assert (demo.returncode, "Traceback" in said) == (0, False), said
    assert "演示公司" in out, "the table is what was asked for"
