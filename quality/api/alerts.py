"""Alerts: the figures that raise them, from where on they do, who follows them and how they end."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from sqlalchemy import select

from contracts.quality import AlertKind, AlertRulesSet, Judged
from quality.commands import CloseAlert, Counted, FollowAlert, SetAlertRules, Watched, Words
from quality.domain.alert import (
    DEFAULTS,
    RULES_STREAM,
    alert_stream,
    charts,
    has_recovered,
    is_above,
    is_enough,
    is_red,
    judged_by,
    limit_of,
    most_within,
)
from quality.domain.weeks import baseline_before, today, windows
from quality.projections.alerts import ALERTS, OPEN, windows_of
from quality.projections.quality_rules import QUALITY_RULES, alert_rules
from quality.projections.served import all_counted, by_subject, counted, counts_of
from services.chassis.clock import at_micros
from services.chassis.http import Accepted, Body, Call, Limit, Page, ServiceRouter, absent, command, query
from services.chassis.service import Api


class AlertRules(Body):
    """
    From which figures on an alert is raised: above the limit, over so many weeks, of so many at least.

    The limit is the percentage; or the control limit of a p-chart, whose baseline are the weeks before.
    """

    bad_percent: int = Field(20, ge=0, le=100)
    bad_weeks: int = Field(2, ge=1, le=12)
    min_ratings: int = Field(5, ge=1, le=10_000)
    repeat_percent: int = Field(15, ge=0, le=100)
    repeat_weeks: int = Field(4, ge=1, le=26)
    min_visits: int = Field(5, ge=1, le=10_000)
    repeat_days: int = Field(30, ge=1, le=366)
    bad_judged: Judged = "percent"
    repeat_judged: Judged = "percent"
    baseline_weeks: int = Field(12, ge=4, le=52)


class WindowView(Body):
    """
    What was counted in some whole weeks. `says` is `too-few` where it is of fewer than the rules ask for; then it has
    no share and neither raises an alert nor ends one.
    """

    begins_on: date
    ends_on: date = Field(description="The day after the last.")
    counted: int
    bad: int
    share: float | None
    within_up_to: int = Field(description="The greatest number of bad ones that is within the limit.")
    says: Literal["too-few", "within", "above"]


class FigureView(Body):
    """The figures of one engineer, group, region or device model, the oldest first; `red` when they raise an alert."""

    subject: str
    windows: list[WindowView]
    red: bool
    recovered: bool = Field(description="Whether they would end an alert that was raised.")


class CountedView(Body):
    begins_on: date
    ends_on: date
    counted: int
    bad: int


class FiguresView(Body):
    """`baseline`: what the control limit is drawn from; none where the percentage is the limit."""

    kind: AlertKind
    of: Watched
    limit_percent: int
    at_least: int
    baseline: CountedView | None
    figures: list[FigureView]


class AlertView(Body):
    """One raising of an alert. `end_windows` are the figures that had recovered."""

    alert_id: str
    raising: int
    version: int
    kind: AlertKind
    of: Watched
    subject: str
    state: Literal["raised", "followed", "recovered", "closed"]
    limit_percent: int
    windows: list[CountedView]
    end_windows: list[CountedView]
    baseline: CountedView | None = Field(description="Of a control chart: all in the weeks before.")
    raised_at: datetime
    ended_at: datetime | None
    owner_id: str
    measure: str
    effect: str


class AlertDetail(AlertView):
    """The newest raising, and those before it, the newest first."""

    earlier: list[AlertView]


class Follow(Body):
    owner_id: str = Field(min_length=1, max_length=100)
    measure: Words


class Close(Body):
    effect: Words


async def _rules(call: Call) -> tuple[AlertRulesSet, int]:
    row = await call.one(select(QUALITY_RULES.table).where(QUALITY_RULES.table.c.rules_id == DEFAULTS.rules_id))
    return (alert_rules(row["rules"]), row["version"]) if row else (DEFAULTS, 0)


def _facts(row: Mapping[str, Any], call: Call) -> dict[str, Any]:
    plain = ("alert_id", "raising", "version", "kind", "subject", "state", "limit_percent", "owner_id")
    return {
        **{name: row[name] for name in plain},
        "of": row["watched"],
        **{name: _counted(row[name]) for name in ("windows", "end_windows")},
        "baseline": next(iter(_counted(row["baseline"])), None),
        "raised_at": at_micros(row["raised_at"]),
        "ended_at": at_micros(row["ended_at"]) if row["ended_at"] else None,
        **{name: call.open(row[name]) for name in ("measure", "effect")},
    }


def _counted(text: str) -> list[CountedView]:
    return [
        CountedView(
            begins_on=date.fromisoformat(one.begins_on),
            ends_on=date.fromisoformat(one.ends_on),
            counted=one.counted,
            bad=one.bad,
        )
        for one in windows_of(text)
    ]


def _window(kind: AlertKind, rules: AlertRulesSet, one: Counted, baseline: Counted | None) -> WindowView:
    enough = is_enough(kind, rules, one.counted)
    above: Literal["within", "above"] = "above" if is_above(kind, rules, one, baseline) else "within"
    return WindowView(
        **one.model_dump(),
        share=round(one.bad / one.counted, 5) if enough else None,
        within_up_to=most_within(kind, rules, one.counted, baseline),
        says=above if enough else "too-few",
    )


def alert_routes(api: Api) -> APIRouter:
    router = ServiceRouter(api, prefix="/v1/alerts", tags=["alerts"])
    table = ALERTS.table

    @router.get("", summary="Alerts, the newest first")
    async def some(
        call: Call = query("manager", "auditor"),
        open: Annotated[bool, Query(description="Only those that have not ended")] = False,
        kind: AlertKind | None = None,
        of: Watched | None = None,
        subject: str | None = None,
        cursor: str | None = None,
        limit: Limit = 50,
    ) -> Page[AlertView]:
        rows = select(table)
        if open:
            rows = rows.where(OPEN)
        for column, value in ((table.c.kind, kind), (table.c.watched, of), (table.c.subject, subject)):
            if value is not None:
                rows = rows.where(column == value)
        order = [table.c.raised_at.desc(), table.c.alert_id, table.c.raising]
        page = await call.page(rows, order_by=order, cursor=cursor, limit=limit)
        return page.map(lambda row: AlertView(**_facts(row, call)))

    @router.get("/figures", summary="The figures of the last whole weeks, as they are known now")
    async def figures(
        kind: AlertKind,
        of: Watched,
        call: Call = query("manager", "auditor"),
        day: Annotated[
            date | None,
            Query(
                ge=date(2000, 1, 1),
                le=date(2099, 12, 31),
                description="As they are judged on this day; today if left out",
            ),
        ] = None,
    ) -> FiguresView:
        rules, _ = await _rules(call)
        weeks = windows(kind, rules, day or today(call.now))
        found: list[Mapping[str, Mapping[str, Any]]] = []
        for week in weeks:
            found.append(by_subject(await call.fetch(counted(kind, of, call.tenant, week, rules))))
        baseline = None
        if judged_by(kind, rules) == "control-chart":
            before = baseline_before(rules, weeks)
            baseline = all_counted(before, await call.fetch(counted(kind, of, call.tenant, before, rules)))
        views = []
        for subject in sorted({name for rows in found for name in rows}):
            counts = [counts_of(subject, week, rows) for week, rows in zip(weeks, found, strict=True)]
            views.append(
                FigureView(
                    subject=subject,
                    windows=[_window(kind, rules, one, baseline) for one in counts],
                    red=is_red(kind, rules, counts, baseline),
                    recovered=has_recovered(kind, rules, counts, baseline),
                )
            )
        percent, least = limit_of(kind, rules)
        drawn = CountedView(**baseline.model_dump()) if baseline and charts(kind, rules, baseline) else None
        return FiguresView(kind=kind, of=of, limit_percent=percent, at_least=least, baseline=drawn, figures=views)

    @router.get("/rules", summary="From which figures on an alert is raised")
    async def rules(call: Call = query("manager", "auditor")) -> AlertRules:
        known, version = await _rules(call)
        call.etag(version)
        return AlertRules(**{name: getattr(known, name) for name in AlertRules.model_fields})

    @router.post("/rules", summary="Say from which figures on an alert is raised")
    async def set_rules(body: AlertRules, call: Call = command("manager")) -> Accepted:
        asked = SetAlertRules(**body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=RULES_STREAM), id=DEFAULTS.rules_id)

    @router.get("/{alert_id}", summary="One alert, with all its raisings")
    async def one(alert_id: str, call: Call = query("manager", "auditor")) -> AlertDetail:
        newest, *earlier = await _raisings(alert_id, call)
        call.etag(newest["version"])
        return AlertDetail(**_facts(newest, call), earlier=[AlertView(**_facts(row, call)) for row in earlier])

    @router.post("/{alert_id}/follow", summary="Take it upon somebody, and say what is done")
    async def follow(alert_id: str, body: Follow, call: Call = command("manager")) -> Accepted:
        await _raisings(alert_id, call)
        asked = FollowAlert(alert_id=alert_id, **body.model_dump())
        return Accepted.of(await call.ask(asked, versioned=alert_stream(alert_id)), id=alert_id)

    @router.post("/{alert_id}/close", summary="Say what the measure did, and end it")
    async def close(alert_id: str, body: Close, call: Call = command("manager")) -> Accepted:
        await _raisings(alert_id, call)
        asked = CloseAlert(alert_id=alert_id, effect=body.effect, today=today(call.now))
        return Accepted.of(await call.ask(asked, versioned=alert_stream(alert_id)), id=alert_id)

    async def _raisings(alert_id: str, call: Call) -> list[Mapping[str, Any]]:
        """The newest first."""
        rows = await call.fetch(select(table).where(table.c.alert_id == alert_id).order_by(table.c.raising.desc()))
        if not rows:
            raise absent("alert", alert_id)
        return list(rows)

    return router
