"""How well requests are served: of the requests completed in the range, with what customers have said by now."""

from __future__ import annotations

from fractions import Fraction

from sqlalchemy import ColumnElement, and_, case, or_

from reporting.report import Count, Figure, Report, Sum, ratio
from reporting.reports.rows import SERVED, r

BAD = 2
"""So many stars or fewer are a bad review."""

GOOD = 4
"""So many or more of a satisfied customer."""

ANSWERED = r.attitude.is_not(None)
RATED = or_(r.rating.is_not(None), ANSWERED)
_RATINGS = (r.rating, r.attitude, r.outcome, r.punctuality)
BADLY_RATED = or_(*[rating <= BAD for rating in _RATINGS])
SEVERAL_VISITS = r.visits > 1
FIXED_AT_FIRST = and_(r.visits == 1, r.reopenings == 0)
WITH_DEVICE = r.device_id != ""
RECOMMENDS = r.recommends.is_not(None)


def _many(conditions: list[ColumnElement[bool]]) -> ColumnElement[int]:
    """How many of these hold."""
    first, *others = [case((one, 1), else_=0) for one in conditions]
    return sum(others, start=first)


_all, _rated, _answered = Sum(SERVED), Sum(SERVED, RATED), Sum(SERVED, ANSWERED)
_surveyed, _starred = Sum(SERVED, r.surveyed), Sum(SERVED, r.rating.is_not(None))


def _asked(name: str, en: str, zh: str) -> Figure:
    return Figure(
        f"{name}_mean",
        "stars",
        f"Mean of what surveys answered on {en}, 1 to 5.",
        f"问卷对{zh}的平均评分（1-5）。",
        f"sum(FeedbackReceived.{name}) / count(FeedbackReceived)",
        ratio(Sum(SERVED, ANSWERED, r[name]), _answered),
    )


QUALITY = Report(
    name="quality",
    en="How well requests are served, over the requests completed in the range.",
    zh="服务质量：统计所选日期内完成的请求。",
    rows=SERVED,
    figures=(
        Figure(
            "requests_completed",
            "count",
            "Requests whose work the customer accepted in the range.",
            "所选日期内客户验收的请求数。",
            "count(ServiceCompleted)",
            Count(_all),
        ),
        Figure(
            "rating_mean",
            "stars",
            "Mean of the stars given at acceptance, 1 to 5.",
            "客户验收时评分的平均值（1-5 星）。",
            "sum(ServiceCompleted.rating) / count(ServiceCompleted)",
            ratio(Sum(SERVED, r.rating.is_not(None), r.rating), _starred),
        ),
        Figure(
            "csat_share",
            "share",
            f"Customer satisfaction (CSAT): share of all ratings, at acceptance and of each question of the survey, "
            f"with {GOOD} stars or more.",
            f"客户满意度（CSAT）：验收评分及问卷各项评分中不低于 {GOOD} 星的比例。",
            f"count(ratings >= {GOOD}) / count(ratings)",
            ratio(
                Sum(SERVED, RATED, _many([rating >= GOOD for rating in _RATINGS])),
                Sum(SERVED, RATED, _many([rating.is_not(None) for rating in _RATINGS])),
            ),
        ),
        Figure(
            "nps",
            "points",
            "Net Promoter Score: 100 times the share of 9 and 10 less the share of 0 to 6, of the answers on how "
            "likely the customer would recommend us.",
            "净推荐值（NPS）：推荐意愿为 9-10 分的比例减去 0-6 分的比例，乘以 100。",
            "100 * (count(recommends >= 9) - count(recommends <= 6)) / count(recommends)",
            ratio(
                Sum(SERVED, RECOMMENDS, case((r.recommends >= 9, 1), (r.recommends <= 6, -1), else_=0)),
                Sum(SERVED, RECOMMENDS),
                Fraction(100),
            ),
        ),
        Figure(
            "recommend_share",
            "share",
            "Recommendation rate: share of the answers on how likely the customer would recommend us with 9 or 10.",
            "客户推荐率：推荐意愿为 9-10 分的比例。",
            "count(recommends >= 9) / count(recommends)",
            ratio(Sum(SERVED, r.recommends >= 9), Sum(SERVED, RECOMMENDS)),
        ),
        Figure(
            "surveys_sent",
            "count",
            "Completed requests for which a survey was sent.",
            "已发送满意度问卷的请求数。",
            "count(requests with SurveySent)",
            Count(_surveyed),
        ),
        Figure(
            "surveys_answered",
            "count",
            "Completed requests whose survey was answered.",
            "已回答问卷的请求数。",
            "count(requests with FeedbackReceived)",
            Count(_answered),
        ),
        Figure(
            "survey_response_share",
            "share",
            "Share of the surveys sent that were answered.",
            "问卷回收率。",
            "surveys_answered / surveys_sent",
            ratio(_answered, _surveyed),
        ),
        _asked("attitude", "the engineer's manner", "服务态度"),
        _asked("outcome", "the result", "解决效果"),
        _asked("punctuality", "punctuality", "上门时效"),
        Figure(
            "bad_review_share",
            "share",
            f"Share of the rated requests with {BAD} stars or fewer, at acceptance or for any question of the survey.",
            f"差评率：验收评分或问卷任一项不高于 {BAD} 星的请求占有评价请求的比例。",
            f"count(any rating <= {BAD}) / count(rated)",
            ratio(Sum(SERVED, BADLY_RATED), _rated),
        ),
        Figure(
            "acceptance_refused_share",
            "share",
            "Share of the completed requests whose work the customer refused at least once before.",
            "验收曾被客户拒绝的请求比例。",
            "count(requests with AcceptanceRefused) / count(completed)",
            ratio(Sum(SERVED, r.refused), _all),
        ),
        Figure(
            "first_time_fix_share",
            "share",
            "First-time fix: share of the completed requests that took one visit to the site and were not reopened.",
            "一次修复率：只上门一次且未被重新打开的请求占已完成请求的比例。",
            "count(one EngineerArrived, no RequestReopened) / count(completed)",
            ratio(Sum(SERVED, FIXED_AT_FIRST), _all),
        ),
        Figure(
            "several_visits_share",
            "share",
            "Share of the completed requests that took more than one visit to the site.",
            "需要多次上门才完成的请求比例。",
            "count(more than one EngineerArrived) / count(completed)",
            ratio(Sum(SERVED, SEVERAL_VISITS), _all),
        ),
        Figure(
            "repeat_repair_share",
            "share",
            "Repeat rate: share of the completed requests for a device after which another one of the same type came "
            "for it in 30 days.",
            "二次维修率：完成后 30 天内同一设备再次提出同类请求的比例。",
            "count(next RequestReceived of device and type <= completed + 30 d) / count(completed with a device)",
            ratio(Sum(SERVED, r.repeated), Sum(SERVED, WITH_DEVICE)),
        ),
        Figure(
            "reopened_share",
            "share",
            "Share of the completed requests that were reopened because the fault was back.",
            "完成后因故障复发被重新打开的请求比例。",
            "count(requests with RequestReopened) / count(completed)",
            ratio(Sum(SERVED, r.reopenings > 0), _all),
        ),
    ),
)
