"""The registers: the parts that are kept, and the places where they lie. The newest definition of each counts."""

from __future__ import annotations

from contracts.event import Event
from contracts.inventory import PartDefined, PlaceDefined
from inventory.commands import DefinePart, DefinePlace
from services.chassis.journal.rules import Stream


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


def low_limit(part: PartDefined, place: PlaceDefined) -> int:
    """Under so many free pieces the part is low there. A van carries what it carries."""
    return part.low_below if place.kind == "warehouse" else 0


PART: Stream[PartDefined | None] = Stream("part", None, lambda _, event: event)
PLACE: Stream[PlaceDefined | None] = Stream("place", None, lambda _, event: event)
