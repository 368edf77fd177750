"""Whole weeks, from Monday to Monday in the tenant's zone, and the instants at which their days begin."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta

from contracts.quality import AlertKind, AlertRulesSet
from services.chassis.clock import TENANT_ZONE, micros

WEEK = timedelta(days=7)


def today(now: datetime) -> date:
    return now.astimezone(TENANT_ZONE).date()


def monday(day: date) -> date:
    """The Monday of its week."""
    return day - timedelta(days=day.weekday())


def begin_of(day: date) -> datetime:
    """The first instant of a day, UTC."""
    return datetime.combine(day, time(), TENANT_ZONE).astimezone(UTC)


def begin_us(day: date) -> int:
    """The same in microseconds."""
    return micros(begin_of(day))


def windows(kind: AlertKind, rules: AlertRulesSet, day: date) -> list[tuple[date, date]]:
    """
    The weeks that are judged on this day, all of them over: first day and the day after the last, the oldest first.

    Bad ratings are judged week by week, repeat visits over all weeks together.
    """
    end = monday(day)
    if kind == "repeat-visit":
        return [(end - rules.repeat_weeks * WEEK, end)]
    return [(end - (back + 1) * WEEK, end - back * WEEK) for back in reversed(range(rules.bad_weeks))]


def baseline_before(rules: AlertRulesSet, judged: Sequence[tuple[date, date]]) -> tuple[date, date]:
    """The weeks of the baseline: those before the first that is judged."""
    begins_on = judged[0][0]
    return begins_on - rules.baseline_weeks * WEEK, begins_on
