"""The deadline of inventory: by when parts that are set aside for a visit are free again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.inventory import PartsReserved, PartsShort, ReservationReleased
from inventory.commands import ExpireReservation
from services.chassis.clock import at_micros
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey

EXPIRED: Final = "reservation-expired"


def when_reserved(event: PartsReserved | PartsShort, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(EXPIRED, event.order_id, event.expires_at)]


def when_released(event: ReservationReleased, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(EXPIRED, event.order_id, None)]


TIMERS: Mapping[type[Event], Callable[[Any, Envelope], Sequence[Arm]]] = {
    PartsReserved: when_reserved,
    PartsShort: when_reserved,
    ReservationReleased: when_released,
}


def expire(key: TimerKey, timer: Timer) -> ExpireReservation:
    return ExpireReservation(order_id=key.key, due_at=at_micros(timer.due))


ON_TIMER: Mapping[str, Callable[[TimerKey, Timer], Any]] = {EXPIRED: expire}
