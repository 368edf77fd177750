"""
`make chaos`: real processes are harmed for as long as it is told, each round in another order and at other moments.

    make chaos ARGS="--minutes 30"
    make chaos ARGS="--seed 7 --only kills --only network"

The seed is printed, and every round's own with it. It ends at the first round that does not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import sys
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

import structlog

from deploy.kafka import local as kafka
from deploy.local import SERVICES
from deploy.postgres import local as postgres
from tests.faults import scenarios
from tests.faults.ground import Ground
from tests.faults.ledger import Told

Round = Callable[[Ground, str, Random], Coroutine[Any, Any, Told]]

OUTAGE_S = 600.0
"""Kafka is away for so long, once a run."""
STOPPED_S = 60.0

ROUNDS: dict[str, Round] = {
    "kills": lambda ground, name, rng: scenarios.kills(ground, name, rng, times=60),
    "stopped": lambda ground, name, rng: scenarios.stopped_holder(
        ground, name, rng.choice(("intake", "dispatcher")), STOPPED_S
    ),
    "postgres": lambda ground, name, rng: scenarios.postgres_crashes(ground, name, rng, times=20),
    "network": lambda ground, name, rng: scenarios.network(ground, name, rng, rounds=3),
    "rolling": lambda ground, name, rng: scenarios.rolling_restart(ground, name, SERVICES, times=1),
    "broker": lambda ground, name, rng: scenarios.broker_down(ground, name, rng.uniform(30, 90)),
}


def outage(ground: Ground, name: str, rng: Random) -> Coroutine[Any, Any, Told]:
    return scenarios.broker_down(ground, name, OUTAGE_S)


def run(data: Path, seed: int, minutes: float, only: list[str]) -> int:
    """How many rounds held. Raises whatever does not hold."""
    rng, names = Random(seed), only or list(ROUNDS)
    held, ground = 0, Ground(data)
    try:
        ground.up()
        until = time.monotonic() + 60 * minutes
        if "broker" in names and 60 * minutes > 2 * OUTAGE_S:
            _round(ground, "outage", outage, seed)
            held += 1
        while time.monotonic() < until:
            for name in rng.sample(names, len(names)):
                if time.monotonic() < until:
                    held += 1
                    _round(ground, name, ROUNDS[name], seed + held)
        asyncio.run(ground.must_be_rebuilt_equal())
        print("rebuilt equals live in every view")
        return held
    finally:
        ground.close()


def _round(ground: Ground, name: str, harm: Round, seed: int) -> None:
    print(f"-- {name}, seed {seed}", flush=True)
    begun = time.monotonic()
    asyncio.run(harm(ground, f"{name}-{seed}", Random(seed)))
    print(f"   held after {time.monotonic() - begun:.0f} s", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30, help="how long; a round that has begun is finished")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--only", choices=ROUNDS, action="append", default=[], help="default: all of them")
    options = parser.parse_args()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    if lacks := kafka.missing() or postgres.missing():
        sys.exit(lacks)
    print(f"--seed {options.seed}")
    with TemporaryDirectory(prefix="fieldloop-chaos-") as folder:
        Path(folder).chmod(0o755)  # PostgreSQL runs as another user
        held = run(Path(folder), options.seed, options.minutes, options.only)
    print(f"{held} rounds held: acknowledged and lost 0, doubled 0")


if __name__ == "__main__":
    main()
