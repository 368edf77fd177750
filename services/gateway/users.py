"""Accounts and their passwords, in one JSON file of the data directory."""

from __future__ import annotations

import asyncio
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from contracts.topics import PUBLISHERS, events_of
from services.chassis.auth import CHANNELS, ONLY_THEIR_OWN, ROLES

FILE: Final = "users.json"

_PASSES, _LANES, _KIB = 3, 4, 64 * 1024
"""What RFC 9106 gives to whoever cannot spare 2 GiB: 64 MiB and some 100 ms."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """One user of one tenant; `user` is unique over all tenants."""

    user: str
    tenant: str
    role: str
    name: str = ""
    person_id: str = ""
    channel: str = ""
    password: str
    """Argon2id in the PHC form, as `hashed` gives it."""
    suspended: bool = False
    events: tuple[str, ...] = ()
    """Of a partner: the types of public events that they may read at `/v1/events`; none by default."""
    sessions_from: int = 0
    """Seconds since 1970; who gave the password before that signs in again."""

    def __post_init__(self) -> None:
        if not 0 < len(self.user) <= 200 or not self.user.isprintable() or not self.tenant:
            raise ValueError("an account has a user of at most 200 printable characters, and a tenant")
        if self.channel not in ("", *CHANNELS):
            raise ValueError(f"{self.user} has the channel {self.channel!r}; there are {', '.join(CHANNELS)}")
        if self.events and self.role != "partner":
            raise ValueError(f"{self.user} is no partner: {self.role}s read the events that their role reads")
        if unknown := sorted(set(self.events) - _public_events()):
            raise ValueError(f"{self.user} is to read {', '.join(unknown)}; `fieldloop events` lists the public ones")
        if self.role not in ROLES:
            raise ValueError(f"{self.user} has the role {self.role!r}; there are {', '.join(ROLES)}")
        if self.role in ONLY_THEIR_OWN and not self.person_id:
            raise ValueError(f"{self.user} is a {self.role}: give the person_id whose things they see")


class Users:
    """The accounts of a file, which is read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = (0, 0)
        self._accounts: Mapping[str, Account] = {}
        # Each takes 64 MiB and a core.
        self._turn = asyncio.Semaphore(2)

    def get(self, user: str) -> Account | None:
        """The account, if it may be used."""
        account = self._all().get(user)
        return account if account and not account.suspended else None

    def ended(self, user: str, signed_in_at: int) -> bool:
        """Whether a token of this user, from a password given then, is good no more. Asked at every call."""
        account = self._all().get(user)
        return account is not None and (account.suspended or signed_in_at < account.sessions_from)

    async def verified(self, user: str, password: str) -> Account | None:
        """The account of this user and password. A user who is not there takes as long as a wrong password."""
        account = self.get(user)
        async with self._turn:
            right = await asyncio.to_thread(_fits, password, account.password if account else _nobodys())
        return account if right else None

    def _all(self) -> Mapping[str, Account]:
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return {}
        if self._read_at != (read_at := (stat.st_mtime_ns, stat.st_ino)):
            self._accounts, self._read_at = {one.user: one for one in read_users(self._path)}, read_at
        return self._accounts


def read_users(path: Path) -> list[Account]:
    """The accounts of this file; none where there is no file."""
    try:
        whole: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return []
    return [Account(**one | {"events": tuple(one.get("events", ()))}) for one in whole]


@contextmanager
def changing(path: Path) -> Iterator[dict[str, Account]]:
    """The accounts by their user, to be changed; written at the end, and by one at a time."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        accounts = {one.user: one for one in read_users(path)}
        yield accounts
        write_users(path, accounts.values())


def write_users(path: Path, accounts: Iterable[Account]) -> None:
    """Put these accounts, and no others, into the file; whoever reads meanwhile sees the old or the new ones."""
    whole = json.dumps([asdict(one) for one in accounts], ensure_ascii=False, indent=1)
    aside = path.with_suffix(".new")
    aside.unlink(missing_ok=True)
    with open(os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
        out.write(whole)
        out.flush()
        os.fsync(out.fileno())
    aside.replace(path)


def hashed(password: str) -> str:
    """How a password is kept."""
    return Argon2id(
        salt=os.urandom(16), length=32, iterations=_PASSES, lanes=_LANES, memory_cost=_KIB
    ).derive_phc_encoded(password.encode())


def _fits(password: str, kept: str) -> bool:
    try:
        Argon2id.verify_phc_encoded(password.encode(), kept)
    except InvalidKey:
        return False
    return True


@cache
def _public_events() -> frozenset[str]:
    found = (event for publisher in PUBLISHERS for event in events_of(publisher))
    return frozenset(event.__name__ for event in found if event.PUBLIC)


@cache
def _nobodys() -> str:
    return hashed(os.urandom(16).hex())


DEMO_PASSWORD: Final = "fieldloop-demo"  # noqa: S105  It is printed by the demo, the only one who writes these users.


def demo_users(persons: Mapping[str, str] | None = None) -> list[Account]:
    """
    One user per role of the tenant `demo`, and one per role of the tenant `other`: `agent@demo`, `customer@other`, …

    `persons` gives the person ids of customer, engineer and partner of `demo`. Written by the demo and by nobody else.
    """
    kept = hashed(DEMO_PASSWORD)
    return [
        Account(
            user=f"{role}@{tenant}",
            tenant=tenant,
            role=role,
            name=role.capitalize(),
            person_id=((persons or {}).get(role) if tenant == "demo" else None) or f"{role}-1"
            if role in ONLY_THEIR_OWN
            else "",
            password=kept,
        )
        for tenant in ("demo", "other")
        for role in ROLES
    ]
