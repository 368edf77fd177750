"""Accounts and their passwords, in one JSON file of the data directory."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

from services.chassis.auth import ONLY_THEIR_OWN, ROLES

FILE: Final = "users.json"

_N, _R, _P = 1 << 15, 8, 1
"""scrypt's cost: 32 MiB and some 80 ms."""


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
    """`scrypt$n$r$p$salt$hash`, as `hashed` gives it."""
    suspended: bool = False

    def __post_init__(self) -> None:
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
        # Each takes 32 MiB and a core.
        self._turn = asyncio.Semaphore(2)

    def get(self, user: str) -> Account | None:
        """The account, if it may be used."""
        account = self._all().get(user)
        return account if account and not account.suspended else None

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
            accounts = [Account(**one) for one in json.loads(self._path.read_text(encoding="utf-8"))]
            self._accounts, self._read_at = {one.user: one for one in accounts}, read_at
        return self._accounts


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


def hashed(password: str, salt: bytes | None = None) -> str:
    """How a password is kept."""
    salt = salt or os.urandom(16)
    return f"scrypt${_N}${_R}${_P}${b64encode(salt).decode()}${b64encode(_scrypt(password, salt, _N, _R, _P)).decode()}"


def _fits(password: str, kept: str) -> bool:
    _, n, r, p, salt, digest = kept.split("$")
    return hmac.compare_digest(_scrypt(password, b64decode(salt), int(n), int(r), int(p)), b64decode(digest))


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=n, r=r, p=p, maxmem=128 * r * (n + p + 2), dklen=32)


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
