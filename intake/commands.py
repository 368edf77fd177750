"""What intake can be asked to do."""

from __future__ import annotations

from pydantic import Field

from contracts.intake import CustomerKind, Urgency
from services.chassis.command import Command

UDEG = 1_000_000
"""Millionths in a degree."""


class SubmitRequest(Command):
    """A customer asks for something. What is missing or wrong is recorded, and asked for, not refused."""

    request_id: str
    request_type: str
    customer_id: str
    device_id: str = ""
    urgency: Urgency = "normal"
    description: str = Field("", max_length=4_000)
    day: str
    """Today in the tenant's zone, for the number."""


class SupplementRequest(Command):
    """What was missing is given, or what was wrong is corrected; what is empty stays as it was."""

    request_id: str
    request_type: str = ""
    customer_id: str = ""
    device_id: str = ""
    description: str = Field("", max_length=4_000)
    known_request_type: str = ""
    known_customer_id: str = ""
    known_device_id: str = ""
    """What the view says was given before: these are the streams that the decision reads."""
    known_description: str = Field("", max_length=4_000)
    """The same of the description, opened: no state holds what is sealed, and the request must carry it on."""


class WithdrawRequest(Command):
    """The customer does not want it any more."""

    request_id: str
    reason: str = Field("", max_length=1_000)


class CancelRequest(Command):
    """A dispatcher has cancelled the order."""

    request_id: str


class CloseRequest(Command):
    """The work was completed in the field."""

    request_id: str


class RegisterCustomer(Command):
    """A new customer, or all that is known of one as it is now."""

    customer_id: str
    name: str = Field(min_length=1, max_length=200)
    phone: str = Field(min_length=5, max_length=40)
    street: str = Field(max_length=400)
    kind: CustomerKind = "person"
    region: str = Field(min_length=1, max_length=100)
    lat_udeg: int = Field(ge=-90 * UDEG, le=90 * UDEG)
    lon_udeg: int = Field(ge=-180 * UDEG, le=180 * UDEG)


class RegisterDevice(Command):
    """A device that stands at a customer's."""

    device_id: str
    customer_id: str
    model: str = Field(min_length=1, max_length=100)
    serial: str = Field(min_length=1, max_length=100)
    skill: str = Field(min_length=1, max_length=100)


class DefineRequestType(Command):
    """The next version of a kind of request. Requests that run keep theirs."""

    type_id: str
    name: str = Field(min_length=1, max_length=200)
    needs_device: bool = True
    skill: str = ""
    duration_s: int = Field(3_600, ge=60, le=7 * 24 * 3_600)
    min_description: int = Field(0, ge=0, le=500)
