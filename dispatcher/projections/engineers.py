"""The engineers as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from operator import itemgetter
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import (
    AbsenceCalledOff,
    Certificate,
    EngineerAbsent,
    EngineerRegistered,
    Shift,
    SkillLevel,
)
from contracts.envelope import Envelope
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.travel import Place
from services.chassis.clock import at_micros, micros
from services.chassis.views import Rows, Value, View


class _Away(msgspec.Struct, array_like=True, order=True):
    """An absence as it is stored; instants in microseconds UTC."""

    starts_at: int
    ends_at: int
    absence_id: str
    reason: str
    """Sealed."""
    called_off: bool = False


_away = msgspec.json.Decoder(list[_Away])


def apply(rows: Rows, event: EngineerRegistered | EngineerAbsent | AbsenceCalledOff, envelope: Envelope) -> None:
    if isinstance(event, EngineerRegistered):
        rows.put(event.engineer_id, version=envelope.version, **_facts(event))
        return
    row = rows.get(event.engineer_id)
    absences = _away.decode(row["absences"]) if row else []
    match event:
        case EngineerAbsent():
            times = micros(event.starts_at), micros(event.ends_at)
            absences.append(_Away(*times, event.absence_id, event.reason))
        case AbsenceCalledOff():
            for one in absences:
                one.called_off = one.called_off or one.absence_id == event.absence_id
    text = msgspec.json.encode(sorted(absences)).decode()
    rows.put(event.engineer_id, version=envelope.version, absences=text)


def _facts(event: EngineerRegistered) -> dict[str, Value]:
    return {
        "name": event.name,
        "skills": _text(event.skills),
        "region": event.region,
        "home_lat_udeg": event.home_lat_udeg,
        "home_lon_udeg": event.home_lon_udeg,
        "zone": event.zone,
        "shifts": _text(event.shifts),
        "van_id": event.van_id,
        "daily_limit": event.daily_limit,
        "skill_levels": _text(event.skill_levels),
        "certificates": _text(event.certificates),
        "certificate_numbers": event.certificate_numbers,
        "territory": _text(event.territory),
        "hour_fen": event.hour_fen,
        "km_fen": event.km_fen,
        "rates_from": None if event.rates_from is None else micros(event.rates_from),
        "team": event.team,
        "supplier": event.supplier,
    }


def _text(values: tuple[Any, ...]) -> str:
    return msgspec.json.encode(values).decode()


ENGINEERS = View(
    name="engineers",
    version=3,
    key={"engineer_id": str},
    columns={
        "version": 0,
        "name": "",
        "skills": "[]",
        "region": "",
        "home_lat_udeg": 0,
        "home_lon_udeg": 0,
        "zone": "",
        "shifts": "[]",
        "van_id": "",
        "daily_limit": 0,
        "skill_levels": "[]",
        "certificates": "[]",
        "certificate_numbers": "",
        "territory": "[]",
        "hour_fen": 0,
        "km_fen": 0,
        "rates_from": (int, None),
        "team": "",
        "supplier": "",
        "absences": "[]",
    },
    reads=(EngineerRegistered, EngineerAbsent, AbsenceCalledOff),
    apply=apply,
)


_NEEDED = (
    "engineer_id",
    "skills",
    "home_lat_udeg",
    "home_lon_udeg",
    "zone",
    "shifts",
    "van_id",
    "daily_limit",
    "skill_levels",
    "certificates",
    "territory",
    "hour_fen",
    "km_fen",
    "absences",
)

_packed = itemgetter(*_NEEDED[1:])

ENGINEERS_TO_MATCH: Final = select(*[ENGINEERS.table.c[name] for name in _NEEDED])
"""What `Engineers` needs, and no more: they are a thousand."""
ALL_ENGINEERS: Final = ENGINEERS_TO_MATCH.where(ENGINEERS.table.c.tenant == bindparam("tenant"))
ONE_ENGINEER: Final = ALL_ENGINEERS.where(ENGINEERS.table.c.engineer_id == bindparam("engineer_id"))


class Engineers(Mapping[str, Registered]):
    """What matching must know of them, by id; each is unpacked when she is looked at."""

    def __init__(self, rows: Iterable[Mapping[str, Any]]) -> None:
        self._rows = {row["engineer_id"]: row for row in rows}

    def __getitem__(self, engineer_id: str) -> Registered:
        return _registered(*_packed(self._rows[engineer_id]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


# Cached: they change seldom, and are looked at with every order.


@lru_cache(maxsize=4_096)
def _registered(
    skills: str,
    home_lat_udeg: int,
    home_lon_udeg: int,
    zone: str,
    shifts: str,
    van_id: str,
    daily_limit: int,
    skill_levels: str,
    certificates: str,
    territory: str,
    hour_fen: int,
    km_fen: int,
    absences: str,
) -> Registered:
    return Registered(
        skills=names_of(skills),
        home=Place(home_lat_udeg, home_lon_udeg),
        zone=zone,
        shifts=shifts_of(shifts),
        van_id=van_id,
        daily_limit=daily_limit,
        levels=levels_of(skill_levels),
        certificates=certificates_of(certificates),
        territory=names_of(territory),
        hour_fen=hour_fen,
        km_fen=km_fen,
        absences=absences_of(absences),
    )


# A thousand engineers have a few dozen sets of skills and a few patterns of shifts.


@lru_cache(maxsize=4_096)
def names_of(json: str) -> frozenset[str]:
    return msgspec.json.decode(json, type=frozenset[str])


@lru_cache(maxsize=4_096)
def shifts_of(json: str) -> tuple[Shift, ...]:
    return msgspec.json.decode(json, type=tuple[Shift, ...])


@lru_cache(maxsize=4_096)
def levels_of(json: str) -> tuple[SkillLevel, ...]:
    return msgspec.json.decode(json, type=tuple[SkillLevel, ...])


@lru_cache(maxsize=4_096)
def certificates_of(json: str) -> tuple[Certificate, ...]:
    return msgspec.json.decode(json, type=tuple[Certificate, ...])


@lru_cache(maxsize=4_096)
def absences_of(json: str) -> tuple[Absence, ...]:
    return tuple(
        [
            Absence(at_micros(one.starts_at), at_micros(one.ends_at), one.absence_id)
            for one in _away.decode(json)
            if not one.called_off
        ]
    )


def reasons_of(json: str) -> dict[str, str]:
    """Why she is or was to be away, sealed, by absence, also of those that were called off."""
    return {one.absence_id: one.reason for one in _away.decode(json)}
