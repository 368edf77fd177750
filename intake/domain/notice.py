"""A notice: what somebody of the staff is told of an event; and how she is reached."""

from __future__ import annotations

from typing import Literal

from contracts.event import Event
from contracts.intake import ContactSet, NoticeDue, NoticeNotSent, NoticeSent
from intake.commands import RecordNoticeNotSent, RecordNoticeSent, SetContact, TellStaff
from services.chassis.journal.rules import Stream

Notice = Literal["", "due", "settled"]


def contact_stream(person_id: str) -> str:
    return f"contact/{person_id}"


def notice_stream(notice_id: str) -> str:
    return f"notice/{notice_id}"


def set_contact(known: bool, command: SetContact) -> list[Event]:
    """Recorded each time: what is sealed cannot be compared."""
    return [ContactSet(**command.model_dump())]


def tell(notice: Notice, command: TellStaff) -> list[Event]:
    return [] if notice else [NoticeDue(**command.model_dump())]


def record_sent(notice: Notice, command: RecordNoticeSent) -> list[Event]:
    return [NoticeSent(**command.model_dump())] if notice == "due" else []


def record_not_sent(notice: Notice, command: RecordNoticeNotSent) -> list[Event]:
    return [NoticeNotSent(**command.model_dump())] if notice == "due" else []


def evolve(notice: Notice, event: NoticeDue | NoticeSent | NoticeNotSent) -> Notice:
    return "due" if isinstance(event, NoticeDue) else "settled"


CONTACT: Stream[bool] = Stream("contact", False, lambda _, event: True)
NOTICE: Stream[Notice] = Stream("notice", "", evolve)
