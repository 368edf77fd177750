"""
What is planned: engineers, visits, what binds visits to one another, what things cost, and a plan.

Everything is an integer. Times and distances are in the unit of the problem, seconds and metres in the product; a
benchmark says by `scale` how many of ours make one of its own. A place is an index into `Travel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

CALL: Final = -1
"""A stop of a route: the engineer calls at the depot, and has every tool and any number of parts from then on."""

FIRST_BREAK: Final = -2
"""A stop of a route: her first break; the second is one less, and so on. It is taken where the stop before was."""

Ints = npt.NDArray[np.int64]


class Unfit(Exception):
    """What was given cannot be planned; the text names what is wrong and how to mend it."""


@dataclass(frozen=True)
class Break:
    """
    Lunch, or an absence within the shift: for so long she neither travels nor works, and stays where she is.

    It is a stop of her route, unless she leaves home when it may be over, or is back before it must begin. Before the
    first other stop it is taken at home, and is no working time.
    """

    window: tuple[int, int]
    """It begins in it. An absence begins at one instant."""
    duration: int


@dataclass(frozen=True)
class Engineer:
    """Who goes, for one day: the same person on two days is two of these."""

    id: str
    start: int
    """The place where the day begins."""
    end: int
    shift: tuple[int, int]
    """Leaves `start` at the earliest, is at `end` at the latest; with overtime, `overtime` later."""
    skills: Mapping[str, int] = field(default_factory=dict)
    """Skill → level."""
    certificates: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    parts: Mapping[str, int] = field(default_factory=dict)
    """What is in the van. A load that may be carried is a part as well: a visit takes its share of it."""
    regions: frozenset[str] | None = None
    """The territory; None: anywhere."""
    overtime: int = 0
    longest: int | None = None
    """The most that may lie between departure and return."""
    leave: int | None = None
    """The latest departure; None: whenever the shift allows. Who is under way leaves where she is when she is ready."""
    locked: tuple[int, ...] = ()
    """Visits that are done, under way or pinned: her route begins with them, in this order."""
    breaks: tuple[Break, ...] = ()
    """In the order of time."""
    most: int | None = None
    """Visits of a day."""


@dataclass(frozen=True)
class Visit:
    id: str
    place: int
    duration: int
    window: tuple[int, int]
    """The visit begins in it."""
    due: int | None = None
    """From then on its begin is late."""
    skills: Mapping[str, int] = field(default_factory=dict)
    """Skill → least level."""
    certificates: frozenset[str] = frozenset()
    tools: frozenset[str] = frozenset()
    parts: Mapping[str, int] = field(default_factory=dict)
    region: str | None = None
    prize: int | None = None
    """What leaving it out costs; None: it must be served."""
    preferred: frozenset[str] = frozenset()
    """Ids of the engineers whom the customer knows or wishes for; others cost `Weights.stranger`."""
    also: tuple[tuple[int, int], ...] = ()
    """More windows, each after the one before; it begins in one of all."""
    only: frozenset[str] | None = None
    """Pinned to engineers with these ids, for instance since the parts are in their vans; None: to nobody."""
    urgency: int = 1
    """So many times its lateness is counted."""
    told: tuple[str, int] | None = None
    """Engineer and begin that people know of; another plan costs `Weights.change`."""

    @property
    def windows(self) -> tuple[tuple[int, int], ...]:
        return (self.window, *self.also)


@dataclass(frozen=True)
class Link:
    """`second` begins at least `least` and at most `most` after `first` does; (0, 0) is two engineers at once."""

    first: int
    second: int
    least: int = 0
    most: int | None = None
    apart: bool = True
    """By two different engineers."""


@dataclass(frozen=True)
class Weights:
    """What a unit of each costs."""

    distance: int = 0
    duration: int = 0
    """From the latest departure to the return, waiting included."""
    route: int = 0
    """An engineer who goes at all."""
    lateness: int = 0
    late_doubles: int = 0
    """The lateness l of a visit is counted as l + l² / this: a longer wait is worse than two short ones. 0: as l."""
    worst_lateness: int = 0
    """Of the visit that is most late."""
    overtime: int = 0
    waiting: int = 0
    stranger: int = 0
    balance: int = 0
    """Of working time t in a shift s, t² / s: two half days cost less than a whole one."""
    overqualified: int = 0
    """Each level that she has above the least that is asked."""
    change: int = 0
    """Each visit that is left out or goes to another engineer than `Visit.told`, or begins at another time."""
    change_within: int = 0
    """By so much the begin may differ from what was told."""


@dataclass(frozen=True)
class Travel:
    """Rows from, columns to; `metres` is what distance is counted in and `seconds` what passes on the clock."""

    seconds: Ints
    metres: Ints


@dataclass(frozen=True)
class Problem:
    engineers: Sequence[Engineer]
    visits: Sequence[Visit]
    travel: Travel
    weights: Weights
    links: Sequence[Link] = ()
    depot: int | None = None
    """Where tools and parts are had; None: only what is in the van counts. One call a day at the most."""

    def __post_init__(self) -> None:
        places = len(self.travel.seconds)
        if not self.engineers:
            raise Unfit("there is no engineer who could go")
        for engineer in self.engineers:
            if not (0 <= engineer.start < places and 0 <= engineer.end < places):
                raise Unfit(f"engineer {engineer.id} starts or ends at a place that the travel matrix has not")
            if engineer.shift[0] > engineer.shift[1]:
                raise Unfit(f"engineer {engineer.id} has a shift that ends before it begins: {engineer.shift}")
            for rest in engineer.breaks:
                if rest.window[0] > rest.window[1] or rest.duration < 0:
                    raise Unfit(f"engineer {engineer.id} has a break that ends before it begins: {rest}")
        for visit in self.visits:
            if not 0 <= visit.place < places:
                raise Unfit(f"visit {visit.id} lies at a place that the travel matrix has not")
            if visit.window[0] > visit.window[1]:
                raise Unfit(f"visit {visit.id} has a window that ends before it begins: {visit.window}")
            for before, window in pairwise(visit.windows):
                if not before[1] < window[0] <= window[1]:
                    raise Unfit(f"visit {visit.id} has windows that are not one after the other: {visit.windows}")
            if visit.duration < 0:
                raise Unfit(f"visit {visit.id} lasts less than nothing: {visit.duration}")
        for link in self.links:
            if link.most is not None and link.most < link.least:
                one, other = self.visits[link.first].id, self.visits[link.second].id
                raise Unfit(f"between {one} and {other} the gap is at least {link.least} and at most {link.most}")


@dataclass(frozen=True)
class Plan:
    """The stops of each engineer in their order: indices of visits, her breaks, and CALL at most once."""

    routes: Sequence[tuple[int, ...]]

    @property
    def served(self) -> frozenset[int]:
        return frozenset(stop for route in self.routes for stop in route if stop >= 0)


Rule = Literal[
    "skill",
    "certificate",
    "region",
    "tool",
    "part",
    "window",
    "shift",
    "longest",
    "most",
    "break",
    "pinned",
    "locked",
    "link",
    "twice",
    "left out",
    "calls",
]


@dataclass(frozen=True)
class Violation:
    rule: Rule
    text: str


def lacks(engineer: Engineer, visit: Visit) -> list[Violation]:
    """What of its needs she has not and cannot be given: skill, certificate, territory, a pin. Empty: she may go."""
    found = []
    if visit.only is not None and engineer.id not in visit.only:
        found.append(Violation("pinned", f"{visit.id} is kept for {', '.join(sorted(visit.only))}"))
    for skill, level in sorted(visit.skills.items()):
        if engineer.skills.get(skill, 0) < level:
            has = engineer.skills.get(skill, 0)
            found.append(Violation("skill", f"{visit.id} needs {skill} at {level}, {engineer.id} has {has}"))
    for paper in sorted(visit.certificates - engineer.certificates):
        found.append(Violation("certificate", f"{visit.id} needs {paper}, which {engineer.id} has not"))
    if engineer.regions is not None and visit.region is not None and visit.region not in engineer.regions:
        found.append(Violation("region", f"{visit.id} lies in {visit.region}, where {engineer.id} does not go"))
    return found


def spare(engineer: Engineer, visit: Visit) -> int:
    """By how many levels she is above what the visit asks."""
    return sum(engineer.skills.get(skill, 0) - level for skill, level in visit.skills.items())


def late_cost(weights: Weights, visit: Visit, late: int) -> int:
    """In units of `Weights.lateness`."""
    return visit.urgency * (late + (late * late // weights.late_doubles if weights.late_doubles else 0))


def euclidean(xy: Sequence[tuple[float, float]], scale: int, *, truncated: bool = False) -> Ints:
    """Distances between points of a plane, times `scale`, to the nearest integer or the one below."""
    points = np.array(xy, dtype=np.float64)
    far = np.sqrt(((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)) * scale
    told: Any = np.floor(far) if truncated else np.rint(far)
    return np.asarray(told, dtype=np.int64)
