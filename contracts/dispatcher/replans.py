"""A day planned anew in part: why, what moved, and what stayed as it was."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Positive, belongs_to

ReplanCause = Literal["absence", "overrun", "traffic", "urgent", "part-missing", "better", "batch"]
"""
Why: an engineer is away; her visit runs over; the way takes longer; an order cannot wait; a part is not there in time;
a better plan was found; many orders were given at once.
"""


class Unmoved(msgspec.Struct, frozen=True):
    """An order that the plan would have moved, and stayed as it was."""

    order_id: str
    why: Literal["changed-meanwhile", "under-way", "hours-taken", "known-absence", "ended", "offered"]
    """
    Somebody changed it while it was planned; she has departed; the hours are no longer free; who gave it to her knew of
    the absence; it needs nobody any more; engineers are asked whether they want it.
    """


class WithoutHours(msgspec.Struct, frozen=True):
    """An affected order for which no hours were found; it keeps those that it has, if any."""

    order_id: str
    rules: tuple[str, ...] = ()
    """Those that exclude everybody."""


@belongs_to("replan", of="replan_id", key=None, public=False)
class ReplanAsked(Event, frozen=True, kw_only=True):
    """
    A better plan of a day is to be looked for; what comes of it says ReplanDone.

    Acted on by: dispatcher (it looks). Read by: dispatcher (replans).
    """

    replan_id: str
    day: str
    """ISO date in the engineers' zones."""
    region: str = ""
    """Whose engineers and waiting orders; empty: all."""
    look_ms: Positive
    """How long is looked for."""
    least_gain_permille: NonNegative
    slack_s: NonNegative = 0
    """So far promised hours may move."""
    seed: NonNegative = 1


@belongs_to("better-days", of=(), key=None, public=False)
class BetterDaysDue(Event, frozen=True, kw_only=True):
    """It is time to look for better plans, as the dispatch rules say. Acted on by: dispatcher."""

    rules_version: NonNegative
    seconds: Annotated[int, msgspec.Meta(ge=1, le=60)]
    least_percent: Annotated[int, msgspec.Meta(ge=0, le=100)]
    next_minutes: Annotated[int, msgspec.Meta(ge=1, le=1_440)]
    """After so many it is time again."""


@belongs_to("replan", of="replan_id", key=None, public=False)
class ReplanDone(Event, frozen=True, kw_only=True):
    """A part of the plan was changed in one step; each order that moved says so itself (OrderReassigned)."""

    replan_id: str
    cause: ReplanCause
    moved: tuple[str, ...]
    """The orders."""
    hours_changed: NonNegative = 0
    """How many of them had been promised other hours."""
    unmoved: tuple[Unmoved, ...] = ()
    left: tuple[WithoutHours, ...] = ()
    verdict: Literal["", "published", "not-better", "nobody-works", "nothing-found"] = ""
    """What a search for a better plan came to; empty for a repair."""
    cost_before: NonNegative = 0
    """Of a search: metres of way, and more for each order that changes its engineer or has none."""
    cost_after: NonNegative = 0
    left_alone: tuple[str, ...] = ()
    """Engineers whose days such a search cannot say, and does not touch."""
    seed: NonNegative = 0
    """As in DecisionRecorded."""
    note: str = ""
