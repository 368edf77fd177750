"""
All benchmarks as one table: `make bench`, or `python -m tests.benchmarks.run [--quick] [--json] [--only NAME]`.

Every row measures ours, the raw limit and the peer in turns within this run, so that what else the machine does falls
on all of them; the ratio counts. What each row is, and what it means: docs/reference/performance.md.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

import structlog
import uvloop

from deploy.kafka import local as kafka
from deploy.postgres import local as postgres
from deploy.postgres.local import LocalPostgres
from services.serving import calm_collector
from tests.benchmarks import (
    bench_command,
    bench_growth,
    bench_http,
    bench_ingest,
    bench_latency,
    bench_log,
    bench_poison,
    bench_rebuild,
    bench_report_pdf,
    bench_sla,
)
from tests.benchmarks.grown import grown
from tests.benchmarks.measure import Row, median, settle


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    commands: int
    saves: int
    rounds: int
    http: int
    ingest: int
    ingest_rounds: int
    rebuild: int
    projection: int
    latency_s: float
    growth: tuple[int, int]
    restated: int
    log: tuple[int, int]
    """Records over all journals, short and long."""
    log_requests: int
    """So many requests were really served; the others are like them."""
    poison_rounds: int
    replay: tuple[float, int]
    """Seconds of each round, and rounds with and without a replay."""


QUICK = Size(
    10_000, 800, 3, 2_000, 20_000, 1, 40_000, 3_000, 5, (10_000, 50_000), 5_000, (10_000, 30_000), 6, 2, (5, 1)
)
FULL = Size(
    20_000,
    3_000,
    5,
    5_000,
    50_000,
    3,
    100_000,
    20_000,
    20,
    (100_000, 1_000_000),
    100_000,
    (100_000, 1_000_000),
    40,
    10,
    (20, 3),
)

COMMAND_SQLITE = "full command, SQLite, 128 concurrent"
COMMAND_POSTGRES = "full command, PostgreSQL, 128 concurrent"
HTTP = "HTTP command, durable"
INGEST = "Kafka → journal ingest"
REBUILD = "rebuild of all views, SQLite"
REBUILD_POSTGRES = "rebuild of all views, PostgreSQL"
EMBEDDED = "request → assignment readable, embedded"
DISTRIBUTED = "request → assignment readable, Kafka + PostgreSQL"
GROWTH = "CPU per event as the journal grows"
VERIFY = "verify of all journals"
AUDIT = "audit of one request"
REBUILD_ALL = "rebuild of all services, SQLite"
POISON = "p99 of other keys beside a poisoned one"
REPLAY = "p99 of live requests beside a replay"
RESTATEMENT = "orders restated by a changed calendar"
PAPER = "service report with 8 photos of 12 MP, PDF"


def command_sqlite(size: Size, folder: Path) -> list[Row]:
    async def rounds() -> list[tuple[float, float, float, float, float]]:
        """Rates on the clock of ours, raw and peer; and by CPU, ours over raw and over the peer."""
        found = []
        async with bench_command.on_sqlite(folder) as running:
            await bench_command.ask_all(running, 10_000_000, size.commands // 5)
            for turn in range(size.rounds):
                place = folder / str(turn)
                place.mkdir()
                begin = running.writer.position if running.writer else 0
                settle()
                ours = await bench_command.ask_all(running, turn * size.commands, size.commands)
                records = await bench_command.records_of(running, begin, size.commands)
                settle()
                raw = await bench_command.raw_sqlite(place, records)
                settle()
                peer = bench_command.peer(bench_command.peer_env(None, place), size.saves)
                rates = size.commands / ours.wall, size.commands / raw.wall, size.saves / peer.wall
                per_core = size.commands / ours.cpu
                found.append((*rates, raw.cpu / ours.cpu, per_core / (size.saves / peer.cpu)))
        return found

    found = uvloop.run(rounds())
    ours, raw, peer, of_raw_cpu, of_peer_cpu = (median(figures) for figures in zip(*found, strict=True))
    of_raw, of_peer = median(o / r for o, r, *_ in found), median(o / p for o, _, p, *_ in found)
    note = f"commands/s; by CPU {of_raw_cpu:.2f} of raw and {of_peer_cpu:.1f} of the peer; aim 0.25"
    holds = of_raw >= 0.15 and of_peer >= 3
    return [Row(COMMAND_SQLITE, "raw 0.15, peer 3", ours, raw, peer, of_raw, of_peer, holds, note)]


def command_postgres(size: Size, folder: Path) -> list[Row]:
    bar = "peer 5"
    if why := postgres.missing() or _no_psycopg():
        return [Row(COMMAND_POSTGRES, bar, note=why)]
    with LocalPostgres(folder / "postgres") as server:
        found = []
        for turn in range(size.rounds):
            dsn, theirs = server.create_database(f"ours{turn}"), server.create_database(f"peer{turn}")
            settle()
            ours = size.commands / uvloop.run(_on_postgres(dsn, folder, size.commands))
            settle()
            env = bench_command.peer_env(theirs, folder)
            found.append((ours, size.saves / bench_command.peer(env, size.saves, bench_command.THREADS).wall))
    ours, peer = (median(figures) for figures in zip(*found, strict=True))
    ratio = median(o / p for o, p in found)
    note = "commands/s; the peer has 4 threads; aim 8"
    return [Row(COMMAND_POSTGRES, bar, ours, None, peer, None, ratio, ratio >= 5, note)]


async def _on_postgres(dsn: str, folder: Path, commands: int) -> float:
    async with bench_command.on_postgres(dsn, folder) as running:
        await bench_command.ask_all(running, 10_000_000, commands // 5)
        return (await bench_command.ask_all(running, 0, commands)).wall


def http(size: Size, folder: Path) -> list[Row]:
    return [bench_http.measure(size.http, HTTP)]


def ingest(size: Size, folder: Path) -> list[Row]:
    bar = "raw 0.3"
    if why := kafka.missing():
        return [Row(INGEST, bar, note=why)]
    found = bench_ingest.measure(size.ingest, size.ingest_rounds)
    ratio, of_peer = found["ratio"], found["ours"] / found["peer"]
    note = (
        f"events per second of CPU; peer: FastStream's batch path, which keeps nothing; "
        f"{found['of_floor']:.2f} of the same rows written by hand"
    )
    return [Row(INGEST, bar, found["ours"], found["raw"], found["peer"], ratio, of_peer, ratio >= 0.3, note)]


def rebuild(size: Size, folder: Path) -> list[Row]:
    found = uvloop.run(bench_rebuild.on_sqlite_beside_raw(folder, size.rebuild, size.rounds))
    ours, raw = median(n / mine.wall for n, mine, _ in found), median(n / least.wall for n, _, least in found)
    ratio = median(least.wall / mine.wall for _, mine, least in found)
    by_cpu = median(least.cpu / mine.cpu for _, mine, least in found)
    note = f"events/s over {found[0][0]:,} events; the raw one folds nothing; by CPU {by_cpu:.2f}"
    return [Row(REBUILD, "raw 0.5", ours, raw, None, ratio, None, ratio >= 0.5, note)]


def rebuild_postgres(size: Size, folder: Path) -> list[Row]:
    bar = "peer 20"
    if why := postgres.missing() or _no_psycopg():
        return [Row(REBUILD_POSTGRES, bar, note=why)]
    with LocalPostgres(folder / "postgres") as server:
        dsn = server.create_database("ours")
        mine = uvloop.run(bench_rebuild.on_postgres_alone(dsn, folder, size.rebuild, 3))
        settle()
        seen, span = bench_rebuild.peer(server.create_database("peer"), folder, size.projection)
    ours, peer = median(n / each.wall for n, each in mine), seen / span.wall
    note = "events/s; peer: tracked projection that puts no rows"
    return [Row(REBUILD_POSTGRES, bar, ours, None, peer, None, ours / peer, ours / peer >= 20, note)]


def embedded(size: Size, folder: Path) -> list[Row]:
    return _latency(EMBEDDED, bench_latency.embedded(folder, size.latency_s), 50, 400)


def distributed(size: Size, folder: Path) -> list[Row]:
    if why := kafka.missing() or postgres.missing():
        return [Row(f"{DISTRIBUTED}, {which}", f"{most} ms", note=why) for which, most in (("p50", 150), ("p99", 1000))]
    return _latency(DISTRIBUTED, bench_latency.distributed(folder, size.latency_s), 150, 1_000)


def _latency(name: str, found: bench_latency.Latency, p50: float, p99: float) -> list[Row]:
    note = f"ms at {bench_latency.RATE} requests/s; {found.cpu_ms_per_request:.1f} ms of CPU per request"
    return [
        Row(f"{name}, p50", f"{p50:g} ms", found.p50, holds=found.p50 <= p50, note=note),
        Row(f"{name}, p99", f"{p99:g} ms", found.p99, holds=found.p99 <= p99, note=note),
    ]


def growth(size: Size, folder: Path) -> list[Row]:
    at_short, at_long = uvloop.run(bench_growth.measure(folder, *size.growth))
    short, long = size.growth
    ratio = at_long / at_short
    name = f"{GROWTH}, {long:,} against {short:,}"
    note = f"µs of CPU per event; raw is itself at {short:,}; median of {bench_growth.RUNS}; at most 1.6"
    return [Row(name, "itself 1.6", at_long, at_short, None, ratio, None, ratio <= 1.6, note)]


def verify(size: Size, folder: Path) -> list[Row]:
    settings = grown(size.log[1], size.log_requests)
    raw = bench_log.verify_raw(settings)
    events, ours = bench_log.verify(settings)
    rate, ratio = events / ours.cpu, raw.cpu / ours.cpu
    note = (
        f"records per second of CPU over {events:,}, {events / ours.wall:,.0f} by the clock; raw reads and hashes them"
    )
    return [Row(VERIFY, "1 M in 2 min", rate, events / raw.cpu, None, ratio, None, rate >= 1e6 / 120, note)]


def audit(size: Size, folder: Path) -> list[Row]:
    settings = grown(size.log[1], size.log_requests)
    asked = [bench_log.a_request(settings, seed) for seed in range(10)]
    ours = max(bench_log.audit(settings, *one) for one in asked) * 1_000
    raw = max(bench_log.audit_raw(settings, *one) for one in asked) * 1_000
    note = f"ms, the longest of {len(asked)} on {size.log[1]:,} records; raw: the rows alone"
    return [Row(AUDIT, "1,000 ms", ours, raw, None, raw / ours, None, ours <= 1_000, note)]


def rebuild_all(size: Size, folder: Path) -> list[Row]:
    with bench_log.processes(grown(size.log[0], size.log_requests)) as each:
        short = max(one.peak_mib for one in each(bench_log.rebuild_one))
    with bench_log.processes(grown(size.log[1], size.log_requests)) as each:
        ours, raw = each(bench_log.rebuild_one), each(bench_log.decode_one)
    events, cpu, least = (
        sum(figures) for figures in ((o.events for o in ours), (o.cpu for o in ours), (r.cpu for r in raw))
    )
    rate, long = events / cpu, max(one.peak_mib for one in ours)
    by_clock = events / bench_log.seconds(ours)
    note = f"records per second of CPU over {events:,}, {by_clock:,.0f} by the clock; raw reads and decodes them"
    name = f"{REBUILD_ALL}, memory of {size.log[1]:,} against {size.log[0]:,}"
    of = f"MiB that a process took at the most; raw is itself at {size.log[0]:,}"
    holds = rate >= 1e7 / 300 / 2
    return [
        Row(REBUILD_ALL, "10 M in 5 min on 2 cores", rate, events / least, None, least / cpu, None, holds, note),
        Row(name, "itself 1.2", long, short, None, long / short, None, long / short <= 1.2, of),
    ]


def restatement(size: Size, folder: Path) -> list[Row]:
    found = uvloop.run(bench_sla.measure(folder, size.restated))
    rate, more = found.looked_at / found.span.cpu, found.most_mib - found.before_mib
    note = (
        f"orders per second of CPU, {found.looked_at / found.span.wall:,.0f} by the clock, {found.restated:,} of "
        f"{found.looked_at:,} stand elsewhere; {more:.0f} MiB more of memory than the {found.before_mib:.0f} before"
    )
    return [Row(RESTATEMENT, "1,000, 100 MiB", rate, holds=rate >= 1_000 and more <= 100, note=note)]


def paper(size: Size, folder: Path) -> list[Row]:
    found = bench_report_pdf.measure()
    ours, cpu = median(found.warm) * 1_000, found.cpu * 1_000
    note = f"ms by the clock, by a warm child; the first took {found.first * 1_000:,.0f}; raw is its CPU"
    return [Row(PAPER, "2,000 ms", ours, cpu, None, cpu / ours, None, ours <= 2_000, note)]


def poison(size: Size, folder: Path) -> list[Row]:
    beside, alone = bench_poison.measure(size.poison_rounds)
    return [
        _of_itself(POISON, beside, alone, 1.2, f"ms; raw is itself without it; {size.poison_rounds} rounds of each")
    ]


def replay(size: Size, folder: Path) -> list[Row]:
    beside, alone = bench_latency.beside_a_replay(folder, *size.replay)
    note = (
        f"ms at {bench_latency.BESIDE_RATE} requests/s, {bench_latency.SPEED:,} events/s replayed; raw is itself alone"
    )
    return [_of_itself(REPLAY, beside, alone, 1.3, note)]


def _of_itself(name: str, beside: float, alone: float, most: float, note: str) -> Row:
    return Row(name, f"itself {most}", beside, alone, None, beside / alone, None, beside / alone <= most, note)


def _no_psycopg() -> str:
    return "" if find_spec("psycopg") else "the peer needs psycopg: pip install 'psycopg[binary,pool]'"


BENCHMARKS: dict[str, Callable[[Size, Path], list[Row]]] = {
    "command": command_sqlite,
    "command-postgres": command_postgres,
    "http": http,
    "ingest": ingest,
    "rebuild": rebuild,
    "rebuild-postgres": rebuild_postgres,
    "latency": embedded,
    "latency-distributed": distributed,
    "growth": growth,
    "verify": verify,
    "audit": audit,
    "rebuild-all": rebuild_all,
    "restatement": restatement,
    "paper": paper,
    "poison": poison,
    "replay": replay,
}


def measured(names: Sequence[str], size: Size) -> Iterator[Row]:
    for name in names:
        begun = time.monotonic()
        with TemporaryDirectory(prefix="fieldloop-bench-") as folder:
            Path(folder).chmod(0o755)  # PostgreSQL runs as another user
            try:
                rows = BENCHMARKS[name](size, Path(folder))
            except Exception as error:
                rows = [Row(name, "", note=f"failed: {error!r}")]
        print(f"{name}: {time.monotonic() - begun:.0f} s", file=sys.stderr)
        yield from rows


def table(rows: Sequence[Row]) -> str:
    lines = [f"{'':58} {'ours':>11} {'raw':>11} {'peer':>11} {'of raw':>7} {'of peer':>8}  bar"]
    for row in rows:
        figures = " ".join(f"{'-' if x is None else f'{x:,.0f}':>11}" for x in (row.ours, row.raw, row.peer))
        ratios = " ".join(f"{'-' if x is None else f'{x:.2f}':>7}" for x in (row.ratio_raw, row.ratio_peer))
        held = {True: "holds", False: "FALLS SHORT", None: "not measured"}[row.holds]
        lines.append(f"{row.name:58} {figures} {ratios}   {row.bar}: {held}\n    {row.note}")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="10^4 to 10^5 events; three minutes")
    parser.add_argument("--json", action="store_true", help="a list of objects as the last line")
    parser.add_argument("--records", type=int, help="over all journals, for verify, audit and rebuild-all; 10000000")
    parser.add_argument("--only", choices=BENCHMARKS, action="append", metavar="NAME", help=", ".join(BENCHMARKS))
    options = parser.parse_args()
    size = QUICK if options.quick else FULL
    if options.records:
        size = replace(size, log=(options.records // 10, options.records))
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    calm_collector()
    rows = list(measured(options.only or list(BENCHMARKS), size))
    print(json.dumps([asdict(row) for row in rows], ensure_ascii=False) if options.json else table(rows))
    sys.exit(any(row.note.startswith("failed") for row in rows))


if __name__ == "__main__":
    main()
