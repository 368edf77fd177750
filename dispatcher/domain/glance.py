"""
What an order costs each of many engineers at the least: all gaps of all their days at one glance, in arrays.

The matching looks at the most promising first, and passes over all others as soon as the best are cheaper than these
can be; so nobody's cost is taken from here, and nothing comes out otherwise than when everybody is looked at. A beeline
is taken through the earth (the chord, which is shorter), the drive at the fastest pace that is known, and neither
absences nor breaks between two shifts of a day count.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from datetime import datetime
from math import cos, inf, radians, sin
from typing import Final

import numpy as np
import numpy.typing as npt

from contracts.dispatcher import DispatchRulesSet
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import STEP, TURN, days_ahead, points_an_hour
from dispatcher.domain.roster import ASKED, Roster
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import EARTH_M, Estimate, Place, beeline_m

Days = Mapping[str, Sequence[Booking]]

NEVER: Final = 1 << 60
"""Points where there is no room."""

_NOTHING: Final[Days] = {}
_MOMENT_S: Final = 1e-3
"""More than what the instants lose as numbers, and less than what any of them is told in."""
_STEP_S: Final = STEP.total_seconds()

# A gap between two visits of a day, or before the first, or after the last.
_GAP: Final = np.dtype(
    [
        ("free", "f8"),  # Seconds since the epoch: when the visit before is over.
        ("opens", "f8"),  # The first shift of that day.
        ("ends", "f8"),  # The visit after begins, or the last shift of that day is over.
        ("before", "f8", 3),  # Where she is before and after, in metres from the middle of the earth.
        ("after", "f8", 3),
        ("goes_on", "f8"),  # 1: there is one after; 0: she may stay.
        ("between", "f8"),  # Metres of beeline from before to after.
        ("load", "i8"),  # Visits of that day.
    ]
)
_FULL: Final = (inf, inf, -inf, (0.0,) * 3, (0.0,) * 3, 0.0, 0.0, 0)


class Glance:
    """
    The gaps of each engineer of a roster; they are looked up anew for her whose days are others than at the last time.

    So the days of an engineer must not be changed in place: what is booked comes as another mapping of hers.
    """

    def __init__(self, roster: Roster) -> None:
        self.roster = roster
        self._row = {name: row for row, name in enumerate(roster)}
        self._gaps = np.full((len(roster), 8), np.array(_FULL, _GAP))
        self._room = np.full(self._gaps.shape, -inf)
        """Seconds of each gap in which she could work: what is looked at first, and of all."""
        self._hour_fen = np.array([one.hour_fen for one in roster.values()], np.int64)
        self._km_fen = np.array([one.km_fen for one in roster.values()], np.int64)
        self._rows: dict[int, tuple[Sequence[str], npt.NDArray[np.intp]]] = {}
        self._as_of: object = None
        self._known: list[Days | None] = []

    def least(
        self,
        work: Work,
        names: Sequence[str],
        booked: Mapping[str, Days],
        now: datetime,
        rules: DispatchRulesSet,
        ways: Estimate,
    ) -> Generator[None, None, npt.NDArray[np.int64]]:
        """The points of each of those named; her person (a wish, the parts in her van) is not in them."""
        yield from self._renewed(names, booked, now, rules.horizon_days)
        rows = self._rows_of(names)
        now_s, long_s = now.timestamp(), work.duration.total_seconds()
        whose, which = np.nonzero(self._room[rows] >= long_s - _MOMENT_S)
        of_her = rows[whose]
        gaps = self._gaps[of_her, which]
        least = np.full(len(names), NEVER, np.int64)

        road, pace = ways.at_least
        here = np.array(_point(work.place))
        there, on = (_distances(gaps[it] - here) - 1 for it in ("before", "after"))
        added = np.maximum(0, road * (there + gaps["goes_on"] * (on - gaps["between"])) - 3)
        metres = added.astype(np.int64)
        ready = np.maximum(gaps["free"], now_s) + np.maximum(0, there) * pace
        starts = np.maximum(gaps["opens"], ready)
        starts = np.ceil((starts - _MOMENT_S) / _STEP_S) * _STEP_S
        fits = starts + long_s <= gaps["ends"] + _MOMENT_S
        wait = np.maximum(0, starts - now_s - _MOMENT_S).astype(np.int64)
        hours = int(long_s) * self._hour_fen[of_her] // 3_600
        points = (
            metres // rules.metres_a_point
            + gaps["load"] * rules.points_a_booking
            + wait * points_an_hour(rules, work.urgency) // 3_600
            + (hours + metres * self._km_fen[of_her] // 1_000) // rules.fen_a_point
        )
        np.minimum.at(least, whose[fits], points[fits])
        return least

    def _rows_of(self, names: Sequence[str]) -> npt.NDArray[np.intp]:
        """The roster gives the same list for the same needs; by which it is, as it is long."""
        known = self._rows.get(id(names))
        if known is None or known[0] is not names:
            if len(self._rows) >= ASKED:
                self._rows.clear()
            known = names, np.fromiter(map(self._row.__getitem__, names), np.intp, len(names))
            self._rows[id(names)] = known
        return known[1]

    def _renewed(
        self, names: Sequence[str], booked: Mapping[str, Days], now: datetime, horizon_days: int
    ) -> Generator[None, None, None]:
        """In turns, and then once more at one go: others may have looked at other days of theirs in between."""
        for at_one_go in (False, True):
            as_of = self.roster.todays(now), horizon_days
            if as_of != self._as_of:
                self._as_of, self._known = as_of, [None] * len(self.roster)
            renewed = 0
            hers_of = booked.get
            for row, name in zip(self._rows_of(names).tolist(), names, strict=True):
                hers, known = hers_of(name, _NOTHING), self._known[row]
                if known is hers or known == hers:
                    continue
                self._put(row, _gaps_of(self.roster[name], hers, now, horizon_days))
                self._known[row] = hers
                renewed += 1
                if renewed % TURN == 0 and not at_one_go:
                    yield
            if renewed < TURN:
                return

    def _put(self, row: int, gaps: Sequence[tuple[object, ...]]) -> None:
        short = len(gaps) - self._gaps.shape[1]
        if short > 0:
            more = np.full((len(self._gaps), max(short, 8)), np.array(_FULL, _GAP))
            self._gaps = np.concatenate([self._gaps, more], axis=1)
            self._room = np.concatenate([self._room, more["ends"]], axis=1)
        self._gaps[row] = np.array(_FULL, _GAP)
        self._gaps[row, : len(gaps)] = gaps
        hers = self._gaps[row]
        self._room[row] = hers["ends"] - np.maximum(hers["free"], hers["opens"])


def _gaps_of(engineer: Registered, booked: Days, now: datetime, horizon_days: int) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for day, windows in days_ahead(engineer, now, horizon_days):
        hours = booked.get(day, ())
        if not windows or len(hours) >= engineer.daily_limit:
            continue
        opens, closes = windows[0][0].timestamp(), max(end for _, end in windows).timestamp()
        free, place = -inf, engineer.home
        for after in hours:
            begins = after.starts_at.timestamp()
            if begins > free:
                between = beeline_m(place, after.place)
                ways = _point(place), _point(after.place), 1.0, between, len(hours)
                found.append((free, opens, min(begins, closes), *ways))
            free, place = max(free, after.ends_at.timestamp()), after.place
        found.append((free, opens, closes, _point(place), (0.0,) * 3, 0.0, 0.0, len(hours)))
    return found


def _distances(between: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    squares: npt.NDArray[np.float64] = np.einsum("ij,ij->i", between, between)
    return np.sqrt(squares)


def _point(place: Place) -> tuple[float, float, float]:
    lat, lon = radians(place.lat_udeg / 1e6), radians(place.lon_udeg / 1e6)
    return EARTH_M * cos(lat) * cos(lon), EARTH_M * cos(lat) * sin(lon), EARTH_M * sin(lat)
