"""Views folded anew, compared and put in place."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from services.chassis.journal.store import JournalStore
from services.chassis.readers import rebuild as chassis_rebuild
from services.chassis.readers.viewstore import ViewStore
from services.host import discover
from services.offline.stores import CannotDo, open_views, readers
from services.settings import Settings


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
    """Fold the views of these services anew; where all is well and it is wanted, put them in place."""
    services = discover()
    if unknown := set(names) - services.keys():
        raise CannotDo(f"there is no service {', '.join(sorted(unknown))}: give one of {', '.join(services)}, or all")
    results: list[Rebuilt] = []
    async with readers(settings, names) as journals:
        for name in names:
            live = await open_views(settings, services[name], readonly=False)
            try:
                results += await rebuild_one(name, journals[name], live, progress, swap=not check_only)
            finally:
                await live.close()
    return results


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
