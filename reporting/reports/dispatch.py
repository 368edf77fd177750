"""How well orders are given to engineers, and which promises were kept: of the orders opened in the range."""

from __future__ import annotations

from fractions import Fraction

from sqlalchemy import ColumnElement, and_, or_

from reporting.report import Count, Figure, Report, Sum, ratio
from reporting.reports.rows import OPENED, o

ASSIGNED = o.first_engineer != ""
COMPLETED = o.completed_at.is_not(None)
BY_FIRST = and_(COMPLETED, ASSIGNED, o.served_by == o.first_engineer, ~o.sent_again)
CHANGED = o.reassigned + o.declined > 0

_all, _assigned, _completed = Sum(OPENED), Sum(OPENED, ASSIGNED), Sum(OPENED, COMPLETED)


def _kept(clock: str, reached: ColumnElement[int], en: str, zh: str) -> Figure:
    """A clock is judged once what it waits for has happened, or its time was used up."""
    promised, breached = o[f"{clock}_promised"], o[f"{clock}_breached"]
    judged = and_(promised, or_(reached.is_not(None), breached))
    return Figure(
        f"sla_{clock}_share",
        "share",
        f"SLA rate: share of the orders with a promise on {en} that kept it, where it happened or is breached.",
        f"SLA 达成率（{zh}）：承诺已兑现的工单占已发生或已违约工单的比例。",
        f"count(no SlaBreached, or SlaRestated took it back) / count(ClocksStarted with {clock}, happened or breached)",
        ratio(Sum(OPENED, and_(judged, ~breached)), Sum(OPENED, judged)),
    )


DISPATCH = Report(
    name="dispatch",
    en="How well orders are given to engineers and promises kept, over the orders opened in the range.",
    zh="派单质量：统计所选日期内开立的工单。",
    rows=OPENED,
    figures=(
        Figure(
            "orders_opened",
            "count",
            "Orders that were opened in the range; a reopened request has another one.",
            "所选日期内开立的工单数；重新打开的需求另计一单。",
            "count(OrderOpened)",
            Count(_all),
        ),
        Figure(
            "orders_assigned",
            "count",
            "Of these, the ones that an engineer was assigned to by now.",
            "其中已派单的工单数。",
            "count(orders with OrderAssigned)",
            Count(_assigned),
        ),
        Figure(
            "orders_completed",
            "count",
            "Of these, the ones whose work the customer accepted by now.",
            "其中客户已验收的工单数。",
            "count(orders with ServiceCompleted)",
            Count(_completed),
        ),
        Figure(
            "dispatch_accuracy_share",
            "share",
            "Dispatch accuracy: share of the completed orders that the first assigned engineer completed, without a "
            "visit broken off for want of a part or skill. Who was too far away was exchanged, and is not the first.",
            "派单准确率：由首次指派的工程师完成、且未因缺备件或技能不符而中止上门的工单占已完成工单的比例；因距离改派的不计入准确。",
            "count(completed by first OrderAssigned, no VisitAborted for part-missing or not-repairable-here) / "
            "count(completed)",
            ratio(Sum(OPENED, BY_FIRST), _completed),
        ),
        Figure(
            "by_rule_share",
            "share",
            "Share of the assigned orders whose engineer was chosen by the rules, not by a person or from the pool.",
            "自动派单率：由规则选定工程师的工单占已派工单的比例。",
            "count(OrderAssigned.chosen_by = rule) / count(assigned)",
            ratio(Sum(OPENED, and_(ASSIGNED, o.by_rule)), _assigned),
        ),
        Figure(
            "changed_share",
            "share",
            "Share of the assigned orders that were given to another engineer or declined by one.",
            "改派或拒单的工单占已派工单的比例。",
            "count(orders with OrderReassigned or OrderDeclined) / count(assigned)",
            ratio(Sum(OPENED, and_(ASSIGNED, CHANGED)), _assigned),
        ),
        Figure(
            "travel_km_mean",
            "km",
            "Mean distance to the site of the last engineer assigned, kilometres.",
            "最后指派的工程师到现场的平均距离（公里）。",
            "sum(last OrderAssigned or OrderReassigned.travel_m) / count(assigned) / 1000",
            ratio(
                Sum(OPENED, o.travel_m.is_not(None), o.travel_m),
                Sum(OPENED, o.travel_m.is_not(None)),
                Fraction(1, 1000),
            ),
        ),
        _kept("assign", o.assigned_at, "the time to an assignment", "派单时限"),
        _kept("arrive", o.arrived_at, "the time to an arrival", "上门时限"),
        _kept("fix", o.completed_at, "the time to a repair", "修复时限"),
    ),
)
