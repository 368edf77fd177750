"""
Who should go: the rules that an engineer must keep to, and what it costs to send her.

Pure and the same for both who ask: a policy ranks all engineers by the views, the decision chooses among the best few
by the streams. Costs are points; 100 m of road cost one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from contracts.dispatcher import OrderOpened, Reason, Shift
from contracts.intake import Urgency
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.travel import Place, travel_m, travel_time

HORIZON_DAYS: Final = 7
"""How far ahead hours are looked for: today and the days after, in the engineer's zone."""

METRES_A_POINT: Final = 100

POINTS_A_BOOKING: Final = 15
"""For each order of that day already: 1.5 km further are worth one order less on the fuller of two days."""

POINTS_AN_HOUR: Final[Mapping[Urgency, int]] = {"low": 10, "normal": 30, "high": 90, "critical": 270}
"""For each hour until she can start: for a normal order an hour is worth 3 km, for a critical one 27 km."""

STEP: Final = timedelta(minutes=5)
"""Visits begin at full five minutes."""

Excluded = Literal["skill", "declined", "shift", "limit", "hours"]
"""
The rule that excludes an engineer: she lacks skill and model; she declined the order; no shift within the horizon is
long enough; every such day is full; in every such day the hours between her other visits are too short, the drive
before and after counted.
"""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Work:
    """What must be known of an order to find somebody for it."""

    order_id: str
    skill: str
    device_model: str
    urgency: Urgency
    duration: timedelta
    place: Place

    @classmethod
    def of(cls, opened: OrderOpened) -> Work:
        return cls(
            order_id=opened.order_id,
            skill=opened.skill,
            device_model=opened.device_model,
            urgency=opened.urgency,
            duration=timedelta(seconds=opened.duration_s),
            place=Place(opened.lat_udeg, opened.lon_udeg),
        )


@dataclass(frozen=True, slots=True)
class Offer:
    """Hours of an engineer, and what they cost rule by rule."""

    day: str
    starts_at: datetime
    ends_at: datetime
    travel_m: int
    reasons: tuple[Reason, ...]
    cost: int


@dataclass(frozen=True)
class Ranking:
    offers: tuple[tuple[str, Offer], ...]
    """Engineer and her best hours, the least cost first."""
    excluded: Mapping[str, Excluded]


def rank(
    work: Work,
    engineers: Mapping[str, Registered],
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    declined: Collection[str] = (),
) -> Ranking:
    """All engineers: her best hours, or the rule that excludes her. `booked` is by engineer and day, by start."""
    offers: list[tuple[str, Offer]] = []
    excluded: dict[str, Excluded] = {}
    for engineer_id, engineer in engineers.items():
        if not can_do(work, engineer):
            excluded[engineer_id] = "skill"
        elif engineer_id in declined:
            excluded[engineer_id] = "declined"
        else:
            found = best_hours(work, engineer, booked.get(engineer_id, {}), now)
            if isinstance(found, Offer):
                offers.append((engineer_id, found))
            else:
                excluded[engineer_id] = found
    offers.sort(key=lambda one: (one[1].cost, one[0]))
    return Ranking(tuple(offers), excluded)


def can_do(work: Work, engineer: Registered) -> bool:
    """She has the skill, or knows the model."""
    return not work.skill or work.skill in engineer.skills or work.device_model in engineer.skills


def best_hours(
    work: Work,
    engineer: Registered,
    booked: Mapping[str, Sequence[Booking]],
    now: datetime,
    within: Collection[str] | None = None,
) -> Offer | Excluded:
    """
    The cheapest hours of one engineer, or why there are none. Her skills are not judged.

    The hours lie in one shift, and before and after them there is time for the drive from and to her other visits of
    that day. The first drive of a day begins at her home. `within` narrows the days.
    """
    why: Excluded = "shift"
    best: _Slot | None = None
    for day, windows in _horizon(engineer.zone, engineer.shifts, _today(now, engineer.zone)):
        if within is not None and day not in within:
            continue
        if not any(closes - max(opens, now) >= work.duration for opens, closes in windows):
            continue
        bookings = booked.get(day, ())
        if len(bookings) >= engineer.daily_limit:
            why = "limit" if why == "shift" else why
            continue
        why = "hours"
        best = _cheapest(work, engineer, day, windows, bookings, now, best)
    return _offer(work, engineer, best, now) if best else why


def hours_at(
    work: Work, engineer: Registered, booked: Mapping[str, Sequence[Booking]], now: datetime, starts_at: datetime
) -> Offer:
    """These very hours, as a person wants them: what they cost, whether or not she is free."""
    day = day_of(starts_at, engineer.zone)
    bookings = booked.get(day, ())
    before = [booking for booking in bookings if booking.starts_at < starts_at]
    metres = travel_m(before[-1].place if before else engineer.home, work.place)
    return _offer(work, engineer, _Slot(0, day, starts_at, metres, len(bookings)), now)


def day_of(at: datetime, zone: str) -> str:
    """The ISO date of an instant in a zone."""
    return at.astimezone(ZoneInfo(zone)).date().isoformat()


def _today(now: datetime, zone: str) -> date:
    return now.astimezone(ZoneInfo(zone)).date()


Windows = tuple[tuple[datetime, datetime], ...]


@lru_cache(maxsize=4_096)
def _horizon(zone: str, shifts: tuple[Shift, ...], first: date) -> tuple[tuple[str, Windows], ...]:
    """The shifts of each day of the horizon as instants. Cached: engineers share a few patterns, and a day is long."""
    days: list[tuple[str, Windows]] = []
    for n in range(HORIZON_DAYS):
        day = first + timedelta(days=n)
        midnight = datetime.combine(day, time(), tzinfo=ZoneInfo(zone))
        # Adding to a time with a zone moves the clock on the wall, which is what a shift goes by.
        windows = tuple(
            sorted(
                (
                    (midnight + timedelta(minutes=shift.from_minute)).astimezone(UTC),
                    (midnight + timedelta(minutes=shift.to_minute)).astimezone(UTC),
                )
                for shift in shifts
                if shift.weekday == day.weekday()
            )
        )
        days.append((day.isoformat(), windows))
    return tuple(days)


class _Slot(NamedTuple):
    cost: int
    day: str
    starts_at: datetime
    metres: int
    load: int


def _cheapest(
    work: Work,
    engineer: Registered,
    day: str,
    windows: Windows,
    bookings: Sequence[Booking],
    now: datetime,
    best: _Slot | None,
) -> _Slot | None:
    """The cheapest hours between the bookings of a day, if they are cheaper than the best so far; else those."""
    load, load_cost = len(bookings), len(bookings) * POINTS_A_BOOKING
    free_from, place = now, engineer.home
    for after in (*bookings, None):
        if after is None or after.starts_at - free_from >= work.duration:
            if best and load_cost + _wait_cost(work, max(free_from, windows[0][0]) - now) >= best.cost:
                break  # The drive only adds to it, and the later hours of the day wait longer.
            metres = travel_m(place, work.place)
            until = after.starts_at - travel_time(travel_m(work.place, after.place)) if after else None
            starts_at = _first_start(windows, free_from + travel_time(metres), until, work.duration)
            if starts_at:
                cost = metres // METRES_A_POINT + load_cost + _wait_cost(work, starts_at - now)
                if best is None or cost < best.cost:
                    best = _Slot(cost, day, starts_at, metres, load)
        if after:
            free_from, place = max(free_from, after.ends_at), after.place
    return best


def _first_start(windows: Windows, ready: datetime, until: datetime | None, duration: timedelta) -> datetime | None:
    for opens, closes in windows:
        starts_at = _full_step(max(opens, ready))
        ends_at = starts_at + duration
        if ends_at <= closes:
            return starts_at if until is None or ends_at <= until else None
    return None


def _full_step(at: datetime) -> datetime:
    return at + (_EPOCH - at) % STEP


def _wait_cost(work: Work, wait: timedelta) -> int:
    return wait // timedelta(seconds=1) * POINTS_AN_HOUR[work.urgency] // 3_600


def _offer(work: Work, engineer: Registered, slot: _Slot, now: datetime) -> Offer:
    wait = slot.starts_at - now
    reasons = (
        Reason("skill", int(can_do(work, engineer)), 0),
        Reason("distance", slot.metres, slot.metres // METRES_A_POINT),
        Reason("load", slot.load, slot.load * POINTS_A_BOOKING),
        Reason("shift", wait // timedelta(seconds=1), _wait_cost(work, wait)),
    )
    ends_at, cost = slot.starts_at + work.duration, sum(reason.cost for reason in reasons)
    return Offer(slot.day, slot.starts_at, ends_at, slot.metres, reasons, cost)
