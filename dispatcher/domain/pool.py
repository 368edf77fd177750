"""The pool: an order is offered to some engineers, and the first who takes it has it (`assignment.take`)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from contracts.dispatcher import OfferDeclined, OfferLapsed, OrderOffered
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import LapseOffer, OfferOrder, TakeBackOffer
from dispatcher.domain import dispatch_rules, order
from dispatcher.domain import engineer as engineers
from dispatcher.domain.assignment import must_be_suited
from dispatcher.domain.engineer import Registered
from dispatcher.domain.matching import day_of
from dispatcher.domain.order import Case, Order, Waiting
from dispatcher.domain.suited import Rule, Work, lacks

States = Mapping[str, Any]


def reads(command: OfferOrder) -> tuple[str, ...]:
    named = [order.stream(command.order_id), dispatch_rules.STREAM]
    return tuple(dict.fromkeys([*named, *[engineers.stream(one) for one in command.engineer_ids]]))


def offer(states: States, command: OfferOrder) -> list[Event]:
    """By rule only to who is suited and there to answer; a person who names somebody who is not suited is told why."""
    now: Order = states[order.stream(command.order_id)]
    by_rule = command.offered_by == "rule"
    match now:
        case Waiting(offering=offering) if offering:
            if by_rule or {*command.engineer_ids} == offering.engineer_ids:
                return []
            raise Rejected("order.already-offered", offered_until=offering.until.isoformat())
        case Waiting(case=case, offers=offers):
            rules = dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now)
            until = command.now + timedelta(minutes=command.minutes or rules.offer_minutes)
            suited = _suited(states, case, command, until)
            if not suited:
                raise Rejected("order.no-free-engineer", order_id=command.order_id)
            offered = OrderOffered(
                order_id=command.order_id,
                request_id=case.opened.request_id,
                offer_no=offers + 1,
                engineer_ids=suited,
                offered_until=until,
                offered_by=command.offered_by,
                note=command.note,
                rules_version=rules.version,
            )
            return [offered]
        case order.Unopened():
            raise order.refusal(now)
        case _:
            if by_rule:
                return []  # It needs nobody any more.
            raise order.refusal(now)


def _suited(states: States, case: Case, command: OfferOrder, until: datetime) -> tuple[str, ...]:
    work, suited = Work.of(case.opened), []
    for engineer_id in dict.fromkeys(command.engineer_ids):
        engineer = states[engineers.stream(engineer_id)]
        if isinstance(engineer, Registered):
            unfit: tuple[Rule, ...] = lacks(work, engineer, day_of(command.now, engineer.zone))
            if command.offered_by == "person":
                must_be_suited(work, engineer_id, unfit)
            elif unfit or engineer_id in case.declined or is_away(engineer, command.now, until):
                continue
            suited.append(engineer_id)
        elif command.offered_by == "person":
            raise Rejected("engineer.unknown", engineer_id=engineer_id)
    return tuple(suited)


def is_away(engineer: Registered, starts_at: datetime, ends_at: datetime) -> bool:
    """Whether she may miss an offer that stands from then until then."""
    return any(one.overlaps(starts_at, ends_at) for one in engineer.absences)


def reads_of_absence(command: TakeBackOffer) -> tuple[str, ...]:
    return order.stream(command.order_id), engineers.stream(command.engineer_id)


def take_back(states: States, command: TakeBackOffer) -> list[Event]:
    """She is asked no more; who else is asked may still take it, and when nobody is left it goes to the next."""
    now: Order = states[order.stream(command.order_id)]
    absences = engineers.absences_of(states[engineers.stream(command.engineer_id)])
    match now:
        case Waiting(case=case, offers=offers, offering=offering) if (
            offering
            and command.engineer_id in offering.engineer_ids
            and any(one.absence_id == command.absence_id for one in absences)
        ):
            declined = OfferDeclined(
                order_id=command.order_id,
                request_id=case.opened.request_id,
                offer_no=offers,
                engineer_id=command.engineer_id,
                reason="absent",
                left=len(offering.engineer_ids) - 1,
                cause="absence",
            )
            return [declined]
        case _:
            return []


def lapse(states: States, command: LapseOffer) -> list[Event]:
    """The offer of this very hour is over; one that was made after it goes on."""
    now: Order = states[order.stream(command.order_id)]
    match now:
        case Waiting(case=case, offers=offers, offering=offering) if offering and offering.until == command.due_at:
            lapsed = OfferLapsed(
                order_id=command.order_id,
                request_id=case.opened.request_id,
                offer_no=offers,
                engineer_ids=tuple(sorted(offering.engineer_ids)),
            )
            return [lapsed]
        case _:
            return []
