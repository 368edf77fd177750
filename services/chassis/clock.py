"""Time as a port: the services ask their clock, so that a test or a simulation may set it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Protocol
from zoneinfo import ZoneInfo

TENANT_ZONE: Final = ZoneInfo("Asia/Shanghai")
"""The zone in which every tenant's day begins, as long as tenants do not bring their own."""


class Clock(Protocol):
    def now(self) -> datetime:
        """The present instant, UTC."""


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SetClock:
    """A clock that stands still until it is told."""

    def __init__(self, now: datetime) -> None:
        self._now = now

    def now(self) -> datetime:
        return self._now

    def set(self, now: datetime) -> None:
        self._now = now


EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(at: datetime) -> int:
    """Microseconds since 1970 UTC, exact: the form in which stores keep an instant."""
    delta = at - EPOCH
    return (delta.days * 86_400 + delta.seconds) * 1_000_000 + delta.microseconds


def at_micros(micros_utc: int) -> datetime:
    """The instant that `micros` made a number of."""
    return EPOCH + timedelta(microseconds=micros_utc)
