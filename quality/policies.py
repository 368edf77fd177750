"""What quality does when others have done something."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product
from typing import get_args

from contracts.envelope import Envelope
from contracts.fieldwork import ServiceCompleted
from contracts.problems import NotYet
from contracts.quality import AlertKind, DayEnded
from quality.commands import JudgeAlert, OpenInspection, SendSurvey, Watched
from quality.domain.alert import DEFAULTS, alert_id, is_red, judged_by
from quality.domain.weeks import baseline_before, windows
from quality.projections.alerts import OPEN_ALERTS
from quality.projections.asked_for import ONE_REQUEST
from quality.projections.quality_rules import RULES_OF, alert_rules
from quality.projections.served import all_counted, by_subject, counted, counts_of
from quality.projections.standards import TYPES_WITH_ONE
from services.chassis.ids import derived_id
from services.chassis.service import Facts, Policy

ANSWER_WITHIN = timedelta(days=14)
STALE_AFTER = timedelta(days=3)
"""Nobody wants to be asked about a repair of last week."""


def drawn(visit_id: str) -> int:
    """A number of 0 to 99, even over many visits and always the same for one, so that a repeat draws it again."""
    return int(derived_id("survey-draw", visit_id)[:8], 16) % 100


async def when_service_completed(event: ServiceCompleted, envelope: Envelope, facts: Facts) -> list[SendSurvey]:
    """Each completed visit is asked about once, unless the survey rules spare the customer."""
    return [
        SendSurvey(
            survey_id=derived_id("survey", event.visit_id),
            request_id=event.request_id,
            order_id=event.order_id,
            visit_id=event.visit_id,
            engineer_id=event.engineer_id,
            customer_id=event.customer_id,
            expires_at=envelope.recorded_at + ANSWER_WITHIN,
            draw=drawn(event.visit_id),
            now=facts.now(),
        )
    ]


async def when_visit_finished(event: ServiceCompleted, envelope: Envelope, facts: Facts) -> list[OpenInspection]:
    """A visit is inspected once, if there is a standard for the type of its request."""
    tenant = envelope.tenant
    types = {row["type_id"] for row in await facts.fetch(TYPES_WITH_ONE, tenant=tenant)}
    if not types:
        return []
    requests = await facts.fetch(ONE_REQUEST, tenant=tenant, request_id=event.request_id)
    if not requests:
        raise NotYet(f"it is not known of which type the request {event.request_id} is")
    if (type_id := requests[0]["request_type"]) not in types:
        return []
    return [
        OpenInspection(
            inspection_id=derived_id("inspection", event.visit_id),
            request_id=event.request_id,
            visit_id=event.visit_id,
            order_id=event.order_id,
            engineer_id=event.engineer_id,
            customer_id=event.customer_id,
            type_id=type_id,
            completed_at=envelope.time,
        )
    ]


async def when_day_ended(event: DayEnded, envelope: Envelope, facts: Facts) -> list[JudgeAlert]:
    """Every figure that could raise an alert or end one; the others are not asked about, since they change nothing."""
    tenant, day = envelope.tenant, date.fromisoformat(event.day)
    rows = await facts.fetch(RULES_OF, tenant=tenant, rules_id=DEFAULTS.rules_id)
    rules = alert_rules(rows[0]["rules"]) if rows else DEFAULTS
    raised = {row["alert_id"] for row in await facts.fetch(OPEN_ALERTS, tenant=tenant)}
    asked = []
    for kind, of in product(get_args(AlertKind), get_args(Watched)):
        weeks = windows(kind, rules, day)
        found = [by_subject(await facts.fetch(counted(kind, of, tenant, week, rules))) for week in weeks]
        baseline = None
        if judged_by(kind, rules) == "control-chart":
            before = baseline_before(rules, weeks)
            baseline = all_counted(before, await facts.fetch(counted(kind, of, tenant, before, rules)))
        for subject in sorted(found[-1]):
            counts = tuple([counts_of(subject, week, rows) for week, rows in zip(weeks, found, strict=True)])
            figure = alert_id(kind, of, subject)
            if is_red(kind, rules, counts, baseline) or figure in raised:
                asked.append(
                    JudgeAlert(alert_id=figure, kind=kind, of=of, subject=subject, windows=counts, baseline=baseline)
                )
    return asked


POLICIES = (
    Policy("send-survey", (ServiceCompleted,), when_service_completed, stale_after=STALE_AFTER),
    Policy("open-inspection", (ServiceCompleted,), when_visit_finished),
    Policy("judge-figures", (DayEnded,), when_day_ended),
)
