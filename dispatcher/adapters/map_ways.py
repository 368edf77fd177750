"""
What a map is asked before an order is given to one of the best candidates, or these are proposed, or slots are offered:
the ways that are compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise

from contracts.dispatcher import DispatchRulesSet
from dispatcher.commands import PartsInVans, WaysOfMap
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.learned_travel import with_map
from dispatcher.domain.matching import Proposal, Ranking, propose
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import Place, Ways
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


async def proposed_by_map(
    outside: Mapping[str, str],
    work: Work,
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    rules: DispatchRulesSet,
    parts: PartsInVans,
    ranking: Ranking,
    estimate: Ways,
    most: int,
) -> tuple[Ranking, str]:
    """
    The ranking with the `most` best of it by the ways of the map, on the days on which they are best by the estimate,
    as the decision compares them; and which map that was. The same, and no map, where none answers.
    """
    best = ranking.proposals[:most]
    days = [(engineers[name].home, booked.get(name, {}).get(found.day, ())) for name, found in best]
    told = await ways_of_map(outside, work.place, days)
    if told is None:
        return ranking, ""
    ways = with_map(estimate, told)
    by_map = []
    for name, found in best:
        hers = propose(work, name, engineers[name], booked.get(name, {}), now, (), rules, parts, (found.day,), ways)
        if isinstance(hers, Proposal):
            by_map.append((name, hers))
        else:
            ranking.excluded.hours[name] = "hours"
    in_order = sorted([*by_map, *ranking.proposals[most:]], key=lambda one: (one[1].cost, one[0]))
    return Ranking(tuple(in_order), ranking.excluded), told.source
