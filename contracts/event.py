"""
What every event of the published language is: a fact in the past tense, flat, of ids and values.

Events are msgspec structs (decision 1): quick to read, checked against their types when read, their schemas
generated. A record that was written is never rewritten; a field that is added has a default true of the old events.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, ClassVar, TypeVar, cast, get_type_hints

import msgspec
from msgspec import Meta

NonNegative = Annotated[int, Meta(ge=0)]
Positive = Annotated[int, Meta(ge=1)]
Rating = Annotated[int, Meta(ge=1, le=5)]
Utc = Annotated[datetime, Meta(tz=True)]


class Personal:
    """
    Marks a text that says something about a person: `Annotated[str, Personal("customer_id")]`.

    The writer seals it under the key of the person whom that other field names. Projections store the sealed text and
    open it only when it is read, so destroying the key forgets the person without a rebuild.
    """

    def __init__(self, person: str) -> None:
        self.person = person


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all events; `belongs_to` says where a type lives."""

    STREAM: ClassVar[str]
    OF: ClassVar[tuple[str, ...]]
    KEY: ClassVar[str | None]
    PUBLIC: ClassVar[bool]
    PERSONAL: ClassVar[tuple[tuple[str, str], ...]]
    JOINS: ClassVar[tuple[str, str] | None]
    AT: ClassVar[str]
    HOLDS: ClassVar[str]

    def stream(self) -> str:
        """The stream that this event belongs to, for example `order/0193…`."""
        if len(self.OF) == 1:
            return f"{self.STREAM}/{getattr(self, self.OF[0])}"
        return "/".join([self.STREAM, *[str(getattr(self, name)) for name in self.OF]])

    def partition_key(self) -> str:
        """What keeps its order on the bus: the request where the event belongs to one, else its stream."""
        return str(getattr(self, self.KEY)) if self.KEY else self.stream()

    def occurred_at(self) -> datetime | None:
        """When it happened, where the event says so: then it is the envelope's time, also of several in one commit."""
        return cast("datetime | None", getattr(self, self.AT)) if self.AT else None


E = TypeVar("E", bound=Event)

REGISTRY: dict[str, type[Event]] = {}
"""Every event type of the contracts by its stable name."""


class belongs_to:
    """
    Declares the home of an event type: `@belongs_to("order", of="order_id", key="request_id")`.

    Its stream is `order/<order_id>`, its partition key `<request_id>`; without `key` the stream is the key.
    `at` names the field that says when it happened. `public=False` keeps the event inside its service.
    `joins=("request_id", "customer_id")`: what was sealed under the key of the former, while nobody knew who it was
    about, is about the latter, and is forgotten with her. `holds` names the field of the person under whose key texts
    within other fields were sealed before the event was made.
    Raises TypeError for a name that is taken or a field that is
    not there, so that a wrong contract fails when it is imported.
    """

    def __init__(
        self,
        stream: str,
        *,
        of: str | tuple[str, ...],
        key: str | None = None,
        public: bool = True,
        at: str = "",
        joins: tuple[str, str] | None = None,
        holds: str = "",
    ) -> None:
        self.home = stream, (of,) if isinstance(of, str) else of, key, public, at, holds
        self.joins = joins

    def __call__(self, cls: type[E]) -> type[E]:
        cls.STREAM, cls.OF, cls.KEY, cls.PUBLIC, cls.AT, cls.HOLDS = self.home
        cls.JOINS = self.joins
        cls.PERSONAL = tuple(
            (name, mark.person)
            for name, hint in get_type_hints(cls, include_extras=True).items()
            for mark in getattr(hint, "__metadata__", ())
            if isinstance(mark, Personal)
        )
        named = {
            *cls.OF,
            *(cls.JOINS or ()),
            *[name for name in (cls.KEY, cls.AT, cls.HOLDS) if name],
            *(person for _, person in cls.PERSONAL),
        }
        if unknown := named - set(cls.__struct_fields__):
            raise TypeError(f"{cls.__name__} names fields that it does not have: {', '.join(sorted(unknown))}")
        if cls.__name__ in REGISTRY:
            raise TypeError(f"two events are called {cls.__name__}; an event's name is a contract and stands for one")
        REGISTRY[cls.__name__] = cls
        return cls
