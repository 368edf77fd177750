"""
The journal against what was signed of it.

It shows a record that was changed, and a tail that was cut off, also where whoever did it made the hashes fit again.
"""

from __future__ import annotations

from services.chassis.journal.store import Entry
from services.proof.kept import Kept
from services.proof.merkle import HASH, Frontier, leaf
from services.proof.notes import BadNote, Checkpoint, Verifier
from services.verify.findings import Findings

RULE = "checkpoint"


class AgainstCheckpoints:
    """Follows one pass over a journal, record by record."""

    def __init__(self, findings: Findings, kept: Kept, verifier: Verifier) -> None:
        self._findings, self._origin = findings, kept.origin
        self.restored: list[Checkpoint] = []
        """Where the journal was put back, by what was signed of it then."""
        self._signed = self._read(kept.notes(), verifier)
        newest = self._signed[-1].size if self._signed else 0
        self._leaves = kept.leaves(newest)
        self._tree = Frontier()
        self._next = 0
        """The checkpoint that is judged next."""
        self._good = 0
        """So many records are those that were signed."""
        self._differs: int | None = None
        """Since then, the first record whose hash is not the one that was kept."""
        self.checked = 0
        """Checkpoints that were reached."""

    def _read(self, notes: list[str], verifier: Verifier) -> list[Checkpoint]:
        found: list[Checkpoint] = []
        for number, note in enumerate(notes, 1):
            try:
                one = verifier.read(note)
            except BadNote as error:
                self._findings.add(RULE, 0, f"checkpoint {number} of {self._origin} cannot be believed: {error}")
                continue
            if one.origin != self._origin:
                self._findings.add(RULE, 0, f"checkpoint {number} of {self._origin} is one of {one.origin}")
                continue
            if one.instead is not None:
                found = self._given_up(one, found, number)
            found.append(one)
        # Where another process took over, its first may have come before the last one of the process before it.
        return sorted(found, key=lambda one: one.size)

    def _given_up(self, one: Checkpoint, before: list[Checkpoint], number: int) -> list[Checkpoint]:
        """Of the checkpoints before a restore, those that still hold: of what it put back."""
        newest = max(before, key=lambda other: other.size, default=None)
        if newest is None or newest[1:3] != one.instead:
            what = f"checkpoint {number} of {self._origin} tells of a restore that came after other checkpoints"
            self._findings.add(RULE, 0, f"{what} than are here: some were removed, or it was put elsewhere")
        self.restored.append(one)
        return [other for other in before if other.size <= one.size]

    def check(self, entry: Entry) -> None:
        """Judge the next record."""
        if self._next == len(self._signed):
            return
        here, begin = leaf(entry.record), self._tree.size * HASH
        self._tree.append(here)
        if self._differs is None and self._leaves[begin : begin + HASH] != here:
            self._differs = entry.position
        while self._next < len(self._signed) and self._signed[self._next].size == self._tree.size:
            self._judge(self._signed[self._next])
            self._next += 1

    def _judge(self, signed: Checkpoint) -> None:
        self.checked += 1
        if self._tree.root() == signed.root:
            if self._differs is not None:
                what = f"record {self._differs} is as it was signed, and its hash beside the checkpoints is not"
                self._findings.add(RULE, 0, f"{what}: the file of leaves was changed")
            self._good, self._differs = signed.size, None
            return
        what = f"what was signed at {signed.at:%Y-%m-%d %H:%M:%S} UTC is not what the records {self._good + 1} to "
        self._findings.add(RULE, self._differs or self._good + 1, f"{what}{signed.size} say")

    def end(self) -> None:
        """The journal has no more records."""
        for signed in self._signed[self._next :][-1:]:
            what = f"{signed.size - self._tree.size} records are missing that were signed by "
            what += f"{signed.at:%Y-%m-%d %H:%M:%S} UTC: the journal was cut off, or an older one was put back"
            self._findings.add(RULE, self._differs or self._tree.size + 1, what)
