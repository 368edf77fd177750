"""
The projector: folds the journal into the rows of every view, and lets others wait until a view has come so far.

The rows of a page and the checkpoints behind them are one commit. A view that fails stops alone, with all events before
the bad one applied; it keeps its checkpoint, alarms, and is not waited for. Starting again tries it again.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple, Protocol

import msgspec
import structlog

from contracts import envelope as envelopes
from contracts.envelope import Envelope
from contracts.event import Event
from services.chassis.journal.store import Entry, JournalStore, Recorded
from services.chassis.readers.rows import CACHED_ROWS, UNKNOWN, BadRow, CachedRows, Key, Row
from services.chassis.readers.viewstore import Change, Moved, Refused, ViewStore
from services.chassis.views import View

PAGE = 1_000
"""Events per commit; while so many are folded, nothing else runs in this loop (about 10 ms)."""

WITHIN_REACH = 10_000
"""A view that is further behind is catching up. It is not waited for; it could not come in time."""

FEW = 32
"""Of a page no longer than this it is worth the time to tell which views read any of it."""

MOST_CARRIED = 2_000
CARRIED_S = 0.05
"""A checkpoint moves in memory over what changes no row, for so many events or so long."""

QUICKEST_POLL_S, SLOWEST_POLL_S = 0.002, 0.050
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
"""After the store failed."""

_log = structlog.get_logger()


class Readable(Protocol):
    """What a fold asks of a journal."""

    async def read(self, after: int, limit: int) -> Sequence[Entry | Recorded]:
        """Entries with a position above `after`, in order."""


class _Due(NamedTuple):
    event: Event
    envelope: Envelope
    position: int


class _Stop(NamedTuple):
    """Where a view cannot go on."""

    position: int
    reason: Exception


_Appliers = dict[str, list[tuple[CachedRows, Callable[[CachedRows, Event, Envelope], None]]]]


class Folder:
    """
    Folds pages into a store. Views that stand at different positions come on each by itself.

    One that `carries` does not commit what changes no row, until `keep`. One that `overlaps` folds the next page while
    the last one is committed, until `keep`; so nobody may ask it for a row meanwhile.
    """

    def __init__(
        self, store: ViewStore, *, cached_rows: int = CACHED_ROWS, carries: bool = False, overlaps: bool = False
    ) -> None:
        self._store, self._cached_rows, self._carries, self._overlaps = store, cached_rows, carries, overlaps
        self.positions: dict[str, int] = {view.name: 0 for view in store.views}
        self._kept = dict(self.positions)
        """The checkpoints as the store has them."""
        self._whole_at = float("-inf")
        """When the checkpoints of all views were committed together, by the clock of the loop."""
        self.failed: dict[str, str] = {}
        self.editions: dict[str, int] = dict(self.positions)
        """Of each view, a number that is another one after each commit that changed a row of it."""
        self._rows: dict[str, CachedRows] = {}
        self._applied: dict[tuple[str, ...], _Appliers] = {}
        self._most: dict[str, int] = {}
        """Fewer events per page, for a view with a row that was refused: so the event is found that made it."""
        self._under_way: tuple[asyncio.Task[None], Sequence[Entry | Recorded]] | None = None
        """The commit of the last page, and the page."""

    async def start(self) -> None:
        """Learn where the store stands, and forget all that is cached."""
        self._under_way = None
        there = await self._store.positions()
        self.positions = {view.name: there.get(view.name, 0) for view in self._store.views}
        self._kept = dict(self.positions)
        self.editions = {name: edition + 1 for name, edition in self.editions.items()}
        for view in self._store.views:
            self.editions.setdefault(view.name, 0)
        self._rows, self._applied = {}, {}
        for view in self._store.views:
            self._rows[view.name] = CachedRows(view, complete=there.get(view.name) == 0, most=self._cached_rows)
            if view.name not in there:
                self.failed[view.name] = f"version {view.version} is not what is served: that is another release's"

    async def step(self, journal: Readable, page: int, upto: Mapping[str, int] | None = None) -> int:
        """
        Take every healthy view on by at most one page, none beyond `upto`. Returns how many events were read.

        Raises Moved and what the stores raise; then `start` again before the next step.
        """
        together = self._together(page, upto)
        ends = sorted({position for position, _ in together})
        read = 0
        for (position, most), views in sorted(together.items(), key=lambda group: group[0]):
            # Those behind stop where the next ones stand, and go on together with them.
            ahead = next((end - position for end in ends if end > position), most)
            entries = await journal.read(position, min(most, ahead))
            if entries:
                await self.fold(views, entries)
                read += len(entries)
        return read

    def _together(self, page: int, upto: Mapping[str, int] | None) -> Mapping[tuple[int, int], Sequence[View]]:
        """The views that go on from the same position by the same number of events at most."""
        places = set(self.positions.values())
        if len(places) == 1 and not self.failed and not self._most and upto is None:
            return {(places.pop(), page): self._store.views}  # as nearly always, and at every commit
        together: dict[tuple[int, int], list[View]] = defaultdict(list)
        for view in self._store.views:
            if view.name not in self.failed:
                position = self.positions[view.name]
                most = min(page, self._most.get(view.name, page))
                if upto is not None:
                    most = min(most, upto.get(view.name, 0) - position)
                if most > 0:
                    together[position, most].append(view)
        return together

    async def fold(self, views: Sequence[View], entries: Sequence[Entry | Recorded]) -> None:
        """Fold these into views that all stand right before them, and commit."""
        reading, others = self._readers_among(views, entries)
        stops: dict[str, _Stop] = {}
        folded = {view.name for view in reading}
        if not self._straight(views, reading, entries):
            due, stops = _decode(reading, entries)
            folded.intersection_update(due)
            for view in reading:
                if view.name in folded and (stop := await self._fold(view, due[view.name])):
                    stops[view.name] = stop
        rows = {}
        for view in reading:
            try:
                rows[view.name] = self._rows[view.name].split() if view.name in folded else ([], [])
            except BadRow as error:
                self._refused(view, error, entries)
                stops.pop(view.name, None)
        if not await self._arrived():
            return
        end, kept = entries[-1].position, self._kept
        changes: list[Change] = []
        for view in reading:
            if view.name in rows:
                stop = stops.get(view.name)
                changes.append(Change(view, kept[view.name], stop.position - 1 if stop else end, *rows[view.name]))
        at_once = [change for change in changes if self._must_not_wait(change)]
        if others and end - min([kept[view.name] for view in others]) >= MOST_CARRIED:
            at_once += [Change(view, kept[view.name], end) for view in others]
        if at_once:
            # A checkpoint that has waited is written with the next rows: it is one statement all the same.
            whole = changes + [Change(view, kept[view.name], end) for view in others] if self._is_late() else at_once
            commit = self._commit(whole)
            if self._overlaps and not stops:
                self._under_way = asyncio.create_task(commit), entries
            elif not await self._is_taken(commit, entries):
                return
        self.positions.update([(view.name, end) for view in others])
        for change in changes:
            name = change.view.name
            if name in folded:
                self._rows[name].keep()
                self.editions[name] += bool(change.put or change.drop)
            self.positions[name] = change.position
            if name in self._most:
                self._most[name] *= 2
                if self._most[name] > len(entries) * 64:
                    del self._most[name]
            if stop := stops.get(name):
                self._fail(change.view, stop)

    def _readers_among(
        self, views: Sequence[View], entries: Sequence[Entry | Recorded]
    ) -> tuple[Sequence[View], Sequence[View]]:
        """Those of these views that read one of these events, and those that may merely go on over them."""
        if not self._carries or self._most or len(entries) > FEW:
            return views, ()
        readers_of = _readers(tuple(views))
        try:
            names = {name for entry in entries for name in readers_of.get(entry.envelope().type, ())}
        except (msgspec.MsgspecError, ValueError):
            return views, ()  # which of them that stops, is told when they are folded
        return [view for view in views if view.name in names], [view for view in views if view.name not in names]

    async def _is_taken(self, commit: Awaitable[None], entries: Sequence[Entry | Recorded]) -> bool:
        """Whether the store took these rows of a page."""
        try:
            await commit
        except Refused as error:
            self._refused(error.view, error, entries)
            return False
        return True

    async def _arrived(self) -> bool:
        """The last page is committed. If the store refused it, all is as the store has it, and False."""
        if self._under_way is None or await self._is_taken(*self._under_way):
            self._under_way = None
            return True
        await self.start()
        return False

    def row(self, view: str, key: Key) -> Row | None:
        """A row as it is stored, where that is known here; None where it is known that there is none, else UNKNOWN."""
        rows = self._rows.get(view)
        return UNKNOWN if rows is None else rows.peek(key)

    def _must_not_wait(self, change: Change) -> bool:
        return bool(not self._carries or change.put or change.drop or change.position - change.after >= MOST_CARRIED)

    def _is_late(self) -> bool:
        return asyncio.get_running_loop().time() > self._whole_at + CARRIED_S

    async def _commit(self, changes: Sequence[Change]) -> None:
        await self._store.commit(changes)
        self._kept.update({change.view.name: change.position for change in changes})
        if len(changes) == len(self._store.views) - len(self.failed):
            self._whole_at = asyncio.get_running_loop().time()

    @property
    def carried(self) -> bool:
        """Whether a checkpoint has moved in memory only."""
        return self._kept != self.positions

    async def keep(self) -> bool:
        """
        Commit what is carried or under way. False if the last page was refused: some of it is to be folded again.

        Raises Moved and what the store raises.
        """
        if not await self._arrived():
            return False
        moved = [view for view in self._store.views if self._kept[view.name] != self.positions[view.name]]
        if moved:
            await self._commit([Change(view, self._kept[view.name], self.positions[view.name]) for view in moved])
        return True

    def _straight(self, views: Sequence[View], reading: Sequence[View], entries: Sequence[Entry | Recorded]) -> bool:
        """Fold each event as it is read, where every row is in memory. False if one fails: all is to be done again."""
        if not all([self._rows[view.name].complete for view in reading]):
            return False
        for view in reading:
            self._rows[view.name].begin()
        readers_of = self._appliers(views).get
        try:
            for entry in entries:
                envelope = entry.envelope()
                if readers := readers_of(envelope.type):
                    event, tenant = entry.event(envelope), envelope.tenant
                    for rows, apply in readers:
                        rows.tenant = tenant
                        apply(rows, event, envelope)
        except Exception:
            return False
        return True

    def _appliers(self, views: Sequence[View]) -> _Appliers:
        """By type of event, the rows and the fold of each of these views that reads it; the same page after page."""
        names = tuple([view.name for view in views])
        if names not in self._applied:
            to: _Appliers = defaultdict(list)
            for view in views:
                for kind in view.reads:
                    to[kind.__name__].append((self._rows[view.name], view.apply))
            self._applied[names] = to
        return self._applied[names]

    async def _fold(self, view: View, due: Sequence[_Due]) -> _Stop | None:
        """Fold until every row that was looked at was known; what is before a failure stays folded."""
        rows = self._rows[view.name]
        while True:
            failed = _try(view, rows, due)
            if rows.unknown:
                rows.learn(await self._store.load(view, rows.unknown))
            elif failed:
                number, error = failed
                _try(view, rows, due[:number])
                return _Stop(due[number].position, error)
            else:
                return None

    def _refused(self, view: View, error: Exception, entries: Sequence[Entry | Recorded]) -> None:
        if len(entries) > 1:
            self._most[view.name] = len(entries) // 2
        else:
            self._fail(view, _Stop(entries[0].position, error))

    def _fail(self, view: View, stop: _Stop) -> None:
        self.failed[view.name] = f"event {stop.position}: {stop.reason!r}"
        _log.error("view.failed", view=view.name, position=stop.position, exc_info=stop.reason)


def _decode(
    views: Sequence[View], entries: Sequence[Entry | Recorded]
) -> tuple[dict[str, list[_Due]], dict[str, _Stop]]:
    """What is to be folded, by view: every envelope read once, and a payload only if it is wanted."""
    due: dict[str, list[_Due]] = defaultdict(list)
    stops: dict[str, _Stop] = {}
    readers_of = _readers(tuple(views))
    for entry in entries:
        kind = ""
        try:
            envelope = entry.envelope()
            kind = envelope.type
            if readers := readers_of.get(kind):
                one = _Due(entry.event(envelope), envelope, entry.position)
                for name in readers:
                    due[name].append(one)
        except (msgspec.DecodeError, envelopes.UnknownEvent) as error:
            # Whose event it is cannot be told if not even the envelope can be read.
            for name in readers_of[kind] if kind else [view.name for view in views]:
                stops.setdefault(name, _Stop(entry.position, error))
    for name, stop in stops.items():
        due[name] = [one for one in due[name] if one.position < stop.position]
    return due, stops


@lru_cache(maxsize=256)
def _readers(views: tuple[View, ...]) -> Mapping[str, Sequence[str]]:
    """By type of event, the names of the views that read it."""
    by_type: dict[str, list[str]] = defaultdict(list)
    for view in views:
        for event in view.reads:
            by_type[event.__name__].append(view.name)
    return dict(by_type)


def _try(view: View, rows: CachedRows, due: Sequence[_Due]) -> tuple[int, Exception] | None:
    """
    Fold from what is stored. Returns which event failed and why.

    Once a row was unknown, a failure says nothing; the rest is folded all the same, to learn of more unknown rows.
    """
    rows.begin()
    apply, unknown = view.apply, rows.unknown
    for number, (event, envelope, _) in enumerate(due):
        rows.tenant = envelope.tenant
        try:
            apply(rows, event, envelope)
        except Exception as error:
            if not unknown:
                return number, error
    return None


class Projector:
    """
    The one projector of a service: `run` is its loop, `wake` tells it that something was recorded.

    With `polls` it also looks by itself, for a process that is not told.
    """

    def __init__(self, journal: JournalStore, store: ViewStore, *, polls: bool = False) -> None:
        self._journal, self._store, self._polls = journal, store, polls
        self._folder = Folder(store, carries=True)
        self._turn = asyncio.Lock()
        self._woken = asyncio.Event()
        self._waiting: dict[asyncio.Future[None], tuple[int, tuple[str, ...], float]] = {}
        """Who is woken when these views have come to this position, or at this time of the loop."""
        self._late: asyncio.TimerHandle | None = None
        """One for all who wait: one for each would cost more than what they wait for."""
        self._waited_for = tuple([view.name for view in store.views if view.waited_for])
        self.doubts = False
        """What was committed last may be gone: where the views stand is not known until it was read again."""
        store.watch(self._doubt)

    def _doubt(self) -> None:
        self.doubts = True
        self._woken.set()

    def wake(self, position: int = 0) -> None:
        """Something was recorded. Fits the writer's `committed`."""
        self._woken.set()

    def positions(self) -> dict[str, int]:
        """Up to where each view has seen the journal."""
        return dict(self._folder.positions)

    def editions(self, views: Iterable[str]) -> tuple[int, ...]:
        """As long as these are the same, no row of these views has changed."""
        editions = self._folder.editions
        return tuple([editions[name] for name in views])

    def row(self, view: str, key: Key) -> Row | None:
        """A row as it is stored, where that is known here; None where it is known that there is none, else UNKNOWN."""
        return self._folder.row(view, key)

    def failed(self) -> dict[str, str]:
        """The views that have stopped, each with the event and the reason."""
        return dict(self._folder.failed)

    async def run(self) -> None:
        """Fold until cancelled. A store that fails is tried again with growing pauses."""
        self._folder.failed.clear()
        started, rested, pause, poll = False, False, FIRST_PAUSE_S, QUICKEST_POLL_S
        while True:
            self._woken.clear()
            try:
                async with self._turn:
                    if self.doubts or not started:
                        await self._folder.start()
                        self.doubts = False
                    read = await self._folder.step(self._journal, PAGE)
                    if rested and not read:
                        await self._folder.keep()
                started, pause = True, FIRST_PAUSE_S
            except Moved:
                started, read = False, 1
            except Exception as error:
                _log.warning("projector.waits_for_store", seconds=pause, exc_info=error)
                await asyncio.sleep(pause)
                started, read, pause = False, 1, min(pause * 2, LONGEST_PAUSE_S)
            self._tell()
            if read:
                poll, rested = QUICKEST_POLL_S, False
            else:
                carried = CARRIED_S if self._folder.carried else None
                rested = not await self._woken_within(poll if self._polls else carried)
                poll = min(poll * 2, SLOWEST_POLL_S)

    async def _woken_within(self, seconds: float | None) -> bool:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._woken.wait()
        return False

    async def wait_for(self, position: int, seconds: float = 0.5, views: Collection[str] | None = None) -> bool:
        """
        Wait until the views, by default those that are `waited_for`, have seen this position.

        One that has stopped is not waited for, nor one that is only catching up; False when one that has not stopped
        has not come so far.
        """
        wanted = self._waited_for if views is None else tuple(views)
        reached = self._reached(wanted)
        if reached >= position:
            return True
        near = wanted
        if reached < position - WITHIN_REACH:
            positions = self._folder.positions
            near = tuple([name for name in wanted if position - positions[name] <= WITHIN_REACH])
            reached = self._reached(near)
        if reached < position:
            loop = asyncio.get_running_loop()
            come, until = loop.create_future(), loop.time() + seconds
            self._waiting[come] = position, near, until
            if self._late is None or until < self._late.when():
                self._look_at(until)
            try:
                await come
            finally:
                self._waiting.pop(come, None)
        return self._reached(wanted) >= position

    def _look_at(self, when: float) -> None:
        """Let go then whoever has waited long enough."""
        if self._late is not None:
            self._late.cancel()
        self._late = asyncio.get_running_loop().call_at(when, self._let_go)

    def _let_go(self) -> None:
        now, self._late = asyncio.get_running_loop().time(), None
        for come in [come for come, (_, _, until) in self._waiting.items() if until <= now]:
            del self._waiting[come]
            _wake(come)
        if self._waiting:
            self._look_at(min([until for _, _, until in self._waiting.values()]))

    def _reached(self, views: Collection[str]) -> int:
        """Up to where all of these have come; those that have stopped are not asked."""
        if self.doubts:
            return -1
        positions, failed = self._folder.positions, self._folder.failed
        return min([positions[name] for name in views if name not in failed], default=2**63)

    def _tell(self) -> None:
        """Wake those whose position has come."""
        if not self._waiting:
            return
        reached = {views: self._reached(views) for views in {views for _, views, _ in self._waiting.values()}}
        for come, (position, views, _) in list(self._waiting.items()):
            if reached[views] >= position:
                del self._waiting[come]
                _wake(come)

    async def swap(self, fresh: ViewStore) -> None:
        """
        Serve these rows from now on, brought first to where the served ones stand, or to the end of the journal for a
        view that is not served yet. Views that had stopped are tried again.
        """
        async with self._turn:
            await self._folder.keep()
            folder, there = Folder(fresh), await self._store.positions()
            end = (await self._journal.head()).position
            upto = {view.name: there.get(view.name, end) for view in fresh.views}
            await folder.start()
            while await folder.step(self._journal, PAGE, upto):
                pass
            await self._store.become(fresh)
            self._folder.failed.clear()
            await self._folder.start()
        self._woken.set()


def _wake(come: asyncio.Future[None]) -> None:
    if not come.done():
        come.set_result(None)
