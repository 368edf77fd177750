"""The registers: customers, the devices at their places, and the kinds of request there are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from contracts.event import Event
from contracts.intake import (
    CustomerRegistered,
    CustomerUpdated,
    DeviceRegistered,
    PlacedBy,
    RequestTypeDefined,
    SiteRegistered,
)
from contracts.problems import Rejected
from intake.commands import DefineRequestType, LoadPack, PutIntoService, RegisterCustomer, RegisterDevice, RegisterSite
from intake.domain.form import is_phone, judge, pattern_fault
from intake.domain.models import model_of, model_stream
from intake.domain.place import divisions_of, placed
from intake.domain.serial import serial_lack
from services.chassis.journal.rules import Claim, States, Stream


def rounded(udeg: int) -> int:
    """A thousandth of a degree, about 100 m: near enough to drive there, too coarse to name a household."""
    return round(udeg / 1_000) * 1_000


Counted = tuple[tuple[str, int], ...]
"""How far each system that keeps something up has counted its changes."""


def counted_by(counted: Counted, event: CustomerEvent | DeviceRegistered) -> Counted:
    if not event.source:
        return counted
    return tuple(sorted((dict(counted) | {event.source: event.source_version}).items()))


@dataclass(frozen=True)
class Customer:
    """A customer as intake needs her: where service is wanted. None of it is personal."""

    region: str
    lat_udeg: int
    lon_udeg: int
    counted: Counted = ()
    placed_by: PlacedBy = "given"


@dataclass(frozen=True)
class Device:
    customer_id: str
    model: str
    serial: str
    skill: str
    site_id: str = ""
    counted: Counted = ()
    dates: tuple[str, str] = ("", "")
    """Of its purchase, and of being put into service."""
    device_supplier: str = ""


@dataclass(frozen=True)
class Site:
    """Another place of a customer's; none of it is personal."""

    customer_id: str
    region: str
    lat_udeg: int
    lon_udeg: int
    placed_by: PlacedBy = "given"


CustomerEvent = CustomerRegistered | CustomerUpdated


def customer_stream(customer_id: str) -> str:
    return f"customer/{customer_id}"


def device_stream(device_id: str) -> str:
    return f"device/{device_id}"


def type_stream(type_id: str) -> str:
    return f"request-type/{type_id}"


def register_customer(customer: Customer | None, command: RegisterCustomer) -> list[Event]:
    if not is_phone(command.phone):
        raise Rejected("customer.phone-wrong", customer_id=command.customer_id)
    counted = dict(customer.counted).get(command.source, 0) if customer else 0
    if command.source and command.source_version < counted:
        raise Rejected(
            "customer.stale",
            customer_id=command.customer_id,
            source=command.source,
            version=command.source_version,
            known=counted,
        )
    if command.source and customer is not None and command.source_version == counted:
        return []
    facts = command.model_dump(exclude={"spots"}) | _place(customer, command, command.street)
    return [CustomerRegistered(**facts) if customer is None else CustomerUpdated(**facts)]


EXACT: Final = ("given", "map")
"""How a place is known that is that of an address, and not that of a whole district."""


def _place(known: Customer | Site | None, command: RegisterCustomer | RegisterSite, address: str) -> dict[str, Any]:
    """What was known exactly is not given up for the middle of the same district."""
    given = None
    if command.lat_udeg is not None and command.lon_udeg is not None:
        given = command.lat_udeg, command.lon_udeg
    place = placed(command.region, address, given, command.spots)
    if known and place["placed_by"] not in EXACT and known.placed_by in EXACT and _is_in(known.region, place["region"]):
        place |= {"lat_udeg": known.lat_udeg, "lon_udeg": known.lon_udeg, "placed_by": known.placed_by}
    return place | {"lat_udeg": rounded(place["lat_udeg"]), "lon_udeg": rounded(place["lon_udeg"])}


def _is_in(region: str, other: str) -> bool:
    return region == other or divisions_of(region, "") == divisions_of(other, "") != ()


def evolve_customer(customer: Customer | None, event: CustomerEvent) -> Customer:
    counted = counted_by(customer.counted if customer else (), event)
    return Customer(event.region, event.lat_udeg, event.lon_udeg, counted, event.placed_by)


def site_stream(site_id: str) -> str:
    return f"site/{site_id}"


def register_site(states: States, command: RegisterSite) -> list[Event]:
    if states[customer_stream(command.customer_id)] is None:
        raise Rejected("customer.unknown", customer_id=command.customer_id)
    known: Site | None = states[site_stream(command.site_id)]
    if known is not None and known.customer_id != command.customer_id:
        raise Rejected("site.not-theirs", site_id=command.site_id)
    return [SiteRegistered(**command.model_dump(exclude={"spots"}) | _place(known, command, command.address))]


def evolve_site(_: Site | None, event: SiteRegistered) -> Site:
    return Site(event.customer_id, event.region, event.lat_udeg, event.lon_udeg, event.placed_by)


def device_reads(command: RegisterDevice) -> tuple[str, ...]:
    return (
        device_stream(command.device_id),
        customer_stream(command.customer_id),
        site_stream(command.site_id),
        model_stream(command.model),
    )


def register_device(states: States, command: RegisterDevice) -> list[Event]:
    if states[customer_stream(command.customer_id)] is None:
        raise Rejected("customer.unknown", customer_id=command.customer_id)
    known: Device | None = states[device_stream(command.device_id)]
    site: Site | None = states[site_stream(command.site_id)]
    if command.site_id and (site is None or site.customer_id != command.customer_id):
        raise Rejected("site.not-this-customers", site_id=command.site_id, customer_id=command.customer_id)
    dates = {"purchased_on": command.purchased_on, "in_service_on": command.in_service_on}
    facts: dict[str, Any] = command.model_dump(exclude={"unsaid"})
    facts |= {name: day.isoformat() if day else "" for name, day in dates.items()} | _as_known(known, command)
    if facts["in_service_on"] and facts["in_service_on"] < facts["purchased_on"]:
        raise Rejected("device.dates-crossed", device_id=command.device_id, purchased_on=facts["purchased_on"])
    event = DeviceRegistered(**facts)
    counted = dict(known.counted).get(command.source, 0) if known else 0
    if command.source and command.source_version < counted:
        raise Rejected(
            "device.stale",
            device_id=command.device_id,
            source=command.source,
            version=command.source_version,
            known=counted,
        )
    if known is not None and known == evolve_device(known, event):
        return []
    if known is not None and known.serial != command.serial:
        raise Rejected("device.serial-changed", device_id=command.device_id, serial=known.serial)
    model = model_of(states[model_stream(command.model)], 0)
    if model and (lack := serial_lack(command.serial, model.serial_pattern, model.serial_check)):
        about = command.device_id
        raise Rejected("device.serial-wrong", device_id=about, model=command.model, why=lack.en, why_zh=lack.zh)
    return [event]


def _as_known(known: Device | None, command: RegisterDevice) -> dict[str, str]:
    """What stays as it was. A device that goes to another customer leaves the site of the former one."""
    if known is None:
        return {}
    purchased_on, in_service_on = known.dates
    site_id = known.site_id if known.customer_id == command.customer_id else ""
    told = {"purchased_on": purchased_on, "in_service_on": in_service_on, "site_id": site_id}
    told["device_supplier"] = known.device_supplier
    return {name: value for name, value in told.items() if name in command.unsaid}


def put_reads(command: PutIntoService) -> tuple[str, ...]:
    return device_stream(command.device_id), type_stream(command.request_type)


def put_into_service(states: States, command: PutIntoService) -> list[Event]:
    """A day that the register knows stays; and none is before the invoice."""
    known: Device | None = states[device_stream(command.device_id)]
    versions: Versions = states[type_stream(command.request_type)]
    if known is None or not versions or versions[-1].kind != "installation":
        return []
    purchased_on, in_service_on = known.dates
    day = command.on.isoformat()
    if in_service_on or day < purchased_on:
        return []
    facts = DeviceRegistered(
        device_id=command.device_id,
        customer_id=known.customer_id,
        model=known.model,
        serial=known.serial,
        skill=known.skill,
        site_id=known.site_id,
        purchased_on=purchased_on,
        in_service_on=day,
        device_supplier=known.device_supplier,
    )
    return [facts]


def evolve_device(device: Device | None, event: DeviceRegistered) -> Device:
    counted = counted_by(device.counted if device else (), event)
    dates = event.purchased_on, event.in_service_on
    whose = event.customer_id, event.model, event.serial, event.skill, event.site_id
    return Device(*whose, counted, dates, event.device_supplier)


def serial_of(event: DeviceRegistered) -> list[Claim]:
    """No two devices have one serial number."""
    return [Claim("device-serial", event.serial, event.device_id)]


Versions = tuple[RequestTypeDefined, ...]
"""All versions of a request type, the first one first: a request is checked against the one that it was made with."""


def define_request_type(known: Versions, command: DefineRequestType) -> list[Event]:
    if not command.needs_device and not command.skill and command.needs_visit:
        raise Rejected("request-type.no-skill", type_id=command.type_id)
    judge(command.type_id, [question.of() for question in command.form])
    if fault := pattern_fault(command.serial_pattern):
        raise Rejected("request-type.wrong-field", type_id=command.type_id, field="serial_pattern", **fault.facts())
    cells = [(cell.urgency, cell.impact) for cell in command.urgency_matrix]
    if twice := next((cell for cell in cells if cells.count(cell) > 1), None):
        raise Rejected("request-type.cell-twice", type_id=command.type_id, urgency=twice[0], impact=twice[1])
    facts = dict(command) | {
        "form": tuple([question.of() for question in command.form]),
        "urgency_matrix": tuple([cell.of() for cell in command.urgency_matrix]),
        "usual_parts": tuple([part.of() for part in command.usual_parts]),
    }
    if known and RequestTypeDefined(type_version=known[-1].type_version, **facts) == known[-1]:
        return []
    return [RequestTypeDefined(type_version=len(known) + 1, **facts)]


def load_reads(command: LoadPack) -> tuple[str, ...]:
    return tuple([type_stream(one.type_id) for one in command.types])


def load_pack(states: States, command: LoadPack) -> list[Event]:
    """Only what is not there: a company's own version of a type is not replaced by that of a pack."""
    new = [one for one in command.types if not states[type_stream(one.type_id)]]
    return [event for one in new for event in define_request_type((), one)]


def version_of(versions: Versions, wanted: int) -> RequestTypeDefined | None:
    """The version of this number, or the newest one where none is wanted or it is not there."""
    return next((one for one in versions if one.type_version == wanted), versions[-1] if versions else None)


CUSTOMER: Stream[Customer | None] = Stream("customer", None, evolve_customer)
SITE: Stream[Site | None] = Stream("site", None, evolve_site)
DEVICE: Stream[Device | None] = Stream("device", None, evolve_device)
REQUEST_TYPE: Stream[Versions] = Stream("request-type", (), lambda versions, event: (*versions, event))
