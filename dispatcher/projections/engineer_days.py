"""
The hours that are booked: one row for each day of an engineer, its bookings in one text.

So a thousand engineers are a few thousand rows to fetch, and only the days that are looked at are unpacked.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any, Final

import msgspec
from sqlalchemy import Select, bindparam, select

from contracts.dispatcher import HoursBooked, HoursFreed
from contracts.envelope import Envelope
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.travel import Place
from services.chassis.clock import at_micros, micros
from services.chassis.views import Rows, View


class _Packed(msgspec.Struct, array_like=True, order=True):
    """A booking as it is stored; instants in microseconds UTC."""

    starts_at: int
    ends_at: int
    order_id: str
    lat_udeg: int
    lon_udeg: int


_packed = msgspec.json.Decoder(list[_Packed])


def _packed_again(bookings: Sequence[_Packed]) -> str:
    return msgspec.json.encode(bookings).decode()


def apply(rows: Rows, event: HoursBooked | HoursFreed, envelope: Envelope) -> None:
    row = rows.get(event.engineer_id, event.day)
    bookings = _packed.decode(row["bookings"]) if row else []
    match event:
        case HoursBooked():
            hours = micros(event.starts_at), micros(event.ends_at)
            bookings.append(_Packed(*hours, event.order_id, event.lat_udeg, event.lon_udeg))
        case HoursFreed():
            bookings = [booking for booking in bookings if booking.order_id != event.order_id]
    if bookings:
        rows.put(event.engineer_id, event.day, bookings=_packed_again(sorted(bookings)))
    else:
        rows.drop(event.engineer_id, event.day)


ENGINEER_DAYS = View(
    name="engineer_days",
    version=1,
    key={"engineer_id": str, "day": str},
    columns={"bookings": "[]"},
    reads=(HoursBooked, HoursFreed),
    apply=apply,
    indexes=(("day",),),
)


def horizon(now: datetime, days: int) -> dict[str, str]:
    """The `first` and the `last` day within a horizon of so many days in any zone."""
    return {name: (now + timedelta(days=n)).date().isoformat() for name, n in {"first": -1, "last": days + 1}.items()}


def days_of(starts_at: datetime, ends_at: datetime) -> dict[str, str]:
    """The `first` and the `last` day that lie between these instants in any zone."""
    times = {"first": starts_at - timedelta(days=1), "last": ends_at + timedelta(days=1)}
    return {name: at.date().isoformat() for name, at in times.items()}


def booked_between(first: Any, last: Any) -> Select[Any]:
    """All that is booked on these days."""
    return select(ENGINEER_DAYS.table).where(ENGINEER_DAYS.table.c.day.between(first, last))


BOOKED_HOURS: Final = booked_between(bindparam("first"), bindparam("last")).where(
    ENGINEER_DAYS.table.c.tenant == bindparam("tenant")
)
HOURS_OF_ONE: Final = BOOKED_HOURS.where(ENGINEER_DAYS.table.c.engineer_id == bindparam("engineer_id"))


@lru_cache(maxsize=16_384)
def _unpacked(packed: str) -> tuple[Booking, ...]:
    """Cached: from one order to the next, the hours of one day have changed."""
    return tuple(
        [
            Booking(at_micros(one.starts_at), at_micros(one.ends_at), one.order_id, Place(one.lat_udeg, one.lon_udeg))
            for one in _packed.decode(packed)
        ]
    )


class Days(Mapping[str, Sequence[Booking]]):
    """The days of an engineer, each unpacked when it is asked for."""

    def __init__(self) -> None:
        self.packed: dict[str, str] = {}

    def __getitem__(self, day: str) -> Sequence[Booking]:
        return _unpacked(self.packed[day])

    def __iter__(self) -> Iterator[str]:
        return iter(self.packed)

    def __len__(self) -> int:
        return len(self.packed)

    def __eq__(self, other: object) -> bool:
        return self.packed == other.packed if isinstance(other, Days) else super().__eq__(other)


def bookings(rows: Iterable[Mapping[str, Any]], besides: str = "") -> defaultdict[str, Days]:
    """By engineer and day, by start; without the hours of the order that somebody is looked for."""
    found: defaultdict[str, Days] = defaultdict(Days)
    for row in rows:
        packed = row["bookings"]
        if besides and besides in packed:
            packed = _packed_again([one for one in _packed.decode(packed) if one.order_id != besides])
        found[row["engineer_id"]].packed[row["day"]] = packed
    return found
