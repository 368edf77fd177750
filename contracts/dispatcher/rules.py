"""By which rules a company compares engineers and offers orders."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Positive, Utc, belongs_to


class OfferedFirst(msgspec.Struct, frozen=True):
    """Orders that are offered to engineers before anybody is assigned by rule. What is empty is any."""

    request_type: str = ""
    urgency: Literal["", "low", "normal", "high", "critical"] = ""


class RulesFacts(Event, frozen=True, kw_only=True):
    """By which figures engineers are compared, what is offered before it is assigned, and when an order is overdue."""

    horizon_days: Annotated[int, msgspec.Meta(ge=1, le=14)] = 7
    """How far ahead hours are looked for: today and the days after, in the engineer's zone."""
    daily_limit: Positive = 10
    """The most orders in one day of an engineer who is registered without a limit of her own."""
    metres_a_point: Positive = 100
    points_a_booking: NonNegative = 15
    """For each order of that day already."""
    points_an_hour_low: NonNegative = 10
    """For each hour until she can start; by the urgency of the order."""
    points_an_hour_normal: NonNegative = 30
    points_an_hour_high: NonNegative = 90
    points_an_hour_critical: NonNegative = 270
    fen_a_point: Positive = 100
    """What an engineer costs us, in points."""
    points_for_wish: NonNegative = 300
    """So many fewer for the engineer whom the customer wishes."""
    points_a_missing_part: NonNegative = 50
    """For each part that the order is expected to take and that is not in the engineer's van."""
    offer_minutes: Positive = 10
    """How long an offer stands."""
    offer_to: Annotated[int, msgspec.Meta(ge=1, le=50)] = 3
    """To how many engineers at once, the best first."""
    offered_first: tuple[OfferedFirst, ...] = ()
    """The orders that are offered before anybody is assigned by rule; empty: none."""
    assign_minutes: Annotated[int, msgspec.Meta(ge=1, le=10_080)] = 30
    """An order that nobody has for so many clock minutes is overdue (AssignmentOverdue)."""
    detour_percent: Annotated[int, msgspec.Meta(ge=100, le=300)] = 130
    """Metres of road for 100 metres of beeline."""
    km_an_hour: Annotated[int, msgspec.Meta(ge=1, le=200)] = 30
    """On the road, with parking; it holds until something is learned (TravelLearned), and weighs in what is."""
    better_every_minutes: Annotated[int, msgspec.Meta(ge=0, le=1_440)] = 0
    """So often a better plan of today and of tomorrow is looked for by itself, for each territory; 0: never."""
    better_seconds: Annotated[int, msgspec.Meta(ge=1, le=60)] = 10
    """How long it is looked for."""
    better_least_percent: Annotated[int, msgspec.Meta(ge=0, le=100)] = 2
    """Below this gain nothing is moved."""
    slots_calendar: str = ""
    """In whose hours slots are offered: a business calendar; empty: the company's own, where it has one only."""
    slots_outside: bool = True
    """Whether slots beyond those hours are offered too, where somebody's shift allows them, and marked."""


@belongs_to("dispatch-rules", of=())
class DispatchRulesSet(RulesFacts, frozen=True, kw_only=True):
    """
    The rules that hold from a time on.

    Orders and assignments cite the version that they were decided by; until one is set, these defaults hold as
    version 0.
    Read by: nobody else yet.
    """

    version: NonNegative
    """Counted from 1."""
    effective_from: Utc
    """No earlier than that of the version before."""
    draft_id: str = ""
    """The draft that was published; empty: set without one."""
    restores: NonNegative | None = None
    """The earlier version that holds again; none: it is a new one."""
    reason: str = ""


@belongs_to("rules-draft", of="draft_id", key=None, public=False)
class RulesDrafted(RulesFacts, frozen=True, kw_only=True):
    """Rules that somebody thinks of, or has changed since; they hold for nobody. What was tried of them is void."""

    draft_id: str
    revision: Positive
    """Counted from 1."""
    name: str
    note: str = ""


@belongs_to("rules-draft", of="draft_id", key=None, public=False)
class RulesTrialAsked(Event, frozen=True, kw_only=True):
    """
    The draft is to be tried: what was decided by rule in a past time is decided again by it.

    Acted on by: dispatcher (it tries).
    """

    draft_id: str
    revision: Positive
    since: Utc
    until: Utc


class RunFigures(msgspec.Struct, frozen=True):
    """What came of a time that was dispatched again."""

    decisions: NonNegative
    same: NonNegative
    """Those that came out as they were recorded."""
    refused: NonNegative
    travel_m: NonNegative
    wait_s: NonNegative
    """From the decision until somebody comes, of all that were served."""
    late: NonNegative
    """Visits that begin after the service level promises."""
    late_s: NonNegative
    overtime_s: NonNegative
    """Of all engineers, from the end of the day's last shift until they would be home."""
    expense_fen: NonNegative
    busiest: NonNegative
    """Orders of the engineer who got the most."""


@belongs_to("rules-draft", of="draft_id", key=None, public=False)
class RulesTried(Event, frozen=True, kw_only=True):
    """A past time by the rules that held then, beside the same by the draft."""

    draft_id: str
    revision: Positive
    since: Utc
    until: Utc
    recorded: RunFigures
    tried: RunFigures


@belongs_to("rules-draft", of="draft_id", key=None, public=False)
class RulesPublished(Event, frozen=True, kw_only=True):
    """The draft is a version of the rules now (DispatchRulesSet); it is changed no more."""

    draft_id: str
    revision: Positive
    version: Positive
