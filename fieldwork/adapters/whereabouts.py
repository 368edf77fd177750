"""
Where the engineers are who are on their way, as their phones said last: for the customer who waits, and nobody else.

It is of a person and worth nothing a little later, so it is no event. It lies in the memory of the process that writes:
in no store, no backup and no export. See docs/decisions/0026-a-position-is-not-recorded.md.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, NamedTuple

FRESH: Final = timedelta(minutes=2)
"""A position that is older is forgotten. The phone says a new one every 30 seconds."""

COARSE_UDEG: Final = 1_000
"""What is kept is rounded to a thousandth of a degree, 110 m: which street, not which door."""


class Position(NamedTuple):
    """Millionths of a degree, WGS-84, and when it was said."""

    lat_udeg: int
    lon_udeg: int
    at: datetime


class Whereabouts:
    """The last position of each visit."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Position] = {}

    def said(self, tenant: str, visit_id: str, lat_udeg: int, lon_udeg: int, now: datetime) -> None:
        """In place of the one before, of this visit."""
        self._forget_old(now)
        self._last[tenant, visit_id] = Position(_coarse(lat_udeg), _coarse(lon_udeg), now)

    def of(self, tenant: str, visit_id: str, now: datetime) -> Position | None:
        """None where none was said of late."""
        self._forget_old(now)
        return self._last.get((tenant, visit_id))

    def forget(self, tenant: str, visit_id: str) -> None:
        self._last.pop((tenant, visit_id), None)

    def _forget_old(self, now: datetime) -> None:
        for visit, position in list(self._last.items()):
            if now - position.at > FRESH:
                del self._last[visit]


def _coarse(udeg: int) -> int:
    return round(udeg / COARSE_UDEG) * COARSE_UDEG
