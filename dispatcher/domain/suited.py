"""What an order needs of an engineer, and the rules about what she can do and where she serves."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Final, Literal

from contracts.dispatcher import OrderOpened, SkillLevel
from contracts.intake import Urgency
from dispatcher.domain.engineer import Registered
from dispatcher.domain.travel import Place

Rule = Literal[
    "skill",
    "skill-expired",
    "level",
    "certificate",
    "certificate-expired",
    "territory",
    "declined",
    "shift",
    "absent",
    "limit",
    "hours",
    "parts",
]
"""
What excludes an engineer: she lacks skill, model and brand; what she has of them is out of date; not well enough; she
lacks a certificate; it is out of date; the place is not in her territory; she declined the order; no shift within the
horizon is long enough; she is absent in every such shift; every such day is full; in every such day the hours between
her other visits are too short, the drive before and after counted; and of an order whose parts are short, which is all
that is planned anew of it: they are not in her van.
"""

LEAST: Final = 1
"""The level of a skill of which none was said."""

FOR_EVER: Final = "9999-12-31"


@dataclass(frozen=True)
class Work:
    """What must be known of an order to find somebody for it."""

    order_id: str
    skill: str
    device_model: str
    urgency: Urgency
    duration: timedelta
    place: Place
    more_skills: tuple[str, ...] = ()
    """What she must be able to do beside that, at any level."""
    region: str = ""
    level: int = 0
    certificates: tuple[str, ...] = ()
    wished: str = ""
    """The engineer whom the customer would like to see."""

    @cached_property
    def known_as(self) -> tuple[str, ...]:
        """The skill, the model and the brand: to know one of them is enough."""
        brand = self.device_model.partition(" ")[0]
        return tuple(dict.fromkeys([name for name in (self.skill, self.device_model, brand) if name]))

    @classmethod
    def of(cls, opened: OrderOpened) -> Work:
        return cls(
            order_id=opened.order_id,
            skill=opened.skill,
            device_model=opened.device_model,
            urgency=opened.urgency,
            duration=timedelta(seconds=opened.duration_s),
            place=Place(opened.lat_udeg, opened.lon_udeg),
            more_skills=opened.more_skills,
            region=opened.region,
            level=opened.skill_level,
            certificates=opened.certificates,
            wished=opened.wished_engineer_id,
        )


def lacks(work: Work, engineer: Registered, day: str) -> tuple[Rule, ...]:
    """The rules about what she can do and where she serves that sending her on this day would break."""
    return lacks_ability(work, engineer, day) + (() if serves(work, engineer) else ("territory",))


def serves(work: Work, engineer: Registered) -> bool:
    return not engineer.territory or work.region in engineer.territory


def lacks_ability(work: Work, engineer: Registered, day: str) -> tuple[Rule, ...]:
    """Those of them about what she can do."""
    rules: list[Rule] = []
    if not has_skill(work, engineer):
        rules.append("skill")
    elif work.skill and (engineer.levels or work.level > LEAST):
        good = [one.level for one in _held(work, engineer) if day <= (one.until or FOR_EVER)]
        if not good:
            rules.append("skill-expired")
        elif max(good) < work.level:
            rules.append("level")
    for name in work.more_skills:
        if name not in engineer.skills:
            rules.append("skill")
        elif (_level(engineer, name).until or FOR_EVER) < day:
            rules.append("skill-expired")
    for name in work.certificates:
        held_paper = next((one for one in engineer.certificates if one.name == name), None)
        if held_paper is None:
            rules.append("certificate")
        elif (held_paper.until or FOR_EVER) < day:
            rules.append("certificate-expired")
    return tuple(dict.fromkeys(rules))


def has_skill(work: Work, engineer: Registered) -> bool:
    return not work.skill or any(name in engineer.skills for name in work.known_as)


def _held(work: Work, engineer: Registered) -> list[SkillLevel]:
    return [_level(engineer, name) for name in work.known_as if name in engineer.skills]


def _level(engineer: Registered, skill: str) -> SkillLevel:
    return next((one for one in engineer.levels if one.skill == skill), SkillLevel(skill, LEAST))


def fit_until(work: Work, engineer: Registered) -> str:
    """The last day, as an ISO date, on which nothing that the work needs of her is out of date."""
    if not (engineer.levels or engineer.certificates):
        return FOR_EVER
    good = [one.until or FOR_EVER for one in _held(work, engineer) if one.level >= work.level]
    others = [one.until or FOR_EVER for one in engineer.levels if one.skill in work.more_skills]
    papers = [one.until or FOR_EVER for one in engineer.certificates if one.name in work.certificates]
    return min(max(good, default=FOR_EVER), *others, *papers, FOR_EVER)
