"""
Forgetting a person: the key is destroyed, so that what is sealed under it is not read again, by nobody and nowhere.

The journals stay as they are, and so do their hashes. Who was forgotten is kept in a ledger outside the stores, and
done again whenever the keys are opened: an older backup of the keys brings nobody back.
"""

from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from services.gateway.persons import OwnBook
from services.gateway.users import Account, write_users

FILE: Final = "forgotten.jsonl"
AT_ONCE: Final = 500


@dataclass(frozen=True)
class Forgotten:
    """One person who was forgotten; an id says nothing once its key is gone."""

    tenant: str
    person: str
    by: str
    at: datetime


class Ledger:
    """Who was forgotten, one a line."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE

    def all(self) -> list[Forgotten]:
        if not self._path.exists():
            return []
        lines = self._path.read_bytes().splitlines()
        return [msgspec.json.decode(line, type=Forgotten) for line in lines if line.endswith(b"}")]

    def add(self, one: Forgotten) -> None:
        """Durable when this returns."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            file.write(msgspec.json.encode(one) + b"\n")
            file.flush()
            os.fsync(file.fileno())


async def forget(book: OwnBook, ledger: Ledger, one: Forgotten) -> None:
    """Into the ledger first: if the process ends here, it is done when the keys are opened the next time."""
    await asyncio.to_thread(ledger.add, one)
    await book.forget(one.tenant, one.person)


async def forget_again(book: OwnBook, ledger: Ledger) -> int:
    """Destroy the keys that came back, as with an older backup. Returns how many."""
    persons = sorted({(one.tenant, one.person) for one in await asyncio.to_thread(ledger.all)})
    found = 0
    for begin in range(0, len(persons), AT_ONCE):
        for key in await book.known(persons[begin : begin + AT_ONCE]):
            if key.secret is not None:
                await book.forget(key.tenant, key.person)
                found += 1
    return found


def without_accounts(accounts: Path, tenant: str, person: str) -> int:
    """Take away what this person signs in with. Returns how many accounts that were."""
    if not accounts.exists():
        return 0
    all_of_them = json.loads(accounts.read_text("utf-8"))
    kept = [one for one in all_of_them if (one["tenant"], one["person_id"]) != (tenant, person)]
    if len(kept) < len(all_of_them):
        write_users(accounts, [Account(**one) for one in kept])
    return len(all_of_them) - len(kept)
