"""A survey: sent once where the rules do not spare the customer, answered once, in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, assert_never

from contracts.event import Event
from contracts.problems import Rejected
from contracts.quality import CustomerSurveyed, FeedbackReceived, SurveyRulesSet, SurveySent, SurveySkipped
from quality.commands import AnswerSurvey, SendSurvey, SetSurveyRules
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Unsent:
    pass


@dataclass(frozen=True)
class Skipped:
    pass


@dataclass(frozen=True)
class Open:
    sent: SurveySent


@dataclass(frozen=True)
class Answered:
    said: tuple[int, int, int, int | None]
    answered_at: datetime | None


Survey = Unsent | Skipped | Open | Answered
SurveyEvent = SurveySent | SurveySkipped | FeedbackReceived
INITIAL: Survey = Unsent()

RULES_STREAM: Final = "survey-rules/surveys"
EVERYBODY: Final = SurveyRulesSet()
"""Until a tenant says otherwise."""


def survey_stream(survey_id: str) -> str:
    return f"survey/{survey_id}"


def surveyed_stream(customer_id: str) -> str:
    return f"surveyed/{customer_id}"


def set_rules(known: SurveyRulesSet, command: SetSurveyRules) -> list[Event]:
    rules = SurveyRulesSet(**command.model_dump())
    return [] if rules == known else [rules]


def send_reads(command: SendSurvey) -> tuple[str, ...]:
    return survey_stream(command.survey_id), RULES_STREAM, surveyed_stream(command.customer_id)


def send(states: States, command: SendSurvey) -> list[Event]:
    if not isinstance(states[survey_stream(command.survey_id)], Unsent):
        return []
    rules: SurveyRulesSet = states[RULES_STREAM]
    last: datetime | None = states[surveyed_stream(command.customer_id)]
    whom = command.model_dump(exclude={"expires_at", "draw", "now"})
    if command.draw >= rules.sample_percent:
        return [SurveySkipped(reason="sample", **whom)]
    if last is not None and command.now < last + timedelta(days=rules.quiet_days):
        return [SurveySkipped(reason="quiet", **whom)]
    return [
        SurveySent(expires_at=command.expires_at, **whom),
        CustomerSurveyed(customer_id=command.customer_id, survey_id=command.survey_id, asked_at=command.now),
    ]


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
                    visit_id=sent.visit_id,
                    answered_at=command.now,
                    **command.model_dump(exclude={"now"}),
                )
            ]
        case Answered(said, answered_at):
            if command.came_by == "link":
                at = answered_at.isoformat() if answered_at else ""
                raise Rejected("survey.link-used", survey_id=command.survey_id, answered_at=at)
            if said == (command.attitude, command.outcome, command.punctuality, command.recommends):
                return []
            raise Rejected("survey.already-answered", survey_id=command.survey_id)
        case Unsent() | Skipped():
            raise Rejected("survey.unknown", survey_id=command.survey_id)
        case _:
            assert_never(survey)


def evolve(survey: Survey, event: SurveyEvent) -> Survey:
    match event:
        case SurveySent():
            return Open(event)
        case SurveySkipped():
            return Skipped()
        case FeedbackReceived():
            said = event.attitude, event.outcome, event.punctuality, event.recommends
            return Answered(said, event.answered_at)
        case _:
            assert_never(event)


def evolve_surveyed(_: datetime | None, event: CustomerSurveyed) -> datetime | None:
    return event.asked_at


SURVEY: Stream[Survey] = Stream("survey", INITIAL, evolve)
SURVEY_RULES: Stream[SurveyRulesSet] = Stream("survey-rules", EVERYBODY, lambda _, event: event)
SURVEYED: Stream[datetime | None] = Stream("surveyed", None, evolve_surveyed)
"""When a customer was last asked."""
