"""The deadlines of quality: when figures are judged, and when a correction or an answer is overdue."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Final

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.quality import (
    ComplaintAssigned,
    ComplaintClosed,
    ComplaintRaised,
    ComplaintWithdrawn,
    CorrectionAsked,
    CorrectionDone,
    FeedbackReceived,
    SurveySent,
    SurveySkipped,
)
from quality.commands import EndDay, RecordComplaintOverdue, RecordCorrectionDueSoon, RecordCorrectionOverdue
from quality.domain.inspection import REMINDED
from quality.domain.weeks import WEEK, begin_of, monday, today
from services.chassis.clock import at_micros
from services.chassis.journal.rules import Arm
from services.chassis.journal.store import Timer, TimerKey

JUDGE: Final = "judge-figures"
CORRECTION: Final = "correction-overdue"
REMIND: Final = "correction-due-soon"
COMPLAINT: Final = "complaint-overdue"


def when_something_counts(event: Event, envelope: Envelope) -> Sequence[Arm]:
    """As the next day begins, for what was late; and as the next week does, when this one can be judged."""
    return _as_it_ends(today(envelope.recorded_at))


@lru_cache(maxsize=16)
def _as_it_ends(day: date) -> Sequence[Arm]:
    """Every visit of a day arms the same."""
    return [_at(begin) for begin in sorted({day + timedelta(days=1), monday(day) + WEEK})]


def _at(day: date) -> Arm:
    return Arm(JUDGE, day.isoformat(), begin_of(day))


def when_correction_asked(event: CorrectionAsked, envelope: Envelope) -> Sequence[Arm]:
    reminds_at = event.due_at - REMINDED
    reminds = [Arm(REMIND, event.inspection_id, reminds_at)] if reminds_at > envelope.recorded_at else []
    return [*reminds, Arm(CORRECTION, event.inspection_id, event.due_at)]


def when_correction_done(event: CorrectionDone, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(REMIND, event.inspection_id, None), Arm(CORRECTION, event.inspection_id, None)]


def when_complaint_is_due(event: ComplaintRaised | ComplaintAssigned, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(COMPLAINT, event.complaint_id, event.answer_due_at)]


def when_complaint_closed(event: ComplaintClosed | ComplaintWithdrawn, envelope: Envelope) -> Sequence[Arm]:
    return [Arm(COMPLAINT, event.complaint_id, None)]


TIMERS: Mapping[type[Event], Callable[[Any, Envelope], Sequence[Arm]]] = {
    # One of the first two follows each completed visit, so that no visit is forgotten.
    SurveySent: when_something_counts,
    SurveySkipped: when_something_counts,
    FeedbackReceived: when_something_counts,
    CorrectionAsked: when_correction_asked,
    CorrectionDone: when_correction_done,
    ComplaintRaised: when_complaint_is_due,
    ComplaintAssigned: when_complaint_is_due,
    ComplaintClosed: when_complaint_closed,
    ComplaintWithdrawn: when_complaint_closed,
}


def end_day(key: TimerKey, timer: Timer) -> EndDay:
    return EndDay(day=key.key)


def record_correction_due_soon(key: TimerKey, timer: Timer) -> RecordCorrectionDueSoon:
    return RecordCorrectionDueSoon(inspection_id=key.key, due_at=at_micros(timer.due) + REMINDED)


def record_correction_overdue(key: TimerKey, timer: Timer) -> RecordCorrectionOverdue:
    return RecordCorrectionOverdue(inspection_id=key.key, due_at=at_micros(timer.due))


def record_complaint_overdue(key: TimerKey, timer: Timer) -> RecordComplaintOverdue:
    return RecordComplaintOverdue(complaint_id=key.key, due_at=at_micros(timer.due))


ON_TIMER: Mapping[str, Callable[[TimerKey, Timer], Any]] = {
    JUDGE: end_day,
    REMIND: record_correction_due_soon,
    CORRECTION: record_correction_overdue,
    COMPLAINT: record_complaint_overdue,
}
