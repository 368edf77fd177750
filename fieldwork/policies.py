"""What fieldwork does when an order is given to somebody, or taken back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from contracts.dispatcher import (
    OrderAssigned,
    OrderCancelled,
    OrderDeclined,
    OrderFinished,
    OrderOpened,
    OrderReassigned,
)
from contracts.envelope import Envelope
from contracts.fieldwork import (
    ChargeCorrected,
    CoverageSet,
    ServiceCharged,
    ServiceCompleted,
    VisitAborted,
    WarrantyDefined,
)
from contracts.intake import DeviceRegistered
from contracts.problems import NotYet
from fieldwork.commands import (
    CancelVisits,
    ChargeService,
    DecideEntitlement,
    DecidePayout,
    NoteDevice,
    OverReason,
    PlanVisit,
    RedecideEntitlements,
    TypeOrder,
)
from fieldwork.projections.coverages import LISTS_OF_DEVICE
from fieldwork.projections.entitlements import OF_DEVICE, visits_of
from fieldwork.projections.payouts import PAYOUT_OF_VISIT, SUPPLIER_THEN
from fieldwork.projections.record_templates import TYPE_OF_ORDER
from fieldwork.projections.visits import ONE_VISIT, VISITS_OF_ORDER
from fieldwork.projections.warranties import OF_MODEL
from services.chassis.clock import at_micros
from services.chassis.ids import derived_id
from services.chassis.service import Facts, Policy

OrderOver = OrderCancelled | OrderDeclined | OrderFinished
OrderEvent = OrderAssigned | OrderReassigned | OrderOver

WHY: Mapping[type[OrderOver], OverReason] = {
    OrderCancelled: "order-cancelled",
    OrderDeclined: "order-declined",
    OrderFinished: "order-finished",
}


async def when_order_assigned(
    event: OrderAssigned | OrderReassigned, envelope: Envelope, facts: Facts
) -> list[PlanVisit]:
    """The visit's id follows from the event, so that each assignment has one visit and the others can know its id."""
    types = await facts.fetch(TYPE_OF_ORDER, tenant=envelope.tenant, order_id=event.order_id)
    return [
        PlanVisit(
            visit_id=derived_id("visit", event.order_id, envelope.id),
            order_id=event.order_id,
            request_id=event.request_id,
            engineer_id=event.engineer_id,
            starts_at=event.starts_at,
            ends_at=event.ends_at,
            van_id=event.van_id,
            customer_id=event.customer_id,
            device_id=event.device_id,
            device_model=event.device_model,
            request_type=types[0]["request_type"] if types else "",
            at=envelope.time,
            known_visits=await _visits_of(event.order_id, envelope.tenant, facts),
        )
    ]


async def when_order_over(event: OrderOver, envelope: Envelope, facts: Facts) -> list[CancelVisits]:
    """Also when it is finished: another engineer may have done the work."""
    known_visits = await _visits_of(event.order_id, envelope.tenant, facts)
    return [CancelVisits(order_id=event.order_id, reason=WHY[type(event)], at=envelope.time, known_visits=known_visits)]


async def _visits_of(order_id: str, tenant: str, facts: Facts) -> tuple[str, ...]:
    return tuple([row["visit_id"] for row in await facts.fetch(VISITS_OF_ORDER, tenant=tenant, order_id=order_id)])


async def when_order_moves(
    event: OrderOpened | OrderEvent, envelope: Envelope, facts: Facts
) -> list[PlanVisit] | list[CancelVisits] | list[TypeOrder]:
    if isinstance(event, OrderOpened):
        ids = {"order_id": event.order_id, "request_id": event.request_id}
        return [TypeOrder(**ids, request_type=event.request_type)] if event.request_type else []
    if isinstance(event, OrderOver):
        return await when_order_over(event, envelope, facts)
    return await when_order_assigned(event, envelope, facts)


async def when_visit_ended(
    event: ServiceCompleted | VisitAborted, envelope: Envelope, facts: Facts
) -> list[ChargeService]:
    """Also one at which nobody was there may cost something."""
    device_id = event.device_id if isinstance(event, ServiceCompleted) else ""
    return [
        ChargeService(
            visit_id=event.visit_id,
            device_id=device_id,
            order_id=event.order_id,
            at=envelope.recorded_at,
            known_lists=await _lists_of(device_id, envelope.tenant, facts),
        )
    ]


async def when_charged(event: ServiceCharged | ChargeCorrected, envelope: Envelope, facts: Facts) -> list[DecidePayout]:
    """Her engineer and the supplier who sent her that day have a share of it, where they have terms."""
    asked = {"tenant": envelope.tenant, "visit_id": event.visit_id}
    if decided := await facts.fetch(PAYOUT_OF_VISIT, **asked):
        who = decided[0]
        supplier, worked_at = who["supplier"], who["worked_at"]
    else:
        rows = await facts.fetch(ONE_VISIT, **asked)
        if not rows:
            raise NotYet(f"the view has not seen visit {event.visit_id}")
        who = rows[0]
        worked_at = who["starts_at"] if who["arrived_at"] is None else who["arrived_at"]
        sent = await facts.fetch(SUPPLIER_THEN, tenant=envelope.tenant, engineer_id=who["engineer_id"], at=worked_at)
        supplier = sent[0]["supplier"] if sent else ""
    return [
        DecidePayout(
            visit_id=event.visit_id,
            engineer_id=who["engineer_id"],
            supplier=supplier,
            worked_at=at_micros(worked_at),
            at=envelope.recorded_at,
        )
    ]


async def when_order_opened(event: OrderOpened, envelope: Envelope, facts: Facts) -> list[DecideEntitlement]:
    """Who will pay is known before anybody drives."""
    if not event.customer_id:
        return []
    ids = {"order_id": event.order_id, "request_id": event.request_id, "customer_id": event.customer_id}
    return [DecideEntitlement(**ids, device_id=event.device_id, opened_at=envelope.time)]


async def when_device_corrected(
    event: CoverageSet | DeviceRegistered, envelope: Envelope, facts: Facts
) -> list[RedecideEntitlements] | list[NoteDevice]:
    """What pays for work on a device may be another now, for its orders and for what was charged."""
    said = await _known_of(event.device_id, envelope, facts)
    if isinstance(event, DeviceRegistered):
        register = ("customer_id", "model", "purchased_on", "in_service_on")
        return [NoteDevice(**said, **{name: getattr(event, name) for name in register})]
    return [RedecideEntitlements(**said)]


async def when_warranty_defined(event: WarrantyDefined, envelope: Envelope, facts: Facts) -> list[NoteDevice]:
    """Every device of the model is looked at again; one that comes later is when it is registered."""
    devices = await facts.fetch(OF_MODEL, tenant=envelope.tenant, model=event.device_model)
    register = ("customer_id", "model", "purchased_on", "in_service_on")
    return [
        NoteDevice(**await _known_of(one["device_id"], envelope, facts), **{name: one[name] for name in register})
        for one in devices
    ]


async def _known_of(device_id: str, envelope: Envelope, facts: Facts) -> dict[str, Any]:
    tenant = envelope.tenant
    rows = await facts.fetch(OF_DEVICE, tenant=tenant, device_id=device_id)
    return {
        "device_id": device_id,
        "at": envelope.recorded_at,
        "known_orders": tuple([row["order_id"] for row in rows]),
        "known_visits": tuple([visit_id for row in rows for visit_id in visits_of(row["visits"])]),
        "known_lists": await _lists_of(device_id, tenant, facts),
    }


async def _lists_of(device_id: str, tenant: str, facts: Facts) -> tuple[str, ...]:
    """The price lists of a device's contracts."""
    rows = await facts.fetch(LISTS_OF_DEVICE, tenant=tenant, device_id=device_id) if device_id else ()
    return tuple([row["list_id"] for row in rows if row["list_id"]])


# One policy, because order is kept within a policy only: a cancellation must not overtake its assignment.
POLICIES = (
    Policy(
        "visits-of-order",
        (OrderOpened, OrderAssigned, OrderReassigned, OrderCancelled, OrderDeclined, OrderFinished),
        when_order_moves,
    ),
    Policy("charge-of-service", (ServiceCompleted, VisitAborted), when_visit_ended),
    Policy("payout-of-charge", (ServiceCharged, ChargeCorrected), when_charged),
    Policy("entitlement-of-order", (OrderOpened,), when_order_opened),
    Policy("entitlements-of-device", (CoverageSet, DeviceRegistered), when_device_corrected),
    Policy("warranty-of-model", (WarrantyDefined,), when_warranty_defined),
)
