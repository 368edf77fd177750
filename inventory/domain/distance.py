"""How far two points of the earth are from each other."""

from __future__ import annotations

from math import asin, cos, radians, sin, sqrt
from typing import Final

EARTH_M: Final = 6_371_000
"""Mean radius, metres."""


def distance_m(lat_udeg: int, lon_udeg: int, other_lat_udeg: int, other_lon_udeg: int) -> int:
    """
    Along the great circle, metres; the points in millionths of a degree.

    The haversine formula (R. W. Sinnott, Virtues of the Haversine, Sky and Telescope 68/2, 1984).
    """
    lat, other_lat = radians(lat_udeg / 1e6), radians(other_lat_udeg / 1e6)
    half_lat, half_lon = (other_lat - lat) / 2, radians((other_lon_udeg - lon_udeg) / 1e6) / 2
    h = sin(half_lat) ** 2 + cos(lat) * cos(other_lat) * sin(half_lon) ** 2
    return round(2 * EARTH_M * asin(min(1.0, sqrt(h))))
