"""Service levels: what was agreed, and the clocks of an order."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Positive, Utc, belongs_to
from contracts.intake import Urgency

ClockName = Literal["assign", "arrive", "fix"]
"""What is to happen in time: somebody has the order, somebody is at the site, the work is done."""
PauseReason = Literal["customer", "access", "parts", "weather", "third-party"]
"""Who or what the order waits for while a clock may stand still."""


class ClockMove(msgspec.Struct, frozen=True):
    """What a clock does when something happens to its order."""

    happening: str
    """opened, paused, resumed, assigned, waiting, arrived, finished or cancelled; more may come."""
    condition: Literal["start", "pause", "resume", "stop", "reset", "cancel", "reopen"]


class SlaClock(msgspec.Struct, frozen=True):
    """How much time there is for one thing, by urgency, and what the clock waits for."""

    clock: ClockName
    calendar_id: str
    """Empty: around the clock."""
    low_s: Annotated[int, msgspec.Meta(ge=1)]
    normal_s: Annotated[int, msgspec.Meta(ge=1)]
    high_s: Annotated[int, msgspec.Meta(ge=1)]
    critical_s: Annotated[int, msgspec.Meta(ge=1)]
    excuses: tuple[PauseReason, ...] = ()
    """The reasons for which it stands still; for others it goes on."""
    restarts: bool = False
    """When the order waits again after a visit, the time begins anew; otherwise it goes on with what is left."""
    moves: tuple[ClockMove, ...] = ()
    """All of what moves it, each happening once; empty: what is usual for a clock of this name."""


@belongs_to("slas", of=())
class SlaDefined(Event, frozen=True, kw_only=True):
    """
    A service level, or its next revision: what is promised to requests of some types from a time on.

    An order keeps the revision that held when it was opened, and cites it. Read by: nobody else yet.
    """

    sla_id: str
    revision: Positive
    """Counted from the first."""
    name: str
    effective_from: Utc
    """Orders opened from then on have it. No earlier than that of the revision before."""
    request_types: tuple[str, ...] = ()
    """For these; empty: for all that no other service level names."""
    clocks: tuple[SlaClock, ...]


class ClockTerms(msgspec.Struct, frozen=True):
    """What was agreed for one clock of an order."""

    clock: ClockName
    calendar_id: str
    allowed_s: Annotated[int, msgspec.Meta(ge=1)]
    excuses: tuple[PauseReason, ...]
    restarts: bool
    moves: tuple[ClockMove, ...] = ()
    """As in SlaClock."""


class Standing(msgspec.Struct, frozen=True):
    """Where a clock stands after an event, and what is to be expected if nothing more happens."""

    clock: ClockName
    state: Literal["idle", "running", "paused", "stopped", "cancelled"]
    as_of: Utc
    """When `used_us` and `waited_us` were read."""
    used_us: NonNegative
    """Business time used of what is allowed, microseconds."""
    waited_us: NonNegative
    """Business time for which the clock stood still."""
    started_at: Utc | None = None
    """When what is measured began: the opening, or the last time that it began anew."""
    stopped_at: Utc | None = None
    due_at: Utc | None = None
    """When the time is, or was, used up; none while it stands still with some left, or ended in time."""
    next_percent: int = 0
    """50, 75 or 100: what somebody will be told next; 0 for nothing."""
    next_at: Utc | None = None
    calendar_revision: NonNegative = 0
    """Of the calendar that it was measured by; 0 around the clock, and where nothing is promised any more."""


class Difference(msgspec.Struct, frozen=True):
    """A figure of a clock that was restated. Instants are ISO texts in UTC, durations microseconds."""

    clock: ClockName
    figure: Literal["due_at", "next_at", "breached", "used_us", "waited_us"]
    before: str
    after: str


@belongs_to("order-clocks", of="order_id", key="request_id")
class ClocksStarted(Event, frozen=True, kw_only=True):
    """
    The order has clocks from its opening on: by which service level, in which revision, and on what terms.

    Acted on by: dispatcher (its timers tell when a clock warns or is breached). Read by: reporting.
    """

    order_id: str
    request_id: str
    sla_id: str
    revision: Positive
    urgency: Urgency
    opened_at: Utc
    clocks: tuple[ClockTerms, ...]
    standings: tuple[Standing, ...]
    named: str = ""
    """The service level that the type of the request names, where there was none of that name and another one holds."""
    promised_at: Utc | None = None
    """When it was promised, where that was later than the opening; all is measured from the opening all the same."""
    reason: str = ""
    """Why it was promised later."""
    differences: tuple[Difference, ...] = ()
    """Where it was promised later: what is due now, where nothing was."""


@belongs_to("order-clocks", of="order_id", key="request_id", public=False)
class ClocksMoved(Event, frozen=True, kw_only=True):
    """
    Something happened that moves the clocks of the order. Where it was known late, SlaRestated says what changed.

    Recorded also where nothing is promised yet, without standings: what is promised later is measured from it.
    """

    order_id: str
    request_id: str
    happening: Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
    happened_at: Utc
    reason: str = ""
    """Of a pause; a resumption without one ends all."""
    note: str = ""
    standings: tuple[Standing, ...]


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaChanged(Event, frozen=True, kw_only=True):
    """
    Something else is promised for the order from here on, measured from its start; what it waited stays granted.

    Acted on by: dispatcher (its timers). Read by: reporting (which clocks the order is judged by).
    """

    order_id: str
    request_id: str
    from_sla_id: str
    from_revision: Positive
    sla_id: str
    revision: Positive
    urgency: Urgency
    changed_at: Utc
    reason: str
    clocks: tuple[ClockTerms, ...]
    """A clock of before that is not among them is measured no more."""
    differences: tuple[Difference, ...]
    """What was told of the clocks and is otherwise now."""
    standings: tuple[Standing, ...]


@belongs_to("order-clocks", of="order_id", key="request_id", public=False)
class FactCorrected(Event, frozen=True, kw_only=True):
    """
    What moved the clocks happened at another time than was recorded, or never. The first record stays as it was.

    SlaRestated after it says what of the clocks is otherwise.
    """

    order_id: str
    request_id: str
    happening: Literal["paused", "resumed", "assigned", "waiting", "arrived", "finished", "cancelled"]
    recorded_at: Utc
    """The time that was recorded for it first."""
    was_at: Utc
    """The time that held until now."""
    happened_at: Utc | None = None
    """None: it never happened."""
    reason: str
    standings: tuple[Standing, ...]


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaWarned(Event, frozen=True, kw_only=True):
    """Half or three quarters of a clock's time are used up. Recorded once for each, by its timer."""

    order_id: str
    request_id: str
    sla_id: str
    revision: Positive
    clock: ClockName
    percent: Positive
    reached_at: Utc
    due_at: Utc | None = None
    next_percent: int = 0
    next_at: Utc | None = None


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaBreached(Event, frozen=True, kw_only=True):
    """
    What was promised did not happen in time. Recorded once, by its timer.

    Taken back by SlaRestated, if it becomes known that it had happened, or that the clock should have stood still.
    """

    order_id: str
    request_id: str
    sla_id: str
    revision: Positive
    clock: ClockName
    due_at: Utc


@belongs_to("order-clocks", of="order_id", key="request_id")
class SlaRestated(Event, frozen=True, kw_only=True):
    """A fact that was known late, or a calendar that was changed, puts clocks elsewhere; this says where."""

    order_id: str
    request_id: str
    cause: Literal["late-fact", "calendar"]
    calendar_id: str = ""
    """Of which calendar, and its revision."""
    calendar_revision: int = 0
    differences: tuple[Difference, ...]
    standings: tuple[Standing, ...]
