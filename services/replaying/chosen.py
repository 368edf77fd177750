"""Which part of a journal is replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from contracts import envelope as envelopes
from services.chassis.journal.store import Entry, JournalStore

PAGE: Final = 5_000

Place = int | datetime
"""A position of the journal, or an instant: then it is judged by when its service knew."""


@dataclass(frozen=True)
class Choice:
    """What is left out is everything; both ends are included."""

    first: Place | None = None
    last: Place | None = None
    tenant: str = ""
    story: str = ""
    """A request's id, or another story's."""

    @property
    def is_all(self) -> bool:
        return self == Choice()

    @property
    def is_from_the_start(self) -> bool:
        """Whether every row that it gives is what the whole log would give by then."""
        return self.first is None and not self.story

    def begins_after(self, entry: Entry) -> bool:
        return self.first is not None and _at(entry, self.first) < self.first  # type: ignore[operator]

    def ended_before(self, entry: Entry) -> bool:
        """Journals are written in the order of the clock but for jumps of it; the first that is later ends a replay."""
        return self.last is not None and _at(entry, self.last) > self.last  # type: ignore[operator]

    def takes(self, entry: Entry) -> bool:
        if (self.tenant and entry.tenant != self.tenant) or (self.story and entry.correlation_id != self.story):
            return False
        return not self.begins_after(entry)


def _at(entry: Entry, place: Place) -> Place:
    """Where an entry stands, in the terms of this place. What was taken in was known when its publisher knew."""
    return entry.position if isinstance(place, int) else envelopes.read(entry.record).recorded_at


class Chosen:
    """The `read` of a journal, as a fold asks it, with what is not chosen left out."""

    def __init__(self, journal: JournalStore, choice: Choice) -> None:
        self._journal, self._choice = journal, choice
        self.end = 0
        """No entry after this position is given."""

    async def read(self, after: int, limit: int) -> Sequence[Entry]:
        choice, found = self._choice, list[Entry]()
        if isinstance(choice.first, int):
            after = max(after, choice.first - 1)
        while not found and after < self.end:
            most = limit if choice.is_all else PAGE
            entries = await self._journal.read(after, min(most, self.end - after))
            if not entries:
                break
            after = entries[-1].position
            for entry in entries:
                if choice.ended_before(entry):
                    return found[:limit]
                if choice.takes(entry):
                    found.append(entry)
        return found[:limit]
