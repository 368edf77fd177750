"""What several events of intake are made of: kinds, forms, faults, and the work that an order is opened with."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import NonNegative

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
