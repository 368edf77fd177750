"""
Every visit: who is to do the work, and of one that is completed, on what and how it was rated.

What fieldwork says and what quality says of a visit stand in columns of their own, so either may come first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final, Literal, assert_never

from sqlalchemy import ColumnElement, FromClause, Select, and_, case, exists, func, or_, select

from contracts.envelope import Envelope
from contracts.event import Event
from contracts.fieldwork import ServiceCompleted, VisitPlanned, WorkFinished
from contracts.quality import AlertKind, AlertRulesSet, FeedbackReceived
from quality.commands import Counted, Watched
from quality.domain.weeks import begin_us
from quality.projections.asked_for import ASKED_FOR
from quality.projections.device_suppliers import DEVICE_SUPPLIERS
from quality.projections.engineer_groups import ENGINEER_GROUPS
from services.chassis.clock import micros
from services.chassis.views import Rows, View

DAY_US: Final = 86_400_000_000

BAD: Final = 2
"""So many stars or fewer, of five, are a bad rating."""


def apply(rows: Rows, event: Event, envelope: Envelope) -> None:
    match event:
        case VisitPlanned():
            rows.put(
                event.visit_id, request_id=event.request_id, order_id=event.order_id, engineer_id=event.engineer_id
            )
        case WorkFinished():
            rows.put(event.visit_id, request_id=event.request_id, cause=event.cause)
        case ServiceCompleted():
            rows.put(
                event.visit_id,
                request_id=event.request_id,
                order_id=event.order_id,
                engineer_id=event.engineer_id,
                customer_id=event.customer_id,
                device_id=event.device_id,
                device_model=event.device_model,
                stars=event.rating,
                completed_at=micros(envelope.time),
            )
        case FeedbackReceived(visit_id=visit_id) if visit_id:
            worst = min(event.attitude, event.outcome, event.punctuality)
            rows.put(visit_id, request_id=event.request_id, worst_answer=worst)


SERVED = View(
    name="served",
    version=1,
    key={"visit_id": str},
    columns={
        "request_id": "",
        "order_id": "",
        "engineer_id": "",
        "customer_id": "",
        "device_id": "",
        "device_model": "",
        "cause": "",
        "completed_at": (int, None),
        "stars": (int, None),
        "worst_answer": (int, None),
    },
    reads=(VisitPlanned, WorkFinished, ServiceCompleted, FeedbackReceived),
    apply=apply,
    indexes=(("completed_at",), ("device_id", "completed_at"), ("request_id",)),
)


def counted(kind: AlertKind, of: Watched, tenant: str, week: tuple[date, date], rules: AlertRulesSet) -> Select[Any]:
    """
    `subject`, `counted` and `bad` of the visits completed in these weeks: their first day, and the day after the last.

    A visit counts for bad ratings when it was rated, and is bad when the stars at acceptance or any answer of its
    survey are two or fewer. It counts for repeats when it was to a device, and is bad when within `repeat_days`
    another visit to that device was completed for the same fault: the same type of request, or the same cause.
    """
    visit, asked = SERVED.table.alias("visit"), ASKED_FOR.table.alias("asked")
    subject = _subject(of, visit, asked)
    if kind == "bad-rating":
        counts = or_(visit.c.stars.is_not(None), visit.c.worst_answer.is_not(None))
        bad: ColumnElement[bool] = or_(visit.c.stars <= BAD, visit.c.worst_answer <= BAD)
    else:
        counts, bad = visit.c.device_id != "", _came_again(visit, asked, rules.repeat_days * DAY_US)
    joined = visit.outerjoin(asked, and_(asked.c.tenant == visit.c.tenant, asked.c.request_id == visit.c.request_id))
    of_these = (
        select(subject.label("subject"), case((bad, 1)).label("bad"))
        .select_from(joined)
        .where(
            visit.c.tenant == tenant,
            visit.c.completed_at >= begin_us(week[0]),
            visit.c.completed_at < begin_us(week[1]),
            counts,
        )
        .subquery()
    )
    return (
        select(of_these.c.subject, func.count().label("counted"), func.count(of_these.c.bad).label("bad"))
        .where(of_these.c.subject.is_not(None), of_these.c.subject != "")
        .group_by(of_these.c.subject)
        .order_by(of_these.c.subject)
    )


def _subject(of: Watched, visit: FromClause, asked: FromClause) -> ColumnElement[str]:
    match of:
        case "engineer":
            return visit.c.engineer_id
        case "region":
            return asked.c.region
        case "device_model":
            return visit.c.device_model
        case "device_supplier":
            return _device_supplier(visit)
        case "team" | "supplier":
            return _group(of, visit)
        case _:
            assert_never(of)


def _group(of: Literal["team", "supplier"], visit: FromClause) -> ColumnElement[str]:
    """The group of that kind that the engineer was of when the visit was completed."""
    known = ENGINEER_GROUPS.table.alias("known")
    return (
        select(known.c[of])
        .where(
            known.c.tenant == visit.c.tenant,
            known.c.engineer_id == visit.c.engineer_id,
            known.c.since <= visit.c.completed_at,
        )
        .order_by(known.c.since.desc())
        .limit(1)
        .correlate(visit)
        .scalar_subquery()
    )


def _device_supplier(visit: FromClause) -> ColumnElement[str]:
    known = DEVICE_SUPPLIERS.table.alias("known")
    return (
        select(known.c.device_supplier)
        .where(known.c.tenant == visit.c.tenant, known.c.device_id == visit.c.device_id)
        .correlate(visit)
        .scalar_subquery()
    )


def _came_again(visit: FromClause, asked: FromClause, repeat_us: int) -> ColumnElement[bool]:
    later, asked_later = SERVED.table.alias("later"), ASKED_FOR.table.alias("asked_later")
    same_cause = and_(later.c.cause == visit.c.cause, visit.c.cause != "")
    joined = later.outerjoin(
        asked_later, and_(asked_later.c.tenant == later.c.tenant, asked_later.c.request_id == later.c.request_id)
    )
    return exists(
        select(later.c.visit_id)
        .select_from(joined)
        .where(
            later.c.tenant == visit.c.tenant,
            later.c.device_id == visit.c.device_id,
            later.c.completed_at > visit.c.completed_at,
            later.c.completed_at <= visit.c.completed_at + repeat_us,
            or_(asked_later.c.request_type == asked.c.request_type, same_cause),
        )
        .correlate(visit, asked)
    )


def all_counted(week: tuple[date, date], rows: Iterable[Mapping[str, Any]]) -> Counted:
    """What `counted` found of all subjects in these weeks together."""
    rows = list(rows)
    bad = sum(row["bad"] for row in rows)
    return Counted(begins_on=week[0], ends_on=week[1], counted=sum(row["counted"] for row in rows), bad=bad)


def by_subject(rows: Iterable[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    return {row["subject"]: row for row in rows}


def counts_of(subject: str, week: tuple[date, date], rows: Mapping[str, Mapping[str, Any]]) -> Counted:
    """What `counted` found of a subject in these weeks; of one that it did not find, nothing was counted."""
    row = rows.get(subject, {})
    return Counted(begins_on=week[0], ends_on=week[1], counted=row.get("counted", 0), bad=row.get("bad", 0))
