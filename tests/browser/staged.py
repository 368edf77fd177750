"""
The command of the demo with what a test may bring about: a policy of ours that is broken, and days that pass.

    python -m tests.browser.staged FOLDER --data … demo …

While `FOLDER/broken` is there, no engineer is found for an order, and that is parked at once. `FOLDER/days` says how
many days before now it is.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dispatcher.service
from services.chassis.clock import SystemClock
from services.chassis.readers.reactor import Reactor

POLICY = "find-engineer"


def stage(folder: Path) -> None:
    now, next_try = SystemClock.now, Reactor._next_try
    days = folder / "days"

    def then(clock: SystemClock) -> datetime:
        return now(clock) - timedelta(days=int(days.read_text()) if days.exists() else 0)

    def parks_at_once(reactor: Reactor, key: Any, held: Any, *why: Any) -> Any:
        found = next_try(reactor, key, held, *why)
        return found._replace(parked=True) if key.policy == POLICY else found

    def breakable(policy: Any) -> Any:
        async def react(event: Any, envelope: Any, facts: Any) -> Sequence[Any]:
            if (folder / "broken").exists():
                raise RuntimeError("no road leads to 4711")
            return await policy.react(event, envelope, facts)  # type: ignore[no-any-return]

        return replace(policy, react=react) if policy.name == POLICY else policy

    SystemClock.now = then  # type: ignore[method-assign]
    Reactor._next_try = parks_at_once  # type: ignore[method-assign]
    whole = dispatcher.service.service
    dispatcher.service.service = replace(whole, policies=tuple(breakable(one) for one in whole.policies))


if __name__ == "__main__":
    stage(Path(sys.argv.pop(1)))
    from services.cli import main

    main()
