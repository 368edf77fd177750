"""The wiring of reporting, and nothing else."""

from __future__ import annotations

from reporting.api import routes
from reporting.projections.complaint_story import COMPLAINT_STORY
from reporting.projections.engineer_hours import ENGINEERS, VISITS
from reporting.projections.order_costs import ORDER_COSTS
from reporting.projections.order_story import ORDER_STORY
from reporting.projections.order_timeline import ORDER_TIMELINE
from reporting.projections.request_story import REQUEST_STORY
from reporting.projections.staff_answers import STAFF_ANSWERS
from services.chassis.journal.rules import Rules
from services.chassis.service import Service

service = Service(
    name="reporting",
    rules=Rules(service="reporting", streams=(), handlers=()),
    views=(
        ORDER_TIMELINE,
        REQUEST_STORY,
        ORDER_STORY,
        COMPLAINT_STORY,
        VISITS,
        ENGINEERS,
        ORDER_COSTS,
        STAFF_ANSWERS,
    ),
    routes=routes,
    takes_all=True,
    takes_in_every_s=0.5,
)
