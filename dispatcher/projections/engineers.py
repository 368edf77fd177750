"""The engineers as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import bindparam, select

from contracts.dispatcher import EngineerRegistered, Shift
from contracts.envelope import Envelope
from dispatcher.domain.engineer import Registered
from dispatcher.domain.travel import Place
from services.chassis.views import Rows, View


def apply(rows: Rows, event: EngineerRegistered, envelope: Envelope) -> None:
    rows.put(
        event.engineer_id,
        version=envelope.version,
        name=event.name,
        skills=msgspec.json.encode(event.skills).decode(),
        region=event.region,
        home_lat_udeg=event.home_lat_udeg,
        home_lon_udeg=event.home_lon_udeg,
        zone=event.zone,
        shifts=msgspec.json.encode(event.shifts).decode(),
        van_id=event.van_id,
        daily_limit=event.daily_limit,
    )


ENGINEERS = View(
    name="engineers",
    version=1,
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
    },
    reads=(EngineerRegistered,),
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
)

ENGINEERS_TO_MATCH: Final = select(*[ENGINEERS.table.c[name] for name in _NEEDED])
"""What `registered` needs, and no more: they are a thousand."""
ALL_ENGINEERS: Final = ENGINEERS_TO_MATCH.where(ENGINEERS.table.c.tenant == bindparam("tenant"))
ONE_ENGINEER: Final = ALL_ENGINEERS.where(ENGINEERS.table.c.engineer_id == bindparam("engineer_id"))


def registered(rows: Iterable[Mapping[str, Any]]) -> dict[str, Registered]:
    """What matching must know of them, by id."""
    return {
        row["engineer_id"]: Registered(
            skills=skills_of(row["skills"]),
            home=Place(row["home_lat_udeg"], row["home_lon_udeg"]),
            zone=row["zone"],
            shifts=shifts_of(row["shifts"]),
            van_id=row["van_id"],
            daily_limit=row["daily_limit"],
        )
        for row in rows
    }


# Cached: a thousand engineers have a few dozen sets of skills and a few patterns of shifts.


@lru_cache(maxsize=4_096)
def skills_of(json: str) -> frozenset[str]:
    return msgspec.json.decode(json, type=frozenset[str])


@lru_cache(maxsize=4_096)
def shifts_of(json: str) -> tuple[Shift, ...]:
    return msgspec.json.decode(json, type=tuple[Shift, ...])
