"""
A view's fold on a plain dict: what rows these events make, and that they make the same in any order they may arrive in.

    assert rows_after(SURVEYS, [survey_sent(), feedback_received()]) == {("s-1",): {"outcome": 5, ...}}
    assert_same_rows_shuffled(SURVEYS, events, seed=7)

An event is given alone, or with what its envelope says: `(survey_sent(), {"time": LATER, "origin": "import"})`.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import msgspec

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.topics import PUBLISHER_OF
from services.chassis.readers.rows import CachedRows
from services.chassis.views import View

Given = Event | tuple[Event, Mapping[str, Any]]

TENANT = "t-1"
FIRST = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""When the first of the events happened; the others follow by the second."""

ORDERS = 20
"""Shufflings that `assert_same_rows_shuffled` tries."""


def enveloped(events: Iterable[Given]) -> list[tuple[Event, Envelope]]:
    """The events in the envelopes of a journal in which nothing else is recorded."""
    versions: Counter[tuple[str, str]] = Counter()
    public: Counter[tuple[str, str]] = Counter()
    found = []
    for number, given in enumerate(events):
        event, said = given if isinstance(given, tuple) else (given, {})
        name, service = type(event).__name__, PUBLISHER_OF.get(type(event).__name__, "test")
        at, tenant, stream = FIRST + timedelta(seconds=number), said.get("tenant", TENANT), event.stream()
        versions[tenant, stream] += 1
        public[tenant, stream] += event.PUBLIC
        usual = dict(
            id=f"e-{number + 1}",
            source=f"/c1/{service}/1",
            type=name,
            subject=stream,
            time=at,
            tenant=tenant,
            stream=stream,
            version=versions[tenant, stream],
            public_version=public[tenant, stream] if event.PUBLIC else 0,
            position=str(number + 1),
            recorded_at=said.get("time", at),
            correlation_id=event.partition_key(),
            actor="u-1",
            partition_key=event.partition_key(),
            data=msgspec.Raw(msgspec.json.encode(event)),
        )
        found.append((event, Envelope(**{**usual, **said})))
    return found


def rows_after(view: View, events: Iterable[Given], *, tenant: str = TENANT) -> dict[tuple[Any, ...], dict[str, Any]]:
    """
    The rows of one tenant by key (a tuple, also of one column; the tenant is not in it), each with all its columns.

    Events that the view does not read are passed over. Raises BadRow for a value that a store would refuse.
    """
    return {key[1:]: row for key, row in _fold(view, enveloped(events)).items() if key[0] == tenant}


def assert_same_rows_shuffled(view: View, events: Sequence[Given], seed: int = 0) -> None:
    """
    Of every tenant the same rows, whatever the order in which the events of different publishers and keys arrive.

    Only the order per tenant, publisher and partition key is kept, as on the bus.
    """
    recorded, rng = enveloped(events), Random(seed)
    expected = _fold(view, recorded)
    for _ in range(ORDERS):
        queues: dict[tuple[str, str, str], list[tuple[Event, Envelope]]] = defaultdict(list)
        for event, envelope in reversed(recorded):
            queues[envelope.tenant, envelope.service, envelope.partition_key].append((event, envelope))
        arrived = []
        while queues:
            source = rng.choice(sorted(queues))
            arrived.append(queues[source].pop())
            if not queues[source]:
                del queues[source]
        found = _fold(view, arrived)
        if found != expected:
            key = min((key for key in {**expected, **found} if expected.get(key) != found.get(key)), key=repr)
            order = "\n".join(f"  {envelope.service}: {envelope.partition_key} {event}" for event, envelope in arrived)
            raise AssertionError(
                f"{view.name}: row {key} depends on the order of arrival (seed {seed})\n"
                f"as recorded: {expected.get(key)}\nas arrived:  {found.get(key)}\narrived:\n{order}"
            )


def _fold(view: View, events: Iterable[tuple[Event, Envelope]]) -> dict[tuple[Any, ...], dict[str, Any]]:
    rows = CachedRows(view)
    for event, envelope in events:
        if isinstance(event, view.reads):
            rows.tenant = envelope.tenant
            view.apply(rows, event, envelope)
    rows.split()
    return dict(rows)
