"""A standard: what is expected of every visit for a type of request, in versions."""

from __future__ import annotations

from collections import Counter

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import StandardDefined, StandardItem
from quality.commands import DefineStandard
from services.chassis.journal.rules import Stream


def standard_stream(type_id: str) -> str:
    return f"standard/{type_id}"


def define(known: StandardDefined | None, command: DefineStandard) -> list[Event]:
    items = tuple([StandardItem(**item.model_dump()) for item in command.items])
    if twice := [name for name, times in Counter([item.item_id for item in items]).items() if times > 1]:
        raise Rejected("standard.item-twice", item_ids=twice)
    if known and known.items == items:
        return []
    version = known.standard_version + 1 if known else 1
    return [StandardDefined(type_id=command.type_id, standard_version=version, items=items)]


STANDARD: Stream[StandardDefined | None] = Stream("standard", None, lambda _, event: event)
