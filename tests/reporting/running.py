"""
Reporting on real stores and behind its real routes; what others publish is handed to it.

    async with reporting(tmp_path) as it:
        await it.publishes(request_received(), (order_assigned(), {"time": LATER}))
        report = await it.report("efficiency")
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager

import httpx
import msgspec
from joserfc.jwk import OKPKey

from reporting.service import service
from services.chassis.auth import Principal, Tokens
from services.chassis.clock import SetClock
from services.chassis.ids import new_ids
from services.chassis.journal.sqlite import SqliteJournal
from services.chassis.journal.work import Arrival, Stopped, TakeIn
from services.chassis.journal.writer import Writer
from services.chassis.readers.postgres_views import PostgresViews
from services.chassis.readers.projector import Folder
from services.chassis.readers.sqlite_views import SqliteViews
from tests.fold import TENANT, enveloped
from tests.given import NOW
from tests.standing import standing


class Api:
    """What the host gives the routes of reporting."""

    name = "reporting"
    incarnation = 1

    def __init__(self, journal, views, clock):
        self.journal, self.views, self.clock = journal, views, clock
        self.head = 0
        self.stopped = False
        self.grew = asyncio.Condition()

    async def fetch(self, query, **values):
        return await self.views.fetch(query, **values)

    async def wait_for(self, position):
        return True

    async def wait_for_other(self, publisher, position):
        return True

    def now(self):
        return self.clock.now()

    async def committed_after(self, position, at_most_s):
        async with self.grew:
            try:
                async with asyncio.timeout(at_most_s):
                    await self.grew.wait_for(lambda: self.head > position or self.stopped)
            except TimeoutError:
                return
        if self.stopped:
            raise Stopped("the host ends")

    async def tell(self, head=0, stopped=False):
        async with self.grew:
            self.head, self.stopped = max(head, self.head), stopped
            self.grew.notify_all()


class Reporting:
    def __init__(self, api, writer, folder, tokens, app):
        self.api, self.writer, self.app = api, writer, app
        self._folder, self._tokens = folder, tokens
        self._published = []

    async def publishes(self, *events):
        """Others publish these, and the views show it. An event alone, or with facts of its envelope."""
        before = len(self._published)
        self._published += events
        fresh = [envelope for _, envelope in enveloped(self._published)[before:]]
        arrivals = [Arrival(envelope, msgspec.json.encode(envelope)) for envelope in fresh]
        await self.writer.take_in(TakeIn(arrivals, {}))
        while await self._folder.step(self.api.journal, 1_000):
            pass
        assert not self._folder.failed
        await self.api.tell(self.writer.position)
        return arrivals

    def headers(self, role="manager", tenant=TENANT):
        person = "p-1" if role in ("partner", "customer", "engineer") else ""
        return {"Authorization": f"Bearer {self._tokens.issue(Principal('u-1', tenant, role, person))}"}

    async def get(self, path, role="manager", tenant=TENANT, headers=None, **params):
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://edge") as client:
            return await client.get(path, params=params, headers=self.headers(role, tenant) | (headers or {}))

    async def report(self, name, **params):
        """The figures of a report by name."""
        answer = await self.get(f"/v1/reports/{name}", **params)
        assert answer.status_code == 200, answer.text
        return {figure["name"]: figure["value"] for figure in answer.json()["figures"]}

    async def behind(self, name, figure, **params):
        """The ids behind a figure."""
        answer = await self.get(f"/v1/reports/{name}/events", figure=figure, **params)
        assert answer.status_code == 200, answer.text
        return [item["id"] for item in answer.json()["items"]]


@asynccontextmanager
async def reporting(path, dsn=None):
    path.mkdir(exist_ok=True)
    journal = SqliteJournal(path / "journal.sqlite")
    if dsn:
        views = await PostgresViews.open(dsn, service.name, service.views)
    else:
        views = await SqliteViews.open(path / "views", service.views)
    folder = Folder(views)
    await folder.start()
    clock = SetClock(NOW)
    writer = Writer(service.rules, journal, clock=clock, new_id=new_ids(lambda: 0), keys=None)
    running = asyncio.create_task(writer.run())
    tokens = Tokens([OKPKey.generate_key("Ed25519", parameters={"kid": "k"})], clock)
    api = Api(journal, views, clock)
    try:
        with standing(service, api, tokens) as app:
            yield Reporting(api, writer, folder, tokens, app)
    finally:
        writer.stop()
        await running
        await views.close()
        await journal.close()
