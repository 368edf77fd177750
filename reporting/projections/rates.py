"""
What an hour and a kilometre of an engineer and a piece of a part cost, from when to when: one row for each time.

Whoever names a cost may say from when on it holds; else it holds from when it was said. From there on it counts for all
time, whatever was said before. A word that repeats the cost of the one before, as when only a name was changed, says
nothing about costs. What something cost before anybody said so is not known: the row since EVER.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import msgspec

from contracts.dispatcher import EngineerRegistered
from contracts.envelope import Envelope
from contracts.fieldwork import EngineerArrived, EngineerDeparted, WorkFinished
from contracts.inventory import PartConsumed, PartDefined
from services.chassis.clock import micros
from services.chassis.views import Rows, View

EVER: Final = -(1 << 62)
FOREVER: Final = 1 << 62
"""Before and after all instants; microseconds."""


class Said(msgspec.Struct, frozen=True, array_like=True):
    """One word about costs."""

    since: int
    costs: tuple[int | None, ...]


_said = msgspec.msgpack.Decoder(list[Said])


def _say(rows: Rows, whose: str, envelope: Envelope, since: datetime | None, **costs: int) -> None:
    """Costs by column; 0 is not known."""
    known = rows.get(whose, EVER)
    said = _said.decode(known["said"]) if known and known["said"] else []
    values = tuple([cost or None for cost in costs.values()])
    before = said[-1].costs if said else tuple([None for _ in costs])
    if since is None and values == before:
        rows.put(whose, EVER)
        return
    # All words are of one stream, and come in its order; of what is over, nothing is told any more.
    now = Said(micros(since or envelope.time), values)
    held = [one for one in said if one.since < now.since]
    for one in said:
        if one not in held:
            rows.drop(whose, one.since)
    told = [*held, now]
    rows.put(whose, EVER, until=told[0].since, said=msgspec.msgpack.encode(told))
    for one, until in zip(told, [*[following.since for following in told[1:]], FOREVER], strict=True):
        rows.put(whose, one.since, until=until, **dict(zip(costs, one.costs, strict=True)))


def apply_part(rows: Rows, event: PartDefined | PartConsumed, envelope: Envelope) -> None:
    if isinstance(event, PartDefined):
        _say(rows, event.part_id, envelope, event.cost_from, cost_fen=event.cost_fen)
    else:
        rows.put(event.part_id, EVER)  # so that each instant of what is used has always one row


def apply_engineer(
    rows: Rows, event: EngineerRegistered | EngineerDeparted | EngineerArrived | WorkFinished, envelope: Envelope
) -> None:
    if isinstance(event, EngineerRegistered):
        _say(rows, event.engineer_id, envelope, event.rates_from, hour_fen=event.hour_fen, km_fen=event.km_fen)
    else:
        rows.put(event.engineer_id, EVER)  # likewise


PART_COSTS = View(
    name="part_costs",
    version=2,
    key={"part_id": str, "since": int},
    columns={"until": FOREVER, "cost_fen": (int, None), "said": b""},
    reads=(PartDefined, PartConsumed),
    apply=apply_part,
)

ENGINEER_RATES = View(
    name="engineer_rates",
    version=1,
    key={"engineer_id": str, "since": int},
    columns={"until": FOREVER, "hour_fen": (int, None), "km_fen": (int, None), "said": b""},
    reads=(EngineerRegistered, EngineerDeparted, EngineerArrived, WorkFinished),
    apply=apply_engineer,
)
