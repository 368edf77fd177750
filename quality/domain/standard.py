"""A standard: what is expected of every visit for a type of request, in versions, each from a time on."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import StandardDefined, StandardItem
from quality.commands import DefineStandard
from services.chassis.journal.rules import Stream

Standard = tuple[StandardDefined, ...]
"""Its versions, the oldest first."""


def standard_stream(type_id: str) -> str:
    return f"standard/{type_id}"


def define(known: Standard, command: DefineStandard) -> list[Event]:
    items = tuple([StandardItem(**item.model_dump()) for item in command.items])
    if twice := [name for name, times in Counter([item.item_id for item in items]).items() if times > 1]:
        raise Rejected("standard.item-twice", item_ids=twice)
    last, begins = known[-1] if known else None, command.effective_from
    if last and last.items == items and begins in (None, last.effective_from):
        return []
    if last and last.effective_from and (begins or command.now) < last.effective_from:
        raise Rejected("standard.effective-before-last", effective_from=last.effective_from.isoformat())
    if begins and begins < command.now:
        raise Rejected("standard.effective-in-the-past", now=command.now.isoformat())
    version = last.standard_version + 1 if last else 1
    begins = begins.astimezone(UTC) if begins else None
    return [StandardDefined(type_id=command.type_id, standard_version=version, items=items, effective_from=begins)]


def in_force(standard: Standard, at: datetime) -> StandardDefined | None:
    """The version that visits which are completed then are held against."""
    return next((one for one in reversed(standard) if one.effective_from is None or one.effective_from <= at), None)


STANDARD: Stream[Standard] = Stream("standard", (), lambda known, event: (*known, event))
