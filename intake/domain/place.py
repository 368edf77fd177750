"""Where somebody is registered to be, and when that must be asked."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, hypot, radians
from typing import Any, Final

from contracts.intake import PlacedBy
from contracts.problems import Rejected
from intake.domain.address import Division, parse
from intake.domain.seats import Place, seat


def placed(region: str, address: str, given: Place | None, spots: Sequence[Place]) -> dict[str, Any]:
    """
    Region and place, and how the place is known: in coordinates, as a map has the address, or by its district.

    Raises Rejected `address.unknown`, `address.far-off`, and `address.ambiguous` for what may lie in several districts.
    """
    found = divisions_of(region, address)
    [division] = found if len(found) == 1 else [None]
    region = region or (division.full_name if division else "")
    spot: tuple[Place, PlacedBy] | None = None
    if given:
        if far := far_from(region, given):
            raise Rejected("address.far-off", region=region, km=far)
        spot = given, "given"
    elif division:
        spot = _on_map(division, spots) or _seat(division)
    if region and spot:
        return {"region": region, "lat_udeg": spot[0][0], "lon_udeg": spot[0][1], "placed_by": spot[1]}
    if len(found) > 1:
        raise Rejected("address.ambiguous", divisions=", ".join([one.full_name for one in found]))
    raise Rejected("address.unknown")


def divisions_of(region: str, address: str) -> tuple[Division, ...]:
    """All districts in which it may lie; both, where region and address name one each."""
    by_region, by_address = parse(region).divisions, parse(address).divisions
    if len(by_region) == len(by_address) == 1:
        return tuple(dict.fromkeys([*by_region, *by_address]))
    readings = [parse(region + address).divisions, by_address, by_region]
    return next((one for one in readings if len(one) == 1), max(readings, key=len))


def _on_map(division: Division, spots: Sequence[Place]) -> tuple[Place, PlacedBy] | None:
    if not spots or apart(spots) or far_from(division.full_name, spots[0]):
        return None
    return spots[0], "map"


def _seat(division: Division) -> tuple[Place, PlacedBy] | None:
    if here := seat(division.code):
        return here, "district" if division.district else "city"
    here = seat(division.code[:4] + "00")
    return (here, "city") if here else None


ONE_PLACE_UDEG: Final = 10_000
"""What a map has of one address lies no farther apart than this, some 1 km: the segments of one street."""


def apart(spots: Sequence[tuple[int, int]]) -> bool:
    """Whether a map has an address in several places."""
    return any(max(axis) - min(axis) > ONE_PLACE_UDEG for axis in zip(*spots, strict=True))


FARTHEST_KM: Final = 400
"""No place of a county lies farther from its seat: the largest, Ruoqiang and Nyima, are some 500 km across."""

KM_PER_UDEG: Final = 111.2e-6


def far_from(region: str, spot: tuple[int, int]) -> int:
    """How far, in km, a place lies from the seat of its division; 0 where that may be, or where nobody knows."""
    divisions = parse(region).divisions
    middle = seat(divisions[0].code) if len(divisions) == 1 else None
    if middle is None:
        return 0
    north = (spot[0] - middle[0]) * KM_PER_UDEG
    east = (spot[1] - middle[1]) * KM_PER_UDEG * cos(radians(middle[0] / 1e6))
    far = round(hypot(north, east))
    return far if far > FARTHEST_KM else 0
