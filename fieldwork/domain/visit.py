"""
A visit: planned, on the way, there, at work, finished, accepted; or refused, aborted, cancelled.

A step that was taken already is nothing new; one that is not next is refused. What the engineer reports may be late,
but not out of order and not in the future.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, assert_never

import msgspec

from contracts.event import Event
from contracts.fieldwork import (
    AcceptanceRefused,
    ChecklistItem,
    EngineerArrived,
    EngineerDeparted,
    FollowUpAsked,
    MeterReading,
    PartUsed,
    PhotoAttached,
    ServiceCompleted,
    UsedPart,
    VisitAborted,
    VisitCancelled,
    VisitPlanned,
    WorkFinished,
    WorkStarted,
)
from contracts.problems import Rejected
from fieldwork.commands import (
    AbortVisit,
    AcceptWork,
    Arrive,
    AttachPhoto,
    Depart,
    FinishWork,
    OverReason,
    RefuseWork,
    StartWork,
    Step,
    StepCommand,
    UsePart,
)
from fieldwork.domain.record_templates import NO_TEMPLATES, Templates, lacking
from fieldwork.domain.service_codes import NONE, Codes, version_for
from fieldwork.domain.service_record import follow_ups, record_sha256
from services.chassis.journal.rules import Stream

FAST_CLOCK = timedelta(minutes=2)
"""How far a phone's clock may be ahead of ours."""


@dataclass(frozen=True)
class Unplanned:
    """Nobody is to go."""


@dataclass(frozen=True)
class Planned:
    plan: VisitPlanned
    photos: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Departed:
    plan: VisitPlanned
    departed_at: datetime
    photos: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Arrived:
    plan: VisitPlanned
    departed_at: datetime
    arrived_at: datetime
    photos: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Working:
    plan: VisitPlanned
    departed_at: datetime
    arrived_at: datetime
    started_at: datetime
    last_at: datetime
    """When the work was started, or its acceptance refused."""
    photos: frozenset[str] = frozenset()
    parts: tuple[UsedPart, ...] = ()
    refused: bool = False
    asked: frozenset[str] = frozenset()
    """The points of the checklist for which a follow-up was asked."""


@dataclass(frozen=True)
class Finished:
    work: Working
    finished_at: datetime
    cause: str
    action: str
    record_sha256: str = ""
    labour_s: int = 0


@dataclass(frozen=True)
class Completed:
    plan: VisitPlanned
    photos: frozenset[str]
    arrived_at: datetime
    rating: int
    labour_s: int
    parts: tuple[UsedPart, ...]


@dataclass(frozen=True)
class Aborted:
    plan: VisitPlanned
    photos: frozenset[str] = frozenset()
    reason: str = ""


@dataclass(frozen=True)
class Cancelled:
    plan: VisitPlanned
    reason: str
    since: datetime | None


Visit = Unplanned | Planned | Departed | Arrived | Working | Finished | Completed | Aborted | Cancelled
INITIAL: Visit = Unplanned()


def visit_stream(visit_id: str) -> str:
    return f"visit/{visit_id}"


def decide(
    visit: Visit,
    command: StepCommand,
    codes: Codes = NONE,
    templates: Templates = NO_TEMPLATES,
    *,
    offline: bool = False,
) -> list[Event]:
    """
    `codes` are the lists of causes and remedies, `templates` what a record must have: finishing the work looks at them.

    What was done offline is done: a record that lacks something is taken then, and says so.
    """
    not_in_future(command)
    match command:
        case Depart():
            return _depart(visit, command)
        case Arrive():
            return _arrive(visit, command)
        case StartWork():
            return _start(visit, command)
        case AttachPhoto():
            return _attach(visit, command)
        case UsePart():
            return _use(visit, command)
        case FinishWork():
            return _finish(visit, command, codes, templates, offline=offline)
        case AcceptWork():
            return _accept(visit, command)
        case RefuseWork():
            return _refuse(visit, command)
        case AbortVisit():
            return _abort(visit, command)
        case _:
            assert_never(command)


def _depart(visit: Visit, command: Depart) -> list[Event]:
    match visit:
        case Planned(plan):
            return [EngineerDeparted(**_ids(plan), departed_at=command.at)]
        case Departed() | Arrived() | Working() | Finished() | Completed():
            return []
        case _:
            raise _wrong_step(visit, command, "depart")


def _arrive(visit: Visit, command: Arrive) -> list[Event]:
    match visit:
        case Departed(plan, departed_at):
            _in_order(command, departed_at)
            return [EngineerArrived(**_ids(plan), planned_at=plan.starts_at, arrived_at=command.at)]
        case Arrived() | Working() | Finished() | Completed():
            return []
        case _:
            raise _wrong_step(visit, command, "arrive")


def _start(visit: Visit, command: StartWork) -> list[Event]:
    match visit:
        case Arrived(plan):
            _in_order(command, visit.arrived_at)
            return [WorkStarted(**_ids(plan), started_at=command.at)]
        case Working() | Finished() | Completed():
            return []
        case _:
            raise _wrong_step(visit, command, "start")


def _attach(visit: Visit, command: AttachPhoto) -> list[Event]:
    """A picture comes when there is a network: before the arrival that the phone still keeps, or after the end."""
    match visit:
        case Unplanned() | Cancelled():
            raise _wrong_step(visit, command, "photo")
        case Arrived() | Working() | Completed():
            attached, after = visit.photos, visit.arrived_at
        case Finished(work):
            attached, after = work.photos, work.arrived_at
        case Planned() | Departed() | Aborted():
            attached, after = visit.photos, command.at
        case _:
            assert_never(visit)
    if command.photo_id in attached:
        return []
    _in_order(command, after)
    plan = plan_of(visit)
    photo = command.model_dump(exclude={"at", "now", "lat_udeg", "lon_udeg"})
    # Of a visit in history that names no customer there is nobody under whose key the place could be sealed.
    known = plan.customer_id and command.lat_udeg is not None and command.lon_udeg is not None
    place = f"{command.lat_udeg},{command.lon_udeg}" if known else ""
    return [PhotoAttached(request_id=plan.request_id, customer_id=plan.customer_id, place=place, **photo)]


def _use(visit: Visit, command: UsePart) -> list[Event]:
    match visit:
        case Working(plan):
            _in_order(command, visit.started_at)
            place_id = command.place_id or plan.van_id
            if not place_id:
                raise Rejected("visit.no-van", visit_id=plan.visit_id, part_id=command.part_id)
            return [
                PartUsed(
                    visit_id=plan.visit_id,
                    order_id=plan.order_id,
                    request_id=plan.request_id,
                    part_id=command.part_id,
                    place_id=place_id,
                    quantity=command.quantity,
                    serials=command.serials,
                    old_returned=command.old_returned,
                    lot=command.lot,
                    old_serials=command.old_serials,
                    used_at=command.at,
                )
            ]
        case _:
            raise _wrong_step(visit, command, "use-part")


def _finish(visit: Visit, command: FinishWork, codes: Codes, templates: Templates, *, offline: bool) -> list[Event]:
    match visit:
        case Working(plan):
            _in_order(command, visit.last_at)
            missing = lacking(templates.get(plan.template_version), command)
            if missing and not offline:
                raise Rejected(
                    "record.incomplete",
                    field=missing[0],
                    missing=list(missing),
                    request_type=plan.request_type,
                    template_version=plan.template_version,
                )
            worked = command.at - visit.started_at
            finished = WorkFinished(
                **_ids(plan),
                customer_id=plan.customer_id,
                cause=command.cause,
                action=command.action,
                codes_version=version_for(codes, command.cause, command.action, command.codes_version),
                labour_s=int(worked.total_seconds()) if command.labour_s is None else command.labour_s,
                record=command.record,
                checklist=tuple([ChecklistItem(one.item, one.passed, one.note) for one in command.checklist]),
                readings=tuple([MeterReading(one.meter, one.value, one.unit) for one in command.readings]),
                parts=visit.parts,
                lacking=tuple(missing),
                finished_at=command.at,
            )
            signed = msgspec.structs.replace(finished, record_sha256=record_sha256(finished))
            return [signed, *follow_ups(plan, visit.asked, command)]
        case Finished(cause=command.cause, action=command.action):
            return []
        case _:
            raise _wrong_step(visit, command, "finish")


def _accept(visit: Visit, command: AcceptWork) -> list[Event]:
    match visit:
        case Finished(Working(plan) as work, finished_at):
            _in_order(command, finished_at)
            if command.record_sha256 not in ("", visit.record_sha256):
                facts = {"signed": command.record_sha256, "current": visit.record_sha256}
                raise Rejected("visit.record-changed", **facts)
            place = command.place
            return [
                ServiceCompleted(
                    **_ids(plan),
                    customer_id=plan.customer_id,
                    device_id=plan.device_id,
                    device_model=plan.device_model,
                    rating=command.rating,
                    signature=command.signature,
                    parts=work.parts,
                    departed_at=work.departed_at,
                    arrived_at=work.arrived_at,
                    started_at=work.started_at,
                    finished_at=finished_at,
                    photos=len(work.photos),
                    accepted_at=command.at,
                    signed_name=command.signed_name,
                    signed_lat_udeg=place.lat_udeg if place else None,
                    signed_lon_udeg=place.lon_udeg if place else None,
                    record_sha256=visit.record_sha256,
                )
            ]
        case Completed(rating=command.rating):
            return []
        case _:
            raise _wrong_step(visit, command, "accept")


def _refuse(visit: Visit, command: RefuseWork) -> list[Event]:
    match visit:
        case Finished(Working(plan), finished_at):
            _in_order(command, finished_at)
            refusal = AcceptanceRefused(
                **_ids(plan), customer_id=plan.customer_id, reason=command.reason, refused_at=command.at
            )
            return [refusal]
        case Working(refused=True):
            return []
        case _:
            raise _wrong_step(visit, command, "refuse")


def _abort(visit: Visit, command: AbortVisit) -> list[Event]:
    match visit:
        case Departed(plan, last_at) | Arrived(plan, arrived_at=last_at) | Working(plan, last_at=last_at):
            _in_order(command, last_at)
            parts = visit.parts if isinstance(visit, Working) else ()
            return [
                VisitAborted(**_ids(plan), reason=command.reason, note=command.note, parts=parts, aborted_at=command.at)
            ]
        case Aborted():
            return []
        case _:
            raise _wrong_step(visit, command, "abort")


def cancel(visit: Visit, reason: OverReason | Literal["order-reassigned"], at: datetime | None = None) -> list[Event]:
    """
    Work that has begun goes on: it is a fact and wins.

    An engineer who is on her way turns round for an order that is cancelled, or that somebody else has finished. Where
    it is to go to somebody else, she and the dispatcher have spoken, and what she reports says how her visit ends.
    """
    # The contract has no word of its own for a finished order: somebody else had it.
    told: Literal["order-cancelled", "order-reassigned", "order-declined"]
    told = "order-reassigned" if reason == "order-finished" else reason
    match visit:
        case Planned(plan):
            return [VisitCancelled(**_ids(plan), reason=told, cancelled_at=at)]
        case Departed(plan) | Arrived(plan) if reason in ("order-cancelled", "order-finished"):
            return [VisitCancelled(**_ids(plan), reason=told, cancelled_at=at)]
        case _:
            return []


def plan_of(visit: Visit) -> VisitPlanned:
    """What was planned. Raises Rejected where nobody is to go."""
    match visit:
        case Unplanned():
            raise Rejected("visit.wrong-step", state="unplanned", wanted="any")
        case Finished(work):
            return work.plan
        case _:
            return visit.plan


def _photos_of(visit: Visit) -> frozenset[str]:
    match visit:
        case Unplanned() | Cancelled():
            return frozenset()
        case Finished(work):
            return work.photos
        case _:
            return visit.photos


def _ids(plan: VisitPlanned) -> dict[str, str]:
    return {
        "visit_id": plan.visit_id,
        "order_id": plan.order_id,
        "request_id": plan.request_id,
        "engineer_id": plan.engineer_id,
    }


def not_in_future(step: Step) -> None:
    if step.at > step.now + FAST_CLOCK:
        raise Rejected("visit.time-in-future", at=step.at.isoformat(), now=step.now.isoformat())


def _in_order(step: Step, after: datetime) -> None:
    if step.at < after:
        raise Rejected("visit.time-before", at=step.at.isoformat(), after=after.isoformat())


def _wrong_step(visit: Visit, step: Step, wanted: str) -> Rejected:
    if isinstance(visit, Cancelled):
        since = "" if visit.since is None else visit.since.isoformat()
        at = step.at.isoformat()
        return Rejected("visit.called-off", step=wanted, at=at, reason=visit.reason, since=since or "an earlier time")
    return Rejected("visit.wrong-step", state=type(visit).__name__.lower(), wanted=wanted)


VisitEvent = (
    VisitPlanned
    | VisitCancelled
    | EngineerDeparted
    | EngineerArrived
    | WorkStarted
    | PhotoAttached
    | PartUsed
    | WorkFinished
    | FollowUpAsked
    | AcceptanceRefused
    | ServiceCompleted
    | VisitAborted
)


def evolve(visit: Visit, event: VisitEvent) -> Visit:
    """History that does not say when a step was taken has gone to plan."""
    match event, visit:
        case VisitPlanned(), _:
            return Planned(event)
        case EngineerDeparted(), Planned(plan, photos):
            return Departed(plan, event.departed_at or plan.starts_at, photos)
        case EngineerArrived(), Departed(plan, departed_at, photos):
            return Arrived(plan, departed_at, event.arrived_at or departed_at, photos)
        case WorkStarted(), Arrived(plan, departed_at, arrived_at, photos):
            started_at = event.started_at or arrived_at
            return Working(plan, departed_at, arrived_at, started_at, started_at, photos)
        case PhotoAttached(), (Planned() | Departed() | Arrived() | Working() | Completed() | Aborted()):
            return replace(visit, photos=visit.photos | {event.photo_id})
        case PhotoAttached(), Finished(work):
            return replace(visit, work=replace(work, photos=work.photos | {event.photo_id}))
        case PartUsed(), Working(parts=parts):
            return replace(visit, parts=with_part(parts, event))
        case WorkFinished(), Working():
            finished_at = event.finished_at or visit.last_at
            return Finished(visit, finished_at, event.cause, event.action, event.record_sha256, event.labour_s)
        case FollowUpAsked(), Finished(work):
            return replace(visit, work=replace(work, asked=work.asked | {event.item}))
        case AcceptanceRefused(), Finished(work, finished_at):
            return replace(work, refused=True, last_at=event.refused_at or finished_at)
        case ServiceCompleted(), Finished(work):
            return Completed(work.plan, work.photos, work.arrived_at, event.rating, visit.labour_s, work.parts)
        case VisitAborted(), (Planned() | Departed() | Arrived() | Working() | Finished()):
            return Aborted(plan_of(visit), _photos_of(visit), event.reason)
        case VisitCancelled(), (Planned() | Departed() | Arrived()):
            return Cancelled(visit.plan, event.reason, event.cancelled_at)
        case _:
            return visit


def with_part(parts: tuple[UsedPart, ...], used: PartUsed) -> tuple[UsedPart, ...]:
    """The parts used so far and this one: one line for each part, place and lot."""
    lines = {(line.part_id, line.place_id, line.lot): line for line in parts}
    key = used.part_id, used.place_id, used.lot
    line = lines.get(key)
    lines[key] = UsedPart(
        used.part_id,
        used.place_id,
        used.quantity + (line.quantity if line else 0),
        ((line.serials if line else ()) + used.serials),
        used.old_returned + (line.old_returned if line else 0),
        used.lot,
        old_serials=(line.old_serials if line else ()) + used.old_serials,
    )
    return tuple(lines.values())


VISIT: Stream[Visit] = Stream("visit", INITIAL, evolve)
