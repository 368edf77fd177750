"""Streams as they were before a position: what a decision saw that was recorded there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from contracts import envelope as envelopes
from services.chassis.journal.rules import Rules
from services.chassis.journal.store import JournalStore, Wanted


async def states_before(
    journal: JournalStore, rules: Rules, tenant: str, streams: Iterable[str], position: int
) -> dict[str, Any]:
    """The states by stream. `position` is as the records say it."""
    named = list(streams)
    known = await journal.load(Wanted(streams={(tenant, name) for name in named}))
    states = {}
    for name in named:
        kind = rules.stream_of[name.partition("/")[0]]
        state = kind.initial
        for record in known.streams.get((tenant, name), []):
            one = envelopes.read(record)
            if int(one.position) >= position:
                break
            state = kind.evolve(state, envelopes.payload(one))
        states[name] = state
    return states
