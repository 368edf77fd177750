"""What fieldwork does when an order is given to somebody, or taken back."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.dispatcher import OrderAssigned, OrderCancelled, OrderDeclined, OrderFinished, OrderReassigned
from contracts.envelope import Envelope
from contracts.fieldwork import ServiceCompleted
from fieldwork.commands import CancelVisits, ChargeService, OverReason, PlanVisit
from fieldwork.projections.visits import VISITS_OF_ORDER
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


async def when_order_moves(event: OrderEvent, envelope: Envelope, facts: Facts) -> list[PlanVisit] | list[CancelVisits]:
    if isinstance(event, OrderOver):
        return await when_order_over(event, envelope, facts)
    return await when_order_assigned(event, envelope, facts)


async def when_service_completed(event: ServiceCompleted, envelope: Envelope, facts: Facts) -> list[ChargeService]:
    return [ChargeService(visit_id=event.visit_id, device_id=event.device_id, at=envelope.recorded_at)]


# One policy, because order is kept within a policy only: a cancellation must not overtake its assignment.
POLICIES = (
    Policy(
        "visits-of-order",
        (OrderAssigned, OrderReassigned, OrderCancelled, OrderDeclined, OrderFinished),
        when_order_moves,
    ),
    Policy("charge-of-service", (ServiceCompleted,), when_service_completed),
)
