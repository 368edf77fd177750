"""The registers: customers, sites, devices and their models, request types."""

from __future__ import annotations

from typing import Annotated

from contracts.event import Event, NonNegative, Personal, Positive, belongs_to
from contracts.intake.values import (
    DAY_S,
    CheckDigit,
    CustomerKind,
    Fault,
    FormField,
    PlacedBy,
    RequestKind,
    SerialCheck,
    UrgencyRule,
    UsualPart,
)


@belongs_to("customer", of="customer_id")
class CustomerRegistered(Event, frozen=True, kw_only=True):
    """A customer is known, with the place where service is wanted. Read by: quality, reporting."""

    customer_id: str
    name: Annotated[str, Personal("customer_id")]
    phone: Annotated[str, Personal("customer_id")]
    street: Annotated[str, Personal("customer_id")]
    kind: CustomerKind = "person"
    region: str
    lat_udeg: int
    """Rounded to a thousandth of a degree, in millionths, WGS-84."""
    lon_udeg: int
    email: Annotated[str, Personal("customer_id")] = ""
    phone_index: str = ""
    """A keyed hash of the phone number (services/gateway/persons.py), equal for equal numbers."""
    email_index: str = ""
    """The same of the e-mail address."""
    source: str = ""
    """The system that this came from, such as a CRM; empty for what was registered here."""
    source_version: NonNegative = 0
    """How that system counts the changes of this customer; an older one is not taken any more."""
    wechat: Annotated[str, Personal("customer_id")] = ""
    """What WeChat calls the customer towards this company (openid)."""
    language: str = "zh"
    """In which messages to the customer are: zh or en."""
    quiet_hours: str = ""
    """When no message disturbs her, `22:00-08:00` in the tenant's zone; empty: as the installation says."""
    placed_by: PlacedBy = "given"


@belongs_to("customer", of="customer_id")
class CustomerUpdated(Event, frozen=True, kw_only=True):
    """What is known of the customer has changed; the event holds all of it as it is now."""

    customer_id: str
    name: Annotated[str, Personal("customer_id")]
    phone: Annotated[str, Personal("customer_id")]
    street: Annotated[str, Personal("customer_id")]
    kind: CustomerKind = "person"
    region: str
    lat_udeg: int
    lon_udeg: int
    email: Annotated[str, Personal("customer_id")] = ""
    phone_index: str = ""
    email_index: str = ""
    source: str = ""
    source_version: NonNegative = 0
    """Each as in CustomerRegistered."""
    wechat: Annotated[str, Personal("customer_id")] = ""
    """What WeChat calls the customer towards this company (openid)."""
    language: str = "zh"
    """In which messages to the customer are: zh or en."""
    quiet_hours: str = ""
    """As in CustomerRegistered."""
    placed_by: PlacedBy = "given"


@belongs_to("site", of="site_id")
class SiteRegistered(Event, frozen=True, kw_only=True):
    """
    A customer has another place where service is wanted, such as a shop of a chain; all of it as it is now.

    Read by: intake (a request at the site lies there).
    """

    site_id: str
    customer_id: str
    name: Annotated[str, Personal("customer_id")]
    address: Annotated[str, Personal("customer_id")]
    region: str
    lat_udeg: int
    """Rounded to a thousandth of a degree, in millionths, WGS-84."""
    lon_udeg: int
    placed_by: PlacedBy = "given"


@belongs_to("device", of="device_id")
class DeviceRegistered(Event, frozen=True, kw_only=True):
    """A device stands at a customer's. Its serial number is taken: no other device may have it."""

    device_id: str
    customer_id: str
    model: str
    serial: str
    skill: str
    """What an engineer must be able to do to work on this model."""
    site_id: str = ""
    """The customer's site where it stands; empty for the customer's own place."""
    source: str = ""
    source_version: NonNegative = 0
    """As in CustomerRegistered."""
    purchased_on: str = ""
    """ISO date of the invoice; empty where it is not known. Both dates are of the tenant's zone."""
    in_service_on: str = ""
    """ISO date on which it was installed and put into service; a warranty of its model begins then."""
    device_supplier: str = ""
    """The company that it was bought from; empty where it is not known, and in records that do not say."""


@belongs_to("device-model", of="model")
class DeviceModelDefined(Event, frozen=True, kw_only=True):
    """One version of what is known of a model of devices: how its serial numbers are made, and its fault tree."""

    model: str
    model_version: Positive
    name: str
    name_zh: str = ""
    serial_pattern: str = ""
    """What its serial numbers must match as a whole; a regular expression without groups; empty for any."""
    serial_check: CheckDigit = "none"
    faults: tuple[Fault, ...] = ()
    """A wider fault stands before what it is divided into."""


@belongs_to("request-type", of="type_id")
class RequestTypeDefined(Event, frozen=True, kw_only=True):
    """
    One version of a kind of request: what must be filled in, and what follows from it. Cited by RequestReceived.

    Acted on by: dispatcher (defines the service level that a starter pack's type names, where nobody has yet).
    """

    type_id: str
    type_version: Positive
    name: str
    needs_device: bool = True
    skill: str = ""
    """For types without a device; else the device's model decides."""
    more_skills: tuple[str, ...] = ()
    """Beside `skill` or that of the device's model."""
    skill_level: NonNegative = 0
    certificates: tuple[str, ...] = ()
    """These two as in RequestReceived."""
    duration_s: Positive = 3_600
    min_description: NonNegative = 0
    """The fewest characters of a description that say something."""
    name_zh: str = ""
    kind: RequestKind = "repair"
    needs_visit: bool = True
    """False: it is answered from the desk, and no order is opened."""
    form: tuple[FormField, ...] = ()
    """What is asked beside the description, in the order in which it is asked."""
    urgency_matrix: tuple[UrgencyRule, ...] = ()
    """A pair that is not named comes to what the customer said."""
    usual_parts: tuple[UsualPart, ...] = ()
    sla: str = ""
    """The name of the service level that is promised; empty for none."""
    serial_pattern: str = ""
    """What the serial number of a device must match as a whole; a regular expression without groups; empty for any."""
    serial_check: SerialCheck = "none"
    """For devices whose model has no rule of its own."""
    remind_after_s: Positive = DAY_S
    """How long an incomplete request waits until its customer is reminded, seconds."""
    expire_after_s: Positive = 7 * DAY_S
    """How long it waits until it is given up, seconds."""
    warranty_s: NonNegative = 30 * DAY_S
    """So long after the work was done a request is reopened if the fault is back, seconds."""
