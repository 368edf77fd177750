"""The wiring of quality, and nothing else."""

from __future__ import annotations

from quality.api import routes
from quality.commands import AnswerSurvey, SendSurvey
from quality.domain import survey
from quality.policies import POLICIES
from quality.projections.surveys import SURVEYS
from services.chassis.journal.rules import Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="quality",
    streams=(survey.SURVEY,),
    handlers=(
        on_stream(SendSurvey, lambda c: survey.survey_stream(c.survey_id), survey.send),
        on_stream(AnswerSurvey, lambda c: survey.survey_stream(c.survey_id), survey.answer),
    ),
)

service = Service(name="quality", rules=RULES, views=(SURVEYS,), policies=POLICIES, routes=routes)
