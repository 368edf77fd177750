"""The record of a decision: enough to tell why, and to decide it again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final

from contracts.dispatcher import Considered, DecisionRecorded
from dispatcher.domain.matching import Proposal
from dispatcher.domain.order import Case
from dispatcher.domain.travel import BEELINE, Place, Ways
from services.chassis.command import Command

INITIAL: Final = 0
"""How often it was decided so who carries the order out."""


def stream(order_id: str, command: type[Command]) -> str:
    return f"order-decisions/{order_id}/{command.__name__}"


def evolve(count: int, event: DecisionRecorded) -> int:
    return count + 1


def recorded(
    command: Command,
    case: Case,
    engineer_id: str,
    proposal: Proposal,
    considered: Sequence[Considered],
    places: Iterable[Place],
    rules_version: int,
    ways: Ways,
    seed: int = 0,
) -> DecisionRecorded:
    """`places` are those from which the ways to the order were compared."""
    opened = case.opened
    return DecisionRecorded(
        order_id=opened.order_id,
        request_id=opened.request_id,
        command=type(command).__name__,
        asked=command.model_dump_json(exclude_defaults=True),
        considered=tuple(considered),
        engineer_id=engineer_id,
        starts_at=proposal.starts_at,
        ends_at=proposal.ends_at,
        rules_version=rules_version,
        travel_hash=travel_hash(Place(opened.lat_udeg, opened.lon_udeg), places, proposal.starts_at, ways),
        seed=seed,
        travel_version=ways.version,
        travel_by=ways.source,
    )


def travel_hash(to: Place, places: Iterable[Place], at: datetime, ways: Ways = BEELINE) -> str:
    """
    SHA-256 in hex of the ways to one place: of each other place, metres and seconds about that hour, in the order of
    places.
    """
    lines = []
    for place in sorted(set(places)):
        metres, time = ways.metres(place, to), ways.time(place, to, at)
        lines.append(f"{place.lat_udeg} {place.lon_udeg} {metres} {time.total_seconds():.0f}\n")
    return hashlib.sha256(f"{to.lat_udeg} {to.lon_udeg}\n{''.join(lines)}".encode()).hexdigest()
