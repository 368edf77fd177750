"""A changed calendar, carried through all orders that it measured, a page of them in each commit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, assert_never

from contracts.dispatcher import RestatementAdvanced, RestatementBegun
from contracts.event import Event
from dispatcher.commands import BeginRestatement, RestatePage
from dispatcher.domain import calendars, order_clocks


@dataclass(frozen=True)
class NotBegun:
    """Nothing is to be looked at."""


@dataclass(frozen=True)
class UnderWay:
    """So far it has come."""

    begun: RestatementBegun
    upto: str
    """The order that was looked at last; empty at the beginning."""
    looked_at: int
    restated: int


@dataclass(frozen=True)
class Done:
    """Every order was looked at."""


Restatement = NotBegun | UnderWay | Done
INITIAL: Restatement = NotBegun()


def stream(calendar_id: str, revision: int) -> str:
    return f"restatement/{calendar_id}/{revision}"


def reads(command: BeginRestatement | RestatePage) -> tuple[str, ...]:
    own = stream(command.calendar_id, command.revision)
    if isinstance(command, BeginRestatement):
        return (own,)
    return own, calendars.STREAM, *[order_clocks.stream(order_id) for order_id in command.order_ids]


def begin(states: Mapping[str, Any], command: BeginRestatement) -> list[Event]:
    if not isinstance(states[stream(command.calendar_id, command.revision)], NotBegun):
        return []
    return [RestatementBegun(**command.model_dump())]


def restate_page(states: Mapping[str, Any], command: RestatePage) -> list[Event]:
    """
    What is otherwise in each order of the page, and that it was looked at.

    A page that does not follow the one that was looked at last was asked before, and changes nothing.
    """
    here: Restatement = states[stream(command.calendar_id, command.revision)]
    if not isinstance(here, UnderWay) or here.upto != command.after:
        return []
    known = calendars.to_measure_by(states[calendars.STREAM])
    revision = states[calendars.STREAM][command.calendar_id].facts.revision
    restated: list[Event] = []
    for order_id in command.order_ids:
        clocks = states[order_clocks.stream(order_id)]
        restated += order_clocks.restate(clocks, known, command.calendar_id, revision, command.now)
    advanced = RestatementAdvanced(
        calendar_id=command.calendar_id,
        revision=command.revision,
        changed_from=here.begun.changed_from,
        changed_until=here.begun.changed_until,
        upto=command.order_ids[-1] if command.order_ids else here.upto,
        looked_at=here.looked_at + len(command.order_ids),
        restated=here.restated + len(restated),
        done=command.done,
    )
    return [*restated, advanced]


def evolve(restatement: Restatement, event: RestatementBegun | RestatementAdvanced) -> Restatement:
    match event:
        case RestatementBegun():
            return UnderWay(event, "", 0, 0)
        case RestatementAdvanced():
            assert isinstance(restatement, UnderWay), restatement
            return Done() if event.done else UnderWay(restatement.begun, event.upto, event.looked_at, event.restated)
        case _:
            assert_never(event)
