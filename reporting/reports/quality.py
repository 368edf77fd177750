"""How well requests are served: of the requests completed in the range, with what customers have said by now."""

from __future__ import annotations

from sqlalchemy import and_, exists, func, or_, select, true

from reporting.figures import HOUR, Value, mean, share, shown
from reporting.projections.request_story import REQUEST_STORY
from reporting.report import Fetch, Figure, Report, Scope, counted

BAD = 2
"""So many stars or fewer are a bad review."""

REPEAT_WITHIN = 30 * 24 * HOUR

_t = REQUEST_STORY.table.c
_next = REQUEST_STORY.table.alias("later")

ANSWERED = _t.attitude.is_not(None)
RATED = or_(_t.rating.is_not(None), ANSWERED)
BADLY_RATED = or_(_t.rating <= BAD, _t.attitude <= BAD, _t.outcome <= BAD, _t.punctuality <= BAD)
SEVERAL_VISITS = _t.visits > 1
WITH_DEVICE = _t.device_id != ""
REPEATED = and_(
    WITH_DEVICE,
    exists().where(
        _next.c.tenant == _t.tenant,
        _next.c.device_id == _t.device_id,
        _next.c.received_at > _t.completed_at,
        _next.c.received_at <= _t.completed_at + REPEAT_WITHIN,
    ),
)


async def compute(fetch: Fetch, scope: Scope) -> dict[str, Value]:
    completed = scope.holds(_t.completed_at)
    counts = await counted(
        fetch,
        completed,
        counts={
            "rated": RATED,
            "badly_rated": BADLY_RATED,
            "starred": _t.rating.is_not(None),
            "surveyed": _t.surveyed,
            "answered": ANSWERED,
            "refused": _t.refused,
            "several_visits": SEVERAL_VISITS,
            "with_device": WITH_DEVICE,
        },
        sums={column.name: column for column in (_t.rating, _t.attitude, _t.outcome, _t.punctuality)},
    )
    [repeated] = await fetch(select(func.count().label("n")).where(completed, REPEATED))

    def stars(name: str, count: str) -> float | None:
        return shown(mean(counts[name], counts[count]))

    return {
        "requests_completed": counts["all"],
        "rating_mean": stars("rating", "starred"),
        "surveys_sent": counts["surveyed"],
        "surveys_answered": counts["answered"],
        "survey_response_share": share(counts["answered"], counts["surveyed"]),
        "attitude_mean": stars("attitude", "answered"),
        "outcome_mean": stars("outcome", "answered"),
        "punctuality_mean": stars("punctuality", "answered"),
        "bad_review_share": share(counts["badly_rated"], counts["rated"]),
        "acceptance_refused_share": share(counts["refused"], counts["all"]),
        "several_visits_share": share(counts["several_visits"], counts["all"]),
        "repeat_repair_share": share(repeated["n"], counts["with_device"]),
    }


def _asked(name: str, en: str, zh: str) -> Figure:
    return Figure(
        f"{name}_mean",
        "stars",
        f"Mean of what surveys answered on {en}, 1 to 5.",
        f"问卷对{zh}的平均评分（1-5）。",
        f"sum(FeedbackReceived.{name}) / count(FeedbackReceived)",
        ANSWERED,
    )


QUALITY = Report(
    name="quality",
    en="How well requests are served, over the requests completed in the range.",
    zh="服务质量：统计所选日期内完成的请求。",
    figures=(
        Figure(
            "requests_completed",
            "count",
            "Requests whose work the customer accepted in the range.",
            "所选日期内客户验收的请求数。",
            "count(ServiceCompleted)",
            true(),
        ),
        Figure(
            "rating_mean",
            "stars",
            "Mean of the stars given at acceptance, 1 to 5.",
            "客户验收时评分的平均值（1-5 星）。",
            "sum(ServiceCompleted.rating) / count(ServiceCompleted)",
            _t.rating.is_not(None),
        ),
        Figure(
            "surveys_sent",
            "count",
            "Completed requests for which a survey was sent.",
            "已发送满意度问卷的请求数。",
            "count(requests with SurveySent)",
            _t.surveyed,
        ),
        Figure(
            "surveys_answered",
            "count",
            "Completed requests whose survey was answered.",
            "已回答问卷的请求数。",
            "count(requests with FeedbackReceived)",
            ANSWERED,
        ),
        Figure(
            "survey_response_share",
            "share",
            "Share of the surveys sent that were answered.",
            "问卷回收率。",
            "surveys_answered / surveys_sent",
            ANSWERED,
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
            BADLY_RATED,
        ),
        Figure(
            "acceptance_refused_share",
            "share",
            "Share of the completed requests whose work the customer refused at least once before.",
            "验收曾被客户拒绝的请求比例。",
            "count(requests with AcceptanceRefused) / count(completed)",
            _t.refused,
        ),
        Figure(
            "several_visits_share",
            "share",
            "Share of the completed requests that took more than one visit to the site.",
            "需要多次上门才完成的请求比例。",
            "count(more than one EngineerArrived) / count(completed)",
            SEVERAL_VISITS,
        ),
        Figure(
            "repeat_repair_share",
            "share",
            "Share of the completed requests for a device after which the same device was reported again in 30 days.",
            "二次维修率：完成后 30 天内同一设备再次报修的请求比例。",
            "count(next RequestReceived of the device <= completed + 30 d) / count(completed with a device)",
            REPEATED,
        ),
    ),
    compute=compute,
    id_column=_t.request_id,
    at_column=_t.completed_at,
)
