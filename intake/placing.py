"""Where customers, their sites and their requests lie, as it is said at the edge: in coordinates, or by the address."""

from __future__ import annotations

from typing import Any

from pydantic import Field, model_validator

from contracts.problems import Unfit
from intake.adapters.geocoder import Geocoder
from intake.commands import UDEG
from intake.domain.address import parse
from intake.domain.place import divisions_of
from intake.domain.seats import Place
from services.chassis.datum import Datum, to_wgs84
from services.chassis.http import Body

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


async def told(said: Where, address: str, map_: Geocoder) -> dict[str, Any]:
    """What the decision needs to know of the place: coordinates in WGS-84, or where a map has the address."""
    if said.lat_udeg is not None and said.lon_udeg is not None:
        lat, lon = to_wgs84(said.datum, said.lat_udeg, said.lon_udeg)
        return {"lat_udeg": lat, "lon_udeg": lon}
    wanted = to_locate(said, address)
    return {"spots": tuple(await map_.locate(wanted))} if wanted else {}


def to_locate(said: Where, address: str) -> str:
    """What the map is asked; empty where it is not: coordinates are given, or where it is must be asked first."""
    found = divisions_of(said.region, address) if address and said.lat_udeg is None else ()
    if len(found) != 1:
        return ""
    return address if parse(address).divisions else found[0].full_name + address
