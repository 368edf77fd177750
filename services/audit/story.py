"""
The story of a request: its events from all journals, in the order in which they became known, each with its cause; and
what the views showed at an instant.

Two clocks: `at` is when things happened, `known_at` when the service knew. A phone that reports in the evening what was
done at noon is in the picture of noon only for those who ask what is known by now.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

import msgspec

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from services.chassis.clock import at_micros
from services.chassis.journal.attempt import SEALED
from services.chassis.journal.store import Entry
from services.chassis.readers.rows import CachedRows
from services.chassis.views import View

INSTANTS: Final = ("_at", "since")
"""How the names of columns end that hold microseconds."""

_SEALED_PREFIX: Final = "sealed:"


class Line(msgspec.Struct, frozen=True):
    """One event of a story, as an auditor reads it."""

    number: int
    """Its place in the story, from 1."""
    id: str
    service: str
    position: int
    """Where in the journal of the service."""
    type: str
    stream: str
    version: int
    happened_at: datetime
    known_at: datetime
    actor: str
    channel: str
    origin: str
    cause: str
    """The event that it answers: `3 OrderOpened`, by its place in the story; the id of one from outside; or empty."""
    said: Mapping[str, Any]
    """What it says; texts about persons are covered."""


class Instant(NamedTuple):
    """What is looked at: what had happened by `at`, as far as it was known by `known_at`; None is now."""

    at: datetime | None = None
    known_at: datetime | None = None

    def holds(self, envelope: Envelope) -> bool:
        happened = self.at is None or envelope.time <= self.at
        return happened and (self.known_at is None or envelope.recorded_at <= self.known_at)


def tell(records: Iterable[bytes], instant: Instant) -> list[Line]:
    """The story in these records, of whatever journal; one that is in several journals is told once."""
    found = {one.id: one for one in map(envelopes.read, records) if instant.holds(one)}
    story = _causes_first(sorted(found.values(), key=lambda one: (one.recorded_at, one.service, int(one.position))))
    place = {one.id: number for number, one in enumerate(story, 1)}
    return [_line(number, one, place, found) for number, one in enumerate(story, 1)]


def _causes_first(story: Sequence[Envelope]) -> list[Envelope]:
    """Where two clocks differ, an event may seem older than its cause; it comes after it all the same."""
    by_id = {one.id: one for one in story}
    told: dict[str, Envelope] = {}
    for one in story:
        line = [one]
        while (cause := by_id.get(line[-1].causation_id)) is not None and cause.id not in told and cause not in line:
            line.append(cause)
        told.update({each.id: each for each in reversed(line) if each.id not in told})
    return list(told.values())


def _line(number: int, one: Envelope, place: Mapping[str, int], found: Mapping[str, Envelope]) -> Line:
    cause = one.causation_id
    if cause in place:
        cause = f"{place[cause]} {found[cause].type}"
    said = msgspec.json.decode(one.data)
    return Line(
        number=number,
        id=one.id,
        service=one.service,
        position=int(one.position),
        type=one.type,
        stream=one.stream,
        version=one.version,
        happened_at=one.time,
        known_at=one.recorded_at,
        actor=one.actor,
        channel=one.channel,
        origin=one.origin,
        cause=cause,
        said={name: covered(value) for name, value in said.items()},
    )


def covered(value: Any) -> Any:
    """A value with every text about a person covered."""
    match value:
        case str() if value.startswith(_SEALED_PREFIX):
            return SEALED
        case dict():
            return {name: covered(one) for name, one in value.items()}
        case list():
            return [covered(one) for one in value]
        case bytes():
            return f"{len(value)} bytes"
        case _:
            return value


class Shown(msgspec.Struct, frozen=True):
    """What a view showed of the story."""

    view: str
    rows: list[dict[str, Any]]
    incomplete: str
    """Why the fold stopped, where it needs what is not of this story; empty where it did not."""


def show(views: Iterable[View], entries: Sequence[Entry], instant: Instant) -> list[Shown]:
    """
    The rows that a service's views had of this story: its entries of the service's journal, folded up to the instant.

    What other stories put into the same rows (a customer's name, the other orders of an engineer's day) is not in them.
    """
    known = [one for one in map(envelopes.read, [entry.record for entry in entries]) if instant.holds(one)]
    return [one for one in (_shown(view, known) for view in views) if one.rows or one.incomplete]


def _shown(view: View, story: Sequence[Envelope]) -> Shown:
    rows, reads, incomplete = CachedRows(view), {kind.__name__ for kind in view.reads}, ""
    for envelope in story:
        if envelope.type in reads:
            rows.tenant = envelope.tenant
            try:
                view.apply(rows, envelopes.payload(envelope), envelope)
            except Exception as error:
                incomplete = f"{envelope.type} could not be shown: {error!r}"
                break
    found = [_readable({**dict(zip(view.key, key[1:], strict=True)), **row}) for key, row in rows]
    return Shown(view.name, found, incomplete)


def _readable(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row with its instants as times, and what is said about persons covered."""
    return {
        name: _instant(value) if isinstance(value, int) and name.endswith(INSTANTS) else covered(value)
        for name, value in row.items()
    }


def _instant(micros_utc: int) -> datetime | None:
    """None where it lies beyond what a calendar knows: since ever, or for ever."""
    try:
        return at_micros(micros_utc)
    except OverflowError:
        return None
