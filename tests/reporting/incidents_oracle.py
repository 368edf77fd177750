"""The figures of incidents worked out anew with pandas from the raw records of the journal: see oracle."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import date, timedelta
from fractions import Fraction
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd

HOUR = 3_600_000_000
STEPS = ("OrderQueued", "OrderTaken", "OrderPaused", "OrderFinished")


def steps_of(records: Iterable[bytes]) -> pd.DataFrame:
    """Every step of a team, each order's in the order in which they happened, with the step after it."""
    rows = []
    for record in records:
        said = json.loads(record)
        facts, imported = said["data"], said.get("origin") == "import"
        # Without a team it is the end of a visit, unless another system said it.
        if said["type"] in STEPS and (imported or facts.get("team") or said["type"] != "OrderFinished"):
            names = {name: facts.get(name, "") for name in ("team", "person", "impact")}
            at = pd.Timestamp(said["time"]).value // 1_000
            of = {"order": facts["order_id"], "source": said["actor"] if imported else ""}
            rows.append({"at": at, "version": said["version"], "kind": said["type"], **of, **names})
    steps = pd.DataFrame(rows).sort_values(["order", "at", "version"], ignore_index=True)
    for name in ("at", "kind", "team", "person"):
        steps[f"next_{name}"] = steps.groupby("order")[name].shift(-1)
    return steps


def incidents(
    steps: pd.DataFrame,
    zone: str,
    first: date,
    last: date,
    *,
    backlog_on: Iterable[date],
    higher: frozenset[str] = frozenset({"2nd", "3rd"}),
    source: str = "",
) -> dict[str, Any]:
    """Every figure of the report by name; the cases are those whose first step was on these days."""
    local = ZoneInfo(zone)

    def begins(day: date) -> int:
        return int(pd.Timestamp(day, tz=local).value // 1_000)

    cases = steps.groupby("order").agg(opened=("at", "min"), last=("at", "max"), source=("source", "first"))
    cases["finished"] = steps[steps.kind == "OrderFinished"].groupby("order")["at"].min()
    asked = (cases.opened >= begins(first)) & (cases.opened < begins(last + timedelta(days=1)))
    cases = cases[asked & ((cases.source == source) | (source == ""))]
    s = steps[steps.order.isin(cases.index)]
    said = s[s.impact != ""].groupby("order")["impact"].last()
    cases = cases.assign(impact=said.reindex(cases.index).fillna(""))
    resolved = cases[cases.finished.notna()]
    took = resolved.finished - resolved.opened
    again = s[(s.kind == "OrderFinished") & s.next_kind.isin(["OrderQueued", "OrderTaken"])]
    queued = s[(s.kind == "OrderQueued") & s.next_at.notna()]
    days = pd.to_datetime(cases.opened, unit="us", utc=True).dt.tz_convert(local).dt.date.value_counts()
    busiest = min(days[days == days.max()].index)
    is_higher = s.team.map(lambda team: bool(higher & set(team.split())))
    found = {
        "events": len(s),
        "cases": len(cases),
        "first": str(pd.Timestamp(int(cases.opened.min()) * 1_000, tz="UTC")),
        "last": str(pd.Timestamp(int(cases["last"].max()) * 1_000, tz="UTC")),
        **_spread("cycle", cases["last"] - cases.opened),
        "cases_resolved": len(resolved),
        **_spread("mttr", took),
        "reopen_events": len(again),
        "reopened_cases": again.order.nunique(),
        "reopen_rate_of_resolved": _shown(Fraction(again.order.nunique(), len(resolved)), 5),
        "arrivals_days_with_cases": len(days),
        "arrivals_max_day": [busiest.isoformat(), int(days[busiest])],
        "mttr_h_median_by_impact": {
            impact: _quantile(some, Fraction(1, 2)) for impact, some in took.groupby(resolved.impact)
        },
        "cases_by_impact": cases.impact.value_counts().to_dict(),
        "queued_hours_total": _shown(Fraction(int((queued["next_at"] - queued["at"]).sum()), HOUR), 1),
        "push_to_front_cases_only_1st_line": len(cases) - s[is_higher].order.nunique(),
    }
    for word, name in (("group", "team"), ("resource", "person")):
        changed = s[s[f"next_{name}"].notna() & (s[f"next_{name}"] != s[name])]
        had_before = s.duplicated(["order", name]) & (s[name] != s.groupby("order")[name].shift())
        found |= {
            f"{word}_changes_total": len(changed),
            f"{word}_changes_per_case": _shown(Fraction(len(changed), len(cases)), 5),
            f"cases_with_{word}_change": changed.order.nunique(),
            f"{word}_pingpong_events": int(had_before.sum()),
        }
    for day in backlog_on:
        at = begins(day)
        found[f"backlog_{day}"] = int(((cases.opened <= at) & ~(cases.finished <= at)).sum())
    return found


def _shown(value: Fraction, digits: int = 3) -> float:
    return float(round(value, digits))


def _quantile(took: pd.Series, part: Fraction) -> float:
    ordered = sorted(int(one) for one in took)
    low, between = divmod((len(ordered) - 1) * part, 1)
    high = min(low + 1, len(ordered) - 1)
    return _shown(((1 - between) * ordered[low] + between * ordered[high]) / Fraction(HOUR))


def _spread(name: str, took: pd.Series) -> dict[str, float]:
    return {
        f"{name}_h_mean": _shown(Fraction(int(took.sum()), HOUR * len(took))),
        f"{name}_h_median": _quantile(took, Fraction(1, 2)),
        f"{name}_h_p90": _quantile(took, Fraction(9, 10)),
    }
