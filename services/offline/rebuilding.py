"""Views folded anew, compared and put in place."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
from collections.abc import Callable, Collection, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass

from services.chassis.journal.store import JournalStore
from services.chassis.readers import rebuild as chassis_rebuild
from services.chassis.readers.ahead import Ahead
from services.chassis.readers.viewstore import ViewStore
from services.chassis.service import Service
from services.host import discover, open_views
from services.offline.stores import CannotDo, nobody_writes, readers
from services.settings import Settings

SIDE_BY_SIDE = 200_000
"""So many records of several services are worth a process for each: it must load all this once more, in seconds."""


@dataclass(frozen=True)
class Rebuilt:
    """One view, folded anew and compared with the one that lives."""

    service: str
    view: str
    rows: int
    identical: bool
    difference: str
    put_in_place: bool
    """What was folded anew is what is read from now on."""

    @property
    def well(self) -> bool:
        """Whether what is read from now on is right."""
        return self.identical or self.put_in_place


async def rebuild(
    settings: Settings, names: Collection[str], check_only: bool, progress: Callable[[int], None]
) -> list[Rebuilt]:
    """
    Fold the views of these services anew; where all is well and it is wanted, put them in place.

    Raises CannotDo: also where they are to be put in place under a process that would not notice.
    """
    services = _known(names)
    results: list[Rebuilt] = []
    async with readers(settings, names) as journals:
        records = {name: (await journals[name].head()).position for name in names}
        if len(records) > 1 and sum(records.values()) >= SIDE_BY_SIDE:
            return await _side_by_side(settings, records, check_only, progress)
        for name in names:
            async with AsyncExitStack() as opened:
                if not check_only:
                    opened.enter_context(nobody_writes(settings, name))
                live = await open_views(settings, services[name], readonly=False)
                opened.push_async_callback(live.close)
                results += await rebuild_one(name, journals[name], live, progress, swap=not check_only)
    return results


async def fold_ahead(
    settings: Settings, names: Collection[str], progress: Callable[[int], None]
) -> dict[str, int | None]:
    """
    Fold what this release will serve beside what another one serves, which may run on; it begins from there.

    Returns the position that was come to, by service; None where what is served is of this release already.
    """
    services, done = _known(names), dict[str, int | None]()
    async with readers(settings, names) as journals:
        for name in names:
            live = await open_views(settings, services[name], readonly=True)
            ahead = Ahead(live)
            try:
                if not await ahead.look():
                    done[name] = None
                    continue
                position = (await journals[name].head()).position
                while read := await ahead.step(journals[name]):
                    progress(read)
                if not ahead.near:
                    raise CannotDo(f"{name}: a view of this release stops on the way: the log says where and why")
                done[name] = position
            finally:
                await ahead.close()
                await live.close()
    return done


def _known(names: Collection[str]) -> dict[str, Service]:
    services = discover()
    if unknown := set(names) - services.keys():
        raise CannotDo(f"there is no service {', '.join(sorted(unknown))}: give one of {', '.join(services)}, or all")
    return services


async def _side_by_side(
    settings: Settings, records: Mapping[str, int], check_only: bool, progress: Callable[[int], None]
) -> list[Rebuilt]:
    """Each service in a process of its own, as many at a time as there are cores, the longest journals first."""

    async def alone(name: str) -> list[Rebuilt]:
        found = await asyncio.get_running_loop().run_in_executor(pool, _rebuild_alone, settings, name, check_only)
        progress(records[name])
        return found

    names = sorted(records, key=lambda name: -records[name])
    with ProcessPoolExecutor(os.cpu_count(), mp_context=multiprocessing.get_context("spawn")) as pool:
        found = dict(zip(names, await asyncio.gather(*map(alone, names)), strict=True))
    return [one for name in records for one in found[name]]


def _rebuild_alone(settings: Settings, name: str, check_only: bool) -> list[Rebuilt]:
    return asyncio.run(rebuild(settings, [name], check_only, lambda read: None))


async def rebuild_one(
    name: str, journal: JournalStore, live: ViewStore, progress: Callable[[int], None], *, swap: bool
) -> list[Rebuilt]:
    """One service's views, beside those that live."""
    fresh = await live.beside()
    done = 0

    def tell(position: int, of: int) -> None:
        nonlocal done
        progress(max(0, position - done))
        done = max(done, position)

    report = await chassis_rebuild.rebuild(journal, live, fresh, tell)
    compared = await chassis_rebuild.check(journal, live, fresh)
    swap = swap and not report.failed
    if swap:
        await live.become(fresh)
    else:
        await fresh.close()
    return [
        Rebuilt(
            name,
            one.view,
            one.rows,
            one.difference is None and one.view not in report.failed,
            one.difference or report.failed.get(one.view, ""),
            swap,
        )
        for one in compared
    ]
