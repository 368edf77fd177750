"""The deadlines of quality: when the figures of a day and of a week are judged."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from typing import Any, Final

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.quality import FeedbackReceived, SurveySent, SurveySkipped
from quality.commands import EndDay
from quality.domain.weeks import WEEK, begin_of, monday, today
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey

JUDGE: Final = "judge-figures"


def when_something_counts(event: Event, envelope: Envelope) -> Sequence[Arm]:
    """As the next day begins, for what was late; and as the next week does, when this one can be judged."""
    day = today(envelope.recorded_at)
    return [_at(begin) for begin in sorted({day + timedelta(days=1), monday(day) + WEEK})]


def _at(day: date) -> Arm:
    return Arm(JUDGE, day.isoformat(), begin_of(day))


TIMERS: Mapping[type[Event], Callable[[Any, Envelope], Sequence[Arm]]] = {
    # One of the first two follows each completed visit, so that no visit is forgotten.
    SurveySent: when_something_counts,
    SurveySkipped: when_something_counts,
    FeedbackReceived: when_something_counts,
}


def end_day(key: TimerKey, timer: Timer) -> EndDay:
    return EndDay(day=key.key)


ON_TIMER: Mapping[str, Callable[[TimerKey, Timer], Any]] = {JUDGE: end_day}
