"""The wiring of fieldwork, and nothing else."""

from __future__ import annotations

from typing import get_args

from fieldwork.api import routes
from fieldwork.commands import (
    CancelVisits,
    ChargeService,
    DefineCodes,
    DefinePrices,
    FinishWork,
    PlanVisit,
    ReportStep,
    SetCoverage,
    StepCommand,
)
from fieldwork.domain import charge, order_visits, reported_steps, service_codes, visit
from fieldwork.policies import POLICIES
from fieldwork.projections.charges import CHARGES
from fieldwork.projections.coverages import COVERAGES
from fieldwork.projections.price_lists import PRICE_LISTS
from fieldwork.projections.reported_steps import REPORTED
from fieldwork.projections.service_codes import SERVICE_CODES
from fieldwork.projections.visit_photos import VISIT_PHOTOS
from fieldwork.projections.visits import VISITS
from services.chassis.journal.rules import Handler, Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="fieldwork",
    streams=(
        visit.VISIT,
        order_visits.ORDER_VISITS,
        reported_steps.REPORTED_STEPS,
        service_codes.SERVICE_CODES,
        *charge.STREAMS,
    ),
    handlers=(
        Handler(PlanVisit, order_visits.plan_reads, order_visits.plan),
        Handler(CancelVisits, order_visits.cancel_reads, order_visits.cancel_all),
        Handler(ReportStep, reported_steps.report_reads, reported_steps.report),
        on_stream(DefinePrices, lambda _: charge.PRICES_STREAM, charge.define_prices),
        on_stream(SetCoverage, lambda c: charge.coverage_stream(c.device_id), charge.set_coverage),
        Handler(ChargeService, charge.charge_reads, charge.charge),
        on_stream(DefineCodes, lambda _: service_codes.CODES_STREAM, service_codes.define),
        Handler(
            FinishWork,
            lambda c: (visit.visit_stream(c.visit_id), service_codes.CODES_STREAM),
            lambda states, c: visit.decide(
                states[visit.visit_stream(c.visit_id)], c, states[service_codes.CODES_STREAM]
            ),
        ),
        *[
            on_stream(step, lambda c: visit.visit_stream(c.visit_id), visit.decide)
            for step in get_args(StepCommand)
            if step is not FinishWork
        ],
    ),
)

VIEWS = (VISITS, VISIT_PHOTOS, REPORTED, SERVICE_CODES, PRICE_LISTS, COVERAGES, CHARGES)

service = Service(name="fieldwork", rules=RULES, views=VIEWS, policies=POLICIES, routes=routes)
