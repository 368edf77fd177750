"""Plans a problem: an engine looks in a child process with a hard stop, and what it found is checked here."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from typing import Final

from dispatcher.planning.check import Checked, check
from dispatcher.planning.model import Plan, Problem, Unfit

START_S: Final = 120.0
"""For the child to begin: the first time on a machine it compiles its loops."""

GRACE_S: Final = 5.0
"""What a child may take longer than it was given before it is killed."""


@dataclass(frozen=True)
class Planned:
    plan: Plan
    checked: Checked
    engine: str
    seconds: float
    """By the clock on the wall, the start of the child included."""


def plan(
    problem: Problem, seconds: float, *, seed: int = 1, engine: str = "auto", begin: Plan | None = None
) -> Planned:
    """
    The best plan found in `seconds` of search, which may break rules only where no plan was found that breaks none.

    `engine` is one of auto, ruin, ordering and pyvrp. Raises Unfit where the child ended
    without any plan, with what it said.
    """
    started = time.monotonic()
    child = subprocess.Popen(
        [sys.executable, "-m", "dispatcher.planning.engines.child"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdin is not None and child.stdout is not None and child.stderr is not None
    said: list[bytes] = []
    errors = threading.Thread(target=lambda: said.append(child.stderr.read()), daemon=True)  # type: ignore[union-attr]
    errors.start()
    stop = threading.Timer(START_S, child.kill)
    stop.start()
    used, best = engine, None
    try:
        child.stdin.write(pickle.dumps((problem, seconds, seed, engine, begin)))
        child.stdin.close()
        for line in child.stdout:
            told = json.loads(line)
            if "ready" in told:
                used = told["ready"]
                stop.cancel()
                stop = threading.Timer(seconds + GRACE_S, child.kill)
                stop.start()
                continue
            found = Plan([tuple(route) for route in told["routes"]])
            checked = check(problem, found)
            if best is None or (len(checked.violations), checked.cost) < (len(best[1].violations), best[1].cost):
                best = found, checked
    except (BrokenPipeError, json.JSONDecodeError):
        # It ended in the middle of a line, or before it had read all: what it said before counts.
        pass
    finally:
        stop.cancel()
        child.kill()
        child.wait()
    errors.join()
    if best is None:
        last = b"".join(said).decode(errors="replace").strip().splitlines() or ["it said nothing"]
        raise Unfit(f"no plan was found: {last[-1]}")
    return Planned(*best, used, time.monotonic() - started)
