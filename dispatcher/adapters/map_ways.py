"""What a map is asked before an order is given to one of the best candidates: the ways that the decision compares."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from dispatcher.commands import WaysOfMap
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.travel import Place
from services.chassis.maps import map_of


async def ways_of_map(
    outside: Mapping[str, str], to: Place, days: Iterable[tuple[Place, Sequence[Booking]]]
) -> WaysOfMap | None:
    """`days` are of each candidate her home and what is booked. None where no map is set, or none answers."""
    if (map_ := map_of(outside)) is None:
        return None
    stops = [[home, *[one.place for one in booked]] for home, booked in days]
    needed = [way for day in stops for place in day for way in ((place, to), (to, place))]
    needed += [way for day in stops for way in pairwise(day)]
    found = await map_.ways(to, [place for day in stops for place in day], [way for way in needed if way[0] != way[1]])
    if not found:
        return None
    return WaysOfMap(source=map_.source, ways=tuple([(*a, *b, *way) for (a, b), way in found.items()]))
