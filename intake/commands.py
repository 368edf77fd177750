"""What intake can be asked to do."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field, StringConstraints

from contracts.intake import (
    DAY_S,
    AskedIf,
    CheckDigit,
    Choice,
    CustomerKind,
    Fault,
    FieldKind,
    FormField,
    Impact,
    RequestKind,
    SerialCheck,
    Urgency,
    UrgencyRule,
    UsualPart,
)
from services.chassis.command import Command
from services.chassis.exact import Value
from services.chassis.messages.kinds import Language, Medium, WhyNotSent
from services.chassis.messages.quiet import QUIET_HOURS
from services.chassis.pictures.kinds import MediaType

UDEG = 1_000_000
"""Millionths in a degree."""

QuietHours = Annotated[str, Field(max_length=11, pattern=rf"^({QUIET_HOURS})?$")]
"""`22:00-08:00`, in the tenant's zone; empty: as the installation says; with the same time twice: none."""


class SubmitRequest(Command):
    """A customer asks for something. What is missing or wrong is recorded, and asked for, not refused."""

    request_id: str
    request_type: str
    customer_id: str
    device_id: str = ""
    urgency: Urgency = "normal"
    impact: Impact = "medium"
    description: str = Field("", max_length=4_000)
    answers: Mapping[str, Any] = Field(default_factory=dict)
    """By the names of the form's fields."""
    serial: str = Field("", max_length=100)
    """What was read out of the device; `device_id` is the device that the register knows by it, if any."""
    contact_phone: str = Field("", max_length=40)
    address: str = Field("", max_length=400)
    site_id: str = Field("", max_length=100)
    message_id: str = Field("", max_length=200)
    """`channel/name`: the channel's own name of the message. It is taken once."""
    message_digest: str = ""
    """SHA-256 of what the message said."""
    by_customer: bool = False
    """The customer, signed in, wrote it herself."""
    fault: str = Field("", max_length=60)
    """A code of the fault tree of the device's model."""
    wished_engineer_id: str = Field("", max_length=100)
    device_model: str = ""
    device_site_id: str = ""
    """Of the device as the register knows it: these are streams that the decision reads."""
    spots: tuple[tuple[int, int], ...] = Field((), max_length=20)
    """Where a map has the address: latitude and longitude in millionths of a degree, the likeliest first."""
    here: tuple[int, int] | None = None
    """Where it is, as whoever asks says it in coordinates; it goes before what a map has. WGS-84."""
    day: str
    """Today in the tenant's zone, for the number."""


class AskFollowUp(Command):
    """A point was not in order at a visit: it becomes a request of its own, of the same customer and device."""

    follows_id: str
    visit_id: str
    item: str
    request: SubmitRequest


class ChangeRequest(Command):
    """What a request says is other than it was; what is empty stays."""

    request_id: str
    customer_id: str = ""
    device_id: str = ""
    site_id: str = Field("", max_length=100)
    fault: str = Field("", max_length=60)
    contact_phone: str = Field("", max_length=40)
    address: str = Field("", max_length=400)
    device_model: str = ""
    device_site_id: str = ""
    """Of the device that is named now, or else that was before."""
    spots: tuple[tuple[int, int], ...] = Field((), max_length=20)
    """As in SubmitRequest, of the address that is given now, or else that was before."""
    here: tuple[int, int] | None = None
    """As in SubmitRequest."""
    known_request_type: str = ""
    known_customer_id: str = ""
    known_device_id: str = ""
    known_site_id: str = ""
    """What the view says was given before: these are the streams that the decision reads."""
    known_description: str = Field("", max_length=4_000)
    """The same of the description, opened: no state holds what is sealed, and the request must carry it on."""
    known_answers: Mapping[str, Any] = Field(default_factory=dict)
    known_contact_phone: str = Field("", max_length=40)
    known_address: str = Field("", max_length=400)


class SupplementRequest(ChangeRequest):
    """What was missing is given, or what was wrong is corrected."""

    request_type: str = ""
    description: str = Field("", max_length=4_000)
    answers: Mapping[str, Any] = Field(default_factory=dict)
    """Answers that are new or other than before."""
    serial: str = Field("", max_length=100)
    wished_engineer_id: str = Field("", max_length=100)
    message_id: str = Field("", max_length=200)
    """As in SubmitRequest."""


class CorrectRequest(ChangeRequest):
    """A complete request was of another customer, device or place than it said."""

    reason: str = Field("", max_length=1_000)
    under_way: bool = False
    """As in MergeRequest."""
    received_at: AwareDatetime | None = None


class AttachRequestPhoto(Command):
    """A picture of what is wrong, whose sealed bytes are kept already."""

    request_id: str
    photo_id: str
    customer_id: str
    sha256: str
    media_type: MediaType
    size_b: int = Field(ge=1)
    picture_sha256: str
    taken_at: AwareDatetime | None = None
    lat_udeg: int | None = None
    lon_udeg: int | None = None
    """When and where, as the camera says."""


class RemarkOnRequest(Command):
    """The customer writes something about her request, or the desk answers her."""

    request_id: str
    remark_id: str
    customer_id: str
    by: Literal["customer", "desk"]
    words: str = Field(min_length=1, max_length=2_000)


class RemindRequest(Command):
    """Nothing was heard of it for its time."""

    request_id: str


class ExpireRequest(Command):
    """What was missing was not given in time."""

    request_id: str


class WithdrawRequest(Command):
    """The customer does not want it any more."""

    request_id: str
    reason: str = Field("", max_length=1_000)


class MergeRequest(Command):
    """It asks for what another one asks for."""

    request_id: str
    into_id: str
    under_way: bool = False
    """An engineer is on the way, or at work, for it."""


class UnmergeRequest(Command):
    """It was another thing after all."""

    request_id: str


class ReopenRequest(Command):
    """The fault is back."""

    request_id: str
    reason: str = Field("", max_length=1_000)
    now: AwareDatetime


class ResolveRemotely(Command):
    """An agent has solved it from the desk."""

    request_id: str
    action: str = Field(min_length=1, max_length=4_000)
    now: AwareDatetime


class CancelRequest(Command):
    """A dispatcher has cancelled the order."""

    request_id: str


class CloseRequest(Command):
    """The work was completed in the field."""

    request_id: str
    order_id: str = ""
    customer_id: str = ""
    device_id: str = ""
    """Whose, and at what; empty where it is not known."""
    completed_at: AwareDatetime | None = None


Email = Annotated[str, Field(max_length=254, pattern=r"^$|^[^@\s]+@[^@\s]+$")]


class RegisterCustomer(Command):
    """A new customer, or all that is known of one as it is now."""

    customer_id: str
    name: str = Field(min_length=1, max_length=200)
    phone: str = Field(min_length=5, max_length=40)
    street: str = Field(max_length=400)
    kind: CustomerKind = "person"
    region: str = Field("", max_length=100)
    lat_udeg: int | None = Field(None, ge=-90 * UDEG, le=90 * UDEG)
    lon_udeg: int | None = Field(None, ge=-180 * UDEG, le=180 * UDEG)
    """WGS-84; None: where the address lies."""
    spots: tuple[tuple[int, int], ...] = Field((), max_length=20)
    """As in SubmitRequest."""
    email: Email = ""
    wechat: str = Field("", max_length=100)
    language: Language = "zh"
    quiet_hours: QuietHours = ""
    phone_index: str = ""
    email_index: str = ""
    """Keyed hashes of the two, by which a caller is found."""
    source: str = Field("", max_length=40)
    source_version: int = Field(0, ge=0)
    """Where it is kept up elsewhere, and how far that system has counted."""


class RegisterSite(Command):
    """Another place of a customer's, or all that is known of it as it is now."""

    site_id: str
    customer_id: str
    name: str = Field(min_length=1, max_length=200)
    address: str = Field(max_length=400)
    region: str = Field("", max_length=100)
    lat_udeg: int | None = Field(None, ge=-90 * UDEG, le=90 * UDEG)
    lon_udeg: int | None = Field(None, ge=-180 * UDEG, le=180 * UDEG)
    """WGS-84; None: where the address lies."""
    spots: tuple[tuple[int, int], ...] = Field((), max_length=20)
    """As in SubmitRequest."""


class RegisterDevice(Command):
    """A device that stands at a customer's."""

    device_id: str
    customer_id: str
    model: str = Field(min_length=1, max_length=100)
    serial: str = Field(min_length=1, max_length=100)
    skill: str = Field(min_length=1, max_length=100)
    site_id: str = Field("", max_length=100)
    source: str = Field("", max_length=40)
    source_version: int = Field(0, ge=0)
    """As of a customer."""
    purchased_on: date | None = None
    in_service_on: date | None = None
    device_supplier: str = Field("", max_length=100)
    unsaid: frozenset[str] = frozenset()
    """What stays as it is known, where the device is: fields of which nothing was said."""


class PutIntoService(Command):
    """Somebody of ours was at a device and has completed what was asked for."""

    device_id: str
    serial: str
    """As it is registered, whose claim is kept."""
    request_type: str
    """Only an installation puts a device into service."""
    on: date


Name = Annotated[str, StringConstraints(min_length=1, max_length=100)]
"""Of a skill or a certificate."""


class Part(Value):
    """A value within a command; `of` makes the contract's of it."""


class ChoiceOf(Part):
    value: str = Field(min_length=1, max_length=100)
    label: str = Field(min_length=1, max_length=200)
    label_zh: str = Field("", max_length=200)


class AskedWhen(Part):
    """A field is asked only where another one was answered with one of these."""

    field: str = Field(max_length=60)
    values: tuple[Annotated[str, Field(max_length=400)] | bool | Annotated[int, Field(ge=-(10**9), le=10**9)], ...] = (
        Field(max_length=100)
    )

    def of(self) -> AskedIf:
        return AskedIf(self.field, self.values)


class Question(Part):
    """A field of a form."""

    name: str = Field(max_length=60)
    label: str = Field(min_length=1, max_length=200)
    label_zh: str = Field("", max_length=200)
    kind: FieldKind = "text"
    required: bool = False
    choices: tuple[ChoiceOf, ...] = Field((), max_length=100)
    pattern: str = Field("", max_length=100)
    least: int | None = Field(None, ge=-(2**53), le=2**53)
    most: int | None = Field(None, ge=-(2**53), le=2**53)
    asked_if: AskedWhen | None = None
    says_fault: bool = False

    def of(self) -> FormField:
        choices = tuple([Choice(one.value, one.label, one.label_zh) for one in self.choices])
        return FormField(**dict(self) | {"choices": choices, "asked_if": self.asked_if and self.asked_if.of()})


class MatrixCell(Part):
    """What the customer's urgency and the impact come to."""

    urgency: Urgency
    impact: Impact
    becomes: Urgency

    def of(self) -> UrgencyRule:
        return UrgencyRule(self.urgency, self.impact, self.becomes)


class PartUsed(Part):
    """A part that such work usually takes."""

    part_id: str = Field(min_length=1, max_length=100)
    quantity: int = Field(1, ge=1, le=10_000)

    def of(self) -> UsualPart:
        return UsualPart(self.part_id, self.quantity)


class FaultOf(Part):
    """A node of a fault tree."""

    code: str = Field(min_length=1, max_length=60)
    label: str = Field(min_length=1, max_length=200)
    label_zh: str = Field("", max_length=200)
    parent: str = Field("", max_length=60)
    skills: tuple[Name, ...] = Field((), max_length=20)
    duration_s: int = Field(0, ge=0, le=7 * 24 * 3_600)
    parts: tuple[PartUsed, ...] = Field((), max_length=50)

    def of(self) -> Fault:
        return Fault(**dict(self) | {"parts": tuple([part.of() for part in self.parts])})


class DefineDeviceModel(Command):
    """The next version of a model of devices. Requests that run keep theirs."""

    model: str = Field(min_length=1, max_length=100)
    name: str = Field(min_length=1, max_length=200)
    name_zh: str = Field("", max_length=200)
    serial_pattern: str = Field("", max_length=100)
    serial_check: CheckDigit = "none"
    faults: tuple[FaultOf, ...] = Field((), max_length=200)


class DefineRequestType(Command):
    """The next version of a kind of request. Requests that run keep theirs."""

    type_id: str
    name: str = Field(min_length=1, max_length=200)
    needs_device: bool = True
    skill: str = ""
    more_skills: tuple[Name, ...] = Field((), max_length=20)
    skill_level: int = Field(0, ge=0, le=100)
    certificates: tuple[Name, ...] = Field((), max_length=20)
    duration_s: int = Field(3_600, ge=60, le=7 * 24 * 3_600)
    min_description: int = Field(0, ge=0, le=500)
    name_zh: str = Field("", max_length=200)
    kind: RequestKind = "repair"
    needs_visit: bool = True
    form: tuple[Question, ...] = Field((), max_length=50)
    urgency_matrix: tuple[MatrixCell, ...] = Field((), max_length=12)
    usual_parts: tuple[PartUsed, ...] = Field((), max_length=50)
    sla: str = Field("", max_length=100)
    serial_pattern: str = Field("", max_length=100)
    serial_check: SerialCheck = "none"
    remind_after_s: int = Field(DAY_S, ge=60, le=30 * DAY_S)
    expire_after_s: int = Field(7 * DAY_S, ge=60, le=90 * DAY_S)
    warranty_s: int = Field(30 * DAY_S, ge=0, le=3_660 * DAY_S)


class LoadPack(Command):
    """The request types of a trade. Those that are defined already stay as they are."""

    types: tuple[DefineRequestType, ...]


class RecordSent(Command):
    """A provider has taken a message."""

    message_id: str
    customer_id: str
    template: str
    language: Language
    medium: Medium
    recipient: str
    provider_ref: str = ""
    attempts: int = 1


class RecordNotSent(Command):
    """A message will not be sent."""

    message_id: str
    customer_id: str
    template: str
    language: Language
    reason: WhyNotSent
    medium: Medium | Literal[""] = ""
    recipient: str = ""
    detail: str = ""
    attempts: int = 1


# What the staff is told.

StaffRole = Literal["agent", "dispatcher", "engineer", "manager"]
"""Who is told something as part of the work."""


class SetContact(Command):
    """How somebody of the staff is reached."""

    person_id: str
    role: StaffRole
    phone: str = ""
    email: str = ""
    wechat: str = ""
    language: Language = "zh"
    quiet_hours: QuietHours = ""


class TellStaff(Command):
    """Somebody of the staff is to be told of an event."""

    notice_id: str
    person_id: str
    template: str
    request_id: str = ""
    about: dict[str, str] = Field(default_factory=dict)
    waits: bool = True
    latest: AwareDatetime | None = None


class RecordNoticeSent(Command):
    """A provider has taken a notice."""

    notice_id: str
    person_id: str
    message_id: str
    medium: Medium
    recipient: str
    provider_ref: str = ""
    attempts: int = 1


class RecordNoticeNotSent(Command):
    """A notice will not be sent."""

    notice_id: str
    person_id: str
    message_id: str
    reason: WhyNotSent
    medium: Medium | Literal[""] = ""
    detail: str = ""
    attempts: int = 1
