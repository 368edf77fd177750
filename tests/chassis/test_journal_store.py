"""What every journal store keeps to, whatever database is under it."""

import asyncio
import hashlib
import sqlite3

import pytest

from services.chassis.journal.sqlite import InUse, SqliteJournal, connect
from services.chassis.journal.store import (
    GENESIS,
    Batch,
    ClaimKey,
    Entry,
    Head,
    Held,
    HoldKey,
    NotCommitted,
    Receipt,
    ReceiptKey,
    StreamKey,
    Timer,
    TimerKey,
    Wanted,
)


def entry(position: int, version: int = 0, stream: str = "order/o-1", event_id: str = "") -> Entry:
    record = f"record {position}".encode()
    digest = hashlib.sha256(GENESIS + record).digest()
    return Entry(position, event_id or f"e-{position}", "t", stream, version or position, "r-1", digest, record)


def test_a_commit_is_read_back_in_order_after_reopening(tmp_path):
    async def story():
        journal = SqliteJournal(tmp_path / "journal.db")
        await journal.commit(Batch(entries=[entry(1), entry(2)]), after=0)
        await journal.close()
        again = SqliteJournal(tmp_path / "journal.db")
        assert await again.read(after=0, limit=10) == [entry(1), entry(2)]
        assert await again.read(after=1, limit=10) == [entry(2)]
        assert await again.head() == Head(2, 1, {"t": entry(2).hash})
        known = await again.load(Wanted(streams={StreamKey("t", "order/o-1"), StreamKey("t", "order/none")}))
        assert known.streams == {StreamKey("t", "order/o-1"): [b"record 1", b"record 2"]}
        await again.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("why", "bad"),
    [
        ("a hole in the positions", [entry(1), entry(3)]),
        ("a version twice", [entry(1), entry(2, version=1)]),
        ("an event twice", [entry(1), entry(2, event_id="e-1")]),
    ],
)
def test_a_batch_that_does_not_fit_leaves_nothing_behind(tmp_path, why, bad):
    async def story():
        journal = SqliteJournal(tmp_path / "journal.db")
        with pytest.raises(NotCommitted):
            await journal.commit(Batch(entries=bad, offsets={"intake": 7}), after=0)
        assert (await journal.head()).position == 0, why
        assert await journal.offsets() == {}
        await journal.commit(Batch(entries=[entry(1), entry(2)]), after=0)
        assert (await journal.head()).position == 2
        await journal.close()

    asyncio.run(story())


def test_a_batch_keeps_all_its_kinds_together_and_none_removes(tmp_path):
    receipt, claim, timer = ReceiptKey("t", "agent", "k"), ClaimKey("t", "serial", "s"), TimerKey("t", "overdue", "o-1")
    hold = (HoldKey("assign", "t", "r-1"), 1)

    async def story():
        journal = SqliteJournal(tmp_path / "journal.db")
        first = Batch(
            entries=[entry(1)],
            receipts={receipt: Receipt(b"h", b"{}", 1, 0)},
            claims={claim: "device/d-1"},
            timers={timer: Timer(1_000, "e-1")},
            offsets={"intake": 5},
            seen={StreamKey("t", "intake:request/r-1"): 3},
            checkpoints={"assign": 1},
            holds={hold: Held(1, 2, 9, False, "NotYet")},
        )
        await journal.commit(first, after=0)
        wanted = Wanted(receipts={receipt}, claims={claim}, seen={StreamKey("t", "intake:request/r-1")})
        known = await journal.load(wanted)
        assert known.receipts == first.receipts
        assert known.claims == first.claims
        assert known.seen == first.seen
        assert (await journal.offsets(), await journal.checkpoints()) == (first.offsets, first.checkpoints)
        assert await journal.due(999, 10) == []
        assert await journal.due(1_000, 10) == [(timer, Timer(1_000, "e-1"))]
        assert await journal.next_due() == 1_000
        assert await journal.held(["assign"]) == [(hold[0], first.holds[hold])]

        await journal.commit(Batch(claims={claim: None}, timers={timer: None}, holds={hold: None}), after=1)
        assert (await journal.load(wanted)).claims == {}
        assert await journal.next_due() is None
        assert await journal.held(["assign"]) == []
        await journal.close()

    asyncio.run(story())


@pytest.mark.parametrize(
    "attempt",
    [
        "UPDATE events SET record = 'forged' WHERE position = 1",
        "DELETE FROM events",
        "REPLACE INTO events VALUES (1, 'e-1', 1, 1, 't', 'r', x'00', 'forged')",
        "INSERT OR REPLACE INTO events VALUES (2, 'e-1', 1, 9, 't', 'r', x'00', 'forged')",
    ],
)
def test_a_record_can_be_neither_changed_nor_removed(tmp_path, attempt):
    async def story():
        journal = SqliteJournal(tmp_path / "journal.db")
        await journal.commit(Batch(entries=[entry(1)]), after=0)
        await journal.close()
        with pytest.raises(sqlite3.IntegrityError):
            connect(tmp_path / "journal.db").execute(attempt)
        again = SqliteJournal(tmp_path / "journal.db")
        assert await again.read(0, 10) == [entry(1)]
        await again.close()

    asyncio.run(story())


def test_a_second_process_is_told_who_holds_the_journal(tmp_path):
    first = SqliteJournal(tmp_path / "journal.db")
    with pytest.raises(InUse, match=r"in use by process \d+"):
        SqliteJournal(tmp_path / "journal.db")
    reader = SqliteJournal(tmp_path / "journal.db", readonly=True)
    asyncio.run(reader.close())
    asyncio.run(first.close())
