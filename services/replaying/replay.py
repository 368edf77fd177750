"""
A replay: the folds of a service's views over a part of its journal, into a shadow copy beside the rows that live.

Only folds run: no policy, no timer, no sender, no publisher and no writer is made, so nothing outside hears of it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from services.chassis.journal.store import JournalStore
from services.chassis.readers.projector import Folder
from services.chassis.readers.viewstore import ViewStore
from services.replaying.chosen import Choice, Chosen
from services.replaying.compare import Table, compare

PAGE: Final = 5_000
STEPS_A_SECOND: Final = 10
"""A replay that is held to a speed takes its events in so many parts."""

CACHED_ROWS: Final = 200_000


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
    progress: Callable[[int], None] = lambda events: None,
) -> Replayed:
    """Fold what is chosen into `shadow`, which is empty, and compare it with `live`. The service may go on serving."""
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

    there = await live.positions()
    while await step(_ends(shadow, there, (await journal.head()).position)):
        there = await live.positions()
    for view in shadow.views:
        table = Table(service, view.name, folder.positions[view.name], is_new=view.name not in there)
        done.tables.append(table)
        if not table.is_new:
            async with live.snapshot(view) as lives:
                # As it lives now: what was recorded meanwhile is in both.
                while await step({view.name: lives.position}):
                    pass
                async with shadow.snapshot(view) as replayed:
                    whole = choice.is_from_the_start
                    await compare(table, lives, replayed, tenant=choice.tenant, all_rows=whole, show=show)
            table.position = folder.positions[view.name]
        table.failed = folder.failed.get(view.name, "")
    done.upto = (await journal.head()).position
    done.seconds = round(time.monotonic() - begun, 3)
    return done


def _ends(shadow: ViewStore, there: Mapping[str, int], head: int) -> dict[str, int]:
    return {view.name: there.get(view.name, head) for view in shadow.views}
