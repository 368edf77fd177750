"""What was not in order at a visit becomes a request of its own, which names the one at whose visit it was found."""

from __future__ import annotations

from contracts.event import Event
from contracts.intake import RequestFollowsUp
from intake.commands import AskFollowUp
from intake.domain import request as requests
from services.chassis.journal.rules import States, Stream


def follow_up_stream(request_id: str) -> str:
    return f"follow-up/{request_id}"


def reads(command: AskFollowUp) -> tuple[str, ...]:
    return follow_up_stream(command.request.request_id), *requests.submit_reads(command.request)


def ask(states: States, command: AskFollowUp) -> list[Event]:
    """Once. What it lacks by the form of its type is asked for, as of any other request."""
    asked: bool = states[follow_up_stream(command.request.request_id)]
    if asked:
        return []
    link = RequestFollowsUp(
        request_id=command.request.request_id,
        follows_id=command.follows_id,
        customer_id=command.request.customer_id,
        visit_id=command.visit_id,
        item=command.item,
    )
    return [*requests.submit(states, command.request), link]


FOLLOW_UP: Stream[bool] = Stream("follow-up", False, lambda asked, event: True)
