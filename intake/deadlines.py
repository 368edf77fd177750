"""Intake's deadlines: when who owes us something is asked again, and when we give up."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import (
    RequestCancelled,
    RequestClosed,
    RequestExpired,
    RequestIncomplete,
    RequestMerged,
    RequestReceived,
    RequestReminded,
    RequestResolvedRemotely,
    RequestUnmerged,
    RequestWithdrawn,
)
from intake.commands import ExpireRequest, RemindRequest
from intake.domain.request import MOST_REMINDERS
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey

REMIND: Final = "remind-request"
EXPIRE: Final = "expire-request"


def when_incomplete(event: RequestIncomplete | RequestUnmerged, envelope: Envelope) -> Sequence[Arm]:
    """Both anew after a supplement: who answers is not to be hurried."""
    said = envelope.recorded_at
    return [
        Arm(REMIND, event.request_id, said + timedelta(seconds=event.remind_after_s)),
        Arm(EXPIRE, event.request_id, said + timedelta(seconds=event.expire_after_s)),
    ]


def when_reminded(event: RequestReminded, envelope: Envelope) -> Sequence[Arm]:
    again = envelope.recorded_at + timedelta(seconds=event.remind_after_s)
    return [Arm(REMIND, event.request_id, again if event.time_no < MOST_REMINDERS else None)]


def when_unmerged(event: RequestUnmerged, envelope: Envelope) -> Sequence[Arm]:
    """One that was incomplete waits again."""
    return when_incomplete(event, envelope) if event.work is None else []


Settled = (
    RequestReceived
    | RequestExpired
    | RequestWithdrawn
    | RequestMerged
    | RequestResolvedRemotely
    | RequestCancelled
    | RequestClosed
)


def when_settled(event: Settled, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(REMIND, event.request_id, None), Arm(EXPIRE, event.request_id, None)]


TIMERS: Mapping[type[Event], Callable[[Any, Envelope], Sequence[Arm]]] = {
    RequestIncomplete: when_incomplete,
    RequestReminded: when_reminded,
    RequestReceived: when_settled,
    RequestExpired: when_settled,
    RequestWithdrawn: when_settled,
    RequestMerged: when_settled,
    RequestUnmerged: when_unmerged,
    RequestResolvedRemotely: when_settled,
    RequestCancelled: when_settled,
    RequestClosed: when_settled,
}


def remind(key: TimerKey, timer: Timer) -> RemindRequest:
    return RemindRequest(request_id=key.key)


def expire(key: TimerKey, timer: Timer) -> ExpireRequest:
    return ExpireRequest(request_id=key.key)


ON_TIMER: Mapping[str, Callable[[TimerKey, Timer], Any]] = {REMIND: remind, EXPIRE: expire}
