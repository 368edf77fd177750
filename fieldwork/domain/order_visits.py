"""The visits of an order: planning one more, and calling them off, looks at all of them."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.event import Event
from contracts.fieldwork import VisitAdded, VisitPlanned
from contracts.problems import NotYet
from fieldwork.commands import CancelVisits, PlanVisit
from fieldwork.domain.visit import Unplanned, cancel, visit_stream
from services.chassis.journal.rules import States, Stream

Visits = tuple[str, ...]


def order_stream(order_id: str) -> str:
    return f"order-visits/{order_id}"


def plan_reads(command: PlanVisit) -> tuple[str, ...]:
    return (
        visit_stream(command.visit_id),
        order_stream(command.order_id),
        *[visit_stream(visit_id) for visit_id in command.known_visits if visit_id != command.visit_id],
    )


def plan(states: States, command: PlanVisit) -> list[Event]:
    if not isinstance(states[visit_stream(command.visit_id)], Unplanned):
        return []
    former = _all_of(states, command)
    planned = VisitPlanned(**command.model_dump(exclude={"known_visits", "at"}))
    added = VisitAdded(order_id=command.order_id, request_id=command.request_id, visit_id=command.visit_id)
    called_off = [
        event for visit_id in former for event in cancel(states[visit_stream(visit_id)], "order-reassigned", command.at)
    ]
    return [*called_off, planned, added]


def cancel_reads(command: CancelVisits) -> tuple[str, ...]:
    return order_stream(command.order_id), *[visit_stream(visit_id) for visit_id in command.known_visits]


def cancel_all(states: States, command: CancelVisits) -> list[Event]:
    former = _all_of(states, command)
    return [
        event for visit_id in former for event in cancel(states[visit_stream(visit_id)], command.reason, command.at)
    ]


def _all_of(states: States, command: PlanVisit | CancelVisits) -> Sequence[str]:
    """The order's visits. Raises NotYet when the view that the command was made from had not seen one of them."""
    visits: Visits = states[order_stream(command.order_id)]
    if unseen := [visit_id for visit_id in visits if visit_stream(visit_id) not in states]:
        raise NotYet(f"the view has not seen {', '.join(unseen)} of order {command.order_id}")
    return visits


def evolve(visits: Visits, event: VisitAdded) -> Visits:
    return (*visits, event.visit_id)


ORDER_VISITS: Stream[Visits] = Stream("order-visits", (), evolve)
