"""
What the staff is told: who is concerned by which event, in which words, and what is left of it when it is sent.

An event that concerns several becomes one NoticeDue for each of them (decision 19), for those only who have said how
they are reached.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from contracts.dispatcher import AssignmentOverdue, OrderAssigned, OrderOffered, OrderReassigned, SlaBreached
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import NoticeDue
from contracts.quality import (
    ComplaintAssigned,
    ComplaintOverdue,
    CorrectionAsked,
    CorrectionDueSoon,
    CorrectionOverdue,
    GroupAlertRaised,
    QualityAlertFollowed,
    QualityAlertRaised,
)
from intake.adapters.words import Words, moment, words
from intake.commands import StaffRole, TellStaff
from intake.projections.contacts import OF_PERSON, OF_ROLE
from services.chassis.clock import micros
from services.chassis.ids import derived_id
from services.chassis.messages.kinds import Language
from services.chassis.service import Facts, Policy

Row = Mapping[str, Any]

STALE_AFTER: Final = timedelta(days=1)
"""Nobody wants yesterday's notices."""


@dataclass(frozen=True, kw_only=True)
class Telling:
    """Whom an event concerns, and what they are told."""

    template: str
    persons: tuple[str, ...] = ()
    roles: tuple[StaffRole, ...] = ()
    about: Mapping[str, str | datetime] = field(default_factory=dict)
    waits: bool = True
    latest: datetime | None = None


def tellings(event: Event) -> list[Telling]:
    """What the staff is told of an event."""
    match event:
        case AssignmentOverdue():
            return [
                Telling(template="order-overdue", roles=("dispatcher",), about={"due_at": event.due_at}, waits=False)
            ]
        case SlaBreached():
            about: dict[str, str | datetime] = {"clock": event.clock, "due_at": event.due_at}
            return [Telling(template="sla-breached", roles=("dispatcher",), about=about, waits=False)]
        case OrderOffered():
            until = event.offered_until
            about = {"offered_until": until}
            return [Telling(template="order-offered", persons=event.engineer_ids, about=about, latest=until)]
        case OrderAssigned():
            crew = tuple(dict.fromkeys([event.engineer_id, *event.crew]))
            return [_yours(event.starts_at, *crew)]
        case OrderReassigned():
            gone = Telling(
                template="order-not-yours",
                persons=(event.from_engineer_id,),
                about={"starts_at": event.starts_at},
                latest=event.starts_at,
            )
            return [_yours(event.starts_at, event.engineer_id), gone]
        case QualityAlertRaised() | GroupAlertRaised():
            newest = event.windows[-1]
            about = {"kind": event.kind, "of": event.of, "subject": event.subject, "limit": str(event.limit_percent)}
            about |= {"bad": str(newest.bad), "counted": str(newest.counted), "alert_id": event.alert_id}
            return [Telling(template="alert-raised", roles=("manager",), about=about)]
        case QualityAlertFollowed():
            about = {"subject": event.subject, "alert_id": event.alert_id}
            return [Telling(template="alert-yours", persons=(event.owner_id,), about=about)]
        case _:
            return _to_do(event)


def _to_do(event: Event) -> list[Telling]:
    """What somebody owns, and has to be done by a time."""
    match event:
        case CorrectionAsked() | CorrectionDueSoon():
            template = "correction-asked" if isinstance(event, CorrectionAsked) else "correction-due-soon"
            about: dict[str, str | datetime] = {"inspection_id": event.inspection_id, "due_at": event.due_at}
            return [Telling(template=template, persons=(event.owner_id,), about=about)]
        case CorrectionOverdue():
            about = {"inspection_id": event.inspection_id, "due_at": event.due_at, "owner": event.owner_id}
            return [Telling(template="correction-overdue", persons=(event.owner_id,), roles=("manager",), about=about)]
        case ComplaintAssigned():
            about = {"complaint_id": event.complaint_id, "due_at": event.answer_due_at}
            return [Telling(template="complaint-yours", persons=(event.owner_id,), about=about)]
        case ComplaintOverdue():
            about = {"complaint_id": event.complaint_id, "due_at": event.due_at}
            owner = (event.owner_id,) if event.owner_id else ()
            return [Telling(template="complaint-overdue", persons=owner, roles=("manager",), about=about)]
        case _:
            return []


def _yours(starts_at: datetime, *engineers: str) -> Telling:
    return Telling(template="order-yours", persons=engineers, about={"starts_at": starts_at}, latest=starts_at)


TOLD_OF: Final[tuple[type[Event], ...]] = (
    AssignmentOverdue,
    SlaBreached,
    OrderOffered,
    OrderAssigned,
    OrderReassigned,
    QualityAlertRaised,
    GroupAlertRaised,
    QualityAlertFollowed,
    CorrectionAsked,
    CorrectionDueSoon,
    CorrectionOverdue,
    ComplaintAssigned,
    ComplaintOverdue,
)


async def when_staff_is_concerned(event: Event, envelope: Envelope, facts: Facts) -> list[TellStaff]:
    """One for each whom it concerns and who has said how she is reached; for each once, whatever concerns her in it."""
    tenant = envelope.tenant
    asked: dict[str, TellStaff] = {}
    for telling in tellings(event):
        found = [row for role in telling.roles for row in await facts.fetch(OF_ROLE, tenant=tenant, role=role)]
        for person_id in telling.persons:
            found += await facts.fetch(OF_PERSON, tenant=tenant, person_id=person_id)
        about = {name: value if isinstance(value, str) else value.isoformat() for name, value in telling.about.items()}
        for row in found:
            if row["person_id"] not in asked and (row["phone"] or row["email"] or row["wechat"]):
                asked[row["person_id"]] = TellStaff(
                    notice_id=derived_id("notice", envelope.id, row["person_id"]),
                    person_id=row["person_id"],
                    template=telling.template,
                    request_id=str(getattr(event, "request_id", "")),
                    about=about,
                    waits=telling.waits,
                    latest=telling.latest,
                )
    return list(asked.values())


POLICY: Final = Policy("tell-staff", TOLD_OF, when_staff_is_concerned, stale_after=STALE_AFTER)


# When it is sent.

OVER: Final = frozenset({"withdrawn", "cancelled", "closed", "merged"})
"""States of a request in which there is nothing to be done for an order."""


def is_true(notice: NoticeDue, recorded_at: datetime, request: Row | None, now: datetime) -> bool:
    """Whether what it says still stands: nobody is woken for an order that has found somebody meanwhile."""
    if notice.template == "order-offered" and notice.latest and now > notice.latest:
        return False
    if notice.template in ("order-overdue", "sla-breached", "order-offered") and request:
        assigned_since = (request["assigned_at"] or 0) > micros(recorded_at) and notice.template != "sla-breached"
        return not assigned_since and request["state"] not in OVER
    return True


def said(about: Mapping[str, str], request: Row | None, language: Language) -> dict[str, str]:
    """The words of a notice as they stand in a text: instants by the clock on the wall, kinds by their names."""
    names = words(language)
    shown = {name: _shown(name, text, names, language) for name, text in about.items()}
    return {"number": request["number"] if request else "", **shown}


def _shown(name: str, text: str, names: Words, language: Language) -> str:
    if name.endswith(("_at", "_until")):
        return moment(datetime.fromisoformat(text), language)
    return names.kinds.get(text, text) if name in ("kind", "of", "clock") else text
