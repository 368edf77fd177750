"""
Long journals, quickly: what a company really recorded, over and over, each time as another tenant's.

A few requests go through the whole loop, all six services running. Their journals are then written again and again,
with other ids, another tenant and the positions that follow, chained as the writer chains: real records in real tables,
ten thousand a second and more.
"""

from __future__ import annotations

import asyncio
import atexit
import hashlib
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from random import Random

import httpx

from services.chassis import journal as journals
from services.chassis.clock import SystemClock
from services.chassis.journal.store import GENESIS
from services.demo.company import company
from services.demo.people import TENANT, People, Story, found
from services.host import discover, journal_file
from services.serving import all_in_one, tokens_of
from services.settings import Settings

AT_ONCE = 8
_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_CHANGES = re.compile(rf'({_UUID})|("tenant":"{TENANT}")|(?<="position":")(\d+)(?=")'.encode())


class _Patient(People):
    within_s = 120.0


async def _live(settings: Settings, requests: int) -> None:
    """Requests through the whole loop."""
    firm, rng = company(seed=7), Random(7)
    async with all_in_one(settings) as (host, app):
        assert await host.led(60)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://bench") as client:
            people = _Patient(client, tokens_of(settings, SystemClock()), TENANT)
            await found(people, firm, "grown-")
            gate = asyncio.Semaphore(AT_ONCE)

            async def one(number: int) -> None:
                async with gate:
                    await Story(people, firm, f"grown-{number}-", Random(rng.random())).run()

            await asyncio.gather(*[one(number) for number in range(requests)])
            assert await host.idle(120)


@cache
def _folder(name: str) -> Path:
    """A folder for as long as this process lasts."""
    folder = Path(tempfile.mkdtemp(prefix=f"fieldloop-bench-{name}-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


@cache
def _template(requests: int) -> Path:
    data = _folder(f"template-{requests}")
    asyncio.run(_live(Settings(data=data), requests))
    return data


@cache
def grown(records: int, requests: int) -> Settings:
    """Journals with so many records, or a few more, over all six services; their views are not made."""
    source, data = Settings(data=_template(requests)), _folder(f"grown-{records}")
    old = {name: _read(journal_file(source, name)) for name in discover()}
    times = -(-records // sum(map(len, old.values())))
    for name, rows in old.items():
        (data / name).mkdir(exist_ok=True)
        _write(journal_file(Settings(data=data), name), _Copies(rows, {n: len(r) for n, r in old.items()}), times)
    return Settings(data=data)


Row = tuple[str, str, int, str, bytes]
"""Event id, stream, version, correlation id, record."""


def _read(path: Path) -> list[Row]:
    db = sqlite3.connect(path)
    rows: list[Row] = db.execute(
        "SELECT event_id, streams.stream, version, correlation_id, record "
        "FROM events JOIN streams ON streams.id = events.stream ORDER BY position"
    ).fetchall()
    db.close()
    return rows


def _other(uuid: str, copy: int) -> str:
    """Another id for each copy, in the same order among its kind."""
    return f"{(int(uuid[:4], 16) + copy) & 0xFFFF:04x}{uuid[4:]}"


class _Copies:
    """A journal's records, cut once where a copy differs, so that each copy is only joined."""

    def __init__(self, rows: Sequence[Row], lengths: dict[str, int]) -> None:
        self._rows, self._lengths = rows, lengths
        self._texts: list[str] = []
        self._number: dict[str, int] = {}
        self._cut = [self._cuts(row[4]) for row in rows]
        self._names = [self._name(row) for row in rows]
        self.streams = list(dict.fromkeys(row[1] for row in rows))

    def _id(self, uuid: str) -> int:
        if uuid not in self._number:
            self._number[uuid] = len(self._texts)
            self._texts.append(uuid)
        return self._number[uuid]

    def _cuts(self, record: bytes) -> tuple[list[bytes], list[tuple[int, int]], int, str]:
        """The pieces; which of them is which id; which is the position; and whose record it is."""
        pieces: list[bytes] = []
        ids: list[tuple[int, int]] = []
        end, position = 0, -1
        for change in _CHANGES.finditer(record):
            pieces.append(record[end : change.start()])
            if change[1]:
                ids.append((len(pieces), self._id(change[1].decode())))
            elif change[2]:
                ids.append((len(pieces), -1))
            else:
                position = len(pieces)
            pieces.append(change[0])
            end = change.end()
        pieces.append(record[end:])
        source = re.search(rb'"source":"/[^/]+/([^/]+)/', record)
        assert source and position >= 0
        return pieces, ids, position, source[1].decode()

    def _name(self, row: Row) -> tuple[int, str]:
        return self._id(row[0]), row[3]

    def made(self, copy: int) -> Iterator[tuple[str, str, int, str, bytes]]:
        texts = [_other(text, copy) for text in self._texts]
        encoded = [text.encode() for text in texts]
        encoded.append(f'"tenant":"{tenant_of(copy)}"'.encode())  # it is the one at -1
        for row, (pieces, ids, position, source), (event_id, story) in zip(
            self._rows, self._cut, self._names, strict=True
        ):
            new = pieces.copy()
            for place, number in ids:
                new[place] = encoded[number]
            new[position] = b"%d" % (int(pieces[position]) + copy * self._lengths[source])
            yield texts[event_id], row[1], row[2], _renamed(story, copy), b"".join(new)


def tenant_of(copy: int) -> str:
    return f"t-{copy:05d}"


def _renamed(text: str, copy: int) -> str:
    return re.sub(_UUID, lambda found: _other(found[0], copy), text)


def _write(path: Path, copies: _Copies, times: int) -> None:
    db = sqlite3.connect(path, isolation_level=None)
    db.executescript(files(journals).joinpath("schema.sqlite.sql").read_text())
    db.execute("PRAGMA journal_mode=WAL")
    db.execute("PRAGMA synchronous=OFF")
    # It asks for the head before each row, and these are dense by construction.
    db.execute("DROP TRIGGER events_are_dense")
    position = stream_id = 0
    for copy in range(times):
        tenant, link = tenant_of(copy), GENESIS
        streams = {stream: number for number, stream in enumerate(copies.streams, stream_id + 1)}
        stream_id += len(streams)
        rows = []
        for event_id, stream, version, story, record in copies.made(copy):
            position += 1
            link = hashlib.sha256(link + record).digest()
            rows.append((position, event_id, streams[stream], version, tenant, story, link, record))
        db.execute("BEGIN")
        named = [(number, tenant, _renamed(stream, copy)) for stream, number in streams.items()]
        db.executemany("INSERT INTO streams VALUES (?, ?, ?)", named)
        db.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
        if rows:
            db.execute("INSERT INTO chains VALUES (?, ?)", (tenant, link))
        db.execute("COMMIT")
    db.executescript(files(journals).joinpath("schema.sqlite.sql").read_text())
    db.close()
