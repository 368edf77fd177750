"""
The reservation of an order: what its repair takes as a rule, and what is set aside for the visit that is to do it.

Each decision sees this stream and the stocks together and writes both in one commit, so two orders that want the last
piece cannot both have it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from contracts.event import Event
from contracts.inventory import (
    PartLine,
    PartsRecommended,
    PartsReserved,
    PartsShort,
    PlacedLine,
    ReservationReleased,
    VisitSettled,
)
from contracts.problems import NotYet
from inventory.commands import RecommendParts, ReleaseParts, ReserveParts, SettleVisit, Shelf
from inventory.domain.stock import Draft, stock_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Held:
    """What is set aside for a visit; also nothing, where nothing was to be had."""

    visit_id: str
    lines: tuple[PlacedLine, ...]


@dataclass(frozen=True)
class Reservation:
    recommended: tuple[PartLine, ...] = ()
    held: Held | None = None
    given_up: frozenset[str] = frozenset()
    """Visits that need no parts any more; word of their assignment may come late."""
    settled: frozenset[str] = frozenset()
    """Visits whose use is off the books."""
    done: bool = False
    """The work is completed."""


ReservationEvent = PartsRecommended | PartsReserved | PartsShort | ReservationReleased | VisitSettled

MISSING = "stock-missing"


def reservation_stream(order_id: str) -> str:
    return f"reservation/{order_id}"


def _reads(order_id: str, *shelves: Iterable[Shelf]) -> tuple[str, ...]:
    named = [stock_stream(shelf.part_id, shelf.place_id) for some in shelves for shelf in some]
    return tuple(dict.fromkeys([reservation_stream(order_id), *named]))


def recommend(reservation: Reservation, command: RecommendParts) -> list[Event]:
    if reservation != Reservation() or not command.lines:
        return []
    return [PartsRecommended(order_id=command.order_id, request_id=command.request_id, lines=command.lines)]


def reserve_reads(command: ReserveParts) -> tuple[str, ...]:
    return _reads(command.order_id, command.candidates, command.held)


def reserve(states: States, command: ReserveParts) -> list[Event]:
    known: Reservation = states[reservation_stream(command.order_id)]
    wanted = known.recommended or command.lines
    if known.done or command.visit_id in known.given_up | known.settled or not wanted:
        return []
    draft = Draft(states)
    held = known.held
    if held:
        _must_be_named(draft, held.lines)
        intact = all(
            draft.stock(line.part_id, line.place_id).of(command.order_id) == line.quantity for line in held.lines
        )
        if held.visit_id == command.visit_id and intact:
            return []
    if unlooked := {line.part_id for line in wanted} - {line.part_id for line in command.lines}:
        raise NotYet(f"the view had not seen that order {command.order_id} takes {', '.join(sorted(unlooked))}")
    ids = {"order_id": command.order_id, "request_id": command.request_id}
    lines, short = _allocate(draft, command, wanted)
    if not known.recommended:
        draft.events.append(PartsRecommended(**ids, lines=wanted))
    if held:
        reason = MISSING if held.visit_id == command.visit_id else "order-reassigned"
        draft.events.append(ReservationReleased(**ids, reason=reason))
        for line in held.lines:
            if not any((line.part_id, line.place_id) == (one.part_id, one.place_id) for one in lines):
                draft.set_aside(line.part_id, line.place_id, command.order_id, 0)
    for line in lines:
        draft.set_aside(line.part_id, line.place_id, command.order_id, line.quantity)
    ids |= {"engineer_id": command.engineer_id, "visit_id": command.visit_id}
    if lines:
        draft.events.append(PartsReserved(**ids, lines=lines))
    if short:
        draft.events.append(PartsShort(**ids, lines=short))
    for shelf in command.candidates:
        draft.warn(shelf)
    return draft.events


def _allocate(
    draft: Draft, command: ReserveParts, wanted: Sequence[PartLine]
) -> tuple[tuple[PlacedLine, ...], tuple[PartLine, ...]]:
    """Where the pieces are to be taken from, in the order of the candidates, and what is not to be had."""
    lines: list[PlacedLine] = []
    short: list[PartLine] = []
    for line in wanted:
        missing = line.quantity
        for shelf in command.candidates:
            if shelf.part_id == line.part_id and missing:
                stock = draft.stock(shelf.part_id, shelf.place_id)
                if taken := min(missing, stock.free + stock.of(command.order_id)):
                    lines.append(PlacedLine(shelf.part_id, shelf.place_id, taken))
                    missing -= taken
        if missing:
            short.append(PartLine(line.part_id, missing))
    return tuple(lines), tuple(short)


def release_reads(command: ReleaseParts) -> tuple[str, ...]:
    return _reads(command.order_id, command.held)


def release(states: States, command: ReleaseParts) -> list[Event]:
    known: Reservation = states[reservation_stream(command.order_id)]
    if known.held is None:
        return []
    draft = Draft(states)
    _return(draft, known.held, command.order_id)
    released = ReservationReleased(order_id=command.order_id, request_id=command.request_id, reason=command.reason)
    return [*draft.events, released]


def settle_reads(command: SettleVisit) -> tuple[str, ...]:
    return _reads(command.order_id, command.shelves, command.held)


def settle(states: States, command: SettleVisit) -> list[Event]:
    """
    What was used is booked whatever became of the order: it is a fact.

    A visit that was aborted gives up what was set aside for it alone; by now the parts may be another visit's.
    """
    known: Reservation = states[reservation_stream(command.order_id)]
    if command.visit_id in known.settled:
        return []
    draft = Draft(states)
    ids = {"order_id": command.order_id, "request_id": command.request_id}
    ends = known.held is not None and (command.completed or known.held.visit_id == command.visit_id)
    if known.held and ends:
        _return(draft, known.held, command.order_id)
    for used in command.used:
        draft.consume(used.part_id, used.place_id, used.quantity, **ids)
    if ends:
        reason = "consumed" if command.completed else "visit-aborted"
        draft.events.append(ReservationReleased(**ids, reason=reason))
    draft.events.append(VisitSettled(**ids, visit_id=command.visit_id, completed=command.completed))
    for shelf in command.shelves:
        draft.warn(shelf)
    return draft.events


def _return(draft: Draft, held: Held, order_id: str) -> None:
    _must_be_named(draft, held.lines)
    for line in held.lines:
        draft.set_aside(line.part_id, line.place_id, order_id, 0)


def _must_be_named(draft: Draft, lines: Iterable[PlacedLine]) -> None:
    """Raises NotYet when the view that the command was made from had not seen where something is set aside."""
    if unseen := [
        f"{line.part_id} at {line.place_id}" for line in lines if not draft.knows(line.part_id, line.place_id)
    ]:
        raise NotYet(f"the view has not seen that {', '.join(unseen)} is set aside")


def evolve(reservation: Reservation, event: ReservationEvent) -> Reservation:
    match event:
        case PartsRecommended():
            return replace(reservation, recommended=event.lines)
        case PartsReserved():
            return replace(reservation, held=Held(event.visit_id, event.lines))
        case PartsShort():
            return replace(reservation, held=reservation.held or Held(event.visit_id, ()))
        case ReservationReleased():
            over = {reservation.held.visit_id} if reservation.held and event.reason != MISSING else set()
            return replace(reservation, held=None, given_up=reservation.given_up | over)
        case VisitSettled():
            settled = reservation.settled | {event.visit_id}
            return replace(reservation, settled=settled, done=reservation.done or event.completed)
        case _:
            assert_never(event)


RESERVATION: Stream[Reservation] = Stream("reservation", Reservation(), evolve)
