"""How long ways take, as it was learned from visits."""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.event import Event, NonNegative, Positive, Utc, belongs_to

Paces = Annotated[tuple[Positive, ...], msgspec.Meta(min_length=24, max_length=24)]
"""Microseconds for a metre of beeline, for each hour of the day in UTC."""


class AreaPaces(msgspec.Struct, frozen=True):
    """Paces in an area of a tenth of a degree, by its south-west corner in tenths of a degree, WGS-84."""

    north: int
    east: int
    hours: Paces


@belongs_to("travel", of=(), public=False)
class TravelLearned(Event, frozen=True, kw_only=True):
    """
    How long ways take by hour and area, from departures and arrivals; decisions cite the version.

    Acted on by: nobody. Read by: dispatcher (all that is decided from then on).
    """

    version: Positive
    """Counted from 1."""
    learned_at: Utc
    since: Utc
    """Departures from then on were looked at."""
    drives: NonNegative
    """So many were of use."""
    everywhere: Positive
    """The pace of all of them; as with Paces."""
    hours: Paces
    """Where the area is not known."""
    areas: tuple[AreaPaces, ...] = ()
    early_s: NonNegative = 0
    """One of ten came earlier than planned by so many seconds or more."""
    late_s: NonNegative = 0
    """One of ten came later than planned by so many seconds or more."""
