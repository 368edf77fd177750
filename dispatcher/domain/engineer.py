"""An engineer: what she can do, where she starts and when she works."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from contracts.dispatcher import EngineerRegistered, Shift
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import EngineerFacts, RegisterEngineer, UpdateEngineer
from dispatcher.domain.travel import Place


@dataclass(frozen=True)
class Unknown:
    """Nobody is registered under this id."""


@dataclass(frozen=True)
class Registered:
    skills: frozenset[str]
    """Skills or device models."""
    home: Place
    zone: str
    shifts: tuple[Shift, ...]
    van_id: str
    daily_limit: int

    @classmethod
    def by(cls, event: EngineerRegistered) -> Registered:
        return cls(
            skills=frozenset(event.skills),
            home=Place(event.home_lat_udeg, event.home_lon_udeg),
            zone=event.zone,
            shifts=event.shifts,
            van_id=event.van_id,
            daily_limit=event.daily_limit,
        )


Engineer = Unknown | Registered
INITIAL: Engineer = Unknown()


def stream(engineer_id: str) -> str:
    return f"engineer/{engineer_id}"


def decide(states: Mapping[str, Any], command: RegisterEngineer | UpdateEngineer) -> list[Event]:
    engineer: Engineer = states[stream(command.engineer_id)]
    event = _as_told(command)
    match command:
        case RegisterEngineer():
            if isinstance(engineer, Unknown):
                return [event]
            if engineer == Registered.by(event):
                return []
            raise Rejected("engineer.already-registered", engineer_id=command.engineer_id)
        case UpdateEngineer():
            if isinstance(engineer, Unknown):
                raise Rejected("engineer.unknown", engineer_id=command.engineer_id)
            if engineer.zone != command.zone:
                # Her days are streams, cut by her zone: in another zone, hours of two days could overlap unseen.
                raise Rejected("engineer.zone-is-fixed", zone=engineer.zone)
            # The same again is recorded: a name is sealed, and whether it has changed cannot be told here.
            return [event]
        case _:
            assert_never(command)


def evolve(engineer: Engineer, event: EngineerRegistered) -> Engineer:
    return Registered.by(event)


def _as_told(command: EngineerFacts) -> EngineerRegistered:
    try:
        ZoneInfo(command.zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Rejected("engineer.zone-unknown", zone=command.zone) from None
    if any(shift.to_minute <= shift.from_minute for shift in command.shifts):
        raise Rejected("engineer.shift-ends-before-it-begins", engineer_id=command.engineer_id)
    facts = command.model_dump(exclude={"shifts"})
    return EngineerRegistered(**facts, shifts=tuple(shift.of() for shift in command.shifts))
