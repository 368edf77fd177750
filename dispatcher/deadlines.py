"""The dispatcher's deadlines: assigned by when, when to look again, how long an offer stands, marks of SLA clocks."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.dispatcher import (
    AssignmentRetried,
    BetterDaysDue,
    ClockName,
    ClocksMoved,
    ClocksStarted,
    DispatchRulesSet,
    FactCorrected,
    OfferDeclined,
    OfferLapsed,
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOffered,
    OrderOpened,
    OrderReturned,
    SlaChanged,
    SlaRestated,
    SlaWarned,
    SlotHeld,
)
from contracts.envelope import Envelope
from contracts.event import Event
from dispatcher.commands import LapseOffer, LookForBetterDays, RecordOverdue, ReleaseSlot, RetryAssignment, TellMark
from services.chassis.clock import at_micros
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey

OVERDUE: Final = "assignment-overdue"
AGAIN: Final = "assign-again"
OFFER: Final = "offer-lapses"
SLOT: Final = "slot-held"
BETTER: Final = "better-days"

CLOCK_OF: Final[Mapping[str, ClockName]] = {"sla-assign": "assign", "sla-arrive": "arrive", "sla-fix": "fix"}
"""A timer for each clock of an order: its next mark, 50, 75 or 100 percent of the time."""

FIRST_PAUSE: Final = timedelta(minutes=1)
BY_HAND: Final = timedelta(minutes=15)
"""So long whoever took an order back has to say who goes."""
LONGEST_PAUSE: Final = timedelta(hours=1)
"""Looking again is for what time alone brings, a new day within the horizon or a lost race; each doubles the pause."""


def when_opened(event: OrderOpened, envelope: Envelope) -> Sequence[Arm]:
    return _both(event.order_id, event.assign_due_at, envelope.recorded_at + FIRST_PAUSE)


def when_it_waits_again(event: OrderDeclined | OrderReturned, envelope: Envelope) -> Sequence[Arm]:
    """Its time anew; an order that was overdue once does not become so again."""
    overdue = envelope.recorded_at + timedelta(seconds=event.assign_within_s)
    by_hand = isinstance(event, OrderDeclined) and event.cause == "dispatcher"
    return _both(event.order_id, overdue, envelope.recorded_at + (BY_HAND if by_hand else FIRST_PAUSE))


def when_settled(event: OrderAssigned | OrderCancelled | OrderFinished, envelope: Envelope) -> Sequence[Arm]:
    settled = _both(event.order_id, None, None)
    if isinstance(event, OrderAssigned) and event.chosen_by == "rule":
        return settled  # Nothing that is on offer is assigned by rule.
    return [*settled, Arm(OFFER, event.order_id, None)]


def when_offered(event: OrderOffered, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(OFFER, event.order_id, event.offered_until)]


def when_offer_ends(event: OfferDeclined | OfferLapsed, envelope: Envelope) -> Sequence[Arm]:
    return [] if isinstance(event, OfferDeclined) and event.left else [Arm(OFFER, event.order_id, None)]


def when_retried(event: AssignmentRetried, envelope: Envelope) -> Sequence[Arm]:
    pause = min(FIRST_PAUSE * 2 ** min(event.attempt, 10), LONGEST_PAUSE)
    return [Arm(AGAIN, event.order_id, envelope.recorded_at + pause)]


def _both(order_id: str, overdue: datetime | None, again: datetime | None) -> Sequence[Arm]:
    return [Arm(OVERDUE, order_id, overdue), Arm(AGAIN, order_id, again)]


def when_clocks_stand(
    event: ClocksStarted | ClocksMoved | SlaChanged | FactCorrected | SlaRestated, envelope: Envelope
) -> Sequence[Arm]:
    return [Arm(f"sla-{standing.clock}", event.order_id, standing.next_at) for standing in event.standings]


def when_warned(event: SlaWarned, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(f"sla-{event.clock}", event.order_id, event.next_at)]


def when_held(event: SlotHeld, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(SLOT, f"{event.engineer_id}/{event.day}/{event.slot_id}", event.held_until)]


def when_rules_are_set(event: DispatchRulesSet, envelope: Envelope) -> Sequence[Arm]:
    """From when they hold. The look of an earlier version ends by itself once it holds no more."""
    if not event.better_every_minutes:
        return []
    pause = timedelta(minutes=event.better_every_minutes)
    return [Arm(BETTER, str(event.version), max(event.effective_from, envelope.recorded_at) + pause)]


def when_looked_for(event: BetterDaysDue, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(BETTER, str(event.rules_version), envelope.recorded_at + timedelta(minutes=event.next_minutes))]


TIMERS: Mapping[type[Event], Callable[[Any, Envelope], Sequence[Arm]]] = {
    OrderOpened: when_opened,
    OrderDeclined: when_it_waits_again,
    OrderReturned: when_it_waits_again,
    AssignmentRetried: when_retried,
    OrderOffered: when_offered,
    OfferDeclined: when_offer_ends,
    OfferLapsed: when_offer_ends,
    OrderAssigned: when_settled,
    OrderCancelled: when_settled,
    OrderFinished: when_settled,
    ClocksStarted: when_clocks_stand,
    ClocksMoved: when_clocks_stand,
    SlaChanged: when_clocks_stand,
    FactCorrected: when_clocks_stand,
    SlaRestated: when_clocks_stand,
    SlaWarned: when_warned,
    SlotHeld: when_held,
    DispatchRulesSet: when_rules_are_set,
    BetterDaysDue: when_looked_for,
}


def record_overdue(key: TimerKey, timer: Timer) -> RecordOverdue:
    return RecordOverdue(order_id=key.key, due_at=at_micros(timer.due))


def retry(key: TimerKey, timer: Timer) -> RetryAssignment:
    return RetryAssignment(order_id=key.key)


def lapse(key: TimerKey, timer: Timer) -> LapseOffer:
    return LapseOffer(order_id=key.key, due_at=at_micros(timer.due))


def tell_mark(key: TimerKey, timer: Timer) -> TellMark:
    return TellMark(order_id=key.key, clock=CLOCK_OF[key.name], due_at=at_micros(timer.due))


def release(key: TimerKey, timer: Timer) -> ReleaseSlot:
    engineer_id, day, slot_id = key.key.rsplit("/", 2)
    return ReleaseSlot(slot_id=slot_id, engineer_id=engineer_id, day=day, due_at=at_micros(timer.due))


def look_for_better_days(key: TimerKey, timer: Timer) -> LookForBetterDays:
    return LookForBetterDays(version=int(key.key), due_at=at_micros(timer.due))


ON_TIMER: Mapping[str, Callable[[TimerKey, Timer], Any]] = {
    OVERDUE: record_overdue,
    AGAIN: retry,
    OFFER: lapse,
    SLOT: release,
    BETTER: look_for_better_days,
    **dict.fromkeys(CLOCK_OF, tell_mark),
}
