"""Stories at a desk that is closed and opened again."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from dispatcher.service import service
from services.chassis.auth import Tokens
from services.chassis.clock import SetClock
from services.chassis.http.app import service_app
from services.host import Host
from services.settings import Settings
from tests.dispatcher.test_running import NoKeys
from tests.given import NOW
from tests.sla.desk import OWN, SlaDesk


@pytest.fixture
def told(tmp_path):
    """Runs stories one after the other at the same desk, which is closed and opened again between them."""

    @asynccontextmanager
    async def desk(now):
        alone = replace(service, policies=OWN)
        clock = SetClock(now)
        tokens = Tokens.from_file(tmp_path / "token-keys.json", clock)
        async with Host(Settings(data=tmp_path), [alone], NoKeys(), clock=clock) as host:
            running = host.running["dispatcher"]
            async with asyncio.timeout(10):
                while not host.leads("dispatcher"):
                    await asyncio.sleep(0.01)
            app = service_app([alone.routes(running)], tokens=tokens)
            async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://t") as http:
                yield SlaDesk(host, clock, http, tokens)

    def tell(*stories):
        async def whole():
            now = NOW
            for story in stories:
                async with desk(now) as one:
                    await story(one)
                    now = one.clock.now()

        asyncio.run(whole())

    return tell
