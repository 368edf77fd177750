"""
A small domain to try the chassis on: seats of a theatre, the purses of its guests, and badges that exist once.

Booking reads two streams and writes both, takes a badge (a claim), sets a deadline (a timer), and names a guest.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, assert_never

from contracts.envelope import Envelope
from contracts.event import REGISTRY, Event, NonNegative, Personal, Utc, belongs_to
from contracts.problems import Rejected
from services.chassis.journal.rules import Arm, Claim, Handler, Rules, States, Stream, on_stream


@belongs_to("seat", of="seat_id", key="guest_id")
class SeatBooked(Event):
    seat_id: str
    guest_id: str
    badge: str = ""
    name: Annotated[str, Personal("guest_id")] = ""
    pay_by: Utc | None = None


@belongs_to("seat", of="seat_id", public=False)
class SeatFreed(Event):
    seat_id: str
    badge: str = ""


@belongs_to("purse", of="guest_id", public=False)
class PurseFilled(Event):
    guest_id: str
    fen: NonNegative


@belongs_to("purse", of="guest_id", public=False)
class PurseCharged(Event):
    guest_id: str
    fen: NonNegative


EVENTS = {kind.__name__: REGISTRY.pop(kind.__name__) for kind in (SeatBooked, SeatFreed, PurseFilled, PurseCharged)}
"""Kept out of the published language; a suite that reads records puts them in while it runs."""


@dataclass(frozen=True)
class Seat:
    """A seat that somebody has (or nobody, where `guest_id` is empty)."""

    guest_id: str = ""
    badge: str = ""
    name: str = ""


@dataclass(frozen=True)
class Fill:
    guest_id: str
    fen: int


@dataclass(frozen=True)
class Book:
    seat_id: str
    guest_id: str
    fen: int = 0
    badge: str = ""
    name: str = ""
    pay_by: datetime | None = None


@dataclass(frozen=True)
class BookPair:
    """Two seats under one badge, which is one too many."""

    seat_ids: tuple[str, str]
    guest_id: str
    badge: str


@dataclass(frozen=True)
class Free:
    seat_id: str
    badge: str = ""


@dataclass(frozen=True)
class PassOn:
    """A badge leaves one seat for another in one command."""

    badge: str
    seat_id: str
    to_seat_id: str


@dataclass(frozen=True)
class Postpone:
    seat_id: str
    pay_by: datetime


@dataclass(frozen=True)
class Overdue:
    """Asked by the timer `unpaid`: changes nothing here, so that tests see the timer only."""

    seat_id: str


@dataclass(frozen=True)
class Recite:
    """Rejected with the state of a seat, so that a test can look at it."""

    seat_id: str


@dataclass(frozen=True)
class Do:
    """Whatever a wrong `decide` could do: raise an error, or return these events."""

    seat_id: str
    what: Any
    badge: str = ""


SeatEvent = SeatBooked | SeatFreed
PurseEvent = PurseFilled | PurseCharged


def evolve_seat(seat: Seat, event: SeatEvent) -> Seat:
    match event:
        case SeatBooked():
            return Seat(event.guest_id, event.badge, event.name)
        case SeatFreed():
            return Seat()
        case _:
            assert_never(event)


def evolve_purse(fen: int, event: PurseEvent) -> int:
    match event:
        case PurseFilled():
            return fen + event.fen
        case PurseCharged():
            return fen - event.fen
        case _:
            assert_never(event)


def seat(of: str) -> str:
    return f"seat/{of}"


def purse(of: str) -> str:
    return f"purse/{of}"


def badge(command: Any) -> tuple[tuple[str, str], ...]:
    return (("badge", command.badge),) if command.badge else ()


def fill(fen: int, command: Fill) -> list[Event]:
    return [PurseFilled(guest_id=command.guest_id, fen=command.fen)] if command.fen else []


def book(states: States, command: Book) -> list[Event]:
    if states[seat(command.seat_id)].guest_id:
        raise Rejected("seat.taken", seat_id=command.seat_id)
    if states[purse(command.guest_id)] < command.fen:
        raise Rejected("purse.short", missing=command.fen - states[purse(command.guest_id)])
    booked = SeatBooked(
        seat_id=command.seat_id,
        guest_id=command.guest_id,
        badge=command.badge,
        name=command.name,
        pay_by=command.pay_by,
    )
    return [booked, PurseCharged(guest_id=command.guest_id, fen=command.fen)] if command.fen else [booked]


def book_pair(_: States, command: BookPair) -> list[Event]:
    return [SeatBooked(seat_id=one, guest_id=command.guest_id, badge=command.badge) for one in command.seat_ids]


def free(seat: Seat, command: Free) -> list[Event]:
    return [SeatFreed(seat_id=command.seat_id, badge=seat.badge)] if seat.guest_id else []


def pass_on(states: States, command: PassOn) -> list[Event]:
    guest_id = states[seat(command.seat_id)].guest_id
    return [
        SeatFreed(seat_id=command.seat_id, badge=command.badge),
        SeatBooked(seat_id=command.to_seat_id, guest_id=guest_id, badge=command.badge),
    ]


def postpone(seat: Seat, command: Postpone) -> list[Event]:
    return [SeatBooked(seat_id=command.seat_id, guest_id=seat.guest_id, pay_by=command.pay_by)]


def recite(seat: Seat, _: Recite) -> list[Event]:
    raise Rejected("seat.recited", guest_id=seat.guest_id, name=seat.name)


def do(_: Seat, command: Do) -> list[Event]:
    if isinstance(command.what, Exception):
        raise command.what
    return list(command.what)


def badges_of(event: SeatEvent) -> list[Claim]:
    owner = seat(event.seat_id) if isinstance(event, SeatBooked) else None
    return [Claim("badge", event.badge, owner)] if event.badge else []


def deadlines_of(event: SeatEvent, _: Envelope) -> list[Arm]:
    if isinstance(event, SeatFreed):
        return [Arm("unpaid", event.seat_id, None)]
    return [Arm("unpaid", event.seat_id, event.pay_by)] if event.pay_by else []


RULES = Rules(
    service="theatre",
    streams=(Stream("seat", Seat(), evolve_seat), Stream("purse", 0, evolve_purse)),
    handlers=(
        on_stream(Fill, lambda c: purse(c.guest_id), fill),
        Handler(Book, lambda c: (seat(c.seat_id), purse(c.guest_id)), book, badge),
        Handler(BookPair, lambda c: tuple(map(seat, c.seat_ids)), book_pair, badge),
        Handler(Free, lambda c: (seat(c.seat_id),), lambda states, c: free(states[seat(c.seat_id)], c), badge),
        Handler(PassOn, lambda c: (seat(c.seat_id), seat(c.to_seat_id)), pass_on, badge),
        on_stream(Postpone, lambda c: seat(c.seat_id), postpone),
        on_stream(Overdue, lambda c: seat(c.seat_id), lambda _, c: []),
        on_stream(Recite, lambda c: seat(c.seat_id), recite),
        Handler(Do, lambda c: (seat(c.seat_id),), lambda states, c: do(states[seat(c.seat_id)], c), badge),
    ),
    claims={SeatBooked: badges_of, SeatFreed: badges_of},
    timers={SeatBooked: deadlines_of, SeatFreed: deadlines_of},
)
