"""Every survey with its answer, and the sums of them."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Final, Literal

from sqlalchemy import ColumnElement, Select, case, func, select

from contracts.envelope import Envelope
from contracts.quality import FeedbackReceived, SurveySent, SurveySkipped
from quality.projections.asked_for import ASKED_FOR
from quality.projections.served import BAD, SERVED
from services.chassis.clock import micros
from services.chassis.views import Rows, View


def apply(rows: Rows, event: SurveySent | SurveySkipped | FeedbackReceived, envelope: Envelope) -> None:
    match event:
        case SurveySent():
            rows.put(
                event.survey_id,
                version=envelope.version,
                request_id=event.request_id,
                order_id=event.order_id,
                visit_id=event.visit_id,
                engineer_id=event.engineer_id,
                customer_id=event.customer_id,
                sent_at=micros(envelope.time),
                expires_at=micros(event.expires_at),
            )
        case SurveySkipped():
            rows.put(
                event.survey_id,
                version=envelope.version,
                request_id=event.request_id,
                order_id=event.order_id,
                visit_id=event.visit_id,
                engineer_id=event.engineer_id,
                customer_id=event.customer_id,
                sent_at=micros(envelope.time),
                skipped=event.reason,
            )
        case FeedbackReceived():
            rows.put(
                event.survey_id,
                version=envelope.version,
                attitude=event.attitude,
                outcome=event.outcome,
                punctuality=event.punctuality,
                recommends=event.recommends,
                comment=event.comment,
                answered_at=micros(envelope.time),
            )


SURVEYS = View(
    name="surveys",
    version=2,
    key={"survey_id": str},
    columns={
        "version": 0,
        "request_id": "",
        "order_id": "",
        "visit_id": "",
        "engineer_id": "",
        "customer_id": "",
        "sent_at": 0,
        "skipped": "",
        "expires_at": 0,
        "answered_at": (int, None),
        "attitude": (int, None),
        "outcome": (int, None),
        "punctuality": (int, None),
        "recommends": (int, None),
        "comment": "",
    },
    reads=(SurveySent, SurveySkipped, FeedbackReceived),
    apply=apply,
    indexes=(("customer_id",), ("request_id",), ("sent_at",)),
)


By = Literal["all", "engineer", "region", "device_model"]
"""Whose answers are added up together."""

PROMOTES: Final = 9
DETRACTS: Final = 6
"""
The Net Promoter Score: of those who said how likely they are to recommend the service, the percentage of 9 and 10
less the percentage of 0 to 6 (Reichheld, "The One Number You Need to Grow", HBR 12/2003).
"""

_SAID: Final = ("attitude", "outcome", "punctuality")


def results(by: By, begin: int, end: int) -> Select[Any]:
    """The sums over the surveys of completed visits from `begin` until before `end` (microseconds UTC), by `of`."""
    t = SURVEYS.table.c
    groups: dict[str, ColumnElement[Any]] = {
        "engineer": t.engineer_id,
        "region": func.coalesce(ASKED_FOR.table.c.region, ""),
        "device_model": func.coalesce(SERVED.table.c.device_model, ""),
    }
    sent, answered = t.skipped == "", t.answered_at.is_not(None)
    sums: dict[str, ColumnElement[Any]] = {
        "skipped": _count(t.skipped != ""),
        "sent": _count(sent),
        "answered": _count(answered),
        "bad": _count(answered & ((t.attitude <= BAD) | (t.outcome <= BAD) | (t.punctuality <= BAD))),
        "recommends_said": func.count(t.recommends),
        "promoters": _count(t.recommends >= PROMOTES),
        "detractors": _count(t.recommends <= DETRACTS),
    }
    sums |= {name: func.coalesce(func.sum(t[name]), 0) for name in _SAID}
    columns = [column.label(name) for name, column in sums.items()]
    asked = SURVEYS.table
    if by == "all":
        query = select(*columns).select_from(asked)
    else:
        of = groups[by]
        joined = asked.outerjoin(SERVED.table, SERVED.table.c.visit_id == t.visit_id).outerjoin(
            ASKED_FOR.table, ASKED_FOR.table.c.request_id == t.request_id
        )
        query = select(of.label("of"), *columns).select_from(joined).group_by(of).order_by(of)
    return query.where(t.sent_at >= begin, t.sent_at < end)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))


def figures(row: Mapping[str, Any]) -> dict[str, Any]:
    """What is shown of a row of `results`; of nothing, none rather than a zero that nobody measured."""
    counts = {name: int(row[name]) for name in ("skipped", "sent", "answered", "bad", "recommends_said")}
    said = counts["recommends_said"]
    return {
        "of": row.get("of", ""),
        **counts,
        "answered_share": _rounded(counts["answered"], counts["sent"], 5),
        "bad_share": _rounded(counts["bad"], counts["answered"], 5),
        **{f"{name}_mean": _rounded(int(row[name]), counts["answered"], 3) for name in _SAID},
        "net_promoter_score": _rounded(100 * (int(row["promoters"]) - int(row["detractors"])), said, 1),
    }


def _rounded(part: int, whole: int, digits: int) -> float | None:
    return float(round(Fraction(part, whole), digits)) if whole else None
