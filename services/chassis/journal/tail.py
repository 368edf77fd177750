"""The newest entries of a journal in memory: several readers follow it, and each asks after every commit."""

from __future__ import annotations

from collections.abc import Sequence

from services.chassis.journal.store import Entry

MOST = 2_000
MOST_BYTES = 32 * 1024 * 1024
"""As soon as it is twice so many entries, or so many bytes, the older half goes."""


class Tail:
    """The last of what this process committed, without a hole."""

    def __init__(self) -> None:
        self._entries: list[Entry] = []
        self._bytes = 0

    def add(self, entries: Sequence[Entry]) -> None:
        """These were committed right after the last ones."""
        self._entries += entries
        self._bytes += sum([len(entry.record) for entry in entries])
        if len(self._entries) > 2 * MOST or self._bytes > MOST_BYTES:
            self._entries, self._bytes = self._newest()

    def _newest(self) -> tuple[list[Entry], int]:
        kept: list[Entry] = []
        size = 0
        for entry in self._entries[: -MOST - 1 : -1]:
            size += len(entry.record)
            if size > MOST_BYTES // 2:
                break
            kept.append(entry)
        return kept[::-1], sum([len(entry.record) for entry in kept])

    def forget(self) -> None:
        """What the journal ends with is not known now."""
        self._entries, self._bytes = [], 0

    def read(self, after: int, limit: int) -> Sequence[Entry] | None:
        """What `JournalStore.read` gives; None where that is further back than what is kept."""
        entries = self._entries
        begin = after + 1 - entries[0].position if entries else -1
        return entries[begin : begin + limit] if begin >= 0 else None
