"""A day of an engineer: the hours that are booked in it, for which order and where."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple, assert_never

from contracts.dispatcher import HoursBooked, HoursFreed
from contracts.event import Event
from dispatcher.commands import FreeHours
from dispatcher.domain.travel import Place


class Booking(NamedTuple):
    starts_at: datetime
    ends_at: datetime
    order_id: str
    place: Place


Day = tuple[Booking, ...]
"""By start; no two overlap, and an order has one at most."""

INITIAL: Day = ()


def stream(engineer_id: str, day: str) -> str:
    return f"engineer-day/{engineer_id}/{day}"


def decide(states: Mapping[str, Any], command: FreeHours) -> list[Event]:
    """
    Give the hours of an order back.

    An order has one booking at most in a day, and no new one before the old one is gone (`assignment`), so this never
    takes the hours of a later assignment.
    """
    day: Day = states[stream(command.engineer_id, command.day)]
    if not any(booking.order_id == command.order_id for booking in day):
        return []
    return [HoursFreed(engineer_id=command.engineer_id, day=command.day, order_id=command.order_id)]


def evolve(day: Day, event: HoursBooked | HoursFreed) -> Day:
    match event:
        case HoursBooked():
            place = Place(event.lat_udeg, event.lon_udeg)
            return tuple(sorted([*day, Booking(event.starts_at, event.ends_at, event.order_id, place)]))
        case HoursFreed():
            return tuple(booking for booking in day if booking.order_id != event.order_id)
        case _:
            assert_never(event)
