"""How far it is between two places and how long it takes, without a map."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import NamedTuple

EARTH_M = 6_371_000
"""The mean radius."""

DETOUR = 1.3
"""Metres of road for a metre of beeline: short trips in towns 1.4, long ones 1.2 (TECH: DISPATCH section 5)."""

METRES_PER_HOUR = 30_000
"""A van in town with parking: 25 to 35 km/h (the same)."""


class Place(NamedTuple):
    """WGS-84, in millionths of a degree."""

    lat_udeg: int
    lon_udeg: int


def travel_m(a: Place, b: Place) -> int:
    """Metres of road from one place to another, as estimated from the beeline; the way back is as long."""
    return _metres(a, b) if a < b else _metres(b, a)


@lru_cache(maxsize=16_384)
def _metres(a: Place, b: Place) -> int:
    """Cached: who ranks for an order, who decides and who records the decision look at the same ways."""
    if a == b:
        return 0
    lat_a, lat_b = radians(a.lat_udeg / 1e6), radians(b.lat_udeg / 1e6)
    half_lat, half_lon = (lat_b - lat_a) / 2, radians((b.lon_udeg - a.lon_udeg) / 1e6) / 2
    square = sin(half_lat) ** 2 + cos(lat_a) * cos(lat_b) * sin(half_lon) ** 2
    return round(2 * EARTH_M * asin(min(1.0, sqrt(square))) * DETOUR)


def travel_time(metres: int) -> timedelta:
    """The time that it takes, rounded up to a whole second."""
    return timedelta(seconds=-(-metres * 3_600 // METRES_PER_HOUR))
