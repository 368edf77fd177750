"""The deadlines of inventory: when parts that are set aside are free again, and when old parts should be back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.inventory import (
    OldPartsBack,
    OldPartsDue,
    PartsReserved,
    PartsShort,
    ReservationReleased,
    RmaLost,
    RmaOpened,
    RmaSettled,
)
from inventory.commands import ExpireReservation, ForfeitOldParts, MissOldParts, MissRma, RemindOfOldParts
from services.chassis.clock import at_micros
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey

EXPIRED: Final = "reservation-expired"
OLD_PARTS: Final = "old-parts-overdue"
REMIND: Final = "old-parts-remind"
FORFEIT: Final = "old-parts-forfeit"
RMA: Final = "rma-overdue"


def when_reserved(event: PartsReserved | PartsShort, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(EXPIRED, event.order_id, event.expires_at)]


def when_released(event: ReservationReleased, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(EXPIRED, event.order_id, None)]


def when_old_parts_due(event: OldPartsDue, envelope: Envelope) -> Sequence[Arm]:
    armed = [Arm(OLD_PARTS, event.order_id, event.due_at)]
    if event.forfeit_at is not None:
        armed += [Arm(REMIND, event.order_id, event.remind_at), Arm(FORFEIT, event.order_id, event.forfeit_at)]
    return armed


def when_old_parts_back(event: OldPartsBack, envelope: Envelope) -> Sequence[Arm]:
    """A reminder of nothing is not recorded; its timer is forgotten with the others."""
    return [] if event.left else [Arm(name, event.order_id, None) for name in (OLD_PARTS, REMIND, FORFEIT)]


def when_rma_opened(event: RmaOpened, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(RMA, event.rma_id, event.due_at)]


def when_rma_over(event: RmaSettled | RmaLost, envelope: Envelope) -> Sequence[Arm]:
    return [] if event.left else [Arm(RMA, event.rma_id, None)]


TIMERS: Mapping[type[Event], Callable[[Any, Envelope], Sequence[Arm]]] = {
    PartsReserved: when_reserved,
    PartsShort: when_reserved,
    ReservationReleased: when_released,
    OldPartsDue: when_old_parts_due,
    OldPartsBack: when_old_parts_back,
    RmaOpened: when_rma_opened,
    RmaSettled: when_rma_over,
    RmaLost: when_rma_over,
}


def expire(key: TimerKey, timer: Timer) -> ExpireReservation:
    return ExpireReservation(order_id=key.key, due_at=at_micros(timer.due))


def miss(key: TimerKey, timer: Timer) -> MissOldParts:
    return MissOldParts(order_id=key.key, due_at=at_micros(timer.due))


def remind(key: TimerKey, timer: Timer) -> RemindOfOldParts:
    return RemindOfOldParts(order_id=key.key, due_at=at_micros(timer.due))


def forfeit(key: TimerKey, timer: Timer) -> ForfeitOldParts:
    return ForfeitOldParts(order_id=key.key, due_at=at_micros(timer.due))


def miss_rma(key: TimerKey, timer: Timer) -> MissRma:
    return MissRma(rma_id=key.key, due_at=at_micros(timer.due))


ON_TIMER: Mapping[str, Callable[[TimerKey, Timer], Any]] = {
    EXPIRED: expire,
    OLD_PARTS: miss,
    REMIND: remind,
    FORFEIT: forfeit,
    RMA: miss_rma,
}
