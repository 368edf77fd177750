"""A survey: sent once, answered once, in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import FeedbackReceived, SurveySent
from quality.commands import AnswerSurvey, SendSurvey
from services.chassis.journal.rules import Stream


@dataclass(frozen=True)
class Unsent:
    pass


@dataclass(frozen=True)
class Open:
    sent: SurveySent


@dataclass(frozen=True)
class Answered:
    attitude: int
    outcome: int
    punctuality: int


Survey = Unsent | Open | Answered
SurveyEvent = SurveySent | FeedbackReceived
INITIAL: Survey = Unsent()


def survey_stream(survey_id: str) -> str:
    return f"survey/{survey_id}"


def send(survey: Survey, command: SendSurvey) -> list[Event]:
    match survey:
        case Unsent():
            return [SurveySent(**command.model_dump())]
        case Open() | Answered():
            return []
        case _:
            assert_never(survey)


def answer(survey: Survey, command: AnswerSurvey) -> list[Event]:
    match survey:
        case Open(sent):
            if command.now > sent.expires_at:
                raise Rejected("survey.expired", survey_id=command.survey_id, expired_at=sent.expires_at.isoformat())
            return [
                FeedbackReceived(
                    request_id=sent.request_id,
                    order_id=sent.order_id,
                    engineer_id=sent.engineer_id,
                    customer_id=sent.customer_id,
                    **command.model_dump(exclude={"now"}),
                )
            ]
        case Answered(attitude, outcome, punctuality):
            if (attitude, outcome, punctuality) == (command.attitude, command.outcome, command.punctuality):
                return []
            raise Rejected("survey.already-answered", survey_id=command.survey_id)
        case Unsent():
            raise Rejected("survey.unknown", survey_id=command.survey_id)
        case _:
            assert_never(survey)


def evolve(survey: Survey, event: SurveyEvent) -> Survey:
    match event:
        case SurveySent():
            return Open(event)
        case FeedbackReceived():
            return Answered(event.attitude, event.outcome, event.punctuality)
        case _:
            assert_never(event)


SURVEY: Stream[Survey] = Stream("survey", INITIAL, evolve)
