"""The hours of one engineer that a person wants for an order: the same for who only asks and for who decides."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from contracts.dispatcher import DispatchRulesSet
from contracts.problems import Rejected
from dispatcher.commands import PartsInVans
from dispatcher.domain.engineer import Registered
from dispatcher.domain.engineer_day import Day
from dispatcher.domain.matching import Proposal, best_hours, broken, day_of, hours_at, with_person
from dispatcher.domain.suited import Rule, Work
from dispatcher.domain.travel import Ways


@dataclass(frozen=True)
class Person:
    """An engineer as far as an order is concerned."""

    engineer_id: str
    engineer: Registered
    days: Mapping[str, Day]
    """What is booked, by day; of other days nothing is known."""
    has_declined: bool = False


def days_in_question(now: datetime, starts_at: datetime | None, horizon_days: int) -> list[str]:
    """Every date that some zone has within the horizon, or at the hour that is wanted."""
    middle = (starts_at or now).astimezone(UTC).date()
    return [(middle + timedelta(days=n)).isoformat() for n in range(-1, 2 if starts_at else horizon_days + 1)]


def wanted_hours(
    work: Work,
    person: Person,
    now: datetime,
    starts_at: datetime | None,
    rules: DispatchRulesSet,
    parts: PartsInVans,
    ways: Ways,
) -> Proposal:
    """
    The hours that a person wants, or the cheapest free ones.

    Whatever rule she overrules, hours exist once. Raises Rejected when they are taken, past, or of two days.
    """
    if starts_at is None:
        return free_hours(work, person, now, rules, parts, ways)
    starts_at = starts_at.astimezone(UTC)
    ends_at = starts_at + work.duration
    day = day_of(starts_at, person.engineer.zone)
    if starts_at < now:
        raise Rejected("hours.past", starts_at=starts_at.isoformat())
    if day_of(ends_at - timedelta(microseconds=1), person.engineer.zone) != day:
        raise Rejected("hours.cross-midnight", day=day)
    bookings = person.days.get(day, ())
    for booking in bookings:
        if (starts_at < booking.ends_at and booking.starts_at < ends_at) or booking.order_id == work.order_id:
            raise Rejected("engineer.hours-taken", engineer_id=person.engineer_id, order_id=booking.order_id)
    proposal = hours_at(work, person.engineer, bookings, now, starts_at, rules, ways)
    return with_person(work, person.engineer_id, person.engineer, proposal, rules, parts)


def free_hours(
    work: Work, person: Person, now: datetime, rules: DispatchRulesSet, parts: PartsInVans, ways: Ways
) -> Proposal:
    """The cheapest hours that are free. Raises Rejected with the rule that leaves none."""
    ready = [day for day, bookings in person.days.items() if not holds(bookings, work.order_id)]
    found = best_hours(work, person.engineer, person.days, now, ready, rules, ways)
    if isinstance(found, Proposal):
        return with_person(work, person.engineer_id, person.engineer, found, rules, parts)
    raise Rejected("engineer.not-free", engineer_id=person.engineer_id, rule=found)


def overruled(work: Work, person: Person, proposal: Proposal, now: datetime, ways: Ways) -> tuple[Rule, ...]:
    """The rules that a person breaks who gives the order to this engineer for these hours."""
    bookings = person.days.get(proposal.day, ())
    return broken(work, person.engineer, bookings, proposal, now, person.has_declined, ways)


def holds(bookings: Day, order_id: str) -> bool:
    """Hours of an earlier assignment that are about to be given back: until then that day is closed to the order."""
    return any(booking.order_id == order_id for booking in bookings)
