"""What phones reported of visits and what became of it: taken, refused, or waiting for one that is missing."""

from __future__ import annotations

import msgspec

from contracts.envelope import Envelope
from contracts.fieldwork import StepKept, StepRefused, StepTaken
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: StepKept | StepTaken | StepRefused, envelope: Envelope) -> None:
    key = event.visit_id, event.step_id
    rows.put(
        *key,
        number=event.number,
        step=event.step,
        happened_at=micros(event.happened_at),
        clock_ahead_s=event.clock_ahead_s,
    )
    match event:
        case StepKept():
            rows.put(*key, outcome="waiting")
        case StepTaken():
            rows.put(*key, outcome="taken")
        case StepRefused():
            facts = msgspec.json.encode(event.facts).decode()
            rows.put(*key, outcome="refused", code=event.code, facts=facts)


def facts_of(text: str) -> dict[str, str]:
    """The facts of a refusal."""
    return msgspec.json.decode(text, type=dict[str, str])


REPORTED = View(
    name="reported_steps",
    version=2,
    key={"visit_id": str, "step_id": str},
    columns={"number": 0, "step": "", "happened_at": 0, "clock_ahead_s": 0, "outcome": "", "code": "", "facts": "{}"},
    reads=(StepKept, StepTaken, StepRefused),
    apply=apply,
)
