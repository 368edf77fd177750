"""
What a service is to the host: its rules, its views, its policies and its routes. Every service.py builds one.

    service = Service(name="intake", rules=RULES, views=(REQUESTS,), policies=(...,), routes=api.routes)
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, Literal, NamedTuple, Protocol

from fastapi import APIRouter
from sqlalchemy import Select

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.topics import PUBLISHER_OF
from services.chassis.journal.rules import Rules
from services.chassis.journal.store import Timer, TimerKey
from services.chassis.journal.work import Answer, Ask
from services.chassis.messages.message import Draft, Outcome
from services.chassis.views import Value, View


class Queries(Protocol):
    """Reads a service's views."""

    async def fetch(self, query: Select[Any], **values: Value) -> Sequence[Mapping[str, Any]]:
        """
        The rows of a SELECT over the views' tables, as mappings by column name.

        `values` are the `bindparam`s of a query that is made once and asked often, as policies do.
        """


class Facts(Queries, Protocol):
    """What a policy may look at beside its event. Views advise, streams and claims decide."""

    outside: Mapping[str, str]
    """Addresses of what lies outside, by name, as the operator has set them."""

    def now(self) -> datetime: ...

    async def recorded(self, tenant: str, types: Collection[type[Event]], after: int) -> tuple[Sequence[Event], int]:
        """
        What this service itself recorded of these types after a position of its journal, a page of it, and the position
        to go on from; the same position where there is no more.
        """


class Concern(NamedTuple):
    """Something that an operator must see to: `fieldloop doctor` shows it, and the log has it each day."""

    what: str
    finding: str
    remedy: str


async def no_concerns(queries: Queries, now: datetime) -> Sequence[Concern]:
    """Of a service that has nothing to tell."""
    return []


@dataclass(frozen=True)
class Policy:
    """
    When one of these events is recorded or taken in, these commands are asked.

    A command's answer is final: a rejection settles it. To wait for a fact that is on its way raise NotYet; the event
    and all later ones of its key are then held and tried again.
    """

    name: str
    """Stable: a new name is a new policy."""
    when: tuple[type[Event], ...]
    react: Callable[[Any, Envelope, Facts], Awaitable[Sequence[Any]]]
    starts: Literal["now", "beginning"] = "now"
    """Where a policy begins that is new to a journal with history."""
    stale_after: timedelta | None = None
    """An event known for longer than this is passed over: nobody wants yesterday's message."""


@dataclass(frozen=True)
class Notices:
    """
    Which events tell somebody outside something. The event itself is the intent: its id is the message's, for ever.

    An event tells one message at most, and tells it from when the service first runs with it on.
    """

    when: tuple[type[Event], ...]
    compose: Callable[[Any, Envelope, Facts], Awaitable[Draft | None]]
    """None where an event tells nobody anything. It is asked again for each try, and sees what is true by then."""
    record: Callable[[Draft, Outcome], Any]
    """The command that records what became of it."""
    give_up_after: timedelta = timedelta(days=1)
    """A provider that is away is asked again for so long after the event was recorded; later, nobody wants to know."""


@dataclass(frozen=True)
class Service:
    """One of the services, as the host runs it."""

    name: str
    rules: Rules
    views: tuple[View, ...] = ()
    policies: tuple[Policy, ...] = ()
    notices: Notices | None = None
    on_timer: Mapping[str, Callable[[TimerKey, Timer], Any]] = field(default_factory=dict)
    """The command that a timer of this name asks when it is due."""
    routes: Callable[[Api], APIRouter] = lambda _: APIRouter()
    history: Callable[..., Any] | None = None
    """The command that records another system's history; at most one service has one."""
    concerns: Callable[[Queries, datetime], Awaitable[Sequence[Concern]]] = no_concerns
    """What its operators must see to now, read from its views, over all tenants."""
    takes_all: bool = False
    """Takes in every public event of the others, whether a view or a policy names it or not (reporting)."""
    takes_in_every_s: float = 0.1
    publishes_every_s: float = 0.05
    """It rests so long in between, so that what comes meanwhile is one commit, or one request to the broker, more."""

    @cached_property
    def takes(self) -> frozenset[str]:
        """The types of other services' events that this one takes in."""
        named = {event for view in self.views for event in view.reads}
        named |= {event for policy in self.policies for event in policy.when}
        named |= set(self.notices.when) if self.notices else set()
        if self.takes_all:
            return frozenset(name for name, publisher in PUBLISHER_OF.items() if publisher != self.name)
        return frozenset(event.__name__ for event in named if PUBLISHER_OF[event.__name__] != self.name)

    @cached_property
    def listens_to(self) -> frozenset[str]:
        """The services whose events it takes in."""
        return frozenset(PUBLISHER_OF[name] for name in self.takes)


class Api(Queries, Protocol):
    """What the routes of a service are given: its running self."""

    name: str
    outside: Mapping[str, str]
    """As Facts have it."""

    async def ask(self, ask: Ask) -> Answer:
        """
        Decide and record a command, and wait until the views show it (500 ms at most).

        Raises Rejected when a rule says no.
        """

    async def wait_for(self, position: int) -> bool:
        """Wait (500 ms at most) until the healthy views have seen this position; False when they have not."""

    async def wait_for_other(self, publisher: str, position: int) -> bool:
        """
        Wait (500 ms at most) until this service has taken in, acted upon and shown what another had recorded by then.

        False when it has not come so far, or cannot tell; True of a service whose events it does not take in.
        """

    def open(self, tenant: str, text: str) -> str:
        """A sealed personal text made readable; of a forgotten person, the empty string."""

    async def parked(self, tenant: str, key: str) -> Sequence[Any]:
        """What waits for somebody to look, of one key: `services.chassis.readers.stuck.Stuck`."""

    async def states_before(self, tenant: str, streams: Iterable[str], position: int) -> Mapping[str, Any]:
        """The states of streams of this service as they were before a position of its journal."""

    async def index(self, tenant: str, text: str) -> str:
        """A keyed hash of a personal text, by which a row is found that keeps the text sealed."""

    def now(self) -> datetime: ...

    def new_id(self) -> str: ...
