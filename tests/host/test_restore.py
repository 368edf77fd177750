"""
Stores put back from backups, also from six different moments: all agree in the end, nothing is doubled, and what was
taken away is told and kept.

The company is the demo's, with five requests behind it; more go through the loop while the backups are taken.
"""

import asyncio
import json
import shutil
import sqlite3
from pathlib import Path
from random import Random

import pytest

from contracts import envelope as envelopes
from services import offline
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import DeadLetterFile
from services.chassis.clock import SystemClock
from services.demo.company import company
from services.demo.people import TENANT, People, Story, found
from services.host import discover
from services.proof.notes import notes_in
from services.serving import tokens_of
from services.settings import Settings
from tests.host.conftest import installation, recorded, with_engineers

SEED = 1
AT_ONCE = 2
ORDERS = {
    "intake is the oldest": ("intake", "dispatcher", "fieldwork", "inventory", "quality", "reporting"),
    "intake is the newest": ("reporting", "quality", "inventory", "fieldwork", "dispatcher", "intake"),
    "out of any order": ("fieldwork", "intake", "quality", "reporting", "inventory", "dispatcher"),
}


async def stories(it, first, count):
    """More customers of the demo's company."""
    people, firm = People(it.client, tokens_of(it.settings, SystemClock()), TENANT), company(SEED)
    await asyncio.gather(*[Story(people, firm, f"more-{n}", Random(n)).run() for n in range(first, first + count)])


async def busy(it, enough):
    first = 0
    while not enough.is_set():
        await stories(it, first, AT_ONCE)
        first += AT_ONCE


async def heads(settings):
    async with offline.readers(settings, discover()) as journals:
        return {name: (await journal.head()).position for name, journal in journals.items()}


async def all_is_well(settings):
    """The journals fit together, and every table is what they say."""
    checked = await offline.verify_stores(settings)
    assert (checked.findings, checked.chain, checked.behind) == ([], True, {})
    rebuilt = await offline.rebuild(settings, list(discover()), True, lambda read: None)
    assert {f"{one.service}.{one.view}": one.difference for one in rebuilt if not one.identical} == {}
    return checked


@pytest.fixture(scope="module")
def lived(of_a_demo, tmp_path_factory):
    """An installation that went on after six backups, each from a moment with requests under way."""
    folder = tmp_path_factory.mktemp("lived")
    data = Path(shutil.copytree(of_a_demo[0], folder / "data", symlinks=True))
    settings = Settings(data=data)

    async def story():
        async with installation(data) as it:
            enough = asyncio.Event()
            going = asyncio.create_task(busy(it, enough))
            for number in range(6):
                before = sum((await heads(settings)).values())
                async with asyncio.timeout(60):
                    # A good piece further each time.
                    while sum((await heads(settings)).values()) < before + 120:
                        await asyncio.sleep(0.02)
                await offline.make_backup(settings, folder / f"backup-{number}", lambda name: None)
            enough.set()
            await going
            await it.quiet()
        return await heads(settings)

    return folder, asyncio.run(asyncio.wait_for(story(), 180))


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_stores_of_six_moments_agree_after_a_restore_and_go_on(lived, order, tmp_path, fieldloop):
    folder, ended = lived
    data = Path(shutil.copytree(folder / "data", tmp_path / "data", symlinks=True))
    settings = Settings(data=data)
    others = [word for n, name in enumerate(order) for word in ("--other", f"{name}={folder / f'backup-{n}'}")]

    refused = fieldloop("restore", folder / "backup-0", *others)
    assert refused.code == 2 and "--replace" in refused.err
    assert asyncio.run(heads(settings)) == ended, "nothing was changed"
    put_back = fieldloop("restore", folder / "backup-0", *others, "--replace", "--json").json

    for one in put_back:
        assert one["position"] == one["from_backup"] - one["set_back"]
        if one["set_back"]:
            kept = [envelopes.read(line) for line in Path(one["set_aside"]).read_bytes().splitlines()]
            assert len(kept) == one["set_back"], "what was taken away is kept"
        assert one["signed_and_gone"] == ended[one["service"]] - one["position"] and one["incarnation"] == 2
    gone = {one["service"] for one in put_back if one["signed_and_gone"]}
    assert len(gone) > 3
    if order[0] == "intake":
        assert sum(one["set_back"] for one in put_back) > 0, "whoever knew more than intake was set back"

    async def story():
        async with installation(data) as it:
            await it.quiet()
            await all_is_well(settings)
            await stories(it, 100, 1)
            await it.quiet()
        checked = await all_is_well(settings)
        assert checked.checkpoints and {one.service for one in checked.restored} == gone
        ids = [entry.event_id for entry, _ in await recorded(settings)]
        assert len(ids) == len(set(ids)), "nothing is recorded twice"
        opened = [bytes(e.data) for _, e in await recorded(settings, "dispatcher") if e.type == "OrderOpened"]
        requests = [json.loads(data)["request_id"] for data in opened]
        assert len(requests) == len(set(requests)), "no request has two orders"

    asyncio.run(asyncio.wait_for(story(), 120))


def test_one_backup_is_of_one_moment_also_while_all_are_busy(lived, tmp_path, fieldloop):
    folder, _ = lived
    for number in range(6):
        data = tmp_path / f"{number}"
        put_back = fieldloop("--data", data, "restore", folder / f"backup-{number}", "--json").json
        assert sum(one["set_back"] for one in put_back) == 0
        assert sum(one["signed_and_gone"] for one in put_back) == 0, "a new machine has no checkpoints to miss any by"


def test_a_backup_that_was_changed_and_what_is_none_is_refused(lived, tmp_path, fieldloop):
    folder, _ = lived
    assert fieldloop("restore", tmp_path / "nothing").code == 2
    changed = Path(shutil.copytree(folder / "backup-0", tmp_path / "changed"))
    content = bytearray((changed / "intake" / "journal.db").read_bytes())
    content[-1] ^= 1
    (changed / "intake" / "journal.db").write_bytes(content)
    ran = fieldloop("restore", changed)
    assert ran.code == 2 and "not as it was" in ran.err
    assert fieldloop("backup", changed).code == 2, "a folder that has something is not written into"


def test_a_store_that_is_written_is_not_replaced(lived, tmp_path, fieldloop):
    folder, ended = lived
    data = Path(shutil.copytree(folder / "data", tmp_path / "data", symlinks=True))

    async def story():
        async with installation(data):
            return await asyncio.to_thread(fieldloop, "restore", folder / "backup-0", "--replace")

    ran = asyncio.run(story())
    assert ran.code == 2 and "in use by process" in ran.err
    assert asyncio.run(heads(Settings(data=data))) == ended


def test_a_restore_is_told_from_a_journal_that_was_cut_off(lived, tmp_path, fieldloop):
    """The same older journal, once put back by the command and once by hand."""
    folder, _ = lived
    data = Path(shutil.copytree(folder / "data", tmp_path / "data", symlinks=True))
    assert fieldloop("restore", folder / "backup-2", "--replace").code == 0
    found = fieldloop("verify", "--json").json
    assert found["violations"] == 0 and {one["service"] for one in found["restored"]} == set(discover())
    told = fieldloop("verify")
    assert "was put back to record" in told.out

    for end in ("", "-wal", "-shm"):
        (data / "intake" / f"journal.db{end}").unlink(missing_ok=True)
    shutil.copyfile(folder / "backup-0" / "intake" / "journal.db", data / "intake" / "journal.db")
    cut = fieldloop("verify", "--json")
    assert cut.code == 1 and any("checkpoint" in one for one in cut.json["findings"])

    shutil.copyfile(folder / "backup-2" / "intake" / "journal.db", data / "intake" / "journal.db")
    assert fieldloop("verify", "--json").code == 0
    # Nor is it hidden by taking signed notes away before the one that tells of the restore.
    notes = data / "checkpoints" / "intake" / "checkpoints"
    *_, newest, restored = list(notes_in(notes.read_text()))
    notes.write_text(notes.read_text().replace(newest, ""))
    found = fieldloop("verify", "--json")
    assert found.code == 1 and "came after other checkpoints" in found.out
    notes.write_text(notes.read_text().replace(restored, newest))
    assert fieldloop("verify", "--json").code == 1, "and without it, it is a cut"


def test_stores_in_postgres_are_copied_and_put_back_and_into_sqlite_too(tmp_path, postgres, fieldloop):
    dsn = postgres.fresh_database()
    settings = Settings(data=tmp_path / "data", store=dsn)

    async def story(settings, *numbers):
        async with installation(settings.data, store=settings.store) as it:
            if 0 in numbers:
                await found(it.people, with_engineers(1), "firm-")
            for number in numbers:
                await it.submit(number % 2, f"submit-{number}-")
                if number == 0:
                    await it.quiet()
                    await offline.make_backup(settings, tmp_path / "backup", lambda name: None)
            await it.quiet()
        await all_is_well(settings)

    def told(settings, *services):
        return [(entry.position, entry.hash) for entry, _ in asyncio.run(recorded(settings, *services))]

    asyncio.run(asyncio.wait_for(story(settings, 0, 1), 120))
    env = {"FIELDLOOP_DATA": settings.data, "FIELDLOOP_STORE": dsn}
    refused = fieldloop("restore", tmp_path / "backup", **env)
    assert refused.code == 2 and "--replace" in refused.err
    before = told(settings)
    put_back = fieldloop("restore", tmp_path / "backup", "--replace", "--json", **env).json
    after = told(settings)
    assert len(after) < len(before) and set(after) < set(before)
    assert sum(one["signed_and_gone"] for one in put_back) > 0 == sum(one["set_back"] for one in put_back)
    asyncio.run(asyncio.wait_for(story(settings, 2), 120))

    files = Settings(data=tmp_path / "files")
    assert fieldloop("--data", files.data, "restore", tmp_path / "backup").code == 0
    assert told(files) == after
    asyncio.run(asyncio.wait_for(story(files, 3), 120))


def test_keys_under_a_passphrase_open_with_it_and_with_nothing_else(stores, fieldloop, tmp_path):
    secret, other = tmp_path / "passphrase", tmp_path / "other"
    secret.write_text("correct horse battery\nnot this line\n")
    other.write_text("another long passphrase\n")
    (tmp_path / "short").write_text("short\n")
    folder = tmp_path / "backup"
    backup = ("--data", stores, "backup", folder)
    # A message that nobody could read: what it says of a person was sealed by nobody.
    letter = DeadLetterFile(stores / "dispatcher" / "dead-letters.jsonl")
    asyncio.run(letter.leave(Record("intake", "intake", 1, b"canary-in-a-letter"), "unreadable"))
    assert "12 characters" in fieldloop(*backup, "--passphrase-file", tmp_path / "short").err
    made = fieldloop(*backup, "--passphrase-file", secret)
    assert made.code == 0 and "sealed" in made.out
    assert [file.name for file in (folder / "keys").iterdir()] == ["keys.sealed"]
    assert not list(stores.glob(".backup-*")), "nothing of it stays behind"
    asked = sqlite3.connect(stores / "persons.db")
    keys = [key for (key,) in asked.execute("SELECT secret FROM person_key WHERE secret IS NOT NULL")]
    asked.close()
    assert len(keys) > 3
    stolen = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert not any(key in stolen for key in keys), "no key of a person is in it"
    assert (stores / "tokens.json").read_bytes() not in stolen
    assert letter.path.read_bytes() not in stolen
    away = Path(shutil.copytree(stores, tmp_path / "before", symlinks=True))

    for words, told in (((), "--passphrase-file"), (("--passphrase-file", other), "does not open")):
        ran = fieldloop("--data", tmp_path / "fresh", "restore", folder, *words)
        assert ran.code == 2 and told in ran.err
        assert not list((tmp_path / "fresh").glob("*/journal.db")), "nothing was put back"
    sealed = folder / "keys" / "keys.sealed"
    whole = sealed.read_bytes()
    sealed.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    ran = fieldloop("--data", tmp_path / "fresh", "restore", folder, "--passphrase-file", secret)
    assert ran.code == 2 and "was changed" in ran.err
    sealed.write_bytes(whole)
    assert fieldloop("--data", tmp_path / "fresh", "restore", folder, "--passphrase-file", secret).code == 0
    put_back = sqlite3.connect(tmp_path / "fresh" / "persons.db")
    assert {key for (key,) in put_back.execute("SELECT secret FROM person_key")} >= set(keys)
    assert (tmp_path / "fresh" / "dispatcher" / "dead-letters.jsonl").read_bytes() == letter.path.read_bytes()
    put_back.close()
    assert (tmp_path / "fresh" / "tokens.json").read_bytes() == (away / "tokens.json").read_bytes()
