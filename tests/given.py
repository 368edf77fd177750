"""
A decision's test as a sentence: `given(events).when(command).then(events)`.

    given = spec_for(RULES)

    def test_a_waiting_order_is_assigned():
        given(order_opened()).when(assign_order()).then(order_assigned())
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from contracts.event import Event
from contracts.problems import Rejected
from services.chassis.journal.rules import Rules, States

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""The present of all examples: a Tuesday, 17:00 in Shanghai."""


def _sealed(event: Event) -> Event:
    """As the writer shows it to a fold: personal texts are never in a state."""
    hidden = {name: "(sealed)" for name, _ in event.PERSONAL if getattr(event, name)}
    return msgspec.structs.replace(event, **hidden)


class When:
    """What a command does after the given events: its events, or its rejection."""

    def __init__(self, rules: Rules, given: Sequence[Event], command: Any, besides: tuple[type[Event], ...]) -> None:
        handler = rules.handler_of[type(command)]
        states = {name: rules.stream_of[name.partition("/")[0]].initial for name in handler.reads(command)}
        owners: dict[tuple[str, str], str | None] = {}
        for event in given:
            if event.stream() in states:
                states[event.stream()] = rules.stream_of[event.STREAM].evolve(states[event.stream()], _sealed(event))
            for claim in rules.claims.get(type(event), lambda _: ())(event):
                owners[claim.kind, claim.key] = claim.owner
        self._rules, self._owners, self._reads = rules, owners, handler.reads(command)
        self._besides = besides
        claimed = {name: owners.get(name) for name in handler.claims(command)}
        self._decide: Callable[[], list[Event]] = lambda: list(handler.decide(States(states, claimed), command))

    def _events(self) -> list[Event]:
        events, owners = self._decide(), dict(self._owners)
        for event in events:
            assert event.stream() in self._reads, f"{type(event).__name__} is of a stream its command does not name"
            # What could not be read back would never be written.
            assert msgspec.json.decode(msgspec.json.encode(event), type=type(event)) == event
            for claim in self._rules.claims.get(type(event), lambda _: ())(event):
                if claim.owner is not None and owners.get((claim.kind, claim.key)) not in (None, claim.owner):
                    raise Rejected(f"{claim.kind}.taken", key=claim.key)
                owners[claim.kind, claim.key] = claim.owner
        return [event for event in events if not isinstance(event, self._besides)]

    def then(self, *expected: Event) -> None:
        assert self._events() == list(expected)

    def then_types(self, *expected: type[Event]) -> list[Event]:
        """For a decision whose details other tests state. Gives the events back."""
        events = self._events()
        assert [type(event) for event in events] == list(expected)
        return events

    def then_nothing(self) -> None:
        assert self._events() == []

    def then_rejected(self, code: str, **facts: Any) -> None:
        with pytest.raises(Rejected) as no:
            self._events()
        assert no.value.code == code
        assert {name: no.value.facts.get(name) for name in facts} == facts


class Given:
    def __init__(self, rules: Rules, events: Sequence[Event], besides: tuple[type[Event], ...] = ()) -> None:
        self._rules, self._events, self._besides = rules, events, besides

    def when(self, command: Any) -> When:
        return When(self._rules, self._events, command, self._besides)


def spec_for(rules: Rules, besides: tuple[type[Event], ...] = ()) -> Callable[..., Given]:
    """Events of the types `besides` are recorded beside those that a test states, and other tests judge them."""
    return lambda *events: Given(rules, events, besides)
