"""
What the dispatcher does when something has happened, elsewhere or here.

The views are as new as the event when a policy looks at them. They narrow a thousand engineers to a few; the decision
reads those few from their streams.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final, Literal, assert_never, get_args

from contracts.dispatcher import (
    AssignmentRetried,
    CalendarChanged,
    EngineerRegistered,
    HoursFreed,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOpened,
    OrderReassigned,
    OrderReturned,
)
from contracts.envelope import Envelope
from contracts.fieldwork import EngineerArrived, EngineerDeparted, ServiceCompleted, VisitAborted
from contracts.intake import (
    RequestMerged,
    RequestReceived,
    RequestReopened,
    RequestResolvedRemotely,
    RequestUnmerged,
    RequestWithdrawn,
)
from contracts.problems import NotYet
from dispatcher.commands import (
    AssignOrder,
    Candidate,
    FinishOrder,
    FreeHours,
    MoveClocks,
    OpenOrder,
    RestateClocks,
    ReturnOrder,
    StartClocks,
    StartOrder,
    WithdrawOrder,
)
from dispatcher.domain.matching import POINTS_AN_HOUR, Offer, best_hours, can_do, rank
from dispatcher.projections.board import ONE_ORDER, WAITING_ORDERS, declined_by, work_of
from dispatcher.projections.clocks import MEASURED_BY
from dispatcher.projections.engineer_days import BOOKED_HOURS, HOURS_OF_ONE, bookings, horizon
from dispatcher.projections.engineers import ALL_ENGINEERS, ONE_ENGINEER, registered
from dispatcher.projections.slas import ANY_SLA
from services.chassis.clock import EPOCH, micros
from services.chassis.ids import derived_id
from services.chassis.service import Facts, Policy

CANDIDATES: Final = 8
"""So many engineers go into a decision: some of them may be taken by others at the same moment."""

RETRIED: Final = 20
"""The most waiting orders that are offered to an engineer who has time again."""


def order_of(request_id: str, round_no: int = 1) -> str:
    """A request has one order in each of its rounds, so that what ends it finds it without looking anywhere."""
    return derived_id("order", request_id, *([str(round_no)] if round_no > 1 else []))


RequestChanged = (
    RequestReceived | RequestWithdrawn | RequestMerged | RequestUnmerged | RequestReopened | RequestResolvedRemotely
)


async def when_request_changed(
    event: RequestChanged, envelope: Envelope, facts: Facts
) -> Sequence[OpenOrder | WithdrawOrder]:
    """One policy for all: a withdrawal must not overtake the request that it ends."""
    match event:
        case RequestReceived(needs_visit=False):
            return []  # Answered from the desk.
        case RequestReceived():
            return [
                OpenOrder(
                    order_id=order_of(event.request_id),
                    request_id=event.request_id,
                    customer_id=event.customer_id,
                    device_id=event.device_id,
                    device_model=event.device_model,
                    request_type=event.request_type,
                    skill=event.skill,
                    urgency=event.urgency,
                    duration_s=event.duration_s,
                    region=event.region,
                    lat_udeg=event.lat_udeg,
                    lon_udeg=event.lon_udeg,
                    usual_parts=event.usual_parts,
                    now=facts.now(),
                )
            ]
        case RequestUnmerged() | RequestReopened():
            work = event.work
            if work is None or not work.needs_visit:
                return []  # It waits for what is missing, and what completes it opens its order; or nobody is to go.
            return [
                OpenOrder(
                    order_id=order_of(event.request_id, event.round_no),
                    request_id=event.request_id,
                    customer_id=event.customer_id,
                    device_id=work.device_id,
                    device_model=work.device_model,
                    request_type=work.request_type,
                    skill=work.skill,
                    urgency=work.urgency,
                    duration_s=work.duration_s,
                    region=work.region,
                    lat_udeg=work.lat_udeg,
                    lon_udeg=work.lon_udeg,
                    now=facts.now(),
                )
            ]
        case RequestWithdrawn() | RequestMerged() | RequestResolvedRemotely():
            return [WithdrawOrder(order_id=order_of(event.request_id, event.round_no))]
        case _:
            assert_never(event)


async def when_visit_changed(
    event: EngineerDeparted | VisitAborted | ServiceCompleted, envelope: Envelope, facts: Facts
) -> Sequence[StartOrder | ReturnOrder | FinishOrder]:
    match event:
        case EngineerDeparted():
            return [StartOrder(order_id=event.order_id, engineer_id=event.engineer_id)]
        case VisitAborted():
            return [ReturnOrder(order_id=event.order_id, engineer_id=event.engineer_id, reason=event.reason)]
        case ServiceCompleted():
            finish = FinishOrder(order_id=event.order_id, request_id=event.request_id, engineer_id=event.engineer_id)
            return [finish]
        case _:
            assert_never(event)


async def when_order_waits(
    event: OrderOpened | OrderDeclined | OrderReturned | AssignmentRetried, envelope: Envelope, facts: Facts
) -> Sequence[FreeHours | AssignOrder]:
    """Give back what it had, and look for the best engineers."""
    tenant, now = envelope.tenant, facts.now()
    rows = await facts.fetch(ONE_ORDER, tenant=tenant, order_id=event.order_id)
    if not rows:
        raise NotYet(f"order {event.order_id} is not on the board")
    frees = _given_back(event) if isinstance(event, OrderDeclined | OrderReturned) else []
    engineers = registered(await facts.fetch(ALL_ENGINEERS, tenant=tenant))
    booked = bookings(await facts.fetch(BOOKED_HOURS, tenant=tenant, **horizon(now)), besides=event.order_id)
    ranking = rank(work_of(rows[0]), engineers, booked, now, declined_by(rows[0]))
    best = [Candidate(engineer_id=engineer_id, day=offer.day) for engineer_id, offer in ranking.offers[:CANDIDATES]]
    if not best:
        return frees
    asked = AssignOrder(order_id=event.order_id, candidates=tuple(best), compared=len(engineers), now=now)
    return [*frees, asked]


async def when_order_is_let_go(
    event: OrderReassigned | OrderCancelled | OrderFinished, envelope: Envelope, facts: Facts
) -> Sequence[FreeHours]:
    return _given_back(event)


async def when_engineer_has_time(
    event: HoursFreed | EngineerRegistered, envelope: Envelope, facts: Facts
) -> Sequence[AssignOrder]:
    """Offer her the orders that wait, the urgent and then the old ones first. The other engineers have no more time."""
    now, one = facts.now(), {"tenant": envelope.tenant, "engineer_id": event.engineer_id}
    engineer = registered(await facts.fetch(ONE_ENGINEER, **one)).get(event.engineer_id)
    if engineer is None:
        raise NotYet(f"engineer {event.engineer_id} is not in the view")
    booked = bookings(await facts.fetch(HOURS_OF_ONE, **one, **horizon(now)))[event.engineer_id]
    asked: list[AssignOrder] = []
    waiting = await facts.fetch(WAITING_ORDERS, tenant=envelope.tenant)
    for row in sorted(waiting, key=lambda row: -POINTS_AN_HOUR[row["urgency"]]):
        if len(asked) == RETRIED:
            break
        work = work_of(row)
        if not can_do(work, engineer) or event.engineer_id in declined_by(row):
            continue
        offer = best_hours(work, engineer, booked, now)
        if isinstance(offer, Offer):
            candidate = Candidate(engineer_id=event.engineer_id, day=offer.day)
            asked.append(AssignOrder(order_id=work.order_id, candidates=(candidate,), compared=1, now=now))
    return asked


async def when_order_moves(
    event: OrderOpened
    | OrderAssigned
    | OrderDeclined
    | OrderReturned
    | OrderCancelled
    | EngineerArrived
    | ServiceCompleted,
    envelope: Envelope,
    facts: Facts,
) -> Sequence[StartClocks | MoveClocks]:
    """
    Start and move the clocks of the order, at the time when it happened.

    Whether it has clocks, the decision sees: the view may not yet show those that were started a moment ago.
    """
    if not await facts.fetch(ANY_SLA, tenant=envelope.tenant):
        return []
    now = facts.now()
    if isinstance(event, OrderOpened):
        return [
            StartClocks(
                order_id=event.order_id,
                request_id=event.request_id,
                request_type=event.request_type,
                urgency=event.urgency,
                opened_at=envelope.time,
                now=now,
            )
        ]
    at = envelope.time
    happening: Literal["assigned", "waiting", "arrived", "finished", "cancelled"]
    match event:
        case OrderAssigned():
            happening = "assigned"
        case OrderDeclined() | OrderReturned():
            happening = "waiting"
        case OrderCancelled():
            happening = "cancelled"
        case EngineerArrived():
            happening, at = "arrived", event.arrived_at or at
        case ServiceCompleted():
            happening, at = "finished", event.finished_at or at
        case _:
            assert_never(event)
    return [MoveClocks(order_id=event.order_id, happening=happening, happened_at=at, now=now)]


async def when_calendar_changed(event: CalendarChanged, envelope: Envelope, facts: Facts) -> Sequence[RestateClocks]:
    """Look again at every order whose clocks were measured by the days that changed, also those that have ended."""
    if not event.changed_from:
        return []
    # A day more on either side, as the days are those of the calendar's zone.
    first = _midnight(event.changed_from) - DAY_US
    last = _midnight(event.changed_until) + 2 * DAY_US if event.changed_until else LAST_US
    measured = await facts.fetch(
        MEASURED_BY, tenant=envelope.tenant, calendar_id=event.calendar_id, first=first, last=last
    )
    now = facts.now()
    orders = sorted({row["order_id"] for row in measured})
    return [RestateClocks(order_id=order_id, calendar_id=event.calendar_id, now=now) for order_id in orders]


DAY_US: Final = 86_400_000_000
LAST_US: Final = 2**62


def _midnight(day: str) -> int:
    return micros(EPOCH + (date.fromisoformat(day) - EPOCH.date()))


def _given_back(event: Any) -> list[FreeHours]:
    if event.frees is None:
        return []
    return [FreeHours(engineer_id=event.frees.engineer_id, day=event.frees.day, order_id=event.order_id)]


POLICIES = (
    Policy("follow-request", get_args(RequestChanged), when_request_changed),
    Policy("follow-visit", (EngineerDeparted, VisitAborted, ServiceCompleted), when_visit_changed),
    Policy("find-engineer", (OrderOpened, OrderDeclined, OrderReturned, AssignmentRetried), when_order_waits),
    Policy("give-hours-back", (OrderReassigned, OrderCancelled, OrderFinished), when_order_is_let_go),
    Policy("offer-free-hours", (HoursFreed, EngineerRegistered), when_engineer_has_time),
    Policy(
        "keep-clocks",
        (
            OrderOpened,
            OrderAssigned,
            OrderDeclined,
            OrderReturned,
            OrderCancelled,
            EngineerArrived,
            ServiceCompleted,
        ),
        when_order_moves,
    ),
    Policy("restate-clocks", (CalendarChanged,), when_calendar_changed),
)
