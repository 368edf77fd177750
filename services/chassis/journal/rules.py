"""What a service tells its writer: its streams, how its commands are decided, its claims and its timers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

import msgspec

from contracts.envelope import Envelope
from contracts.event import Event

S = TypeVar("S")
C = TypeVar("C")


@dataclass(frozen=True)
class Stream(Generic[S]):
    """A kind of stream: its name, the state before its first event, and its pure fold."""

    name: str
    initial: S
    evolve: Callable[[S, Any], S]


class States(Mapping[str, Any]):
    """What `decide` sees: the state of every stream that the command named, and the owners of its claims."""

    def __init__(self, states: dict[str, Any], owners: dict[tuple[str, str], str | None]) -> None:
        self._states, self._owners = states, owners

    def __getitem__(self, stream: str) -> Any:
        return self._states[stream]

    def __iter__(self) -> Iterator[str]:
        return iter(self._states)

    def __len__(self) -> int:
        return len(self._states)

    def owner(self, kind: str, key: str) -> str | None:
        """Who holds a name of this kind, or None when it is free. The command must have named the claim."""
        return self._owners[kind, key]


@dataclass(frozen=True)
class Handler(Generic[C]):
    """How one command is decided: the streams and claims it reads, and the pure decision over them."""

    command: type[C]
    reads: Callable[[C], tuple[str, ...]]
    decide: Callable[[States, C], Sequence[Event]]
    claims: Callable[[C], tuple[tuple[str, str], ...]] = lambda _: ()


def on_stream(command: type[C], stream: Callable[[C], str], decide: Callable[[Any, C], Sequence[Event]]) -> Handler[C]:
    """A command that reads one stream and appends to that one only."""
    return Handler(command, lambda c: (stream(c),), lambda states, c: decide(states[stream(c)], c))


class Claim(msgspec.Struct, frozen=True):
    """A name taken by an owner, or given back where the owner is None."""

    kind: str
    key: str
    owner: str | None


class Arm(msgspec.Struct, frozen=True):
    """A deadline to keep, or one to forget where `due` is None. A later one of the same name and key replaces it."""

    name: str
    key: str
    due: datetime | None


@dataclass(frozen=True)
class Rules:
    """All that the writer of one service must know of its domain."""

    service: str
    streams: tuple[Stream[Any], ...]
    handlers: tuple[Handler[Any], ...]
    claims: Mapping[type[Event], Callable[[Any], Sequence[Claim]]] = field(default_factory=dict)
    """Which names an event takes or gives back."""
    timers: Mapping[type[Event], Callable[[Any, Envelope], Sequence[Arm]]] = field(default_factory=dict)
    """Which deadlines an event sets or settles."""

    @cached_property
    def stream_of(self) -> Mapping[str, Stream[Any]]:
        return {stream.name: stream for stream in self.streams}

    @cached_property
    def handler_of(self) -> Mapping[type[Any], Handler[Any]]:
        return {handler.command: handler for handler in self.handlers}
