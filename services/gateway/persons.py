"""
The keys of persons: what is said about a person is sealed under a key of theirs, and forgetting them destroys it.

One store, the gateway's, holds the keys; every process that seals or opens keeps those it needs for a minute at most.
A sealed text is `sealed:v1:<key id>:<nonce and ciphertext>`, AES-256-GCM, bound to its tenant and person.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import os
import sqlite3
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from threading import Lock
from typing import Any, Final, NamedTuple, Protocol

import httpx
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from services.chassis.http import Body, Call, Problem, ServiceRouter, internal
from services.chassis.journal.attempt import NOBODY, Owners
from services.chassis.pool import Pool

SEALED: Final = "sealed:v1:"
FORGOTTEN: Final = f"{SEALED}forgotten:"
"""What is recorded of a person who is forgotten: that something was said, and nothing of it."""

REMEMBERED_S: Final = 60.0
"""How long a process may go on with a key without asking whether it still is."""

EARLY_S: Final = 5.0
"""A key that ends sooner is fetched anew, so that what is made ready is still ready when it is used."""

MOST_REMEMBERED: Final = 100_000

INDEX: Final = "\x1findex"
"""No person can be called so: the key under which a tenant's personal texts are hashed to be looked up."""

Person = tuple[str, str]
"""Tenant and person."""


class PersonKey(NamedTuple):
    tenant: str
    person: str
    id: str
    secret: bytes | None
    """None when the person is forgotten; there will be no other key for them."""


class KeyBook(Protocol):
    """Where the keys are kept."""

    async def make(self, persons: Collection[Person], joined: Owners = NOBODY) -> Sequence[PersonKey]:
        """
        The keys of these persons; whoever has none gets one. Durable when it returns.

        From now on the key of each that is `joined` is destroyed with the owner's; at once, where that is destroyed.
        """

    async def find(self, ids: Collection[str]) -> Sequence[PersonKey]:
        """The keys with these ids."""

    def find_now(self, id: str) -> PersonKey | None:
        """The key with this id, without awaiting. Raises a problem `keys.away` where that cannot be."""

    async def forget(self, tenant: str, person: str) -> None:
        """Destroy the key, and those that were joined to it, for good and at once."""


class OwnBook(KeyBook, Protocol):
    """The keys where they lie, not through another process."""

    async def known(self, persons: Collection[Person]) -> Sequence[PersonKey]:
        """The keys of those among these who have one; nobody gets one by asking."""

    async def bring_back(self, keys: Sequence[PersonKey]) -> None:
        """Keys out of a copy. Whoever has one here keeps it, also where it is destroyed."""


class _Held(NamedTuple):
    key: PersonKey
    cipher: AESGCM | None
    until: float


class PersonKeys:
    """Seals and opens with the keys of a book: the `Keys` of the writer and of the routes."""

    def __init__(
        self,
        book: KeyBook,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        random: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.book, self._monotonic, self._random = book, monotonic, random
        self._of: dict[Person, _Held] = {}
        self._by_id: dict[str, _Held] = {}

    async def ensure(self, persons: set[Person], joined: Owners = NOBODY) -> None:
        """
        Make the keys of these (tenant, person) ready, so that `seal` need not wait.

        What is sealed under the key of one that is `joined` is the owner's, and is forgotten with what is hers.
        """
        soon = self._monotonic() + EARLY_S
        lacking = {one for one in persons if (held := self._of.get(one)) is None or held.until <= soon}
        if lacking or joined:
            self._hold(await self.book.make(lacking, joined))

    def seal(self, tenant: str, person: str, text: str) -> str:
        """
        The text under the person's key, which `ensure` has made ready; of a forgotten person, nothing of it.

        What is sealed under this key already stays as it is. A text that only looks sealed is sealed like any other.
        """
        key, cipher, _ = self._of[tenant, person]
        if text.startswith(f"{SEALED}{key.id}:") and (cipher is None or _opened(key, cipher, text) is not None):
            return text
        if cipher is None:
            return text if text == FORGOTTEN else FORGOTTEN
        nonce = self._random(12)
        sealed = nonce + cipher.encrypt(nonce, text.encode(), _bound_to(key))
        return f"{SEALED}{key.id}:{urlsafe_b64encode(sealed).decode()}"

    async def ready(self, tenant: str, sealed: Sequence[str]) -> None:
        """Fetch the keys of these sealed texts, so that `open` need not wait."""
        soon = self._monotonic() + EARLY_S
        ids = {id for text in sealed if (id := _key_id(text))}
        lacking = {id for id in ids if (held := self._by_id.get(id)) is None or held.until <= soon}
        if lacking:
            self._hold(await self.book.find(lacking))

    def open(self, tenant: str, text: str) -> str:
        """A sealed text made readable; of a forgotten person, the empty string. What is not sealed stays as it is."""
        id = _key_id(text)
        if not id:
            return "" if text.startswith(SEALED) else text
        held = self._by_id.get(id)
        if held is None or held.until <= self._monotonic():
            found = self.book.find_now(id)
            held = self._hold([found])[0] if found else None
        if held is None or held.cipher is None or held.key.tenant != tenant:
            return ""
        return _opened(held.key, held.cipher, text) or ""

    async def index(self, tenant: str, text: str) -> str:
        """HMAC-SHA-256 of the text under a key of the tenant's own, 128 bits as hexadecimal."""
        await self.ensure({(tenant, INDEX)})
        secret = self._of[tenant, INDEX].key.secret
        if secret is None:
            raise RuntimeError(f"the key of the indexes of {tenant} was destroyed")
        return hmac.new(secret, text.encode(), hashlib.sha256).hexdigest()[:32]

    async def forget(self, tenant: str, person: str) -> None:
        """
        Destroy the person's key, and those that were joined to it: what is sealed under them is not read again.

        Under the person's own key that is so here at once; elsewhere, and under the joined ones, in a minute.
        """
        await self.book.forget(tenant, person)
        if held := self._of.pop((tenant, person), None):
            self._by_id.pop(held.key.id, None)

    def _hold(self, keys: Sequence[PersonKey]) -> list[_Held]:
        now = self._monotonic()
        if len(self._by_id) + len(keys) > MOST_REMEMBERED:
            self._of = {person: held for person, held in self._of.items() if held.until > now}
            self._by_id = {id: held for id, held in self._by_id.items() if held.until > now}
        fresh = [_Held(key, AESGCM(key.secret) if key.secret else None, now + REMEMBERED_S) for key in keys]
        for held in fresh:
            self._of[held.key.tenant, held.key.person] = held
            self._by_id[held.key.id] = held
        return fresh


def _key_id(text: str) -> str:
    if not text.startswith(SEALED) or text.startswith(FORGOTTEN):
        return ""
    return text[len(SEALED) :].partition(":")[0]


def _bound_to(key: PersonKey) -> bytes:
    return f"{key.tenant}\x1f{key.person}".encode()


def _opened(key: PersonKey, cipher: AESGCM, text: str) -> str | None:
    try:
        sealed = urlsafe_b64decode(text[len(SEALED) :].partition(":")[2])
        return cipher.decrypt(sealed[:12], sealed[12:], _bound_to(key)).decode()
    except (InvalidTag, ValueError):
        return None


def _new_key(person: Person) -> PersonKey:
    return PersonKey(*person, os.urandom(8).hex(), AESGCM.generate_key(256))


class MemoryBook:
    """Keys that end with the process: for simulations and tests."""

    def __init__(self, new_key: Callable[[Person], PersonKey] = _new_key) -> None:
        self.keys: dict[Person, PersonKey] = {}
        self.owners: dict[Person, str] = {}
        self._new_key = new_key

    async def make(self, persons: Collection[Person], joined: Owners = NOBODY) -> Sequence[PersonKey]:
        for person in sorted(set(persons) - self.keys.keys()):
            self.keys[person] = self._new_key(person)
        self.owners |= joined
        for one, owner in joined.items():
            if (key := self.keys.get((one[0], owner))) and key.secret is None:
                self._destroy(one)
        return [self.keys[person] for person in persons]

    async def known(self, persons: Collection[Person]) -> Sequence[PersonKey]:
        return [self.keys[person] for person in persons if person in self.keys]

    async def find(self, ids: Collection[str]) -> Sequence[PersonKey]:
        return [key for key in self.keys.values() if key.id in ids]

    def find_now(self, id: str) -> PersonKey | None:
        return next((key for key in self.keys.values() if key.id == id), None)

    async def forget(self, tenant: str, person: str) -> None:
        self._destroy((tenant, person))
        for hers in [one for one, owner in self.owners.items() if (one[0], owner) == (tenant, person)]:
            self._destroy(hers)

    def _destroy(self, person: Person) -> None:
        key = self.keys.get(person) or self._new_key(person)
        self.keys[person] = key._replace(secret=None)


SQLITE_TABLES: Final = """
CREATE TABLE IF NOT EXISTS person_key (
  tenant TEXT NOT NULL, person TEXT NOT NULL, id TEXT NOT NULL UNIQUE, secret BLOB,
  PRIMARY KEY (tenant, person)
) STRICT;
CREATE TABLE IF NOT EXISTS person_owner (
  tenant TEXT NOT NULL, person TEXT NOT NULL, owner TEXT NOT NULL,
  PRIMARY KEY (tenant, person)
) STRICT;
CREATE INDEX IF NOT EXISTS persons_of_owner ON person_owner (tenant, owner);
"""


class SqliteBook:
    """The keys in one file of the gateway's, readable by its owner only. It is backed up apart from the journals."""

    def __init__(self, path: Path) -> None:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._turn = Lock()
        self._db.execute("PRAGMA busy_timeout=10000")
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=FULL")
        # A destroyed key is overwritten, not only unlinked.
        self._db.execute("PRAGMA secure_delete=ON")
        self._db.executescript(SQLITE_TABLES)

    async def make(self, persons: Collection[Person], joined: Owners = NOBODY) -> Sequence[PersonKey]:
        found = await self.known(persons)
        lacking = set(persons) - {(key.tenant, key.person) for key in found}
        if lacking or joined:
            await asyncio.to_thread(self._make, sorted(lacking), joined)
            found = await self.known(persons)
        return found

    def _make(self, persons: Sequence[Person], joined: Owners) -> None:
        self._put([_new_key(person) for person in persons], joined)
        sql = "SELECT 1 FROM person_key WHERE tenant = ? AND person = ? AND secret IS NULL"
        for (tenant, person), owner in joined.items():
            with self._turn:
                is_forgotten = self._db.execute(sql, (tenant, owner)).fetchone()
            if is_forgotten:
                self._forget(tenant, person)

    def _put(self, keys: Sequence[PersonKey], joined: Owners = NOBODY) -> None:
        owners = [(*person, owner) for person, owner in joined.items()]
        with self._turn, self._db:
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR IGNORE INTO person_key VALUES (?, ?, ?, ?)", keys)
            self._db.executemany("INSERT OR REPLACE INTO person_owner VALUES (?, ?, ?)", owners)
            self._db.execute("COMMIT")

    async def bring_back(self, keys: Sequence[PersonKey]) -> None:
        await asyncio.to_thread(self._put, keys)

    async def known(self, persons: Collection[Person]) -> Sequence[PersonKey]:
        with self._turn:
            sql = "SELECT * FROM person_key WHERE tenant = ? AND person = ?"
            rows = [self._db.execute(sql, person).fetchone() for person in persons]
        return [PersonKey(*row) for row in rows if row]

    async def find(self, ids: Collection[str]) -> Sequence[PersonKey]:
        return [key for id in ids if (key := self.find_now(id))]

    def find_now(self, id: str) -> PersonKey | None:
        with self._turn:
            row = self._db.execute("SELECT * FROM person_key WHERE id = ?", (id,)).fetchone()
        return PersonKey(*row) if row else None

    async def forget(self, tenant: str, person: str) -> None:
        await asyncio.to_thread(self._forget, tenant, person)

    def _forget(self, tenant: str, person: str) -> None:
        with self._turn:
            sql = "SELECT person FROM person_owner WHERE tenant = ? AND owner = ?"
            joined = [name for (name,) in self._db.execute(sql, (tenant, person))]
            self._db.executemany(
                "INSERT INTO person_key VALUES (?, ?, ?, NULL) "
                "ON CONFLICT (tenant, person) DO UPDATE SET secret = NULL",
                [_new_key((tenant, name))[:3] for name in (person, *joined)],
            )
            # The log of writes ahead would keep the key until somebody else's writes push it out.
            self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self._db.close()


class PostgresBook:
    """The keys in the schema `gateway`, where several gateways share them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    @classmethod
    async def connect(cls, dsn: str) -> PostgresBook:
        pool = await Pool.open(dsn, answer_s=5, min_size=0, max_size=4)
        await pool.execute(
            "SELECT pg_advisory_xact_lock(hashtext('fieldloop')); CREATE SCHEMA IF NOT EXISTS gateway; "
            "CREATE TABLE IF NOT EXISTS gateway.person_key (tenant text NOT NULL, person text NOT NULL, "
            "id text NOT NULL UNIQUE, secret bytea, PRIMARY KEY (tenant, person)); "
            "CREATE TABLE IF NOT EXISTS gateway.person_owner (tenant text NOT NULL, person text NOT NULL, "
            "owner text NOT NULL, PRIMARY KEY (tenant, person)); "
            "CREATE INDEX IF NOT EXISTS persons_of_owner ON gateway.person_owner (tenant, owner)"
        )
        return cls(pool)

    async def make(self, persons: Collection[Person], joined: Owners = NOBODY) -> Sequence[PersonKey]:
        found = await self.known(persons)
        lacking = set(persons) - {(key.tenant, key.person) for key in found}
        if lacking:
            await self.bring_back([_new_key(one) for one in sorted(lacking)])
        if joined:
            await self._join(joined)
        return await self.known(persons) if lacking or joined else found

    async def _join(self, joined: Owners) -> None:
        rows = [(*person, owner) for person, owner in joined.items()]
        await self._pool.executemany(
            "INSERT INTO gateway.person_owner VALUES ($1, $2, $3) "
            "ON CONFLICT (tenant, person) DO UPDATE SET owner = excluded.owner",
            rows,
        )
        forgotten = await self._pool.fetch(
            "SELECT w.tenant, w.person FROM unnest($1::text[], $2::text[], $3::text[]) AS w(tenant, person, owner) "
            "JOIN gateway.person_key k ON k.tenant = w.tenant AND k.person = w.owner AND k.secret IS NULL",
            *[list(column) for column in zip(*rows, strict=True)],
        )
        for row in forgotten:
            await self.forget(row["tenant"], row["person"])

    async def bring_back(self, keys: Sequence[PersonKey]) -> None:
        sql = "INSERT INTO gateway.person_key VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
        await self._pool.executemany(sql, [tuple(key) for key in keys])

    async def known(self, persons: Collection[Person]) -> Sequence[PersonKey]:
        rows = await self._pool.fetch(
            "SELECT k.* FROM gateway.person_key k JOIN unnest($1::text[], $2::text[]) AS w(tenant, person) "
            "USING (tenant, person)",
            [tenant for tenant, _ in persons],
            [person for _, person in persons],
        )
        return [_from_row(row) for row in rows]

    async def find(self, ids: Collection[str]) -> Sequence[PersonKey]:
        rows = await self._pool.fetch("SELECT * FROM gateway.person_key WHERE id = ANY($1::text[])", list(ids))
        return [_from_row(row) for row in rows]

    def find_now(self, id: str) -> PersonKey | None:
        raise Problem("keys.away", {"Retry-After": "1"})

    async def forget(self, tenant: str, person: str) -> None:
        # In this order, so that whoever is joined meanwhile either is seen here or sees that the owner is forgotten.
        await self._destroy(tenant, [person])
        sql = "SELECT person FROM gateway.person_owner WHERE tenant = $1 AND owner = $2"
        await self._destroy(tenant, [row["person"] for row in await self._pool.fetch(sql, tenant, person)])

    async def _destroy(self, tenant: str, persons: Sequence[str]) -> None:
        await self._pool.executemany(
            "INSERT INTO gateway.person_key VALUES ($1, $2, $3, NULL) "
            "ON CONFLICT (tenant, person) DO UPDATE SET secret = NULL",
            [tuple(_new_key((tenant, name))[:3]) for name in persons],
        )

    async def close(self) -> None:
        await self._pool.close()


def _from_row(row: Any) -> PersonKey:
    return PersonKey(row["tenant"], row["person"], row["id"], row["secret"])


class RemoteBook:
    """The keys as the gateway gives them to the other processes."""

    def __init__(self, gateway: str, secret: str, client: httpx.AsyncClient | None = None) -> None:
        self._url = f"{gateway.rstrip('/')}/internal/keys"
        self._headers = {"Authorization": f"Bearer {secret}"}
        self._client = client or httpx.AsyncClient(timeout=3)

    async def make(self, persons: Collection[Person], joined: Owners = NOBODY) -> Sequence[PersonKey]:
        owners = [[*person, owner] for person, owner in joined.items()]
        return await self._ask("", {"persons": [list(person) for person in sorted(persons)], "joined": owners})

    async def find(self, ids: Collection[str]) -> Sequence[PersonKey]:
        return await self._ask("", {"ids": sorted(ids)})

    def find_now(self, id: str) -> PersonKey | None:
        """Blocks for a second at most: who reads sealed texts calls `ready` first, and this is not reached."""
        try:
            answer = httpx.post(self._url, json={"ids": [id]}, headers=self._headers, timeout=1).raise_for_status()
        except httpx.HTTPError:
            raise Problem("keys.away", {"Retry-After": "1"}) from None
        return next(iter(_from_json(answer.json())), None)

    async def forget(self, tenant: str, person: str) -> None:
        await self._ask("/forgotten", {"tenant": tenant, "person": person})

    async def _ask(self, path: str, body: dict[str, Any]) -> Sequence[PersonKey]:
        try:
            answer = await self._client.post(self._url + path, json=body, headers=self._headers)
            answer.raise_for_status()
        except httpx.HTTPError:
            raise Problem("keys.away", {"Retry-After": "1"}) from None
        return _from_json(answer.json())

    async def close(self) -> None:
        await self._client.aclose()


class RemoteKeys(PersonKeys):
    """The keys of another process's gateway: `RemoteKeys("http://gateway:8080", secret)`."""

    def __init__(self, gateway: str, secret: str, client: httpx.AsyncClient | None = None, **options: Any) -> None:
        super().__init__(RemoteBook(gateway, secret, client), **options)


class WantedKeys(Body):
    persons: tuple[tuple[str, str], ...] = ()
    joined: tuple[tuple[str, str, str], ...] = ()
    """Tenant, person and owner."""
    ids: tuple[str, ...] = ()


class ForgottenPerson(Body):
    tenant: str
    person: str


def key_routes(book: KeyBook, api: Any) -> ServiceRouter:
    """What `RemoteBook` calls. Only processes that know the internal secret are answered."""
    router = ServiceRouter(api, prefix="/internal/keys", include_in_schema=False)

    @router.post("")
    async def wanted(body: WantedKeys, call: Call = internal()) -> dict[str, list[dict[str, str | None]]]:
        joined = {(tenant, person): owner for tenant, person, owner in body.joined}
        keys = [*await book.make(set(body.persons), joined), *await book.find(set(body.ids))]
        return {"keys": [_to_json(key) for key in keys]}

    @router.post("/forgotten")
    async def forget(body: ForgottenPerson, call: Call = internal()) -> dict[str, list[dict[str, str | None]]]:
        await book.forget(body.tenant, body.person)
        return {"keys": []}

    return router


def _to_json(key: PersonKey) -> dict[str, str | None]:
    return {**key._asdict(), "secret": urlsafe_b64encode(key.secret).decode() if key.secret else None}


def _from_json(answer: Any) -> list[PersonKey]:
    return [
        PersonKey(key["tenant"], key["person"], key["id"], urlsafe_b64decode(key["secret"]) if key["secret"] else None)
        for key in answer["keys"]
    ]
