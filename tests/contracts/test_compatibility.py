"""A change that would leave a reader behind is caught, a harmless one is let through."""

import json
from copy import deepcopy
from typing import Annotated, Literal

import msgspec
import pytest

from contracts.dispatcher import OrderAssigned
from contracts.envelope import Envelope
from contracts.topics import PUBLISHERS, events_of
from services.reference import ROOT, SCHEMAS, schema_of
from tests.contracts.compatibility import breaks

EVERY = [Envelope, *[event for service in PUBLISHERS for event in events_of(service)]]


class Line(msgspec.Struct):
    part: str
    pieces: Annotated[int, msgspec.Meta(ge=1)]


class Sold(msgspec.Struct):
    """As it was released."""

    order: str
    lines: tuple[Line, ...]
    kind: Literal["cash", "card"] = "cash"
    note: str = ""
    van: Line | None = None


RELEASED = msgspec.json.schema(Sold)


def changed(**fields):
    """`Sold` with fields of other types, each `(type, default)`, or without those that are None."""
    kept = {name: (kind, getattr(Sold, "__struct_defaults__", ())) for name, kind in Sold.__annotations__.items()}
    defaults = dict(zip(Sold.__struct_fields__[-len(Sold.__struct_defaults__) :], Sold.__struct_defaults__, strict=True))
    spec = []
    for name in [*kept, *[name for name in fields if name not in kept]]:
        kind, *default = fields.get(name, (eval(Sold.__annotations__[name]) if isinstance(
            Sold.__annotations__.get(name), str) else Sold.__annotations__.get(name),
            *([defaults[name]] if name in defaults else []))) or (None,)
        if kind is not None:
            spec.append((name, kind, *default))
    return msgspec.json.schema(msgspec.defstruct("Sold", spec, kw_only=True))
