"""
One row a request: when each milestone was first reached, what the customer said, and what figures are grouped by.

Each column has one publisher, which keeps the order within a request; between publishers any order gives the same row.
Only whether the device came again within a month needs more than a request: the rows `device/ID` hold when each device
was reported and when it was repaired. They count nowhere.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Final

import msgspec

from contracts.dispatcher import AssignmentOverdue, OrderAssigned, OrderCancelled, OrderReassigned
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import AcceptanceRefused, EngineerArrived, EngineerDeparted, ServiceCompleted
from contracts.intake import (
    RequestCorrected,
    RequestMerged,
    RequestReceived,
    RequestReopened,
    RequestResolvedRemotely,
    RequestUnmerged,
    RequestWithdrawn,
)
from contracts.quality import ComplaintRaised, FeedbackReceived, SurveySent
from reporting.figures import HOUR
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View

REPEAT_WITHIN: Final = 30 * 24 * HOUR
"""A device that is reported again for the same so soon after a repair was not repaired well."""


class Round(msgspec.Struct, array_like=True):
    """A request about a device. Microseconds UTC."""

    request_id: str
    received_at: int
    completed_at: int | None = None
    repeated: bool = False
    """Another of its type was received for the device within REPEAT_WITHIN of its completion."""
    request_type: str = ""


_rounds = msgspec.msgpack.Decoder(list[Round])


def _see(rows: Rows, request_id: str) -> None:
    """Judge all requests about a device anew, after the receipt or the completion of one has become known."""
    row = rows.get(request_id)
    if row is None or not row["device_id"] or row["received_at"] is None:
        return
    device = f"device/{row['device_id']}"
    known = rows.get(device)
    rounds = _rounds.decode(known["rounds"]) if known else []
    mine = Round(request_id, row["received_at"], row["completed_at"], request_type=row["request_type"])
    rounds = sorted([*[one for one in rounds if one.request_id != request_id], mine], key=_received)
    for one, repeated in zip(rounds, _repeated(rounds), strict=True):
        if one.repeated != repeated or one is mine:
            one.repeated = repeated
            rows.put(one.request_id, repeated=repeated)
    rows.put(device, rounds=msgspec.msgpack.encode(rounds))


def _leave(rows: Rows, request_id: str) -> None:
    """The request was about another device than it said: the others of that one are judged without it."""
    row = rows.get(request_id)
    device = f"device/{row['device_id']}" if row else ""
    known = rows.get(device)
    if row is None or known is None:
        return
    rounds = [one for one in _rounds.decode(known["rounds"]) if one.request_id != request_id]
    for one, repeated in zip(rounds, _repeated(rounds), strict=True):
        if one.repeated != repeated:
            one.repeated = repeated
            rows.put(one.request_id, repeated=repeated)
    rows.put(request_id, repeated=False)
    rows.put(device, rounds=msgspec.msgpack.encode(rounds))


def _received(one: Round) -> tuple[int, str]:
    return one.received_at, one.request_id


def _repeated(rounds: Sequence[Round]) -> list[bool]:
    """Of each, whether another of its type came soon after its completion; they are given in the order of receipt."""
    received: dict[str, list[int]] = {}
    for one in rounds:
        received.setdefault(one.request_type, []).append(one.received_at)

    def soon(completed_at: int | None, same: Sequence[int]) -> bool:
        if completed_at is None:
            return False
        following = bisect_right(same, completed_at)
        return following < len(same) and same[following] <= completed_at + REPEAT_WITHIN

    return [soon(one.completed_at, received[one.request_type]) for one in rounds]


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    if isinstance(event, ComplaintRaised):
        # Its key is the complaint's own. What is about no request has the row of the empty id, which counts nowhere.
        rows.put(event.request_id, complained=True)
        return
    request_id, at = event.partition_key(), micros(envelope.time)
    row = rows.get(request_id) or {}

    def first(column: str) -> dict[str, Value]:
        known = row.get(column)
        return {column: at if known is None else min(known, at)}

    match event:
        case RequestReceived():
            rows.put(
                request_id,
                device_id=event.device_id,
                device_model=event.device_model,
                request_type=event.request_type,
                region=event.region,
                channel=envelope.channel,
                **first("received_at"),
            )
            _see(rows, request_id)
        case RequestCorrected():
            _leave(rows, request_id)
            work = event.work
            rows.put(request_id, device_id=work.device_id, device_model=work.device_model, region=work.region)
            _see(rows, request_id)
        case RequestWithdrawn():
            rows.put(request_id, withdrawn=True)
        case RequestMerged() | RequestUnmerged():
            rows.put(request_id, merged=isinstance(event, RequestMerged))
        case RequestReopened():
            rows.put(request_id, reopenings=row.get("reopenings", 0) + 1)
        case RequestResolvedRemotely():
            rows.put(
                request_id,
                resolutions=row.get("resolutions", 0) + 1,
                first_contact=row.get("first_contact", False) or event.first_contact,
                **first("remote_at"),
            )
        case OrderAssigned() | OrderReassigned():
            rows.put(request_id, assigned_to=event.engineer_id)
            if isinstance(event, OrderAssigned):
                rows.put(request_id, **first("assigned_at"))
        case AssignmentOverdue():
            rows.put(request_id, overdue=True)
        case OrderCancelled(corrected=True):
            rows.put(request_id)  # another order follows
        case OrderCancelled():
            rows.put(request_id, cancelled=True)
        case EngineerDeparted():
            rows.put(request_id)  # so that a visit has always the row of its request
        case EngineerArrived():
            rows.put(request_id, visits=row.get("visits", 0) + 1)
            if (known := row.get("arrived_at")) is None or at < known:
                rows.put(request_id, arrived_at=at, planned_at=micros(event.planned_at))
        case AcceptanceRefused():
            rows.put(request_id, refused=True)
        case ServiceCompleted():
            rows.put(
                request_id,
                rating=event.rating,
                served_by=event.engineer_id,
                completions=row.get("completions", 0) + 1,
                **first("completed_at"),
            )
            _see(rows, request_id)
        case SurveySent():
            rows.put(request_id, surveyed=True)
        case FeedbackReceived():
            rows.put(
                request_id,
                attitude=event.attitude,
                outcome=event.outcome,
                punctuality=event.punctuality,
                recommends=event.recommends,
            )


REQUEST_STORY = View(
    name="request_story",
    version=5,
    key={"request_id": str},
    columns={
        "device_id": "",
        "device_model": "",
        "request_type": "",
        "region": "",
        "channel": "",
        "received_at": (int, None),
        "assigned_at": (int, None),
        "assigned_to": "",
        "arrived_at": (int, None),
        "planned_at": (int, None),
        "completed_at": (int, None),
        "served_by": "",
        "remote_at": (int, None),
        "first_contact": False,
        "completions": 0,
        "resolutions": 0,
        "reopenings": 0,
        "withdrawn": False,
        "merged": False,
        "cancelled": False,
        "overdue": False,
        "visits": 0,
        "refused": False,
        "complained": False,
        "rating": (int, None),
        "surveyed": False,
        "attitude": (int, None),
        "outcome": (int, None),
        "punctuality": (int, None),
        "recommends": (int, None),
        "repeated": False,
        "rounds": b"",
    },
    reads=(
        RequestReceived,
        RequestCorrected,
        RequestWithdrawn,
        RequestMerged,
        RequestUnmerged,
        RequestReopened,
        RequestResolvedRemotely,
        OrderAssigned,
        OrderReassigned,
        AssignmentOverdue,
        OrderCancelled,
        EngineerDeparted,
        EngineerArrived,
        AcceptanceRefused,
        ServiceCompleted,
        SurveySent,
        FeedbackReceived,
        ComplaintRaised,
    ),
    apply=apply,
    indexes=(("received_at",), ("completed_at",)),
)
