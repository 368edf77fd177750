"""
A replay: the folds of a service's views over a part of its journal, into a shadow copy beside the rows that live.

Only folds run: no policy, no timer, no sender, no publisher and no writer is made, so nothing outside hears of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.chassis.journal.store import JournalStore
from services.chassis.readers.projector import Folder
from services.chassis.readers.viewstore import ViewStore
from services.replaying.chosen import Choice, Chosen
from services.replaying.compare import Table, compare

PAGE: Final = 5_000
TRIES: Final = 20
"""To come to the end of a journal that grows meanwhile."""

STEPS_A_SECOND: Final = 10
"""A replay that is held to a speed takes its events in so many parts."""

CACHED_ROWS: Final = 200_000


class Behind(Exception):
    """The journal moves on faster than the replay comes up to it."""


class Pace:
    """
    How fast a replay goes, and whether it goes at all.

    It stops between two pages, when nothing is open. The time of a pause is not made up for afterwards.
    """

    def __init__(self, per_second: int | None = None) -> None:
        self._per_second = per_second
        self._going = asyncio.Event()
        self._going.set()
        self._begun = time.monotonic()

    @property
    def page(self) -> int:
        if self._per_second is None:
            return PAGE
        return max(1, min(PAGE, self._per_second // STEPS_A_SECOND))

    @property
    def paused(self) -> bool:
        return not self._going.is_set()

    def turn(self) -> None:
        """Pause, or go on."""
        if self.paused:
            self._going.set()
        else:
            self._going.clear()

    async def after(self, events: int) -> None:
        """So many were folded since the last call: wait as long as they should have taken."""
        if self._per_second is not None:
            await asyncio.sleep(max(0.0, self._begun + events / self._per_second - time.monotonic()))
        await self._going.wait()
        self._begun = time.monotonic()


@dataclass
class Replayed:
    """What a replay of one service gave."""

    service: str
    events: int = 0
    """Folded, of those that were chosen."""
    seconds: float = 0.0
    tables: list[Table] = field(default_factory=list)
    upto: int = 0
    """Where the journal ended when the last view had come up to it."""


async def replay(
    service: str,
    journal: JournalStore,
    live: ViewStore,
    shadow: ViewStore,
    choice: Choice,
    pace: Pace,
    *,
    show: int,
    to_end: bool = False,
    progress: Callable[[int], None] = lambda events: None,
) -> Replayed:
    """
    Fold what is chosen into `shadow`, which is empty, and compare it with `live`. The service may go on serving.

    Where no end is given, both are compared at the position at which each view lives. With `to_end` the shadow then
    comes up to the end of the journal; raises Behind where that moves on faster.
    """
    done, begun = Replayed(service), time.monotonic()
    folder = Folder(shadow, cached_rows=CACHED_ROWS)
    await folder.start()
    chosen = Chosen(journal, choice)

    async def step(upto: Mapping[str, int]) -> int:
        chosen.end = min(upto.values(), default=0)
        read = await folder.step(chosen, pace.page, upto)
        done.events += read
        progress(read)
        await pace.after(read)
        return read

    async def ends() -> dict[str, int]:
        head = (await journal.head()).position
        return {view.name: there.get(view.name, head) if choice.last is None else head for view in shadow.views}

    there = await live.positions()
    while await step(await ends()):
        there = await live.positions()
    for view in shadow.views:
        table = Table(service, view.name, folder.positions[view.name], is_new=view.name not in there)
        done.tables.append(table)
        if not table.is_new:
            async with live.snapshot(view) as lives:
                # As it lives now: what was recorded meanwhile is in both.
                while choice.last is None and await step({view.name: lives.position}):
                    pass
                async with shadow.snapshot(view) as replayed:
                    whole = choice.is_from_the_start
                    await compare(table, lives, replayed, tenant=choice.tenant, all_rows=whole, show=show)
            table.position = folder.positions[view.name]
        table.failed = folder.failed.get(view.name, "")
    if to_end:
        await _come_up(journal, folder, step)
        for table in done.tables:
            table.position = folder.positions[table.view]
            table.failed = folder.failed.get(table.view, "")
    done.upto = (await journal.head()).position
    done.seconds = round(time.monotonic() - begun, 3)
    return done


async def _come_up(journal: JournalStore, folder: Folder, step: Callable[[Mapping[str, int]], Awaitable[int]]) -> None:
    for _ in range(TRIES):
        head = (await journal.head()).position
        while await step(dict.fromkeys(folder.positions, head)):
            pass
        if (await journal.head()).position == head:
            return
    raise Behind(f"the journal moves on faster than this: its end is not reached after {TRIES} tries")
