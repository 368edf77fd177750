"""The figures of orders that support teams handed on, such as another system's history. See figures.incident_kpis."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, case, func, or_, select, true

from reporting.adapters.numbers import gathered, numbers
from reporting.figures import BACKLOG, Cases, Totals, Value, day_begins, incident_kpis
from reporting.projections.order_timeline import ORDER_TIMELINE
from reporting.report import Behind, Fetch, Figure, Report, Rows, Scope, Unit, spread_of

_t = ORDER_TIMELINE.table.c

ALL = true()
RESOLVED = _t.first_finished_at.is_not(None)


async def compute(fetch: Fetch, scope: Scope) -> dict[str, Value]:
    asked = INCIDENTS.within(scope)
    totals = await _counted(
        fetch,
        asked,
        counts={
            "reopened_cases": _t.reopenings > 0,
            "cases_with_team_change": _t.team_changes > 0,
            "cases_with_person_change": _t.person_changes > 0,
        },
        sums={
            "events": _t.steps,
            "reopenings": _t.reopenings,
            "team_changes": _t.team_changes,
            "team_returns": _t.team_returns,
            "person_changes": _t.person_changes,
            "person_returns": _t.person_returns,
            "queued_us": _t.queued_us,
        },
    )
    times = {
        "opened": _t.opened_at,
        "finished": _t.first_finished_at,
        "resolved_after": _t.first_finished_at - _t.opened_at,
        "lasted": _t.last_at - _t.opened_at,
    }
    columns = [gathered(time, time.is_not(None)).label(name) for name, time in times.items()]
    impacts = await fetch(
        select(_t.impact, func.max(_t.last_at).label("last"), *columns).where(asked).group_by(_t.impact)
    )
    teams = await fetch(select(_t.teams, func.count().label("cases")).where(asked).group_by(_t.teams))
    return incident_kpis(
        {row["impact"]: Cases(**{name: numbers(row[name]) for name in times}, last=row["last"]) for row in impacts},
        Totals(**{name: totals[name] for name in Totals._fields}),
        {row["teams"]: row["cases"] for row in teams},
        zone=scope.zone,
        backlog_on=scope.backlog_on,
        higher_lines=scope.higher_lines,
    )


async def _counted(
    fetch: Fetch,
    where: ColumnElement[bool],
    *,
    counts: Mapping[str, ColumnElement[bool]],
    sums: Mapping[str, ColumnElement[int]],
) -> dict[str, int]:
    """For how many rows each condition holds, and the sum of each column."""
    ones = {name: case((condition, 1), else_=0) for name, condition in counts.items()}
    columns = [func.coalesce(func.sum(column), 0).label(name) for name, column in {**ones, **sums}.items()]
    [row] = await fetch(select(*columns).where(where))
    # A sum of PostgreSQL is a decimal number.
    return {name: int(value) for name, value in row.items()}


def _open_when_the_day_began(name: str, scope: Scope) -> ColumnElement[bool]:
    at = day_begins(date.fromisoformat(name.removeprefix(BACKLOG)), scope.zone)
    return and_(_t.opened_at <= at, or_(_t.first_finished_at.is_(None), _t.first_finished_at > at))


def _count(name: str, en: str, zh: str, formula: str, behind: Behind = None) -> Figure:
    return _figure(name, "count", en, zh, formula, behind)


def _figure(name: str, unit: Unit, en: str, zh: str, formula: str, behind: Behind = None) -> Figure:
    return Figure(name, unit, en, zh, formula, behind=behind)


INCIDENTS = Report(
    name="incident-kpis",
    en="How incidents went through support teams, over the cases that arrived in the range.",
    zh="事件处理指标：统计所选日期内到达的、由支持团队流转的工单。",
    figures=(
        _count(
            "events", "Steps of all cases.", "全部工单的步骤数。", "count(OrderQueued, -Taken, -Paused, -Finished)", ALL
        ),
        _count(
            "cases", "Orders that support teams handled.", "由支持团队处理的工单数。", "count(orders with a step)", ALL
        ),
        _figure("first", "time", "When the first step happened, UTC.", "首个步骤的时间（UTC）。", "min(time)"),
        _figure("last", "time", "When the last step happened, UTC.", "最后步骤的时间（UTC）。", "max(time)"),
        *spread_of("cycle", ("Time from the first to the last step", "从首个到最后步骤的用时"), "last - first", ALL),
        _count(
            "cases_resolved",
            "Cases that were finished at least once.",
            "至少完成过一次的工单数。",
            "count(cases with OrderFinished)",
            RESOLVED,
        ),
        *spread_of(
            "mttr",
            ("Time to resolution, from the first step to the first finish", "解决时间：从首个步骤到首次完成"),
            "first OrderFinished - first step",
            RESOLVED,
        ),
        _count(
            "reopen_events",
            "How often work was taken up again: a finish directly followed by a queue or by somebody taking it.",
            "重新打开次数：完成后紧接着重新排队或被接手。",
            "count(OrderFinished -> OrderQueued or OrderTaken)",
            _t.reopenings > 0,
        ),
        _count(
            "reopened_cases",
            "Cases that this happened to.",
            "被重新打开过的工单数。",
            "count(reopenings > 0)",
            _t.reopenings > 0,
        ),
        _figure(
            "reopen_rate_of_resolved",
            "share",
            "Share of the resolved cases that were reopened.",
            "重新打开的工单占已完成工单的比例。",
            "reopened_cases / cases_resolved",
            _t.reopenings > 0,
        ),
        _count(
            "group_changes_total",
            "How often the next step was another team's.",
            "团队转派次数。",
            "count(step.team != next.team)",
            _t.team_changes > 0,
        ),
        _figure(
            "group_changes_per_case",
            "count",
            "Changes of team for each case.",
            "每单平均团队转派次数。",
            "group_changes_total / cases",
            _t.team_changes > 0,
        ),
        _count(
            "cases_with_group_change",
            "Cases that changed team.",
            "发生过团队转派的工单数。",
            "count(changes > 0)",
            _t.team_changes > 0,
        ),
        _count(
            "group_pingpong_events",
            "Changes back to a team that had the case before.",
            "转回曾处理过的团队的次数。",
            "count(changes to an earlier team)",
            _t.team_returns > 0,
        ),
        _count(
            "resource_changes_total",
            "How often the next step was another person's.",
            "处理人变更次数。",
            "count(step.person != next.person)",
            _t.person_changes > 0,
        ),
        _figure(
            "resource_changes_per_case",
            "count",
            "Changes of person for each case.",
            "每单平均处理人变更次数。",
            "resource_changes_total / cases",
            _t.person_changes > 0,
        ),
        _count(
            "cases_with_resource_change",
            "Cases that changed person.",
            "发生过处理人变更的工单数。",
            "count(changes > 0)",
            _t.person_changes > 0,
        ),
        _count(
            "resource_pingpong_events",
            "Changes back to a person who had the case before.",
            "转回曾处理过的人员的次数。",
            "count(changes to an earlier person)",
            _t.person_returns > 0,
        ),
        _count(
            "arrivals_days_with_cases",
            "Days on which cases arrived.",
            "有工单到达的天数。",
            "count(distinct day)",
        ),
        _figure(
            "arrivals_max_day",
            "day",
            "The day with the most arrivals, the first of several, and how many.",
            "到达工单最多的一天及其数量。",
            "max by day(count(first step))",
        ),
        _figure(
            "mttr_h_median_by_impact",
            "table",
            "Median hours to resolution by the case's last impact.",
            "按最后影响程度分组的解决时间中位数（小时）。",
            "median(first OrderFinished - first step) by impact",
            RESOLVED,
        ),
        _figure(
            "cases_by_impact",
            "table",
            "Cases by their last impact.",
            "按最后影响程度分组的工单数。",
            "count by impact",
            ALL,
        ),
        _figure(
            "queued_hours_total",
            "hours",
            "Hours that cases waited at a team, until the next step.",
            "工单在团队队列中等待的总小时数。",
            "sum(next - OrderQueued)",
            _t.queued_us > 0,
        ),
        _count(
            "push_to_front_cases_only_1st_line",
            "Cases that only first-line teams had: no team whose name has one of the words of `higher_line` in it.",
            "仅由一线团队处理的工单数：团队名称不含 `higher_line` 所列词语。",
            "count(cases without a team of a higher line)",
        ),
    ),
    families={
        BACKLOG: _count(
            BACKLOG,
            "Cases open when the day began: the first step had come by then, and no finish yet.",
            "当日零时未完成的工单数：已有首个步骤且尚未首次完成。",
            "count(first step <= instant < first OrderFinished)",
            _open_when_the_day_began,
        )
    },
    compute=compute,
    rows=Rows("order", _t.order_id, _t.opened_at, {}, request=_t.request_id),
    by=(),
    source_column=_t.source,
    days=None,
    zone=ZoneInfo("UTC"),
)
