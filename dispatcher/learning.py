"""What is learned from visits: once a day, when somebody arrives, how long ways take."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from itertools import groupby
from typing import Any, Final

from contracts.envelope import Envelope
from contracts.fieldwork import EngineerArrived
from dispatcher.commands import LearnTravel
from dispatcher.domain.engineer import Registered
from dispatcher.domain.learned_travel import EVERY, LEAST_DRIVES, LOOKED_BACK, Drive, learn
from dispatcher.domain.travel import Place
from dispatcher.projections.dispatch_rules import rules_now
from dispatcher.projections.engineers import ALL_ENGINEERS, Engineers
from dispatcher.projections.travel import DRIVEN, is_due
from services.chassis.clock import at_micros, micros
from services.chassis.service import Facts

AT_HOME: Final = timedelta(hours=8)
"""Who arrived nowhere for so long departs from home."""


async def when_somebody_arrives(event: EngineerArrived, envelope: Envelope, facts: Facts) -> list[LearnTravel]:
    tenant, now = envelope.tenant, facts.now()
    if not await is_due(facts, tenant, now - EVERY):
        return []
    since = now - LOOKED_BACK
    rows = await facts.fetch(DRIVEN, tenant=tenant, since=micros(since))
    if len(rows) < LEAST_DRIVES:
        return []
    engineers = Engineers(await facts.fetch(ALL_ENGINEERS, tenant=tenant))
    rules = await rules_now(facts, tenant, now)
    # Of a thousand engineers it takes a second or two, in which others are answered.
    found = await asyncio.to_thread(lambda: learn(drives_of(rows, engineers), rules))
    if found is None:
        return []
    return [
        LearnTravel(
            since=since,
            drives=found.drives,
            everywhere=found.everywhere,
            hours=found.hours,
            areas=tuple([(it.north, it.east, it.hours) for it in found.areas]),
            early_s=found.early_s,
            late_s=found.late_s,
            now=now,
        )
    ]


def drives_of(rows: Iterable[Mapping[str, Any]], engineers: Mapping[str, Registered]) -> Iterator[Drive]:
    """
    `rows` by engineer and arrival. She departs from where she arrived last, or from home; where she departed before she
    had arrived there, as when several visits are reported together in the evening, nobody knows whence.
    """
    for engineer_id, hers in groupby(rows, key=lambda row: row["engineer_id"]):
        if engineer_id not in engineers:
            continue
        home, last, place = engineers[engineer_id].home, 0, None
        for row in hers:
            to = Place(row["lat_udeg"], row["lon_udeg"])
            if row["departed_at"] >= last:
                far = row["departed_at"] - last > AT_HOME // timedelta(microseconds=1)
                yield Drive(
                    home if far or place is None else place,
                    to,
                    at_micros(row["departed_at"]),
                    at_micros(row["arrived_at"]),
                    at_micros(row["planned_at"]),
                )
            last, place = row["arrived_at"], to
