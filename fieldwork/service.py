"""The wiring of fieldwork, and nothing else."""

from __future__ import annotations

from typing import get_args

from fieldwork.api import routes
from fieldwork.commands import (
    CancelVisits,
    ChargeService,
    CorrectCharge,
    DecideEntitlement,
    DecidePayout,
    DefineCodes,
    DefineContractPrices,
    DefinePayoutTerms,
    DefinePrices,
    DefineRecordTemplate,
    DefineWarranty,
    DisputeCharge,
    DisputePayout,
    FinishWork,
    NoteDevice,
    PayOut,
    PlanVisit,
    RedecideEntitlements,
    ReportStep,
    ResolveDispute,
    ResolvePayoutDispute,
    SetCoverage,
    StepCommand,
    TypeOrder,
)
from fieldwork.domain import (
    charge,
    coverage,
    dispute,
    entitlement,
    order_visits,
    payout,
    prices,
    record_templates,
    reported_steps,
    service_codes,
    visit,
    warranty,
)
from fieldwork.policies import POLICIES
from fieldwork.projections.charges import CHARGES, CORRECTIONS, DISPUTES
from fieldwork.projections.coverages import COVERAGES
from fieldwork.projections.engineers import ENGINEERS
from fieldwork.projections.entitlements import ENTITLEMENTS
from fieldwork.projections.part_names import PART_NAMES, USED_PARTS
from fieldwork.projections.payouts import PAYOUT_TERMS, PAYOUTS, SUPPLIERS
from fieldwork.projections.price_lists import PRICE_LISTS
from fieldwork.projections.record_templates import ORDER_TYPES, RECORD_TEMPLATES
from fieldwork.projections.reported_steps import REPORTED
from fieldwork.projections.service_codes import SERVICE_CODES
from fieldwork.projections.visit_photos import VISIT_PHOTOS
from fieldwork.projections.visits import VISITS
from fieldwork.projections.warranties import NOTED_DEVICES, WARRANTIES
from services.chassis.journal.rules import Handler, Rules, on_stream
from services.chassis.service import Service

RULES = Rules(
    service="fieldwork",
    streams=(
        visit.VISIT,
        order_visits.ORDER_VISITS,
        reported_steps.REPORTED_STEPS,
        service_codes.SERVICE_CODES,
        record_templates.RECORD_TEMPLATES,
        prices.PRICES,
        coverage.COVERAGES,
        warranty.WARRANTY,
        entitlement.ENTITLEMENT,
        charge.CHARGE,
        payout.PAYOUT,
        payout.PAYOUT_TERMS,
    ),
    handlers=(
        Handler(PlanVisit, order_visits.plan_reads, order_visits.plan),
        on_stream(TypeOrder, lambda c: order_visits.order_stream(c.order_id), order_visits.type_order),
        on_stream(
            DefineRecordTemplate, lambda c: record_templates.template_stream(c.request_type), record_templates.define
        ),
        Handler(CancelVisits, order_visits.cancel_reads, order_visits.cancel_all),
        Handler(ReportStep, reported_steps.report_reads, reported_steps.report),
        on_stream(DefinePrices, lambda _: prices.prices_stream(), prices.define_prices),
        on_stream(DefineContractPrices, lambda c: prices.prices_stream(c.list_id), prices.define_prices),
        on_stream(SetCoverage, lambda c: coverage.coverage_stream(c.device_id), coverage.set_coverage),
        Handler(DecideEntitlement, entitlement.decide_reads, entitlement.decide),
        Handler(RedecideEntitlements, entitlement.redecide_reads, entitlement.redecide),
        Handler(NoteDevice, entitlement.note_reads, entitlement.note_device),
        on_stream(DefineWarranty, lambda c: warranty.warranty_stream(c.device_model), warranty.define),
        Handler(ChargeService, entitlement.charge_reads, entitlement.charge),
        on_stream(CorrectCharge, lambda c: charge.charge_stream(c.visit_id), charge.correct),
        on_stream(DisputeCharge, lambda c: charge.charge_stream(c.visit_id), dispute.dispute),
        on_stream(ResolveDispute, lambda c: charge.charge_stream(c.visit_id), dispute.resolve),
        on_stream(DefinePayoutTerms, lambda c: payout.terms_stream(c.payee, c.payee_id), payout.define_terms),
        Handler(DecidePayout, payout.decide_reads, payout.decide),
        on_stream(DisputePayout, lambda c: payout.payout_stream(c.visit_id), payout.dispute),
        Handler(ResolvePayoutDispute, payout.resolve_reads, payout.resolve),
        Handler(PayOut, payout.pay_reads, payout.pay),
        on_stream(DefineCodes, lambda _: service_codes.CODES_STREAM, service_codes.define),
        Handler(
            FinishWork,
            lambda c: (
                visit.visit_stream(c.visit_id),
                service_codes.CODES_STREAM,
                *([record_templates.template_stream(c.request_type)] if c.request_type else []),
            ),
            lambda states, c: visit.decide(
                states[visit.visit_stream(c.visit_id)],
                c,
                states[service_codes.CODES_STREAM],
                states.get(record_templates.template_stream(c.request_type), record_templates.NO_TEMPLATES),
            ),
        ),
        *[
            on_stream(step, lambda c: visit.visit_stream(c.visit_id), visit.decide)
            for step in get_args(StepCommand)
            if step is not FinishWork
        ],
    ),
)

VIEWS = (
    VISITS,
    VISIT_PHOTOS,
    ENGINEERS,
    REPORTED,
    SERVICE_CODES,
    RECORD_TEMPLATES,
    ORDER_TYPES,
    PRICE_LISTS,
    COVERAGES,
    WARRANTIES,
    NOTED_DEVICES,
    ENTITLEMENTS,
    CHARGES,
    CORRECTIONS,
    DISPUTES,
    PAYOUT_TERMS,
    PAYOUTS,
    SUPPLIERS,
    PART_NAMES,
    USED_PARTS,
)

service = Service(name="fieldwork", rules=RULES, views=VIEWS, policies=POLICIES, routes=routes)
