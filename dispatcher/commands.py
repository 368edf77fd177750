"""What the dispatcher can be asked to do."""

from __future__ import annotations

from datetime import date
from typing import Any, Literal

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_serializer

from contracts.dispatcher import (
    ClockName,
    OpenHours,
    OrderFinished,
    OrderOpened,
    OrderPaused,
    OrderQueued,
    OrderTaken,
    PauseReason,
    Shift,
    SlaClock,
    SpecialDay,
)
from contracts.intake import Urgency
from services.chassis.command import Command

UDEG = 1_000_000
"""Millionths in a degree."""

Lat = Field(ge=-90 * UDEG, le=90 * UDEG)
Lon = Field(ge=-180 * UDEG, le=180 * UDEG)

# Orders: from the opening to the end.


class OpenOrder(Command):
    """There is work to be done for a request."""

    order_id: str
    request_id: str
    customer_id: str
    device_id: str = ""
    device_model: str = ""
    request_type: str
    skill: str
    urgency: Urgency
    duration_s: int
    region: str
    lat_udeg: int
    lon_udeg: int
    now: AwareDatetime


class DeclineOrder(Command):
    """The engineer will not take the order that she was given."""

    order_id: str
    engineer_id: str
    reason: str = Field(min_length=1, max_length=1_000)


class CancelOrder(Command):
    """A dispatcher decides that the order will not be carried out."""

    order_id: str
    note: str = Field("", max_length=1_000)


class WithdrawOrder(Command):
    """The customer does not want it any more."""

    order_id: str


class StartOrder(Command):
    """The engineer is on her way."""

    order_id: str
    engineer_id: str


class ReturnOrder(Command):
    """The engineer's visit ended without the work being done."""

    order_id: str
    engineer_id: str
    reason: str


class FinishOrder(Command):
    """The engineer has done the work; a fact, whatever was decided meanwhile."""

    order_id: str
    request_id: str
    engineer_id: str


class RecordOverdue(Command):
    """The time within which somebody was to be assigned is over."""

    order_id: str
    due_at: AwareDatetime


class RetryAssignment(Command):
    """Look for an engineer again, if the order still waits."""

    order_id: str


HistoryEvent = OrderOpened | OrderQueued | OrderTaken | OrderPaused | OrderFinished


class RecordHistory(Command):
    """
    What another system recorded of an order: appended as it is, in this order, unjudged.

    It is asked with `origin="import"`. Its OrderOpened has no `assign_due_at`: such an order is history for ever, and
    nobody is assigned to it.
    """

    model_config = ConfigDict(arbitrary_types_allowed=True)

    order_id: str
    request_id: str
    events: tuple[HistoryEvent, ...]

    @field_serializer("events")
    def _plain(self, events: tuple[HistoryEvent, ...]) -> Any:
        return msgspec.to_builtins(events)


# Orders: who carries them out.


class Candidate(BaseModel):
    """A day of an engineer that looked best for the order; whether it really has room, the decision says."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    engineer_id: str
    day: str
    """ISO date in her zone."""


class AssignOrder(Command):
    """Give the order to whichever of these fits it best by what is really booked."""

    order_id: str
    candidates: tuple[Candidate, ...] = Field(min_length=1)
    compared: int
    """How many engineers these were chosen from."""
    now: AwareDatetime


class TakeOrder(Command):
    """An engineer takes a waiting order from the pool, for the first hours that she is free."""

    order_id: str
    engineer_id: str
    now: AwareDatetime


class AssignByHand(Command):
    """A dispatcher gives a waiting order to an engineer."""

    order_id: str
    engineer_id: str
    starts_at: AwareDatetime | None = None
    """None: the first hours that she is free."""
    reason: str = Field("", max_length=1_000)
    now: AwareDatetime


class ReassignOrder(Command):
    """A dispatcher gives an assigned order to another engineer."""

    order_id: str
    engineer_id: str
    starts_at: AwareDatetime | None = None
    """None: the first hours that she is free."""
    reason: str = Field(min_length=1, max_length=1_000)
    now: AwareDatetime


# Engineers.


class ShiftHours(BaseModel):
    """A working time that comes back each week; one over midnight is given as two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weekday: int = Field(ge=0, le=6)
    """0 is Monday."""
    from_minute: int = Field(ge=0, lt=1_440)
    to_minute: int = Field(gt=0, le=1_440)

    def of(self) -> Shift:
        return Shift(self.weekday, self.from_minute, self.to_minute)


class EngineerFacts(Command):
    """All that is known of an engineer."""

    engineer_id: str
    name: str = Field(min_length=1, max_length=200)
    skills: tuple[str, ...] = Field(min_length=1)
    """Skills or device models."""
    region: str = Field(min_length=1, max_length=100)
    home_lat_udeg: int = Lat
    home_lon_udeg: int = Lon
    zone: str = "Asia/Shanghai"
    shifts: tuple[ShiftHours, ...] = Field(min_length=1)
    van_id: str = ""
    daily_limit: int = Field(10, ge=1, le=100)
    team: str = Field("", max_length=100)
    supplier: str = Field("", max_length=100)


class RegisterEngineer(EngineerFacts):
    """An engineer can be sent from now on."""


class UpdateEngineer(EngineerFacts):
    """Something about an engineer has changed; this is all of it as it is now."""


class FreeHours(Command):
    """The hours that were booked for an order are not needed any more."""

    engineer_id: str
    day: str
    order_id: str


# Service levels.


class CalendarHours(BaseModel):
    """A time of a weekday that counts; one over midnight is given as two."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    weekday: int = Field(ge=0, le=6)
    """0 is Monday."""
    from_minute: int = Field(ge=0, lt=1_440)
    to_minute: int = Field(gt=0, le=1_440)

    def of(self) -> OpenHours:
        return OpenHours(self.weekday, self.from_minute, self.to_minute)


class CalendarWeek(BaseModel):
    """What counts of a week, from a date on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    since: date = date(2000, 1, 1)
    hours: tuple[CalendarHours, ...] = Field(min_length=1, max_length=100)


class CalendarDay(BaseModel):
    """A holiday, or a day that is worked in the stead of one."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    day: date
    name: str = Field("", max_length=100)
    works_as: int | None = Field(None, ge=0, le=6)
    """The weekday whose hours it has, 0 is Monday; none for a holiday."""

    def of(self) -> SpecialDay:
        return SpecialDay(self.day.isoformat(), self.name, self.works_as)


class CalendarSays(Command):
    """All that a calendar is."""

    calendar_id: str
    name: str
    zone: str
    weeks: tuple[CalendarWeek, ...]
    days: tuple[CalendarDay, ...] = ()
    years: tuple[int, ...] | None = None


class DefineCalendar(CalendarSays):
    """There is a calendar by which service levels can be measured."""


class ChangeCalendar(CalendarSays):
    """A calendar is this now; what was measured by it is measured anew."""

    reason: str


class ImportHolidays(Command):
    """The table of holidays of some years, in the stead of what the calendar had for them."""

    calendar_id: str
    years: tuple[int, ...]
    days: tuple[CalendarDay, ...]
    reason: str


class ClockAgreed(BaseModel):
    """How much time there is for one thing, by urgency."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    clock: ClockName
    calendar_id: str = Field("", max_length=100)
    """Empty: around the clock."""
    low_s: int = Field(ge=1, le=366 * 86_400)
    normal_s: int = Field(ge=1, le=366 * 86_400)
    high_s: int = Field(ge=1, le=366 * 86_400)
    critical_s: int = Field(ge=1, le=366 * 86_400)
    excuses: tuple[PauseReason, ...] = Field((), max_length=10)
    """The reasons for which the clock stands still."""
    restarts: bool = False
    """When the order waits again after a visit, the time begins anew."""

    def of(self) -> SlaClock:
        return SlaClock(**self.model_dump())


class SlaSays(Command):
    """What is promised from a time on."""

    sla_id: str
    name: str
    effective_from: AwareDatetime | None = None
    """None: from now on."""
    request_types: tuple[str, ...] = ()
    clocks: tuple[ClockAgreed, ...]
    now: AwareDatetime


class DefineSla(SlaSays):
    """There is a service level."""


class ReviseSla(SlaSays):
    """A service level promises this to orders that are opened from then on."""


class StartClocks(Command):
    """The order is opened: by the service level that holds for it, its clocks start."""

    order_id: str
    request_id: str
    request_type: str
    urgency: Urgency
    opened_at: AwareDatetime
    now: AwareDatetime


class MoveClocks(Command):
    """Something happened to the order, now or earlier, that its clocks may care for."""

    order_id: str
    happening: Literal["assigned", "waiting", "arrived", "finished", "cancelled"]
    happened_at: AwareDatetime
    now: AwareDatetime


class PauseClocks(Command):
    """The order waits for something that is not ours to do."""

    order_id: str
    reason: PauseReason
    note: str = ""
    happened_at: AwareDatetime | None = None
    """Since when; none: now."""
    now: AwareDatetime


class ResumeClocks(Command):
    """What the order waited for is there."""

    order_id: str
    reason: PauseReason | None = None
    """None: whatever it waited for."""
    note: str = ""
    happened_at: AwareDatetime | None = None
    now: AwareDatetime


class RestateClocks(Command):
    """A calendar was changed: look where the clocks of this order stand by it."""

    order_id: str
    calendar_id: str
    now: AwareDatetime


class TellMark(Command):
    """A part of a clock's time, or all of it, is used up."""

    order_id: str
    clock: ClockName
    due_at: AwareDatetime
