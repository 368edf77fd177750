"""What customers and staff are told. Intake knows how they are reached, so it speaks for all of the six."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, cast

from sqlalchemy import bindparam, select

from contracts.dispatcher import OrderAssigned, OrderReassigned
from contracts.envelope import Envelope
from contracts.event import Event
from contracts.intake import NoticeDue, RequestCorrected, RequestIncomplete, RequestMovedAway, RequestReminded
from contracts.quality import LINK_OUTLIVES, SURVEY_LINK, SURVEY_PAGE, ComplaintClosed, SurveySent
from intake import staff_notices
from intake.adapters.words import moment, words
from intake.commands import RecordNoticeNotSent, RecordNoticeSent, RecordNotSent, RecordSent
from intake.projections.contacts import OF_PERSON
from intake.projections.messages import MESSAGES, TEMPLATE_OF
from intake.projections.registers import CUSTOMERS
from intake.projections.requests import REQUESTS
from services.chassis.messages.kinds import Language, Medium
from services.chassis.messages.message import Address, Draft, LinkTo, Outcome
from services.chassis.service import Facts, Notices

Row = Mapping[str, Any]

ONE_REQUEST: Final = select(REQUESTS.table).where(
    REQUESTS.table.c.tenant == bindparam("tenant"), REQUESTS.table.c.request_id == bindparam("request_id")
)
ONE_CUSTOMER: Final = select(CUSTOMERS.table).where(
    CUSTOMERS.table.c.tenant == bindparam("tenant"), CUSTOMERS.table.c.customer_id == bindparam("customer_id")
)

SENT: Final = select(MESSAGES.table.c.customer_id).where(
    MESSAGES.table.c.tenant == bindparam("tenant"),
    MESSAGES.table.c.request_id == bindparam("request_id"),
    MESSAGES.table.c.state == "sent",
)

TRUE_WHILE: Final[Mapping[str, str]] = {
    "request-received": "received",
    "request-incomplete": "incomplete",
    "request-reminded": "incomplete",
    "request-expired": "expired",
    "request-cancelled": "cancelled",
    "request-corrected": "received",
    "order-assigned": "received",
    "order-reassigned": "received",
}
"""In which state of the request a message is still true: who has withdrawn is not reminded. Others are always true."""

ANSWERS: Final = frozenset({"request-received", "request-incomplete"})
"""What answers the customer's own doing of a moment ago: she is awake, and waits for it."""

IN_TIME: Final = timedelta(hours=1)
"""So long before somebody comes, at the latest, a customer is told that; also at night."""

WANTED_BY: Final[Mapping[str, Medium]] = {"email": "mail", "wechat": "wechat"}
"""The medium of a channel; who asked on any other is sent a text message."""


STAFF_BY: Final[Mapping[Medium, str]] = {"text": "phone", "wechat": "wechat", "mail": "email"}
"""How the staff is reached: by the first of these that somebody has given, and that there is a provider for."""


async def compose(event: Event, envelope: Envelope, facts: Facts) -> Draft:
    if isinstance(event, NoticeDue):
        return await _to_staff(event, envelope, facts)
    return await _to_customer(event, envelope, facts)


async def _to_staff(event: NoticeDue, envelope: Envelope, facts: Facts) -> Draft:
    request = await _request(event, envelope, facts)
    found = await facts.fetch(OF_PERSON, tenant=envelope.tenant, person_id=event.person_id)
    contact: Row = found[0] if found else {"language": "zh", "quiet_hours": ""}
    text = words(contact["language"]).notices[event.template]
    return Draft(
        template=event.template,
        language=contact["language"],
        person_id=event.person_id,
        notice_id=event.notice_id,
        addresses=tuple([Address(medium, contact[name]) for medium, name in STAFF_BY.items() if contact.get(name)]),
        subject=text.subject,
        body=text.body,
        words=staff_notices.said(event.about, request, contact["language"]),
        quiet_hours=contact["quiet_hours"],
        waits=event.waits,
        latest=event.latest,
        wanted=staff_notices.is_true(event, envelope.recorded_at, request, facts.now()),
    )


async def _to_customer(event: Event, envelope: Envelope, facts: Facts) -> Draft:
    template = TEMPLATE_OF[type(event)]
    request = await _request(event, envelope, facts)
    # What was said of a request that is another's by now is told to whom it was said to be.
    gone = isinstance(event, RequestMovedAway)
    customer_id = str(getattr(event, "customer_id", "")) if gone or not request else request["customer_id"]
    found = await facts.fetch(ONE_CUSTOMER, tenant=envelope.tenant, customer_id=customer_id)
    customer = found[0] if found else None
    language: Language = customer["language"] if customer else "zh"
    text = words(language).templates[template]
    return Draft(
        template=template,
        language=language,
        person_id=customer_id,
        addresses=_addresses(request, customer),
        subject=text.subject,
        body=text.body,
        words={"number": request["number"] if request else "", **_words(event, request, language)},
        link=_link(event),
        quiet_hours=customer["quiet_hours"] if customer else "",
        waits=template not in ANSWERS,
        latest=_latest(event),
        wanted=await _was_told(event, envelope, facts) if gone else _is_true(template, request),
    )


def _is_true(template: str, request: Row | None) -> bool:
    return not request or template not in TRUE_WHILE or request["state"] == TRUE_WHILE[template]


async def _was_told(event: Event, envelope: Envelope, facts: Facts) -> bool:
    """Whoever was told nothing of a request does not wonder what became of it; unless it has come back to her."""
    told = await facts.fetch(SENT, tenant=envelope.tenant, request_id=getattr(event, "request_id", ""))
    request = await _request(event, envelope, facts)
    customer_id = getattr(event, "customer_id", "")
    is_hers = request is not None and request["customer_id"] == customer_id
    return not is_hers and any(row["customer_id"] == customer_id for row in told)


async def _request(event: Event, envelope: Envelope, facts: Facts) -> Row | None:
    request_id = str(getattr(event, "request_id", ""))
    if not request_id:
        return None
    found = await facts.fetch(ONE_REQUEST, tenant=envelope.tenant, request_id=request_id)
    return found[0] if found and found[0]["number"] else None


def _addresses(request: Row | None, customer: Row | None) -> tuple[Address, ...]:
    """On the medium of the channel first; until somebody says who asks, only the phone that she left."""
    known = {"text": customer["phone"], "mail": customer["email"], "wechat": customer["wechat"]} if customer else {}
    if not known and request:
        known = {"text": request["contact_phone"]}
    wanted = WANTED_BY.get(request["channel"] if request else "", "text")
    return tuple(
        [
            Address(cast("Medium", medium), known[medium])
            for medium in sorted(known, key=lambda medium: medium != wanted)
            if known[medium]
        ]
    )


def _words(event: Event, request: Row | None, language: Language) -> dict[str, str]:
    match event:
        case RequestIncomplete() | RequestReminded() if request:
            return {"missing": _missing(request, language)}
        case OrderAssigned() | OrderReassigned():
            return {"starts": moment(event.starts_at, language)}
        case RequestCorrected():
            return {"changed": _named(event.fields, language)}
        case SurveySent():
            return {"until": moment(event.expires_at, language)}
        case ComplaintClosed():
            return {"answer": event.answer}
        case _:
            return {}


def _latest(event: Event) -> datetime | None:
    return event.starts_at - IN_TIME if isinstance(event, OrderAssigned | OrderReassigned) else None


def _missing(request: Row, language: Language) -> str:
    """One line for each, by what people call the field; what a form asks names itself."""
    names = words(language).fields
    between = "：" if language == "zh" else ": "
    lines = []
    for line in (request["missing_zh" if language == "zh" else "missing"] or request["missing"]).split("\n"):
        field, _, what = line.partition(": ")
        lines.append(f"- {names[field]}{between}{what}" if field in names else f"- {what}")
    return "\n".join(lines)


def _named(fields: Sequence[str], language: Language) -> str:
    """By what people call the fields."""
    names = words(language).fields
    return ("、" if language == "zh" else ", ").join([names[field] for field in fields])


def _link(event: Event) -> LinkTo | None:
    if not isinstance(event, SurveySent):
        return None
    ends_at = event.expires_at + timedelta(days=LINK_OUTLIVES)
    return LinkTo(SURVEY_PAGE, SURVEY_LINK, event.survey_id, ends_at)


def record(draft: Draft, outcome: Outcome) -> RecordSent | RecordNotSent | RecordNoticeSent | RecordNoticeNotSent:
    return _noticed(draft, outcome) if draft.notice_id else _told(draft, outcome)


def _noticed(draft: Draft, outcome: Outcome) -> RecordNoticeSent | RecordNoticeNotSent:
    known: dict[str, Any] = {
        "notice_id": draft.notice_id,
        "person_id": draft.person_id,
        "message_id": outcome.message_id,
        "medium": outcome.medium,
        "attempts": outcome.attempts,
    }
    if outcome.why_not:
        return RecordNoticeNotSent(reason=outcome.why_not, detail=outcome.detail, **known)
    return RecordNoticeSent(recipient=outcome.recipient, provider_ref=outcome.provider_ref, **known)


def _told(draft: Draft, outcome: Outcome) -> RecordSent | RecordNotSent:
    known: dict[str, Any] = {
        "customer_id": draft.person_id,
        "template": draft.template,
        "language": draft.language,
        "message_id": outcome.message_id,
        "medium": outcome.medium,
        "recipient": outcome.recipient,
        "attempts": outcome.attempts,
    }
    if outcome.why_not:
        return RecordNotSent(reason=outcome.why_not, detail=outcome.detail, **known)
    return RecordSent(provider_ref=outcome.provider_ref, **known)


NOTICES = Notices(when=(*TEMPLATE_OF, NoticeDue), compose=compose, record=record)
