"""Where the hours of engineers go: of the visits whose arrival lies in the range, and the shifts in it up to now."""

from __future__ import annotations

from collections import defaultdict
from functools import cache

from sqlalchemy import and_, case, func, select, true

from reporting.figures import Value, hours, mean, share, shift_us, shown
from reporting.projections.engineer_hours import ENGINEERS, VISITS, shifts_of
from reporting.report import Fetch, Figure, Report, Scope
from services.chassis.clock import micros

_v, _e = VISITS.table.c, ENGINEERS.table.c

LEFT = _v.left_at.is_not(None)
TRAVELLED = and_(_v.departed_at.is_not(None), _v.arrived_at.is_not(None))


async def compute(fetch: Fetch, scope: Scope) -> dict[str, Value]:
    sums = select(
        _v.engineer_id,
        func.count().label("visits"),
        func.sum(case((_v.completed, 1), else_=0)).label("completed"),
        func.sum(case((LEFT, _v.left_at - _v.arrived_at), else_=0)).label("on_site"),
        func.sum(case((TRAVELLED, _v.arrived_at - _v.departed_at), else_=0)).label("travel"),
    )
    of_visits = await fetch(sums.where(scope.holds(_v.arrived_at)).group_by(_v.engineer_id))
    shifts = await fetch(select(_e.engineer_id, _e.since, _e.zone, _e.shifts))
    end = min(scope.end, micros(scope.now))

    # Most engineers share a few patterns of work, which are unfolded over the days once.
    @cache
    def in_shift(packed: bytes, zone: str, begin: int) -> int:
        return shift_us(shifts_of(packed), zone, begin, end) if begin < end else 0

    by_engineer: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for row in shifts:
        begin = max(scope.begin, row["since"])
        by_engineer[row["engineer_id"]]["shift"] = in_shift(row["shifts"], row["zone"], begin)
    for row in of_visits:
        by_engineer[row["engineer_id"]].update({n: int(row[n]) for n in ("visits", "completed", "on_site", "travel")})

    def total(name: str) -> int:
        return sum(one[name] for one in by_engineer.values())

    # Hours of engineers whose shifts are not known would make the others look busier than they are.
    known = [one for one in by_engineer.values() if one["shift"]]
    shift, busy = sum(one["shift"] for one in known), sum(one["on_site"] + one["travel"] for one in known)
    return {
        "engineers": len(by_engineer),
        "visits": total("visits"),
        "visits_completed": total("completed"),
        "visits_completed_per_engineer": shown(mean(total("completed"), len(by_engineer))),
        "on_site_h": hours(total("on_site")),
        "travel_h": hours(total("travel")),
        "shift_h": hours(shift),
        "busy_share": share(busy, shift),
        "idle_share": share(shift - busy, shift),
        "by_engineer": [
            {
                "engineer_id": engineer_id,
                "visits": one["visits"],
                "visits_completed": one["completed"],
                "on_site_h": hours(one["on_site"]),
                "travel_h": hours(one["travel"]),
                "shift_h": hours(one["shift"]),
                "busy_share": share(one["on_site"] + one["travel"], one["shift"]),
            }
            for engineer_id, one in sorted(by_engineer.items())
        ],
    }


UTILISATION = Report(
    name="utilisation",
    en="Where the hours of engineers go, over the visits whose arrival lies in the range.",
    zh="资源利用率：统计所选日期内到达现场的上门服务。",
    figures=(
        Figure(
            "engineers",
            "count",
            "Engineers who are registered or made a visit in the range.",
            "已登记或在所选日期内有上门记录的工程师人数。",
            "count(EngineerRegistered or with a visit)",
        ),
        Figure("visits", "count", "Arrivals at a site.", "到达现场的次数。", "count(EngineerArrived)", true()),
        Figure(
            "visits_completed",
            "count",
            "Of these, visits whose work the customer accepted.",
            "其中客户已验收的上门次数。",
            "count(visits with ServiceCompleted)",
            _v.completed,
        ),
        Figure(
            "visits_completed_per_engineer",
            "count",
            "Completed visits for each engineer.",
            "工程师人均工单量。",
            "visits_completed / engineers",
            _v.completed,
        ),
        Figure(
            "on_site_h",
            "hours",
            "Hours at sites, from arrival until the work was last finished or the visit broken off.",
            "现场工时：从到达到最后一次完工或中止。",
            "sum(last WorkFinished or VisitAborted - EngineerArrived)",
            LEFT,
        ),
        Figure(
            "travel_h",
            "hours",
            "Hours on the way, from departure to arrival.",
            "路途工时：从出发到到达。",
            "sum(EngineerArrived - EngineerDeparted)",
            TRAVELLED,
        ),
        Figure(
            "shift_h",
            "hours",
            "Hours of shifts in the range, from each engineer's registration up to now, as the shifts are now.",
            "所选日期内（自登记起至今）按现行班次计算的应出勤工时。",
            "sum(shifts between max(from, registered) and min(to, now))",
        ),
        Figure(
            "busy_share",
            "share",
            "Share of the shift hours spent at sites and on the way, of engineers whose shifts are known.",
            "班次已知的工程师现场与路途工时占应出勤工时的比例。",
            "(on_site + travel) / shift",
        ),
        Figure(
            "idle_share",
            "share",
            "The rest of the shift hours; below zero when more was worked than the shifts hold.",
            "空闲率：其余应出勤工时的比例；加班时可为负。",
            "1 - busy_share",
        ),
        Figure("by_engineer", "table", "The same for each engineer.", "按工程师列出的上述数据。", "as above"),
    ),
    compute=compute,
    id_column=_v.visit_id,
    at_column=_v.arrived_at,
)
