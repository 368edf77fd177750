"""
The views of a release before they are what is served: folded beside, so that nobody ever reads them empty.

A release that has a new view, or one of another version, leaves what is served as it is and folds its own in a copy
beside, from the first event on. Near the end of the journal it can be read there, and where this process writes it
takes the place of what was served.
"""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

from services.chassis.journal.store import JournalStore
from services.chassis.readers.projector import PAGE, WITHIN_REACH, Folder, Projector
from services.chassis.readers.viewstore import Moved, ViewStore

POLL_S = 0.05
"""Between two looks when there was nothing to fold."""

LONGEST_PAUSE_S = 5.0
"""After a store failed."""

_log = structlog.get_logger()


class Ahead:
    """Of one service in one process. Nothing is opened and nothing folded where what is served is of this release."""

    def __init__(self, live: ViewStore) -> None:
        self._live = live
        self.lacks = False
        """What is served is not of this release, as of the last look."""
        self.near = False
        """The copy is so near the end of the journal that it can be read."""
        self.alike: Collection[str] = ()
        """While it lacks: the views whose rows can be read where they are served."""
        self._copy: ViewStore | None = None
        self._folder: Folder | None = None
        self._turn = asyncio.Lock()
        self._moves = False

    @property
    def views(self) -> ViewStore:
        """Where the rows of this release are read: in the copy, where that is near and what is served is another's."""
        return self._copy if self._copy is not None and self.near else self._live

    async def look(self) -> bool:
        """Whether what is served is not of this release. Raises what the store raises."""
        there = await self._live.positions()
        self.lacks = any(view.name not in there for view in self._live.views)
        if self.lacks:
            self.alike = await self._live.alike()
        elif self._copy is not None:
            async with self._turn:
                await self._let_go()
        return self.lacks

    async def step(self, journal: JournalStore) -> int:
        """Fold one page into the copy; how many events it had. Where another process folds there too, none."""
        async with self._turn:
            if not self.lacks:
                return 0
            try:
                if self._copy is None:
                    self._copy = await self._live.ahead()
                if self._folder is None:
                    folder = Folder(self._copy)
                    await folder.start()
                    self._folder = folder
                read = await self._folder.step(journal, PAGE)
                left = (await journal.head()).position - min(self._folder.positions.values())
            except BaseException as why:
                self._folder = None  # where the copy stands is learned again
                if isinstance(why, Moved):
                    return 0
                if isinstance(why, Exception):
                    await self._let_go()
                raise
            self.near = left <= WITHIN_REACH and not self._folder.failed
            return read

    async def follow(self, journal: JournalStore) -> None:
        """Fold until what is served is of this release, or until cancelled."""
        pause = POLL_S
        while True:
            try:
                if not await self.look():
                    return
                read = await self.step(journal)
            except Exception as error:
                _log.warning("ahead.waits_for_store", seconds=pause, exc_info=error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)
                continue
            pause = POLL_S
            await asyncio.sleep(0 if read else POLL_S)

    async def take_place(self, projector: Projector) -> None:
        """Serve the copy from now on, brought to the end of the journal first: for the process that writes."""
        async with self._turn:
            if self._copy is not None:
                self._moves = True
                try:
                    await projector.swap(self._copy)
                    self._copy = self._folder = None
                    self.lacks = self.near = False
                finally:
                    self._moves = False

    async def settled(self) -> None:
        """Return when nothing is just being put in place: for one who reads."""
        if self._moves:
            async with self._turn:
                pass

    async def close(self) -> None:
        async with self._turn:
            await self._let_go()

    async def _let_go(self) -> None:
        copy, self._copy, self._folder, self.near = self._copy, None, None, False
        if copy is not None:
            await copy.close()
