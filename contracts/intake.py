"""Events of intake: what customers ask for, who they are, and the devices they own."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Personal, Positive, Utc, belongs_to

Urgency = Literal["low", "normal", "high", "critical"]
Impact = Literal["low", "medium", "high"]
"""How far it reaches, as an agent judges it: one person, a place, a business that stands still."""
CustomerKind = Literal["person", "company"]
RequestKind = Literal[
    "repair", "installation", "inspection", "enquiry", "complaint", "suggestion", "incident", "service"
]
FieldKind = Literal["text", "integer", "choice", "choices", "yes_no", "date", "phone"]
SerialCheck = Literal["none", "luhn"]
PlacedBy = Literal["given", "map", "district", "city"]
"""
How the place of somebody is known: given in coordinates; as a map has the address; the seat of the district, or of the
city, in which the address lies.
"""
CheckDigit = Literal["none", "luhn", "mod11", "mod97", "imei", "ean"]
"""How the last characters of a serial number follow from the others: `intake/domain/serial.py` has each."""

DAY_S = 24 * 3_600


class Choice(msgspec.Struct, frozen=True):
    """One answer that a field takes, with what people read."""

    value: str
    label: str
    label_zh: str = ""


class AskedIf(msgspec.Struct, frozen=True):
    """A field is asked only where another one, which stands before it, was answered with one of these."""

    field: str
    values: tuple[str | bool | int, ...]


class FormField(msgspec.Struct, frozen=True, kw_only=True):
    """
    One question of a form.

    The kinds are a subset of JSON Schema: `intake/domain/form.py` says which schema each stands for.
    """

    name: str
    """The key of its answer; lower case, unique in the form."""
    label: str
    label_zh: str = ""
    kind: FieldKind = "text"
    required: bool = False
    choices: tuple[Choice, ...] = ()
    """For `choice` and `choices`."""
    pattern: str = ""
    """For `text`: what the whole answer must match; a regular expression without groups."""
    least: int | None = None
    """For `integer` the smallest value; for `text` the fewest characters."""
    most: int | None = None
    """For `integer` the greatest value; for `text` the most characters."""
    asked_if: AskedIf | None = None
    """None: it is always asked. Where it is not asked it must not be answered."""
    says_fault: bool = False
    """For one `choice` of a form: its value is the fault class of a request whose device's model names none."""


class UrgencyRule(msgspec.Struct, frozen=True):
    """A cell of the urgency matrix: what the customer's urgency and the impact come to."""

    urgency: Urgency
    impact: Impact
    becomes: Urgency


class UsualPart(msgspec.Struct, frozen=True):
    """A part that work of this type usually takes."""

    part_id: str
    quantity: Annotated[int, msgspec.Meta(ge=1)] = 1


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A node of the fault tree of a device model: what may be wrong with it, and what mending it takes."""

    code: str
    label: str
    label_zh: str = ""
    parent: str = ""
    """The code of the wider fault that it is a kind of; empty at the top. What is not said here is said there."""
    skills: tuple[str, ...] = ()
    """Beside what the device needs anyway."""
    duration_s: NonNegative = 0
    """Expected time on site, seconds; 0 leaves it to the wider fault, in the end to the type."""
    parts: tuple[UsualPart, ...] = ()


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What an order for the request is opened with; each as in RequestReceived."""

    request_type: str
    device_id: str = ""
    device_model: str = ""
    skill: str
    urgency: Urgency = "normal"
    duration_s: Annotated[int, msgspec.Meta(ge=1)]
    region: str
    lat_udeg: int
    lon_udeg: int
    needs_visit: bool = True
    more_skills: tuple[str, ...] = ()
    skill_level: NonNegative = 0
    certificates: tuple[str, ...] = ()
    wished_engineer_id: str = ""
    usual_parts: tuple[UsualPart, ...] = ()
    sla: str = ""


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
    more_skills: tuple[str, ...] = ()
    """What she must be able to do beside that: of the type, and of the fault."""
    skill_level: NonNegative = 0
    """How well she must be able to do it; 0 for any."""
    certificates: tuple[str, ...] = ()
    """What she must be certified for."""
    wished_engineer_id: str = ""
    """Whom the customer wishes for, among those who can; empty for whoever suits best."""
    urgency: Urgency = "normal"
    """What the type's matrix makes of the two that follow; it decides who waits."""
    stated_urgency: Literal["", "low", "normal", "high", "critical"] = ""
    """What the customer said; empty where it is `urgency`, as in all records before there was a matrix."""
    impact: Impact = "medium"
    duration_s: Positive
    """Expected time on site, seconds."""
    region: str
    """Administrative code or name of the district, in clear, for figures."""
    lat_udeg: int
    """Rounded to a thousandth of a degree (about 100 m), in millionths of a degree, WGS-84: where the site lies."""
    lon_udeg: int
    description: Annotated[str, Personal("customer_id")] = ""
    kind: RequestKind = "repair"
    needs_visit: bool = True
    """False: it is answered from the desk, and no order is opened."""
    sla: str = ""
    """The name of the service level that its type promises; empty for none."""
    usual_parts: tuple[UsualPart, ...] = ()
    """What work of this type usually takes, beside what the device's model does."""
    answers: Annotated[str, Personal("customer_id")] = ""
    """The answers to the fields of the type's form: a JSON object, its keys sorted; empty for none."""
    contact_phone: Annotated[str, Personal("customer_id")] = ""
    """Whom to call on site, where that is not the customer's own number."""
    address: Annotated[str, Personal("customer_id")] = ""
    """Where service is wanted, as it was written; it lies in the customer's `region`."""
    site_id: str = ""
    """The customer's site where service is wanted; empty for the customer's own place."""
    division: str = ""
    """The administrative division of `address`: six digits of GB/T 2260; empty where no address was written."""
    located: bool = False
    """The place is the request's own: in coordinates, or as a map has `address`; else the site's or the customer's."""
    placed_by: PlacedBy = "given"
    warranty_s: NonNegative = 30 * DAY_S
    """So long after the work was done it is reopened if the fault is back."""
    message_id: str = ""
    """
    The channel's own name of the message that this came of, `wechat/8f3…`: it is taken once. Only the first event of a
    request has it.
    """
    message_digest: Annotated[str, Personal("customer_id")] = ""
    """SHA-256 of what the message said, by which its repeat is told from another message under its name."""
    fault_class: str = ""
    """A code of the fault tree of the device's model, or what the form says; empty where nobody knows."""
    model_version: NonNegative = 0
    """The version of the device's model, with its fault tree, that it keeps; 0 where none is defined."""


@belongs_to("request", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestIncomplete(Event, frozen=True, kw_only=True):
    """
    A request was taken but cannot be worked on yet; the customer is asked for what is missing on the same channel.

    What was written lies under a key of the request's own, which is destroyed with that of the customer who is named
    last: who it is may still be wrong.

    It waits for a supplement: RequestReminded follows while none comes, and in the end RequestExpired.
    Read by: reporting.
    """

    request_id: str
    number: str
    request_type: str
    customer_id: str
    missing: tuple[str, ...]
    """Fields that are absent or wrong, each as `field: what is wrong with it`."""
    missing_zh: tuple[str, ...] = ()
    """The same lines in Chinese, in the same order."""
    device_id: str = ""
    urgency: Urgency = "normal"
    """What the customer said."""
    impact: Impact = "medium"
    description: Annotated[str, Personal("request_id")] = ""
    type_version: NonNegative = 0
    """The version of the type that it was checked against and keeps; 0 where there is no such type."""
    answers: Annotated[str, Personal("request_id")] = ""
    serial: str = ""
    """The serial number that was read out, where it leads to no device of this customer."""
    contact_phone: Annotated[str, Personal("request_id")] = ""
    address: Annotated[str, Personal("request_id")] = ""
    site_id: str = ""
    lat_udeg: int | None = None
    lon_udeg: int | None = None
    """Where it was said to be in coordinates, rounded as in RequestReceived; None where nobody said."""
    message_id: str = ""
    """As in RequestReceived, like those that follow."""
    message_digest: Annotated[str, Personal("request_id")] = ""
    fault_class: str = ""
    model_version: NonNegative = 0
    wished_engineer_id: str = ""
    remind_after_s: Positive = DAY_S
    """The customer is reminded when nothing was heard for so long, and once more after as long again."""
    expire_after_s: Positive = 7 * DAY_S
    """It is given up when nothing was heard for so long."""


@belongs_to("request-photos", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestPhotoAttached(Event, frozen=True, kw_only=True):
    """
    A customer's picture of what is wrong was kept with her request. Its bytes are sealed and lie under `sha256`.

    They lie under the key of the request, as what was written does. Read by: reporting.
    """

    request_id: str
    customer_id: str
    photo_id: str
    sha256: str
    """Of the sealed bytes as they are stored, hexadecimal."""
    media_type: Literal["image/jpeg", "image/png", "image/webp"]
    size_b: Positive
    picture_sha256: str
    """Of the picture as it is kept and shown: without the data of the camera."""
    taken_at: Utc | None = None
    """When the camera says that it was taken; from its EXIF data, which are not kept."""
    place: Annotated[str, Personal("request_id")] = ""
    """Where, as the camera says: `lat,lon`, 1/1,000,000 degree north and east; empty where it does not say."""


@belongs_to("request", of="request_id", key="request_id")
class RequestReminded(Event, frozen=True, kw_only=True):
    """
    Nothing was heard of an incomplete request for its time; the customer is asked again on the channel of the request.

    Twice at most. Read by: whoever sends the customer messages.
    """

    request_id: str
    customer_id: str
    time_no: Annotated[int, msgspec.Meta(ge=1, le=2)]
    """The first or the second reminder."""
    remind_after_s: Positive = DAY_S


@belongs_to("request", of="request_id", key="request_id")
class RequestExpired(Event, frozen=True, kw_only=True):
    """
    What was missing was never given; the request is given up, and no order was ever opened for it.

    Read by: reporting; whoever sends the customer messages.
    """

    request_id: str
    customer_id: str


@belongs_to("request", of="request_id", key="request_id", joins=("request_id", "customer_id"))
class RequestSupplemented(Event, frozen=True, kw_only=True):
    """
    Somebody gave what was missing, or corrected what was there. RequestReceived follows when it is complete now.

    What was written before lies under a key of the request's own; from now on that is destroyed with this customer's.

    Read by: reporting.
    """

    request_id: str
    customer_id: str
    fields: tuple[str, ...]
    message_id: str = ""
    """The channel's own name of the message that it came of, as in RequestReceived; empty for what is no message."""


@belongs_to("request", of="request_id", key="request_id")
class RequestWithdrawn(Event, frozen=True, kw_only=True):
    """The customer does not want it any more. Acted on by: dispatcher (cancels the order unless work has begun)."""

    request_id: str
    customer_id: str
    reason: Annotated[str, Personal("customer_id")] = ""
    round_no: Positive = 1
    """Which of its orders that ends: 1, and one more after each RequestUnmerged and RequestReopened."""


@belongs_to("request", of="request_id", key="request_id")
class RequestMerged(Event, frozen=True, kw_only=True):
    """
    It asks for what another request asks for already, and is worked on no further; the other one stands for both.

    RequestUnmerged takes it back. RequestClosed follows all the same if the work was done before word of it came there.
    Acted on by: dispatcher (cancels the order unless work has begun).
    """

    request_id: str
    customer_id: str
    into_id: str
    """The request that stands for both."""
    round_no: Positive = 1
    """As in RequestWithdrawn."""


@belongs_to("request", of="request_id", key="request_id")
class RequestUnmerged(Event, frozen=True, kw_only=True):
    """
    It was another thing after all: it is again what it was before it was merged.

    Acted on by: dispatcher (opens an order of the new round, where there is work).
    """

    request_id: str
    customer_id: str
    into_id: str
    """The request that stood for both."""
    round_no: Positive = 2
    work: Work | None = None
    """None where it was incomplete: then it waits again."""
    remind_after_s: Positive = DAY_S
    expire_after_s: Positive = 7 * DAY_S
    """As in RequestIncomplete, for one that waits again; both begin anew."""


@belongs_to("request", of="request_id", key="request_id")
class RequestReopened(Event, frozen=True, kw_only=True):
    """
    The fault is back within the warranty of the work: the request goes on, and it is a repeat visit.

    Acted on by: dispatcher (opens an order of the new round). Read by: reporting (repairs that did not last).
    """

    request_id: str
    customer_id: str
    round_no: Positive = 2
    work: Work
    reason: Annotated[str, Personal("customer_id")] = ""


@belongs_to("request", of="request_id", key="request_id")
class RequestResolvedRemotely(Event, frozen=True, kw_only=True):
    """
    An agent solved it from the desk; nobody needs to go, and the story of the request has ended.

    Acted on by: dispatcher (cancels the order unless work has begun). Read by: reporting (first-contact resolution).
    """

    request_id: str
    customer_id: str
    action: Annotated[str, Personal("customer_id")]
    """What was done."""
    resolved_at: Utc
    first_contact: bool = False
    """The customer was asked for nothing in between and had not come back: solved at the first contact."""
    round_no: Positive = 1
    """As in RequestWithdrawn."""


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
    completed_at: Utc | None = None
    """When the work was done; None in records from before it could be reopened."""


@belongs_to("follow-up", of="request_id", key="request_id")
class RequestFollowsUp(Event, frozen=True, kw_only=True):
    """
    A request was made for a point that was not in order at another request's visit, once for each such point.

    Recorded with the RequestReceived, or RequestIncomplete, of the new one. Read by: reporting.
    """

    request_id: str
    follows_id: str
    """The request at whose visit it was found."""
    customer_id: str
    visit_id: str
    item: str
    """The point of the checklist."""


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


@belongs_to("numbers", of="day", public=False)
class NumberGiven(Event, frozen=True, kw_only=True):
    """The next number of a day went to a request. People count by it; nothing refers to it."""

    day: str
    """ISO date in the tenant's zone."""
    request_id: str


# What customers are told.


@belongs_to("message", of="message_id")
class MessageSent(Event, frozen=True, kw_only=True):
    """A provider took a message for a customer. Whether it was read is not known. Read by: intake."""

    message_id: str
    """The id of the event that it tells of; the provider's idempotency key. The story is that event's, too."""
    customer_id: str
    template: str
    """Which words it was made of, such as `request-reminded`."""
    language: str
    medium: str
    """`text`, `mail` or `wechat`."""
    recipient: Annotated[str, Personal("customer_id")]
    provider_ref: str = ""
    """The provider's own name of it, if it said one."""
    attempts: Positive = 1
    """How often it was tried, this time included."""


@belongs_to("message", of="message_id")
class MessageNotSent(Event, frozen=True, kw_only=True):
    """A message to a customer will not be sent, and why. It is final. Read by: intake."""

    message_id: str
    """The id of the event that it would have told of."""
    customer_id: str
    template: str
    language: str
    reason: str
    """
    `no-sender`: this installation has no provider for it; `no-address`: the customer left none; `forgotten`: the
    customer's key is destroyed; `not-wanted`: what it would say was not true any more; `refused`: the provider will
    never take it; `too-late`: the provider was away for too long.
    """
    medium: str = ""
    """How it would have gone; empty where it did not come so far."""
    recipient: Annotated[str, Personal("customer_id")] = ""
    """Where a provider refused it: to whom it would have gone."""
    detail: Annotated[str, Personal("customer_id")] = ""
    """The provider's words, which may name the customer."""
    attempts: Positive = 1


# What the staff is told.


@belongs_to("contact", of="person_id", public=False)
class ContactSet(Event, frozen=True, kw_only=True):
    """How somebody of the staff is reached, and as what; all of it as it is now. Without an address, she is not."""

    person_id: str
    """Of an engineer the engineer's id; of the others their user."""
    role: str
    phone: Annotated[str, Personal("person_id")] = ""
    email: Annotated[str, Personal("person_id")] = ""
    wechat: Annotated[str, Personal("person_id")] = ""
    language: str = "zh"
    quiet_hours: str = ""
    """As in CustomerRegistered."""


@belongs_to("notice", of="notice_id", public=False)
class NoticeDue(Event, frozen=True, kw_only=True):
    """
    Somebody of the staff is to be told of an event, which concerns several: one of these for each of them.

    Acted on by: intake (sends it, and records NoticeSent or NoticeNotSent).
    """

    notice_id: str
    """Derived from the event that it tells of, which is its cause, and the person."""
    person_id: str
    template: str
    """Which words it is made of, such as `order-overdue`."""
    request_id: str = ""
    """Empty where it is about none."""
    about: dict[str, str]
    """The other words by name: ids, numbers, instants in ISO 8601; nothing personal."""
    waits: bool = True
    """Quiet hours hold it, but no longer than until `latest`; False: nothing does."""
    latest: Utc | None = None
    """What it tells of is over then."""


@belongs_to("notice", of="notice_id", public=False)
class NoticeSent(Event, frozen=True, kw_only=True):
    """A provider took a message for somebody of the staff."""

    notice_id: str
    person_id: str
    message_id: str
    """The id of the NoticeDue: the provider's idempotency key."""
    medium: str
    recipient: Annotated[str, Personal("person_id")]
    provider_ref: str = ""
    attempts: Positive = 1


@belongs_to("notice", of="notice_id", public=False)
class NoticeNotSent(Event, frozen=True, kw_only=True):
    """It will not be sent, and why; she still finds it among her notices. It is final."""

    notice_id: str
    person_id: str
    message_id: str
    reason: str
    """As in MessageNotSent."""
    medium: str = ""
    detail: Annotated[str, Personal("person_id")] = ""
    attempts: Positive = 1
