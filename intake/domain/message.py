"""A message to a customer: what became of it is recorded once."""

from __future__ import annotations

from contracts.event import Event
from contracts.intake import MessageNotSent, MessageSent
from intake.commands import RecordNotSent, RecordSent
from services.chassis.journal.rules import Stream


def message_stream(message_id: str) -> str:
    return f"message/{message_id}"


def record_sent(settled: bool, command: RecordSent) -> list[Event]:
    return [] if settled else [MessageSent(**command.model_dump())]


def record_not_sent(settled: bool, command: RecordNotSent) -> list[Event]:
    return [] if settled else [MessageNotSent(**command.model_dump())]


MESSAGE: Stream[bool] = Stream("message", False, lambda _, event: True)
"""Whether it is known what became of it."""
