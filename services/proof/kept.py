"""
What is kept of a journal outside its database: the hash of every record, and signed checkpoints over them.

Three files of one folder: `leaves` (32 bytes for each record), `checkpoints` (notes, the newest last) and `frontier`
(what a restart goes on from). They belong on another disk than the database, or are copied away: whoever can change
both, and has the signing key, can still forge what lies after the last copy, and nothing before it.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import Final

from services.chassis.clock import Clock
from services.chassis.journal.store import JournalStore
from services.proof.merkle import HASH, Frontier, leaf
from services.proof.notes import Checkpoint, Signer, Verifier, notes_in

EVERY_S: Final = 60.0
"""How often a journal that has grown gets a checkpoint: a tail that is cut off within that time is not missed."""

PAGE: Final = 1_000


class Kept:
    """The files of one journal."""

    def __init__(self, folder: Path, service: str) -> None:
        self._folder, self.origin = folder / service, f"fieldloop/{service}"

    def notes(self) -> list[str]:
        """The checkpoints as they were signed, the oldest first."""
        path = self._folder / "checkpoints"
        return list(notes_in(path.read_text("utf-8"))) if path.exists() else []

    def leaves(self, size: int) -> bytes:
        """The hashes of the first records, at most so many."""
        path = self._folder / "leaves"
        if not path.exists():
            return b""
        with path.open("rb") as file:
            return file.read(size * HASH)

    def frontier(self, verifier: Verifier) -> Frontier:
        """Where the newest checkpoint stands; an empty tree where there is none. Raises BadNote."""
        notes = self.notes()
        if not notes:
            return Frontier()
        newest = verifier.read(notes[-1])
        path = self._folder / "frontier"
        if path.exists():
            packed = path.read_bytes()
            size = int.from_bytes(packed[:8], "big")
            roots = [packed[n : n + HASH] for n in range(8, len(packed), HASH)]
            if size == newest.size and len(roots) == size.bit_count():
                found = Frontier(size, roots)
                if found.root() == newest.root:
                    return found
        found = Frontier.over(self.leaves(newest.size))
        # Leaves that are not those that were signed are read from the journal anew; verify says that they differ.
        return found if found.root() == newest.root else Frontier()

    def restored(self, note: str, tree: Frontier, leaves: bytes) -> None:
        """The journal was put back: keep that it was, and the hashes of what it is now in the place of all others."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # The note first: with it, hashes that are too many are found to be so, and are no forgery.
        self.add_note(note, tree)
        aside = self._folder / f"leaves.{os.getpid()}"
        aside.write_bytes(leaves)
        aside.replace(self._folder / "leaves")

    def add_leaves(self, first: int, leaves: bytes) -> None:
        """Keep the hashes from this place on; written again, they are the same."""
        self._folder.mkdir(parents=True, exist_ok=True)
        file = os.open(self._folder / "leaves", os.O_WRONLY | os.O_CREAT, 0o644)
        try:
            os.pwrite(file, leaves, first * HASH)
            os.fsync(file)
        finally:
            os.close(file)

    def add_note(self, note: str, tree: Frontier) -> None:
        """Keep a checkpoint, and where to go on from."""
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / "checkpoints").open("a", encoding="utf-8") as file:
            file.write(note)
            file.flush()
            os.fsync(file.fileno())
        aside = self._folder / f"frontier.{os.getpid()}"
        aside.write_bytes(tree.size.to_bytes(8, "big") + b"".join(tree.roots))
        aside.replace(self._folder / "frontier")


class Keeper:
    """Follows a journal while this process writes it, and signs how far it has come."""

    def __init__(self, journal: JournalStore, kept: Kept, signer: Signer, clock: Clock) -> None:
        self._journal, self._kept, self._signer, self._clock = journal, kept, signer, clock
        self._tree: Frontier | None = None
        self._signed = 0
        """How far the newest checkpoint goes."""

    async def run(self) -> None:
        """A checkpoint now and then, until cancelled."""
        while True:
            await self.keep()
            await asyncio.sleep(EVERY_S)

    async def keep(self) -> None:
        """Sign the journal as it is now, if it has grown. Raises BadNote where another key signed what lies there."""
        if self._tree is None:
            self._tree = await asyncio.to_thread(self._kept.frontier, self._signer.verifier)
            self._signed = self._tree.size
        head = (await self._journal.head()).position
        while self._tree.size < head:
            first = self._tree.size
            entries = await self._journal.read(first, min(PAGE, head - first))
            leaves = [leaf(entry.record) for entry in entries]
            if not leaves:
                break
            await asyncio.to_thread(self._kept.add_leaves, first, b"".join(leaves))
            for one in leaves:
                self._tree.append(one)
        if (size := self._tree.size) > self._signed:
            checkpoint = Checkpoint(self._kept.origin, size, self._tree.root(), self._clock.now())
            await asyncio.to_thread(self._kept.add_note, self._signer.sign(checkpoint), self._tree)
            self._signed = size
