"""
What a phone reports of a visit, in whatever order it comes: decided in the order in which it was done.

A phone without a network goes on counting its steps. One that comes early is kept until those before it are there; one
that comes again changes nothing. So every order, repetition and split into batches gives the same events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final, get_args

import msgspec

from contracts.event import Event
from contracts.fieldwork import PartUsedAfterEnd, StepKept, StepName, StepRefused, StepTaken, UsedPart
from contracts.problems import Rejected
from fieldwork.commands import (
    AbortVisit,
    AcceptWork,
    Arrive,
    Depart,
    FinishWork,
    RefuseWork,
    ReportedCommand,
    ReportStep,
    StartWork,
    UsePart,
)
from fieldwork.domain import visit as visits
from fieldwork.domain.record_templates import NO_TEMPLATES, Templates, template_stream
from fieldwork.domain.service_codes import CODES_STREAM, Codes
from services.chassis.journal.rules import States, Stream

KINDS: Final[Mapping[StepName, type[ReportedCommand]]] = {
    "depart": Depart,
    "arrive": Arrive,
    "start": StartWork,
    "use-part": UsePart,
    "finish": FinishWork,
    "accept": AcceptWork,
    "refuse": RefuseWork,
    "abort": AbortVisit,
}
assert set(KINDS) == set(get_args(StepName))
_NAMES: Final = {kind: name for name, kind in KINDS.items()}

SEALED: Final = '"sealed:'
"""How a text begins that was sealed before its step came into a command."""

MOST_KEPT: Final = 500
"""Steps that may wait for one that is missing: far more than a day has, and a bound for a phone that runs wild."""


@dataclass(frozen=True)
class Reported:
    next: int = 1
    """The number of the step that is decided next."""
    done: frozenset[str] = frozenset()
    """The ids of those that were decided."""
    kept: Mapping[int, StepKept] = field(default_factory=dict)
    ahead_s: int = 0
    """How far the phone's clock was found to be ahead of ours, where it was wrong."""


def steps_stream(visit_id: str) -> str:
    return f"visit-steps/{visit_id}"


def report_reads(command: ReportStep) -> tuple[str, ...]:
    visit_id = command.step.visit_id
    template = (template_stream(command.request_type),) if command.request_type else ()
    return visits.visit_stream(visit_id), steps_stream(visit_id), CODES_STREAM, *template


def report(states: States, command: ReportStep) -> list[Event]:
    """Raises Rejected for what could not be right at any time: a number that is another step's, a time to come."""
    visit, reported, codes, *more = (states[name] for name in report_reads(command))
    templates: Templates = more[0] if more else NO_TEMPLATES
    plan = visits.plan_of(visit)
    holder = reported.kept.get(command.number)
    if command.step_id in reported.done or (holder is not None and holder.step_id == command.step_id):
        return []
    if command.number < reported.next or holder is not None:
        raise Rejected("step.number-taken", number=command.number, step_id=command.step_id, next=reported.next)
    if len(reported.kept) >= MOST_KEPT and command.number != reported.next:
        raise Rejected("step.too-many-waiting", next=reported.next, most=MOST_KEPT)
    step, ahead_s = _in_our_time(reported, command)
    visits.not_in_future(step)
    text = step.model_dump_json(exclude={"now"})
    came = StepKept(
        visit_id=plan.visit_id,
        request_id=plan.request_id,
        step_id=command.step_id,
        number=command.number,
        step=_NAMES[type(command.step)],
        happened_at=step.at,
        reported=text,
        customer_id=plan.customer_id if SEALED in text else "",
        clock_ahead_s=ahead_s,
    )
    if command.number != reported.next:
        return [came]
    events: list[Event] = []
    waiting = {**reported.kept, command.number: came}
    number = reported.next
    while (one := waiting.get(number)) is not None:
        decided = _decide(visit, one, codes, templates)
        events += decided
        for event in decided:
            if isinstance(event, visits.VisitEvent):
                visit = visits.evolve(visit, event)
        number += 1
    return events


def _in_our_time(reported: Reported, command: ReportStep) -> tuple[ReportedCommand, int]:
    """
    The step at the time when it happened by our clock, and how far the phone's clock was ahead.

    What was measured first of a visit stays while a later measurement agrees with it: each takes as long as its way
    through the network, and two steps must not change places by that. One that is right within `FAST_CLOCK` is right.
    """
    limit_s = int(visits.FAST_CLOCK.total_seconds())
    ahead_s = reported.ahead_s or 0
    if abs(command.clock_ahead_s - ahead_s) > limit_s:
        ahead_s = command.clock_ahead_s if abs(command.clock_ahead_s) > limit_s else 0
    at = command.step.at - timedelta(seconds=ahead_s)
    if ahead_s and command.step.now < at <= command.step.now + visits.FAST_CLOCK:
        at = command.step.now
    return command.step.model_copy(update={"at": at}), ahead_s


def _decide(visit: visits.Visit, kept: StepKept, codes: Codes, templates: Templates) -> list[Event]:
    """What follows from a step whose turn it is, and that its turn is over."""
    plan = visits.plan_of(visit)
    try:
        decided = visits.decide(visit, _step_of(kept), codes, templates, offline=True)
    except Rejected as no:
        refused = StepRefused(
            visit_id=plan.visit_id,
            order_id=plan.order_id,
            request_id=plan.request_id,
            engineer_id=plan.engineer_id,
            step_id=kept.step_id,
            number=kept.number,
            step=kept.step,
            happened_at=kept.happened_at,
            code=no.code,
            facts={name: str(fact) for name, fact in no.facts.items()},
            reported=kept.reported,
            customer_id=kept.customer_id,
            clock_ahead_s=kept.clock_ahead_s,
        )
        return [refused, *_really_used(visit, kept)]
    taken = StepTaken(
        visit_id=plan.visit_id,
        request_id=plan.request_id,
        step_id=kept.step_id,
        number=kept.number,
        step=kept.step,
        happened_at=kept.happened_at,
        clock_ahead_s=kept.clock_ahead_s,
    )
    return [*decided, taken]


def _really_used(visit: visits.Visit, kept: StepKept) -> list[Event]:
    """
    A part is in the device, whatever became of the visit. While the visit goes on she can still report it as its step;
    of one that has ended nothing else would ever book it.
    """
    step = _step_of(kept)
    ended = isinstance(visit, visits.Cancelled | visits.Aborted | visits.Completed)
    if not isinstance(step, UsePart) or not ended:
        return []
    plan = visits.plan_of(visit)
    place_id = step.place_id or plan.van_id
    if not place_id:
        return []
    return [
        PartUsedAfterEnd(
            visit_id=plan.visit_id,
            order_id=plan.order_id,
            request_id=plan.request_id,
            engineer_id=plan.engineer_id,
            step_id=kept.step_id,
            part=UsedPart(
                step.part_id, place_id, step.quantity, step.serials, step.old_returned, old_serials=step.old_serials
            ),
            used_at=step.at,
        )
    ]


def _step_of(kept: StepKept) -> ReportedCommand:
    # That it is not in the future was judged when it came; when that was must not make a difference.
    return KINDS[kept.step].model_validate({**msgspec.json.decode(kept.reported), "now": kept.happened_at})


def evolve(reported: Reported, event: StepKept | StepTaken | StepRefused | PartUsedAfterEnd) -> Reported:
    if isinstance(event, PartUsedAfterEnd):
        return reported
    ahead_s = event.clock_ahead_s or reported.ahead_s
    if isinstance(event, StepKept):
        return replace(reported, kept={**reported.kept, event.number: event}, ahead_s=ahead_s)
    others = {number: kept for number, kept in reported.kept.items() if number != event.number}
    return Reported(event.number + 1, reported.done | {event.step_id}, others, ahead_s)


REPORTED_STEPS: Stream[Reported] = Stream("visit-steps", Reported(), evolve)
