"""All engineers, indexed by what they can do and where they serve, so that only those are looked at who may go."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from dispatcher.domain.engineer import Registered
from dispatcher.domain.suited import FOR_EVER, Rule, Work, fit_until, lacks_ability, serves

ASKED: Final = 1_024
"""What so many kinds of orders need is kept; a company has a few dozen."""


class Kind(NamedTuple):
    """Engineers who are alike in what they can do."""

    unfit: tuple[Rule, ...]
    """The rules of ability that exclude each of them today."""
    until: str
    """The last day on which what the order needs of them is not out of date."""


class Roster(Mapping[str, Registered]):
    """Engineers by id. Of ten thousand there are a few hundred kinds; what excludes a kind excludes each of it."""

    def __init__(self, engineers: Mapping[str, Registered]) -> None:
        self._engineers = dict(engineers)
        self._kind_of: dict[str, int] = {}
        self._examples: list[Registered] = []
        self._serving: defaultdict[str, list[str]] = defaultdict(list)
        self._anywhere: list[str] = []
        self._asked: dict[object, list[Kind]] = {}
        self._fit: dict[object, Sequence[str]] = {}
        kinds: dict[object, int] = {}
        for engineer_id, one in self._engineers.items():
            alike = (one.skills, one.levels, one.certificates, one.zone)
            kind = kinds.setdefault(alike, len(kinds))
            if kind == len(self._examples):
                self._examples.append(one)
            self._kind_of[engineer_id] = kind
            for region in one.territory:
                self._serving[region].append(engineer_id)
            if not one.territory:
                self._anywhere.append(engineer_id)
        self._sizes = Counter(self._kind_of.values())
        self._zones = sorted({one.zone for one in self._examples})

    def __getitem__(self, engineer_id: str) -> Registered:
        return self._engineers[engineer_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._engineers)

    def __len__(self) -> int:
        return len(self._engineers)

    def serving(self, region: str) -> Sequence[str]:
        """Whose territory it is."""
        return [*self._serving.get(region, ()), *self._anywhere]

    def kinds(self, work: Work, now: datetime) -> Sequence[Kind]:
        """What each kind of engineers lacks for the order at this moment."""
        asked = self._needs(work, now)
        known = self._asked.get(asked)
        if known is None:
            if len(self._asked) >= ASKED:
                self._asked.clear()
            days = dict(zip(self._zones, self.todays(now), strict=True))
            known = self._asked[asked] = []
            for one in self._examples:
                today, until = days[one.zone], fit_until(work, one)
                # What is out of date today excludes her by rule; a person may overrule that.
                known.append(Kind(lacks_ability(work, one, today), FOR_EVER if until < today else until))
        return known

    def fit(self, work: Work, now: datetime) -> Sequence[str]:
        """Who can do it at this moment and whose territory it is."""
        asked = (*self._needs(work, now), work.region)
        known = self._fit.get(asked)
        if known is None:
            if len(self._fit) >= ASKED:
                self._fit.clear()
            kinds = self.kinds(work, now)
            known = self._fit[asked] = [it for it in self.serving(work.region) if not kinds[self._kind_of[it]].unfit]
        return known

    def todays(self, now: datetime) -> tuple[str, ...]:
        """The ISO date in each of their zones."""
        return tuple([now.astimezone(ZoneInfo(zone)).date().isoformat() for zone in self._zones])

    def _needs(self, work: Work, now: datetime) -> tuple[object, ...]:
        return work.skill, work.device_model, work.more_skills, work.level, work.certificates, self.todays(now)

    def kind_of(self, engineer_id: str) -> int:
        return self._kind_of[engineer_id]

    @property
    def sizes(self) -> Mapping[int, int]:
        return self._sizes


class Excluded(Mapping[str, tuple[Rule, ...]]):
    """
    Who cannot go, and every rule that says so: of what she is all of them, of her hours, which are looked at last, one.

    It is worked out for her who is asked about.
    """

    def __init__(self, roster: Roster, work: Work, kinds: Sequence[Kind]) -> None:
        self._roster, self._work, self._kinds = roster, work, kinds
        self.declined: set[str] = set()
        self.hours: dict[str, Rule] = {}
        """Those who may go and have no hours."""

    def _rules(self, engineer_id: str) -> tuple[Rule, ...]:
        engineer = self._roster[engineer_id]
        rules = self._kinds[self._roster.kind_of(engineer_id)].unfit
        if not serves(self._work, engineer):
            rules += ("territory",)
        if engineer_id in self.declined:
            rules += ("declined",)
        return rules or ((self.hours[engineer_id],) if engineer_id in self.hours else ())

    def __getitem__(self, engineer_id: str) -> tuple[Rule, ...]:
        rules = self._rules(engineer_id) if engineer_id in self._roster else ()
        if not rules:
            raise KeyError(engineer_id)
        return rules

    def __iter__(self) -> Iterator[str]:
        return (engineer_id for engineer_id in self._roster if self._rules(engineer_id))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def counts(self) -> Counter[Rule]:
        """How many engineers each rule excludes; whom two exclude, both count."""
        found: Counter[Rule] = Counter(self.hours.values())
        for kind, size in self._roster.sizes.items():
            for rule in self._kinds[kind].unfit:
                found[rule] += size
        found["territory"] += len(self._roster) - len(self._roster.serving(self._work.region))
        found["declined"] += len(self.declined)
        return +found
