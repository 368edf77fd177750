"""An order: opened, given to an engineer, carried out; or given back, or cancelled."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, assert_never

from contracts.dispatcher import (
    AbsenceNoted,
    AbsenceNoteSettled,
    AssignmentOverdue,
    AssignmentRetried,
    DispatchRulesSet,
    EngineerDay,
    NobodyCan,
    OfferDeclined,
    OfferLapsed,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOffered,
    OrderOpened,
    OrderPaused,
    OrderQueued,
    OrderReassigned,
    OrderReturned,
    OrderStarted,
    OrderTaken,
    RuleCount,
    WithdrawalNoted,
    WithdrawalTakenBack,
)
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import (
    CancelOrder,
    DeclineOrder,
    FinishOrder,
    NoteNobody,
    OpenOrder,
    RecordHistory,
    RecordOverdue,
    RetryAssignment,
    ReturnOrder,
    SettleAbsenceNote,
    StartOrder,
    TakeBackOrders,
    UnassignOrder,
    WithdrawOrder,
)
from dispatcher.domain import dispatch_rules, engineer_day
from dispatcher.domain import engineer as engineers


@dataclass(frozen=True)
class Case:
    """What is kept from state to state while the order is open."""

    opened: OrderOpened
    declined: frozenset[str] = frozenset()
    """Engineers to whom it is not offered again."""
    overdue: bool = False


@dataclass(frozen=True)
class Unopened:
    """There is no such order."""


@dataclass(frozen=True)
class Offering:
    """Some engineers are asked whether they want it."""

    engineer_ids: frozenset[str]
    """Who may still take it."""
    until: datetime


@dataclass(frozen=True)
class Waiting:
    """It needs somebody."""

    case: Case
    attempts: int = 0
    offers: int = 0
    """How often it was offered since it began to wait."""
    offering: Offering | None = None
    nobody_can: bool = False
    """It is recorded that no engineer may ever go."""
    by_hand: bool = False
    """Somebody took it back and is to say who goes: until it is looked at again, it is not assigned by rule."""


@dataclass(frozen=True)
class Assigned:
    """Somebody has it and has not departed."""

    case: Case
    booked: EngineerDay
    though_absent: frozenset[str] = frozenset()
    """The absences that the person knew who gave it to her."""


@dataclass(frozen=True)
class UnderWay:
    """Somebody is on the way or at work."""

    case: Case
    booked: EngineerDay
    withdrawn: bool = False
    """The customer does not want it any more; what is done all the same is a fact."""
    though_absent: frozenset[str] = frozenset()
    noted: frozenset[str] = frozenset()
    """Absences of hers that somebody is to look at, as she is to be there and away at once."""


@dataclass(frozen=True)
class Finished:
    pass


@dataclass(frozen=True)
class Cancelled:
    pass


@dataclass(frozen=True)
class Historic:
    """Another system's order: it is only told of."""


Order = Unopened | Waiting | Assigned | UnderWay | Finished | Cancelled | Historic
OrderEvent = (
    OrderOpened
    | OrderQueued
    | OrderTaken
    | OrderPaused
    | OrderOffered
    | OfferDeclined
    | OfferLapsed
    | OrderAssigned
    | OrderReassigned
    | OrderStarted
    | OrderDeclined
    | OrderReturned
    | WithdrawalNoted
    | AbsenceNoted
    | AbsenceNoteSettled
    | WithdrawalTakenBack
    | AssignmentRetried
    | AssignmentOverdue
    | NobodyCan
    | OrderCancelled
    | OrderFinished
)
OrderCommand = (
    OpenOrder
    | DeclineOrder
    | UnassignOrder
    | CancelOrder
    | WithdrawOrder
    | StartOrder
    | ReturnOrder
    | FinishOrder
    | RecordOverdue
    | RetryAssignment
    | NoteNobody
    | RecordHistory
    | SettleAbsenceNote
)
INITIAL: Order = Unopened()


def stream(order_id: str) -> str:
    return f"order/{order_id}"


def decide(states: Mapping[str, Any], command: OrderCommand) -> list[Event]:
    order: Order = states[stream(command.order_id)]
    match command:
        case OpenOrder():
            return _open(order, command, dispatch_rules.in_force(states[dispatch_rules.STREAM], command.now))
        case DeclineOrder():
            return _decline(order, command)
        case UnassignOrder():
            return _unassign(order, command)
        case CancelOrder():
            return _cancel(order, command)
        case WithdrawOrder():
            return _withdraw(order, command)
        case StartOrder():
            return _start(order, command)
        case ReturnOrder():
            return _return(order, command)
        case FinishOrder():
            return _finish(order, command)
        case RecordOverdue():
            return _record_overdue(order, command)
        case RetryAssignment():
            return _retry(order, command)
        case NoteNobody():
            return _note_nobody(order, command)
        case RecordHistory():
            return _record_history(order, command)
        case SettleAbsenceNote():
            return _settle_absence_note(order, command)
        case _:
            assert_never(command)


def refusal(order: Order) -> Rejected:
    """Why this state does not allow what was asked."""
    match order:
        case Unopened():
            return Rejected("order.unknown")
        case Waiting():
            return Rejected("order.not-assigned")
        case Assigned(booked=booked):
            return Rejected("order.already-assigned", engineer_id=booked.engineer_id)
        case UnderWay(booked=booked):
            return Rejected("order.under-way", engineer_id=booked.engineer_id)
        case Finished():
            return Rejected("order.finished")
        case Cancelled():
            return Rejected("order.cancelled")
        case Historic():
            return Rejected("order.is-history")
        case _:
            assert_never(order)


def _open(order: Order, command: OpenOrder, rules: DispatchRulesSet) -> list[Event]:
    if not isinstance(order, Unopened):
        return []
    facts = command.model_dump(exclude={"now", "earlier_ids"})
    within = timedelta(minutes=rules.assign_minutes)
    opened = OrderOpened(
        **facts,
        assign_due_at=command.now + within,
        assign_within_s=int(within.total_seconds()),
        rules_version=rules.version,
    )
    return [opened]


def _decline(order: Order, command: DeclineOrder) -> list[Event]:
    match order:
        case Assigned(case=case, booked=booked) if booked.engineer_id == command.engineer_id:
            declined = OrderDeclined(
                order_id=command.order_id,
                request_id=case.opened.request_id,
                engineer_id=command.engineer_id,
                reason=command.reason,
                frees=booked,
                assign_within_s=case.opened.assign_within_s,
            )
            return [declined]
        case Waiting(case=case, offers=offers, offering=offering) if offering and (
            command.engineer_id in offering.engineer_ids
        ):
            return _decline_offer(case, offering, offers, command)
        case Waiting(case=case) if command.engineer_id in case.declined:
            return []
        case Assigned():
            raise Rejected("order.not-yours", order_id=command.order_id)
        case _:
            raise refusal(order)


def _unassign(order: Order, command: UnassignOrder) -> list[Event]:
    """She has refused nothing, and may be given it again; once she has departed, she has it."""
    match order:
        case Assigned(case=case, booked=booked):
            taken = OrderDeclined(
                order_id=command.order_id,
                request_id=case.opened.request_id,
                engineer_id=booked.engineer_id,
                reason=command.reason,
                frees=booked,
                cause="dispatcher",
                assign_within_s=case.opened.assign_within_s,
            )
            return [taken]
        case Waiting():
            return []
        case _:
            raise refusal(order)


def _decline_offer(case: Case, offering: Offering, offers: int, command: DeclineOrder) -> list[Event]:
    declined = OfferDeclined(
        order_id=command.order_id,
        request_id=case.opened.request_id,
        offer_no=offers,
        engineer_id=command.engineer_id,
        reason=command.reason,
        left=len(offering.engineer_ids) - 1,
    )
    return [declined]


def reads_of_absence(command: TakeBackOrders) -> tuple[str, ...]:
    """The day first: an order may hold two days, while the old one is about to be given back; then both are asked."""
    day = engineer_day.stream(command.engineer_id, command.day)
    return day, engineers.stream(command.engineer_id), *[stream(order_id) for order_id in command.order_ids]


def take_back(states: Mapping[str, Any], command: TakeBackOrders) -> list[Event]:
    """
    Each of the orders waits again for somebody, if she still has it for hours in which she is absent.

    Once she has departed she knows best, and a dispatcher is told; who gave it to her though she is absent knew it.
    """
    engineer: engineers.Engineer = states[engineers.stream(command.engineer_id)]
    day: engineer_day.Day = states[engineer_day.stream(command.engineer_id, command.day)]
    hers = EngineerDay(command.engineer_id, command.day)
    away = [one for one in engineers.absences_of(engineer) if one.absence_id == command.absence_id]
    taken: list[Event] = []
    for order_id in command.order_ids:
        hours = [booking for booking in day if booking.order_id == order_id]
        if any(one.overlaps(it.starts_at, it.ends_at) for one in away for it in hours):
            taken += _taken_back(states[stream(order_id)], hers, command.absence_id)
    return taken


def _taken_back(order: Order, hers: EngineerDay, absence_id: str) -> list[Event]:
    match order:
        case Assigned(booked=booked, though_absent=known) | UnderWay(booked=booked, though_absent=known) if (
            booked != hers or absence_id in known
        ):
            return []
        case Assigned(case=case, booked=booked):
            declined = OrderDeclined(
                order_id=case.opened.order_id,
                request_id=case.opened.request_id,
                engineer_id=hers.engineer_id,
                reason="absent",
                frees=booked,
                cause="absence",
                assign_within_s=case.opened.assign_within_s,
            )
            return [declined]
        case UnderWay(case=case, noted=noted) if absence_id not in noted:
            seen = AbsenceNoted(
                order_id=case.opened.order_id,
                request_id=case.opened.request_id,
                engineer_id=hers.engineer_id,
                absence_id=absence_id,
            )
            return [seen]
        case _:
            return []


def _settle_absence_note(order: Order, command: SettleAbsenceNote) -> list[Event]:
    match order:
        case UnderWay(case=case, noted=noted) if command.absence_id in noted:
            request_id = case.opened.request_id
            return [AbsenceNoteSettled(order_id=command.order_id, request_id=request_id, absence_id=command.absence_id)]
        case _:
            return []


def _cancel(order: Order, command: CancelOrder) -> list[Event]:
    match order:
        case Waiting(case=case):
            return [_cancelled(case, None, "dispatcher", command.note)]
        case Assigned(case=case, booked=booked):
            return [_cancelled(case, booked, "dispatcher", command.note)]
        case Cancelled():
            return []
        case _:
            raise refusal(order)


def _withdraw(order: Order, command: WithdrawOrder) -> list[Event]:
    match order:
        case Waiting(case=case):
            return [_cancelled(case, None, "request-withdrawn", corrected=command.corrected)]
        case Assigned(case=case, booked=booked):
            return [_cancelled(case, booked, "request-withdrawn", corrected=command.corrected)]
        case UnderWay(case=case, withdrawn=False):
            return [WithdrawalNoted(order_id=command.order_id, request_id=case.opened.request_id)]
        case UnderWay() | Unopened() | Finished() | Cancelled():
            return []  # Never opened: the request was withdrawn before it was complete.
        case Historic():
            raise refusal(order)
        case _:
            assert_never(order)


def _start(order: Order, command: StartOrder) -> list[Event]:
    match order:
        case Assigned(case=case, booked=booked) if booked.engineer_id == command.engineer_id:
            request_id = case.opened.request_id
            return [OrderStarted(order_id=command.order_id, request_id=request_id, engineer_id=command.engineer_id)]
        case UnderWay(booked=booked) if booked.engineer_id == command.engineer_id:
            return []
        case _:
            raise refusal(order)


def _return(order: Order, command: ReturnOrder) -> list[Event]:
    match order:
        case UnderWay(case=case, booked=booked, withdrawn=True) if booked.engineer_id == command.engineer_id:
            return [_cancelled(case, booked, "request-withdrawn")]
        case Assigned(case=case, booked=booked) | UnderWay(case=case, booked=booked) if (
            booked.engineer_id == command.engineer_id
        ):
            returned = OrderReturned(
                order_id=command.order_id,
                request_id=case.opened.request_id,
                engineer_id=command.engineer_id,
                reason=command.reason,
                frees=booked,
                assign_within_s=case.opened.assign_within_s,
            )
            return [returned]
        case _:
            return []  # It is somebody else's by now, or nobody's: her visit's end changes nothing.


def _finish(order: Order, command: FinishOrder) -> list[Event]:
    frees = None
    match order:
        case Unopened() | Historic():
            raise refusal(order)
        case Finished():
            return []
        case Assigned(booked=booked) | UnderWay(booked=booked):
            frees = None if booked.engineer_id == command.engineer_id else booked
        case Waiting() | Cancelled():
            pass  # The work is done, so it wins.
        case _:
            assert_never(order)
    finished = OrderFinished(
        order_id=command.order_id,
        request_id=command.request_id,
        engineer_id=command.engineer_id,
        outcome="completed_after_cancellation" if isinstance(order, Cancelled) else "completed",
        frees=frees,
    )
    return [finished]


def _record_overdue(order: Order, command: RecordOverdue) -> list[Event]:
    match order:
        case Waiting(case=case) if not case.overdue:
            request_id = case.opened.request_id
            return [AssignmentOverdue(order_id=command.order_id, request_id=request_id, due_at=command.due_at)]
        case _:
            return []


def _retry(order: Order, command: RetryAssignment) -> list[Event]:
    match order:
        case Waiting(case=case, attempts=attempts):
            request_id = case.opened.request_id
            return [AssignmentRetried(order_id=command.order_id, request_id=request_id, attempt=attempts + 1)]
        case _:
            return []


def _note_nobody(order: Order, command: NoteNobody) -> list[Event]:
    match order:
        case Waiting(case=case, nobody_can=False):
            excluded = tuple([RuleCount(rule, count) for rule, count in command.excluded])
            ids = {"order_id": command.order_id, "request_id": case.opened.request_id}
            return [NobodyCan(compared=command.compared, excluded=excluded, **ids)]
        case _:
            return []


def _record_history(order: Order, command: RecordHistory) -> list[Event]:
    match order:
        case Unopened() | Historic():
            if any(isinstance(event, OrderOpened) and event.assign_due_at for event in command.events):
                raise Rejected("history.has-a-deadline", order_id=command.order_id)
            return list(command.events)
        case _:
            raise Rejected("order.is-no-history", order_id=command.order_id)


def _cancelled(
    case: Case, booked: EngineerDay | None, reason: Any, note: str = "", *, corrected: bool = False
) -> OrderCancelled:
    ids = {"order_id": case.opened.order_id, "request_id": case.opened.request_id}
    return OrderCancelled(reason=reason, note=note, frees=booked, corrected=corrected, **ids)


def evolve(order: Order, event: OrderEvent) -> Order:
    if isinstance(order, Historic):
        return order
    match event:
        case OrderOpened(assign_due_at=None):
            return Historic()
        case OrderOpened():
            return Waiting(Case(event))
        case OrderOffered():
            offering = Offering(frozenset(event.engineer_ids), event.offered_until)
            return replace(_waiting(order), offers=event.offer_no, offering=offering)
        case OfferDeclined():
            return _without(_waiting(order), event)
        case OfferLapsed():
            return replace(_waiting(order), offering=None)
        case OrderAssigned() | OrderReassigned():
            booked = EngineerDay(event.engineer_id, event.day)
            return Assigned(_case(order), booked, frozenset(event.though_absent))
        case OrderStarted():
            known = order.though_absent if isinstance(order, Assigned) else frozenset()
            return UnderWay(_case(order), _booked(order), though_absent=known)
        case WithdrawalNoted():
            return replace(_under_way(order), withdrawn=True)
        case AbsenceNoted():
            return replace(_under_way(order), noted=_under_way(order).noted | {event.absence_id})
        case AbsenceNoteSettled():
            return replace(_under_way(order), noted=_under_way(order).noted - {event.absence_id})
        case WithdrawalTakenBack():
            return replace(_under_way(order), withdrawn=False)
        case OrderDeclined(cause="dispatcher"):
            return Waiting(_case(order), by_hand=True)
        case OrderDeclined(cause="absence"):
            return Waiting(_case(order))
        case OrderDeclined():
            case = _case(order)
            return Waiting(replace(case, declined=case.declined | {event.engineer_id}))
        case OrderReturned():
            return Waiting(_case(order))
        case AssignmentRetried():
            return replace(_waiting(order), attempts=event.attempt, by_hand=False)
        case NobodyCan():
            return replace(_waiting(order), nobody_can=True)
        case AssignmentOverdue():
            return replace(order, case=replace(order.case, overdue=True)) if isinstance(order, Waiting) else order
        case OrderCancelled():
            return Cancelled()
        case OrderFinished():
            return Finished()
        case OrderQueued() | OrderTaken() | OrderPaused():
            return order
        case _:
            assert_never(event)


def _case(order: Order) -> Case:
    assert isinstance(order, Waiting | Assigned | UnderWay), order
    return order.case


def _waiting(order: Order) -> Waiting:
    assert isinstance(order, Waiting), order
    return order


def _under_way(order: Order) -> UnderWay:
    assert isinstance(order, UnderWay), order
    return order


def _without(order: Waiting, event: OfferDeclined) -> Waiting:
    """The same, after this engineer declined the offer, or cannot answer."""
    assert order.offering is not None, order
    left = order.offering.engineer_ids - {event.engineer_id}
    refused = order.case.declined | ({event.engineer_id} if event.cause == "engineer" else set())
    case = replace(order.case, declined=refused)
    return replace(order, case=case, offering=replace(order.offering, engineer_ids=left) if left else None)


def _booked(order: Order) -> EngineerDay:
    assert isinstance(order, Assigned | UnderWay), order
    return order.booked
