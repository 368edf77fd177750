"""The wiring of reporting, and nothing else."""

from __future__ import annotations

from reporting.api import routes
from reporting.projections.engineer_hours import ENGINEERS, VISITS
from reporting.projections.order_timeline import ORDER_TIMELINE
from reporting.projections.request_story import REQUEST_STORY
from services.chassis.journal.rules import Rules
from services.chassis.service import Service

service = Service(
    name="reporting",
    rules=Rules(service="reporting", streams=(), handlers=()),
    views=(ORDER_TIMELINE, REQUEST_STORY, VISITS, ENGINEERS),
    routes=routes,
    takes_all=True,
    takes_in_every_s=0.5,
)
