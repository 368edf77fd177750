"""A request: taken, checked, followed to its end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from contracts.event import Event
from contracts.intake import (
    Impact,
    NumberGiven,
    RequestCancelled,
    RequestClosed,
    RequestCorrected,
    RequestExpired,
    RequestIncomplete,
    RequestMerged,
    RequestMovedAway,
    RequestReceived,
    RequestReminded,
    RequestReopened,
    RequestResolvedRemotely,
    RequestSupplemented,
    RequestUnmerged,
    RequestWithdrawn,
    Urgency,
    Work,
)
from contracts.problems import Rejected
from intake.commands import (
    CancelRequest,
    ChangeRequest,
    CloseRequest,
    ExpireRequest,
    MergeRequest,
    RemindRequest,
    ReopenRequest,
    ResolveRemotely,
    SubmitRequest,
    SupplementRequest,
    UnmergeRequest,
    WithdrawRequest,
)
from intake.domain.checks import Given, check
from intake.domain.models import model_stream
from intake.domain.register import customer_stream, device_stream, site_stream, type_stream
from services.chassis.journal.rules import Claim, States, Stream


@dataclass(frozen=True)
class Absent:
    """Nobody has asked yet."""


@dataclass(frozen=True)
class Incomplete:
    """It waits for what is missing."""

    number: str
    request_type: str
    type_version: int
    customer_id: str
    device_id: str
    site_id: str
    urgency: Urgency
    impact: Impact
    remind_after_s: int
    expire_after_s: int
    fault: str = ""
    model_version: int = 0
    wished_engineer_id: str = ""
    reminders: int = 0
    here: tuple[int, int] | None = None


@dataclass(frozen=True)
class Facts:
    """What it was checked with, for a correction."""

    number: str
    type_version: int
    stated_urgency: Urgency
    impact: Impact
    site_id: str
    fault_class: str
    model_version: int
    here: tuple[int, int] | None


@dataclass(frozen=True)
class Received:
    """It is being worked on."""

    customer_id: str
    work: Work
    warranty_s: int
    facts: Facts
    round_no: int = 1
    """Which of its orders is worked on."""
    first_contact: bool = True
    """The customer was asked for nothing in between, and has not come back."""
    reopened_at: datetime | None = None
    was: tuple[tuple[str, str], ...] = ()
    """The customers and devices that it was said to be of before it was corrected."""


@dataclass(frozen=True)
class Merged:
    """Another request stands for it."""

    before: Incomplete | Received
    into_id: str


@dataclass(frozen=True)
class Expired:
    """What was missing was never given."""


@dataclass(frozen=True)
class Withdrawn:
    customer_id: str


@dataclass(frozen=True)
class Cancelled:
    """A dispatcher decided that nobody goes."""


@dataclass(frozen=True)
class Closed:
    """The work is done, or it was solved from the desk."""

    before: Received | None = None
    """What it was last worked on as; None for what never was."""
    completed_at: datetime | None = None
    order_id: str = ""
    """The order whose work was done."""
    resolved: bool = False
    """From the desk; somebody may be at work all the same."""


Request = Absent | Incomplete | Received | Merged | Expired | Withdrawn | Cancelled | Closed
RequestEvent = (
    RequestReceived
    | RequestIncomplete
    | RequestReminded
    | RequestExpired
    | RequestSupplemented
    | RequestCorrected
    | RequestMovedAway
    | RequestWithdrawn
    | RequestMerged
    | RequestUnmerged
    | RequestReopened
    | RequestResolvedRemotely
    | RequestCancelled
    | RequestClosed
)
INITIAL: Request = Absent()


def request_stream(request_id: str) -> str:
    return f"request/{request_id}"


def numbers_stream(day: str) -> str:
    return f"numbers/{day}"


def submit_reads(command: SubmitRequest) -> tuple[str, ...]:
    return (
        request_stream(command.request_id),
        numbers_stream(command.day),
        type_stream(command.request_type),
        customer_stream(command.customer_id),
        device_stream(command.device_id),
        *{site_stream(command.site_id), site_stream(command.device_site_id)},
        model_stream(command.device_model),
    )


def submit(states: States, command: SubmitRequest) -> list[Event]:
    if not isinstance(states[request_stream(command.request_id)], Absent):
        raise Rejected("request.already-submitted", request_id=command.request_id)
    count: int = states[numbers_stream(command.day)] + 1
    number = f"R-{command.day[2:].replace('-', '')}-{count:04d}"
    facts = {name: value for name, value in command if name != "day"}
    return [NumberGiven(day=command.day, request_id=command.request_id), check(states, Given(number=number, **facts))]


def change_reads(command: ChangeRequest) -> tuple[str, ...]:
    return (
        request_stream(command.request_id),
        type_stream(command.known_request_type),
        *{customer_stream(command.customer_id), customer_stream(command.known_customer_id)},
        *{device_stream(command.device_id), device_stream(command.known_device_id)},
        *{site_stream(one) for one in (command.site_id, command.known_site_id, command.device_site_id)},
        model_stream(command.device_model),
    )


def supplement_reads(command: SupplementRequest) -> tuple[str, ...]:
    return tuple({*change_reads(command), type_stream(command.request_type)})


def supplement(states: States, command: SupplementRequest) -> list[Event]:
    match states[request_stream(command.request_id)]:
        case Incomplete() as known:
            before = {
                "request_type": known.request_type,
                "customer_id": known.customer_id,
                "device_id": known.device_id,
                "site_id": known.site_id,
                "fault": known.fault,
                "wished_engineer_id": known.wished_engineer_id,
                "description": command.known_description,
                "serial": "",
                "contact_phone": command.known_contact_phone,
                "address": command.known_address,
            }
            changed = [name for name in before if getattr(command, name) not in ("", before[name])]
            answers = {**command.known_answers, **command.answers}
            changed += ["here"] if command.here not in (None, known.here) else []
            changed += ["answers"] if answers != dict(command.known_answers) else []
            if not changed:
                return []
            given = Given(
                request_id=command.request_id,
                number=known.number,
                request_type=command.request_type or known.request_type,
                customer_id=command.customer_id or known.customer_id,
                device_id=command.device_id or known.device_id,
                urgency=known.urgency,
                impact=known.impact,
                description=command.description or command.known_description,
                answers=answers,
                serial=command.serial,
                contact_phone=command.contact_phone or command.known_contact_phone,
                address=command.address or command.known_address,
                site_id=command.site_id or known.site_id,
                fault=command.fault or known.fault,
                wished_engineer_id=command.wished_engineer_id or known.wished_engineer_id,
                device_model=command.device_model,
                device_site_id=command.device_site_id,
                spots=command.spots,
                here=command.here or known.here,
                model_version=0 if "device_id" in changed else known.model_version,
                type_version=0 if "request_type" in changed else known.type_version,
            )
            told = RequestSupplemented(
                request_id=command.request_id,
                customer_id=given.customer_id,
                fields=tuple(changed),
                message_id=command.message_id,
            )
            return [told, check(states, given)]
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case Expired():
            raise Rejected("request.expired", request_id=command.request_id)
        case _:
            raise Rejected("request.not-incomplete", request_id=command.request_id)


MOST_REMINDERS: Final = 2


def remind(request: Request, command: RemindRequest) -> list[Event]:
    match request:
        case Incomplete() as waiting if waiting.reminders < MOST_REMINDERS:
            told = RequestReminded(
                request_id=command.request_id,
                customer_id=waiting.customer_id,
                time_no=waiting.reminders + 1,
                remind_after_s=waiting.remind_after_s,
            )
            return [told]
        case _:
            return []  # It is complete by now, or has ended, or was reminded often enough.


def expire(request: Request, command: ExpireRequest) -> list[Event]:
    match request:
        case Incomplete(customer_id=customer_id):
            return [RequestExpired(request_id=command.request_id, customer_id=customer_id)]
        case _:
            return []  # It is complete by now, or has ended.


def message_of(event: RequestReceived | RequestIncomplete | RequestSupplemented) -> list[Claim]:
    """A channel's message makes or supplements one request, however often the channel brings it."""
    return [Claim("channel-message", event.message_id, event.request_id)] if event.message_id else []


def round_of(request: Incomplete | Received) -> int:
    """Which of its orders is, or will be, worked on."""
    return request.round_no if isinstance(request, Received) else 1


def withdraw(request: Request, command: WithdrawRequest) -> list[Event]:
    match request:
        case Incomplete() | Received() | Merged():
            open_one = request.before if isinstance(request, Merged) else request
            withdrawn = RequestWithdrawn(
                request_id=command.request_id,
                customer_id=open_one.customer_id,
                reason=command.reason,
                round_no=round_of(open_one),
            )
            return [withdrawn]
        case Withdrawn() | Cancelled() | Expired():
            return []
        case Closed():
            raise Rejected("request.closed", request_id=command.request_id)
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            assert_never(request)


def merge_reads(command: MergeRequest) -> tuple[str, ...]:
    return (request_stream(command.request_id), request_stream(command.into_id))


def merge(states: States, command: MergeRequest) -> list[Event]:
    request: Request = states[request_stream(command.request_id)]
    into: Request = states[request_stream(command.into_id)]
    if command.request_id == command.into_id:
        raise Rejected("request.merged-into-itself", request_id=command.request_id)
    if isinstance(into, Absent):
        raise Rejected("request.unknown", request_id=command.into_id)
    match request:
        case Merged(into_id=into_id) if into_id == command.into_id:
            return []
        case Merged(into_id=into_id):
            raise Rejected("request.merged", request_id=command.request_id, into_id=into_id)
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case Received() if command.under_way:
            raise Rejected("request.engineer-under-way", request_id=command.request_id)
        case Incomplete() | Received() if isinstance(into, Incomplete | Received):
            merged = RequestMerged(
                request_id=command.request_id,
                customer_id=request.customer_id,
                into_id=command.into_id,
                round_no=round_of(request),
            )
            return [merged]
        case Incomplete() | Received():
            raise Rejected("request.not-open", request_id=command.into_id)
        case _:
            raise Rejected("request.not-open", request_id=command.request_id)


def unmerge(request: Request, command: UnmergeRequest) -> list[Event]:
    match request:
        case Merged(before=Received() as before, into_id=into_id):
            unmerged = RequestUnmerged(
                request_id=command.request_id,
                customer_id=before.customer_id,
                into_id=into_id,
                round_no=before.round_no + 1,
                work=before.work,
            )
            return [unmerged]
        case Merged(before=Incomplete() as before, into_id=into_id):
            unmerged = RequestUnmerged(
                request_id=command.request_id,
                customer_id=before.customer_id,
                into_id=into_id,
                round_no=1,
                remind_after_s=before.remind_after_s,
                expire_after_s=before.expire_after_s,
            )
            return [unmerged]
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            return []


def reopen(request: Request, command: ReopenRequest) -> list[Event]:
    """Within the warranty it is the same request again, and a repeat visit; after it, a new request."""
    match request:
        case Closed(before=Received() as before, completed_at=datetime() as completed_at):
            until = completed_at + timedelta(seconds=before.warranty_s)
            if command.now > until:
                raise Rejected("request.warranty-over", request_id=command.request_id, until=until.isoformat())
            reopened = RequestReopened(
                request_id=command.request_id,
                customer_id=before.customer_id,
                round_no=before.round_no + 1,
                work=before.work,
                reason=command.reason,
                done_order_id=request.order_id,
                reopened_at=command.now,
            )
            return [reopened]
        case Received(round_no=round_no) if round_no > 1:
            return []
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            raise Rejected("request.not-completed", request_id=command.request_id)


def resolve_remotely(request: Request, command: ResolveRemotely) -> list[Event]:
    match request:
        case Incomplete() | Received():
            resolved = RequestResolvedRemotely(
                request_id=command.request_id,
                customer_id=request.customer_id,
                action=command.action,
                resolved_at=command.now,
                first_contact=isinstance(request, Received) and request.first_contact,
                round_no=round_of(request),
            )
            return [resolved]
        case Closed():
            return []
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case Merged() | Expired() | Withdrawn() | Cancelled():
            raise Rejected("request.not-open", request_id=command.request_id)
        case _:
            assert_never(request)


def cancel(request: Request, command: CancelRequest) -> list[Event]:
    match request:
        case Received(customer_id=customer_id):
            return [RequestCancelled(request_id=command.request_id, customer_id=customer_id)]
        case Withdrawn() | Cancelled() | Closed() | Expired() | Merged():
            return []
        case Absent() | Incomplete():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            assert_never(request)


def close(request: Request, command: CloseRequest) -> list[Event]:
    """
    Work that was done before somebody said that the fault is back does not mend it: then it is reopened after that
    work, so that an order is opened which that work does not finish.
    """
    request_id, at, open_one = command.request_id, command.completed_at, _before_merger(request)
    if isinstance(open_one, Received) and _is_for_others(open_one, command):
        return []  # The request was corrected, and who was under way by then went to somebody else.
    done: dict[str, Any] = {"request_id": request_id, "completed_at": at, "order_id": command.order_id}
    done |= {"round_no": open_one.round_no} if isinstance(open_one, Received) else {}
    match request:
        case Received(reopened_at=datetime() as reopened_at) if at is not None and at < reopened_at:
            again = RequestReopened(
                request_id=request_id,
                customer_id=request.customer_id,
                round_no=request.round_no + 1,
                work=request.work,
                done_order_id=command.order_id,
                reopened_at=reopened_at,
            )
            return [RequestClosed(outcome="completed", **done), again]
        case Received() | Incomplete() | Cancelled() | Expired() | Merged() | Closed(resolved=True):
            return [RequestClosed(outcome="completed", **done)]
        case Withdrawn():
            return [RequestClosed(outcome="completed_after_withdrawal", **done)]
        case Closed():
            return []
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            assert_never(request)


def _before_merger(request: Request) -> Request:
    return request.before if isinstance(request, Merged) else request


def _is_for_others(request: Received, command: CloseRequest) -> bool:
    served = command.customer_id, command.device_id
    return served in request.was and served != (request.customer_id, request.work.device_id)


def _here(event: RequestReceived | RequestCorrected, lat_udeg: int, lon_udeg: int) -> tuple[int, int] | None:
    """Where it was said to be in coordinates."""
    return (lat_udeg, lon_udeg) if event.located and event.placed_by == "given" else None


def work_of(event: RequestReceived) -> Work:
    return Work(**{name: getattr(event, name) for name in Work.__struct_fields__})


def evolve(request: Request, event: RequestEvent) -> Request:
    match event:
        case RequestIncomplete():
            return Incomplete(
                event.number,
                event.request_type,
                event.type_version,
                event.customer_id,
                event.device_id,
                event.site_id,
                event.urgency,
                event.impact,
                event.remind_after_s,
                event.expire_after_s,
                event.fault_class,
                event.model_version,
                event.wished_engineer_id,
                request.reminders if isinstance(request, Incomplete) else 0,
                None if event.lat_udeg is None or event.lon_udeg is None else (event.lat_udeg, event.lon_udeg),
            )
        case RequestReceived():
            asked_before = isinstance(request, Incomplete)
            facts = Facts(
                event.number,
                event.type_version,
                event.stated_urgency or event.urgency,
                event.impact,
                event.site_id,
                event.fault_class,
                event.model_version,
                _here(event, event.lat_udeg, event.lon_udeg),
            )
            return Received(event.customer_id, work_of(event), event.warranty_s, facts, first_contact=not asked_before)
        case RequestCorrected():
            if not isinstance(request, Received):
                return request
            facts = replace(
                request.facts,
                site_id=event.site_id,
                fault_class=event.fault_class,
                model_version=event.model_version,
                here=_here(event, event.work.lat_udeg, event.work.lon_udeg),
            )
            return replace(
                request,
                customer_id=event.customer_id,
                work=event.work,
                round_no=event.round_no,
                facts=facts,
                was=(*request.was, (request.customer_id, request.work.device_id)),
            )
        case RequestSupplemented() | RequestMovedAway():
            return request
        case RequestReminded():
            return replace(request, reminders=event.time_no) if isinstance(request, Incomplete) else request
        case RequestExpired():
            return Expired()
        case RequestMerged():
            return Merged(request, event.into_id) if isinstance(request, Incomplete | Received) else request
        case RequestUnmerged():
            if not isinstance(request, Merged):
                return request
            before = request.before
            return before if isinstance(before, Incomplete) else replace(before, round_no=event.round_no)
        case RequestReopened():
            last = request.before if isinstance(request, Closed) else None
            if last is None:
                return request
            return replace(last, round_no=event.round_no, first_contact=False, reopened_at=event.reopened_at)
        case RequestResolvedRemotely():
            return Closed(request if isinstance(request, Received) else None, event.resolved_at, resolved=True)
        case RequestWithdrawn():
            return Withdrawn(event.customer_id)
        case RequestCancelled():
            return Cancelled()
        case RequestClosed():
            done = request.before if isinstance(request, Closed) else _before_merger(request)
            return Closed(done if isinstance(done, Received) else None, event.completed_at, event.order_id)
        case _:
            assert_never(event)


REQUEST: Stream[Request] = Stream("request", INITIAL, evolve)
NUMBERS: Stream[int] = Stream("numbers", 0, lambda count, _: count + 1)
