"""Quiet hours: the part of the day in which a recipient is not disturbed."""

from __future__ import annotations

from datetime import datetime, time, timedelta, tzinfo
from typing import Final

QUIET_HOURS: Final = "([01][0-9]|2[0-3]):[0-5][0-9]-([01][0-9]|2[0-3]):[0-5][0-9]"
"""A regular expression for them: `22:00-08:00`."""


def quiet_until(hours: str, now: datetime, zone: tzinfo) -> datetime | None:
    """
    When the quiet hours end that `now` lies in; None where it lies in none.

    `hours` is as QUIET_HOURS says, by the clock on the wall of the zone, over midnight where they end before they
    begin; the same time twice, or an empty text, is none at all.
    """
    if not hours:
        return None
    begins, ends = (time.fromisoformat(part) for part in hours.split("-"))
    wall = now.astimezone(zone)
    is_late = begins > ends and wall.time() >= begins
    if not (is_late or (wall.time() < ends and (begins > ends or begins <= wall.time()))):
        return None
    return datetime.combine(wall.date() + timedelta(days=is_late), ends, zone)
