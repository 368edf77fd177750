"""
Rebuilding: the views folded again from the first event, beside those that are served, compared with them, swapped.

    fresh = await live.beside()
    report = await rebuild(journal, live, fresh)
    if all(found.difference is None for found in await check(journal, live, fresh)):
        await projector.swap(fresh)          # where none runs: await live.become(fresh)

Same version of a view, same rows, byte for byte. A difference is a fold that is not pure, or a row changed by hand.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from services.chassis.journal.store import JournalStore, Recorded
from services.chassis.readers.projector import Folder
from services.chassis.readers.rows import CACHED_ROWS
from services.chassis.readers.viewstore import Snapshot, Values, ViewStore
from services.chassis.views import View

PAGE = 5_000
"""Events per commit."""

SHORT = 120_000
"""
Events of a journal that is short enough to keep all its rows in memory, so that nothing is read back. Of a longer one
as many rows are kept as while a service runs, so that it takes no more memory however long it is.
"""


@dataclass(frozen=True, slots=True)
class RebuildReport:
    positions: Mapping[str, int]
    """Per view, up to where it was rebuilt: where the served one stands, or the end of the journal for a new one."""
    failed: Mapping[str, str]
    """The views that stopped on the way, with the reason."""
    events: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Comparison:
    view: str
    position: int
    """Where the served view stood when it was compared."""
    rows: int
    """So many were found equal."""
    difference: str | None
    """The first difference; None if there is none, or nothing to compare with."""
    is_new: bool = False
    """This view is not served in its version: there is nothing to compare with."""


class _Records:
    """A journal as a fold of the whole of it reads it."""

    def __init__(self, journal: JournalStore) -> None:
        self._journal = journal

    async def read(self, after: int, limit: int) -> Sequence[Recorded]:
        return await self._journal.records(after, limit)


async def rebuild(
    journal: JournalStore,
    live: ViewStore,
    fresh: ViewStore,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> RebuildReport:
    """
    Fold the journal into `fresh`, up to where each view of `live` stands by then. The service may go on serving.

    `progress` is told how far the view that is furthest behind has come, and of how much.
    """
    begun, events = time.monotonic(), 0
    length = (await journal.head()).position
    folder = Folder(fresh, cached_rows=SHORT if length <= SHORT else CACHED_ROWS, overlaps=True)
    await folder.start()
    records = _Records(journal)
    while True:
        upto = await _upto(journal, live, fresh)
        read = await folder.step(records, PAGE, upto)
        events += read
        behind = min(upto, key=lambda name: folder.positions[name] - upto[name], default="")
        progress(folder.positions.get(behind, 0), upto.get(behind, 0))
        if not read and await folder.keep():
            return RebuildReport(folder.positions, folder.failed, events, time.monotonic() - begun)


async def _upto(journal: JournalStore, live: ViewStore, fresh: ViewStore) -> dict[str, int]:
    there = await live.positions()
    known = {view.name: view.version for view in live.views if view.name in there}
    end = (await journal.head()).position
    return {view.name: there[view.name] if known.get(view.name) == view.version else end for view in fresh.views}


async def check(journal: JournalStore, live: ViewStore, fresh: ViewStore) -> list[Comparison]:
    """Compare what was rebuilt with what is served, each view at the position at which it is served now."""
    folder = Folder(fresh)
    await folder.start()
    there = await live.positions()
    served = {view.name: view for view in live.views if view.name in there}
    found = []
    for view in fresh.views:
        old_view = served.get(view.name)
        if old_view is None or old_view.version != view.version:
            found.append(Comparison(view.name, folder.positions[view.name], 0, None, is_new=True))
            continue
        async with live.snapshot(view) as old:
            while await folder.step(journal, PAGE, {view.name: old.position}):
                pass
            async with fresh.snapshot(view) as new:
                rows, difference = await _compare(view, old, new)
        if new.position != old.position:
            why = folder.failed.get(view.name, "another rebuild writes there")
            difference = f"served at position {old.position}, rebuilt at {new.position}: {why}"
        found.append(Comparison(view.name, old.position, rows, difference))
    return found


async def _compare(view: View, old: Snapshot, new: Snapshot) -> tuple[int, str | None]:
    """How many rows are equal before the first difference, and the difference."""
    rows = 0
    while True:
        mine, theirs = await _next(old.pages), await _next(new.pages)
        if not mine and not theirs:
            return rows, None
        if mine == theirs:
            rows += len(mine)
            continue
        for one, other in zip_longest(mine, theirs):
            if one != other:
                return rows, _difference(view, one, other)
            rows += 1


async def _next(pages: AsyncIterator[Sequence[Values]]) -> Sequence[Values]:
    async for page in pages:
        return page
    return ()


def _difference(view: View, old: Values | None, new: Values | None) -> str:
    parts = 1 + len(view.key)
    if new is None or (old is not None and old[:parts] < new[:parts]):
        assert old is not None
        return f"{_named(view, old)} is served and was not rebuilt"
    if old is None or old[:parts] > new[:parts]:
        return f"{_named(view, new)} was rebuilt and is not served"
    columns = view.table.columns.keys()
    differing = [f"{n} is {a!r}, rebuilt {b!r}" for n, a, b in zip(columns, old, new, strict=True) if a != b]
    return f"{_named(view, old)}: {', '.join(differing)}"


def _named(view: View, row: Values) -> str:
    key = ["tenant", *view.key]
    return f"row {', '.join([f'{name}={value}' for name, value in zip(key, row, strict=False)])}"
