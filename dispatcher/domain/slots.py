"""
Bookable slots: arrival bands in which somebody can come, each with a grade; held, booked, given back.

A held slot is booked in the engineer's day under its own name, so that whoever comes later finds the hours taken,
however many ask at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Literal, NamedTuple
from zoneinfo import ZoneInfo

from contracts.dispatcher import (
    DispatchRulesSet,
    HoursBooked,
    HoursFreed,
    OrderAssigned,
    OrderReassigned,
    SlotBooked,
    SlotHeld,
    SlotReleased,
)
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import BookSlot, HoldSlot, ReleaseSlot
from dispatcher.domain import dispatch_rules, engineer_day, learned_travel, order
from dispatcher.domain import engineer as engineers
from dispatcher.domain.assignment import given_to
from dispatcher.domain.business_time import SECOND, Calendar
from dispatcher.domain.engineer import Absence, Registered
from dispatcher.domain.engineer_day import Booking
from dispatcher.domain.matching import STEP, Proposal, best_hours, broken, hours_at, open_hours
from dispatcher.domain.order import Assigned, Order, Waiting
from dispatcher.domain.roster import Roster
from dispatcher.domain.suited import Work
from dispatcher.domain.travel import BEELINE, Ways

States = Mapping[str, Any]
Grade = Literal["A", "B", "C"]

BAND: Final = timedelta(hours=2)
"""Within which she arrives."""

GOOD, FAIR = 50, 150
"""So many points dearer than the cheapest slot: up to GOOD is A, up to FAIR is B."""

PLACES: Final = 20
"""Engineers who are tried when a slot is held: others may be faster."""

_LONG_AGO, _FAR = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC)


# What can be had.


class Opening(NamedTuple):
    """An engineer who can come in a band: from when, and what that costs without the wait, which the customer wants."""

    engineer_id: str
    proposal: Proposal
    points: int


@dataclass(frozen=True)
class Offered:
    """She arrives between `opens` and `closes`."""

    opens: datetime
    closes: datetime
    grade: Grade
    places: tuple[Opening, ...]
    """The cheapest first."""
    outside_hours: bool = False
    """No business time of the company lies in it; it is there as somebody's shift allows it."""


def offered(
    work: Work,
    roster: Roster,
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    zone: str,
    days: int,
    rules: DispatchRulesSet,
    ways: Ways = BEELINE,
    hours: Calendar | None = None,
) -> list[Offered]:
    """
    Every band of these days, as the clock in this zone has them, in which somebody can come. `hours` are those of the
    company; beyond them bands are marked, or left out, as the rules say.
    """
    kinds = roster.kinds(work, now)
    able = [one for one in roster.serving(work.region) if not kinds[roster.kind_of(one)].unfit]
    found: list[tuple[datetime, tuple[Opening, ...]]] = []
    outside = {opens for opens in _bands(now, zone, days) if hours and _is_outside(hours, opens)}
    for opens in _bands(now, zone, days):
        if opens in outside and not rules.slots_outside:
            continue
        tried = (_place(work, one, roster[one], booked, now, opens, rules, ways) for one in able)
        places = [place for place in tried if place]
        if places:
            found.append((opens, tuple(sorted(places, key=lambda place: (place.points, place.engineer_id)))))
    least = min((places[0].points for _, places in found), default=0)
    return [
        Offered(opens, opens + BAND, _grade(places[0].points - least), places, opens in outside)
        for opens, places in found
    ]


def _is_outside(hours: Calendar, opens: datetime) -> bool:
    begin = round(opens.timestamp() * SECOND)
    return not hours.between(begin, begin + BAND // timedelta(microseconds=1))


def zone_of(work: Work, roster: Roster) -> str:
    """The zone of most of those who serve the area of the order; empty where nobody does."""
    zones = Counter(roster[one].zone for one in roster.serving(work.region))
    return min(zones, key=lambda zone: (-zones[zone], zone), default="")


def _bands(now: datetime, zone: str, days: int) -> list[datetime]:
    today = now.astimezone(ZoneInfo(zone)).date()
    starts = [_at(today + timedelta(days=n), hour, zone) for n in range(days) for hour in range(0, 24, 2)]
    return [opens for opens in starts if opens >= now]


def _at(day: date, hour: int, zone: str) -> datetime:
    return datetime.combine(day, time(hour), tzinfo=ZoneInfo(zone)).astimezone(UTC)


def _place(
    work: Work,
    engineer_id: str,
    engineer: Registered,
    booked: Mapping[str, Mapping[str, Sequence[Booking]]],
    now: datetime,
    opens: datetime,
    rules: DispatchRulesSet,
    ways: Ways,
) -> Opening | None:
    closes = opens + BAND - STEP + work.duration
    outside = (Absence(_LONG_AGO, opens, ""), Absence(closes, _FAR, ""))
    day = opens.astimezone(ZoneInfo(engineer.zone)).date().isoformat()
    if not any(begin < closes and opens < end for begin, end in open_hours(engineer, day)):
        return None
    within = replace(engineer, absences=tuple(sorted([*engineer.absences, *outside])))
    proposal = best_hours(work, within, booked.get(engineer_id, {}), now, (day,), rules, ways)
    if not isinstance(proposal, Proposal):
        return None
    wait = sum(reason.cost for reason in proposal.reasons if reason.rule == "shift")
    return Opening(engineer_id, proposal, proposal.cost - wait)


def _grade(dearer: int) -> Grade:
    return "A" if dearer <= GOOD else "B" if dearer <= FAIR else "C"


# Held, booked, given back.


@dataclass(frozen=True)
class Free:
    """Nobody holds it."""


@dataclass(frozen=True)
class Over:
    """It was booked or given back."""


Slot = Free | SlotHeld | Over
INITIAL: Final[Slot] = Free()


def stream(slot_id: str) -> str:
    return f"slot/{slot_id}"


def booked_as(slot_id: str) -> str:
    """Its name among the orders of an engineer's day."""
    return f"slot:{slot_id}"


def evolve(slot: Slot, event: SlotHeld | SlotBooked | SlotReleased) -> Slot:
    return event if isinstance(event, SlotHeld) else Over()


def reads_to_hold(command: HoldSlot) -> tuple[str, ...]:
    named = [stream(command.slot_id), order.stream(command.order_id), dispatch_rules.STREAM, learned_travel.STREAM]
    for one in command.places:
        named += [engineers.stream(one.engineer_id), engineer_day.stream(one.engineer_id, one.day)]
    return tuple(dict.fromkeys(named))


def hold(states: States, command: HoldSlot) -> list[Event]:
    """The first of the places that is still free: of many who ask at once each has another one, or none."""
    now: Order = states[order.stream(command.order_id)]
    if not isinstance(now, Waiting | Assigned):
        raise order.refusal(now)
    if not isinstance(states[stream(command.slot_id)], Free):
        return []
    work = Work.of(now.case.opened)
    rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
    ways = learned_travel.ways(states, rules, command.ways)
    for one in command.places:
        engineer = states[engineers.stream(one.engineer_id)]
        hers: engineer_day.Day = states[engineer_day.stream(one.engineer_id, one.day)]
        if not isinstance(engineer, Registered) or any(it.order_id == work.order_id for it in hers):
            continue
        proposal = hours_at(work, engineer, hers, command.now, one.starts_at, rules, ways)
        taken = any(it.starts_at < proposal.ends_at and proposal.starts_at < it.ends_at for it in hers)
        declined = one.engineer_id in now.case.declined
        if taken or broken(work, engineer, hers, proposal, command.now, declined, ways):
            continue
        held = SlotHeld(
            slot_id=command.slot_id,
            order_id=command.order_id,
            engineer_id=one.engineer_id,
            day=one.day,
            starts_at=proposal.starts_at,
            ends_at=proposal.ends_at,
            held_until=command.now + timedelta(minutes=command.minutes),
        )
        return [held, _booked(work, held, booked_as(command.slot_id))]
    raise Rejected("slot.taken", order_id=command.order_id)


def reads_held(command: BookSlot | ReleaseSlot) -> tuple[str, ...]:
    named = [stream(command.slot_id), engineer_day.stream(command.engineer_id, command.day)]
    if isinstance(command, BookSlot):
        named += [order.stream(command.order_id), engineers.stream(command.engineer_id)]
        named += [dispatch_rules.STREAM, learned_travel.STREAM]
        if command.from_engineer_id:
            named.append(engineer_day.stream(command.from_engineer_id, command.from_day))
    return tuple(dict.fromkeys(named))


def book(states: States, command: BookSlot) -> list[Event]:
    """The order has the held hours; those that it had are free."""
    slot: Slot = states[stream(command.slot_id)]
    if not isinstance(slot, SlotHeld) or (slot.order_id, slot.engineer_id, slot.day) != (
        command.order_id,
        command.engineer_id,
        command.day,
    ):
        raise Rejected("slot.over", slot_id=command.slot_id)
    now: Order = states[order.stream(command.order_id)]
    if not isinstance(now, Waiting | Assigned):
        raise order.refusal(now)
    before = now.booked if isinstance(now, Assigned) else None
    if before and (before.engineer_id, before.day) != (command.from_engineer_id, command.from_day):
        raise Rejected("order.already-assigned", engineer_id=before.engineer_id)
    work, engineer = Work.of(now.case.opened), states[engineers.stream(slot.engineer_id)]
    rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
    hers = states[engineer_day.stream(slot.engineer_id, slot.day)]
    others = [one for one in hers if one.order_id not in (booked_as(slot.slot_id), slot.order_id)]
    ways = learned_travel.ways(states, rules)
    proposal = hours_at(work, engineer, others, command.now, slot.starts_at, rules, ways)
    events: list[Event] = [SlotBooked(slot_id=slot.slot_id, order_id=slot.order_id)]
    events.append(HoursFreed(engineer_id=slot.engineer_id, day=slot.day, order_id=booked_as(slot.slot_id)))
    if before:
        held_there = states[engineer_day.stream(before.engineer_id, before.day)]
        if any(one.order_id == work.order_id for one in held_there):
            events.append(HoursFreed(engineer_id=before.engineer_id, day=before.day, order_id=work.order_id))
    facts = given_to(now.case.opened, slot.engineer_id, engineer, proposal)
    facts |= {"rules_version": rules.version, "chosen_by": "person"}
    if before:
        events.append(OrderReassigned(from_engineer_id=before.engineer_id, reason="slot", **facts))
    else:
        events.append(OrderAssigned(crew=(slot.engineer_id,), candidates=1, note="slot", **facts))
    return [*events, _booked(work, slot, work.order_id)]


def release(states: States, command: ReleaseSlot) -> list[Event]:
    slot: Slot = states[stream(command.slot_id)]
    if not isinstance(slot, SlotHeld) or (command.due_at and slot.held_until != command.due_at):
        return []
    why: Literal["expired", "given-back"] = "expired" if command.due_at else "given-back"
    return [
        SlotReleased(slot_id=slot.slot_id, order_id=slot.order_id, why=why),
        HoursFreed(engineer_id=slot.engineer_id, day=slot.day, order_id=booked_as(slot.slot_id)),
    ]


def _booked(work: Work, slot: SlotHeld, name: str) -> HoursBooked:
    return HoursBooked(
        engineer_id=slot.engineer_id,
        day=slot.day,
        order_id=name,
        starts_at=slot.starts_at,
        ends_at=slot.ends_at,
        lat_udeg=work.place.lat_udeg,
        lon_udeg=work.place.lon_udeg,
    )
