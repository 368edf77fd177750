"""The monthly question to engineers: how the work was. Each answers it once a month."""

from __future__ import annotations

from typing import Final

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import StaffSurveyAnswered
from quality.commands import AnswerStaffSurvey
from services.chassis.clock import TENANT_ZONE
from services.chassis.journal.rules import Stream

MONTHS_BACK: Final = 2
"""An answer is taken for the present month and for so many before it."""


def staff_stream(engineer_id: str, month: str) -> str:
    return f"staff-survey/{engineer_id}/{month}"


def answer(known: StaffSurveyAnswered | None, command: AnswerStaffSurvey) -> list[Event]:
    said = StaffSurveyAnswered(**command.model_dump(exclude={"now"}))
    if known is not None:
        if (known.content, known.workload, known.support) == (said.content, said.workload, said.support):
            return []
        raise Rejected("staff-survey.answered", month=command.month)
    here = command.now.astimezone(TENANT_ZONE)
    year, month = map(int, command.month.split("-"))
    if not 0 <= (here.year - year) * 12 + here.month - month <= MONTHS_BACK:
        raise Rejected("staff-survey.month", month=command.month, now=f"{here:%Y-%m}")
    return [said]


def evolve(known: StaffSurveyAnswered | None, event: StaffSurveyAnswered) -> StaffSurveyAnswered:
    return event


STAFF_SURVEY: Final[Stream[StaffSurveyAnswered | None]] = Stream("staff-survey", None, evolve)
