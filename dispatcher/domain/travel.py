"""How far it is between two places and how long it takes: the port, and what is known of it without a map."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from math import asin, cos, radians, sin, sqrt
from typing import Final, NamedTuple, Protocol

from contracts.dispatcher import DispatchRulesSet, TravelLearned

EARTH_M = 6_371_000
"""The mean radius."""

DETOUR_PERCENT: Final = 130
"""Road for a beeline of 100: short trips in towns 140, long ones 120 (TECH: DISPATCH section 5)."""

KM_AN_HOUR: Final = 30
"""A van in town with parking: 25 to 35 km/h (the same)."""

AREA_UDEG: Final = 100_000
"""An area is a tenth of a degree in both directions: in Beijing 11 by 8.5 km."""

HOURS: Final = 24


class Place(NamedTuple):
    """WGS-84, in millionths of a degree."""

    lat_udeg: int
    lon_udeg: int


class Ways(Protocol):
    """
    What is known of ways when something is decided. Pure: a map was asked before, and what it said is part of what is
    decided upon.
    """

    version: int
    """Of TravelLearned; 0: nothing is learned yet."""
    source: str
    """Which map server was asked; empty: all is estimated."""

    def metres(self, a: Place, b: Place) -> int:
        """Metres of road from one place to another."""

    def time(self, a: Place, b: Place, at: datetime) -> timedelta:
        """How long the way takes about that hour, in whole seconds."""


class Area(NamedTuple):
    """South-west corner, in `AREA_UDEG`."""

    north: int
    east: int


def area_of(a: Place, b: Place) -> Area:
    """Where a way lies: the area of its middle, so that it is the same in both directions."""
    return Area((a.lat_udeg + b.lat_udeg) // (2 * AREA_UDEG), (a.lon_udeg + b.lon_udeg) // (2 * AREA_UDEG))


def hour_of(at: datetime) -> int:
    """Of the day in UTC: it needs no zone, and is learned anew where clocks are put forward."""
    return int(at.timestamp()) // 3_600 % HOURS


class Learned:
    """The paces of one TravelLearned, made ready to be looked up."""

    def __init__(self, event: TravelLearned) -> None:
        self.event = event
        self._hours = event.hours
        self._areas: Mapping[tuple[int, int], tuple[int, ...]] = {(it.north, it.east): it.hours for it in event.areas}
        self.least_us_a_metre = min(min(hours) for hours in (self._hours, *self._areas.values()))

    def us_a_metre(self, a: Place, b: Place, at: datetime) -> int:
        """Microseconds for a metre of beeline; of areas that are not known, as everywhere at that hour."""
        return self._areas.get(area_of(a, b), self._hours)[hour_of(at)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Learned) and self.event == other.event

    def __hash__(self) -> int:
        return hash(self.event.version)


class Estimate:
    """From the beeline: a detour and a speed that hold for all, or the paces that were learned."""

    source = ""

    def __init__(
        self, detour_percent: int = DETOUR_PERCENT, km_an_hour: int = KM_AN_HOUR, learned: Learned | None = None
    ) -> None:
        self.version = learned.event.version if learned else 0
        self._detour, self._metres_an_hour, self._learned = detour_percent / 100, km_an_hour * 1_000, learned

    @classmethod
    def by(cls, rules: DispatchRulesSet, learned: Learned | None) -> Estimate:
        return cls(rules.detour_percent, rules.km_an_hour, learned)

    @property
    def at_least(self) -> tuple[float, float]:
        """For a metre of beeline: metres of road, and how many seconds it takes at the least."""
        if self._learned is None:
            return self._detour, self._detour * 3_600 / self._metres_an_hour
        return self._detour, self._learned.least_us_a_metre / 1e6

    def metres(self, a: Place, b: Place) -> int:
        return 0 if a == b else round(beeline_m(a, b) * self._detour)

    def time(self, a: Place, b: Place, at: datetime) -> timedelta:
        if a == b:
            return timedelta()
        if self._learned is None:
            return timedelta(seconds=-(-self.metres(a, b) * 3_600 // self._metres_an_hour))
        return timedelta(seconds=-(-round(beeline_m(a, b)) * self._learned.us_a_metre(a, b, at) // 1_000_000))


BEELINE: Final = Estimate()
"""Where a company has said nothing and nothing is learned."""


class Way(NamedTuple):
    metres: int
    seconds: int


class Mapped:
    """What a map server said of some ways; the others are estimated."""

    def __init__(self, source: str, known: Mapping[tuple[Place, Place], Way], besides: Ways) -> None:
        self.source, self.version = source, besides.version
        self._known, self._besides = known, besides

    def metres(self, a: Place, b: Place) -> int:
        way = self._known.get((a, b))
        return self._besides.metres(a, b) if way is None else way.metres

    def time(self, a: Place, b: Place, at: datetime) -> timedelta:
        way = self._known.get((a, b))
        return self._besides.time(a, b, at) if way is None else timedelta(seconds=way.seconds)


def beeline_m(a: Place, b: Place) -> float:
    """By the haversine formula."""
    return _beeline_m(a, b) if a < b else _beeline_m(b, a)


@lru_cache(maxsize=16_384)
def _beeline_m(a: Place, b: Place) -> float:
    """Cached: who ranks for an order, who decides and who records the decision look at the same ways."""
    lat_a, lat_b = radians(a.lat_udeg / 1e6), radians(b.lat_udeg / 1e6)
    half_lat, half_lon = (lat_b - lat_a) / 2, radians((b.lon_udeg - a.lon_udeg) / 1e6) / 2
    square = sin(half_lat) ** 2 + cos(lat_a) * cos(lat_b) * sin(half_lon) ** 2
    return 2 * EARTH_M * asin(min(1.0, sqrt(square)))
