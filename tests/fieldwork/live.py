"""
One service as it runs, on real SQLite stores and behind its real routes; what others publish is handed to it.

    async with live(service, tmp_path) as it:
        await it.publishes(order_assigned())
        answer = await it.call("e-1", "engineer", "POST", "/v1/visits/v-1/depart", json={})
"""

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from datetime import UTC, timedelta
from pathlib import Path
from random import Random

import httpx
import msgspec

from contracts import envelope as envelopes
from services.chassis.auth import Principal, Tokens
from services.chassis.clock import SetClock, micros
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.work import Arrival, TakeIn
from services.chassis.readers.sqlite_views import SqliteViews
from services.chassis.running import Running
from tests.fold import TENANT, enveloped
from tests.given import NOW
from tests.standing import standing


class Keys:
    """Seals so that a test can see it; the key of who is forgotten is gone."""

    def __init__(self):
        self.forgotten = set()
        self.joined = {}

    async def ensure(self, persons, joined=()):
        self.joined.update({person: joined[tenant, person] for tenant, person in joined})

    async def index(self, tenant, text):
        return f"{tenant}:{hash(text)}"

    async def ready(self, tenant, sealed):
        pass

    def seal(self, tenant, person, text):
        return text if text.startswith("sealed:") else f"sealed:{person}:{text[::-1]}"

    def open(self, tenant, text):
        if not text.startswith("sealed:"):
            return text
        _, person, text = text.split(":", 2)
        return "" if person in self.forgotten else text[::-1]


class Live:
    def __init__(self, running, keys, clock, tokens, client):
        self.running, self.keys, self.clock, self._tokens, self._client = running, keys, clock, tokens, client
        self._published = Counter()

    async def publishes(self, *events):
        """Another service publishes these, and everything that follows from it has happened. Gives the envelopes."""
        arrivals, found = [], []
        for event, envelope in enveloped(events):
            self._published[event.stream()] += 1
            number = sum(self._published.values())
            facts = {"id": f"foreign-{number}", "position": str(number), "time": self.clock.now()}
            facts |= dict.fromkeys(("version", "public_version"), self._published[event.stream()])
            envelope = msgspec.structs.replace(envelope, **facts, recorded_at=self.clock.now())
            found.append(envelope)
            arrivals.append(Arrival(envelope, msgspec.json.encode(envelope)))
        await self.running.writer.take_in(TakeIn(arrivals, {}))
        await self.settled()
        return found

    async def settled(self):
        """Nothing is left to react to or to show. What is held is tried again at once."""
        async with asyncio.timeout(10):
            while True:
                position = self.running.writer.position
                await self.running.wait_for(position)
                if self.running.reactor.waiting:
                    self.clock.set(self.clock.now() + timedelta(seconds=2))
                    self.running.reactor.wake()
                elif self._reacted(position) and position == self.running.writer.position:
                    return
                await asyncio.sleep(0.005)

    def _reacted(self, position):
        """What could not be sent yet may wait on."""
        readers = filter(None, (self.running.reactor, self.running.sender))
        return all(reacts.position >= position for reacts in readers)

    async def call(self, person, role, method, path, *, tenant=TENANT, headers=None, **sent):
        mine = person if role in ("engineer", "customer", "partner") else ""
        token = self._tokens.issue(Principal(f"u-{person}", tenant, role, mine))
        headers = {"Authorization": f"Bearer {token}", **(headers or {})}
        answer = await self._client.request(method, path, headers=headers, **sent)
        await self.settled()
        return answer

    async def own_events(self):
        """What the service itself recorded, in order."""
        found = [envelopes.read(entry.record) for entry in await self.running.journal.read(0, 10_000)]
        return [envelopes.payload(one) for one in found if one.service == self.running.name]

    async def rows(self, view):
        columns = [column for column in view.table.columns if column.name != "tenant"]
        return [dict(row) for row in await self.running.fetch(view.table.select().with_only_columns(*columns))]


@asynccontextmanager
async def live(service, folder: Path, outlets=None):
    clock, keys = SetClock(NOW.astimezone(UTC)), Keys()
    journal = SqliteJournal(folder / "journal.db")
    views = await SqliteViews.open(folder / "views.db", service.views)
    ids = new_ids(lambda: micros(clock.now()) // 1_000, Random(7))
    running = Running(service, journal, views, folder, keys=keys, clock=clock, new_id=ids, outlets=outlets)
    tokens = Tokens.from_file(folder / "tokens.json", clock)
    leading = asyncio.create_task(running.lead(journal, None, None, None))
    try:
        while running.writer is None:
            await asyncio.sleep(0)
        # A new policy begins at the head that it finds.
        for reacts in filter(None, (running.reactor, running.sender)):
            while reacts._done.keys() != reacts._policies.keys():
                await asyncio.sleep(0)
        with standing(service, running, tokens) as app:
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as client:
                yield Live(running, keys, clock, tokens, client)
    finally:
        leading.cancel()
        ended = await asyncio.gather(leading, return_exceptions=True)
        await views.close()
        await journal.close()
        if not isinstance(ended[0], asyncio.CancelledError | None):
            raise ended[0]
