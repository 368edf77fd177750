"""The registers: customers, the devices at their places, and the kinds of request there are."""

from __future__ import annotations

from dataclasses import dataclass

from contracts.event import Event
from contracts.intake import CustomerRegistered, CustomerUpdated, DeviceRegistered, RequestTypeDefined
from contracts.problems import Rejected
from intake.commands import DefineRequestType, RegisterCustomer, RegisterDevice
from services.chassis.journal.rules import Claim, States, Stream


def rounded(udeg: int) -> int:
    """A thousandth of a degree, about 100 m: near enough to drive there, too coarse to name a household."""
    return round(udeg / 1_000) * 1_000


@dataclass(frozen=True)
class Customer:
    """A customer as intake needs her: where service is wanted. None of it is personal."""

    region: str
    lat_udeg: int
    lon_udeg: int


@dataclass(frozen=True)
class Device:
    customer_id: str
    model: str
    serial: str
    skill: str


CustomerEvent = CustomerRegistered | CustomerUpdated


def customer_stream(customer_id: str) -> str:
    return f"customer/{customer_id}"


def device_stream(device_id: str) -> str:
    return f"device/{device_id}"


def type_stream(type_id: str) -> str:
    return f"request-type/{type_id}"


def register_customer(customer: Customer | None, command: RegisterCustomer) -> list[Event]:
    facts = command.model_dump() | {"lat_udeg": rounded(command.lat_udeg), "lon_udeg": rounded(command.lon_udeg)}
    return [CustomerRegistered(**facts) if customer is None else CustomerUpdated(**facts)]


def evolve_customer(_: Customer | None, event: CustomerEvent) -> Customer:
    return Customer(event.region, event.lat_udeg, event.lon_udeg)


def register_device(states: States, command: RegisterDevice) -> list[Event]:
    if states[customer_stream(command.customer_id)] is None:
        raise Rejected("customer.unknown", customer_id=command.customer_id)
    known: Device | None = states[device_stream(command.device_id)]
    event = DeviceRegistered(**command.model_dump())
    if known == evolve_device(None, event):
        return []
    if known is not None and known.serial != command.serial:
        raise Rejected("device.serial-changed", device_id=command.device_id, serial=known.serial)
    return [event]


def evolve_device(_: Device | None, event: DeviceRegistered) -> Device:
    return Device(event.customer_id, event.model, event.serial, event.skill)


def serial_of(event: DeviceRegistered) -> list[Claim]:
    """No two devices have one serial number."""
    return [Claim("device-serial", event.serial, event.device_id)]


def define_request_type(known: RequestTypeDefined | None, command: DefineRequestType) -> list[Event]:
    if not command.needs_device and not command.skill:
        raise Rejected("request-type.no-skill", type_id=command.type_id)
    event = RequestTypeDefined(type_version=known.type_version + 1 if known else 1, **command.model_dump())
    unchanged = known and RequestTypeDefined(type_version=known.type_version, **command.model_dump()) == known
    return [] if unchanged else [event]


CUSTOMER: Stream[Customer | None] = Stream("customer", None, evolve_customer)
DEVICE: Stream[Device | None] = Stream("device", None, evolve_device)
REQUEST_TYPE: Stream[RequestTypeDefined | None] = Stream("request-type", None, lambda _, event: event)
