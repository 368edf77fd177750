"""An alert: raised once for a figure that is too bad, followed by somebody, ended by recovery or by closing it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, assert_never

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import (
    AlertKind,
    AlertRulesSet,
    DayEnded,
    GroupAlertRaised,
    Judged,
    QualityAlertClosed,
    QualityAlertFollowed,
    QualityAlertRaised,
    QualityAlertRecovered,
    Window,
)
from quality.commands import CloseAlert, Counted, EndDay, FollowAlert, JudgeAlert, SetAlertRules, Watched
from quality.domain.control_chart import SAMPLES, most_by_chance
from services.chassis.ids import derived_id
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Calm:
    """Not raised, or not any more."""

    raisings: int = 0
    closed_on: date = date.min
    """When it was last closed: weeks that had ended by then do not raise it again."""


@dataclass(frozen=True)
class Raised:
    raising: int
    subject: str
    owner_id: str = ""
    """Empty until somebody follows it."""


Alert = Calm | Raised
AlertEvent = QualityAlertRaised | GroupAlertRaised | QualityAlertFollowed | QualityAlertRecovered | QualityAlertClosed
INITIAL: Alert = Calm()

GROUPS: Final = ("team", "supplier", "device_supplier")
"""What is raised as GroupAlertRaised."""

RULES_STREAM: Final = "alert-rules/alerts"
DEFAULTS: Final = AlertRulesSet()
"""Until a tenant says otherwise."""


def alert_id(kind: AlertKind, of: Watched, subject: str) -> str:
    """A figure has one alert, however often it is raised."""
    return derived_id("alert", kind, of, subject)


def alert_stream(alert_id: str) -> str:
    return f"alert/{alert_id}"


def day_stream(day: str) -> str:
    return f"judged-day/{day}"


def set_rules(known: AlertRulesSet, command: SetAlertRules) -> list[Event]:
    rules = AlertRulesSet(**command.model_dump())
    return [] if rules == known else [rules]


def end_day(ended: bool, command: EndDay) -> list[Event]:
    return [] if ended else [DayEnded(day=command.day)]


# What figures say.


def judged_by(kind: AlertKind, rules: AlertRulesSet) -> Judged:
    return rules.bad_judged if kind == "bad-rating" else rules.repeat_judged


def limit_of(kind: AlertKind, rules: AlertRulesSet) -> tuple[int, int]:
    """The percentage that may not be exceeded, and of how many at least it is a figure."""
    if kind == "bad-rating":
        return rules.bad_percent, rules.min_ratings
    return rules.repeat_percent, rules.min_visits


def is_enough(kind: AlertKind, rules: AlertRulesSet, counted: int) -> bool:
    return counted >= limit_of(kind, rules)[1]


def charts(kind: AlertKind, rules: AlertRulesSet, baseline: Counted | None) -> bool:
    """
    Whether a control limit is drawn from this baseline.

    One of too few, or of none or nothing but bad ones, gives none: then the percentage is the limit.
    """
    return (
        judged_by(kind, rules) == "control-chart"
        and baseline is not None
        and baseline.counted >= SAMPLES * limit_of(kind, rules)[1]
        and 0 < baseline.bad < baseline.counted
    )


def most_within(kind: AlertKind, rules: AlertRulesSet, counted: int, baseline: Counted | None) -> int:
    """The greatest number of bad ones among so many that is within the limit."""
    if baseline is not None and charts(kind, rules, baseline):
        return most_by_chance(baseline.counted, baseline.bad, counted)
    return limit_of(kind, rules)[0] * counted // 100


def is_above(kind: AlertKind, rules: AlertRulesSet, one: Counted, baseline: Counted | None = None) -> bool:
    """Whether a figure of enough is above the limit; exact, since a quotient might round to it."""
    return is_enough(kind, rules, one.counted) and one.bad > most_within(kind, rules, one.counted, baseline)


def is_red(kind: AlertKind, rules: AlertRulesSet, windows: Sequence[Counted], baseline: Counted | None = None) -> bool:
    """Whether these figures, as many as the rules ask for, raise an alert: each of them is above the limit."""
    asked = rules.bad_weeks if kind == "bad-rating" else 1
    return len(windows) == asked and all(is_above(kind, rules, one, baseline) for one in windows)


def has_recovered(
    kind: AlertKind, rules: AlertRulesSet, windows: Sequence[Counted], baseline: Counted | None = None
) -> bool:
    """Whether the newest figure is of enough and within the limit; too few say nothing."""
    newest = windows[-1]
    return is_enough(kind, rules, newest.counted) and not is_above(kind, rules, newest, baseline)


# Decisions.


def judge_reads(command: JudgeAlert) -> tuple[str, ...]:
    return alert_stream(command.alert_id), RULES_STREAM


def judge(states: States, command: JudgeAlert) -> list[Event]:
    alert: Alert = states[alert_stream(command.alert_id)]
    rules: AlertRulesSet = states[RULES_STREAM]
    kind, windows, baseline = command.kind, command.windows, command.baseline
    if (baseline is None) != (judged_by(kind, rules) == "percent"):
        return []  # It was counted before the rules were changed; the next night judges by the new ones.
    match alert:
        case Calm(raisings, closed_on):
            if not is_red(kind, rules, windows, baseline) or windows[-1].ends_on <= closed_on:
                return []
            return [_raised(command, raisings + 1, rules)]
        case Raised(raising):
            if not windows or not has_recovered(kind, rules, windows, baseline):
                return []
            return [QualityAlertRecovered(alert_id=command.alert_id, raising=raising, windows=_windows(windows))]
        case _:
            assert_never(alert)


def _raised(command: JudgeAlert, raising: int, rules: AlertRulesSet) -> QualityAlertRaised | GroupAlertRaised:
    kind, baseline, newest = command.kind, command.baseline, command.windows[-1]
    charted = charts(kind, rules, baseline)
    limit_percent = limit_of(kind, rules)[0]
    if charted:
        limit_percent = 100 * most_within(kind, rules, newest.counted, baseline) // newest.counted
    facts: dict[str, Any] = {
        "alert_id": command.alert_id,
        "raising": raising,
        "kind": command.kind,
        "of": command.of,
        "subject": command.subject,
        "limit_percent": limit_percent,
        "windows": _windows(command.windows),
        "baseline": _windows([baseline])[0] if baseline and charted else None,
    }
    return GroupAlertRaised(**facts) if command.of in GROUPS else QualityAlertRaised(**facts)


def _windows(windows: Sequence[Counted]) -> tuple[Window, ...]:
    return tuple([Window(w.begins_on.isoformat(), w.ends_on.isoformat(), w.counted, w.bad) for w in windows])


def follow(alert: Alert, command: FollowAlert) -> list[Event]:
    match alert:
        case Calm():
            raise Rejected("alert.not-raised", alert_id=command.alert_id)
        case Raised(raising, subject):
            facts = command.model_dump()
            return [QualityAlertFollowed(raising=raising, subject=subject, **facts)]
        case _:
            assert_never(alert)


def close(alert: Alert, command: CloseAlert) -> list[Event]:
    match alert:
        case Calm():
            raise Rejected("alert.not-raised", alert_id=command.alert_id)
        case Raised(owner_id=""):
            raise Rejected("alert.not-followed", alert_id=command.alert_id)
        case Raised(raising, subject):
            return [
                QualityAlertClosed(
                    alert_id=command.alert_id,
                    raising=raising,
                    subject=subject,
                    closed_on=command.today.isoformat(),
                    effect=command.effect,
                )
            ]
        case _:
            assert_never(alert)


def evolve(alert: Alert, event: AlertEvent) -> Alert:
    match event:
        case QualityAlertRaised() | GroupAlertRaised():
            return Raised(event.raising, event.subject)
        case QualityAlertFollowed():
            return Raised(event.raising, event.subject, event.owner_id)
        case QualityAlertRecovered():
            return Calm(event.raising)
        case QualityAlertClosed():
            return Calm(event.raising, date.fromisoformat(event.closed_on))
        case _:
            assert_never(event)


ALERT: Stream[Alert] = Stream("alert", INITIAL, evolve)
ALERT_RULES: Stream[AlertRulesSet] = Stream("alert-rules", DEFAULTS, lambda _, event: event)
JUDGED_DAY: Stream[bool] = Stream("judged-day", False, lambda _, event: True)
