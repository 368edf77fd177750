"""Business calendars, and the restatement of what was measured by one that was changed."""

from __future__ import annotations

from typing import Annotated

import msgspec

from contracts.event import Event, NonNegative, Positive, belongs_to


class OpenHours(msgspec.Struct, frozen=True):
    """A time of a weekday that counts, in the calendar's zone; what goes over midnight is two."""

    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)]
    """0 is Monday."""
    from_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    to_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]


class WeekOfHours(msgspec.Struct, frozen=True):
    """What counts of a week from a date on, until the next such week."""

    since: str
    """ISO date in the calendar's zone."""
    hours: tuple[OpenHours, ...]


class SpecialDay(msgspec.Struct, frozen=True):
    """A date on which the week does not hold: a holiday, or a day that is worked in the stead of one."""

    day: str
    """ISO date in the calendar's zone."""
    name: str
    works_as: Annotated[int, msgspec.Meta(ge=0, le=6)] | None = None
    """The weekday whose hours it has; none for a holiday, on which nothing counts."""


class CalendarFacts(Event, frozen=True, kw_only=True):
    """What a business calendar is: all of it."""

    calendar_id: str
    revision: Positive
    """Counted from its definition."""
    name: str
    zone: str
    """IANA time zone of its hours and dates."""
    weeks: tuple[WeekOfHours, ...]
    """In the order of their dates."""
    days: tuple[SpecialDay, ...] = ()
    years: tuple[int, ...] | None = None
    """The years that `days` cover; none: the calendar has no holidays, as around the clock."""


@belongs_to("calendars", of=())
class CalendarDefined(CalendarFacts, frozen=True, kw_only=True):
    """There is a calendar by which service levels can be measured. Read by: nobody else yet."""


@belongs_to("calendars", of=())
class CalendarChanged(CalendarFacts, frozen=True, kw_only=True):
    """
    A calendar is this now: other hours from a date on, a table of holidays, or a mistake corrected.

    Acted on by: dispatcher (restates the clocks that it touches, also those that have ended).
    """

    reason: str
    changed_from: str
    """ISO date in its zone: the first day on which other hours count than before."""
    changed_until: str
    """The last one; empty where there is no end to it."""


@belongs_to("restatement", of=("calendar_id", "revision"), key=None, public=False)
class RestatementBegun(Event, frozen=True, kw_only=True):
    """A changed calendar is being looked at in all orders that it measured on the days that changed."""

    calendar_id: str
    revision: Positive
    """Of the calendar: the change that it is about."""
    changed_from: str
    """ISO date in its zone, as in CalendarChanged."""
    changed_until: str
    orders: NonNegative
    """So many are to be looked at."""


@belongs_to("restatement", of=("calendar_id", "revision"), key=None, public=False)
class RestatementAdvanced(Event, frozen=True, kw_only=True):
    """One page of the orders further. What changed in each, its SlaRestated says, recorded in the same commit."""

    calendar_id: str
    revision: Positive
    changed_from: str
    changed_until: str
    upto: str
    """The order that was looked at last, by id."""
    looked_at: NonNegative
    """So many since it began."""
    restated: NonNegative
    """And of them so many stand elsewhere now."""
    done: bool
    """There are no more."""
