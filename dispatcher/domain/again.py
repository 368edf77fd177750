"""A recorded decision, decided again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from contracts.dispatcher import DecisionRecorded
from contracts.event import Event
from contracts.problems import Rejected
from dispatcher.commands import AssignByHand, AssignOrder, ReassignOrder, Replan, TakeOrder
from dispatcher.domain import assignment, replan

Decided = tuple[type[Any], Callable[[Any], tuple[str, ...]], Callable[[Mapping[str, Any], Any], list[Event]]]

DECIDED: Final[Mapping[str, Decided]] = {
    "AssignOrder": (AssignOrder, assignment.reads_of_candidates, assignment.assign),
    "TakeOrder": (TakeOrder, assignment.reads_of_engineer, assignment.take),
    "AssignByHand": (AssignByHand, assignment.reads_of_engineer, assignment.assign_by_hand),
    "ReassignOrder": (ReassignOrder, assignment.reads_of_engineer, assignment.reassign),
    "Replan": (Replan, replan.reads, replan.decide),
}


def reads(record: DecisionRecorded) -> tuple[str, ...]:
    """The streams upon which it was decided."""
    command, streams, _ = DECIDED[record.command]
    return streams(command.model_validate_json(record.asked))


def again(record: DecisionRecorded, states: Mapping[str, Any]) -> DecisionRecorded | Rejected:
    """
    What these states give for what was asked: where they are those from before the decision, the record itself. A
    refusal says that they are not.
    """
    command, _, decide = DECIDED[record.command]
    try:
        events = decide(states, command.model_validate_json(record.asked))
    except Rejected as no:
        return no
    same = [one for one in events if isinstance(one, DecisionRecorded) and one.order_id == record.order_id]
    return same[0] if same else Rejected("decision.not-again", order_id=record.order_id)
