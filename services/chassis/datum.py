"""
Coordinates of maps in China, brought to WGS-84, in which everything is kept.

Maps there must show GCJ-02, which lies 100 to 700 m from WGS-84; Baidu's show BD-09, which lies some 1,100 m farther.
Neither is published by who made it. The formula is the one that has been public since 2013 and that everybody uses
(github.com/googollee/eviltransform): a polynomial and sines over the degrees from 35° N 105° E, in metres. It leads
from WGS-84 to GCJ-02; the way back is sought by repetition, until it moves less than a centimetre.
"""

from __future__ import annotations

from math import atan2, cos, hypot, pi, radians, sin, sqrt
from typing import Final, Literal

Datum = Literal["WGS-84", "GCJ-02", "BD-09"]

UDEG: Final = 1_000_000
_RADIUS_M: Final = 6_378_245.0
"""Of the ellipsoid of Krassowsky, like what follows."""
_ECCENTRICITY_2: Final = 0.00669342162296594323
_BAIDU: Final = pi * 3_000 / 180
_CENTIMETRE_DEG: Final = 1e-7


def to_wgs84(datum: Datum, lat_udeg: int, lon_udeg: int) -> tuple[int, int]:
    """Latitude and longitude in millionths of a degree; outside China the three are one."""
    lat, lon = lat_udeg / UDEG, lon_udeg / UDEG
    if datum == "WGS-84" or not _is_shifted(lat, lon):
        return lat_udeg, lon_udeg
    if datum == "BD-09":
        lat, lon = _gcj02_of_bd09(lat, lon)
    lat, lon = _wgs84_of_gcj02(lat, lon)
    return round(lat * UDEG), round(lon * UDEG)


def gcj02(lat: float, lon: float) -> tuple[float, float]:
    """Degrees of WGS-84 as a map in China shows them."""
    if not _is_shifted(lat, lon):
        return lat, lon
    north_m, east_m = _shift_m(lat - 35, lon - 105)
    curved = 1 - _ECCENTRICITY_2 * sin(radians(lat)) ** 2
    meridian_m = _RADIUS_M * (1 - _ECCENTRICITY_2) / (curved * sqrt(curved))
    parallel_m = _RADIUS_M / sqrt(curved) * cos(radians(lat))
    return lat + north_m / radians(meridian_m), lon + east_m / radians(parallel_m)


def _is_shifted(lat: float, lon: float) -> bool:
    return 0.8293 <= lat <= 55.8271 and 72.004 <= lon <= 137.8347


def _shift_m(north: float, east: float) -> tuple[float, float]:
    """So far a place is shifted to the north and to the east, by its degrees from the middle."""
    short = 20 * sin(6 * pi * east) + 20 * sin(2 * pi * east)

    def waves(degrees: float, longer: float, longest: float) -> float:
        near = 20 * sin(pi * degrees) + 40 * sin(pi * degrees / 3)
        return (short + near + longer * sin(pi * degrees / 12) + longest * sin(pi * degrees / 30)) * 2 / 3

    bend = sqrt(abs(east))
    to_north = -100 + 2 * east + 3 * north + 0.2 * north**2 + 0.1 * east * north + 0.2 * bend
    to_east = 300 + east + 2 * north + 0.1 * east**2 + 0.1 * east * north + 0.1 * bend
    return to_north + waves(north, 160, 320), to_east + waves(east, 150, 300)


def _wgs84_of_gcj02(lat: float, lon: float) -> tuple[float, float]:
    found = lat, lon
    for _ in range(10):
        shown = gcj02(*found)
        off = lat - shown[0], lon - shown[1]
        found = found[0] + off[0], found[1] + off[1]
        if max(map(abs, off)) < _CENTIMETRE_DEG:
            break
    return found


def _gcj02_of_bd09(lat: float, lon: float) -> tuple[float, float]:
    north, east = lat - 0.006, lon - 0.0065
    far = hypot(east, north) - 0.00002 * sin(north * _BAIDU)
    turned = atan2(north, east) - 0.000003 * cos(east * _BAIDU)
    return far * sin(turned), far * cos(turned)
