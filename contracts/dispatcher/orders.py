"""Orders: opened, offered, given to an engineer, carried out or cancelled."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from contracts.dispatcher.engineers import EngineerDay
from contracts.event import Event, NonNegative, Positive, Utc, belongs_to
from contracts.intake import Urgency, UsualPart


class Reason(msgspec.Struct, frozen=True):
    """One rule of a decision and what it said of the engineer, as a figure in the rule's own unit."""

    rule: Literal["skill", "distance", "load", "shift", "wish", "van"]
    value: int
    """
    distance: metres that it adds to the way of her day; load: orders already booked that day; shift: seconds from now
    until the visit can start; van: of the parts that the order is expected to take, so many are not in her van as it
    should be.
    """
    cost: int
    """What the rule added to the cost of this engineer; the least total is chosen."""


class PassedOver(msgspec.Struct, frozen=True):
    """An engineer who was looked at and could not have the order, and the rules that said so."""

    engineer_id: str
    rules: tuple[str, ...]
    """As in `OrderAssigned.broke_rules`."""


class RuleCount(msgspec.Struct, frozen=True):
    """How many engineers a rule excluded when all were compared; whom two exclude, both count."""

    rule: str
    engineers: Annotated[int, msgspec.Meta(ge=1)]


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
    usual_parts: tuple[UsualPart, ...] = ()
    """What work of this type usually takes, as the request said."""
    assign_due_at: Utc | None = None
    """When AssignmentOverdue is recorded if nobody is assigned by then; none for imported history."""
    more_skills: tuple[str, ...] = ()
    """What the engineer must be able to do beside `skill`."""
    skill_level: NonNegative = 0
    """How well she must have the skill, or know the model or the brand; 0 for any."""
    certificates: tuple[str, ...] = ()
    """The certificates that she must hold on the day."""
    wished_engineer_id: str = ""
    """Whom the customer would like to see; a wish that counts among the others, and no rule."""
    sla: str = ""
    """The service level that the type of the request names; empty for none."""
    asked_at: Utc | None = None
    """When it was asked for, where the order follows another one upon a correction; None: at its opening."""
    assign_within_s: Positive = 1_800
    """How long it may wait for somebody, seconds: now, and anew whenever it waits again."""
    rules_version: NonNegative = 0
    """Of the DispatchRulesSet that says so; 0: of the defaults."""
    number: str = ""
    """Of its request, by which people speak of it: `R-261124-0042`; empty in old records and in later rounds."""


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
    broke_rules: tuple[str, ...] = ()
    """
    The rules that a person overruled, who was shown them before: skill, skill-expired, level, certificate,
    certificate-expired, territory, declined, shift, absent, limit, hours (too short with the drive).
    """
    rules_version: NonNegative = 0
    """Of the DispatchRulesSet by which the points were given; 0: of the defaults."""
    expense_fen: NonNegative = 0
    """What her time on site and her way cost us, as estimated."""
    expense_cost: NonNegative = 0
    """What that added to her cost, beside `reasons`."""
    passed_over: tuple[PassedOver, ...] = ()
    """Candidates that had no room any more when it was decided; and the wished engineer, where a rule excludes her."""
    excluded: tuple[RuleCount, ...] = ()
    """How many of all engineers were excluded before, rule by rule."""
    though_absent: tuple[str, ...] = ()
    """The absences of hers in these hours that the person knew who gave it to her: for those it is not taken back."""


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
    """Where the former engineer's hours were booked; they are free again. None where they are so already."""
    broke_rules: tuple[str, ...] = ()
    """As in OrderAssigned."""
    reasons: tuple[Reason, ...] = ()
    """What the hours of the new engineer cost, by these rules."""
    chosen_by: Literal["person", "rule"] = "person"
    """`rule`: a part of the plan was changed (ReplanDone); the engineer may be the same, at other hours."""
    rules_version: NonNegative = 0
    """As in OrderAssigned."""
    expense_fen: NonNegative = 0
    expense_cost: NonNegative = 0
    though_absent: tuple[str, ...] = ()


@belongs_to("order", of="order_id", key="request_id")
class OrderOffered(Event, frozen=True, kw_only=True):
    """
    Some engineers are asked whether they want the order; the first of them who takes it has it (OrderAssigned, `pool`).

    Acted on by: dispatcher (OfferLapsed when nobody took it in time). Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    offer_no: Positive
    """Counted since the order began to wait."""
    engineer_ids: tuple[str, ...]
    offered_until: Utc
    offered_by: Literal["rule", "person"]
    note: str = ""
    rules_version: NonNegative = 0
    """As in OrderAssigned."""


@belongs_to("order", of="order_id", key="request_id")
class OfferDeclined(Event, frozen=True, kw_only=True):
    """
    An engineer does not want the order that she was offered, and it is never given to her by rule; or cannot answer.

    Acted on by: dispatcher (offers it to the next, when nobody is left). Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    offer_no: Positive
    engineer_id: str
    reason: str
    left: NonNegative
    """How many of those whom it was offered to may still take it."""
    cause: Literal["engineer", "absence"] = "engineer"
    """As in OrderDeclined: whom an absence keeps from answering has refused nothing."""


@belongs_to("order", of="order_id", key="request_id")
class OfferLapsed(Event, frozen=True, kw_only=True):
    """
    Nobody took the order in time. By rule these may still be given it; it is not offered to them again.

    Acted on by: dispatcher (offers it to the next; when there is none, assigns it). Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    offer_no: Positive
    engineer_ids: tuple[str, ...]
    """Who did not answer."""


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
    assign_within_s: Positive = 1_800
    """As in OrderOpened: it is overdue anew so long after this was recorded."""


@belongs_to("order", of="order_id", key="request_id", public=False)
class WithdrawalNoted(Event, frozen=True, kw_only=True):
    """The customer withdrew while somebody was on the way: if the visit is aborted, the order is cancelled."""

    order_id: str
    request_id: str


@belongs_to("order", of="order_id", key="request_id")
class AbsenceNoted(Event, frozen=True, kw_only=True):
    """
    An engineer who has departed for an order is absent in its hours: she knows best, and a dispatcher must look.

    Recorded once for an absence. Settled when the order waits again or ends, or the absence is called off.
    Read by: nobody else yet.
    """

    order_id: str
    request_id: str
    engineer_id: str
    absence_id: str


@belongs_to("order", of="order_id", key="request_id", public=False)
class AbsenceNoteSettled(Event, frozen=True, kw_only=True):
    """The absence that was noted is called off: there is nothing more to look at."""

    order_id: str
    request_id: str
    absence_id: str


@belongs_to("order", of="order_id", key="request_id", public=False)
class WithdrawalTakenBack(Event, frozen=True, kw_only=True):
    """The request goes on after all, before who was on the way is done: so does the order, as if nothing had been."""

    order_id: str
    request_id: str


@belongs_to("order", of="order_id", key="request_id", public=False)
class AssignmentRetried(Event, frozen=True, kw_only=True):
    """Nobody was free when an engineer was last looked for; now one is looked for again."""

    order_id: str
    request_id: str
    attempt: Positive
    """Counted since the order began to wait."""


@belongs_to("order", of="order_id", key="request_id", public=False)
class NobodyCan(Event, frozen=True, kw_only=True):
    """
    Whoever has time: no engineer may ever go, by what they are. Recorded once for a wait, so that somebody trains one,
    hires one, or mends the order at once. It is looked at again as any that waits.
    """

    order_id: str
    request_id: str
    compared: NonNegative
    excluded: tuple[RuleCount, ...] = ()
    """How many engineers each rule excludes."""


@belongs_to("order", of="order_id", key="request_id")
class OrderDeclined(Event, frozen=True, kw_only=True):
    """
    The engineer will not take the order, or cannot; it waits for another one.

    Acted on by: fieldwork (drops the visit), inventory (releases parts). Read by: reporting.
    """

    order_id: str
    request_id: str
    engineer_id: str
    reason: str
    frees: EngineerDay | None = None
    """Where hours of hers were booked; they are free again."""
    cause: Literal["engineer", "absence", "dispatcher"] = "engineer"
    """
    `absence`: she is absent in those hours, and has refused nothing; she may be given it again. `dispatcher`: somebody
    took it from her, who is to say who goes; when a quarter of an hour has passed without it, the rules look for one.
    """
    assign_within_s: Positive = 1_800
    """As in OrderReturned."""


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
    corrected: bool = False
    """It was withdrawn because it was opened upon wrong facts: another order of the request follows."""


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
