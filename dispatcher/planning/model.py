"""
What is planned: engineers, visits, what binds visits to one another, what things cost, and a plan.

Everything is an integer. Times and distances are in the unit of the problem, seconds and metres in the product; a
benchmark says by `scale` how many of ours make one of its own. A place is an index into `Travel`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

CALL: Final = -1
"""A stop of a route: the engineer calls at the depot, and has every tool and any number of parts from then on."""

NONE: Final[Mapping[str, int]] = {}

Ints = npt.NDArray[np.int64]


class Unfit(Exception):
    """What was given cannot be planned; the text names what is wrong and how to mend it."""


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
    worst_lateness: int = 0
    """Of the visit that is most late."""
    overtime: int = 0
    waiting: int = 0
    stranger: int = 0


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
        for visit in self.visits:
            if not 0 <= visit.place < places:
                raise Unfit(f"visit {visit.id} lies at a place that the travel matrix has not")
            if visit.window[0] > visit.window[1]:
                raise Unfit(f"visit {visit.id} has a window that ends before it begins: {visit.window}")
            if visit.duration < 0:
                raise Unfit(f"visit {visit.id} lasts less than nothing: {visit.duration}")
        for link in self.links:
            if link.most is not None and link.most < link.least:
                one, other = self.visits[link.first].id, self.visits[link.second].id
                raise Unfit(f"between {one} and {other} the gap is at least {link.least} and at most {link.most}")


@dataclass(frozen=True)
class Plan:
    """The stops of each engineer in their order: indices of visits, and CALL at most once."""

    routes: Sequence[tuple[int, ...]]

    @property
    def served(self) -> frozenset[int]:
        return frozenset(stop for route in self.routes for stop in route if stop != CALL)


Rule = Literal[
    "skill",
    "certificate",
    "region",
    "tool",
    "part",
    "window",
    "shift",
    "longest",
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
    """What of its needs she has not and cannot be given: skill, certificate, territory. Empty: she may go."""
    found = []
    for skill, level in sorted(visit.skills.items()):
        if engineer.skills.get(skill, 0) < level:
            has = engineer.skills.get(skill, 0)
            found.append(Violation("skill", f"{visit.id} needs {skill} at {level}, {engineer.id} has {has}"))
    for paper in sorted(visit.certificates - engineer.certificates):
        found.append(Violation("certificate", f"{visit.id} needs {paper}, which {engineer.id} has not"))
    if engineer.regions is not None and visit.region is not None and visit.region not in engineer.regions:
        found.append(Violation("region", f"{visit.id} lies in {visit.region}, where {engineer.id} does not go"))
    return found


def euclidean(xy: Sequence[tuple[float, float]], scale: int, *, truncated: bool = False) -> Ints:
    """Distances between points of a plane, times `scale`, to the nearest integer or the one below."""
    points = np.array(xy, dtype=np.float64)
    far = np.sqrt(((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2)) * scale
    told: Any = np.floor(far) if truncated else np.rint(far)
    return np.asarray(told, dtype=np.int64)
