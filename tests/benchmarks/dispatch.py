"""
Planning of published instances: ours, the bare library beside it where it can say the problem, and the best known.

    python -m tests.benchmarks.dispatch            # a named subset, within 30 minutes; `make bench-dispatch`
    … --full                                       # every instance that is there, over night
    … --quick                                      # 10 seconds where 60 are meant; about 8 minutes
    … --only trsp --json

A plan that breaks a rule has no value here. One thread, one seed; the seconds are those of the search.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from dispatcher.planning.arrivals import BEFORE_S, check_played, play
from dispatcher.planning.engines.given import given
from dispatcher.planning.engines.routes import empty_routes, put, rebuilt
from dispatcher.planning.engines.ruin import best_place
from dispatcher.planning.formats import files
from dispatcher.planning.formats.benchmark import ReleasedBenchmark, TeamBenchmark
from dispatcher.planning.model import Engineer, Plan, Problem, Travel, Unfit, Visit, Weights
from dispatcher.planning.planner import Engine, plan, plan_teams
from tests.benchmarks import live
from tests.dispatcher.planning.published import DATA

SUBSET = {
    "trsp": ("R103", "RC104", "C104"),
    "dynamic": ("R103", "RC202"),
    "solomon": ("R104", "RC108"),
    "gh1000": ("RC2_10_5",),
    "gh200-400": ("r1_2_4",),
    "pcvrptw": ("RC2_10_5",),
    "mdvrptw": ("PR11A",),
    "hhcrsp": ("50_1", "100_1", "200_1"),
    "roadef2007": ("A5", "A7", "B9"),
}

DAY_S = 86_400

LEFT_OUT = 200_000
"""What an order costs that is left out: more than any way to it."""


@dataclass
class Row:
    family: str
    instance: str
    seconds: float
    best: float
    ours: float | None
    ours_gap: float | None
    library: float | None
    library_gap: float | None
    note: str = ""
    refused: int = 0
    published: int = 0
    """Refused by the published method, of a day as it comes."""


def table(name: str) -> list[dict[str, str]]:
    with (DATA / name).open() as lines:
        return list(csv.DictReader(lines))


def cost_of(file: Path) -> float:
    return float(file.read_text().split()[-1])


def instances(family: str) -> Iterator[tuple[Path, float]]:
    """Every instance of the family that is there, and what is best known of it."""
    match family:
        case "trsp":
            for row in table("trsp/bks.csv"):
                values = (row["bks_duration_with_routes"], row["bks_duration_paper2013"])
                yield DATA / f"trsp/{row['instance']}.txt", min(float(one) for one in values if one)
        case "solomon":
            for row in table("solomon/bks_dimacs.csv"):
                yield DATA / f"solomon/{row['instance']}.txt", float(row["bks_distance"])
        case "gh1000" | "pcvrptw" | "mdvrptw":
            for file in sorted((DATA / family).glob("*.vrp")):
                scale = {"gh1000": 1, "pcvrptw": 10, "mdvrptw": 1000}[family]
                yield file, cost_of(file.with_suffix(".sol")) / scale
        case "gh200-400":
            for row in table("gh200-400/bks_hierarchical.csv"):
                yield DATA / f"gh200-400/{row['instance']}.txt", float(row["distance"])
        case "hhcrsp":
            for line in (DATA / "hhcrsp/best_known.md").open():
                cells = [cell.strip() for cell in line.split("|")]
                if len(cells) > 6 and cells[1].endswith(".json"):
                    yield DATA / "hhcrsp" / cells[1], float(cells[5])
        case "roadef2007":
            for row in table("roadef2007/best_known.csv"):
                yield DATA / "roadef2007" / row["instance"], float(row["best_known"])


def value_of(file: Path, seconds: float, engine: str) -> tuple[float | None, str]:
    benchmark = files.read(file)
    try:
        if isinstance(benchmark, TeamBenchmark):
            teams = plan_teams(benchmark.problem, seconds)
            return (None, "broken") if teams.checked.violations else (teams.checked.cost, "")
        assert not isinstance(benchmark, ReleasedBenchmark)
        planned = plan(benchmark.problem, seconds, engine=engine)
    except Unfit as wrong:
        return None, str(wrong)
    if planned.checked.violations:
        return None, f"{engine}: {len(planned.checked.violations)} broken"
    routes = f"{planned.checked.used} routes" if "routes" in benchmark.objective else ""
    return benchmark.value(planned.checked), routes


def gap(value: float | None, best: float) -> float | None:
    return None if value is None else round(100 * (value / best - 1), 2)


def static(family: str, chosen: Any, seconds: list[float]) -> Iterator[Row]:
    for file, best in instances(family):
        if not chosen(file.stem):
            continue
        for limit in seconds:
            ours, note = value_of(file, limit, "auto")
            library, why = (None, "") if family in ("hhcrsp", "roadef2007") else value_of(file, limit, "pyvrp")
            said = ", ".join(one for one in (note, why) if one)
            yield Row(family, file.stem, limit, best, ours, gap(ours, best), library, gap(library, best), said)


def dynamic(chosen: Any, seconds: list[float]) -> Iterator[Row]:
    """
    `best` is the published working time: of regret-3 for insertion alone, else of the parallel ALNS.

    One child process searches for all days, so that none waits for another to start.
    """
    engine = Engine()
    stated = {row["release_file"]: row for row in table("trsp/dyn_reference.csv")}
    for file in sorted((DATA / "trsp/dyn").glob("*.txt")):
        row = stated.get(file.name)
        if row is None or not chosen(file.stem):
            continue
        benchmark = files.read(file)
        assert isinstance(benchmark, ReleasedBenchmark)
        for limit in seconds:
            before = max(BEFORE_S, limit)

            def better(rest: Problem, begin: Plan, now: int, limit: float = limit, before: float = before) -> Plan:
                return engine.better(rest, begin, before if now < 0 else limit)

            day = play(benchmark.problem, better)
            checked = check_played(benchmark.problem, day)
            which = (
                ("palns_waiting_best_duration", "palns_waiting_rejected")
                if limit
                else ("regret3_duration", "regret3_rejected")
            )
            best, theirs = float(row[which[0]]), row[which[1]]
            ours = None if checked.violations else checked.cost / benchmark.scale
            note = f"refused {len(day.refused)}, published {theirs}"
            refused = len(day.refused), round(float(theirs))
            yield Row("dynamic", file.stem, limit, best, ours, gap(ours, best), None, None, note, *refused)
    engine.close()


def city(engineers: int, orders: int, seed: int, days: int = 1) -> Problem:
    """
    Invented, of 60 x 60 km; an engineer of each day is one of its own.

    8 skills of which an engineer has half, windows of 1 to 4 hours, shifts of 10 hours, 30 minutes a visit.
    """
    chance = random.Random(seed)
    skills = [f"skill {i}" for i in range(8)]
    at = np.array([(chance.random() * 60_000, chance.random() * 60_000) for _ in range(engineers + orders)])
    metres = np.rint(np.sqrt(((at[:, None, :] - at[None, :, :]) ** 2).sum(axis=2)) * 1.35).astype(np.int64)
    has = [{one: 1 for one in chance.sample(skills, 4)} for _ in range(engineers)]
    who = [
        Engineer(f"e{i} {day}", i, i, (day * DAY_S, day * DAY_S + 36_000), skills=has[i], overtime=3600)
        for i in range(engineers)
        for day in range(days)
    ]
    visits = []
    for i in range(orders):
        opens = chance.randrange(days) * DAY_S + chance.randrange(0, 32_000)
        closes = opens + chance.randrange(3_600, 14_400)
        visits.append(
            Visit(f"o{i}", engineers + i, 1800, (opens, closes), skills={chance.choice(skills): 1}, prize=LEFT_OUT)
        )
    return Problem(who, visits, Travel(metres // 10, metres), Weights(distance=1, duration=1, overtime=2))


def sized(engineers: int, orders: int, days: int, seconds: float, engine: str) -> str:
    """A large plan: what it costs, how many are left out, and the most memory that its child took."""
    size = f"{engineers} engineers x {orders} orders x {days} days, {seconds:g} s"
    try:
        planned = plan(city(engineers, orders, 1, days), seconds, engine=engine)
    except Unfit as wrong:
        return f"{size}: {engine} {wrong}"
    checked = planned.checked
    return (
        f"{size}: {planned.engine}: cost {checked.cost:,}, left out {len(checked.left_out)}, "
        f"{len(checked.violations)} violations, {checked.distance // 1000:,} km, {planned.seconds:.0f} s in all, "
        f"{resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20:.2f} GB"
    )


def sizes(quick: bool, seconds: float | None) -> Iterator[str]:
    """Each in a process of its own, which is asked how much memory its children took."""
    short, long = (10.0, 60.0) if quick else (60.0, 300.0)
    for size in ((100, 1000, 1, short, "auto"), (100, 1000, 1, short, "pyvrp"), (50, 4000, 14, long, "auto")):
        asked = size if seconds is None else (*size[:3], seconds, size[4])
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            yield fresh.submit(sized, *asked).result()


def insertion(engineers: int, orders: int, seed: int = 1) -> str:
    """The orders of `city`: each goes to its cheapest place as it comes, and is timed."""
    problem = city(engineers, orders, seed)
    arrays = given(problem)
    routes = empty_routes(arrays, 60)
    for row in range(engineers):
        rebuilt(arrays, routes, row)
    tried, took, busy, refused = np.zeros(engineers, np.int64), [], [], 0
    best_place(arrays, routes, 0, 0.0, tried, -1)
    for i in range(orders):
        begin, cpu = time.perf_counter(), time.thread_time()
        _, row, place, call = best_place(arrays, routes, i, 0.0, tried, i + 1)
        if row >= 0:
            put(arrays, routes, row, i, place, call)
        took.append(time.perf_counter() - begin)
        busy.append(time.thread_time() - cpu)
        refused += row < 0
    p50, p99 = (1000 * sorted(took)[int(share * orders)] for share in (0.5, 0.99))
    of_cpu = 1000 * sorted(busy)[int(0.99 * orders)]
    return (
        f"insertion, {engineers} engineers x {orders} orders: p50 {p50:.2f} ms, p99 {p99:.2f} ms "
        f"({of_cpu:.2f} of CPU), "
        f"whole day {sum(took):.2f} s, {refused} refused"
    )


def rows(only: str, full: bool, quick: bool, seconds: float | None) -> Iterator[Row]:
    long = 10.0 if quick else 60.0
    for family, names in SUBSET.items():
        if only and family != only:
            continue

        def chosen(stem: str, names: tuple[str, ...] = names, family: str = family) -> bool:
            name = stem.partition(".")[0]
            return full or any(name == one or (family == "hhcrsp" and name.endswith(one)) for one in names)

        if family == "dynamic":
            yield from dynamic(chosen, [seconds] if seconds is not None else [0.0, 0.2] if quick else [0.0, 1.0])
        elif family in ("trsp", "hhcrsp", "roadef2007"):
            yield from static(family, chosen, [long if seconds is None else seconds])
        else:
            limits = [1.0, 10.0, 60.0] if full else [1.0, 10.0]
            yield from static(family, chosen, limits if seconds is None else [seconds])


def of_days(found: list[Row]) -> Iterator[str]:
    """Of days as they come, the means at each degree: refused and working time, ours and published."""
    days = [row for row in found if row.family == "dynamic"]
    for degree, limit in dict.fromkeys((row.instance.rpartition("_")[2], row.seconds) for row in days):
        those = [row for row in days if row.instance.endswith(f"_{degree}") and row.seconds == limit]
        refused, published = (statistics.mean(n) for n in zip(*[(r.refused, r.published) for r in those], strict=True))
        longer = statistics.mean(row.ours_gap for row in those if row.ours_gap is not None)
        yield (
            f"dynamic {degree} %, {limit:g} s, {len(those)} days: refused {refused:.2f} of 100, published "
            f"{published:.2f}; working time {longer:+.1f} % of the published"
        )


def shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", default="", choices=["", "insertion", "live", "sizes", *SUBSET])
    asked.add_argument("--full", action="store_true")
    asked.add_argument("--quick", action="store_true")
    asked.add_argument("--seconds", type=float, help="in place of those of each family; 0: insertion alone")
    asked.add_argument("--json", action="store_true")
    chosen = asked.parse_args()
    if not DATA.is_dir():
        sys.exit("the published instances must lie in ../shared/data/dispatch, beside the checkout")
    found: list[Row] = []
    print(
        "| family | instance | s | best known | ours | gap % | PyVRP | gap % | |\n|---|---|---|---|---|---|---|---|---|"
    )
    for row in rows(chosen.only, chosen.full, chosen.quick, chosen.seconds):
        found.append(row)
        cells = [row.family, row.instance, f"{row.seconds:g}", shown(row.best), shown(row.ours), shown(row.ours_gap)]
        print("| " + " | ".join([*cells, shown(row.library), shown(row.library_gap), row.note]) + " |", flush=True)
    if chosen.only in ("", "live"):
        for row in live.rows():
            print(row, flush=True)
    if chosen.only in ("", "insertion"):
        print(insertion(300, 3000))
        if chosen.full:
            print(insertion(10_000, 3000))
    if chosen.only in ("", "sizes"):
        for line in sizes(chosen.quick, chosen.seconds):
            print(line, flush=True)
    for line in of_days(found):
        print(line)
    for family, limit in dict.fromkeys((row.family, row.seconds) for row in found):
        gaps = [r.ours_gap for r in found if (r.family, r.seconds) == (family, limit) and r.ours_gap is not None]
        if gaps:
            print(f"{family}, {limit:g} s: mean gap {statistics.mean(gaps):.2f} % of {len(gaps)}")
    print(f"load of the machine at the end: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    if chosen.json:
        print(json.dumps([asdict(row) for row in found]))


if __name__ == "__main__":
    main()
