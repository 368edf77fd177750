"""What the staff was told, each person by herself, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from contracts.envelope import Envelope
from contracts.intake import NoticeDue, NoticeNotSent, NoticeSent
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View


def apply(rows: Rows, event: NoticeDue | NoticeSent | NoticeNotSent, envelope: Envelope) -> None:
    if isinstance(event, NoticeDue):
        rows.put(
            event.notice_id,
            person_id=event.person_id,
            template=event.template,
            request_id=event.request_id,
            about=msgspec.json.encode(event.about).decode(),
            due_at=micros(envelope.recorded_at),
        )
        return
    at = micros(envelope.time)
    settled: dict[str, Value] = {"medium": event.medium, "attempts": event.attempts, "settled_at": at}
    if isinstance(event, NoticeSent):
        rows.put(event.notice_id, state="sent", **settled)
    else:
        rows.put(event.notice_id, state="not_sent", reason=event.reason, **settled)


def about_of(text: str) -> Mapping[str, str]:
    return msgspec.json.decode(text, type=dict[str, str])


NOTICES = View(
    name="notices",
    version=1,
    key={"notice_id": str},
    columns={
        "person_id": "",
        "template": "",
        "request_id": "",
        "about": "{}",
        "due_at": 0,
        "state": "due",
        "medium": "",
        "reason": "",
        "attempts": 0,
        "settled_at": (int, None),
    },
    reads=(NoticeDue, NoticeSent, NoticeNotSent),
    apply=apply,
    indexes=(("person_id", "due_at"), ("due_at",)),
)
