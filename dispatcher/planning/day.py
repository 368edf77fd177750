"""
A published day in the product: requests come to intake, the planner plans, dispatcher, fieldwork and inventory act.

All services run in this process on a clock that is set to what happens next, and everything goes over their routes, as
the people of a company would do it. The planner knows a request when its order is on the board. When an engineer leaves
for a visit, the dispatcher gives it to her at its begin; until then it may move. An instant of an instance is a second
of a working day that begins at six in the morning.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import tempfile
from collections import Counter
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import httpx
import numpy as np

from dispatcher.planning.arrivals import BEFORE_S, Day, Played, PlayedChecked, Released, check_played, play
from dispatcher.planning.formats.benchmark import ReleasedBenchmark
from dispatcher.planning.model import CALL, Engineer, Plan, Problem, Travel, Violation, Visit
from dispatcher.planning.planner import Engine
from services.chassis.auth import Principal
from services.chassis.clock import SetClock
from services.demo.company import CODES, Company
from services.demo.people import People, Unexpected, found
from services.host import Host
from services.serving import all_in_one, tokens_of
from services.settings import Settings

TENANT: Final = "day"

BEGINS: Final = datetime(2026, 11, 29, 22, tzinfo=UTC)
"""Instant 0 of the instance: a Monday, six in the morning in Shanghai."""

LONG_S: Final = 12 * 3600
"""The longest shift takes so long."""

MIDDLE: Final = (39_921_000, 116_443_000)
"""Where the depot is, in millionths of a degree."""

UDEG_A_SECOND: Final = 30_000 / 3600 / 1.3 / 0.111_195
"""Of a way that takes a second as the dispatcher reckons it: 30 km/h, 1.3 m of road for each of beeline."""

DEPOT: Final = "DEPOT"


@dataclass(frozen=True)
class Lived:
    """What came of the day, in seconds."""

    released: Released
    """The instance as it was played."""
    unit: int
    """So many seconds are one of the instance's units."""
    played: Played
    """With the times that fieldwork recorded."""
    checked: PlayedChecked
    counts: dict[str, int]
    """What the services say of the day: requests, orders by state, visits, parts consumed."""


def in_seconds(benchmark: ReleasedBenchmark) -> tuple[Released, int]:
    """The same day in whole seconds, ways and work rounded up and windows inwards; how many are a unit."""
    released, scale = benchmark.problem, benchmark.scale
    problem = released.problem
    unit = max(1, LONG_S * scale // max(one.shift[1] for one in problem.engineers))

    def up(at: int) -> int:
        return -(-at * unit // scale)

    def within(window: tuple[int, int]) -> tuple[int, int]:
        return up(window[0]), max(up(window[0]), window[1] * unit // scale)

    far = -(-problem.travel.seconds * unit // scale)
    whole = replace(
        problem,
        engineers=[replace(one, shift=within(one.shift)) for one in problem.engineers],
        visits=[replace(one, duration=up(one.duration), window=within(one.window)) for one in problem.visits],
        travel=Travel(np.asarray(far, np.int64), np.asarray(far, np.int64)),
    )
    return Released(whole, [at if at < 0 else up(at) for at in released.release]), unit


class _Staff(People):
    """Everybody of the company; a token is good for an hour, and the day is longer."""

    def _token(self, role: str, person: str) -> str:
        user = f"{role}-{person}" if person else role
        return self._tokens.issue(Principal(user, self._tenant, role, person, "web"))


class _Product:
    """The running services, at the instant of what happened last."""

    def __init__(self, released: Released, staff: _Staff, clock: SetClock) -> None:
        self._released, self._problem, self._staff, self._clock = released, released.problem, staff, clock
        self.orders: dict[int, str] = {}
        self._requests: dict[int, str] = {}
        self._ahead: list[tuple[int, int, Coroutine[Any, Any, None]]] = []
        self._count = itertools.count()
        self._certain = [0] * len(released.problem.engineers)
        self._refused: set[int] = set()
        self._stock = [Counter(one.parts) for one in released.problem.engineers]
        self.visits: dict[int, str] = {}

    def _set(self, at: int) -> None:
        self._clock.set(max(self._clock.now(), BEGINS + timedelta(seconds=at)))

    async def until(self, now: int | None) -> None:
        """What was decided to happen up to then happens; None: all."""
        while self._ahead and (now is None or self._ahead[0][0] <= now):
            at, _, happening = heapq.heappop(self._ahead)
            self._set(at)
            await happening
        if now is not None:
            self._set(now)

    async def hear(self, at: int, heard: Sequence[int]) -> None:
        """Requests come in; they are on the board then."""
        for i in heard:
            body = {
                "request_type": _type_of(self._problem.visits[i]),
                "customer_id": f"C{i}",
                "description": "as published",
            }
            answer = await self._staff.call("POST", "/v1/requests", "agent", key=f"request-{i}", json=body)
            self._requests[i] = answer["id"]
        wanted = {self._requests[i]: i for i in heard}
        while wanted:
            board = await self._staff.until(
                "/v1/orders?state=waiting&limit=200",
                "dispatcher",
                lambda page: any(row["request_id"] in wanted for row in page["items"]),
            )
            for row in board["items"]:
                if (known := wanted.pop(row["request_id"], None)) is not None:
                    self.orders[known] = row["order_id"]

    def told(self, days: Sequence[Day], refused: Sequence[int]) -> None:
        """What has become certain will happen."""
        for row, day in enumerate(days):
            for k in range(self._certain[row], len(day.stops)):
                self._follow(row, day, k)
            self._certain[row] = len(day.stops)
        for i in set(refused) - self._refused:
            self._refused.add(i)
            self._at(max(0, self._released.release[i]), self._refuse(i))

    def _at(self, at: int, happening: Coroutine[Any, Any, None]) -> None:
        heapq.heappush(self._ahead, (at, next(self._count), happening))

    def _follow(self, row: int, day: Day, k: int) -> None:
        stop, begin, (place, leaves) = day.stops[k], day.begins[k], day.left[k]
        engineer = self._problem.engineers[row]
        if stop == CALL:
            self._at(begin, self._call(row, begin))
            return
        visit = self._problem.visits[stop]
        there = leaves + int(self._problem.travel.seconds[place, visit.place])
        self._at(leaves, self._depart(stop, engineer.id, begin))
        self._at(there, self._step(stop, engineer.id, "arrive"))
        self._at(begin, self._step(stop, engineer.id, "start"))
        self._at(begin + visit.duration, self._finish(stop, row))

    async def _depart(self, i: int, engineer: str, begin: int) -> None:
        order = self.orders[i]
        body = {
            "engineer_id": engineer,
            "starts_at": (BEGINS + timedelta(seconds=begin)).isoformat(),
            "reason": "as planned",
        }
        await self._staff.call("POST", f"/v1/orders/{order}/assign", "dispatcher", key=f"assign-{i}", json=body)
        page = await self._staff.until(f"/v1/visits?order_id={order}", "dispatcher", lambda page: page["items"])
        self.visits[i] = page["items"][0]["visit_id"]
        await self._step(i, engineer, "depart")

    async def _step(self, i: int, engineer: str, name: str, **body: Any) -> None:
        path = f"/v1/visits/{self.visits[i]}/{name}"
        key = f"{name}-{body.get('part_id', '')}-{i}"
        await self._staff.call("POST", path, "engineer", engineer, key, json=body)

    async def _finish(self, i: int, row: int) -> None:
        engineer, visit = self._problem.engineers[row], self._problem.visits[i]
        for part, n in sorted(visit.parts.items()):
            await self._step(i, engineer.id, "parts", part_id=_part(part), place_id=_van(engineer), quantity=n)
            self._stock[row][part] -= n
        await self._step(i, engineer.id, "finish", cause="wear", action="replaced", record="as published")
        await self._step(i, engineer.id, "accept", rating=5, signature="M10 40 L 90 40")

    async def _call(self, row: int, at: int) -> None:
        """At the depot she takes what the rest of the day may want."""
        engineer = self._problem.engineers[row]
        most = Counter({part: 100 for visit in self._problem.visits for part in visit.parts})
        lines = [{"part_id": _part(part), "quantity": n} for part, n in sorted(most.items())]
        body = {"from_place_id": DEPOT, "to_place_id": _van(engineer), "lines": lines, "reason": "restock"}
        sent = await self._staff.call("POST", "/v1/transfers", "operator", key=f"call-{row}", json=body)
        path = f"/v1/transfers/{sent['id']}/receive"
        await self._staff.call("POST", path, "engineer", engineer.id, f"called-{row}", json={})

    async def _refuse(self, i: int) -> None:
        path = f"/v1/orders/{self.orders[i]}/cancel"
        note = {"note": "nobody can come in its time"}
        await self._staff.call("POST", path, "dispatcher", key=f"refuse-{i}", json=note)

    async def recorded(self, played: Played) -> tuple[Played, dict[str, int]]:
        """The day with the times that fieldwork has of it, and what the services count."""
        rows: dict[str, Any] = {}
        for i in self.visits:
            rows[self.visits[i]] = await self._staff.call("GET", f"/v1/visits/{self.visits[i]}", "dispatcher")
        states: Counter[str] = Counter()
        for order in self.orders.values():
            states[(await self._staff.call("GET", f"/v1/orders/{order}", "dispatcher"))["state"]] += 1

        def second(at: str) -> int:
            return round((datetime.fromisoformat(at) - BEGINS).total_seconds())

        begins, left = [], []
        for route, at, from_ in zip(played.plan.routes, played.begins, played.left, strict=True):
            seen = [None if stop == CALL else rows[self.visits[stop]] for stop in route]
            begins.append(
                tuple(b if row is None else second(row["started_at"]) for row, b in zip(seen, at, strict=True))
            )
            left.append(
                tuple(
                    (place, t if row is None else second(row["departed_at"]))
                    for row, (place, t) in zip(seen, from_, strict=True)
                )
            )
        departures = tuple(each[0][1] if each else None for each in left)
        counts = {
            "requests": len(self._requests),
            "orders_finished": states["finished"],
            "orders_cancelled": states["cancelled"],
            "visits_completed": sum(row["state"] == "completed" for row in rows.values()),
            "parts_used": sum(line["quantity"] for row in rows.values() for line in row["parts"]),
        }
        return Played(played.plan, departures, tuple(begins), tuple(left), played.refused), counts


def _type_of(visit: Visit) -> str:
    return "-".join([*sorted(visit.skills), f"{visit.duration}s"]).replace(" ", "-")


def _part(name: str) -> str:
    return name.replace(" ", "-")


def _van(engineer: Engineer) -> str:
    return f"VAN-{engineer.id}"


def _company(released: Released) -> Company:
    """Who has to be known before the first request."""
    problem = released.problem
    depot = problem.travel.seconds[0 if problem.depot is None else problem.depot]

    def there(place: int, n: int) -> dict[str, int]:
        """As far from the depot as it is; the direction is nobody's concern."""
        way = float(depot[place]) * UDEG_A_SECOND
        return {"lat_udeg": round(MIDDLE[0] + way * np.cos(n)), "lon_udeg": round(MIDDLE[1] + way * np.sin(n))}

    engineers = []
    for n, one in enumerate(problem.engineers):
        home = there(one.start, n)
        engineers.append(
            {
                "engineer_id": one.id,
                "name": f"engineer {one.id}",
                "skills": sorted(one.skills) or ["anything"],
                "region": "朝阳区",
                "home_lat_udeg": home["lat_udeg"],
                "home_lon_udeg": home["lon_udeg"],
                "shifts": [{"weekday": day, "from_minute": 0, "to_minute": 1440} for day in range(7)],
                "van_id": _van(one),
                "daily_limit": 100,
            }
        )
    types = {}
    for visit in problem.visits:
        first, *more = sorted(visit.skills) or [""]
        needs = {"needs_device": False, "skill": first, "more_skills": more, "duration_s": max(60, visit.duration)}
        types[_type_of(visit)] = {"name": _type_of(visit), **needs}
    parts = sorted({part for visit in problem.visits for part in visit.parts})
    vans = [{"place_id": _van(one), "kind": "van", "name": _van(one), "region": "朝阳区"} for one in problem.engineers]
    counts = [
        {"part_id": _part(part), "place_id": _van(one), "quantity": one.parts.get(part, 0)}
        for one in problem.engineers
        for part in parts
        if one.parts.get(part, 0)
    ]
    enough = 100 * len(problem.engineers)
    return Company(
        request_types=types,
        customers=[
            {
                "customer_id": f"C{i}",
                "name": f"customer {visit.id}",
                "phone": f"1380000{i:04}",
                "street": "演示路 1 号",
                "kind": "person",
                "region": "朝阳区",
                **there(visit.place, i),
            }
            for i, visit in enumerate(problem.visits)
        ],
        devices=[],
        engineers=engineers,
        places=[{"place_id": DEPOT, "kind": "warehouse", "name": DEPOT, "region": "朝阳区"}, *vans],
        parts=[{"part_id": _part(part), "name": part, "usual_quantity": 0} for part in parts],
        counts=[*counts, *({"part_id": _part(part), "place_id": DEPOT, "quantity": enough} for part in parts)],
        service_codes=[CODES],
    )


async def lived(benchmark: ReleasedBenchmark, seconds: float, seed: int, before: float = BEFORE_S) -> Lived:
    """
    The day, with `seconds` of search at each release and `before` it; nothing is kept of it but what is returned.

    Raises Unexpected where a service answers what it should not.
    """
    released, unit = in_seconds(benchmark)
    engine = Engine(seed)
    with tempfile.TemporaryDirectory(prefix="fieldloop-day-") as folder:
        try:
            played, counts = await _run(released, Settings(data=Path(folder)), engine, (before, seconds))
        finally:
            engine.close()
    return Lived(released, unit, played, check_played(released, played), counts)


async def _run(
    released: Released, settings: Settings, engine: Engine, seconds: tuple[float, float]
) -> tuple[Played, dict[str, int]]:
    clock = SetClock(BEGINS - timedelta(hours=1))
    async with all_in_one(settings, clock=clock) as (host, app):
        if not await host.led():
            raise Unexpected("the services do not begin to write")
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://day", timeout=60) as client:
            staff = _Staff(client, tokens_of(settings, clock), TENANT)
            # What is offered first is given to nobody by rule: the planner is to say who goes.
            rules = {"offered_first": [{}], "offer_minutes": 1_440, "daily_limit": 100}
            await staff.call("POST", "/v1/dispatch-rules", "manager", key="rules", json=rules)
            await found(staff, _company(released), "day")
            product = _Product(released, staff, clock)
            played = await _played(released, product, engine, seconds)
            await product.until(None)
            await _settled(host)
            return await product.recorded(played)


async def _played(released: Released, product: _Product, engine: Engine, seconds: tuple[float, float]) -> Played:
    """The planner's loop beside that of the services: it stops at each release until they have come so far."""
    loop = asyncio.get_running_loop()

    def improve(problem: Problem, begin: Plan, now: int) -> Plan:
        heard = [i for i, at in enumerate(released.release) if at == now]

        async def catch_up() -> None:
            await product.until(max(0, now) if now >= 0 else -3_600)
            await product.hear(now, heard)

        asyncio.run_coroutine_threadsafe(catch_up(), loop).result()
        return engine.better(problem, begin, seconds[1] if now >= 0 else max(seconds))

    return await asyncio.to_thread(play, released, improve, product.told)


async def _settled(host: Host) -> None:
    if not await host.idle():
        raise Unexpected("something is left to take in or to show")


def violations(lived: Lived) -> list[Violation]:
    """Of the rules of plans by what fieldwork recorded, and of what the services hold against it."""
    found_ = list(lived.checked.violations)
    served = len(lived.played.plan.served)
    for name, wanted in (
        ("visits_completed", served),
        ("orders_finished", served),
        ("orders_cancelled", len(lived.played.refused)),
    ):
        if lived.counts[name] != wanted:
            found_.append(Violation("left out", f"{name} is {lived.counts[name]} where the day has {wanted}"))
    return found_
