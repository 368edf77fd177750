"""Why an engineer was chosen: what was asked, who was considered, and what it came to."""

from __future__ import annotations

import msgspec

from contracts.event import Event, NonNegative, Utc, belongs_to


class Considered(msgspec.Struct, frozen=True, omit_defaults=True):
    """An engineer whom a decision looked at: what she would have cost, or the rules that said no."""

    engineer_id: str
    day: str = ""
    cost: int | None = None
    """None: she could not have it."""
    rules: tuple[str, ...] = ()


@belongs_to("order-decisions", of=("order_id", "command"), key="request_id", public=False)
class DecisionRecorded(Event, frozen=True, kw_only=True):
    """
    How it was decided who carries the order out, before the event that says it: with the streams as they were before
    this event, what was asked gives the same answer again.

    Acted on by: nobody. Read by: dispatcher (decisions).
    """

    order_id: str
    request_id: str
    command: str
    """Which command was decided."""
    asked: str
    """The command as JSON: the candidates, what of their parts was known, the present, and a person's reason."""
    considered: tuple[Considered, ...] = ()
    engineer_id: str
    starts_at: Utc
    ends_at: Utc
    rules_version: NonNegative = 0
    travel_hash: str = ""
    """SHA-256 in hex of the ways from each place of those considered to the order: metres and seconds."""
    seed: NonNegative = 0
    """Of chance, where a search by chance made the plan; 0: nothing was left to chance."""
    travel_version: NonNegative = 0
    """Of TravelLearned, by which ways were estimated; 0: by the dispatch rules alone."""
    travel_by: str = ""
    """The map server that was asked; what it said is in `asked`. Empty: none was, or none answered."""
