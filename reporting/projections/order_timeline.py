"""
One row an order that support teams handed on: its steps, and what is counted from them.

The steps are kept and the whole row is counted anew from them with each event, in the order in which they happened:
a step that is reported late, by an offline phone or by an import, changes the figures as if it had come in time.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import msgspec

from contracts.dispatcher import OrderFinished, OrderPaused, OrderQueued, OrderTaken
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View

Step = OrderQueued | OrderTaken | OrderPaused | OrderFinished

KINDS = {OrderQueued: "queued", OrderTaken: "taken", OrderPaused: "paused", OrderFinished: "finished"}


class Fact(msgspec.Struct, frozen=True, array_like=True, order=True):
    """One step. The order of the fields is the order of steps; all are of one stream, which needs no place in it."""

    at: int
    """Microseconds UTC, when it happened."""
    version: int
    kind: str
    team: str
    person: str
    impact: str
    product: str


_facts = msgspec.msgpack.Decoder(tuple[Fact, ...])


def facts_of(row: Mapping[str, Any]) -> tuple[Fact, ...]:
    """The steps behind a row, in the order in which they happened."""
    return _facts.decode(row["facts"])


def apply(rows: Rows, event: Step, envelope: Envelope) -> None:
    imported = envelope.origin == "import"
    if not imported and isinstance(event, OrderFinished) and not event.team:
        return  # the end of a visit, which is no step of a team
    fact = Fact(
        at=micros(envelope.time),
        version=envelope.version,
        kind=KINDS[type(event)],
        team=event.team,
        person=event.person,
        impact=event.impact,
        product=event.product,
    )
    known = rows.get(event.order_id)
    facts = sorted((*(_facts.decode(known["facts"]) if known else ()), fact))
    source = envelope.actor if imported else ""
    rows.put(event.order_id, request_id=event.request_id, source=source, **counted(facts))


def counted(facts: Sequence[Fact]) -> dict[str, Value]:
    """The columns that follow from the steps of an order, given in the order in which they happened."""
    pairs = list(pairwise(facts))
    finished = [fact.at for fact in facts if fact.kind == "finished"]
    team_changes, team_returns = _changes([fact.team for fact in facts])
    person_changes, person_returns = _changes([fact.person for fact in facts])
    return {
        "steps": len(facts),
        "opened_at": facts[0].at,
        "first_finished_at": min(finished, default=None),
        "last_at": facts[-1].at,
        "reopenings": sum(a.kind == "finished" and b.kind in ("queued", "taken") for a, b in pairs),
        "team_changes": team_changes,
        "team_returns": team_returns,
        "person_changes": person_changes,
        "person_returns": person_returns,
        "queued_us": sum(b.at - a.at for a, b in pairs if a.kind == "queued"),
        "impact": next((fact.impact for fact in reversed(facts) if fact.impact), ""),
        "teams": "\n".join(sorted({fact.team for fact in facts})),
        "facts": msgspec.msgpack.encode(facts),
    }


def _changes(names: Sequence[str]) -> tuple[int, int]:
    """How often the next name is another one, and how often that is one that was there before."""
    changes = returns = 0
    seen = set(names[:1])
    for before, after in pairwise(names):
        if before != after:
            changes += 1
            returns += after in seen
            seen.add(after)
    return changes, returns


ORDER_TIMELINE = View(
    name="order_timeline",
    version=1,
    key={"order_id": str},
    columns={
        "request_id": "",
        "source": "",
        "steps": 0,
        "opened_at": 0,
        "first_finished_at": (int, None),
        "last_at": 0,
        "reopenings": 0,
        "team_changes": 0,
        "team_returns": 0,
        "person_changes": 0,
        "person_returns": 0,
        "queued_us": 0,
        "impact": "",
        "teams": "",
        "facts": b"",
    },
    reads=(OrderQueued, OrderTaken, OrderPaused, OrderFinished),
    apply=apply,
    indexes=(("opened_at",),),
)
