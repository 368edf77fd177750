"""
Work that takes seconds or minutes, for an event that asks for it: the event waits by itself, and nothing else does.

    result = BACKGROUND.done(facts, event.replan_id, lambda: better_day(...))

The first time it begins the work and says NotBefore; the event is tried again until the work is done, and what the work
gives goes into a command as usual. Where the process ends meanwhile, the event still waits, and the work begins anew.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from contracts.problems import NotBefore
from services.chassis.service import Facts

LOOK_EVERY: Final = timedelta(seconds=1)

T = TypeVar("T")


class _OfService:
    """What is under way in one running service: one piece of work at a time, the others wait for their turn."""

    def __init__(self) -> None:
        self.tasks: dict[str, asyncio.Task[Any]] = {}
        self.turn = asyncio.Semaphore(1)


class Background:
    def __init__(self) -> None:
        self._running: WeakKeyDictionary[Facts, _OfService] = WeakKeyDictionary()

    def done(self, facts: Facts, name: str, work: Callable[[], Awaitable[T]]) -> T:
        """What the work gave. Raises NotBefore while it goes on, and what the work raised."""
        ours = self._running.setdefault(facts, _OfService())
        task = ours.tasks.get(name)
        if task is None:

            async def in_turn() -> T:
                async with ours.turn:
                    return await work()

            task = ours.tasks[name] = asyncio.create_task(in_turn(), name=f"background {name}")
        if not task.done():
            raise NotBefore(facts.now() + LOOK_EVERY, f"{name} is being worked on")
        del ours.tasks[name]
        result: T = task.result()
        return result


BACKGROUND: Final = Background()
