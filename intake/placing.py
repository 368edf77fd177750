"""Where customers, their sites and their requests lie, as it is said at the edge: in coordinates, or by the address."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from contracts.intake import PlacedBy
from contracts.problems import Unfit
from intake.adapters.geocoder import Geocoder
from intake.commands import UDEG
from intake.domain.address import Division, parse
from intake.domain.checks import apart, far_from
from intake.domain.datum import Datum, to_wgs84
from intake.domain.seats import Place, seat
from services.chassis.http import Body, Problem

OF_DATUM = (
    "In which the coordinates are: WGS-84 as satellites and browsers have it, GCJ-02 as WeChat and the maps in China,"
    " BD-09 as Baidu. WGS-84 is kept."
)


class Spot(Body):
    """A place in coordinates."""

    lat_udeg: int = Field(ge=-90 * UDEG, le=90 * UDEG, description="Millionths of a degree.")
    lon_udeg: int = Field(ge=-180 * UDEG, le=180 * UDEG)
    datum: Datum = Field("WGS-84", description=OF_DATUM)

    def wgs84(self) -> Place:
        return to_wgs84(self.datum, self.lat_udeg, self.lon_udeg)


class Where(Body):
    """Where somebody is: in coordinates, or else by region and address."""

    region: str = Field("", max_length=100, description="Province, city, district; empty for those of the address.")
    lat_udeg: int | None = Field(
        None, ge=-90 * UDEG, le=90 * UDEG, description="Millionths of a degree; empty for where the address lies."
    )
    lon_udeg: int | None = Field(None, ge=-180 * UDEG, le=180 * UDEG)
    datum: Datum = Field("WGS-84", description=OF_DATUM)

    @model_validator(mode="after")
    def _both(self) -> Where:
        if (self.lat_udeg is None) != (self.lon_udeg is None):
            absent = "lat_udeg" if self.lat_udeg is None else "lon_udeg"
            raise Unfit("lat_udeg and lon_udeg go together.", "lat_udeg 与 lon_udeg 须同时填写。", absent)
        return self


async def placed(said: Where, address: str, map_: Geocoder) -> dict[str, Any]:
    """
    Region and place as they are recorded, and how the place is known. What may lie in several districts is refused.

    Raises Problem `address.unknown`, `address.ambiguous` or `address.far-off`.
    """
    found = _divisions(said.region, address)
    [division] = found if len(found) == 1 else [None]
    region = said.region or (division.full_name if division else "")
    spot: tuple[Place, PlacedBy] | None = None
    if said.lat_udeg is not None and said.lon_udeg is not None:
        given = to_wgs84(said.datum, said.lat_udeg, said.lon_udeg)
        if far := far_from(region, given):
            raise Problem("address.far-off", region=region, km=far)
        spot = given, "given"
    elif division:
        spot = await _on_map(division, address, map_) or _seat(division)
    if region and spot:
        return {"region": region, "lat_udeg": spot[0][0], "lon_udeg": spot[0][1], "placed_by": spot[1]}
    if len(found) > 1:
        raise Problem("address.ambiguous", divisions=", ".join([one.full_name for one in found]))
    raise Problem("address.unknown")


def _divisions(region: str, address: str) -> tuple[Division, ...]:
    """All districts in which it may lie; both, where region and address name one each."""
    by_region, by_address = parse(region).divisions, parse(address).divisions
    if len(by_region) == len(by_address) == 1:
        return tuple(dict.fromkeys([*by_region, *by_address]))
    readings = [parse(region + address).divisions, by_address, by_region]
    return next((one for one in readings if len(one) == 1), max(readings, key=len))


async def _on_map(division: Division, address: str, map_: Geocoder) -> tuple[Place, PlacedBy] | None:
    if not address:
        return None
    spots = await map_.locate(address if parse(address).divisions else division.full_name + address)
    if not spots or apart(spots) or far_from(division.full_name, spots[0]):
        return None
    return spots[0], "map"


def _seat(division: Division) -> tuple[Place, PlacedBy] | None:
    if here := seat(division.code):
        return here, "district" if division.district else "city"
    here = seat(division.code[:4] + "00")
    return (here, "city") if here else None
