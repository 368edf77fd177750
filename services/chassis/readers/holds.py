"""
What an operator decides about held events, as commands that any service takes beside its own.

Each is recorded as an event in the service's own journal, so that it is audited, and the reactor acts on it when it
comes to that event: after a crash it does so again, and nothing is done that is not recorded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.operations import HeldEventDiscarded, RedriveAsked
from services.chassis.journal.rules import Handler, Rules, States, Stream
from services.chassis.journal.store import Held, HoldKey

ALL: Final = "all"

_VARIES: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|\d+")


@dataclass(frozen=True)
class AskRedrive:
    """Try again what fits; empty fields fit everything."""

    redrive_id: str
    key: str
    policy: str
    cause: str
    reason: str


@dataclass(frozen=True)
class DiscardHeld:
    """Settle one held event by hand."""

    policy: str
    key: str
    position: int
    reason: str


def discarded(policy: str, key: str, position: int) -> str:
    """The stream that says whether a held event was discarded."""
    return f"discard/{policy}/{key}/{position}"


def _redrive(_: States, command: AskRedrive) -> Sequence[Event]:
    return [
        RedriveAsked(
            redrive_id=command.redrive_id,
            about=command.key or ALL,
            policy=command.policy,
            cause=command.cause,
            reason=command.reason,
        )
    ]


def _discard(states: States, command: DiscardHeld) -> Sequence[Event]:
    if states[discarded(command.policy, command.key, command.position)]:
        return []
    return [
        HeldEventDiscarded(policy=command.policy, about=command.key, position=command.position, reason=command.reason)
    ]


_STREAMS: Final = (
    Stream("redrive", False, lambda state, event: True),
    Stream("discard", False, lambda state, event: True),
)
_HANDLERS: Final = (
    Handler(AskRedrive, lambda c: (f"redrive/{c.redrive_id}",), _redrive),
    Handler(DiscardHeld, lambda c: (discarded(c.policy, c.key, c.position),), _discard),
)


def with_holds(rules: Rules) -> Rules:
    """A service's rules with what operators may ask of any service."""
    return replace(rules, streams=(*rules.streams, *_STREAMS), handlers=(*rules.handlers, *_HANDLERS))


def fingerprint(cause: str) -> str:
    """What causes of one kind have in common: the cause without its ids and numbers."""
    return _VARIES.sub("…", cause)


def fits(asked: RedriveAsked, key: HoldKey, first: Held) -> bool:
    """Whether a key with this oldest event is meant."""
    return (
        asked.about in (ALL, key.key)
        and asked.policy in ("", key.policy)
        and fingerprint(first.reason).startswith(fingerprint(asked.cause))
    )


class Decisions:
    """What operators decided in a page of the journal."""

    def __init__(self) -> None:
        self.redrives: list[tuple[str, RedriveAsked]] = []
        """Each with its tenant."""
        self.discards: dict[tuple[HoldKey, int], None] = {}
        self.later: dict[tuple[HoldKey, int], Held | None] = {}
        """Events whose type only a later release knows; they wait for it."""

    def look(self, envelope: Envelope) -> None:
        if envelope.type in _DECIDED:
            event = envelopes.payload(envelope)
            if isinstance(event, RedriveAsked):
                self.redrives.append((envelope.tenant, event))
            elif isinstance(event, HeldEventDiscarded):
                self.discards[HoldKey(event.policy, envelope.tenant, event.about), event.position] = None

    def meant(self, held: Mapping[HoldKey, Held]) -> set[HoldKey]:
        """Of these keys, each with its oldest event, those that are to be tried again."""
        return {
            key
            for key, first in held.items()
            if any(tenant == key.tenant and fits(asked, key, first) for tenant, asked in self.redrives)
        }


_DECIDED: Final = {RedriveAsked.__name__, HeldEventDiscarded.__name__}
