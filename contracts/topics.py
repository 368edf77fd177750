"""
Which service publishes what and where: the table behind every channel, subscription and generated page.

Importing this module fills the registry of events.
"""

from __future__ import annotations

from types import ModuleType
from typing import Final

from contracts import dispatcher, fieldwork, intake, inventory, quality
from contracts.event import REGISTRY, Event
from contracts.operations import HeldEventDiscarded, RedriveAsked

PUBLISHERS: Final[dict[str, ModuleType]] = {
    "intake": intake,
    "dispatcher": dispatcher,
    "fieldwork": fieldwork,
    "inventory": inventory,
    "quality": quality,
}

PARTITIONS: Final = 12
"""Fixed when a topic is made: with more, a key would move to another partition and its order would be lost."""

PUBLISHER_OF: Final[dict[str, str]] = {
    name: service
    for service, module in PUBLISHERS.items()
    for name, event in REGISTRY.items()
    if f"{event.__module__}.".startswith(f"{module.__name__}.")
}
"""Event type → the service that records it."""


OF_ANY_SERVICE: Final[tuple[type[Event], ...]] = (RedriveAsked, HeldEventDiscarded)
"""Internal events that each service records about itself; none of them leaves its journal."""


def events_of(service: str) -> list[type[Event]]:
    """The events that a service records, public or not, in the order of their contract."""
    return [event for name, event in REGISTRY.items() if PUBLISHER_OF.get(name) == service]


def public_topic(service: str) -> str:
    return f"fieldloop.{service}.v1"


def journal_topic(service: str) -> str:
    """Private to the service: its whole journal, byte for byte, in one partition."""
    return f"fieldloop.{service}.journal.v1"


def dead_letter_topic(service: str) -> str:
    """Where a service leaves what it was sent and nobody can read."""
    return f"fieldloop.{service}.dead.v1"
