"""
What a phone reports of a visit, in whatever order it comes: decided in the order in which it was done.

A phone without a network goes on counting its steps. One that comes early is kept until those before it are there; one
that comes again changes nothing. So every order, repetition and split into batches gives the same events.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final, get_args

import msgspec

from contracts.event import Event
from contracts.fieldwork import StepKept, StepName, StepRefused, StepTaken
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

MOST_KEPT: Final = 500
"""Steps that may wait for one that is missing: far more than a day has, and a bound for a phone that runs wild."""


@dataclass(frozen=True)
class Reported:
    next: int = 1
    """The number of the step that is decided next."""
    done: frozenset[str] = frozenset()
    """The ids of those that were decided."""
    kept: Mapping[int, StepKept] = field(default_factory=dict)


def steps_stream(visit_id: str) -> str:
    return f"visit-steps/{visit_id}"


def report_reads(command: ReportStep) -> tuple[str, ...]:
    visit_id = command.step.visit_id
    return visits.visit_stream(visit_id), steps_stream(visit_id), CODES_STREAM


def report(states: States, command: ReportStep) -> list[Event]:
    """Raises Rejected for what could not be right at any time: a number that is another step's, a time to come."""
    visit, reported, codes = (states[name] for name in report_reads(command))
    plan = visits.plan_of(visit)
    holder = reported.kept.get(command.number)
    if command.step_id in reported.done or (holder is not None and holder.step_id == command.step_id):
        return []
    if command.number < reported.next or holder is not None:
        raise Rejected("step.number-taken", number=command.number, step_id=command.step_id, next=reported.next)
    if len(reported.kept) >= MOST_KEPT and command.number != reported.next:
        raise Rejected("step.too-many-waiting", next=reported.next, most=MOST_KEPT)
    visits.not_in_future(command.step)
    came = StepKept(
        visit_id=plan.visit_id,
        request_id=plan.request_id,
        step_id=command.step_id,
        number=command.number,
        step=_NAMES[type(command.step)],
        happened_at=command.step.at,
        reported=command.step.model_dump_json(exclude={"now"}),
    )
    if command.number != reported.next:
        return [came]
    events: list[Event] = []
    waiting = {**reported.kept, command.number: came}
    number = reported.next
    while (one := waiting.get(number)) is not None:
        decided = _decide(visit, one, codes)
        events += decided
        for event in decided:
            if isinstance(event, visits.VisitEvent):
                visit = visits.evolve(visit, event)
        number += 1
    return events


def _decide(visit: visits.Visit, kept: StepKept, codes: Codes) -> list[Event]:
    """What follows from a step whose turn it is, and that its turn is over."""
    plan = visits.plan_of(visit)
    try:
        decided = visits.decide(visit, _step_of(kept), codes)
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
        )
        return [refused]
    taken = StepTaken(
        visit_id=plan.visit_id,
        request_id=plan.request_id,
        step_id=kept.step_id,
        number=kept.number,
        step=kept.step,
        happened_at=kept.happened_at,
    )
    return [*decided, taken]


def _step_of(kept: StepKept) -> ReportedCommand:
    # That it is not in the future was judged when it came; when that was must not make a difference.
    return KINDS[kept.step].model_validate({**msgspec.json.decode(kept.reported), "now": kept.happened_at})


def evolve(reported: Reported, event: StepKept | StepTaken | StepRefused) -> Reported:
    if isinstance(event, StepKept):
        return replace(reported, kept={**reported.kept, event.number: event})
    others = {number: kept for number, kept in reported.kept.items() if number != event.number}
    return Reported(event.number + 1, reported.done | {event.step_id}, others)


REPORTED_STEPS: Stream[Reported] = Stream("visit-steps", Reported(), evolve)
