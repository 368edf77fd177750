"""Valid calendars, service levels and commands of clocks; a test names only what matters to it."""

from datetime import date, timedelta

from contracts.dispatcher import CalendarDefined, ClocksStarted, OpenHours, SlaClock, SlaDefined, WeekOfHours
from dispatcher.commands import (
    CalendarDay,
    CalendarHours,
    CalendarWeek,
    ChangeCalendar,
    ChangeSla,
    ClockAgreed,
    DefineCalendar,
    DefineSla,
    ImportHolidays,
    MoveClocks,
    PauseClocks,
    ResumeClocks,
    ReviseSla,
    StartClocks,
)
from tests.given import NOW

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)

OFFICE = tuple(CalendarHours(weekday=day, from_minute=540, to_minute=1_080) for day in range(5))
"""Nine to six; NOW is five in the afternoon of a Tuesday there."""


def define_calendar(**changes):
    facts = {"calendar_id": "office", "name": "Office", "zone": "Asia/Shanghai"}
    return DefineCalendar(**facts | {"weeks": (CalendarWeek(hours=OFFICE),)} | changes)


def calendar_defined(**changes):
    hours = tuple(OpenHours(day, 540, 1_080) for day in range(5))
    facts = {"calendar_id": "office", "revision": 1, "name": "Office", "zone": "Asia/Shanghai"}
    return CalendarDefined(**facts | {"weeks": (WeekOfHours("2000-01-01", hours),)} | changes)


def change_calendar(**changes):
    facts = {"calendar_id": "office", "name": "Office", "zone": "Asia/Shanghai", "reason": "so decided"}
    return ChangeCalendar(**facts | {"weeks": (CalendarWeek(hours=OFFICE),)} | changes)


def holiday(day, **changes):
    return CalendarDay(**{"day": date.fromisoformat(day), "name": "holiday"} | changes)


def import_holidays(*days, **changes):
    facts = {"calendar_id": "office", "years": (2026,), "days": days, "reason": ""}
    return ImportHolidays(**facts | changes)


def agreed(clock="fix", **changes):
    facts = {"calendar_id": "office", "low_s": 14_400, "normal_s": 7_200, "high_s": 3_600, "critical_s": 1_800}
    return ClockAgreed(**{"clock": clock} | facts | changes)


def define_sla(*clocks, **changes):
    facts = {"sla_id": "standard", "name": "Standard", "clocks": clocks or (agreed(),), "now": NOW}
    return DefineSla(**facts | changes)


def revise_sla(*clocks, **changes):
    return ReviseSla(**define_sla(*clocks, **changes).model_dump())


def sla_defined(*clocks, **changes):
    clocks = clocks or (SlaClock("fix", "office", 14_400, 7_200, 3_600, 1_800, ("customer",)),)
    facts = {"sla_id": "standard", "revision": 1, "name": "Standard", "effective_from": NOW - HOUR, "clocks": clocks}
    return SlaDefined(**facts | changes)


def start_clocks(**changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "request_type": "repair", "urgency": "normal"}
    return StartClocks(**facts | {"opened_at": NOW, "now": NOW} | changes)


def move_clocks(happening, happened_at=NOW, **changes):
    facts = {"order_id": "o-1", "request_id": "r-1", "happening": happening}
    return MoveClocks(**facts | {"happened_at": happened_at, "now": happened_at} | changes)


OPENED = {"order_id": "o-1", "request_id": "r-1", "opened_at": NOW}


def pause_clocks(now=NOW, **changes):
    return PauseClocks(**OPENED | {"reason": "customer", "now": now} | changes)


def resume_clocks(now=NOW, **changes):
    return ResumeClocks(**OPENED | {"now": now} | changes)


def change_sla(sla_id="gold", now=NOW, **changes):
    facts = {"urgency": "normal", "sla_id": sla_id, "reason": "as the contract says", "now": now}
    return ChangeSla(**OPENED | facts | changes)


def started(given, **changes):
    """The event that starts the clocks of an order by what is given."""
    (event,) = given.when(start_clocks(**changes)).then_types(ClocksStarted)
    return event
