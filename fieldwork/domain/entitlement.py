"""
What an order is entitled to: decided when it is opened, and decided anew when a coverage or its device is corrected.

A visit is charged by what its order is entitled to then; what is decided anew later corrects the charge.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Literal

from contracts.event import Event
from contracts.fieldwork import (
    CoverageSet,
    DeviceNoted,
    Entitled,
    EntitlementDecided,
    EntitlementRedecided,
    OrderCharged,
    OrderNoted,
)
from contracts.problems import NotYet
from fieldwork.commands import ChargeService, DecideEntitlement, NoteDevice, Redecide, RedecideEntitlements
from fieldwork.domain import charge as charges
from fieldwork.domain.coverage import Device, coverage_stream, entitled
from fieldwork.domain.coverage import evolve as evolve_device
from fieldwork.domain.prices import Prices, in_force, prices_stream
from fieldwork.domain.visit import Aborted, Completed, visit_stream
from fieldwork.domain.warranty import of_device, warranty_stream
from services.chassis.journal.rules import States, Stream

Reason = Literal["coverage-set", "device-corrected"]


@dataclass(frozen=True)
class Entitlement:
    order_id: str
    request_id: str
    customer_id: str
    entitled_at: datetime
    lines: tuple[Entitled, ...]
    decided_anew: int = 0
    charged: tuple[str, ...] = ()
    """The visits that were charged by it."""


def entitlement_stream(order_id: str) -> str:
    return f"entitlement/{order_id}"


def decide_reads(command: DecideEntitlement) -> tuple[str, ...]:
    device = (coverage_stream(command.device_id),) if command.device_id else ()
    return entitlement_stream(command.order_id), prices_stream(), *device


def decide(states: States, command: DecideEntitlement) -> list[Event]:
    if states[entitlement_stream(command.order_id)] is not None:
        return []
    prices: Prices = states[prices_stream()]
    listed = in_force(prices, command.opened_at)
    device: Device = states[coverage_stream(command.device_id)] if command.device_id else Device()
    decided = EntitlementDecided(
        order_id=command.order_id,
        request_id=command.request_id,
        customer_id=command.customer_id,
        device_id=command.device_id,
        entitled_at=command.opened_at,
        list_version=listed.version if listed else 0,
        lines=entitled(device, command.customer_id, command.opened_at),
    )
    noted = [OrderNoted(device_id=command.device_id, order_id=command.order_id)] if command.device_id else []
    return [decided, *noted]


def redecide_reads(command: Redecide) -> tuple[str, ...]:
    return (
        coverage_stream(command.device_id),
        *[entitlement_stream(order_id) for order_id in command.known_orders],
        *[stream for visit_id in command.known_visits for stream in _of_visit(visit_id)],
        *_lists_of(command.known_lists),
    )


def note_reads(command: NoteDevice) -> tuple[str, ...]:
    return (*redecide_reads(command), warranty_stream(command.model))


def _of_visit(visit_id: str) -> tuple[str, str]:
    return visit_stream(visit_id), charges.charge_stream(visit_id)


def _lists_of(list_ids: tuple[str, ...]) -> list[str]:
    return [prices_stream(list_id) for list_id in sorted({"", *list_ids})]


def note_device(states: States, command: NoteDevice) -> list[Event]:
    device: Device = states[coverage_stream(command.device_id)]
    noted = DeviceNoted(
        device_id=command.device_id,
        customer_id=command.customer_id,
        model=command.model,
        purchased_on=command.purchased_on,
        in_service_on=command.in_service_on,
    )
    covered = of_device(device, noted, states[warranty_stream(command.model)])
    events: list[DeviceNoted | CoverageSet] = [] if noted == device.noted else [noted]
    events += [covered] if covered else []
    for event in events:
        device = evolve_device(device, event)
    reason: Reason = "device-corrected" if noted in events else "coverage-set"
    return [*events, *_decided_anew(states, device, command, reason)] if events else []


def redecide(states: States, command: RedecideEntitlements) -> list[Event]:
    return _decided_anew(states, states[coverage_stream(command.device_id)], command, "coverage-set")


def _decided_anew(states: States, device: Device, command: Redecide, reason: Reason) -> list[Event]:
    """For every order of the device that is entitled to something else now."""
    events: list[Event] = []
    for order_id in device.orders:
        known: Entitlement = _seen(states, entitlement_stream(order_id))
        lines = entitled(device, known.customer_id, known.entitled_at)
        if lines == known.lines:
            continue
        events.append(
            EntitlementRedecided(
                order_id=order_id,
                request_id=known.request_id,
                customer_id=known.customer_id,
                device_id=command.device_id,
                number=known.decided_anew + 1,
                reason=reason,
                before=known.lines,
                lines=lines,
            )
        )
        for visit_id in known.charged:
            events += _corrected(states, visit_id, replace(known, lines=lines), reason, command.at)
    return events


def _corrected(states: States, visit_id: str, entitlement: Entitlement, reason: Reason, at: datetime) -> list[Event]:
    of_visit, of_charge = _of_visit(visit_id)
    charged: charges.Charged | None = _seen(states, of_charge)
    visit = _seen(states, of_visit)
    if charged is None or not isinstance(visit, Completed):
        return []
    told = charges.anew(charged, visit, _lists(states, entitlement.lines), entitlement.lines, entitlement.entitled_at)
    return charges.corrected(charged, told, reason=reason, at=at)


def charge_reads(command: ChargeService) -> tuple[str, ...]:
    return (
        *_of_visit(command.visit_id),
        *([coverage_stream(command.device_id)] if command.device_id else []),
        *([entitlement_stream(command.order_id)] if command.order_id else []),
        *_lists_of(command.known_lists),
    )


def charge(states: States, command: ChargeService) -> list[Event]:
    """Once, when it has ended. Of an order on which nothing was decided, the coverage at the arrival counts."""
    of_visit, of_charge = _of_visit(command.visit_id)
    visit = states[of_visit]
    if states[of_charge] is not None or not isinstance(visit, Completed | Aborted):
        return []
    known: Entitlement | None = states[entitlement_stream(command.order_id)] if command.order_id else None
    if known is not None:
        # Of one that was aborted no contract has a price.
        lists = _lists(states, () if isinstance(visit, Aborted) else known.lines)
        events = charges.first(
            visit, lists, known.lines, known.entitled_at, charged_at=command.at, entitled_at=known.entitled_at
        )
        noted = OrderCharged(order_id=known.order_id, request_id=known.request_id, visit_id=command.visit_id)
        return [*events, noted] if events else []
    began_at = visit.arrived_at if isinstance(visit, Completed) else command.at
    device: Device = states[coverage_stream(command.device_id)] if command.device_id else Device()
    lines = entitled(device, visit.plan.customer_id, began_at)
    return charges.first(visit, _lists(states, lines), lines, began_at, charged_at=command.at)


def _lists(states: States, lines: tuple[Entitled, ...]) -> charges.Lists:
    return {list_id: _seen(states, prices_stream(list_id)) for list_id in {"", *[line.list_id for line in lines]}}


def _seen(states: States, stream: str) -> Any:
    """Raises NotYet where the view that the command was made from had not seen that it would be wanted."""
    if stream not in states:
        raise NotYet(f"the view has not seen {stream}")
    return states[stream]


def evolve(
    known: Entitlement | None, event: EntitlementDecided | EntitlementRedecided | OrderCharged
) -> Entitlement | None:
    match event:
        case EntitlementDecided():
            return Entitlement(event.order_id, event.request_id, event.customer_id, event.entitled_at, event.lines)
        case EntitlementRedecided() if known:
            return replace(known, lines=event.lines, decided_anew=event.number)
        case OrderCharged() if known:
            return replace(known, charged=(*known.charged, event.visit_id))
        case _:
            return known


ENTITLEMENT: Stream[Entitlement | None] = Stream("entitlement", None, evolve)
