"""The visits of an order: planning one more, and calling them off, looks at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from contracts.event import Event
from contracts.fieldwork import OrderTyped, VisitAdded, VisitPlanned
from contracts.problems import NotYet
from fieldwork.commands import CancelVisits, PlanVisit, TypeOrder
from fieldwork.domain.record_templates import Templates, template_stream
from fieldwork.domain.visit import Unplanned, cancel, visit_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Visits:
    ids: tuple[str, ...] = ()
    request_type: str = ""
    """For which the order was opened; empty where nobody said."""


def order_stream(order_id: str) -> str:
    return f"order-visits/{order_id}"


def plan_reads(command: PlanVisit) -> tuple[str, ...]:
    return (
        visit_stream(command.visit_id),
        order_stream(command.order_id),
        *([template_stream(command.request_type)] if command.request_type else []),
        *[visit_stream(visit_id) for visit_id in command.known_visits if visit_id != command.visit_id],
    )


def plan(states: States, command: PlanVisit) -> list[Event]:
    if not isinstance(states[visit_stream(command.visit_id)], Unplanned):
        return []
    former = _all_of(states, command)
    request_type = states[order_stream(command.order_id)].request_type
    if request_type != command.request_type:
        raise NotYet(f"the view has not seen the type of order {command.order_id}")
    templates: Templates = states[template_stream(request_type)] if request_type else {}
    facts = command.model_dump(exclude={"known_visits", "at"})
    planned = VisitPlanned(**facts, template_version=len(templates))
    added = VisitAdded(order_id=command.order_id, request_id=command.request_id, visit_id=command.visit_id)
    called_off = [
        event for visit_id in former for event in cancel(states[visit_stream(visit_id)], "order-reassigned", command.at)
    ]
    return [*called_off, planned, added]


def type_order(visits: Visits, command: TypeOrder) -> list[Event]:
    return [] if visits.request_type else [OrderTyped(**command.model_dump())]


def cancel_reads(command: CancelVisits) -> tuple[str, ...]:
    return order_stream(command.order_id), *[visit_stream(visit_id) for visit_id in command.known_visits]


def cancel_all(states: States, command: CancelVisits) -> list[Event]:
    former = _all_of(states, command)
    return [
        event for visit_id in former for event in cancel(states[visit_stream(visit_id)], command.reason, command.at)
    ]


def _all_of(states: States, command: PlanVisit | CancelVisits) -> Sequence[str]:
    """The order's visits. Raises NotYet when the view that the command was made from had not seen one of them."""
    visits: Sequence[str] = states[order_stream(command.order_id)].ids
    if unseen := [visit_id for visit_id in visits if visit_stream(visit_id) not in states]:
        raise NotYet(f"the view has not seen {', '.join(unseen)} of order {command.order_id}")
    return visits


def evolve(visits: Visits, event: VisitAdded | OrderTyped) -> Visits:
    if isinstance(event, OrderTyped):
        return replace(visits, request_type=event.request_type)
    return replace(visits, ids=(*visits.ids, event.visit_id))


ORDER_VISITS: Stream[Visits] = Stream("order-visits", Visits(), evolve)
