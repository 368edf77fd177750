"""
The registers: the parts that are kept, the places where they lie, and the figures by which inventory decides.

The newest definition of each counts.
"""

from __future__ import annotations

from typing import Final

from contracts.event import Event
from contracts.inventory import PartDefined, PlaceDefined, StockRulesSet
from contracts.problems import Rejected
from inventory.commands import DefinePart, DefinePlace, SetStockRules
from services.chassis.journal.rules import States, Stream

RULES_STREAM: Final = "stock-rules/tenant"


def part_stream(part_id: str) -> str:
    return f"part/{part_id}"


def place_stream(place_id: str) -> str:
    return f"place/{place_id}"


def define_part(known: PartDefined | None, command: DefinePart) -> list[Event]:
    event = PartDefined(**command.model_dump())
    return [] if event == known else [event]


def define_place(known: PlaceDefined | None, command: DefinePlace) -> list[Event]:
    event = PlaceDefined(**command.model_dump())
    return [] if event == known else [event]


def set_rules(known: StockRulesSet, command: SetStockRules) -> list[Event]:
    event = StockRulesSet(**command.model_dump())
    return [] if event == known else [event]


def known_part(states: States, part_id: str) -> PartDefined:
    """Raises Rejected where it is not defined."""
    part: PartDefined | None = states[part_stream(part_id)]
    if part is None:
        raise Rejected("part.unknown", part_id=part_id)
    return part


def known_place(states: States, place_id: str) -> PlaceDefined:
    """Raises Rejected where it is not defined."""
    place: PlaceDefined | None = states[place_stream(place_id)]
    if place is None:
        raise Rejected("place.unknown", place_id=place_id)
    return place


def low_limit(part: PartDefined, place: PlaceDefined) -> int:
    """Under so many free pieces the part is low there. A van carries what it carries, and a branch what it is sent."""
    return part.low_below if place.kind == "warehouse" else 0


PART: Stream[PartDefined | None] = Stream("part", None, lambda _, event: event)
PLACE: Stream[PlaceDefined | None] = Stream("place", None, lambda _, event: event)
RULES: Stream[StockRulesSet] = Stream("stock-rules", StockRulesSet(), lambda _, event: event)
