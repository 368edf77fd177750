"""
Who carries an order out: decisions that read an order, engineers and their days, and write order and day together.

The asker's views only say where to look. Which hours are free is decided here, by the streams, so no engineer is
booked twice however many ask at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from contracts.dispatcher import EngineerDay, HoursBooked, OrderAssigned, OrderReassigned
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import AssignByHand, AssignOrder, ReassignOrder, TakeOrder
from dispatcher.domain import engineer as engineers
from dispatcher.domain import engineer_day, order
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Day
from dispatcher.domain.matching import HORIZON_DAYS, Offer, Work, best_hours, can_do, day_of, hours_at
from dispatcher.domain.order import Assigned, Case, Order, Waiting

States = Mapping[str, Any]
ByPerson = TakeOrder | AssignByHand | ReassignOrder


def reads_of_candidates(command: AssignOrder) -> tuple[str, ...]:
    named = [order.stream(command.order_id)]
    for one in command.candidates:
        named += [engineers.stream(one.engineer_id), engineer_day.stream(one.engineer_id, one.day)]
    return tuple(dict.fromkeys(named))


def reads_of_engineer(command: ByPerson) -> tuple[str, ...]:
    days = [engineer_day.stream(command.engineer_id, day) for day in _days_in_question(command)]
    return (order.stream(command.order_id), engineers.stream(command.engineer_id), *days)


def assign(states: States, command: AssignOrder) -> list[Event]:
    """The cheapest of the candidates as the streams have them now; they were chosen by views, which may be older."""
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Waiting(case=case):
            offers = [
                (offer.cost, nth, one.engineer_id, offer)
                for nth, one in enumerate(command.candidates)
                if (offer := _offer_of(states, case, one.engineer_id, one.day, command.now))
            ]
            if not offers:
                raise Rejected("order.no-free-engineer", order_id=command.order_id)
            *_, engineer_id, offer = min(offers, key=lambda one: one[:2])
            return _assigned(states, case, engineer_id, offer, "rule", candidates=command.compared)
        case order.Unopened():
            raise order.refusal(now)
        case _:
            return []  # It needs nobody any more.


def take(states: States, command: TakeOrder) -> list[Event]:
    """Two hundred may take one order at once: the first has it."""
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Waiting(case=case):
            offer = _free_hours(states, case, command)
            if not can_do(Work.of(case.opened), _registered(states, command.engineer_id)):
                raise Rejected("engineer.lacks-skill", skill=case.opened.skill)
            return _assigned(states, case, command.engineer_id, offer, "pool")
        case Assigned(booked=booked) if booked.engineer_id == command.engineer_id:
            return []
        case _:
            raise order.refusal(now)


def assign_by_hand(states: States, command: AssignByHand) -> list[Event]:
    """A person may overrule skill, shift, limit and drive, but not book hours twice."""
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Waiting(case=case):
            offer = _wanted_hours(states, case, command)
            return _assigned(states, case, command.engineer_id, offer, "person", note=command.reason)
        case Assigned(booked=booked) if booked.engineer_id == command.engineer_id:
            return []
        case _:
            raise order.refusal(now)


def reassign(states: States, command: ReassignOrder) -> list[Event]:
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Assigned(booked=booked) if booked.engineer_id == command.engineer_id:
            return []
        case Assigned(case=case, booked=booked):
            offer = _wanted_hours(states, case, command)
            return [_reassigned(states, case, booked, offer, command), _hours_booked(case, command.engineer_id, offer)]
        case _:
            raise order.refusal(now)


# Hours.


def _days_in_question(command: ByPerson) -> list[str]:
    """Every date that some zone has within the horizon, or at the hour that is wanted."""
    wanted = None if isinstance(command, TakeOrder) else command.starts_at
    middle = (wanted or command.now).astimezone(UTC).date()
    return [(middle + timedelta(days=n)).isoformat() for n in range(-1, 2 if wanted else HORIZON_DAYS + 1)]


def _registered(states: States, engineer_id: str) -> Registered:
    engineer = states[engineers.stream(engineer_id)]
    if not isinstance(engineer, Registered):
        raise Rejected("engineer.unknown", engineer_id=engineer_id)
    return engineer


def _offer_of(states: States, case: Case, engineer_id: str, day: str, now: datetime) -> Offer | None:
    work, engineer = Work.of(case.opened), states[engineers.stream(engineer_id)]
    bookings: Day = states[engineer_day.stream(engineer_id, day)]
    if not isinstance(engineer, Registered) or not can_do(work, engineer) or engineer_id in case.declined:
        return None
    if _holds(bookings, work.order_id):
        return None
    found = best_hours(work, engineer, {day: bookings}, now, within=(day,))
    return found if isinstance(found, Offer) else None


def _wanted_hours(states: States, case: Case, command: AssignByHand | ReassignOrder) -> Offer:
    """The hours that a person wants, or the cheapest free ones. Raises Rejected when they are taken."""
    if command.starts_at is None:
        return _free_hours(states, case, command)
    work, engineer = Work.of(case.opened), _registered(states, command.engineer_id)
    starts_at = command.starts_at.astimezone(UTC)
    ends_at = starts_at + work.duration
    day = day_of(starts_at, engineer.zone)
    if starts_at < command.now:
        raise Rejected("hours.past", starts_at=starts_at.isoformat())
    if day_of(ends_at - timedelta(microseconds=1), engineer.zone) != day:
        raise Rejected("hours.cross-midnight", day=day)
    bookings: Day = states[engineer_day.stream(command.engineer_id, day)]
    for booking in bookings:
        if (starts_at < booking.ends_at and booking.starts_at < ends_at) or booking.order_id == work.order_id:
            raise Rejected("engineer.hours-taken", engineer_id=command.engineer_id, order_id=booking.order_id)
    return hours_at(work, engineer, {day: bookings}, command.now, starts_at)


def _free_hours(states: States, case: Case, command: ByPerson) -> Offer:
    work, engineer = Work.of(case.opened), _registered(states, command.engineer_id)
    days: dict[str, Day] = {
        day: states[engineer_day.stream(command.engineer_id, day)] for day in _days_in_question(command)
    }
    ready = [day for day, bookings in days.items() if not _holds(bookings, work.order_id)]
    found = best_hours(work, engineer, days, command.now, within=ready)
    if isinstance(found, Offer):
        return found
    raise Rejected("engineer.not-free", engineer_id=command.engineer_id, rule=found)


def _holds(bookings: Day, order_id: str) -> bool:
    """Hours of an earlier assignment that are about to be given back: until then that day is closed to the order."""
    return any(booking.order_id == order_id for booking in bookings)


# Events.


def _assigned(
    states: States,
    case: Case,
    engineer_id: str,
    offer: Offer,
    chosen_by: Literal["rule", "person", "pool"],
    *,
    candidates: int = 1,
    note: str = "",
) -> list[Event]:
    opened = case.opened
    assigned = OrderAssigned(
        order_id=opened.order_id,
        request_id=opened.request_id,
        engineer_id=engineer_id,
        crew=(engineer_id,),
        van_id=_registered(states, engineer_id).van_id,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        day=offer.day,
        travel_m=offer.travel_m,
        chosen_by=chosen_by,
        reasons=offer.reasons,
        candidates=candidates,
        note=note,
        customer_id=opened.customer_id,
        device_id=opened.device_id,
        device_model=opened.device_model,
        skill=opened.skill,
    )
    return [assigned, _hours_booked(case, engineer_id, offer)]


def _reassigned(
    states: States, case: Case, booked: EngineerDay, offer: Offer, command: ReassignOrder
) -> OrderReassigned:
    opened = case.opened
    return OrderReassigned(
        order_id=opened.order_id,
        request_id=opened.request_id,
        from_engineer_id=booked.engineer_id,
        engineer_id=command.engineer_id,
        van_id=_registered(states, command.engineer_id).van_id,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        day=offer.day,
        travel_m=offer.travel_m,
        reason=command.reason,
        customer_id=opened.customer_id,
        device_id=opened.device_id,
        device_model=opened.device_model,
        skill=opened.skill,
        frees=booked,
    )


def _hours_booked(case: Case, engineer_id: str, offer: Offer) -> HoursBooked:
    opened = case.opened
    return HoursBooked(
        engineer_id=engineer_id,
        day=offer.day,
        order_id=opened.order_id,
        starts_at=offer.starts_at,
        ends_at=offer.ends_at,
        lat_udeg=opened.lat_udeg,
        lon_udeg=opened.lon_udeg,
    )
