"""
Copies from different moments, made to agree: none may have taken in what its publisher does not have.

Whoever knows more than a publisher that was set back is set back too, to right before the first such record; what it
recorded after that may rest on it. What was taken away is kept aside, record by record. Where the copies then stand,
each goes on: what others have recorded beyond, it takes in again.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from importlib.resources import files
from pathlib import Path
from typing import Final

from services.chassis.journal import sqlite as journals
from services.restoring.copies import head_of, opened

_SAID: Final = "json_extract(CAST({0}.record AS TEXT), '$.{1}')"

_UNKNOWN: Final = """
    SELECT min(e.position) FROM events AS e JOIN streams AS s ON s.id = e.stream
    WHERE e.position <= :taker AND s.stream LIKE :prefix
      AND NOT EXISTS (SELECT 1 FROM publisher.events AS p WHERE p.event_id = e.event_id AND p.position <= :publisher)
"""
"""The first record of a taker that its publisher does not have."""


def agreed(copies: Mapping[str, Path]) -> dict[str, int]:
    """The newest positions at which these journals agree."""
    ends: dict[str, int] = {}
    for name, path in copies.items():
        with closing(journals.connect(path, readonly=True)) as db:
            ends[name] = head_of(db)
    while True:
        before = dict(ends)
        for taker, path in copies.items():
            with closing(journals.connect(path, readonly=True)) as db:
                for publisher, other in copies.items():
                    if publisher == taker:
                        continue
                    db.execute("ATTACH ? AS publisher", (f"file:{other}?mode=ro",))
                    given = {"taker": ends[taker], "publisher": ends[publisher], "prefix": f"{publisher}:%"}
                    first = db.execute(_UNKNOWN, given).fetchone()[0]
                    db.execute("DETACH publisher")
                    if first is not None:
                        ends[taker] = first - 1
        if ends == before:
            return ends


def set_back(copy: Path, position: int, aside: Path) -> int:
    """
    Make a journal end here, and write what came after into a file, one record a line. Returns how many those were.

    Names, deadlines and what was taken in are to be folded anew afterwards.
    """
    with closing(opened(copy)) as db:
        gone = head_of(db) - position
        if not gone:
            return 0
        aside.parent.mkdir(parents=True, exist_ok=True)
        with aside.open("wb") as out:
            for (record,) in db.execute("SELECT record FROM events WHERE position > ? ORDER BY position", (position,)):
                out.write(record + b"\n")
        db.execute("BEGIN")
        # Before what they answered is gone: whoever answered with what is taken away must answer again.
        again = db.execute(
            f"SELECT {_SAID.format('e', 'actor')} AS actor, min(cause.position) FROM events AS e "
            f"JOIN events AS cause ON cause.event_id = {_SAID.format('e', 'causationid')} "
            "WHERE e.position > ? AND actor LIKE 'policy:%' GROUP BY actor",
            (position,),
        ).fetchall()
        for actor, first in again:
            db.execute("UPDATE checkpoints SET position = min(position, ?) WHERE reader = ?", (first - 1, actor))
        db.execute("UPDATE checkpoints SET position = min(position, ?)", (position,))
        db.execute("DROP TRIGGER events_are_never_deleted")
        db.execute("DELETE FROM events WHERE position > ?", (position,))
        db.execute("DELETE FROM streams WHERE id NOT IN (SELECT stream FROM events)")
        db.execute("DELETE FROM chains")
        db.execute(
            "INSERT INTO chains SELECT tenant, hash FROM events "
            "WHERE position IN (SELECT max(position) FROM events GROUP BY tenant)"
        )
        db.execute("DELETE FROM receipts WHERE position > ?", (position,))
        db.execute("DELETE FROM holds WHERE position > ?", (position,))
        db.execute("COMMIT")
        db.executescript(files(journals.__package__).joinpath("schema.sqlite.sql").read_text())
        return gone


def read_again(copies: Mapping[str, Path]) -> None:
    """
    Let everybody take in again what they do not have: each goes on right after what it has of each publisher.

    What was passed over is counted anew, out of the publishers' journals: a count from before a publisher was set back
    would take its next records for known.
    """
    for taker, path in copies.items():
        with closing(opened(path)) as db:
            rows: list[tuple[str, str, int]] = []
            offsets: list[tuple[str, int]] = []
            for publisher, other in copies.items():
                if publisher != taker:
                    db.execute("ATTACH ? AS publisher", (f"file:{other}?mode=ro",))
                    given = {"prefix": f"{publisher}:%"}
                    if (taken := db.execute(_LAST_TAKEN, given).fetchone()[0]) is not None:
                        counted = db.execute(_PUBLISHED, {"upto": taken})
                        rows += [(tenant, f"{publisher}:{stream}", version) for tenant, stream, version in counted]
                        offsets.append((publisher, taken + 1))
                    db.execute("DETACH publisher")
            db.execute("BEGIN")
            db.execute("DELETE FROM offsets")
            db.execute("DELETE FROM seen")
            db.executemany("INSERT INTO seen VALUES (?, ?, ?)", rows)
            db.executemany("INSERT INTO offsets VALUES (?, ?)", offsets)
            db.execute("COMMIT")


_LAST_TAKEN: Final = """
    SELECT max(p.position) FROM events AS e JOIN streams AS s ON s.id = e.stream
    JOIN publisher.events AS p ON p.event_id = e.event_id WHERE s.stream LIKE :prefix
"""

_PUBLISHED: Final = f"""
    SELECT e.tenant, s.stream, max({_SAID.format("e", "publicversion")}) AS published
    FROM publisher.events AS e JOIN publisher.streams AS s ON s.id = e.stream
    WHERE e.position <= :upto AND s.stream NOT LIKE '%:%' GROUP BY 1, 2 HAVING published > 0
"""
