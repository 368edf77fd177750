"""
Events that are acted on at the same moment, such as all orders that came while this process was down, are looked at
together.

    async with GATHERINGS.entered(facts, "find-engineer", tenant) as others:
        ...
        found = await others.joined(mine, solve)        # None: nobody else came

The reactor begins with all events of a page at once; whoever has entered is waited for until it joins or leaves.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final
from weakref import WeakKeyDictionary

from services.chassis.service import Facts

Solve = Callable[[Sequence[Any]], Awaitable[Mapping[int, Any]]]
"""Of what has joined, each one's answer by its number; who comes first there goes on first."""


class Gathering:
    """Those of one kind and tenant who are inside, and those of them who wait for the others."""

    def __init__(self) -> None:
        self._inside = 0
        self._joined: list[tuple[Any, asyncio.Future[Any]]] = []
        self._solve: Solve | None = None
        self._work: set[asyncio.Task[None]] = set()

    def enter(self) -> None:
        self._inside += 1

    def leave(self) -> None:
        self._inside -= 1
        self._when_all_have_come()

    async def joined(self, item: Any, solve: Solve) -> Any | None:
        """What `solve` says of the item, when everybody inside has come; None where it is the only one."""
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._joined.append((item, answer))
        self._solve = solve
        self._inside -= 1
        self._when_all_have_come()
        try:
            return await answer
        finally:
            self._inside += 1

    def _when_all_have_come(self) -> None:
        if self._inside or not self._joined or self._solve is None:
            return
        # Who was told to end meanwhile waits no more.
        joined, self._joined = [one for one in self._joined if not one[1].done()], []
        if len(joined) == 1:
            joined[0][1].set_result(None)
            return
        if not joined:
            return
        task = asyncio.create_task(_answered(joined, self._solve))
        self._work.add(task)
        task.add_done_callback(self._work.discard)


async def _answered(joined: Sequence[tuple[Any, asyncio.Future[Any]]], solve: Solve) -> None:
    waiting = [answer for _, answer in joined]
    try:
        found = await solve([item for item, _ in joined])
    except Exception as error:
        for answer in waiting:
            if not answer.done():
                answer.set_exception(error)
        return
    for number in [*found, *[n for n in range(len(joined)) if n not in found]]:
        if not waiting[number].done():
            waiting[number].set_result(found.get(number))


class Gatherings:
    def __init__(self) -> None:
        self._of: WeakKeyDictionary[Facts, dict[tuple[str, str], Gathering]] = WeakKeyDictionary()

    @asynccontextmanager
    async def entered(self, facts: Facts, kind: str, tenant: str) -> AsyncIterator[Gathering]:
        gathering = self._of.setdefault(facts, {}).setdefault((kind, tenant), Gathering())
        gathering.enter()
        try:
            await asyncio.sleep(0)  # Those with which the reactor begins at the same moment enter meanwhile.
            yield gathering
        finally:
            gathering.leave()


GATHERINGS: Final = Gatherings()
