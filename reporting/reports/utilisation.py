"""Where the hours of engineers go: of the visits whose arrival lies in the range, and the shifts in it up to now."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from fractions import Fraction
from typing import ClassVar

from sqlalchemy import ColumnElement, and_, case, distinct, func, select

from reporting.figures import HOUR, Value, Work, day_begins
from reporting.projections.engineer_hours import shifts_of
from reporting.report import (
    Count,
    Durations,
    Fetch,
    Figure,
    Found,
    GroupKey,
    Listed,
    Measure,
    Ratio,
    Report,
    Scope,
    Sum,
    Sums,
    Times,
    key_of,
    ratio,
)
from reporting.reports.rows import ARRIVALS, REGISTERED, TRIPS, e, v
from services.chassis.clock import micros

LEFT = v.left_at.is_not(None)
TRAVELLED = v.departed_at.is_not(None)


class Shifts:
    """
    Shift hours and engineers, worked out from the shifts of those who are registered.

    They are told of a region or an engineer, and of no device model, type of request or channel: a shift is of none.
    """

    additive: ClassVar[bool] = False  # an engineer is one also of several weeks

    async def totals(
        self, fetch: Fetch, scope: Scope, sums: Sequence[Sum], times: Sequence[Times]
    ) -> tuple[Sums, Durations]:
        if scope.by not in ("", "region", "engineer"):
            return {}, {}
        engineers = await fetch(select(e.engineer_id, e.region, e.since, e.zone, e.shifts))
        people = await self._strangers(fetch, scope, [row["engineer_id"] for row in engineers if row["since"] is None])
        shift: dict[GroupKey, int] = defaultdict(int)
        now, bounds, work = micros(scope.now), _bounds(scope), _Patterns(scope)
        parts: dict[Work, list[int]] = {}
        keys: dict[str, list[GroupKey]] = {}
        for row in engineers:
            if row["since"] is None:
                continue
            value = {"": "", "region": row["region"], "engineer": row["engineer_id"]}[scope.by]
            if value not in keys:
                keys[value] = [GroupKey(value, place) for place in range(len(bounds))]
            pattern, since = work.of(row["shifts"], row["zone"]), row["since"]
            if pattern not in parts:
                parts[pattern] = [pattern.between(begin, min(end, now)) for begin, end in bounds]
            for key, worked, (begin, end) in zip(keys[value], parts[pattern], bounds, strict=True):
                if since <= begin:
                    people[key] += 1
                    shift[key] += worked
                elif since < end:
                    people[key] += 1
                    shift[key] += pattern.between(since, min(end, now))
        told = {SHIFT: shift, PEOPLE: people}
        return {one: told[one] for one in sums}, {}

    def listed(self, when: ColumnElement[bool]) -> Listed:
        """The engineers who are registered."""
        return REGISTERED, when

    async def _strangers(self, fetch: Fetch, scope: Scope, ids: Sequence[str]) -> dict[GroupKey, int]:
        """Of engineers who are not registered, those who made visits."""
        found: dict[GroupKey, int] = defaultdict(int)
        if ids:
            keys = ARRIVALS.keys(scope)
            query = ARRIVALS.joined(select(*keys, func.count(distinct(v.engineer_id)).label("people")), scope)
            rows = await fetch(query.where(scope.holds(v.arrived_at), e.since.is_(None)).group_by(*keys))
            found.update({key_of(row): row["people"] for row in rows if row["people"]})
        return found


class _Patterns:
    """Most engineers share a few patterns of work, which are unfolded over the range once."""

    def __init__(self, scope: Scope) -> None:
        # Nothing is worked before 1970, and only what there was up to now is counted.
        self._begin, self._end = max(scope.begin, 0), min(scope.end, micros(scope.now))
        self._known: dict[tuple[bytes, str], Work] = {}

    def of(self, packed: bytes, zone: str) -> Work:
        if (packed, zone) not in self._known:
            self._known[packed, zone] = Work(shifts_of(packed), zone, self._begin, self._end)
        return self._known[packed, zone]


def _bounds(scope: Scope) -> list[tuple[int, int]]:
    """The instants of the scope's parts."""
    begins = [day_begins(part.first, scope.zone) for part in scope.parts] or [scope.begin]
    return list(zip(begins, [*begins[1:], scope.end], strict=True))


SHIFTS = Shifts()
SHIFT, PEOPLE = Sum(SHIFTS), Sum(SHIFTS)
_visits = Sum(ARRIVALS)
_completed = Sum(ARRIVALS, v.completed)
_on_site = Sum(ARRIVALS, LEFT, v.left_at - v.arrived_at)
_travel = Sum(ARRIVALS, TRAVELLED, v.arrived_at - v.departed_at)
_spent = Sum(
    ARRIVALS,
    value=case((LEFT, v.left_at - v.arrived_at), else_=0) + case((TRAVELLED, v.arrived_at - v.departed_at), else_=0),
)
# Hours of engineers whose shifts are not known would make the others look busier than they are.
_busy_on_site = Sum(ARRIVALS, and_(LEFT, e.has_shifts), v.left_at - v.arrived_at)
_busy_travel = Sum(ARRIVALS, and_(TRAVELLED, e.has_shifts), v.arrived_at - v.departed_at)


def _hours(name: str, en: str, zh: str, formula: str, total: Sum) -> Figure:
    return Figure(name, "hours", en, zh, formula, Ratio([(1, total)], None, 1 / Fraction(HOUR)))


def _share(name: str, en: str, zh: str, formula: str, measure: Measure) -> Figure:
    return Figure(name, "share", en, zh, formula, measure)


def by_engineer(found: Found) -> dict[str, Value]:
    """A line for each engineer who is registered or made a visit."""
    names = ("visits", "visits_completed", "on_site_h", "travel_h", "shift_h", "busy_share")
    keys = sorted({key for totals in found.sums.values() for key in totals})
    told = zip(keys, UTILISATION.answers(found, keys), strict=True)
    return {
        "by_engineer": [{"engineer_id": key.value, **{name: one[name].value for name in names}} for key, one in told]
    }


UTILISATION = Report(
    name="utilisation",
    en="Where the hours of engineers go, over the visits whose arrival lies in the range.",
    zh="资源利用率：统计所选日期内到达现场的上门服务。",
    rows=ARRIVALS,
    tables=by_engineer,
    figures=(
        Figure(
            "engineers",
            "count",
            "Engineers who are registered by the end of the range or made a visit in it.",
            "所选日期结束前已登记或在所选日期内有上门记录的工程师人数。",
            "count(EngineerRegistered or with a visit)",
            Count(PEOPLE),
        ),
        Figure("visits", "count", "Arrivals at a site.", "到达现场的次数。", "count(EngineerArrived)", Count(_visits)),
        Figure(
            "visits_completed",
            "count",
            "Of these, visits whose work the customer accepted.",
            "其中客户已验收的上门次数。",
            "count(visits with ServiceCompleted)",
            Count(_completed),
        ),
        Figure(
            "visits_completed_per_engineer",
            "count",
            "Orders per engineer: completed visits for each engineer.",
            "工程师人均工单量：每名工程师完成的上门次数。",
            "visits_completed / engineers",
            ratio(_completed, PEOPLE),
        ),
        _hours(
            "on_site_h",
            "Hours at sites, from arrival until the work was last finished or the visit broken off.",
            "现场工时：从到达到最后一次完工或中止。",
            "sum(last WorkFinished or VisitAborted - EngineerArrived)",
            _on_site,
        ),
        _hours(
            "travel_h",
            "Hours on the way, from departure to arrival.",
            "路途工时：从出发到到达。",
            "sum(EngineerArrived - EngineerDeparted)",
            _travel,
        ),
        _hours(
            "shift_h",
            "Hours of shifts in the range, from each engineer's registration up to now, as the shifts are now.",
            "所选日期内（自登记起至今）按现行班次计算的应出勤工时。",
            "sum(shifts between max(from, registered) and min(to, now))",
            SHIFT,
        ),
        _share(
            "busy_share",
            "Utilisation: share of the shift hours spent at sites and on the way, of engineers whose shifts are known.",
            "利用率：班次已知的工程师现场与路途工时占应出勤工时的比例。",
            "(on_site + travel) / shift",
            Ratio([(1, _busy_on_site), (1, _busy_travel)], SHIFT),
        ),
        _share(
            "idle_share",
            "Idle rate: the rest of the shift hours; below zero when more was worked than the shifts hold.",
            "空闲率：其余应出勤工时的比例；加班时可为负。",
            "1 - busy_share",
            Ratio([(1, SHIFT), (-1, _busy_on_site), (-1, _busy_travel)], SHIFT),
        ),
        _share(
            "travel_share",
            "Travel share: hours on the way, of the hours on the way and at sites.",
            "路途占比：路途工时占路途与现场工时之和的比例。",
            "travel / (travel + on_site)",
            Ratio([(1, _travel)], _spent),
        ),
        Figure(
            "trips",
            "count",
            "Departures to a site in the range.",
            "所选日期内出发的次数。",
            "count(EngineerDeparted)",
            Count(Sum(TRIPS)),
        ),
        Figure(
            "empty_trips",
            "count",
            "Of these, the ones that were in vain: the visit was broken off or called off.",
            "其中空跑次数：上门被中止或取消。",
            "count(EngineerDeparted with VisitAborted or VisitCancelled)",
            Count(Sum(TRIPS, v.in_vain)),
        ),
        _share(
            "empty_trips_share",
            "Share of the departures that were in vain.",
            "空跑率：空跑次数占出发次数的比例。",
            "empty_trips / trips",
            ratio(Sum(TRIPS, v.in_vain), Sum(TRIPS)),
        ),
        Figure("by_engineer", "table", "The same for each engineer.", "按工程师列出的上述数据。", "as above"),
    ),
)
