"""A request: taken, checked, followed to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from contracts.event import Event
from contracts.intake import (
    NumberGiven,
    RequestCancelled,
    RequestClosed,
    RequestIncomplete,
    RequestReceived,
    RequestSupplemented,
    RequestTypeDefined,
    RequestWithdrawn,
    Urgency,
)
from contracts.problems import Rejected
from intake.commands import CancelRequest, CloseRequest, SubmitRequest, SupplementRequest, WithdrawRequest
from intake.domain.register import Customer, Device, customer_stream, device_stream, type_stream
from services.chassis.journal.rules import States, Stream


@dataclass(frozen=True)
class Absent:
    """Nobody has asked yet."""


@dataclass(frozen=True)
class Incomplete:
    """It waits for what is missing."""

    number: str
    request_type: str
    customer_id: str
    device_id: str
    urgency: Urgency


@dataclass(frozen=True)
class Received:
    """It is being worked on."""

    customer_id: str


@dataclass(frozen=True)
class Withdrawn:
    customer_id: str


@dataclass(frozen=True)
class Cancelled:
    """A dispatcher decided that nobody goes."""


@dataclass(frozen=True)
class Closed:
    pass


Request = Absent | Incomplete | Received | Withdrawn | Cancelled | Closed
RequestEvent = (
    RequestReceived | RequestIncomplete | RequestSupplemented | RequestWithdrawn | RequestCancelled | RequestClosed
)
INITIAL: Request = Absent()


def request_stream(request_id: str) -> str:
    return f"request/{request_id}"


def numbers_stream(day: str) -> str:
    return f"numbers/{day}"


@dataclass(frozen=True)
class _Given:
    """What a customer has told us so far."""

    request_id: str
    number: str
    request_type: str
    customer_id: str
    device_id: str
    urgency: Urgency
    description: str


def submit_reads(command: SubmitRequest) -> tuple[str, ...]:
    return (
        request_stream(command.request_id),
        numbers_stream(command.day),
        type_stream(command.request_type),
        customer_stream(command.customer_id),
        device_stream(command.device_id),
    )


def submit(states: States, command: SubmitRequest) -> list[Event]:
    if not isinstance(states[request_stream(command.request_id)], Absent):
        raise Rejected("request.already-submitted", request_id=command.request_id)
    count: int = states[numbers_stream(command.day)] + 1
    number = f"R-{command.day[2:].replace('-', '')}-{count:04d}"
    facts = command.model_dump(exclude={"day"})
    return [NumberGiven(day=command.day, request_id=command.request_id), _check(states, _Given(number=number, **facts))]


def supplement_reads(command: SupplementRequest) -> tuple[str, ...]:
    return (
        request_stream(command.request_id),
        *{type_stream(command.request_type), type_stream(command.known_request_type)},
        *{customer_stream(command.customer_id), customer_stream(command.known_customer_id)},
        *{device_stream(command.device_id), device_stream(command.known_device_id)},
    )


def supplement(states: States, command: SupplementRequest) -> list[Event]:
    match states[request_stream(command.request_id)]:
        case Incomplete() as known:
            before = {
                "request_type": known.request_type,
                "customer_id": known.customer_id,
                "device_id": known.device_id,
                "description": command.known_description,
            }
            changed = {name: value for name in before if (value := getattr(command, name)) not in ("", before[name])}
            if not changed:
                return []
            given = _Given(
                request_id=command.request_id,
                number=known.number,
                request_type=command.request_type or known.request_type,
                customer_id=command.customer_id or known.customer_id,
                device_id=command.device_id or known.device_id,
                urgency=known.urgency,
                description=command.description or command.known_description,
            )
            told = RequestSupplemented(
                request_id=command.request_id, customer_id=given.customer_id, fields=tuple(changed)
            )
            return [told, _check(states, given)]
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            raise Rejected("request.not-incomplete", request_id=command.request_id)


def _check(states: States, given: _Given) -> RequestReceived | RequestIncomplete:
    """Complete and valid, or what is missing, each as `field: what is wrong with it`."""
    missing: list[str] = []
    kind: RequestTypeDefined | None = states.get(type_stream(given.request_type))
    customer: Customer | None = states.get(customer_stream(given.customer_id))
    device: Device | None = states.get(device_stream(given.device_id))
    short = kind is not None and len(given.description.strip()) < kind.min_description
    if kind is None:
        missing.append(f"request_type: there is no type {given.request_type!r}")
    if customer is None:
        missing.append(f"customer_id: no customer {given.customer_id!r} is registered")
    if kind and kind.needs_device:
        if not given.device_id:
            missing.append("device_id: which device it is about")
        elif device is None:
            missing.append(f"device_id: no device {given.device_id!r} is registered")
        elif device.customer_id != given.customer_id:
            missing.append(f"device_id: device {given.device_id!r} is not registered for this customer")
    if short:
        missing.append(f"description: at least {kind.min_description if kind else 1} characters")
    if missing or kind is None or customer is None:
        return RequestIncomplete(
            request_id=given.request_id,
            number=given.number,
            request_type=given.request_type,
            customer_id=given.customer_id,
            missing=tuple(missing),
            device_id=given.device_id,
            urgency=given.urgency,
            description=given.description,
        )
    return RequestReceived(
        request_id=given.request_id,
        number=given.number,
        request_type=given.request_type,
        type_version=kind.type_version,
        customer_id=given.customer_id,
        device_id=given.device_id,
        device_model=device.model if device else "",
        skill=device.skill if device else kind.skill,
        urgency=given.urgency,
        duration_s=kind.duration_s,
        region=customer.region,
        lat_udeg=customer.lat_udeg,
        lon_udeg=customer.lon_udeg,
        description=given.description,
    )


def withdraw(request: Request, command: WithdrawRequest) -> list[Event]:
    match request:
        case Incomplete(customer_id=customer_id) | Received(customer_id=customer_id):
            return [RequestWithdrawn(request_id=command.request_id, customer_id=customer_id, reason=command.reason)]
        case Withdrawn() | Cancelled():
            return []
        case Closed():
            raise Rejected("request.closed", request_id=command.request_id)
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            assert_never(request)


def cancel(request: Request, command: CancelRequest) -> list[Event]:
    match request:
        case Received(customer_id=customer_id):
            return [RequestCancelled(request_id=command.request_id, customer_id=customer_id)]
        case Withdrawn() | Cancelled() | Closed():
            return []
        case Absent() | Incomplete():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            assert_never(request)


def close(request: Request, command: CloseRequest) -> list[Event]:
    match request:
        case Received() | Incomplete() | Cancelled():
            return [RequestClosed(request_id=command.request_id, outcome="completed")]
        case Withdrawn():
            return [RequestClosed(request_id=command.request_id, outcome="completed_after_withdrawal")]
        case Closed():
            return []
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            assert_never(request)


def evolve(request: Request, event: RequestEvent) -> Request:
    match event:
        case RequestIncomplete():
            return Incomplete(
                event.number,
                event.request_type,
                event.customer_id,
                event.device_id,
                event.urgency,
            )
        case RequestReceived():
            return Received(event.customer_id)
        case RequestSupplemented():
            return request
        case RequestWithdrawn():
            return Withdrawn(event.customer_id)
        case RequestCancelled():
            return Cancelled()
        case RequestClosed():
            return Closed()
        case _:
            assert_never(event)


REQUEST: Stream[Request] = Stream("request", INITIAL, evolve)
NUMBERS: Stream[int] = Stream("numbers", 0, lambda count, _: count + 1)
