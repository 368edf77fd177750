"""How fast requests are served: of the requests received in the range, as they stand now."""

from __future__ import annotations

from sqlalchemy import and_, not_, or_, true

from reporting.figures import Value, share
from reporting.projections.request_story import REQUEST_STORY
from reporting.report import Fetch, Figure, Report, Scope, counted, spread_between, spread_of

_t = REQUEST_STORY.table.c

ARRIVED = _t.arrived_at.is_not(None)
ON_TIME = and_(ARRIVED, _t.arrived_at <= _t.planned_at)
COMPLETED = _t.completed_at.is_not(None)
OPEN = and_(_t.completed_at.is_(None), not_(or_(_t.withdrawn, _t.cancelled)))
OVERDUE = and_(OPEN, _t.overdue, _t.assigned_at.is_(None))


async def compute(fetch: Fetch, scope: Scope) -> dict[str, Value]:
    received = scope.holds(_t.received_at)
    counts = await counted(
        fetch,
        received,
        counts={
            "completed": COMPLETED,
            "arrived": ARRIVED,
            "on_time": ON_TIME,
            "open": OPEN,
            "overdue": OVERDUE,
            "ever_overdue": _t.overdue,
        },
    )
    return {
        "requests_received": counts["all"],
        "requests_completed": counts["completed"],
        **await spread_between(fetch, "assign", _t.received_at, _t.assigned_at, received),
        **await spread_between(fetch, "arrive", _t.received_at, _t.arrived_at, received),
        **await spread_between(fetch, "complete", _t.received_at, _t.completed_at, received),
        "arrivals_on_time_share": share(counts["on_time"], counts["arrived"]),
        "requests_open": counts["open"],
        "requests_overdue": counts["overdue"],
        "requests_ever_overdue": counts["ever_overdue"],
    }


EFFICIENCY = Report(
    name="efficiency",
    en="How fast requests are served, over the requests received in the range.",
    zh="服务效率：统计所选日期内收到的请求。",
    figures=(
        Figure(
            "requests_received",
            "count",
            "Requests that were received complete and valid in the range.",
            "所选日期内收到的完整有效请求数。",
            "count(RequestReceived)",
            true(),
        ),
        Figure(
            "requests_completed",
            "count",
            "Of these, the ones whose work the customer has accepted by now.",
            "其中客户已验收的请求数。",
            "count(requests with ServiceCompleted)",
            COMPLETED,
        ),
        *spread_of(
            "assign",
            ("Time from receipt to the first assignment of an engineer", "从收到请求到首次派单的用时"),
            "first OrderAssigned - RequestReceived",
            _t.assigned_at.is_not(None),
        ),
        *spread_of(
            "arrive",
            ("Time from receipt to the first arrival of an engineer", "从收到请求到工程师首次到达的用时"),
            "first EngineerArrived - RequestReceived",
            ARRIVED,
        ),
        *spread_of(
            "complete",
            ("Time from receipt to the customer's acceptance", "从收到请求到客户验收的用时"),
            "ServiceCompleted - RequestReceived",
            COMPLETED,
        ),
        Figure(
            "arrivals_on_time_share",
            "share",
            "Share of first arrivals that were not later than planned.",
            "首次上门不晚于计划时间的比例。",
            "count(arrived <= planned) / count(arrived)",
            ON_TIME,
        ),
        Figure(
            "requests_open",
            "count",
            "Requests of the range that are neither completed nor withdrawn nor cancelled now.",
            "所选日期内收到、目前尚未完成、撤回或取消的请求数。",
            "count(received) - count(completed or withdrawn or cancelled)",
            OPEN,
        ),
        Figure(
            "requests_overdue",
            "count",
            "Open requests whose time to be assigned has run out and that nobody is assigned to yet.",
            "派单已超时且目前仍无人接单的请求数。",
            "count(open with AssignmentOverdue and without OrderAssigned)",
            OVERDUE,
        ),
        Figure(
            "requests_ever_overdue",
            "count",
            "Requests of the range whose time to be assigned ran out at some time.",
            "曾经派单超时的请求数。",
            "count(requests with AssignmentOverdue)",
            _t.overdue,
        ),
    ),
    compute=compute,
    id_column=_t.request_id,
    at_column=_t.received_at,
)
