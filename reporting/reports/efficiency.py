"""How fast requests are served: of the requests received in the range, as they stand now."""

from __future__ import annotations

from sqlalchemy import ColumnElement, and_, case, not_, or_

from reporting.report import Count, Figure, Report, Sum, Times, ratio, spread_over
from reporting.reports.rows import RECEIVED, r

ARRIVED = r.arrived_at.is_not(None)
ON_TIME = and_(ARRIVED, r.arrived_at <= r.planned_at)
COMPLETED = r.completed_at.is_not(None)
RESOLVED = or_(COMPLETED, r.remote_at.is_not(None))
GIVEN_UP = or_(r.withdrawn, r.merged, r.cancelled)
# Each reopening begins the work anew, and each acceptance or remote solution ends it.
OPEN = and_(r.completions + r.resolutions <= r.reopenings, not_(GIVEN_UP))
OVERDUE = and_(OPEN, r.overdue, r.assigned_at.is_(None))
WANTED = or_(RESOLVED, not_(GIVEN_UP))
FIRST_CONTACT = and_(r.remote_at.is_not(None), r.first_contact, r.reopenings == 0)
resolved_at: ColumnElement[int] = case(
    (r.remote_at.is_(None), r.completed_at),
    (r.completed_at.is_(None), r.remote_at),
    (r.remote_at < r.completed_at, r.remote_at),
    else_=r.completed_at,
)


def _number(when: ColumnElement[bool]) -> Sum:
    return Sum(RECEIVED, when)


COMPLETE = Times(RECEIVED, r.received_at, r.completed_at)
_all, _resolved, _arrived = Sum(RECEIVED), _number(RESOLVED), _number(ARRIVED)
_overdue = _number(OVERDUE)

EFFICIENCY = Report(
    name="efficiency",
    en="How fast requests are served, over the requests received in the range.",
    zh="服务效率：统计所选日期内收到的请求。",
    rows=RECEIVED,
    figures=(
        Figure(
            "requests_received",
            "count",
            "Requests that were received complete and valid in the range.",
            "所选日期内收到的完整有效请求数。",
            "count(RequestReceived)",
            Count(_all),
        ),
        Figure(
            "requests_completed",
            "count",
            "Of these, the ones whose work the customer has accepted by now.",
            "其中客户已验收的请求数。",
            "count(requests with ServiceCompleted)",
            Count(_number(COMPLETED)),
        ),
        *spread_over(
            "assign",
            ("Response time, from receipt to the first assignment of an engineer", "响应时间：从收到请求到首次派单"),
            "first OrderAssigned - RequestReceived",
            Times(RECEIVED, r.received_at, r.assigned_at),
        ),
        *spread_over(
            "arrive",
            ("Arrival time, from receipt to the first arrival of an engineer", "上门时间：从收到请求到工程师首次到达"),
            "first EngineerArrived - RequestReceived",
            Times(RECEIVED, r.received_at, r.arrived_at),
        ),
        *spread_over(
            "complete",
            ("Time from receipt to the customer's acceptance", "从收到请求到客户验收的用时"),
            "first ServiceCompleted - RequestReceived",
            COMPLETE,
        ),
        *spread_over(
            "resolve",
            (
                "Time to resolution (MTTR), from receipt to the first acceptance or remote solution",
                "解决时间（MTTR）：从收到请求到首次验收或远程解决",
            ),
            "first of ServiceCompleted, RequestResolvedRemotely - RequestReceived",
            Times(RECEIVED, r.received_at, resolved_at, COMPLETE, r.remote_at.is_not(None)),
        ),
        Figure(
            "arrivals_on_time_share",
            "share",
            "On-time rate: share of first arrivals that were not later than planned.",
            "准时率：首次上门不晚于计划时间的比例。",
            "count(arrived <= planned) / count(arrived)",
            ratio(_number(ON_TIME), _arrived),
        ),
        Figure(
            "resolution_share",
            "share",
            "Resolution rate: share of the requests that were accepted or solved remotely by now, of all that nobody "
            "withdrew, merged or cancelled before.",
            "问题解决率：已验收或已远程解决的请求占未被撤回、合并或取消的请求的比例。",
            "count(ServiceCompleted or RequestResolvedRemotely) / count(resolved, or not withdrawn, merged, cancelled)",
            ratio(_resolved, _number(WANTED)),
        ),
        Figure(
            "first_contact_share",
            "share",
            "First-contact resolution (FCR): share of the resolved requests that an agent solved at the first contact "
            "and that were not reopened.",
            "首次联系解决率（FCR）：首次联系时由客服远程解决且未被重新打开的请求占已解决请求的比例。",
            "count(RequestResolvedRemotely.first_contact, never RequestReopened) / count(resolved)",
            ratio(_number(FIRST_CONTACT), _resolved),
        ),
        Figure(
            "complained_share",
            "share",
            "Complaint rate: share of the requests received that a complaint was made about by now.",
            "投诉率：已收到投诉的请求占收到请求的比例。",
            "count(requests with ComplaintRaised) / count(received)",
            ratio(_number(r.complained), _all),
        ),
        Figure(
            "requests_open",
            "count",
            "Requests of the range that are not resolved, also after a reopening, and that nobody withdrew, merged or "
            "cancelled.",
            "所选日期内收到、目前尚未解决（含重新打开后未解决）且未撤回、合并或取消的请求数。",
            "count(received) - count(resolved as often as begun, or withdrawn, merged, cancelled)",
            Count(_number(OPEN)),
        ),
        Figure(
            "requests_overdue",
            "count",
            "Open requests whose time to be assigned has run out and that nobody is assigned to yet.",
            "派单已超时且目前仍无人接单的请求数。",
            "count(open with AssignmentOverdue and without OrderAssigned)",
            Count(_overdue),
        ),
        Figure(
            "missed_share",
            "share",
            "Missed requests: share of the requests received whose time to be assigned has run out and that nobody is "
            "assigned to yet.",
            "漏单率：派单已超时且目前仍无人接单的请求占收到请求的比例。",
            "requests_overdue / requests_received",
            ratio(_overdue, _all),
        ),
        Figure(
            "requests_ever_overdue",
            "count",
            "Requests of the range whose time to be assigned ran out at some time.",
            "曾经派单超时的请求数。",
            "count(requests with AssignmentOverdue)",
            Count(_number(r.overdue)),
        ),
    ),
)
