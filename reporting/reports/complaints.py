"""What customers complain about: of the complaints raised in the range, as they stand now."""

from __future__ import annotations

from sqlalchemy import and_

from reporting.report import Count, Figure, Report, Sum, Times, ratio, spread_over
from reporting.reports.rows import COMPLAINTS, RECEIVED, c

CLOSED = c.closed_at.is_not(None)
WITHDRAWN = c.withdrawn_at.is_not(None)
FOUNDED = and_(CLOSED, c.root_cause != "unfounded")

_all, _closed = Sum(COMPLAINTS), Sum(COMPLAINTS, CLOSED)
_owed = Sum(COMPLAINTS, c.withdrawn_at.is_(None))

COMPLAINTS_REPORT = Report(
    name="complaints",
    en="What customers complain about, over the complaints raised in the range.",
    zh="客户投诉：统计所选日期内提出的投诉。",
    rows=COMPLAINTS,
    figures=(
        Figure(
            "complaints",
            "count",
            "Complaint volume: complaints that were raised in the range, also about no request.",
            "投诉量：所选日期内提出的投诉数，含与需求无关的投诉。",
            "count(ComplaintRaised)",
            Count(_all),
        ),
        Figure(
            "complaints_per_request",
            "share",
            "Complaint rate: complaints raised in the range for each request received in it.",
            "投诉率：所选日期内的投诉数与收到的请求数之比。",
            "count(ComplaintRaised) / count(RequestReceived)",
            ratio(_all, Sum(RECEIVED)),
        ),
        Figure(
            "complaints_closed",
            "count",
            "Of these, the ones that are answered and closed by now.",
            "其中已答复并关闭的投诉数。",
            "count(complaints with ComplaintClosed)",
            Count(_closed),
        ),
        Figure(
            "complaints_withdrawn",
            "count",
            "Of these, the ones that were withdrawn: nobody is owed an answer.",
            "其中已撤回、无需答复的投诉数。",
            "count(complaints with ComplaintWithdrawn)",
            Count(Sum(COMPLAINTS, WITHDRAWN)),
        ),
        Figure(
            "complaints_resolved_share",
            "share",
            "Share of the complaints that are closed by now, of those that were not withdrawn.",
            "投诉解决率：已关闭的投诉占未撤回投诉的比例。",
            "complaints_closed / (complaints - complaints_withdrawn)",
            ratio(_closed, _owed),
        ),
        Figure(
            "complaints_late_share",
            "share",
            "Share of the complaints that were not answered by a deadline.",
            "答复超时的投诉比例。",
            "count(complaints with ComplaintOverdue) / complaints",
            ratio(Sum(COMPLAINTS, c.overdue), _all),
        ),
        Figure(
            "complaints_founded_share",
            "share",
            "Share of the closed complaints for which there was reason.",
            "有责投诉占已关闭投诉的比例。",
            "count(ComplaintClosed.root_cause != unfounded) / complaints_closed",
            ratio(Sum(COMPLAINTS, FOUNDED), _closed),
        ),
        *spread_over(
            "close",
            ("Time from a complaint to its answer", "从提出投诉到答复关闭的用时"),
            "ComplaintClosed - ComplaintRaised",
            Times(COMPLAINTS, c.raised_at, c.closed_at),
        ),
    ),
)
