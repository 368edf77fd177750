"""Every request with where it stands: intake's own facts, and the milestones that others reported."""

from __future__ import annotations

from collections.abc import Mapping

from contracts.dispatcher import OrderAssigned, OrderReassigned
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import (
    EngineerArrived,
    EngineerDeparted,
    ServiceCompleted,
    VisitAborted,
    WorkFinished,
    WorkStarted,
)
from contracts.intake import (
    RequestCancelled,
    RequestClosed,
    RequestCorrected,
    RequestExpired,
    RequestIncomplete,
    RequestMerged,
    RequestReceived,
    RequestRemarked,
    RequestReminded,
    RequestReopened,
    RequestResolvedRemotely,
    RequestSupplemented,
    RequestUnmerged,
    RequestWithdrawn,
)
from services.chassis.clock import micros
from services.chassis.views import Rows, Value, View

MILESTONES: Mapping[type[Event], str] = {
    OrderAssigned: "assigned_at",
    EngineerDeparted: "departed_at",
    EngineerArrived: "arrived_at",
    WorkStarted: "started_at",
    WorkFinished: "finished_at",
    ServiceCompleted: "completed_at",
}
"""What others report, and the column that keeps when. Each column has one source, so order between them is free."""


_NOT_MERGED: Mapping[str, Value] = {"state_before": "", "merged_into": ""}
"""What ends by itself is its own again: no other request stands for it."""


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    at = micros(envelope.time)
    match event:
        case RequestReceived() | RequestIncomplete():
            complete = isinstance(event, RequestReceived)
            known = rows.get(event.request_id)
            rows.put(
                event.request_id,
                version=envelope.version,
                number=event.number,
                state="received" if complete else "incomplete",
                request_type=event.request_type,
                customer_id=event.customer_id,
                device_id=event.device_id,
                urgency=event.urgency,
                description=event.description,
                impact=event.impact,
                type_version=event.type_version,
                answers=event.answers,
                contact_phone=event.contact_phone,
                address=event.address,
                site_id=event.site_id,
                missing="" if isinstance(event, RequestReceived) else "\n".join(event.missing),
                missing_zh="" if isinstance(event, RequestReceived) else "\n".join(event.missing_zh),
                **_of_type(event),
                fault_class=event.fault_class,
                model_version=event.model_version,
                wished_engineer_id=event.wished_engineer_id,
                message_id=known["message_id"] if known and known["first_event"] else event.message_id,
                message_digest=known["message_digest"] if known and known["first_event"] else event.message_digest,
                # Where it came from: what is missing is asked for there, whoever has supplemented something meanwhile.
                channel=known["channel"] if known and known["channel"] else envelope.channel,
                first_event=known["first_event"] if known and known["first_event"] else envelope.type,
                first_position=known["first_position"] if known and known["first_event"] else int(envelope.position),
                submitted_at=known["submitted_at"] if known and known["submitted_at"] else at,
                received_at=at if complete else None,
            )
        case RequestSupplemented():
            rows.put(event.request_id, version=envelope.version)
        case RequestCorrected():
            rows.put(
                event.request_id,
                version=envelope.version,
                customer_id=event.customer_id,
                device_id=event.work.device_id,
                site_id=event.site_id,
                division=event.division,
                lat_udeg=event.work.lat_udeg,
                lon_udeg=event.work.lon_udeg,
                placed_by=event.placed_by,
                fault_class=event.fault_class,
                model_version=event.model_version,
                description=event.description,
                answers=event.answers,
                contact_phone=event.contact_phone,
                address=event.address,
            )
        case RequestRemarked():
            rows.put(event.request_id, unanswered=event.by == "customer")
        case RequestReminded():
            rows.put(event.request_id, version=envelope.version, reminded_at=at)
        case RequestExpired():
            rows.put(event.request_id, version=envelope.version, state="expired")
        case RequestWithdrawn():
            rows.put(event.request_id, version=envelope.version, state="withdrawn", **_NOT_MERGED)
        case RequestMerged():
            before = (rows.get(event.request_id) or {}).get("state", "")
            rows.put(
                event.request_id,
                version=envelope.version,
                state="merged",
                state_before=before,
                merged_into=event.into_id,
            )
        case RequestUnmerged():
            before = (rows.get(event.request_id) or {}).get("state_before", "")
            rows.put(event.request_id, version=envelope.version, state=before, **_NOT_MERGED)
        case RequestReopened():
            reopened = int(str((rows.get(event.request_id) or {}).get("reopenings", 0)))
            rows.put(
                event.request_id,
                version=envelope.version,
                state="received",
                outcome="",
                closed_at=None,
                reopened_at=at,
                reopenings=reopened + 1,
            )
        case RequestResolvedRemotely():
            rows.put(
                event.request_id,
                version=envelope.version,
                state="closed",
                outcome="resolved_remotely",
                action=event.action,
                first_contact=event.first_contact,
                closed_at=at,
            )
        case RequestCancelled():
            rows.put(event.request_id, version=envelope.version, state="cancelled")
        case RequestClosed():
            rows.put(
                event.request_id,
                version=envelope.version,
                state="closed",
                outcome=event.outcome,
                closed_at=at,
                **_NOT_MERGED,
            )
        case VisitAborted():
            rows.put(event.request_id, under_way=False)
        case OrderReassigned():
            rows.put(event.request_id, engineer_id=event.engineer_id)
        case OrderAssigned():
            rows.put(event.request_id, engineer_id=event.engineer_id, assigned_at=at)
        case _:
            # Of the others only the time is kept; their partition key is the request.
            rows.put(event.partition_key(), **{MILESTONES[type(event)]: at}, **_whether_under_way(event))


def _whether_under_way(event: Event) -> dict[str, Value]:
    """All of a visit has one publisher and one key, so these come in order."""
    match event:
        case EngineerDeparted():
            return {"under_way": True}
        case ServiceCompleted():
            return {"under_way": False}
        case _:
            return {}


def _of_type(event: RequestReceived | RequestIncomplete) -> dict[str, Value]:
    if isinstance(event, RequestIncomplete):
        return {"serial": event.serial, "lat_udeg": event.lat_udeg, "lon_udeg": event.lon_udeg}
    return {
        "kind": event.kind,
        "needs_visit": event.needs_visit,
        "sla": event.sla,
        "stated_urgency": event.stated_urgency or event.urgency,
        "division": event.division,
        "lat_udeg": event.lat_udeg,
        "lon_udeg": event.lon_udeg,
        "placed_by": event.placed_by,
        "serial": "",
    }


REQUESTS = View(
    name="requests",
    version=6,
    key={"request_id": str},
    columns={
        "version": 0,
        "number": "",
        "state": "",
        "request_type": "",
        "customer_id": "",
        "device_id": "",
        "urgency": "normal",
        "description": "",
        "missing": "",
        "missing_zh": "",
        "type_version": 0,
        "kind": "",
        "needs_visit": True,
        "sla": "",
        "stated_urgency": "",
        "impact": "medium",
        "answers": "",
        "serial": "",
        "contact_phone": "",
        "address": "",
        "site_id": "",
        "division": "",
        "channel": "",
        "fault_class": "",
        "model_version": 0,
        "wished_engineer_id": "",
        "message_id": "",
        "message_digest": "",
        # An engineer is on the way, or at work.
        "under_way": False,
        # What whoever submitted it was answered, for who says the same again.
        "first_event": "",
        "first_position": 0,
        "outcome": "",
        "engineer_id": "",
        "submitted_at": 0,
        "merged_into": "",
        "state_before": "",
        "action": "",
        "first_contact": False,
        "reopenings": 0,
        # What was written about it last, the customer wrote.
        "unanswered": False,
        "lat_udeg": (int, None),
        "lon_udeg": (int, None),
        "placed_by": "given",
        "reminded_at": (int, None),
        "reopened_at": (int, None),
        "received_at": (int, None),
        "assigned_at": (int, None),
        "departed_at": (int, None),
        "arrived_at": (int, None),
        "started_at": (int, None),
        "finished_at": (int, None),
        "completed_at": (int, None),
        "closed_at": (int, None),
    },
    reads=(
        RequestReceived,
        RequestIncomplete,
        RequestRemarked,
        RequestReminded,
        RequestExpired,
        RequestSupplemented,
        RequestCorrected,
        RequestWithdrawn,
        RequestMerged,
        RequestUnmerged,
        RequestReopened,
        RequestResolvedRemotely,
        RequestCancelled,
        RequestClosed,
        OrderReassigned,
        VisitAborted,
        *MILESTONES,
    ),
    apply=apply,
    indexes=(
        ("customer_id", "submitted_at"),
        ("device_id", "submitted_at"),
        ("state", "submitted_at"),
        ("channel", "submitted_at"),
        ("number",),
        ("submitted_at",),
    ),
)
