"""
A request that was complete, but of a wrong customer, device or place, is put right.

What must be asked is judged as when it was submitted. The order that was opened upon the wrong facts is withdrawn, and
one of the next round is opened. So it is refused once an engineer is under way, and when the request has ended.
"""

from __future__ import annotations

from contracts.event import Event
from contracts.intake import RequestCorrected, RequestIncomplete, RequestMovedAway
from contracts.problems import Rejected
from intake.commands import CorrectRequest
from intake.domain.checks import Given, answers_text, check
from intake.domain.form import fault_said
from intake.domain.register import type_stream, version_of
from intake.domain.request import Absent, Closed, Incomplete, Received, Request, request_stream, work_of
from services.chassis.journal.rules import States


def correct(states: States, command: CorrectRequest) -> list[Event]:
    request: Request = states[request_stream(command.request_id)]
    match request:
        case Received() as known:
            return _corrected(states, command, known)
        case Absent():
            raise Rejected("request.unknown", request_id=command.request_id)
        case Incomplete():
            raise Rejected("request.not-complete", request_id=command.request_id)
        case Closed():
            raise Rejected("request.closed", request_id=command.request_id)
        case _:
            raise Rejected("request.not-open", request_id=command.request_id)


def _corrected(states: States, command: CorrectRequest, known: Received) -> list[Event]:
    facts = known.facts
    before = {"customer_id": known.customer_id, "device_id": known.work.device_id, "site_id": facts.site_id}
    before |= {"fault": facts.fault_class, "contact_phone": command.known_contact_phone}
    before |= {"address": command.known_address}
    changed = [name for name in before if getattr(command, name) not in ("", before[name])]
    changed += ["here"] if command.here not in (None, facts.here) else []
    if not changed:
        return []
    if command.under_way:
        raise Rejected("request.correction-too-late", request_id=command.request_id)
    kind = version_of(states[type_stream(known.work.request_type)], facts.type_version)
    said = fault_said(kind.form, command.known_answers) if kind else ""
    moved = "customer_id" in changed or "device_id" in changed
    elsewhere = moved or "site_id" in changed or "address" in changed
    found = check(
        states,
        Given(
            request_id=command.request_id,
            number=facts.number,
            request_type=known.work.request_type,
            customer_id=command.customer_id or known.customer_id,
            device_id=command.device_id or known.work.device_id,
            urgency=facts.stated_urgency,
            impact=facts.impact,
            description=command.known_description,
            answers=command.known_answers,
            serial="",
            contact_phone=command.contact_phone or command.known_contact_phone,
            address=command.address or command.known_address,
            site_id=command.site_id or ("" if moved else facts.site_id),
            # What the form says of the fault is read from there again.
            fault=command.fault or ("" if facts.fault_class == said else facts.fault_class),
            wished_engineer_id=known.work.wished_engineer_id,
            device_model=command.device_model,
            device_site_id=command.device_site_id,
            spots=command.spots,
            here=command.here or (None if elsewhere else facts.here),
            type_version=facts.type_version,
            model_version=0 if "device_id" in changed else facts.model_version,
        ),
    )
    if isinstance(found, RequestIncomplete):
        fields = [line.partition(":")[0] for line in found.missing]
        raise Rejected(
            "request.correction-unfit", field=fields[0], missing=list(found.missing), missing_zh=list(found.missing_zh)
        )
    corrected = RequestCorrected(
        request_id=command.request_id,
        from_customer_id=known.customer_id,
        customer_id=found.customer_id,
        fields=tuple(changed),
        reason=command.reason,
        round_no=known.round_no + 1,
        received_at=command.received_at,
        work=work_of(found),
        site_id=found.site_id,
        division=found.division,
        located=found.located,
        placed_by=found.placed_by,
        fault_class=found.fault_class,
        model_version=found.model_version,
        description=found.description,
        answers=answers_text(command.known_answers),
        contact_phone=found.contact_phone,
        address=found.address,
    )
    if "customer_id" not in changed:
        return [corrected]
    return [corrected, RequestMovedAway(request_id=command.request_id, customer_id=known.customer_id)]
