"""What is missing is named with what mends it, also where an installation is half there."""

import asyncio
import os
from datetime import timedelta

import asyncpg

from contracts.operations import TAKE_IN
from services import doctor
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import DeadLetterFile
from services.chassis.clock import SystemClock
from services.chassis.journal.postgres import Lease, prepare
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.store import Batch, Held, HoldKey
from services.chassis.readers.reactor import LATER
from services.host import journal_file
from services.operating import checks
from services.settings import Settings


def found(checks):
    return {check.what: check for check in checks}


def told(story):
    return asyncio.run(asyncio.wait_for(story, 30))


def examined(settings):
    return found(told(doctor.examine(settings)))


def by_name(ran):
    return {check["what"]: check for check in ran.json}


def test_a_wrong_setting_is_a_finding_and_not_a_traceback(fieldloop):
    ran = fieldloop("doctor", "--json", FIELDLOOP_BUS="rabbit")
    [check] = ran.json
    assert (ran.code, check["what"], check["well"]) == (1, "settings", False)
    assert "kafka:HOST:PORT" in check["finding"] and check["remedy"]
    assert "kafka:HOST:PORT" in " ".join(fieldloop("doctor", FIELDLOOP_BUS="rabbit").out.split())


def test_where_java_is_missing_the_command_that_installs_it_is_told(fieldloop, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("JAVA_HOME", raising=False)
    check = by_name(fieldloop("doctor", "--json", FIELDLOOP_BUS="kafka:127.0.0.1:1"))["Kafka"]
    assert not check["well"]
    assert "Java 17" in check["remedy"]


def test_a_disk_that_is_nearly_full_is_told(tmp_path, monkeypatch):
    settings = Settings(data=tmp_path / "data")
    assert examined(settings)["data folder"].well
    monkeypatch.setattr(checks, "LEAST_FREE", 1.1)
    monkeypatch.setattr(checks, "LEAST_FREE_GIB", 2**40)
    check = examined(settings)["data folder"]
    assert not check.well
    assert "GiB free" in check.finding and "make room" in check.remedy


def test_keys_that_nothing_can_replace_are_missed(fieldloop, stores):
    well = by_name(fieldloop("doctor", "--json", FIELDLOOP_DATA=stores))
    assert (well["signing key"]["well"], well["keys of persons"]["well"]) == (True, True)
    for name in ("checkpoint-key.pem", "persons.db"):
        (stores / name).unlink()
    ran = fieldloop("doctor", "--json", FIELDLOOP_DATA=stores)
    lacks = {name: check for name, check in by_name(ran).items() if not check["well"]}
    assert (ran.code, lacks.keys()) == (1, {"signing key", "keys of persons"})
    assert all("from a backup" in check["remedy"] for check in lacks.values())
    assert not (stores / "persons.db").exists(), "looking makes nothing"


def test_who_writes_is_told_and_how_to_start_where_nobody_does(tmp_path):
    settings = Settings(data=tmp_path)
    (tmp_path / "intake").mkdir()
    journal = SqliteJournal(journal_file(settings, "intake"))
    assert examined(settings)["intake: writer"].finding == f"process {os.getpid()} writes"
    told(journal.close())
    check = examined(settings)["intake: writer"]
    assert (check.well, check.finding, check.remedy) == (True, "nobody writes now", "fieldloop up")


def test_a_lease_that_its_holder_lets_run_out_is_told_with_the_command_that_takes_over(postgres):
    dsn = postgres.fresh_database()

    async def story():
        await prepare(dsn, "intake")
        settings = Settings(store=dsn)
        free = await checks._writer(settings, "intake")
        lease = Lease(dsn, "intake")
        await lease.acquire("http://127.0.0.1:9")
        held = await checks._writer(settings, "intake")
        await lease.close()
        db = await asyncpg.connect(dsn)
        await db.execute("UPDATE intake_journal.lease SET expires_at = clock_timestamp() - interval '90 s'")
        await db.close()
        return free, held, await checks._writer(settings, "intake")

    free, held, stale = told(story())
    assert (free.well, free.finding) == (True, "nobody writes now")
    assert (held.well, held.finding) == (True, "http://127.0.0.1:9 writes")
    assert not stale.well
    assert "has not renewed it for 9" in stale.finding and "fieldloop serve intake" in stale.remedy


def test_what_is_parked_unread_or_of_a_later_release_is_counted_with_where_to_look(fieldloop, stores):
    async def story():
        letters = DeadLetterFile(stores / "intake" / "dead-letters.jsonl")
        await letters.leave(Record("dispatcher", "dispatcher", 7, b"noise"), "no record")
        journal = SqliteJournal(stores / "intake" / "journal.db")
        head = (await journal.head()).position
        parked = (HoldKey("end-request", "demo", "r-1"), 1), Held(1, 14, 0, True, "our bug")
        later = (HoldKey(LATER, "demo", "r-1"), 2), Held(2, 0, 0, True, "unknown")
        await journal.commit(Batch(holds=dict((parked, later))), after=head)
        await journal.close()

    told(story())
    ran = fieldloop("doctor", "--json", FIELDLOOP_DATA=stores)
    checks = by_name(ran)
    assert ran.code == 1
    for what in ("intake: held events", "intake: unread messages"):
        assert checks[what]["well"] is False
        assert checks[what]["remedy"] == "fieldloop deadletters list --service intake"
    assert "1 events of a later release" in checks["intake: later events"]["finding"]
    letter = fieldloop(
        "deadletters", "list", "--service", "intake", "--policy", TAKE_IN, "--json", FIELDLOOP_DATA=stores
    )
    assert [one["position"] for one in letter.json["items"]] == [7]


def test_lag_counts_what_is_still_to_be_taken_in(fieldloop, stores):
    async def story():
        journal = SqliteJournal(stores / "dispatcher" / "journal.db")
        head = (await journal.head()).position
        await journal.commit(Batch(offsets={"intake": 1}), after=head)
        await journal.close()

    told(story())
    ran = fieldloop("lag", "--json", FIELDLOOP_DATA=stores)
    [lag] = [one for one in ran.json["lags"] if one["service"] == "dispatcher" and one["reader"] == "takes in intake"]
    assert lag["events"] > 0
    assert lag["seconds"] > 0
    assert SystemClock().now() - timedelta(seconds=lag["seconds"]) < SystemClock().now()


def test_what_is_not_public_is_never_still_to_be_taken_in(fieldloop, stores):
    async def story():
        journal = SqliteJournal(stores / "dispatcher" / "journal.db")
        entries = await journal.read(0, 10_000)
        await journal.close()
        ours = [entry.envelope() for entry in entries if ":" not in entry.stream]
        reporting = SqliteJournal(stores / "reporting" / "journal.db")
        await reporting.commit(Batch(offsets={"dispatcher": 1}), after=(await reporting.head()).position)
        await reporting.close()
        return sum(1 for one in ours if one.public_version), len(ours)

    public, recorded = told(story())
    assert 0 < public < recorded
    ran = fieldloop("lag", "--json", FIELDLOOP_DATA=stores)
    named = {(one["service"], one["reader"]): one for one in ran.json["lags"]}
    assert named["reporting", "takes in dispatcher"]["events"] == public
