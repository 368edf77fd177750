"""
A person is forgotten: nothing of theirs is read again, through no route and out of no file, nor after a restore.

What was written by and of the customer `one` of the demo tenant are the canaries. They are found by the same search
before she is forgotten, so the search can find them.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
from base64 import b64decode
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import get_args

import pytest

from services.chassis.auth import ROLES
from services.chassis.bus.feed import Record
from services.chassis.bus.ingest import DeadLetterFile
from services.exporting.log import Format
from services.gateway.persons import PersonKeys
from services.offline import CannotDo, Erasure, export_log, forget_person, make_backup, restore_backup, verify_stores
from services.serving import own_key_book
from services.settings import Settings
from tests.rules.test_authz import paths
from tests.rules.world import TENANTS, Firm, World, caller, running

TENANT, PERSON = TENANTS[0], "one"
_SEALED = re.compile(rb"sealed:v1:([\w-]+):[\w=-]+")


class Place:
    """An installation that is stopped and started again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.firms: dict[str, Firm] = {}

    @property
    def settings(self) -> Settings:
        return Settings(data=self.folder, port=0)

    @contextmanager
    def running(self, *, told: bool = False) -> Iterator[World]:
        with running(self.folder, told=told) as world:
            self.firms = world.firms = world.firms or self.firms
            yield world

    def shown(self) -> set[str]:
        """Which canaries anybody is shown by any route."""
        with self.running() as world:
            return world.run(canaries_shown(world))

    def sealed(self) -> set[tuple[Path, bytes]]:
        """Every text that is sealed for her, in every file of the stores."""
        book = own_key_book(self.settings)

        async def her_key() -> str:
            async with book as opened:
                [key] = await opened.known([(TENANT, PERSON)])
            return key.id

        mine = asyncio.run(her_key()).encode()
        files = self.files().items()
        return {(path, found[0]) for path, one in files for found in _SEALED.finditer(one) if found[1] == mine}

    def files(self) -> dict[Path, bytes]:
        files = [path for path in self.folder.rglob("*") if path.is_file() and path.name != "persons.db"]
        return {path: path.read_bytes() for path in files}

    def readable(self) -> dict[Path, bytes]:
        """The same, with what nobody could read as it came."""
        files = self.files()
        letters = [path for path in files if path.name == "dead-letters.jsonl"]
        return files | {
            path: b"\n".join([b64decode(json.loads(line)["value"]) for line in files[path].splitlines()])
            for path in letters
        }

    def opened(self, texts: set[tuple[Path, bytes]]) -> int:
        """How many of these texts can be read."""

        async def count() -> int:
            async with own_key_book(self.settings) as book:
                keys, found = PersonKeys(book), [text.decode() for _, text in texts]
                await keys.ready(TENANT, found)
                return sum(bool(keys.open(TENANT, text)) for text in found)

        return asyncio.run(count())


def words_of(firms: dict[str, Firm]) -> set[str]:
    # In a story that goes well nobody gives a reason.
    return {word for kind, word in firms[TENANT].words(PERSON).items() if kind != "reason"}


async def canaries_shown(world: World) -> set[str]:
    found: set[str] = set()
    for role in ROLES:
        who = caller(role)
        for method, path in paths(world, who):
            # Photos and reports have no text that could be searched: `opened` judges what they are made of.
            if method == "GET" and not path.startswith(("/internal", "/v1/events", "/v1/news")):
                answer = await world.call("GET", path, role)
                found |= {word for word in words_of(world.firms) if word in answer.text}
    return found


def leave_a_letter_about_her(place: Place, words: set[str]) -> Path:
    """A message that nobody could read, with everything that was ever said of her, and one of somebody else."""
    letters = DeadLetterFile(place.folder / "dispatcher" / "dead-letters.jsonl")

    async def leave() -> None:
        for offset, value in enumerate((json.dumps([PERSON, *sorted(words)], ensure_ascii=False), "noise"), 1):
            await letters.leave(Record("intake", "intake", offset, value.encode()), "it is no record")

    asyncio.run(leave())
    return letters.path


def in_clear(words: set[str], files: Iterable[Path]) -> set[str]:
    """Which canaries lie in one of these files as they were said."""
    contents = [path.read_bytes() for path in files if path.is_file()]
    return {word for word in words for content in contents if word.encode() in content}


def forgotten(place: Place, person: str = PERSON, tenant: str = TENANT) -> Erasure:
    return asyncio.run(forget_person(place.settings, tenant, person, "the person herself"))


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    place = Place(tmp_path_factory.mktemp("forgetting") / "data")
    with place.running(told=True):
        pass
    return place


def test_who_is_forgotten_is_read_nowhere_again_also_after_an_older_backup_was_put_back(place: Place, tmp_path: Path):
    words, sealed = words_of(place.firms), place.sealed()
    assert place.shown() == words, "what nobody is shown cannot be missed afterwards"
    # Some are cut where a page of the database ends.
    assert place.opened(sealed) > 50
    backup = shutil.copytree(place.folder, tmp_path / "backup", ignore=shutil.ignore_patterns("checkpoints"))
    asyncio.run(make_backup(place.settings, tmp_path / "made", lambda name: None))
    for form in get_args(Format):
        asyncio.run(export_log(place.settings, TENANT, form, tmp_path / f"log.{form}"))
    away = [*(tmp_path / "made").rglob("*"), *tmp_path.glob("log.*")]
    assert in_clear(words, away) == set(), "no backup and no export has them in clear"
    hers = {text for _, text in sealed}
    exported = {(path, one[0]) for path in tmp_path.glob("log.*") for one in _SEALED.finditer(path.read_bytes())}
    assert {path.name for path, text in exported if text in hers} == {f"log.{form}" for form in get_args(Format)}

    letter = leave_a_letter_about_her(place, words)
    done = forgotten(place)
    # A customer, an engineer and a partner have this id here, as if they were one person.
    assert (done.had_key, done.accounts, done.letters) == (True, 3, 1)
    assert letter.read_bytes().count(b"a person who was forgotten") == 1
    for after in ("at once", "after an older backup was put back", "after the command put one back"):
        assert place.opened(sealed) == 0, after
        if "older" not in after:  # it takes a while, and comes again after the next one
            assert place.shown() == set(), after
        assert in_clear(words, place.files()) == set(), after
        report = asyncio.run(verify_stores(place.settings))
        # That an older backup is no continuation of what was signed is found, and is another matter.
        found = {finding.rule for finding in report.findings} - ({"checkpoint"} if "older" in after else set())
        assert (report.chain, found) == (True, set()), after
        if after == "at once":
            shutil.copytree(backup, place.folder, dirs_exist_ok=True)
        elif "older" in after:
            # As on a machine that has only what was kept apart: its keys and accounts come back with the backup.
            for name in ("persons.db", "persons.db-wal", "persons.db-shm", "users.json"):
                (place.folder / name).unlink(missing_ok=True)
            put_back = restore_backup(place.settings, tmp_path / "made", {}, replace=True, progress=lambda name: None)
            asyncio.run(put_back)
            accounts = place.folder / "users.json"
            users = json.loads(accounts.read_text()) if accounts.exists() else []
            assert not [one for one in users if (one["tenant"], one["person_id"]) == (TENANT, PERSON)]


def test_the_others_are_read_as_before(place: Place):
    theirs = set(place.firms[TENANT].words("two").values())
    with place.running() as world:
        answers = []
        for path in ("/v1/customers/two", "/v1/requests?customer_id=two&limit=200"):
            answers.append(world.run(world.call("GET", path, "agent")).text)
        assert any(word in "".join(answers) for word in theirs)


def test_who_is_forgotten_twice_was_forgotten_before(place: Place):
    person = place.firms[TENANTS[1]].person("two")
    forgotten(place, person, TENANTS[1])
    again = forgotten(place, person, TENANTS[1])
    assert (again.had_key, again.accounts) == (False, 0)


def test_a_name_that_nobody_has_is_refused_and_stays_free(place: Place):
    with pytest.raises(CannotDo, match="nothing is sealed for nobody in demo"):
        forgotten(place, "nobody")
    with pytest.raises(CannotDo, match="in another"):
        forgotten(place, PERSON, "another")
