"""
A backup: a folder with a copy of every journal, the files of the services, and apart from them the keys.

    backup.json                 what it holds, with a hash of every journal
    <service>/journal.db        views are not in it: they are folded again
    <service>/files/            photos
    keys/                       keys of persons, accounts, secrets, and messages that nobody could read, which nobody
                                sealed: to be kept apart, and for a shorter time; with a passphrase they are one
                                sealed file in there

What is beside the checkpoints (hashes, notes, and who was forgotten) is in no backup: what is put back must be judged
by what was kept elsewhere.
"""

from __future__ import annotations

import asyncio
import hashlib
import re
import shutil
from collections.abc import Awaitable, Callable, Collection, Iterator
from contextlib import closing, contextmanager, nullcontext
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import msgspec

from services.chassis.bus.ingest import LETTERS
from services.chassis.journal import sqlite as journals
from services.restoring.copies import copy_postgres, copy_sqlite, head_of, incarnation_of, keep_tenant
from services.restoring.sealing import SEALED, WrongPassphrase, seal, unseal

MANIFEST: Final = "backup.json"
KEYS: Final = "keys"
USERS: Final = "users.json"
SECRETS: Final = (USERS, "tokens.json", "internal-secret", "checkpoint-key.pem")
BOOK: Final = "persons.db"

_HASH = re.compile(r"[0-9a-f]{64}")

_STORES = re.compile(rf"(journal|views)\b.*|{re.escape(LETTERS)}")
"""In a service's folder, what is no file of its own, or goes with the keys."""


class Unfit(Exception):
    """A folder that is no backup, or one that was changed; the text says what is wrong with it."""


class Copied(msgspec.Struct, frozen=True):
    """One journal in a backup."""

    position: int
    incarnation: int
    sha256: str


class Backup(msgspec.Struct, frozen=True):
    """What a backup says of itself."""

    at: datetime
    stores: dict[str, Copied]
    tenant: str = ""
    """Whose it is, where it is of one tenant only."""
    fieldloop_backup: int = 1


def journal_in(folder: Path, service: str) -> Path:
    return folder / service / "journal.db"


async def back_up(
    folder: Path,
    services: Collection[str],
    data: Path,
    dsn: str | None,
    now: datetime,
    progress: Callable[[str], None] = lambda done: None,
    *,
    copy_book: Callable[[Path, str], Awaitable[None]],
    tenant: str = "",
    passphrase: bytes = b"",
) -> Backup:
    """
    Copy everything of these services' into a folder that is empty or not there. Raises Unfit.

    With `tenant`, what is that tenant's and nothing else: its records, photos, keys and accounts, to be put into an
    installation that is empty. `copy_book` copies the keys of persons, of all or of one tenant, to a file. With a
    passphrase the keys are sealed, and never lie in the folder unsealed.
    """
    _begin(folder)
    targets = {name: journal_in(folder, name) for name in services}
    if dsn:
        await copy_postgres(dsn, list(services), targets)
    else:
        await copy_sqlite({name: data / name / "journal.db" for name in services}, targets)
    stores = {}
    for name, copy in targets.items():
        # After the journals: every file that a record names is there.
        await asyncio.to_thread(_copy_files, data / name, folder / name / "files")
        if tenant:
            await asyncio.to_thread(keep_tenant, copy, tenant)
            await asyncio.to_thread(_keep_named, copy, folder / name / "files")
        with closing(journals.connect(copy, readonly=True)) as db:
            position, incarnation = head_of(db), incarnation_of(db)
        stores[name] = Copied(position, incarnation, await asyncio.to_thread(_hash, copy))
        progress(name)
    with TemporaryDirectory(prefix=".backup-", dir=data) if passphrase else nullcontext(folder / KEYS) as target:
        keys = Path(target)
        _copy_secrets(keys, data, tenant)
        await copy_book(keys / BOOK, tenant)
        if not tenant:  # whose a message is, nobody can read
            _copy_letters(keys, data, services)
        if passphrase:
            await asyncio.to_thread(seal, keys, folder / KEYS / SEALED, passphrase)
    backup = Backup(now, stores, tenant)
    (folder / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(backup)))
    return backup


def _begin(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise Unfit(f"{folder} is not empty: give a folder that is new")
    folder.mkdir(parents=True, exist_ok=True)
    (folder / KEYS).mkdir(mode=0o700)


def read_backup(folder: Path) -> Backup:
    """What a backup holds, each journal as it was copied. Raises Unfit."""
    try:
        backup = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Backup)
    except (OSError, msgspec.DecodeError) as error:
        raise Unfit(f"{folder} is no backup: {error}") from None
    for name, copied in backup.stores.items():
        path = journal_in(folder, name)
        if not path.exists() or _hash(path) != copied.sha256:
            raise Unfit(f"{path} is not as it was when the backup was made: take another one")
    return backup


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _copy_files(source: Path, target: Path) -> None:
    if source.exists():
        shutil.copytree(source, target, ignore=lambda _, names: [one for one in names if _STORES.fullmatch(one)])


def put_files_back(folder: Path, service: str, data: Path) -> None:
    """The files of a service, beside those that are there."""
    source = folder / service / "files"
    if source.exists():
        shutil.copytree(source, data / service, dirs_exist_ok=True)


def _keep_named(journal: Path, files: Path) -> None:
    """Of the files that are named by their hash, those that a record names; all others are not this tenant's."""
    named: set[str] = set()
    with closing(journals.connect(journal, readonly=True)) as db:
        for (record,) in db.execute("SELECT record FROM events"):
            named.update(_HASH.findall(record.decode()))
    for file in [one for one in files.rglob("*") if one.is_file()]:
        if file.name not in named:
            file.unlink()


# Keys.


def _copy_secrets(keys: Path, data: Path, tenant: str) -> None:
    """Accounts and secrets; of one tenant, their accounts only."""
    for name in (USERS,) if tenant else SECRETS:
        if (data / name).exists():
            shutil.copy2(data / name, keys / name)
    if tenant and (users := keys / USERS).exists():
        theirs = [one for one in msgspec.json.decode(users.read_bytes()) if one["tenant"] == tenant]
        users.write_bytes(msgspec.json.encode(theirs))


def _copy_letters(keys: Path, data: Path, services: Collection[str]) -> None:
    for name in services:
        if (data / name / LETTERS).exists():
            shutil.copy2(data / name / LETTERS, keys / f"{name}.{LETTERS}")


def put_letters_back(keys: Path, service: str, data: Path) -> None:
    """What a service could not read by then, in the place of what it could not read since."""
    if (kept := keys / f"{service}.{LETTERS}").exists():
        shutil.copy2(kept, data / service / LETTERS)


@contextmanager
def opened_keys(folder: Path, data: Path, passphrase: bytes) -> Iterator[Path]:
    """The folder with the keys of a backup; unsealed, beside the keys of this installation. Raises Unfit."""
    if not (sealed := folder / KEYS / SEALED).exists():
        yield folder / KEYS
        return
    if not passphrase:
        raise Unfit(f"the keys in {folder} are sealed: say --passphrase-file")
    with TemporaryDirectory(prefix=".restore-", dir=data) as keys:
        try:
            unseal(sealed, Path(keys), passphrase)
        except WrongPassphrase as error:
            raise Unfit(str(error)) from None
        yield Path(keys)


def put_secrets_back(keys: Path, data: Path) -> None:
    """Those that are not there; what is there is newer."""
    for name in SECRETS:
        if (keys / name).exists() and not (data / name).exists():
            shutil.copy2(keys / name, data / name)
