"""A request: taken, checked, followed to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final, assert_never

from contracts.event import Event
from contracts.intake import (
    DAY_S,
    Impact,
    NumberGiven,
    RequestCancelled,
    RequestClosed,
    RequestExpired,
    RequestIncomplete,
    RequestMerged,
    RequestReceived,
    RequestReminded,
    RequestReopened,
    RequestResolvedRemotely,
    RequestSupplemented,
    RequestTypeDefined,
    RequestUnmerged,
    RequestWithdrawn,
    Urgency,
    Work,
)
from contracts.problems import Rejected
from intake.commands import (
    CancelRequest,
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
from intake.domain.address import parse
from intake.domain.form import Lack, is_phone, lacks, serial_lack
from intake.domain.register import (
    Customer,
    Device,
    Site,
    customer_stream,
    device_stream,
    site_stream,
    type_stream,
    version_of,
)
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
    reminders: int = 0


@dataclass(frozen=True)
class Received:
    """It is being worked on."""

    customer_id: str
    work: Work
    warranty_s: int
    round_no: int = 1
    """Which of its orders is worked on."""
    first_contact: bool = True
    """The customer was asked for nothing in between, and has not come back."""


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


Request = Absent | Incomplete | Received | Merged | Expired | Withdrawn | Cancelled | Closed
RequestEvent = (
    RequestReceived
    | RequestIncomplete
    | RequestReminded
    | RequestExpired
    | RequestSupplemented
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


@dataclass(frozen=True)
class _Given:
    """What a customer has told us so far."""

    request_id: str
    number: str
    request_type: str
    customer_id: str
    device_id: str
    urgency: Urgency
    impact: Impact
    description: str
    answers: Mapping[str, Any]
    serial: str
    contact_phone: str
    address: str
    site_id: str
    message_id: str = ""
    type_version: int = 0
    """The version of its type that it keeps; 0 takes the newest."""


def submit_reads(command: SubmitRequest) -> tuple[str, ...]:
    return (
        request_stream(command.request_id),
        numbers_stream(command.day),
        type_stream(command.request_type),
        customer_stream(command.customer_id),
        device_stream(command.device_id),
        site_stream(command.site_id),
    )


def submit(states: States, command: SubmitRequest) -> list[Event]:
    if not isinstance(states[request_stream(command.request_id)], Absent):
        raise Rejected("request.already-submitted", request_id=command.request_id)
    count: int = states[numbers_stream(command.day)] + 1
    number = f"R-{command.day[2:].replace('-', '')}-{count:04d}"
    facts = {name: value for name, value in command if name != "day"}
    return [NumberGiven(day=command.day, request_id=command.request_id), _check(states, _Given(number=number, **facts))]


def supplement_reads(command: SupplementRequest) -> tuple[str, ...]:
    return (
        request_stream(command.request_id),
        *{type_stream(command.request_type), type_stream(command.known_request_type)},
        *{customer_stream(command.customer_id), customer_stream(command.known_customer_id)},
        *{device_stream(command.device_id), device_stream(command.known_device_id)},
        *{site_stream(command.site_id), site_stream(command.known_site_id)},
    )


def supplement(states: States, command: SupplementRequest) -> list[Event]:
    match states[request_stream(command.request_id)]:
        case Incomplete() as known:
            before = {
                "request_type": known.request_type,
                "customer_id": known.customer_id,
                "device_id": known.device_id,
                "site_id": known.site_id,
                "description": command.known_description,
                "serial": "",
                "contact_phone": command.known_contact_phone,
                "address": command.known_address,
            }
            changed = [name for name in before if getattr(command, name) not in ("", before[name])]
            answers = {**command.known_answers, **command.answers}
            changed += ["answers"] if answers != dict(command.known_answers) else []
            if not changed:
                return []
            given = _Given(
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
                type_version=0 if "request_type" in changed else known.type_version,
            )
            told = RequestSupplemented(
                request_id=command.request_id, customer_id=given.customer_id, fields=tuple(changed)
            )
            return [told, _check(states, given)]
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case Expired():
            raise Rejected("request.expired", request_id=command.request_id)
        case _:
            raise Rejected("request.not-incomplete", request_id=command.request_id)


def answers_text(answers: Mapping[str, Any]) -> str:
    """The answers as their events have them: the same answers are the same text."""
    return json.dumps(dict(answers), ensure_ascii=False, sort_keys=True, separators=(",", ":")) if answers else ""


def _check(states: States, given: _Given) -> RequestReceived | RequestIncomplete:
    """Complete and valid, or what is missing."""
    missing: list[Lack] = []
    kind = version_of(states.get(type_stream(given.request_type), ()), given.type_version)
    customer: Customer | None = states.get(customer_stream(given.customer_id))
    device: Device | None = states.get(device_stream(given.device_id))
    if kind is None:
        missing.append(
            Lack("request_type", f"there is no type {given.request_type!r}", f"没有请求类型 {given.request_type!r}")
        )
    if customer is None:
        missing.append(
            Lack(
                "customer_id",
                f"no customer {given.customer_id!r} is registered",
                f"客户 {given.customer_id!r} 未登记",
            )
        )
    missing += _lacks_of_device(kind, device, given)
    if given.contact_phone and not is_phone(given.contact_phone):
        missing.append(Lack("contact_phone", "this is no phone number that exists", "电话号码无效"))
    site: Site | None = states.get(site_stream(given.site_id))
    if given.site_id and (site is None or site.customer_id != given.customer_id):
        words = f"no site {given.site_id!r} of this customer is registered", f"该客户没有地点 {given.site_id!r}"
        missing.append(Lack("site_id", *words))
    place = site or customer
    division, lack = _where(given.address, place)
    missing += [lack] if lack else []
    if kind and len(given.description.strip()) < kind.min_description:
        least = kind.min_description
        missing.append(Lack("description", f"at least {least} characters", f"描述至少 {least} 个字符"))
    if kind:
        missing += lacks(kind.form, given.answers)
    if missing or kind is None or place is None:
        return RequestIncomplete(
            request_id=given.request_id,
            number=given.number,
            request_type=given.request_type,
            customer_id=given.customer_id,
            missing=tuple([_line(lack.field, lack.en) for lack in missing]),
            missing_zh=tuple([_line(lack.field, lack.zh) for lack in missing]),
            device_id=given.device_id,
            urgency=given.urgency,
            impact=given.impact,
            description=given.description,
            type_version=kind.type_version if kind else 0,
            answers=answers_text(given.answers),
            serial=given.serial,
            contact_phone=given.contact_phone,
            address=given.address,
            site_id=given.site_id,
            message_id=given.message_id,
            remind_after_s=kind.remind_after_s if kind else DAY_S,
            expire_after_s=kind.expire_after_s if kind else 7 * DAY_S,
        )
    urgency = urgency_of(kind, given.urgency, given.impact)
    return RequestReceived(
        request_id=given.request_id,
        number=given.number,
        request_type=given.request_type,
        type_version=kind.type_version,
        customer_id=given.customer_id,
        device_id=given.device_id,
        device_model=device.model if device else "",
        skill=device.skill if device else kind.skill,
        urgency=urgency,
        stated_urgency=given.urgency if given.urgency != urgency else "",
        impact=given.impact,
        duration_s=kind.duration_s,
        region=place.region,
        lat_udeg=place.lat_udeg,
        lon_udeg=place.lon_udeg,
        description=given.description,
        kind=kind.kind,
        needs_visit=kind.needs_visit,
        sla=kind.sla,
        usual_parts=kind.usual_parts,
        answers=answers_text(given.answers),
        contact_phone=given.contact_phone,
        address=given.address,
        site_id=given.site_id,
        division=division,
        warranty_s=kind.warranty_s,
        message_id=given.message_id,
    )


def _where(address: str, place: Customer | Site | None) -> tuple[str, Lack | None]:
    """The code of the division in which an address lies, or what must be asked of it."""
    if not address:
        return "", None
    found = parse(address)
    if len(found.divisions) > 1:
        names = ", ".join([one.full_name for one in found.divisions])
        words = f"there is one in each of {names}: say which", f"以下地区均有此名称：{names}，请写明省市"
        return "", Lack("address", *words)
    if not found.divisions:
        within = f" of {found.within}" if found.within else ", with its city"
        zh = f"请写明{found.within}的哪个区县" if found.within else "请写明省、市、区县"
        return "", Lack("address", f"in which district{within} is it", zh)
    [division] = found.divisions
    if not found.rest:
        return "", Lack(
            "address", f"street and number in {division.full_name}", f"请写明{division.full_name}的街道门牌"
        )
    known = {one.code for one in parse(place.region).divisions} if place else set()
    if place and known and division.code not in known:
        words = (
            f"it lies in {division.full_name}, and the customer's place in {place.region}: correct one of them",
            f"地址位于{division.full_name}，而客户登记地区为{place.region}，请更正其一",
        )
        return "", Lack("address", *words)
    return division.code, None


def _line(field: str, words: str) -> str:
    """One line, whatever a label or an answer has in it."""
    return f"{field}: {' '.join(words.split())}"


def _lacks_of_device(kind: RequestTypeDefined | None, device: Device | None, given: _Given) -> list[Lack]:
    named = given.device_id
    if kind is None:
        return []
    if given.serial and (lack := serial_lack(given.serial, kind.serial_pattern, kind.serial_check)):
        return [lack]
    if given.serial and (device is None or device.serial != given.serial):
        words = f"no device has the serial number {given.serial!r}", f"没有序列号为 {given.serial!r} 的设备"
        return [Lack("serial", *words)]
    if not named:
        return [Lack("device_id", "which device it is about", "请说明是哪台设备")] if kind.needs_device else []
    if device is None:
        return [Lack("device_id", f"no device {named!r} is registered", f"设备 {named!r} 未登记")]
    if device.customer_id != given.customer_id:
        words = (f"device {named!r} is not registered for this customer", f"设备 {named!r} 未登记在该客户名下")
        return [Lack("device_id", *words)]
    return []


def urgency_of(kind: RequestTypeDefined, stated: Urgency, impact: Impact) -> Urgency:
    """What the type's matrix makes of the customer's urgency and the impact."""
    cells = {(rule.urgency, rule.impact): rule.becomes for rule in kind.urgency_matrix}
    return cells.get((stated, impact), stated)


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


def message_of(event: RequestReceived | RequestIncomplete) -> list[Claim]:
    """A channel's message makes one request, however often the channel brings it."""
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
    request_id, at = command.request_id, command.completed_at
    match request:
        case Received() | Incomplete() | Cancelled() | Expired() | Merged():
            return [RequestClosed(request_id=request_id, outcome="completed", completed_at=at)]
        case Withdrawn():
            return [RequestClosed(request_id=request_id, outcome="completed_after_withdrawal", completed_at=at)]
        case Closed():
            return []
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case _:
            assert_never(request)


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
                request.reminders if isinstance(request, Incomplete) else 0,
            )
        case RequestReceived():
            asked_before = isinstance(request, Incomplete)
            return Received(event.customer_id, work_of(event), event.warranty_s, first_contact=not asked_before)
        case RequestSupplemented():
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
            return replace(last, round_no=event.round_no, first_contact=False) if last else request
        case RequestResolvedRemotely():
            return Closed(request if isinstance(request, Received) else None, event.resolved_at)
        case RequestWithdrawn():
            return Withdrawn(event.customer_id)
        case RequestCancelled():
            return Cancelled()
        case RequestClosed():
            open_one = request.before if isinstance(request, Merged) else request
            return Closed(open_one if isinstance(open_one, Received) else None, event.completed_at)
        case _:
            assert_never(event)


REQUEST: Stream[Request] = Stream("request", INITIAL, evolve)
NUMBERS: Stream[int] = Stream("numbers", 0, lambda count, _: count + 1)
