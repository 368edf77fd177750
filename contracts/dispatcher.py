"""Events of the dispatcher: orders, the engineers who carry them out, and the hours that are booked."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.event import Event, NonNegative, Personal, Positive, Utc, belongs_to
from contracts.intake import Urgency


class Shift(msgspec.Struct, frozen=True):
    """A working time that comes back each week, in the engineer's zone."""

    weekday: Annotated[int, msgspec.Meta(ge=0, le=6)]
    """0 is Monday."""
    from_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]
    to_minute: Annotated[int, msgspec.Meta(ge=0, le=1440)]


class Reason(msgspec.Struct, frozen=True):
    """One rule of a decision and what it said of the engineer, as a figure in the rule's own unit."""

    rule: Literal["skill", "distance", "load", "shift", "wish"]
    value: int
    """distance: metres; load: orders already booked that day; shift: seconds from now until the visit can start."""
    cost: int
    """What the rule added to the cost of this engineer; the least total is chosen."""


class EngineerDay(msgspec.Struct, frozen=True):
    """A day of an engineer, in which hours are booked."""

    engineer_id: str
    day: str
    """ISO date in the engineer's zone."""


@belongs_to("order", of="order_id", key="request_id")
class OrderOpened(Event, frozen=True, kw_only=True):
    """
    There is work to be done for a request. From here on somebody must be assigned by `assign_due_at`.

    Acted on by: dispatcher (looks for an engineer), inventory (recommends parts). Read by: reporting.
    """

    order_id: str
    request_id: str
    customer_id: str = ""
    device_id: str = ""
    device_model: str = ""
    request_type: str = ""
    skill: str = ""
    urgency: Urgency = "normal"
    duration_s: Positive = 3_600
    region: str = ""
    lat_udeg: int = 0
    lon_udeg: int = 0
    assign_due_at: Utc | None = None
    """When AssignmentOverdue is recorded if nobody is assigned by then; none for imported history."""


@belongs_to("order", of="order_id", key="request_id")
class OrderQueued(Event, frozen=True, kw_only=True):
    """The order waits at a team for somebody to take it. Read by: reporting."""

    order_id: str
    request_id: str
    team: str
    person: str = ""
    """Who put it there."""
    impact: str = ""
    product: str = ""


@belongs_to("order", of="order_id", key="request_id")
class OrderTaken(Event, frozen=True, kw_only=True):
    """A person of a team is working on the order or has it in hand. Read by: reporting."""

    order_id: str
    request_id: str
    team: str
    person: str
    impact: str = ""
    product: str = ""


@belongs_to("order", of="order_id", key="request_id")
class OrderPaused(Event, frozen=True, kw_only=True):
    """Work waits for something outside the team's hands. Read by: reporting."""

    order_id: str
    request_id: str
    reason: str
    team: str = ""
    person: str = ""
    impact: str = ""
    product: str = ""


@belongs_to("order", of="order_id", key="request_id")
class OrderAssigned(Event, frozen=True, kw_only=True):
    """
    One engineer is now responsible for the order, and hours of hers are booked for it.

    Recorded once; a later change is OrderReassigned, so the first choice is never overwritten.
    Acted on by: fieldwork (plans the visit), inventory (reserves parts). Read by: quality, reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    """Who leads and answers for the order; `crew` lists all who go."""
    crew: tuple[str, ...] = ()
    van_id: str = ""
    """The place of stock that she drives."""
    starts_at: Utc
    """The booked hours on site."""
    ends_at: Utc
    day: str = ""
    """Their ISO date in the engineer's zone."""
    travel_m: NonNegative
    """Distance to the site from where she is before it, metres."""
    chosen_by: Literal["rule", "person", "pool"]
    reasons: tuple[Reason, ...] = ()
    candidates: NonNegative = 0
    """How many engineers were compared."""
    note: str = ""
    """Why a person chose as she did."""
    customer_id: str = ""
    device_id: str = ""
    device_model: str = ""
    skill: str = ""


@belongs_to("order", of="order_id", key="request_id")
class OrderReassigned(Event, frozen=True, kw_only=True):
    """
    Another engineer is responsible now; the hours of the former one are free again.

    Acted on by: fieldwork (plans anew), inventory (moves what is reserved). Read by: quality, reporting.
    """

    order_id: str
    request_id: str
    from_engineer_id: str
    engineer_id: str
    van_id: str = ""
    starts_at: Utc
    ends_at: Utc
    day: str = ""
    """ISO date of the booked hours in her zone."""
    travel_m: NonNegative
    reason: str
    customer_id: str = ""
    device_id: str = ""
    device_model: str = ""
    skill: str = ""
    frees: EngineerDay | None = None
    """Where the former engineer's hours were booked; they are free again."""


@belongs_to("order", of="order_id", key="request_id", public=False)
class OrderStarted(Event, frozen=True, kw_only=True):
    """She is on her way. From here on the order is neither cancelled nor given to somebody else."""

    order_id: str
    request_id: str
    engineer_id: str


@belongs_to("order", of="order_id", key="request_id")
class OrderReturned(Event, frozen=True, kw_only=True):
    """
    The visit ended without the work being done; the order waits again for somebody.

    Acted on by: dispatcher (looks for an engineer). Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    """Who was there."""
    reason: str
    frees: EngineerDay | None = None


@belongs_to("order", of="order_id", key="request_id", public=False)
class WithdrawalNoted(Event, frozen=True, kw_only=True):
    """The customer withdrew while somebody was on the way: if the visit is aborted, the order is cancelled."""

    order_id: str
    request_id: str


@belongs_to("order", of="order_id", key="request_id", public=False)
class AssignmentRetried(Event, frozen=True, kw_only=True):
    """Nobody was free when an engineer was last looked for; now one is looked for again."""

    order_id: str
    request_id: str
    attempt: Positive
    """Counted since the order began to wait."""


@belongs_to("order", of="order_id", key="request_id")
class OrderDeclined(Event, frozen=True, kw_only=True):
    """
    The engineer will not take the order; it waits for another one.

    Acted on by: fieldwork (drops the visit), inventory (releases parts). Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    reason: str
    frees: EngineerDay | None = None
    """Where hours of hers were booked; they are free again."""


@belongs_to("order", of="order_id", key="request_id")
class AssignmentOverdue(Event, frozen=True, kw_only=True):
    """Nobody was assigned in time. Recorded once for an order, by its timer. Read by: reporting."""

    order_id: str
    request_id: str
    due_at: Utc


@belongs_to("order", of="order_id", key="request_id")
class OrderCancelled(Event, frozen=True, kw_only=True):
    """
    The order will not be carried out.

    Acted on by: fieldwork (drops the visit), inventory (releases parts). Read by: reporting.
    """

    order_id: str
    request_id: str
    reason: Literal["request-withdrawn", "dispatcher"]
    note: str = ""
    frees: EngineerDay | None = None
    """Where hours were booked for it; they are free again."""


@belongs_to("order", of="order_id", key="request_id")
class OrderFinished(Event, frozen=True, kw_only=True):
    """The work of the order is done. Acted on by: fieldwork (drops the visit of anybody else). Read by: reporting."""

    order_id: str
    request_id: str
    engineer_id: str = ""
    outcome: str = "completed"
    team: str = ""
    person: str = ""
    impact: str = ""
    product: str = ""
    frees: EngineerDay | None = None
    """Where hours were booked for somebody else than who did the work; they are free again."""


@belongs_to("engineer", of="engineer_id")
class EngineerRegistered(Event, frozen=True, kw_only=True):
    """
    An engineer can be sent: what she can do, where she starts, when she works, what she drives.

    Recorded again, with all of it as it is now, when something has changed.
    """

    engineer_id: str
    name: Annotated[str, Personal("engineer_id")]
    skills: tuple[str, ...]
    """Skills or device models."""
    region: str
    home_lat_udeg: int
    """Rounded to a thousandth of a degree, in millionths, WGS-84."""
    home_lon_udeg: int
    zone: str = "Asia/Shanghai"
    """IANA time zone of the shifts."""
    shifts: tuple[Shift, ...]
    van_id: str = ""
    daily_limit: Positive = 10
    """The most orders in one day."""


@belongs_to("engineer-day", of=("engineer_id", "day"), key=None, public=False)
class HoursBooked(Event, frozen=True, kw_only=True):
    """Hours of an engineer's day belong to an order; they overlap no other booking of that day."""

    engineer_id: str
    day: str
    """ISO date in the engineer's zone."""
    order_id: str
    starts_at: Utc
    ends_at: Utc
    lat_udeg: int
    lon_udeg: int


@belongs_to("engineer-day", of=("engineer_id", "day"), key=None, public=False)
class HoursFreed(Event, frozen=True, kw_only=True):
    """The hours that were booked for an order are free again."""

    engineer_id: str
    day: str
    order_id: str
