"""How far each changed calendar was carried through the orders, and what was told of clocks and is otherwise now."""

from __future__ import annotations

from contracts.dispatcher import ClocksStarted, RestatementAdvanced, RestatementBegun, SlaChanged, SlaRestated
from contracts.envelope import Envelope
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def follow(rows: Rows, event: RestatementBegun | RestatementAdvanced, envelope: Envelope) -> None:
    key, at = (event.calendar_id, event.revision), micros(envelope.time)
    match event:
        case RestatementBegun():
            days = {"changed_from": event.changed_from, "changed_until": event.changed_until}
            rows.put(*key, orders=event.orders, begun_at=at, **days)
        case RestatementAdvanced():
            rows.put(*key, looked_at=event.looked_at, restated=event.restated)
            if event.done:
                rows.put(*key, done_at=at)


def list_differences(rows: Rows, event: SlaRestated | SlaChanged | ClocksStarted, envelope: Envelope) -> None:
    by_calendar = event if isinstance(event, SlaRestated) else None
    for one in event.differences:
        rows.put(
            event.order_id,
            envelope.version,
            one.clock,
            one.figure,
            request_id=event.request_id,
            cause=by_calendar.cause if by_calendar else "sla",
            calendar_id=by_calendar.calendar_id if by_calendar else "",
            calendar_revision=by_calendar.calendar_revision if by_calendar else 0,
            before=one.before,
            after=one.after,
            told_at=micros(envelope.time),
        )


RESTATEMENTS = View(
    name="restatements",
    version=1,
    key={"calendar_id": str, "revision": int},
    columns={
        "orders": 0,
        "looked_at": 0,
        "restated": 0,
        "changed_from": "",
        "changed_until": "",
        "begun_at": 0,
        "done_at": (int, None),
    },
    reads=(RestatementBegun, RestatementAdvanced),
    apply=follow,
)

RESTATED = View(
    name="restated_clocks",
    version=1,
    key={"order_id": str, "version": int, "clock": str, "figure": str},
    columns={
        "request_id": "",
        "cause": "late-fact",
        "calendar_id": "",
        "calendar_revision": 0,
        "before": "",
        "after": "",
        "told_at": 0,
    },
    reads=(SlaRestated, SlaChanged, ClocksStarted),
    apply=list_differences,
    indexes=(("calendar_id", "calendar_revision", "order_id"),),
)
