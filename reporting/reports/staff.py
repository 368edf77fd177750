"""
What engineers say of their work: of the answers given in the range.

They are told by region and no finer: what one engineer answered is nobody's figure.
"""

from __future__ import annotations

from reporting.report import Count, Figure, Report, Sum, ratio
from reporting.reports.rows import ANSWERS, s

CONTENT = 4
"""So many or more of a content engineer."""

_all = Sum(ANSWERS)


def _mean(name: str, en: str, zh: str) -> Figure:
    return Figure(
        f"{name}_mean",
        "stars",
        f"Mean of what engineers answered on {en}, 1 to 5.",
        f"工程师对{zh}的平均评分（1-5）。",
        f"sum(StaffSurveyAnswered.{name}) / count(StaffSurveyAnswered)",
        ratio(Sum(ANSWERS, value=s[name]), _all),
    )


STAFF = Report(
    name="staff",
    en="What engineers say of their work, over the answers given in the range.",
    zh="员工满意度：统计所选日期内工程师提交的回答。",
    rows=ANSWERS,
    by=("region",),
    figures=(
        Figure(
            "staff_answers",
            "count",
            "Answers that were given in the range, one an engineer and month at most.",
            "所选日期内提交的回答数，每名工程师每月至多一份。",
            "count(StaffSurveyAnswered)",
            Count(_all),
        ),
        Figure(
            "staff_content_share",
            "share",
            f"Employee satisfaction: share of the answers with {CONTENT} or more of 5 on the work as a whole.",
            f"员工满意度：对工作整体评分不低于 {CONTENT} 分（满分 5 分）的回答比例。",
            f"count(StaffSurveyAnswered.content >= {CONTENT}) / count(StaffSurveyAnswered)",
            ratio(Sum(ANSWERS, s.content >= CONTENT), _all),
        ),
        _mean("content", "the work as a whole", "工作整体"),
        _mean("workload", "the workload", "工作量"),
        _mean("support", "the support that they get", "所获支持"),
    ),
)
