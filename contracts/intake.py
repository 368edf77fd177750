"""Events of intake: what customers ask for, who they are, and the devices they own."""

from __future__ import annotations

from typing import Annotated, Literal

from contracts.event import Event, NonNegative, Personal, Positive, belongs_to

Urgency = Literal["low", "normal", "high", "critical"]
CustomerKind = Literal["person", "company"]


@belongs_to("request", of="request_id", key="request_id")
class RequestReceived(Event, frozen=True, kw_only=True):
    """
    A request is complete and valid: all that dispatch, parts and survey need is in it.

    Acted on by: dispatcher (opens an order). Read by: fieldwork, quality, inventory, reporting.
    """

    request_id: str
    number: str
    """What people say on the phone, `R-261124-0042`; never an identifier in a contract."""
    request_type: str
    type_version: Positive
    """The version of the request type that it was checked against and keeps."""
    customer_id: str
    device_id: str = ""
    device_model: str = ""
    skill: str
    """What an engineer must be able to do."""
    urgency: Urgency = "normal"
    duration_s: Positive
    """Expected time on site, seconds."""
    region: str
    """Administrative code or name of the district, in clear, for figures."""
    lat_udeg: int
    """Rounded to a thousandth of a degree (about 100 m), in millionths of a degree, WGS-84: where the site lies."""
    lon_udeg: int
    description: Annotated[str, Personal("customer_id")] = ""


@belongs_to("request", of="request_id", key="request_id")
class RequestIncomplete(Event, frozen=True, kw_only=True):
    """
    A request was taken but cannot be worked on yet; the customer is asked for what is missing on the same channel.

    Acted on by: nobody; it waits for a supplement. Read by: reporting.
    """

    request_id: str
    number: str
    request_type: str
    customer_id: str
    missing: tuple[str, ...]
    """Fields that are absent or wrong, each as `field: what is wrong with it`."""
    device_id: str = ""
    urgency: Urgency = "normal"
    description: Annotated[str, Personal("customer_id")] = ""


@belongs_to("request", of="request_id", key="request_id")
class RequestSupplemented(Event, frozen=True, kw_only=True):
    """
    Somebody gave what was missing, or corrected what was there. RequestReceived follows when it is complete now.

    Read by: reporting.
    """

    request_id: str
    customer_id: str
    fields: tuple[str, ...]


@belongs_to("request", of="request_id", key="request_id")
class RequestWithdrawn(Event, frozen=True, kw_only=True):
    """The customer does not want it any more. Acted on by: dispatcher (cancels the order unless work has begun)."""

    request_id: str
    customer_id: str
    reason: Annotated[str, Personal("customer_id")] = ""


@belongs_to("request", of="request_id", key="request_id")
class RequestCancelled(Event, frozen=True, kw_only=True):
    """
    A dispatcher decided that the work will not be done; the customer sees that nobody comes.

    RequestClosed follows all the same if the work was done before word of it came there. Read by: reporting.
    """

    request_id: str
    customer_id: str


@belongs_to("request", of="request_id", key="request_id")
class RequestClosed(Event, frozen=True, kw_only=True):
    """The story of the request has ended. Read by: reporting."""

    request_id: str
    outcome: Literal["completed", "completed_after_withdrawal"]
    """`completed_after_withdrawal`: the work was done before word of the withdrawal came there; a fact wins."""


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


@belongs_to("device", of="device_id")
class DeviceRegistered(Event, frozen=True, kw_only=True):
    """A device stands at a customer's. Its serial number is taken: no other device may have it."""

    device_id: str
    customer_id: str
    model: str
    serial: str
    skill: str
    """What an engineer must be able to do to work on this model."""


@belongs_to("request-type", of="type_id")
class RequestTypeDefined(Event, frozen=True, kw_only=True):
    """One version of a kind of request: what must be filled in, and what follows from it. Cited by RequestReceived."""

    type_id: str
    type_version: Positive
    name: str
    needs_device: bool = True
    skill: str = ""
    """For types without a device; else the device's model decides."""
    duration_s: Positive = 3_600
    min_description: NonNegative = 0
    """The fewest characters of a description that say something."""


@belongs_to("numbers", of="day", public=False)
class NumberGiven(Event, frozen=True, kw_only=True):
    """The next number of a day went to a request. People count by it; nothing refers to it."""

    day: str
    """ISO date in the tenant's zone."""
    request_id: str
