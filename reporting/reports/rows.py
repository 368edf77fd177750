"""
The rows that figures are summed over, and what each kind of them is grouped by.

A request, and what belongs to it, is the engineer's who did the work, or else who has it; a visit is its engineer's.
"""

from __future__ import annotations

from typing import Any, Final

from sqlalchemy import Column, ColumnElement, case
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from reporting.projections.complaint_story import COMPLAINT_STORY
from reporting.projections.engineer_hours import ENGINEERS, VISITS
from reporting.projections.order_costs import ORDER_COSTS
from reporting.projections.order_story import ORDER_STORY
from reporting.projections.request_story import REQUEST_STORY
from reporting.projections.staff_answers import STAFF_ANSWERS
from reporting.report import Group, Join, Rows

r, o, v = REQUEST_STORY.table.c, ORDER_STORY.table.c, VISITS.table.c
e, c, s = ENGINEERS.table.c, COMPLAINT_STORY.table.c, STAFF_ANSWERS.table.c
k = ORDER_COSTS.table.c


def _responsible(served_by: ColumnElement[str], engineer_id: ColumnElement[str]) -> ColumnElement[str]:
    return case((served_by != "", served_by), else_=engineer_id)


def _of_request(*joins: Join) -> dict[str, Group]:
    return {
        "region": Group(r.region, joins),
        "engineer": Group(_responsible(r.served_by, r.assigned_to), joins),
        "model": Group(r.device_model, joins),
        "type": Group(r.request_type, joins),
        "channel": Group(r.channel, joins),
    }


def _request_of(column: ColumnElement[str], tenant: ColumnElement[str]) -> Join:
    return Join(REQUEST_STORY.table, (r.tenant == tenant) & (r.request_id == column))


def _of_order(row: ReadOnlyColumnCollection[str, Column[Any]]) -> dict[str, Group]:
    return {
        "region": Group(row.region),
        "engineer": Group(_responsible(row.served_by, row.engineer_id)),
        "model": Group(row.device_model),
        "type": Group(row.request_type),
        "channel": Group(row.channel),
    }


ENGINEER_OF_VISIT: Final = Join(ENGINEERS.table, (e.tenant == v.tenant) & (e.engineer_id == v.engineer_id))

_OF_VISIT: Final = {
    # Where her hours are counted, those of a visit are counted too.
    "region": Group(e.region, (ENGINEER_OF_VISIT,)),
    "engineer": Group(v.engineer_id),
    "model": Group(v.device_model),
    "type": Group(v.request_type),
    "channel": Group(v.channel),
}

RECEIVED: Final = Rows("request", r.request_id, r.received_at, _of_request(), request=r.request_id)
"""Requests, by receipt."""

SERVED: Final = Rows("request", r.request_id, r.completed_at, _of_request(), request=r.request_id)
"""Requests, by their first acceptance."""

OPENED: Final = Rows("order", o.order_id, o.opened_at, _of_order(o), request=o.request_id)
"""Orders, by opening."""

DONE: Final = Rows("order", k.order_id, k.done_at, _of_order(k), request=k.request_id)
"""Orders with what they cost and earned, by the first acceptance."""

ARRIVALS: Final = Rows("visit", v.visit_id, v.arrived_at, _OF_VISIT, (ENGINEER_OF_VISIT,), request=v.request_id)
"""Visits, by arrival."""

TRIPS: Final = Rows("visit", v.visit_id, v.departed_at, _OF_VISIT, request=v.request_id)
"""Visits, by departure."""

COMPLAINTS: Final = Rows(
    "complaint",
    c.complaint_id,
    c.raised_at,
    _of_request(_request_of(c.request_id, c.tenant)) | {"channel": Group(c.channel)},
    request=c.request_id,
)
"""Complaints, by when they were raised; what they are grouped by is the request's that they are about."""

REGISTERED: Final = Rows(
    "engineer", e.engineer_id, e.since, {"region": Group(e.region), "engineer": Group(e.engineer_id)}, lasts=True
)
"""Engineers, by registration."""

ANSWERS: Final = Rows(
    "answer",
    s.month,
    s.answered_at,
    {"region": Group(e.region, (Join(ENGINEERS.table, (e.tenant == s.tenant) & (e.engineer_id == s.engineer_id)),))},
    lists="none",
)
"""Engineers' answers about their work, by when they were given."""
