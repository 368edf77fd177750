"""An engineer: what she can do, where she starts and serves, when she works and when she is away."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.dispatcher import AbsenceCalledOff, Certificate, EngineerAbsent, EngineerRegistered, Shift, SkillLevel
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import CallOffAbsence, EngineerFacts, RegisterEngineer, ReportAbsence, UpdateEngineer
from dispatcher.domain.travel import Place


@dataclass(frozen=True)
class Unknown:
    """Nobody is registered under this id."""


class Absence(NamedTuple):
    """A time in which an engineer is not there, whatever her shifts say."""

    starts_at: datetime
    ends_at: datetime
    absence_id: str

    def overlaps(self, starts_at: datetime, ends_at: datetime) -> bool:
        return self.starts_at < ends_at and starts_at < self.ends_at


@dataclass(frozen=True)
class Registered:
    skills: frozenset[str]
    """Skills, device models or brands."""
    home: Place
    zone: str
    shifts: tuple[Shift, ...]
    van_id: str
    daily_limit: int
    levels: tuple[SkillLevel, ...] = ()
    certificates: tuple[Certificate, ...] = ()
    territory: frozenset[str] = frozenset()
    """Empty: everywhere."""
    hour_fen: int = 0
    km_fen: int = 0
    rates_from: datetime | None = None
    team: str = ""
    supplier: str = ""
    absences: tuple[Absence, ...] = ()
    """By start."""

    @classmethod
    def by(cls, event: EngineerRegistered) -> Registered:
        return cls(
            skills=frozenset(event.skills),
            home=Place(event.home_lat_udeg, event.home_lon_udeg),
            zone=event.zone,
            shifts=event.shifts,
            van_id=event.van_id,
            daily_limit=event.daily_limit,
            levels=event.skill_levels,
            certificates=event.certificates,
            territory=frozenset(event.territory),
            hour_fen=event.hour_fen,
            km_fen=event.km_fen,
            rates_from=event.rates_from,
            team=event.team,
            supplier=event.supplier,
        )


Engineer = Unknown | Registered
EngineerCommand = RegisterEngineer | UpdateEngineer | ReportAbsence | CallOffAbsence
INITIAL: Engineer = Unknown()


def stream(engineer_id: str) -> str:
    return f"engineer/{engineer_id}"


def absences_of(engineer: Engineer) -> tuple[Absence, ...]:
    return engineer.absences if isinstance(engineer, Registered) else ()


def decide(states: Mapping[str, Any], command: EngineerCommand) -> list[Event]:
    engineer: Engineer = states[stream(command.engineer_id)]
    match command:
        case RegisterEngineer():
            return _register(engineer, command)
        case UpdateEngineer():
            return _update(engineer, command)
        case ReportAbsence():
            return _report(_known(engineer, command.engineer_id), command)
        case CallOffAbsence():
            return _call_off(_known(engineer, command.engineer_id), command)
        case _:
            assert_never(command)


def _known(engineer: Engineer, engineer_id: str) -> Registered:
    if isinstance(engineer, Unknown):
        raise Rejected("engineer.unknown", engineer_id=engineer_id)
    return engineer


def _register(engineer: Engineer, command: RegisterEngineer) -> list[Event]:
    event = _as_told(command)
    if isinstance(engineer, Unknown):
        return [event]
    if replace(engineer, absences=()) == Registered.by(event):
        return []
    raise Rejected("engineer.already-registered", engineer_id=command.engineer_id)


def _update(engineer: Engineer, command: UpdateEngineer) -> list[Event]:
    event, known = _as_told(command), _known(engineer, command.engineer_id)
    if known.zone != command.zone:
        # Her days are streams, cut by her zone: in another zone, hours of two days could overlap unseen.
        raise Rejected("engineer.zone-is-fixed", zone=known.zone)
    # The same again is recorded: a name is sealed, and whether it has changed cannot be told here.
    return [event]


def _report(engineer: Registered, command: ReportAbsence) -> list[Event]:
    if command.ends_at <= command.starts_at:
        raise Rejected("absence.ends-before-it-begins", absence_id=command.absence_id)
    told = Absence(command.starts_at.astimezone(UTC), command.ends_at.astimezone(UTC), command.absence_id)
    for known in engineer.absences:
        if known == told:
            return []
        if known.absence_id == command.absence_id:
            raise Rejected("absence.already-reported", absence_id=command.absence_id)
    if command.ends_at <= command.now:
        raise Rejected("absence.over", ends_at=command.ends_at.isoformat())
    return [EngineerAbsent(engineer_id=command.engineer_id, reason=command.reason, **told._asdict())]


def _call_off(engineer: Registered, command: CallOffAbsence) -> list[Event]:
    """Of what is not there, or not any more, there is nothing to call off."""
    if all(known.absence_id != command.absence_id for known in engineer.absences):
        return []
    return [AbsenceCalledOff(engineer_id=command.engineer_id, absence_id=command.absence_id)]


def evolve(engineer: Engineer, event: EngineerRegistered | EngineerAbsent | AbsenceCalledOff) -> Engineer:
    absences = engineer.absences if isinstance(engineer, Registered) else ()
    match event:
        case EngineerRegistered():
            return replace(Registered.by(event), absences=absences)
        case EngineerAbsent():
            told = Absence(event.starts_at, event.ends_at, event.absence_id)
            absences = tuple(sorted([*absences, told]))
        case AbsenceCalledOff():
            absences = tuple(one for one in absences if one.absence_id != event.absence_id)
        case _:
            assert_never(event)
    assert isinstance(engineer, Registered), engineer
    return replace(engineer, absences=absences)


def _as_told(command: EngineerFacts) -> EngineerRegistered:
    try:
        ZoneInfo(command.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Rejected("engineer.zone-unknown", zone=command.zone) from None
    if any(shift.to_minute <= shift.from_minute for shift in command.shifts):
        raise Rejected("engineer.shift-ends-before-it-begins", engineer_id=command.engineer_id)
    leveled = [one.skill for one in command.skill_levels]
    for names in (leveled, [one.name for one in command.certificates]):
        if twice := [name for name, count in Counter(names).items() if count > 1]:
            raise Rejected("engineer.named-twice", name=twice[0])
    numbers = {one.name: one.number for one in command.certificates if one.number}
    facts = command.model_dump(exclude={"shifts", "skills", "skill_levels", "certificates"})
    return EngineerRegistered(
        **facts,
        skills=tuple(dict.fromkeys([*command.skills, *leveled])),
        shifts=tuple(shift.of() for shift in command.shifts),
        skill_levels=tuple(one.of() for one in command.skill_levels),
        certificates=tuple(one.of() for one in command.certificates),
        certificate_numbers=json.dumps(numbers, ensure_ascii=False, sort_keys=True) if numbers else "",
    )
