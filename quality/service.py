"""The wiring of quality, and nothing else."""

from __future__ import annotations

from quality.api import routes
from quality.commands import AnswerSurvey, SendSurvey, SetSurveyRules
from quality.domain import survey
from quality.policies import POLICIES
from quality.projections.asked_for import ASKED_FOR
from quality.projections.quality_rules import QUALITY_RULES
from quality.projections.served import SERVED
from quality.projections.surveys import SURVEYS
from services.chassis.journal.rules import Handler, Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="quality",
    streams=(survey.SURVEY, survey.SURVEY_RULES, survey.SURVEYED),
    handlers=(
        on_stream(SetSurveyRules, lambda _: survey.RULES_STREAM, survey.set_rules),
        Handler(SendSurvey, survey.send_reads, survey.send),
        on_stream(AnswerSurvey, lambda c: survey.survey_stream(c.survey_id), survey.answer),
    ),
)

service = Service(
    name="quality",
    rules=RULES,
    views=(SURVEYS, SERVED, ASKED_FOR, QUALITY_RULES),
    policies=POLICIES,
    routes=routes,
)
