"""
The simulation as a command.

    python -m tests.simulation run --seeds 1-300       what every push runs, on all cores
    python -m tests.simulation soak --minutes 30       seeds that nobody has seen, for as long as wanted
    python -m tests.simulation one 17 --faults 3,8     one day, whole or in part, and all that went wrong
    python -m tests.simulation planted                 in how many seeds each planted bug is found

A day that fails is told with the command that repeats it, after it was made as small as it can be.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict
from itertools import count
from pathlib import Path
from queue import Queue
from typing import Any

REPO = Path(__file__).resolve().parents[2]
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
REGRESSIONS = Path(__file__).with_name("regressions.txt")


def seeds_of(text: str) -> list[int]:
    """`1-300`, `4,8,15`, or both."""
    found: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found


def regressions() -> list[int]:
    """The seeds that found something once."""
    return [int(line.split()[0]) for line in REGRESSIONS.read_text().splitlines() if line[:1].isdigit()]


def days(
    seeds: Iterable[int], jobs: int, *, repo: Path = REPO, until: Callable[[dict[str, Any]], bool] = lambda _: False
) -> Iterator[dict[str, Any]]:
    """
    Run these days in processes of their own and give each result as it comes, until `until` has seen enough.

    The hash seed is fixed, so that also what a mistake makes depend on the order of a set is the same each time.
    """
    folder = tempfile.TemporaryDirectory(prefix="sim-", dir=IN_MEMORY)
    env = {**os.environ, "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": str(repo)}
    env["FIELDLOOP_SIM_FOLDER"] = folder.name
    command = [sys.executable, "-m", "tests.simulation", "worker"]
    pipe = subprocess.PIPE
    left, turn, results = iter(seeds), threading.Lock(), Queue[dict[str, Any] | None]()
    workers = [subprocess.Popen(command, cwd=repo, env=env, stdin=pipe, stdout=pipe, text=True) for _ in range(jobs)]

    def drive(worker: subprocess.Popen[str]) -> None:
        """One day after the other, each given out when the one before is done."""
        assert worker.stdin
        assert worker.stdout
        with suppress(BrokenPipeError), worker.stdin:
            while True:
                with turn:
                    seed = next(left, None)
                if seed is None:
                    break
                worker.stdin.write(f"{seed}\n")
                worker.stdin.flush()
                line = worker.stdout.readline()
                if not line:
                    break
                results.put(json.loads(line))
        results.put(None)

    for worker in workers:
        threading.Thread(target=drive, args=(worker,), daemon=True).start()
    try:
        ended = 0
        while ended < jobs:
            result = results.get()
            if result is None:
                ended += 1
                continue
            yield result
            if until(result):
                return
        for worker in workers:
            if worker.wait():
                raise RuntimeError(f"a worker of the simulation ended with {worker.returncode}")
    finally:
        for worker in workers:
            if worker.poll() is None:
                worker.kill()
                worker.wait()
        folder.cleanup()


@contextmanager
def founded() -> Iterator[None]:
    """Have the companies founded once, for all processes that are begun within."""
    with tempfile.TemporaryDirectory(prefix="sim-", dir=IN_MEMORY) as folder:
        command = [sys.executable, "-m", "tests.simulation", "found", folder]
        subprocess.run(command, cwd=REPO, env=os.environ | {"PYTHONHASHSEED": "0"}, check=True)
        os.environ["FIELDLOOP_SIM_TEMPLATE"] = folder
        try:
            yield
        finally:
            del os.environ["FIELDLOOP_SIM_TEMPLATE"]


def work() -> None:
    """A worker's own part: seeds come in by the line, results go out."""
    import services
    from tests.simulation.world import Plan, run

    # A copy of the source with a bug in it must not be judged by the source that is installed.
    assert Path(services.__file__ or "").is_relative_to(REPO), services.__file__
    for line in sys.stdin:
        begun = time.process_time()
        result = run(Plan.of(int(line)))
        print(json.dumps({**asdict(result), "cpu_s": round(time.process_time() - begun, 3)}), flush=True)


def repeat(seed: int, stories: Sequence[int] | None = None, faults: Sequence[int] | None = None) -> str:
    said = f"python -m tests.simulation one {seed}"
    if stories is not None and faults is not None:
        said += f" --stories {_numbers(stories)} --faults {_numbers(faults)}"
    return said


def _numbers(some: Sequence[int]) -> str:
    return ",".join(map(str, some)) or "none"


def _chosen(text: str) -> list[int]:
    return [] if text == "none" else seeds_of(text)


def one(seed: int, stories: str, faults: str, shrinks: bool) -> int:
    from tests.simulation.shrinking import shrink
    from tests.simulation.world import Plan, run

    plan = Plan.of(seed)
    picked = [
        _chosen(text) if text else list(range(len(of))) for text, of in ((stories, plan.stories), (faults, plan.faults))
    ]
    result = run(plan.only(*picked))
    if result.violations and shrinks:
        smaller = shrink(plan, result)
        picked, result = [list(smaller.stories), list(smaller.faults)], smaller.result
        print(f"shrunk in {smaller.runs} runs: {repeat(seed, *picked)}")
    for n in picked[0]:
        print(f"  story {n}: {plan.stories[n]}")
    for n in picked[1]:
        print(f"  fault {n}: {plan.faults[n]}")
    print(f"what really went wrong: {', '.join(result.met) or 'nothing'}")
    print(f"{result.events} events, {result.calls} calls, {result.virtual_s:.0f} virtual seconds, {result.log_hash}")
    for violation in result.violations:
        print(f"{violation.rule}: {violation.what}")
    return 1 if result.violations else 0


def judge(seeds: Iterable[int], jobs: int, minutes: float = 0.0) -> int:
    begun, results, failed = time.monotonic(), [], []

    def enough(result: dict[str, Any]) -> bool:
        return bool(minutes) and time.monotonic() - begun > 60 * minutes

    with founded():
        for result in days(seeds, jobs, until=enough):
            results.append(result)
            if result["violations"]:
                failed.append(result["seed"])
                rules = sorted({rule for rule, _ in result["violations"]})
                print(f"seed {result['seed']} breaks {', '.join(rules)}: {result['violations'][0][1]}", flush=True)
    took, count = time.monotonic() - begun, max(1, len(results))
    told = {
        "days": len(results),
        "failed": len(failed),
        "seconds": round(took, 1),
        "cpu_s_a_day": round(sum(r["cpu_s"] for r in results) / count, 2),
        "events_a_day": sum(r["events"] for r in results) // count,
        "calls_a_day": sum(r["calls"] for r in results) // count,
        "callbacks_a_day": sum(r["callbacks"] for r in results) // count,
        "faults_met_a_day": round(sum(len(r["met"]) for r in results) / count, 1),
        "restarts": sum(r["starts"] - 6 for r in results),
        "virtual_hours": round(sum(r["virtual_s"] for r in results) / 3_600, 1),
    }
    print(json.dumps(told))
    for seed in failed[:3]:
        print(f"\nseed {seed}: {repeat(seed)}")
        command = [sys.executable, "-m", "tests.simulation", "one", str(seed), "--shrink"]
        subprocess.run(command, cwd=REPO, check=False)
    if failed:
        print(f"\nkeep what was found: add its seed to {REGRESSIONS.relative_to(REPO)}, with what it was")
    return 1 if failed else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description="A simulated day, or many.")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parts = parser.add_subparsers(dest="what", required=True)
    parts.add_parser("run").add_argument("--seeds", default="1-300")
    soak = parts.add_parser("soak")
    soak.add_argument("--minutes", type=float, default=30.0)
    soak.add_argument("--first", type=int, default=0, help="The first seed; else one that follows from the time.")
    single = parts.add_parser("one")
    single.add_argument("seed", type=int)
    single.add_argument("--stories", default="")
    single.add_argument("--faults", default="")
    single.add_argument("--shrink", action="store_true")
    parts.add_parser("found").add_argument("folder", type=Path)
    parts.add_parser("worker")
    planted = parts.add_parser("planted")
    planted.add_argument("--most", type=int, default=2_000)
    planted.add_argument("--only", default="", help="Names of patches, separated by commas.")
    planted.add_argument("--write", action="store_true", help="Write the table in docs/reference/simulation.md.")
    said = parser.parse_args()
    if os.environ.get("PYTHONHASHSEED") != "0":
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            os.environ | {"PYTHONHASHSEED": "0"},
        )
    match said.what:
        case "run":
            return judge([*regressions(), *seeds_of(said.seeds)], said.jobs)
        case "soak":
            first = said.first or int(time.time()) * 1_000
            print(f"seeds from {first} on", flush=True)
            return judge(count(first), said.jobs, said.minutes)
        case "one":
            return one(said.seed, said.stories, said.faults, said.shrink)
        case "found":
            from tests.simulation.world import keep_template

            keep_template(said.folder)
            return 0
        case "worker":
            work()
            return 0
        case _:
            from tests.faults.planted.bugs import look

            return look(said.most, said.jobs, set(filter(None, said.only.split(","))), said.write)


if __name__ == "__main__":
    raise SystemExit(main())
