"""Stories at a desk that is closed and opened again."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from contracts import envelope as envelopes
from dispatcher.service import service
from services.chassis.auth import Tokens
from services.chassis.clock import SetClock, at_micros
from services.chassis.http.app import service_app
from services.host import Host
from services.settings import Settings
from services.verify.clocks import Clocks
from services.verify.findings import Findings
from tests.dispatcher.test_running import NoKeys
from tests.given import NOW
from tests.sla.desk import OWN, SlaDesk


async def judged(running):
    """What `fieldloop verify` finds wrong about the marks; nothing, after whatever story."""
    check, upto = Clocks(Findings("dispatcher")), 0
    for entry in await running.journal.read(0, 9_999):
        envelope, upto = envelopes.read(entry.record), entry.position
        if envelope.type in {kind.__name__ for kind in Clocks.READS}:
            check.check(entry.position, envelopes.payload(envelope), envelope)
    armed = await running.journal.due(2**63 - 1, 9_999)
    check.stuck({key: at_micros(timer.due) for key, timer in armed}, upto)
    return check.findings.named


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
                assert await judged(running) == []

    def tell(*stories):
        async def whole():
            now = NOW
            for story in stories:
                async with desk(now) as one:
                    await story(one)
                    now = one.clock.now()

        asyncio.run(whole())

    return tell
