"""
What the dispatcher does when something has happened, elsewhere or here.

The views are as new as the event when a policy looks at them. They narrow a thousand engineers to a few; the decision
reads those few from their streams.
"""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final, Literal, assert_never, get_args

from contracts.dispatcher import (
    AbsenceCalledOff,
    AssignmentRetried,
    BetterDaysDue,
    CalendarChanged,
    EngineerAbsent,
    EngineerRegistered,
    HoursFreed,
    OfferDeclined,
    OfferLapsed,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOpened,
    OrderReassigned,
    OrderReturned,
    ReplanAsked,
    RestatementAdvanced,
    RestatementBegun,
    RulesTrialAsked,
)
from contracts.envelope import Envelope
from contracts.fieldwork import EngineerArrived, EngineerDeparted, ServiceCompleted, VisitAborted
from contracts.intake import (
    RequestClosed,
    RequestCorrected,
    RequestMerged,
    RequestReceived,
    RequestReopened,
    RequestResolvedRemotely,
    RequestTypeDefined,
    RequestUnmerged,
    RequestWithdrawn,
    Urgency,
)
from contracts.inventory import PartsShort
from contracts.problems import NotYet
from dispatcher.adapters.map_ways import ways_of_map
from dispatcher.adapters.sla_pack import shipped_slas
from dispatcher.batches import Free, Order, Together, engineers_together, orders_together
from dispatcher.better_days import LOOKED_FOR_WITHIN, when_better_day_is_asked, when_better_days_are_due
from dispatcher.commands import (
    AssignOrder,
    BeginRestatement,
    Candidate,
    DefineCalendar,
    DefineSla,
    FinishOrder,
    FreeHours,
    MoveClocks,
    NoteNobody,
    OfferOrder,
    OpenOrder,
    PartsInVans,
    Replan,
    RestatePage,
    ReturnOrder,
    SettleAbsenceNote,
    StartClocks,
    StartOrder,
    TakeBackOffer,
    TakeBackOrders,
    WithdrawOrder,
)
from dispatcher.domain.dispatch_rules import is_offered_first
from dispatcher.domain.matching import NO_PARTS, Proposal, Ranking, propose, rank_in_turns
from dispatcher.domain.pool import is_away
from dispatcher.domain.suited import Work
from dispatcher.fleets import FLEETS
from dispatcher.gathering import GATHERINGS, Gathering
from dispatcher.learning import when_somebody_arrives
from dispatcher.projections.board import (
    NOTED_FOR,
    OFFERED_ORDERS,
    ONE_ORDER,
    WAITING_ORDERS,
    declined_by,
    offered_before,
    offered_to,
    work_of,
)
from dispatcher.projections.clocks import HOW_MANY_MEASURED_BY, MEASURED_BY
from dispatcher.projections.dispatch_rules import rules_now
from dispatcher.projections.engineer_days import BOOKED_HOURS, HOURS_OF_ONE, bookings, days_of, horizon
from dispatcher.projections.engineers import ALL_ENGINEERS, ONE_ENGINEER, Engineers
from dispatcher.projections.parts import parts_in_vans
from dispatcher.projections.slas import ANY_SLA
from dispatcher.projections.travel import ways_now
from dispatcher.replanning import Plan, as_command
from dispatcher.shortages import when_parts_are_short
from dispatcher.trials import TRIED_WITHIN, when_trial_is_asked
from services.chassis.clock import EPOCH, at_micros, micros
from services.chassis.ids import derived_id
from services.chassis.service import Facts, Policy

CANDIDATES: Final = 8
"""So many engineers go into a decision: some of them may be taken by others at the same moment."""

URGENCIES: Final = get_args(Urgency)
"""The least urgent first."""
RESTATED_AT_ONCE: Final = 100
"""Orders in one commit of a restatement: what else is to be recorded waits no longer than that."""

RETRIED: Final = 20
"""The most waiting orders that are offered to an engineer who has time again."""


def order_of(request_id: str, round_no: int = 1) -> str:
    """A request has one order in each of its rounds, so that what ends it finds it without looking anywhere."""
    return derived_id("order", request_id, *([str(round_no)] if round_no > 1 else []))


def earlier_orders(request_id: str, round_no: int) -> tuple[str, ...]:
    """Those of the rounds before, the first one first."""
    return tuple(order_of(request_id, earlier) for earlier in range(1, round_no))


RequestChanged = (
    RequestReceived
    | RequestCorrected
    | RequestWithdrawn
    | RequestMerged
    | RequestUnmerged
    | RequestReopened
    | RequestResolvedRemotely
    | RequestClosed
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
                    skill_level=event.skill_level,
                    certificates=event.certificates,
                    wished_engineer_id=event.wished_engineer_id,
                    number=event.number,
                    more_skills=event.more_skills,
                    sla=event.sla,
                    usual_parts=event.usual_parts,
                    now=facts.now(),
                )
            ]
        case RequestUnmerged() | RequestReopened() | RequestCorrected():
            work = event.work
            if work is None or not work.needs_visit:
                return []  # It waits for what is missing, and what completes it opens its order; or nobody is to go.
            earlier = earlier_orders(event.request_id, event.round_no)
            done = event.done_order_id if isinstance(event, RequestReopened) else ""
            withdrawn: list[WithdrawOrder] = []
            asked_at = None
            if isinstance(event, RequestCorrected):
                # Who is under way by then went upon wrong facts, and serves the request no more.
                *before, wrong = earlier
                withdrawn = [WithdrawOrder(order_id=wrong, earlier_ids=tuple(before), corrected=True)]
                earlier, asked_at = (), event.received_at
            return [
                *withdrawn,
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
                    skill_level=work.skill_level,
                    certificates=work.certificates,
                    wished_engineer_id=work.wished_engineer_id,
                    more_skills=work.more_skills,
                    sla=work.sla,
                    usual_parts=work.usual_parts,
                    # Whose work was done is at its end, whether word of it is here or not.
                    earlier_ids=tuple([one for one in earlier if one != done]),
                    asked_at=asked_at,
                    now=facts.now(),
                ),
            ]
        case RequestWithdrawn() | RequestMerged() | RequestResolvedRemotely():
            earlier = earlier_orders(event.request_id, event.round_no)
            return [WithdrawOrder(order_id=order_of(event.request_id, event.round_no), earlier_ids=earlier)]
        case RequestClosed(round_no=1):
            return []
        case RequestClosed():
            rounds = earlier_orders(event.request_id, event.round_no + 1)
            return [WithdrawOrder(order_id=one) for one in rounds if event.order_id not in ("", one)]
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


async def in_turns(turns: Generator[None, None, Ranking]) -> Ranking:
    """
    What `rank_in_turns` finds.

    A thousand engineers are some hundredths of a second of work; in between, others' calls are answered. What is
    compared was read before, so that nothing that happens meanwhile is in it.
    """
    while True:
        try:
            next(turns)
        except StopIteration as done:
            ranking: Ranking = done.value
            return ranking
        await asyncio.sleep(0)


OrderWaits = OrderOpened | OrderDeclined | OrderReturned | OfferDeclined | OfferLapsed | AssignmentRetried


async def when_order_waits(
    event: OrderWaits, envelope: Envelope, facts: Facts
) -> Sequence[FreeHours | OfferOrder | AssignOrder | Replan | NoteNobody]:
    """
    Give back what it had, and look for the best engineers: to offer it to them, or to give it to one. Orders that come
    at the same moment are looked at together.
    """
    if isinstance(event, OfferDeclined) and event.left:
        return []  # Somebody may still take it.
    async with GATHERINGS.entered(facts, "orders", envelope.tenant) as others:
        return await _looked_for(event, envelope, facts, others)


async def _looked_for(
    event: OrderWaits, envelope: Envelope, facts: Facts, others: Gathering
) -> Sequence[FreeHours | OfferOrder | AssignOrder | Replan | NoteNobody]:
    tenant, now = envelope.tenant, facts.now()
    rows = await facts.fetch(ONE_ORDER, tenant=tenant, order_id=event.order_id)
    if not rows:
        raise NotYet(f"order {event.order_id} is not on the board")
    frees = _given_back(event) if isinstance(event, OrderDeclined | OrderReturned) else []
    if isinstance(event, OrderDeclined) and event.cause == "dispatcher":
        return frees  # Whoever took it back says who goes; later it is looked at again.
    if rows[0]["offered_until"] is not None:
        return frees  # When nobody takes it, it is looked at again.
    rules = await rules_now(facts, tenant, now)
    engineers, glance = FLEETS.of(facts, tenant, await facts.fetch(ALL_ENGINEERS, tenant=tenant))
    ahead = horizon(now, rules.horizon_days)
    booked = bookings(await facts.fetch(BOOKED_HOURS, tenant=tenant, **ahead), besides=event.order_id)
    work, before = work_of(rows[0]), offered_before(rows[0])
    parts = await parts_in_vans(facts, tenant, rows[0])
    asked_first = bool(before) or is_offered_first(rules, rows[0]["request_type"], work.urgency)
    ways = await ways_now(facts, tenant, rules)
    together: Together | None = None
    if not asked_first and isinstance(event, OrderOpened | AssignmentRetried) and rows[0]["state"] == "waiting":
        # Nothing is given back of such, so that the days are the same for all.
        mine = Order(work, declined_by(rows[0]), parts)
        together = await others.joined(
            mine, lambda all_of: orders_together(all_of, engineers, booked, now, rules, ways)
        )
    if together:
        ranking = together.ranking
    else:
        # Whom it was offered to is passed over, so that of those who are asked nobody knows how many are looked at.
        most = None if asked_first else CANDIDATES
        declined = declined_by(rows[0])
        turns = rank_in_turns(work, engineers, booked, now, declined, rules, parts, most, ways, glance)
        ranking = await in_turns(turns)
    if asked_first:
        until = now + timedelta(minutes=rules.offer_minutes)
        fresh = [
            engineer_id
            for engineer_id, _ in ranking.proposals
            if engineer_id not in before and not is_away(engineers[engineer_id], now, until)
        ]
        if fresh:
            offer = OfferOrder(order_id=event.order_id, engineer_ids=tuple(fresh[: rules.offer_to]), now=now)
            return [*frees, offer]
    best = ranking.proposals[:CANDIDATES]
    if not best and engineers and not ranking.excluded.hours:
        excluded = tuple(sorted(ranking.excluded.counts().items()))
        return [*frees, NoteNobody(order_id=event.order_id, compared=len(engineers), excluded=excluded)]
    if not best and work.urgency == "critical":
        plan = await Plan.read(facts, tenant, now)
        found = plan.repaired([event.order_id], displacing=True)
        urgent = [as_command(found, derived_id("replan", envelope.id), "urgent", now)] if found.moves else []
        return [*frees, *urgent]
    if not best:
        return frees
    candidates = [(engineer_id, found.day) for engineer_id, found in best]
    if together and together.given:
        meant = together.given.engineer_id, together.given.proposal.day
        candidates = [meant, *[one for one in candidates if one[0] != meant[0]]][:CANDIDATES]
    days = [(engineers[name].home, booked[name].get(day, ())) for name, day in candidates]
    assign = AssignOrder(
        order_id=event.order_id,
        candidates=tuple([Candidate(engineer_id=engineer_id, day=day) for engineer_id, day in candidates]),
        compared=len(engineers),
        wished=ranking.excluded.get(work.wished, ()),
        excluded=tuple(sorted(ranking.excluded.counts().items())),
        parts=parts.of_vans(engineers[engineer_id].van_id for engineer_id, _ in candidates),
        meant=together.given.engineer_id if together and together.given else "",
        batch=together.orders if together else 0,
        ways=await ways_of_map(facts.outside, work.place, days),
        now=now,
    )
    return [*frees, assign]


Absence = Replan | TakeBackOrders | TakeBackOffer | SettleAbsenceNote


async def when_absence_changes(
    event: EngineerAbsent | AbsenceCalledOff, envelope: Envelope, facts: Facts
) -> Sequence[Absence]:
    """
    What is booked in the time of her absence goes to somebody else: what has a place there, at the promised hours if
    they can be kept, in one step; the rest waits again. Where she has departed, it comes before a dispatcher. What is
    offered to her goes to others. What a dispatcher was to look at is settled when the absence is called off.
    """
    one = {"tenant": envelope.tenant, "engineer_id": event.engineer_id}
    if isinstance(event, AbsenceCalledOff):
        noted = await facts.fetch(NOTED_FOR, **one, absence_id=event.absence_id)
        return [SettleAbsenceNote(order_id=row["order_id"], absence_id=event.absence_id) for row in noted]
    rows = await facts.fetch(HOURS_OF_ONE, **one, **days_of(event.starts_at, event.ends_at))
    meant: dict[str, list[str]] = {}
    for day, booked in sorted(bookings(rows)[event.engineer_id].items()):
        for booking in booked:
            if booking.starts_at < event.ends_at and event.starts_at < booking.ends_at:
                meant.setdefault(day, []).append(booking.order_id)
    taken: list[Absence] = [
        TakeBackOrders(order_ids=tuple(orders), engineer_id=event.engineer_id, day=day, absence_id=event.absence_id)
        for day, orders in meant.items()
    ]
    moved = await _moved_away(event, [one for orders in meant.values() for one in orders], envelope, facts)
    # Of what is moved there is nothing left to take back.
    return moved + taken + await _offers_missed(event, envelope, facts)


async def _moved_away(
    event: EngineerAbsent, order_ids: Sequence[str], envelope: Envelope, facts: Facts
) -> list[Absence]:
    if not order_ids:
        return []
    plan = await Plan.read(facts, envelope.tenant, facts.now())
    found = plan.repaired(order_ids, displacing=False)
    if not found.moves:
        return []
    return [as_command(found, derived_id("replan", envelope.id), "absence", facts.now(), absence_id=event.absence_id)]


async def _offers_missed(event: EngineerAbsent, envelope: Envelope, facts: Facts) -> list[Absence]:
    """Offers that she cannot answer in time, and those for which her absence leaves her no hours."""
    now, tenant = facts.now(), envelope.tenant
    offered = [row for row in await facts.fetch(OFFERED_ORDERS, tenant=tenant) if event.engineer_id in offered_to(row)]
    if not offered:
        return []
    one = {"tenant": tenant, "engineer_id": event.engineer_id}
    engineer = Engineers(await facts.fetch(ONE_ENGINEER, **one))[event.engineer_id]
    rules = await rules_now(facts, tenant, now)
    booked = bookings(await facts.fetch(HOURS_OF_ONE, **one, **horizon(now, rules.horizon_days)))[event.engineer_id]

    ways = await ways_now(facts, tenant, rules)

    def misses(row: Mapping[str, Any]) -> bool:
        if event.starts_at < at_micros(row["offered_until"]) and now < event.ends_at:
            return True
        found = propose(work_of(row), event.engineer_id, engineer, booked, now, (), rules, ways=ways)
        return not isinstance(found, Proposal)

    return [
        TakeBackOffer(order_id=row["order_id"], engineer_id=event.engineer_id, absence_id=event.absence_id)
        for row in offered
        if misses(row)
    ]


async def when_order_is_let_go(
    event: OrderReassigned | OrderCancelled | OrderFinished, envelope: Envelope, facts: Facts
) -> Sequence[FreeHours]:
    return _given_back(event)


async def when_engineer_has_time(
    event: HoursFreed | EngineerRegistered | AbsenceCalledOff, envelope: Envelope, facts: Facts
) -> Sequence[AssignOrder | OfferOrder]:
    """
    Give her the orders that wait, the urgent and then the old ones first; or offer them, where that comes first. The
    other engineers have no more time. Where several have time at the same moment, they are looked at together.
    """
    async with GATHERINGS.entered(facts, "engineers", envelope.tenant) as others:
        return await _given_to_her(event.engineer_id, envelope, facts, others)


async def _given_to_her(
    engineer_id: str, envelope: Envelope, facts: Facts, others: Gathering
) -> Sequence[AssignOrder | OfferOrder]:
    now, one = facts.now(), {"tenant": envelope.tenant, "engineer_id": engineer_id}
    engineer = Engineers(await facts.fetch(ONE_ENGINEER, **one)).get(engineer_id)
    if engineer is None:
        raise NotYet(f"engineer {engineer_id} is not in the view")
    rules = await rules_now(facts, envelope.tenant, now)
    ahead = horizon(now, rules.horizon_days)
    booked = bookings(await facts.fetch(HOURS_OF_ONE, **one, **ahead))[engineer_id]
    ways = await ways_now(facts, envelope.tenant, rules)
    waiting = await facts.fetch(WAITING_ORDERS, tenant=envelope.tenant)
    urgent_first = sorted(waiting, key=lambda row: -URGENCIES.index(row["urgency"]))
    asked: list[AssignOrder | OfferOrder] = []
    known_parts: dict[str, PartsInVans] = {}
    hers: list[tuple[Mapping[str, Any], Work, str]] = []
    for row in urgent_first:
        if len(hers) + len(asked) == RETRIED:
            break
        if row["offered_until"] is not None:
            continue
        work = work_of(row)
        found = propose(work, engineer_id, engineer, booked, now, declined_by(row), rules, ways=ways)
        if not isinstance(found, Proposal):
            continue
        first = is_offered_first(rules, row["request_type"], work.urgency)
        until = now + timedelta(minutes=rules.offer_minutes)
        if first and engineer_id not in offered_before(row) and not is_away(engineer, now, until):
            asked.append(OfferOrder(order_id=work.order_id, engineer_ids=(engineer_id,), now=now))
        else:
            known_parts[work.order_id] = await parts_in_vans(facts, envelope.tenant, row, engineer.van_id)
            hers.append((row, work, found.day))
    wants = [Order(work, declined_by(row), known_parts[work.order_id]) for row, work, _ in hers]
    free = Free(engineer_id, engineer, booked, wants)
    together = await others.joined(free, lambda all_of: engineers_together(all_of, now, rules, ways)) if hers else None
    days = {work.order_id: day for _, work, day in hers}
    if together:
        days = {one.order_id: one.proposal.day for one in together.given}
    places = {work.order_id: work.place for _, work, _ in hers}
    for order_id, day in days.items():
        her_day = engineer.home, booked.get(day, ())
        asked.append(
            AssignOrder(
                order_id=order_id,
                candidates=(Candidate(engineer_id=engineer_id, day=day),),
                compared=together.engineers if together else 1,
                parts=known_parts.get(order_id, NO_PARTS),
                batch=together.orders if together else 0,
                ways=await ways_of_map(facts.outside, places[order_id], [her_day]) if order_id in places else None,
                now=now,
            )
        )
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
    now = facts.now()
    if isinstance(event, OrderOpened):
        if not await facts.fetch(ANY_SLA, tenant=envelope.tenant):
            return []  # What happens to the order is recorded all the same: something may be promised later.
        return [
            StartClocks(
                order_id=event.order_id,
                request_id=event.request_id,
                request_type=event.request_type,
                urgency=event.urgency,
                sla=event.sla,
                opened_at=event.asked_at or envelope.time,
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
    ids = {"order_id": event.order_id, "request_id": event.request_id}
    return [MoveClocks(**ids, happening=happening, happened_at=at, now=now)]


async def when_calendar_changed(
    event: CalendarChanged | RestatementBegun | RestatementAdvanced, envelope: Envelope, facts: Facts
) -> Sequence[BeginRestatement | RestatePage]:
    """
    Look again at every order whose clocks were measured by the days that changed, also those that have ended.

    One page asks for the next, so that a history of any length is gone through, and goes on where it was broken off.
    """
    match event:
        case CalendarChanged(changed_from=""):
            return []
        case CalendarChanged():
            days = _days(event.calendar_id, event.changed_from, event.changed_until)
            (count,) = await facts.fetch(HOW_MANY_MEASURED_BY, tenant=envelope.tenant, **days)
            begun = BeginRestatement(
                calendar_id=event.calendar_id,
                revision=event.revision,
                changed_from=event.changed_from,
                changed_until=event.changed_until,
                orders=count["orders"],
            )
            return [begun]
        case RestatementBegun():
            return await _next_page(event, "", envelope, facts)
        case RestatementAdvanced(done=True):
            return []
        case RestatementAdvanced():
            return await _next_page(event, event.upto, envelope, facts)
        case _:
            assert_never(event)


async def _next_page(
    event: RestatementBegun | RestatementAdvanced, after: str, envelope: Envelope, facts: Facts
) -> Sequence[RestatePage]:
    days = _days(event.calendar_id, event.changed_from, event.changed_until)
    rows = await facts.fetch(MEASURED_BY, tenant=envelope.tenant, after=after, limit=RESTATED_AT_ONCE, **days)
    page = RestatePage(
        calendar_id=event.calendar_id,
        revision=event.revision,
        after=after,
        order_ids=tuple(row["order_id"] for row in rows),
        done=len(rows) < RESTATED_AT_ONCE,
        now=facts.now(),
    )
    return [page]


def _days(calendar_id: str, first: str, last: str) -> Mapping[str, str | int]:
    """A day more on either side, as the days are those of the calendar's zone."""
    upto = _midnight(last) + 2 * DAY_US if last else LAST_US
    return {"calendar_id": calendar_id, "first": _midnight(first) - DAY_US, "last": upto}


DAY_US: Final = 86_400_000_000
LAST_US: Final = 2**62


def _midnight(day: str) -> int:
    return micros(EPOCH + (date.fromisoformat(day) - EPOCH.date()))


def _given_back(event: Any) -> list[FreeHours]:
    if event.frees is None:
        return []
    return [FreeHours(engineer_id=event.frees.engineer_id, day=event.frees.day, order_id=event.order_id)]


async def when_type_names_sla(
    event: RequestTypeDefined, envelope: Envelope, facts: Facts
) -> list[DefineCalendar | DefineSla]:
    """
    The service level that a type of a starter pack names is defined with the first type that names it, and the calendar
    that it is measured by.

    What the company has defined itself stays: the command is refused then.
    """
    shipped = shipped_slas().get(event.sla)
    if shipped is None:
        return []
    asked = DefineSla(
        sla_id=event.sla,
        name=shipped.name,
        request_types=(event.type_id,),
        clocks=shipped.clocks,
        now=envelope.recorded_at,
    )
    return [shipped.calendar, asked] if shipped.calendar else [asked]


POLICIES = (
    Policy("follow-request", get_args(RequestChanged), when_request_changed),
    Policy("follow-visit", (EngineerDeparted, VisitAborted, ServiceCompleted), when_visit_changed),
    Policy("define-shipped-sla", (RequestTypeDefined,), when_type_names_sla),
    Policy("find-engineer", get_args(OrderWaits), when_order_waits),
    Policy("take-back-orders", (EngineerAbsent, AbsenceCalledOff), when_absence_changes),
    Policy("give-hours-back", (OrderReassigned, OrderCancelled, OrderFinished), when_order_is_let_go),
    Policy("offer-free-hours", (HoursFreed, EngineerRegistered, AbsenceCalledOff), when_engineer_has_time),
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
    Policy("replan-short-orders", (PartsShort,), when_parts_are_short),
    Policy("learn-travel", (EngineerArrived,), when_somebody_arrives),
    Policy("try-draft", (RulesTrialAsked,), when_trial_is_asked, stale_after=TRIED_WITHIN),
    Policy("better-days", (BetterDaysDue,), when_better_days_are_due, stale_after=LOOKED_FOR_WITHIN),
    Policy("better-day", (ReplanAsked,), when_better_day_is_asked, stale_after=LOOKED_FOR_WITHIN),
    Policy("restate-clocks", (CalendarChanged, RestatementBegun, RestatementAdvanced), when_calendar_changed),
)
