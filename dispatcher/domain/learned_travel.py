"""
How long ways take, learned from departures and arrivals: one stream, so that a decision cites the version that it saw.

The pace of a drive is its time over the beeline. The pace of a group of drives is their median, drawn towards what is
known without them: `(n * median + WEIGHT * before) / (n + WEIGHT)`. So a forgotten button or a stop for lunch moves
nothing, and a group of a few drives hardly anything. Everywhere is drawn towards the rules' own speed, an hour and an
area towards everywhere, an hour in an area towards the product of both.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Final, NamedTuple

from contracts.dispatcher import AreaPaces, DispatchRulesSet, TravelLearned
from contracts.event import Event
from dispatcher.commands import LearnTravel, WaysOfMap
from dispatcher.domain.travel import (
    HOURS,
    Area,
    Estimate,
    Learned,
    Mapped,
    Place,
    Way,
    Ways,
    area_of,
    beeline_m,
    hour_of,
)

STREAM: Final = "travel"
INITIAL: Final = None

WEIGHT: Final = 20
"""What is known before counts as so many drives."""

LEAST_DRIVES: Final = 50
"""Of fewer, nothing is learned."""

LOOKED_BACK: Final = timedelta(days=28)
EVERY: Final = timedelta(days=1)

MOST_AREAS: Final = 200
"""Those in which most is driven; so the event has 100 kB at the most."""

LEAST_M, MOST_M = 700, 200_000
"""Beelines that tell something: below, parking is most of it."""

LEAST_S, MOST_S = 60, 6 * 3_600

FAR_OFF: Final = 4
"""No pace is believed that is so many times the rules' own, or the same part of it."""

LATE_S: Final = 3_600
"""Arrivals: what is told where nothing is learned, an hour either way."""


class Drive(NamedTuple):
    start: Place
    to: Place
    departed_at: datetime
    arrived_at: datetime
    planned_at: datetime


class Paces(NamedTuple):
    """As in TravelLearned."""

    drives: int
    everywhere: int
    hours: tuple[int, ...]
    areas: tuple[AreaPaces, ...]
    early_s: int
    late_s: int


def decide(states: Mapping[str, Any], command: LearnTravel) -> list[Event]:
    """Once a day at the most: who asks looked at a view that may be late."""
    last: Learned | None = states[STREAM]
    if last and command.now - last.event.learned_at < EVERY:
        return []
    return [
        TravelLearned(
            version=(last.event.version if last else 0) + 1,
            learned_at=command.now,
            since=command.since,
            drives=command.drives,
            everywhere=command.everywhere,
            hours=command.hours,
            areas=tuple([AreaPaces(north, east, hours) for north, east, hours in command.areas]),
            early_s=command.early_s,
            late_s=command.late_s,
        )
    ]


def evolve(last: Learned | None, event: TravelLearned) -> Learned:
    return Learned(event)


def ways(states: Mapping[str, Any], rules: DispatchRulesSet, told: WaysOfMap | None = None) -> Ways:
    """What a decision knows of ways; `told` was asked of a map before."""
    return with_map(Estimate.by(rules, states[STREAM]), told)


def with_map(estimate: Ways, told: WaysOfMap | None) -> Ways:
    if told is None:
        return estimate
    known = {(Place(a, b), Place(c, d)): Way(metres, seconds) for a, b, c, d, metres, seconds in told.ways}
    return Mapped(told.source, known, estimate)


def learn(drives: Iterable[Drive], rules: DispatchRulesSet) -> Paces | None:
    """None where there are too few drives."""
    default = rules.detour_percent * 36_000 / rules.km_an_hour
    believed: list[tuple[Area, int, float]] = []
    off: list[float] = []
    for drive in drives:
        seconds, metres = (drive.arrived_at - drive.departed_at).total_seconds(), beeline_m(drive.start, drive.to)
        off.append((drive.arrived_at - drive.planned_at).total_seconds())
        if LEAST_M <= metres <= MOST_M and LEAST_S <= seconds <= MOST_S:
            pace = seconds * 1_000_000 / metres
            if default / FAR_OFF <= pace <= default * FAR_OFF:
                believed.append((area_of(drive.start, drive.to), hour_of(drive.departed_at), pace))
    if len(believed) < LEAST_DRIVES:
        return None
    everywhere = _drawn([pace for *_, pace in believed], default)
    by_hour = _grouped(believed, lambda one: one[1])
    by_area = _grouped(believed, lambda one: one[0])
    by_both = _grouped(believed, lambda one: one[:2])
    hours = [_drawn(by_hour.get(hour, ()), everywhere) for hour in range(HOURS)]
    most = sorted(by_area, key=lambda area: (-len(by_area[area]), area))[:MOST_AREAS]
    areas = []
    for area in sorted(most):
        here = _drawn(by_area[area], everywhere)
        paces = [_drawn(by_both.get((area, hour), ()), here * hours[hour] / everywhere) for hour in range(HOURS)]
        areas.append(AreaPaces(area.north, area.east, _whole(paces)))
    off.sort()
    return Paces(
        len(believed),
        round(everywhere),
        _whole(hours),
        tuple(areas),
        early_s=max(0, -_tenth(off, 1)),
        late_s=max(0, _tenth(off, 9)),
    )


def _grouped(
    drives: Iterable[tuple[Area, int, float]], key: Callable[[tuple[Area, int, float]], Any]
) -> Mapping[Any, Sequence[float]]:
    groups: defaultdict[Any, list[float]] = defaultdict(list)
    for drive in drives:
        groups[key(drive)].append(drive[2])
    return groups


def _drawn(paces: Sequence[float], before: float) -> float:
    if not paces:
        return before
    return (len(paces) * median(paces) + WEIGHT * before) / (len(paces) + WEIGHT)


def _tenth(off: Sequence[float], tenths: int) -> int:
    """This tenth of sorted values, drawn towards an hour as paces are."""
    before = LATE_S if tenths > 5 else -LATE_S
    return round((len(off) * off[len(off) * tenths // 10] + WEIGHT * before) / (len(off) + WEIGHT))


def _whole(paces: Iterable[float]) -> tuple[int, ...]:
    return tuple([round(pace) for pace in paces])
